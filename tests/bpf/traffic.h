/* SPDX-License-Identifier: Apache-2.0 */
/* Real traffic between namespaces; every function returns whether it went through. */
#ifndef WEFT_TESTS_BPF_TRAFFIC_H
#define WEFT_TESTS_BPF_TRAFFIC_H

#include <stdbool.h>

#include "packet.h"

/* The test's own namespace, where the node lives. */
#define TRAFFIC_NODE ""

/* One echo request and its answer. */
bool traffic_ping(const char *from, const char *address);

/* A TCP connection to a server in `to`, `bytes` there and back again. */
bool traffic_tcp(const char *from, const char *to, const char *address, size_t bytes);

enum traffic_way {
	TRAFFIC_SOCKET, /* an ordinary send() on a packet socket */
	TRAFFIC_RING,   /* the packet socket's ring: headers arrive beyond the linear part */
};

/*
 * Sends a frame out of eth0 of `from` and tells whether a UDP socket at address and port in `to`
 * receives a datagram of it.
 */
bool traffic_udp_frame(const char *from, enum traffic_way way, const struct packet *frame,
		       const char *to, const char *address, uint16_t port);

#endif
