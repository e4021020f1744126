/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The devices below macvlan and ipvlan networks: one of the host's, or the device of a VLAN on one.
 * A VLAN's device that is missing is made, and goes with the last network that uses it; one that
 * somebody else has made is used and left alone.
 *
 * With a parent the kernel deletes what containers have on it, in their namespaces, where nobody
 * looks: when the next one is there, their interfaces are made again.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "control/control_priv.h"

WF_LOG_MODULE(parent);

/* A device as wf_net_link_find() tells it, with its strings. */
struct device {
	struct wf_net_link link;
	char names[256];
};

bool wf_ctl_has_parent(const struct ctl_network *network)
{
	return network->spec.driver == WF_DRIVER_MACVLAN ||
	       network->spec.driver == WF_DRIVER_IPVLAN;
}

/* The VLAN that the document asks for, on which device if its name says so; 0: none. */
static uint16_t wanted_vlan(const struct ctl_network *network, char ret_device[16])
{
	if (!wf_ctl_has_parent(network))
		return 0;
	if (!network->spec.vlan)
		return wf_network_name_vlan(network->spec.parent, ret_device);
	memcpy(ret_device, network->spec.parent, sizeof(network->spec.parent));
	return network->spec.vlan;
}

static int find(struct wf_control *control, const char *name, uint32_t ifindex,
		struct device *device, struct wf_err *err)
{
	return wf_net_link_find(control->net, name, ifindex, &device->link, device->names, err);
}

static bool is_there(struct wf_control *control, uint32_t ifindex)
{
	struct device device;

	return find(control, NULL, ifindex, &device, NULL) == 0;
}

/* A VLAN does not move to another device under the containers that are in it. */
static int find_default(struct wf_control *control, const struct ctl_network *network,
			struct device *device, struct wf_err *err)
{
	uint32_t ifindex = 0, mtu;
	char name[16];
	int r;

	if (network->spec.vlan && network->endpoint_count && network->base_ifindex &&
	    find(control, NULL, network->base_ifindex, device, NULL) == 0)
		return 0;
	r = wf_net_default_device(control->net, name, &ifindex, &mtu, err);
	if (r < 0)
		return wf_fail_field(err, r, "spec.parent",
				     "the host has no default route to take the parent device "
				     "from; name one");
	return find(control, NULL, ifindex, device, err);
}

/* Whether a name reads as that of a VLAN that cannot be: eth0.4095. */
static bool is_beyond(const char *name)
{
	const char *dot = strrchr(name, '.');
	char device[16];

	return dot && dot[1] && !dot[1 + strspn(dot + 1, "0123456789")] &&
	       !wf_network_name_vlan(name, device);
}

/* The device that is named, or that the named VLAN is on; *ret_vlan: which VLAN of it, or 0. */
static int find_named(struct wf_control *control, const struct ctl_network *network,
		      struct device *device, uint16_t *ret_vlan, struct wf_err *err)
{
	const char *name = network->spec.parent;
	char base[16];
	int r = find(control, name, 0, device, err);

	*ret_vlan = network->spec.vlan;
	if (r != -ENODEV)
		return r;
	if (!network->spec.vlan && wf_network_name_vlan(name, base)) {
		*ret_vlan = wf_network_name_vlan(name, base);
		r = find(control, base, 0, device, err);
		return r == -ENODEV ? wf_fail_field(err, r, "spec.parent",
						    "the host has no device %s, and no %s to make "
						    "that VLAN on",
						    name, base)
				    : r;
	}
	return wf_fail_field(err, r, "spec.parent", "the host has no device %s%s", name,
			     is_beyond(name) ? " (VLANs are 1 to 4094)" : "");
}

/* Goes on from the device to its VLAN; or from a VLAN's device to itself, as it shall be. */
static int enter_vlan(struct wf_control *control, const struct ctl_network *network, uint16_t vlan,
		      struct device *device, bool *ret_created, struct wf_err *err)
{
	const bool is_made = device->link.group == WF_NET_GROUP_VLAN && device->link.vlan;
	uint32_t base = device->link.ifindex;
	int r;

	if (vlan && is_made)
		return wf_fail_field(err, -EINVAL, "spec.vlan",
				     "%s is a VLAN itself, whose device is made and removed by "
				     "weft; for a VLAN inside of it, make that device yourself",
				     device->link.name);
	if (!vlan && !is_made)
		return 0;
	if (!vlan) {
		base = device->link.parent;
		vlan = device->link.vlan;
	}
	r = wf_net_vlan_ensure(control->net, base, vlan, &device->link, device->names, ret_created,
			       err);
	if (r < 0)
		wf_err_set_field(err, network->spec.vlan ? "spec.vlan" : "spec.parent");
	return r;
}

static void take(struct ctl_network *network, const struct wf_net_link *link)
{
	(void)snprintf(network->parent, sizeof(network->parent), "%.15s", link->name);
	network->parent_ifindex = link->ifindex;
	network->mtu = link->mtu;
	network->vlan = link->vlan;
	network->base_ifindex = link->vlan ? link->parent : 0;
	network->has_made_vlan = link->vlan && link->group == WF_NET_GROUP_VLAN;
}

static void take_none(struct ctl_network *network)
{
	network->parent[0] = '\0';
	network->parent_ifindex = network->base_ifindex = 0;
	network->vlan = 0;
	network->has_made_vlan = false;
}

/* The device of a VLAN is not a network's any more; 0: there was none of weft's making. */
static void leave(struct wf_control *control, uint32_t ifindex)
{
	if (!ifindex)
		return;
	for (const struct ctl_network *network = control->networks; network;
	     network = network->by_name.next)
		if (network->has_made_vlan && network->parent_ifindex == ifindex)
			return;
	if (wf_net_link_del(control->net, ifindex, NULL) < 0)
		wf_ctl_dirty(control, CTL_DIRTY_DEVICES);
}

static int resolve(struct wf_control *control, struct ctl_network *network, struct wf_err *err)
{
	const uint32_t before = network->parent_ifindex;
	bool is_created = false;
	struct device device;
	uint16_t vlan = network->spec.vlan;
	int r = *network->spec.parent ? find_named(control, network, &device, &vlan, err)
				      : find_default(control, network, &device, err);

	if (r == 0)
		r = enter_vlan(control, network, vlan, &device, &is_created, err);
	if (r < 0)
		return r;
	take(network, &device.link);
	if (is_created ||
	    (before && before != network->parent_ifindex && !is_there(control, before))) {
		network->is_stranded = true;
		if (network->endpoint_count)
			wf_ctl_dirty(control, CTL_DIRTY_HOST);
	}
	return 0;
}

int wf_ctl_parent_resolve(struct wf_control *control, struct ctl_network *network,
			  struct wf_err *err)
{
	const uint32_t made = network->has_made_vlan ? network->parent_ifindex : 0;
	int r = 0;

	if (wf_ctl_has_parent(network))
		r = resolve(control, network, err);
	else
		take_none(network);
	if (r == 0 && made != network->parent_ifindex)
		leave(control, made);
	return r;
}

void wf_ctl_parent_drop(struct wf_control *control, struct ctl_network *network)
{
	const uint32_t made = network->has_made_vlan ? network->parent_ifindex : 0;

	take_none(network);
	leave(control, made);
}

/* Whether it is what a network waits for: it has the name, and is not what the network has. */
static bool is_awaited(const struct ctl_network *network, const struct wf_net_link *link)
{
	char base[16];

	if (!*network->spec.parent || link->ifindex == network->parent_ifindex ||
	    link->ifindex == network->base_ifindex)
		return false;
	if (strcmp(link->name, network->spec.parent) == 0)
		return true;
	return (network->base_ifindex || !network->parent_ifindex) && wanted_vlan(network, base) &&
	       strcmp(link->name, base) == 0;
}

static bool concerns(const struct ctl_network *network, const struct wf_net_event *event)
{
	const bool is_parent = event->ifindex == network->parent_ifindex;

	if (!wf_ctl_has_parent(network))
		return false;
	if (event->type == WF_NET_EVENT_LINK_DEL)
		return is_parent || event->ifindex == network->base_ifindex;
	if (is_parent && network->has_made_vlan)
		return !event->link.up || event->link.group != WF_NET_GROUP_VLAN ||
		       strcmp(event->link.name, network->parent) != 0;
	return is_awaited(network, &event->link);
}

bool wf_ctl_parent_concerns(const struct wf_control *control, const struct wf_net_event *event)
{
	for (const struct ctl_network *network = control->networks; network;
	     network = network->by_name.next)
		if (concerns(network, event))
			return true;
	return false;
}

bool wf_ctl_vlan_is_lost(const struct wf_control *control, const struct wf_net_link *link)
{
	char device[16];

	if (link->group != WF_NET_GROUP_VLAN || !link->vlan)
		return false;
	/* a network in a VLAN with that tag may have containers there, on a former parent */
	for (const struct ctl_network *network = control->networks; network;
	     network = network->by_name.next)
		if (wanted_vlan(network, device) == link->vlan)
			return false;
	return true;
}

/* Makes an endpoint's interface again; -EEXIST: it has not been lost. */
static int remake(struct wf_control *control, struct ctl_endpoint *endpoint, struct wf_err *err)
{
	_cleanup_close_ int fd = -1;
	struct wf_net_ns_id id;
	int r = wf_net_ns_open(endpoint->spec.netns, &fd, &id, err);

	if (r == 0)
		r = wf_ctl_endpoint_link(control, endpoint, fd, err);
	if (r < 0)
		return r;
	control->repairs_total++;
	wf_log_warning("endpoint repaired", "endpoint=%s missing=device", endpoint->spec.meta.name);
	return 0;
}

static void remake_all(struct wf_control *control, struct ctl_network *network)
{
	struct ctl_endpoint *endpoint, *next;

	network->is_stranded = false;
	HASH_ITER(by_name, control->endpoints, endpoint, next) {
		struct wf_err fault = WF_ERR_INIT;
		int r;

		if (endpoint->network != network || endpoint->spec.phase != WF_ENDPOINT_READY ||
		    !wf_ctl_namespace_alive(control, &endpoint->spec))
			continue;
		r = remake(control, endpoint, &fault);
		if (r == 0 || r == -EEXIST)
			continue;
		wf_log_warning_rl("repair failed", "endpoint=%s error=\"%s\"",
				  endpoint->spec.meta.name, fault.message);
		network->is_stranded = true;
	}
}

/* Whether there is something to look after; a default route may lead elsewhere at any time. */
static bool is_kept(const struct ctl_network *network)
{
	return wf_ctl_has_parent(network) && (*network->spec.parent || network->spec.vlan ||
					      wf_ctl_wants_host_device(&network->spec));
}

void wf_ctl_parents_repair(struct wf_control *control)
{
	struct ctl_network *network, *next;

	HASH_ITER(by_name, control->networks, network, next) {
		int r = is_kept(network) ? wf_ctl_network_resolve(control, network, NULL) : 0;

		if (r == 0 && network->is_stranded)
			remake_all(control, network);
		/* a parent that is gone may never come back, nor does a kernel learn of VLANs */
		if ((r < 0 && r != -ENODEV && r != -EOPNOTSUPP) || (r == 0 && network->is_stranded))
			wf_ctl_dirty_later(control, CTL_DIRTY_HOST);
	}
}
