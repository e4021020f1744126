/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Completion: given the words typed so far, prints what the last one may become. Everything
 * comes from the table of commands; names of networks and endpoints from the daemon, if it is
 * there and quick. Never fails and never says anything else: a shell is waiting.
 */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "api/client.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "model/document.h"

#define DAEMON_TIMEOUT_MS 300

/* One request for completion. */
struct completion {
	struct wf_cli *cli;
	struct wf_str out;
	const char *current; /* the word to complete */
	const char *prefix;  /* put in front of every candidate: "--driver=" */
	const char *group;   /* first word of a command, when the second is wanted */
	const struct wf_cli_command *command;
	size_t arguments;                /* positional arguments before the current word */
	const char *kind;                /* first of them */
	const char *offered;             /* name of the command that was offered last */
	const struct wf_option *pending; /* option whose value the current word is */
};

static void add_candidate(struct completion *completion, const char *text, const char *help)
{
	_cleanup_str_ struct wf_str escaped = WF_STR_INIT;

	if (strncmp(text, completion->current, strlen(completion->current)) != 0)
		return;
	wf_str_add_escaped(&escaped, text);
	wf_str_addf(&completion->out, "%s%s\t%s\n", completion->prefix, wf_str_text(&escaped),
		    help);
}

static void add_daemon_names(struct completion *completion, const char *path, const char *help)
{
	_cleanup_json_ json_t *answer = NULL;
	const json_t *item;
	size_t i;

	if (wf_client_call(wf_cli_global(completion->cli)->socket, "GET", path, NULL,
			   DAEMON_TIMEOUT_MS, &answer, NULL) < 0)
		return;
	json_array_foreach(json_object_get(answer, "items"), i, item) {
		const json_t *meta = json_object_get(item, "metadata");
		const char *namespace = wf_json_str(meta, "namespace", "");
		_cleanup_str_ struct wf_str name = WF_STR_INIT;

		wf_str_addf(&name, "%s%s%s", namespace, *namespace ? "/" : "",
			    wf_json_str(meta, "name", ""));
		add_candidate(completion, wf_str_text(&name), help);
	}
}

static void add_namespaces(struct completion *completion)
{
	DIR *directory = opendir("/run/netns");
	const struct dirent *entry;

	while (directory && (entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			add_candidate(completion, entry->d_name, "network namespace");
	if (directory)
		(void)closedir(directory);
	wf_str_add(&completion->out, ":file\n");
}

static void add_kinds(struct completion *completion)
{
	if (completion->arguments) {
		const struct wf_kind *kind = wf_kind_find(completion->kind);
		char path[96];

		if (!kind)
			return;
		(void)snprintf(path, sizeof(path), "/v1/documents/%s", kind->name);
		add_daemon_names(completion, path, kind->name);
		return;
	}
	for (const struct wf_kind *kind = wf_kind_all(); kind->name; kind++)
		add_candidate(completion, kind->plural, "kind of document");
	add_candidate(completion, "kinds", "what documents may hold");
}

static bool add_command(const struct wf_cli_command *command, void *context)
{
	struct completion *completion = context;
	const char *space = strchr(command->name, ' ');
	size_t first = strcspn(command->name, " ");
	char word[32];

	if (command->hidden)
		return true;
	if (completion->group) {
		if (space && strlen(completion->group) == first &&
		    strncmp(completion->group, command->name, first) == 0)
			add_candidate(completion, space + 1, command->summary);
		return true;
	}
	(void)snprintf(word, sizeof(word), "%.*s", (int)first, command->name);
	/* a group is offered once, by the first of its commands */
	if (space && completion->offered && strncmp(completion->offered, word, first) == 0)
		return true;
	completion->offered = command->name;
	add_candidate(completion, word, space ? "more commands" : command->summary);
	return true;
}

/* What an option or argument with this `complete` may be. */
static void add_values(struct completion *completion, const char *what)
{
	static const char *const shells[] = { "bash", "zsh", "fish" };

	if (!what)
		return;
	if (strcmp(what, "file") == 0 || strcmp(what, "dir") == 0)
		wf_str_addf(&completion->out, ":%s\n", what);
	else if (strcmp(what, "network") == 0)
		add_daemon_names(completion, "/v1/networks", "network");
	else if (strcmp(what, "service") == 0)
		add_daemon_names(completion, "/v1/services", "service");
	else if (strcmp(what, "policy") == 0)
		add_daemon_names(completion, "/v1/policies", "policy");
	else if (strcmp(what, "endpoint") == 0)
		add_daemon_names(completion, "/v1/endpoints", "endpoint");
	else if (strcmp(what, "netns") == 0)
		add_namespaces(completion);
	else if (strcmp(what, "kind") == 0)
		add_kinds(completion);
	else if (strcmp(what, "command") == 0)
		wf_cli_each(add_command, completion);
	for (size_t i = 0; strcmp(what, "shell") == 0 && i < WF_ARRAY_LEN(shells); i++)
		add_candidate(completion, shells[i], "shell");
}

static void add_option_values(struct completion *completion, const struct wf_option *option)
{
	for (const char *const *choice = option->choices; choice && *choice; choice++)
		add_candidate(completion, *choice, option->help);
	add_values(completion, option->complete);
}

static void add_options(struct completion *completion, const struct wf_option *table)
{
	char name[80];

	for (; table->name; table++) {
		(void)snprintf(name, sizeof(name), "--%s", table->name);
		add_candidate(completion, name, table->help);
	}
	add_candidate(completion, "--help", "explain the command");
}

/* The option that a word names; *ret_inline is its value after "=", NULL when there is none. */
static const struct wf_option *option_of(const struct wf_option *table, const char *word,
					 const char **ret_inline)
{
	const char *equals = strchr(word, '=');
	size_t len = equals ? (size_t)(equals - word) : strlen(word);

	*ret_inline = equals ? equals + 1 : NULL;
	for (; table->name; table++) {
		if (len > 2 && strncmp(word, "--", 2) == 0 && strlen(table->name) == len - 2 &&
		    strncmp(word + 2, table->name, len - 2) == 0)
			return table;
		if (len == 2 && table->letter && word[0] == '-' && word[1] == table->letter)
			return table;
	}
	return NULL;
}

/* Follows one finished word. */
static void follow(struct completion *completion, const struct wf_option *table, const char *word)
{
	const struct wf_option *option;
	const char *value;

	if (strcmp(word, "=") == 0 && completion->pending)
		return; /* bash makes a word of its own of it */
	if (completion->pending) {
		completion->pending = NULL;
		return;
	}
	if (word[0] == '-' && word[1]) {
		option = option_of(table, word, &value);
		if (option && !value && option->type != WF_OPTION_BOOL)
			completion->pending = option;
		return;
	}
	if (completion->command) {
		if (completion->arguments++ == 0)
			completion->kind = word;
		return;
	}
	if (completion->group) {
		char name[128];

		(void)snprintf(name, sizeof(name), "%s %s", completion->group, word);
		completion->command = wf_cli_find(name);
		return;
	}
	completion->command = wf_cli_find(word);
	if (!completion->command && wf_cli_is_group(word))
		completion->group = word;
}

static const struct wf_cli_command no_command;

static void complete_word(struct completion *completion, const struct wf_option *table)
{
	const char *word = completion->current, *value = NULL;
	const struct wf_option *option;
	_cleanup_free_ char *prefix = NULL;

	if (completion->pending) {
		completion->current = strcmp(word, "=") == 0 ? "" : word;
		add_option_values(completion, completion->pending);
		return;
	}
	option = word[0] == '-' ? option_of(table, word, &value) : NULL;
	if (option && value) {
		prefix = strndup(word, (size_t)(value - word));
		completion->prefix = prefix ? prefix : "";
		completion->current = value;
		add_option_values(completion, option);
		completion->prefix = "";
		return;
	}
	if (word[0] == '-')
		add_options(completion, table);
	else if (!completion->command)
		wf_cli_each(add_command, completion);
	else if (completion->arguments < completion->command->max_args)
		add_values(completion, completion->command->complete);
}

int wf_cli_run_complete(struct wf_cli *cli, struct wf_err *err)
{
	struct completion completion = { .cli = cli, .prefix = "", .current = "" };
	_cleanup_free_ struct wf_option *table = wf_cli_join_options(&no_command);

	(void)err;
	for (size_t i = 0; table && i + 1 < cli->count; i++) {
		const struct wf_cli_command *before = completion.command;

		follow(&completion, table, cli->args[i]);
		if (completion.command == before)
			continue;
		free(table);
		table = wf_cli_join_options(completion.command);
	}
	if (cli->count)
		completion.current = cli->args[cli->count - 1];
	if (table)
		complete_word(&completion, table);
	(void)fputs(wf_str_text(&completion.out), stdout);
	wf_str_done(&completion.out);
	return 0;
}
