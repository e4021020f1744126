/* SPDX-License-Identifier: Apache-2.0 */
/* The table of all commands, by man page, and how a word finds its row. */
#include <stdio.h>
#include <string.h>

#include "api/client.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/cli.h"

static const char *const formats[] = { "table", "wide", "json", "yaml", "name", NULL };

const struct wf_option wf_cli_global_options[] = {
	{ .name = "socket",
	  .type = WF_OPTION_STRING,
	  .offset = offsetof(struct wf_cli_global, socket),
	  .fallback = WF_CLIENT_DEFAULT_SOCKET,
	  .value = "PATH",
	  .help = "socket of weftd; also WEFT_SOCKET in the environment",
	  .complete = "file" },
	{ .name = "output",
	  .letter = 'o',
	  .type = WF_OPTION_CHOICE,
	  .offset = offsetof(struct wf_cli_global, output),
	  .choices = formats,
	  .value = "FORMAT",
	  .help = "what to print" },
	{ .name = "no-color",
	  .type = WF_OPTION_BOOL,
	  .offset = offsetof(struct wf_cli_global, no_color),
	  .help = "no colours on a terminal; also NO_COLOR in the environment" },
	{ .name = "timeout",
	  .type = WF_OPTION_DURATION,
	  .offset = offsetof(struct wf_cli_global, timeout_ms),
	  .fallback = "30s",
	  .min = 1,
	  .max = 86400000,
	  .value = "DURATION",
	  .help = "how long to wait for weftd; apply adds 5 ms for each document" },
	WF_OPTION_END,
};

const struct wf_cli_page wf_cli_pages[] = {
	{ .name = "weft",
	  .section = 1,
	  .summary = "container networks on this host",
	  .description =
		  "weft gives containers, pods and plain network namespaces an address, a route "
		  "and a name in a network, keeps networks apart from each other, and shows which "
		  "packets were dropped and why. The work is done by the daemon weftd(8); weft "
		  "asks it over a unix socket.\n\n"
		  "Objects are documents in the shape of Kubernetes objects, with apiVersion, "
		  "kind, metadata and spec. weft network create makes one from options, weft apply "
		  "takes them from files.",
	  .commands = wf_cli_daemon_commands },
	{ .name = "weft-network",
	  .section = 1,
	  .summary = "create, list, inspect and remove networks",
	  .description = "A network is a named set of subnets that endpoints are attached to. "
			 "Networks are isolated from each other unless they say otherwise. They "
			 "outlive the daemon and the host's restart.",
	  .commands = wf_cli_network_commands },
	{ .name = "weft-attach",
	  .section = 1,
	  .summary = "connect a network namespace to a network, and disconnect it",
	  .description =
		  "An endpoint is one interface of one network namespace in one network. Container "
		  "runtimes make endpoints through the CNI plugin, see weft-cni(7); these commands "
		  "do the same for a namespace made by hand.",
	  .commands = wf_cli_attach_commands },
	{ .name = "weft-endpoint",
	  .section = 1,
	  .summary = "list and inspect endpoints",
	  .description = "An endpoint is one interface of one container, pod or namespace in one "
			 "network. See weft-attach(1) for how endpoints come and go.",
	  .commands = wf_cli_endpoint_commands },
	{ .name = "weft-apply",
	  .section = 1,
	  .summary = "apply, show and delete documents",
	  .description = "Documents are YAML or JSON: apiVersion, kind, metadata and spec, as "
			 "kubectl takes them.",
	  .commands = wf_cli_document_commands },
	{ .name = "weft-ip",
	  .section = 1,
	  .summary = "which addresses are in use, and why",
	  .description = "Every address that weft knows is free, in use by an endpoint, held for "
			 "one, cooling down after its release, or excluded.",
	  .commands = wf_cli_ip_commands },
	{ .name = "weft-node",
	  .section = 1,
	  .summary = "list the nodes that share the store",
	  .description =
		  "Where documents live in a store of several hosts, each host is a node. Networks of "
		  "the drivers overlay and routed reach from node to node; services and policies mean the "
		  "endpoints of all of them.",
	  .commands = wf_cli_node_commands },
	{ .name = "weft-service",
	  .section = 1,
	  .summary = "list and inspect services",
	  .description =
		  "A service is an address, or several, in front of backends that come and go. "
		  "Services are documents as Kubernetes defines them: weft-apply(1) makes, changes "
		  "and deletes them. Their backends are the endpoints that their selector finds, "
		  "or those of EndpointSlices.",
	  .commands = wf_cli_service_commands },
	{ .name = "weft-ports",
	  .section = 1,
	  .summary = "which ports of the host lead to containers",
	  .description =
		  "Ports of the host are published by weft attach --publish, by container runtimes "
		  "through CNI, and by services of type NodePort and LoadBalancer.",
	  .commands = wf_cli_ports_commands },
	{ .name = "weft-conntrack",
	  .section = 1,
	  .summary = "list and flush translated connections",
	  .description =
		  "weft remembers connections whose addresses it translates: those to services and "
		  "published ports, and those that leave the host under the host's address. Other "
		  "connections need no memory and are not listed, nor are those that a socket of "
		  "this host made to a service, which lead to the backend from the start.",
	  .commands = wf_cli_conntrack_commands },
	{ .name = "weft-policy",
	  .section = 1,
	  .summary = "list, inspect and try policies",
	  .description =
		  "Policies say who may talk to whom. They are documents as Kubernetes and Cilium "
		  "define them: NetworkPolicy, ClusterNetworkPolicy (and the older "
		  "AdminNetworkPolicy and BaselineAdminNetworkPolicy), CiliumNetworkPolicy and "
		  "CiliumClusterwideNetworkPolicy. weft-apply(1) makes, changes and deletes them; "
		  "weft-why(1) explains what they do to a packet.",
	  .commands = wf_cli_policy_commands },
	{ .name = "weft-why",
	  .section = 1,
	  .summary = "say whether a packet would pass, and what decides",
	  .description = "The answer comes from the very program and tables that packets meet.",
	  .commands = wf_cli_why_commands },
	{ .name = "weft-observe",
	  .section = 1,
	  .summary = "watch packets that are dropped and connections that begin",
	  .description = "The datapath reports packets while somebody observes, and costs nothing "
			 "otherwise. Counters of drops are always kept, see weft-endpoint(1).",
	  .commands = wf_cli_observe_commands },
	{ .name = "weft-doctor",
	  .section = 1,
	  .summary = "check this host and the state that weft keeps on it",
	  .description = "The checks run in weftd's own program and need no running daemon.",
	  .commands = wf_cli_doctor_commands },
	{ .name = "weft-cleanup",
	  .section = 1,
	  .summary = "remove everything that weft has made on this host",
	  .description = "The removal runs in weftd's own program and needs no running daemon.",
	  .commands = wf_cli_cleanup_commands },
	{ .name = "weft-store",
	  .section = 1,
	  .summary = "where documents live: this host, or an etcd that many share",
	  .description = "See weftd(8), --store. While etcd is away a node goes on with what it "
			 "knew last, and says so here.",
	  .commands = wf_cli_store_commands },
	{ .name = "weft-cni",
	  .section = 7,
	  .summary = "weft as the network of a container runtime",
	  .description =
		  "The plugin is called weft and lives in the directory of CNI plugins, usually "
		  "/opt/cni/bin or /usr/lib/cni. A network configuration selects it with \"type\": "
		  "\"weft\". Its members: network, the name of the weft network (default: the "
		  "configuration's own name; the network is created with defaults on first use if "
		  "it does not exist), and socket, the path of the daemon's socket (default: "
		  "/run/weft/weft.sock).",
	  .commands = wf_cli_cni_commands },
	{ .name = NULL },
};

void wf_cli_each(bool (*callback)(const struct wf_cli_command *command, void *context),
		 void *context)
{
	for (const struct wf_cli_page *page = wf_cli_pages; page->name; page++)
		for (const struct wf_cli_command *command = page->commands; command->name;
		     command++)
			if (!callback(command, context))
				return;
}

/* A search for one row. */
struct search {
	const char *group; /* first word of two, or NULL */
	const char *word;
	const struct wf_cli_command *found;
	size_t least;
	const char *near; /* borrowed from the table */
};

static bool match_name(const struct wf_cli_command *command, void *context)
{
	struct search *search = context;

	if (strcmp(command->name, search->word) == 0)
		search->found = command;
	return !search->found;
}

const struct wf_cli_command *wf_cli_find(const char *name)
{
	struct search search = { .word = name };

	wf_cli_each(match_name, &search);
	return search.found;
}

static bool match_group(const struct wf_cli_command *command, void *context)
{
	struct search *search = context;
	size_t len = strlen(search->word);

	if (strncmp(command->name, search->word, len) == 0 && command->name[len] == ' ')
		search->found = command;
	return !search->found;
}

bool wf_cli_is_group(const char *word)
{
	struct search search = { .word = word };

	wf_cli_each(match_group, &search);
	return search.found;
}

const char *wf_cli_last_word(const struct wf_cli_command *command)
{
	const char *space = strchr(command->name, ' ');

	return space ? space + 1 : command->name;
}

static bool match_near(const struct wf_cli_command *command, void *context)
{
	struct search *search = context;
	size_t first = strcspn(command->name, " "), distance;
	char word[32];

	if (command->hidden)
		return true;
	if (search->group) {
		if (strlen(search->group) != first ||
		    strncmp(command->name, search->group, first) != 0)
			return true;
		(void)snprintf(word, sizeof(word), "%s", wf_cli_last_word(command));
	} else {
		(void)snprintf(word, sizeof(word), "%.*s", (int)first, command->name);
	}
	distance = wf_str_distance(word, search->word);
	if (distance < search->least && wf_option_is_near(word, search->word)) {
		search->least = distance;
		search->near = search->group ? wf_cli_last_word(command) : command->name;
	}
	return true;
}

const char *wf_cli_nearest(const char *group, const char *word)
{
	struct search search = { .group = group, .word = word, .least = SIZE_MAX };

	wf_cli_each(match_near, &search);
	return search.near;
}

static size_t count_options(const struct wf_option *table)
{
	size_t count = 0;

	while (table && table[count].name)
		count++;
	return count;
}

struct wf_option *wf_cli_join_options(const struct wf_cli_command *command)
{
	size_t own = count_options(command->options);
	size_t global = count_options(wf_cli_global_options);
	struct wf_option *joined = calloc(own + global + 1, sizeof(*joined));

	if (!joined)
		return NULL;
	if (own)
		memcpy(joined, command->options, own * sizeof(*joined));
	memcpy(joined + own, wf_cli_global_options, global * sizeof(*joined));
	return joined;
}
