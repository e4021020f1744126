/* SPDX-License-Identifier: Apache-2.0 */
/* The policies that the tests of policies put over the world of services.h. */
#ifndef WEFT_TESTS_BPF_POLICIES_H
#define WEFT_TESTS_BPF_POLICIES_H

#include <netinet/in.h>

#include "dp/conn_table.h"
#include "rules.h"
#include "services.h"

#define DENIED(way)                .action = TC_ACT_SHOT, .reason = WF_REASON_POLICY_##way
#define TCP(a, b, from, to, flags) (a), (b), IPPROTO_TCP, (from), (to), .tcp_flags = (flags)
#define UDP(a, b, from, to)        (a), (b), IPPROTO_UDP, (from), (to), .payload = 20
#define PING(a, b, what)           (a), (b), IPPROTO_ICMP, 77, .type = (what), .payload = 30
#define SYN                        2
#define SYN_ACK                    18
#define ACK                        16
#define FIN_ACK                    17

#define ONE   "10.1.0.11" /* slot 1 */
#define TWO   "10.1.0.12" /* slot 2 */
#define THREE "10.2.0.13" /* slot 3, another network */

/* From slot 1 to the service of these tests. */
#define TO_WEB                                              \
	{                                                   \
		ONE, "10.96.0.1", SERVICES_TCP, .dport = 80 \
	}

/* Profiles: what they allow. */
enum {
	NOTHING = 10,
	WEB,        /* TCP 80, rule 21; otherwise rule 20 denies */
	EVERYTHING, /* rule 30 */
	ECHO,       /* ICMP 8 and ICMPv6 128, rule 41; otherwise rule 40 denies */
	TRIAL,      /* nothing, but on trial: rule 50 */
	TUNNEL,     /* protocol 47 alone, rule 61 */
	PICKY,      /* nothing, rule 70, but a class named CHOSEN everything, rule 71 */
	BACKENDS,   /* TCP 8080, rule 81, otherwise rule 80 denies */
};

#define CHOSEN 5

static const struct rule nothing[] = { { 0, 0, WF_POLICY_DENY, 10 } };
static const struct rule web[] = {
	{ 0, 0, WF_POLICY_DENY, 20 },
	{ IPPROTO_TCP, 80, WF_POLICY_ALLOW, 21 },
	{ IPPROTO_TCP, 81, WF_POLICY_DENY, 20 },
};
static const struct rule everything[] = { { 0, 0, WF_POLICY_ALLOW, 30 } };
static const struct rule echo[] = {
	{ 0, 0, WF_POLICY_DENY, 40 },
	{ IPPROTO_ICMP, 8, WF_POLICY_ALLOW, 41 },
	{ IPPROTO_ICMP, 9, WF_POLICY_DENY, 40 },
	{ IPPROTO_ICMPV6, 128, WF_POLICY_ALLOW, 41 },
	{ IPPROTO_ICMPV6, 129, WF_POLICY_DENY, 40 },
};
static const struct rule trial[] = { { 0, 0, WF_POLICY_AUDIT, 50 } };
static const struct rule tunnel[] = {
	{ 0, 0, WF_POLICY_DENY, 60 },
	{ 47, 0, WF_POLICY_ALLOW, 61 },
	{ 48, 0, WF_POLICY_DENY, 60 },
};
static const struct rule picky[] = { { 0, 0, WF_POLICY_DENY, 70 } };
static const struct rule chosen[] = { { 0, 0, WF_POLICY_ALLOW, 71 } };
static const struct rule backends[] = {
	{ 0, 0, WF_POLICY_DENY, 80 },
	{ IPPROTO_TCP, 8080, WF_POLICY_ALLOW, 81 },
	{ IPPROTO_TCP, 8081, WF_POLICY_DENY, 80 },
};

#define PROFILE(number, rules) \
	rules_profile(services_dp, number, rules, sizeof(rules) / sizeof((rules)[0]))

static inline int begin(void **state)
{
	rules_reset(services_dp);
	PROFILE(NOTHING, nothing);
	PROFILE(WEB, web);
	PROFILE(EVERYTHING, everything);
	PROFILE(ECHO, echo);
	PROFILE(TRIAL, trial);
	PROFILE(TUNNEL, tunnel);
	PROFILE(PICKY, picky);
	PROFILE(BACKENDS, backends);
	rules_pair(services_dp, PICKY, CHOSEN, chosen, 1);
	return services_begin(state);
}

static inline void subject(__u32 slot, __u32 ingress, __u32 egress, __u32 class_id)
{
	rules_subject(services_dp, slot, ingress, egress, class_id);
}

static inline void revise(void)
{
	assert_int_equal(wf_dp_policy_revise(services_dp, NULL), 0);
}

/* The connection from ONE, port 40000, to TWO, port 80, as if its packets had been seen. */
static inline struct wf_conn_seed seed_of_web(void)
{
	static const struct wire_spec there = { TCP(ONE, TWO, 40000, 80, ACK) };
	static const struct wire_spec back = { TCP(TWO, ONE, 80, 40000, ACK) };
	struct wf_conn_seed seed = {
		.flags = WF_CONN_POLICY, .owner = 1, .peer = 2, .phase = WF_CONN_ESTABLISHED
	};

	wire_tuple(&there, &seed.tuple[WF_DIR_ORIGINAL]);
	wire_tuple(&back, &seed.tuple[WF_DIR_REPLY]);
	seed.tuple[WF_DIR_ORIGINAL].site = WF_SITE_CONTAINER;
	seed.tuple[WF_DIR_REPLY].site = WF_SITE_CONTAINER;
	return seed;
}

static inline __u64 hits(__u32 number)
{
	return rules_hits(services_dp, number);
}

#endif
