/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Records of the event ring, read by the daemon. Programs write them only while somebody observes
 * (wf_config_value.observe), but for those that are meant for the daemon itself.
 */
#ifndef WEFT_ABI_EVENT_H
#define WEFT_ABI_EVENT_H

#include <weft/abi/policy.h>
#include <weft/abi/types.h>

enum wf_event_type {
	WF_EVENT_DROP = 1,
	WF_EVENT_FIRST = 2, /* first packet of a flow; may repeat, never missing */
	WF_EVENT_AUDIT = 3, /* began although a policy on trial denies it */
	WF_EVENT_TRACE = 4, /* what would become of a packet (wf_config_value.trace) */
	WF_EVENT_WAKE = 5,  /* wf_conn_state.wake_at was reached; all else is 0 */
	WF_EVENT_BUSY =
		6, /* `slot` has sent WF_BUSY_PACKETS, or twice as many again; all else is 0 */
	WF_EVENT_COUNT,
};

/* Which program saw the packet. */
enum wf_hook {
	WF_HOOK_FROM_CONTAINER = 1,
	WF_HOOK_TO_CONTAINER = 2,
	WF_HOOK_FROM_HOST = 3,
	WF_HOOK_FROM_UPLINK = 4,
	WF_HOOK_TO_UPLINK = 5,
	WF_HOOK_SOCKET = 6, /* translated at connect() or sendmsg() */
	WF_HOOK_XDP = 7,
	WF_HOOK_FROM_OVERLAY = 8, /* came through the tunnel from another node */
};

/* Where a packet that is asked about would go; wf_event.way, 0 in other events. */
enum wf_event_way {
	WF_EVENT_WAY_NONE,     /* nowhere: `reason` says why */
	WF_EVENT_WAY_ENDPOINT, /* into the endpoint peer_slot */
	WF_EVENT_WAY_HOST,     /* to the host's stack, which may route it on */
	WF_EVENT_WAY_OUT,      /* out of the uplink */
};

/* What policies said about one end. */
struct wf_event_end {
	__u32 profile;  /* WF_POLICY_PROFILE_NONE: nothing selects it, or it has no slot */
	__u32 class_id; /* of the other end, as it was looked up; 0 without a profile */
	__u32 rule;     /* what decided, 0: none */
	__u32 verdict;  /* enum wf_policy_verdict */
};

struct wf_event {
	__u64 time_ns;   /* CLOCK_MONOTONIC */
	__u32 len;       /* bytes of the packet */
	__u32 network;   /* of the subject */
	__u32 slot;      /* the endpoint whose device saw the packet */
	__u32 peer_slot; /* the other endpoint, WF_SLOT_HOST when none or the host */
	struct wf_addr src;
	struct wf_addr dst;
	__be16 ethertype;
	__be16 sport; /* or ICMP type in the first byte, code in the second */
	__be16 dport;
	__u8 type;   /* enum wf_event_type */
	__u8 reason; /* enum wf_reason, 0 unless dropped */
	__u8 hook;   /* enum wf_hook */
	__u8 proto;  /* IP protocol, 0 when unknown */
	__u8 tcp_flags;
	__u8 translated;    /* enum wf_event_translated */
	__be16 nat_port;    /* what the translated address' port became; 0: untranslated */
	__u8 verdict;       /* enum wf_policy_verdict of both ends; ALLOW when nobody judged */
	__u8 way;           /* enum wf_event_way */
	struct wf_addr nat; /* what the destination (or source) became; zero: untranslated */
	__u32 rule;         /* what decided: index of wf_policy_hits, 0: none */
	__u32 scope;        /* of src and dst */
	struct wf_event_end ends[WF_POLICY_DIR_COUNT]; /* all zero unless policies were asked */
};

/* Which end of the packet `nat` is about. */
enum wf_event_translated {
	WF_EVENT_TRANSLATED_NONE,
	WF_EVENT_TRANSLATED_DST, /* service or published port: nat is the backend */
	WF_EVENT_TRANSLATED_SRC, /* masquerade: nat is the host's address */
};

_Static_assert(sizeof(struct wf_event_end) == 16, "wf_event_end");
_Static_assert(sizeof(struct wf_event) == 128, "wf_event");

#endif
