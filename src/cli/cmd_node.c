/* SPDX-License-Identifier: Apache-2.0 */
/* weft node: ls. */
#include "base/json.h"
#include "base/mem.h"
#include "cli/output.h"

static const struct wf_cli_column columns[] = {
	{ .header = "NAME", .path = "name" },           { .header = "STATE", .path = "state" },
	{ .header = "ADDRESS", .path = "address" },     { .header = "WAY", .path = "way" },
	{ .header = "ENDPOINTS", .path = "endpoints" }, { .header = NULL },
};

static int list(struct wf_cli *cli, struct wf_err *err)
{
	static const struct wf_cli_view view = {
		.shape = WF_CLI_TABLE, .items = "items", .name = "name", .columns = columns
	};
	_cleanup_json_ json_t *answer = NULL;
	int r = wf_cli_call(cli, "GET", "/v1/nodes", NULL, &answer, err);

	return r < 0 ? r : wf_cli_print(cli, &view, answer, err);
}

const struct wf_cli_command wf_cli_node_commands[] = {
	{ .name = "node ls",
	  .run = list,
	  .summary = "list the nodes that share the store",
	  .description =
		  "STATE is self, alive, or lost: then nothing has been heard of the node for "
		  "half a minute. ADDRESS is where its tunnel ends; WAY is segment where both "
		  "nodes are on one, and routed networks need no tunnel, otherwise router; "
		  "ENDPOINTS counts those that are reached from here.",
	  .examples = "weft node ls\n"
		      "weft node ls -o json" },
	{ .name = NULL },
};
