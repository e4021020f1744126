/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sockaddr.h"

#include <string.h>

socklen_t wf_sockaddr_set(union wf_sockaddr *sockaddr, const struct wf_addr *addr, uint16_t port)
{
	memset(sockaddr, 0, sizeof(*sockaddr));
	if (wf_addr_is_ip4(addr)) {
		sockaddr->ip4.sin_family = AF_INET;
		sockaddr->ip4.sin_port = htons(port);
		sockaddr->ip4.sin_addr.s_addr = wf_addr_to_ip4(addr);
		return sizeof(sockaddr->ip4);
	}
	sockaddr->ip6.sin6_family = AF_INET6;
	sockaddr->ip6.sin6_port = htons(port);
	memcpy(&sockaddr->ip6.sin6_addr, addr->bytes, sizeof(sockaddr->ip6.sin6_addr));
	return sizeof(sockaddr->ip6);
}

struct wf_addr wf_sockaddr_addr(const union wf_sockaddr *sockaddr)
{
	return sockaddr->any.sa_family == AF_INET
		       ? wf_addr_from_ip4(sockaddr->ip4.sin_addr.s_addr)
		       : wf_addr_from_bytes(AF_INET6, &sockaddr->ip6.sin6_addr);
}

uint16_t wf_sockaddr_port(const union wf_sockaddr *sockaddr)
{
	return ntohs(sockaddr->any.sa_family == AF_INET ? sockaddr->ip4.sin_port
							: sockaddr->ip6.sin6_port);
}
