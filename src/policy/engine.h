/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From policies and from whom they are about to what the datapath looks up: classes, profiles,
 * pairs, runs of rules (weft/abi/policy.h). Incremental by key: a change costs what it touches, and
 * a full recompute gives the same verdicts. Pure: memory and effects come in; dp or a test
 * provides them.
 *
 * No number crosses the node or outlives the engine: a restart computes all anew, writes it beside
 * what an earlier daemon left in force, and turns the endpoints over one by one.
 *
 * Order of every change, so that no packet meets half of it: rules, then profiles and pairs that
 * nobody names yet, then subjects and prefixes one by one, then the new revision, then what is
 * named no more is freed. So each verdict is the one before the change or the one after it, unless
 * a change concerns both ends of a pair at once (labels of a namespace; labels and policies in one
 * batch): then one end may be seen turned over before the other. When something does not fit
 * nothing stays turned over: the change is taken back and reported, what was in force stays.
 *
 * State beside the mapped arrays, on 64 bit: about 210 bytes for an endpoint with one address, 450
 * and its labels for a distinct set of labels and named ports, 200 for a class, 300 for a profile,
 * 16 for a pair, 900 for a policy with one section and 100 for a rule of it (beside its document),
 * 350 for a distinct selector or CIDR. A million distinct sets of labels take half a gigabyte and
 * exhaust nothing else: as long as no selector tells them apart they are of one class.
 */
#ifndef WEFT_POLICY_ENGINE_H
#define WEFT_POLICY_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/abi/limits.h>
#include <weft/abi/policy.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/str.h"
#include "model/endpoint.h"
#include "model/policy.h"

struct wf_policy_engine;

/* The arrays that programs read, as mapped memory. Borrowed; outlive the engine. */
struct wf_policy_memory {
	struct wf_policy_subject_value *subjects; /* by slot */
	uint32_t subject_count;                   /* WF_MAX_SLOTS */
	struct wf_policy_run *profiles;
	uint32_t profile_count;
	struct wf_policy_rule_value *rules;
	uint32_t rule_count;
	/* makes the first rules usable; those behind them are not needed. NULL: all always are */
	int (*rules_reach)(uint32_t count, void *context);
	void (*rules_trim)(uint32_t count, void *context);
	void *context;
};

/* Effects on the tables that are no arrays; each 0 or a negative errno with a message. */
struct wf_policy_effects {
	/* many at once; runs NULL: delete, and one that is not there counts as deleted */
	int (*pairs_set)(const struct wf_policy_pair_key *keys, const struct wf_policy_run *runs,
			 size_t count, void *context, struct wf_err *err);
	/* in a scope; class WF_POLICY_CLASS_WORLD with present false: delete */
	int (*prefix_set)(uint32_t scope, const struct wf_prefix *prefix, uint32_t class_id,
			  bool present, void *context, struct wf_err *err);
	/*
	 * NULL: prefix_set has an effect at once. Otherwise what it sets has one with this at the latest, which
	 * then may fail for any of them.
	 */
	int (*prefixes_flush)(void *context, struct wf_err *err);
	/* Subjects were turned over: what programs remember of verdicts holds no more. */
	int (*revise)(void *context, struct wf_err *err);
	/*
	 * A direction of a slot in which everything passed, or nothing, gets a profile that is to be asked:
	 * called before the first subject of a change is written, and once more (is_written) after this one
	 * is, before guard_set() and revise(). NULL: nobody wants to know.
	 */
	void (*closes)(uint32_t slot, bool is_written, void *context);
	/* An endpoint's guard: whether packets of a slot have to be judged at all. */
	int (*guard_set)(uint32_t slot, bool guarded, void *context, struct wf_err *err);
	/*
	 * Whether no program is left that began before the last change was in force, so that what
	 * nobody names may mean something else. is_needed: there is no room without it, so it is
	 * waited for. NULL: there are no programs.
	 */
	bool (*may_free)(bool is_needed, void *context);
	void *context;
};

/* What is open for the host whatever policies say, so that nobody locks himself out. */
struct wf_policy_failsafe {
	enum wf_policy_dir dir;
	uint8_t proto;
	uint16_t port; /* INGRESS: of the host; EGRESS: of the peer */
};

/*
 * Starts with no policy. The pairs and prefixes that an earlier daemon left are told by the two
 * adopt functions; they go with the first commit. Failsafes are copied. -ENOMEM.
 */
int wf_policy_engine_new(struct wf_policy_engine **ret_engine,
			 const struct wf_policy_memory *memory,
			 const struct wf_policy_effects *effects,
			 const struct wf_policy_failsafe *failsafes, size_t failsafe_count,
			 struct wf_err *err);
void wf_policy_engine_free(struct wf_policy_engine **engine);
int wf_policy_engine_adopt_pair(struct wf_policy_engine *engine,
				const struct wf_policy_pair_key *key);
int wf_policy_engine_adopt_prefix(struct wf_policy_engine *engine, uint32_t scope,
				  const struct wf_prefix *prefix, uint32_t class_id);

/*
 * Between begin and commit changes are gathered and come into force together: for files and for the
 * start. A change outside of them is in force when it returns. commit: -ENOSPC names the table that
 * is full, -ENOMEM; then the whole batch is taken back (the tables of the engine as well).
 */
void wf_policy_engine_begin(struct wf_policy_engine *engine);
int wf_policy_engine_commit(struct wf_policy_engine *engine, struct wf_err *err);
/* Takes back what was gathered since begin, and ends it. */
void wf_policy_engine_rollback(struct wf_policy_engine *engine);
/*
 * Frees what nobody names any more, and waits until it may. By itself it rests until the next
 * change for which may_free() holds, so that no program that was just at work meets something else
 * in its place; who sees no change coming may call this.
 */
void wf_policy_engine_sweep(struct wf_policy_engine *engine);

/* Takes over *policy (zeroed on success). key: "NetworkPolicy/NAMESPACE/NAME" or "KIND/NAME". */
int wf_policy_engine_policy_put(struct wf_policy_engine *engine, const char *key,
				struct wf_policy *policy, struct wf_err *err);
int wf_policy_engine_policy_drop(struct wf_policy_engine *engine, const char *key,
				 struct wf_err *err);

/* Labels and annotations of a namespace; one that is not told has only its name. */
int wf_policy_engine_namespace_put(struct wf_policy_engine *engine, const char *name,
				   const struct wf_labels *labels, bool audit, struct wf_err *err);
int wf_policy_engine_namespace_drop(struct wf_policy_engine *engine, const char *name,
				    struct wf_err *err);

/* An endpoint of this node, as policies see it. All borrowed. */
struct wf_policy_member {
	uint32_t slot;         /* from 1 */
	uint32_t scope;        /* of its addresses: WF_NETWORK_HOST, or its network's number */
	const char *namespace; /* "default" when it names none */
	const struct wf_labels *labels;
	const struct wf_endpoint_port *ports; /* its named ports */
	size_t port_count;
	const struct wf_addr *addrs;
	size_t addr_count; /* up to WF_MAX_ENDPOINT_ADDRESSES, or as the put says */
	bool audit;
};

/*
 * The endpoint of a slot, new or changed. In force before it returns; with -ENOSPC and -ENOMEM the
 * slot's profiles are WF_POLICY_PROFILE_DENY_ALL.
 */
int wf_policy_engine_member_put(struct wf_policy_engine *engine,
				const struct wf_policy_member *member, struct wf_err *err);
/* The endpoint goes. The slot's subject is DENY_ALL until the next put. Never fails for long: what
 * cannot be freed for want of memory is freed with the next change. */
void wf_policy_engine_member_drop(struct wf_policy_engine *engine, uint32_t slot);

/*
 * A node: its labels and addresses; is_self: this one, the subject of node policies and the HOST
 * entity. Addresses that an endpoint has are the endpoint's.
 */
int wf_policy_engine_node_put(struct wf_policy_engine *engine, const char *name, bool is_self,
			      const struct wf_labels *labels, const struct wf_addr *addrs,
			      size_t addr_count, struct wf_err *err);
int wf_policy_engine_node_drop(struct wf_policy_engine *engine, const char *name,
			       struct wf_err *err);

/*
 * So many of the next kind will be told: room for them and for what their addresses need is made at
 * once. Where there is none they are told all the same.
 */
void wf_policy_engine_remotes_expect(struct wf_policy_engine *engine, size_t count);
/*
 * Addresses of an endpoint of another node, or of some that are alike; slot and audit of *member do not
 * count. Whatever endpoint of another node had one has it no more; one that an endpoint of this node has is
 * that one's. Who that endpoint is is not known here: when it loses an address, that has to be told.
 */
#define WF_POLICY_REMOTE_ADDRESSES 64
int wf_policy_engine_remote_put(struct wf_policy_engine *engine,
				const struct wf_policy_member *member, struct wf_err *err);
/* No endpoint of another node has these any more. Those that none had are fine. */
int wf_policy_engine_remote_drop(struct wf_policy_engine *engine, uint32_t scope,
				 const struct wf_addr *addrs, size_t count, struct wf_err *err);

/* The backends of a service: addresses of a scope. Borrowed. */
struct wf_policy_backends {
	uint32_t scope;
	const struct wf_addr *addrs;
	size_t count;
};

/* A service for WF_PEER_SERVICE: its labels, and the addresses of its backends. */
int wf_policy_engine_service_put(struct wf_policy_engine *engine, const char *namespace,
				 const char *name, const struct wf_labels *labels,
				 const struct wf_policy_backends *backends, struct wf_err *err);
int wf_policy_engine_service_drop(struct wf_policy_engine *engine, const char *namespace,
				  const char *name, struct wf_err *err);

/* ---- whether the tables are what was written ------------------------------------------------ */

/* Of entries of wf_policy_pairs, in any order. */
struct wf_policy_sum {
	size_t entries;
	uint64_t value;
};
void wf_policy_sum_pair(struct wf_policy_sum *sum, const struct wf_policy_pair_key *key,
			const struct wf_policy_run *run);
/* What they come to as the engine has written them. */
void wf_policy_engine_sum(const struct wf_policy_engine *engine, struct wf_policy_sum *ret_sum);
/* Whether the engine has written that a prefix has a class; and how many prefixes it has written. */
bool wf_policy_engine_prefix_is(const struct wf_policy_engine *engine, uint32_t scope,
				const struct wf_prefix *prefix, uint32_t class_id);
size_t wf_policy_engine_prefix_count(const struct wf_policy_engine *engine);
/* Whether policies are about anybody: without, nothing that the engine writes is read. */
bool wf_policy_engine_guards(const struct wf_policy_engine *engine);
/* Whether the arrays are as the engine has written them, as far as anybody is sent there. */
bool wf_policy_engine_is_intact(const struct wf_policy_engine *engine);

/* ---- answers ------------------------------------------------------------------------------- */

/* Whom a question is about: an endpoint (or the host) by slot, or an address of nobody here. */
struct wf_policy_party {
	uint32_t slot;       /* UINT32_MAX: by addr alone */
	struct wf_addr addr; /* also with a slot: says the family */
	uint32_t scope;      /* of addr */
};

struct wf_policy_answer {
	enum wf_policy_verdict verdict;
	uint32_t rule; /* what decided; 0: nothing selects the subject */
	uint32_t profile;
	uint32_t class_id;
};

/*
 * The verdict for one direction, read from the very tables that programs read. Egress: src is the
 * subject; ingress: dst. A subject that is no slot's is under no policy.
 */
void wf_policy_engine_ask(const struct wf_policy_engine *engine, enum wf_policy_dir dir,
			  const struct wf_policy_party *src, const struct wf_policy_party *dst,
			  uint8_t proto, uint16_t port, struct wf_policy_answer *ret_answer);

/* A rule by its number. Borrowed until the next change. */
struct wf_policy_rule_info {
	const char *key; /* of the policy */
	const struct wf_policy *policy;
	enum wf_policy_dir dir;
	const struct wf_policy_rule *rule; /* NULL: nothing allowed it, the policy isolates */
	size_t section;
};
/* Returns whether there is such a rule. */
bool wf_policy_engine_rule(const struct wf_policy_engine *engine, uint32_t number,
			   struct wf_policy_rule_info *ret_info);
/* The number of a policy's rule; rule NULL: of its isolation in that direction. 0: none. */
uint32_t wf_policy_engine_rule_number(const struct wf_policy_engine *engine, const char *key,
				      size_t section, const struct wf_policy_rule *rule,
				      enum wf_policy_dir dir);

const struct wf_policy *wf_policy_engine_policy(const struct wf_policy_engine *engine,
						const char *key);
/* Calls back for each policy, by key. */
typedef void (*wf_policy_visit_fn)(const char *key, const struct wf_policy *policy, void *context);
void wf_policy_engine_visit(const struct wf_policy_engine *engine, wf_policy_visit_fn visit,
			    void *context);
/* Slots that a section selects (0: the host), ascending; count of all, up to `most` are stored. */
size_t wf_policy_engine_selected(const struct wf_policy_engine *engine, const char *key,
				 size_t section, uint32_t *ret_slots, size_t most);
/* Slots that a peer of a rule means; CIDRs and entities beyond endpoints are not listed. */
size_t wf_policy_engine_peers(const struct wf_policy_engine *engine, const struct wf_peer *peer,
			      uint32_t *ret_slots, size_t most);

struct wf_policy_use {
	size_t policies, members, classes, profiles, pairs, prefixes, rule_numbers;
	size_t rules, rules_max, profiles_max;
	size_t memory_bytes; /* what the engine itself holds, about */
};
void wf_policy_engine_use(const struct wf_policy_engine *engine, struct wf_policy_use *ret_use);

#endif
