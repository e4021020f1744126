/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a packet passes or not: the program that would see it is run on a made-up one in the kernel,
 * and tells what it looked up. Nothing is sent, counted or remembered.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/reason.h"
#include "control/control_priv.h"
#include "control/policy_packet.h"
#include "dp/policy.h"

#define PROBE_PORT 54321

/* Who is meant by one end of a question. */
struct party {
	const struct ctl_endpoint *endpoint; /* NULL: the host, or somebody outside */
	bool is_host;
	bool has[2]; /* [0] IPv4, [1] IPv6 */
	struct wf_addr addrs[2];
	size_t alike; /* endpoints with the labels that were given */
};

struct question {
	struct party src, dst;
	uint8_t proto;
	uint16_t port;
	bool ip6;
};

/* ---- who is meant --------------------------------------------------------------------------------- */

static void set_addr(struct party *party, const struct wf_addr *addr)
{
	size_t family = !wf_addr_is_ip4(addr);

	if (party->has[family])
		return;
	party->has[family] = true;
	party->addrs[family] = *addr;
}

static void set_endpoint(struct party *party, const struct ctl_endpoint *endpoint)
{
	party->endpoint = endpoint;
	for (size_t i = 0; i < endpoint->spec.address_count; i++)
		set_addr(party, &endpoint->spec.addresses[i].prefix.addr);
}

static void set_address(struct wf_control *control, uint32_t scope, struct party *party,
			const struct wf_addr *addr)
{
	struct wf_addr_value value;

	set_addr(party, addr);
	if (wf_dp_address_get(control->dp, scope, addr, &value) < 0)
		return;
	if (value.slot != WF_SLOT_HOST && value.slot < WF_MAX_SLOTS)
		party->endpoint = control->by_slot[value.slot];
	else if (value.flags & (WF_ADDR_GATEWAY | WF_ADDR_HOST))
		party->is_host = true;
}

/* "app=web,tier=db": the first endpoint with all of them, and how many there are. */
static int set_labelled(struct wf_control *control, struct party *party, const char *text,
			const char *field, struct wf_err *err)
{
	_cleanup_(wf_labels_done) struct wf_labels wanted = { 0 };
	_cleanup_free_ char *copy = strdup(text);
	struct ctl_endpoint *endpoint, *next;
	char *rest = NULL;

	for (char *word = copy ? strtok_r(copy, ",", &rest) : NULL; word;
	     word = strtok_r(NULL, ",", &rest)) {
		int r = wf_labels_parse(&wanted, word, err);

		if (r < 0) {
			wf_err_set_field(err, field);
			return r;
		}
	}
	HASH_ITER(by_name, control->endpoints, endpoint, next) {
		bool matches = true;

		for (size_t i = 0; matches && i < wanted.count; i++) {
			const char *value =
				wf_labels_get(&endpoint->spec.meta.labels, wanted.items[i].key);

			matches = value && strcmp(value, wanted.items[i].value) == 0;
		}
		if (matches && !party->alike++)
			set_endpoint(party, endpoint);
	}
	if (!party->alike)
		return wf_fail_field(err, -ENOENT, field, "no endpoint has the labels %s", text);
	return 0;
}

static int set_service(struct wf_control *control, struct party *party, const char *name,
		       const char *field, struct wf_err *err)
{
	_cleanup_str_ struct wf_str key = WF_STR_INIT;
	const struct ctl_service *service;

	wf_str_addf(&key, "%s%s", strchr(name, '/') ? "" : "default/", name);
	service = wf_ctl_service_find(control, wf_str_text(&key));
	if (!service)
		return wf_fail_field(err, -ENOENT, field, "there is no service %s",
				     wf_str_text(&key));
	for (size_t p = 0; p < service->ports.count; p++)
		for (size_t i = 0; i < service->ports.items[p].frontend_count; i++) {
			const struct wf_lb_frontend *frontend =
				&service->ports.items[p].frontends[i];

			if (frontend->type == WF_FRONTEND_CLUSTER_IP)
				set_addr(party, &frontend->addr);
		}
	if (!party->has[0] && !party->has[1])
		return wf_fail_field(err, -EINVAL, field, "service %s has no cluster address",
				     wf_str_text(&key));
	return 0;
}

/* scope: that of an address. */
static int resolve(struct wf_control *control, uint32_t scope, struct party *party,
		   const char *text, const char *field, struct wf_err *err)
{
	const struct ctl_endpoint *endpoint;
	struct wf_addr addr;

	if (strcmp(text, "host") == 0) {
		party->is_host = true;
		return 0;
	}
	if (wf_addr_parse(text, &addr) == 0) {
		set_address(control, scope, party, &addr);
		return 0;
	}
	if (strncmp(text, "service/", 8) == 0)
		return set_service(control, party, text + 8, field, err);
	endpoint = wf_ctl_endpoint_find(control, text);
	if (endpoint) {
		set_endpoint(party, endpoint);
		return 0;
	}
	if (strchr(text, '='))
		return set_labelled(control, party, text, field, err);
	(void)wf_ctl_endpoint_missing(
		control, text, "give a name, an address, key=value, service/NAME or host", err);
	wf_err_set_field(err, field);
	return -ENOENT;
}

/* The host's address towards somebody: the gateway of an endpoint's network, or an uplink's. */
static void complete_host(const struct wf_control *control, struct party *host,
			  const struct party *other)
{
	const struct ctl_network *network = other->endpoint ? other->endpoint->network : NULL;

	for (size_t i = 0; network && i < network->spec.subnet_count; i++)
		if (network->spec.subnets[i].has_gateway && !network->spec.overlapping)
			set_addr(host, &network->spec.subnets[i].gateway);
	for (size_t i = 0; !network && i < control->lb.uplink_count; i++) {
		const struct wf_net_uplink *uplink = &control->lb.uplinks[i];

		if (!wf_addr_is_zero(&uplink->ip4))
			set_addr(host, &uplink->ip4);
		if (!wf_addr_is_zero(&uplink->ip6))
			set_addr(host, &uplink->ip6);
	}
}

static int choose_family(struct question *question, struct wf_err *err)
{
	for (size_t family = 0; family < 2; family++)
		if (question->src.has[family] && question->dst.has[family]) {
			question->ip6 = family;
			return 0;
		}
	return wf_fail(err, -EAFNOSUPPORT,
		       "source and destination have no address of the same family");
}

static int read_protocol(const json_t *request, struct question *question, struct wf_err *err)
{
	int64_t port = wf_json_int(request, "port", -1);
	const char *text = wf_json_str(request, "protocol", port >= 0 ? "tcp" : "icmp");
	uint64_t number;

	if (port > UINT16_MAX)
		return wf_fail_field(err, -EINVAL, "port", "is above 65535");
	if (strcasecmp(text, "tcp") == 0)
		question->proto = IPPROTO_TCP;
	else if (strcasecmp(text, "udp") == 0)
		question->proto = IPPROTO_UDP;
	else if (strcasecmp(text, "sctp") == 0)
		question->proto = IPPROTO_SCTP;
	else if (strncasecmp(text, "icmp", 4) == 0)
		question->proto = IPPROTO_ICMP;
	else if (wf_str_to_u64(text, 1, 255, &number) == 0)
		question->proto = (uint8_t)number;
	else
		return wf_fail_field(err, -EINVAL, "protocol",
				     "\"%s\" is not tcp, udp, sctp, icmp or a number", text);
	if (port < 0 && question->proto != IPPROTO_ICMP &&
	    (question->proto == IPPROTO_TCP || question->proto == IPPROTO_UDP ||
	     question->proto == IPPROTO_SCTP))
		return wf_fail_field(err, -EINVAL, "port", "is required for %s", text);
	question->port = port >= 0 ? (uint16_t)port : 0;
	return 0;
}

/* An echo request unless another type was asked for. */
static void settle_icmp(struct question *question, bool has_type)
{
	if (question->proto != IPPROTO_ICMP)
		return;
	if (question->ip6)
		question->proto = IPPROTO_ICMPV6;
	if (!has_type)
		question->port = question->ip6 ? 128 : 8;
}

/* An address is one of the network that was named, or of that of the other end. */
static uint32_t scope_of(struct wf_control *control, const json_t *request,
			 const struct party *other)
{
	const struct ctl_network *network =
		wf_ctl_network_find(control, wf_json_str(request, "network", ""));

	if (!network && other->endpoint)
		network = other->endpoint->network;
	return network ? wf_ctl_scope_of(network) : WF_NETWORK_HOST;
}

static int read_parties(struct wf_control *control, const json_t *request,
			struct question *question, struct wf_err *err)
{
	const char *source = wf_json_str(request, "source", "");
	const char *destination = wf_json_str(request, "destination", "");
	struct party *src = &question->src, *dst = &question->dst;
	bool by_address = wf_addr_parse(source, &(struct wf_addr){ 0 }) == 0;
	int r = 0;

	/* who is named says what an address at the other end means */
	if (!by_address)
		r = resolve(control, WF_NETWORK_HOST, src, source, "source", err);
	if (r == 0)
		r = resolve(control, scope_of(control, request, src), dst, destination,
			    "destination", err);
	if (r == 0 && by_address)
		r = resolve(control, scope_of(control, request, dst), src, source, "source", err);
	return r;
}

static int read_question(struct wf_control *control, const json_t *request,
			 struct question *question, struct wf_err *err)
{
	const char *source = wf_json_str(request, "source", "");
	const char *destination = wf_json_str(request, "destination", "");
	int r;

	if (!*source || !*destination)
		return wf_fail_field(err, -EINVAL, *source ? "destination" : "source",
				     "is required");
	r = read_protocol(request, question, err);
	if (r == 0)
		r = read_parties(control, request, question, err);
	if (r < 0)
		return r;
	if (question->src.is_host)
		complete_host(control, &question->src, &question->dst);
	if (question->dst.is_host)
		complete_host(control, &question->dst, &question->src);
	r = choose_family(question, err);
	settle_icmp(question, json_object_get(request, "port"));
	return r;
}

/* ---- asking the program ----------------------------------------------------------------------------- */

/* Where the packet enters weft's programs. */
struct entry {
	enum wf_dp_program program;
	uint32_t ifindex;
	const char *text;
};

static int find_entry(const struct wf_control *control, const struct question *question,
		      struct probe *probe, struct entry *entry, struct wf_err *err)
{
	const struct party *src = &question->src;

	probe->to_mac = control->weft0_mac;
	if (src->endpoint) {
		if (!src->endpoint->spec.slot)
			return wf_fail(err, -EOPNOTSUPP,
				       "endpoint %s has a macvlan or ipvlan interface, which is "
				       "beyond the reach of policies",
				       src->endpoint->spec.meta.name);
		probe->from_mac = src->endpoint->spec.mac;
		if (question->dst.endpoint &&
		    question->dst.endpoint->network == src->endpoint->network)
			probe->to_mac = question->dst.endpoint->spec.mac;
		*entry = (struct entry){ WF_DP_FROM_CONTAINER, src->endpoint->spec.ifindex,
					 "from_container" };
		return 0;
	}
	if (src->is_host && (question->dst.endpoint || !control->lb.uplink_count)) {
		probe->from_mac = control->weft0_mac;
		*entry = (struct entry){ WF_DP_FROM_CONTAINER, WF_IFINDEX_BASE, "from_host" };
		return 0;
	}
	if (!control->lb.uplink_count)
		return wf_fail(err, -ENODEV, "the host has no device that leads out");
	probe->to_mac = control->lb.uplinks[0].mac;
	probe->from_mac = (struct wf_mac){ { 2, 0, 0, 0, 0, 1 } };
	*entry = (struct entry){ src->is_host ? WF_DP_TO_UPLINK : WF_DP_FROM_UPLINK,
				 control->lb.uplinks[0].ifindex,
				 src->is_host ? "to_uplink" : "from_uplink" };
	return 0;
}

static int run(struct wf_control *control, const struct question *question, struct entry *entry,
	       struct wf_event *ret_event, struct wf_err *err)
{
	struct probe probe = { .src = question->src.addrs[question->ip6],
			       .dst = question->dst.addrs[question->ip6],
			       .proto = question->proto,
			       .sport = PROBE_PORT,
			       .dport = question->port };
	uint8_t frame[PROBE_MAX_BYTES];
	struct wf_dp_packet packet = { .bytes = frame };
	int r = find_entry(control, question, &probe, entry, err);

	if (r < 0)
		return r;
	packet.len = wf_ctl_probe_write(&probe, frame);
	packet.program = entry->program;
	packet.ifindex = entry->ifindex;
	r = wf_dp_trace(control->dp, &packet, ret_event, wf_ctl_event, control, err);
	/* not a matter of weft's: nobody stands in its way */
	if (r == -ENOMSG) {
		ret_event->verdict = WF_POLICY_ALLOW;
		ret_event->way = WF_EVENT_WAY_HOST;
		ret_event->proto = question->proto;
		ret_event->ethertype = htons(question->ip6 ? ETH_P_IPV6 : ETH_P_IP);
		ret_event->slot = ret_event->peer_slot = WF_SLOT_HOST;
		r = 0;
	}
	return r;
}

/* ---- the answer ---------------------------------------------------------------------------------------- */

static json_t *party_json(const struct question *question, const struct party *party)
{
	char text[WF_ADDR_TEXT];
	json_t *value = json_object();

	(void)wf_json_set_str(value, "name",
			      party->endpoint  ? party->endpoint->spec.meta.name
			      : party->is_host ? "host"
					       : NULL);
	if (party->has[question->ip6])
		(void)wf_json_set_str(value, "address",
				      wf_addr_format(&party->addrs[question->ip6], text));
	if (party->endpoint) {
		(void)wf_json_set_str(value, "network", party->endpoint->network->spec.meta.name);
		(void)wf_json_set_str(value, "namespace",
				      wf_ctl_namespace_of(&party->endpoint->spec.meta.labels));
		(void)wf_json_set(value, "labels",
				  wf_labels_to_json(&party->endpoint->spec.meta.labels));
	}
	if (party->alike > 1)
		(void)wf_json_set(value, "alike", json_integer((json_int_t)party->alike));
	return value;
}

static const char *verdict_of(const struct wf_event *event)
{
	if (event->reason || event->way == WF_EVENT_WAY_NONE)
		return "deny";
	return event->verdict == WF_POLICY_AUDIT ? "audit" : "allow";
}

/* By way of an endpoint of the sender's network: into that, wherever it is. */
static json_t *via_hop_json(struct wf_control *control, const struct ctl_network *network,
			    const struct wf_route *route)
{
	const struct ctl_endpoint *here = wf_ctl_endpoint_by_address(control, network, &route->via);
	const struct ctl_remote *there =
		wf_ctl_remote_by_address(control, wf_ctl_scope_of(network), &route->via);
	char via[WF_ADDR_TEXT], to[WF_ADDR_TEXT];

	(void)wf_addr_format(&route->via, via);
	(void)wf_prefix_format(&route->to, to);
	if (here)
		return json_sprintf("straight into endpoint %s (%s): the route to %s of network %s",
				    here->spec.meta.name, via, to, network->spec.meta.name);
	return json_sprintf("into endpoint %s (%s) on node %s: the route to %s of network %s",
			    there ? wf_ctl_remote_name(there) : "?", via,
			    there ? there->node->name : "?", to, network->spec.meta.name);
}

/* What leaves by a route of the sender's network, or at all. */
static json_t *out_hop_json(struct wf_control *control, const struct question *question)
{
	const struct ctl_endpoint *from = question->src.endpoint;
	const struct wf_route *route =
		from ? wf_ctl_vtep_find(from->network, &question->dst.addrs[question->ip6]) : NULL;
	char vtep[WF_ADDR_TEXT], to[WF_ADDR_TEXT];

	if (route && route->is_via)
		return via_hop_json(control, from->network, route);
	return route ? json_sprintf("by VXLAN to %s, VNI %u: the route to %s of network %s",
				    wf_addr_format(&route->vtep, vtep), route->vni,
				    wf_prefix_format(&route->to, to), from->network->spec.meta.name)
		     : json_string("out of the uplink");
}

static json_t *hop_json(struct wf_control *control, const struct question *question,
			const struct wf_event *event)
{
	const struct ctl_endpoint *endpoint =
		event->peer_slot < WF_MAX_SLOTS ? control->by_slot[event->peer_slot] : NULL;

	switch (event->way) {
	case WF_EVENT_WAY_ENDPOINT:
		return json_sprintf("straight into endpoint %s",
				    endpoint ? endpoint->spec.meta.name : "?");
	case WF_EVENT_WAY_HOST: return json_string("the host's own stack, by weft0");
	case WF_EVENT_WAY_OUT: return out_hop_json(control, question);
	default: return NULL;
	}
}

/* The service whose address was asked for, and the backend that was chosen this time. */
static void add_service(struct wf_control *control, const struct question *question,
			const struct wf_event *event, json_t *answer)
{
	const struct wf_addr *dst = &question->dst.addrs[question->ip6];
	struct ctl_service *service, *next;
	const struct ctl_endpoint *backend;
	struct wf_addr_value value;
	json_t *translated = json_object_get(answer, "translated");

	if (event->translated != WF_EVENT_TRANSLATED_DST)
		return;
	HASH_ITER(by_key, control->lb.services, service, next)
		for (size_t p = 0; p < service->ports.count; p++)
			for (size_t i = 0; i < service->ports.items[p].frontend_count; i++)
				if (wf_addr_equal(&service->ports.items[p].frontends[i].addr,
						  dst) &&
				    service->ports.items[p].frontends[i].port == question->port)
					(void)wf_json_set_str(translated, "service", service->key);
	if (wf_dp_address_get(control->dp, WF_NETWORK_HOST, &event->nat, &value) == 0 &&
	    value.slot != WF_SLOT_HOST && value.slot < WF_MAX_SLOTS) {
		backend = control->by_slot[value.slot];
		if (backend)
			(void)wf_json_set_str(translated, "name", backend->spec.meta.name);
	}
}

static json_t *answer_json(struct wf_control *control, const struct question *question,
			   const struct entry *entry, const struct wf_event *event)
{
	const struct wf_flow_names names = wf_ctl_flow_names(control);
	json_t *answer = wf_flow_to_json(event, wf_clock_wall_s(), &names);

	if (!answer)
		return NULL;
	(void)json_object_del(answer, "time");
	(void)json_object_del(answer, "bytes");
	(void)json_object_del(answer, "tcpFlags");
	(void)json_object_del(answer, "type");
	(void)wf_json_set(answer, "source", party_json(question, &question->src));
	(void)wf_json_set(answer, "destination", party_json(question, &question->dst));
	if (question->port)
		(void)wf_json_set(json_object_get(answer, "destination"), "port",
				  json_integer(question->port));
	(void)wf_json_set_str(answer, "verdict", verdict_of(event));
	(void)wf_json_set_str(answer, "program", entry->text);
	(void)wf_json_set(answer, "nextHop", hop_json(control, question, event));
	add_service(control, question, event, answer);
	return answer;
}

/* ---- past drops ------------------------------------------------------------------------------------------ */

static json_t *drop_of(struct wf_control *control, const json_t *wanted, struct wf_err *err)
{
	const json_t *drops = control->policy.drops;
	size_t count = json_array_size(drops);

	if (json_is_object(wanted))
		return json_incref((json_t *)wanted);
	for (size_t i = count; i-- > 0;) {
		json_t *drop = json_array_get(drops, i);

		if (json_is_true(wanted) ||
		    json_integer_value(wanted) == wf_json_int(drop, "id", -1))
			return json_incref(drop);
	}
	wf_err_set(err, -ENOENT,
		   count ? "no drop with this number is remembered; 'weft why --drop' explains the "
			   "latest"
			 : "no drop is remembered: they are only while somebody observes ('weft "
			   "observe --drops') or --policy-log is on");
	return NULL;
}

/* A drop as it was told, asked anew: who it was, and what would become of it now. */
static int question_of_drop(const json_t *drop, json_t **ret_request, struct wf_err *err)
{
	const json_t *source = json_object_get(drop, "source");
	const json_t *destination = json_object_get(drop, "destination");
	const char *from = wf_json_str(source, "address", "");
	const char *to = wf_json_str(destination, "address", "");
	const char *protocol = wf_json_str(drop, "protocol", "");
	int64_t port = wf_json_int(destination, "port", wf_json_int(drop, "icmpType", -1));

	if (!*from || !*to)
		return wf_fail(err, -EINVAL, "the drop does not say who sent to whom: %s",
			       wf_json_str(json_object_get(drop, "reason"), "text", "no reason"));
	*ret_request = json_pack("{s:s, s:s, s:s}", "source", from, "destination", to, "protocol",
				 protocol);
	if (!*ret_request ||
	    wf_json_set_str(*ret_request, "network", wf_json_str(drop, "network", NULL)) < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	if (port >= 0)
		(void)json_object_set_new(*ret_request, "port", json_integer(port));
	return 0;
}

static int ask(struct wf_control *control, const json_t *request, json_t **ret_answer,
	       struct wf_err *err)
{
	struct question question = { 0 };
	struct wf_event event = { 0 };
	struct entry entry = { 0 };
	int r = read_question(control, request, &question, err);

	if (r == 0)
		r = run(control, &question, &entry, &event, err);
	if (r < 0)
		return r;
	*ret_answer = answer_json(control, &question, &entry, &event);
	return *ret_answer ? 0 : wf_fail(err, -ENOMEM, "out of memory");
}

int wf_control_why(struct wf_control *control, const json_t *request, json_t **ret_answer,
		   struct wf_err *err)
{
	_cleanup_json_ json_t *drop = NULL, *asked = NULL;
	const json_t *wanted = json_object_get(request, "drop");
	int r;

	if (!wanted)
		return ask(control, request, ret_answer, err);
	drop = drop_of(control, wanted, err);
	if (!drop)
		return -ENOENT;
	r = question_of_drop(drop, &asked, err);
	if (r == 0)
		r = ask(control, asked, ret_answer, err);
	if (r == 0)
		(void)json_object_set(*ret_answer, "drop", drop);
	return r;
}
