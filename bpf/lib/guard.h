/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * In front of everybody whom policies are about. What this CPU has judged a moment ago passes at
 * once; all else goes to WF_STAGE_POLICY (lib/judge.h), which delivers what may pass. Called with
 * a frame that is ready for its receiver, so that nothing is left to do but to hand it over.
 */
#ifndef WEFT_BPF_GUARD_H
#define WEFT_BPF_GUARD_H

#include "conn_touch.h"
#include "endpoint.h"
#include "finish.h"
#include "flow.h"
#include "work.h"

/* How a packet goes on when it may. */
enum wf_way {
	WF_WAY_PEER = 1, /* into a container */
	WF_WAY_HOST,     /* to the host's stack, for the host or beyond it */
	WF_WAY_PASS,     /* into a container by the device it is on */
	WF_WAY_REMOTE,   /* through the overlay to whoever has it elsewhere */
	WF_WAY_IN,       /* from an uplink to the host */
	WF_WAY_OUT,      /* from the host to an uplink */
	WF_WAY_HOLD, /* nowhere yet: a fragment without its first one, or that one (bpf/hold.h) */
};

/*
 * The last argument of wf_guard(). flags: of the endpoints at both ends together. In the scope of the
 * host, or that of WF_GUARD_IN() beside it.
 */
#define WF_GUARD_HOOK    8
#define WF_GUARD_GUARDED (1 << 16)
#define WF_GUARD_SCOPE   20
#define WF_GUARD_HOW(way, hook, flags) \
	((way) | (hook) << WF_GUARD_HOOK | ((flags)&WF_EP_GUARDED ? WF_GUARD_GUARDED : 0))
#define WF_GUARD_IN(scope) ((__u32)(scope) << WF_GUARD_SCOPE)

_Static_assert(WF_MAX_NETWORKS <= 1 << (32 - WF_GUARD_SCOPE), "WF_GUARD_SCOPE");

/* TCP packets with one of these change what is known of the connection, and must be noted. */
#define WF_GUARD_TURNS (WF_TCP_FIN | WF_TCP_SYN | WF_TCP_RST)

/* An end of a tuple as a number in whose lower half both address and port show. */
static __always_inline __u64 wf_verdict_end(const struct wf_addr *addr, __be16 port)
{
	__u64 end = addr->halves[1] + port;

	return end ^ end >> 31;
}

/* Both directions are neighbours: a new flow has one place in memory to wait for. */
static __always_inline __u32 wf_verdict_index(const struct wf_tuple *tuple)
{
	__u64 source = wf_verdict_end(&tuple->src, tuple->sport);
	__u64 target = wf_verdict_end(&tuple->dst, tuple->dport);
	__u64 both = source * target;
	__u32 pair = (both ^ both >> 32) * WF_CONN_HASH_SPREAD >> (64 - WF_VERDICT_BITS + 1);

	return pair << 1 | (source < target);
}

/* What this CPU knows from a moment ago of such a packet that may pass; NULL: nothing. */
static __always_inline struct wf_verdict_value *
wf_verdict_find(const struct wf_config_value *config, const struct wf_tuple *tuple, __u32 from,
		__u32 to)
{
	struct wf_verdict_value *verdict = wf_map_verdict(wf_verdict_index(tuple));

	/* whoever wants to know what rule let a flow pass gets it from the judge */
	return verdict && wf_tuple_same(&verdict->tuple, tuple) && verdict->from == from &&
			       verdict->to == to && verdict->revision == config->revision &&
			       verdict->moment == wf_now_moment() &&
			       !(config->observe & WF_OBSERVE_FIRST)
		       ? verdict
		       : NULL;
}

/* Whether such a packet may pass, of those that change nothing. */
static __always_inline int wf_verdict_holds(const struct wf_config_value *config,
					    const struct wf_tuple *tuple, __u32 from, __u32 to)
{
	return wf_verdict_find(config, tuple, from, to) != NULL;
}

/* revision: as it was before the tables were asked. conn, life: the record; 0, 0: none is known. */
static __always_inline void wf_verdict_keep(const struct wf_tuple *tuple, __u32 from, __u32 to,
					    __u32 revision, __u32 conn, __u32 life)
{
	struct wf_verdict_value *verdict = wf_map_verdict(wf_verdict_index(tuple));

	if (!verdict)
		return;
	verdict->tuple = *tuple;
	verdict->from = from;
	verdict->to = to;
	verdict->revision = revision;
	verdict->moment = wf_now_moment();
	verdict->conn = conn;
	verdict->life = life;
}

/* Whether verdicts on packets of that flow are good for those behind it. */
static __always_inline int wf_flow_is_steady(const struct wf_flow *flow)
{
	__u32 proto = flow->tuple.proto;

	if (!flow->l4 || flow->error_ip)
		return 0;
	return proto == IPPROTO_UDP || proto == IPPROTO_SCTP ||
	       (proto == IPPROTO_TCP && !(flow->tcp_flags & WF_GUARD_TURNS));
}

/* What stands behind the addresses of a tuple as one word: stored in parts it would be read late. */
static __always_inline __u64 wf_guard_word(__u32 ports, __u32 proto, __u32 scope)
{
	if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
		return ports | (__u64)proto << 32 | (__u64)WF_SITE_CONTAINER << 40 |
		       (__u64)scope << 48;
	return (__u64)ports << 32 | proto << 24 | WF_SITE_CONTAINER << 16 | scope;
}

/*
 * Fills in the tuple of a packet that may be remembered, and its TCP flags: 1, or 0 when it has to
 * be judged.
 */
static __always_inline int wf_guard_tuple(struct wf_ctx *ctx, const struct wf_ip *ip, __u32 scope,
					  union wf_conn_bits *ret_bits, __u32 *ret_flags)
{
	__u32 head[4] = {}, is_tcp = ip->proto == IPPROTO_TCP, flags;

	if (ip->fragment || (!is_tcp && ip->proto != IPPROTO_UDP && ip->proto != IPPROTO_SCTP))
		return 0;
	if (ip->l4 + (is_tcp ? WF_TCP_MIN_BYTES : WF_UDP_BYTES) > ip->end)
		return 0;
	/* sizes must be constants */
	if (is_tcp ? wf_flow_load(ctx, ip, head, sizeof(head)) < 0
		   : wf_flow_load(ctx, ip, head, sizeof(struct wf_l4)) < 0)
		return 0;
	flags = is_tcp ? bpf_ntohl(head[3]) >> 16 : 0;
	/* whoever begins is judged */
	if ((flags & (WF_TCP_SYN | WF_CONN_TCP_ACK)) == WF_TCP_SYN)
		return 0;
	*ret_flags = flags;
	ret_bits->longs[0] = ip->src.halves[0];
	ret_bits->longs[1] = ip->src.halves[1];
	ret_bits->longs[2] = ip->dst.halves[0];
	ret_bits->longs[3] = ip->dst.halves[1];
	ret_bits->longs[4] = wf_guard_word(head[0], ip->proto, scope);
	return 1;
}

/*
 * A packet that may pass opens or closes its connection: the record is told, as the judge would do it.
 * 1, or 0 when that is not the one that the verdict was about.
 */
WF_GLOBAL int wf_guard_note(struct wf_verdict_value *verdict, __u32 tcp_flags)
{
	struct wf_conn *conn;
	__u32 dir, phase;

	if (!verdict || !verdict->life)
		return 0;
	conn = wf_map_conn(verdict->conn & WF_CONN_REF_INDEX);
	if (!conn || wf_read32(&conn->guard) != verdict->life)
		return 0;
	dir = verdict->conn >> WF_CONN_REF_DIR & 1;
	phase = wf_conn_hear(conn, dir, IPPROTO_TCP, tcp_flags);
	if (dir == WF_DIR_REPLY || phase != WF_CONN_NEW)
		verdict->conn &= ~WF_VERDICT_OPENS;
	return 1;
}

/* Whether what is known of a packet is all that it takes. */
static __always_inline int wf_guard_passes(struct wf_verdict_value *verdict, __u32 tcp_flags)
{
	if (!verdict)
		return 0;
	if (wf_likely(!(tcp_flags & WF_GUARD_TURNS) && !(verdict->conn & WF_VERDICT_OPENS)))
		return 1;
	return wf_guard_note(verdict, tcp_flags);
}

/* Leaves the packet to the judge. */
static __always_inline int wf_guard_call(struct wf_ctx *ctx, __u32 from, __u32 to, __u32 how)
{
	struct wf_work *work = wf_map_work();
	__u32 hook = how >> WF_GUARD_HOOK & 0xff;

	if (!work)
		return -WF_REASON_INTERNAL_ERROR;
	work->slot = hook >= WF_HOOK_FROM_UPLINK ? WF_SLOT_HOST : wf_slot_of(ctx);
	work->hook = hook;
	work->guard.from = from;
	work->guard.to = to;
	work->guard.way = how & 0xff;
	work->guard.scope = how >> WF_GUARD_SCOPE;
	return WF_NEXT(WF_STAGE_POLICY);
}

/*
 * Whether a packet between these ends may be handed over: 0, WF_NEXT(WF_STAGE_POLICY) or -reason.
 * Slots: from is WF_SLOT_NOBODY when only the source address tells; to is WF_SLOT_HOST for the
 * host and for all behind it. how: WF_GUARD_HOW(). In place, for what most packets are: a call
 * costs as much as the answer.
 */
static __always_inline int wf_guard_here(struct wf_ctx *ctx, const struct wf_ip *ip, __u32 from,
					 __u32 to, __u32 how)
{
	struct wf_config_value *config = wf_map_config();
	union wf_conn_bits bits;
	__u32 flags;

	if (!config)
		return -WF_REASON_INTERNAL_ERROR;
	if (wf_is_traced(ctx))
		return wf_guard_call(ctx, from, to, how);
	/* somebody else's mark brought it here */
	if (!(how & WF_GUARD_GUARDED))
		return 0;
	if (wf_guard_tuple(ctx, ip, how >> WF_GUARD_SCOPE, &bits, &flags) &&
	    wf_guard_passes(wf_verdict_find(config, &bits.tuple, from, to), flags))
		return 0;
	return wf_guard_call(ctx, from, to, how);
}

/* The same as a function, for ways with more callers. */
WF_GLOBAL int wf_guard(struct wf_ctx *ctx, const struct wf_ip *ip, __u32 from, __u32 to, __u32 how)
{
	return ip ? wf_guard_here(ctx, ip, from, to, how) : -WF_REASON_INTERNAL_ERROR;
}

/* Whether the guard has to look: policies are about one of them, or somebody asks. */
static __always_inline int wf_guard_cares(const struct wf_ctx *ctx, __u32 flags)
{
	return wf_unlikely(flags & WF_EP_GUARDED) || wf_unlikely(wf_ctx_mark(ctx));
}

static __always_inline __u32 wf_host_flags(void)
{
	struct wf_ep_value *host = wf_map_endpoint(WF_SLOT_HOST);

	return host ? host->flags : 0;
}

#endif
