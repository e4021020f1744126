/* SPDX-License-Identifier: Apache-2.0 */
#include "packet.h"

#include <arpa/inet.h>
#include <assert.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <stdio.h>
#include <string.h>

#define ND_SOLICIT 135
#define ND_ADVERT  136

void packet_mac(uint16_t brief, uint8_t ret_mac[6])
{
	static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	static const uint8_t all_nodes[6] = { 0x33, 0x33, 0, 0, 0, 1 };
	const uint8_t usual[6] = { 2, 0, 0, 0, (uint8_t)(brief >> 8), (uint8_t)brief };

	memcpy(ret_mac,
	       brief == MAC_BROADCAST   ? broadcast
	       : brief == MAC_ALL_NODES ? all_nodes
					: usual,
	       6);
}

static void put(struct packet *packet, const void *bytes, size_t len)
{
	assert(packet->len + len <= sizeof(packet->bytes));
	if (len)
		memcpy(packet->bytes + packet->len, bytes, len);
	packet->len += len;
}

static void put8(struct packet *packet, unsigned int value)
{
	uint8_t byte = (uint8_t)value;

	put(packet, &byte, 1);
}

static void put16(struct packet *packet, unsigned int value)
{
	put8(packet, value >> 8);
	put8(packet, value & 0xff);
}

static void put32(struct packet *packet, uint32_t value)
{
	put16(packet, value >> 16);
	put16(packet, value & 0xffff);
}

static void put_mac(struct packet *packet, uint16_t brief)
{
	uint8_t mac[6];

	packet_mac(brief, mac);
	put(packet, mac, 6);
}

static void put_zeros(struct packet *packet, size_t count)
{
	while (count--)
		put8(packet, 0);
}

static void put_ip(struct packet *packet, int family, const char *text)
{
	uint8_t bytes[16];
	int parsed = inet_pton(family, text, bytes);

	assert(parsed == 1);
	(void)parsed;
	put(packet, bytes, family == AF_INET ? 4 : 16);
}

static void set16(struct packet *packet, size_t at, unsigned int value)
{
	packet->bytes[at] = (uint8_t)(value >> 8);
	packet->bytes[at + 1] = (uint8_t)value;
}

static uint32_t sum16(const struct packet *packet, size_t from, size_t to, uint32_t sum)
{
	for (size_t i = from; i < to; i++)
		sum += i % 2 == from % 2 ? (uint32_t)packet->bytes[i] << 8 : packet->bytes[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static bool is_nd(const struct packet_spec *spec)
{
	return spec->proto == IPPROTO_ICMPV6 && spec->target;
}

static void put_nd(struct packet *packet, const struct packet_spec *spec)
{
	uint8_t kind = spec->option_kind ? spec->option_kind : spec->type == ND_ADVERT ? 2 : 1;

	put8(packet, spec->type);
	put8(packet, spec->code);
	put16(packet, 0);
	put32(packet, spec->nd_flags);
	put_ip(packet, AF_INET6, spec->target);
	if (spec->option_mac == MAC_NONE)
		return;
	put8(packet, kind);
	put8(packet, spec->option_units == 0xff ? 0 : spec->option_units ? spec->option_units : 1);
	put_mac(packet, spec->option_mac);
}

static void put_transport(struct packet *packet, const struct packet_spec *spec)
{
	unsigned int sport = spec->sport ? spec->sport : 40000;
	unsigned int dport = spec->dport ? spec->dport : 80;

	if (is_nd(spec)) {
		put_nd(packet, spec);
		return;
	}
	switch (spec->proto) {
	case 0:
	case IPPROTO_TCP:
		put16(packet, sport);
		put16(packet, dport);
		put32(packet, 1);
		put32(packet, 1);
		put8(packet, 5 << 4);
		put8(packet, spec->tcp_flags ? spec->tcp_flags : 0x10);
		put16(packet, 65535);
		put32(packet, 0);
		break;
	case IPPROTO_UDP:
		put16(packet, sport);
		put16(packet, dport);
		put16(packet, (unsigned int)(8 + spec->payload));
		put16(packet, 0);
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		put8(packet, spec->type);
		put8(packet, spec->code);
		put16(packet, 0);
		put32(packet, 1);
		break;
	default: put_zeros(packet, 8); break;
	}
}

static void put_ipv4(struct packet *packet, const struct packet_spec *spec)
{
	size_t start = packet->len, end;
	unsigned int words = 5 + (unsigned int)spec->option_bytes / 4;

	put8(packet, (spec->version ? spec->version : 4U) << 4 |
			     (spec->header_words ? spec->header_words : words));
	put8(packet, 0);
	put16(packet, 0);
	put16(packet, 1);
	put16(packet, spec->fragment);
	put8(packet, spec->ttl ? spec->ttl : 64);
	put8(packet, spec->proto ? spec->proto : IPPROTO_TCP);
	put16(packet, 0);
	put_ip(packet, AF_INET, spec->src);
	put_ip(packet, AF_INET, spec->dst);
	put(packet, spec->options, spec->option_bytes);
	end = packet->len;
	put_transport(packet, spec);
	put_zeros(packet, spec->payload);
	set16(packet, start + 2,
	      spec->length ? spec->length & 0xffff : (unsigned int)(packet->len - start));
	set16(packet, start + 10, ~sum16(packet, start, end, 0) & 0xffff);
}

static void put_ipv6(struct packet *packet, const struct packet_spec *spec)
{
	unsigned int proto = spec->proto ? spec->proto : IPPROTO_TCP;
	size_t start = packet->len, transport, len;

	put32(packet, (spec->version ? spec->version : 6U) << 28);
	put16(packet, 0);
	put8(packet, spec->extension_bytes ? spec->first_next : proto);
	put8(packet, spec->ttl ? spec->ttl : is_nd(spec) ? 255 : 64);
	put_ip(packet, AF_INET6, spec->src);
	put_ip(packet, AF_INET6, spec->dst);
	put(packet, spec->extensions, spec->extension_bytes);
	transport = packet->len;
	put_transport(packet, spec);
	put_zeros(packet, spec->payload);
	len = packet->len - start - 40;
	set16(packet, start + 4, spec->length ? spec->length & 0xffff : (unsigned int)len);
	if (proto != IPPROTO_ICMPV6)
		return;
	/* the pseudo header of RFC 8200, 8.1: addresses, length, next header */
	len = packet->len - transport;
	set16(packet, transport + 2,
	      ~sum16(packet, transport, packet->len,
		     sum16(packet, start + 8, start + 40, (uint32_t)len + proto)) &
		      0xffff);
}

static void put_arp(struct packet *packet, const struct packet_spec *spec)
{
	put16(packet, spec->hardware ? spec->hardware : 1);
	put16(packet, ETH_P_IP);
	put8(packet, 6);
	put8(packet, 4);
	put16(packet, spec->operation);
	put_mac(packet, spec->sender_mac);
	put_ip(packet, AF_INET, spec->sender_ip);
	if (spec->target_mac == MAC_NONE)
		put_zeros(packet, 6);
	else
		put_mac(packet, spec->target_mac);
	put_ip(packet, AF_INET, spec->target_ip);
}

void packet_build(const struct packet_spec *spec, struct packet *ret_packet)
{
	bool is_ip6 = spec->src && strchr(spec->src, ':');
	unsigned int type = spec->operation ? ETH_P_ARP : is_ip6 ? ETH_P_IPV6 : ETH_P_IP;

	memset(ret_packet, 0, sizeof(*ret_packet));
	put_mac(ret_packet, spec->dst_mac);
	put_mac(ret_packet, spec->src_mac);
	put16(ret_packet, spec->ethertype ? spec->ethertype : type);
	if (spec->operation)
		put_arp(ret_packet, spec);
	else if (is_ip6)
		put_ipv6(ret_packet, spec);
	else if (spec->src)
		put_ipv4(ret_packet, spec);
	else
		put_zeros(ret_packet, spec->payload);
	put_zeros(ret_packet, spec->pad);
	if (spec->cut && spec->cut < ret_packet->len)
		ret_packet->len = spec->cut;
}

void packet_write_pcap(const char *path, const struct packet *packet)
{
	const uint32_t file_header[6] = { 0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, 1 };
	const uint32_t header[4] = { 0, 0, (uint32_t)packet->len, (uint32_t)packet->len };
	FILE *file = fopen(path, "we");

	if (!file)
		return;
	(void)fwrite(file_header, sizeof(file_header), 1, file);
	(void)fwrite(header, sizeof(header), 1, file);
	(void)fwrite(packet->bytes, packet->len, 1, file);
	(void)fclose(file);
}
