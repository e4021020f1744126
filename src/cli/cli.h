/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The `weft` command. One table of commands drives dispatch, --help, man pages and completion;
 * each cmd_<noun>.c contributes its rows. Commands talk to the daemon through wf_cli_call() and
 * to people through wf_cli_print() (output.h): no command prints by itself.
 */
#ifndef WEFT_CLI_CLI_H
#define WEFT_CLI_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/option.h"
#include "base/str.h"

/* Exit status of weft. */
enum wf_cli_exit {
	WF_CLI_DONE = 0,
	WF_CLI_FAILED = 1,      /* refused or failed */
	WF_CLI_USAGE = 2,       /* wrong usage */
	WF_CLI_UNREACHABLE = 3, /* the daemon is not reachable */
};

/* Options of every command. The options struct of each command starts with this one. */
struct wf_cli_global {
	char *socket;
	char *output; /* table, wide, json, yaml or name; NULL: what suits the command */
	bool no_color;
	uint64_t timeout_ms;
};

extern const struct wf_option wf_cli_global_options[];

/* One run of one command. */
struct wf_cli {
	const struct wf_cli_command *command;
	void *options; /* the command's options struct, a wf_cli_global at its start */
	char **args;   /* positional arguments; borrowed from argv */
	size_t count;
	bool usage; /* the failure is wrong usage */
	int failed; /* enum wf_cli_exit of failures that were reported on the way */
};

struct wf_cli_command {
	const char *name; /* "network create" */
	const char *args; /* usage of the positional arguments: "NAME..."; NULL for none */
	size_t min_args, max_args;
	const char *complete; /* what completion offers for arguments, as wf_option.complete */
	int (*run)(struct wf_cli *cli, struct wf_err *err);
	const struct wf_option *options; /* NULL for none of its own */
	size_t options_bytes;            /* of the options struct; 0: struct wf_cli_global */
	const char *summary;             /* one line without full stop */
	const char *description;         /* paragraphs, "\n\n" between them; NULL for none */
	const char *examples;            /* lines; those with "# " explain the next */
	bool hidden;
};

/* One man page: the commands of one subject. */
struct wf_cli_page {
	const char *name; /* "weft-network" */
	int section;
	const char *summary;
	const char *description;               /* paragraphs */
	const struct wf_cli_command *commands; /* ends with name NULL */
};

/* All pages; ends with name NULL. */
extern const struct wf_cli_page wf_cli_pages[];

extern const struct wf_cli_command wf_cli_daemon_commands[];
extern const struct wf_cli_command wf_cli_network_commands[];
extern const struct wf_cli_command wf_cli_attach_commands[];
extern const struct wf_cli_command wf_cli_endpoint_commands[];
extern const struct wf_cli_command wf_cli_document_commands[];
extern const struct wf_cli_command wf_cli_ip_commands[];
extern const struct wf_cli_command wf_cli_node_commands[];
extern const struct wf_cli_command wf_cli_service_commands[];
extern const struct wf_cli_command wf_cli_ports_commands[];
extern const struct wf_cli_command wf_cli_conntrack_commands[];
extern const struct wf_cli_command wf_cli_policy_commands[];
extern const struct wf_cli_command wf_cli_why_commands[];
extern const struct wf_cli_command wf_cli_observe_commands[];
extern const struct wf_cli_command wf_cli_doctor_commands[];
extern const struct wf_cli_command wf_cli_cleanup_commands[];
extern const struct wf_cli_command wf_cli_store_commands[];
extern const struct wf_cli_command wf_cli_cni_commands[];

/* Calls back for every command of every page until it returns false. */
void wf_cli_each(bool (*callback)(const struct wf_cli_command *command, void *context),
		 void *context);

/* The command with this full name, NULL when there is none. */
const struct wf_cli_command *wf_cli_find(const char *name);

/* Whether some command has this word as the first of two. */
bool wf_cli_is_group(const char *word);

/*
 * The known word nearest to a misspelt one, NULL when none is near. Within a group ("network") a
 * second word; with group NULL a first one, which ends at a space or at the end.
 */
const char *wf_cli_nearest(const char *group, const char *word);

/* The command's options and the global ones as one table; owned by the caller; NULL: no memory. */
struct wf_option *wf_cli_join_options(const struct wf_cli_command *command);

/* The second word of "network create", the first of "attach". */
const char *wf_cli_last_word(const struct wf_cli_command *command);

/* Appends what `weft COMMAND --help` prints, or the list of a group's commands (NULL: all). */
void wf_cli_help(const struct wf_cli_command *command, struct wf_str *out);
void wf_cli_help_group(const char *group, struct wf_str *out);

/* Appends a man page in troff. */
void wf_cli_man(const struct wf_cli_page *page, struct wf_str *out);

/* Appends "weft network create [OPTIONS] NAME". */
void wf_cli_add_usage(const struct wf_cli_command *command, struct wf_str *out);

/* Commands of the command line itself (cmd_shell.c), rows of the page weft(1). */
int wf_cli_run_help(struct wf_cli *cli, struct wf_err *err);
int wf_cli_run_man(struct wf_cli *cli, struct wf_err *err);
int wf_cli_run_completion(struct wf_cli *cli, struct wf_err *err);
int wf_cli_run_complete(struct wf_cli *cli, struct wf_err *err);

static inline const struct wf_cli_global *wf_cli_global(const struct wf_cli *cli)
{
	return cli->options;
}

/* Calls the daemon. Arguments as wf_client_call(). */
int wf_cli_call(const struct wf_cli *cli, const char *method, const char *path, const json_t *body,
		json_t **ret_body, struct wf_err *err);

/* As wf_cli_call() without a body, for a path that ends with a name ("/v1/networks/", name). */
int wf_cli_call_named(const struct wf_cli *cli, const char *method, const char *path,
		      const char *name, json_t **ret_body, struct wf_err *err);

/* GETs an object, by a path as it is or one that ends with a name, and appends it to an array. */
int wf_cli_fetch(const struct wf_cli *cli, const char *path, json_t *items, struct wf_err *err);
int wf_cli_fetch_named(const struct wf_cli *cli, const char *path, const char *name, json_t *items,
		       struct wf_err *err);

/* Marks a failure as wrong usage (exit status 2) and returns -EINVAL; a printf format follows. */
#define wf_cli_misuse(cli, err, ...) ((cli)->usage = true, wf_fail((err), -EINVAL, __VA_ARGS__))

/*
 * Prints an error on stderr as "weft: [where: ][object: ][field: ]message" and remembers the
 * exit status, for commands that go on after a failure. where may be NULL.
 */
void wf_cli_report(struct wf_cli *cli, const char *where, const struct wf_err *err);

/* Runs NAME... arguments one after the other; failures are reported, the rest is still done. */
int wf_cli_each_arg(struct wf_cli *cli, json_t *results,
		    int (*one)(struct wf_cli *cli, const char *arg, json_t *results,
			       struct wf_err *err));

#endif
