/* SPDX-License-Identifier: Apache-2.0 */
/* Rules as people read them: where they stand, whom they mean, how often they decided. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "control/control_priv.h"
#include "dp/policy.h"
#include "flow/flow.h"

/* Endpoints that are named of those a peer means; the others are counted. */
#define MAX_NAMES 64

const char *wf_ctl_policy_rule_path(const struct wf_policy_rule_info *info, char buf[96])
{
	if (info->rule)
		return info->rule->path;
	(void)snprintf(buf, 96, "%s: no rule allows it", wf_policy_dir_name(info->dir));
	return buf;
}

json_t *wf_ctl_policy_rule_json(const struct wf_control *control, uint32_t number)
{
	struct wf_policy_rule_info info;
	char path[96];
	json_t *value;

	if (!number || !wf_policy_engine_rule(control->policy.engine, number, &info))
		return NULL;
	value = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "policy", info.key, "kind",
			  info.policy->kind, "name", info.policy->meta.name, "direction",
			  wf_policy_dir_name(info.dir), "rule",
			  wf_ctl_policy_rule_path(&info, path), "number", (json_int_t)number);
	if (!value)
		return NULL;
	(void)wf_json_set_str(value, "namespace", info.policy->meta.namespace);
	if (info.rule) {
		(void)wf_json_set_str(value, "ruleName", info.rule->name);
		(void)wf_json_set_str(value, "action", wf_rule_action_name(info.rule->action));
	} else {
		(void)wf_json_set_str(value, "action", "isolate");
	}
	return value;
}

json_t *wf_ctl_policy_slots_json(const struct wf_control *control, const uint32_t *slots,
				 size_t count)
{
	json_t *names = json_array();

	for (size_t i = 0; i < count; i++) {
		const char *name = slots[i] == WF_SLOT_HOST ? "host" : NULL;

		if (!name && slots[i] < WF_MAX_SLOTS && control->by_slot[slots[i]])
			name = control->by_slot[slots[i]]->spec.meta.name;
		if (name)
			(void)json_array_append_new(names, json_string(name));
	}
	return names;
}

/* ---- peers ------------------------------------------------------------------------------------ */

static void add_entities(uint32_t entities, struct wf_str *out)
{
	static const struct {
		uint32_t bits;
		const char *name;
	} names[] = {
		{ WF_ENTITY_ALL, "all" },
		{ WF_ENTITY_CLUSTER, "cluster" },
		{ WF_ENTITY_WORLD, "world" },
		{ WF_ENTITY_HOST, "host" },
		{ WF_ENTITY_REMOTE_NODE, "remote-node" },
		{ WF_ENTITY_ENDPOINT, "endpoints" },
		{ WF_ENTITY_WORLD4, "world-ipv4" },
		{ WF_ENTITY_WORLD6, "world-ipv6" },
	};
	const char *separator = "";

	for (size_t i = 0; i < WF_ARRAY_LEN(names); i++) {
		if ((entities & names[i].bits) != names[i].bits)
			continue;
		wf_str_addf(out, "%s%s", separator, names[i].name);
		separator = ",";
		entities &= ~names[i].bits;
	}
	if (!*separator)
		wf_str_add(out, "none");
}

static void add_cidr(const struct wf_peer *peer, struct wf_str *out)
{
	char text[WF_ADDR_TEXT];

	wf_str_add(out, wf_prefix_format(&peer->cidr, text));
	for (size_t i = 0; i < peer->except_count; i++)
		wf_str_addf(out, "%s%s", i ? "," : " except ",
			    wf_prefix_format(&peer->except[i], text));
}

static void add_peer(const struct wf_peer *peer, struct wf_str *out)
{
	switch (peer->type) {
	case WF_PEER_ENDPOINTS: wf_selector_format(&peer->selector, out); break;
	case WF_PEER_NODES:
		wf_str_add(out, "nodes ");
		wf_selector_format(&peer->selector, out);
		break;
	case WF_PEER_CIDR: add_cidr(peer, out); break;
	case WF_PEER_ENTITIES: add_entities(peer->entities, out); break;
	default:
		wf_str_addf(out, "service %s%s%s", peer->service_namespace,
			    *peer->service_namespace ? "/" : "", peer->service);
		if (!*peer->service)
			wf_selector_format(&peer->selector, out);
	}
}

static json_t *peer_json(const struct wf_control *control, const struct wf_peer *peer)
{
	_cleanup_str_ struct wf_str text = WF_STR_INIT;
	uint32_t slots[MAX_NAMES];
	json_t *value;
	size_t count;

	add_peer(peer, &text);
	count = wf_policy_engine_peers(control->policy.engine, peer, slots, MAX_NAMES);
	value = json_pack("{s:s, s:I}", "peer", wf_str_text(&text), "count", (json_int_t)count);
	if (count)
		(void)wf_json_set(value, "endpoints",
				  wf_ctl_policy_slots_json(control, slots,
							   count < MAX_NAMES ? count : MAX_NAMES));
	return value;
}

static json_t *peers_json(const struct wf_control *control, const struct wf_policy_rule *rule)
{
	json_t *peers = json_array();

	if (rule->any_peer)
		(void)json_array_append_new(peers, json_pack("{s:s}", "peer", "anybody"));
	for (size_t i = 0; !rule->any_peer && i < rule->peer_count; i++)
		(void)json_array_append_new(peers, peer_json(control, &rule->peers[i]));
	return peers;
}

/* ---- ports --------------------------------------------------------------------------------------- */

static void add_port(const struct wf_policy_port *port, struct wf_str *out)
{
	bool icmp = port->proto == IPPROTO_ICMP || port->proto == IPPROTO_ICMPV6;
	char buf[8];
	const char *proto = port->proto ? wf_flow_protocol(port->proto, buf) : "any protocol";

	if (*port->name)
		wf_str_addf(out, "%s/%s", port->name, proto);
	else if (port->first == 0 && port->last == UINT16_MAX)
		wf_str_add(out, proto);
	else if (icmp)
		wf_str_addf(out, "%s type %u", proto, port->first);
	else if (port->first == port->last)
		wf_str_addf(out, "%u/%s", port->first, proto);
	else
		wf_str_addf(out, "%u-%u/%s", port->first, port->last, proto);
	if (icmp && port->last != port->first && port->last != UINT16_MAX)
		wf_str_addf(out, " to %u", port->last);
}

static json_t *ports_json(const struct wf_policy_rule *rule)
{
	json_t *ports = json_array();

	if (rule->any_port)
		(void)json_array_append_new(ports, json_string("any"));
	for (size_t i = 0; !rule->any_port && i < rule->port_count; i++) {
		_cleanup_str_ struct wf_str text = WF_STR_INIT;

		add_port(&rule->ports[i], &text);
		(void)json_array_append_new(ports, json_string(wf_str_text(&text)));
	}
	return ports;
}

/* ---- rules ----------------------------------------------------------------------------------------- */

static json_t *hits_json(const struct wf_counter *hits)
{
	return json_pack("{s:I, s:I}", "packets", (json_int_t)hits->packets, "bytes",
			 (json_int_t)hits->bytes);
}

static void read_hits(const struct wf_control *control, uint32_t number, struct wf_counter *sum,
		      struct wf_counter *ret_hits)
{
	memset(ret_hits, 0, sizeof(*ret_hits));
	if (number)
		(void)wf_dp_hits_read(control->dp, number, 1, ret_hits);
	sum->packets += ret_hits->packets;
	sum->bytes += ret_hits->bytes;
}

static json_t *rule_json(const struct wf_control *control, const char *key, size_t section,
			 const struct wf_policy_rule *rule, bool with_peers, struct wf_counter *sum)
{
	uint32_t number =
		wf_policy_engine_rule_number(control->policy.engine, key, section, rule, rule->dir);
	struct wf_counter hits;
	json_t *value;

	read_hits(control, number, sum, &hits);
	value = json_pack("{s:s, s:s, s:s, s:I, s:o}", "rule", rule->path, "direction",
			  wf_policy_dir_name(rule->dir), "action",
			  wf_rule_action_name(rule->action), "number", (json_int_t)number, "hits",
			  hits_json(&hits));
	(void)wf_json_set_str(value, "name", rule->name);
	(void)wf_json_set_str(value, "unenforced", rule->unenforced);
	if (with_peers && value) {
		(void)wf_json_set(value, "peers", peers_json(control, rule));
		(void)wf_json_set(value, "ports", ports_json(rule));
	}
	return value;
}

static json_t *isolation_json(const struct wf_control *control, const char *key, size_t section,
			      enum wf_policy_dir dir, struct wf_counter *sum)
{
	uint32_t number =
		wf_policy_engine_rule_number(control->policy.engine, key, section, NULL, dir);
	struct wf_counter hits;

	read_hits(control, number, sum, &hits);
	return json_pack("{s:s, s:s, s:s, s:I, s:o}", "rule", "whatever no rule allows",
			 "direction", wf_policy_dir_name(dir), "action", "isolate", "number",
			 (json_int_t)number, "hits", hits_json(&hits));
}

json_t *wf_ctl_policy_rules_json(const struct wf_control *control, const char *key,
				 const struct wf_policy *policy, bool with_peers)
{
	struct wf_counter sum = { 0 };
	json_t *rules = json_array();

	for (size_t s = 0; s < policy->section_count; s++) {
		const struct wf_policy_section *section = &policy->sections[s];

		for (size_t i = 0; i < section->rule_count; i++)
			(void)json_array_append_new(
				rules,
				rule_json(control, key, s, &section->rules[i], with_peers, &sum));
		for (unsigned int dir = 0; dir < WF_POLICY_DIR_COUNT; dir++)
			if (section->isolates[dir])
				(void)json_array_append_new(
					rules, isolation_json(control, key, s,
							      (enum wf_policy_dir)dir, &sum));
	}
	return json_pack("{s:o, s:o}", "rules", rules, "hits", hits_json(&sum));
}

/* ---- all numbers of a policy --------------------------------------------------------------------- */

typedef void (*number_fn)(struct wf_dp *dp, uint32_t number, struct wf_counter *sum);

static void each_number(const struct wf_control *control, const char *key,
			const struct wf_policy *policy, number_fn visit, struct wf_counter *sum)
{
	const struct wf_policy_engine *engine = control->policy.engine;

	for (size_t s = 0; s < policy->section_count; s++) {
		const struct wf_policy_section *section = &policy->sections[s];

		for (size_t i = 0; i < section->rule_count + WF_POLICY_DIR_COUNT; i++) {
			const struct wf_policy_rule *rule =
				i < section->rule_count ? &section->rules[i] : NULL;
			enum wf_policy_dir dir =
				rule ? rule->dir : (enum wf_policy_dir)(i - section->rule_count);
			uint32_t number = wf_policy_engine_rule_number(engine, key, s, rule, dir);

			if (number)
				visit(control->dp, number, sum);
		}
	}
}

static void clear_number(struct wf_dp *dp, uint32_t number, struct wf_counter *sum)
{
	(void)sum;
	(void)wf_dp_hits_clear(dp, number);
}

static void add_number(struct wf_dp *dp, uint32_t number, struct wf_counter *sum)
{
	struct wf_counter one;

	if (wf_dp_hits_read(dp, number, 1, &one) < 0)
		return;
	sum->packets += one.packets;
	sum->bytes += one.bytes;
}

void wf_ctl_policy_clear_hits(struct wf_control *control, const char *key,
			      const struct wf_policy *policy)
{
	each_number(control, key, policy, clear_number, NULL);
}

struct wf_counter wf_ctl_policy_hits(const struct wf_control *control, const char *key,
				     const struct wf_policy *policy)
{
	struct wf_counter sum = { 0 };

	each_number(control, key, policy, add_number, &sum);
	return sum;
}
