/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endpoints while the disk of the embedded store takes nothing. They are not synced one by one, so what
 * the disk had not written by then may be missing when its file system has been mounted anew. The run
 * directory lasts as long as they do: until the next boot.
 */
#ifndef WEFT_WEFTD_KEEP_H
#define WEFT_WEFTD_KEEP_H

#include "store/store.h"
#include "weftd/config.h"

/* Writes down the endpoints of a store that takes no change. A store that is not embedded has no need. */
int weftd_keep(const struct weftd_config *config, struct wf_store *store, struct wf_err *err);

/*
 * Gives a store that was opened the endpoints that were written down, if it is older, and forgets them.
 * Errors of the store, and then nothing is forgotten.
 */
int weftd_keep_restore(const struct weftd_config *config, struct wf_store *store,
		       struct wf_err *err);

/* The disk has taken a change: nothing of what was written down is needed. */
void weftd_keep_forget(const struct weftd_config *config);

/* Whether the state directory's file system takes no change; false also if that cannot be told. */
bool weftd_keep_is_due(const struct weftd_config *config);

#endif
