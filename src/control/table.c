/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of control: who is there, by name, by number, by slot. No decisions. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <utlist.h>

#include "base/mem.h"
#include "control/control_priv.h"
#include "model/selector.h"

void wf_ctl_meta_adopt(struct wf_meta *meta, const json_t *document)
{
	struct wf_meta stored = { 0 };

	if (wf_meta_from_json(&stored, document, NULL) < 0)
		return;
	memcpy(meta->uid, stored.uid, sizeof(meta->uid));
	meta->resource_version = stored.resource_version;
	meta->created_s = stored.created_s;
	wf_meta_done(&stored);
}

struct ctl_network *wf_ctl_network_find(struct wf_control *control, const char *name)
{
	struct ctl_network *network = control->last_found;

	if (network && strcmp(network->spec.meta.name, name) == 0)
		return network;
	HASH_FIND(by_name, control->networks, name, strlen(name), network);
	if (network)
		control->last_found = network;
	return network;
}

struct ctl_network *wf_ctl_network_at(const struct wf_control *control, uint32_t number)
{
	return number < WF_MAX_NETWORKS ? control->by_number[number] : NULL;
}

struct ctl_endpoint *wf_ctl_endpoint_find(struct wf_control *control, const char *name)
{
	struct ctl_endpoint *endpoint;

	HASH_FIND(by_name, control->endpoints, name, strlen(name), endpoint);
	return endpoint;
}

int wf_ctl_endpoint_missing(const struct wf_control *control, const char *name, const char *advice,
			    struct wf_err *err)
{
	const struct ctl_endpoint *endpoint, *next, *like = NULL;

	HASH_ITER(by_name, control->endpoints, endpoint, next)
		if (*name && strncmp(endpoint->spec.meta.name, name, strlen(name)) == 0 &&
		    (!like || strcmp(endpoint->spec.meta.name, like->spec.meta.name) < 0))
			like = endpoint;
	if (like)
		return wf_fail(err, -ENOENT, "there is no endpoint %s; did you mean %s?", name,
			       like->spec.meta.name);
	return wf_fail(err, -ENOENT, "there is no endpoint %s; %s", name,
		       advice ? advice : "see 'weft endpoint ls'");
}

/* NULL when out of memory. Neither part has a slash. */
static char *container_key(const char *container_id, const char *ifname)
{
	char *key;

	return asprintf(&key, "%s/%s", container_id, ifname) < 0 ? NULL : key;
}

struct ctl_endpoint *wf_ctl_endpoint_by_container(struct wf_control *control,
						  const char *container_id, const char *ifname)
{
	_cleanup_free_ char *key = container_key(container_id, ifname);
	struct ctl_endpoint *endpoint = NULL;

	if (key)
		HASH_FIND(by_container, control->containers, key, strlen(key), endpoint);
	return endpoint;
}

/* The address that a key is for. */
static const struct wf_addr *address_of(const struct ctl_endpoint_key *key)
{
	const struct ctl_endpoint *endpoint = key->endpoint;

	return &endpoint->spec.addresses[key - endpoint->keys].prefix.addr;
}

struct ctl_endpoint *wf_ctl_endpoint_by_address(struct wf_control *control,
						const struct ctl_network *network,
						const struct wf_addr *addr)
{
	WF_INDEX_EACH(&control->addresses, wf_hash_addr(0, addr), node) {
		const struct ctl_endpoint_key *key =
			WF_INDEX_OBJECT(node, struct ctl_endpoint_key, node);

		if (key->endpoint->network == network && wf_addr_equal(address_of(key), addr))
			return key->endpoint;
	}
	return NULL;
}

uint32_t wf_ctl_slot_by_address(struct wf_control *control, uint32_t scope,
				const struct wf_addr *addr)
{
	WF_INDEX_EACH(&control->addresses, wf_hash_addr(0, addr), node) {
		const struct ctl_endpoint_key *key =
			WF_INDEX_OBJECT(node, struct ctl_endpoint_key, node);

		if (key->endpoint->spec.slot && wf_ctl_scope_of(key->endpoint->network) == scope &&
		    wf_addr_equal(address_of(key), addr))
			return key->endpoint->spec.slot;
	}
	return WF_SLOT_HOST;
}

const char *wf_ctl_namespace_of(const struct wf_labels *labels)
{
	const char *namespace = wf_labels_get(labels, WF_LABEL_POD_NAMESPACE);

	return namespace && *namespace ? namespace : WF_NAMESPACE_DEFAULT;
}

uint64_t wf_ctl_label_hash(const char *namespace, const char *key, const char *value)
{
	return wf_hash_text(wf_hash_text(wf_hash_text(0, namespace), key), value);
}

uint64_t wf_ctl_space_hash(const struct wf_endpoint *spec)
{
	return wf_hash_number(wf_hash_number(0, spec->netns_dev), spec->netns_inode);
}

bool wf_ctl_is_same_space(const struct wf_endpoint *a, const struct wf_endpoint *b)
{
	return a->netns_inode == b->netns_inode && a->netns_dev == b->netns_dev;
}

uint64_t wf_ctl_holder_hash(const char *network, const char *holder)
{
	return wf_hash_text(wf_hash_text(0, network), holder);
}

struct ctl_reservation *wf_ctl_reservation_of(struct wf_control *control, const char *network,
					      const char *holder)
{
	WF_INDEX_EACH(&control->holders, wf_ctl_holder_hash(network, holder), node) {
		struct ctl_reservation *reservation =
			WF_INDEX_OBJECT(node, struct ctl_reservation, by_holder);

		if (strcmp(reservation->spec.network, network) == 0 &&
		    strcmp(reservation->spec.holder, holder) == 0)
			return reservation;
	}
	return NULL;
}

struct ctl_reservation *wf_ctl_reservation_find(struct wf_control *control, const char *name)
{
	struct ctl_reservation *reservation;

	HASH_FIND(by_name, control->reservations, name, strlen(name), reservation);
	return reservation;
}

static void free_pools(struct ctl_network *network)
{
	for (size_t i = 0; i < WF_MAX_SUBNETS; i++)
		wf_pool_free(&network->pools[i]);
}

int wf_ctl_network_insert(struct wf_control *control, struct wf_network *spec,
			  struct ctl_network **ret_network, struct wf_err *err)
{
	struct ctl_network *network = calloc(1, sizeof(*network));

	if (!network)
		return wf_fail(err, -ENOMEM, "out of memory for network %s", spec->meta.name);
	for (size_t i = 0; i < spec->subnet_count; i++) {
		if (wf_ctl_pool_new(&network->pools[i], spec, i) < 0) {
			free_pools(network);
			free(network);
			return wf_fail(err, -ENOMEM, "out of memory for the pools of network %s",
				       spec->meta.name);
		}
		wf_pool_ask(network->pools[i], wf_ctl_remote_owner, network);
	}
	network->control = control;
	network->spec = *spec;
	HASH_ADD_KEYPTR(by_name, control->networks, network->spec.meta.name,
			strlen(network->spec.meta.name), network);
	if (!network->by_name.tbl) {
		free_pools(network);
		free(network);
		return wf_fail(err, -ENOMEM, "out of memory for network %s", spec->meta.name);
	}
	memset(spec, 0, sizeof(*spec));
	control->by_number[network->spec.number] = network;
	wf_ctl_blocks_cut(control, network);
	*ret_network = network;
	return 0;
}

void wf_ctl_network_remove(struct wf_control *control, struct ctl_network *network)
{
	HASH_DELETE(by_name, control->networks, network);
	control->last_found = NULL;
	control->by_number[network->spec.number] = NULL;
	wf_ctl_blocks_free(network);
	free_pools(network);
	wf_network_done(&network->spec);
	free(network);
}

/* Into the tables by name and by container; what failed half way is taken out again. */
static bool add_keys(struct wf_control *control, struct ctl_endpoint *endpoint)
{
	const struct wf_endpoint *spec = &endpoint->spec;

	HASH_ADD_KEYPTR(by_name, control->endpoints, spec->meta.name, strlen(spec->meta.name),
			endpoint);
	if (!endpoint->by_name.tbl)
		return false;
	if (!spec->container_id)
		return true;
	endpoint->container_key = container_key(spec->container_id, spec->ifname);
	if (endpoint->container_key)
		HASH_ADD_KEYPTR(by_container, control->containers, endpoint->container_key,
				strlen(endpoint->container_key), endpoint);
	if (endpoint->container_key && endpoint->by_container.tbl)
		return true;
	HASH_DELETE(by_name, control->endpoints, endpoint);
	free(endpoint->container_key);
	return false;
}

/* The same with the indexes: nothing fails once the keys are there. */
static void index_endpoint(struct wf_control *control, struct ctl_endpoint *endpoint)
{
	const struct wf_endpoint *spec = &endpoint->spec;
	const char *namespace = wf_ctl_namespace_of(&spec->meta.labels);
	struct ctl_endpoint_key *key = endpoint->keys;

	for (size_t i = 0; i < spec->address_count; i++, key++)
		wf_index_add(&control->addresses, &key->node,
			     wf_hash_addr(0, &spec->addresses[i].prefix.addr));
	for (size_t i = 0; i < spec->meta.labels.count; i++, key++)
		wf_index_add(&control->labels, &key->node,
			     wf_ctl_label_hash(namespace, spec->meta.labels.items[i].key,
					       spec->meta.labels.items[i].value));
	for (size_t i = 0; i < endpoint->key_count; i++)
		endpoint->keys[i].endpoint = endpoint;
	wf_index_add(&control->spaces, &endpoint->by_space, wf_ctl_space_hash(spec));
	if (spec->publish.count)
		DL_APPEND2(control->publishers, endpoint, prev_publisher, next_publisher);
}

static void unindex_endpoint(struct wf_control *control, struct ctl_endpoint *endpoint)
{
	for (size_t i = 0; i < endpoint->key_count; i++)
		wf_index_remove(i < endpoint->spec.address_count ? &control->addresses
								 : &control->labels,
				&endpoint->keys[i].node);
	wf_index_remove(&control->spaces, &endpoint->by_space);
	if (endpoint->spec.publish.count)
		DL_DELETE2(control->publishers, endpoint, prev_publisher, next_publisher);
}

int wf_ctl_endpoint_insert(struct wf_control *control, struct wf_endpoint *spec,
			   struct ctl_network *network, struct ctl_endpoint **ret_endpoint)
{
	struct ctl_endpoint *endpoint = calloc(1, sizeof(*endpoint));

	if (!endpoint)
		return -ENOMEM;
	endpoint->spec = *spec;
	endpoint->key_count = spec->address_count + spec->meta.labels.count;
	endpoint->keys = calloc(endpoint->key_count + 1, sizeof(*endpoint->keys));
	if (!endpoint->keys || !add_keys(control, endpoint)) {
		free(endpoint->keys);
		free(endpoint);
		return -ENOMEM;
	}
	memset(spec, 0, sizeof(*spec));
	endpoint->network = network;
	index_endpoint(control, endpoint);
	network->endpoint_count++;
	control->endpoint_count++;
	if (endpoint->spec.slot) {
		control->by_slot[endpoint->spec.slot] = endpoint;
		control->slots[endpoint->spec.slot] = CTL_SLOT_USED;
	}
	*ret_endpoint = endpoint;
	return 0;
}

void wf_ctl_endpoint_remove(struct wf_control *control, struct ctl_endpoint *endpoint)
{
	HASH_DELETE(by_name, control->endpoints, endpoint);
	if (endpoint->container_key)
		HASH_DELETE(by_container, control->containers, endpoint);
	unindex_endpoint(control, endpoint);
	free(endpoint->keys);
	free(endpoint->container_key);
	endpoint->network->endpoint_count--;
	control->endpoint_count--;
	if (endpoint->spec.slot)
		control->by_slot[endpoint->spec.slot] = NULL;
	wf_endpoint_done(&endpoint->spec);
	free(endpoint);
}

int wf_ctl_reservation_insert(struct wf_control *control, struct wf_reservation *spec,
			      struct wf_err *err)
{
	struct ctl_reservation *reservation = calloc(1, sizeof(*reservation));

	if (!reservation)
		return wf_fail(err, -ENOMEM, "out of memory for reservation %s", spec->meta.name);
	reservation->spec = *spec;
	HASH_ADD_KEYPTR(by_name, control->reservations, reservation->spec.meta.name,
			strlen(reservation->spec.meta.name), reservation);
	if (!reservation->by_name.tbl) {
		free(reservation);
		return wf_fail(err, -ENOMEM, "out of memory for reservation %s", spec->meta.name);
	}
	memset(spec, 0, sizeof(*spec));
	wf_index_add(&control->holders, &reservation->by_holder,
		     wf_ctl_holder_hash(reservation->spec.network, reservation->spec.holder));
	return 0;
}

void wf_ctl_reservation_remove(struct wf_control *control, struct ctl_reservation *reservation)
{
	HASH_DELETE(by_name, control->reservations, reservation);
	wf_index_remove(&control->holders, &reservation->by_holder);
	wf_reservation_done(&reservation->spec);
	free(reservation);
}

uint32_t wf_ctl_slot_take(struct wf_control *control)
{
	for (uint32_t i = 1; i < WF_MAX_SLOTS; i++) {
		uint32_t slot = control->slot_cursor % (WF_MAX_SLOTS - 1) + 1;

		control->slot_cursor = slot;
		if (control->slots[slot] == CTL_SLOT_FREE) {
			control->slots[slot] = CTL_SLOT_USED;
			return slot;
		}
	}
	return 0;
}

uint32_t wf_ctl_number_take(const struct wf_control *control)
{
	const struct ctl_change *planned = control->plan ? control->plan->networks : NULL;
	bool is_taken[WF_MAX_NETWORKS] = { false };

	for (; planned; planned = planned->next_network)
		if (planned->network.number < WF_MAX_NETWORKS)
			is_taken[planned->network.number] = true;
	for (uint32_t number = 1; number < WF_MAX_NETWORKS; number++)
		if (!control->by_number[number] && !is_taken[number])
			return number;
	return 0;
}

struct wf_pool *wf_ctl_pool_of(const struct ctl_network *network, const struct wf_addr *addr)
{
	for (size_t i = 0; i < network->spec.subnet_count; i++)
		if (wf_prefix_contains(&network->spec.subnets[i].prefix, addr))
			return network->pools[i];
	return NULL;
}
