/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the checksums of what is encapsulated arrive right at another node, when they are left to
 * the devices below. Pure: it is told what came there, and says how much to send next.
 *
 * A round is pairs of equal datagrams: of one the checksum is left to the device, of the other it was
 * made before. A device that makes none, or wrong ones, loses all of the first kind and none of the
 * second; a bad way loses either with the same odds. So datagrams of the second kind are counted that
 * came while none of the first did, over several rounds: WF_SUMS_LONE of them in a row happen on a bad
 * way by a chance of 1 in 2^WF_SUMS_LONE, however bad it is. One of the first kind ends the count.
 */
#ifndef WEFT_NET_SUMS_H
#define WEFT_NET_SUMS_H

#include <stdbool.h>
#include <stdint.h>

/* Pairs of a round once the last one was in doubt; before that it is one. */
#define WF_SUMS_PAIRS 10
/* Rounds in a row, and datagrams in them, that say that the device is not to be trusted. */
#define WF_SUMS_ROUNDS 3
#define WF_SUMS_LONE   20
/* Rounds whose answers still count for the device when they come late. */
#define WF_SUMS_LATE 8

enum wf_sums_state {
	WF_SUMS_UNKNOWN, /* nothing came yet, or not enough to judge by */
	WF_SUMS_SOUND,
	WF_SUMS_BROKEN,
};

struct wf_sums {
	enum wf_sums_state state;
	uint32_t round;  /* number of the one under way; 0: none was yet */
	uint32_t seen;   /* a bit for each datagram of it that came, and had its checksum before */
	uint32_t rounds; /* in a row that are in doubt */
	uint32_t lone;   /* datagrams of these that came */
	bool is_fine;    /* one that was left to the device came, in this round */
};

/* Ends the round under way, and begins the next: how many pairs it has. */
uint32_t wf_sums_begin(struct wf_sums *sums);

/* A datagram of a round came to the other node. Numbers that were never sent are of no effect. */
void wf_sums_came(struct wf_sums *sums, uint32_t round, uint32_t pair, bool by_device);

/* Whether the next round should not be long in coming. */
bool wf_sums_is_doubtful(const struct wf_sums *sums);

#endif
