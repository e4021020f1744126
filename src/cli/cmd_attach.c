/* SPDX-License-Identifier: Apache-2.0 */
/* weft attach, weft detach. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "api/client.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/attach.h"
#include "cli/network.h"
#include "cli/output.h"

struct attach_options {
	struct wf_cli_global global;
	char *netns;
	char *network;
	char *name;
	struct wf_option_list ips;
	char *mac;
	struct wf_option_list labels;
	char *ifname;
	bool sticky;
	bool default_route; /* neither of the two: the daemon decides */
	bool no_default_route;
	uint64_t mtu; /* 0: not given */
	bool create_network;
	struct wf_option_list publish;
	struct wf_option_list ports;
};

struct detach_options {
	struct wf_cli_global global;
	char *netns;
	char *ifname;
};

#define OPTION(member) .offset = offsetof(struct attach_options, member)

/* "=false" would read like --no-default-route and mean "decide yourself". */
static int only_true(const char *text, struct wf_err *err)
{
	if (strcmp(text, "true") == 0)
		return 0;
	return wf_fail(err, -EINVAL, "takes no value; give --default-route or --no-default-route");
}

static const struct wf_option attach_options[] = {
	{ .name = "netns",
	  .type = WF_OPTION_STRING,
	  OPTION(netns),
	  .value = "NETNS",
	  .help = "network namespace: a name as of 'ip netns', a process number, or a path",
	  .complete = "netns" },
	{ .name = "network",
	  .type = WF_OPTION_STRING,
	  OPTION(network),
	  .value = "NAME",
	  .help = "network to join",
	  .complete = "network" },
	{ .name = "name",
	  .type = WF_OPTION_STRING,
	  OPTION(name),
	  .value = "NAME",
	  .help = "name of the endpoint; default: the namespace's name and the interface's" },
	{ .name = "ip",
	  .type = WF_OPTION_LIST,
	  OPTION(ips),
	  .value = "ADDR",
	  .help = "address to have; default: a free one of each family" },
	{ .name = "mac",
	  .type = WF_OPTION_STRING,
	  OPTION(mac),
	  .value = "MAC",
	  .help = "MAC address to have; default: made from the address" },
	{ .name = "label",
	  .type = WF_OPTION_LIST,
	  OPTION(labels),
	  .value = "KEY=VALUE",
	  .help = "label of the endpoint" },
	{ .name = "ifname",
	  .type = WF_OPTION_STRING,
	  OPTION(ifname),
	  .value = "NAME",
	  .help = "interface in the namespace; default: the first free ethN" },
	{ .name = "sticky",
	  .type = WF_OPTION_BOOL,
	  OPTION(sticky),
	  .help = "keep addresses and MAC for this name after detach" },
	{ .name = "default-route",
	  .type = WF_OPTION_BOOL,
	  OPTION(default_route),
	  .help = "default route through this network; without it: if no other endpoint of the "
		  "namespace has it and the network leads anywhere",
	  .check = only_true },
	{ .name = "no-default-route",
	  .type = WF_OPTION_BOOL,
	  OPTION(no_default_route),
	  .help = "no default route through this network",
	  .check = only_true },
	{ .name = "mtu",
	  .type = WF_OPTION_U64,
	  OPTION(mtu),
	  .min = 576,
	  .max = 65535,
	  .help = "largest packet; default: the network's" },
	{ .name = "publish",
	  .letter = 'p',
	  .type = WF_OPTION_LIST,
	  OPTION(publish),
	  .value = "[IP:]HOST[-END]:CONTAINER[/PROTO]",
	  .help = "make ports of the container reachable at the host's; tcp unless /udp, /sctp or "
		  "/tcp+udp" },
	{ .name = "port",
	  .type = WF_OPTION_LIST,
	  OPTION(ports),
	  .value = "NAME=PORT[/PROTO]",
	  .help = "name of a port, for services whose targetPort is a name" },
	{ .name = "create-network",
	  .type = WF_OPTION_BOOL,
	  OPTION(create_network),
	  .help = "create the network with defaults if it does not exist" },
	WF_OPTION_END,
};

static const struct wf_option detach_options[] = {
	{ .name = "netns",
	  .type = WF_OPTION_STRING,
	  .offset = offsetof(struct detach_options, netns),
	  .value = "NETNS",
	  .help = "network namespace, instead of the endpoint's name",
	  .complete = "netns" },
	{ .name = "ifname",
	  .type = WF_OPTION_STRING,
	  .offset = offsetof(struct detach_options, ifname),
	  .value = "NAME",
	  .help = "interface in that namespace" },
	WF_OPTION_END,
};

static const struct wf_cli_column attached_columns[] = {
	{ .header = "NAME", .path = "metadata.name" },
	{ .header = "INTERFACE", .path = "spec.interface" },
	{ .header = "ADDRESSES", .path = "status.addresses[].address" },
	{ .header = "MAC", .path = "status.mac", .wide = true },
	{ .header = "MTU", .path = "status.mtu", .wide = true },
	{ .header = "PUBLISHED", .format = wf_cli_format_published, .wide = true },
	{ .header = NULL },
};

static const struct wf_cli_column detached_columns[] = {
	{ .header = "NAME", .path = "name" },
	{ .header = "ACTION", .path = "action" },
	{ .header = NULL },
};

static bool is_number(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text);
}

/* The path of a namespace that the user named in one of three ways. Owned by the caller. */
static int resolve_netns(const char *text, char **ret_path, struct wf_err *err)
{
	static const char *const places[] = { "/run/netns/", "/var/run/netns/" };
	_cleanup_free_ char *path = NULL;

	if (strchr(text, '/') || is_number(text)) {
		if (asprintf(&path, is_number(text) ? "/proc/%s/ns/net" : "%s", text) < 0)
			return wf_fail(err, -ENOMEM, "out of memory");
		*ret_path = TAKE_PTR(path);
		return 0;
	}
	for (size_t i = 0; i < WF_ARRAY_LEN(places); i++) {
		_cleanup_free_ char *candidate = NULL;

		if (asprintf(&candidate, "%s%s", places[i], text) < 0)
			return wf_fail(err, -ENOMEM, "out of memory");
		if (access(candidate, F_OK) == 0) {
			*ret_path = TAKE_PTR(candidate);
			return 0;
		}
	}
	return wf_fail_field(err, -ESRCH, "--netns",
			     "there is no network namespace '%s'; 'ip netns add %s' makes one, "
			     "'ip netns' lists them",
			     text, text);
}

static int find_netns(const char *text, char **ret_path, struct stat *ret_stat, struct wf_err *err)
{
	_cleanup_free_ char *path = NULL;
	int r = resolve_netns(text, &path, err);

	if (r < 0 || !path)
		return r;
	if (stat(path, ret_stat) < 0) {
		r = -errno;
		if (r == -ENOENT && is_number(text))
			return wf_fail_field(err, -ESRCH, "--netns", "there is no process %s",
					     text);
		return wf_fail_field(err, r, "--netns", "cannot use %s: %s", path, strerror(-r));
	}
	*ret_path = TAKE_PTR(path);
	return 0;
}

static int add_ips(json_t *body, const struct wf_option_list *ips)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ips->count; i++)
		if (json_array_append_new(list, json_string(ips->items[i])) < 0)
			break;
	if (json_array_size(list) == ips->count)
		return json_object_set_new(body, "addresses", list);
	json_decref(list);
	return -1;
}

static int build_request(const struct attach_options *options, const char *path, json_t *body,
			 struct wf_err *err)
{
	_cleanup_json_ json_t *labels = NULL;
	int r = wf_cli_labels(&options->labels, &labels, err);

	if (r == 0)
		r = wf_cli_attach_publish(body, &options->publish, err);
	if (r == 0)
		r = wf_cli_attach_ports(body, &options->ports, err);
	if (r < 0)
		return r;
	r = wf_json_set_str(body, "network", options->network);
	r |= wf_json_set_str(body, "netns", path);
	r |= wf_json_set_str(body, "owner", "cli");
	r |= wf_json_set_str(body, "name", options->name);
	r |= wf_json_set_str(body, "ifname", options->ifname);
	r |= wf_json_set_str(body, "mac", options->mac);
	if (options->ips.count)
		r |= add_ips(body, &options->ips);
	if (json_object_size(labels))
		r |= json_object_set(body, "labels", labels);
	if (options->sticky)
		r |= wf_json_set(body, "sticky", json_true());
	if (options->default_route || options->no_default_route)
		r |= wf_json_set(body, "defaultRoute", json_boolean(options->default_route));
	if (options->mtu)
		r |= wf_json_set(body, "mtu", json_integer((json_int_t)options->mtu));
	if (options->create_network)
		r |= wf_json_set(body, "createNetwork", json_true());
	return r ? wf_fail(err, -EINVAL, "out of memory, or an option is not valid UTF-8") : 0;
}

/* NETNS and NETWORK may come as arguments instead. */
static int take_arguments(struct wf_cli *cli, struct wf_err *err)
{
	struct attach_options *options = cli->options;
	char **const members[] = { &options->netns, &options->network };
	size_t next = 0;

	for (size_t i = 0; i < WF_ARRAY_LEN(members); i++) {
		if (*members[i] || next == cli->count)
			continue;
		*members[i] = strdup(cli->args[next++]);
		if (!*members[i])
			return wf_fail(err, -ENOMEM, "out of memory");
	}
	if (next < cli->count)
		return wf_cli_misuse(cli, err, "'%s' is one argument too many for 'weft attach'",
				     cli->args[next]);
	if (!options->netns || !options->network)
		return wf_cli_misuse(cli, err, "'weft attach' needs --netns and --network");
	return 0;
}

static int attach(struct wf_cli *cli, struct wf_err *err)
{
	static const struct wf_cli_view view = { .shape = WF_CLI_TABLE,
						 .name = "metadata.name",
						 .columns = attached_columns,
						 .documents = true };
	const struct attach_options *options = cli->options;
	_cleanup_json_ json_t *body = json_object();
	_cleanup_json_ json_t *answer = NULL;
	_cleanup_free_ char *path = NULL;
	struct stat status = { 0 };
	int r;

	r = take_arguments(cli, err);
	if (r < 0)
		return r;
	if (options->default_route && options->no_default_route)
		return wf_cli_misuse(cli, err,
				     "--default-route and --no-default-route exclude each other");
	r = find_netns(options->netns, &path, &status, err);
	if (r == 0)
		r = build_request(options, path, body, err);
	if (r == 0)
		r = wf_cli_call(cli, "POST", "/v1/endpoints", body, &answer, err);
	return r < 0 ? r : wf_cli_print(cli, &view, answer, err);
}

static int detach_one(struct wf_cli *cli, const char *name, json_t *results, struct wf_err *err)
{
	_cleanup_json_ json_t *answer = NULL;
	int r = wf_cli_call_named(cli, "DELETE", "/v1/endpoints/", name, &answer, err);

	if (r < 0)
		return r;
	if (json_array_append_new(results, json_pack("{s:s, s:s, s:s}", "kind", "Endpoint", "name",
						     name, "action", "detached")) < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	return 0;
}

/* The endpoint in a namespace; its name is borrowed from `answer`. */
static const char *endpoint_in(const json_t *answer, const struct stat *status, const char *ifname)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(answer, "items"), i, item) {
		const json_t *spec = json_object_get(item, "spec");
		const json_t *namespace =
			json_object_get(json_object_get(item, "status"), "namespace");

		if ((dev_t)wf_json_int(namespace, "device", -1) == status->st_dev &&
		    (ino_t)wf_json_int(namespace, "inode", -1) == status->st_ino &&
		    strcmp(wf_json_str(spec, "interface", ""), ifname) == 0)
			return wf_json_str(json_object_get(item, "metadata"), "name", NULL);
	}
	return NULL;
}

static int detach_in_netns(struct wf_cli *cli, json_t *results, struct wf_err *err)
{
	const struct detach_options *options = cli->options;
	_cleanup_json_ json_t *answer = NULL;
	_cleanup_free_ char *path = NULL;
	struct stat status = { 0 };
	const char *name;
	int r;

	r = find_netns(options->netns, &path, &status, err);
	if (r == 0)
		r = wf_cli_call(cli, "GET", "/v1/endpoints", NULL, &answer, err);
	if (r < 0)
		return r;
	name = endpoint_in(answer, &status, options->ifname);
	if (!name)
		return wf_fail(err, -ENOENT,
			       "interface %s in %s is no endpoint; see 'weft endpoint ls -o wide'",
			       options->ifname, path);
	return detach_one(cli, name, results, err);
}

static int detach(struct wf_cli *cli, struct wf_err *err)
{
	static const struct wf_cli_view view = { .shape = WF_CLI_LINES,
						 .items = "results",
						 .name = "name",
						 .columns = detached_columns };
	const struct detach_options *options = cli->options;
	_cleanup_json_ json_t *results = json_array();
	_cleanup_json_ json_t *value = json_pack("{s:O}", "results", results);
	int r = 0;

	if (!options->netns != !options->ifname)
		return wf_cli_misuse(cli, err, "--netns and --ifname go together");
	if (!options->netns == !cli->count)
		return wf_cli_misuse(cli, err,
				     "'weft detach' needs the name of an endpoint, or --netns and "
				     "--ifname");
	if (!value)
		return wf_fail(err, -ENOMEM, "out of memory");
	if (options->netns)
		r = detach_in_netns(cli, results, err);
	else
		(void)wf_cli_each_arg(cli, results, detach_one);
	if (r < 0 || !json_array_size(results))
		return r;
	return wf_cli_print(cli, &view, value, err);
}

const struct wf_cli_command wf_cli_attach_commands[] = {
	{ .name = "attach",
	  .args = "[NETNS [NETWORK]]",
	  .max_args = 2,
	  .run = attach,
	  .options = attach_options,
	  .options_bytes = sizeof(struct attach_options),
	  .summary = "connect a network namespace to a network",
	  .description =
		  "Makes an interface in the namespace, gives it addresses and routes, and prints "
		  "the endpoint's name, interface and addresses.\n\n"
		  "NETNS is the name of a namespace in /run/netns, the number of a process in it, "
		  "or the path of a namespace file. NETNS and NETWORK may also be given without "
		  "their options, in this order.\n\n"
		  "--publish makes ports of the container reachable at addresses of the host: from "
		  "outside, from the host itself and from other containers; see weft-ports(1). An "
		  "IPv6 address goes in brackets. A range counts as one port.",
	  .examples = "ip netns add c1\n"
		      "weft attach --netns c1 --network blue --name web\n"
		      "# port 8080 of the host leads to port 80, on the host itself only\n"
		      "weft attach --netns c1 --network blue --publish 127.0.0.1:8080:80\n"
		      "# a second network for the same container\n"
		      "weft attach --netns 4711 --network green --ip 10.65.0.9" },
	{ .name = "detach",
	  .args = "[NAME...]",
	  .max_args = SIZE_MAX,
	  .complete = "endpoint",
	  .run = detach,
	  .options = detach_options,
	  .options_bytes = sizeof(struct detach_options),
	  .summary = "disconnect endpoints",
	  .examples = "weft detach web\n"
		      "weft detach --netns c1 --ifname eth0" },
	{ .name = NULL },
};
