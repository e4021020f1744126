/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What the socket hooks decide: a socket of a known namespace that names a service or a published
 * port gets the backend's address before its first packet, and is shown the service's ever after.
 * Knows sockets by their cookies and addresses only; weft_socket.bpf.c reads and writes contexts.
 */
#ifndef WEFT_BPF_SOCKET_H
#define WEFT_BPF_SOCKET_H

#include <linux/errno.h>

#include <weft/abi/event.h>

#include "endpoint.h"
#include "lb.h"

/* What a hook knows of a socket and the address it names. */
struct wf_sock {
	__u64 cookie;        /* of the socket */
	__u64 netns;         /* cookie of its namespace */
	struct wf_addr addr; /* whom it talks to, hears from, or what it binds to */
	__be16 port;
	__u16 proto;
};

static __always_inline int wf_sock_is_host(const struct wf_netns_value *netns)
{
	return !!(netns->flags & WF_NETNS_HOST);
}

/* The settings, NULL while there is nothing to translate to. */
static __always_inline struct wf_config_value *wf_sock_config(void)
{
	struct wf_config_value *config = wf_map_config();

	return config && config->flags & WF_CONFIG_SERVICES ? config : 0;
}

/* The socket's namespace; NULL: the socket is to be left alone. */
static __always_inline struct wf_netns_value *wf_sock_netns(const struct wf_sock *sock)
{
	if (!wf_sock_config())
		return 0;
	if (sock->proto != IPPROTO_TCP && sock->proto != IPPROTO_UDP)
		return 0;
	return wf_map_netns(sock->netns);
}

/* Whether a namespace's network knows what a socket names: a scope any port of it, others a frontend. */
static __always_inline int wf_sock_is_of(const struct wf_sock *sock, __u32 network)
{
	struct wf_frontend_key key = {
		.addr = sock->addr, .scope = network, .port = sock->port, .proto = sock->proto
	};

	if (network & WF_NETNS_SCOPED)
		return wf_address_find(network & ~WF_NETNS_SCOPED, &sock->addr) != NULL;
	return network && wf_map_frontend(&key);
}

/*
 * Of a namespace's networks the first that knows the address, otherwise the first that is no scope of
 * its own; a namespace with one network, the rule, costs no look-up here. May have WF_NETNS_SCOPED.
 */
static __always_inline __u32 wf_sock_scope(const struct wf_sock *sock,
					   const struct wf_netns_value *netns)
{
	__u32 network = netns->networks[0];

	if (!netns->networks[1])
		return network;
	WF_UNROLL
	for (__u32 i = 0; i < WF_NETNS_NETWORKS; i++) {
		if (wf_sock_is_of(sock, netns->networks[i]))
			return netns->networks[i];
		if (network & WF_NETNS_SCOPED && netns->networks[i])
			network = netns->networks[i];
	}
	return network;
}

/* Who the client is: the address of the namespace's first endpoint, as its packets would show it. */
static __always_inline void wf_sock_client(const struct wf_sock *sock,
					   const struct wf_netns_value *netns,
					   struct wf_client *ret_client)
{
	struct wf_ep_value *endpoint = wf_map_endpoint(netns->slot);
	__u32 scope;

	if (wf_sock_is_host(netns)) {
		wf_client_is_host(ret_client);
		return;
	}
	scope = wf_sock_scope(sock, netns);
	ret_client->scope = scope & ~WF_NETNS_SCOPED;
	ret_client->view = scope & WF_NETNS_SCOPED ? ret_client->scope : WF_NETWORK_HOST;
	/* of several networks the one that its packets take may not see the service */
	ret_client->is_recorded = !netns->networks[1];
	if (endpoint)
		ret_client->addr = wf_lb_is_ip4(&sock->addr) ? endpoint->ip4 : endpoint->ip6;
}

/* 1: a target was found, 0: the address is nothing of weft's, or -reason. */
static __always_inline int wf_sock_find(const struct wf_sock *sock,
					const struct wf_netns_value *netns,
					struct wf_target *ret_target)
{
	struct wf_tuple tuple = { .dst = sock->addr, .dport = sock->port, .proto = sock->proto };
	struct wf_client client = {};

	wf_sock_client(sock, netns, &client);
	/* the source port is not chosen yet: any will do to spread connections */
	tuple.src = client.addr;
	tuple.sport = wf_random32();
	return wf_lb_find(&tuple, &client, ret_target);
}

static __always_inline void wf_sock_key(const struct wf_sock *sock, __u32 side,
					struct wf_sock_nat_key *ret_key)
{
	ret_key->cookie = sock->cookie;
	ret_key->addr = sock->addr;
	ret_key->port = sock->port;
	ret_key->proto = sock->proto;
	ret_key->side = side;
}

/* Gives a datagram the backend that the socket's last one had, while that takes new ones. */
static __always_inline int wf_sock_recall(struct wf_sock *sock)
{
	struct wf_sock_nat_key key;
	struct wf_sock_nat_value *chosen;
	struct wf_backend_value *backend;

	wf_sock_key(sock, WF_SOCK_NAT_CHOSEN, &key);
	chosen = wf_map_sock_nat(&key);
	if (!chosen)
		return 0;
	backend = wf_map_backend(chosen->backend);
	if (!backend || !(backend->flags & WF_BACKEND_USABLE) ||
	    backend->service != chosen->service || backend->port != chosen->port ||
	    !wf_addr_same(&backend->addr, &chosen->addr))
		return 0;
	sock->addr = chosen->addr;
	sock->port = chosen->port;
	return 1;
}

/* Puts the target in place of what the socket named, and remembers that. */
static __always_inline void wf_sock_move(struct wf_sock *sock, const struct wf_target *target,
					 int keep_choice)
{
	struct wf_sock_nat_value seen = { .addr = sock->addr,
					  .port = sock->port,
					  .service = target->service,
					  .backend = target->backend };
	struct wf_sock_nat_value chosen = { .addr = target->addr,
					    .port = target->port,
					    .service = target->service,
					    .backend = target->backend };
	struct wf_sock_nat_key key;

	if (keep_choice && target->backend) {
		wf_sock_key(sock, WF_SOCK_NAT_CHOSEN, &key);
		wf_map_sock_nat_set(&key, &chosen);
	}
	sock->addr = target->addr;
	sock->port = target->port;
	wf_sock_key(sock, WF_SOCK_NAT_SEEN, &key);
	wf_map_sock_nat_set(&key, &seen);
}

/* The backend has one more, or one less. A number is nobody else's while it has any. */
static __always_inline void wf_sock_change(const struct wf_sock_use_value *use, __u32 change)
{
	struct wf_backend_value *backend = wf_map_backend(use->backend);

	if (!backend || backend->service != use->service)
		return;
	if (change == 1 || wf_read32(&backend->active))
		wf_atomic_add32(&backend->active, change);
}

/* The socket counts for nobody any more: it is closed, or talks to another. */
static __always_inline void wf_sock_uncount(__u64 cookie)
{
	struct wf_sock_use_value *known = wf_map_sock_use(cookie), use;

	if (!known)
		return;
	use = *known;
	if (wf_map_sock_use_drop(cookie))
		wf_sock_change(&use, (__u32)-1);
}

/* From now on the socket counts for the backend it was given, if that is a matter of counts. */
static __always_inline void wf_sock_count(const struct wf_sock *sock,
					  const struct wf_target *target)
{
	const struct wf_sock_use_value use = { .backend = target->backend,
					       .service = target->service };

	wf_sock_uncount(sock->cookie);
	if (target->is_least && wf_map_sock_use_add(sock->cookie, &use))
		wf_sock_change(&use, 1);
}

/* Tells observers; `to` NULL: refused for that reason. */
static __noinline int wf_sock_tell(const struct wf_sock *sock, __u32 slot,
				   const struct wf_target *to, __u32 reason)
{
	struct wf_ep_value *endpoint = wf_map_endpoint(slot);
	struct wf_event event = {};

	event.time_ns = wf_now_ns();
	event.slot = slot;
	event.network = endpoint ? endpoint->network : WF_NETWORK_HOST;
	event.type = reason ? WF_EVENT_DROP : WF_EVENT_FIRST;
	event.reason = reason;
	event.hook = WF_HOOK_SOCKET;
	event.ethertype = bpf_htons(wf_lb_is_ip4(&sock->addr) ? ETH_P_IP : ETH_P_IPV6);
	event.proto = sock->proto;
	event.dst = sock->addr;
	event.dport = sock->port;
	if (endpoint && slot)
		event.src = wf_lb_is_ip4(&sock->addr) ? endpoint->ip4 : endpoint->ip6;
	if (to) {
		event.translated = WF_EVENT_TRANSLATED_DST;
		event.nat = to->addr;
		event.nat_port = to->port;
		event.peer_slot = to->slot;
	}
	wf_event_send(&event);
	return 0;
}

/* Counts a refusal for its reason and for the endpoint, and tells observers. */
static __always_inline int wf_sock_refuse(const struct wf_sock *sock, __u32 slot, int decision)
{
	struct wf_config_value *config = wf_map_config();
	struct wf_counter *drop = wf_map_drop(-decision);
	struct wf_traffic_value *traffic = wf_map_traffic(slot);

	if (drop)
		wf_counter_add(drop, 0);
	if (traffic)
		wf_counter_add(&traffic->dropped, 0);
	if (config && config->observe & WF_OBSERVE_DROPS)
		(void)wf_sock_tell(sock, slot, 0, -decision);
	return decision;
}

/*
 * connect() and sendmsg(): 1 when sock names the backend now, 0 when it stays as it is, -reason
 * when the call has to fail. per_message: one call for each datagram of an unconnected socket.
 */
static __always_inline int wf_sock_translate(struct wf_sock *sock, int per_message)
{
	struct wf_netns_value *netns = wf_sock_netns(sock);
	struct wf_config_value *config = wf_map_config();
	struct wf_target target = {};
	int r;

	if (!netns || !config)
		return 0;
	/* a container's loopback is its own */
	if (wf_lb_is_loopback(&sock->addr) && !wf_sock_is_host(netns))
		return 0;
	if (per_message && wf_sock_recall(sock))
		return 1;
	/* what it was connected to is over, before the least loaded is looked for */
	if (wf_unlikely(!per_message && config->flags & WF_CONFIG_LEAST))
		wf_sock_uncount(sock->cookie);
	r = wf_sock_find(sock, netns, &target);
	if (r < 0)
		return wf_sock_refuse(sock, netns->slot, r);
	if (!r)
		return 0;
	if (wf_unlikely(config->observe & WF_OBSERVE_FIRST))
		(void)wf_sock_tell(sock, netns->slot, &target, 0);
	if (wf_unlikely(config->flags & WF_CONFIG_LEAST))
		wf_sock_count(sock, &target);
	wf_sock_move(sock, &target, per_message);
	return 1;
}

/* recvmsg() and getpeername(): 1 when sock names the service now, 0 when it stays as it is. */
static __always_inline int wf_sock_restore(struct wf_sock *sock)
{
	struct wf_sock_nat_key key;
	struct wf_sock_nat_value *seen;

	if (!wf_sock_netns(sock))
		return 0;
	wf_sock_key(sock, WF_SOCK_NAT_SEEN, &key);
	seen = wf_map_sock_nat(&key);
	if (!seen)
		return 0;
	sock->addr = seen->addr;
	sock->port = seen->port;
	return 1;
}

/* Whether a service answers at exactly that address and port for the host's processes. */
static __always_inline int wf_sock_is_fronted(const struct wf_sock *sock,
					      const struct wf_addr *addr)
{
	struct wf_frontend_key key = {
		.addr = *addr, .scope = WF_SCOPE_ANY, .port = sock->port, .proto = sock->proto
	};

	if (wf_map_frontend(&key))
		return 1;
	key.scope = WF_NETWORK_HOST;
	return !!wf_map_frontend(&key);
}

/*
 * bind() in the host's namespace: 0, or -reason when connections to that port would never reach
 * the socket since it is a service's. Published ports may be bound: runtimes do that to keep the
 * port to themselves, and what is sent there is translated all the same.
 */
static __always_inline int wf_sock_bind(const struct wf_sock *sock)
{
	struct wf_netns_value *netns = wf_sock_netns(sock);
	struct wf_addr any4 = {}, any6 = {};

	if (!netns || !wf_sock_is_host(netns) || !sock->port)
		return 0;
	any4.words[2] = bpf_htonl(0xffff);
	if (wf_sock_is_fronted(sock, &sock->addr))
		return wf_sock_refuse(sock, netns->slot, -WF_REASON_PORT_TAKEN);
	/* a socket of [::] hears both families */
	if ((wf_lb_is_ip4(&sock->addr) || wf_addr_same(&sock->addr, &any6)) &&
	    wf_sock_is_fronted(sock, &any4))
		return wf_sock_refuse(sock, netns->slot, -WF_REASON_PORT_TAKEN);
	if (!wf_lb_is_ip4(&sock->addr) && wf_sock_is_fronted(sock, &any6))
		return wf_sock_refuse(sock, netns->slot, -WF_REASON_PORT_TAKEN);
	return 0;
}

/* What the caller of connect() or sendmsg() gets for a reason. */
static __always_inline int wf_sock_errno(int decision)
{
	switch (-decision) {
	case WF_REASON_SERVICE_NO_BACKEND:
	case WF_REASON_SERVICE_NO_PORT: return -ECONNREFUSED;
	default: return -EHOSTUNREACH;
	}
}

#endif
