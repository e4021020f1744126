/* SPDX-License-Identifier: Apache-2.0 */
/* main() of weft: finds the command in the table, parses its options, runs it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/option.h"
#include "base/str.h"
#include "cli/cli.h"

/* What the command line asks for. */
struct request {
	const char *group; /* first word when it names a group and the second is missing */
	const struct wf_cli_command *command;
	char **argv; /* owned; without the command's words; strings borrowed */
	int argc;
};

/* Whether this argument is a global option whose value is the next argument. */
static bool takes_next(const char *text)
{
	const struct wf_option *option = wf_cli_global_options;

	for (; option->name; option++) {
		bool named = strncmp(text, "--", 2) == 0 && strcmp(text + 2, option->name) == 0;
		bool lettered =
			option->letter && text[0] == '-' && text[1] == option->letter && !text[2];

		if (named || lettered)
			return option->type != WF_OPTION_BOOL;
	}
	return false;
}

/* Index of the next argument that is no option and no value of one; argc when there is none. */
static int next_word(int argc, char **argv, int from)
{
	for (int i = from; i < argc; i++) {
		if (strcmp(argv[i], "--") == 0)
			return argc;
		if (argv[i][0] != '-' || !argv[i][1])
			return i;
		if (takes_next(argv[i]))
			i++;
	}
	return argc;
}

static int unknown(const char *group, const char *word, struct wf_err *err)
{
	const char *near = wf_cli_nearest(group, word);
	const char *space = group ? " " : "";

	group = group ? group : "";
	if (near)
		return wf_fail(err, -EINVAL,
			       "unknown command '%s%s%s'; did you mean 'weft %s%s%.*s'?", group,
			       space, word, group, space, (int)strcspn(near, " "), near);
	return wf_fail(err, -EINVAL,
		       "unknown command '%s%s%s'; 'weft %s%s--help' lists the known ones", group,
		       space, word, group, space);
}

/* Finds the command's row and takes its words out of argv. */
static int find_command(int argc, char **argv, struct request *request, struct wf_err *err)
{
	int first = next_word(argc, argv, 1), second;
	char name[64];

	if (first == argc)
		return 0;
	request->command = wf_cli_find(argv[first]);
	second = request->command ? argc : next_word(argc, argv, first + 1);
	if (!request->command) {
		if (!wf_cli_is_group(argv[first]))
			return unknown(NULL, argv[first], err);
		request->group = argv[first];
		if (second == argc)
			return 0;
		(void)snprintf(name, sizeof(name), "%s %s", argv[first], argv[second]);
		request->command = wf_cli_find(name);
		if (!request->command)
			return unknown(request->group, argv[second], err);
	}
	request->argv = calloc((size_t)argc + 1, sizeof(*request->argv));
	if (!request->argv)
		return wf_fail(err, -ENOMEM, "out of memory");
	for (int i = 0; i < argc; i++)
		if (i != first && i != second)
			request->argv[request->argc++] = argv[i];
	return 0;
}

static bool has_word(int argc, char **argv, const char *word, const char *letter)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], word) == 0 || (letter && strcmp(argv[i], letter) == 0))
			return true;
	return false;
}

/* No command, or a group without one. */
static int without_command(int argc, char **argv, const char *group)
{
	_cleanup_str_ struct wf_str help = WF_STR_INIT;
	bool asked = has_word(argc, argv, "--help", "-h");

	if (!group && has_word(argc, argv, "--version", NULL)) {
		(void)printf("weft %s\n", WEFT_VERSION);
		return WF_CLI_DONE;
	}
	wf_cli_help_group(group, &help);
	(void)fputs(wf_str_text(&help), asked ? stdout : stderr);
	return asked ? WF_CLI_DONE : WF_CLI_USAGE;
}

static int check_arguments(struct wf_cli *cli, struct wf_err *err)
{
	const struct wf_cli_command *command = cli->command;

	if (cli->count >= command->min_args && cli->count <= command->max_args)
		return 0;
	if (cli->count > command->max_args)
		return wf_cli_misuse(cli, err, "'%s' is one argument too many for 'weft %s%s%s'",
				     cli->args[command->max_args], command->name,
				     command->args ? " " : "", command->args ? command->args : "");
	return wf_cli_misuse(cli, err, "'weft %s' needs %s; see 'weft %s --help'", command->name,
			     command->args, command->name);
}

static int print_help(const struct wf_cli_command *command)
{
	_cleanup_str_ struct wf_str help = WF_STR_INIT;

	wf_cli_help(command, &help);
	return fputs(wf_str_text(&help), stdout) < 0 ? -EIO : 0;
}

static int run(struct wf_cli *cli, const struct request *request, const struct wf_option *table,
	       struct wf_err *err)
{
	const char *socket = getenv("WEFT_SOCKET");
	bool help = false;
	int r = wf_option_defaults(table, cli->options, err);

	if (r == 0 && socket && *socket)
		r = wf_option_set(&wf_cli_global_options[0], cli->options, socket, err);
	if (r == 0) {
		cli->usage = true;
		r = wf_option_parse(table, cli->options, request->argc, request->argv, &cli->args,
				    &cli->count, &help, err);
	}
	if (r < 0)
		return r;
	cli->usage = false;
	if (help)
		return print_help(request->command);
	r = check_arguments(cli, err);
	return r < 0 ? r : request->command->run(cli, err);
}

/* Runs the command that was found; returns the exit status. */
static int run_request(const struct request *request)
{
	struct wf_cli cli = { .command = request->command };
	struct wf_err err = WF_ERR_INIT;
	_cleanup_free_ struct wf_option *table = wf_cli_join_options(request->command);
	size_t bytes = request->command->options_bytes;
	_cleanup_free_ void *options = calloc(1, bytes ? bytes : sizeof(struct wf_cli_global));
	int r = -ENOMEM;

	cli.options = options;
	if (table && options)
		r = run(&cli, request, table, &err);
	else
		wf_err_set(&err, r, "out of memory");
	if (r < 0)
		wf_cli_report(&cli, NULL, &err);
	if (table && options)
		wf_option_done(table, options);
	free(cli.args);
	return cli.failed;
}

int main(int argc, char **argv)
{
	struct request request = { 0 };
	struct wf_err err = WF_ERR_INIT;
	struct wf_cli cli = { .usage = true };
	int status;

	if (find_command(argc, argv, &request, &err) < 0) {
		wf_cli_report(&cli, NULL, &err);
		return WF_CLI_USAGE;
	}
	if (request.command)
		status = run_request(&request);
	else
		status = without_command(argc, argv, request.group);
	free(request.argv);
	return status;
}
