/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/flow.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/reason.h"

const char *wf_flow_protocol(uint8_t proto, char buf[8])
{
	static const struct {
		uint8_t proto;
		const char *name;
	} known[] = {
		{ IPPROTO_ICMP, "ICMP" },
		{ IPPROTO_IGMP, "IGMP" },
		{ IPPROTO_TCP, "TCP" },
		{ IPPROTO_UDP, "UDP" },
		{ IPPROTO_ICMPV6, "ICMPv6" },
		{ IPPROTO_SCTP, "SCTP" },
		{ IPPROTO_IPIP, "IPIP" },
		{ IPPROTO_IPV6, "IPv6-in-IP" },
		{ IPPROTO_GRE, "GRE" },
		{ IPPROTO_HOPOPTS, "hop-by-hop header" },
		{ IPPROTO_ROUTING, "routing header" },
		{ IPPROTO_FRAGMENT, "fragment header" },
		{ IPPROTO_DSTOPTS, "options header" },
		{ IPPROTO_ESP, "ESP" },
		{ IPPROTO_AH, "AH" },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(known); i++)
		if (known[i].proto == proto)
			return known[i].name;
	(void)snprintf(buf, 8, "%u", proto);
	return buf;
}

static const char *const hooks[] = {
	[WF_HOOK_FROM_CONTAINER] = "from_container",
	[WF_HOOK_TO_CONTAINER] = "to_container",
	[WF_HOOK_FROM_HOST] = "from_host",
	[WF_HOOK_FROM_UPLINK] = "from_uplink",
	[WF_HOOK_TO_UPLINK] = "to_uplink",
	[WF_HOOK_SOCKET] = "socket",
	[WF_HOOK_XDP] = "xdp",
	[WF_HOOK_FROM_OVERLAY] = "from_overlay",
};

static bool has_ports(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP;
}

/* {"address","port","name"}; parts that are unknown are left out. */
static json_t *side(const struct wf_event *event, const struct wf_addr *addr, __be16 port,
		    const char *name)
{
	bool ip = event->ethertype == htons(ETH_P_IP) || event->ethertype == htons(ETH_P_IPV6) ||
		  event->ethertype == htons(ETH_P_ARP);
	/* refused before the addresses were looked at */
	bool unread = wf_addr_is_zero(&event->src) && wf_addr_is_zero(&event->dst);
	json_t *value = json_object();
	char text[WF_ADDR_TEXT];

	if (ip && !unread)
		(void)wf_json_set_str(value, "address", wf_addr_format(addr, text));
	if (has_ports(event->proto))
		(void)json_object_set_new(value, "port", json_integer(ntohs(port)));
	(void)wf_json_set_str(value, "name", name);
	return value;
}

static json_t *reason_json(const struct wf_event *event)
{
	return json_pack("{s:s, s:s, s:s, s:s}", "label", wf_reason_label(event->reason), "class",
			 wf_reason_class(event->reason), "text", wf_reason_text(event->reason),
			 "hint", wf_reason_hint(event->reason));
}

static const char *name_of(const struct wf_event *event, const struct wf_addr *addr,
			   const struct wf_flow_names *names)
{
	return names->endpoint_by_address(event->network, addr, names->context);
}

static void add_icmp(json_t *value, const struct wf_event *event)
{
	uint8_t type_code[2];

	if (event->proto != IPPROTO_ICMP && event->proto != IPPROTO_ICMPV6)
		return;
	memcpy(type_code, &event->sport, 2);
	(void)json_object_set_new(value, "icmpType", json_integer(type_code[0]));
	(void)json_object_set_new(value, "icmpCode", json_integer(type_code[1]));
}

/* What a translation made of one end of the packet. */
static void add_translation(json_t *value, const struct wf_event *event)
{
	json_t *translated;
	char text[WF_ADDR_TEXT];

	if (event->translated == WF_EVENT_TRANSLATED_NONE)
		return;
	translated =
		json_pack("{s:s, s:s}", "address", wf_addr_format(&event->nat, text), "direction",
			  event->translated == WF_EVENT_TRANSLATED_SRC ? "src" : "dst");
	if (translated && has_ports(event->proto))
		(void)json_object_set_new(translated, "port", json_integer(ntohs(event->nat_port)));
	(void)wf_json_set(value, "translated", translated);
}

/* Who sent the packet: at an uplink the endpoint that is concerned is the other end. */
static const char *source_of(const struct wf_event *event, const char *subject,
			     const struct wf_flow_names *names)
{
	const char *name;

	if (event->hook != WF_HOOK_FROM_HOST && event->hook != WF_HOOK_FROM_UPLINK &&
	    event->hook != WF_HOOK_FROM_OVERLAY)
		return subject ? subject : "host";
	name = name_of(event, &event->src, names);
	if (name)
		return name;
	return event->hook == WF_HOOK_FROM_HOST ? "host" : "outside";
}

static const char *protocol_of(const struct wf_event *event, char buf[8])
{
	bool unread = wf_addr_is_zero(&event->src) && wf_addr_is_zero(&event->dst);

	if (event->ethertype == htons(ETH_P_ARP))
		return "ARP";
	if (event->ethertype != htons(ETH_P_IP) && event->ethertype != htons(ETH_P_IPV6)) {
		(void)snprintf(buf, 8, "0x%04x", ntohs(event->ethertype));
		return buf;
	}
	if (unread && !event->proto)
		return event->ethertype == htons(ETH_P_IP) ? "IPv4" : "IPv6";
	return wf_flow_protocol(event->proto, buf);
}

const char *wf_flow_type(const struct wf_event *event)
{
	static const char *const types[WF_EVENT_COUNT] = {
		[WF_EVENT_DROP] = "drop",
		[WF_EVENT_FIRST] = "first",
		[WF_EVENT_AUDIT] = "audit",
		[WF_EVENT_TRACE] = "trace",
	};

	return event->type < WF_EVENT_COUNT && types[event->type] ? types[event->type] : "unknown";
}

static json_t *rule_json(uint32_t number, const struct wf_flow_names *names)
{
	return number && names->rule ? names->rule(number, names->context) : NULL;
}

static json_t *end_json(const struct wf_event_end *end, const struct wf_flow_names *names)
{
	static const char *const verdicts[WF_POLICY_VERDICT_COUNT] = {
		[WF_POLICY_DENY] = "deny",
		[WF_POLICY_ALLOW] = "allow",
		[WF_POLICY_AUDIT] = "audit",
	};
	json_t *value;

	if (end->profile == WF_POLICY_PROFILE_NONE || end->verdict >= WF_POLICY_VERDICT_COUNT)
		return NULL;
	value = json_pack("{s:s, s:I, s:I}", "verdict", verdicts[end->verdict], "profile",
			  (json_int_t)end->profile, "class", (json_int_t)end->class_id);
	(void)wf_json_set(value, "rule", rule_json(end->rule, names));
	return value;
}

/* What the policies of each end said, and of the one that decided also as `policy`. */
static void add_policy(json_t *value, const struct wf_event *event,
		       const struct wf_flow_names *names)
{
	json_t *ends = json_object();

	(void)wf_json_set(ends, "egress", end_json(&event->ends[WF_POLICY_EGRESS], names));
	(void)wf_json_set(ends, "ingress", end_json(&event->ends[WF_POLICY_INGRESS], names));
	if (json_object_size(ends))
		(void)json_object_set(value, "policies", ends);
	json_decref(ends);
	(void)wf_json_set(value, "policy", rule_json(event->rule, names));
}

json_t *wf_flow_to_json(const struct wf_event *event, int64_t wall_s,
			const struct wf_flow_names *names)
{
	const char *subject = names->endpoint_by_slot(event->slot, names->context);
	const char *peer = names->endpoint_by_slot(event->peer_slot, names->context);
	const char *target = peer ? peer : name_of(event, &event->dst, names);
	json_t *value = json_object();
	char when[WF_CLOCK_TEXT], protocol[8];

	if (!value)
		return NULL;
	(void)wf_json_set_str(value, "time", wf_clock_format(wall_s, when));
	(void)wf_json_set_str(value, "type", wf_flow_type(event));
	if (event->hook < WF_ARRAY_LEN(hooks) && hooks[event->hook])
		(void)wf_json_set_str(value, "hook", hooks[event->hook]);
	(void)wf_json_set_str(value, "network", names->network(event->network, names->context));
	(void)wf_json_set_str(value, "endpoint", subject);
	(void)wf_json_set_str(value, "peer", peer);
	(void)wf_json_set(value, "source",
			  side(event, &event->src, event->sport, source_of(event, subject, names)));
	(void)wf_json_set(value, "destination", side(event, &event->dst, event->dport, target));
	(void)wf_json_set_str(value, "protocol", protocol_of(event, protocol));
	add_icmp(value, event);
	add_translation(value, event);
	(void)wf_json_set(value, "bytes", json_integer(event->len));
	if (event->proto == IPPROTO_TCP)
		(void)wf_json_set(value, "tcpFlags", json_integer(event->tcp_flags));
	if (event->reason)
		(void)wf_json_set(value, "reason", reason_json(event));
	add_policy(value, event, names);
	return value;
}
