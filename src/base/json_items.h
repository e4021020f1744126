/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads {"name": [item, item, ...]} an item at a time, from a text that is shown piece by piece: 100,000
 * items take half a second, and need not be in memory all at once.
 */
#ifndef WEFT_BASE_JSON_ITEMS_H
#define WEFT_BASE_JSON_ITEMS_H

#include "base/json.h"

struct wf_json_items {
	const char *name;             /* of the member; borrowed */
	struct wf_json_bounds bounds; /* of the whole text; nodes: what is left of them */
	size_t count;                 /* items so far */
	int state;
	bool has_found; /* the array */
};

void wf_json_items_init(struct wf_json_items *items, const char *name,
			const struct wf_json_bounds *bounds);

/*
 * The next item: 1 and a new reference, or 0 when the text is at its end. text: from where the last call
 * has ended, *ret_used bytes of which are done with when this returns; is_end: there is no more.
 * -EAGAIN: that is too little, show more. -EILSEQ, -E2BIG and -ENOMEM as wf_json_parse(). At the end
 * has_found tells whether there was such an array; other members are passed over.
 */
int wf_json_items_next(struct wf_json_items *items, const char *text, size_t len, bool is_end,
		       size_t *ret_used, json_t **ret_item, struct wf_err *err);

#endif
