/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of control: who is there, by name, by number, by slot. No decisions. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "control/control_priv.h"

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
	struct ctl_network *network;

	HASH_FIND(by_name, control->networks, name, strlen(name), network);
	return network;
}

struct ctl_endpoint *wf_ctl_endpoint_find(struct wf_control *control, const char *name)
{
	struct ctl_endpoint *endpoint;

	HASH_FIND(by_name, control->endpoints, name, strlen(name), endpoint);
	return endpoint;
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

struct ctl_endpoint *wf_ctl_endpoint_by_address(struct wf_control *control,
						const struct ctl_network *network,
						const struct wf_addr *addr)
{
	struct ctl_endpoint *endpoint, *next;

	HASH_ITER(by_name, control->endpoints, endpoint, next) {
		for (size_t i = 0; i < endpoint->spec.address_count; i++)
			if (endpoint->network == network &&
			    wf_addr_equal(&endpoint->spec.addresses[i].prefix.addr, addr))
				return endpoint;
	}
	return NULL;
}

struct ctl_reservation *wf_ctl_reservation_of(struct wf_control *control, const char *network,
					      const char *holder)
{
	struct ctl_reservation *reservation, *next;

	HASH_ITER(by_name, control->reservations, reservation, next) {
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
		if (wf_pool_new(&network->pools[i], &spec->subnets[i], spec->cool_down_ms) < 0) {
			free_pools(network);
			free(network);
			return wf_fail(err, -ENOMEM, "out of memory for the pools of network %s",
				       spec->meta.name);
		}
	}
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
	*ret_network = network;
	return 0;
}

void wf_ctl_network_remove(struct wf_control *control, struct ctl_network *network)
{
	HASH_DELETE(by_name, control->networks, network);
	control->by_number[network->spec.number] = NULL;
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

int wf_ctl_endpoint_insert(struct wf_control *control, struct wf_endpoint *spec,
			   struct ctl_network *network, struct ctl_endpoint **ret_endpoint)
{
	struct ctl_endpoint *endpoint = calloc(1, sizeof(*endpoint));

	if (!endpoint)
		return -ENOMEM;
	endpoint->spec = *spec;
	if (!add_keys(control, endpoint)) {
		free(endpoint);
		return -ENOMEM;
	}
	memset(spec, 0, sizeof(*spec));
	endpoint->network = network;
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
	return 0;
}

void wf_ctl_reservation_remove(struct wf_control *control, struct ctl_reservation *reservation)
{
	HASH_DELETE(by_name, control->reservations, reservation);
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

static bool is_planned(const struct ctl_plan *plan, uint32_t number)
{
	for (size_t i = 0; plan && i < plan->count; i++)
		if (plan->items[i].network.number == number)
			return true;
	return false;
}

uint32_t wf_ctl_number_take(const struct wf_control *control)
{
	for (uint32_t number = 1; number < WF_MAX_NETWORKS; number++)
		if (!control->by_number[number] && !is_planned(control->plan, number))
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
