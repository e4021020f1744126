/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of json: the reader that is tried first. */
#ifndef WEFT_BASE_JSON_PRIV_H
#define WEFT_BASE_JSON_PRIV_H

#include "base/json.h"

/*
 * A new reference to what a text says; NULL: it is not plain, not JSON, of more than max_nodes values,
 * or there was no memory.
 */
json_t *wf_json_read_plain(const char *text, size_t len, size_t max_nodes);

#endif
