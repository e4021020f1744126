/* SPDX-License-Identifier: Apache-2.0 */
/* A transaction that is made ready in parts, as the back ends see it; see store.h. */
#ifndef WEFT_STORE_STAGE_PRIV_H
#define WEFT_STORE_STAGE_PRIV_H

#include "base/index.h"
#include "store/stamp.h"
#include "store/store.h"

/* One write of it. */
struct wf_store_prepared {
	struct wf_store_write write; /* what it points to is borrowed */
	struct wf_index_node by_key;
	struct wf_store_prepared *next;
	struct wf_stamp stamp; /* of a back end, like all below */
	char *text;            /* owned; as it will be stored */
	size_t len;
	bool same;      /* it changes nothing */
	bool written;   /* in its row, hidden */
	bool overtaken; /* the document was written since */
};

struct wf_store_stage {
	struct wf_store *store;
	struct wf_store_prepared *first, **end; /* owned, in the order they were added */
	struct wf_index by_key;
	size_t count;
	struct wf_store_prepared *unwritten; /* the next one to be written, once it is in parts */
	bool is_lost;                        /* what was written is not, or not all */
	struct wf_store_stage *next;         /* of the store */
};

/* The hash of a document's key. */
uint64_t wf_store_key_hash(const char *kind, const char *name);
/* The write of a document that is in a stage; NULL: there is none. */
struct wf_store_prepared *wf_store_staged(const struct wf_store_stage *stage, const char *kind,
					  const char *name);

#endif
