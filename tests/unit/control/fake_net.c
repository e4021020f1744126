/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net/net.h over the tables: devices, filters and events. Endpoints are in fake_net_endpoint.c, the
 * host in fake_net_host.c.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include "fake_net_priv.h"

struct wf_net *fake_net_current;

int wf_net_open(struct wf_net **ret_net, struct wf_err *err)
{
	*ret_net = fake_net_new();
	return 0;
}

int wf_net_open_reader(struct wf_net **ret_net, struct wf_err *err)
{
	return wf_net_open(ret_net, err);
}

void wf_net_close(struct wf_net **net)
{
	fake_net_free(net);
}

static struct link *find_vlan(struct wf_net *net, uint32_t parent, uint16_t vlan)
{
	for (size_t i = 0; i < MAX_LINKS; i++)
		if (net->links[i].used && net->links[i].parent == parent &&
		    net->links[i].vlan == vlan)
			return &net->links[i];
	return NULL;
}

int wf_net_vlan_ensure(struct wf_net *net, uint32_t parent_ifindex, uint16_t vlan,
		       struct wf_net_link *ret_link, char names[256], bool *ret_created,
		       struct wf_err *err)
{
	const struct link *parent = fake_link_by_index(net, parent_ifindex);
	struct link *link = find_vlan(net, parent_ifindex, vlan);
	char name[24];

	PASS(-EIO, err);
	if (!parent)
		return wf_fail(err, -ENODEV, "the parent is gone");
	*ret_created = !link;
	(void)snprintf(name, sizeof(name), "%.10s.%u", parent->name, vlan);
	if (!link && fake_link_by_name(net, name))
		return wf_fail(err, -EEXIST, "interface %s is another's", name);
	if (!link) {
		link = fake_add_vlan(net, name, parent, vlan);
		link->group = WF_NET_GROUP_VLAN;
	}
	if (link->group == WF_NET_GROUP_VLAN)
		link->up = true;
	fake_describe(link, ret_link);
	return 0;
}

int wf_net_overlay_ensure(struct wf_net *net, uint16_t port, uint32_t mtu, uint32_t *ret_ifindex,
			  struct wf_err *err)
{
	struct link *link = fake_link_by_name(net, WF_NET_OVERLAY_DEVICE);

	(void)port;
	PASS(-EIO, err);
	if (!link)
		link = fake_add_link(net, WF_NET_OVERLAY_DEVICE, 0, "vxlan", mtu);
	*ret_ifindex = link->ifindex;
	return 0;
}

int wf_net_link_del(struct wf_net *net, uint32_t ifindex, struct wf_err *err)
{
	struct link *link = fake_link_by_index(net, ifindex);

	PASS(-EIO, err);
	if (link)
		fake_remove_link(net, link);
	return 0;
}

int wf_net_link_dump(struct wf_net *net, wf_net_link_fn visit, void *context, struct wf_err *err)
{
	PASS(-EIO, err);
	for (size_t i = 0; i < MAX_LINKS; i++) {
		struct wf_net_link link;

		if (!net->links[i].used)
			continue;
		fake_describe(&net->links[i], &link);
		visit(&link, context);
	}
	return 0;
}

int wf_net_link_find(struct wf_net *net, const char *name, uint32_t ifindex,
		     struct wf_net_link *ret_link, char names[256], struct wf_err *err)
{
	const struct link *link =
		name ? fake_link_by_name(net, name) : fake_link_by_index(net, ifindex);

	PASS(-EIO, err);
	if (!link)
		return wf_fail(err, -ENODEV, "there is no device %s", name ? name : "?");
	fake_describe(link, ret_link);
	return 0;
}

int wf_net_default_device(struct wf_net *net, char ret_name[16], uint32_t *ret_ifindex,
			  uint32_t *ret_mtu, struct wf_err *err)
{
	const struct link *link = fake_link_by_name(net, net->default_device);

	PASS(-EIO, err);
	if (!link)
		return wf_fail(err, -ENODEV, "there is no default route");
	(void)snprintf(ret_name, 16, "%s", link->name);
	*ret_ifindex = link->ifindex;
	*ret_mtu = link->mtu;
	return 0;
}

int wf_net_block_set(struct wf_net *net, uint32_t block, int prog_fd, const char *name,
		     struct wf_err *err)
{
	PASS(-EIO, err);
	if (!fake_is_block_used(net, block))
		return wf_fail(err, -EINVAL, "no device uses block %x", block);
	/* ids as fake_dp.c gives them; both programs have one descriptor there */
	net->blocks[block == WF_BLOCK_EGRESS].prog_id = 700 + (block == WF_BLOCK_EGRESS);
	return 0;
}

int wf_net_block_get(struct wf_net *net, uint32_t block, uint32_t *ret_prog_id, struct wf_err *err)
{
	PASS(-EIO, err);
	*ret_prog_id = net->blocks[block == WF_BLOCK_EGRESS].prog_id;
	return *ret_prog_id ? 0 : wf_fail(err, -ENOENT, "block %x has no filter", block);
}

int wf_net_blocks_attach(struct wf_net *net, uint32_t ifindex, uint32_t ingress, uint32_t egress,
			 struct wf_err *err)
{
	struct link *link = fake_link_by_index(net, ifindex);

	PASS(-EIO, err);
	if (!link)
		return wf_fail(err, -ENODEV, "there is no device %u", ifindex);
	link->ingress = ingress;
	link->egress = egress;
	return 0;
}

int wf_net_qdisc_dump(struct wf_net *net, wf_net_qdisc_fn visit, void *context, struct wf_err *err)
{
	PASS(-EIO, err);
	for (size_t i = 0; i < MAX_LINKS; i++)
		if (net->links[i].used && net->links[i].ingress)
			visit(net->links[i].ifindex, net->links[i].ingress, net->links[i].egress,
			      context);
	return 0;
}

int wf_net_event_fd(const struct wf_net *net)
{
	return net->event_fd;
}

int wf_net_event_read(struct wf_net *net, wf_net_event_fn callback, void *context)
{
	static struct queued taken[MAX_EVENTS];
	size_t count = net->event_count;
	eventfd_t ignored;

	(void)eventfd_read(net->event_fd, &ignored);
	memcpy(taken, net->events, count * sizeof(taken[0]));
	net->event_count = 0;
	for (size_t i = 0; i < count; i++) {
		fake_describe(&taken[i].link, &taken[i].event.link);
		callback(&taken[i].event, context);
	}
	return (int)count;
}
