/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routes of networks, by way of their own endpoints and to VXLAN endpoints that are no nodes: whether they
 * may be, and their entries.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/control_priv.h"
#include "dp/overlay.h"

#define FIELD_BYTES 64

/* Where the index-th route is in the document. */
static const char *field(char buf[FIELD_BYTES], size_t index, const char *what)
{
	(void)snprintf(buf, FIELD_BYTES, "spec.routes[%zu].%s", index, what);
	return buf;
}

/* The endpoint as a prefix: its address in full. */
static struct wf_prefix peer_of(const struct wf_route *route)
{
	return (struct wf_prefix){ .addr = route->vtep, .len = wf_addr_bits(&route->vtep) };
}

static bool is_same_peer(const struct wf_route *a, const struct wf_route *b)
{
	return !a->is_via && !b->is_via && a->vni == b->vni && wf_addr_equal(&a->vtep, &b->vtep);
}

static bool has_peer(const struct wf_network *network, const struct wf_route *route)
{
	for (size_t i = 0; network && i < network->route_count; i++)
		if (is_same_peer(&network->routes[i], route))
			return true;
	return false;
}

static bool has_prefix(const struct wf_network *network, const struct wf_prefix *to)
{
	for (size_t i = 0; network && i < network->route_count; i++)
		if (wf_prefix_equal(&network->routes[i].to, to))
			return true;
	return false;
}

/* ---- whether they may be ------------------------------------------------------------------------ */

/* Another network, in force or about to be, that packets from there are for already; or NULL. */
static const char *peer_owner(const struct wf_control *control, const struct wf_network *network,
			      const struct wf_route *route)
{
	const struct ctl_change *change = control->plan ? control->plan->networks : NULL;

	for (const struct ctl_network *other = control->networks; other;
	     other = other->by_name.next)
		if (strcmp(other->spec.meta.name, network->meta.name) != 0 &&
		    has_peer(&other->spec, route))
			return other->spec.meta.name;
	for (; change; change = change->next_network)
		if (strcmp(change->network.meta.name, network->meta.name) != 0 &&
		    has_peer(&change->network, route))
			return change->network.meta.name;
	return NULL;
}

/* The node whose address it is; NULL: none that is known. */
static const char *node_at(const struct wf_control *control, const struct wf_addr *addr)
{
	if (wf_addr_equal(&control->config.node_ip, addr))
		return control->config.node_name;
	for (const struct ctl_node *node = control->cluster.nodes; node; node = node->by_name.next)
		if (wf_addr_equal(&node->underlay, addr))
			return node->name;
	return NULL;
}

static int check_endpoint(const struct wf_control *control, const struct wf_network *network,
			  size_t index, struct wf_err *err)
{
	const struct wf_route *route = &network->routes[index];
	const char *node = node_at(control, &route->vtep);
	char text[WF_ADDR_TEXT], path[FIELD_BYTES];
	const char *owner;

	if (!wf_ctl_is_shared(control))
		return wf_fail_field(
			err, -EOPNOTSUPP, field(path, index, "vtep"),
			"only nodes that share a store have the tunnel for it: give weftd "
			"an etcd with --store");
	(void)wf_addr_format(&route->vtep, text);
	if (node)
		return wf_fail_field(err, -EINVAL, field(path, index, "vtep.address"),
				     "%s is node %s, which needs no route", text, node);
	if (wf_addr_is_ip4(&route->vtep) != wf_addr_is_ip4(&control->config.node_ip))
		return wf_fail_field(err, -EAFNOSUPPORT, field(path, index, "vtep.address"),
				     "%s is not of the family of the nodes' own addresses "
				     "(--node-ip)",
				     text);
	owner = peer_owner(control, network, route);
	return owner ? wf_fail_field(err, -EADDRINUSE, field(path, index, "vtep.vni"),
				     "what %s sends with VNI %u is for network %s already; take "
				     "another VNI",
				     text, route->vni, owner)
		     : 0;
}

static int check_prefix(const struct wf_network *network, size_t index,
			const struct wf_choose_taken *taken, size_t taken_count, struct wf_err *err)
{
	const struct wf_prefix *to = &network->routes[index].to;
	/* a default route is about what nobody has */
	const struct wf_choose_taken *other = wf_route_is_default(&network->routes[index])
						      ? NULL
						      : wf_choose_overlap(to, taken, taken_count);
	char mine[WF_ADDR_TEXT], theirs[WF_ADDR_TEXT], path[FIELD_BYTES];

	return other ? wf_fail_field(err, -EADDRINUSE, field(path, index, "to"),
				     "%s overlaps %s of %s", wf_prefix_format(to, mine),
				     wf_prefix_format(&other->prefix, theirs), other->what)
		     : 0;
}

int wf_ctl_vteps_check(struct wf_control *control, const struct wf_network *network,
		       const struct wf_choose_taken *taken, size_t taken_count, struct wf_err *err)
{
	int r = wf_network_check_routes(network, err);

	for (size_t i = 0; r == 0 && i < network->route_count; i++) {
		r = check_prefix(network, i, taken, taken_count, err);
		if (r == 0 && !network->routes[i].is_via)
			r = check_endpoint(control, network, i, err);
	}
	return r;
}

/* ---- addresses of gateways ---------------------------------------------------------------------- */

/* A subnet in which gateways of routes are excluded, too; excluded is owned by the caller. 0, -ENOMEM. */
static int without_gateways(const struct wf_network *network, size_t index,
			    struct wf_subnet *ret_subnet)
{
	const struct wf_subnet *subnet = &network->subnets[index];
	struct wf_ranges excluded = { 0 };
	int r = 0;

	for (size_t i = 0; r == 0 && i < subnet->excluded.count; i++)
		r = wf_ranges_add(&excluded, &subnet->excluded.items[i]);
	for (size_t i = 0; r == 0 && i < network->route_count; i++) {
		const struct wf_route *route = &network->routes[i];
		const struct wf_range one = { route->via, route->via };

		if (route->is_via && wf_prefix_contains(&subnet->prefix, &route->via))
			r = wf_ranges_add(&excluded, &one);
	}
	if (r < 0) {
		wf_ranges_done(&excluded);
		return r;
	}
	*ret_subnet = *subnet;
	ret_subnet->excluded = excluded;
	return 0;
}

int wf_ctl_pool_new(struct wf_pool **ret_pool, const struct wf_network *network, size_t index)
{
	struct wf_subnet subnet;
	int r = without_gateways(network, index, &subnet);

	if (r < 0)
		return r;
	r = wf_pool_new(ret_pool, &subnet, network->cool_down_ms);
	wf_ranges_done(&subnet.excluded);
	return r;
}

int wf_ctl_pool_update(struct wf_pool *pool, const struct wf_network *network, size_t index)
{
	struct wf_subnet subnet;
	int r = without_gateways(network, index, &subnet);

	if (r < 0)
		return r;
	r = wf_pool_update(pool, &subnet, network->cool_down_ms);
	wf_ranges_done(&subnet.excluded);
	return r;
}

/* ---- entries ------------------------------------------------------------------------------------ */

int wf_ctl_vteps_program(struct wf_control *control, const struct wf_network *network,
			 struct wf_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < network->route_count; i++) {
		const struct wf_route *route = &network->routes[i];
		const struct wf_prefix peer = peer_of(route);
		struct wf_vtep_value value = { .network = network->number };

		if (route->is_via) {
			value.addr = route->via;
			value.flags = wf_route_is_default(route) ? WF_VTEP_DEFAULT : 0;
		} else {
			r = wf_dp_vtep_set(control->dp, WF_VTEP_PEER | route->vni, &peer, &value,
					   err);
			value.addr = route->vtep;
			value.vni = route->vni;
			memcpy(value.mac, route->mac.bytes, sizeof(value.mac));
		}
		if (r == 0)
			r = wf_dp_vtep_set(control->dp, network->number, &route->to, &value, err);
	}
	return r;
}

int wf_ctl_vteps_unprogram(struct wf_control *control, const struct wf_network *network,
			   const struct wf_network *now)
{
	int failed = 0;

	for (size_t i = 0; i < network->route_count; i++) {
		const struct wf_route *route = &network->routes[i];
		const struct wf_prefix peer = peer_of(route);

		if (!has_prefix(now, &route->to))
			failed |= wf_dp_vtep_set(control->dp, network->number, &route->to, NULL,
						 NULL);
		if (!route->is_via && !has_peer(now, route))
			failed |= wf_dp_vtep_set(control->dp, WF_VTEP_PEER | route->vni, &peer,
						 NULL, NULL);
	}
	return failed ? -EIO : 0;
}

/* Whether an entry is of some network. */
static bool is_wanted(const struct wf_control *control, uint32_t scope,
		      const struct wf_prefix *prefix)
{
	const struct wf_route peer = { .vtep = prefix->addr, .vni = scope & ~WF_VTEP_PEER };
	const struct ctl_network *at = wf_ctl_network_at(control, scope);

	if (!(scope & WF_VTEP_PEER))
		return at && has_prefix(&at->spec, prefix);
	for (const struct ctl_network *network = control->networks; network;
	     network = network->by_name.next)
		if (has_peer(&network->spec, &peer))
			return true;
	return false;
}

static void drop_unwanted(uint32_t scope, const struct wf_prefix *prefix, void *context)
{
	struct wf_control *control = context;

	if (!is_wanted(control, scope, prefix) &&
	    wf_dp_vtep_set(control->dp, scope, prefix, NULL, NULL) < 0)
		wf_ctl_dirty(control, CTL_DIRTY_MAPS);
}

int wf_ctl_vteps_sweep(struct wf_control *control, struct wf_err *err)
{
	return wf_dp_vtep_visit(control->dp, drop_unwanted, control, err);
}

const struct wf_route *wf_ctl_vtep_find(const struct ctl_network *network,
					const struct wf_addr *addr)
{
	const struct wf_route *best = NULL;

	for (size_t i = 0; i < network->spec.route_count; i++) {
		const struct wf_route *route = &network->spec.routes[i];

		if (wf_prefix_contains(&route->to, addr) && (!best || best->to.len < route->to.len))
			best = route;
	}
	return best;
}
