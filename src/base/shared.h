/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A text that several objects hold and none changes: a node's name is in every backend of a slice
 * and in every port that was resolved from it. Not for several threads.
 */
#ifndef WEFT_BASE_SHARED_H
#define WEFT_BASE_SHARED_H

#include <stdint.h>

struct wf_shared {
	uint32_t refs;
	char text[];
};

/* A text with one holder; "" is NULL, which every function takes. -ENOMEM. */
int wf_shared_new(struct wf_shared **ret_shared, const char *text);
/* One more holder. Returns it. */
struct wf_shared *wf_shared_ref(struct wf_shared *shared);
/* One less: the last frees it. Nulls the pointer. */
void wf_shared_unref(struct wf_shared **shared);
/* What it says; "" for NULL. */
const char *wf_shared_text(const struct wf_shared *shared);

#endif
