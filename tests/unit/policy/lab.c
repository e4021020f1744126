/* SPDX-License-Identifier: Apache-2.0 */
#include "lab.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static void show(struct lab *lab)
{
	if (lab->on_effect)
		lab->on_effect(lab, lab->context);
}

static bool must_fail(struct lab *lab)
{
	/* what was written to memory so far was seen before */
	show(lab);
	if (lab->calls++ != lab->fail_at)
		return false;
	lab->has_failed = true;
	return true;
}

static struct lab_pair *find_pair(const struct lab *lab, const struct wf_policy_pair_key *key)
{
	struct lab_pair *pair;

	HASH_FIND(hh, lab->pairs, key, sizeof(*key), pair);
	return pair;
}

static int pairs_set(const struct wf_policy_pair_key *keys, const struct wf_policy_run *runs,
		     size_t count, void *context, struct wf_err *err)
{
	struct lab *lab = context;
	bool fails = must_fail(lab);

	/* what fails has done half of it */
	for (size_t i = 0; i < (fails ? count / 2 : count); i++) {
		struct lab_pair *pair = find_pair(lab, &keys[i]);

		lab->pair_writes++;
		if (!runs) {
			if (pair) {
				HASH_DEL(lab->pairs, pair);
				free(pair);
			}
			continue;
		}
		if (!pair) {
			pair = calloc(1, sizeof(*pair));
			if (!pair)
				return wf_fail(err, -ENOMEM, "out of memory");
			pair->key = keys[i];
			HASH_ADD(hh, lab->pairs, key, sizeof(pair->key), pair);
			if (!pair->hh.tbl) {
				free(pair);
				return wf_fail(err, -ENOMEM, "out of memory");
			}
		}
		pair->run = runs[i];
		show(lab);
	}
	show(lab);
	return fails ? wf_fail(err, -ENOSPC, "the table of policy pairs is full") : 0;
}

static int prefix_set(uint32_t scope, const struct wf_prefix *prefix, uint32_t class_id,
		      bool present, void *context, struct wf_err *err)
{
	struct lab *lab = context;
	struct wf_policy_prefix_key key;
	size_t at = 0;

	memset(&key, 0, sizeof(key));
	key.prefixlen = prefix->len;
	key.scope = scope;
	key.addr = prefix->addr;
	if (wf_addr_is_ip4(&prefix->addr))
		key.prefixlen += 96;
	if (must_fail(lab))
		return wf_fail(err, -ENOSPC, "the table of policy prefixes is full");
	while (at < lab->prefix_count && memcmp(&lab->prefixes[at].key, &key, sizeof(key)) != 0)
		at++;
	if (!present) {
		if (at < lab->prefix_count)
			lab->prefixes[at] = lab->prefixes[--lab->prefix_count];
	} else {
		assert_true(at < WF_ARRAY_LEN(lab->prefixes));
		lab->prefixes[at].key = key;
		lab->prefixes[at].class_id = class_id;
		lab->prefix_count += at == lab->prefix_count;
	}
	show(lab);
	return 0;
}

static int revise(void *context, struct wf_err *err)
{
	struct lab *lab = context;

	if (must_fail(lab))
		return wf_fail(err, -EIO, "no revision");
	lab->revisions++;
	show(lab);
	return 0;
}

static int guard_set(uint32_t slot, bool guarded, void *context, struct wf_err *err)
{
	struct lab *lab = context;

	if (must_fail(lab))
		return wf_fail(err, -EIO, "no guard");
	lab->guarded[slot] = guarded;
	show(lab);
	return 0;
}

/* Told twice: before and after programs see it. */
static void closes(uint32_t slot, bool is_written, void *context)
{
	struct lab *lab = context;
	const struct wf_policy_subject_value *subject = &lab->memory.subjects[slot];

	if (is_written) {
		assert_memory_not_equal(subject, &lab->before[slot], sizeof(*subject));
		lab->closed[slot]++;
	} else {
		lab->before[slot] = *subject;
	}
}

static bool may_free(bool is_needed, void *context)
{
	struct lab *lab = context;

	if (lab->rests && is_needed)
		lab->waits++;
	return !lab->rests || is_needed;
}

static void start(struct lab *lab, const struct wf_policy_failsafe *failsafes, size_t count)
{
	struct wf_policy_effects effects = {
		.pairs_set = pairs_set,
		.prefix_set = prefix_set,
		.revise = revise,
		.closes = closes,
		.guard_set = guard_set,
		.may_free = may_free,
		.context = lab,
	};

	assert_int_equal(
		wf_policy_engine_new(&lab->engine, &lab->memory, &effects, failsafes, count, NULL),
		0);
}

void lab_init_failsafe(struct lab *lab, uint32_t profiles, uint32_t rules,
		       const struct wf_policy_failsafe *failsafes, size_t count)
{
	memset(lab, 0, sizeof(*lab));
	lab->fail_at = SIZE_MAX;
	lab->memory = (struct wf_policy_memory){
		.subjects = calloc(LAB_SLOTS, sizeof(struct wf_policy_subject_value)),
		.subject_count = LAB_SLOTS,
		.profiles = calloc(profiles, sizeof(struct wf_policy_run)),
		.profile_count = profiles,
		.rules = calloc(rules, sizeof(struct wf_policy_rule_value)),
		.rule_count = rules,
	};
	lab->subjects = lab->memory.subjects;
	start(lab, failsafes, count);
}

void lab_init(struct lab *lab, uint32_t profiles, uint32_t rules)
{
	lab_init_failsafe(lab, profiles, rules, NULL, 0);
}

void lab_done(struct lab *lab)
{
	struct lab_pair *pair, *next;

	wf_policy_engine_free(&lab->engine);
	HASH_ITER(hh, lab->pairs, pair, next) {
		HASH_DEL(lab->pairs, pair);
		free(pair);
	}
	free(lab->memory.subjects);
	free(lab->memory.profiles);
	free(lab->memory.rules);
}

void lab_restart(struct lab *lab)
{
	wf_policy_engine_free(&lab->engine);
	start(lab, NULL, 0);
	for (const struct lab_pair *pair = lab->pairs; pair; pair = pair->hh.next)
		assert_int_equal(wf_policy_engine_adopt_pair(lab->engine, &pair->key), 0);
	for (size_t i = 0; i < lab->prefix_count; i++) {
		const struct wf_policy_prefix_key *key = &lab->prefixes[i].key;
		struct wf_prefix prefix = { key->addr, (uint8_t)key->prefixlen };

		if (wf_addr_is_ip4(&key->addr))
			prefix.len = (uint8_t)(key->prefixlen - 96);
		assert_int_equal(wf_policy_engine_adopt_prefix(lab->engine, key->scope, &prefix,
							       lab->prefixes[i].class_id),
				 0);
	}
}

static bool holds(const struct wf_policy_prefix_key *key, const struct wf_addr *addr)
{
	for (uint32_t i = 0; i < key->prefixlen; i++)
		if ((key->addr.bytes[i / 8] ^ addr->bytes[i / 8]) >> (7 - i % 8) & 1)
			return false;
	return true;
}

static uint32_t find_class(const struct lab *lab, uint32_t slot, const struct wf_addr *addr)
{
	const struct lab_prefix *best = NULL;
	uint32_t id = WF_POLICY_CLASS_WORLD;

	if (slot != UINT32_MAX) {
		id = lab->subjects[slot].class_id[!wf_addr_is_ip4(addr)];
		if (!(id & WF_POLICY_CLASS_ODD))
			return id;
	}
	for (size_t i = 0; i < lab->prefix_count; i++)
		if (lab->prefixes[i].key.scope == lab->scope &&
		    holds(&lab->prefixes[i].key, addr) &&
		    (!best || best->key.prefixlen < lab->prefixes[i].key.prefixlen))
			best = &lab->prefixes[i];
	return best ? best->class_id : id & ~WF_POLICY_CLASS_ODD;
}

enum wf_policy_verdict lab_judge_addr(const struct lab *lab, enum wf_policy_dir dir,
				      uint32_t subject, uint32_t peer_slot,
				      const struct wf_addr *addr, uint8_t proto, uint16_t port,
				      uint32_t *ret_rule)
{
	uint32_t profile = lab->subjects[subject].profile[dir];
	struct wf_policy_pair_key key = { profile, find_class(lab, peer_slot, addr) };
	const struct lab_pair *pair = find_pair(lab, &key);
	const struct wf_policy_run *run = pair ? &pair->run : &lab->memory.profiles[profile];
	const struct wf_policy_rule_value *rules = &lab->memory.rules[run->first];
	uint32_t at = WF_POLICY_AT(0, proto, port), found = 0;

	if (ret_rule)
		*ret_rule = 0;
	if (profile == WF_POLICY_PROFILE_NONE)
		return WF_POLICY_ALLOW;
	if (!run->count)
		return WF_POLICY_DENY;
	assert_int_equal(rules[0].at & WF_POLICY_AT_START, 0);
	for (uint32_t i = 1; i < run->count; i++) {
		assert_true((rules[i].at & WF_POLICY_AT_START) >
			    (rules[i - 1].at & WF_POLICY_AT_START));
		if ((rules[i].at & WF_POLICY_AT_START) <= at)
			found = i;
	}
	if (ret_rule)
		*ret_rule = rules[found].rule;
	return (enum wf_policy_verdict)(rules[found].at >> WF_POLICY_AT_VERDICT);
}

enum wf_policy_verdict lab_judge(const struct lab *lab, enum wf_policy_dir dir, uint32_t subject,
				 uint32_t peer_slot, const char *peer_addr, uint8_t proto,
				 uint16_t port, uint32_t *ret_rule)
{
	struct wf_addr addr = lab_addr(peer_addr);

	return lab_judge_addr(lab, dir, subject, peer_slot, &addr, proto, port, ret_rule);
}

struct wf_addr lab_addr(const char *text)
{
	struct wf_addr addr;

	assert_int_equal(wf_addr_parse(text, &addr), 0);
	return addr;
}

/* Calls back for each "key=value" up to a character. */
static const char *each(const char *text, char end, void (*add)(void *to, char *key, char *value),
			void *to)
{
	while (*text && *text != end) {
		char item[128] = "";
		size_t len = strcspn(text, ",;");
		char *value;

		memcpy(item, text, len);
		value = strchr(item, '=');
		*value++ = '\0';
		add(to, item, value);
		text += len + (text[len] == ',');
	}
	return text;
}

static void add_label(void *to, char *key, char *value)
{
	assert_int_equal(wf_labels_set(to, key, value), 0);
}

struct wf_labels lab_labels(const char *text)
{
	struct wf_labels labels = { 0 };

	(void)each(text, '\0', add_label, &labels);
	return labels;
}

int lab_member(struct lab *lab, uint32_t slot, const char *namespace, const char *labels)
{
	struct wf_labels of = lab_labels(labels);
	struct wf_policy_member member = {
		.slot = slot,
		.scope = lab->scope,
		.namespace = namespace,
		.labels = &of,
		.addr_count = 2,
	};
	struct wf_addr addrs[2];
	char text[32];
	int r;

	(void)snprintf(text, sizeof(text), "10.0.0.%u", slot);
	addrs[0] = lab_addr(text);
	(void)snprintf(text, sizeof(text), "fd00::%x", slot);
	addrs[1] = lab_addr(text);
	member.addrs = addrs;
	r = wf_policy_engine_member_put(lab->engine, &member, NULL);
	wf_labels_done(&of);
	return r;
}

struct wf_policy lab_policy(enum wf_policy_tier tier, uint32_t priority)
{
	return (struct wf_policy){ .kind = WF_KIND_NETWORK_POLICY,
				   .tier = tier,
				   .priority = priority };
}

/* Room for one more element of an array that begins zeroed. */
#define GROW(items, count, capacity)                                                            \
	({                                                                                      \
		assert_int_equal(wf_mem_grow(&(items), sizeof(*(items)), (count), &(capacity)), \
				 0);                                                            \
		memset(&(items)[count], 0, sizeof(*(items)));                                   \
		&(items)[(count)++];                                                            \
	})

struct wf_policy_section *lab_section(struct wf_policy *policy, const char *subject)
{
	struct wf_policy_section *section =
		GROW(policy->sections, policy->section_count, policy->section_capacity);

	lab_select(&section->subject, subject);
	return section;
}

void lab_isolate(struct wf_policy_section *section, enum wf_policy_dir dir, bool spares_host)
{
	section->isolates[dir] = true;
	section->spares_host[dir] = spares_host;
}

struct wf_policy_rule *lab_rule(struct wf_policy_section *section, enum wf_policy_dir dir,
				enum wf_rule_action action)
{
	struct wf_policy_rule *rule =
		GROW(section->rules, section->rule_count, section->rule_capacity);

	rule->dir = dir;
	rule->action = action;
	rule->any_port = true;
	return rule;
}

struct into {
	struct wf_selector *selector;
	bool of_namespace;
};

static void add_requirement(void *to, char *key, char *value)
{
	const struct into *into = to;
	const char *values[] = { value };
	bool is_not = *key == '!';

	/* "!key=": absent; "!key=value": not that; "key=*": there */
	if (is_not)
		key++;
	if (strcmp(value, "*") == 0 || !*value)
		assert_int_equal(wf_selector_add(into->selector, into->of_namespace, key,
						 is_not ? WF_MATCH_NOT_EXISTS : WF_MATCH_EXISTS,
						 NULL, 0),
				 0);
	else
		assert_int_equal(wf_selector_add(into->selector, into->of_namespace, key,
						 is_not ? WF_MATCH_NOT_IN : WF_MATCH_IN, values, 1),
				 0);
}

void lab_select(struct wf_selector *selector, const char *text)
{
	struct into into = { selector, false };

	text = each(text, ';', add_requirement, &into);
	into.of_namespace = true;
	if (*text)
		(void)each(text + 1, '\0', add_requirement, &into);
}

struct wf_peer *lab_peer_add(struct wf_policy_rule *rule, enum wf_peer_type type)
{
	struct wf_peer *peer = GROW(rule->peers, rule->peer_count, rule->peer_capacity);

	peer->type = type;
	return peer;
}

void lab_peer(struct wf_policy_rule *rule, const char *selector)
{
	lab_select(&lab_peer_add(rule, WF_PEER_ENDPOINTS)->selector, selector);
}

void lab_peer_entities(struct wf_policy_rule *rule, uint32_t entities)
{
	lab_peer_add(rule, WF_PEER_ENTITIES)->entities = entities;
}

struct wf_peer *lab_peer_cidr(struct wf_policy_rule *rule, const char *cidr, bool holds_endpoints)
{
	struct wf_peer *peer = lab_peer_add(rule, WF_PEER_CIDR);

	assert_int_equal(wf_prefix_parse(cidr, &peer->cidr), 0);
	peer->holds_endpoints = holds_endpoints;
	return peer;
}

void lab_except(struct wf_peer *peer, const char *cidr)
{
	struct wf_prefix *except = GROW(peer->except, peer->except_count, peer->except_capacity);

	assert_int_equal(wf_prefix_parse(cidr, except), 0);
}

void lab_port(struct wf_policy_rule *rule, uint8_t proto, uint16_t first, uint16_t last)
{
	struct wf_policy_port *port = GROW(rule->ports, rule->port_count, rule->port_capacity);

	rule->any_port = false;
	port->proto = proto;
	port->first = first;
	port->last = last;
}

void lab_port_named(struct wf_policy_rule *rule, uint8_t proto, const char *name)
{
	lab_port(rule, proto, 0, 0);
	assert_int_equal(wf_str_copy(rule->ports[rule->port_count - 1].name,
				     sizeof(rule->ports[0].name), name),
			 0);
}

void lab_put(struct lab *lab, const char *key, struct wf_policy *policy)
{
	struct wf_err err = WF_ERR_INIT;

	if (wf_policy_engine_policy_put(lab->engine, key, policy, &err) < 0)
		fail_msg("%s", err.message);
}

void lab_drop(struct lab *lab, const char *key)
{
	assert_int_equal(wf_policy_engine_policy_drop(lab->engine, key, NULL), 0);
}
