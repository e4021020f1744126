/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one writer: a command hands it a JSON value and a view, and the user's -o decides what
 * becomes of it. Everything that reaches a terminal as a table is escaped.
 */
#ifndef WEFT_CLI_OUTPUT_H
#define WEFT_CLI_OUTPUT_H

#include "base/str.h"
#include "cli/cli.h"

struct wf_cli_column {
	const char *header;
	const char *path; /* "spec.subnets[].cidr"; lists are joined with commas */
	bool wide;        /* only with -o wide */
	void (*format)(const json_t *item, struct wf_str *out); /* instead of path */
};

/* Of status.conditions. */
extern const struct wf_cli_column wf_cli_condition_columns[];

enum wf_cli_shape {
	WF_CLI_TABLE,  /* a row per item */
	WF_CLI_FIELDS, /* a line per column: "Header:  value" */
	WF_CLI_LINES,  /* the columns of an item with a space between them, no header */
	WF_CLI_JSON,   /* JSON unless -o says otherwise */
	WF_CLI_YAML,   /* YAML unless -o says otherwise */
};

struct wf_cli_view {
	enum wf_cli_shape shape;
	const char *items; /* member with the list of items; NULL: the value is the one item */
	const char *name;  /* path of what -o name prints */
	const struct wf_cli_column *columns; /* ends with header NULL; NULL: only JSON and YAML */
	bool documents; /* the items are documents: lists are written so that apply takes them */
};

/* Writes value (borrowed) to standard output. */
int wf_cli_print(struct wf_cli *cli, const struct wf_cli_view *view, const json_t *value,
		 struct wf_err *err);

/*
 * For NAME... arguments: `one` appends what it found of each to an array. Failures are reported and
 * the rest is still shown: one object as itself, several as a list. view->items is ignored.
 */
int wf_cli_print_each(struct wf_cli *cli, const struct wf_cli_view *view,
		      int (*one)(struct wf_cli *cli, const char *arg, json_t *items,
				 struct wf_err *err),
		      struct wf_err *err);

/* Appends a table, or a line per column, of an array of items; for texts made of several. */
int wf_cli_add_table(const struct wf_cli_column *columns, const json_t *items, bool wide,
		     struct wf_str *out);
void wf_cli_add_fields(const struct wf_cli_column *columns, const json_t *items, bool wide,
		       struct wf_str *out);

/* Appends the value at a path, escaped; nothing when it is not there. */
void wf_cli_add_path(const json_t *value, const char *path, struct wf_str *out);

/* Column formats: the time since metadata.creationTimestamp as "5m". */
void wf_cli_format_age(const json_t *item, struct wf_str *out);

/* What was done to an object of "results": its action, with " (dry run)" when marked as one. */
void wf_cli_format_action(const json_t *item, struct wf_str *out);

/* Marks the results of an answer as those of a dry run. */
void wf_cli_mark_dry_run(json_t *answer);

/* Whether colours go to this stream (1 or 2). */
bool wf_cli_has_color(const struct wf_cli *cli, int fd);

#endif
