/* SPDX-License-Identifier: Apache-2.0 */
/* What tests see of the fake and do to it: setting up, breaking, looking. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fake_net_priv.h"

struct wf_net *fake_net_new(void)
{
	struct wf_net *net = calloc(1, sizeof(*net));

	fake_must(net != NULL);
	net->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	net->next_ifindex = FIRST_IFINDEX;
	net->next_inode = 4026532000U;
	net->blocks[0].number = WF_BLOCK_INGRESS;
	net->blocks[1].number = WF_BLOCK_EGRESS;
	(void)fake_net_add_device(net, "uplink", 1500);
	fake_net_set_default(net, "uplink");
	return net;
}

void fake_net_free(struct wf_net **net)
{
	if (!*net)
		return;
	(void)close((*net)->event_fd);
	free(*net);
	*net = NULL;
}

void fake_net_add_ns(struct wf_net *net, const char *path)
{
	struct ns *ns = NULL;

	fake_must(!fake_ns_by_path(net, path));
	for (size_t i = 0; !ns && i < net->ns_count; i++)
		if (!net->ns[i].alive)
			ns = &net->ns[i];
	if (!ns)
		ns = &net->ns[net->ns_count++];
	fake_must(net->ns_count <= MAX_NS);
	*ns = (struct ns){ .alive = true, .nsid = -1 };
	ns->id = (struct wf_net_ns_id){ .dev = 4, .inode = net->next_inode++ };
	(void)snprintf(ns->path, sizeof(ns->path), "%s", path);
}

void fake_net_kill_ns(struct wf_net *net, const char *path)
{
	struct ns *ns = fake_ns_by_path(net, path);
	int32_t nsid;

	fake_must(ns != NULL);
	nsid = ns->nsid;
	ns->alive = false;
	for (size_t i = 0; i < MAX_INNER; i++) {
		struct link *link = ns->inner[i].used && ns->inner[i].host_ifindex
					    ? fake_link_by_index(net, ns->inner[i].host_ifindex)
					    : NULL;

		ns->inner[i].used = false;
		if (link)
			fake_remove_link(net, link);
	}
	if (nsid >= 0)
		fake_push(net,
			  (struct wf_net_event){ .type = WF_NET_EVENT_NSID_DEL, .nsid = nsid });
}

size_t fake_net_ns_interfaces(const struct wf_net *net, const char *path)
{
	const struct ns *ns = fake_ns_by_path(net, path);
	size_t count = 0;

	for (size_t i = 0; ns && i < MAX_INNER; i++)
		count += ns->inner[i].used && !ns->inner[i].buried;
	return count;
}

bool fake_net_ns_has_netkit(const struct wf_net *net, const char *path)
{
	const struct ns *ns = fake_ns_by_path(net, path);
	bool found = false;

	for (size_t i = 0; ns && i < MAX_INNER; i++)
		found |= ns->inner[i].used && ns->inner[i].is_netkit;
	return found;
}

uint32_t fake_net_add_device(struct wf_net *net, const char *name, uint32_t mtu)
{
	struct link *link = fake_add_link(net, name, 0, "", mtu);

	link->up = true;
	return link->ifindex;
}

void fake_net_add_vlan(struct wf_net *net, const char *name, const char *parent, uint16_t vlan)
{
	const struct link *base = fake_link_by_name(net, parent);

	fake_must(base != NULL);
	fake_add_vlan(net, name, base, vlan)->up = true;
}

bool fake_net_has(const struct wf_net *net, const char *name)
{
	return fake_link_by_name(net, name);
}

void fake_net_set_group(struct wf_net *net, const char *name, uint32_t group)
{
	struct link *link = fake_link_by_name(net, name);

	fake_must(link != NULL);
	link->group = group;
	fake_tell_link(net, link);
}

void fake_net_add_route(struct wf_net *net, const char *prefix, const char *device)
{
	struct link *link = fake_link_by_name(net, device);
	struct route *route = &net->routes[net->route_count++];

	fake_must(link && net->route_count <= MAX_ROUTES);
	*route = (struct route){ .protocol = FOREIGN };
	route->route.ifindex = link->ifindex;
	fake_must(wf_prefix_parse(prefix, &route->route.prefix) == 0);
}

void fake_net_set_default(struct wf_net *net, const char *device)
{
	(void)snprintf(net->default_device, sizeof(net->default_device), "%s", device);
}

bool fake_net_delete_link(struct wf_net *net, const char *name)
{
	struct link *link = fake_link_by_name(net, name);

	if (link)
		fake_remove_link(net, link);
	return link;
}

bool fake_net_set_down(struct wf_net *net, const char *name)
{
	struct link *link = fake_link_by_name(net, name);

	if (!link)
		return false;
	link->up = false;
	fake_tell_link(net, link);
	return true;
}

bool fake_net_rename(struct wf_net *net, const char *name, const char *to)
{
	struct link *link = fake_link_by_name(net, name);

	if (!link)
		return false;
	(void)snprintf(link->name, sizeof(link->name), "%s", to);
	fake_tell_link(net, link);
	return true;
}

bool fake_net_delete_qdisc(struct wf_net *net, const char *name)
{
	struct link *link = fake_link_by_name(net, name);

	if (!link || !link->ingress)
		return false;
	link->ingress = 0;
	link->egress = 0;
	fake_settle_blocks(net);
	fake_push(net, (struct wf_net_event){ .type = WF_NET_EVENT_QDISC_DEL,
					      .ifindex = link->ifindex });
	return true;
}

bool fake_net_delete_filter(struct wf_net *net, uint32_t number)
{
	for (size_t i = 0; i < 2; i++) {
		struct block *block = &net->blocks[i];

		if (block->number != number || !block->prog_id)
			continue;
		block->prog_id = 0;
		fake_push(net, (struct wf_net_event){ .type = WF_NET_EVENT_FILTER_DEL,
						      .block = number });
		return true;
	}
	return false;
}

bool fake_net_delete_route(struct wf_net *net, size_t index)
{
	for (size_t i = 0; i < net->route_count; i++) {
		if (net->routes[i].protocol != WF_NET_ROUTE_PROTOCOL || index--)
			continue;
		net->routes[i] = net->routes[--net->route_count];
		fake_push(net, (struct wf_net_event){ .type = WF_NET_EVENT_ROUTE_DEL,
						      .protocol = WF_NET_ROUTE_PROTOCOL });
		return true;
	}
	return false;
}

bool fake_net_delete_address(struct wf_net *net, size_t index)
{
	uint32_t ifindex;

	if (index >= net->address_count)
		return false;
	ifindex = net->addresses[index].ifindex;
	net->addresses[index] = net->addresses[--net->address_count];
	fake_push(net, (struct wf_net_event){ .type = WF_NET_EVENT_ADDR_DEL, .ifindex = ifindex });
	return true;
}

bool fake_net_strip_ns(struct wf_net *net, const char *path)
{
	struct ns *ns = fake_ns_by_path(net, path);

	for (size_t i = 0; ns && i < MAX_INNER; i++)
		if (ns->inner[i].used && ns->inner[i].address_count) {
			ns->inner[i].address_count = 0;
			return true;
		}
	return false;
}

void fake_net_overrun(struct wf_net *net)
{
	net->event_count = 0;
	fake_push(net, (struct wf_net_event){ .type = WF_NET_EVENT_OVERRUN });
}

void fake_net_forget_events(struct wf_net *net)
{
	net->event_count = 0;
}

void fake_net_dig(struct wf_net *net)
{
	for (size_t i = 0; i < MAX_LINKS; i++)
		if (net->links[i].used && net->links[i].group == WF_NET_GROUP_DEAD)
			fake_remove_link(net, &net->links[i]);
	for (size_t n = 0; n < net->ns_count; n++)
		for (size_t i = 0; i < MAX_INNER; i++)
			if (net->ns[n].inner[i].buried)
				net->ns[n].inner[i].used = net->ns[n].inner[i].buried = false;
}

bool fake_net_is_busy(const struct wf_net *net)
{
	for (size_t i = 0; i < MAX_LINKS; i++)
		if (net->links[i].used && net->links[i].group == WF_NET_GROUP_DEAD)
			return true;
	return net->event_count;
}

static void dump_inner(const struct wf_net *net, const struct ns *ns, const struct inner *inner,
		       struct wf_str *out)
{
	static const char *const kinds[] = { "veth", "macvlan", "ipvlan", "lo" };
	char text[WF_ADDR_TEXT], mac[WF_MAC_TEXT];

	wf_str_addf(out, "inside %s %s %s mtu=%u mac=%s parent=%s", ns->path, inner->ifname,
		    kinds[inner->kind], inner->mtu, wf_mac_format(&inner->mac, mac),
		    inner->parent ? fake_device_name(net, inner->parent) : "-");
	for (size_t i = 0; i < inner->address_count; i++)
		wf_str_addf(out, " %s", wf_prefix_format(&inner->addresses[i].prefix, text));
	for (size_t i = 0; i < inner->route_count; i++)
		if (inner->routes[i].prefix.len)
			wf_str_addf(out, " route=%s",
				    wf_prefix_format(&inner->routes[i].prefix, text));
		else
			wf_str_addf(out, " default=%s",
				    wf_addr_format(&inner->routes[i].via, text));
	wf_str_addf(out, "\n");
}

static bool is_on_other(const struct link *link)
{
	return strcmp(link->kind, "macvlan") == 0 || link->vlan;
}

static bool is_of_weft(const struct link *link)
{
	return link->kind[0] && (!link->vlan || link->group == WF_NET_GROUP_VLAN);
}

static void dump_links(const struct wf_net *net, struct wf_str *out)
{
	for (size_t i = 0; i < MAX_LINKS; i++) {
		const struct link *link = &net->links[i];

		if (link->used && is_of_weft(link) && link->group != WF_NET_GROUP_DEAD)
			wf_str_addf(out, "link %s %s%s%s%s%s\n", link->name,
				    link->up ? "up" : "down", link->ingress ? " blocks" : "",
				    is_on_other(link) ? " parent=" : "",
				    is_on_other(link) ? fake_device_name(net, link->parent) : "",
				    link->alias[0] ? " alias" : "");
	}
}

void fake_net_dump(const struct wf_net *net, struct wf_str *out)
{
	char prefix[WF_ADDR_TEXT], source[WF_ADDR_TEXT], mac[WF_MAC_TEXT];

	dump_links(net, out);
	for (size_t i = 0; i < net->route_count; i++) {
		const struct wf_net_route *route = &net->routes[i].route;

		if (net->routes[i].protocol == WF_NET_ROUTE_PROTOCOL)
			wf_str_addf(out, "route %s dev %s src %s mtu %u\n",
				    wf_prefix_format(&route->prefix, prefix),
				    fake_device_name(net, route->ifindex),
				    wf_addr_is_zero(&route->source)
					    ? "-"
					    : wf_addr_format(&route->source, source),
				    route->mtu);
	}
	for (size_t i = 0; i < net->address_count; i++)
		wf_str_addf(out, "address %s dev %s\n",
			    wf_prefix_format(&net->addresses[i].prefix, prefix),
			    fake_device_name(net, net->addresses[i].ifindex));
	for (size_t i = 0; i < net->neigh_count; i++)
		wf_str_addf(out, "neigh %s dev %s mac %s\n",
			    wf_addr_format(&net->neighs[i].peer.addr, prefix),
			    fake_device_name(net, net->neighs[i].ifindex),
			    wf_mac_format(&net->neighs[i].peer.mac, mac));
	for (size_t i = 0; i < 2; i++)
		if (net->blocks[i].prog_id)
			wf_str_addf(out, "block %x program %u\n", net->blocks[i].number,
				    net->blocks[i].prog_id);
	fake_dump_uplinks(net, out);
	for (size_t n = 0; n < net->ns_count; n++)
		for (size_t i = 0; i < MAX_INNER; i++)
			if (net->ns[n].inner[i].used && !net->ns[n].inner[i].buried)
				dump_inner(net, &net->ns[n], &net->ns[n].inner[i], out);
}
