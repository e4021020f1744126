/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the ports and ICMP types of a rule of a Cilium policy. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/policy_cilium_priv.h"
#include "model/protocol.h"

#define ICMP_TYPE_MAX 255

/* Protocols that a port may have; those without ports take 0 only. */
static const struct protocol {
	const char *name;
	uint8_t proto; /* 0: TCP, UDP and SCTP */
	uint16_t max;
} protocols[] = {
	{ "ANY", 0, UINT16_MAX },
	{ "TCP", IPPROTO_TCP, UINT16_MAX },
	{ "UDP", IPPROTO_UDP, UINT16_MAX },
	{ "SCTP", IPPROTO_SCTP, UINT16_MAX },
	{ "ICMP", IPPROTO_ICMP, ICMP_TYPE_MAX },
	{ "ICMPV6", IPPROTO_ICMPV6, ICMP_TYPE_MAX },
	{ "VRRP", 112, 0 },
	{ "IGMP", IPPROTO_IGMP, 0 },
	{ "GRE", IPPROTO_GRE, 0 },
	{ "IPIP", IPPROTO_IPIP, 0 },
	{ "IPV6", IPPROTO_IPV6, 0 },
	{ "ESP", IPPROTO_ESP, 0 },
	{ "AH", IPPROTO_AH, 0 },
};

/* Types of ICMP by name, as IANA registers them. */
static const struct type {
	bool ip6;
	uint8_t type;
	const char *name;
} types[] = {
	{ false, 0, "EchoReply" },
	{ false, 3, "DestinationUnreachable" },
	{ false, 5, "Redirect" },
	{ false, 8, "Echo" },
	{ false, 8, "EchoRequest" },
	{ false, 9, "RouterAdvertisement" },
	{ false, 10, "RouterSelection" },
	{ false, 11, "TimeExceeded" },
	{ false, 12, "ParameterProblem" },
	{ false, 13, "Timestamp" },
	{ false, 14, "TimestampReply" },
	{ false, 40, "Photuris" },
	{ false, 42, "ExtendedEchoRequest" },
	{ false, 43, "ExtendedEchoReply" },
	{ true, 1, "DestinationUnreachable" },
	{ true, 2, "PacketTooBig" },
	{ true, 3, "TimeExceeded" },
	{ true, 4, "ParameterProblem" },
	{ true, 128, "EchoRequest" },
	{ true, 129, "EchoReply" },
	{ true, 130, "MulticastListenerQuery" },
	{ true, 131, "MulticastListenerReport" },
	{ true, 132, "MulticastListenerDone" },
	{ true, 133, "RouterSolicitation" },
	{ true, 134, "RouterAdvertisement" },
	{ true, 135, "NeighborSolicitation" },
	{ true, 136, "NeighborAdvertisement" },
	{ true, 137, "RedirectMessage" },
	{ true, 138, "RouterRenumbering" },
	{ true, 139, "ICMPNodeInformationQuery" },
	{ true, 140, "ICMPNodeInformationResponse" },
	{ true, 141, "InverseNeighborDiscoverySolicitation" },
	{ true, 142, "InverseNeighborDiscoveryAdvertisement" },
	{ true, 144, "HomeAgentAddressDiscoveryRequest" },
	{ true, 145, "HomeAgentAddressDiscoveryReply" },
	{ true, 146, "MobilePrefixSolicitation" },
	{ true, 147, "MobilePrefixAdvertisement" },
	{ true, 157, "DuplicateAddressRequestCodeSuffix" },
	{ true, 158, "DuplicateAddressConfirmationCodeSuffix" },
	{ true, 160, "ExtendedEchoRequest" },
	{ true, 161, "ExtendedEchoReply" },
};

static const struct protocol *find_protocol(const char *name)
{
	for (size_t i = 0; i < WF_ARRAY_LEN(protocols); i++)
		if (strcmp(protocols[i].name, name) == 0)
			return &protocols[i];
	return &protocols[0];
}

/* By name in any case, as services are named. */
static int read_name(struct wf_policy_reading *reading, const json_t *item, const char *text,
		     const struct protocol *protocol, struct wf_policy_port *port)
{
	char excerpt[WF_FIELD_EXCERPT_BYTES], lower[sizeof(port->name)];

	if (wf_json_int(item, "endPort", 0))
		return WF_POLICY_FAIL(reading, "endPort",
				      "is the end of a range that wants a number as port");
	if (protocol->max != UINT16_MAX)
		return WF_POLICY_FAIL(reading, "port", "\"%s\": ports of %s have no names",
				      wf_field_excerpt(text, excerpt), protocol->name);
	if (wf_str_copy(lower, sizeof(lower), text) < 0)
		lower[0] = '\0';
	for (char *c = lower; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	if (!wf_protocol_is_port_name(lower))
		return WF_POLICY_FAIL(reading, "port",
				      "\"%s\" is not a port (want a number from 0 to %d, or a name "
				      "of up to 15 letters, digits or '-')",
				      wf_field_excerpt(text, excerpt), UINT16_MAX);
	port->last = UINT16_MAX;
	return wf_str_copy(port->name, sizeof(port->name), lower);
}

static int read_number(struct wf_policy_reading *reading, const json_t *item, uint64_t number,
		       const struct protocol *protocol, struct wf_policy_port *port)
{
	int64_t end = wf_json_int(item, "endPort", 0);

	if (number > protocol->max)
		return WF_POLICY_FAIL(reading, "port", "%" PRIu64 " is too high for %s (%s)",
				      number, protocol->name,
				      protocol->max ? "want a type, up to 255"
						    : "it has no ports: want \"0\"");
	if (number == 0 && end)
		return WF_POLICY_FAIL(reading, "endPort",
				      "means nothing with port 0, which is all");
	if (end && (end < (int64_t)number || end > protocol->max))
		return WF_POLICY_FAIL(reading, "endPort",
				      "%" PRId64 " is not between %" PRIu64 " (port) and %u", end,
				      number, protocol->max);
	port->first = (uint16_t)number;
	port->last = number == 0 ? UINT16_MAX : (uint16_t)(end ? end : (int64_t)number);
	return 0;
}

static int read_port(struct wf_policy_reading *reading, const json_t *item, void *context)
{
	const struct protocol *protocol = find_protocol(wf_json_str(item, "protocol", "ANY"));
	const char *text = wf_json_str(item, "port", "");
	struct wf_policy_port port = { .proto = protocol->proto };
	uint64_t number = 0;
	bool is_number = *text && strspn(text, "0123456789") == strlen(text);
	int r;

	if (is_number && wf_str_to_u64(text, 0, UINT16_MAX, &number) < 0)
		return WF_POLICY_FAIL(reading, "port", "is not between 0 and %d", UINT16_MAX);
	r = is_number ? read_number(reading, item, number, protocol, &port)
		      : read_name(reading, item, text, protocol, &port);
	if (r < 0)
		return r;
	if (!port.proto)
		return wf_policy_add_ports_of_any(reading, context, &port);
	return wf_policy_add_port(reading, context, &port);
}

int wf_policy_cilium_read_ports(struct wf_policy_reading *reading, const json_t *entry,
				void *context)
{
	return wf_policy_each(reading, entry, "ports", read_port, context);
}

static int find_type(const char *name, bool ip6, uint64_t *ret_type)
{
	for (size_t i = 0; i < WF_ARRAY_LEN(types); i++) {
		if (types[i].ip6 == ip6 && strcmp(types[i].name, name) == 0) {
			*ret_type = types[i].type;
			return 0;
		}
	}
	/* Kubernetes' "integer or string" may have the number in quotes */
	return wf_str_to_u64(name, 0, ICMP_TYPE_MAX, ret_type);
}

static int read_field(struct wf_policy_reading *reading, const json_t *item, void *context)
{
	const json_t *type = json_object_get(item, "type");
	bool ip6 = strcmp(wf_json_str(item, "family", "IPv4"), "IPv6") == 0;
	struct wf_policy_port port = { .proto = ip6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP };
	char excerpt[WF_FIELD_EXCERPT_BYTES];
	uint64_t number = 0;

	if (json_is_string(type) && find_type(json_string_value(type), ip6, &number) < 0)
		return WF_POLICY_FAIL(reading, "type",
				      "\"%s\" is not a type of ICMP for %s (want a number from 0 "
				      "to %d, or a name such as EchoRequest)",
				      wf_field_excerpt(json_string_value(type), excerpt),
				      ip6 ? "IPv6" : "IPv4", ICMP_TYPE_MAX);
	if (json_is_integer(type)) {
		json_int_t value = json_integer_value(type);

		if (value < 0 || value > ICMP_TYPE_MAX)
			return WF_POLICY_FAIL(reading, "type",
					      "%" JSON_INTEGER_FORMAT " is not between 0 and %d",
					      value, ICMP_TYPE_MAX);
		number = (uint64_t)value;
	}
	port.first = port.last = (uint16_t)number;
	return wf_policy_add_port(reading, context, &port);
}

int wf_policy_cilium_read_icmp(struct wf_policy_reading *reading, const json_t *entry,
			       void *context)
{
	return wf_policy_each(reading, entry, "fields", read_field, context);
}
