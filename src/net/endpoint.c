/* SPDX-License-Identifier: Apache-2.0 */
/* Making the interface of an endpoint, whatever its kind. */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <unistd.h>

#include "net/net_priv.h"

/* Patience with the link watch of kernels before 6.7: 10 ms. */
#define CARRIER_TRIES   50
#define CARRIER_WAIT_US 200

/* Tells which of the names and numbers of a new interface is taken. */
static int explain_exists(struct wf_net *net, struct wf_netlink_socket *inside,
			  const struct wf_net_endpoint *endpoint, struct wf_err *err)
{
	char names[256], ns[WF_NET_NS_TEXT];
	struct wf_net_link link;

	if (wf_net_link_get(inside, wf_net_batch(net), endpoint->ifname, 0, &link, names, NULL) ==
	    0)
		return wf_fail(err, -EEXIST, "interface %s exists already in %s", endpoint->ifname,
			       wf_net_ns_name(endpoint->netns_fd, ns));
	if (endpoint->kind != WF_NET_KIND_PAIR)
		return -EEXIST;
	if (wf_net_link_find(net, endpoint->host_name, 0, &link, names, NULL) == 0)
		return wf_fail(err, -EBUSY, "interface %s exists already on the host",
			       endpoint->host_name);
	if (wf_net_link_find(net, NULL, endpoint->host_ifindex, &link, names, NULL) == 0)
		return wf_fail(err, -EBUSY, "interface index %u is taken by %s on the host",
			       endpoint->host_ifindex, link.name);
	return -EEXIST;
}

static int make_link(struct wf_net *net, struct wf_netlink_socket *inside,
		     const struct wf_net_endpoint *endpoint, uint32_t *ret_inner, int32_t *ret_nsid,
		     struct wf_err *err)
{
	int r;

	if (endpoint->kind == WF_NET_KIND_PAIR)
		return wf_net_pair_create(net, endpoint, ret_inner, ret_nsid, err);
	r = wf_net_ns_number(net, endpoint->netns_fd, ret_nsid, err);
	if (r < 0)
		return r;
	if (endpoint->kind == WF_NET_KIND_LOOPBACK_ONLY) {
		*ret_inner = 0;
		return 0;
	}
	return wf_net_macvlan_create(net, inside, endpoint, ret_inner, err);
}

static bool delete_inner(struct wf_net *net, struct wf_netlink_socket *inside, uint32_t ifindex)
{
	const struct ifinfomsg header = { .ifi_index = (int)ifindex };
	struct wf_netlink_batch *batch = wf_net_batch(net);

	wf_netlink_batch_begin(batch, RTM_DELLINK, 0, &header, sizeof(header));
	wf_netlink_batch_tolerate(batch, -ENODEV);
	return wf_netlink_transact(inside, batch, NULL, NULL, NULL, NULL) == 0;
}

/* The index of a device of the host, by name or index, that waits for its burial; 0: it does not. */
static uint32_t find_buried(struct wf_net *net, const char *name, uint32_t ifindex)
{
	struct wf_net_link link;
	char names[256];

	return wf_net_link_find(net, name, ifindex, &link, names, NULL) == 0 &&
			       link.group == WF_NET_GROUP_DEAD
		       ? link.ifindex
		       : 0;
}

/* Deletes such a device. */
static bool delete_buried(struct wf_net *net, const char *name, uint32_t ifindex)
{
	const uint32_t buried = find_buried(net, name, ifindex);

	return buried && wf_net_link_del(net, buried, NULL) == 0;
}

/*
 * The inner end of a pair that waits for its burial makes way: to delete it would keep the caller
 * waiting for grace periods of the kernel. Its routes and its local address go as it is taken down.
 */
static bool put_aside(struct wf_net *net, struct wf_netlink_socket *inside,
		      const struct wf_net_link *inner)
{
	const uint32_t buried = find_buried(net, NULL, inner->parent);
	struct wf_netlink_batch *batch;
	char name[IFNAMSIZ];
	int r;

	if (!buried)
		return false;
	(void)snprintf(name, sizeof(name), "wfd%u", inner->ifindex);
	batch = wf_net_batch(net);
	/* before Linux 6.2 an interface had to be down for another name */
	wf_net_link_put_set(batch, inner->ifindex, 0, IFF_UP);
	wf_net_link_put_set(batch, inner->ifindex, 0, 0);
	wf_netlink_put_text(batch, IFLA_IFNAME, name);
	r = wf_netlink_transact(inside, batch, NULL, NULL, NULL, NULL);
	/* it was deleted meanwhile, or has to be */
	return r == 0 || r == -ENODEV || wf_net_link_del(net, buried, NULL) == 0;
}

/* A link that waits for its burial may still hold a name or the index. True when there was one. */
static bool clear_buried(struct wf_net *net, struct wf_netlink_socket *inside,
			 const struct wf_net_endpoint *endpoint)
{
	struct wf_net_link link;
	bool is_cleared = false;
	char names[256];

	if (wf_net_link_get(inside, wf_net_batch(net), endpoint->ifname, 0, &link, names, NULL) ==
	    0) {
		if (link.group == WF_NET_GROUP_DEAD)
			is_cleared = delete_inner(net, inside, link.ifindex);
		else if (link.parent)
			is_cleared = put_aside(net, inside, &link);
	}
	if (endpoint->kind != WF_NET_KIND_PAIR)
		return is_cleared;
	is_cleared |= delete_buried(net, endpoint->host_name, 0);
	is_cleared |= delete_buried(net, NULL, endpoint->host_ifindex);
	return is_cleared;
}

static int make_link_patiently(struct wf_net *net, struct wf_netlink_socket *inside,
			       const struct wf_net_endpoint *endpoint, uint32_t *ret_inner,
			       int32_t *ret_nsid, struct wf_err *err)
{
	int r = make_link(net, inside, endpoint, ret_inner, ret_nsid, err);

	if (r == -EEXIST && clear_buried(net, inside, endpoint))
		r = make_link(net, inside, endpoint, ret_inner, ret_nsid, err);
	return r == -EEXIST ? explain_exists(net, inside, endpoint, err) : r;
}

static void unmake_link(struct wf_net *net, struct wf_netlink_socket *inside,
			const struct wf_net_endpoint *endpoint, uint32_t inner)
{
	if (endpoint->kind == WF_NET_KIND_PAIR)
		(void)wf_net_link_del(net, endpoint->host_ifindex, NULL);
	else if (inner)
		(void)delete_inner(net, inside, inner);
}

/*
 * The host side came up before there was a carrier. The kernel lets it send once its link watch, a
 * worker, has looked at it, which takes milliseconds on a busy host: until then answers to a
 * container's ARP requests are dropped, and the first packet waits a second. Linux from 6.7 on looks
 * when it is asked about the device; earlier ones are waited for.
 */
static void await_host_side(struct wf_net *net, const struct wf_net_endpoint *endpoint)
{
	struct wf_net_link link;
	char names[256];

	if (endpoint->kind != WF_NET_KIND_PAIR)
		return;
	for (int try = 0; try < CARRIER_TRIES; try++) {
		if (wf_net_link_find(net, NULL, endpoint->host_ifindex, &link, names, NULL) < 0 ||
		    link.is_operational)
			return;
		(void)usleep(CARRIER_WAIT_US);
	}
}

int wf_net_endpoint_create(struct wf_net *net, const struct wf_net_endpoint *endpoint,
			   int32_t *ret_nsid, struct wf_err *err)
{
	struct wf_netlink_socket inside;
	uint32_t inner = 0;
	int32_t nsid = -1;
	int r;

	wf_net_grave_disturb(net->grave);
	r = wf_net_ns_socket(net, endpoint->netns_fd, &inside, err);
	if (r < 0)
		return r;
	r = make_link_patiently(net, &inside, endpoint, &inner, &nsid, err);
	if (r == 0) {
		r = wf_net_inside_configure(net, &inside, endpoint, inner, err);
		if (r < 0)
			unmake_link(net, &inside, endpoint, inner);
		else
			*ret_nsid = nsid;
	}
	if (r == 0)
		await_host_side(net, endpoint);
	wf_netlink_close(&inside);
	return r;
}
