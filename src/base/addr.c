/* SPDX-License-Identifier: Apache-2.0 */
#include "base/addr.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

struct wf_addr wf_addr_from_ip4(uint32_t ip4_be)
{
	struct wf_addr addr;

	memcpy(addr.bytes, mapped, sizeof(mapped));
	memcpy(addr.bytes + 12, &ip4_be, 4);
	return addr;
}

uint32_t wf_addr_to_ip4(const struct wf_addr *addr)
{
	uint32_t ip4;

	memcpy(&ip4, addr->bytes + 12, 4);
	return ip4;
}

struct wf_addr wf_addr_from_bytes(int family, const void *bytes)
{
	struct wf_addr addr;
	uint32_t ip4;

	if (family == AF_INET) {
		memcpy(&ip4, bytes, 4);
		return wf_addr_from_ip4(ip4);
	}
	memcpy(addr.bytes, bytes, 16);
	return addr;
}

int wf_addr_family(const struct wf_addr *addr)
{
	return wf_addr_is_ip4(addr) ? AF_INET : AF_INET6;
}

uint8_t wf_addr_bits(const struct wf_addr *addr)
{
	return wf_addr_is_ip4(addr) ? 32 : 128;
}

bool wf_addr_is_zero(const struct wf_addr *addr)
{
	static const struct wf_addr zero;

	return memcmp(addr, &zero, sizeof(zero)) == 0 ||
	       (wf_addr_is_ip4(addr) && wf_addr_to_ip4(addr) == 0);
}

int wf_addr_compare(const struct wf_addr *a, const struct wf_addr *b)
{
	return memcmp(a->bytes, b->bytes, 16);
}

bool wf_mac_is_zero(const struct wf_mac *mac)
{
	static const struct wf_mac zero;

	return memcmp(mac, &zero, sizeof(zero)) == 0;
}

bool wf_mac_is_unicast(const struct wf_mac *mac)
{
	return !wf_mac_is_zero(mac) && !(mac->bytes[0] & 1);
}

bool wf_addr_is_link_local(const struct wf_addr *addr)
{
	return addr->bytes[0] == 0xfe && (addr->bytes[1] & 0xc0) == 0x80;
}

bool wf_addr_is_usable(const struct wf_addr *addr)
{
	const uint8_t *b = addr->bytes;

	if (wf_addr_is_zero(addr))
		return false;
	if (wf_addr_is_ip4(addr))
		return b[12] != 0 && b[12] != 127 && b[12] < 224 && !(b[12] == 169 && b[13] == 254);
	if (b[0] == 0xff || wf_addr_is_link_local(addr))
		return false;
	/* ::/8 holds loopback, mapped and translated forms; none is an interface address */
	return b[0] != 0;
}

int wf_addr_parse(const char *text, struct wf_addr *ret_addr)
{
	uint8_t bytes[16];

	if (inet_pton(AF_INET, text, bytes) == 1) {
		*ret_addr = wf_addr_from_bytes(AF_INET, bytes);
		return 0;
	}
	if (inet_pton(AF_INET6, text, bytes) != 1)
		return -EINVAL;
	/* a mapped address written as IPv6 would be IPv4 to us and IPv6 to the user */
	if (memcmp(bytes, mapped, sizeof(mapped)) == 0)
		return -EINVAL;
	memcpy(ret_addr->bytes, bytes, 16);
	return 0;
}

int wf_prefix_parse(const char *text, struct wf_prefix *ret_prefix)
{
	const char *slash = strchr(text, '/');
	char address[WF_ADDR_TEXT];
	struct wf_prefix prefix;
	uint64_t len;

	if (!slash) {
		if (wf_addr_parse(text, &prefix.addr) < 0)
			return -EINVAL;
		prefix.len = wf_addr_bits(&prefix.addr);
		*ret_prefix = prefix;
		return 0;
	}
	if ((size_t)(slash - text) >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	if (wf_addr_parse(address, &prefix.addr) < 0)
		return -EINVAL;
	if (slash[1] == '0' && slash[2])
		return -EINVAL;
	if (wf_str_to_u64(slash + 1, 0, wf_addr_bits(&prefix.addr), &len) < 0)
		return -EINVAL;
	prefix.len = (uint8_t)len;
	*ret_prefix = prefix;
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int wf_mac_parse(const char *text, struct wf_mac *ret_mac)
{
	struct wf_mac mac;

	if (strlen(text) != WF_MAC_TEXT - 1)
		return -EINVAL;
	for (size_t i = 0; i < 6; i++) {
		int high = hex_digit(text[3 * i]), low = hex_digit(text[3 * i + 1]);
		char separator = text[3 * i + 2];

		if (high < 0 || low < 0)
			return -EINVAL;
		if (i < 5 && (separator != text[2] || (separator != ':' && separator != '-')))
			return -EINVAL;
		mac.bytes[i] = (uint8_t)(high << 4 | low);
	}
	*ret_mac = mac;
	return 0;
}

char *wf_addr_format(const struct wf_addr *addr, char *buf)
{
	if (wf_addr_is_ip4(addr))
		(void)inet_ntop(AF_INET, addr->bytes + 12, buf, WF_ADDR_TEXT);
	else
		(void)inet_ntop(AF_INET6, addr->bytes, buf, WF_ADDR_TEXT);
	return buf;
}

char *wf_prefix_format(const struct wf_prefix *prefix, char *buf)
{
	size_t len;

	(void)wf_addr_format(&prefix->addr, buf);
	len = strlen(buf);
	(void)snprintf(buf + len, WF_ADDR_TEXT - len, "/%u", prefix->len);
	return buf;
}

char *wf_mac_format(const struct wf_mac *mac, char *buf)
{
	const uint8_t *b = mac->bytes;

	(void)snprintf(buf, WF_MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3],
		       b[4], b[5]);
	return buf;
}

struct wf_addr wf_addr_add(const struct wf_addr *addr, uint64_t offset)
{
	struct wf_addr sum = *addr;
	int lowest = wf_addr_is_ip4(addr) ? 12 : 0;
	uint64_t carry = offset;

	for (int i = 15; i >= lowest && carry; i--) {
		uint64_t value = sum.bytes[i] + (carry & 0xff);

		sum.bytes[i] = (uint8_t)value;
		carry = (carry >> 8) + (value >> 8);
	}
	return sum;
}

uint64_t wf_addr_distance(const struct wf_addr *a, const struct wf_addr *b)
{
	uint8_t difference[16];
	uint64_t distance = 0;
	int borrow = 0;

	for (int i = 15; i >= 0; i--) {
		int value = b->bytes[i] - a->bytes[i] - borrow;

		borrow = value < 0;
		difference[i] = (uint8_t)value;
	}
	if (borrow)
		return UINT64_MAX;
	for (int i = 0; i < 16; i++) {
		if (i < 8 && difference[i])
			return UINT64_MAX;
		distance = distance << 8 | difference[i];
	}
	return distance;
}

struct wf_addr wf_prefix_mask(const struct wf_prefix *prefix)
{
	struct wf_addr mask = { 0 };
	unsigned int bits = prefix->len + (wf_addr_is_ip4(&prefix->addr) ? 96U : 0U);

	for (unsigned int i = 0; i < 16; i++) {
		unsigned int ones = bits > i * 8 ? bits - i * 8 : 0;

		mask.bytes[i] = (uint8_t)(ones >= 8 ? 0xff : 0xff00 >> ones);
	}
	return mask;
}

struct wf_prefix wf_prefix_network(const struct wf_prefix *prefix)
{
	struct wf_addr mask = wf_prefix_mask(prefix);
	struct wf_prefix network = *prefix;

	for (int i = 0; i < 16; i++)
		network.addr.bytes[i] &= mask.bytes[i];
	return network;
}

struct wf_addr wf_prefix_last(const struct wf_prefix *prefix)
{
	struct wf_addr mask = wf_prefix_mask(prefix);
	struct wf_addr last = prefix->addr;

	for (int i = 0; i < 16; i++)
		last.bytes[i] |= (uint8_t)~mask.bytes[i];
	return last;
}

bool wf_prefix_contains(const struct wf_prefix *prefix, const struct wf_addr *addr)
{
	struct wf_addr mask = wf_prefix_mask(prefix);

	if (wf_addr_is_ip4(&prefix->addr) != wf_addr_is_ip4(addr))
		return false;
	for (int i = 0; i < 16; i++)
		if ((prefix->addr.bytes[i] ^ addr->bytes[i]) & mask.bytes[i])
			return false;
	return true;
}

bool wf_prefix_overlaps(const struct wf_prefix *a, const struct wf_prefix *b)
{
	return a->len <= b->len ? wf_prefix_contains(a, &b->addr) : wf_prefix_contains(b, &a->addr);
}

bool wf_prefix_equal(const struct wf_prefix *a, const struct wf_prefix *b)
{
	return a->len == b->len && wf_addr_equal(&a->addr, &b->addr);
}

struct wf_addr wf_addr_link_local(const struct wf_mac *mac)
{
	const uint8_t *b = mac->bytes;

	return (struct wf_addr){ .bytes = { 0xfe, 0x80, [8] = b[0] ^ 2, b[1], b[2], 0xff, 0xfe,
					    b[3], b[4], b[5] } };
}
