/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks the parts of a Cilium policy that say what may be spoken on a port, and which names may
 * be asked for. None of it can be enforced yet: the rule says so.
 */
#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "model/policy_cilium_priv.h"

#define NEED "a proxy for L7"

/* What of an entry of toPorts needs L7, beside rules. */
static const char *const members[] = { "terminatingTLS", "originatingTLS", "serverNames",
				       "listener" };

/* The kinds of rules; l7 goes with l7proto. */
static const char *const kinds[] = { "http", "kafka", "dns", "l7proto" };

static bool has_rules(const json_t *entry)
{
	const json_t *rules = json_object_get(entry, "rules");

	for (size_t i = 0; i < WF_ARRAY_LEN(kinds); i++)
		if (wf_policy_has(rules, kinds[i]))
			return true;
	return wf_policy_has(rules, "l7");
}

bool wf_policy_cilium_has_l7(const json_t *entry)
{
	for (size_t i = 0; i < WF_ARRAY_LEN(members); i++)
		if (wf_policy_has(entry, members[i]))
			return true;
	return has_rules(entry);
}

/* Whether text could be (part of) a DNS name with wildcards. */
static bool is_pattern(const char *text)
{
	return *text && strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "0123456789-_.*") == strlen(text);
}

int wf_policy_cilium_read_name(struct wf_policy_reading *reading, const json_t *item, void *context)
{
	static const char *const forms[] = { "matchName", "matchPattern", NULL };
	char excerpt[WF_FIELD_EXCERPT_BYTES];
	const char *which, *text;
	bool pattern;
	int r = wf_policy_only_one(reading, item, forms, &which);

	(void)context;
	if (r < 0)
		return r;
	text = wf_json_str(item, which, "");
	pattern = strcmp(which, "matchPattern") == 0;
	if (!is_pattern(text) || (!pattern && strchr(text, '*')))
		return WF_POLICY_FAIL(reading, which, "\"%s\" is not a DNS name%s",
				      wf_field_excerpt(text, excerpt),
				      pattern ? " with '*' in it (such as *.example.org)" : "");
	return 0;
}

/* What rules there are must suit the port. */
static int read_port(struct wf_policy_reading *reading, const json_t *item, void *context)
{
	const char *kind = context, *protocol = wf_json_str(item, "protocol", "ANY");
	bool dns = strcmp(kind, "dns") == 0, tcp = strcmp(protocol, "TCP") == 0;
	const char *port = wf_json_str(item, "port", "");

	if (!tcp && !(dns && (strcmp(protocol, "UDP") == 0 || strcmp(protocol, "ANY") == 0)))
		return WF_POLICY_FAIL(reading, "protocol", "%s cannot have rules.%s (want %s)",
				      protocol, kind, dns ? "TCP, UDP or ANY" : "TCP");
	if (strspn(port, "0") == strlen(port))
		return WF_POLICY_FAIL(reading, "port",
				      "is 0, any port, which cannot have rules.%s (want one port)",
				      kind);
	if (dns && wf_json_int(item, "endPort", 0))
		return WF_POLICY_FAIL(reading, "endPort", "cannot be with rules.dns");
	return 0;
}

static int read_server_name(struct wf_policy_reading *reading, const json_t *item, void *context)
{
	const char *text = json_string_value(item);
	char excerpt[WF_FIELD_EXCERPT_BYTES];

	(void)context;
	if (!is_pattern(text))
		return WF_POLICY_FAIL(reading, "", "\"%s\" is not a DNS name, with '*' or without",
				      wf_field_excerpt(text, excerpt));
	return 0;
}

static int check_rules(struct wf_policy_reading *reading, enum wf_policy_dir dir,
		       const json_t *rules, const char **ret_kind)
{
	const char *kind = NULL;

	for (size_t i = 0; i < WF_ARRAY_LEN(kinds); i++) {
		if (!wf_policy_has(rules, kinds[i]))
			continue;
		if (kind)
			return WF_POLICY_FAIL(reading, kinds[i],
					      "cannot be combined with %s (write two entries)",
					      kind);
		kind = kinds[i];
	}
	if (!kind)
		return WF_POLICY_FAIL(reading, "l7", "wants l7proto, the name of its protocol");
	if (wf_policy_has(rules, "l7") && strcmp(kind, "l7proto") != 0)
		return WF_POLICY_FAIL(reading, "l7", "cannot be combined with %s", kind);
	if (strcmp(kind, "dns") == 0 && dir == WF_POLICY_INGRESS)
		return WF_POLICY_FAIL(reading, "dns", "is for egress only");
	*ret_kind = kind;
	return wf_policy_each(reading, rules, "dns", wf_policy_cilium_read_name, NULL);
}

static int read_rules(struct wf_policy_reading *reading, struct wf_policy_rule *rule,
		      const json_t *entry)
{
	size_t parent = wf_field_push_key(&reading->at, "rules");
	const json_t *rules = json_object_get(entry, "rules");
	const char *kind = NULL;
	int r = check_rules(reading, rule->dir, rules, &kind);

	if (r < 0)
		return r;
	wf_field_pop(&reading->at, parent);
	if (wf_policy_has(entry, "listener"))
		return WF_POLICY_FAIL(reading, "listener", "cannot be combined with rules");
	if (json_array_size(json_object_get(entry, "serverNames")) &&
	    !wf_policy_has(entry, "terminatingTLS"))
		return WF_POLICY_FAIL(reading, "serverNames",
				      "cannot be combined with rules without terminatingTLS");
	r = wf_policy_each(reading, entry, "ports", read_port, (void *)kind);
	if (r < 0)
		return r;
	if (strcmp(kind, "dns") == 0)
		return wf_policy_set_unenforced(reading, rule, "rules.dns", "a proxy for DNS");
	if (strcmp(kind, "http") == 0)
		return wf_policy_set_unenforced(reading, rule, "rules.http", NEED);
	return wf_policy_set_unenforced(
		reading, rule, strcmp(kind, "kafka") == 0 ? "rules.kafka" : "rules.l7", NEED);
}

int wf_policy_cilium_read_l7(struct wf_policy_reading *reading, struct wf_policy_rule *rule,
			     const json_t *entry)
{
	int r;

	if (wf_policy_has(entry, "listener") && rule->dir == WF_POLICY_INGRESS)
		return WF_POLICY_FAIL(reading, "listener", "is for egress only");
	r = wf_policy_each(reading, entry, "serverNames", read_server_name, NULL);
	if (r == 0 && has_rules(entry))
		r = read_rules(reading, rule, entry);
	for (size_t i = 0; r == 0 && i < WF_ARRAY_LEN(members); i++)
		if (wf_policy_has(entry, members[i]))
			r = wf_policy_set_unenforced(reading, rule, members[i], NEED);
	return r;
}
