/* SPDX-License-Identifier: Apache-2.0 */
/* What an endpoint is, from a request and what there is already: its names, its routes, its links. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/mem.h"
#include "control/attach_priv.h"

/* The interface name: as asked, or the first ethN that no endpoint of this namespace has. */
static int choose_ifname(struct wf_control *control, struct wf_endpoint *spec, const char *wanted,
			 struct wf_err *err)
{
	if (*wanted)
		return wf_str_copy(spec->ifname, sizeof(spec->ifname), wanted);
	for (unsigned int n = 0; n < 1000; n++) {
		bool taken = false;

		(void)snprintf(spec->ifname, sizeof(spec->ifname), "eth%u", n);
		WF_INDEX_EACH(&control->spaces, wf_ctl_space_hash(spec), node) {
			const struct ctl_endpoint *other =
				WF_INDEX_OBJECT(node, struct ctl_endpoint, by_space);

			taken = taken || (wf_ctl_is_same_space(&other->spec, spec) &&
					  strcmp(other->spec.ifname, spec->ifname) == 0);
		}
		if (!taken)
			return 0;
	}
	return wf_fail_field(err, -ENOSPC, "ifname", "all names from eth0 to eth999 are taken");
}

/* Lower case, and '-' for what a name cannot hold. */
static void fit_name(char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++) {
		char c = name[i];

		if (c >= 'A' && c <= 'Z')
			name[i] = (char)(c - 'A' + 'a');
		else if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')))
			name[i] = i == 0 ? 'x' : '-';
	}
	if (len && name[len - 1] == '-')
		name[len - 1] = 'x';
}

/* Ids of runtimes are random and told apart by 12 characters; others by as many as it takes. */
static void name_container(struct wf_control *control, struct wf_endpoint *spec)
{
	static const int shown[] = { 12, 230 };

	for (size_t i = 0; i < WF_ARRAY_LEN(shown); i++) {
		const struct ctl_endpoint *other;

		(void)snprintf(spec->meta.name, WF_NAME_BYTES, "%.*s-%s", shown[i],
			       spec->container_id, spec->ifname);
		fit_name(spec->meta.name);
		other = wf_ctl_endpoint_find(control, spec->meta.name);
		if (!other || (other->spec.container_id &&
			       strcmp(other->spec.container_id, spec->container_id) == 0))
			return;
	}
}

/* NAMESPACE-IFNAME, or the container's id in place of the namespace. */
static void default_name(struct wf_control *control, struct wf_endpoint *spec)
{
	const char *base = strrchr(spec->netns, '/');
	char *name = spec->meta.name;

	base = base ? base + 1 : spec->netns;
	if (spec->container_id) {
		name_container(control, spec);
		return;
	}
	if (strstr(spec->netns, "/proc/") == spec->netns)
		(void)snprintf(name, WF_NAME_BYTES, "pid%.20s-%s", spec->netns + 6, spec->ifname);
	else
		(void)snprintf(name, WF_NAME_BYTES, "%.100s-%s", base, spec->ifname);
	fit_name(name);
}

/* The endpoint that carries the default route of this namespace, NULL when none does. */
static struct ctl_endpoint *default_carrier(struct wf_control *control,
					    const struct wf_endpoint *spec)
{
	WF_INDEX_EACH(&control->spaces, wf_ctl_space_hash(spec), node) {
		struct ctl_endpoint *endpoint =
			WF_INDEX_OBJECT(node, struct ctl_endpoint, by_space);

		if (wf_ctl_is_same_space(&endpoint->spec, spec) && endpoint->spec.default_route)
			return endpoint;
	}
	return NULL;
}

/* Whether a default route can lead through this network. */
static bool leads_out(const struct wf_network *network)
{
	if (network->internal || network->driver == WF_DRIVER_NONE)
		return false;
	if (network->mode == WF_MODE_L3 || network->mode == WF_MODE_L3S)
		return true;
	for (size_t i = 0; i < network->subnet_count; i++)
		if (network->subnets[i].has_gateway)
			return true;
	return false;
}

/* Unless asked otherwise, the first endpoint that can carry the default route carries it. */
static int choose_default_route(struct wf_control *control, const struct wf_network *network,
				const struct attach_request *request, struct wf_endpoint *spec,
				struct wf_err *err)
{
	const struct ctl_endpoint *carrier = default_carrier(control, spec);

	if (!request->default_route_given) {
		spec->default_route = !carrier && leads_out(network);
		return 0;
	}
	if (request->default_route && network->internal)
		return wf_fail_field(err, -EINVAL, "defaultRoute",
				     "network %s is internal: no default route leads through it",
				     network->meta.name);
	if (request->default_route && carrier &&
	    strcmp(carrier->spec.meta.name, spec->meta.name) != 0)
		return wf_fail_field(err, -EEXIST, "defaultRoute",
				     "endpoint %s (network %s) carries the default route of %s "
				     "already; detach it and attach it again without one",
				     carrier->spec.meta.name, carrier->spec.network, spec->netns);
	spec->default_route = request->default_route;
	return 0;
}

/* An endpoint of that name or container that is dead makes way; a live one is in the way. */
static int clear_predecessor(struct wf_control *control, const struct wf_endpoint *spec,
			     struct wf_err *err)
{
	struct ctl_endpoint *before = wf_ctl_endpoint_find(control, spec->meta.name);
	const struct ctl_remote *remote = wf_ctl_remote_find(control, spec->meta.name);

	if (remote)
		return wf_ctl_attach_fail_elsewhere(err, wf_ctl_remote_name(remote),
						    remote->node->name);
	if (!before && spec->container_id)
		before = wf_ctl_endpoint_by_container(control, spec->container_id, spec->ifname);
	if (!before)
		return 0;
	if (wf_ctl_namespace_alive(control, &before->spec)) {
		char addr[WF_ADDR_TEXT] = "no address";

		if (before->spec.address_count)
			(void)wf_prefix_format(&before->spec.addresses[0].prefix, addr);
		return wf_fail_field(err, -EEXIST, "name",
				     "there is an endpoint %s already (network %s, %s, in %s); "
				     "detach it or choose another --name",
				     before->spec.meta.name, before->spec.network, addr,
				     before->spec.netns);
	}
	return wf_ctl_endpoint_release(control, before, "its namespace is gone", err);
}

/* Whether a subnet of one is in that of the other; *ret_subnet is the other's. */
static bool shares_subnet(const struct wf_network *network, const struct wf_network *other,
			  const struct wf_subnet **ret_subnet)
{
	for (size_t i = 0; i < network->subnet_count; i++)
		for (size_t k = 0; k < other->subnet_count; k++) {
			*ret_subnet = &other->subnets[k];
			if (wf_prefix_overlaps(&network->subnets[i].prefix,
					       &other->subnets[k].prefix))
				return true;
		}
	return false;
}

/* A container could not tell apart what two of its interfaces lead to. */
static int check_space(struct wf_control *control, const struct ctl_network *network,
		       const struct wf_endpoint *spec, struct wf_err *err)
{
	const struct wf_subnet *subnet;
	char cidr[WF_ADDR_TEXT];

	WF_INDEX_EACH(&control->spaces, wf_ctl_space_hash(spec), node) {
		const struct ctl_endpoint *endpoint =
			WF_INDEX_OBJECT(node, struct ctl_endpoint, by_space);
		const struct ctl_network *other = endpoint->network;

		if (!wf_ctl_is_same_space(&endpoint->spec, spec) || other == network ||
		    !wf_ctl_scope_confuses(&network->spec, &other->spec) ||
		    !shares_subnet(&network->spec, &other->spec, &subnet))
			continue;
		return wf_fail_field(
			err, -EADDRINUSE, "network",
			"%s has an interface in network %s, whose %s overlaps a subnet "
			"of network %s: it could not tell the two apart",
			spec->netns, other->spec.meta.name, wf_prefix_format(&subnet->prefix, cidr),
			network->spec.meta.name);
	}
	return 0;
}

/* No two interfaces of one network with one MAC: the datapath would tell them apart by nothing. */
static int check_mac(struct wf_control *control, const struct ctl_network *network,
		     const struct wf_mac *mac, struct wf_err *err)
{
	struct ctl_endpoint *endpoint, *next;
	char text[WF_MAC_TEXT];

	HASH_ITER(by_name, control->endpoints, endpoint, next) {
		if (endpoint->network == network &&
		    memcmp(&endpoint->spec.mac, mac, sizeof(*mac)) == 0)
			return wf_fail_field(err, -EADDRINUSE, "mac",
					     "%s is the MAC of endpoint %s in network %s",
					     wf_mac_format(mac, text), endpoint->spec.meta.name,
					     network->spec.meta.name);
	}
	return 0;
}

static int fill_links(struct wf_control *control, struct ctl_network *network,
		      struct wf_endpoint *spec, const struct attach_request *request,
		      struct wf_err *err)
{
	uint64_t random;
	int r;

	spec->mtu = request->mtu ? request->mtu : network->mtu;
	if (spec->mtu > network->mtu && !wf_ctl_is_routed_by_host(network))
		return wf_fail_field(err, -EINVAL, "mtu", "%u is larger than the %u of device %s",
				     spec->mtu, network->mtu, network->parent);
	if (wf_mac_is_zero(&spec->mac)) {
		if (getrandom(&random, sizeof(random), 0) != sizeof(random))
			return wf_fail(err, -EIO, "no randomness for a MAC address");
		spec->mac = wf_choose_mac(random);
	} else {
		/* asked for, or held with the addresses */
		r = check_mac(control, network, &spec->mac, err);
		if (r < 0)
			return r;
	}
	if (!wf_ctl_is_routed_by_host(network))
		return 0;
	spec->slot = wf_ctl_slot_take(control);
	if (!spec->slot)
		return wf_fail(err, -ENOSPC,
			       "all %d endpoint slots of the node are taken; detach some endpoints",
			       WF_MAX_SLOTS - 1);
	spec->ifindex = WF_IFINDEX_BASE + spec->slot;
	return 0;
}

int wf_ctl_attach_fill(struct wf_control *control, struct ctl_network *network,
		       const struct attach_request *request, const struct wf_net_ns_id *ns,
		       struct wf_endpoint *spec, struct wf_err *err)
{
	int r;

	*spec = (struct wf_endpoint){ .netns_dev = ns->dev, .netns_inode = ns->inode, .nsid = -1 };
	r = wf_ctl_attach_copy(request, spec, err);
	if (r < 0)
		return r;
	(void)snprintf(spec->network, sizeof(spec->network), "%s", network->spec.meta.name);
	(void)snprintf(spec->boot_id, sizeof(spec->boot_id), "%s", control->boot_id);
	if (wf_ctl_is_shared(control) && !(spec->node = strdup(control->config.node_name)))
		return wf_fail(err, -ENOMEM, "out of memory");
	r = choose_ifname(control, spec, request->ifname, err);
	if (r < 0)
		return r;
	if (!*spec->meta.name)
		default_name(control, spec);
	r = choose_default_route(control, &network->spec, request, spec, err);
	if (r < 0)
		return r;
	if (request->sticky || network->spec.sticky) {
		spec->sticky_name =
			strdup(*request->sticky_name ? request->sticky_name : spec->meta.name);
		if (!spec->sticky_name)
			return wf_fail(err, -ENOMEM, "out of memory");
	}
	r = clear_predecessor(control, spec, err);
	if (r == 0)
		r = check_space(control, network, spec, err);
	if (r == 0)
		r = wf_ctl_attach_addresses(control, network, request, spec, err);
	if (r == 0) {
		r = fill_links(control, network, spec, request, err);
		if (r < 0)
			wf_ctl_attach_unaddress(network, spec, false);
	}
	return r;
}
