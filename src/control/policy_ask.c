/* SPDX-License-Identifier: Apache-2.0 */
#include "control/policy_ask.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <string.h>

#include "control/policy_packet.h"
#include "dp/policy.h"
#include "net/uplink.h"

#define PROBE_PORT 54321

/* ---- where the packet enters ------------------------------------------------------------------------ */

struct entry {
	enum wf_dp_program program;
	uint32_t ifindex;
	const char *text;
};

static const struct entry from_host = { WF_DP_FROM_CONTAINER, WF_IFINDEX_BASE, "from_host" };

/* Whether what the host sends there leaves by weft0. Services are answered for as on packets, hooks or not. */
static bool is_by_weft0(const struct wf_control *control, const struct ctl_question *question)
{
	const struct wf_addr *dst = &question->dst.addrs[question->ip6];
	uint32_t flags = wf_ctl_view_flags(control, WF_NETWORK_HOST, dst);

	return question->dst.endpoint || !control->lb.uplink_count ||
	       (flags & (WF_ADDR_SERVICE | WF_ADDR_HOST)) == WF_ADDR_SERVICE;
}

/* The uplink that the host's routes name for an address, or the first one. */
static const struct wf_net_uplink *uplink_to(struct wf_control *control, const struct wf_addr *addr)
{
	const struct wf_net_uplink *uplink = NULL;
	struct wf_net_way way;

	if (wf_net_way_find(control->net, addr, &way, NULL) == 0)
		uplink = wf_ctl_uplink_at(control, way.ifindex);
	return uplink ? uplink : &control->lb.uplinks[0];
}

/* Of endpoints whose device no program sees. */
static int fail_unseen(const struct ctl_endpoint *endpoint, struct wf_err *err)
{
	return wf_fail(
		err, -EOPNOTSUPP,
		"endpoint %s has a macvlan or ipvlan interface, which is beyond the reach of "
		"policies",
		endpoint->spec.meta.name);
}

static int find_endpoint_entry(const struct ctl_question *question, struct probe *probe,
			       struct entry *entry, struct wf_err *err)
{
	const struct ctl_endpoint *from = question->src.endpoint, *to = question->dst.endpoint;

	if (!from->spec.slot)
		return fail_unseen(from, err);
	probe->from_mac = from->spec.mac;
	if (to && to->network == from->network)
		probe->to_mac = to->spec.mac;
	*entry = (struct entry){ WF_DP_FROM_CONTAINER, from->spec.ifindex, "from_container" };
	return 0;
}

/*
 * From an endpoint of another node. What comes out of a tunnel cannot be made up; within a network the
 * host's way to the receiver asks the same.
 */
static int find_remote_entry(const struct ctl_question *question, struct probe *probe,
			     struct entry *entry, struct wf_err *err)
{
	const struct ctl_remote *from = question->src.remote;
	const struct ctl_endpoint *to = question->dst.endpoint;
	char text[WF_ADDR_TEXT];

	if (!to || !to->spec.slot || from->scope != WF_NETWORK_HOST ||
	    strcmp(to->network->spec.meta.name, from->crowd->network) != 0)
		return wf_fail_field(err, -EOPNOTSUPP, "source",
				     "%s is endpoint %s of node %s: ask there",
				     wf_addr_format(&probe->src, text), wf_ctl_remote_name(from),
				     from->node->name);
	probe->from_mac = probe->to_mac;
	*entry = from_host;
	return 0;
}

/* The host's own, or from outside. */
static int find_uplink_entry(struct wf_control *control, const struct ctl_question *question,
			     struct probe *probe, struct entry *entry, struct wf_err *err)
{
	const bool is_host = question->src.is_host;
	const struct wf_net_uplink *uplink;

	if (!control->lb.uplink_count)
		return wf_fail(err, -ENODEV, "the host has no device that leads out");
	if (!is_host && question->dst.endpoint && !question->dst.endpoint->spec.slot)
		return fail_unseen(question->dst.endpoint, err);
	uplink = uplink_to(control, is_host ? &probe->dst : &probe->src);
	probe->to_mac = uplink->mac;
	probe->from_mac = (struct wf_mac){ { 2, 0, 0, 0, 0, 1 } };
	*entry = (struct entry){ is_host ? WF_DP_TO_UPLINK : WF_DP_FROM_UPLINK, uplink->ifindex,
				 is_host ? "to_uplink" : "from_uplink" };
	return 0;
}

static int find_entry(struct wf_control *control, const struct ctl_question *question,
		      struct probe *probe, struct entry *entry, struct wf_err *err)
{
	if (question->src.endpoint)
		return find_endpoint_entry(question, probe, entry, err);
	if (question->src.remote)
		return find_remote_entry(question, probe, entry, err);
	if (question->src.is_host && is_by_weft0(control, question)) {
		probe->from_mac = probe->to_mac;
		*entry = from_host;
		return 0;
	}
	return find_uplink_entry(control, question, probe, entry, err);
}

/* ---- asking a program ------------------------------------------------------------------------------- */

static int trace(struct wf_control *control, const struct probe *probe, const struct entry *entry,
		 struct wf_event *ret_event, struct wf_err *err)
{
	uint8_t frame[PROBE_MAX_BYTES];
	struct wf_dp_packet packet = { .bytes = frame,
				       .len = wf_ctl_probe_write(probe, frame),
				       .program = entry->program,
				       .ifindex = entry->ifindex };
	int r = wf_dp_trace(control->dp, &packet, ret_event, wf_ctl_event, control, err);

	/* not a matter of weft's: nobody stands in its way */
	if (r != -ENOMSG)
		return r;
	*ret_event = (struct wf_event){
		.verdict = WF_POLICY_ALLOW,
		.way = WF_EVENT_WAY_HOST,
		.proto = probe->proto,
		.ethertype = htons(wf_addr_is_ip4(&probe->dst) ? ETH_P_IP : ETH_P_IPV6),
		.slot = WF_SLOT_HOST,
		.peer_slot = WF_SLOT_HOST,
	};
	return 0;
}

/* ---- what the host's stack makes of it -------------------------------------------------------------- */

static void deny(struct ctl_finding *finding, enum ctl_end end, enum wf_reason reason)
{
	finding->end = end;
	finding->event.reason = (uint8_t)reason;
	finding->event.verdict = WF_POLICY_DENY;
	finding->event.way = WF_EVENT_WAY_NONE;
}

/* By weft0 to an endpoint, here or elsewhere, or to nobody: the program there decides. */
static int pass_weft0(struct wf_control *control, struct probe *probe, struct ctl_finding *finding,
		      struct wf_err *err)
{
	const struct wf_event before = finding->event;
	int r;

	probe->to_mac = probe->from_mac = control->weft0_mac;
	finding->program = from_host.text;
	r = trace(control, probe, &from_host, &finding->event, err);
	if (r < 0 || !before.translated)
		return r;
	finding->event.network = before.network;
	finding->event.translated = before.translated;
	finding->event.nat = before.nat;
	finding->event.nat_port = before.nat_port;
	return 0;
}

/* Whether weft, or the host, knows somebody who has the packet's destination. */
static bool is_known(const struct wf_control *control, const struct probe *probe,
		     const struct wf_net_fate *fate)
{
	return fate->is_neighbour || wf_ctl_node_at(control, "", &probe->dst);
}

/* Out again. What would go back where it came from reaches nobody, unless somebody there has it. */
static void leave(struct wf_control *control, const struct probe *probe,
		  const struct wf_net_fate *fate, struct ctl_finding *finding)
{
	finding->out_ifindex = fate->ifindex;
	if (fate->ifindex == finding->in_ifindex && !finding->event.translated &&
	    !is_known(control, probe, fate))
		deny(finding, CTL_END_NOBODY, WF_REASON_NO_SUCH_ADDRESS);
	else
		finding->event.way = WF_EVENT_WAY_OUT;
}

/*
 * The uplink's program lets a packet go on that came in there: to the host's stack, unless it is for a
 * scope, which takes it past that.
 */
static int follow(struct wf_control *control, struct probe *probe, struct ctl_finding *finding,
		  struct wf_err *err)
{
	const struct wf_event *event = &finding->event;
	struct wf_net_arrival arrival = { .ifindex = finding->in_ifindex,
					  .src = probe->src,
					  .proto = probe->proto,
					  .sport = probe->sport };
	struct wf_net_fate fate;
	int r;

	if (event->translated) {
		if (wf_ctl_scope_of_number(control, event->network) != WF_NETWORK_HOST) {
			/* what is not here goes into the scope's tunnel */
			if (event->way == WF_EVENT_WAY_HOST)
				finding->event.way = WF_EVENT_WAY_OUT;
			return 0;
		}
		probe->dst = event->nat;
		probe->dport = ntohs(event->nat_port);
	}
	arrival.dst = probe->dst;
	arrival.dport = probe->dport;
	r = wf_net_arrival_fate(control->net, &arrival, &fate, err);
	if (r < 0)
		return r;
	if (fate.kind == WF_NET_FATE_NONE)
		deny(finding, CTL_END_ROUTES, WF_REASON_NO_SUCH_ADDRESS);
	else if (fate.kind == WF_NET_FATE_FORWARD && fate.ifindex == control->weft0_ifindex)
		return pass_weft0(control, probe, finding, err);
	else if (fate.kind == WF_NET_FATE_FORWARD)
		leave(control, probe, &fate, finding);
	return 0;
}

/* ---- the question ----------------------------------------------------------------------------------- */

/* Whether one end has an address of a scope that the other one is not in, which leads to nobody there. */
static bool is_apart(const struct ctl_question *question)
{
	const struct ctl_party *src = &question->src, *dst = &question->dst;

	if (src->scope == dst->scope)
		return false;
	/* who is in a scope may name what is beyond it by address, and services */
	return dst->scope != WF_NETWORK_HOST || dst->endpoint || dst->is_host;
}

int wf_ctl_question_ask(struct wf_control *control, const struct ctl_question *question,
			struct ctl_finding *ret_finding, struct wf_err *err)
{
	struct probe probe = { .src = question->src.addrs[question->ip6],
			       .dst = question->dst.addrs[question->ip6],
			       .to_mac = control->weft0_mac,
			       .proto = question->proto,
			       .sport = PROBE_PORT,
			       .dport = question->port };
	struct ctl_finding finding = { 0 };
	struct entry entry;
	int r;

	if (is_apart(question)) {
		finding.event.proto = question->proto;
		finding.event.ethertype = htons(question->ip6 ? ETH_P_IPV6 : ETH_P_IP);
		deny(&finding, CTL_END_SCOPE, WF_REASON_NETWORK_ISOLATED);
		*ret_finding = finding;
		return 0;
	}
	r = find_entry(control, question, &probe, &entry, err);
	if (r < 0)
		return r;
	finding.program = entry.text;
	r = trace(control, &probe, &entry, &finding.event, err);
	if (r == 0 && entry.program == WF_DP_FROM_UPLINK && !finding.event.reason) {
		finding.in_ifindex = entry.ifindex;
		r = follow(control, &probe, &finding, err);
	}
	if (r == 0)
		*ret_finding = finding;
	return r;
}
