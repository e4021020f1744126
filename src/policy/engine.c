/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/engine_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static void link_law(void *context, void *law)
{
	(void)context;
	wf_law_link(law);
}

static void unlink_law(void *context, void *law)
{
	(void)context;
	wf_law_unlink(law);
}

static void free_law(void *context, void *law)
{
	struct wf_policy_engine *engine = context;

	wf_law_unref(&engine->laws, law);
}

static void link_nothing(void *context, void *object)
{
	(void)context;
	(void)object;
}

static void free_namespace(void *context, void *namespace)
{
	(void)context;
	wf_namespace_unref(namespace);
}

static void link_node(void *context, void *object)
{
	struct wf_policy_engine *engine = context;
	struct wf_node *node = object;

	wf_node_link(&engine->objects, node);
	if (node->who == WF_WHO_HOST)
		engine->self = node;
}

static void unlink_node(void *context, void *object)
{
	struct wf_policy_engine *engine = context;

	wf_node_unlink(&engine->objects, object);
	if (engine->self == object)
		engine->self = NULL;
}

static void free_node(void *context, void *node)
{
	struct wf_policy_engine *engine = context;

	wf_node_free(&engine->objects, node);
}

static void link_service(void *context, void *service)
{
	struct wf_policy_engine *engine = context;

	wf_service_link(&engine->objects, service);
}

static void unlink_service(void *context, void *service)
{
	struct wf_policy_engine *engine = context;

	wf_service_unlink(&engine->objects, service);
}

static void free_service(void *context, void *service)
{
	struct wf_policy_engine *engine = context;

	wf_service_free(&engine->objects, service);
}

static const struct wf_book_ops policy_ops = { link_law, unlink_law, free_law };
static const struct wf_book_ops namespace_ops = { link_nothing, link_nothing, free_namespace };
static const struct wf_book_ops node_ops = { link_node, unlink_node, free_node };
static const struct wf_book_ops service_ops = { link_service, unlink_service, free_service };

/* What an earlier daemon left in the subjects stays as it is until they are turned over. */
static void adopt_subjects(struct wf_policy_engine *engine)
{
	uint32_t newest = 0;

	for (uint32_t i = 0; i < engine->slot_count; i++) {
		const struct wf_policy_subject_value *subject = &engine->memory.subjects[i];

		for (int j = 0; j < 2; j++) {
			uint32_t id = subject->class_id[j] & ~WF_POLICY_CLASS_ODD;

			if (subject->profile[j] >= WF_POLICY_PROFILE_FIRST &&
			    subject->profile[j] < engine->profiles.count) {
				wf_bits_clear(&engine->profiles.unused, subject->profile[j]);
				wf_bits_set(&engine->profiles.adopted, subject->profile[j]);
			}
			newest = id > newest ? id : newest;
		}
	}
	wf_classes_adopt(&engine->classes, newest);
}

static int init(struct wf_policy_engine *engine, const struct wf_policy_failsafe *failsafes,
		size_t failsafe_count)
{
	const struct wf_policy_memory *memory = &engine->memory;
	const struct wf_rule_memory rules = { memory->rules, memory->rule_count,
					      memory->rules_reach, memory->rules_trim,
					      memory->context };

	engine->slot_count = memory->subject_count;
	engine->touched = WF_SLOT_NONE;
	engine->laws.atoms = &engine->atoms;
	engine->policies = (struct wf_book){ .ops = &policy_ops, .context = engine };
	engine->namespaces = (struct wf_book){ .ops = &namespace_ops, .context = engine };
	engine->nodes = (struct wf_book){ .ops = &node_ops, .context = engine };
	engine->services = (struct wf_book){ .ops = &service_ops, .context = engine };
	wf_objects_init(&engine->objects);
	engine->has_adopted = true;
	engine->slots = calloc(engine->slot_count, sizeof(*engine->slots));
	engine->failsafes = calloc(failsafe_count + 1, sizeof(*engine->failsafes));
	if (!engine->slots || !engine->failsafes || wf_classes_init(&engine->classes) < 0 ||
	    wf_runs_init(&engine->runs, &rules) < 0 ||
	    wf_profiles_init(&engine->profiles, memory->profiles, memory->profile_count) < 0)
		return -ENOMEM;
	if (failsafe_count)
		memcpy(engine->failsafes, failsafes, failsafe_count * sizeof(*failsafes));
	engine->judge = (struct wf_judge){
		.laws = &engine->laws,
		.runs = &engine->runs,
		.failsafes = engine->failsafes,
		.failsafe_count = failsafe_count,
	};
	adopt_subjects(engine);
	return 0;
}

int wf_policy_engine_new(struct wf_policy_engine **ret_engine,
			 const struct wf_policy_memory *memory,
			 const struct wf_policy_effects *effects,
			 const struct wf_policy_failsafe *failsafes, size_t failsafe_count,
			 struct wf_err *err)
{
	_cleanup_(wf_policy_engine_free) struct wf_policy_engine *engine =
		calloc(1, sizeof(*engine));

	if (!engine)
		return wf_fail(err, -ENOMEM, "out of memory");
	engine->memory = *memory;
	engine->effects = *effects;
	if (init(engine, failsafes, failsafe_count) < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	*ret_engine = TAKE_PTR(engine);
	return 0;
}

void wf_policy_engine_free(struct wf_policy_engine **engine)
{
	struct wf_policy_engine *gone = *engine;

	*engine = NULL;
	if (!gone)
		return;
	wf_plan_done(&gone->plan);
	for (uint32_t i = 0; gone->slots && i < gone->slot_count; i++) {
		wf_member_free(&gone->objects, gone->slots[i].now);
		wf_member_free(&gone->objects, gone->slots[i].before);
	}
	wf_profiles_done(&gone->profiles, &gone->laws);
	wf_book_done(&gone->policies);
	wf_book_done(&gone->nodes);
	wf_remotes_done(gone);
	wf_book_done(&gone->services);
	wf_book_done(&gone->namespaces);
	wf_places_clear(&gone->objects);
	wf_objects_done(&gone->objects);
	wf_classes_done(&gone->classes);
	wf_runs_done(&gone->runs);
	wf_laws_done(&gone->laws);
	wf_atoms_done(&gone->atoms);
	wf_judge_done(&gone->judge);
	free(gone->adopted_pairs);
	free(gone->failsafes);
	free(gone->slots);
	free(gone);
}

int wf_policy_engine_adopt_pair(struct wf_policy_engine *engine,
				const struct wf_policy_pair_key *key)
{
	if (wf_mem_grow(&engine->adopted_pairs, sizeof(*engine->adopted_pairs),
			engine->adopted_count, &engine->adopted_capacity) < 0)
		return -ENOMEM;
	engine->adopted_pairs[engine->adopted_count++] = *key;
	if (wf_bits_has(&engine->profiles.unused, key->profile)) {
		wf_bits_clear(&engine->profiles.unused, key->profile);
		wf_bits_set(&engine->profiles.adopted, key->profile);
	}
	wf_classes_adopt(&engine->classes, key->class_id);
	return 0;
}

int wf_policy_engine_adopt_prefix(struct wf_policy_engine *engine, uint32_t scope,
				  const struct wf_prefix *prefix, uint32_t class_id)
{
	struct wf_prefix network = wf_prefix_network(prefix);
	struct wf_place *record;
	int r = wf_plan_mark_prefix(engine, scope, &network, true, &record);

	if (r < 0)
		return r;
	record->is_there = true;
	record->is_adopted = true;
	record->adopted_id = class_id;
	wf_classes_adopt(&engine->classes, class_id);
	return 0;
}

void wf_policy_engine_begin(struct wf_policy_engine *engine)
{
	engine->in_batch = true;
}

int wf_policy_engine_commit(struct wf_policy_engine *engine, struct wf_err *err)
{
	engine->in_batch = false;
	return wf_engine_commit(engine, err);
}

void wf_policy_engine_rollback(struct wf_policy_engine *engine)
{
	engine->in_batch = false;
	wf_engine_restore(engine);
}

void wf_policy_engine_sweep(struct wf_policy_engine *engine)
{
	(void)wf_engine_sweep(engine, true);
}

int wf_engine_gathered(struct wf_policy_engine *engine, struct wf_err *err)
{
	return engine->in_batch ? 0 : wf_engine_commit(engine, err);
}

static int no_memory(struct wf_err *err)
{
	return wf_fail(err, -ENOMEM, "out of memory");
}

int wf_policy_engine_policy_put(struct wf_policy_engine *engine, const char *key,
				struct wf_policy *policy, struct wf_err *err)
{
	struct wf_law *law;
	int r = wf_law_new(&engine->laws, key, policy, &law);

	if (r < 0)
		return wf_fail(err, r, r == -ENOMEM ? "out of memory" : "policy %s: not valid",
			       key);
	law->refs++;
	r = wf_book_set(&engine->policies, key, law);
	if (r < 0) {
		law->refs--;
		r = no_memory(err);
	} else {
		r = wf_engine_gathered(engine, err);
	}
	if (r < 0) {
		/* nobody else has it any more: it is the caller's again */
		*policy = law->policy;
		memset(&law->policy, 0, sizeof(law->policy));
	}
	wf_law_unref(&engine->laws, law);
	return r;
}

int wf_policy_engine_policy_drop(struct wf_policy_engine *engine, const char *key,
				 struct wf_err *err)
{
	(void)wf_book_set(&engine->policies, key, NULL);
	return wf_engine_gathered(engine, err);
}

/* A member as one was, but of another version of its namespace. */
static int move_member(struct wf_policy_engine *engine, const struct wf_member *from,
		       struct wf_namespace *namespace, struct wf_member **ret_member)
{
	const struct wf_group *group = from->group;
	struct wf_group_spec spec = {
		.audit = from->audit || (namespace && namespace->audit),
		.namespace = group->namespace,
		.of_namespace = namespace,
		.labels = &group->labels,
		.ports = group->ports,
		.port_count = group->port_count,
	};
	struct wf_addr items[WF_MAX_ENDPOINT_ADDRESSES];
	const struct wf_address_list addrs = {
		.scope = from->place_count ? from->places[0]->scope : WF_NETWORK_HOST,
		.items = items,
		.count = from->place_count,
	};

	for (size_t i = 0; i < from->place_count; i++)
		items[i] = from->places[i]->addr;
	return wf_member_new(&engine->objects, &spec, from->audit, &addrs, ret_member);
}

static bool is_of(const struct wf_slot *slot, const char *namespace)
{
	return slot->now && strcmp(slot->now->group->namespace, namespace) == 0;
}

/* Moves members of a namespace to another version of it; each has its place among `members`. */
static int move_members(struct wf_policy_engine *engine, const char *name,
			struct wf_namespace *namespace, struct wf_member **members, size_t count,
			size_t *made)
{
	int r = 0;

	for (uint32_t i = 1; r == 0 && *made < count; i++)
		if (is_of(&engine->slots[i], name)) {
			r = move_member(engine, engine->slots[i].now, namespace, &members[*made]);
			*made += r == 0;
		}
	return r;
}

/* Ends with the last member: there may be very many namespaces, and few slots that are used. */
static size_t count_members(const struct wf_policy_engine *engine, const char *name)
{
	bool has_host = engine->slots[WF_SLOT_HOST].now;
	size_t count = 0, seen = has_host;

	for (uint32_t i = 1; seen < engine->member_count && i < engine->slot_count; i++) {
		seen += engine->slots[i].now != NULL;
		count += is_of(&engine->slots[i], name);
	}
	return count;
}

/* Puts a namespace (taken over on success; NULL: only its name), and moves who is in it. */
static int set_namespace(struct wf_policy_engine *engine, const char *name,
			 struct wf_namespace *namespace)
{
	size_t count = count_members(engine, name), made = 0;
	_cleanup_free_ struct wf_member **members = calloc(count + 1, sizeof(struct wf_member *));
	struct wf_remade remade = { 0 };
	int r = members ? move_members(engine, name, namespace, members, count, &made) : -ENOMEM;

	if (r == 0)
		r = wf_remotes_remake(engine, name, namespace, &remade);
	if (r == 0)
		r = wf_book_set(&engine->namespaces, name, namespace);
	if (r < 0) {
		wf_remotes_free(engine, &remade);
		while (made--)
			wf_member_free(&engine->objects, members[made]);
		return r;
	}
	made = 0;
	for (uint32_t i = 1; made < count; i++)
		if (is_of(&engine->slots[i], name))
			wf_slot_set(engine, i, members[made++]);
	wf_remotes_set(engine, &remade);
	return 0;
}

int wf_policy_engine_namespace_put(struct wf_policy_engine *engine, const char *name,
				   const struct wf_labels *labels, bool audit, struct wf_err *err)
{
	struct wf_namespace *namespace;

	if (wf_namespace_new(&namespace, labels, audit) < 0)
		return no_memory(err);
	if (set_namespace(engine, name, namespace) < 0) {
		wf_namespace_unref(namespace);
		return no_memory(err);
	}
	return wf_engine_gathered(engine, err);
}

int wf_policy_engine_namespace_drop(struct wf_policy_engine *engine, const char *name,
				    struct wf_err *err)
{
	if (set_namespace(engine, name, NULL) < 0)
		return no_memory(err);
	return wf_engine_gathered(engine, err);
}

static int make_member(struct wf_policy_engine *engine, const struct wf_policy_member *from,
		       struct wf_member **ret_member)
{
	const struct wf_record *record = wf_book_find(&engine->namespaces, from->namespace);
	struct wf_namespace *namespace = record ? record->now : NULL;
	struct wf_group_spec spec = {
		.audit = from->audit || (namespace && namespace->audit),
		.namespace = from->namespace,
		.of_namespace = namespace,
		.labels = from->labels,
		.ports = from->ports,
		.port_count = from->port_count,
	};
	const struct wf_address_list addrs = { from->scope, from->addrs, from->addr_count };

	return wf_member_new(&engine->objects, &spec, from->audit, &addrs, ret_member);
}

int wf_policy_engine_member_put(struct wf_policy_engine *engine,
				const struct wf_policy_member *member, struct wf_err *err)
{
	struct wf_slot *slot;
	struct wf_member *made;
	int r;

	if (member->slot == WF_SLOT_HOST || member->slot >= engine->slot_count)
		return wf_fail(err, -EINVAL, "slot %u: must be 1 to %u", member->slot,
			       engine->slot_count - 1);
	if (member->addr_count > WF_MAX_ENDPOINT_ADDRESSES)
		return wf_fail(err, -EINVAL, "an endpoint has at most %d addresses",
			       WF_MAX_ENDPOINT_ADDRESSES);
	slot = &engine->slots[member->slot];
	if (make_member(engine, member, &made) < 0) {
		wf_engine_seal(engine, member->slot);
		return no_memory(err);
	}
	wf_slot_set(engine, member->slot, made);
	slot->is_sealed = false;
	r = wf_engine_gathered(engine, err);
	if (r < 0)
		wf_engine_seal(engine, member->slot);
	return r;
}

void wf_policy_engine_member_drop(struct wf_policy_engine *engine, uint32_t slot)
{
	if (slot == WF_SLOT_HOST || slot >= engine->slot_count || !engine->slots[slot].now)
		return;
	wf_slot_set(engine, slot, NULL);
	engine->slots[slot].is_sealed = false;
	if (wf_engine_gathered(engine, NULL) == 0)
		return;
	wf_engine_seal(engine, slot);
	engine->slots[slot].is_doomed = true;
	engine->has_doomed = true;
}

/* A node's labels, with the one that every node has. */
static int node_labels(struct wf_labels *to, const char *name, const struct wf_labels *from)
{
	int r = wf_labels_set(to, WF_LABEL_NODE_NAME, name);

	for (size_t i = 0; r == 0 && from && i < from->count; i++)
		r = wf_labels_set(to, from->items[i].key, from->items[i].value);
	return r;
}

int wf_policy_engine_node_put(struct wf_policy_engine *engine, const char *name, bool is_self,
			      const struct wf_labels *labels, const struct wf_addr *addrs,
			      size_t addr_count, struct wf_err *err)
{
	_cleanup_(wf_labels_done) struct wf_labels all = { 0 };
	struct wf_group_spec spec = { .is_node = true, .namespace = "", .labels = &all };
	const struct wf_address_list list = { WF_NETWORK_HOST, addrs, addr_count };
	struct wf_node *node;

	if (node_labels(&all, name, labels) < 0 ||
	    wf_node_new(&engine->objects, &spec, is_self ? WF_WHO_HOST : WF_WHO_REMOTE_NODE, &list,
			&node) < 0)
		return no_memory(err);
	if (wf_book_set(&engine->nodes, name, node) < 0) {
		wf_node_free(&engine->objects, node);
		return no_memory(err);
	}
	return wf_engine_gathered(engine, err);
}

int wf_policy_engine_node_drop(struct wf_policy_engine *engine, const char *name,
			       struct wf_err *err)
{
	(void)wf_book_set(&engine->nodes, name, NULL);
	return wf_engine_gathered(engine, err);
}

static int set_service(struct wf_policy_engine *engine, const char *namespace, const char *name,
		       struct wf_service *service)
{
	_cleanup_str_ struct wf_str key = WF_STR_INIT;

	wf_str_addf(&key, "%s/%s", namespace, name);
	return key.failed ? -ENOMEM : wf_book_set(&engine->services, key.data, service);
}

int wf_policy_engine_service_put(struct wf_policy_engine *engine, const char *namespace,
				 const char *name, const struct wf_labels *labels,
				 const struct wf_policy_backends *backends, struct wf_err *err)
{
	struct wf_service *service;

	if (wf_service_new(&engine->objects, namespace, name, labels, backends, &service) < 0)
		return no_memory(err);
	if (set_service(engine, namespace, name, service) < 0) {
		wf_service_free(&engine->objects, service);
		return no_memory(err);
	}
	return wf_engine_gathered(engine, err);
}

int wf_policy_engine_service_drop(struct wf_policy_engine *engine, const char *namespace,
				  const char *name, struct wf_err *err)
{
	if (set_service(engine, namespace, name, NULL) < 0)
		return no_memory(err);
	return wf_engine_gathered(engine, err);
}
