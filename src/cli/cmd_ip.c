/* SPDX-License-Identifier: Apache-2.0 */
/* weft ip: ls, why. */
#include <errno.h>
#include <string.h>

#include "api/client.h"
#include "base/addr.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/output.h"

struct ip_options {
	struct wf_cli_global global;
	char *network;
};

static const struct wf_option ip_options[] = {
	{ .name = "network",
	  .type = WF_OPTION_STRING,
	  .offset = offsetof(struct ip_options, network),
	  .value = "NAME",
	  .help = "only addresses of this network",
	  .complete = "network" },
	WF_OPTION_END,
};

/* "cooling (12s)" */
static void format_state(const json_t *item, struct wf_str *out)
{
	int64_t left_s = wf_json_int(item, "freeInSeconds", 0);

	wf_cli_add_path(item, "state", out);
	if (left_s > 0)
		wf_str_addf(out, " (%llds)", (long long)left_s);
}

/* "10.64.0.0/26", and whose it is if it was borrowed: "10.64.0.0/26 of b" */
static void format_block(const json_t *item, struct wf_str *out)
{
	const json_t *block = json_object_get(item, "block");

	wf_cli_add_path(block, "cidr", out);
	if (!wf_json_bool(block, "borrowed", false))
		return;
	wf_str_add(out, " of ");
	wf_cli_add_path(block, "node", out);
}

static const struct wf_cli_column list_columns[] = {
	{ .header = "ADDRESS", .path = "address" },
	{ .header = "NETWORK", .path = "network" },
	{ .header = "STATE", .format = format_state },
	{ .header = "OWNER", .path = "owner" },
	{ .header = "BLOCK", .format = format_block, .wide = true },
	{ .header = "INTERFACE", .path = "interface", .wide = true },
	{ .header = "MAC", .path = "mac", .wide = true },
	{ .header = "NAMESPACE", .path = "netns", .wide = true },
	{ .header = "CONTAINER", .path = "containerID", .wide = true },
	{ .header = NULL },
};

static const struct wf_cli_view list_view = {
	.shape = WF_CLI_TABLE, .items = "items", .name = "address", .columns = list_columns
};

static int list(struct wf_cli *cli, struct wf_err *err)
{
	const struct ip_options *options = cli->options;
	const char *network = cli->count ? cli->args[0] : options->network;
	_cleanup_str_ struct wf_str path = WF_STR_INIT;
	_cleanup_json_ json_t *answer = NULL;
	int r;

	if (cli->count && options->network)
		return wf_cli_misuse(cli, err, "the network is given twice");

	wf_str_add(&path, "/v1/addresses");
	if (network) {
		wf_str_add(&path, "?network=");
		wf_client_add_segment(&path, network);
	}
	if (path.failed)
		return wf_fail(err, -ENOMEM, "out of memory");
	r = wf_cli_call(cli, "GET", path.data, NULL, &answer, err);
	return r < 0 ? r : wf_cli_print(cli, &list_view, answer, err);
}

/* One line per network that has the address, one per route of the host that covers it. */
static void format_why(const json_t *answer, struct wf_str *out)
{
	const json_t *items = json_object_get(answer, "items");
	const json_t *host = json_object_get(answer, "host");
	const json_t *item;
	size_t i;

	wf_cli_add_path(answer, "address", out);
	wf_str_add(out, ":");
	json_array_foreach(items, i, item) {
		wf_str_add(out, "\n  network ");
		wf_cli_add_path(item, "network", out);
		wf_str_add(out, ": ");
		format_state(item, out);
		wf_str_add(out, ", ");
		wf_cli_add_path(item, "text", out);
	}
	json_array_foreach(host, i, item) {
		wf_str_add(out, "\n  host: ");
		if (!json_is_object(item)) {
			wf_cli_add_path(item, "", out);
			continue;
		}
		wf_cli_add_path(item, "prefix", out);
		wf_str_add(out, " on device ");
		wf_cli_add_path(item, "device", out);
	}
	if (!json_array_size(items) && !json_array_size(host))
		wf_str_add(out, "\n  no network has a subnet with it, and the host has no route to "
				"it but the default one");
}

static const struct wf_cli_column why_columns[] = {
	{ .header = "WHY", .format = format_why },
	{ .header = NULL },
};

static const struct wf_cli_view why_view = { .shape = WF_CLI_LINES,
					     .name = "address",
					     .columns = why_columns };

static int why(struct wf_cli *cli, struct wf_err *err)
{
	_cleanup_json_ json_t *answer = NULL;
	struct wf_addr addr;
	int r;

	if (wf_addr_parse(cli->args[0], &addr) < 0)
		return wf_cli_misuse(cli, err,
				     "'%s' is not an address such as 10.64.0.5 or fd00::5",
				     cli->args[0]);
	r = wf_cli_call_named(cli, "GET", "/v1/addresses/", cli->args[0], &answer, err);
	return r < 0 ? r : wf_cli_print(cli, &why_view, answer, err);
}

const struct wf_cli_command wf_cli_ip_commands[] = {
	{ .name = "ip ls",
	  .args = "[NETWORK]",
	  .max_args = 1,
	  .complete = "network",
	  .run = list,
	  .options = ip_options,
	  .options_bytes = sizeof(struct ip_options),
	  .summary = "list addresses that are in use, held or cooling down",
	  .examples = "weft ip ls blue" },
	{ .name = "ip why",
	  .args = "ADDR",
	  .min_args = 1,
	  .max_args = 1,
	  .run = why,
	  .summary = "say who has an address, or why nobody gets it",
	  .examples = "weft ip why 10.64.0.5" },
	{ .name = NULL },
};
