/* SPDX-License-Identifier: Apache-2.0 */
/* weft endpoint: ls, inspect. */
#include <errno.h>
#include <string.h>

#include "api/client.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/network.h"
#include "cli/output.h"
#include "model/publish.h"

struct list_options {
	struct wf_cli_global global;
	char *network;
};

static const struct wf_option list_options[] = {
	{ .name = "network",
	  .type = WF_OPTION_STRING,
	  .offset = offsetof(struct list_options, network),
	  .value = "NAME",
	  .help = "only endpoints of this network",
	  .complete = "network" },
	WF_OPTION_END,
};

void wf_cli_format_published(const json_t *endpoint, struct wf_str *out)
{
	const json_t *list = json_object_get(json_object_get(endpoint, "spec"), "publish");
	_cleanup_(wf_publishes_done) struct wf_publishes publishes = { 0 };
	char text[WF_PUBLISH_TEXT];

	if (wf_publishes_from_json(&publishes, list, "spec.publish", NULL) < 0)
		return;
	for (size_t i = 0; i < publishes.count; i++)
		wf_str_addf(out, "%s%s", i ? "," : "",
			    wf_publish_format(&publishes.items[i], text));
}

const struct wf_cli_column wf_cli_endpoint_columns[] = {
	{ .header = "NAME", .path = "metadata.name" },
	{ .header = "NETWORK", .path = "spec.network" },
	{ .header = "INTERFACE", .path = "spec.interface" },
	{ .header = "ADDRESSES", .path = "status.addresses[].address" },
	{ .header = "PHASE", .path = "status.phase" },
	{ .header = "MAC", .path = "status.mac", .wide = true },
	{ .header = "MTU", .path = "status.mtu", .wide = true },
	{ .header = "HOST SIDE", .path = "status.hostInterface.name", .wide = true },
	{ .header = "OWNER", .path = "spec.owner", .wide = true },
	{ .header = "NAMESPACE", .path = "spec.netns", .wide = true },
	{ .header = "PUBLISHED", .format = wf_cli_format_published, .wide = true },
	{ .header = "CONTAINER", .path = "spec.containerID", .wide = true },
	{ .header = "SENT", .path = "status.traffic.sent.bytes", .wide = true },
	{ .header = "RECEIVED", .path = "status.traffic.received.bytes", .wide = true },
	{ .header = "DROPPED", .path = "status.traffic.dropped.packets", .wide = true },
	{ .header = "AGE", .format = wf_cli_format_age },
	{ .header = NULL },
};

static const struct wf_cli_view list_view = { .shape = WF_CLI_TABLE,
					      .items = "items",
					      .name = "metadata.name",
					      .columns = wf_cli_endpoint_columns,
					      .documents = true };

/* Takes out the endpoints of other networks. */
static void keep_network(json_t *items, const char *network)
{
	for (size_t i = json_array_size(items); i-- > 0;) {
		const json_t *spec = json_object_get(json_array_get(items, i), "spec");

		if (strcmp(wf_json_str(spec, "network", ""), network) != 0)
			(void)json_array_remove(items, i);
	}
}

static int list(struct wf_cli *cli, struct wf_err *err)
{
	const struct list_options *options = cli->options;
	_cleanup_json_ json_t *answer = NULL;
	int r = wf_cli_call(cli, "GET", "/v1/endpoints", NULL, &answer, err);

	if (r < 0)
		return r;
	if (options->network)
		keep_network(json_object_get(answer, "items"), options->network);
	return wf_cli_print(cli, &list_view, answer, err);
}

static int inspect_one(struct wf_cli *cli, const char *name, json_t *items, struct wf_err *err)
{
	return wf_cli_fetch_named(cli, "/v1/endpoints/", name, items, err);
}

static int inspect(struct wf_cli *cli, struct wf_err *err)
{
	static const struct wf_cli_view view = { .shape = WF_CLI_JSON,
						 .name = "metadata.name",
						 .columns = wf_cli_endpoint_columns,
						 .documents = true };

	return wf_cli_print_each(cli, &view, inspect_one, err);
}

const struct wf_cli_command wf_cli_endpoint_commands[] = {
	{ .name = "endpoint ls",
	  .run = list,
	  .options = list_options,
	  .options_bytes = sizeof(struct list_options),
	  .summary = "list endpoints",
	  .examples = "weft endpoint ls --network blue\n"
		      "weft endpoint ls -o wide" },
	{ .name = "endpoint inspect",
	  .args = "NAME...",
	  .min_args = 1,
	  .max_args = SIZE_MAX,
	  .complete = "endpoint",
	  .run = inspect,
	  .summary = "show endpoints with their addresses, traffic and drops",
	  .description = "Prints the document with its status as JSON, or as -o says.",
	  .examples = "weft endpoint inspect web" },
	{ .name = NULL },
};
