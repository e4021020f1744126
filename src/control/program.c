/* SPDX-License-Identifier: Apache-2.0 */
/* Writes desired state into the maps. Order: addresses before they are needed, endpoints last. */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "control/control_priv.h"

/* Entries of an array map read by one system call; divides the sizes of both. */
#define READ_AT_ONCE 128
_Static_assert(WF_MAX_SLOTS % READ_AT_ONCE == 0, "whole runs");
_Static_assert(WF_MAX_NETWORKS % READ_AT_ONCE == 0, "whole runs");

int wf_ctl_program_network(struct wf_control *control, const struct ctl_network *network,
			   struct wf_err *err)
{
	struct wf_net_value value = wf_ctl_desired_network(control, network);
	struct wf_addr_value gateway = { .slot = WF_SLOT_HOST, .flags = WF_ADDR_GATEWAY };
	uint32_t number = network->spec.number;
	struct wf_addr addrs[CTL_MAX_HOST_ADDRS];
	size_t count = wf_ctl_desired_host_addrs(network, addrs);
	int r = 0;

	if (!wf_ctl_is_routed_by_host(network))
		return 0;
	r = wf_ctl_vteps_program(control, &network->spec, err);
	for (size_t i = 0; r == 0 && i < count; i++) {
		r = wf_dp_address_set(control->dp, number, &addrs[i], &gateway, err);
		if (r == 0 && wf_ctl_scope_has_host(&network->spec))
			r = wf_dp_address_set(control->dp, WF_NETWORK_HOST, &addrs[i], &gateway,
					      err);
	}
	if (r == 0)
		r = wf_dp_network_set(control->dp, number, &value, err);
	return r;
}

static bool has_gateway(const struct wf_network *network, const struct wf_addr *addr)
{
	for (size_t i = 0; i < network->subnet_count; i++)
		if (network->subnets[i].has_gateway &&
		    wf_addr_equal(&network->subnets[i].gateway, addr))
			return true;
	return false;
}

void wf_ctl_unprogram_network(struct wf_control *control, const struct wf_network *network,
			      const struct wf_network *now)
{
	uint32_t number = network->number;
	int r = 0;

	if (!wf_driver_is_routed(network->driver))
		return;
	if (now && !wf_driver_is_routed(now->driver))
		now = NULL;
	if (!now)
		r = wf_dp_network_set(control->dp, number, NULL, NULL);
	if (wf_ctl_vteps_unprogram(control, network, now) < 0)
		r = -EIO;
	for (size_t i = 0; i < network->subnet_count; i++) {
		const struct wf_subnet *subnet = &network->subnets[i];

		if (!subnet->has_gateway || (now && has_gateway(now, &subnet->gateway)))
			continue;
		if (wf_dp_address_clear(control->dp, number, &subnet->gateway) < 0 ||
		    (wf_ctl_scope_has_host(network) &&
		     wf_dp_address_clear(control->dp, WF_NETWORK_HOST, &subnet->gateway) < 0))
			r = -EIO;
	}
	if (r < 0)
		wf_ctl_dirty(control, CTL_DIRTY_MAPS);
}

int wf_ctl_program_endpoint(struct wf_control *control, const struct ctl_endpoint *endpoint,
			    struct wf_err *err)
{
	struct wf_ep_value value = wf_ctl_desired_endpoint(endpoint);
	struct wf_addr_value address = { .slot = endpoint->spec.slot };
	int r = 0;

	if (!endpoint->spec.slot)
		return 0;
	for (size_t i = 0; r == 0 && i < endpoint->spec.address_count; i++) {
		const struct wf_addr *addr = &endpoint->spec.addresses[i].prefix.addr;

		r = wf_dp_address_set(control->dp, value.network, addr, &address, err);
		if (r == 0 && value.scope != value.network)
			r = wf_dp_address_set(control->dp, value.scope, addr, &address, err);
	}
	if (r == 0)
		r = wf_dp_endpoint_set(control->dp, endpoint->spec.slot, &value, err);
	if (r < 0)
		wf_ctl_unprogram_endpoint(control, endpoint);
	return r;
}

void wf_ctl_unprogram_endpoint(struct wf_control *control, const struct ctl_endpoint *endpoint)
{
	uint32_t number = endpoint->network->spec.number;
	uint32_t scope = wf_ctl_scope_of(endpoint->network);
	int r;

	if (!endpoint->spec.slot)
		return;
	r = wf_dp_endpoint_clear(control->dp, endpoint->spec.slot, NULL);
	for (size_t i = 0; i < endpoint->spec.address_count; i++) {
		const struct wf_addr *addr = &endpoint->spec.addresses[i].prefix.addr;

		if (wf_dp_address_clear(control->dp, number, addr) < 0 ||
		    wf_dp_address_clear(control->dp, scope, addr) < 0)
			r = -EIO;
	}
	if (r < 0)
		wf_ctl_dirty(control, CTL_DIRTY_MAPS);
}

static bool is_host_addr(const struct ctl_network *network, const struct wf_addr *addr)
{
	struct wf_addr addrs[CTL_MAX_HOST_ADDRS];
	size_t count = wf_ctl_desired_host_addrs(network, addrs);

	for (size_t i = 0; i < count; i++)
		if (wf_addr_equal(&addrs[i], addr))
			return true;
	return false;
}

/* Whether an entry of the address map is what the tables say. */
static bool is_wanted(const struct wf_control *control, const struct wf_addr_key *key,
		      const struct wf_addr_value *value)
{
	const struct ctl_endpoint *endpoint;

	if (value->flags & WF_ADDR_GATEWAY) {
		for (uint32_t number = 1; number < WF_MAX_NETWORKS; number++) {
			const struct ctl_network *network = control->by_number[number];

			if (!network || !wf_ctl_is_routed_by_host(network) ||
			    !wf_ctl_scope_has_key(network, key->network))
				continue;
			if (is_host_addr(network, &key->addr))
				return true;
		}
		return false;
	}
	if (value->slot == WF_SLOT_HOST)
		return !control->lb.settled ||
		       value->flags == wf_ctl_view_flags(control, key->network, &key->addr);
	endpoint = value->slot < WF_MAX_SLOTS ? control->by_slot[value->slot] : NULL;
	if (!endpoint)
		return false;
	if (!wf_ctl_scope_has_key(endpoint->network, key->network))
		return false;
	for (size_t i = 0; i < endpoint->spec.address_count; i++)
		if (wf_addr_equal(&endpoint->spec.addresses[i].prefix.addr, &key->addr))
			return true;
	return false;
}

static void drop_unwanted(const struct wf_addr_key *key, const struct wf_addr_value *value,
			  void *context)
{
	struct wf_control *control = context;

	if (!is_wanted(control, key, value) &&
	    wf_dp_address_clear(control->dp, key->network, &key->addr) < 0)
		wf_ctl_dirty(control, CTL_DIRTY_MAPS);
}

/* One slot of the endpoint map brought to what the tables say. */
static int program_slot(struct wf_control *control, uint32_t slot, const struct wf_ep_value *found,
			struct wf_err *err)
{
	const struct ctl_endpoint *endpoint = control->by_slot[slot];
	struct wf_ep_value wanted;

	if (slot == WF_SLOT_HOST)
		return 0;
	if (!endpoint)
		return found->flags ? wf_dp_endpoint_clear(control->dp, slot, err) : 0;
	wanted = wf_ctl_desired_endpoint(endpoint);
	if (memcmp(found, &wanted, sizeof(wanted)) == 0)
		return 0;
	return wf_ctl_program_endpoint(control, endpoint, err);
}

/* Those below end, a multiple of READ_AT_ONCE. */
static int program_slots(struct wf_control *control, uint32_t end, struct wf_err *err)
{
	struct wf_ep_value found[READ_AT_ONCE];
	int r = 0;

	for (uint32_t first = 0; r == 0 && first < end; first += READ_AT_ONCE) {
		r = wf_dp_endpoint_read(control->dp, first, READ_AT_ONCE, found);
		if (r < 0)
			return wf_fail(err, r, "cannot read the endpoint map: %s", strerror(-r));
		for (uint32_t i = 0; r == 0 && i < READ_AT_ONCE; i++)
			r = program_slot(control, first + i, &found[i], err);
	}
	return r;
}

/* The same for the network map. */
static int program_networks(struct wf_control *control, uint32_t end, struct wf_err *err)
{
	struct wf_net_value found[READ_AT_ONCE];
	int r = 0;

	for (uint32_t first = 0; r == 0 && first < end; first += READ_AT_ONCE) {
		r = wf_dp_network_read(control->dp, first, READ_AT_ONCE, found);
		if (r < 0)
			return wf_fail(err, r, "cannot read the network map: %s", strerror(-r));
		for (uint32_t i = 0; r == 0 && i < READ_AT_ONCE; i++) {
			const struct ctl_network *network = control->by_number[first + i];

			if (network && wf_ctl_is_routed_by_host(network))
				r = wf_ctl_program_network(control, network, err);
			else if (found[i].flags)
				r = wf_dp_network_set(control->dp, first + i, NULL, err);
		}
	}
	return r;
}

/* What is in the address map. */
struct census {
	struct wf_control *control;
	uint8_t entries[WF_MAX_SLOTS]; /* right ones per slot */
	bool has_others;               /* some that nobody shall have */
};

static void count_entry(const struct wf_addr_key *key, const struct wf_addr_value *value,
			void *context)
{
	struct census *census = context;

	if (!is_wanted(census->control, key, value))
		census->has_others = true;
	else if (value->slot != WF_SLOT_HOST)
		census->entries[value->slot]++;
}

/* Entries that an endpoint shall have: each address one in its network, and one in its scope. */
static size_t entries_of(const struct ctl_endpoint *endpoint)
{
	return (wf_ctl_scope_is_own(&endpoint->network->spec) ? 1 : 2) *
	       endpoint->spec.address_count;
}

/*
 * Every address of every endpoint, added where it is missing. Tells whether something is to be taken
 * away when all is written.
 */
static int program_addresses(struct wf_control *control, bool *ret_has_others, struct wf_err *err)
{
	_cleanup_free_ struct census *census = calloc(1, sizeof(*census));
	int r;

	if (!census)
		return wf_fail(err, -ENOMEM, "out of memory");
	census->control = control;
	r = wf_dp_address_visit(control->dp, count_entry, census, err);
	for (uint32_t slot = 1; r == 0 && slot < WF_MAX_SLOTS; slot++) {
		const struct ctl_endpoint *endpoint = control->by_slot[slot];

		if (endpoint && census->entries[slot] != entries_of(endpoint))
			r = wf_ctl_program_endpoint(control, endpoint, err);
	}
	*ret_has_others = census->has_others;
	return r;
}

static uint32_t round_up(uint32_t count)
{
	return (count + READ_AT_ONCE - 1) / READ_AT_ONCE * READ_AT_ONCE;
}

/* Behind the last slot in use, and the last network. */
static uint32_t slots_end(const struct wf_control *control)
{
	uint32_t end = WF_MAX_SLOTS;

	while (end && !control->by_slot[end - 1])
		end--;
	return round_up(end);
}

static uint32_t networks_end(const struct wf_control *control)
{
	uint32_t end = WF_MAX_NETWORKS;

	while (end && !control->by_number[end - 1])
		end--;
	return round_up(end);
}

/* *ret_has_others: addresses that nobody has are there too. */
static int program(struct wf_control *control, uint32_t slots, uint32_t networks,
		   bool *ret_has_others, struct wf_err *err)
{
	int r;

	r = program_networks(control, networks, err);
	if (r == 0)
		r = wf_ctl_vteps_sweep(control, err);
	if (r == 0)
		r = program_addresses(control, ret_has_others, err);
	if (r == 0)
		r = program_slots(control, slots, err);
	if (r == 0)
		r = wf_ctl_view_program(control, err);
	return r;
}

int wf_ctl_program_all(struct wf_control *control, struct wf_err *err)
{
	bool has_others = false;
	int r = program(control, WF_MAX_SLOTS, WF_MAX_NETWORKS, &has_others, err);

	return r < 0 || !has_others ? r : wf_ctl_program_drop(control, err);
}

int wf_ctl_program_used(struct wf_control *control, struct wf_err *err)
{
	bool has_others = false;

	return program(control, slots_end(control), networks_end(control), &has_others, err);
}

int wf_ctl_program_drop(struct wf_control *control, struct wf_err *err)
{
	return wf_dp_address_visit(control->dp, drop_unwanted, control, err);
}
