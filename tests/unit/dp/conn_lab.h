/* SPDX-License-Identifier: Apache-2.0 */
/* The table of connections with both its users in one process: programs' logic and the daemon's. */
#ifndef WEFT_TESTS_UNIT_DP_CONN_LAB_H
#define WEFT_TESTS_UNIT_DP_CONN_LAB_H

#include "port.h"

#include "lib/conn.h"

#include "dp/conn_table.h"

#define LAB_PROTO_TCP 6
#define LAB_PROTO_UDP 17

static inline int lab_free(uint32_t index, void *context)
{
	(void)context;
	return native_queue_push(index);
}

static inline int lab_pop(uint32_t *ret_index, void *context)
{
	(void)context;
	return native_queue_pop(ret_index);
}

/* The whole table as the daemon maps it. */
static inline struct wf_conn_table lab_table(void)
{
	return (struct wf_conn_table){
		.state = &native_conns.state,
		.conns = native_conns.records,
		.count = wf_conn_table_end(&native_conns.state),
		.buckets = native_conns.buckets,
		.owners = native_conns.owners,
		.owner_count = NATIVE_SLOTS,
		.backends = native.backends,
		.backend_count = NATIVE_BACKENDS,
		.free = lab_free,
		.pop = lab_pop,
	};
}

static inline struct wf_tuple lab_tuple(__u32 proto, __u32 from, __u32 to)
{
	return (struct wf_tuple){
		.src.words = { 0, 0, bpf_htonl(0xffff), bpf_htonl(0x0a000000 | from >> 8) },
		.dst.words = { 0, 0, bpf_htonl(0xffff), bpf_htonl(0x0a600000 | to >> 8) },
		.sport = bpf_htons(0x8000 | (from & 0xff)),
		.dport = bpf_htons(0x1000 | (to & 0xff)),
		.proto = (__u8)proto,
		.site = WF_SITE_CONTAINER,
	};
}

/* Client number `from` to service 1, answered by backend number `by`. */
static inline struct wf_conn_new lab_conn(__u32 proto, __u32 from, __u32 by)
{
	return (struct wf_conn_new){
		.tuple = { lab_tuple(proto, from, 1), lab_tuple(proto, 0x10000 | by, from) },
		.service = 1,
	};
}

static inline __u32 lab_refs(void)
{
	__u32 count = 0;

	for (__u32 i = 0; i < native_conns.state.buckets; i++)
		for (__u32 j = 0; j < WF_CONN_BUCKET_REFS; j++)
			count += native_conns.buckets[i].refs[j] != 0;
	return count;
}

static inline __u32 lab_ticks_s(__u32 ticks)
{
	return (__u32)(((__u64)ticks << WF_CONN_TICK_SHIFT) / 1000000000) + 1;
}

#endif
