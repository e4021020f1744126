/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the logic in bpf/lib needs of the world, as the kernel offers it to XDP programs: the same
 * names as in bpf/kernel/port.h over a frame that nobody has made a packet of yet. It has no mark,
 * no VLAN tag beside its bytes, no segments still to be cut, and all its checksums are complete.
 */
#ifndef WEFT_BPF_PORT_H
#define WEFT_BPF_PORT_H

#include "../kernel/common.h"
#include "../kernel/fib.h"
#include "../lib/csum.h"

#define wf_ctx xdp_md

/* Functions that the verifier looks at once take one kind of context: here they have other names. */
#define wf_nat_error       wf_xdp_nat_error
#define wf_nat_packet      wf_xdp_nat_packet
#define wf_reject          wf_xdp_reject
#define wf_work_parse      wf_xdp_work_parse
#define wf_flow_read       wf_xdp_flow_read
#define wf_read_options    wf_xdp_read_options
#define wf_observe_note    wf_xdp_observe_note
#define wf_event_fill      wf_xdp_event_fill
#define wf_flow_read_error wf_xdp_flow_read_error
#define wf_port_is_free    wf_xdp_port_is_free
#define wf_judge_nat       wf_xdp_judge_nat
#define wf_reject_icmp     wf_xdp_reject_icmp
#define wf_sctp_correct    wf_xdp_sctp_correct
#define wf_sctp_narrow     wf_xdp_sctp_narrow

/* Headers end before this; an offset must have a bound for the verifier. */
#define WF_XDP_MAX_OFFSET 0x3fff

static __always_inline void *wf_ctx_data(const struct wf_ctx *ctx)
{
	return (void *)(long)ctx->data;
}

static __always_inline void *wf_ctx_end(const struct wf_ctx *ctx)
{
	return (void *)(long)ctx->data_end;
}

static __always_inline __u32 wf_ctx_len(const struct wf_ctx *ctx)
{
	__u64 len = (long)ctx->data_end - (long)ctx->data;

	/* the verifier wants pointers subtracted as such, not as halves of them */
	asm volatile("" : "+r"(len));
	return len;
}

static __always_inline __u32 wf_ctx_ifindex(const struct wf_ctx *ctx)
{
	return ctx->ingress_ifindex;
}

static __always_inline __u32 wf_ctx_has_vlan(const struct wf_ctx *ctx)
{
	(void)ctx;
	return 0;
}

static __always_inline __u32 wf_ctx_gso_bytes(const struct wf_ctx *ctx)
{
	(void)ctx;
	return 0;
}

/* Nobody has hashed the frame yet; a number that differs is all that callers need. */
static __always_inline __u32 wf_ctx_hash(struct wf_ctx *ctx)
{
	(void)ctx;
	return bpf_get_prandom_u32();
}

static __always_inline int wf_ctx_set_type_host(struct wf_ctx *ctx)
{
	(void)ctx;
	return 0;
}

/* All bytes are in the linear part. */
static __always_inline int wf_ctx_pull(struct wf_ctx *ctx, __u32 len)
{
	return len > wf_ctx_len(ctx) ? -1 : 0;
}

static __always_inline int wf_ctx_load(struct wf_ctx *ctx, __u32 offset, void *to, __u32 len)
{
	return bpf_xdp_load_bytes(ctx, offset, to, len);
}

/* Writes to the packet. Packet pointers stay as they are. */
static __always_inline int wf_ctx_store(struct wf_ctx *ctx, __u32 offset, const void *from,
					__u32 len)
{
	return bpf_xdp_store_bytes(ctx, offset, (void *)from, len);
}

/* Where `len` bytes of the frame are; NULL when it has not as many. */
static __always_inline void *wf_ctx_at(const struct wf_ctx *ctx, __u32 offset, __u32 len)
{
	void *at;

	if (offset > WF_XDP_MAX_OFFSET)
		return NULL;
	at = wf_ctx_data(ctx) + offset;
	/* what is checked must be the register that is used */
	asm volatile("" : "+r"(at));
	return at + len > wf_ctx_end(ctx) ? NULL : at;
}

/*
 * Reads and writes what nearly every packet has, in place: a quarter of the time of the calls
 * above, for three times the work of the verifier.
 */
static __always_inline int wf_ctx_load_fast(struct wf_ctx *ctx, __u32 offset, void *to, __u32 len)
{
	const void *at = wf_ctx_at(ctx, offset, len);

	if (!at)
		return -1;
	wf_copy(to, at, len);
	return 0;
}

static __always_inline int wf_ctx_store_fast(struct wf_ctx *ctx, __u32 offset, const void *from,
					     __u32 len)
{
	void *at = wf_ctx_at(ctx, offset, len);

	if (!at)
		return -1;
	wf_copy(at, from, len);
	return 0;
}

/* Cuts or grows the packet at its end. Packet pointers are void afterwards. */
static __always_inline int wf_ctx_resize(struct wf_ctx *ctx, __u32 len)
{
	return bpf_xdp_adjust_tail(ctx, (int)(len - wf_ctx_len(ctx)));
}

static __always_inline int wf_ctx_store_summed(struct wf_ctx *ctx, __u32 offset, const void *from,
					       __u32 len)
{
	return wf_ctx_store_fast(ctx, offset, from, len);
}

#define WF_CSUM_PSEUDO      0
#define WF_CSUM_MAY_BE_NONE BPF_F_MARK_MANGLED_0

/* Corrects the checksum at `offset` for a value that changed; flags: size and WF_CSUM_*. */
static __always_inline int wf_csum_l4(struct wf_ctx *ctx, __u32 offset, __u64 from, __u64 to,
				      __u32 flags)
{
	__u32 diff = flags & BPF_F_HDR_FIELD_MASK ? wf_csum_change(from, to) : to;
	__u16 check;

	if (wf_ctx_load_fast(ctx, offset, &check, sizeof(check)) < 0)
		return -1;
	if (flags & WF_CSUM_MAY_BE_NONE && !check)
		return 0;
	check = wf_csum_apply(check, diff);
	if (flags & WF_CSUM_MAY_BE_NONE && !check)
		check = 0xffff;
	return wf_ctx_store_fast(ctx, offset, &check, sizeof(check));
}

static __always_inline int wf_csum_l3(struct wf_ctx *ctx, __u32 offset, __u64 from, __u64 to,
				      __u32 size)
{
	return wf_csum_l4(ctx, offset, from, to, size);
}

static __always_inline __u32 wf_ctx_mark(const struct wf_ctx *ctx)
{
	(void)ctx;
	return 0;
}

static __always_inline void wf_ctx_set_mark(struct wf_ctx *ctx, __u32 mark)
{
	(void)ctx;
	(void)mark;
}

/* Sends out of a device, as the frame is; returns the action. */
static __always_inline int wf_redirect(__u32 ifindex)
{
	return bpf_redirect(ifindex, 0);
}

/*
 * How a frame between two addresses, `pair`, would leave: 0, or -1 when there is no route, no
 * neighbour yet, or it is too long.
 */
static __always_inline int wf_route_ask(struct wf_ctx *ctx, const struct wf_addr *pair,
					const struct wf_ask *ask, struct wf_route_value *ret_route)
{
	struct bpf_fib_lookup fib = {};

	if (wf_fib_ask(ctx, pair, ask, &fib) != BPF_FIB_LKUP_RET_SUCCESS)
		return -1;
	wf_fib_frame(&fib, ret_route);
	return 0;
}

#endif
