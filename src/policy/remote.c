/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endpoints of other nodes: peers that are known by their addresses. There may be very many, so
 * that nothing is kept of them but which group each address is of; what it was before a change is
 * noted while the change is in hand.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "policy/engine_priv.h"

/* Room to note so many changes. */
static int reserve(struct wf_remotes *remotes, size_t more)
{
	size_t count = remotes->change_count;
	int r = 0;

	for (; r == 0 && more; more--)
		r = wf_mem_grow(&remotes->changes, sizeof(*remotes->changes), count++,
				&remotes->change_capacity);
	return r;
}

/* Takes over a reference of the group (NULL: nobody has it). Somebody else holds the place as well. */
static void give(struct wf_policy_engine *engine, struct wf_place *place, struct wf_group *group)
{
	if (group) {
		place->refs++;
		group->elsewhere++;
	}
	if (place->elsewhere) {
		place->refs--;
		place->elsewhere->elsewhere--;
	}
	place->elsewhere = group;
	wf_place_mark(&engine->objects, place);
}

/* The same, and notes what was before. Takes over a reference of the place too; there is room. */
static void change(struct wf_policy_engine *engine, struct wf_place *place, struct wf_group *group)
{
	struct wf_remotes *remotes = &engine->remotes;

	remotes->changes[remotes->change_count++] =
		(struct wf_remote_change){ place, place->elsewhere };
	give(engine, place, group);
}

/* Forgets the newest change; the group is nobody's by now. */
static void forget(struct wf_policy_engine *engine, struct wf_group *group)
{
	struct wf_remotes *remotes = &engine->remotes;

	wf_group_unref(&engine->objects, group);
	wf_place_unref(&engine->objects, remotes->changes[--remotes->change_count].place);
}

/* None is left: so goes the memory for them. */
static void end(struct wf_remotes *remotes)
{
	free(remotes->changes);
	*remotes = (struct wf_remotes){ 0 };
}

void wf_remotes_settle(struct wf_policy_engine *engine)
{
	struct wf_remotes *remotes = &engine->remotes;

	while (remotes->change_count)
		forget(engine, remotes->changes[remotes->change_count - 1].before);
	end(remotes);
}

void wf_remotes_restore(struct wf_policy_engine *engine)
{
	struct wf_remotes *remotes = &engine->remotes;

	while (remotes->change_count) {
		const struct wf_remote_change *last = &remotes->changes[remotes->change_count - 1];
		struct wf_group *now = last->place->elsewhere;

		give(engine, last->place, last->before);
		forget(engine, now);
	}
	end(remotes);
}

void wf_remotes_done(struct wf_policy_engine *engine)
{
	struct wf_place *place;
	size_t at = 0;

	wf_remotes_settle(engine);
	while ((place = wf_set_walk(&engine->objects.places, &at))) {
		wf_group_unref(&engine->objects, place->elsewhere);
		place->elsewhere = NULL;
	}
}

void wf_policy_engine_remotes_expect(struct wf_policy_engine *engine, size_t count)
{
	(void)wf_set_reserve(&engine->objects.places, count);
}

/* All of them, or -ENOMEM. */
static int put(struct wf_policy_engine *engine, const struct wf_group_spec *spec,
	       const struct wf_policy_member *member)
{
	struct wf_place *places[WF_POLICY_REMOTE_ADDRESSES];
	struct wf_group *group = NULL;
	size_t made = 0;
	int r = reserve(&engine->remotes, member->addr_count);

	if (r == 0)
		r = wf_group_get(&engine->objects, spec, &group);
	for (; r == 0 && made < member->addr_count; made++) {
		const struct wf_addr *addr = &member->addrs[made];
		const struct wf_prefix prefix = { *addr, wf_addr_bits(addr) };

		places[made] = wf_place_get(&engine->objects, member->scope, &prefix);
		if (!places[made]) {
			r = -ENOMEM;
			break;
		}
	}
	for (size_t i = 0; i < made; i++) {
		if (r < 0) {
			wf_place_unref(&engine->objects, places[i]);
			continue;
		}
		group->refs++;
		change(engine, places[i], group);
	}
	wf_group_unref(&engine->objects, group);
	return r;
}

int wf_policy_engine_remote_put(struct wf_policy_engine *engine,
				const struct wf_policy_member *member, struct wf_err *err)
{
	const struct wf_record *record = wf_book_find(&engine->namespaces, member->namespace);
	const struct wf_group_spec spec = {
		.namespace = member->namespace,
		.of_namespace = record ? record->now : NULL,
		.labels = member->labels,
		.ports = member->ports,
		.port_count = member->port_count,
	};

	if (member->addr_count > WF_POLICY_REMOTE_ADDRESSES)
		return wf_fail(err, -EINVAL, "at most %d addresses at once",
			       WF_POLICY_REMOTE_ADDRESSES);
	if (put(engine, &spec, member) < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	return wf_engine_gathered(engine, err);
}

int wf_policy_engine_remote_drop(struct wf_policy_engine *engine, uint32_t scope,
				 const struct wf_addr *addrs, size_t count, struct wf_err *err)
{
	if (reserve(&engine->remotes, count) < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < count; i++) {
		const struct wf_prefix prefix = { addrs[i], wf_addr_bits(&addrs[i]) };
		struct wf_place *place = wf_place_find(&engine->objects, scope, &prefix);

		if (!place || !place->elsewhere)
			continue;
		place->refs++;
		change(engine, place, NULL);
	}
	return wf_engine_gathered(engine, err);
}

/* The same group, of another version of its namespace. */
static int regroup(struct wf_policy_engine *engine, const struct wf_group *from,
		   struct wf_namespace *namespace, struct wf_group **ret_group)
{
	const struct wf_group_spec spec = {
		.namespace = from->namespace,
		.of_namespace = namespace,
		.labels = &from->labels,
		.ports = from->ports,
		.port_count = from->port_count,
	};

	return wf_group_get(&engine->objects, &spec, ret_group);
}

void wf_remotes_free(struct wf_policy_engine *engine, struct wf_remade *remade)
{
	for (size_t i = 0; i < remade->count; i++)
		wf_group_unref(&engine->objects, remade->items[i].group);
	free(remade->items);
	*remade = (struct wf_remade){ 0 };
}

int wf_remotes_remake(struct wf_policy_engine *engine, const char *name,
		      struct wf_namespace *namespace, struct wf_remade *remade)
{
	size_t capacity = 0, at = 0;
	struct wf_place *place;
	int r = 0;

	while (r == 0 && (place = wf_set_walk(&engine->objects.places, &at))) {
		struct wf_group *group;

		if (!place->elsewhere || strcmp(place->elsewhere->namespace, name) != 0)
			continue;
		r = wf_mem_grow(&remade->items, sizeof(*remade->items), remade->count, &capacity);
		if (r == 0)
			r = regroup(engine, place->elsewhere, namespace, &group);
		if (r == 0)
			remade->items[remade->count++] = (struct wf_regrouped){ place, group };
	}
	if (r == 0)
		r = reserve(&engine->remotes, remade->count);
	if (r < 0)
		wf_remotes_free(engine, remade);
	return r;
}

void wf_remotes_set(struct wf_policy_engine *engine, struct wf_remade *remade)
{
	for (size_t i = 0; i < remade->count; i++) {
		remade->items[i].place->refs++;
		change(engine, remade->items[i].place, remade->items[i].group);
	}
	remade->count = 0;
	wf_remotes_free(engine, remade);
}
