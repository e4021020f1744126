/* SPDX-License-Identifier: Apache-2.0 */
#include "wire.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>

#define ETHERNET_BYTES 14

static bool is_ip6(const char *text)
{
	return strchr(text, ':') != NULL;
}

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint32_t get16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

uint32_t wire_sum(const uint8_t *bytes, size_t len)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint32_t)sum;
}

uint32_t wire_crc32c(const uint8_t *bytes, size_t len)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < len; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
	}
	return ~crc;
}

/* The sum of the pseudo header of an IP packet. */
static uint32_t pseudo_sum(const uint8_t *packet, uint8_t proto, size_t len)
{
	uint8_t tail[4] = { 0, proto, (uint8_t)(len >> 8), (uint8_t)len };
	uint32_t sum = packet[0] >> 4 == 4 ? wire_sum(packet + 12, 8) : wire_sum(packet + 8, 32);

	sum += wire_sum(tail, sizeof(tail));
	return (sum & 0xffff) + (sum >> 16);
}

static uint32_t fold(uint32_t sum)
{
	return (sum & 0xffff) + (sum >> 16);
}

static size_t check_offset(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP: return 16;
	case IPPROTO_UDP: return 6;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6: return 2;
	default: return 0;
	}
}

/* Writes the checksum of a whole transport segment; `packet` needs its addresses only. */
static void finish_l4(const struct wire_spec *spec, const uint8_t *packet, uint8_t *l4, size_t len)
{
	size_t offset = check_offset(spec->proto);
	uint32_t pseudo = spec->proto == IPPROTO_ICMP ? 0 : pseudo_sum(packet, spec->proto, len);
	uint32_t check;

	if (spec->no_check)
		return;
	if (spec->proto == IPPROTO_SCTP) {
		check = wire_crc32c(l4, len);
		for (int i = 0; i < 4; i++)
			l4[8 + i] = (uint8_t)(check >> 8 * i);
	}
	if (!offset)
		return;
	if (spec->partial) {
		put16(l4 + offset, pseudo);
		return;
	}
	check = 0xffff & ~fold(wire_sum(l4, len) + pseudo);
	if (spec->zero_sum) {
		put16(l4 + 8, get16(l4 + 8) + check); /* no carry: the payload is small there */
		check = 0xffff & ~fold(wire_sum(l4, len) + pseudo);
		assert(check == 0);
	}
	if (spec->proto == IPPROTO_UDP && !check)
		check = 0xffff;
	put16(l4 + offset, check);
}

static size_t build_ip(const struct wire_spec *spec, uint8_t *packet, size_t room);

/* Writes the segment without its checksum and returns its length. */
static size_t fill_l4(const struct wire_spec *spec, uint8_t *l4, size_t room)
{
	size_t len = 8;

	put16(l4, spec->sport);
	put16(l4 + 2, spec->dport);
	if (spec->proto == IPPROTO_TCP) {
		len = 20;
		memcpy(l4 + 4, "\x12\x34\x56\x78\x9a\xbc\xde\xf0", 8);
		l4[12] = 0x50;
		l4[13] = spec->tcp_flags ? spec->tcp_flags : 0x10;
		put16(l4 + 14, 1000);
	} else if (spec->proto == IPPROTO_UDP) {
		put16(l4 + 4, (uint32_t)(8 + spec->payload));
	} else if (spec->proto == IPPROTO_SCTP) {
		len = 12;
		memcpy(l4 + 4, "\xca\xfe\xba\xbe", 4);
	} else if (spec->proto == IPPROTO_ICMP || spec->proto == IPPROTO_ICMPV6) {
		l4[0] = spec->type;
		l4[1] = spec->code;
		put16(l4 + 2, 0);
		put16(l4 + 4, spec->sport);
		put16(l4 + 6, spec->quoted ? spec->mtu : 7);
	}
	if (spec->quoted) {
		size_t quote = build_ip(spec->quoted, l4 + len, room - len);

		if (spec->quote_bytes && spec->quote_bytes < quote) {
			memset(l4 + len + spec->quote_bytes, 0, quote - spec->quote_bytes);
			quote = spec->quote_bytes;
		}
		return len + quote;
	}
	assert(len + spec->payload <= room);
	for (size_t i = 0; i < spec->payload; i++)
		l4[len + i] = (uint8_t)(spec->zero_sum ? 0 : 31 * i + 5);
	return len + spec->payload;
}

/* Leaves of a datagram what this fragment carries. */
static size_t cut_fragment(const struct wire_spec *spec, uint8_t *l4, size_t len)
{
	size_t bytes = spec->fragment_bytes;

	if (!bytes)
		return len;
	assert(spec->fragment_at + bytes <= len);
	memmove(l4, l4 + spec->fragment_at, bytes);
	return bytes;
}

static size_t build_ip4(const struct wire_spec *spec, uint8_t *packet, size_t room)
{
	size_t header = 20 + spec->option_bytes, len;

	packet[0] = (uint8_t)(0x40 | header / 4);
	packet[8] = 61;
	packet[9] = spec->proto;
	assert(inet_pton(AF_INET, spec->src, packet + 12) == 1);
	assert(inet_pton(AF_INET, spec->dst, packet + 16) == 1);
	memset(packet + 20, 1, spec->option_bytes);
	put16(packet + 4, spec->id);
	len = fill_l4(spec, packet + header, room - header);
	finish_l4(spec, packet, packet + header, len);
	if (spec->fragment_bytes)
		put16(packet + 6,
		      (uint32_t)(spec->fragment_at / 8) |
			      (spec->fragment_at + spec->fragment_bytes < len ? 0x2000 : 0));
	len = header + cut_fragment(spec, packet + header, len);
	put16(packet + 2, (uint32_t)len);
	put16(packet + 10, 0xffff & ~wire_sum(packet, header));
	return len;
}

static size_t build_ip6(const struct wire_spec *spec, uint8_t *packet, size_t room)
{
	size_t header = spec->fragment_bytes ? 48 : 40, len;

	packet[0] = 0x60;
	packet[7] = 61;
	packet[6] = spec->proto;
	assert(inet_pton(AF_INET6, spec->src, packet + 8) == 1);
	assert(inet_pton(AF_INET6, spec->dst, packet + 24) == 1);
	len = fill_l4(spec, packet + header, room - header);
	finish_l4(spec, packet, packet + header, len);
	if (spec->fragment_bytes) {
		packet[6] = IPPROTO_FRAGMENT;
		packet[40] = spec->proto;
		put16(packet + 42, (uint32_t)spec->fragment_at |
					   (spec->fragment_at + spec->fragment_bytes < len));
		put16(packet + 44, spec->id >> 16);
		put16(packet + 46, spec->id);
	}
	len = header + cut_fragment(spec, packet + header, len);
	put16(packet + 4, (uint32_t)(len - 40));
	return len;
}

static size_t build_ip(const struct wire_spec *spec, uint8_t *packet, size_t room)
{
	return is_ip6(spec->src) ? build_ip6(spec, packet, room) : build_ip4(spec, packet, room);
}

void wire_build(const struct wire_spec *spec, struct wire *ret_wire)
{
	memset(ret_wire, 0, sizeof(*ret_wire));
	if (!spec->bare) {
		memcpy(ret_wire->bytes, "\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02", 12);
		put16(ret_wire->bytes + 12, is_ip6(spec->src) ? 0x86dd : 0x0800);
		ret_wire->l3 = ETHERNET_BYTES;
	}
	ret_wire->len = ret_wire->l3 + build_ip(spec, ret_wire->bytes + ret_wire->l3,
						WIRE_MAX_BYTES - ret_wire->l3);
}

static void set_addr(const char *text, struct wf_addr *ret_addr)
{
	memset(ret_addr, 0, sizeof(*ret_addr));
	if (is_ip6(text)) {
		assert(inet_pton(AF_INET6, text, ret_addr) == 1);
		return;
	}
	ret_addr->words[2] = htonl(0xffff);
	assert(inet_pton(AF_INET, text, &ret_addr->words[3]) == 1);
}

static void swap_ends(struct wf_tuple *tuple)
{
	struct wf_addr addr = tuple->src;
	__be16 port = tuple->sport;

	tuple->src = tuple->dst;
	tuple->dst = addr;
	tuple->sport = tuple->dport;
	tuple->dport = port;
}

void wire_tuple(const struct wire_spec *spec, struct wf_tuple *ret_tuple)
{
	if (spec->quoted) {
		wire_tuple(spec->quoted, ret_tuple);
		swap_ends(ret_tuple);
		return;
	}
	memset(ret_tuple, 0, sizeof(*ret_tuple));
	set_addr(spec->src, &ret_tuple->src);
	set_addr(spec->dst, &ret_tuple->dst);
	ret_tuple->proto = spec->proto;
	ret_tuple->site = WF_SITE_EDGE;
	if (spec->proto == IPPROTO_ICMP || spec->proto == IPPROTO_ICMPV6) {
		if (spec->type == 8 || spec->type == 128)
			ret_tuple->sport = htons(spec->sport);
		else if (spec->type == 0 || spec->type == 129)
			ret_tuple->dport = htons(spec->sport);
	} else {
		ret_tuple->sport = htons(spec->sport);
		ret_tuple->dport = htons(spec->dport);
	}
}

/* A checksum over everything, itself included, gives all ones. */
static bool is_l4_right(const uint8_t *packet, uint8_t proto, const uint8_t *l4, size_t len)
{
	uint32_t pseudo = proto == IPPROTO_ICMP ? 0 : pseudo_sum(packet, proto, len);
	uint8_t copy[WIRE_MAX_BYTES];

	if (proto == IPPROTO_SCTP) {
		uint32_t crc;

		memcpy(copy, l4, len);
		memset(copy + 8, 0, 4);
		crc = wire_crc32c(copy, len);
		return l4[8] == (crc & 0xff) && l4[9] == (crc >> 8 & 0xff) &&
		       l4[10] == (crc >> 16 & 0xff) && l4[11] == crc >> 24;
	}
	if (proto == IPPROTO_UDP && !get16(l4 + 6))
		return true;
	return fold(wire_sum(l4, len) + pseudo) == 0xffff;
}

bool wire_is_right(const uint8_t *packet, size_t len)
{
	size_t header = packet[0] >> 4 == 6 ? 40 : (size_t)(packet[0] & 15) * 4;

	if (packet[0] >> 4 == 6)
		return get16(packet + 4) == len - header &&
		       is_l4_right(packet, packet[6], packet + header, len - header);
	return get16(packet + 2) == len && wire_sum(packet, header) == 0xffff &&
	       is_l4_right(packet, packet[9], packet + header, len - header);
}
