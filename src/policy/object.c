/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/object.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/index.h"
#include "base/mem.h"
#include "policy/engine.h"

/* What a place is found by. */
struct place_key {
	const struct wf_prefix *prefix;
	uint32_t scope;
};

static uint64_t hash_of(uint32_t scope, const struct wf_addr *addr, uint8_t len)
{
	return wf_hash_addr((uint64_t)scope << 8 | len, addr);
}

static uint64_t hash_place(const void *object)
{
	const struct wf_place *place = object;

	return hash_of(place->scope, &place->addr, place->len);
}

static bool is_place(const void *object, const void *key)
{
	const struct wf_place *place = object;
	const struct place_key *wanted = key;

	return place->scope == wanted->scope && place->len == wanted->prefix->len &&
	       wf_addr_equal(&place->addr, &wanted->prefix->addr);
}

void wf_objects_init(struct wf_objects *objects)
{
	static const struct wf_set_ops ops = { hash_place, is_place };

	objects->places.ops = &ops;
}

void wf_objects_done(struct wf_objects *objects)
{
	struct wf_place *place;
	size_t at = 0;

	/* whoever had one is gone by now: what is left is there for its entry */
	while ((place = wf_set_walk(&objects->places, &at)))
		free(place);
	wf_set_done(&objects->places);
	memset(objects, 0, sizeof(*objects));
}

static int copy_labels(struct wf_labels *to, const struct wf_labels *from)
{
	for (size_t i = 0; from && i < from->count; i++)
		if (wf_labels_set(to, from->items[i].key, from->items[i].value) < 0)
			return -ENOMEM;
	return 0;
}

int wf_namespace_new(struct wf_namespace **ret_namespace, const struct wf_labels *labels,
		     bool audit)
{
	struct wf_namespace *namespace = calloc(1, sizeof(*namespace));

	if (!namespace)
		return -ENOMEM;
	namespace->refs = 1;
	namespace->audit = audit;
	if (copy_labels(&namespace->labels, labels) < 0) {
		wf_namespace_unref(namespace);
		return -ENOMEM;
	}
	*ret_namespace = namespace;
	return 0;
}

void wf_namespace_unref(struct wf_namespace *namespace)
{
	if (!namespace || --namespace->refs)
		return;
	wf_labels_done(&namespace->labels);
	free(namespace);
}

void wf_group_unref(struct wf_objects *objects, struct wf_group *group)
{
	if (!group || --group->refs)
		return;
	if (group->hh.tbl)
		HASH_DEL(objects->groups, group);
	wf_namespace_unref(group->of_namespace);
	wf_labels_done(&group->labels);
	wf_numbers_done(&group->matched);
	free(group->namespace);
	free(group->ports);
	free(group->key);
	free(group);
}

/* Each part with the NUL behind it, so that no two different ones give the same bytes. */
static void make_key(struct wf_str *key, const struct wf_group_spec *spec)
{
	const struct {
		const void *of_namespace;
		size_t flags, port_count;
	} head = { spec->of_namespace, spec->is_node + 2 * (size_t)spec->audit, spec->port_count };

	wf_str_add_bytes(key, &head, sizeof(head));
	wf_str_add_bytes(key, spec->namespace, strlen(spec->namespace) + 1);
	for (size_t i = 0; i < spec->port_count; i++)
		wf_str_addf(key, "%s:%d:%d,", spec->ports[i].name, spec->ports[i].proto,
			    spec->ports[i].port);
	for (size_t i = 0; spec->labels && i < spec->labels->count; i++) {
		const struct wf_label *label = &spec->labels->items[i];

		wf_str_add_bytes(key, label->key, strlen(label->key) + 1);
		wf_str_add_bytes(key, label->value, strlen(label->value) + 1);
	}
}

static int fill_group(struct wf_group *group, const struct wf_group_spec *spec)
{
	group->refs = 1;
	group->is_node = spec->is_node;
	group->audit = spec->audit;
	group->of_namespace = spec->of_namespace;
	if (group->of_namespace)
		group->of_namespace->refs++;
	group->namespace = strdup(spec->namespace);
	if (!group->namespace || copy_labels(&group->labels, spec->labels) < 0)
		return -ENOMEM;
	if (!spec->port_count)
		return 0;
	group->ports = calloc(spec->port_count, sizeof(*group->ports));
	if (!group->ports)
		return -ENOMEM;
	memcpy(group->ports, spec->ports, spec->port_count * sizeof(*group->ports));
	group->port_count = spec->port_count;
	return 0;
}

int wf_group_get(struct wf_objects *objects, const struct wf_group_spec *spec,
		 struct wf_group **ret_group)
{
	_cleanup_str_ struct wf_str key = WF_STR_INIT;
	struct wf_group *group;

	make_key(&key, spec);
	if (key.failed)
		return -ENOMEM;
	HASH_FIND(hh, objects->groups, key.data, key.len, group);
	if (group) {
		group->refs++;
		*ret_group = group;
		return 0;
	}
	group = calloc(1, sizeof(*group));
	if (!group)
		return -ENOMEM;
	if (fill_group(group, spec) == 0) {
		group->key = TAKE_PTR(key.data);
		HASH_ADD_KEYPTR(hh, objects->groups, group->key, key.len, group);
		if (group->hh.tbl) {
			*ret_group = group;
			return 0;
		}
	}
	wf_group_unref(objects, group);
	return -ENOMEM;
}

struct wf_place *wf_place_find(const struct wf_objects *objects, uint32_t scope,
			       const struct wf_prefix *prefix)
{
	const struct place_key key = { prefix, scope };

	return wf_set_find(&objects->places, hash_of(scope, &prefix->addr, prefix->len), &key);
}

struct wf_place *wf_place_get(struct wf_objects *objects, uint32_t scope,
			      const struct wf_prefix *prefix)
{
	struct wf_place *place = wf_place_find(objects, scope, prefix);

	if (!place) {
		place = calloc(1, sizeof(*place));
		if (!place)
			return NULL;
		place->addr = prefix->addr;
		place->len = prefix->len;
		place->scope = (uint16_t)scope;
		if (wf_set_add(&objects->places, place) < 0) {
			free(place);
			return NULL;
		}
	}
	place->refs++;
	return place;
}

bool wf_place_is_address(const struct wf_place *place)
{
	return place->len == wf_addr_bits(&place->addr);
}

struct wf_prefix wf_place_prefix(const struct wf_place *place)
{
	return (struct wf_prefix){ .addr = place->addr, .len = place->len };
}

static struct wf_place *get_place(struct wf_objects *objects, uint32_t scope,
				  const struct wf_addr *addr)
{
	const struct wf_prefix prefix = { *addr, wf_addr_bits(addr) };

	return wf_place_get(objects, scope, &prefix);
}

void wf_place_mark(struct wf_objects *objects, struct wf_place *place)
{
	if (place->is_dirty)
		return;
	/* the mark holds a reference: an address may be of nobody before it is looked at */
	place->refs++;
	place->is_dirty = true;
	place->next_dirty = objects->dirty;
	objects->dirty = place;
}

void wf_place_unref(struct wf_objects *objects, struct wf_place *place)
{
	if (!place || --place->refs)
		return;
	wf_set_remove(&objects->places, place);
	free(place);
}

void wf_places_clear(struct wf_objects *objects)
{
	while (objects->dirty) {
		struct wf_place *place = objects->dirty;

		objects->dirty = place->next_dirty;
		place->next_dirty = NULL;
		place->is_dirty = false;
		wf_place_unref(objects, place);
	}
}

int wf_member_new(struct wf_objects *objects, const struct wf_group_spec *spec, bool audit,
		  const struct wf_address_list *addrs, struct wf_member **ret_member)
{
	struct wf_member *member =
		calloc(1, sizeof(*member) + addrs->count * sizeof(struct wf_place *));

	if (!member)
		return -ENOMEM;
	member->audit = audit;
	if (wf_group_get(objects, spec, &member->group) < 0)
		goto err_member;
	for (size_t i = 0; i < addrs->count; i++) {
		member->places[i] = get_place(objects, addrs->scope, &addrs->items[i]);
		if (!member->places[i])
			goto err_member;
		member->place_count++;
	}
	*ret_member = member;
	return 0;

err_member:
	wf_member_free(objects, member);
	return -ENOMEM;
}

void wf_member_free(struct wf_objects *objects, struct wf_member *member)
{
	if (!member)
		return;
	for (size_t i = 0; i < member->place_count; i++)
		wf_place_unref(objects, member->places[i]);
	wf_group_unref(objects, member->group);
	free(member);
}

int wf_node_new(struct wf_objects *objects, const struct wf_group_spec *spec, enum wf_who who,
		const struct wf_address_list *addrs, struct wf_node **ret_node)
{
	struct wf_node *node =
		calloc(1, sizeof(*node) + addrs->count * sizeof(struct wf_node_addr));

	if (!node)
		return -ENOMEM;
	node->who = who;
	if (wf_group_get(objects, spec, &node->group) < 0)
		goto err_node;
	for (size_t i = 0; i < addrs->count; i++) {
		node->addrs[i].node = node;
		node->addrs[i].place = get_place(objects, addrs->scope, &addrs->items[i]);
		if (!node->addrs[i].place)
			goto err_node;
		node->addr_count++;
	}
	*ret_node = node;
	return 0;

err_node:
	wf_node_free(objects, node);
	return -ENOMEM;
}

void wf_node_free(struct wf_objects *objects, struct wf_node *node)
{
	if (!node)
		return;
	for (size_t i = 0; i < node->addr_count; i++)
		wf_place_unref(objects, node->addrs[i].place);
	wf_group_unref(objects, node->group);
	free(node);
}

void wf_node_link(struct wf_objects *objects, struct wf_node *node)
{
	for (size_t i = 0; i < node->addr_count; i++) {
		struct wf_node_addr *addr = &node->addrs[i];

		addr->next = addr->place->nodes;
		addr->place->nodes = addr;
		wf_place_mark(objects, addr->place);
	}
}

void wf_node_unlink(struct wf_objects *objects, struct wf_node *node)
{
	for (size_t i = 0; i < node->addr_count; i++) {
		struct wf_node_addr *addr = &node->addrs[i], **at = &addr->place->nodes;

		/* one has it, or two on its way from one to the other */
		while (*at != addr)
			at = &(*at)->next;
		*at = addr->next;
		wf_place_mark(objects, addr->place);
	}
}

int wf_service_new(struct wf_objects *objects, const char *namespace, const char *name,
		   const struct wf_labels *labels, const struct wf_policy_backends *backends,
		   struct wf_service **ret_service)
{
	struct wf_service *service =
		calloc(1, sizeof(*service) + backends->count * sizeof(struct wf_backend));

	if (!service)
		return -ENOMEM;
	service->namespace = strdup(namespace);
	service->name = strdup(name);
	if (!service->namespace || !service->name || copy_labels(&service->labels, labels) < 0)
		goto err_service;
	for (size_t i = 0; i < backends->count; i++) {
		service->backends[i].service = service;
		service->backends[i].place =
			get_place(objects, backends->scope, &backends->addrs[i]);
		if (!service->backends[i].place)
			goto err_service;
		service->backend_count++;
	}
	*ret_service = service;
	return 0;

err_service:
	wf_service_free(objects, service);
	return -ENOMEM;
}

void wf_service_free(struct wf_objects *objects, struct wf_service *service)
{
	if (!service)
		return;
	for (size_t i = 0; i < service->backend_count; i++)
		wf_place_unref(objects, service->backends[i].place);
	wf_labels_done(&service->labels);
	free(service->namespace);
	free(service->name);
	free(service);
}

void wf_service_link(struct wf_objects *objects, struct wf_service *service)
{
	for (size_t i = 0; i < service->backend_count; i++) {
		struct wf_backend *backend = &service->backends[i];

		backend->next = backend->place->backends;
		backend->prev = &backend->place->backends;
		if (backend->next)
			backend->next->prev = &backend->next;
		backend->place->backends = backend;
		wf_place_mark(objects, backend->place);
	}
}

void wf_service_unlink(struct wf_objects *objects, struct wf_service *service)
{
	for (size_t i = 0; i < service->backend_count; i++) {
		struct wf_backend *backend = &service->backends[i];

		*backend->prev = backend->next;
		if (backend->next)
			backend->next->prev = backend->prev;
		backend->prev = NULL;
		wf_place_mark(objects, backend->place);
	}
}

const struct wf_node *wf_place_node(const struct wf_place *place)
{
	const struct wf_node_addr *best = place->nodes;

	for (const struct wf_node_addr *addr = best; addr; addr = addr->next)
		if (addr->node->who == WF_WHO_HOST)
			return addr->node;
	return best ? best->node : NULL;
}

bool wf_service_is_meant(const struct wf_service *service, const struct wf_peer *peer)
{
	if (*peer->service_namespace && strcmp(peer->service_namespace, service->namespace) != 0)
		return false;
	if (*peer->service)
		return strcmp(peer->service, service->name) == 0;
	return wf_selector_matches(&peer->selector, &service->labels, service->namespace, NULL);
}

uint16_t wf_group_port(const struct wf_group *group, const char *name, uint8_t proto)
{
	for (size_t i = 0; i < group->port_count; i++)
		if (group->ports[i].proto == proto && strcmp(group->ports[i].name, name) == 0)
			return group->ports[i].port;
	return 0;
}

struct wf_atom_party wf_group_party(const struct wf_group *group)
{
	return (struct wf_atom_party){
		.is_node = group->is_node,
		.namespace = group->namespace,
		.labels = &group->labels,
		.of_namespace = group->of_namespace ? &group->of_namespace->labels : NULL,
	};
}
