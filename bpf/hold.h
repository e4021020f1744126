/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A fragment that is here before the first one of its packet, where only that one says what becomes
 * of it. A program cannot keep a packet, so its bytes are kept. When the first one comes it starts
 * once more, and its old buffer becomes each of those that waited, one after the other: they pass
 * the programs as if they had come behind it. Nothing passes that would not have passed in order.
 * Part of WF_STAGE_POLICY; beside the programs, since only the kernel has what this needs.
 */
#ifndef WEFT_BPF_HOLD_H
#define WEFT_BPF_HOLD_H

#include "lib/finish.h"
#include "lib/judge.h"

/* Where fragments of a packet go on. */
struct wf_hold_way {
	__u32 ifindex;
	__u32 flags; /* of bpf_clone_redirect() */
};

/*
 * The program starts again with the device that brought the packet. What came from another node may
 * have lost its outer headers, and with them who sent it: that goes on to the container's device.
 */
static __always_inline void wf_hold_where(const struct __sk_buff *skb, const struct wf_work *work,
					  struct wf_hold_way *ret_way)
{
	if (work->guard.way == WF_WAY_PEER && work->hook >= WF_HOOK_FROM_UPLINK) {
		ret_way->ifindex = WF_IFINDEX_BASE + work->guard.to;
		ret_way->flags = 0;
	} else {
		ret_way->ifindex = skb->ifindex;
		ret_way->flags = BPF_F_INGRESS;
	}
}

/* A container's frame shows its own MAC again, by which it is known. 0 or -1. */
static __always_inline int wf_hold_source(struct __sk_buff *skb, const struct wf_work *work)
{
	struct wf_ep_value *endpoint;

	if (work->hook != WF_HOOK_FROM_CONTAINER)
		return 0;
	endpoint = wf_map_endpoint(wf_slot_of(skb));
	return endpoint ? bpf_skb_store_bytes(skb, ETH_ALEN, endpoint->mac, ETH_ALEN, 0) : -1;
}

/* Counts a fragment whose first one did not come. */
static __always_inline void wf_hold_lost(__u32 len)
{
	struct wf_counter *drop = wf_map_drop(WF_REASON_NAT_FRAGMENT);

	if (drop)
		wf_counter_add(drop, len);
}

/* Step of wf_loop(): looks at a place. Those whose time is over are free again. */
static long wf_hold_step(__u32 i, void *data)
{
	struct wf_held_value *held = wf_map_held();
	struct wf_work *work = wf_map_work();
	struct wf_held_place *place;
	__u32 state;

	(void)data;
	if (!held || !work || i >= WF_MAX_HELD)
		return 1;
	place = &held->places[i];
	state = wf_read32(&place->state);
	if (state == WF_HELD_WAITS && work->hold.now - place->tick > WF_HELD_TICKS &&
	    wf_atomic_cas32(&place->state, WF_HELD_WAITS, WF_HELD_FREE) == WF_HELD_WAITS) {
		wf_hold_lost(place->len);
		state = WF_HELD_FREE;
	}
	if (state != WF_HELD_FREE)
		work->hold.mine += place->ifindex == work->hold.ifindex;
	else if (!work->hold.found &&
		 wf_atomic_cas32(&place->state, WF_HELD_FREE, WF_HELD_BUSY) == WF_HELD_FREE)
		work->hold.found = i + 1;
	return 0;
}

/* Takes a free place for a device that has no more than its share; NULL: there is none. */
static __always_inline struct wf_held_place *wf_hold_take(struct wf_work *work, __u32 ifindex,
							  __u32 *ret_index)
{
	struct wf_held_value *held = wf_map_held();
	struct wf_held_place *place;
	__u32 index;

	work->hold.found = work->hold.mine = 0;
	work->hold.ifindex = ifindex;
	work->hold.now = wf_now_tick();
	wf_loop(WF_MAX_HELD, wf_hold_step, NULL);
	index = work->hold.found - 1;
	if (!held || index >= WF_MAX_HELD)
		return NULL;
	place = &held->places[index];
	place->ifindex = ifindex;
	place->tick = work->hold.now;
	if (work->hold.mine >= WF_HELD_SHARE) {
		(void)wf_atomic_cas32(&place->state, WF_HELD_BUSY, WF_HELD_FREE);
		return NULL;
	}
	*ret_index = index;
	return place;
}

/*
 * Whether a frame of that length has a place. Without the barrier the compiler would make one
 * comparison of the two, of a difference that verifiers before 6.18 do not follow.
 */
static __always_inline int wf_hold_fits(__u32 *len)
{
	if (*len > WF_HELD_BYTES)
		return 0;
	asm volatile("" : "+r"(*len));
	return *len >= ETH_HLEN + sizeof(struct iphdr);
}

/* Copies the packet: 0 or -1. */
static __always_inline int wf_hold_copy(struct __sk_buff *skb, const struct wf_work *work,
					const struct wf_fragment_key *key,
					const struct wf_hold_way *way, struct wf_held_frame *frame)
{
	__u32 len = skb->len;

	frame->key = *key;
	frame->ifindex = way->ifindex;
	frame->flags = way->flags;
	frame->mark = skb->mark;
	frame->l3 = work->ip.l3;
	frame->len = len;
	if (!wf_hold_fits(&len))
		return -1;
	return bpf_skb_load_bytes(skb, 0, frame->bytes, len) < 0 ? -1 : 0;
}

/* Keeps a later fragment. TC_ACT_SHOT, or -NAT_FRAGMENT when there is no room. */
static __always_inline int wf_hold_keep(struct __sk_buff *skb, struct wf_work *work,
					const struct wf_fragment_key *key,
					const struct wf_hold_way *way)
{
	struct wf_held_value *held = wf_map_held();
	__u32 index = 0, ifindex = skb->ifindex;
	struct wf_held_place *place = wf_hold_take(work, ifindex, &index);
	struct wf_held_frame *frame = place ? wf_map_held_frame(index) : NULL;

	if (!held || !frame)
		return -WF_REASON_NAT_FRAGMENT;
	if (wf_hold_copy(skb, work, key, way, frame) < 0) {
		(void)wf_atomic_cas32(&place->state, WF_HELD_BUSY, WF_HELD_FREE);
		return -WF_REASON_NAT_FRAGMENT;
	}
	place->len = frame->len;
	held->tick = work->hold.now;
	(void)wf_atomic_cas32(&place->state, WF_HELD_BUSY, WF_HELD_WAITS);
	/* another CPU may have had the first one meanwhile, and looked here before this was said */
	if (wf_fragment_find(key) &&
	    wf_atomic_cas32(&place->state, WF_HELD_WAITS, WF_HELD_FREE) == WF_HELD_WAITS &&
	    bpf_clone_redirect(skb, way->ifindex, way->flags) < 0)
		return -WF_REASON_NAT_FRAGMENT;
	return TC_ACT_SHOT;
}

/* Makes the packet one that waited, and sends that on. */
static __always_inline void wf_hold_send(struct __sk_buff *skb, struct wf_held_frame *frame)
{
	__u32 len = frame->len, rest;
	int r;

	if (!wf_hold_fits(&len))
		return;
	r = bpf_skb_change_tail(skb, len, 0);
	rest = len - ETH_HLEN;
	/* the sum that a device makes (CHECKSUM_COMPLETE) is that of what is behind the MACs */
	if (r == 0)
		r = bpf_skb_store_bytes(skb, 0, frame->bytes, ETH_HLEN,
					frame->l3 ? 0 : BPF_F_RECOMPUTE_CSUM);
	if (r == 0)
		r = bpf_skb_store_bytes(skb, ETH_HLEN, frame->bytes + ETH_HLEN, rest,
					BPF_F_RECOMPUTE_CSUM | BPF_F_INVALIDATE_HASH);
	skb->mark = frame->mark;
	if (r < 0 || bpf_clone_redirect(skb, frame->ifindex, frame->flags) < 0)
		wf_hold_lost(len);
}

/* What wf_release_step() has to know; not in work, which programs on the way may use. */
struct wf_hold_release {
	struct __sk_buff *skb;
	struct wf_fragment_key key;
};

/* Step of wf_loop(): sends on what waits in a place for this packet. */
static long wf_release_step(__u32 i, void *data)
{
	struct wf_hold_release *release = data;
	struct wf_held_value *held = wf_map_held();
	struct wf_held_frame *frame = wf_map_held_frame(i);
	struct wf_held_place *place;

	if (!held || !frame || i >= WF_MAX_HELD)
		return 1;
	place = &held->places[i];
	if (wf_read32(&place->state) != WF_HELD_WAITS ||
	    wf_atomic_cas32(&place->state, WF_HELD_WAITS, WF_HELD_BUSY) != WF_HELD_WAITS)
		return 0;
	if (!wf_fragment_same(&frame->key, &release->key)) {
		(void)wf_atomic_cas32(&place->state, WF_HELD_BUSY, WF_HELD_WAITS);
		return 0;
	}
	wf_hold_send(release->skb, frame);
	(void)wf_atomic_cas32(&place->state, WF_HELD_BUSY, WF_HELD_FREE);
	return 0;
}

/* The packet is of that turn: TC_ACT_SHOT when it waits or starts again, or -NAT_FRAGMENT. */
WF_GLOBAL int wf_hold(struct __sk_buff *skb, struct wf_work *work)
{
	struct wf_hold_release release = { .skb = skb };
	struct wf_hold_way way;

	if (!work || wf_hold_source(skb, work) < 0)
		return -WF_REASON_NAT_FRAGMENT;
	wf_fragment_key(&work->ip, &work->flow, &release.key);
	wf_hold_where(skb, work, &way);
	if (work->flow.turn == WF_TURN_WAITS)
		return wf_hold_keep(skb, work, &release.key, &way);
	if (bpf_clone_redirect(skb, way.ifindex, way.flags) < 0)
		return -WF_REASON_NAT_FRAGMENT;
	wf_loop(WF_MAX_HELD, wf_release_step, &release);
	return TC_ACT_SHOT;
}

#endif
