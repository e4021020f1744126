/* SPDX-License-Identifier: Apache-2.0 */
/* WireGuard devices: the link, its address and routes; who sets up the rest, kernel or program. */
#include "net/wireguard.h"

#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

#include "base/mem.h"
#include "net/net_priv.h"
#include "net/wireguard_priv.h"

#define ALIAS "weft: encryption between nodes"
/* Of the route that refuses: behind every other one. */
#define LAST_METRIC 0xfffffffe
#define METRIC      100

static bool is_kernel(const struct wf_net_link *link)
{
	return strcmp(link->kind, "wireguard") == 0;
}

/* By its kind; 0, -EEXIST, or of wf_net_link_find(). */
static int find(struct wf_net *net, const char *name, struct wf_net_link *ret_link, char names[256],
		struct wf_err *err)
{
	int r = wf_net_link_find(net, name, 0, ret_link, names, err);

	if (r < 0 || is_kernel(ret_link) || strcmp(ret_link->kind, "tun") == 0)
		return r;
	return wf_fail(err, -EEXIST,
		       "interface %s exists already and is not weft's; rename or delete it", name);
}

static int create_in_kernel(struct wf_net *net, const char *name, struct wf_err *err)
{
	static const struct ifinfomsg header;
	struct wf_netlink_batch *batch = wf_net_batch(net);
	wf_netlink_nest info;

	wf_netlink_batch_begin(batch, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &header,
			       sizeof(header));
	wf_netlink_put_text(batch, IFLA_IFNAME, name);
	info = wf_netlink_nest_begin(batch, IFLA_LINKINFO);
	wf_netlink_put_text(batch, IFLA_INFO_KIND, "wireguard");
	wf_netlink_nest_end(batch, info);
	return wf_net_send(&net->socket, batch, NULL, NULL, err);
}

static uint64_t *started_ms(struct wf_net *net, const char *name)
{
	return &net->wg_started_ms[name[strlen(name) - 1] & 1];
}

static int create(struct wf_net *net, const struct wf_wg_device *device, struct wf_net_link *link,
		  char names[256], struct wf_err *err)
{
	int r = create_in_kernel(net, device->name, err);

	if (r == -EOPNOTSUPP)
		r = wf_wg_go_start(device->run_dir, device->name, started_ms(net, device->name),
				   err);
	return r < 0 ? r : find(net, device->name, link, names, err);
}

static int read_state(struct wf_net *net, const char *run_dir, const struct wf_net_link *link,
		      struct wf_wg_state *state, struct wf_err *err)
{
	return is_kernel(link) ? wf_wg_kernel_read(net, link->name, state, err)
			       : wf_wg_go_read(run_dir, link->name, state, err);
}

/* The key and who is where: what is to be added; or, then, all of it. */
static int set_up_once(struct wf_net *net, const struct wf_wg_device *device,
		       const struct wf_net_link *link, bool gentle, bool *ret_rest,
		       struct wf_err *err)
{
	_cleanup_(wf_wg_state_done) struct wf_wg_state state = WF_WG_STATE_INIT;
	_cleanup_(wf_wg_plan_done) struct wf_wg_plan plan = { .key = NULL };
	int r = read_state(net, device->run_dir, link, &state, err);

	if (r < 0)
		return r;
	if (wf_wg_plan(&state, device, gentle, &plan, ret_rest) < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	if (!plan.key && !plan.port && !plan.count)
		return 0;
	return is_kernel(link) ? wf_wg_kernel_set(net, link->name, &plan, err)
			       : wf_wg_go_set(device->run_dir, link->name, &plan, err);
}

static int set_up(struct wf_net *net, const struct wf_wg_device *device,
		  const struct wf_net_link *link, struct wf_err *err)
{
	bool rest = false;
	int r;

	wf_wg_peers_sort(device->peers, device->peer_count);
	r = set_up_once(net, device, link, true, &rest, err);
	/* what a peer has lost to another one by now needs no more */
	return r == 0 && rest ? set_up_once(net, device, link, false, &rest, err) : r;
}

/* The one address is all that the host has there: none of the kernel's making. */
static int bring_up(struct wf_net *net, const struct wf_wg_device *device,
		    const struct wf_net_link *link, struct wf_err *err)
{
	static const struct wf_mac any;
	const struct wf_net_address address = { .prefix = { device->address, 128 } };
	struct wf_netlink_batch *batch = wf_net_batch(net);
	uint32_t ifindex = link->ifindex;
	int r = 0;

	if (!link->up || link->mtu != device->mtu || strcmp(link->alias, ALIAS) != 0) {
		wf_net_link_put_set(batch, ifindex, 0, 0);
		wf_net_link_put_limits(batch, &any, device->mtu, 0);
		wf_netlink_put_text(batch, IFLA_IFALIAS, ALIAS);
		wf_net_link_put_no_autoconf(net, batch, device->mtu);
		wf_net_link_put_set(batch, ifindex, IFF_UP, IFF_UP);
		r = wf_net_send(&net->socket, batch, NULL, NULL, err);
	}
	return r < 0 ? r : wf_net_host_sync_addresses(net, ifindex, &address, 1, err);
}

int wf_net_wg_ensure(struct wf_net *net, const struct wf_wg_device *device, uint32_t *ret_ifindex,
		     struct wf_err *err)
{
	struct wf_net_link link = { 0 };
	char names[256];
	int r = find(net, device->name, &link, names, err);

	if (r == -ENODEV)
		r = create(net, device, &link, names, err);
	/* the key first: without it nothing is sent or taken */
	if (r == 0)
		r = set_up(net, device, &link, err);
	/* its device comes before its socket */
	if (r == -ENODEV && wf_wg_go_is_starting(*started_ms(net, device->name)))
		r = -EAGAIN;
	if (r == 0)
		r = bring_up(net, device, &link, err);
	if (r == 0)
		*ret_ifindex = link.ifindex;
	return r;
}

int wf_net_wg_read(struct wf_net *net, const char *run_dir, const char *name,
		   struct wf_wg_state *ret_state, struct wf_err *err)
{
	struct wf_net_link link = { 0 };
	char names[256];
	int r = find(net, name, &link, names, err);

	return r < 0 ? r : read_state(net, run_dir, &link, ret_state, err);
}

int wf_net_wg_bind(struct wf_net *net, const char *run_dir, const char *name, const uint8_t *key,
		   const struct wf_addr *addrs, size_t count, struct wf_err *err)
{
	struct wf_net_link link = { 0 };
	char names[256];
	int r = find(net, name, &link, names, err);

	if (r < 0)
		return r;
	return is_kernel(&link) ? wf_wg_kernel_bind(net, name, key, addrs, count, err)
				: wf_wg_go_bind(run_dir, name, key, addrs, count, err);
}

int wf_net_wg_remove(struct wf_net *net, const char *run_dir, const char *name, struct wf_err *err)
{
	struct wf_net_link link;
	char names[256];
	int r;

	wf_wg_go_end(run_dir, name);
	r = find(net, name, &link, names, NULL);
	if (r < 0)
		return r == -ENODEV || r == -EEXIST ? 0 : wf_fail(err, r, "cannot find %s", name);
	return wf_net_link_del(net, link.ifindex, err);
}

int wf_net_wg_possible(struct wf_net *net, bool *ret_in_kernel, struct wf_err *err)
{
	static const char name[] = WF_NET_WG_DEVICE "-try";
	struct wf_net_link link = { 0 };
	char names[256];
	int r = create_in_kernel(net, name, err);

	*ret_in_kernel = r == 0;
	if (r == -EOPNOTSUPP)
		return wf_wg_go_find(err);
	if (r == 0)
		r = wf_net_link_find(net, name, 0, &link, names, err);
	return r < 0 ? r : wf_net_link_del(net, link.ifindex, err);
}

/* ---- routes ----------------------------------------------------------------------------------- */

static void put_route(struct wf_netlink_batch *batch, uint16_t type, uint16_t flags,
		      const struct wf_prefix *prefix, uint32_t ifindex,
		      const struct wf_addr *source)
{
	const struct rtmsg header = {
		.rtm_family = AF_INET6,
		.rtm_dst_len = prefix->len,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = WF_NET_TUNNEL_PROTOCOL,
		.rtm_type = ifindex ? RTN_UNICAST : RTN_UNREACHABLE,
	};

	wf_netlink_batch_begin(batch, type, flags, &header, sizeof(header));
	wf_netlink_put(batch, RTA_DST, prefix->addr.bytes, sizeof(prefix->addr.bytes));
	wf_netlink_put_u32(batch, RTA_PRIORITY, ifindex ? METRIC : LAST_METRIC);
	if (!ifindex)
		return;
	wf_netlink_put_u32(batch, RTA_OIF, ifindex);
	wf_netlink_put(batch, RTA_PREFSRC, source->bytes, sizeof(source->bytes));
}

/* What leads somewhere now, if anything does. */
struct present {
	const struct wf_prefix *prefix;
	struct wf_net_route way;
	bool has_way, has_end;
};

static void look(const struct wf_net_kernel_route *route, void *context)
{
	struct present *present = context;

	if (!wf_prefix_equal(&route->route.prefix, present->prefix))
		return;
	if (route->type == RTN_UNREACHABLE) {
		present->has_end = true;
		return;
	}
	present->way = route->route;
	present->has_way = true;
}

static int look_at(struct wf_net *net, const struct wf_prefix *prefix, struct present *present,
		   struct wf_err *err)
{
	const struct wf_net_route_filter filter = { .table = RT_TABLE_MAIN,
						    .protocol = WF_NET_TUNNEL_PROTOCOL };

	*present = (struct present){ .prefix = prefix };
	return wf_net_route_dump(&net->socket, wf_net_batch(net), &filter, look, present, err);
}

int wf_net_wg_route(struct wf_net *net, const struct wf_prefix *prefix, uint32_t ifindex,
		    const struct wf_addr *source, struct wf_err *err)
{
	struct wf_netlink_batch *batch;
	struct present present;
	int r = look_at(net, prefix, &present, err);
	bool is_right = present.has_way && present.way.ifindex == ifindex && source &&
			wf_addr_equal(&present.way.source, source);

	if (r < 0 || (present.has_end && (ifindex ? is_right : !present.has_way)))
		return r;
	batch = wf_net_batch(net);
	if (!present.has_end) {
		put_route(batch, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, prefix, 0, NULL);
		wf_netlink_batch_tolerate(batch, -EEXIST);
	}
	/* in one step from one device to the other */
	if (ifindex && !is_right)
		put_route(batch, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, prefix, ifindex,
			  source);
	if (!ifindex && present.has_way) {
		put_route(batch, RTM_DELROUTE, 0, prefix, present.way.ifindex, &present.way.source);
		wf_netlink_batch_tolerate(batch, -ESRCH);
	}
	return wf_net_send(&net->socket, batch, NULL, NULL, err);
}

int wf_net_wg_unroute(struct wf_net *net, const struct wf_prefix *prefix, struct wf_err *err)
{
	struct wf_netlink_batch *batch;
	struct present present;
	int r = look_at(net, prefix, &present, err);

	if (r < 0 || (!present.has_way && !present.has_end))
		return r;
	batch = wf_net_batch(net);
	if (present.has_way) {
		put_route(batch, RTM_DELROUTE, 0, prefix, present.way.ifindex, &present.way.source);
		wf_netlink_batch_tolerate(batch, -ESRCH);
	}
	if (present.has_end) {
		put_route(batch, RTM_DELROUTE, 0, prefix, 0, NULL);
		wf_netlink_batch_tolerate(batch, -ESRCH);
	}
	return wf_net_send(&net->socket, batch, NULL, NULL, err);
}
