/* SPDX-License-Identifier: Apache-2.0 */
/* weft node: ls, rotate-key. */
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/output.h"

/* What the store says, and beside it what the wire does. */
static void format_state(const json_t *item, struct wf_str *out)
{
	const char *path = wf_json_str(json_object_get(item, "path"), "state", "");
	const char *sums = wf_json_str(json_object_get(item, "checksums"), "state", "");

	wf_str_add_escaped(out, wf_json_str(item, "state", ""));
	if (strcmp(path, "unreachable") == 0)
		wf_str_add(out, ", unreachable");
	if (strcmp(sums, "broken") == 0)
		wf_str_add(out, ", wrong checksums");
}

static void format_rtt(const json_t *item, struct wf_str *out)
{
	const json_t *rtt = json_object_get(json_object_get(item, "path"), "rttSeconds");

	if (rtt)
		wf_str_addf(out, "%.2fms", json_number_value(rtt) * 1e3);
}

static void format_loss(const json_t *item, struct wf_str *out)
{
	const json_t *path = json_object_get(item, "path");

	if (wf_json_int(path, "probes", 0))
		wf_str_addf(out, "%lld%%", (long long)wf_json_int(path, "lossPercent", 0));
}

static void format_mtu(const json_t *item, struct wf_str *out)
{
	const json_t *path = json_object_get(item, "path");
	long long mtu = wf_json_int(path, "mtu", 0), device = wf_json_int(path, "deviceMtu", 0);

	if (mtu)
		wf_str_addf(out, "%lld", mtu);
	if (mtu && mtu < device)
		wf_str_addf(out, " of %lld", device);
}

/* "2 (70 of 128)": how many, and how many of their addresses are in use. */
static void format_blocks(const json_t *item, struct wf_str *out)
{
	const json_t *blocks = json_object_get(item, "blocks");

	if (wf_json_int(blocks, "count", 0))
		wf_str_addf(out, "%lld (%lld of %lld)", (long long)wf_json_int(blocks, "count", 0),
			    (long long)wf_json_int(blocks, "inUse", 0),
			    (long long)wf_json_int(blocks, "addresses", 0));
}

static const struct wf_cli_column columns[] = {
	{ .header = "NAME", .path = "name" },
	{ .header = "STATE", .format = format_state },
	{ .header = "ADDRESS", .path = "address" },
	{ .header = "WAY", .path = "way" },
	{ .header = "ENDPOINTS", .path = "endpoints" },
	{ .header = "RTT", .format = format_rtt },
	{ .header = "LOSS", .format = format_loss },
	{ .header = "MTU", .format = format_mtu },
	{ .header = "ENCRYPTION", .path = "encryption.state" },
	{ .header = "BLOCKS", .format = format_blocks },
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
		  "half a minute. A node that answers no echo requests is unreachable beside "
		  "that; wrong checksums: what is left to a device of this node arrives wrong there, "
		  "so that the kernel makes them ('checksums' in -o json). ADDRESS is where its tunnel ends; WAY is segment where both nodes are on "
		  "one, and routed networks need no tunnel, otherwise router; ENDPOINTS counts "
		  "those that are reached from here. ENCRYPTION is on when this node and the other "
		  "have shaken hands in the last three minutes, idle when they had no reason to, "
		  "off where no network is encrypted. BLOCKS is how many blocks of addresses the "
		  "node has, and how much of them is in use.\n\n"
		  "RTT is the smoothed round-trip time, LOSS that of the last ten echo requests, "
		  "MTU the largest packet that gets there whole; '1400 of 1500': although the "
		  "device here takes 1500. --node-probe-interval of weftd(8) says how often "
		  "nodes are asked.",
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
