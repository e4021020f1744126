/* SPDX-License-Identifier: Apache-2.0 */
/* weft status, version, config show, reload; and the rows of the page weft(1). */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/output.h"

#define VERSION_TIMEOUT_MS 1000

static void format_uptime(const json_t *item, struct wf_str *out)
{
	int64_t up_s = wf_json_int(item, "uptimeSeconds", -1);

	wf_cli_add_path(item, "started", out);
	if (up_s >= 0)
		wf_str_addf(out, " (%lldd %02lld:%02lld:%02lld)", (long long)(up_s / 86400),
			    (long long)(up_s / 3600 % 24), (long long)(up_s / 60 % 60),
			    (long long)(up_s % 60));
}

static void format_endpoints(const json_t *item, struct wf_str *out)
{
	wf_cli_add_path(item, "endpoints", out);
	if (json_object_get(item, "endpointLimit")) {
		wf_str_add(out, " of at most ");
		wf_cli_add_path(item, "endpointLimit", out);
	}
}

static void format_drops(const json_t *item, struct wf_str *out)
{
	const json_t *drops = json_object_get(item, "drops");

	if (json_object_size(drops))
		wf_cli_add_path(drops, "", out);
	else
		wf_str_add(out, "none");
}

static void format_adopted(const json_t *item, struct wf_str *out)
{
	wf_str_add(out, wf_json_bool(item, "datapathAdopted", false)
				? "taken over from the daemon before"
				: "started anew");
}

static void format_store(const json_t *item, struct wf_str *out)
{
	const json_t *state = json_object_get(item, "storeState");
	const char *since = wf_json_str(state, "staleSince", "");
	const char *hold = wf_json_str(state, "hold", "");

	wf_cli_add_path(item, "store", out);
	if (*since)
		wf_str_addf(out, ", away since %s", since);
	if (*hold)
		wf_str_addf(out, ", not believed: %s", hold);
	if (!wf_json_bool(state, "writable", true))
		wf_str_addf(out, ", cannot be written since %s: %s",
			    wf_json_str(state, "writeErrorSince", ""),
			    wf_json_str(state, "writeError", ""));
}

static const struct wf_cli_column status_columns[] = {
	{ .header = "Version", .path = "version" },
	{ .header = "Node", .path = "nodeName" },
	{ .header = "Process", .path = "pid" },
	{ .header = "Started", .format = format_uptime },
	{ .header = "Datapath", .format = format_adopted },
	{ .header = "Store", .format = format_store },
	{ .header = "Revision", .path = "revision" },
	{ .header = "Networks", .path = "networks" },
	{ .header = "Endpoints", .format = format_endpoints },
	{ .header = "Repairs", .path = "repairs" },
	{ .header = "Drops", .format = format_drops },
	{ .header = NULL },
};

static int status(struct wf_cli *cli, struct wf_err *err)
{
	static const struct wf_cli_view view = { .shape = WF_CLI_FIELDS,
						 .name = "nodeName",
						 .columns = status_columns };
	_cleanup_json_ json_t *answer = NULL;
	int r = wf_cli_call(cli, "GET", "/v1/status", NULL, &answer, err);

	return r < 0 ? r : wf_cli_print(cli, &view, answer, err);
}

static const struct wf_cli_column version_columns[] = {
	{ .header = "weft", .path = "client" },
	{ .header = "weftd", .path = "daemon" },
	{ .header = NULL },
};

/* A daemon that is not there is no failure: the question is what is installed. */
static int version(struct wf_cli *cli, struct wf_err *err)
{
	static const struct wf_cli_view view = { .shape = WF_CLI_FIELDS,
						 .name = "client",
						 .columns = version_columns };
	struct wf_cli_global *global = cli->options;
	_cleanup_json_ json_t *answer = NULL, *value = NULL;
	const char *daemon = "not reachable";

	if (global->timeout_ms > VERSION_TIMEOUT_MS)
		global->timeout_ms = VERSION_TIMEOUT_MS;
	if (wf_cli_call(cli, "GET", "/v1/status", NULL, &answer, NULL) == 0)
		daemon = wf_json_str(answer, "version", "unknown");
	value = json_pack("{s:s, s:s}", "client", WEFT_VERSION, "daemon", daemon);
	if (!value)
		return wf_fail(err, -ENOMEM, "out of memory");
	return wf_cli_print(cli, &view, value, err);
}

static int config_show(struct wf_cli *cli, struct wf_err *err)
{
	static const struct wf_cli_view view = { .shape = WF_CLI_YAML };
	_cleanup_json_ json_t *answer = NULL;
	int r = wf_cli_call(cli, "GET", "/v1/config", NULL, &answer, err);

	return r < 0 ? r : wf_cli_print(cli, &view, answer, err);
}

static const struct wf_cli_column reload_columns[] = {
	{ .header = "Changed", .path = "changed" },
	{ .header = "Need a restart", .path = "needRestart" },
	{ .header = NULL },
};

static int reload(struct wf_cli *cli, struct wf_err *err)
{
	static const struct wf_cli_view view = { .shape = WF_CLI_FIELDS,
						 .columns = reload_columns };
	_cleanup_json_ json_t *answer = NULL;
	int r = wf_cli_call(cli, "POST", "/v1/reload", NULL, &answer, err);

	return r < 0 ? r : wf_cli_print(cli, &view, answer, err);
}

const struct wf_cli_command wf_cli_daemon_commands[] = {
	{ .name = "status",
	  .run = status,
	  .summary = "show how the daemon is doing",
	  .examples = "weft status\n"
		      "weft status -o json" },
	{ .name = "version", .run = version, .summary = "show the versions of weft and weftd" },
	{ .name = "config show",
	  .run = config_show,
	  .summary = "show the options that the daemon runs with",
	  .description = "The output has the form of the daemon's configuration file." },
	{ .name = "reload",
	  .run = reload,
	  .summary = "make the daemon read its configuration file again",
	  .description = "Shows what has changed, and which changes wait for a restart." },
	{ .name = "completion",
	  .args = "SHELL",
	  .min_args = 1,
	  .max_args = 1,
	  .complete = "shell",
	  .run = wf_cli_run_completion,
	  .summary = "print a completion script for bash, zsh or fish",
	  .examples = "# bash: in ~/.bashrc\n"
		      "source <(weft completion bash)\n"
		      "# zsh: a directory of fpath\n"
		      "weft completion zsh > ~/.zfunc/_weft\n"
		      "# fish\n"
		      "weft completion fish > ~/.config/fish/completions/weft.fish" },
	{ .name = "help",
	  .args = "[COMMAND]",
	  .max_args = 2,
	  .complete = "command",
	  .run = wf_cli_run_help,
	  .summary = "explain a command",
	  .examples = "weft help network create" },
	{ .name = "man",
	  .args = "PAGE",
	  .min_args = 1,
	  .max_args = 1,
	  .run = wf_cli_run_man,
	  .summary = "print a man page in troff",
	  .hidden = true },
	{ .name = "complete",
	  .args = "-- WORD...",
	  .max_args = SIZE_MAX,
	  .run = wf_cli_run_complete,
	  .summary = "print what the last word may become, for completion scripts",
	  .hidden = true },
	{ .name = NULL },
};
