/* SPDX-License-Identifier: Apache-2.0 */
/* The addresses of a new endpoint: asked for, held for its name, or the next free ones. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "control/attach_priv.h"

const char *wf_ctl_pool_owner(const struct wf_endpoint *spec)
{
	return spec->sticky_name ? spec->sticky_name : spec->meta.name;
}

static void add_address(struct wf_endpoint *spec, const struct wf_subnet *subnet,
			const struct wf_addr *addr)
{
	struct wf_endpoint_address *address = &spec->addresses[spec->address_count++];

	address->prefix = (struct wf_prefix){ .addr = *addr, .len = subnet->prefix.len };
	memset(&address->gateway, 0, sizeof(address->gateway));
	if (subnet->has_gateway)
		address->gateway = subnet->gateway;
}

static int take_one(struct ctl_network *network, struct wf_endpoint *spec,
		    const struct wf_addr *addr, const char *field, struct wf_err *err)
{
	const struct wf_subnet *subnet = wf_network_subnet_of(&network->spec, addr);
	char text[WF_ADDR_TEXT];
	int r;

	if (spec->address_count >= WF_MAX_ENDPOINT_ADDRESSES)
		return wf_fail_field(err, -E2BIG, field, "an endpoint has at most %d addresses",
				     WF_MAX_ENDPOINT_ADDRESSES);
	if (!subnet) {
		char first[WF_ADDR_TEXT] = "none";

		if (network->spec.subnet_count)
			(void)wf_prefix_format(&network->spec.subnets[0].prefix, first);
		return wf_fail_field(err, -EADDRNOTAVAIL, field,
				     "%s is in no subnet of network %s (the first is %s)",
				     wf_addr_format(addr, text), network->spec.meta.name, first);
	}
	r = wf_pool_take(wf_ctl_pool_of(network, addr), addr, wf_ctl_pool_owner(spec),
			 wf_clock_monotonic_ms(), err);
	if (r < 0) {
		wf_err_set_field(err, field);
		return r;
	}
	add_address(spec, subnet, addr);
	return 0;
}

static bool has_range(const struct wf_prefix *prefix, const struct wf_ranges *ranges)
{
	for (size_t i = 0; i < ranges->count; i++)
		if (wf_prefix_contains(prefix, &ranges->items[i].first))
			return true;
	return false;
}

/* From one subnet; borrow: from whatever block of any node, where the subnet has blocks. */
static int next_in(struct wf_control *control, struct ctl_network *network, struct wf_pool *pool,
		   const struct wf_endpoint *spec, const struct wf_ranges *ranges, bool borrow,
		   struct wf_addr *ret_addr, struct wf_err *err)
{
	const char *owner = wf_ctl_pool_owner(spec);
	int r;

	if (wf_pool_block_len(pool) && !borrow)
		return wf_ctl_block_alloc(control, network, pool, owner, ranges, ret_addr, err);
	r = wf_pool_alloc(pool, owner, ranges, wf_clock_monotonic_ms(), ret_addr, err);
	network->borrowed_total += r == 0 && borrow;
	return r;
}

/* The same from the first subnet of a family that has one; *tried: there is one to ask. */
static int next_of(struct wf_control *control, struct ctl_network *network,
		   struct wf_endpoint *spec, bool ip4, const struct wf_ranges *ranges, bool borrow,
		   bool *tried, struct wf_err *err)
{
	struct wf_addr addr;
	int r = -ENOSPC;

	for (size_t i = 0; r == -ENOSPC && i < network->spec.subnet_count; i++) {
		const struct wf_subnet *subnet = &network->spec.subnets[i];
		struct wf_pool *pool = network->pools[i];

		if (wf_addr_is_ip4(&subnet->prefix.addr) != ip4 ||
		    (ranges && !has_range(&subnet->prefix, ranges)) ||
		    (borrow && !wf_pool_block_len(pool)))
			continue;
		*tried = true;
		r = next_in(control, network, pool, spec, ranges, borrow, &addr, err);
		if (r == 0)
			add_address(spec, subnet, &addr);
	}
	return r;
}

/*
 * The next free address of a family: where nodes have blocks from this node's, and only when there is
 * none, nor a block left, from others'.
 */
static int next_free(struct wf_control *control, struct ctl_network *network,
		     struct wf_endpoint *spec, bool ip4, const struct wf_ranges *ranges,
		     struct wf_err *err)
{
	bool tried = false;
	int r = next_of(control, network, spec, ip4, ranges, false, &tried, err);

	if (r == -ENOSPC)
		r = next_of(control, network, spec, ip4, ranges, true, &tried, err);
	if (!tried)
		return wf_fail_field(err, -EADDRNOTAVAIL, "ranges",
				     "network %s has no subnet that contains the range",
				     network->spec.meta.name);
	return r;
}

static bool has_family(const struct wf_endpoint *spec, bool ip4)
{
	for (size_t i = 0; i < spec->address_count; i++)
		if (wf_addr_is_ip4(&spec->addresses[i].prefix.addr) == ip4)
			return true;
	return false;
}

static bool network_has_family(const struct wf_network *network, bool ip4)
{
	for (size_t i = 0; i < network->subnet_count; i++)
		if (wf_addr_is_ip4(&network->subnets[i].prefix.addr) == ip4)
			return true;
	return false;
}

static int take_requested(struct wf_control *control, struct ctl_network *network,
			  const struct attach_request *request, struct wf_endpoint *spec,
			  struct wf_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < request->address_count; i++) {
		char field[32];

		(void)snprintf(field, sizeof(field), "addresses[%zu]", i);
		r = take_one(network, spec, &request->addresses[i], field, err);
	}
	for (size_t i = 0; r == 0 && i < request->range_set_count; i++) {
		const struct wf_ranges *ranges = &request->range_sets[i].ranges;

		/* an address asked for outright already is this set's address */
		if (!has_family(spec, wf_addr_is_ip4(&ranges->items[0].first)) ||
		    !request->address_count)
			r = next_free(control, network, spec,
				      wf_addr_is_ip4(&ranges->items[0].first), ranges, err);
	}
	return r;
}

/* What is held for this name, unless that family was asked for outright. */
static int take_held(struct wf_control *control, struct ctl_network *network,
		     struct wf_endpoint *spec, struct wf_err *err)
{
	const struct ctl_reservation *held =
		wf_ctl_reservation_of(control, network->spec.meta.name, wf_ctl_pool_owner(spec));
	bool asked[2] = { has_family(spec, false), has_family(spec, true) };
	int r = 0;

	if (!held)
		return 0;
	for (size_t i = 0; r == 0 && i < held->spec.address_count; i++)
		if (!asked[wf_addr_is_ip4(&held->spec.addresses[i])])
			r = take_one(network, spec, &held->spec.addresses[i], "name", err);
	if (r == 0 && wf_mac_is_zero(&spec->mac))
		spec->mac = held->spec.mac;
	return r;
}

int wf_ctl_attach_addresses(struct wf_control *control, struct ctl_network *network,
			    const struct attach_request *request, struct wf_endpoint *spec,
			    struct wf_err *err)
{
	int r;

	r = take_requested(control, network, request, spec, err);
	if (r == 0)
		r = take_held(control, network, spec, err);
	for (int ip4 = 1; r == 0 && ip4 >= 0; ip4--)
		if (network_has_family(&network->spec, ip4) && !has_family(spec, ip4))
			r = next_free(control, network, spec, ip4, NULL, err);
	if (r < 0) {
		wf_ctl_attach_unaddress(network, spec, false);
		if (r == -ENOSPC)
			network->exhausted_total++;
		if (err && r == -ENOSPC)
			wf_err_prefix(err, "network %s is full", network->spec.meta.name);
	}
	return r;
}

void wf_ctl_attach_unaddress(struct ctl_network *network, const struct wf_endpoint *spec, bool cool)
{
	uint64_t now_ms = wf_clock_monotonic_ms();

	for (size_t i = 0; i < spec->address_count; i++) {
		const struct wf_addr *addr = &spec->addresses[i].prefix.addr;
		struct wf_pool *pool = wf_ctl_pool_of(network, addr);

		if (pool)
			(void)wf_pool_release(pool, addr, wf_ctl_pool_owner(spec), now_ms, cool);
	}
}

int wf_ctl_attach_reserve(struct wf_control *control, struct ctl_network *network,
			  const struct wf_endpoint *spec, struct ctl_reservation **ret_fresh,
			  struct wf_err *err)
{
	struct wf_reservation held = { .sticky = true, .mac = spec->mac };
	int r;

	*ret_fresh = NULL;
	if (!spec->sticky_name ||
	    wf_ctl_reservation_of(control, network->spec.meta.name, spec->sticky_name))
		return 0;
	if (snprintf(held.meta.name, sizeof(held.meta.name), "%s.%s", network->spec.meta.name,
		     spec->sticky_name) >= (int)sizeof(held.meta.name))
		return wf_fail_field(err, -EMSGSIZE, "stickyName", "%s is too long",
				     spec->sticky_name);
	if (wf_ctl_reservation_find(control, held.meta.name))
		return wf_fail_field(err, -EEXIST, "stickyName",
				     "there is a reservation %s for another name; see 'weft get "
				     "reservations'",
				     held.meta.name);
	(void)snprintf(held.network, sizeof(held.network), "%s", network->spec.meta.name);
	(void)snprintf(held.holder, sizeof(held.holder), "%s", spec->sticky_name);
	for (size_t i = 0; i < spec->address_count; i++)
		held.addresses[held.address_count++] = spec->addresses[i].prefix.addr;
	r = wf_ctl_reservation_start(control, &held, err);
	wf_reservation_done(&held);
	if (r == 0)
		*ret_fresh =
			wf_ctl_reservation_of(control, network->spec.meta.name, spec->sticky_name);
	return r;
}
