/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the fake: what there is, and what goes with what. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "fake_net_priv.h"

void fake_must(bool condition)
{
	if (!condition)
		abort();
}

void fake_push(struct wf_net *net, struct wf_net_event event)
{
	fake_must(net->event_count < MAX_EVENTS);
	net->events[net->event_count++] = (struct queued){ .event = event };
	(void)eventfd_write(net->event_fd, 1);
}

struct link *fake_link_by_index(const struct wf_net *net, uint32_t ifindex)
{
	for (size_t i = 0; i < MAX_LINKS; i++)
		if (net->links[i].used && net->links[i].ifindex == ifindex)
			return (struct link *)&net->links[i];
	return NULL;
}

struct link *fake_link_by_name(const struct wf_net *net, const char *name)
{
	for (size_t i = 0; i < MAX_LINKS; i++)
		if (net->links[i].used && strcmp(net->links[i].name, name) == 0)
			return (struct link *)&net->links[i];
	return NULL;
}

struct link *fake_add_link(struct wf_net *net, const char *name, uint32_t ifindex, const char *kind,
			   uint32_t mtu)
{
	struct link *link = NULL;

	for (size_t i = 0; !link && i < MAX_LINKS; i++)
		if (!net->links[i].used)
			link = &net->links[i];
	fake_must(link != NULL);
	*link = (struct link){ .used = true, .mtu = mtu, .peer_ns = HOST_NS };
	link->ifindex = ifindex ? ifindex : net->next_ifindex++;
	link->mac = (struct wf_mac){ .bytes = { 2, 0, 0, 0, (uint8_t)(link->ifindex >> 8),
						(uint8_t)link->ifindex } };
	(void)snprintf(link->name, sizeof(link->name), "%s", name);
	(void)snprintf(link->kind, sizeof(link->kind), "%s", kind);
	return link;
}

struct link *fake_add_vlan(struct wf_net *net, const char *name, const struct link *parent,
			   uint16_t vlan)
{
	struct link *link = fake_add_link(net, name, 0, "vlan", parent->mtu);

	link->parent = parent->ifindex;
	link->vlan = vlan;
	return link;
}

void fake_describe(const struct link *link, struct wf_net_link *ret)
{
	*ret = (struct wf_net_link){ .ifindex = link->ifindex,
				     .name = link->name,
				     .kind = link->kind,
				     .alias = link->alias,
				     .group = link->group,
				     .mtu = link->mtu,
				     .parent = link->parent,
				     .vlan = link->vlan,
				     .peer_nsid = -1,
				     .up = link->up,
				     .mac = link->mac };
}

void fake_tell_about(struct wf_net *net, const struct link *link, enum wf_net_event_type type)
{
	fake_push(net, (struct wf_net_event){ .type = type, .ifindex = link->ifindex });
	net->events[net->event_count - 1].link = *link;
}

void fake_tell_link(struct wf_net *net, const struct link *link)
{
	fake_tell_about(net, link, WF_NET_EVENT_LINK_CHANGE);
}

bool fake_is_block_used(const struct wf_net *net, uint32_t block)
{
	for (size_t i = 0; i < MAX_LINKS; i++)
		if (net->links[i].used &&
		    (net->links[i].ingress == block || net->links[i].egress == block))
			return true;
	return false;
}

/* A block ends with the last device that uses it, and its filter with the block. */
void fake_settle_blocks(struct wf_net *net)
{
	for (size_t i = 0; i < 2; i++)
		if (net->blocks[i].prog_id && !fake_is_block_used(net, net->blocks[i].number))
			net->blocks[i].prog_id = 0;
}

static void remove_inner_of(struct wf_net *net, uint32_t host_ifindex)
{
	for (size_t n = 0; n < net->ns_count; n++)
		for (size_t i = 0; i < MAX_INNER; i++)
			if (net->ns[n].inner[i].used &&
			    net->ns[n].inner[i].host_ifindex == host_ifindex)
				net->ns[n].inner[i].used = false;
}

/* macvlan and ipvlan interfaces of containers go with their parent. */
static void remove_inner_on(struct wf_net *net, uint32_t parent)
{
	for (size_t n = 0; n < net->ns_count; n++)
		for (size_t i = 0; i < MAX_INNER; i++)
			if (net->ns[n].inner[i].used && net->ns[n].inner[i].parent == parent)
				net->ns[n].inner[i].used = false;
}

void fake_forget_neighs(struct wf_net *net, uint32_t ifindex)
{
	size_t kept = 0;

	for (size_t i = 0; i < net->neigh_count; i++)
		if (net->neighs[i].ifindex != ifindex)
			net->neighs[kept++] = net->neighs[i];
	net->neigh_count = kept;
}

/* The kernel takes addresses and routes along without a word about the routes. */
void fake_remove_link(struct wf_net *net, struct link *link)
{
	uint32_t ifindex = link->ifindex;
	size_t kept = 0;

	link->used = false;
	if (link->peer_ns != HOST_NS)
		remove_inner_of(net, ifindex);
	for (size_t i = 0; i < net->route_count; i++)
		if (net->routes[i].route.ifindex != ifindex)
			net->routes[kept++] = net->routes[i];
	net->route_count = kept;
	kept = 0;
	for (size_t i = 0; i < net->address_count; i++)
		if (net->addresses[i].ifindex != ifindex)
			net->addresses[kept++] = net->addresses[i];
	net->address_count = kept;
	fake_forget_neighs(net, ifindex);
	fake_settle_blocks(net);
	fake_tell_about(net, link, WF_NET_EVENT_LINK_DEL);
	remove_inner_on(net, ifindex);
	/* a macvlan goes with its parent, and one end of the host's pair with the other */
	for (size_t i = 0; i < MAX_LINKS; i++)
		if (net->links[i].used && net->links[i].parent == ifindex)
			fake_remove_link(net, &net->links[i]);
}

struct ns *fake_ns_of_fd(struct wf_net *net, int fd)
{
	fake_must(fd >= 0 && fd < MAX_FDS && net->fds[fd]);
	return &net->ns[net->fds[fd] - 1];
}

struct ns *fake_ns_by_path(const struct wf_net *net, const char *path)
{
	for (size_t i = 0; i < net->ns_count; i++)
		if (net->ns[i].alive && strcmp(net->ns[i].path, path) == 0)
			return (struct ns *)&net->ns[i];
	return NULL;
}

struct inner *fake_inner_by_name(struct ns *ns, const char *ifname, bool buried)
{
	for (size_t i = 0; i < MAX_INNER; i++)
		if (ns->inner[i].used && ns->inner[i].buried == buried &&
		    strcmp(ns->inner[i].ifname, ifname) == 0)
			return &ns->inner[i];
	return NULL;
}

const char *fake_device_name(const struct wf_net *net, uint32_t ifindex)
{
	const struct link *link = fake_link_by_index(net, ifindex);

	return link ? link->name : "?";
}
