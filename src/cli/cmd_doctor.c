/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weft doctor, weft cleanup: modes of weftd's own program, which must work without a daemon and
 * need its knowledge of the kernel. weft becomes that program.
 */
#include <string.h>

#include "api/client.h"
#include "cli/weftd.h"

/* Where weftd keeps things; passed on as they are. */
struct mode_options {
	struct wf_cli_global global;
	char *config;
	char *run_dir;
	char *state_dir;
	char *bpf_dir;
	char *cgroup;
	char *store;
	char *node_name;
	bool yes;
};

#define OPTION(member) .offset = offsetof(struct mode_options, member)

#define PATH_OPTIONS                                                                        \
	{ .name = "config",                                                                 \
	  .type = WF_OPTION_STRING,                                                         \
	  OPTION(config),                                                                   \
	  .value = "FILE",                                                                  \
	  .help = "configuration file of weftd",                                            \
	  .complete = "file" },                                                             \
		{ .name = "run-dir",                                                        \
		  .type = WF_OPTION_STRING,                                                 \
		  OPTION(run_dir),                                                          \
		  .value = "DIR",                                                           \
		  .help = "directory of the socket, as weftd was given",                    \
		  .complete = "dir" },                                                      \
		{ .name = "state-dir",                                                      \
		  .type = WF_OPTION_STRING,                                                 \
		  OPTION(state_dir),                                                        \
		  .value = "DIR",                                                           \
		  .help = "directory of the store, as weftd was given",                     \
		  .complete = "dir" },                                                      \
		{ .name = "bpf-dir",                                                        \
		  .type = WF_OPTION_STRING,                                                 \
		  OPTION(bpf_dir),                                                          \
		  .value = "DIR",                                                           \
		  .help = "directory of the pinned maps, as weftd was given",               \
		  .complete = "dir" },                                                      \
	{                                                                                   \
		.name = "cgroup", .type = WF_OPTION_STRING, OPTION(cgroup), .value = "DIR", \
		.help = "root of the cgroup v2 tree, as weftd was given", .complete = "dir" \
	}

static const struct wf_option doctor_options[] = { PATH_OPTIONS, WF_OPTION_END };

static const struct wf_option cleanup_options[] = {
	{ .name = "yes", .type = WF_OPTION_BOOL, OPTION(yes), .help = "do not ask" },
	{ .name = "store",
	  .type = WF_OPTION_STRING,
	  OPTION(store),
	  .value = "STORE",
	  .help = "the etcd that other nodes share, as weftd was given: this node goes out of it" },
	{ .name = "node-name",
	  .type = WF_OPTION_STRING,
	  OPTION(node_name),
	  .value = "NAME",
	  .help = "name of this node, as weftd was given" },
	PATH_OPTIONS,
	WF_OPTION_END,
};

static int become_weftd(struct wf_cli *cli, const char *mode, struct wf_err *err)
{
	const struct mode_options *options = cli->options;
	const char *socket = options->global.socket;
	struct wf_cli_words words = { .items = { "weftd", mode }, .count = 2 };

	if (options->yes)
		words.items[words.count++] = "--yes";
	wf_cli_add_word(&words, "--output", options->global.output);
	if (strcmp(socket, WF_CLIENT_DEFAULT_SOCKET) != 0)
		wf_cli_add_word(&words, "--socket", socket);
	wf_cli_add_word(&words, "--config", options->config);
	wf_cli_add_word(&words, "--run-dir", options->run_dir);
	wf_cli_add_word(&words, "--state-dir", options->state_dir);
	wf_cli_add_word(&words, "--bpf-dir", options->bpf_dir);
	wf_cli_add_word(&words, "--cgroup", options->cgroup);
	wf_cli_add_word(&words, "--store", options->store);
	wf_cli_add_word(&words, "--node-name", options->node_name);
	return wf_cli_become_weftd(&words, err);
}

static int doctor(struct wf_cli *cli, struct wf_err *err)
{
	return become_weftd(cli, "--doctor", err);
}

static int cleanup(struct wf_cli *cli, struct wf_err *err)
{
	return become_weftd(cli, "--cleanup", err);
}

const struct wf_cli_command wf_cli_doctor_commands[] = {
	{ .name = "doctor",
	  .run = doctor,
	  .options = doctor_options,
	  .options_bytes = sizeof(struct mode_options),
	  .summary = "check this host and say what to do about what is wrong",
	  .description = "Looks at the kernel, the file systems, the daemon, the datapath and what "
			 "other programs have set up. Exit status 1 when something is wrong.",
	  .examples = "weft doctor\n"
		      "weft doctor -o json" },
	{ .name = NULL },
};

const struct wf_cli_command wf_cli_cleanup_commands[] = {
	{ .name = "cleanup",
	  .run = cleanup,
	  .options = cleanup_options,
	  .options_bytes = sizeof(struct mode_options),
	  .summary = "remove everything that weft has made on this host",
	  .description = "Takes away links, routes, maps and programs, and the store with all "
			 "networks. Endpoints lose their connections. Stop weftd before.\n\n"
			 "Of a store in etcd nothing goes but what is this node's: its endpoints, "
			 "their addresses, and what it said of itself. When etcd cannot be reached "
			 "that stays, and is said.",
	  .examples = "weft cleanup\n"
		      "# in a script: asks nothing\n"
		      "weft cleanup --yes" },
	{ .name = NULL },
};
