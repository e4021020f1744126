/* SPDX-License-Identifier: Apache-2.0 */
/* Of the plan: fresh atoms and changed policies meet those they are about, who become dirty. */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "policy/engine_priv.h"

/* With more fresh atoms than this, everybody is looked at by the index instead. */
#define FEW 16

static int gather_fresh(struct wf_policy_engine *engine)
{
	struct wf_numbers *fresh = &engine->atoms.fresh;
	struct wf_plan *plan = &engine->plan;

	wf_numbers_sort(fresh);
	for (size_t i = 0; i < fresh->count; i++) {
		struct wf_atom *atom = wf_atom_of(&engine->atoms, fresh->items[i]);

		if (!atom || !atom->is_fresh)
			continue;
		if (wf_mem_grow(&plan->atoms, sizeof(struct wf_atom *), plan->atom_count,
				&plan->atom_capacity) < 0)
			return -ENOMEM;
		plan->atoms[plan->atom_count++] = atom;
	}
	return 0;
}

static bool mark_law(const struct wf_law *law, bool touched)
{
	for (size_t i = 0; law && i < law->section_count; i++)
		law->sections[i].subject->is_touched = touched;
	return law && law->section_count;
}

/* Whether a policy was touched at all. */
static bool mark_laws(struct wf_policy_engine *engine, bool touched)
{
	bool any = false;

	for (struct wf_record *record = engine->policies.touched; record;
	     record = record->next_touched) {
		any |= mark_law(record->before, touched);
		any |= mark_law(record->now, touched);
	}
	return any;
}

int wf_plan_match(struct wf_policy_engine *engine, struct wf_group *group)
{
	struct wf_atom_party party = wf_group_party(group);
	struct wf_numbers matched = { 0 };

	if (wf_atoms_match(&engine->atoms, &party, &matched) < 0) {
		wf_numbers_done(&matched);
		return -ENOMEM;
	}
	if (matched.count != group->matched.count ||
	    (matched.count && memcmp(matched.items, group->matched.items,
				     matched.count * sizeof(*matched.items)) != 0))
		group->is_dirty = true;
	wf_numbers_done(&group->matched);
	group->matched = matched;
	group->is_matched = true;
	return 0;
}

static int meet_atom(struct wf_group *group, const struct wf_atom *atom)
{
	struct wf_atom_party party = wf_group_party(group);

	if (atom->type == WF_ATOM_PORT) {
		if (wf_group_port(group, atom->port.name, atom->port.proto))
			group->is_dirty = true;
		return 0;
	}
	if (atom->type > WF_ATOM_NODES || !wf_atom_matches(atom, &party))
		return 0;
	if (wf_numbers_add(&group->matched, atom->number) < 0)
		return -ENOMEM;
	wf_numbers_sort(&group->matched);
	group->is_dirty = true;
	return 0;
}

static int meet_group(struct wf_policy_engine *engine, struct wf_group *group)
{
	const struct wf_plan *plan = &engine->plan;
	bool all = plan->atom_count > FEW || !group->is_matched;
	int r = all ? wf_plan_match(engine, group) : 0;

	for (size_t i = 0; r == 0 && i < plan->atom_count; i++)
		if (!all || plan->atoms[i]->type == WF_ATOM_PORT)
			r = meet_atom(group, plan->atoms[i]);
	for (size_t i = 0; r == 0 && !group->is_dirty && i < group->matched.count; i++)
		if (engine->atoms.items[group->matched.items[i]]->is_touched)
			group->is_dirty = true;
	return r;
}

/* The edges of a CIDR: where an address begins to match, or ceases to. */
static size_t bounds_of(const struct wf_atom *atom, size_t i, struct wf_prefix *ret_prefix)
{
	const struct wf_peer *peer = &atom->peer;
	const struct wf_addr any4 = wf_addr_from_ip4(0);
	const struct wf_prefix wide = { .addr = any4, .len = 0 };
	const struct wf_prefix cidr = wf_prefix_network(&peer->cidr);

	if (i < peer->except_count)
		*ret_prefix = wf_prefix_network(&peer->except[i]);
	else if (i == peer->except_count)
		*ret_prefix = cidr;
	else
		*ret_prefix = wide;
	/* in 128 bits a short IPv6 prefix holds all of IPv4, which it does not mean */
	return peer->except_count + 1 +
	       (!wf_addr_is_ip4(&peer->cidr.addr) && peer->cidr.len <= 80 &&
		wf_addr_is_zero(&cidr.addr));
}

static int bound_atom(struct wf_policy_engine *engine, struct wf_atom *atom)
{
	struct wf_place *record;
	struct wf_prefix prefix;

	if (atom->is_bounded)
		return 0;
	for (size_t i = 0; i < bounds_of(atom, i, &prefix); i++) {
		int r = wf_plan_mark_prefix(engine, WF_NETWORK_HOST, &prefix, true, &record);

		if (r < 0)
			return r;
	}
	wf_atom_count_bounds(engine, atom, true);
	return 0;
}

void wf_atom_count_bounds(struct wf_policy_engine *engine, struct wf_atom *atom, bool up)
{
	struct wf_place *record;
	struct wf_prefix prefix;

	for (size_t i = 0; i < bounds_of(atom, i, &prefix); i++) {
		record = wf_prefix_find(engine, WF_NETWORK_HOST, &prefix);
		if (record)
			record->bounds += up ? 1 : -1U;
	}
	atom->is_bounded = up;
}

static bool is_inside(const struct wf_place *place, const struct wf_prefix *wider)
{
	return place->len >= wider->len && wf_prefix_contains(wider, &place->addr);
}

/* cidr NULL: everywhere. */
static int mark_inside(struct wf_policy_engine *engine, const struct wf_prefix *cidr)
{
	struct wf_place *place;
	size_t at = 0;
	int r = 0;

	while (r == 0 && (place = wf_set_walk(&engine->objects.places, &at))) {
		bool is_address = wf_place_is_address(place);

		if (cidr &&
		    !(is_address ? wf_prefix_contains(cidr, &place->addr) : is_inside(place, cidr)))
			continue;
		if (is_address)
			wf_place_mark(&engine->objects, place);
		if (place->is_recorded)
			r = wf_plan_mark_record(engine, place);
	}
	return r;
}

static void mark_backends(struct wf_policy_engine *engine, const struct wf_peer *peer)
{
	for (size_t i = 0; i < engine->services.count; i++) {
		struct wf_service *service = engine->services.items[i]->now;

		if (!service || !wf_service_is_meant(service, peer))
			continue;
		for (size_t j = 0; j < service->backend_count; j++)
			wf_place_mark(&engine->objects, service->backends[j].place);
	}
}

/* Fresh atoms that are about addresses. */
static int meet_places(struct wf_policy_engine *engine)
{
	const struct wf_plan *plan = &engine->plan;
	size_t cidrs = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < plan->atom_count; i++) {
		struct wf_atom *atom = plan->atoms[i];

		if (atom->type == WF_ATOM_SERVICE)
			mark_backends(engine, &atom->peer);
		if (atom->type != WF_ATOM_CIDR)
			continue;
		r = bound_atom(engine, atom);
		if (r == 0 && ++cidrs <= FEW)
			r = mark_inside(engine, &atom->peer.cidr);
	}
	return r == 0 && cidrs > FEW ? mark_inside(engine, NULL) : r;
}

static bool is_dirty_elsewhere(const struct wf_policy_engine *engine)
{
	for (const struct wf_group *group = engine->objects.groups; group; group = group->hh.next)
		if (group->is_dirty && group->elsewhere)
			return true;
	return false;
}

/* What nodes and endpoints elsewhere are is looked up by their addresses. */
static void mark_node(struct wf_policy_engine *engine, const struct wf_node *node)
{
	for (size_t i = 0; node && node->group->is_dirty && i < node->addr_count; i++)
		wf_place_mark(&engine->objects, node->addrs[i].place);
}

static void mark_nodes(struct wf_policy_engine *engine)
{
	struct wf_place *place;
	size_t at = 0;

	for (size_t i = 0; i < engine->nodes.count; i++)
		mark_node(engine, engine->nodes.items[i]->now);
	if (!is_dirty_elsewhere(engine))
		return;
	while ((place = wf_set_walk(&engine->objects.places, &at)))
		if (place->elsewhere && place->elsewhere->is_dirty)
			wf_place_mark(&engine->objects, place);
}

int wf_plan_atoms(struct wf_policy_engine *engine)
{
	int r = gather_fresh(engine);
	bool touched = mark_laws(engine, true);

	engine->plan.has_looked = touched || engine->plan.atom_count;
	if (r == 0 && engine->plan.has_looked)
		for (struct wf_group *group = engine->objects.groups; r == 0 && group;
		     group = group->hh.next)
			r = meet_group(engine, group);
	(void)mark_laws(engine, false);
	if (r == 0 && engine->plan.has_looked)
		mark_nodes(engine);
	return r == 0 ? meet_places(engine) : r;
}
