/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a packet passes or not: the program that would see it is run on a made-up one in the kernel,
 * and tells what it looked up. Nothing is sent, counted or remembered.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "control/control_priv.h"
#include "control/policy_packet.h"
#include "control/policy_question.h"
#include "dp/policy.h"

#define PROBE_PORT 54321

/* ---- asking the program ----------------------------------------------------------------------------- */

/* Where the packet enters weft's programs. */
struct entry {
	enum wf_dp_program program;
	uint32_t ifindex;
	const char *text;
};

/* Whether what the host sends there leaves by weft0. Services are answered for as on packets, hooks or not. */
static bool is_by_weft0(const struct wf_control *control, const struct ctl_question *question)
{
	const struct wf_addr *dst = &question->dst.addrs[question->ip6];
	uint32_t flags = wf_ctl_view_flags(control, WF_NETWORK_HOST, dst);

	return question->dst.endpoint || !control->lb.uplink_count ||
	       (flags & (WF_ADDR_SERVICE | WF_ADDR_HOST)) == WF_ADDR_SERVICE;
}

static int find_entry(const struct wf_control *control, const struct ctl_question *question,
		      struct probe *probe, struct entry *entry, struct wf_err *err)
{
	const struct ctl_party *src = &question->src;

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
	if (src->is_host && is_by_weft0(control, question)) {
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

static int run(struct wf_control *control, const struct ctl_question *question, struct entry *entry,
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

static json_t *party_json(const struct ctl_question *question, const struct ctl_party *party)
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
static json_t *out_hop_json(struct wf_control *control, const struct ctl_question *question)
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

static json_t *hop_json(struct wf_control *control, const struct ctl_question *question,
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
static void add_service(struct wf_control *control, const struct ctl_question *question,
			const struct wf_event *event, json_t *answer)
{
	const struct wf_addr *dst = &question->dst.addrs[question->ip6];
	struct ctl_service *service, *next;
	const struct ctl_endpoint *backend;
	const uint32_t scope = wf_ctl_scope_of_number(control, event->network);
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
	if (wf_dp_address_get(control->dp, scope, &event->nat, &value) == 0 &&
	    value.slot != WF_SLOT_HOST && value.slot < WF_MAX_SLOTS) {
		backend = control->by_slot[value.slot];
		if (backend)
			(void)wf_json_set_str(translated, "name", backend->spec.meta.name);
	}
}

static json_t *answer_json(struct wf_control *control, const struct ctl_question *question,
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
	struct ctl_question question = { 0 };
	struct wf_event event = { 0 };
	struct entry entry = { 0 };
	int r = wf_ctl_question_read(control, request, &question, err);

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
