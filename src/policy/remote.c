/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endpoints of other nodes: peers that are known by their addresses. There may be very many, so
 * that nothing is kept between changes but what is in force: what each was before a change is
 * noted while the change is in hand.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/index.h"
#include "base/mem.h"
#include "policy/engine_priv.h"

static uint64_t hash(const void *object)
{
	return wf_hash_text(0, wf_node_name(object));
}

static bool is(const void *object, const void *key)
{
	return strcmp(wf_node_name(object), key) == 0;
}

void wf_remotes_init(struct wf_policy_engine *engine)
{
	static const struct wf_set_ops ops = { hash, is };

	engine->remotes.nodes.ops = &ops;
}

void wf_remotes_done(struct wf_policy_engine *engine)
{
	struct wf_remotes *remotes = &engine->remotes;
	struct wf_node *node;
	size_t at = 0;

	wf_remotes_settle(engine);
	while ((node = wf_set_walk(&remotes->nodes, &at))) {
		wf_node_unlink(&engine->objects, node);
		wf_node_free(&engine->objects, node);
	}
	wf_set_done(&remotes->nodes);
}

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

/* Puts a node in force in place of what has its name. There is room to note it. */
static int set(struct wf_policy_engine *engine, const char *name, struct wf_node *node)
{
	struct wf_remotes *remotes = &engine->remotes;
	struct wf_node *before = wf_set_find(&remotes->nodes, wf_hash_text(0, name), name);

	if (!before && !node)
		return 0;
	if (before) {
		wf_set_remove(&remotes->nodes, before);
		wf_node_unlink(&engine->objects, before);
	}
	/* fails only when there was none before, whose place it would have */
	if (node && wf_set_add(&remotes->nodes, node) < 0)
		return -ENOMEM;
	if (node)
		wf_node_link(&engine->objects, node);
	remotes->changes[remotes->change_count++] = (struct wf_remote_change){ node, before };
	return 0;
}

/* What was noted is forgotten, and the memory for it. */
static void end(struct wf_remotes *remotes)
{
	free(remotes->changes);
	remotes->changes = NULL;
	remotes->change_count = remotes->change_capacity = 0;
}

void wf_remotes_settle(struct wf_policy_engine *engine)
{
	struct wf_remotes *remotes = &engine->remotes;

	for (size_t i = 0; i < remotes->change_count; i++)
		wf_node_free(&engine->objects, remotes->changes[i].before);
	end(remotes);
}

void wf_remotes_restore(struct wf_policy_engine *engine)
{
	struct wf_remotes *remotes = &engine->remotes;

	for (size_t i = remotes->change_count; i--;) {
		struct wf_node *now = remotes->changes[i].now;
		struct wf_node *before = remotes->changes[i].before;

		if (now) {
			wf_set_remove(&remotes->nodes, now);
			wf_node_unlink(&engine->objects, now);
			wf_node_free(&engine->objects, now);
		}
		/* as many were in it before: there is room */
		if (before && wf_set_add(&remotes->nodes, before) == 0)
			wf_node_link(&engine->objects, before);
	}
	end(remotes);
}

static int make(struct wf_policy_engine *engine, const char *name,
		const struct wf_policy_member *from, struct wf_namespace *namespace,
		struct wf_node **ret_node)
{
	const struct wf_group_spec spec = {
		.namespace = from->namespace,
		.of_namespace = namespace,
		.labels = from->labels,
		.ports = from->ports,
		.port_count = from->port_count,
	};
	const struct wf_address_list addrs = { from->scope, from->addrs, from->addr_count };

	return wf_node_new(&engine->objects, &spec, WF_WHO_ENDPOINT, name, &addrs, ret_node);
}

void wf_policy_engine_remotes_expect(struct wf_policy_engine *engine, size_t count)
{
	(void)wf_set_reserve(&engine->remotes.nodes, count);
	(void)wf_set_reserve(&engine->objects.places, count);
	(void)wf_set_reserve(&engine->prefixes, count);
}

int wf_policy_engine_remote_put(struct wf_policy_engine *engine, const char *name,
				const struct wf_policy_member *member, struct wf_err *err)
{
	const struct wf_record *record = wf_book_find(&engine->namespaces, member->namespace);
	struct wf_node *node;

	if (member->addr_count > WF_MAX_ENDPOINT_ADDRESSES)
		return wf_fail(err, -EINVAL, "an endpoint has at most %d addresses",
			       WF_MAX_ENDPOINT_ADDRESSES);
	if (reserve(&engine->remotes, 1) < 0 ||
	    make(engine, name, member, record ? record->now : NULL, &node) < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	if (set(engine, name, node) < 0) {
		wf_node_free(&engine->objects, node);
		return wf_fail(err, -ENOMEM, "out of memory");
	}
	return wf_engine_gathered(engine, err);
}

int wf_policy_engine_remote_drop(struct wf_policy_engine *engine, const char *name,
				 struct wf_err *err)
{
	if (reserve(&engine->remotes, 1) < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	(void)set(engine, name, NULL);
	return wf_engine_gathered(engine, err);
}

/* One as it was, but of another version of its namespace. */
static int remake(struct wf_policy_engine *engine, const struct wf_node *from,
		  struct wf_namespace *namespace, struct wf_node **ret_node)
{
	struct wf_addr addrs[WF_MAX_ENDPOINT_ADDRESSES];
	const struct wf_policy_member member = {
		.namespace = from->group->namespace,
		.scope = from->addr_count ? from->addrs[0].place->scope : WF_NETWORK_HOST,
		.labels = &from->group->labels,
		.ports = from->group->ports,
		.port_count = from->group->port_count,
		.addrs = addrs,
		.addr_count = from->addr_count,
	};

	for (size_t i = 0; i < from->addr_count; i++)
		addrs[i] = from->addrs[i].place->addr;
	return make(engine, wf_node_name(from), &member, namespace, ret_node);
}

void wf_remotes_free(struct wf_policy_engine *engine, struct wf_remade *remade)
{
	for (size_t i = 0; i < remade->count; i++)
		wf_node_free(&engine->objects, remade->nodes[i]);
	free(remade->nodes);
	*remade = (struct wf_remade){ 0 };
}

int wf_remotes_remake(struct wf_policy_engine *engine, const char *name,
		      struct wf_namespace *namespace, struct wf_remade *remade)
{
	const struct wf_node *from;
	size_t capacity = 0, at = 0;
	int r = 0;

	while (r == 0 && (from = wf_set_walk(&engine->remotes.nodes, &at))) {
		struct wf_node *node;

		if (strcmp(from->group->namespace, name) != 0)
			continue;
		r = wf_mem_grow(&remade->nodes, sizeof(struct wf_node *), remade->count, &capacity);
		if (r == 0)
			r = remake(engine, from, namespace, &node);
		if (r == 0)
			remade->nodes[remade->count++] = node;
	}
	if (r == 0)
		r = reserve(&engine->remotes, remade->count);
	if (r < 0)
		wf_remotes_free(engine, remade);
	return r;
}

void wf_remotes_set(struct wf_policy_engine *engine, struct wf_remade *remade)
{
	/* each takes the place of one that is there: it cannot fail */
	for (size_t i = 0; i < remade->count; i++)
		(void)set(engine, wf_node_name(remade->nodes[i]), remade->nodes[i]);
	remade->count = 0;
	wf_remotes_free(engine, remade);
}
