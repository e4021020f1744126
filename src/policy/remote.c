/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints of other nodes: peers that are known by their addresses. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "policy/engine_priv.h"

static int make(struct wf_policy_engine *engine, const struct wf_policy_member *from,
		struct wf_namespace *namespace, struct wf_node **ret_node)
{
	const struct wf_group_spec spec = {
		.namespace = from->namespace,
		.of_namespace = namespace,
		.labels = from->labels,
		.ports = from->ports,
		.port_count = from->port_count,
	};

	return wf_node_new(&engine->objects, &spec, WF_WHO_ENDPOINT, from->addrs, from->addr_count,
			   ret_node);
}

int wf_policy_engine_remote_put(struct wf_policy_engine *engine, const char *name,
				const struct wf_policy_member *member, struct wf_err *err)
{
	const struct wf_record *record = wf_book_find(&engine->namespaces, member->namespace);
	struct wf_node *node;

	if (member->addr_count > WF_MAX_ENDPOINT_ADDRESSES)
		return wf_fail(err, -EINVAL, "an endpoint has at most %d addresses",
			       WF_MAX_ENDPOINT_ADDRESSES);
	if (make(engine, member, record ? record->now : NULL, &node) < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	if (wf_book_set(&engine->remotes, name, node) < 0) {
		wf_node_free(&engine->objects, node);
		return wf_fail(err, -ENOMEM, "out of memory");
	}
	return wf_engine_gathered(engine, err);
}

int wf_policy_engine_remote_drop(struct wf_policy_engine *engine, const char *name,
				 struct wf_err *err)
{
	(void)wf_book_set(&engine->remotes, name, NULL);
	return wf_engine_gathered(engine, err);
}

static bool is_of(const struct wf_record *record, const char *namespace)
{
	const struct wf_node *node = record->now;

	return node && strcmp(node->group->namespace, namespace) == 0;
}

/* One as it was, but of another version of its namespace. */
static int remake(struct wf_policy_engine *engine, const struct wf_node *from,
		  struct wf_namespace *namespace, struct wf_node **ret_node)
{
	struct wf_addr addrs[WF_MAX_ENDPOINT_ADDRESSES];
	const struct wf_policy_member member = {
		.namespace = from->group->namespace,
		.labels = &from->group->labels,
		.ports = from->group->ports,
		.port_count = from->group->port_count,
		.addrs = addrs,
		.addr_count = from->addr_count,
	};

	for (size_t i = 0; i < from->addr_count; i++)
		addrs[i] = from->addrs[i].place->addr;
	return make(engine, &member, namespace, ret_node);
}

void wf_remotes_free(struct wf_policy_engine *engine, struct wf_remade *remade)
{
	for (size_t i = 0; i < remade->count; i++)
		wf_node_free(&engine->objects, remade->items[i].node);
	free(remade->items);
	*remade = (struct wf_remade){ 0 };
}

int wf_remotes_remake(struct wf_policy_engine *engine, const char *name,
		      struct wf_namespace *namespace, struct wf_remade *remade)
{
	size_t capacity = 0;

	for (size_t i = 0; i < engine->remotes.count; i++) {
		struct wf_record *record = engine->remotes.items[i];
		struct wf_node *node;

		if (!is_of(record, name))
			continue;
		if (wf_mem_grow(&remade->items, sizeof(*remade->items), remade->count, &capacity) <
			    0 ||
		    remake(engine, record->now, namespace, &node) < 0) {
			wf_remotes_free(engine, remade);
			return -ENOMEM;
		}
		remade->items[remade->count].name = record->name;
		remade->items[remade->count++].node = node;
	}
	return 0;
}

void wf_remotes_set(struct wf_policy_engine *engine, struct wf_remade *remade)
{
	/* their records are there: it cannot fail */
	for (size_t i = 0; i < remade->count; i++)
		(void)wf_book_set(&engine->remotes, remade->items[i].name,
				  TAKE_PTR(remade->items[i].node));
	wf_remotes_free(engine, remade);
}
