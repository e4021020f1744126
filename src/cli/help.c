/* SPDX-License-Identifier: Apache-2.0 */
/* --help and the man pages, from the table of commands. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cli/cli.h"

void wf_cli_add_usage(const struct wf_cli_command *command, struct wf_str *out)
{
	wf_str_addf(out, "weft %s [OPTIONS]", command->name);
	if (command->args)
		wf_str_addf(out, " %s", command->args);
}

/* Appends prose, broken at 80 columns. */
static void add_prose(const char *text, struct wf_str *out)
{
	size_t column = 0;

	while (*text) {
		size_t len = strcspn(text, " \n");

		if (column && column + 1 + len > 80) {
			wf_str_add(out, "\n");
			column = 0;
		}
		if (column)
			wf_str_add(out, " ");
		wf_str_add_bytes(out, text, len);
		column += len + (column != 0);
		text += len;
		for (; *text == ' ' || *text == '\n'; text++) {
			if (*text != '\n')
				continue;
			wf_str_add(out, "\n");
			column = 0;
		}
	}
	wf_str_add(out, "\n");
}

static void add_indented(const char *lines, struct wf_str *out)
{
	while (*lines) {
		size_t len = strcspn(lines, "\n");

		wf_str_add(out, "  ");
		wf_str_add_bytes(out, lines, len);
		wf_str_add(out, "\n");
		lines += len + (lines[len] == '\n');
	}
}

static void add_sentence(const char *text, struct wf_str *out)
{
	wf_str_addf(out, "%c%s.\n", text[0] >= 'a' && text[0] <= 'z' ? text[0] - 32 : text[0],
		    text + 1);
}

void wf_cli_help(const struct wf_cli_command *command, struct wf_str *out)
{
	wf_str_add(out, "Usage: ");
	wf_cli_add_usage(command, out);
	wf_str_add(out, "\n\n");
	add_sentence(command->summary, out);
	if (command->description) {
		wf_str_add(out, "\n");
		add_prose(command->description, out);
	}
	if (command->options) {
		wf_str_add(out, "\nOptions:\n");
		wf_option_help(command->options, out);
	}
	wf_str_add(out, "\nGlobal options:\n");
	wf_option_help(wf_cli_global_options, out);
	if (command->examples) {
		wf_str_add(out, "\nExamples:\n");
		add_indented(command->examples, out);
	}
}

/* Where the list of commands is written, and of which. */
struct listing {
	const char *group;
	struct wf_str *out;
};

static bool add_row(const struct wf_cli_command *command, void *context)
{
	struct listing *listing = context;
	size_t len = listing->group ? strlen(listing->group) : 0;
	bool wanted = !listing->group || (strncmp(command->name, listing->group, len) == 0 &&
					  command->name[len] == ' ');

	if (wanted && !command->hidden)
		wf_str_addf(listing->out, "  %-20s%s\n", command->name, command->summary);
	return true;
}

void wf_cli_help_group(const char *group, struct wf_str *out)
{
	struct listing listing = { .group = group, .out = out };

	wf_str_addf(out, "Usage: weft %s%s [OPTIONS]\n\n", group ? group : "COMMAND",
		    group ? " COMMAND" : "");
	if (!group)
		wf_str_add(out, "Container networks on this host.\n\n");
	wf_str_add(out, "Commands:\n");
	wf_cli_each(add_row, &listing);
	wf_str_add(out, "\nGlobal options:\n");
	wf_option_help(wf_cli_global_options, out);
	wf_str_add(out, "\n'weft COMMAND --help' tells more about one command.\n");
}

/* Paragraphs for troff. */
static void add_man_prose(const char *text, struct wf_str *out)
{
	const char *end;

	for (; (end = strstr(text, "\n\n")) != NULL; text = end + 2) {
		_cleanup_free_ char *paragraph = strndup(text, (size_t)(end - text));

		wf_option_man_text(paragraph ? paragraph : "", out);
		wf_str_add(out, "\n.PP\n");
	}
	wf_option_man_text(text, out);
	wf_str_add(out, "\n");
}

static void add_man_command(const struct wf_cli_command *command, struct wf_str *out)
{
	_cleanup_str_ struct wf_str usage = WF_STR_INIT;

	if (command->hidden)
		return;
	wf_cli_add_usage(command, &usage);
	wf_str_add(out, ".SS ");
	wf_option_man_text(wf_str_text(&usage), out);
	wf_str_add(out, "\n");
	usage.len = 0;
	add_sentence(command->summary, &usage);
	wf_option_man_text(wf_str_text(&usage), out);
	if (command->description) {
		wf_str_add(out, ".PP\n");
		add_man_prose(command->description, out);
	}
	if (command->options)
		wf_option_man(command->options, out);
	if (command->examples) {
		wf_str_add(out, ".PP\nExamples:\n.PP\n.RS 4\n.nf\n");
		wf_option_man_text(command->examples, out);
		wf_str_add(out, "\n.fi\n.RE\n");
	}
	out->failed |= usage.failed;
}

static void add_man_end(const struct wf_cli_page *page, struct wf_str *out)
{
	wf_str_add(out, ".SH EXIT STATUS\n"
			".TP\n\\fB0\\fR\nDone.\n"
			".TP\n\\fB1\\fR\nRefused or failed; the reason is on standard error.\n"
			".TP\n\\fB2\\fR\nWrong usage.\n"
			".TP\n\\fB3\\fR\nThe daemon is not reachable.\n"
			".SH ENVIRONMENT\n"
			".TP\n\\fBWEFT_SOCKET\\fR\nPath of the daemon\\(aqs socket, unless "
			"\\fB\\-\\-socket\\fR is given.\n"
			".TP\n\\fBNO_COLOR\\fR\nNo colours when set and not empty.\n"
			".SH FILES\n"
			".TP\n\\fI/run/weft/weft.sock\\fR\nThe daemon\\(aqs socket.\n"
			".SH SEE ALSO\n");
	for (const struct wf_cli_page *other = wf_cli_pages; other->name; other++) {
		if (other == page)
			continue;
		wf_str_add(out, ".BR ");
		wf_option_man_text(other->name, out);
		wf_str_addf(out, " (%d),\n", other->section);
	}
	wf_str_add(out, ".BR weft.yaml (5),\n.BR weftd (8)\n");
}

static void add_man_list(struct wf_str *out)
{
	for (const struct wf_cli_page *page = wf_cli_pages + 1; page->name; page++) {
		wf_str_add(out, ".TP\n.BR ");
		wf_option_man_text(page->name, out);
		wf_str_addf(out, " (%d)\n", page->section);
		wf_option_man_text(page->summary, out);
		wf_str_add(out, "\n");
	}
}

void wf_cli_man(const struct wf_cli_page *page, struct wf_str *out)
{
	wf_str_add(out, ".TH ");
	for (const char *at = page->name; *at; at++)
		wf_str_addf(out, "%s%c", *at == '-' ? "\\" : "",
			    *at >= 'a' && *at <= 'z' ? *at - 32 : *at);
	wf_str_addf(out, " %d \"\" \"weft %s\" \"weft\"\n.nh\n.ad l\n.SH NAME\n", page->section,
		    WEFT_VERSION);
	wf_option_man_text(page->name, out);
	wf_str_add(out, " \\- ");
	wf_option_man_text(page->summary, out);
	wf_str_add(out, "\n.SH SYNOPSIS\n.nf\n");
	for (const struct wf_cli_command *command = page->commands; command->name; command++) {
		_cleanup_str_ struct wf_str usage = WF_STR_INIT;

		if (command->hidden)
			continue;
		wf_cli_add_usage(command, &usage);
		wf_option_man_text(wf_str_text(&usage), out);
		wf_str_add(out, "\n");
	}
	wf_str_add(out, ".fi\n.SH DESCRIPTION\n");
	add_man_prose(page->description, out);
	if (page == wf_cli_pages) {
		wf_str_add(out, ".PP\nCommands with a page of their own:\n");
		add_man_list(out);
	}
	wf_str_add(out, ".SH COMMANDS\n");
	for (const struct wf_cli_command *command = page->commands; command->name; command++)
		add_man_command(command, out);
	wf_str_add(out, ".SH GLOBAL OPTIONS\nEvery command takes these options too.\n");
	wf_option_man(wf_cli_global_options, out);
	add_man_end(page, out);
}
