/* SPDX-License-Identifier: Apache-2.0 */
/* weft network: create, ls, inspect, rm. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/client.h"
#include "base/addr.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/network.h"
#include "cli/output.h"
#include "model/document.h"

static const char *const drivers[] = { "bridge", "overlay", "routed", "host",
				       "none",   "macvlan", "ipvlan", NULL };
static const char *const encapsulations[] = { "across-subnets", "never", NULL };
static const char *const modes[] = { "bridge", "private", "vepa", "passthru",
				     "l2",     "l3",      "l3s",  NULL };

static const char *const encryptions[] = { "none", "wireguard", NULL };

#define OPTION(member) .offset = offsetof(struct wf_cli_network_options, member)

static const struct wf_option create_options[] = {
	{ .name = "driver",
	  .type = WF_OPTION_CHOICE,
	  OPTION(driver),
	  .fallback = "bridge",
	  .choices = drivers,
	  .value = "DRIVER",
	  .help = "how packets travel" },
	{ .name = "subnet",
	  .type = WF_OPTION_LIST,
	  OPTION(subnets),
	  .value = "CIDR",
	  .help = "addresses of the network; without it weft chooses a free subnet" },
	{ .name = "gateway",
	  .type = WF_OPTION_LIST,
	  OPTION(gateways),
	  .value = "ADDR",
	  .help = "gateway in one of the subnets, 'none' for no gateway; default: the first "
		  "address" },
	{ .name = "ip-range",
	  .type = WF_OPTION_LIST,
	  OPTION(ranges),
	  .value = "RANGE",
	  .help = "give out addresses from this part of a subnet only: CIDR or FIRST-LAST" },
	{ .name = "exclude",
	  .type = WF_OPTION_LIST,
	  OPTION(excluded),
	  .value = "RANGE",
	  .help = "never give these out unasked: address, CIDR or FIRST-LAST" },
	{ .name = "ipv6",
	  .type = WF_OPTION_BOOL,
	  OPTION(ipv6),
	  .help = "choose an IPv6 subnet as well" },
	{ .name = "internal",
	  .type = WF_OPTION_BOOL,
	  OPTION(internal),
	  .help = "reach nothing beyond the network's own subnets" },
	{ .name = "overlapping",
	  .type = WF_OPTION_BOOL,
	  OPTION(overlapping),
	  .help = "bridge, overlay: other networks may have the same subnets; nothing beyond the "
		  "network is reached, neither the host nor services" },
	{ .name = "way-out",
	  .type = WF_OPTION_BOOL,
	  OPTION(way_out),
	  .help = "with --overlapping: but for the world, to which it shows the host's address" },
	{ .name = "isolation",
	  .type = WF_OPTION_BOOL,
	  OPTION(isolated),
	  .fallback = "true",
	  .help = "no traffic to and from other networks; --no-isolation to allow it" },
	{ .name = "masquerade",
	  .type = WF_OPTION_BOOL,
	  OPTION(masquerade),
	  .fallback = "true",
	  .help = "bridge, overlay, routed: what leaves the host shows the host's address; "
		  "--no-masquerade where others have routes to the network" },
	{ .name = "mtu",
	  .type = WF_OPTION_U64,
	  OPTION(mtu),
	  .min = 576,
	  .max = 65535,
	  .help = "largest packet, with IPv6 at least 1280; default: that of the way out" },
	{ .name = "label",
	  .type = WF_OPTION_LIST,
	  OPTION(labels),
	  .value = "KEY=VALUE",
	  .help = "label of the network" },
	{ .name = "route",
	  .type = WF_OPTION_LIST,
	  OPTION(routes),
	  .value = "PREFIX=ADDR",
	  .help = "bridge, overlay, routed: the prefix is reached by way of the endpoint of the network "
		  "that has the address" },
	{ .name = "parent",
	  .type = WF_OPTION_STRING,
	  OPTION(parent),
	  .value = "DEVICE",
	  .help = "device of the host, for macvlan and ipvlan, or a VLAN of it (eth0.42); "
		  "default: that of the default route" },
	{ .name = "vlan",
	  .type = WF_OPTION_U64,
	  OPTION(vlan),
	  .min = 1,
	  .max = 4094,
	  .value = "TAG",
	  .help = "VLAN of that device that the network is in; its own device is made" },
	{ .name = "mode",
	  .type = WF_OPTION_CHOICE,
	  OPTION(mode),
	  .choices = modes,
	  .value = "MODE",
	  .help = "mode of macvlan or ipvlan" },
	{ .name = "cool-down",
	  .type = WF_OPTION_STRING,
	  OPTION(cool_down),
	  .value = "DURATION",
	  .help = "how long a released address is not given out again" },
	{ .name = "sticky",
	  .type = WF_OPTION_BOOL,
	  OPTION(sticky),
	  .help = "endpoints get their former addresses back by name" },
	{ .name = "host-access",
	  .type = WF_OPTION_BOOL,
	  OPTION(host_access),
	  .fallback = "true",
	  .help = "macvlan: the host reaches its own containers" },
	{ .name = "encapsulation",
	  .type = WF_OPTION_CHOICE,
	  OPTION(encapsulation),
	  .choices = encapsulations,
	  .value = "WHEN",
	  .help = "routed: what becomes of packets to nodes behind a router; default: "
		  "across-subnets, they take the tunnel" },
	{ .name = "encryption",
	  .type = WF_OPTION_CHOICE,
	  OPTION(encryption),
	  .choices = encryptions,
	  .value = "HOW",
	  .help = "overlay: whether what goes from node to node is encrypted; default: what weftd "
		  "was told" },
	{ .name = "if-not-exists",
	  .type = WF_OPTION_BOOL,
	  OPTION(if_not_exists),
	  .help = "do nothing when the network is there already" },
	{ .name = "dry-run",
	  .type = WF_OPTION_BOOL,
	  OPTION(dry_run),
	  .help = "check only, change nothing" },
	WF_OPTION_END,
};

static const struct wf_cli_column result_columns[] = {
	{ .header = "NAME", .path = "name" },
	{ .header = "ACTION", .format = wf_cli_format_action },
	{ .header = NULL },
};

static const struct wf_cli_view create_view = {
	.shape = WF_CLI_LINES, .items = "results", .name = "name", .columns = result_columns
};

/* Whether the network is there: 1, 0, or a failure. */
static int exists(const struct wf_cli *cli, const char *name, struct wf_err *err)
{
	_cleanup_json_ json_t *found = NULL;
	int r = wf_cli_call_named(cli, "GET", "/v1/documents/Network/", name, &found, err);

	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : 1;
}

static int print_unchanged(struct wf_cli *cli, const char *name, struct wf_err *err)
{
	_cleanup_json_ json_t *value = json_pack("{s:[{s:s, s:s, s:s}]}", "results", "kind",
						 "Network", "name", name, "action", "unchanged");

	if (!value)
		return wf_fail(err, -ENOMEM, "out of memory");
	return wf_cli_print(cli, &create_view, value, err);
}

static int create(struct wf_cli *cli, struct wf_err *err)
{
	const struct wf_cli_network_options *options = cli->options;
	const char *name = cli->args[0];
	_cleanup_json_ json_t *document = NULL, *body = NULL, *answer = NULL;
	int r = wf_cli_network_document(name, options, &document, err);

	if (r == 0)
		r = wf_document_check_deep(document, err);
	if (r < 0) {
		wf_err_set_object(err, "network/%s", name);
		return r;
	}
	r = exists(cli, name, err);
	if (r > 0 && options->if_not_exists)
		return print_unchanged(cli, name, err);
	if (r > 0) {
		wf_err_set(err, -EEXIST,
			   "exists already; remove it first, or change it with 'weft apply'");
		wf_err_set_object(err, "network/%s", name);
		return -EEXIST;
	}
	if (r < 0)
		return r;
	body = json_pack("{s:[O]}", "documents", document);
	if (!body)
		return wf_fail(err, -ENOMEM, "out of memory");
	r = wf_cli_call(cli, "POST", options->dry_run ? "/v1/apply?dryRun=true" : "/v1/apply", body,
			&answer, err);
	if (r < 0)
		return r;
	if (options->dry_run)
		wf_cli_mark_dry_run(answer);
	return wf_cli_print(cli, &create_view, answer, err);
}

static void format_isolation(const json_t *item, struct wf_str *out)
{
	const json_t *spec = json_object_get(item, "spec");

	if (wf_json_bool(spec, "internal", false))
		wf_str_add(out, "internal");
	else
		wf_str_add(out, wf_json_bool(spec, "isolated", true) ? "isolated" : "open");
}

/* "inUse/total" of each subnet; totals of IPv6 say nothing. */
static void format_use(const json_t *item, struct wf_str *out)
{
	const json_t *subnets = json_object_get(json_object_get(item, "status"), "subnets");
	const json_t *subnet;
	size_t i;

	json_array_foreach(subnets, i, subnet) {
		wf_str_addf(out, "%s%lld", i ? "," : "",
			    (long long)wf_json_int(subnet, "inUse", 0));
		if (!strchr(wf_json_str(subnet, "cidr", ""), ':'))
			wf_str_addf(out, "/%lld", (long long)wf_json_int(subnet, "total", 0));
	}
}

const struct wf_cli_column wf_cli_network_columns[] = {
	{ .header = "NAME", .path = "metadata.name" },
	{ .header = "DRIVER", .path = "spec.driver" },
	{ .header = "SUBNETS", .path = "spec.subnets[].cidr" },
	{ .header = "SCOPE", .format = format_isolation },
	{ .header = "ENDPOINTS", .path = "status.endpointCount" },
	{ .header = "IN USE", .format = format_use, .wide = true },
	{ .header = "GATEWAYS", .path = "spec.subnets[].gateway", .wide = true },
	{ .header = "MTU", .path = "status.mtu", .wide = true },
	{ .header = "PARENT", .path = "status.parent", .wide = true },
	{ .header = "LABELS", .path = "metadata.labels", .wide = true },
	{ .header = "AGE", .format = wf_cli_format_age },
	{ .header = NULL },
};

static const struct wf_cli_view list_view = { .shape = WF_CLI_TABLE,
					      .items = "items",
					      .name = "metadata.name",
					      .columns = wf_cli_network_columns,
					      .documents = true };

static int list(struct wf_cli *cli, struct wf_err *err)
{
	_cleanup_json_ json_t *answer = NULL;
	int r = wf_cli_call(cli, "GET", "/v1/networks", NULL, &answer, err);

	return r < 0 ? r : wf_cli_print(cli, &list_view, answer, err);
}

static int inspect_one(struct wf_cli *cli, const char *name, json_t *items, struct wf_err *err)
{
	return wf_cli_fetch_named(cli, "/v1/networks/", name, items, err);
}

static int inspect(struct wf_cli *cli, struct wf_err *err)
{
	static const struct wf_cli_view view = { .shape = WF_CLI_JSON,
						 .name = "metadata.name",
						 .columns = wf_cli_network_columns,
						 .documents = true };

	return wf_cli_print_each(cli, &view, inspect_one, err);
}

static int remove_one(struct wf_cli *cli, const char *name, json_t *results, struct wf_err *err)
{
	_cleanup_json_ json_t *answer = NULL;
	int r = wf_cli_call_named(cli, "DELETE", "/v1/documents/Network/", name, &answer, err);

	if (r < 0) {
		wf_err_set_object(err, "network/%s", name);
		return r;
	}
	r = json_array_append_new(results, json_pack("{s:s, s:s, s:s}", "kind", "Network", "name",
						     name, "action", "deleted"));
	return r < 0 ? wf_fail(err, -ENOMEM, "out of memory") : 0;
}

static int remove_networks(struct wf_cli *cli, struct wf_err *err)
{
	_cleanup_json_ json_t *results = json_array();
	_cleanup_json_ json_t *value = json_pack("{s:O}", "results", results);

	if (!value)
		return wf_fail(err, -ENOMEM, "out of memory");
	(void)wf_cli_each_arg(cli, results, remove_one);
	if (!json_array_size(results))
		return 0;
	return wf_cli_print(cli, &create_view, value, err);
}

const struct wf_cli_command wf_cli_network_commands[] = {
	{ .name = "network create",
	  .args = "NAME",
	  .min_args = 1,
	  .max_args = 1,
	  .run = create,
	  .options = create_options,
	  .options_bytes = sizeof(struct wf_cli_network_options),
	  .summary = "create a network",
	  .description =
		  "Builds a Network document from the options and applies it. Fails when the "
		  "network exists, unless --if-not-exists is given.\n\n"
		  "--subnet may be given up to eight times, for IPv4 and IPv6. --gateway, "
		  "--ip-range and --exclude belong to the subnet that contains them.",
	  .examples = "# a subnet that weft chooses\n"
		      "weft network create blue\n"
		      "# both families, the upper half for other uses\n"
		      "weft network create web --subnet 10.64.0.0/16 --subnet fd00:64::/64 \\\n"
		      "    --ip-range 10.64.0.0/17\n"
		      "# containers on the physical network\n"
		      "weft network create lan --driver macvlan --parent eth0 \\\n"
		      "    --subnet 192.168.1.0/24 --gateway 192.168.1.1 \\\n"
		      "    --ip-range 192.168.1.200-192.168.1.220" },
	{ .name = "network ls",
	  .run = list,
	  .summary = "list networks",
	  .examples = "weft network ls\n"
		      "weft network ls -o name" },
	{ .name = "network inspect",
	  .args = "NAME...",
	  .min_args = 1,
	  .max_args = SIZE_MAX,
	  .complete = "network",
	  .run = inspect,
	  .summary = "show networks with their addresses, endpoints and settings",
	  .description = "Prints the document with its status as JSON, or as -o says.",
	  .examples = "weft network inspect blue\n"
		      "weft network inspect blue -o yaml" },
	{ .name = "network rm",
	  .args = "NAME...",
	  .min_args = 1,
	  .max_args = SIZE_MAX,
	  .complete = "network",
	  .run = remove_networks,
	  .summary = "remove networks",
	  .description = "A network that has endpoints is not removed.",
	  .examples = "weft network rm blue" },
	{ .name = NULL },
};
