/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's WireGuard, by its generic netlink family (linux/wireguard.h). */
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/wireguard.h>
#include <netinet/in.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/sockaddr.h"
#include "net/net_priv.h"
#include "net/wireguard_priv.h"

static void take_family(const struct nlmsghdr *message, void *context)
{
	const struct nlattr *table[CTRL_ATTR_FAMILY_ID + 1];
	uint16_t *family = context;
	const void *bytes;

	wf_netlink_attrs(message, sizeof(struct genlmsghdr), table, CTRL_ATTR_FAMILY_ID);
	bytes = wf_netlink_bytes(table[CTRL_ATTR_FAMILY_ID], sizeof(*family));
	if (bytes)
		memcpy(family, bytes, sizeof(*family));
}

/* A socket, and the number that the family has on this host. */
static int open_family(const struct wf_net *net, struct wf_netlink_socket *ret_socket,
		       struct wf_netlink_batch *batch, uint16_t *ret_family, struct wf_err *err)
{
	const struct genlmsghdr header = { .cmd = CTRL_CMD_GETFAMILY, .version = 1 };
	int r = wf_net_ns_netlink(net, -1, NETLINK_GENERIC, ret_socket, err);

	if (r < 0)
		return r;
	*ret_family = 0;
	wf_netlink_batch_begin(batch, GENL_ID_CTRL, 0, &header, sizeof(header));
	wf_netlink_put_text(batch, CTRL_ATTR_FAMILY_NAME, WG_GENL_NAME);
	r = wf_netlink_transact(ret_socket, batch, take_family, ret_family, NULL, err);
	wf_netlink_batch_clear(batch);
	if (r == 0 && !*ret_family)
		r = wf_fail(err, -EOPNOTSUPP, "the kernel has no WireGuard");
	return r;
}

/* ---- reading ---------------------------------------------------------------------------------- */

static void take_endpoint(const struct nlattr *attribute, struct wf_wg_peer *peer)
{
	const struct sockaddr_in *four = wf_netlink_bytes(attribute, sizeof(*four));
	const struct sockaddr_in6 *six = wf_netlink_bytes(attribute, sizeof(*six));

	if (four && four->sin_family == AF_INET) {
		peer->endpoint = wf_addr_from_ip4(four->sin_addr.s_addr);
		peer->port = ntohs(four->sin_port);
	} else if (six && six->sin6_family == AF_INET6) {
		peer->endpoint = wf_addr_from_bytes(AF_INET6, &six->sin6_addr);
		peer->port = ntohs(six->sin6_port);
	}
}

/* The elements of a list, which all have the same number. */
static void each(const struct nlattr *list, void (*take)(const struct nlattr *, void *),
		 void *context)
{
	const unsigned char *at = wf_netlink_bytes(list, 0);
	size_t len = wf_netlink_len(list);

	while (at && len >= NLA_HDRLEN) {
		const struct nlattr *item = (const struct nlattr *)at;
		size_t step = NLA_ALIGN(item->nla_len);

		if (item->nla_len < NLA_HDRLEN || item->nla_len > len)
			return;
		take(item, context);
		step = step < len ? step : len;
		at += step;
		len -= step;
	}
}

struct reading {
	struct wf_wg_state *state;
	struct wf_wg_peer *peer; /* the one at hand */
	bool is_odd;             /* wf_wg_state_allow() */
	bool failed;             /* out of memory */
};

static void take_allowed(const struct nlattr *attribute, void *context)
{
	const struct nlattr *items[WGALLOWEDIP_A_CIDR_MASK + 1];
	struct reading *reading = context;
	const void *four, *six;
	struct wf_prefix prefix;

	wf_netlink_nested(attribute, items, WGALLOWEDIP_A_CIDR_MASK);
	four = wf_netlink_bytes(items[WGALLOWEDIP_A_IPADDR], 4);
	six = wf_netlink_bytes(items[WGALLOWEDIP_A_IPADDR], 16);
	if (!four && !six)
		return;
	prefix.addr = six ? wf_addr_from_bytes(AF_INET6, six) : wf_addr_from_bytes(AF_INET, four);
	prefix.len = wf_netlink_u8(items[WGALLOWEDIP_A_CIDR_MASK], 0);
	wf_wg_state_allow(reading->peer, &prefix, &reading->is_odd);
}

static void take_u64(const struct nlattr *attribute, uint64_t *ret)
{
	const void *bytes = wf_netlink_bytes(attribute, sizeof(*ret));

	if (bytes)
		memcpy(ret, bytes, sizeof(*ret));
}

/* A peer with many addresses goes on in the next message, with its key alone. */
static void take_peer(const struct nlattr *attribute, void *context)
{
	const struct nlattr *table[WGPEER_A_MAX + 1];
	struct reading *reading = context;
	const void *key, *time;

	wf_netlink_nested(attribute, table, WGPEER_A_MAX);
	key = wf_netlink_bytes(table[WGPEER_A_PUBLIC_KEY], WF_WG_KEY_BYTES);
	if (!key)
		return;
	if (!reading->peer || memcmp(reading->peer->key, key, WF_WG_KEY_BYTES) != 0) {
		reading->peer = wf_wg_state_add(reading->state);
		reading->is_odd = false;
		reading->failed |= !reading->peer;
		if (!reading->peer)
			return;
		memcpy(reading->peer->key, key, WF_WG_KEY_BYTES);
	}
	take_endpoint(table[WGPEER_A_ENDPOINT], reading->peer);
	each(table[WGPEER_A_ALLOWEDIPS], take_allowed, reading);
	time = wf_netlink_bytes(table[WGPEER_A_LAST_HANDSHAKE_TIME], sizeof(int64_t));
	if (time)
		memcpy(&reading->peer->handshake_s, time, sizeof(reading->peer->handshake_s));
	take_u64(table[WGPEER_A_RX_BYTES], &reading->peer->rx_bytes);
	take_u64(table[WGPEER_A_TX_BYTES], &reading->peer->tx_bytes);
	key = wf_netlink_bytes(table[WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL],
			       sizeof(reading->peer->keepalive_s));
	if (key)
		memcpy(&reading->peer->keepalive_s, key, sizeof(reading->peer->keepalive_s));
}

/* A device with many peers comes in several messages. */
static void take_device(const struct nlmsghdr *message, void *context)
{
	const struct nlattr *table[WGDEVICE_A_MAX + 1];
	struct reading *reading = context;
	const void *bytes;

	wf_netlink_attrs(message, sizeof(struct genlmsghdr), table, WGDEVICE_A_MAX);
	bytes = wf_netlink_bytes(table[WGDEVICE_A_PRIVATE_KEY], WF_WG_KEY_BYTES);
	if (bytes)
		memcpy(reading->state->key, bytes, WF_WG_KEY_BYTES);
	bytes = wf_netlink_bytes(table[WGDEVICE_A_LISTEN_PORT], sizeof(reading->state->port));
	if (bytes)
		memcpy(&reading->state->port, bytes, sizeof(reading->state->port));
	each(table[WGDEVICE_A_PEERS], take_peer, reading);
}

int wf_wg_kernel_read(struct wf_net *net, const char *name, struct wf_wg_state *state,
		      struct wf_err *err)
{
	const struct genlmsghdr header = { .cmd = WG_CMD_GET_DEVICE, .version = WG_GENL_VERSION };
	_cleanup_(wf_netlink_close) struct wf_netlink_socket socket = WF_NETLINK_SOCKET_INIT;
	struct wf_netlink_batch *batch = wf_net_batch(net);
	struct reading reading = { .state = state };
	uint16_t family;
	int r = open_family(net, &socket, batch, &family, err);

	if (r < 0)
		return r;
	wf_netlink_batch_begin(batch, family, 0, &header, sizeof(header));
	wf_netlink_put_text(batch, WGDEVICE_A_IFNAME, name);
	r = wf_netlink_dump(&socket, batch, take_device, &reading, err);
	if (r == 0 && reading.failed)
		r = wf_fail(err, -ENOMEM, "out of memory");
	wf_wg_peers_sort(state->peers, state->peer_count);
	return r < 0 ? wf_wrap(err, r, "cannot read %s", name) : 0;
}

/* ---- writing ---------------------------------------------------------------------------------- */

static void put_endpoint(struct wf_netlink_batch *batch, const struct wf_wg_peer *peer)
{
	union wf_sockaddr at;
	socklen_t len = wf_sockaddr_set(&at, &peer->endpoint, peer->port);

	if (!wf_addr_is_zero(&peer->endpoint))
		wf_netlink_put(batch, WGPEER_A_ENDPOINT, &at, len);
}

/* Addresses of one message: its attributes say their length in 16 bits. */
#define MAX_ALLOWED 512

static void put_allowed(struct wf_netlink_batch *batch, const struct wf_addr *addr)
{
	wf_netlink_nest item = wf_netlink_nest_begin(batch, 0);
	bool ip4 = wf_addr_is_ip4(addr);
	uint32_t four = ip4 ? wf_addr_to_ip4(addr) : 0;

	wf_netlink_put_u16(batch, WGALLOWEDIP_A_FAMILY, ip4 ? AF_INET : AF_INET6);
	if (ip4)
		wf_netlink_put(batch, WGALLOWEDIP_A_IPADDR, &four, sizeof(four));
	else
		wf_netlink_put(batch, WGALLOWEDIP_A_IPADDR, addr->bytes, sizeof(addr->bytes));
	wf_netlink_put_u8(batch, WGALLOWEDIP_A_CIDR_MASK, (uint8_t)wf_addr_bits(addr));
	wf_netlink_nest_end(batch, item);
}

static void begin(struct wf_netlink_batch *batch, uint16_t family, const char *name)
{
	const struct genlmsghdr header = { .cmd = WG_CMD_SET_DEVICE, .version = WG_GENL_VERSION };

	wf_netlink_batch_begin(batch, family, 0, &header, sizeof(header));
	wf_netlink_put_text(batch, WGDEVICE_A_IFNAME, name);
}

/* A message about one peer: from here to end_peer(). */
struct about_peer {
	wf_netlink_nest list, item;
};

static struct about_peer begin_peer(struct wf_netlink_batch *batch, const uint8_t *key,
				    uint32_t flags)
{
	struct about_peer about;

	about.list = wf_netlink_nest_begin(batch, WGDEVICE_A_PEERS);
	about.item = wf_netlink_nest_begin(batch, 0);
	wf_netlink_put(batch, WGPEER_A_PUBLIC_KEY, key, WF_WG_KEY_BYTES);
	wf_netlink_put_u32(batch, WGPEER_A_FLAGS, flags);
	return about;
}

static void end_peer(struct wf_netlink_batch *batch, const struct about_peer *about)
{
	wf_netlink_nest_end(batch, about->item);
	wf_netlink_nest_end(batch, about->list);
}

/* Addresses for a peer, in as many messages as that takes. */
static void put_bound(struct wf_netlink_batch *batch, uint16_t family, const char *name,
		      const uint8_t *key, uint32_t flags, const struct wf_addr *addrs, size_t count)
{
	for (size_t i = 0; i < count; i += MAX_ALLOWED) {
		struct about_peer about;
		wf_netlink_nest list;

		begin(batch, family, name);
		about = begin_peer(batch, key, flags);
		list = wf_netlink_nest_begin(batch, WGPEER_A_ALLOWEDIPS);
		for (size_t k = i; k < count && k < i + MAX_ALLOWED; k++)
			put_allowed(batch, &addrs[k]);
		wf_netlink_nest_end(batch, list);
		end_peer(batch, &about);
	}
}

static void put_change(struct wf_netlink_batch *batch, uint16_t family, const char *name,
		       const struct wf_wg_change *change)
{
	const struct wf_wg_peer *peer = change->peer;
	struct about_peer about;
	wf_netlink_nest list;

	begin(batch, family, name);
	about = begin_peer(batch, peer->key,
			   change->is_removal ? WGPEER_F_REMOVE_ME
			   : change->is_moved ? WGPEER_F_REPLACE_ALLOWEDIPS
					      : 0);
	if (!change->is_removal) {
		put_endpoint(batch, peer);
		wf_netlink_put_u16(batch, WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL,
				   peer->keepalive_s);
		if (change->is_moved) {
			list = wf_netlink_nest_begin(batch, WGPEER_A_ALLOWEDIPS);
			put_allowed(batch, &peer->tunnel);
			wf_netlink_nest_end(batch, list);
		}
	}
	end_peer(batch, &about);
	if (change->is_moved || change->is_more)
		put_bound(batch, family, name, peer->key, WGPEER_F_UPDATE_ONLY, peer->bound,
			  peer->bound_count);
}

int wf_wg_kernel_bind(struct wf_net *net, const char *name, const uint8_t *key,
		      const struct wf_addr *addrs, size_t count, struct wf_err *err)
{
	_cleanup_(wf_netlink_close) struct wf_netlink_socket socket = WF_NETLINK_SOCKET_INIT;
	struct wf_netlink_batch *batch = wf_net_batch(net);
	struct about_peer about;
	uint16_t family;
	int r = open_family(net, &socket, batch, &family, err);

	if (r < 0)
		return r;
	put_bound(batch, family, name, key ? key : wf_wg_nobody, key ? WGPEER_F_UPDATE_ONLY : 0,
		  addrs, count);
	if (!key) {
		begin(batch, family, name);
		about = begin_peer(batch, wf_wg_nobody, WGPEER_F_REMOVE_ME);
		end_peer(batch, &about);
	}
	r = wf_netlink_transact(&socket, batch, NULL, NULL, NULL, err);
	return r < 0 ? wf_wrap(err, r, "cannot set up %s", name) : 0;
}

int wf_wg_kernel_set(struct wf_net *net, const char *name, const struct wf_wg_plan *plan,
		     struct wf_err *err)
{
	_cleanup_(wf_netlink_close) struct wf_netlink_socket socket = WF_NETLINK_SOCKET_INIT;
	struct wf_netlink_batch *batch = wf_net_batch(net);
	uint16_t family;
	int r = open_family(net, &socket, batch, &family, err);

	if (r < 0)
		return r;
	if (plan->key || plan->port)
		begin(batch, family, name);
	if (plan->key)
		wf_netlink_put(batch, WGDEVICE_A_PRIVATE_KEY, plan->key, WF_WG_KEY_BYTES);
	if (plan->port)
		wf_netlink_put_u16(batch, WGDEVICE_A_LISTEN_PORT, plan->port);
	for (size_t i = 0; i < plan->count; i++)
		put_change(batch, family, name, &plan->changes[i]);
	r = wf_netlink_transact(&socket, batch, NULL, NULL, NULL, err);
	if (batch->data)
		explicit_bzero(batch->data, batch->len);
	return r < 0 ? wf_wrap(err, r, "cannot set up %s", name) : 0;
}
