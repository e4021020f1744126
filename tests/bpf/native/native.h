/* SPDX-License-Identifier: Apache-2.0 */
/* The datapath as an ordinary function: the logic of bpf/lib on the world of world.h. */
#ifndef WEFT_TESTS_BPF_NATIVE_H
#define WEFT_TESTS_BPF_NATIVE_H

#include <stdbool.h>

#include "port.h"

struct wf_flow;
struct wf_ip;

/* Forgets everything and fills in the world. */
void native_reset(void);

/* Makes a packet of a copy of bytes; native_packet_done() frees it. */
void native_packet(struct wf_ctx *ret_ctx, const void *bytes, __u32 len);
/* The same with `front` bytes in front of it: 0 for what has no Ethernet header. */
void native_packet_at(struct wf_ctx *ret_ctx, const void *bytes, __u32 len, __u32 front);
void native_packet_done(struct wf_ctx *ctx);

/* Reads the flow of a packet whose IP header is at l3; 0: it has no Ethernet header. 0 or -reason. */
int native_flow_read(struct wf_ctx *ctx, __u32 l3, enum wf_site site, struct wf_ip *ret_ip,
		     struct wf_flow *ret_flow);

/* Runs the filter of containers' ingress, stages included, or the guard; the action of tc. */
int native_run(struct wf_ctx *ctx, bool egress);

/* The same for the filters of an uplink; ctx->ifindex says which. */
int native_uplink_run(struct wf_ctx *ctx, bool egress);

#endif
