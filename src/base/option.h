/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options from one typed table per struct: the command line, the YAML configuration file,
 * --help, the man page, shell completion, a JSON schema and 'weft config show' all derive from
 * it. Adding an option touches two places: the struct and its table.
 */
#ifndef WEFT_BASE_OPTION_H
#define WEFT_BASE_OPTION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum wf_option_type {
	WF_OPTION_BOOL,     /* bool; --name, --name=false, --no-name */
	WF_OPTION_STRING,   /* char *, owned by the struct, NULL when unset */
	WF_OPTION_U64,      /* uint64_t within [min, max] */
	WF_OPTION_DURATION, /* uint64_t milliseconds within [min, max]; "10s", "500ms" */
	WF_OPTION_LIST,   /* struct wf_option_list; may be repeated, or split by commas in a file */
	WF_OPTION_CHOICE, /* char *, one of choices */
	WF_OPTION_TYPE_COUNT,
};

/* Value of a repeatable option. */
struct wf_option_list {
	char **items; /* owned */
	size_t count;
	size_t capacity;
};

struct wf_option {
	const char *name;           /* long name without dashes: "run-dir"; in a file "runDir" */
	size_t offset;              /* of the member in the struct */
	const char *fallback;       /* default as the user would write it, NULL for none */
	uint64_t min, max;          /* numbers and durations; 0, 0: unbounded */
	const char *const *choices; /* NULL-terminated, for CHOICE */
	const char *value;          /* what --help calls the value: "DIR" */
	const char *help;           /* one sentence without full stop */
	const char *complete; /* what completion offers: "file", "dir", "network", "endpoint" */
	int (*check)(const char *text, struct wf_err *err); /* further check, may be NULL */
	enum wf_option_type type;
	char letter;     /* short name, 0 for none */
	bool reloadable; /* a changed file applies without restart */
};

/* A table ends with an entry whose name is NULL. */
#define WF_OPTION_END        \
	{                    \
		.name = NULL \
	}

/* Sets every member to its default. The struct must be zeroed. 0 or -ENOMEM. */
int wf_option_defaults(const struct wf_option *table, void *target, struct wf_err *err);

/* Frees owned members and zeroes them. */
void wf_option_done(const struct wf_option *table, void *target);

/* Sets one member from text. -EINVAL or -ERANGE with the option, the text and what is right. */
int wf_option_set(const struct wf_option *option, void *target, const char *text,
		  struct wf_err *err);

/*
 * Parses argv[1..]: long and short options anywhere, "--" ends them. Positional arguments are
 * gathered in *ret_args (array owned by the caller, strings borrowed from argv). Unknown options
 * fail with the nearest known name. "--help" sets *ret_help instead of failing. -EINVAL is
 * wrong usage.
 */
int wf_option_parse(const struct wf_option *table, void *target, int argc, char **argv,
		    char ***ret_args, size_t *ret_count, bool *ret_help, struct wf_err *err);

/*
 * Applies a configuration file (YAML mapping already turned into JSON): keys are the camelCase
 * names. Unknown keys fail with the nearest known one; nothing is applied unless all is right.
 */
int wf_option_load(const struct wf_option *table, void *target, const json_t *file,
		   struct wf_err *err);

/* "runDir" for "run-dir"; buf has 64 bytes; returns buf. */
char *wf_option_file_name(const struct wf_option *option, char *buf);

/* Appends the rows of --help, aligned. */
void wf_option_help(const struct wf_option *table, struct wf_str *out);

/* The current values, keyed by file name. New reference; NULL when out of memory. */
json_t *wf_option_show(const struct wf_option *table, const void *target);

/* JSON schema of the file's mapping. New reference. */
json_t *wf_option_schema(const struct wf_option *table);

/* Appends the option rows of a man page (troff man macros). */
void wf_option_man(const struct wf_option *table, struct wf_str *out);

/* Appends text escaped for troff: nothing in it is taken for a request. */
void wf_option_man_text(const char *text, struct wf_str *out);

/* The option with this long name, or file name; NULL when there is none. */
const struct wf_option *wf_option_find(const struct wf_option *table, const char *name);

/*
 * The name of a table nearest to a misspelt one, NULL when none is near. file: compare and return
 * file names, in buf (64 bytes); otherwise long names.
 */
const char *wf_option_nearest(const struct wf_option *table, const char *name, bool file,
			      char *buf);

/* Whether two words are near enough for "did you mean". */
bool wf_option_is_near(const char *a, const char *b);

#endif
