/* SPDX-License-Identifier: Apache-2.0 */
#include "control/policy_packet.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#define TTL        64
#define DATA_BYTES 8

/* Sum of 16-bit words as they lie in memory, in host order. */
static uint32_t add_words(uint32_t sum, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	if (len % 2)
		sum += (uint32_t)bytes[len - 1] << 8;
	return sum;
}

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Writes the transport header and data; returns their length and where the checksum belongs. */
static size_t write_transport(const struct probe *probe, uint8_t *at, size_t *ret_sum_at)
{
	switch (probe->proto) {
	case IPPROTO_TCP:
		put16(at, probe->sport);
		put16(at + 2, probe->dport);
		at[7] = 1;
		at[12] = 5 << 4;
		at[13] = 0x02; /* SYN */
		put16(at + 14, 64240);
		*ret_sum_at = 16;
		return 20;
	case IPPROTO_UDP:
		put16(at, probe->sport);
		put16(at + 2, probe->dport);
		put16(at + 4, 8 + DATA_BYTES);
		*ret_sum_at = 6;
		return 8 + DATA_BYTES;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		at[0] = (uint8_t)probe->dport;
		put16(at + 4, probe->sport);
		put16(at + 6, 1);
		*ret_sum_at = 2;
		return 8 + DATA_BYTES;
	case IPPROTO_SCTP:
		put16(at, probe->sport);
		put16(at + 2, probe->dport);
		at[12] = 1; /* INIT */
		put16(at + 14, 20);
		at[19] = 1;
		put16(at + 24, 1);
		put16(at + 26, 1);
		*ret_sum_at = 0; /* CRC32c, which no program looks at */
		return 32;
	default: *ret_sum_at = 0; return 8 + DATA_BYTES;
	}
}

static void write_sum(const struct probe *probe, const uint8_t *addrs, size_t addr_bytes,
		      uint8_t *at, size_t len, size_t sum_at)
{
	uint32_t sum = 0;

	if (!sum_at)
		return;
	if (probe->proto != IPPROTO_ICMP)
		sum = add_words((uint32_t)len + probe->proto, addrs, addr_bytes);
	put16(at + sum_at, fold(add_words(sum, at, len)));
}

static size_t write_ip4(const struct probe *probe, uint8_t *ip)
{
	size_t sum_at, len = write_transport(probe, ip + 20, &sum_at);
	uint32_t src = wf_addr_to_ip4(&probe->src), dst = wf_addr_to_ip4(&probe->dst);

	ip[0] = 0x45;
	put16(ip + 2, (uint16_t)(20 + len));
	put16(ip + 4, 1);
	put16(ip + 6, 0x4000); /* do not fragment */
	ip[8] = TTL;
	ip[9] = probe->proto;
	memcpy(ip + 12, &src, 4);
	memcpy(ip + 16, &dst, 4);
	put16(ip + 10, fold(add_words(0, ip, 20)));
	write_sum(probe, ip + 12, 8, ip + 20, len, sum_at);
	return 20 + len;
}

static size_t write_ip6(const struct probe *probe, uint8_t *ip)
{
	size_t sum_at, len = write_transport(probe, ip + 40, &sum_at);

	ip[0] = 0x60;
	put16(ip + 4, (uint16_t)len);
	ip[6] = probe->proto;
	ip[7] = TTL;
	memcpy(ip + 8, probe->src.bytes, 16);
	memcpy(ip + 24, probe->dst.bytes, 16);
	write_sum(probe, ip + 8, 32, ip + 40, len, sum_at);
	return 40 + len;
}

size_t wf_ctl_probe_write(const struct probe *probe, uint8_t frame[PROBE_MAX_BYTES])
{
	bool ip4 = wf_addr_is_ip4(&probe->dst);

	memset(frame, 0, PROBE_MAX_BYTES);
	memcpy(frame, probe->to_mac.bytes, 6);
	memcpy(frame + 6, probe->from_mac.bytes, 6);
	put16(frame + 12, ip4 ? ETH_P_IP : ETH_P_IPV6);
	return ETH_HLEN +
	       (ip4 ? write_ip4(probe, frame + ETH_HLEN) : write_ip6(probe, frame + ETH_HLEN));
}
