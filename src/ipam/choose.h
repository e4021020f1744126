/* SPDX-License-Identifier: Apache-2.0 */
/* Choosing a subnet for a new network that overlaps nothing the host knows. Pure. */
#ifndef WEFT_IPAM_CHOOSE_H
#define WEFT_IPAM_CHOOSE_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

/* One run of candidate subnets: every /size inside base, in order. */
struct wf_choose_pool {
	struct wf_prefix base;
	uint8_t size; /* prefix length of the subnets cut from it */
};

/* Something that must not be overlapped, and what it is ("route via tun0", "network blue"). */
struct wf_choose_taken {
	struct wf_prefix prefix;
	const char *what; /* borrowed */
};

/* Built-in pools: 10.64.0.0/10 by /16, 172.16.0.0/12 by /20, 192.168.0.0/16 by /24. */
const struct wf_choose_pool *wf_choose_default_ip4(size_t *ret_count);

/* fdXX:XXXX:XXXX::/48 by /64 with 40 bits taken from seed (RFC 4193). */
struct wf_choose_pool wf_choose_default_ip6(const uint8_t seed[5]);

/*
 * First candidate that overlaps none of taken. Default routes (length 0) must not be in taken.
 * -ENOSPC: all overlap; the message names up to three of the things in the way.
 */
int wf_choose_subnet(const struct wf_choose_pool *pools, size_t pool_count,
		     const struct wf_choose_taken *taken, size_t taken_count,
		     struct wf_prefix *ret_subnet, struct wf_err *err);

/* The first of taken that overlaps prefix, NULL when none. */
const struct wf_choose_taken *wf_choose_overlap(const struct wf_prefix *prefix,
						const struct wf_choose_taken *taken,
						size_t taken_count);

/* A locally administered unicast MAC from 64 bits of randomness or a hash. */
struct wf_mac wf_choose_mac(uint64_t bits);

#endif
