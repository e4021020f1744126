/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses as the socket calls have them, of either family. */
#ifndef WEFT_BASE_SOCKADDR_H
#define WEFT_BASE_SOCKADDR_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/addr.h"

union wf_sockaddr {
	struct sockaddr any;
	struct sockaddr_in ip4;
	struct sockaddr_in6 ip6;
};

/* Fills in what an address and a port (host byte order) are. Returns how many bytes count. */
socklen_t wf_sockaddr_set(union wf_sockaddr *sockaddr, const struct wf_addr *addr, uint16_t port);

/* The address in it, and the port (host byte order). */
struct wf_addr wf_sockaddr_addr(const union wf_sockaddr *sockaddr);
uint16_t wf_sockaddr_port(const union wf_sockaddr *sockaddr);

#endif
