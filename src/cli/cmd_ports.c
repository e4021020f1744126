/* SPDX-License-Identifier: Apache-2.0 */
/* weft ports: what of the host leads to containers, from where. */
#include "base/json.h"
#include "base/mem.h"
#include "cli/output.h"

static void format_host(const json_t *item, struct wf_str *out)
{
	const char *text = wf_json_str(item, "hostIP", "");

	wf_str_add_escaped(out, *text ? text : "*");
}

/* "8080", "8000-8099" */
static void format_port(const json_t *item, struct wf_str *out)
{
	int64_t first = wf_json_int(item, "firstPort", 0);
	int64_t last = wf_json_int(item, "lastPort", first);

	wf_str_addf(out, "%lld", (long long)first);
	if (last != first)
		wf_str_addf(out, "-%lld", (long long)last);
}

static const struct wf_cli_column columns[] = {
	{ .header = "HOST-IP", .format = format_host }, { .header = "PORT", .format = format_port },
	{ .header = "PROTO", .path = "protocol" },      { .header = "KIND", .path = "kind" },
	{ .header = "TARGET", .path = "target" },       { .header = "FROM", .path = "from" },
	{ .header = "NAME", .path = "name" },           { .header = NULL },
};

static int list(struct wf_cli *cli, struct wf_err *err)
{
	static const struct wf_cli_view view = {
		.shape = WF_CLI_TABLE, .items = "items", .name = "name", .columns = columns
	};
	_cleanup_json_ json_t *answer = NULL;
	int r = wf_cli_call(cli, "GET", "/v1/ports", NULL, &answer, err);

	return r < 0 ? r : wf_cli_print(cli, &view, answer, err);
}

const struct wf_cli_command wf_cli_ports_commands[] = {
	{ .name = "ports",
	  .run = list,
	  .summary = "list the ports that lead to containers",
	  .description =
		  "One line per published port or range, node port and external address: the "
		  "host's address (* for all), the port, where it leads, from where it can be "
		  "reached (outside, the host itself, containers), and whose it is.",
	  .examples = "weft ports\n"
		      "weft ports -o json | jq -r '.items[] | select(.from[] == \"outside\") | "
		      ".name'" },
	{ .name = NULL },
};
