/* SPDX-License-Identifier: Apache-2.0 */
/* Answers: verdicts as programs find them, who has which number, whom selectors mean. */
#include <stdlib.h>
#include <string.h>

#include "policy/engine_priv.h"

/* The longest prefix that has an entry in a scope; NULL: none. */
static const struct wf_place *longest(const struct wf_policy_engine *engine, uint32_t scope,
				      const struct wf_addr *addr)
{
	if (!engine->objects.record_count)
		return NULL;
	for (int len = wf_addr_bits(addr); len >= 0; len--) {
		struct wf_prefix prefix = { .addr = *addr, .len = (uint8_t)len };
		const struct wf_place *record;

		prefix = wf_prefix_network(&prefix);
		record = wf_prefix_find(engine, scope, &prefix);
		if (record && record->is_there)
			return record;
	}
	return NULL;
}

static uint32_t class_of(const struct wf_policy_engine *engine, const struct wf_policy_party *party)
{
	const struct wf_place *record;
	uint32_t id = WF_POLICY_CLASS_WORLD;

	if (party->slot < engine->slot_count) {
		id = engine->memory.subjects[party->slot].class_id[!wf_addr_is_ip4(&party->addr)];
		if (!(id & WF_POLICY_CLASS_ODD))
			return id;
	}
	record = longest(engine, party->scope, &party->addr);
	if (!record)
		return id & ~WF_POLICY_CLASS_ODD;
	return wf_engine_prefix_class(record);
}

void wf_policy_engine_ask(const struct wf_policy_engine *engine, enum wf_policy_dir dir,
			  const struct wf_policy_party *src, const struct wf_policy_party *dst,
			  uint8_t proto, uint16_t port, struct wf_policy_answer *ret_answer)
{
	const struct wf_policy_party *subject = dir == WF_POLICY_EGRESS ? src : dst;
	const struct wf_policy_party *peer = dir == WF_POLICY_EGRESS ? dst : src;
	struct wf_policy_answer answer = { .verdict = WF_POLICY_ALLOW };
	const struct wf_profile *profile;
	const struct wf_pair *pair;
	struct wf_policy_run run;

	answer.class_id = class_of(engine, peer);
	*ret_answer = answer;
	if (subject->slot >= engine->slot_count || subject->slot == peer->slot)
		return;
	answer.profile = engine->memory.subjects[subject->slot].profile[dir];
	if (answer.profile == WF_POLICY_PROFILE_NONE)
		return;
	answer.verdict = WF_POLICY_DENY;
	profile = engine->slots[subject->slot].force.profiles[dir];
	pair = profile ? wf_profile_pair(profile, answer.class_id) : NULL;
	run = pair ? pair->run->place : engine->memory.profiles[answer.profile];
	if (run.count) {
		const struct wf_policy_rule_value *rule = wf_rules_at(
			&engine->memory.rules[run.first], run.count, WF_POINT(proto, port));

		answer.verdict = (enum wf_policy_verdict)(rule->at >> WF_POLICY_AT_VERDICT);
		answer.rule = rule->rule;
	}
	*ret_answer = answer;
}

bool wf_policy_engine_rule(const struct wf_policy_engine *engine, uint32_t number,
			   struct wf_policy_rule_info *ret_info)
{
	const struct wf_law_number *owner;

	if (!number || number >= engine->laws.number_count)
		return false;
	owner = &engine->laws.numbers[number];
	if (!owner->section)
		return false;
	*ret_info = (struct wf_policy_rule_info){
		.key = owner->section->law->key,
		.policy = &owner->section->law->policy,
		.dir = owner->dir,
		.rule = owner->rule ? owner->rule->rule : NULL,
		.section = (size_t)(owner->section - owner->section->law->sections),
	};
	return true;
}

static const struct wf_law *find_law(const struct wf_policy_engine *engine, const char *key)
{
	const struct wf_record *record = wf_book_find(&engine->policies, key);

	return record ? record->now : NULL;
}

uint32_t wf_policy_engine_rule_number(const struct wf_policy_engine *engine, const char *key,
				      size_t section, const struct wf_policy_rule *rule,
				      enum wf_policy_dir dir)
{
	const struct wf_law *law = find_law(engine, key);
	const struct wf_law_section *of = NULL;

	if (!law || section >= law->section_count)
		return 0;
	of = &law->sections[section];
	if (!rule)
		return of->isolation[dir];
	for (size_t i = 0; i < of->rule_count[dir]; i++)
		if (of->rules[dir][i].rule == rule)
			return of->rules[dir][i].number;
	return 0;
}

const struct wf_policy *wf_policy_engine_policy(const struct wf_policy_engine *engine,
						const char *key)
{
	const struct wf_law *law = find_law(engine, key);

	return law ? &law->policy : NULL;
}

void wf_policy_engine_visit(const struct wf_policy_engine *engine, wf_policy_visit_fn visit,
			    void *context)
{
	wf_book_sort(&engine->policies);
	for (size_t i = 0; i < engine->policies.count; i++) {
		const struct wf_law *law = engine->policies.items[i]->now;

		if (law)
			visit(law->key, &law->policy, context);
	}
}

/* All that are found are counted, the first of them stored. */
static void add_slot(uint32_t slot, uint32_t *slots, size_t most, size_t *count)
{
	if (*count < most)
		slots[*count] = slot;
	++*count;
}

size_t wf_policy_engine_selected(const struct wf_policy_engine *engine, const char *key,
				 size_t section, uint32_t *ret_slots, size_t most)
{
	const struct wf_law *law = find_law(engine, key);
	size_t count = 0;
	const struct wf_atom *subject;

	if (!law || section >= law->section_count)
		return 0;
	subject = law->sections[section].subject;
	if (engine->self) {
		struct wf_atom_party party = wf_group_party(engine->self->group);

		if (wf_atom_matches(subject, &party))
			add_slot(WF_SLOT_HOST, ret_slots, most, &count);
	}
	for (uint32_t i = 1; i < engine->slot_count; i++) {
		const struct wf_member *member = engine->slots[i].now;

		if (member) {
			struct wf_atom_party party = wf_group_party(member->group);

			if (wf_atom_matches(subject, &party))
				add_slot(i, ret_slots, most, &count);
		}
	}
	return count;
}

static bool selects(const struct wf_peer *peer, const struct wf_group *group)
{
	struct wf_atom_party party = wf_group_party(group);

	return wf_selector_matches(&peer->selector, party.labels, party.namespace,
				   party.of_namespace);
}

static bool holds(const struct wf_peer *peer, const struct wf_addr *addr)
{
	if (!peer->holds_endpoints || !wf_prefix_contains(&peer->cidr, addr))
		return false;
	for (size_t i = 0; i < peer->except_count; i++)
		if (wf_prefix_contains(&peer->except[i], addr))
			return false;
	return true;
}

/* Whether a peer means one by an address. */
static bool means_place(const struct wf_peer *peer, const struct wf_place *place)
{
	if (peer->type == WF_PEER_CIDR)
		return holds(peer, &place->addr);
	for (const struct wf_backend *backend = place->backends;
	     peer->type == WF_PEER_SERVICE && backend; backend = backend->next)
		if (wf_service_is_meant(backend->service, peer))
			return true;
	return false;
}

static bool means_member(const struct wf_peer *peer, const struct wf_member *member)
{
	if (peer->type == WF_PEER_ENDPOINTS)
		return selects(peer, member->group);
	if (peer->type == WF_PEER_ENTITIES)
		return peer->entities & WF_ENTITY_ENDPOINT;
	for (size_t i = 0; i < member->place_count; i++)
		if (means_place(peer, member->places[i]))
			return true;
	return false;
}

static bool means_host(const struct wf_policy_engine *engine, const struct wf_peer *peer)
{
	const struct wf_node *self = engine->self;

	if (peer->type == WF_PEER_ENTITIES)
		return peer->entities & WF_ENTITY_HOST;
	if (!self || peer->type == WF_PEER_ENDPOINTS)
		return false;
	if (peer->type == WF_PEER_NODES)
		return selects(peer, self->group);
	for (size_t i = 0; i < self->addr_count; i++)
		if (!self->addrs[i].place->slot && means_place(peer, self->addrs[i].place))
			return true;
	return false;
}

size_t wf_policy_engine_peers(const struct wf_policy_engine *engine, const struct wf_peer *peer,
			      uint32_t *ret_slots, size_t most)
{
	size_t count = 0;

	if (means_host(engine, peer))
		add_slot(WF_SLOT_HOST, ret_slots, most, &count);
	for (uint32_t i = 1; peer->type != WF_PEER_NODES && i < engine->slot_count; i++)
		if (engine->slots[i].now && means_member(peer, engine->slots[i].now))
			add_slot(i, ret_slots, most, &count);
	return count;
}

/* About: what the allocator adds is not known here. */
static size_t memory_of(const struct wf_policy_engine *engine, const struct wf_policy_use *use)
{
	size_t bytes = sizeof(*engine) + engine->slot_count * sizeof(struct wf_slot) +
		       use->members * sizeof(struct wf_member) +
		       engine->objects.places.count * sizeof(struct wf_place) +
		       engine->objects.places.slot_count * sizeof(void *) +
		       engine->laws.number_count * sizeof(struct wf_law_number) +
		       engine->laws.rule_count * sizeof(struct wf_law_rule) +
		       HASH_COUNT(engine->runs.by_content) * sizeof(struct wf_run);

	for (const struct wf_group *group = engine->objects.groups; group; group = group->hh.next) {
		bytes += sizeof(*group) + (size_t)group->hh.keylen * 2 +
			 group->labels.capacity * sizeof(struct wf_label) +
			 group->port_count * sizeof(struct wf_endpoint_port) +
			 group->matched.capacity * sizeof(uint32_t);
	}
	for (size_t i = 0; i < engine->classes.count; i++)
		bytes += sizeof(struct wf_class) +
			 engine->classes.items[i]->item_count * sizeof(uint64_t);
	for (const struct wf_profile *profile = engine->profiles.by_key; profile;
	     profile = profile->hh.next)
		bytes += sizeof(*profile) + profile->key_count * sizeof(uint64_t) +
			 profile->rule_count * sizeof(struct wf_profile_rule) +
			 profile->hit_count * sizeof(struct wf_profile_hit) +
			 profile->pair_capacity * sizeof(struct wf_pair);
	for (size_t i = 0; i < engine->atoms.count; i++)
		bytes += engine->atoms.items[i] ? sizeof(struct wf_atom) : 0;
	return bytes;
}

bool wf_policy_engine_guards(const struct wf_policy_engine *engine)
{
	return engine->profiles.by_key;
}

void wf_policy_engine_use(const struct wf_policy_engine *engine, struct wf_policy_use *ret_use)
{
	struct wf_policy_use use = {
		.members = engine->member_count,
		.classes = engine->classes.count,
		.profiles = HASH_COUNT(engine->profiles.by_key),
		.rules = engine->runs.space.used,
		.rules_max = engine->runs.rule_count,
		.profiles_max = engine->profiles.count,
	};

	for (size_t i = 0; i < engine->policies.count; i++)
		use.policies += engine->policies.items[i]->now != NULL;
	for (const struct wf_profile *profile = engine->profiles.by_key; profile;
	     profile = profile->hh.next)
		use.pairs += profile->pair_count;
	use.prefixes = wf_policy_engine_prefix_count(engine);
	if (engine->laws.number_count)
		use.rule_numbers = engine->laws.number_count - 1 - engine->laws.unused.count;
	use.memory_bytes = memory_of(engine, &use);
	*ret_use = use;
}
