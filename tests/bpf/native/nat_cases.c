/* SPDX-License-Identifier: Apache-2.0 */
#include "nat_cases.h"

#include <assert.h>
#include <netinet/in.h>

/* C: a container; H: the host, which shows itself for it; S: a server; R: a router on the way */
#define C4 "10.0.0.2"
#define H4 "198.51.100.7"
#define S4 "192.0.2.9"
#define R4 "203.0.113.1"
#define C6 "fd00::2"
#define H6 "2001:db8::7"
#define S6 "2001:db8:5::9"
#define R6 "2001:db8:9::1"

#define PACKET(from, from_port, to, to_port, protocol, ...)                            \
	{                                                                              \
		.src = (from), .dst = (to), .proto = (protocol), .sport = (from_port), \
		.dport = (to_port), __VA_ARGS__                                        \
	}

/* A packet of a container, as it leaves the host. */
#define OUT(v, protocol, ...)                                           \
	.before = PACKET(C##v, 40000, S##v, 80, protocol, __VA_ARGS__), \
	.after = PACKET(H##v, 1024, S##v, 80, protocol, __VA_ARGS__)

/* A packet to a published port, as it comes to the container. */
#define IN(v, protocol, ...)                                              \
	.before = PACKET(S##v, 40000, H##v, 8080, protocol, __VA_ARGS__), \
	.after = PACKET(S##v, 40000, C##v, 80, protocol, __VA_ARGS__)

/* An ICMP error of `from` to the sender of what it quotes. */
#define ERROR(v, from, to, protocol, what, ...) \
	PACKET(from##v, 0, to##v, 0, protocol, .quoted = &(what), __VA_ARGS__)

/* What the errors quote: a packet of the container, and one to it. */
#define QUOTED(name, v, protocol, ...)                                \
	static const struct wire_spec name##_inside =                 \
		PACKET(C##v, 40000, S##v, 80, protocol, __VA_ARGS__); \
	static const struct wire_spec name##_outside =                \
		PACKET(H##v, 1024, S##v, 80, protocol, __VA_ARGS__)

#define QUOTED_IN(name, v, protocol, ...)                             \
	static const struct wire_spec name##_to_inside =              \
		PACKET(S##v, 40000, C##v, 80, protocol, __VA_ARGS__); \
	static const struct wire_spec name##_to_outside =             \
		PACKET(S##v, 40000, H##v, 8080, protocol, __VA_ARGS__)

QUOTED(tcp4, 4, IPPROTO_TCP, .payload = 33);
QUOTED(udp4, 4, IPPROTO_UDP, .payload = 9, .option_bytes = 8);
QUOTED(bare4, 4, IPPROTO_UDP, .payload = 9, .no_check = true);
QUOTED(sctp4, 4, IPPROTO_SCTP, .payload = 20);
QUOTED(echo4, 4, IPPROTO_ICMP, .payload = 31, .type = 8);
QUOTED(tcp6, 6, IPPROTO_TCP, .payload = 33);
QUOTED(udp6, 6, IPPROTO_UDP, .payload = 10);
QUOTED(echo6, 6, IPPROTO_ICMPV6, .payload = 31, .type = 128);
QUOTED_IN(tcp4, 4, IPPROTO_TCP, .payload = 33);
QUOTED_IN(udp4, 4, IPPROTO_UDP, .payload = 9, .option_bytes = 8);
QUOTED_IN(tcp6, 6, IPPROTO_TCP, .payload = 33);
QUOTED_IN(udp6, 6, IPPROTO_UDP, .payload = 10);

const struct nat_case nat_cases[] = {
	{ "TCP", OUT(4, IPPROTO_TCP, .payload = 101) },
	{ "TCP in", IN(4, IPPROTO_TCP, .payload = 101) },
	{ "UDP", OUT(4, IPPROTO_UDP, .payload = 64) },
	{ "UDP in", IN(4, IPPROTO_UDP, .payload = 64) },
	{ "UDP without checksum", OUT(4, IPPROTO_UDP, .payload = 5, .no_check = true) },
	{ "UDP without checksum in", IN(4, IPPROTO_UDP, .payload = 5, .no_check = true) },
	{ "SCTP", OUT(4, IPPROTO_SCTP, .payload = 44) },
	{ "SCTP in", IN(4, IPPROTO_SCTP, .payload = 44) },
	{ "first fragment of UDP",
	  OUT(4, IPPROTO_UDP, .payload = 1000, .fragment_bytes = 400, .id = 0x1234) },
	{ "first fragment of UDP in",
	  IN(4, IPPROTO_UDP, .payload = 1000, .fragment_bytes = 400, .id = 0x1234) },
	{ "first fragment of TCP",
	  OUT(4, IPPROTO_TCP, .payload = 1001, .fragment_bytes = 600, .id = 0x4321) },
	{ "first fragment of TCP in",
	  IN(4, IPPROTO_TCP, .payload = 1001, .fragment_bytes = 600, .id = 0x4321) },
	{ "echo request", OUT(4, IPPROTO_ICMP, .type = 8, .payload = 57) },
	{ "first fragment of an echo request",
	  OUT(4, IPPROTO_ICMP, .type = 8, .payload = 1400, .fragment_bytes = 800, .id = 99) },
	{ "echo reply", .before = PACKET(S4, 1024, H4, 0, IPPROTO_ICMP, .type = 0),
	  .after = PACKET(S4, 40000, C4, 0, IPPROTO_ICMP, .type = 0) },
	{ "TCP over IPv6", OUT(6, IPPROTO_TCP, .payload = 101) },
	{ "TCP in over IPv6", IN(6, IPPROTO_TCP, .payload = 101) },
	{ "UDP over IPv6", OUT(6, IPPROTO_UDP, .payload = 64) },
	{ "UDP in over IPv6", IN(6, IPPROTO_UDP, .payload = 64) },
	{ "UDP without checksum over IPv6", OUT(6, IPPROTO_UDP, .payload = 5, .no_check = true) },
	{ "UDP without checksum in over IPv6", IN(6, IPPROTO_UDP, .payload = 5, .no_check = true) },
	{ "SCTP over IPv6", OUT(6, IPPROTO_SCTP, .payload = 44) },
	{ "SCTP in over IPv6", IN(6, IPPROTO_SCTP, .payload = 44) },
	{ "first fragment of UDP over IPv6",
	  OUT(6, IPPROTO_UDP, .payload = 1000, .fragment_bytes = 400, .id = 0x1234) },
	{ "first fragment of UDP in over IPv6",
	  IN(6, IPPROTO_UDP, .payload = 1000, .fragment_bytes = 400, .id = 0x1234) },
	{ "first fragment of TCP over IPv6",
	  OUT(6, IPPROTO_TCP, .payload = 1001, .fragment_bytes = 600, .id = 0x4321) },
	{ "first fragment of TCP in over IPv6",
	  IN(6, IPPROTO_TCP, .payload = 1001, .fragment_bytes = 600, .id = 0x4321) },
	{ "echo request over IPv6", OUT(6, IPPROTO_ICMPV6, .type = 128, .payload = 57) },
	{ "first fragment of an echo request over IPv6",
	  OUT(6, IPPROTO_ICMPV6, .type = 128, .payload = 1400, .fragment_bytes = 800, .id = 99) },
	{ "echo reply over IPv6", .before = PACKET(S6, 1024, H6, 0, IPPROTO_ICMPV6, .type = 129),
	  .after = PACKET(S6, 40000, C6, 0, IPPROTO_ICMPV6, .type = 129) },
	{ "TCP behind options", OUT(4, IPPROTO_TCP, .option_bytes = 12, .payload = 7) },
	{ "too big for TCP of a router",
	  .before = ERROR(4, R, H, IPPROTO_ICMP, tcp4_outside, .type = 3, .code = 4, .mtu = 1400,
			  .quote_bytes = 28),
	  .after = ERROR(4, R, C, IPPROTO_ICMP, tcp4_inside, .type = 3, .code = 4, .mtu = 1400,
			 .quote_bytes = 28) },
	{ "TCP expired of a router",
	  .before = ERROR(4, R, H, IPPROTO_ICMP, tcp4_outside, .type = 11, .code = 0),
	  .after = ERROR(4, R, C, IPPROTO_ICMP, tcp4_inside, .type = 11, .code = 0) },
	{ "UDP behind options unreachable of a router",
	  .before = ERROR(4, R, H, IPPROTO_ICMP, udp4_outside, .type = 3, .code = 1),
	  .after = ERROR(4, R, C, IPPROTO_ICMP, udp4_inside, .type = 3, .code = 1) },
	{ "UDP without checksum unreachable of a router",
	  .before = ERROR(4, R, H, IPPROTO_ICMP, bare4_outside, .type = 3, .code = 1),
	  .after = ERROR(4, R, C, IPPROTO_ICMP, bare4_inside, .type = 3, .code = 1) },
	{ "SCTP unreachable of a router",
	  .before = ERROR(4, R, H, IPPROTO_ICMP, sctp4_outside, .type = 3, .code = 2,
			  .quote_bytes = 28),
	  .after = ERROR(4, R, C, IPPROTO_ICMP, sctp4_inside, .type = 3, .code = 2,
			 .quote_bytes = 28) },
	{ "echo expired of a router",
	  .before = ERROR(4, R, H, IPPROTO_ICMP, echo4_outside, .type = 11, .code = 0),
	  .after = ERROR(4, R, C, IPPROTO_ICMP, echo4_inside, .type = 11, .code = 0) },
	{ "echo with a bad parameter of a router",
	  .before = ERROR(4, R, H, IPPROTO_ICMP, echo4_outside, .type = 12, .code = 0),
	  .after = ERROR(4, R, C, IPPROTO_ICMP, echo4_inside, .type = 12, .code = 0) },
	{ "quench of TCP of a router",
	  .before = ERROR(4, R, H, IPPROTO_ICMP, tcp4_outside, .type = 4, .code = 0),
	  .after = ERROR(4, R, C, IPPROTO_ICMP, tcp4_inside, .type = 4, .code = 0) },
	{ "UDP port unreachable of the server",
	  .before = ERROR(4, S, H, IPPROTO_ICMP, udp4_outside, .type = 3, .code = 3),
	  .after = ERROR(4, S, C, IPPROTO_ICMP, udp4_inside, .type = 3, .code = 3) },
	{ "UDP port unreachable of the container",
	  .before = ERROR(4, C, S, IPPROTO_ICMP, udp4_to_inside, .type = 3, .code = 3),
	  .after = ERROR(4, H, S, IPPROTO_ICMP, udp4_to_outside, .type = 3, .code = 3) },
	{ "TCP port unreachable of the server",
	  .before = ERROR(4, S, H, IPPROTO_ICMP, tcp4_outside, .type = 3, .code = 3),
	  .after = ERROR(4, S, C, IPPROTO_ICMP, tcp4_inside, .type = 3, .code = 3) },
	{ "TCP port unreachable of the container",
	  .before = ERROR(4, C, S, IPPROTO_ICMP, tcp4_to_inside, .type = 3, .code = 3),
	  .after = ERROR(4, H, S, IPPROTO_ICMP, tcp4_to_outside, .type = 3, .code = 3) },
	{ "too big for TCP over IPv6 of a router",
	  .before = ERROR(6, R, H, IPPROTO_ICMPV6, tcp6_outside, .type = 2, .code = 0, .mtu = 1400),
	  .after = ERROR(6, R, C, IPPROTO_ICMPV6, tcp6_inside, .type = 2, .code = 0, .mtu = 1400) },
	{ "UDP over IPv6 expired of a router",
	  .before = ERROR(6, R, H, IPPROTO_ICMPV6, udp6_outside, .type = 3, .code = 0),
	  .after = ERROR(6, R, C, IPPROTO_ICMPV6, udp6_inside, .type = 3, .code = 0) },
	{ "echo over IPv6 unreachable of a router",
	  .before = ERROR(6, R, H, IPPROTO_ICMPV6, echo6_outside, .type = 1, .code = 0),
	  .after = ERROR(6, R, C, IPPROTO_ICMPV6, echo6_inside, .type = 1, .code = 0) },
	{ "TCP over IPv6 with a bad parameter of a router",
	  .before = ERROR(6, R, H, IPPROTO_ICMPV6, tcp6_outside, .type = 4, .code = 0),
	  .after = ERROR(6, R, C, IPPROTO_ICMPV6, tcp6_inside, .type = 4, .code = 0) },
	{ "UDP port over IPv6 unreachable of the server",
	  .before = ERROR(6, S, H, IPPROTO_ICMPV6, udp6_outside, .type = 1, .code = 4),
	  .after = ERROR(6, S, C, IPPROTO_ICMPV6, udp6_inside, .type = 1, .code = 4) },
	{ "UDP port over IPv6 unreachable of the container",
	  .before = ERROR(6, C, S, IPPROTO_ICMPV6, udp6_to_inside, .type = 1, .code = 4),
	  .after = ERROR(6, H, S, IPPROTO_ICMPV6, udp6_to_outside, .type = 1, .code = 4) },
	{ "TCP port over IPv6 unreachable of the server",
	  .before = ERROR(6, S, H, IPPROTO_ICMPV6, tcp6_outside, .type = 1, .code = 4),
	  .after = ERROR(6, S, C, IPPROTO_ICMPV6, tcp6_inside, .type = 1, .code = 4) },
	{ "TCP port over IPv6 unreachable of the container",
	  .before = ERROR(6, C, S, IPPROTO_ICMPV6, tcp6_to_inside, .type = 1, .code = 4),
	  .after = ERROR(6, H, S, IPPROTO_ICMPV6, tcp6_to_outside, .type = 1, .code = 4) },
};
const size_t nat_case_count = sizeof(nat_cases) / sizeof(nat_cases[0]);

const struct nat_case *nat_case_find(const char *name)
{
	for (size_t i = 0; i < nat_case_count; i++)
		if (strcmp(nat_cases[i].name, name) == 0)
			return &nat_cases[i];
	assert(false);
	return NULL;
}
