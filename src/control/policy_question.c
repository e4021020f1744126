/* SPDX-License-Identifier: Apache-2.0 */
#include "control/policy_question.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "model/protocol.h"

static void set_addr(struct ctl_party *party, const struct wf_addr *addr)
{
	size_t family = !wf_addr_is_ip4(addr);

	if (party->has[family])
		return;
	party->has[family] = true;
	party->addrs[family] = *addr;
}

static void set_endpoint(struct ctl_party *party, const struct ctl_endpoint *endpoint)
{
	party->endpoint = endpoint;
	party->scope = wf_ctl_scope_of(endpoint->network);
	for (size_t i = 0; i < endpoint->spec.address_count; i++)
		set_addr(party, &endpoint->spec.addresses[i].prefix.addr);
}

/* Whether an address is one within a scope, somebody's or not: what else is meant is beyond it. */
static bool is_within(const struct wf_control *control, uint32_t scope, const struct wf_addr *addr)
{
	const struct ctl_network *network = wf_ctl_network_at(control, scope);

	return network && wf_network_subnet_of(&network->spec, addr);
}

static void set_address(struct wf_control *control, uint32_t scope, struct ctl_party *party,
			const struct wf_addr *addr)
{
	struct wf_addr_value value;

	set_addr(party, addr);
	if (scope != WF_NETWORK_HOST && is_within(control, scope, addr))
		party->scope = scope;
	party->remote = wf_ctl_remote_by_address(control, scope, addr);
	if (wf_dp_address_get(control->dp, scope, addr, &value) < 0)
		return;
	if (value.slot != WF_SLOT_HOST && value.slot < WF_MAX_SLOTS)
		party->endpoint = control->by_slot[value.slot];
	else if (scope == WF_NETWORK_HOST && value.flags & (WF_ADDR_GATEWAY | WF_ADDR_HOST))
		party->is_host = true;
}

static bool has_all(const struct wf_labels *labels, const struct wf_labels *wanted)
{
	for (size_t i = 0; i < wanted->count; i++) {
		const char *value = wf_labels_get(labels, wanted->items[i].key);

		if (!value || strcmp(value, wanted->items[i].value) != 0)
			return false;
	}
	return true;
}

/* "app=web,tier=db": the first endpoint with all of them, and how many there are. */
static int set_labelled(struct wf_control *control, struct ctl_party *party, const char *text,
			const char *field, struct wf_err *err)
{
	_cleanup_(wf_labels_done) struct wf_labels wanted = { 0 };
	_cleanup_free_ char *copy = strdup(text);
	struct ctl_endpoint *endpoint, *next;
	char *rest = NULL;

	if (!copy)
		return wf_fail(err, -ENOMEM, "out of memory");
	for (char *word = strtok_r(copy, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		int r = wf_labels_parse(&wanted, word, err);

		if (r < 0) {
			wf_err_set_field(err, field);
			return r;
		}
	}
	HASH_ITER(by_name, control->endpoints, endpoint, next)
		if (has_all(&endpoint->spec.meta.labels, &wanted) && !party->alike++)
			set_endpoint(party, endpoint);
	if (!party->alike)
		return wf_fail_field(err, -ENOENT, field, "no endpoint has the labels %s", text);
	return 0;
}

static int set_service(struct wf_control *control, struct ctl_party *party, const char *name,
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
static int resolve(struct wf_control *control, uint32_t scope, struct ctl_party *party,
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
static void complete_host(const struct wf_control *control, struct ctl_party *host,
			  const struct ctl_party *other)
{
	/* in a scope of its own it is nobody */
	const struct ctl_network *network = other->endpoint && other->scope == WF_NETWORK_HOST
						    ? other->endpoint->network
						    : NULL;

	for (size_t i = 0; network && i < network->spec.subnet_count; i++)
		if (network->spec.subnets[i].has_gateway)
			set_addr(host, &network->spec.subnets[i].gateway);
	for (size_t i = 0; !network && i < control->lb.uplink_count; i++) {
		const struct wf_net_uplink *uplink = &control->lb.uplinks[i];

		if (!wf_addr_is_zero(&uplink->ip4))
			set_addr(host, &uplink->ip4);
		if (!wf_addr_is_zero(&uplink->ip6))
			set_addr(host, &uplink->ip6);
	}
}

static int choose_family(struct ctl_question *question, struct wf_err *err)
{
	for (size_t family = 0; family < 2; family++)
		if (question->src.has[family] && question->dst.has[family]) {
			question->ip6 = family;
			return 0;
		}
	return wf_fail(err, -EAFNOSUPPORT,
		       "source and destination have no address of the same family");
}

static int read_protocol(const json_t *request, struct ctl_question *question, struct wf_err *err)
{
	int64_t port = wf_json_int(request, "port", -1);
	const char *text = wf_json_str(request, "protocol", port >= 0 ? "tcp" : "icmp");
	uint64_t number;

	if (port > UINT16_MAX)
		return wf_fail_field(err, -EINVAL, "port", "is above 65535");
	question->proto = wf_protocol_from_name(text);
	if (!question->proto && strncasecmp(text, "icmp", 4) == 0)
		question->proto = IPPROTO_ICMP;
	if (!question->proto && wf_str_to_u64(text, 1, 255, &number) == 0)
		question->proto = (uint8_t)number;
	if (!question->proto)
		return wf_fail_field(err, -EINVAL, "protocol",
				     "\"%s\" is not tcp, udp, sctp, icmp or a number", text);
	if (port < 0 && *wf_protocol_name(question->proto))
		return wf_fail_field(err, -EINVAL, "port", "is required for %s", text);
	question->port = port >= 0 ? (uint16_t)port : 0;
	return 0;
}

/* An echo request unless another type was asked for. */
static void settle_icmp(struct ctl_question *question, bool has_type)
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
			 const struct ctl_party *other)
{
	const struct ctl_network *network =
		wf_ctl_network_find(control, wf_json_str(request, "network", ""));

	if (!network && other->endpoint)
		network = other->endpoint->network;
	return network ? wf_ctl_scope_of(network) : WF_NETWORK_HOST;
}

static int read_parties(struct wf_control *control, const json_t *request,
			struct ctl_question *question, struct wf_err *err)
{
	const char *source = wf_json_str(request, "source", "");
	const char *destination = wf_json_str(request, "destination", "");
	struct ctl_party *src = &question->src, *dst = &question->dst;
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

int wf_ctl_question_read(struct wf_control *control, const json_t *request,
			 struct ctl_question *question, struct wf_err *err)
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
