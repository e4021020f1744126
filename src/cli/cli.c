/* SPDX-License-Identifier: Apache-2.0 */
/* What commands share: calls to the daemon, errors on the way. */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/client.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/output.h"

int wf_cli_call(const struct wf_cli *cli, const char *method, const char *path, const json_t *body,
		json_t **ret_body, struct wf_err *err)
{
	const struct wf_cli_global *global = wf_cli_global(cli);

	return wf_client_call(global->socket, method, path, body, (int)global->timeout_ms, ret_body,
			      err);
}

int wf_cli_call_named(const struct wf_cli *cli, const char *method, const char *path,
		      const char *name, json_t **ret_body, struct wf_err *err)
{
	_cleanup_str_ struct wf_str full = WF_STR_INIT;

	if (!*name)
		return wf_fail(err, -EINVAL, "the name is empty");
	wf_str_add(&full, path);
	wf_client_add_segment(&full, name);
	if (full.failed)
		return wf_fail(err, -ENOMEM, "out of memory");
	return wf_cli_call(cli, method, full.data, NULL, ret_body, err);
}

/* Adds what was fetched; takes it in any case. */
static int append(json_t *items, json_t *object, struct wf_err *err)
{
	return json_array_append_new(items, object) < 0 ? wf_fail(err, -ENOMEM, "out of memory")
							: 0;
}

int wf_cli_fetch(const struct wf_cli *cli, const char *path, json_t *items, struct wf_err *err)
{
	json_t *object = NULL;
	int r = wf_cli_call(cli, "GET", path, NULL, &object, err);

	return r < 0 ? r : append(items, object, err);
}

int wf_cli_fetch_named(const struct wf_cli *cli, const char *path, const char *name, json_t *items,
		       struct wf_err *err)
{
	json_t *object = NULL;
	int r = wf_cli_call_named(cli, "GET", path, name, &object, err);

	return r < 0 ? r : append(items, object, err);
}

static void add_part(struct wf_str *line, const char *part)
{
	if (!part || !*part)
		return;
	wf_str_add_escaped(line, part);
	wf_str_add(line, ": ");
}

/* Messages of documents repeat whom they are about; here that stands in front already. */
static const char *skip_part(const char *message, const char *part)
{
	size_t len = strlen(part);

	if (!len || strncasecmp(message, part, len) != 0 || strncmp(message + len, ": ", 2) != 0)
		return message;
	return message + len + 2;
}

void wf_cli_report(struct wf_cli *cli, const char *where, const struct wf_err *err)
{
	_cleanup_str_ struct wf_str line = WF_STR_INIT;
	bool color = wf_cli_has_color(cli, STDERR_FILENO);

	wf_str_add(&line, color ? "\033[31mweft:\033[0m " : "weft: ");
	add_part(&line, where);
	add_part(&line, err->object);
	add_part(&line, err->field);
	wf_str_add_escaped(&line, skip_part(skip_part(err->message, err->object), err->field));
	wf_str_add(&line, "\n");
	(void)fputs(line.failed ? "weft: out of memory\n" : line.data, stderr);
	if (cli->usage)
		cli->failed = WF_CLI_USAGE;
	else
		cli->failed = err->code == -ECONNREFUSED ? WF_CLI_UNREACHABLE : WF_CLI_FAILED;
}

int wf_cli_each_arg(struct wf_cli *cli, json_t *results,
		    int (*one)(struct wf_cli *cli, const char *arg, json_t *results,
			       struct wf_err *err))
{
	for (size_t i = 0; i < cli->count; i++) {
		struct wf_err err = WF_ERR_INIT;

		if (one(cli, cli->args[i], results, &err) < 0)
			wf_cli_report(cli, NULL, &err);
		if (cli->failed == WF_CLI_UNREACHABLE)
			break;
	}
	return 0;
}
