/* SPDX-License-Identifier: Apache-2.0 */
/* Names of objects that live in namespaces, as commands take and show them. */
#ifndef WEFT_CLI_NAMESPACE_H
#define WEFT_CLI_NAMESPACE_H

#include "base/option.h"
#include "cli/cli.h"

/* Options of a command whose objects have namespaces; a member of its options struct. */
struct wf_cli_namespace_options {
	char *name; /* NULL: "default" */
	bool all;
};

/* Rows of the option table for a struct wf_cli_namespace_options at this offset. */
#define WF_CLI_NAMESPACE_OPTION(at)                                                                \
	{                                                                                          \
		.name = "namespace", .letter = 'n', .type = WF_OPTION_STRING,                      \
		.offset = (at) + offsetof(struct wf_cli_namespace_options, name),                  \
		.value = "NAMESPACE", .help = "namespace of services and slices; default: default" \
	}
#define WF_CLI_ALL_NAMESPACES_OPTION(at)                                         \
	{                                                                        \
		.name = "all-namespaces", .letter = 'A', .type = WF_OPTION_BOOL, \
		.offset = (at) + offsetof(struct wf_cli_namespace_options, all), \
		.help = "those of every namespace"                               \
	}

/*
 * Appends "NAMESPACE/NAME" for an argument "NAME" or "NAMESPACE/NAME". Wrong usage when argument
 * and option name different ones, or with --all-namespaces.
 */
int wf_cli_namespace_add(struct wf_cli *cli, const struct wf_cli_namespace_options *options,
			 const char *argument, struct wf_str *out, struct wf_err *err);

/* Takes out the items of other namespaces than the options'. */
void wf_cli_namespace_keep(json_t *items, const struct wf_cli_namespace_options *options);

#endif
