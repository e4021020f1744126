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

/*
 * Brings a tuple into the order in which verdicts are remembered: 1 when it was turned for that, 0
 * otherwise. Without a branch: packets go there and back by turns.
 */
static __always_inline __u32 wf_verdict_turn(union wf_conn_bits *bits)
{
	__u64 turned = wf_conn_is_turned(&bits->tuple);
	__u64 swap0 = (bits->longs[0] ^ bits->longs[2]) & turned;
	__u64 swap1 = (bits->longs[1] ^ bits->longs[3]) & turned;
	__u32 ports = bits->words[8], swap = (ports ^ (ports << 16 | ports >> 16)) & (__u32)turned;

	bits->longs[0] ^= swap0;
	bits->longs[1] ^= swap1;
	bits->longs[2] ^= swap0;
	bits->longs[3] ^= swap1;
	bits->words[8] ^= swap;
	return turned & 1;
}

/* Both directions are at one place, and what clients begin one after the other are neighbours. */
static __always_inline __u32 wf_verdict_index(const union wf_conn_bits *bits)
{
	const struct wf_tuple *tuple = &bits->tuple;
	__u64 other = bits->longs[3] << 32 | bits->longs[3] >> 32;
	__u64 both = bits->longs[1] ^ (other + tuple->dport);
	__u32 place = (both ^ both >> 31) * WF_CONN_HASH_SPREAD >> (64 - WF_VERDICT_BITS);

	return (place + wf_conn_port(tuple->sport)) & (WF_VERDICT_SLOTS - 1);
}

/*
 * What this CPU knows from a moment ago of such a packet that may pass; NULL: nothing. The tuple is
 * in order, turned: what wf_verdict_turn() said of it.
 */
static __always_inline struct wf_verdict_value *
wf_verdict_find(const struct wf_config_value *config, const union wf_conn_bits *bits, __u32 turned,
		__u32 ends)
{
	struct wf_verdict_value *verdict = wf_map_verdict(wf_verdict_index(bits));

	/* whoever wants to know what rule let a flow pass gets it from the judge */
	return verdict && wf_tuple_same(&verdict->tuple, &bits->tuple) &&
			       verdict->ends[turned & 1] == ends &&
			       verdict->conn & WF_VERDICT_MAY << turned &&
			       verdict->revision == config->revision &&
			       verdict->moment == wf_now_moment() &&
			       !(config->observe & WF_OBSERVE_FIRST)
		       ? verdict
		       : NULL;
}

/* Whether such a packet may pass, of those that change nothing. */
static __always_inline int wf_verdict_holds(const struct wf_config_value *config,
					    const struct wf_tuple *tuple, __u32 from, __u32 to)
{
	union wf_conn_bits bits = { .tuple = *tuple };
	__u32 turned = wf_verdict_turn(&bits);

	return wf_verdict_find(config, &bits, turned, WF_VERDICT_ENDS(from, to)) != NULL;
}

/* What is to be remembered of a packet. */
struct wf_verdict_news {
	__u32 from;
	__u32 to;
	__u32 revision;     /* as it was before the tables were asked */
	__u32 conn;         /* its record, and its direction as in a reference; 0: none is known */
	__u32 life;         /* wf_conn.guard of that; 0: none is known */
	__u32 opens;        /* of the connection that it begins: 1 */
	__u32 is_pair;      /* and the answer, which has the same ends, will pass as well: 1 */
	__u32 is_untracked; /* there is no record, and none is needed: 1 */
};

/* Whether what is remembered is of the same tuple, record and moment. */
static __always_inline int wf_verdict_is_of(const struct wf_verdict_value *verdict,
					    const struct wf_verdict_value *news)
{
	const __u32 record = WF_CONN_REF_INDEX | 1u << WF_CONN_REF_DIR | WF_VERDICT_UNTRACKED;

	return verdict->moment == news->moment && verdict->revision == news->revision &&
	       verdict->life == news->life && !((verdict->conn ^ news->conn) & record) &&
	       wf_tuple_same(&verdict->tuple, &news->tuple);
}

/* Remembers it. A function of its own, so that the verifier looks at it once: always 0. */
WF_GLOBAL int wf_verdict_keep(const struct wf_tuple *tuple, const struct wf_verdict_news *news)
{
	union wf_conn_bits bits = {};
	struct wf_verdict_value *verdict, next = {};
	__u32 turned, may, opens;

	if (!tuple || !news)
		return 0;
	bits.tuple = *tuple;
	turned = wf_verdict_turn(&bits) & 1;
	may = WF_VERDICT_MAY << turned;
	opens = WF_VERDICT_OPENS << turned;
	verdict = wf_map_verdict(wf_verdict_index(&bits));
	if (!verdict)
		return 0;
	next.tuple = bits.tuple;
	next.revision = news->revision;
	next.moment = wf_now_moment();
	next.life = news->life;
	next.conn = news->life ? news->conn ^ turned << WF_CONN_REF_DIR : 0;
	next.conn |= news->is_untracked ? WF_VERDICT_UNTRACKED : 0;
	if (!wf_verdict_is_of(verdict, &next))
		*verdict = next;
	verdict->ends[turned & 1] = WF_VERDICT_ENDS(news->from, news->to);
	if (news->is_pair) {
		verdict->ends[~turned & 1] = WF_VERDICT_ENDS(news->to, news->from);
		may = WF_VERDICT_MAY * 3;
		opens = WF_VERDICT_OPENS * 3;
	}
	verdict->conn = (verdict->conn & ~opens) | may | (news->opens ? opens : 0);
	return 0;
}

/* Moments without a packet after which nobody may speak for a connection without a record. */
#define WF_VERDICT_FRESH 4

/* Whether packets of such a connection have passed there lately. The tuple is in order. */
static __always_inline int wf_verdict_is_fresh(const struct wf_verdict_value *verdict,
					       const struct wf_tuple *tuple, __u32 now)
{
	/* another CPU may be in the next moment already */
	return verdict->conn & WF_VERDICT_UNTRACKED &&
	       now + 1 - verdict->moment <= WF_VERDICT_FRESH + 1 &&
	       wf_tuple_same(&verdict->tuple, tuple);
}

/* Whether this CPU has passed them. */
static __always_inline int wf_verdict_here(const struct wf_tuple *tuple)
{
	union wf_conn_bits bits = { .tuple = *tuple };
	const struct wf_verdict_value *verdict;

	(void)wf_verdict_turn(&bits);
	verdict = wf_map_verdict(wf_verdict_index(&bits));
	return verdict && wf_verdict_is_fresh(verdict, &bits.tuple, wf_now_moment());
}

/* A search among the verdicts of all CPUs. */
struct wf_verdict_search {
	union wf_conn_bits bits; /* in order */
	__u32 index;
	__u32 now;
	__u32 found;
};

/* Step of wf_loop(): 1 when that CPU has, or there is no such CPU. */
static long wf_verdict_step(__u32 cpu, void *data)
{
	struct wf_verdict_search *search = data;
	const struct wf_verdict_value *verdict = wf_map_verdict_of(cpu, search->index);

	if (!verdict)
		return 1;
	search->found |= wf_verdict_is_fresh(verdict, &search->bits.tuple, search->now);
	return search->found;
}

/* Whether any CPU has. */
static __always_inline int wf_verdict_any(const struct wf_tuple *tuple)
{
	struct wf_verdict_search search = { .bits.tuple = *tuple, .now = wf_now_moment() };

	(void)wf_verdict_turn(&search.bits);
	search.index = wf_verdict_index(&search.bits);
	wf_loop(WF_MAX_CPUS, wf_verdict_step, &search);
	return search.found;
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
 * Fills in the tuple of a packet that may be remembered, not in order yet, and its TCP flags: 1, or 0
 * when it has to be judged.
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
WF_GLOBAL int wf_guard_note(struct wf_verdict_value *verdict, __u32 turned, __u32 tcp_flags)
{
	struct wf_conn *conn;
	__u32 dir, phase;

	if (!verdict || !verdict->life)
		return 0;
	conn = wf_map_conn(verdict->conn & WF_CONN_REF_INDEX);
	if (!conn || wf_read32(&conn->guard) != verdict->life)
		return 0;
	dir = (verdict->conn >> WF_CONN_REF_DIR ^ turned) & 1;
	phase = wf_conn_hear(conn, dir, IPPROTO_TCP, tcp_flags);
	if (dir == WF_DIR_REPLY || phase != WF_CONN_NEW)
		verdict->conn &= ~(WF_VERDICT_OPENS << (turned & 1));
	return 1;
}

/* Whether what is known of a packet is all that it takes. */
static __always_inline int wf_guard_passes(struct wf_verdict_value *verdict, __u32 turned,
					   __u32 tcp_flags)
{
	if (!verdict)
		return 0;
	if (wf_likely(!(tcp_flags & WF_GUARD_TURNS) &&
		      !(verdict->conn & WF_VERDICT_OPENS << turned)) ||
	    verdict->conn & WF_VERDICT_UNTRACKED)
		return 1;
	return wf_guard_note(verdict, turned, tcp_flags);
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
	__u32 ends = WF_VERDICT_ENDS(from, to), flags, turned;
	union wf_conn_bits bits;

	if (!config)
		return -WF_REASON_INTERNAL_ERROR;
	if (wf_is_traced(ctx))
		return wf_guard_call(ctx, from, to, how);
	/* somebody else's mark brought it here */
	if (!(how & WF_GUARD_GUARDED))
		return 0;
	if (!wf_guard_tuple(ctx, ip, how >> WF_GUARD_SCOPE, &bits, &flags))
		return wf_guard_call(ctx, from, to, how);
	turned = wf_verdict_turn(&bits);
	if (wf_guard_passes(wf_verdict_find(config, &bits, turned, ends), turned, flags))
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
