/* SPDX-License-Identifier: Apache-2.0 */
/* Label selectors of `-l`: "app=web,tier!=db,canary,!old", as kubectl writes them. */
#ifndef WEFT_CLI_SELECTOR_H
#define WEFT_CLI_SELECTOR_H

#include <jansson.h>

#include "base/err.h"

/*
 * Whether an object's labels (JSON object or NULL) match: 1, 0, or -EINVAL when the selector is
 * not one.
 */
int wf_cli_selector_match(const char *selector, const json_t *labels, struct wf_err *err);

#endif
