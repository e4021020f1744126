/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of the endpoint that have files of their own. */
#ifndef WEFT_MODEL_ENDPOINT_PRIV_H
#define WEFT_MODEL_ENDPOINT_PRIV_H

#include "model/endpoint.h"

/* The named ports as wf_endpoint_ports_from_json() reads them. NULL: no memory. */
json_t *wf_endpoint_ports_to_json(const struct wf_endpoint *endpoint);

#endif
