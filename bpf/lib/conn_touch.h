/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What a packet does to its connection: it is heard of, and goes from phase to phase. */
#ifndef WEFT_BPF_CONN_TOUCH_H
#define WEFT_BPF_CONN_TOUCH_H

#include "conn_find.h"

#define WF_CONN_TCP_FIN 0x01
#define WF_CONN_TCP_SYN 0x02
#define WF_CONN_TCP_RST 0x04
#define WF_CONN_TCP_ACK 0x10

#define WF_CONN_FIN_BOTH (WF_CONN_FIN_ORIGINAL | WF_CONN_FIN_REPLY)

/* Notes a FIN; whether both directions have sent one. One is seen of those that return directly. */
static __always_inline int wf_conn_note_fin(struct wf_conn *conn, __u32 dir)
{
	__u32 bit = dir == WF_DIR_ORIGINAL ? WF_CONN_FIN_ORIGINAL : WF_CONN_FIN_REPLY;
	__u32 flags = wf_read32(&conn->flags);

	if (!(flags & bit))
		flags = wf_atomic_or32(&conn->flags, bit) | bit;
	return flags & WF_CONN_DIRECT || (flags & WF_CONN_FIN_BOTH) == WF_CONN_FIN_BOTH;
}

/*
 * The client begins again with the same ports before the old connection was forgotten. The answer is
 * looked up by the other tuple, whose bucket nobody has read for as long.
 */
static __always_inline __u32 wf_conn_restart(struct wf_conn *conn)
{
	wf_touch(wf_map_conn_bucket(conn->refs[WF_DIR_REPLY] / WF_CONN_BUCKET_REFS));
	(void)wf_atomic_and32(&conn->flags, ~WF_CONN_FIN_BOTH);
	conn->seen[WF_DIR_REPLY] = 0;
	conn->created = wf_conn_now();
	return WF_CONN_NEW;
}

/* Whether something came back, or what comes back would not be seen. */
static __always_inline int wf_conn_is_answered(const struct wf_conn *conn)
{
	return conn->seen[WF_DIR_REPLY] || conn->flags & WF_CONN_DIRECT;
}

/* The phase after a TCP packet. */
static __always_inline __u32 wf_conn_tcp_phase(struct wf_conn *conn, __u32 dir, __u32 tcp_flags,
					       __u32 phase)
{
	__u32 opening = tcp_flags & (WF_CONN_TCP_SYN | WF_CONN_TCP_ACK);

	if (tcp_flags & WF_CONN_TCP_RST)
		return WF_CONN_CLOSED;
	if (phase >= WF_CONN_CLOSING)
		return dir == WF_DIR_ORIGINAL && opening == WF_CONN_TCP_SYN ? wf_conn_restart(conn)
									    : phase;
	if (tcp_flags & WF_CONN_TCP_FIN && wf_conn_note_fin(conn, dir))
		return WF_CONN_CLOSING;
	if (phase == WF_CONN_NEW && dir == WF_DIR_ORIGINAL && opening == WF_CONN_TCP_ACK &&
	    wf_conn_is_answered(conn))
		return WF_CONN_ESTABLISHED;
	return phase;
}

/* What a packet does to a record: the phase after it. tcp_flags: 0 unless TCP. */
static __always_inline __u32 wf_conn_hear(struct wf_conn *conn, __u32 dir, __u32 proto,
					  __u32 tcp_flags)
{
	__u32 now = wf_conn_now(), phase, next;

	/* a line that nobody writes stays in the caches of all CPUs */
	if (conn->seen[dir] != now)
		conn->seen[dir] = now;
	phase = wf_read32(&conn->phase);
	if (proto == IPPROTO_TCP)
		next = wf_conn_tcp_phase(conn, dir, tcp_flags, phase);
	else
		next = phase == WF_CONN_NEW && wf_conn_is_answered(conn) ? WF_CONN_ESTABLISHED
									 : phase;
	if (next != phase)
		(void)wf_atomic_cas32(&conn->phase, phase, next);
	return next;
}

WF_GLOBAL int wf_conn_note(const struct wf_conn_hit *hit, __u32 tcp_flags)
{
	struct wf_conn *conn = hit ? wf_map_conn(hit->index) : NULL;

	if (conn && wf_read32(&conn->guard) == hit->guard)
		(void)wf_conn_hear(conn, hit->dir & 1, hit->to.proto, tcp_flags);
	return 0;
}

/*
 * A packet of the connection passes: refreshes it and moves its phase. Not for ICMP errors, which
 * keep nothing alive. tcp_flags: 0 unless TCP.
 */
static __always_inline void wf_conn_touch(const struct wf_conn_hit *hit, __u32 tcp_flags)
{
	(void)wf_conn_note(hit, tcp_flags);
}

#endif
