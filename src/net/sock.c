/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sock_diag(7): the sockets of a namespace. The kernel lists them per family and protocol and, of
 * many, only those that a filter of its own language lets through.
 */
#include "net/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "net/net_priv.h"

/* Of a state of TCP, as in what to list. */
#define BIT(state) (1U << (state))

/* What to list. */
struct query {
	uint8_t proto;
	uint32_t states;            /* bits by number; an unconnected UDP socket is TCP_CLOSE */
	const struct wf_addr *peer; /* NULL: any, bound or connected to whatever */
	uint16_t peer_port;
};

typedef void (*sock_fn)(const struct inet_diag_msg *sock, const struct nlmsghdr *message,
			void *context);

struct sock_visit {
	sock_fn visit;
	void *context;
};

static void pass_sock(const struct nlmsghdr *message, void *context)
{
	const struct inet_diag_msg *sock = wf_netlink_header(message, sizeof(*sock));
	const struct sock_visit *to = context;

	if (sock && message->nlmsg_type == SOCK_DIAG_BY_FAMILY &&
	    (sock->idiag_family == AF_INET || sock->idiag_family == AF_INET6))
		to->visit(sock, message, to->context);
}

/*
 * One condition: the peer, whose address follows it. "yes" jumps to the end, which accepts, "no"
 * beyond it.
 */
static void put_peer(struct wf_netlink_batch *batch, const struct wf_addr *peer, uint16_t port)
{
	const size_t bytes = wf_addr_bits(peer) / 8;
	struct inet_diag_bc_op op = { .code = INET_DIAG_BC_D_COND };
	const struct inet_diag_hostcond condition = {
		.family = (uint8_t)wf_addr_family(peer),
		.prefix_len = wf_addr_bits(peer),
		.port = port,
	};
	unsigned char code[sizeof(op) + sizeof(condition) + sizeof(peer->bytes)];
	const size_t len = sizeof(op) + sizeof(condition) + bytes;

	op.yes = (unsigned char)len;
	op.no = (unsigned short)(len + sizeof(op));
	memcpy(code, &op, sizeof(op));
	memcpy(code + sizeof(op), &condition, sizeof(condition));
	memcpy(code + sizeof(op) + sizeof(condition), peer->bytes + sizeof(peer->bytes) - bytes,
	       bytes);
	wf_netlink_put(batch, INET_DIAG_REQ_BYTECODE, code, len);
}

static int dump(struct wf_netlink_socket *diag, struct wf_netlink_batch *batch,
		const struct query *query, sock_fn visit, void *context, struct wf_err *err)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	struct sock_visit to = { .visit = visit, .context = context };

	for (size_t i = 0; i < WF_ARRAY_LEN(families); i++) {
		const struct inet_diag_req_v2 header = {
			.sdiag_family = families[i],
			.sdiag_protocol = query->proto,
			.idiag_states = query->states,
		};
		int r;

		/* sockets of AF_INET6 may talk to IPv4 addresses, those of AF_INET to no other */
		if (query->peer && families[i] == AF_INET && !wf_addr_is_ip4(query->peer))
			continue;
		wf_netlink_batch_clear(batch);
		wf_netlink_batch_begin(batch, SOCK_DIAG_BY_FAMILY, 0, &header, sizeof(header));
		if (query->peer)
			put_peer(batch, query->peer, query->peer_port);
		r = wf_netlink_dump(diag, batch, pass_sock, &to, err);
		/* a kernel without IPv6 */
		if (r == -ENOENT && families[i] == AF_INET6)
			continue;
		if (r == -ENOENT)
			return wf_fail(err, -EOPNOTSUPP,
				       "the kernel cannot list sockets (CONFIG_INET_DIAG, "
				       "CONFIG_INET_UDP_DIAG)");
		if (r < 0)
			return wf_wrap(err, r, "cannot list sockets");
	}
	return 0;
}

static bool is_known(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP;
}

/* ---- who has a port ----------------------------------------------------------------------- */

/* What is looked for, and the best so far. */
struct clash {
	const struct wf_addr *addr;
	uint16_t first, last;
	uint16_t port; /* lowest; 0: none */
	uint32_t inode, uid;
};

/* Whether a socket bound to `bound` would get packets that are for `wanted`. */
static bool meets(const struct wf_addr *bound, bool only_ip6, const struct wf_addr *wanted)
{
	const bool is_any = wf_addr_is_zero(bound), wants_any = wf_addr_is_zero(wanted);
	const bool has_ip4 = wf_addr_is_ip4(bound) || (is_any && !only_ip6);
	const bool wants_ip4 = wf_addr_is_ip4(wanted) || wants_any;

	if (!(has_ip4 && wants_ip4) && (wf_addr_is_ip4(bound) || wf_addr_is_ip4(wanted)))
		return false;
	return is_any || wants_any || wf_addr_equal(bound, wanted);
}

static void compare_sock(const struct inet_diag_msg *sock, const struct nlmsghdr *message,
			 void *context)
{
	const struct wf_addr bound = wf_addr_from_bytes(sock->idiag_family, sock->id.idiag_src);
	const uint16_t port = ntohs(sock->id.idiag_sport);
	const struct nlattr *table[INET_DIAG_SKV6ONLY + 1];
	struct clash *clash = context;

	if (port < clash->first || port > clash->last || (clash->port && clash->port <= port))
		return;
	wf_netlink_attrs(message, sizeof(*sock), table, INET_DIAG_SKV6ONLY);
	if (!meets(&bound, wf_netlink_u8(table[INET_DIAG_SKV6ONLY], 0), clash->addr))
		return;
	clash->port = port;
	clash->inode = sock->idiag_inode;
	clash->uid = sock->idiag_uid;
}

int wf_net_port_owner(struct wf_net *net, uint8_t proto, const struct wf_addr *addr, uint16_t first,
		      uint16_t last, uint16_t *ret_port, char ret_owner[96], struct wf_err *err)
{
	/* a connected UDP socket is a client's, soon gone, and hears nobody else */
	const struct query query = {
		.proto = proto,
		.states = 1U << (proto == IPPROTO_TCP ? TCP_LISTEN : TCP_CLOSE),
	};
	struct wf_netlink_socket diag = WF_NETLINK_SOCKET_INIT;
	struct clash clash = { .addr = addr, .first = first ? first : 1, .last = last };
	int r;

	if (!is_known(proto))
		return 0;
	r = wf_netlink_open_protocol(NETLINK_SOCK_DIAG, &diag, err);
	if (r < 0)
		return r;
	r = dump(&diag, wf_net_batch(net), &query, compare_sock, &clash, err);
	wf_netlink_close(&diag);
	if (r < 0 || !clash.port)
		return r;
	*ret_port = clash.port;
	wf_net_sock_owner(clash.inode, clash.uid, ret_owner);
	return 1;
}

/* ---- who is connected --------------------------------------------------------------------- */

struct conn_visit {
	wf_net_conn_fn visit;
	void *context;
};

static void pass_conn(const struct inet_diag_msg *sock, const struct nlmsghdr *message,
		      void *context)
{
	const struct conn_visit *to = context;
	const unsigned int state = sock->idiag_state;
	const struct wf_net_conn conn = {
		.local = wf_addr_from_bytes(sock->idiag_family, sock->id.idiag_src),
		.remote = wf_addr_from_bytes(sock->idiag_family, sock->id.idiag_dst),
		.local_port = ntohs(sock->id.idiag_sport),
		.remote_port = ntohs(sock->id.idiag_dport),
		.listening = state == TCP_LISTEN,
		.is_opening = BIT(state) & (BIT(TCP_SYN_SENT) | BIT(TCP_SYN_RECV)),
		.has_ended = BIT(state) & (BIT(TCP_FIN_WAIT1) | BIT(TCP_FIN_WAIT2) |
					   BIT(TCP_CLOSING) | BIT(TCP_LAST_ACK)),
		.has_heard =
			BIT(state) & (BIT(TCP_CLOSE_WAIT) | BIT(TCP_CLOSING) | BIT(TCP_LAST_ACK)),
	};

	(void)message;
	to->visit(&conn, to->context);
}

int wf_net_socks_visit(struct wf_net *net, int netns_fd, wf_net_conn_fn visit, void *context,
		       struct wf_err *err)
{
	/* requests that wait in front of a listening socket are listed as SYN_RECV */
	const struct query query = {
		.proto = IPPROTO_TCP,
		.states = BIT(TCP_LISTEN) | BIT(TCP_SYN_SENT) | BIT(TCP_SYN_RECV) |
			  BIT(TCP_ESTABLISHED) | BIT(TCP_FIN_WAIT1) | BIT(TCP_FIN_WAIT2) |
			  BIT(TCP_CLOSE_WAIT) | BIT(TCP_CLOSING) | BIT(TCP_LAST_ACK),
	};
	struct conn_visit to = { .visit = visit, .context = context };
	struct wf_netlink_socket diag = WF_NETLINK_SOCKET_INIT;
	int r = wf_net_ns_netlink(net, netns_fd, NETLINK_SOCK_DIAG, &diag, err);

	if (r < 0)
		return r;
	r = dump(&diag, wf_net_batch(net), &query, pass_conn, &to, err);
	wf_netlink_close(&diag);
	return r;
}

/* ---- which there are ---------------------------------------------------------------------- */

struct cookie_visit {
	wf_net_cookie_fn visit;
	void *context;
};

/* One without an inode was closed and only says goodbye. */
static void pass_cookie(const struct inet_diag_msg *sock, const struct nlmsghdr *message,
			void *context)
{
	const struct cookie_visit *to = context;

	(void)message;
	if (sock->idiag_inode)
		to->visit(sock->id.idiag_cookie[0] | (uint64_t)sock->id.idiag_cookie[1] << 32,
			  to->context);
}

int wf_net_cookies_visit(struct wf_net *net, int netns_fd, wf_net_cookie_fn visit, void *context,
			 struct wf_err *err)
{
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP };
	struct cookie_visit to = { .visit = visit, .context = context };
	struct wf_netlink_socket diag = WF_NETLINK_SOCKET_INIT;
	int r = wf_net_ns_netlink(net, netns_fd, NETLINK_SOCK_DIAG, &diag, err);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < WF_ARRAY_LEN(protocols); i++) {
		const struct query query = { .proto = protocols[i], .states = UINT32_MAX };

		r = dump(&diag, wf_net_batch(net), &query, pass_cookie, &to, err);
	}
	wf_netlink_close(&diag);
	return r;
}

/* ---- ending sockets ----------------------------------------------------------------------- */

struct doomed {
	const struct query *query;
	struct wf_netlink_batch requests;
};

static void put_destroy(const struct inet_diag_msg *sock, const struct nlmsghdr *message,
			void *context)
{
	const struct wf_addr peer = wf_addr_from_bytes(sock->idiag_family, sock->id.idiag_dst);
	struct doomed *doomed = context;
	const struct inet_diag_req_v2 header = {
		.sdiag_family = sock->idiag_family,
		.sdiag_protocol = doomed->query->proto,
		.idiag_states = doomed->query->states,
		.id = sock->id,
	};

	/* the kernel's filter has said so already; but this is not to be undone */
	if (!wf_addr_equal(&peer, doomed->query->peer) ||
	    ntohs(sock->id.idiag_dport) != doomed->query->peer_port)
		return;
	wf_netlink_batch_begin(&doomed->requests, SOCK_DESTROY, 0, &header, sizeof(header));
	/* ended by itself since it was listed */
	wf_netlink_batch_tolerate(&doomed->requests, -ENOENT);
}

int wf_net_socks_destroy(struct wf_net *net, int netns_fd, uint8_t proto,
			 const struct wf_addr *addr, uint16_t port, struct wf_err *err)
{
	const struct query query = { .proto = proto,
				     .states = 1U << TCP_ESTABLISHED | 1U << TCP_SYN_SENT,
				     .peer = addr,
				     .peer_port = port };
	struct doomed doomed = { .query = &query, .requests = WF_NETLINK_BATCH_INIT };
	struct wf_netlink_socket diag = WF_NETLINK_SOCKET_INIT;
	int r;

	if (!is_known(proto))
		return 0;
	r = wf_net_ns_netlink(net, netns_fd, NETLINK_SOCK_DIAG, &diag, err);
	if (r < 0)
		return r;
	r = dump(&diag, wf_net_batch(net), &query, put_destroy, &doomed, err);
	if (r == 0)
		r = wf_netlink_transact(&diag, &doomed.requests, NULL, NULL, NULL, err);
	if (r == -EOPNOTSUPP)
		r = wf_fail(err, r,
			    "the kernel cannot end sockets (CONFIG_INET_DIAG_DESTROY is off)");
	else if (r < 0)
		r = wf_wrap(err, r, "cannot end sockets");
	else
		r = (int)doomed.requests.count;
	wf_netlink_batch_done(&doomed.requests);
	wf_netlink_close(&diag);
	return r;
}
