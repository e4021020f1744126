/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small world for the programs: networks and endpoints that show every rule, the same for the
 * shipped object in a private namespace and for the native build of its logic.
 *
 *   network  subnets                      what about it
 *   1 blue   10.1.0.0/24 fd01::/64        ordinary; slots 1, 2, and 8 not in service
 *   2 red    10.2.0.0/24 fd02::/64        ordinary, gateway MAC of its own; slot 3
 *   3 alone  10.3.0.0/24 fd03::/64        isolated; slot 4
 *   4 inner  10.4.0.0/24 fd04::/64        internal; slots 5, 11
 *   5 four   10.5.0.0/24                  no IPv6; slot 6
 *   6 six    fd06::/64                    no IPv4; slot 7
 *   7        -                            not valid; slot 9
 *
 * Slot N of network M has 10.M.0.(N+10) and fd0M::(N+10 in decimal digits), gateways are .1 and
 * ::1. Slot 1 also has 10.1.0.111 and fd01::111. Slot 10 is free although a device exists.
 */
#ifndef WEFT_TESTS_BPF_WORLD_H
#define WEFT_TESTS_BPF_WORLD_H

#include <weft/abi/limits.h>
#include <weft/abi/types.h>

#define WORLD_SLOTS       12
#define WORLD_HOST_DEVICE 77 /* index of weft0 */

/* Brief MACs (packet.h): weft0's, which blue and most gateways share, and red's gateway. */
#define MAC_HOST 0xff01
#define MAC_RED  0xff02

/* Where the world is put: pinned maps or native ones. */
struct world_maps {
	void (*endpoint)(__u32 slot, const struct wf_ep_value *value, void *context);
	void (*address)(__u32 network, const struct wf_addr *addr,
			const struct wf_addr_value *value, void *context);
	void (*network)(__u32 number, const struct wf_net_value *value, void *context);
	void (*config)(const struct wf_config_value *value, void *context);
	void *context;
};

void world_fill(const struct world_maps *maps);

#endif
