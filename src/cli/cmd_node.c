/* SPDX-License-Identifier: Apache-2.0 */
/* weft node: ls, rotate-key. */
#include "base/json.h"
#include "base/mem.h"
#include "cli/output.h"

static const struct wf_cli_column columns[] = {
	{ .header = "NAME", .path = "name" },
	{ .header = "STATE", .path = "state" },
	{ .header = "ADDRESS", .path = "address" },
	{ .header = "ENDPOINTS", .path = "endpoints" },
	{ .header = "ENCRYPTION", .path = "encryption.state" },
	{ .header = "HANDSHAKE", .path = "encryption.handshakeSeconds", .wide = true },
	{ .header = NULL },
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

static int rotate_key(struct wf_cli *cli, struct wf_err *err)
{
	static const struct wf_cli_column line[] = { { .header = "NODE", .path = "node" },
						     { .header = NULL } };
	static const struct wf_cli_view view = { .shape = WF_CLI_LINES, .columns = line };
	_cleanup_json_ json_t *answer = NULL;
	int r = wf_cli_call(cli, "POST", "/v1/nodes/rotate-key", NULL, &answer, err);

	return r < 0 ? r : wf_cli_print(cli, &view, answer, err);
}

const struct wf_cli_command wf_cli_node_commands[] = {
	{ .name = "node ls",
	  .run = list,
	  .summary = "list the nodes that share the store",
	  .description =
		  "STATE is self, alive, or lost: then nothing has been heard of the node for "
		  "half a minute. ADDRESS is where its tunnel ends; ENDPOINTS counts those "
		  "that are reached from here. ENCRYPTION is on when this node and the other "
		  "have shaken hands in the last three minutes, idle when they had no reason to, "
		  "off where no network is encrypted.",
	  .examples = "weft node ls\n"
		      "weft node ls -o json" },
	{ .name = "node rotate-key",
	  .run = rotate_key,
	  .summary = "change the WireGuard key of this node",
	  .description =
		  "Begins and returns: the other nodes are told the new key, and when all have "
		  "answered to it the node goes over to it. No packet is lost. 'weft node ls' "
		  "says \"changing key\" meanwhile; the log of weftd says when it is done.",
	  .examples = "weft node rotate-key" },
	{ .name = NULL },
};
