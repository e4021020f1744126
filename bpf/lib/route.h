/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The way that the host's routes and neighbours name for a frame. What they said is good for a
 * moment, some hundredths of a second: asking them takes as long as all the rest, and a new route
 * is in force by then without anybody being told.
 */
#ifndef WEFT_BPF_ROUTE_H
#define WEFT_BPF_ROUTE_H

#include <weft/abi/limits.h>
#include <weft/abi/types.h>

#include "port.h"

#define WF_ROUTE_SPREAD 0x9e3779b97f4a7c15ULL

/* Where this CPU remembers what was said of frames between two addresses, `pair`; NULL: nowhere. */
static __always_inline struct wf_route_value *wf_route_place(const struct wf_addr *pair)
{
	__u64 both = pair[0].halves[1] + (pair[1].halves[1] ^ pair[1].halves[1] >> 32);

	return wf_map_route((both ^ both >> 32) * WF_ROUTE_SPREAD >> (64 - WF_ROUTE_BITS));
}

/* Whether that is what the kernel said of such a frame in this moment. */
static __always_inline int wf_route_holds(const struct wf_route_value *route,
					  const struct wf_addr *pair, const struct wf_ask *ask)
{
	return route->moment == wf_route_moment() && route->from == ask->ifindex &&
	       route->proto == ask->proto && ask->len <= route->len &&
	       route->src.halves[0] == pair[0].halves[0] &&
	       route->src.halves[1] == pair[0].halves[1] &&
	       route->dst.halves[0] == pair[1].halves[0] &&
	       route->dst.halves[1] == pair[1].halves[1];
}

/* Device and MACs in it are what the kernel has just said. */
static __always_inline void wf_route_keep(struct wf_route_value *route, const struct wf_addr *pair,
					  const struct wf_ask *ask)
{
	route->src = pair[0];
	route->dst = pair[1];
	route->from = ask->ifindex;
	route->proto = ask->proto;
	route->len = ask->len;
	route->moment = wf_route_moment();
}

#endif
