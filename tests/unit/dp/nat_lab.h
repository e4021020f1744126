/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets in contexts for tests of bpf/lib/nat.h. Behind the end of each there are bytes that belong to
 * nobody, and stay as they are.
 */
#ifndef WEFT_TESTS_UNIT_DP_NAT_LAB_H
#define WEFT_TESTS_UNIT_DP_NAT_LAB_H

#include "lib/frame.h"
#include "lib/ipv4.h"
#include "lib/ipv6.h"
#include "lib/nat.h"

#include "nat_cases.h"
#include "native.h"
#include "wire.h"

/* The packet in a context, until native_packet_done(). */
void nat_put(struct wf_ctx *ret_ctx, const struct wire *wire);
/*
 * Makes packets of `from` into packets of `to`, and compares them byte by byte with such that were
 * built from nothing.
 */
void nat_check(const char *name, const struct wire_spec *from, const struct wire_spec *to,
	       enum native_summed summed);
void nat_check_both_ways(const struct nat_case *nat, enum native_summed summed);
/* Writes the length that the IP header declares, and cuts the packet there. */
void nat_declare(struct wire *wire, size_t len);
/* Translates, or refuses, a packet that may be cut or broken anywhere; what is behind it stays. */
void nat_run_broken(const struct wire *wire, const struct wf_tuple *to, bool refuse);

#endif
