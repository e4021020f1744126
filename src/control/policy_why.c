/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a packet passes or not, as an answer: who the ends are, what was found out (policy_ask.h), and
 * where it would go.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "control/policy_ask.h"

/* ---- the ends ------------------------------------------------------------------------------------------ */

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

/* ---- where it would go ---------------------------------------------------------------------------------- */

/* A device of the host by its name. */
static const char *device_name(struct wf_control *control, uint32_t ifindex, char names[256])
{
	struct wf_net_link link;

	return wf_net_link_find(control->net, NULL, ifindex, &link, names, NULL) == 0 ? link.name
										      : "?";
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

/* By a route of the sender's network. */
static json_t *route_hop_json(struct wf_control *control, const struct ctl_network *network,
			      const struct wf_route *route)
{
	char vtep[WF_ADDR_TEXT], to[WF_ADDR_TEXT];

	if (route->is_via)
		return via_hop_json(control, network, route);
	return json_sprintf("by VXLAN to %s, VNI %u: the route to %s of network %s",
			    wf_addr_format(&route->vtep, vtep), route->vni,
			    wf_prefix_format(&route->to, to), network->spec.meta.name);
}

/* By the host's own routes. */
static json_t *device_hop_json(struct wf_control *control, const struct wf_addr *dst,
			       uint32_t ifindex)
{
	const struct ctl_node *node = wf_ctl_node_at(control, "", dst);
	char names[256];
	const char *device = device_name(control, ifindex, names);

	return node ? json_sprintf("the host of node %s, by the host's routes: out of %s",
				   node->name, device)
		    : json_sprintf("by the host's routes out of %s", device);
}

/* What leaves this node. */
static json_t *out_hop_json(struct wf_control *control, const struct ctl_question *question,
			    const struct ctl_finding *finding)
{
	const struct ctl_network *network =
		question->src.endpoint ? question->src.endpoint->network : NULL;
	const struct wf_addr *dst = finding->event.translated == WF_EVENT_TRANSLATED_DST
					    ? &finding->event.nat
					    : &question->dst.addrs[question->ip6];
	/* where a service led it may be another scope than the sender's */
	const uint32_t scope = finding->event.translated == WF_EVENT_TRANSLATED_DST
				       ? wf_ctl_scope_of_number(control, finding->event.network)
				       : question->src.scope;
	const struct ctl_remote *remote = wf_ctl_remote_by_address(control, scope, dst);
	const struct wf_route *route = network && !remote ? wf_ctl_vtep_find(network, dst) : NULL;

	if (remote)
		return json_sprintf("into endpoint %s on node %s", wf_ctl_remote_name(remote),
				    remote->node->name);
	if (route)
		return route_hop_json(control, network, route);
	return finding->out_ifindex ? device_hop_json(control, dst, finding->out_ifindex)
				    : json_string("out of the uplink");
}

static json_t *hop_json(struct wf_control *control, const struct ctl_question *question,
			const struct ctl_finding *finding)
{
	const struct wf_event *event = &finding->event;
	const struct ctl_endpoint *endpoint =
		event->peer_slot < WF_MAX_SLOTS ? control->by_slot[event->peer_slot] : NULL;

	switch (event->way) {
	case WF_EVENT_WAY_ENDPOINT:
		return json_sprintf("straight into endpoint %s",
				    endpoint ? endpoint->spec.meta.name : "?");
	case WF_EVENT_WAY_HOST:
		return json_string(finding->in_ifindex ? "the host's own stack"
						       : "the host's own stack, by weft0");
	case WF_EVENT_WAY_OUT: return out_hop_json(control, question, finding);
	default: return NULL;
	}
}

/* ---- why it would not ------------------------------------------------------------------------------------ */

static json_t *scope_text(const struct wf_control *control, const struct ctl_question *question)
{
	const struct ctl_network *network = wf_ctl_network_at(
		control, question->dst.scope ? question->dst.scope : question->src.scope);

	return json_sprintf(
		"network %s is a scope of its own (spec.overlapping): its addresses mean "
		"nothing elsewhere, nor others' there",
		network ? network->spec.meta.name : "?");
}

/* What no program drops: in place of what the reason says in general. */
static void explain_end(struct wf_control *control, const struct ctl_question *question,
			const struct ctl_finding *finding, json_t *answer)
{
	json_t *reason = json_object_get(answer, "reason");
	char names[256], src[WF_ADDR_TEXT], dst[WF_ADDR_TEXT];
	const char *device = finding->end == CTL_END_ROUTES || finding->end == CTL_END_NOBODY
				     ? device_name(control, finding->in_ifindex, names)
				     : "";

	(void)wf_addr_format(&question->src.addrs[question->ip6], src);
	(void)wf_addr_format(&question->dst.addrs[question->ip6], dst);
	switch (finding->end) {
	case CTL_END_SCOPE:
		(void)wf_json_set(reason, "text", scope_text(control, question));
		(void)wf_json_set_str(
			reason, "hint",
			"published ports and services lead into one that has a way out "
			"(spec.masquerade)");
		break;
	case CTL_END_ROUTES:
		(void)wf_json_set_str(reason, "text",
				      "the host's routes and settings let it go nowhere");
		(void)wf_json_set(reason, "hint",
				  json_sprintf("see 'ip route get %s from %s iif %s' on the host",
					       dst, src, device));
		break;
	case CTL_END_NOBODY:
		(void)wf_json_set(
			reason, "text",
			json_sprintf("nobody is known who has the destination address: by "
				     "the host's routes it would leave by %s again",
				     device));
		break;
	default: break;
	}
}

/* ---- the answer ---------------------------------------------------------------------------------------- */

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

static const char *verdict_of(const struct wf_event *event)
{
	if (event->reason || event->way == WF_EVENT_WAY_NONE)
		return "deny";
	return event->verdict == WF_POLICY_AUDIT ? "audit" : "allow";
}

static json_t *answer_json(struct wf_control *control, const struct ctl_question *question,
			   const struct ctl_finding *finding)
{
	const struct wf_flow_names names = wf_ctl_flow_names(control);
	const struct wf_event *event = &finding->event;
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
	(void)wf_json_set_str(answer, "program", finding->program);
	(void)wf_json_set(answer, "nextHop", hop_json(control, question, finding));
	explain_end(control, question, finding, answer);
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
	struct ctl_finding finding;
	int r = wf_ctl_question_read(control, request, &question, err);

	if (r == 0)
		r = wf_ctl_question_ask(control, &question, &finding, err);
	if (r < 0)
		return r;
	*ret_answer = answer_json(control, &question, &finding);
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
