/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/connection.h"

#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/event.h"

/* One end: {name, address, port}, or text. */
static void add_end(const json_t *item, const char *key, struct wf_str *out)
{
	const json_t *end = json_object_get(item, key);

	if (json_is_string(end))
		wf_str_add_escaped(out, json_string_value(end));
	else if (json_is_object(end))
		wf_cli_side_add(end, out);
}

/* "10.64.0.5:40000", and behind " => " what it becomes, if that is something else. */
static void add_translated(const json_t *item, const char *key, const char *translated_key,
			   struct wf_str *out)
{
	_cleanup_str_ struct wf_str end = WF_STR_INIT, translated = WF_STR_INIT;

	add_end(item, key, &end);
	add_end(item, translated_key, &translated);
	wf_str_add(out, end.len ? end.data : "?");
	if (translated.len && strcmp(wf_str_text(&end), translated.data) != 0)
		wf_str_addf(out, " => %s", translated.data);
	out->failed |= end.failed || translated.failed;
}

static void format_connection(const json_t *item, struct wf_str *out)
{
	add_translated(item, "source", "translatedSource", out);
	wf_str_add(out, " -> ");
	add_translated(item, "destination", "translatedDestination", out);
}

/* "12s", "5m", "2h" */
static void add_duration(const json_t *item, const char *key, struct wf_str *out)
{
	int64_t s = wf_json_int(item, key, -1) / 1000;

	if (!json_is_integer(json_object_get(item, key)))
		return;
	if (s < 120)
		wf_str_addf(out, "%llds", (long long)(s < 0 ? 0 : s));
	else if (s < 7200)
		wf_str_addf(out, "%lldm", (long long)(s / 60));
	else
		wf_str_addf(out, "%lldh", (long long)(s / 3600));
}

static void format_age(const json_t *item, struct wf_str *out)
{
	add_duration(item, "ageMs", out);
}

static void format_idle(const json_t *item, struct wf_str *out)
{
	add_duration(item, "idleMs", out);
}

static void format_expires(const json_t *item, struct wf_str *out)
{
	add_duration(item, "expiresMs", out);
}

const struct wf_cli_column wf_cli_connection_columns[] = {
	{ .header = "PROTO", .path = "protocol" },
	{ .header = "CONNECTION", .format = format_connection },
	{ .header = "PHASE", .path = "phase" },
	{ .header = "AGE", .format = format_age },
	{ .header = "IDLE", .format = format_idle },
	{ .header = "EXPIRES", .format = format_expires },
	{ .header = "ENDPOINT", .path = "endpoint" },
	{ .header = "SERVICE", .path = "service" },
	{ .header = "BACKEND", .path = "backend", .wide = true },
	{ .header = "SITE", .path = "site", .wide = true },
	{ .header = "NETWORK", .path = "network", .wide = true },
	{ .header = "FLAGS", .path = "flags", .wide = true },
	{ .header = NULL },
};
