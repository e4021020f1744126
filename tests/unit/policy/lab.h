/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of the engine: memory, a kernel that remembers pairs, prefixes and guards, verdicts as
 * programs read them, and policies made by hand.
 */
#ifndef WEFT_TESTS_POLICY_LAB_H
#define WEFT_TESTS_POLICY_LAB_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "policy/engine.h"

#define LAB_SLOTS 64

struct lab_pair {
	struct wf_policy_pair_key key;
	struct wf_policy_run run;
	UT_hash_handle hh;
};

struct lab_prefix {
	struct wf_policy_prefix_key key;
	uint32_t class_id;
};

struct lab {
	struct wf_policy_memory memory; /* owned arrays */
	struct wf_policy_engine *engine;
	struct lab_pair *pairs;
	uint32_t scope; /* of members that are put, and of addresses that are asked about */
	struct lab_prefix prefixes[256];
	size_t prefix_count;
	bool guarded[LAB_SLOTS];
	unsigned int closed[LAB_SLOTS]; /* how often it was told that one of their directions is */
	struct wf_policy_subject_value before[LAB_SLOTS];
	size_t calls, pair_writes, revisions;
	size_t fail_at; /* the effect with this number of calls before it fails; SIZE_MAX: none */
	bool has_failed;
	bool rests;   /* programs may be at work: nothing is freed unless it is needed */
	size_t waits; /* how often it was */
	void (*on_effect)(struct lab *lab, void *context); /* before and after; NULL: nothing */
	void *context;
	/* what verdicts are read from: memory.subjects, or what a test has caught up with */
	const struct wf_policy_subject_value *subjects;
};

void lab_init(struct lab *lab, uint32_t profiles, uint32_t rules);
void lab_init_failsafe(struct lab *lab, uint32_t profiles, uint32_t rules,
		       const struct wf_policy_failsafe *failsafes, size_t count);
void lab_done(struct lab *lab);
/* A new engine that adopts what is in the tables. */
void lab_restart(struct lab *lab);

/* The verdict as programs read it; rule NULL: not asked. */
enum wf_policy_verdict lab_judge(const struct lab *lab, enum wf_policy_dir dir, uint32_t subject,
				 uint32_t peer_slot, const char *peer_addr, uint8_t proto,
				 uint16_t port, uint32_t *ret_rule);
/* The same of a parsed address. */
enum wf_policy_verdict lab_judge_addr(const struct lab *lab, enum wf_policy_dir dir,
				      uint32_t subject, uint32_t peer_slot,
				      const struct wf_addr *addr, uint8_t proto, uint16_t port,
				      uint32_t *ret_rule);

/* ---- things made by hand ------------------------------------------------------------------- */

struct wf_addr lab_addr(const char *text);
/* "a=1,b=2"; "" none. */
struct wf_labels lab_labels(const char *text);
/* An endpoint in a slot: "default" and 10.0.0.SLOT, fd00::SLOT. 0 or what the engine says. */
int lab_member(struct lab *lab, uint32_t slot, const char *namespace, const char *labels);

struct wf_policy lab_policy(enum wf_policy_tier tier, uint32_t priority);
/* Sections and rules are borrowed until the next one is added. */
struct wf_policy_section *lab_section(struct wf_policy *policy, const char *subject);
/* Both directions of a NetworkPolicy: isolates, spares the host. */
void lab_isolate(struct wf_policy_section *section, enum wf_policy_dir dir, bool spares_host);
struct wf_policy_rule *lab_rule(struct wf_policy_section *section, enum wf_policy_dir dir,
				enum wf_rule_action action);
/* Labels of the endpoint before ';', of its namespace after it: "app=web;team=a". */
void lab_select(struct wf_selector *selector, const char *text);
void lab_peer(struct wf_policy_rule *rule, const char *selector);
void lab_peer_entities(struct wf_policy_rule *rule, uint32_t entities);
struct wf_peer *lab_peer_cidr(struct wf_policy_rule *rule, const char *cidr, bool holds_endpoints);
void lab_except(struct wf_peer *peer, const char *cidr);
struct wf_peer *lab_peer_add(struct wf_policy_rule *rule, enum wf_peer_type type);
void lab_port(struct wf_policy_rule *rule, uint8_t proto, uint16_t first, uint16_t last);
void lab_port_named(struct wf_policy_rule *rule, uint8_t proto, const char *name);
/* Puts and expects success. */
void lab_put(struct lab *lab, const char *key, struct wf_policy *policy);
void lab_drop(struct lab *lab, const char *key);

#endif
