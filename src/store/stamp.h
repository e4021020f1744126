/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the store itself writes into metadata: uid, resourceVersion, creationTimestamp. Used by
 * the back ends; pure but for the randomness of a new uid.
 */
#ifndef WEFT_STORE_STAMP_H
#define WEFT_STORE_STAMP_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define WF_STAMP_KEYS 3

#define WF_STAMP_UID_BYTES 37

/* A stamp that was put on a document and may have to come off again. Zero: none. */
struct wf_stamp {
	json_t *document;           /* borrowed */
	json_t *old[WF_STAMP_KEYS]; /* owned; what was there, NULL when nothing */
	int applied;                /* keys that were set */
	bool made_metadata;         /* the document had none */
};

/* A random (version 4) UUID. 0 or negative errno. */
int wf_stamp_uid(char ret_uid[WF_STAMP_UID_BYTES]);

/* Whether two documents are equal in everything that the store does not set itself. */
bool wf_stamp_equal(const json_t *a, const json_t *b);

/* Makes the resourceVersion say that revision, if it does not already. 0 or -ENOMEM. */
int wf_stamp_version(json_t *document, uint64_t revision);

/*
 * Sets the three members. On -ENOMEM the document is as before. Otherwise the stamp must be
 * ended by exactly one of wf_stamp_keep() and wf_stamp_undo(); neither allocates.
 */
int wf_stamp_put(struct wf_stamp *stamp, json_t *document, const char *uid, uint64_t revision,
		 const char *created);
void wf_stamp_keep(struct wf_stamp *stamp);
void wf_stamp_undo(struct wf_stamp *stamp);

#endif
