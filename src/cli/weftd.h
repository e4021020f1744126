/* SPDX-License-Identifier: Apache-2.0 */
/* Modes of weftd's own program, which weft becomes: they need its knowledge, and no daemon. */
#ifndef WEFT_CLI_WEFTD_H
#define WEFT_CLI_WEFTD_H

#include "cli/cli.h"

/* Room for every option with its value, the mode, and the end. */
#define WF_CLI_MAX_WORDS 24

/* A command line; the words are borrowed. */
struct wf_cli_words {
	const char *items[WF_CLI_MAX_WORDS];
	size_t count;
};

/* Adds an option and its value, unless the value is NULL. */
void wf_cli_add_word(struct wf_cli_words *words, const char *name, const char *value);

/* Becomes that program; returns only when it cannot be run. */
int wf_cli_become_weftd(const struct wf_cli_words *words, struct wf_err *err);

#endif
