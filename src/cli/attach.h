/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of the attach request that have a file of their own. Pure. */
#ifndef WEFT_CLI_ATTACH_H
#define WEFT_CLI_ATTACH_H

#include <jansson.h>

#include "base/err.h"
#include "base/option.h"

/* Sets "publish" from texts such as "8080:80/tcp"; nothing when there are none. */
int wf_cli_attach_publish(json_t *body, const struct wf_option_list *texts, struct wf_err *err);

/* Sets "ports" from texts such as "http=8080/tcp"; nothing when there are none. */
int wf_cli_attach_ports(json_t *body, const struct wf_option_list *texts, struct wf_err *err);

#endif
