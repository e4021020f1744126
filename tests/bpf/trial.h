/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random worlds of policies (tests/unit/policy/worlds.h) in the real tables, written as the daemon
 * does, and the packets that go between their parties: out of a container's device, from the host,
 * in and out at the uplink.
 */
#ifndef WEFT_TESTS_BPF_TRIAL_H
#define WEFT_TESTS_BPF_TRIAL_H

#include <jansson.h>

#include "dp/policy.h"
#include "oracle.h"
#include "policy/engine.h"

#define TRIAL_SLOTS 64

/* One question to the datapath. */
struct trial_question {
	const struct oracle_party *src, *dst;
	int proto, port; /* ICMP: the type */
};

/* What it did. */
struct trial_answer {
	bool passes;                    /* as the first packet of a connection */
	enum oracle_verdict verdict[2]; /* by enum oracle_dir, as `weft why` is told */
	__u32 reason;                   /* of that answer: enum wf_reason, 0: passes */
};

extern struct wf_dp *trial_dp;

/* Group fixtures: devices for every slot and an uplink, tables, programs; and away with them. */
int trial_set_up(void **state);
int trial_tear_down(void **state);

/* Puts the endpoints and nodes of a world in, instead of those before; nobody is under a policy. */
void trial_enter(const json_t *world);

/* Where an engine writes: the mapped tables, and effects as the daemon's. */
struct wf_policy_memory trial_memory(void);
struct wf_policy_effects trial_effects(void);

/* Whether packets between them pass a program, of such a protocol and type of ICMP. */
bool trial_can_ask(const struct trial_question *question);
/* Sends the first packet of a new connection, and asks what becomes of another. */
void trial_ask(const struct trial_question *question, struct trial_answer *ret_answer);
/* Forgets all connections. */
void trial_forget(void);

/* Drops by policies since the world was entered, and for any other reason. */
void trial_drops(uint64_t *ret_by_policy, uint64_t *ret_others);

/*
 * Turns the verdict of the rule that decides about it in a direction round (allowed: denied), in
 * the table. Returns whether there is such a rule.
 */
bool trial_flip(const struct trial_question *question, enum oracle_dir dir);

#endif
