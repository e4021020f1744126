/* SPDX-License-Identifier: Apache-2.0 */
/* One event of /v1/observe as a line for people. Pure. */
#ifndef WEFT_CLI_EVENT_H
#define WEFT_CLI_EVENT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/str.h"

/* Appends one end of a connection, {name, address, port}: "web(10.64.0.5:80)". */
void wf_cli_side_add(const json_t *side, struct wf_str *out);

/* Appends the line without its end; names and texts are escaped for terminals. */
void wf_cli_event_add(const json_t *event, bool color, struct wf_str *out);

#endif
