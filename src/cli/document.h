/* SPDX-License-Identifier: Apache-2.0 */
/* What apply, get and delete share. */
#ifndef WEFT_CLI_DOCUMENT_H
#define WEFT_CLI_DOCUMENT_H

#include "cli/cli.h"
#include "cli/namespace.h"
#include "model/document.h"

/* Options of apply and delete. */
struct wf_cli_file_options {
	struct wf_cli_global global;
	struct wf_option_list files;
	struct wf_cli_namespace_options namespace;
	bool dry_run;
	bool ignore_not_found;
	bool force;
	uint64_t confirm_ms; /* 0: what is applied stays */
};

int wf_cli_run_apply(struct wf_cli *cli, struct wf_err *err);
int wf_cli_run_confirm(struct wf_cli *cli, struct wf_err *err);
int wf_cli_run_delete(struct wf_cli *cli, struct wf_err *err);

/*
 * The kind named by the first argument: "networks", "Network", or "network/blue". *ret_first is
 * the index of the first argument that holds a name.
 */
int wf_cli_kind_argument(struct wf_cli *cli, const struct wf_kind **ret_kind, size_t *ret_first,
			 struct wf_err *err);

/* Appends the name that an argument means, without "kind/", with its namespace if it has one. */
int wf_cli_kind_name(struct wf_cli *cli, const struct wf_kind *kind, size_t index,
		     const struct wf_cli_namespace_options *options, struct wf_str *out,
		     struct wf_err *err);

#endif
