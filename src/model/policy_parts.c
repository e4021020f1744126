/* SPDX-License-Identifier: Apache-2.0 */
/* What the readers of policies share: lists, sections, rules, peers, ports, selectors, prefixes. */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/policy_priv.h"
#include "model/protocol.h"

#define DOMAIN_LEN_MAX       253
#define DOMAIN_LABEL_LEN_MAX 63

int wf_policy_no_memory(struct wf_policy_reading *reading)
{
	return wf_fail(reading->err, -ENOMEM, "out of memory");
}

bool wf_policy_has(const json_t *object, const char *key)
{
	const json_t *member = json_object_get(object, key);

	return member && !json_is_null(member);
}

int wf_policy_each(struct wf_policy_reading *reading, const json_t *object, const char *key,
		   wf_policy_item_fn *read, void *context)
{
	size_t root = wf_field_push_key(&reading->at, key), i;
	json_t *item;

	json_array_foreach(json_object_get(object, key), i, item) {
		size_t parent = wf_field_push_index(&reading->at, i);
		int r = read(reading, item, context);

		if (r < 0)
			return r;
		wf_field_pop(&reading->at, parent);
	}
	wf_field_pop(&reading->at, root);
	return 0;
}

static int fail_not_one(struct wf_policy_reading *reading, const char *const *members, size_t count)
{
	_cleanup_str_ struct wf_str names = WF_STR_INIT;

	for (size_t i = 0; members[i]; i++)
		wf_str_addf(&names, "%s%s", i ? ", " : "", members[i]);
	return WF_POLICY_FAIL(reading, "", "has %s of %s (want exactly one)",
			      count ? "several" : "none", wf_str_text(&names));
}

int wf_policy_only_one(struct wf_policy_reading *reading, const json_t *object,
		       const char *const *members, const char **ret_member)
{
	const char *found = NULL;
	size_t count = 0;

	for (size_t i = 0; members[i]; i++) {
		if (!wf_policy_has(object, members[i]))
			continue;
		found = members[i];
		count++;
	}
	if (count != 1)
		return fail_not_one(reading, members, count);
	*ret_member = found;
	return 0;
}

int wf_policy_add_section(struct wf_policy_reading *reading)
{
	struct wf_policy *policy = reading->policy;

	if (wf_mem_grow(&policy->sections, sizeof(*policy->sections), policy->section_count,
			&policy->section_capacity) < 0)
		return wf_policy_no_memory(reading);
	reading->section = &policy->sections[policy->section_count++];
	*reading->section = (struct wf_policy_section){ .subject_is_node = false };
	return 0;
}

static size_t count_rules(const struct wf_policy *policy)
{
	size_t count = 0;

	for (size_t i = 0; i < policy->section_count; i++)
		count += policy->sections[i].rule_count;
	return count;
}

int wf_policy_add_rule(struct wf_policy_reading *reading, enum wf_policy_dir dir,
		       enum wf_rule_action action, struct wf_policy_rule **ret_rule)
{
	struct wf_policy_section *section = reading->section;
	struct wf_policy_rule *rule;

	if (count_rules(reading->policy) >= WF_POLICY_MAX_RULES)
		return WF_POLICY_FAIL(reading, "", "is one rule too many, the limit is %d",
				      WF_POLICY_MAX_RULES);
	if (wf_mem_grow(&section->rules, sizeof(*section->rules), section->rule_count,
			&section->rule_capacity) < 0)
		return wf_policy_no_memory(reading);
	rule = &section->rules[section->rule_count++];
	*rule = (struct wf_policy_rule){ .dir = dir, .action = action };
	(void)wf_str_copy(rule->path, sizeof(rule->path), reading->at.text);
	*ret_rule = rule;
	return 0;
}

void wf_policy_drop_last_rule(struct wf_policy_reading *reading)
{
	wf_policy_rule_done(&reading->section->rules[--reading->section->rule_count]);
}

int wf_policy_add_peer(struct wf_policy_reading *reading, struct wf_policy_rule *rule,
		       enum wf_peer_type type, struct wf_peer **ret_peer)
{
	if (rule->peer_count == WF_POLICY_MAX_PEERS)
		return WF_POLICY_FAIL(reading, "", "is one peer too many, the limit is %d a rule",
				      WF_POLICY_MAX_PEERS);
	if (wf_mem_grow(&rule->peers, sizeof(*rule->peers), rule->peer_count,
			&rule->peer_capacity) < 0)
		return wf_policy_no_memory(reading);
	*ret_peer = &rule->peers[rule->peer_count++];
	**ret_peer = (struct wf_peer){ .type = type };
	return 0;
}

int wf_policy_add_port(struct wf_policy_reading *reading, struct wf_policy_rule *rule,
		       const struct wf_policy_port *port)
{
	if (rule->port_count == WF_POLICY_MAX_PORTS)
		return WF_POLICY_FAIL(reading, "", "is one port too many, the limit is %d a rule",
				      WF_POLICY_MAX_PORTS);
	if (wf_mem_grow(&rule->ports, sizeof(*rule->ports), rule->port_count,
			&rule->port_capacity) < 0)
		return wf_policy_no_memory(reading);
	rule->ports[rule->port_count++] = *port;
	return 0;
}

int wf_policy_add_ports_of_any(struct wf_policy_reading *reading, struct wf_policy_rule *rule,
			       const struct wf_policy_port *port)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP };
	struct wf_policy_port one = *port;
	int r = 0;

	for (size_t i = 0; r == 0 && i < WF_ARRAY_LEN(protos); i++) {
		one.proto = protos[i];
		r = wf_policy_add_port(reading, rule, &one);
	}
	return r;
}

int wf_policy_set_unenforced(struct wf_policy_reading *reading, struct wf_policy_rule *rule,
			     const char *member, const char *what)
{
	_cleanup_str_ struct wf_str text = WF_STR_INIT;

	if (rule->unenforced && strstr(rule->unenforced, member))
		return 0;
	if (rule->unenforced)
		wf_str_addf(&text, "%s; ", rule->unenforced);
	wf_str_addf(&text, "%s needs %s, which is not there yet", member, what);
	if (text.failed)
		return wf_policy_no_memory(reading);
	free(rule->unenforced);
	rule->unenforced = TAKE_PTR(text.data);
	text = (struct wf_str)WF_STR_INIT;
	return 0;
}

int wf_policy_read_selector(struct wf_policy_reading *reading, struct wf_selector *selector,
			    bool of_namespace, const json_t *object, const char *key)
{
	size_t parent = wf_field_push_key(&reading->at, key);
	int r = wf_selector_add_json(selector, of_namespace, json_object_get(object, key),
				     reading->at.text, reading->err);

	wf_field_pop(&reading->at, parent);
	return r;
}

int wf_policy_read_selector_keys(struct wf_policy_reading *reading, struct wf_selector *selector,
				 wf_selector_key_fn *find, const json_t *object)
{
	return wf_selector_add_json_keys(selector, find, object, reading->at.text, reading->err);
}

int wf_policy_in_namespace(struct wf_policy_reading *reading, struct wf_selector *selector,
			   const char *namespace)
{
	if (wf_selector_add(selector, true, WF_LABEL_NAMESPACE_NAME, WF_MATCH_IN, &namespace, 1) <
	    0)
		return wf_policy_no_memory(reading);
	return 0;
}

int wf_policy_read_cidr(struct wf_policy_reading *reading, const json_t *value,
			struct wf_prefix *ret_prefix)
{
	const char *text = json_string_value(value);
	char excerpt[WF_FIELD_EXCERPT_BYTES];
	struct wf_prefix prefix;

	/* a mapped address is written as IPv4, where its length is counted from there */
	if (!text || !strchr(text, '/') || wf_prefix_parse(text, &prefix) < 0 ||
	    (strchr(text, ':') && wf_addr_is_ip4(&prefix.addr)))
		return WF_POLICY_FAIL(reading, "",
				      "\"%s\" is not a prefix (such as 192.0.2.0/24 or "
				      "2001:db8::/32)",
				      wf_field_excerpt(text ? text : "", excerpt));
	*ret_prefix = wf_prefix_network(&prefix);
	return 0;
}

/* Whose excepts are read, and how. */
struct excepting {
	struct wf_peer *peer;
	bool strictly;
};

static int read_except(struct wf_policy_reading *reading, const json_t *item, void *context)
{
	const struct excepting *excepting = context;
	struct wf_peer *peer = excepting->peer;
	char text[WF_ADDR_TEXT], cidr[WF_ADDR_TEXT];
	struct wf_prefix prefix;
	int r = wf_policy_read_cidr(reading, item, &prefix);

	if (r < 0)
		return r;
	if (wf_addr_is_ip4(&prefix.addr) != wf_addr_is_ip4(&peer->cidr.addr) ||
	    !wf_prefix_contains(&peer->cidr, &prefix.addr) || prefix.len < peer->cidr.len)
		return WF_POLICY_FAIL(reading, "", "%s is not inside %s",
				      wf_prefix_format(&prefix, text),
				      wf_prefix_format(&peer->cidr, cidr));
	if (excepting->strictly && prefix.len == peer->cidr.len)
		return WF_POLICY_FAIL(reading, "", "%s is all of the cidr (want a part of it)",
				      wf_prefix_format(&prefix, text));
	if (wf_mem_grow(&peer->except, sizeof(*peer->except), peer->except_count,
			&peer->except_capacity) < 0)
		return wf_policy_no_memory(reading);
	peer->except[peer->except_count++] = prefix;
	return 0;
}

int wf_policy_read_excepts(struct wf_policy_reading *reading, struct wf_peer *peer,
			   const json_t *object, bool strictly)
{
	struct excepting excepting = { .peer = peer, .strictly = strictly };

	return wf_policy_each(reading, object, "except", read_except, &excepting);
}

int wf_policy_read_port_name(struct wf_policy_reading *reading, const char *key, const char *text,
			     struct wf_policy_port *port)
{
	char excerpt[WF_FIELD_EXCERPT_BYTES];
	uint64_t number;

	if (!wf_protocol_is_port_name(text))
		return WF_POLICY_FAIL(reading, key,
				      "\"%s\" is not the name of a port (up to 15 lower-case "
				      "letters, digits or '-' with at least one letter)%s",
				      wf_field_excerpt(text, excerpt),
				      wf_str_to_u64(text, 0, UINT16_MAX, &number) == 0
					      ? "; a number goes without quotes"
					      : "");
	return wf_str_copy(port->name, sizeof(port->name), text);
}

static bool is_domain_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool wf_policy_is_domain(const char *text, bool wildcard)
{
	const char *label = wildcard && strncmp(text, "*.", 2) == 0 ? text + 2 : text;
	size_t labels = 0;

	if (strlen(text) > DOMAIN_LEN_MAX)
		return false;
	while (*label) {
		size_t len = strcspn(label, ".");

		if (len == 0 || len > DOMAIN_LABEL_LEN_MAX || !is_domain_char(label[0]) ||
		    !is_domain_char(label[len - 1]))
			return false;
		for (size_t i = 0; i < len; i++)
			if (!is_domain_char(label[i]) && label[i] != '-' && label[i] != '_')
				return false;
		labels++;
		label += len;
		if (*label)
			label++;
	}
	return labels > 1;
}
