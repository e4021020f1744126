/* SPDX-License-Identifier: Apache-2.0 */
/* Of the plan: which class a group, an address, a part of the world is in. */
#include <errno.h>

#include "policy/engine_priv.h"

static int add_group(struct wf_policy_engine *engine, const struct wf_group *group,
		     struct wf_class_items *items)
{
	for (size_t i = 0; i < group->matched.count; i++) {
		const struct wf_atom *atom = engine->atoms.items[group->matched.items[i]];

		if ((atom->type == WF_ATOM_ENDPOINTS || atom->type == WF_ATOM_NODES) &&
		    wf_class_items_add(items, WF_CLASS_ITEM(atom->number, 0)) < 0)
			return -ENOMEM;
	}
	if (!engine->atoms.of_type[WF_ATOM_PORT])
		return 0;
	for (size_t i = 0; i < group->port_count; i++) {
		const struct wf_endpoint_port *port = &group->ports[i];
		const struct wf_atom *atom =
			wf_atoms_find_port(&engine->atoms, port->name, port->proto);

		/* the first of a name counts */
		if (atom && wf_group_port(group, port->name, port->proto) == port->port &&
		    wf_class_items_add(items, WF_CLASS_ITEM(atom->number, port->port)) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* CIDRs that hold a prefix, and services that a place (NULL: none) is a backend of. */
static int add_address(struct wf_policy_engine *engine, const struct wf_prefix *prefix,
		       const struct wf_place *place, bool is_managed, struct wf_class_items *items)
{
	struct wf_numbers numbers = { 0 };
	int r = wf_atoms_match_prefix(&engine->atoms, prefix, is_managed, &numbers);

	for (const struct wf_backend *backend = place ? place->backends : NULL; r == 0 && backend;
	     backend = backend->next)
		for (size_t i = 0; r == 0 && i < engine->atoms.services.count; i++) {
			uint32_t number = engine->atoms.services.items[i];

			if (wf_service_is_meant(backend->service,
						&engine->atoms.items[number]->peer))
				r = wf_numbers_add(&numbers, number);
		}
	wf_numbers_sort(&numbers);
	for (size_t i = 0; r == 0 && i < numbers.count; i++)
		r = wf_class_items_add(items, WF_CLASS_ITEM(numbers.items[i], 0));
	wf_numbers_done(&numbers);
	return r;
}

static int get(struct wf_policy_engine *engine, struct wf_class_items *items, int r,
	       struct wf_class **ret_class)
{
	if (r == 0)
		r = wf_classes_get(&engine->classes, items, ret_class);
	wf_class_items_done(items);
	return r;
}

int wf_plan_group_class(struct wf_policy_engine *engine, const struct wf_group *group,
			enum wf_who who, struct wf_class **ret_class)
{
	struct wf_class_items items = { 0 };
	int r = wf_class_items_add(&items, who);

	if (r == 0 && group)
		r = add_group(engine, group, &items);
	return get(engine, &items, r, ret_class);
}

int wf_plan_group_plain(struct wf_policy_engine *engine, struct wf_group *group, enum wf_who who)
{
	int r = group->is_matched ? 0 : wf_plan_match(engine, group);

	if (r < 0 || group->plain_stamp == engine->plan.stamp)
		return r;
	r = wf_plan_group_class(engine, group, who, &group->plain);
	if (r == 0)
		group->plain_stamp = engine->plan.stamp;
	return r;
}

bool wf_plan_is_plain(const struct wf_policy_engine *engine)
{
	return !engine->atoms.of_type[WF_ATOM_CIDR] && !engine->atoms.of_type[WF_ATOM_SERVICE];
}

int wf_plan_prefix_class(struct wf_policy_engine *engine, const struct wf_prefix *prefix,
			 struct wf_class **ret_class)
{
	struct wf_class_items items = { 0 };
	int r = wf_class_items_add(&items, WF_WHO_WORLD);

	if (r == 0)
		r = add_address(engine, prefix, NULL, false, &items);
	return get(engine, &items, r, ret_class);
}

int wf_plan_place_class(struct wf_policy_engine *engine, const struct wf_place *place,
			struct wf_class **ret_class)
{
	const struct wf_member *member = place->slot ? engine->slots[place->slot].now : NULL;
	const struct wf_node *node = wf_place_node(place);
	struct wf_group *group = member ? member->group : place->elsewhere;
	const struct wf_prefix prefix = wf_place_prefix(place);
	enum wf_who who = group ? WF_WHO_ENDPOINT : node ? node->who : WF_WHO_WORLD;
	struct wf_class_items items = { 0 };
	int r;

	if (!group && node)
		group = node->group;
	r = group ? wf_plan_group_plain(engine, group, who) : 0;
	if (r == 0 && group && wf_plan_is_plain(engine)) {
		*ret_class = group->plain;
		return 0;
	}
	if (r == 0)
		r = wf_class_items_add(&items, who);
	if (r == 0 && group)
		r = add_group(engine, group, &items);
	if (r == 0)
		r = add_address(engine, &prefix, place, group != NULL, &items);
	return get(engine, &items, r, ret_class);
}
