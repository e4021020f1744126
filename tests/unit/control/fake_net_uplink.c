/* SPDX-License-Identifier: Apache-2.0 */
/* net/uplink.h and net/sock.h over the tables, and what tests do to uplinks and ports. */
#include "net/uplink.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_net_priv.h"
#include "net/sock.h"

/* As fake_dp.c gives them; all programs have one descriptor there. */
#define FROM_UPLINK_ID 702
#define OVERLAY_ID     704
#define TUNNEL_ID      705
#define TO_UPLINK_ID   703
#define HOST_COOKIE    1

static bool is_uplink(const struct link *link)
{
	return link->used && link->up &&
	       (!wf_addr_is_zero(&link->ip4) || !wf_addr_is_zero(&link->ip6));
}

int wf_net_uplinks(struct wf_net *net, struct wf_net_uplink **ret_uplinks, size_t *ret_count,
		   struct wf_err *err)
{
	struct wf_net_uplink *uplinks;
	size_t count = 0;

	PASS(-EIO, err);
	uplinks = calloc(MAX_LINKS, sizeof(*uplinks));
	if (!uplinks)
		return wf_fail(err, -ENOMEM, "out of memory for devices");
	for (size_t i = 0; i < MAX_LINKS; i++) {
		const struct link *link = &net->links[i];
		size_t at = count;

		if (!is_uplink(link))
			continue;
		for (; at && uplinks[at - 1].ifindex > link->ifindex; at--)
			uplinks[at] = uplinks[at - 1];
		uplinks[at] = (struct wf_net_uplink){
			.ifindex = link->ifindex,
			.mac = link->mac,
			.l2_bytes = 14,
			.ip4 = link->ip4,
			.ip6 = link->ip6,
			.has_default = strcmp(link->name, net->default_device) == 0,
		};
		memcpy(uplinks[at].name, link->name, sizeof(uplinks[at].name));
		count++;
	}
	*ret_uplinks = uplinks;
	*ret_count = count;
	return 0;
}

static int by_value(const void *a, const void *b)
{
	return wf_addr_compare(a, b);
}

int wf_net_host_addresses(struct wf_net *net, struct wf_addr **ret_addrs, size_t *ret_count,
			  struct wf_err *err)
{
	struct wf_addr *addrs;
	size_t count = 0, kept = 0;

	PASS(-EIO, err);
	addrs = calloc(2 + MAX_ROUTES + 2 * (size_t)MAX_LINKS, sizeof(*addrs));
	if (!addrs)
		return wf_fail(err, -ENOMEM, "out of memory for addresses");
	fake_must(wf_addr_parse("127.0.0.1", &addrs[0]) == 0 &&
		  wf_addr_parse("::1", &addrs[1]) == 0);
	count = 2;
	for (size_t i = 0; i < net->address_count; i++)
		addrs[count++] = net->addresses[i].prefix.addr;
	for (size_t i = 0; i < MAX_LINKS; i++) {
		if (!net->links[i].used)
			continue;
		if (!wf_addr_is_zero(&net->links[i].ip4))
			addrs[count++] = net->links[i].ip4;
		if (!wf_addr_is_zero(&net->links[i].ip6))
			addrs[count++] = net->links[i].ip6;
	}
	qsort(addrs, count, sizeof(*addrs), by_value);
	for (size_t i = 0; i < count; i++)
		if (!kept || !wf_addr_equal(&addrs[kept - 1], &addrs[i]))
			addrs[kept++] = addrs[i];
	*ret_addrs = addrs;
	*ret_count = kept;
	return 0;
}

int wf_net_uplink_attach(struct wf_net *net, uint32_t ifindex, int ingress_fd, int egress_fd,
			 struct wf_err *err)
{
	struct link *link = fake_link_by_index(net, ifindex);

	PASS(-EIO, err);
	if (!link)
		return wf_fail(err, -ENODEV, "there is no interface with index %u", ifindex);
	if (link->is_foreign)
		return wf_fail(err, -EBUSY, "%s has shared blocks that are not weft's", link->name);
	link->from_uplink = strcmp(link->kind, "vxlan") == 0       ? OVERLAY_ID
			    : strcmp(link->kind, "wireguard") == 0 ? TUNNEL_ID
								   : FROM_UPLINK_ID;
	if (ingress_fd < 0)
		link->from_uplink = 0;
	link->to_uplink = egress_fd < 0 ? 0 : TO_UPLINK_ID;
	fake_push(net,
		  (struct wf_net_event){ .type = WF_NET_EVENT_FILTER_CHANGE, .ifindex = ifindex });
	return 0;
}

int wf_net_uplink_detach(struct wf_net *net, uint32_t ifindex, struct wf_err *err)
{
	struct link *link = fake_link_by_index(net, ifindex);

	PASS(-EIO, err);
	if (!link || (!link->from_uplink && !link->to_uplink))
		return 0;
	link->from_uplink = link->to_uplink = 0;
	fake_push(net,
		  (struct wf_net_event){ .type = WF_NET_EVENT_FILTER_DEL, .ifindex = ifindex });
	return 0;
}

int wf_net_uplink_get(struct wf_net *net, uint32_t ifindex, uint32_t *ret_ingress_id,
		      uint32_t *ret_egress_id, struct wf_err *err)
{
	const struct link *link = fake_link_by_index(net, ifindex);

	PASS(-EIO, err);
	if (!link)
		return wf_fail(err, -ENODEV, "there is no interface with index %u", ifindex);
	*ret_ingress_id = link->from_uplink;
	*ret_egress_id = link->to_uplink;
	return 0;
}

/* All but what a test put behind a router is on the segment of the device that leads out. */
int wf_net_way_find(struct wf_net *net, const struct wf_addr *addr, struct wf_net_way *ret_way,
		    struct wf_err *err)
{
	const struct link *link = fake_link_by_name(net, net->default_device);

	PASS(-EIO, err);
	if (!link || !link->up)
		return wf_fail(err, -ENETUNREACH, "no route");
	*ret_way = (struct wf_net_way){ .ifindex = link->ifindex, .is_on_link = true };
	for (size_t i = 0; i < net->far_count; i++)
		if (wf_addr_equal(&net->far[i], addr))
			ret_way->is_on_link = false;
	return 0;
}

void fake_net_set_fate(struct wf_net *net, const struct wf_net_fate *fate)
{
	net->fate = *fate;
	net->has_fate = true;
}

int wf_net_arrival_fate(struct wf_net *net, const struct wf_net_arrival *arrival,
			struct wf_net_fate *ret_fate, struct wf_err *err)
{
	PASS(-EIO, err);
	*ret_fate = net->has_fate ? net->fate : (struct wf_net_fate){ .kind = WF_NET_FATE_HOST };
	return 0;
}

int wf_net_overlay_sums_get(struct wf_net *net, enum wf_net_sums *ret_sums, struct wf_err *err)
{
	PASS(-EIO, err);
	*ret_sums = net->sums;
	return 0;
}

int wf_net_overlay_sums_set(struct wf_net *net, bool by_kernel, struct wf_err *err)
{
	PASS(-EIO, err);
	net->sums = by_kernel ? WF_NET_SUMS_WEFT : WF_NET_SUMS_DEVICE;
	return 0;
}

int wf_net_ipsec_present(struct wf_net *net, bool *ret_present, struct wf_err *err)
{
	PASS(-EIO, err);
	*ret_present = net->has_ipsec;
	return 0;
}

int wf_net_link_local_find(struct wf_net *net, const struct wf_addr *addr,
			   struct wf_addr *ret_link_local, struct wf_err *err)
{
	const struct link *link = fake_link_by_name(net, net->default_device);

	(void)addr;
	PASS(-EIO, err);
	*ret_link_local =
		link ? wf_addr_link_local(&link->mac) : (struct wf_addr){ .words = { 0 } };
	return 0;
}

int wf_net_ns_cookie(int netns_fd, uint64_t *ret_cookie, struct wf_err *err)
{
	PASS(-EIO, err);
	*ret_cookie =
		netns_fd < 0 ? HOST_COOKIE : fake_ns_of_fd(fake_net_current, netns_fd)->id.inode;
	return 0;
}

int wf_net_forwarding_enable(struct wf_net *net, bool ip4, bool ip6,
			     char ret_changed[WF_NET_CHANGED_BYTES], struct wf_err *err)
{
	const bool turns4 = ip4 && !net->forwards4, turns6 = ip6 && !net->forwards6;

	PASS(-EROFS, err);
	(void)snprintf(ret_changed, WF_NET_CHANGED_BYTES, "%s%s%s",
		       turns4 ? "net.ipv4.ip_forward" : "", turns4 && turns6 ? " " : "",
		       turns6 ? "net.ipv6.conf.all.forwarding" : "");
	net->forwards4 = net->forwards4 || ip4;
	net->forwards6 = net->forwards6 || ip6;
	return 0;
}

int wf_net_forwarding_restore(struct wf_net *net, const char *changed, struct wf_err *err)
{
	PASS(-EROFS, err);
	if (strstr(changed, "ip_forward"))
		net->forwards4 = false;
	if (strstr(changed, "all.forwarding"))
		net->forwards6 = false;
	return 0;
}

int wf_net_accept_local(struct wf_net *net, uint32_t ifindex, bool on, struct wf_err *err)
{
	PASS(-EROFS, err);
	if (!fake_link_by_index(net, ifindex))
		return wf_fail(err, -ENODEV, "there is no interface with index %u", ifindex);
	return 0;
}

int wf_net_firewall_present(struct wf_net *net, bool *ret_present, struct wf_err *err)
{
	PASS(-EIO, err);
	*ret_present = net->has_firewall;
	return 0;
}

int wf_net_port_owner(struct wf_net *net, uint8_t proto, const struct wf_addr *addr, uint16_t first,
		      uint16_t last, uint16_t *ret_port, char ret_owner[96], struct wf_err *err)
{
	const struct owner *best = NULL;

	PASS(-EIO, err);
	for (size_t i = 0; i < net->owner_count; i++) {
		const struct owner *owner = &net->owners[i];

		if (owner->proto == proto && owner->port >= first && owner->port <= last &&
		    (wf_addr_is_zero(addr) || wf_addr_is_zero(&owner->addr) ||
		     wf_addr_equal(addr, &owner->addr)) &&
		    (!best || owner->port < best->port))
			best = owner;
	}
	if (!best)
		return 0;
	*ret_port = best->port;
	memcpy(ret_owner, best->name, sizeof(best->name));
	return 1;
}

int wf_net_socks_visit(struct wf_net *net, int netns_fd, wf_net_conn_fn visit, void *context,
		       struct wf_err *err)
{
	PASS(-EIO, err);
	for (size_t i = 0; i < net->conn_count; i++)
		visit(&net->conns[i], context);
	return 0;
}

int wf_net_cookies_visit(struct wf_net *net, int netns_fd, wf_net_cookie_fn visit, void *context,
			 struct wf_err *err)
{
	PASS(-EIO, err);
	/* all are the host's */
	for (uint64_t cookie = 1; netns_fd < 0 && cookie <= net->cookie_end; cookie++)
		visit(cookie, context);
	return 0;
}

void fake_net_cookies(struct wf_net *net, uint64_t end)
{
	net->cookie_end = end;
}

void fake_net_connect(struct wf_net *net, const struct wf_net_conn *conn)
{
	fake_must(net->conn_count < MAX_CONNS);
	net->conns[net->conn_count++] = *conn;
}

int wf_net_socks_destroy(struct wf_net *net, int netns_fd, uint8_t proto,
			 const struct wf_addr *addr, uint16_t port, struct wf_err *err)
{
	struct fake_ended *ended = &net->ended[net->ended_count];

	PASS(-EOPNOTSUPP, err);
	fake_must(net->ended_count < MAX_ENDED);
	*ended = (struct fake_ended){ .proto = proto, .addr = *addr, .port = port };
	if (netns_fd >= 0)
		memcpy(ended->path, fake_ns_of_fd(net, netns_fd)->path, sizeof(ended->path));
	net->ended_count++;
	return 1;
}

/* ---- what tests do ------------------------------------------------------------------------ */

static struct wf_addr addr_of(const char *text)
{
	struct wf_addr addr = { 0 };

	fake_must(!text || wf_addr_parse(text, &addr) == 0);
	return addr;
}

void fake_net_set_uplink(struct wf_net *net, const char *name, const char *ip4, const char *ip6)
{
	struct link *link = fake_link_by_name(net, name);

	fake_must(link != NULL);
	link->ip4 = addr_of(ip4);
	link->ip6 = addr_of(ip6);
	fake_push(net, (struct wf_net_event){ .type = ip4 || ip6 ? WF_NET_EVENT_ADDR_NEW
								 : WF_NET_EVENT_ADDR_DEL,
					      .ifindex = link->ifindex });
}

void fake_net_set_checksums(struct wf_net *net, bool are_offloaded)
{
	net->sums = are_offloaded ? WF_NET_SUMS_DEVICE : WF_NET_SUMS_OTHERS;
}

enum wf_net_sums fake_net_sums_by(const struct wf_net *net)
{
	return net->sums;
}

void fake_net_set_ipsec(struct wf_net *net, bool is_present)
{
	net->has_ipsec = is_present;
}

void fake_net_set_far(struct wf_net *net, const char *addr, bool is_far)
{
	const struct wf_addr wanted = addr_of(addr);
	size_t kept = 0;

	for (size_t i = 0; i < net->far_count; i++)
		if (!wf_addr_equal(&net->far[i], &wanted))
			net->far[kept++] = net->far[i];
	net->far_count = kept;
	fake_must(net->far_count < MAX_FAR);
	if (is_far)
		net->far[net->far_count++] = wanted;
	fake_push(net, (struct wf_net_event){
			       .type = WF_NET_EVENT_ROUTE_REPLACE,
			       .prefix = { .addr = wanted, .len = wf_addr_bits(&wanted) },
		       });
}

void fake_net_set_foreign_blocks(struct wf_net *net, const char *name, bool are_there)
{
	struct link *link = fake_link_by_name(net, name);

	fake_must(link != NULL);
	link->is_foreign = are_there;
	link->from_uplink = link->to_uplink = 0;
	fake_push(net, (struct wf_net_event){ .type = WF_NET_EVENT_QDISC_DEL,
					      .ifindex = link->ifindex });
}

void fake_net_set_firewall(struct wf_net *net, bool is_present)
{
	net->has_firewall = is_present;
}

bool fake_net_forwards(const struct wf_net *net, bool ip6)
{
	return ip6 ? net->forwards6 : net->forwards4;
}

void fake_net_stop_forwarding(struct wf_net *net)
{
	net->forwards4 = net->forwards6 = false;
}

void fake_net_take_port(struct wf_net *net, uint8_t proto, const char *addr, uint16_t port,
			const char *owner)
{
	struct owner taken = { .proto = proto, .addr = addr_of(addr), .port = port };
	size_t kept = 0;

	for (size_t i = 0; i < net->owner_count; i++)
		if (net->owners[i].proto != proto || net->owners[i].port != port ||
		    !wf_addr_equal(&net->owners[i].addr, &taken.addr))
			net->owners[kept++] = net->owners[i];
	net->owner_count = kept;
	if (!owner)
		return;
	fake_must(net->owner_count < MAX_OWNERS);
	(void)snprintf(taken.name, sizeof(taken.name), "%s", owner);
	net->owners[net->owner_count++] = taken;
}

const struct fake_ended *fake_net_take_ended(struct wf_net *net, size_t *ret_count)
{
	*ret_count = net->ended_count;
	net->ended_count = 0;
	return net->ended;
}

bool fake_net_delete_uplink_filter(struct wf_net *net, const char *name, bool egress)
{
	struct link *link = fake_link_by_name(net, name);
	uint32_t *filter = link && egress ? &link->to_uplink : link ? &link->from_uplink : NULL;

	if (!filter || !*filter)
		return false;
	*filter = 0;
	fake_push(net, (struct wf_net_event){ .type = WF_NET_EVENT_FILTER_DEL,
					      .ifindex = link->ifindex });
	return true;
}

bool fake_net_delete_uplink_qdisc(struct wf_net *net, const char *name)
{
	struct link *link = fake_link_by_name(net, name);

	if (!link || (!link->from_uplink && !link->to_uplink))
		return false;
	link->from_uplink = link->to_uplink = 0;
	fake_push(net, (struct wf_net_event){ .type = WF_NET_EVENT_QDISC_DEL,
					      .ifindex = link->ifindex });
	return true;
}

void fake_dump_uplinks(const struct wf_net *net, struct wf_str *out)
{
	for (size_t i = 0; i < MAX_LINKS; i++) {
		const struct link *link = &net->links[i];

		if (link->used && (link->from_uplink || link->to_uplink))
			wf_str_addf(out, "uplink %s ingress %u egress %u\n", link->name,
				    link->from_uplink, link->to_uplink);
	}
}
