/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of what the programs shall do: {device, packet} -> {verdict, packet out, counter}.
 * The same rows run through the shipped object and through the native build.
 */
#ifndef WEFT_TESTS_BPF_ROWS_H
#define WEFT_TESTS_BPF_ROWS_H

#include <linux/pkt_cls.h>

#include "packet.h"
#include "world.h"

#include <weft/abi/event.h>
#include <weft/abi/reason.h>

/* Device of a row that is none of weft's. */
#define SLOT_FOREIGN 0xffff

/* Row.to when the packet is turned around into its own container: nobody is counted. */
#define TO_SELF   (-1)
#define TO_NOBODY (-2)

struct row {
	const char *name;
	__u32 slot;  /* whose device sees the packet; WF_SLOT_HOST: weft0p */
	bool egress; /* the program in front of the container */
	__u32 gso;   /* segment size of a packet still to be segmented */
	struct packet_spec in;
	__u32 reason;                  /* enum wf_reason; 0: not dropped */
	int to;                        /* slot that receives, TO_SELF */
	const struct packet_spec *out; /* NULL: unchanged */
	bool is_native_only;           /* cannot be had from the kernel's test run */
};

struct row_table {
	const struct row *rows;
	size_t count;
};

extern const struct row_table rows_arp;
extern const struct row_table rows_ipv4;
extern const struct row_table rows_ipv6;
extern const struct row_table rows_nd;
extern const struct row_table rows_host;
extern const struct row_table rows_egress;

extern const struct row_table *const row_tables[];
extern const size_t row_table_count;

#define ROW_TABLE(name)                                \
	{                                              \
		name, sizeof(name) / sizeof((name)[0]) \
	}

/* What rows have in common: slot 1 in blue, to slot 2. */
#define FROM_1    .slot = 1, .in.src_mac = 1
#define TCP4_1_2  .in.src = "10.1.0.11", .in.dst = "10.1.0.12", .in.dst_mac = 2
#define TCP6_1_2  .in.src = "fd01::11", .in.dst = "fd01::12", .in.dst_mac = 2
#define RAW(text) text, sizeof(text) - 1

#endif
