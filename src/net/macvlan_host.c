/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's own leg in a macvlan network. The kernel lets no macvlan talk to its parent, so the
 * host gets a macvlan device beside its containers', with a route to each of them. The host's
 * addresses stay where they are, on the parent; the device only helps containers to find them:
 *
 * - IPv4: Linux answers ARP for any of its addresses on any device. arp_filter narrows that to
 *   those who ask from behind a route through this device: the containers. Only on a host that is
 *   told by conf/all/arp_ignore to answer for a device's own addresses it is lent the parent's.
 * - IPv6: Linux answers only for a device's own addresses, so the parent's are proxied. A proxy
 *   must not override what the parent says, as a second owner of the address would.
 * - Permanent neighbour entries: the host never asks for a container by broadcast, which would
 *   tell the wire that the host's address is at this device.
 *
 * - A MAC that follows from the parent's: made anew, the device is where containers expect it.
 *
 * So machines on the wire go on talking to the parent's MAC, and (but for arp_ignore) nothing here
 * keeps an address alive that the parent has lost.
 */
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "net/net_priv.h"

/* Random-looking bits (FNV-1a) of parent and name, as a locally administered MAC. */
static struct wf_mac choose_mac(const struct wf_mac *parent, const char *name)
{
	uint64_t hash = 0xcbf29ce484222325U;
	struct wf_mac mac;

	for (size_t i = 0; i < sizeof(parent->bytes); i++)
		hash = (hash ^ parent->bytes[i]) * 0x100000001b3U;
	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 0x100000001b3U;
	for (size_t i = 0; i < sizeof(mac.bytes); i++)
		mac.bytes[i] = (uint8_t)(hash >> (8 * i));
	mac.bytes[0] = (uint8_t)((mac.bytes[0] & 0xfc) | 2);
	return mac;
}

/* Made down: the settings must be there before IPv6 starts on it. */
static int create(struct wf_net *net, const char *name, uint32_t parent_ifindex, struct wf_err *err)
{
	static const struct ifinfomsg header;
	struct wf_netlink_batch *batch;
	struct wf_net_link parent;
	struct wf_mac mac;
	char names[256];
	int r;

	r = wf_net_link_find(net, NULL, parent_ifindex, &parent, names, err);
	if (r < 0)
		return r;
	mac = choose_mac(&parent.mac, name);
	batch = wf_net_batch(net);
	wf_netlink_batch_begin(batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header,
			       sizeof(header));
	wf_netlink_put_text(batch, IFLA_IFNAME, name);
	wf_netlink_put_u32(batch, IFLA_LINK, parent_ifindex);
	wf_net_link_put_limits(batch, &mac, 0, 0);
	wf_net_macvlan_put_info(batch, WF_NET_KIND_MACVLAN, WF_NET_MODE_BRIDGE);
	return wf_net_macvlan_explain(wf_net_send(&net->socket, batch, NULL, NULL, err),
				      WF_NET_KIND_MACVLAN, err);
}

/*
 * What the wire sends to everybody arrives on parent and device alike: strict rp_filter and
 * accept_ra 0 leave it to the parent. Duplicate detection would only delay the link-local
 * address, which answers to containers come from. Proxying needs `forwarding` of the device; what
 * the host forwards is decided by conf/all alone.
 */
static int set_sysctls(const char *name, struct wf_err *err)
{
	static const struct {
		const char *tree, *setting, *value;
	} settings[] = {
		{ "ipv4/conf", "arp_ignore", "0" },   { "ipv4/conf", "arp_filter", "1" },
		{ "ipv4/conf", "rp_filter", "1" },    { "ipv6/conf", "accept_ra", "0" },
		{ "ipv6/conf", "accept_dad", "0" },   { "ipv6/conf", "forwarding", "1" },
		{ "ipv6/conf", "proxy_ndp", "1" },    { "ipv6/neigh", "proxy_delay", "0" },
		{ "ipv6/conf", "disable_ipv6", "0" },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(settings); i++) {
		char path[96];
		int r;

		(void)snprintf(path, sizeof(path), "%s/%s/%s", settings[i].tree, name,
			       settings[i].setting);
		r = wf_net_sysctl_set(path, settings[i].value, err);
		/* a kernel without IPv6 has no IPv6 settings */
		if (r < 0 && r != -ENOENT)
			return r;
	}
	return 0;
}

int wf_net_macvlan_host_ensure(struct wf_net *net, const char *name, uint32_t parent_ifindex,
			       uint32_t *ret_ifindex, struct wf_err *err)
{
	struct wf_netlink_batch *batch;
	struct wf_net_link link;
	char names[256];
	int r = wf_net_link_find(net, name, 0, &link, names, err);

	if (r == -ENODEV) {
		r = create(net, name, parent_ifindex, err);
		if (r == 0)
			r = wf_net_link_find(net, name, 0, &link, names, err);
	}
	if (r < 0)
		return r;
	if (strcmp(link.kind, "macvlan") != 0 || link.parent != parent_ifindex)
		return wf_fail(err, -EEXIST,
			       "interface %s exists already and is not a macvlan of the parent "
			       "with index %u",
			       name, parent_ifindex);
	r = set_sysctls(name, err);
	if (r == 0 && !link.up) {
		batch = wf_net_batch(net);
		wf_net_link_put_set(batch, link.ifindex, IFF_UP, IFF_UP);
		r = wf_net_send(&net->socket, batch, NULL, NULL, err);
	}
	if (r == 0)
		*ret_ifindex = link.ifindex;
	return r;
}

/* What the device shall know, and how much of it it knows already. */
struct host_side {
	const struct wf_net_macvlan_peer *peers;
	size_t peer_count;
	struct wf_net_addr *addrs; /* owned; of the parent, global */
	size_t addr_count, addr_capacity;
	struct wf_net_neigh *known; /* owned; permanent and proxy entries of the device */
	size_t known_count, known_capacity;
	bool failed; /* out of memory */
};

static void host_side_done(struct host_side *side)
{
	free(side->addrs);
	free(side->known);
}

static void see_addr(const struct wf_net_addr *addr, void *context)
{
	struct host_side *side = context;

	if (addr->scope != RT_SCOPE_UNIVERSE || addr->flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED))
		return;
	if (wf_mem_grow(&side->addrs, sizeof(*side->addrs), side->addr_count,
			&side->addr_capacity) < 0)
		side->failed = true;
	else
		side->addrs[side->addr_count++] = *addr;
}

static void see_neigh(const struct wf_net_neigh *neigh, void *context)
{
	struct host_side *side = context;

	if (!neigh->is_proxy && !neigh->is_permanent)
		return;
	if (wf_mem_grow(&side->known, sizeof(*side->known), side->known_count,
			&side->known_capacity) < 0)
		side->failed = true;
	else
		side->known[side->known_count++] = *neigh;
}

static int look(struct wf_net *net, uint32_t parent_ifindex, struct host_side *side,
		struct wf_err *err)
{
	int r = wf_net_addr_dump(&net->socket, wf_net_batch(net), parent_ifindex, see_addr, side,
				 err);

	return r == 0 && side->failed ? wf_fail(err, -ENOMEM, "out of memory") : r;
}

/*
 * The parent's address that containers can answer to: one in the container's subnet, not a
 * temporary or secondary one if there is another, always the same of several. IPv4 has a second
 * best; left to itself the kernel would take an address of whatever device comes first.
 */
static struct wf_addr choose_source(const struct host_side *side, const struct wf_addr *peer)
{
	struct wf_addr best = { 0 };
	int best_score = 0;

	for (size_t i = 0; i < side->addr_count; i++) {
		const struct wf_net_addr *addr = &side->addrs[i];
		const bool is_near = wf_prefix_contains(&addr->prefix, peer);
		int score = (is_near ? 4 : 0) + (addr->flags & IFA_F_DEPRECATED ? 0 : 2) +
			    (addr->flags & IFA_F_SECONDARY ? 0 : 1);

		if (wf_addr_family(&addr->prefix.addr) != wf_addr_family(peer) ||
		    (!is_near && !wf_addr_is_ip4(peer)) || score < best_score ||
		    (score == best_score && wf_addr_compare(&addr->prefix.addr, &best) >= 0))
			continue;
		best = addr->prefix.addr;
		best_score = score;
	}
	return best;
}

static struct wf_net_route route_to(const struct host_side *side, uint32_t ifindex,
				    const struct wf_addr *peer)
{
	return (struct wf_net_route){
		.prefix = { .addr = *peer, .len = wf_addr_bits(peer) },
		.source = choose_source(side, peer),
		.ifindex = ifindex,
	};
}

static bool is_known(const struct host_side *side, const struct wf_addr *addr,
		     const struct wf_mac *mac)
{
	for (size_t i = 0; i < side->known_count; i++) {
		const struct wf_net_neigh *neigh = &side->known[i];

		if (neigh->is_proxy == !mac && wf_addr_equal(&neigh->addr, addr) &&
		    (!mac || memcmp(&neigh->mac, mac, sizeof(*mac)) == 0))
			return true;
	}
	return false;
}

static bool is_wanted(const struct host_side *side, const struct wf_net_neigh *neigh)
{
	for (size_t i = 0; neigh->is_proxy && i < side->addr_count; i++)
		if (wf_addr_equal(&side->addrs[i].prefix.addr, &neigh->addr))
			return true;
	for (size_t i = 0; !neigh->is_proxy && i < side->peer_count; i++)
		if (wf_addr_equal(&side->peers[i].addr, &neigh->addr))
			return true;
	return false;
}

static int apply(struct wf_net *net, uint32_t ifindex, const struct host_side *side,
		 struct wf_err *err)
{
	static const uint16_t set = NLM_F_CREATE | NLM_F_REPLACE;
	struct wf_netlink_batch *batch = wf_net_batch(net);

	for (size_t i = 0; i < side->known_count; i++) {
		const struct wf_net_neigh *neigh = &side->known[i];

		if (is_wanted(side, neigh))
			continue;
		wf_net_neigh_put(batch, RTM_DELNEIGH, 0, ifindex, &neigh->addr,
				 neigh->is_proxy ? NULL : &neigh->mac);
		wf_netlink_batch_tolerate(batch, -ENOENT);
	}
	for (size_t i = 0; i < side->addr_count; i++) {
		const struct wf_addr *addr = &side->addrs[i].prefix.addr;

		if (!wf_addr_is_ip4(addr) && !is_known(side, addr, NULL))
			wf_net_neigh_put(batch, RTM_NEWNEIGH, set, ifindex, addr, NULL);
	}
	for (size_t i = 0; i < side->peer_count; i++)
		if (!is_known(side, &side->peers[i].addr, &side->peers[i].mac))
			wf_net_neigh_put(batch, RTM_NEWNEIGH, set, ifindex, &side->peers[i].addr,
					 &side->peers[i].mac);
	return wf_net_send(&net->socket, batch, NULL, NULL, err);
}

static int lend_addresses(struct wf_net *net, uint32_t ifindex, const struct host_side *side,
			  struct wf_err *err)
{
	const bool is_strict = !wf_net_sysctl_is("ipv4/conf/all/arp_ignore", "0");
	_cleanup_free_ struct wf_net_address *lent = calloc(side->addr_count + 1, sizeof(*lent));
	size_t count = 0;

	if (!lent)
		return wf_fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; is_strict && i < side->addr_count; i++)
		if (wf_addr_is_ip4(&side->addrs[i].prefix.addr))
			lent[count++].prefix = side->addrs[i].prefix;
	return wf_net_host_sync_addresses(net, ifindex, lent, count, err);
}

int wf_net_macvlan_host_sync(struct wf_net *net, uint32_t ifindex, uint32_t parent_ifindex,
			     const struct wf_net_macvlan_peer *peers, size_t count,
			     struct wf_net_route *ret_routes, struct wf_err *err)
{
	_cleanup_(host_side_done) struct host_side side = { .peers = peers, .peer_count = count };
	int r;

	r = look(net, parent_ifindex, &side, err);
	if (r == 0)
		r = wf_net_neigh_dump(&net->socket, wf_net_batch(net), ifindex, see_neigh, &side,
				      err);
	if (r == 0 && side.failed)
		r = wf_fail(err, -ENOMEM, "out of memory");
	if (r == 0)
		r = apply(net, ifindex, &side, err);
	if (r == 0)
		r = lend_addresses(net, ifindex, &side, err);
	for (size_t i = 0; r == 0 && i < count; i++)
		ret_routes[i] = route_to(&side, ifindex, &peers[i].addr);
	return r;
}

int wf_net_macvlan_peer_add(struct wf_net *net, uint32_t ifindex, uint32_t parent_ifindex,
			    const struct wf_net_macvlan_peer *peer, struct wf_err *err)
{
	_cleanup_(host_side_done) struct host_side side = { 0 };
	struct wf_netlink_batch *batch;
	struct wf_net_route route;
	int r;

	r = look(net, parent_ifindex, &side, err);
	if (r < 0)
		return r;
	batch = wf_net_batch(net);
	wf_net_neigh_put(batch, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, ifindex, &peer->addr,
			 &peer->mac);
	r = wf_net_send(&net->socket, batch, NULL, NULL, err);
	if (r < 0)
		return r;
	route = route_to(&side, ifindex, &peer->addr);
	return wf_net_route_add(net, &route, err);
}

int wf_net_macvlan_peer_del(struct wf_net *net, uint32_t ifindex,
			    const struct wf_net_macvlan_peer *peer, struct wf_err *err)
{
	const struct wf_net_route route = {
		.prefix = { .addr = peer->addr, .len = wf_addr_bits(&peer->addr) },
		.ifindex = ifindex,
	};
	struct wf_netlink_batch *batch = wf_net_batch(net);

	wf_net_neigh_put(batch, RTM_DELNEIGH, 0, ifindex, &peer->addr, &peer->mac);
	wf_netlink_batch_tolerate(batch, -ENOENT);
	wf_net_route_put(batch, RTM_DELROUTE, 0, &route, ifindex);
	wf_netlink_batch_tolerate(batch, -ESRCH);
	return wf_net_send(&net->socket, batch, NULL, NULL, err);
}
