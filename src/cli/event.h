/* SPDX-License-Identifier: Apache-2.0 */
/* One event of /v1/observe as a line for people. Pure. */
#ifndef WEFT_CLI_EVENT_H
#define WEFT_CLI_EVENT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/str.h"

/* Appends the line without its end; names and texts are escaped for terminals. */
void wf_cli_event_add(const json_t *event, bool color, struct wf_str *out);

#endif
