/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of the way to another node from the answers to echo requests: round-trip time,
 * loss, and the largest packet that comes through whole. Pure: it is told the time and what was
 * answered, and says what to send next.
 *
 * A round is one small request and one of the size in question. A size counts as lost only where
 * the small one of the same round was answered: who answers nothing at all says nothing about
 * sizes. A size that was lost three times is too large (RFC 8899, MAX_PROBES), even if no router
 * said so; what a router says is tried before it is believed.
 */
#ifndef WEFT_NET_PATH_H
#define WEFT_NET_PATH_H

#include <stdbool.h>
#include <stdint.h>

/* Rounds whose answers are still taken when they come late. */
#define WF_PATH_ROUNDS 8
/* Rounds that the loss is told of. */
#define WF_PATH_HISTORY 10
/* Silent rounds after which nobody is there. */
#define WF_PATH_SILENT 3

enum wf_path_state {
	WF_PATH_UNKNOWN,     /* nobody was asked yet, or not often enough */
	WF_PATH_REACHABLE,   /* the last request but one or two was answered */
	WF_PATH_UNREACHABLE, /* WF_PATH_SILENT rounds or more were not */
};

/* What was asked in a round, and what came of it. */
struct wf_path_round {
	uint16_t seq;  /* of the small request; the large one has the next number */
	uint32_t size; /* bytes of the large one with its IP header; 0: none was sent */
	uint64_t sent_ns;
	bool is_small_back, is_large_back;
	bool is_settled; /* a router has said something about this size */
};

struct wf_path {
	uint32_t small;      /* bytes of a small request with its IP header */
	uint32_t floor;      /* no router is believed that wants less */
	uint32_t device_mtu; /* of the device that leads there; 0: not known yet */
	/* round-trip time and loss */
	uint64_t rtt_ns, srtt_ns, rttvar_ns; /* 0: none yet; RFC 6298 */
	uint64_t answered_ms;                /* when the last answer came; 0: none yet */
	uint64_t sent_total, lost_total;     /* rounds */
	uint32_t lost_bits;                  /* a bit for each of the last rounds, 1: lost */
	uint32_t judged;                     /* rounds that are over */
	uint32_t silent;                     /* of these the last ones that nobody answered */
	/* the size: low comes through, above high nothing does; equal: found */
	uint32_t low, high;
	uint32_t losses; /* of the size in question, in a row */
	uint32_t mtu;    /* known to come through, and nothing larger; 0: not known now */
	bool is_searching;
	bool try_high;     /* high was heard of, and not tried yet */
	uint64_t raise_ms; /* when something larger is tried again */
	uint16_t seq;      /* of the next round */
	struct wf_path_round rounds[WF_PATH_ROUNDS];
	uint32_t round; /* index of the last one */
};

/* Nothing is known. small: bytes of a small request; is_ip4: which family the way has. */
void wf_path_init(struct wf_path *path, uint32_t small, bool is_ip4);

/*
 * Ends the round under way and begins the next: what is in *ret_round is to be sent. device_mtu
 * 0: not known now.
 */
void wf_path_begin(struct wf_path *path, uint64_t now_ns, uint32_t device_mtu,
		   const struct wf_path_round **ret_round);

/* How long after the beginning of a round the next one shall begin. */
uint64_t wf_path_wait_ms(const struct wf_path *path, uint64_t interval_ms);

/* A request was answered. False: none that was sent of late, or it was answered before. */
bool wf_path_answer(struct wf_path *path, uint16_t seq, uint64_t now_ns);

/* A router says that a request was too large; mtu 0: not what would be right. */
void wf_path_too_big(struct wf_path *path, uint16_t seq, uint32_t mtu);

enum wf_path_state wf_path_state(const struct wf_path *path);

/*
 * Bytes that packets have to keep to as far as is known, while a smaller size is looked for too; 0:
 * what the device sends gets there, or nothing is known.
 */
uint32_t wf_path_limit(const struct wf_path *path);

/* Of the last WF_PATH_HISTORY rounds, how many in a hundred were lost. */
unsigned int wf_path_loss_percent(const struct wf_path *path);

#endif
