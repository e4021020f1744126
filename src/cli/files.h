/* SPDX-License-Identifier: Apache-2.0 */
/* Documents from files, as `-f FILE...` of apply and delete names them. */
#ifndef WEFT_CLI_FILES_H
#define WEFT_CLI_FILES_H

#include "cli/cli.h"
#include "model/document.h"

struct wf_cli_file {
	char *path;                    /* owned; "-" is standard input */
	struct wf_documents documents; /* owned */
};

struct wf_cli_files {
	struct wf_cli_file *items; /* owned */
	size_t count;
	size_t capacity;
};

void wf_cli_files_done(struct wf_cli_files *files);

/*
 * Reads and parses all files; a directory stands for its *.yaml, *.yml and *.json. check: also
 * against the schema and the rules of each kind. Every fault is reported; a failure afterwards
 * says how many there were.
 */
int wf_cli_files_read(struct wf_cli *cli, const struct wf_option_list *paths, bool check,
		      struct wf_cli_files *files, struct wf_err *err);

/* "FILE:LINE" of a field in a document; buf as long as the caller likes. Returns buf. */
char *wf_cli_files_where(const struct wf_document *document, const char *field, char *buf,
			 size_t bytes);

/* "network/blue" of a document into the error's object, unless it has one. */
void wf_cli_files_name(const json_t *document, struct wf_err *err);

#endif
