/* SPDX-License-Identifier: Apache-2.0 */
/* Reading selectors whose keys say where they belong, as Cilium's do. */
#ifndef WEFT_MODEL_SELECTOR_PRIV_H
#define WEFT_MODEL_SELECTOR_PRIV_H

#include "model/selector.h"

/*
 * Whose label a key means: sets *ret_of_namespace and returns the key that the label itself has (a
 * part of text, or a constant). NULL: it is not a key.
 */
typedef const char *wf_selector_key_fn(const char *text, bool *ret_of_namespace);

/* As wf_selector_add_json(), with keys that find tells apart. */
int wf_selector_add_json_keys(struct wf_selector *selector, wf_selector_key_fn *find,
			      const json_t *object, const char *path, struct wf_err *err);

#endif
