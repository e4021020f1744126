/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of a store: the table of operations that a back end provides, and the delivery of
 * changes that all of them share. A back end embeds struct wf_store as its first member, keeps
 * `revision` true, and hands every committed transaction to wf_watch_deliver().
 */
#ifndef WEFT_STORE_STORE_PRIV_H
#define WEFT_STORE_STORE_PRIV_H

#include <stddef.h>

#include "store/store.h"

/* One committed transaction on its way to the watchers. Events own what they point to. */
struct wf_store_batch {
	uint64_t revision;
	struct wf_store_batch *next;
	size_t count;
	size_t capacity;
	struct wf_store_event events[];
};

struct wf_store_prepared;

/* What a back end does. Contracts are those of store.h; arguments were checked. */
struct wf_store_ops {
	void (*close)(struct wf_store *store); /* frees the back end, `store` included */
	int (*get)(struct wf_store *store, const char *kind, const char *name,
		   json_t **ret_document, struct wf_err *err);
	int (*list)(struct wf_store *store, const char *kind, json_t **ret_array,
		    uint64_t *ret_revision, struct wf_err *err);
	int (*count)(struct wf_store *store, const char *kind, size_t *ret_count,
		     struct wf_err *err);
	/* take: may be NULL */
	int (*visit)(struct wf_store *store, const char *kind, wf_store_text_fn take,
		     wf_store_visit_fn visit, void *context, struct wf_err *err);
	int (*commit)(struct wf_store *store, const struct wf_store_write *writes, size_t count,
		      enum wf_store_durability durability, uint64_t *ret_revision,
		      struct wf_err *err);
	/* Of remote stores, both or neither. begin: what is on its way, NULL when nothing is */
	void *(*commit_begin)(struct wf_store *store, const struct wf_store_write *writes,
			      size_t count);
	int (*commit_end)(struct wf_store *store, void *sent, uint64_t *ret_revision,
			  struct wf_err *err);
	/*
	 * Of transactions that are made ready in parts; all or none. add makes a write ready, write writes
	 * up to `most` of them (1: there are more, 0: none), commit commits what is ready, drop takes away
	 * up to `most` of what was written (true: there is more), end frees what add has made, and undoes it
	 * unless it was committed.
	 */
	int (*stage_add)(struct wf_store_stage *stage, struct wf_store_prepared *prepared,
			 struct wf_err *err);
	int (*stage_write)(struct wf_store_stage *stage, size_t most, struct wf_err *err);
	int (*stage_commit)(struct wf_store_stage *stage, enum wf_store_durability durability,
			    uint64_t *ret_revision, struct wf_err *err);
	bool (*stage_drop)(struct wf_store_stage *stage, size_t most);
	void (*stage_end)(struct wf_store_prepared *prepared, bool committed);
	/*
	 * The changes of a kind (NULL: every) in the first transaction after `after` that has
	 * any; *ret_batch is NULL when there is none. -ESTALE: compacted away.
	 */
	int (*history)(struct wf_store *store, const char *kind, uint64_t after,
		       struct wf_store_batch **ret_batch, struct wf_err *err);
	int (*compact)(struct wf_store *store, uint64_t before, struct wf_err *err);
	/* Both or neither. */
	void (*on_backlog)(struct wf_store *store, wf_store_backlog_fn backlog, void *context);
	void (*tidy)(struct wf_store *store);
	int (*lease_grant)(struct wf_store *store, uint64_t ttl_ms, uint64_t *ret_lease,
			   struct wf_err *err);
	/* Of stores on this host, where nothing waits; NULL: lease_renew_later() is there. */
	int (*lease_renew)(struct wf_store *store, uint64_t lease, struct wf_err *err);
	int (*lease_revoke)(struct wf_store *store, uint64_t lease, struct wf_err *err);
	int (*lease_expire)(struct wf_store *store, uint64_t *ret_next_ms, struct wf_err *err);
	/* Fills in what it has to say. */
	void (*state)(const struct wf_store *store, struct wf_store_state *ret_state);
	/* Of remote stores only: NULL on this host. */
	void (*lease_renew_later)(struct wf_store *store, uint64_t lease, wf_store_done_fn done,
				  void *context);
	int (*fd)(const struct wf_store *store);
	void (*process)(struct wf_store *store);
	int (*accept)(struct wf_store *store, struct wf_err *err);
};

struct wf_watcher;

/* Writes of one transaction: a whole file of documents, several times over. */
#define WF_STORE_MAX_WRITES 262144

/* Whether a write is one that can be read again; names its object otherwise. */
int wf_store_check_write(const struct wf_store_write *write, struct wf_err *err);

struct wf_store {
	const struct wf_store_ops *ops;
	char *description;           /* owned */
	uint64_t revision;           /* of the last committed transaction */
	struct wf_watcher *watchers; /* owned list, in order of their ids */
	uint64_t last_watch_id;
	struct wf_store_batch *queue; /* owned; committed, not yet delivered */
	struct wf_store_batch **queue_end;
	struct wf_store_stage *stages; /* list of those under way; their owners' */
	unsigned int calling;          /* watch callbacks on the stack */
};

/* Prepares an embedded store; describe is printf-like. -ENOMEM. */
int wf_store_init(struct wf_store *store, const struct wf_store_ops *ops, const char *describe, ...)
	__attribute__((format(printf, 3, 4)));
void wf_store_done(struct wf_store *store);

/* Whether anybody watches a kind: a batch needs only what somebody will see. */
bool wf_watch_wants(const struct wf_store *store, const char *kind);

/* A batch with room for `capacity` events; NULL when out of memory. */
struct wf_store_batch *wf_watch_batch_new(size_t capacity);
void wf_watch_batch_free(struct wf_store_batch **batch);

/* Adds an event with copies of its names; document (NULL: DELETE) is stolen, also on failure. */
int wf_watch_batch_add(struct wf_store_batch *batch, const char *kind, const char *name,
		       json_t *document);

/*
 * Takes a committed transaction (its revision set) and calls the watchers, or leaves that to the
 * call further up the stack when a callback committed it. Cannot fail.
 */
void wf_watch_deliver(struct wf_store *store, struct wf_store_batch *batch);

/* The revisions begin anew, below what watchers have seen: they see all that comes from now on. */
void wf_watch_rewind(struct wf_store *store);

#endif
