/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/event.h"

#include <string.h>

#include "base/json.h"
#include "base/mem.h"

/* "2026-11-21T07:38:45Z" is shown as "07:38:45". */
static void add_time(const char *time, struct wf_str *out)
{
	const char *clock = strchr(time, 'T');
	_cleanup_free_ char *text = strdup(clock ? clock + 1 : time);
	size_t len = text ? strlen(text) : 0;

	if (len && text[len - 1] == 'Z')
		text[len - 1] = '\0';
	wf_str_add_escaped(out, text ? text : "");
}

void wf_cli_side_add(const json_t *side, struct wf_str *out)
{
	const char *name = wf_json_str(side, "name", "");
	const char *address = wf_json_str(side, "address", "");
	int64_t port = wf_json_int(side, "port", -1);
	bool bracket = strchr(address, ':') && port >= 0;

	if (!*name && !*address) {
		wf_str_add(out, "?");
		return;
	}
	wf_str_add_escaped(out, name);
	if (!*address)
		return;
	wf_str_add(out, *name ? "(" : "");
	wf_str_add(out, bracket ? "[" : "");
	wf_str_add_escaped(out, address);
	wf_str_add(out, bracket ? "]" : "");
	if (port >= 0)
		wf_str_addf(out, ":%lld", (long long)port);
	wf_str_add(out, *name ? ")" : "");
}

static void add_flags(int64_t flags, struct wf_str *out)
{
	static const struct {
		int bit;
		const char *name;
	} names[] = { { 0x02, "SYN" }, { 0x10, "ACK" }, { 0x01, "FIN" },
		      { 0x04, "RST" }, { 0x08, "PSH" }, { 0x20, "URG" } };
	const char *separator = " ";

	for (size_t i = 0; i < WF_ARRAY_LEN(names); i++) {
		if (!(flags & names[i].bit))
			continue;
		wf_str_addf(out, "%s%s", separator, names[i].name);
		separator = "|";
	}
}

/* "echo request"; NULL for types without a name. */
static const char *icmp_name(bool ip6, int64_t type)
{
	static const struct {
		bool ip6;
		int type;
		const char *name;
	} names[] = {
		{ false, 0, "echo reply" },
		{ false, 3, "unreachable" },
		{ false, 5, "redirect" },
		{ false, 8, "echo request" },
		{ false, 9, "router advertisement" },
		{ false, 10, "router solicitation" },
		{ false, 11, "time exceeded" },
		{ false, 12, "parameter problem" },
		{ true, 1, "unreachable" },
		{ true, 2, "packet too big" },
		{ true, 3, "time exceeded" },
		{ true, 4, "parameter problem" },
		{ true, 128, "echo request" },
		{ true, 129, "echo reply" },
		{ true, 130, "multicast listener query" },
		{ true, 131, "multicast listener report" },
		{ true, 132, "multicast listener done" },
		{ true, 133, "router solicitation" },
		{ true, 134, "router advertisement" },
		{ true, 135, "neighbour solicitation" },
		{ true, 136, "neighbour advertisement" },
		{ true, 137, "redirect" },
		{ true, 143, "multicast listener report" },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(names); i++)
		if (names[i].ip6 == ip6 && names[i].type == type)
			return names[i].name;
	return NULL;
}

/* " echo request", " unreachable code 3", " type 200 code 0" */
static void add_icmp(const json_t *event, struct wf_str *out)
{
	int64_t type = wf_json_int(event, "icmpType", -1);
	int64_t code = wf_json_int(event, "icmpCode", 0);
	const char *name =
		icmp_name(strcmp(wf_json_str(event, "protocol", ""), "ICMPv6") == 0, type);

	if (type < 0)
		return;
	if (name)
		wf_str_addf(out, " %s", name);
	else
		wf_str_addf(out, " type %lld", (long long)type);
	if (!name || code)
		wf_str_addf(out, " code %lld", (long long)code);
}

/* "TCP"; "protocol 200" and "ethertype 0x88cc" for what has only a number */
static void add_protocol_name(const char *name, struct wf_str *out)
{
	if (strncmp(name, "0x", 2) == 0)
		wf_str_add(out, "ethertype ");
	else if (*name >= '0' && *name <= '9')
		wf_str_add(out, "protocol ");
	wf_str_add_escaped(out, name);
}

static void add_protocol(const json_t *event, struct wf_str *out)
{
	int64_t bytes = wf_json_int(event, "bytes", -1);

	wf_str_add(out, " ");
	add_protocol_name(wf_json_str(event, "protocol", "?"), out);
	add_icmp(event, out);
	add_flags(wf_json_int(event, "tcpFlags", 0), out);
	if (bytes >= 0)
		wf_str_addf(out, " %lld bytes", (long long)bytes);
}

static void add_reason(const json_t *reason, struct wf_str *out)
{
	const char *text = wf_json_str(reason, "text", "");
	const char *hint = wf_json_str(reason, "hint", "");

	if (!*text)
		text = wf_json_str(reason, "label", "");
	if (!*text)
		return;
	wf_str_add(out, ": ");
	wf_str_add_escaped(out, text);
	if (!*hint)
		return;
	wf_str_add(out, " (");
	wf_str_add_escaped(out, hint);
	wf_str_add(out, ")");
}

/* " by NetworkPolicy/default/web spec.ingress[0]" */
static void add_policy(const json_t *event, const char *type, struct wf_str *out)
{
	const json_t *rule = json_object_get(event, "policy");

	if (!rule)
		return;
	wf_str_add(out, strcmp(type, "drop") == 0    ? " denied by "
			: strcmp(type, "audit") == 0 ? " would be denied by "
						     : " allowed by ");
	wf_str_add_escaped(out, wf_json_str(rule, "policy", "?"));
	wf_str_add(out, " ");
	wf_str_add_escaped(out, wf_json_str(rule, "rule", "?"));
}

static void add_verdict(const char *type, bool color, struct wf_str *out)
{
	const char *tone = strcmp(type, "drop") == 0    ? "\033[31m"
			   : strcmp(type, "audit") == 0 ? "\033[33m"
							: "\033[32m";

	wf_str_add(out, " ");
	wf_str_add(out, color ? tone : "");
	if (strcmp(type, "drop") == 0)
		wf_str_add(out, "DROP ");
	else if (strcmp(type, "first") == 0)
		wf_str_add(out, "FIRST");
	else if (strcmp(type, "audit") == 0)
		wf_str_add(out, "AUDIT");
	else
		wf_str_add_escaped(out, type);
	wf_str_add(out, color ? "\033[0m " : " ");
}

/* " => 10.64.0.7:8080" behind the side that is shown to be something else. */
static void add_translated(const json_t *event, const char *direction, struct wf_str *out)
{
	const json_t *translated = json_object_get(event, "translated");

	if (strcmp(wf_json_str(translated, "direction", ""), direction) != 0)
		return;
	wf_str_add(out, " => ");
	wf_cli_side_add(translated, out);
}

void wf_cli_event_add(const json_t *event, bool color, struct wf_str *out)
{
	const char *type = wf_json_str(event, "type", "?");
	const char *network = wf_json_str(event, "network", "");

	if (strcmp(type, "lost") == 0) {
		wf_str_addf(out, "-- %lld events lost: this reader is too slow",
			    (long long)wf_json_int(event, "count", 0));
		return;
	}
	add_time(wf_json_str(event, "time", "?"), out);
	add_verdict(type, color, out);
	if (*network) {
		wf_str_add(out, "[");
		wf_str_add_escaped(out, network);
		wf_str_add(out, "] ");
	}
	wf_cli_side_add(json_object_get(event, "source"), out);
	add_translated(event, "src", out);
	wf_str_add(out, " -> ");
	wf_cli_side_add(json_object_get(event, "destination"), out);
	add_translated(event, "dst", out);
	add_protocol(event, out);
	add_policy(event, type, out);
	add_reason(json_object_get(event, "reason"), out);
}
