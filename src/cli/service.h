/* SPDX-License-Identifier: Apache-2.0 */
/* Services for people: the row of a list, and the text of `weft service inspect`. Pure. */
#ifndef WEFT_CLI_SERVICE_H
#define WEFT_CLI_SERVICE_H

#include "cli/output.h"

/* Of Service documents; what stands in status.weft is "-" where that is not there. */
extern const struct wf_cli_column wf_cli_service_columns[];

/*
 * Column format: the whole of a service with its conditions, and per port frontends and backends.
 * Several lines, without the end of the last one.
 */
void wf_cli_service_add(const json_t *service, struct wf_str *out);

#endif
