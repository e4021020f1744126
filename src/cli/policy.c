/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/policy.h"

#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/event.h"

static const json_t *weft_of(const json_t *policy)
{
	return json_object_get(json_object_get(policy, "status"), "weft");
}

static long long hits_of(const json_t *object)
{
	return (long long)wf_json_int(json_object_get(object, "hits"), "packets", 0);
}

static void format_selects(const json_t *policy, struct wf_str *out)
{
	if (weft_of(policy))
		wf_str_addf(out, "%lld",
			    (long long)wf_json_int(weft_of(policy), "selectsCount", 0));
}

static void format_rules(const json_t *policy, struct wf_str *out)
{
	const json_t *rules = json_object_get(weft_of(policy), "rules"), *rule;
	size_t count = 0, i;

	/* what a policy denies for want of a rule is none of its rules */
	json_array_foreach(rules, i, rule)
		count += strcmp(wf_json_str(rule, "action", ""), "isolate") != 0;
	if (rules)
		wf_str_addf(out, "%zu", count);
}

static void format_hits(const json_t *policy, struct wf_str *out)
{
	if (weft_of(policy))
		wf_str_addf(out, "%lld", hits_of(weft_of(policy)));
}

/* The first condition that is not as it should be, or how the policy is in force. */
static void format_status(const json_t *policy, struct wf_str *out)
{
	const json_t *conditions = json_object_get(json_object_get(policy, "status"), "conditions");
	const json_t *condition, *last = NULL;
	size_t i;

	json_array_foreach(conditions, i, condition) {
		last = condition;
		if (strcmp(wf_json_str(condition, "status", ""), "True") != 0)
			break;
	}
	wf_str_add_escaped(out, wf_json_str(last, "reason", ""));
}

static void format_tier(const json_t *policy, struct wf_str *out)
{
	const char *tier = wf_json_str(weft_of(policy), "tier", "");

	wf_str_add_escaped(out, tier);
	if (*tier && strcmp(tier, "network") != 0)
		wf_str_addf(out, " %lld", (long long)wf_json_int(weft_of(policy), "priority", 0));
}

const struct wf_cli_column wf_cli_policy_columns[] = {
	{ .header = "KIND", .path = "kind" },
	{ .header = "NAMESPACE", .path = "metadata.namespace" },
	{ .header = "NAME", .path = "metadata.name" },
	{ .header = "TIER", .format = format_tier },
	{ .header = "SELECTS", .format = format_selects },
	{ .header = "RULES", .format = format_rules },
	{ .header = "HITS", .format = format_hits },
	{ .header = "STATUS", .format = format_status },
	{ .header = "LABELS", .path = "metadata.labels", .wide = true },
	{ .header = "AGE", .format = wf_cli_format_age, .wide = true },
	{ .header = NULL },
};

/* ---- inspect ------------------------------------------------------------------------------------ */

static void add_names(const json_t *names, int64_t count, struct wf_str *out)
{
	size_t shown = json_array_size(names), i;
	json_t *name;

	json_array_foreach(names, i, name) {
		wf_str_add(out, i ? ", " : "");
		wf_str_add_escaped(out, json_string_value(name) ? json_string_value(name) : "?");
	}
	if (count > (int64_t)shown)
		wf_str_addf(out, "%s%lld more", shown ? " and " : "",
			    (long long)(count - (int64_t)shown));
}

static void format_key(const json_t *policy, struct wf_str *out)
{
	wf_cli_add_path(policy, "kind", out);
	wf_str_add(out, " ");
	if (*wf_json_str(json_object_get(policy, "metadata"), "namespace", "")) {
		wf_cli_add_path(policy, "metadata.namespace", out);
		wf_str_add(out, "/");
	}
	wf_cli_add_path(policy, "metadata.name", out);
}

static void format_subjects(const json_t *policy, struct wf_str *out)
{
	int64_t count = wf_json_int(weft_of(policy), "selectsCount", 0);

	if (!count) {
		wf_str_add(out, "nobody");
		return;
	}
	wf_str_addf(out, "%lld: ", (long long)count);
	add_names(json_object_get(weft_of(policy), "selects"), count, out);
}

static const struct wf_cli_column head_columns[] = {
	{ .header = "Policy", .format = format_key },
	{ .header = "Tier", .format = format_tier },
	{ .header = "Selects", .format = format_subjects },
	{ .header = "Hits", .format = format_hits },
	{ .header = NULL },
};

static void add_peer(const json_t *peer, struct wf_str *out)
{
	const json_t *names = json_object_get(peer, "endpoints");
	int64_t count = wf_json_int(peer, "count", 0);

	wf_str_add_escaped(out, wf_json_str(peer, "peer", "?"));
	if (!names)
		return;
	wf_str_addf(out, " (%lld: ", (long long)count);
	add_names(names, count, out);
	wf_str_add(out, ")");
}

static void add_rule(const json_t *rule, struct wf_str *out)
{
	const json_t *peers = json_object_get(rule, "peers");
	bool egress = strcmp(wf_json_str(rule, "direction", ""), "egress") == 0;
	json_t *item;
	size_t i;

	wf_str_add(out, "\n");
	wf_str_add_escaped(out, wf_json_str(rule, "rule", "?"));
	wf_str_addf(out, ": %s ", wf_json_str(rule, "direction", "?"));
	wf_str_add_escaped(out, strcmp(wf_json_str(rule, "action", ""), "isolate") == 0
					? "is denied"
					: wf_json_str(rule, "action", "?"));
	if (*wf_json_str(rule, "name", "")) {
		wf_str_add(out, " (");
		wf_str_add_escaped(out, wf_json_str(rule, "name", ""));
		wf_str_add(out, ")");
	}
	wf_str_addf(out, ", %lld hits\n", hits_of(rule));
	json_array_foreach(peers, i, item) {
		wf_str_add(out, egress ? "  to     " : "  from   ");
		add_peer(item, out);
		wf_str_add(out, "\n");
	}
	if (peers && !json_array_size(peers))
		wf_str_add(out, egress ? "  to     nobody\n" : "  from   nobody\n");
	if (json_array_size(json_object_get(rule, "ports"))) {
		wf_str_add(out, "  ports  ");
		wf_cli_add_path(rule, "ports", out);
		wf_str_add(out, "\n");
	}
	if (*wf_json_str(rule, "unenforced", "")) {
		wf_str_add(out, "  not enforced: ");
		wf_str_add_escaped(out, wf_json_str(rule, "unenforced", ""));
		wf_str_add(out, "\n");
	}
}

static void trim_end(struct wf_str *out)
{
	if (out->len && out->data[out->len - 1] == '\n')
		out->data[--out->len] = '\0';
}

void wf_cli_policy_add(const json_t *policy, struct wf_str *out)
{
	const json_t *conditions = json_object_get(json_object_get(policy, "status"), "conditions");
	_cleanup_json_ json_t *single = json_pack("[O]", policy);
	json_t *rule;
	size_t i;

	if (!single) {
		out->failed = true;
		return;
	}
	wf_cli_add_fields(head_columns, single, false, out);
	wf_str_add(out, "\n");
	if (json_array_size(conditions) &&
	    wf_cli_add_table(wf_cli_condition_columns, conditions, true, out) < 0)
		out->failed = true;
	json_array_foreach(json_object_get(weft_of(policy), "rules"), i, rule)
		add_rule(rule, out);
	trim_end(out);
}

/* ---- rules and answers -------------------------------------------------------------------------- */

void wf_cli_policy_rule_add(const json_t *rule, struct wf_str *out)
{
	wf_str_add_escaped(out, wf_json_str(rule, "policy", "?"));
	wf_str_add(out, " ");
	wf_str_add_escaped(out, wf_json_str(rule, "rule", "?"));
	if (*wf_json_str(rule, "ruleName", "")) {
		wf_str_add(out, " (");
		wf_str_add_escaped(out, wf_json_str(rule, "ruleName", ""));
		wf_str_add(out, ")");
	}
}

static const char *verdict_text(const char *verdict)
{
	if (strcmp(verdict, "allow") == 0)
		return "allowed";
	if (strcmp(verdict, "audit") == 0)
		return "allowed on trial, would be denied";
	return "denied";
}

/* "  egress   allowed by KIND/NAME rule" */
static void add_end(const json_t *answer, const char *direction, struct wf_str *out)
{
	const json_t *end = json_object_get(json_object_get(answer, "policies"), direction);
	const json_t *rule = json_object_get(end, "rule");

	wf_str_addf(out, "\n  %-12s", direction);
	if (!end) {
		wf_str_add(out, "no policy selects this end");
		return;
	}
	wf_str_add(out, verdict_text(wf_json_str(end, "verdict", "")));
	if (rule) {
		wf_str_add(out, " by ");
		wf_cli_policy_rule_add(rule, out);
	} else {
		wf_str_add(out, strcmp(wf_json_str(end, "verdict", ""), "deny") == 0
					? ": not all is known of its policies, which fails closed"
					: ": no policy isolates it there");
	}
	wf_str_addf(out, " [profile %lld, class %lld]", (long long)wf_json_int(end, "profile", 0),
		    (long long)wf_json_int(end, "class", 0));
}

static void add_text(const char *name, const char *text, struct wf_str *out)
{
	if (!*text)
		return;
	wf_str_addf(out, "\n  %-12s", name);
	wf_str_add_escaped(out, text);
}

static void add_translation(const json_t *answer, struct wf_str *out)
{
	const json_t *translated = json_object_get(answer, "translated");
	const char *service = wf_json_str(translated, "service", "");

	if (!translated)
		return;
	wf_str_addf(out, "\n  %-12s", *service ? "service" : "translated");
	wf_str_add_escaped(out, service);
	wf_str_add(out, strcmp(wf_json_str(translated, "direction", ""), "src") == 0 ? "source => "
			: *service                                                   ? " => "
				   : "destination => ");
	wf_cli_side_add(translated, out);
}

static void add_party(const json_t *party, struct wf_str *out)
{
	wf_cli_side_add(party, out);
	if (wf_json_int(party, "alike", 0) > 1)
		wf_str_addf(out, " and %lld like it",
			    (long long)wf_json_int(party, "alike", 0) - 1);
}

static void add_drop(const json_t *drop, struct wf_str *out)
{
	if (!drop)
		return;
	wf_cli_event_add(drop, false, out);
	wf_str_add(out, "\nnow: ");
}

/* The policy that decides is known here: where to look is said of it, not what drops in general say. */
static void add_hint(const json_t *answer, struct wf_str *out)
{
	static const char *const directions[] = { "egress", "ingress" };
	const json_t *ends = json_object_get(answer, "policies");

	for (size_t i = 0; i < WF_ARRAY_LEN(directions); i++) {
		const json_t *end = json_object_get(ends, directions[i]);
		const char *policy = wf_json_str(json_object_get(end, "rule"), "policy", "");

		if (!*policy || strcmp(wf_json_str(end, "verdict", ""), "deny") != 0)
			continue;
		wf_str_addf(out, "\n  %-12s", "hint");
		wf_str_add(out, "whom its rules let through: weft policy inspect ");
		wf_str_add_escaped(out, policy);
		return;
	}
	add_text("hint", wf_json_str(json_object_get(answer, "reason"), "hint", ""), out);
}

void wf_cli_why_add(const json_t *answer, struct wf_str *out)
{
	const char *verdict = wf_json_str(answer, "verdict", "deny");
	const json_t *reason = json_object_get(answer, "reason");

	add_drop(json_object_get(answer, "drop"), out);
	add_party(json_object_get(answer, "source"), out);
	wf_str_add(out, " -> ");
	add_party(json_object_get(answer, "destination"), out);
	wf_str_addf(out, " %s: %s", wf_json_str(answer, "protocol", "?"),
		    strcmp(verdict, "allow") == 0   ? "ALLOWED"
		    : strcmp(verdict, "audit") == 0 ? "ALLOWED ON TRIAL"
						    : "DENIED");
	add_text("reason", wf_json_str(reason, "text", ""), out);
	add_end(answer, "egress", out);
	add_end(answer, "ingress", out);
	add_translation(answer, out);
	add_text("next hop", wf_json_str(answer, "nextHop", ""), out);
	add_hint(answer, out);
}

void wf_cli_policy_change_add(const json_t *change, struct wf_str *out)
{
	const char *line = wf_json_str(change, "diff", "");

	wf_str_add_escaped(out, wf_json_str(change, "time", "?"));
	wf_str_add(out, " ");
	wf_str_add_escaped(out, wf_json_str(change, "user", "?"));
	wf_str_addf(out, " (uid %lld, pid %lld", (long long)wf_json_int(change, "uid", 0),
		    (long long)wf_json_int(change, "pid", 0));
	if (*wf_json_str(change, "command", "")) {
		wf_str_add(out, ", ");
		wf_str_add_escaped(out, wf_json_str(change, "command", ""));
	}
	wf_str_add(out, ") ");
	wf_str_add_escaped(out, wf_json_str(change, "action", "?"));
	wf_str_add(out, " ");
	wf_str_add_escaped(out, wf_json_str(change, "kind", "?"));
	wf_str_add(out, "/");
	wf_str_add_escaped(out, wf_json_str(change, "name", "?"));
	while (*line) {
		size_t len = strcspn(line, "\n");
		_cleanup_free_ char *copy = strndup(line, len);

		wf_str_add(out, "\n    ");
		wf_str_add_escaped(out, copy ? copy : "");
		line += len + (line[len] == '\n');
	}
	if (wf_json_bool(change, "diffCut", false))
		wf_str_add(out, "\n    ... (the rest is not on record)");
}
