/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets of the host and of containers, by sock_diag(7): who has a port, and ending them. */
#ifndef WEFT_NET_SOCK_H
#define WEFT_NET_SOCK_H

#include "net/net.h"

/*
 * The owner of a bound port on the host that would clash with addr (::, any of both families;
 * 0.0.0.0, any of IPv4) and one of the ports first to last: "nginx (pid 123)" or "a socket of uid
 * 0" when no process can be found. Returns 1 when there is one (*ret_port is the lowest of them), 0
 * when there is none. Looks at listening TCP sockets and at UDP sockets without a peer; SCTP cannot
 * be asked for and has none. -EOPNOTSUPP: the kernel does not list sockets.
 */
int wf_net_port_owner(struct wf_net *net, uint8_t proto, const struct wf_addr *addr, uint16_t first,
		      uint16_t last, uint16_t *ret_port, char ret_owner[96], struct wf_err *err);

/* A TCP socket of a namespace: of a connection, or listening (then only local_port is set). */
struct wf_net_conn {
	struct wf_addr local, remote;
	uint16_t local_port, remote_port;
	bool listening;
	bool is_opening;           /* the handshake is not over */
	bool has_ended, has_heard; /* a FIN was sent, was received */
};
typedef void (*wf_net_conn_fn)(const struct wf_net_conn *conn, void *context);

/*
 * Visits the TCP sockets of a namespace (fd < 0: the host's own) that listen, or whose connection opens,
 * is established or is still to carry what both ends have to say.
 * -EOPNOTSUPP: the kernel does not list sockets.
 */
int wf_net_socks_visit(struct wf_net *net, int netns_fd, wf_net_conn_fn visit, void *context,
		       struct wf_err *err);

typedef void (*wf_net_cookie_fn)(uint64_t cookie, void *context);

/*
 * Visits the cookies of the TCP and UDP sockets of a namespace (fd < 0: the host's own) that somebody
 * holds and that talk to somebody or wait for that. -EOPNOTSUPP: the kernel does not list sockets.
 */
int wf_net_cookies_visit(struct wf_net *net, int netns_fd, wf_net_cookie_fn visit, void *context,
			 struct wf_err *err);

/*
 * Ends the connected sockets (TCP or UDP) of a namespace (fd < 0: the host's own) that talk to
 * addr and port: their owners see ECONNABORTED and connect anew. Returns how many, -EOPNOTSUPP
 * when the kernel cannot (CONFIG_INET_DIAG_DESTROY). SCTP: none.
 */
int wf_net_socks_destroy(struct wf_net *net, int netns_fd, uint8_t proto,
			 const struct wf_addr *addr, uint16_t port, struct wf_err *err);

#endif
