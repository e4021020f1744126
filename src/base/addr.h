/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses, prefixes and MACs as values. IPv4 is held mapped (::ffff:a.b.c.d), see abi/types.h;
 * prefix lengths of the user's notation are kept per family, never in 128-bit terms.
 */
#ifndef WEFT_BASE_ADDR_H
#define WEFT_BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <weft/abi/types.h>

/* Enough for any formatted address or prefix, NUL included. */
#define WF_ADDR_TEXT 56
#define WF_MAC_TEXT  18

/* An address with a length: a subnet when host bits are zero, an interface address otherwise. */
struct wf_prefix {
	struct wf_addr addr;
	uint8_t len; /* bits, 0-32 for IPv4, 0-128 for IPv6 */
};

struct wf_mac {
	uint8_t bytes[6];
};

/* Parses an address. No zone, no leading zeros. Returns 0 or -EINVAL. */
int wf_addr_parse(const char *text, struct wf_addr *ret_addr);

/* Parses "addr/len"; without "/len" the full length. Host bits are kept. 0 or -EINVAL. */
int wf_prefix_parse(const char *text, struct wf_prefix *ret_prefix);

/* Parses aa:bb:cc:dd:ee:ff (also with '-'). 0 or -EINVAL. */
int wf_mac_parse(const char *text, struct wf_mac *ret_mac);

/* Formats into buf (WF_ADDR_TEXT or WF_MAC_TEXT bytes) and returns buf. IPv6 as RFC 5952. */
char *wf_addr_format(const struct wf_addr *addr, char *buf);
char *wf_prefix_format(const struct wf_prefix *prefix, char *buf);
char *wf_mac_format(const struct wf_mac *mac, char *buf);

/* From and to the kernel's forms. */
struct wf_addr wf_addr_from_ip4(uint32_t ip4_be);
uint32_t wf_addr_to_ip4(const struct wf_addr *addr); /* network byte order; addr must be IPv4 */
struct wf_addr wf_addr_from_bytes(int family, const void *bytes); /* AF_INET: 4, AF_INET6: 16 */

/* These two are asked for every backend of every service. */
static inline bool wf_addr_is_ip4(const struct wf_addr *addr)
{
	static const uint8_t mapped[4] = { 0, 0, 0xff, 0xff };

	return !addr->halves[0] && memcmp(&addr->bytes[8], mapped, sizeof(mapped)) == 0;
}
static inline bool wf_addr_equal(const struct wf_addr *a, const struct wf_addr *b)
{
	return a->halves[0] == b->halves[0] && a->halves[1] == b->halves[1];
}
int wf_addr_family(const struct wf_addr *addr);                        /* AF_INET or AF_INET6 */
bool wf_addr_is_zero(const struct wf_addr *addr);                      /* ::, or 0.0.0.0 */
int wf_addr_compare(const struct wf_addr *a, const struct wf_addr *b); /* as memcmp */
bool wf_mac_is_zero(const struct wf_mac *mac);
bool wf_mac_is_unicast(const struct wf_mac *mac); /* and not zero */

bool wf_addr_is_link_local(const struct wf_addr *addr); /* fe80::/10 */

/* Whether the address can be an endpoint's: not zero, multicast, loopback, link-local, broadcast. */
bool wf_addr_is_usable(const struct wf_addr *addr);

/* addr + offset within 128 (IPv4: 32) bits, wrapping. */
struct wf_addr wf_addr_add(const struct wf_addr *addr, uint64_t offset);

/* b - a for b >= a, UINT64_MAX when the distance does not fit. */
uint64_t wf_addr_distance(const struct wf_addr *a, const struct wf_addr *b);

/* Bits of the family: 32 or 128. */
uint8_t wf_addr_bits(const struct wf_addr *addr);

/* The prefix with its host bits zeroed; the mask as an address (IPv4: mapped, upper bits ones). */
struct wf_prefix wf_prefix_network(const struct wf_prefix *prefix);
struct wf_addr wf_prefix_mask(const struct wf_prefix *prefix);
struct wf_addr wf_prefix_last(const struct wf_prefix *prefix); /* highest address in it */

bool wf_prefix_contains(const struct wf_prefix *prefix, const struct wf_addr *addr);
bool wf_prefix_overlaps(const struct wf_prefix *a, const struct wf_prefix *b);
bool wf_prefix_equal(const struct wf_prefix *a, const struct wf_prefix *b);

/* The EUI-64 link-local address of a MAC (RFC 4291, appendix A). */
struct wf_addr wf_addr_link_local(const struct wf_mac *mac);

#endif
