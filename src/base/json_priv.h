/* SPDX-License-Identifier: Apache-2.0 */
/* Within the folder: the quick reader of JSON. */
#ifndef WEFT_BASE_JSON_PRIV_H
#define WEFT_BASE_JSON_PRIV_H

#include <jansson.h>
#include <stddef.h>

/*
 * Reads a text as wf_json_parse() does, if it is as plain as what weft and its peers write: ASCII,
 * no \u, no fractions, no numbers of more than 18 digits, short keys, within the limits. NULL for
 * anything else, be it right or wrong or a lack of memory: jansson's reader has the last word.
 */
json_t *wf_json_read_plain(const char *text, size_t len);

#endif
