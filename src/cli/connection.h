/* SPDX-License-Identifier: Apache-2.0 */
/* One translated connection as a row for people. Pure. */
#ifndef WEFT_CLI_CONNECTION_H
#define WEFT_CLI_CONNECTION_H

#include "cli/output.h"

extern const struct wf_cli_column wf_cli_connection_columns[];

#endif
