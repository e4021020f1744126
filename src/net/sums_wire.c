/* SPDX-License-Identifier: Apache-2.0 */
#include "net/sums_wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>

#include "base/mem.h"
#include "net/wire_priv.h"

#define TTL 64

struct wf_sums_wire {
	int out; /* writes frames; nothing is received by it, so that it costs no packet anything */
	uint32_t mark; /* that it gives them */
	uint16_t port;
	struct wf_ask *ear;
};

/* Of either family, as it is put onto the device; IPv4 leaves some of the rest. */
struct frame {
	struct virtio_net_hdr head;
	struct ethhdr eth;
	uint8_t rest[sizeof(struct ip6_hdr) + sizeof(struct udphdr) + WF_ASK_BYTES];
} __attribute__((packed));

/* ---- opening ------------------------------------------------------------------------------ */

static int open_out(struct wf_sums_wire *wire)
{
	const int on = 1;

	wire->out = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (wire->out < 0 ||
	    setsockopt(wire->out, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) < 0)
		return -errno;
	return 0;
}

/* At any address of both families; a kernel without IPv6 has one. */
static int open_ear(struct wf_sums_wire *wire, struct wf_err *err)
{
	struct wf_addr any = { 0 };
	int r = wf_ask_open(&any, wire->port, &wire->ear, err);

	if (r != -EAFNOSUPPORT)
		return r;
	any.words[2] = htonl(0xffff);
	return wf_ask_open(&any, wire->port, &wire->ear, err);
}

int wf_sums_wire_open(uint16_t port, struct wf_sums_wire **ret_wire, struct wf_err *err)
{
	_cleanup_(wf_sums_wire_close) struct wf_sums_wire *wire = calloc(1, sizeof(*wire));
	int r;

	if (!wire)
		return wf_fail(err, -ENOMEM, "out of memory");
	wire->out = -1;
	wire->port = port;
	r = open_out(wire);
	if (r < 0)
		return wf_fail(err, r, "no packet socket: %s", strerror(-r));
	r = open_ear(wire, err);
	if (r < 0)
		return r;
	*ret_wire = TAKE_PTR(wire);
	return 0;
}

void wf_sums_wire_close(struct wf_sums_wire **wire)
{
	if (!*wire)
		return;
	if ((*wire)->out >= 0)
		(void)close((*wire)->out);
	wf_ask_close(&(*wire)->ear);
	free(*wire);
	*wire = NULL;
}

int wf_sums_wire_fd(const struct wf_sums_wire *wire)
{
	return wf_ask_fd(wire->ear);
}

/* ---- sending ------------------------------------------------------------------------------ */

/* The header; returns its length. */
static size_t put_ip(uint8_t *at, const struct wf_sums_ends *ends, size_t payload)
{
	if (wf_addr_is_ip4(&ends->from)) {
		struct iphdr ip = { .version = 4,
				    .ihl = sizeof(ip) / 4,
				    .tot_len = htons((uint16_t)(sizeof(ip) + payload)),
				    .frag_off = htons(IP_DF),
				    .ttl = TTL,
				    .protocol = IPPROTO_UDP,
				    .saddr = ends->from.words[3],
				    .daddr = ends->to.words[3] };

		ip.check = (uint16_t)~wf_wire_fold(wf_wire_sum(&ip, sizeof(ip), 0));
		memcpy(at, &ip, sizeof(ip));
		return sizeof(ip);
	} else {
		struct ip6_hdr ip = { .ip6_ctlun.ip6_un1 = { .ip6_un1_flow = htonl(6U << 28),
							     .ip6_un1_plen =
								     htons((uint16_t)payload),
							     .ip6_un1_nxt = IPPROTO_UDP,
							     .ip6_un1_hlim = TTL } };

		memcpy(&ip.ip6_src, &ends->from, sizeof(ip.ip6_src));
		memcpy(&ip.ip6_dst, &ends->to, sizeof(ip.ip6_dst));
		memcpy(at, &ip, sizeof(ip));
		return sizeof(ip);
	}
}

/* The sum of the pseudo header; of IPv4 addresses the rest of the 16 bytes is a constant. */
static uint32_t pseudo_sum(const struct wf_sums_ends *ends, size_t len)
{
	const size_t skip = wf_addr_is_ip4(&ends->from) ? 12 : 0;
	uint32_t sum = htons((uint16_t)len) + htons(IPPROTO_UDP);

	sum = wf_wire_sum((const uint8_t *)&ends->from + skip, sizeof(ends->from) - skip, sum);
	return wf_wire_sum((const uint8_t *)&ends->to + skip, sizeof(ends->to) - skip, sum);
}

/* The datagram with its checksum, or with what a device has to go on with. */
static size_t put_udp(uint8_t *at, const struct wf_sums_ends *ends, uint16_t port,
		      const struct wf_ask_message *message, bool by_device)
{
	const size_t len = sizeof(struct udphdr) + WF_ASK_BYTES;
	struct udphdr udp = { .source = htons(port),
			      .dest = htons(port),
			      .len = htons((uint16_t)len) };
	uint8_t *data = at + sizeof(udp);

	wf_ask_write(message, data);
	if (by_device) {
		udp.check = wf_wire_fold(pseudo_sum(ends, len));
	} else {
		uint32_t sum = wf_wire_sum(&udp, sizeof(udp), pseudo_sum(ends, len));

		udp.check = (uint16_t)~wf_wire_fold(wf_wire_sum(data, WF_ASK_BYTES, sum));
		if (!udp.check)
			udp.check = 0xffff;
	}
	memcpy(at, &udp, sizeof(udp));
	return len;
}

int wf_sums_wire_send(struct wf_sums_wire *wire, const struct wf_sums_ends *ends,
		      const struct wf_ask_message *message, bool by_device)
{
	const uint16_t proto = htons(wf_addr_is_ip4(&ends->from) ? ETH_P_IP : ETH_P_IPV6);
	const struct sockaddr_ll to = { .sll_family = AF_PACKET,
					.sll_protocol = proto,
					.sll_ifindex = (int)ends->ifindex,
					.sll_halen = ETH_ALEN };
	struct frame frame = { .eth.h_proto = proto };
	size_t ip_len = put_ip(frame.rest, ends, sizeof(struct udphdr) + WF_ASK_BYTES), len;

	if (ends->mark != wire->mark &&
	    setsockopt(wire->out, SOL_SOCKET, SO_MARK, &ends->mark, sizeof(ends->mark)) < 0)
		return -errno;
	wire->mark = ends->mark;
	len = ip_len + put_udp(frame.rest + ip_len, ends, wire->port, message, by_device);
	if (by_device) {
		frame.head.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		frame.head.csum_start = (uint16_t)(sizeof(frame.eth) + ip_len);
		frame.head.csum_offset = offsetof(struct udphdr, check);
	}
	return sendto(wire->out, &frame, offsetof(struct frame, rest) + len, MSG_DONTWAIT,
		      (const struct sockaddr *)&to, sizeof(to)) < 0
		       ? -errno
		       : 0;
}

/* ---- receiving ---------------------------------------------------------------------------- */

int wf_sums_wire_receive(struct wf_sums_wire *wire, struct wf_ask_message *ret_message)
{
	return wf_ask_receive(wire->ear, ret_message);
}
