/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store on this host: everything that sqlite and mem have in common (compare-and-swap, stamps,
 * "unchanged", the log of changes and its bounds, leases) written once over the few row
 * operations in which they differ. Remote stores do not use this: their server does it.
 */
#ifndef WEFT_STORE_LOCAL_H
#define WEFT_STORE_LOCAL_H

#include "base/clock.h"
#include "store/stage_priv.h"
#include "store/store_priv.h"

/*
 * Bounds of the log of changes; older ones are forgotten by the commits that go beyond. Every start
 * looks at all of it, so it must not be much more than the documents.
 */
#define WF_LOCAL_MAX_CHANGES       1000
#define WF_LOCAL_MAX_HISTORY_BYTES (16U << 20)

/* So many transactions may come while one is written in parts. */
#define WF_LOCAL_HIDDEN_GAP (1U << 20)

/* A document as it is kept. text is borrowed, and gone with the next operation. */
struct wf_local_row {
	const char *kind;
	const char *name;
	const char *text; /* NULL in the log of changes: deleted */
	size_t len;
	uint64_t revision;
	uint64_t lease;
};

/* A place in the log of changes: totals of all changes ever made up to there. */
struct wf_local_mark {
	uint64_t revision;
	uint64_t changes;
	uint64_t bytes;
};

struct wf_local;

/* Returns 0 to go on; any other result ends the walk, which returns it. */
typedef int (*wf_local_row_fn)(const struct wf_local_row *row, void *context, struct wf_err *err);
typedef int (*wf_local_mark_fn)(const struct wf_local_mark *mark, void *context);

/*
 * The row operations. Changing ones are called between begin and end (or undo) only. read, walks
 * and history may be called at any time. read returns 1 when found, 0 when not.
 */
struct wf_local_ops {
	void (*close)(struct wf_local *local); /* frees what the back end has, not `local` */
	int (*begin)(struct wf_local *local, enum wf_store_durability durability,
		     struct wf_err *err);
	int (*end)(struct wf_local *local, struct wf_err *err); /* on failure as undo */
	void (*undo)(struct wf_local *local);
	int (*read)(struct wf_local *local, const char *kind, const char *name,
		    struct wf_local_row *ret_row, struct wf_err *err);
	int (*put)(struct wf_local *local, const struct wf_local_row *row, struct wf_err *err);
	int (*remove)(struct wf_local *local, const char *kind, const char *name,
		      struct wf_err *err);
	int (*count)(struct wf_local *local, const char *kind, size_t *ret_count,
		     struct wf_err *err);
	/* The documents of a kind by name; kind NULL: those of a lease; lease 0: all. */
	int (*walk)(struct wf_local *local, const char *kind, uint64_t lease, wf_local_row_fn visit,
		    void *context, struct wf_err *err);
	/* Appends to the log; mark is the place after it. position counts within a revision. */
	int (*log)(struct wf_local *local, const struct wf_local_row *row, size_t position,
		   const struct wf_local_mark *mark, struct wf_err *err);
	/* The marks of the log from the oldest change on, while visit returns 0. */
	int (*oldest)(struct wf_local *local, wf_local_mark_fn visit, void *context,
		      struct wf_err *err);
	int (*forget)(struct wf_local *local, const struct wf_local_mark *until,
		      struct wf_err *err);
	/* Logged changes of a kind (NULL: every), from the first revision after `after`. */
	int (*history)(struct wf_local *local, const char *kind, uint64_t after,
		       wf_local_row_fn visit, void *context, struct wf_err *err);
	/*
	 * Writing what is not to be seen yet (local_hide.c); all or none. While hidden_revision is set, read,
	 * count and walk leave out rows of that revision and show what was there before. hide_begin and hide
	 * are called in the transaction of a part, show in the one from which on they are seen. unhide takes
	 * up to `most` of them away again, in one: 1, there are more, and *place says where to go on (0: at the
	 * beginning); 0, that was the last. Between its parts the others go on as before, but nothing is hidden.
	 */
	int (*hide_begin)(struct wf_local *local, struct wf_err *err);
	int (*hide)(struct wf_local *local, const struct wf_local_row *row, struct wf_err *err);
	int (*show)(struct wf_local *local, struct wf_err *err);
	int (*unhide)(struct wf_local *local, size_t most, uint64_t *place, struct wf_err *err);
	void (*tidy)(struct wf_local *local); /* NULL: never a backlog */
	int (*lease_new)(struct wf_local *local, uint64_t ttl_ms, uint64_t *ret_lease,
			 struct wf_err *err);
	int (*lease_drop)(struct wf_local *local, uint64_t lease, struct wf_err *err);
};

struct wf_local_lease {
	uint64_t id;
	uint64_t ttl_ms;
	uint64_t due_ms; /* on the clock of now_ms */
};

struct wf_local {
	struct wf_store store; /* first: the same address */
	const struct wf_local_ops *rows;
	struct wf_local_mark newest;    /* the end of the log */
	struct wf_local_mark forgotten; /* the last change that is not in it any more */
	uint64_t max_changes;
	uint64_t max_history_bytes;
	uint64_t hidden_revision; /* of what is written and not to be seen; 0: nothing is */
	uint64_t hidden_gap;      /* from the last revision to that one: others may come between */
	uint64_t unhidden;        /* how far that was taken away again; 0: not begun */
	struct wf_store_stage *hiding; /* whose it is; NULL: nobody's any more, it is to go */
	struct wf_local_lease *leases; /* owned */
	size_t lease_count;
	size_t lease_capacity;
	uint64_t (*now_ms)(void);
	wf_store_backlog_fn backlog; /* NULL: nobody tidies up later */
	void *backlog_context;
	struct wf_err refused; /* code 0, or what the disk said when it took no change */
	int64_t refused_since_s;
};

/* Prepares an embedded local store; the back end then fills newest, forgotten and leases. */
void wf_local_init(struct wf_local *local, const struct wf_local_ops *rows);
extern const struct wf_store_ops wf_local_store_ops;

/* The disk took no change; or it took one. Called by the back end. */
void wf_local_refused(struct wf_local *local, const struct wf_err *why);
void wf_local_written(struct wf_local *local);

/* Makes a lease known that was granted before; its time starts anew. -ENOMEM. */
int wf_local_add_lease(struct wf_local *local, uint64_t id, uint64_t ttl_ms);

/* Applies writes (and ends a lease, if drop is not 0) in one transaction; as commit of store.h. */
int wf_local_apply(struct wf_local *local, const struct wf_store_write *writes, size_t count,
		   enum wf_store_durability durability, uint64_t drop, struct wf_err *err);

/* ---- local.c: the steps of a transaction, for those who take them one by one ------------------ */

/* A transaction under way. */
struct wf_local_transaction {
	struct wf_local *local;
	struct wf_store_batch *batch; /* owned; what watchers will see */
	struct wf_local_mark newest;  /* the log's end when this is committed */
	uint64_t revision;            /* of this transaction */
	size_t changes;               /* writes that changed something */
	bool is_unlogged; /* there is no room for it in the log, which begins anew after it */
	bool is_done;
	char created[WF_CLOCK_TEXT]; /* creationTimestamp of new documents */
};

/* Whatever it returns, wf_local_deliver() must follow; if 0, after wf_local_end(). */
int wf_local_begin(struct wf_local_transaction *t, struct wf_local *local, size_t count,
		   enum wf_store_durability durability, struct wf_err *err);
/* Puts a document, whose text this is. */
int wf_local_write(struct wf_local_transaction *t, const struct wf_store_write *write,
		   const char *text, size_t len, struct wf_err *err);
int wf_local_delete(struct wf_local_transaction *t, const struct wf_store_write *write,
		    struct wf_err *err);
/* -ENOENT: the lease that a document is to hang on has ended. */
int wf_local_check_lease(struct wf_local *local, const struct wf_store_write *write,
			 struct wf_err *err);
/* Commits what the back end has begun, or takes it back when r says that something has failed. */
int wf_local_rows_end(struct wf_local *local, int r, struct wf_err *err);
/* Counts a document as put that is in its row already. */
int wf_local_note_put(struct wf_local_transaction *t, const struct wf_store_write *write,
		      size_t len, struct wf_err *err);
/* Commits, and ends a lease (drop not 0), or takes all back when r says that a write has failed. */
int wf_local_end(struct wf_local_transaction *t, int r, uint64_t drop, struct wf_err *err);
/* Calls the watchers if it was committed. */
void wf_local_deliver(struct wf_local_transaction *t);

/*
 * Stamps a document as the next transaction would store it; row: what is there, NULL when nothing is.
 * *ret_same: that changes nothing.
 */
int wf_local_stamp(struct wf_local *local, const struct wf_store_write *write,
		   const struct wf_local_row *row, const char *created, struct wf_stamp *stamp,
		   bool *ret_same, struct wf_err *err);
/* The text that a document is stored as. The caller's. -E2BIG. */
int wf_local_render(const struct wf_store_write *write, char **ret_text, size_t *ret_len,
		    struct wf_err *err);

/* ---- local_stage.c: transactions that are made ready in parts ---------------------------------- */

int wf_local_stage_add(struct wf_store_stage *stage, struct wf_store_prepared *prepared,
		       struct wf_err *err);
int wf_local_stage_commit(struct wf_store_stage *stage, enum wf_store_durability durability,
			  uint64_t *ret_revision, struct wf_err *err);
void wf_local_stage_end(struct wf_store_prepared *prepared, bool committed);
size_t wf_local_stage_changes(const struct wf_store_stage *stage);
/* What was written has overtaken what is still being made ready. */
void wf_local_stages_note(struct wf_local *local, const struct wf_store_write *writes,
			  size_t count);

/* ---- local_hide.c: transactions that are written in parts --------------------------------------- */

int wf_local_stage_write(struct wf_store_stage *stage, size_t most, struct wf_err *err);
/*
 * Up to `most` of what it has written is taken away again; true: there is more. What the disk refuses
 * waits until it takes changes.
 */
bool wf_local_stage_drop(struct wf_store_stage *stage, size_t most);
/* Takes away what nobody will show any more, up to `most` of it. 1: there is more; 0: that was the last. */
int wf_local_unhide(struct wf_local *local, size_t most, struct wf_err *err);
/* The same for what is nobody's any more, when there is time. */
void wf_local_tidy_hidden(struct wf_local *local);
/*
 * What a stage has hidden, if anything, is not any more when this transaction is committed, which gets
 * the revision that the rows have; shown: it was.
 */
int wf_local_show(struct wf_local_transaction *t, struct wf_store_stage *stage, struct wf_err *err);
void wf_local_shown(struct wf_store_stage *stage);

/* Forgets the oldest changes beyond the bounds. Inside a transaction; *ret_mark: up to where. */
int wf_local_trim(struct wf_local *local, const struct wf_local_mark *newest,
		  struct wf_local_mark *ret_mark, struct wf_err *err);

/* The operations of store.h that live in local_history.c and local_lease.c. */
int wf_local_history(struct wf_store *store, const char *kind, uint64_t after,
		     struct wf_store_batch **ret_batch, struct wf_err *err);
int wf_local_compact(struct wf_store *store, uint64_t before, struct wf_err *err);
int wf_local_lease_grant(struct wf_store *store, uint64_t ttl_ms, uint64_t *ret_lease,
			 struct wf_err *err);
int wf_local_lease_renew(struct wf_store *store, uint64_t lease, struct wf_err *err);
int wf_local_lease_revoke(struct wf_store *store, uint64_t lease, struct wf_err *err);
int wf_local_lease_expire(struct wf_store *store, uint64_t *ret_next_ms, struct wf_err *err);
struct wf_local_lease *wf_local_find_lease(const struct wf_local *local, uint64_t id);

/* Compare-and-swap of one write; row: what is there, NULL when nothing is. Pure. */
int wf_local_check_expected(const struct wf_store_write *write, const struct wf_local_row *row,
			    struct wf_err *err);

/*
 * A local store as the image of a remote one: rows come with the revisions that their server gave
 * them, and are not compared, stamped or delivered here. Kinds that begin with '.' are the
 * mirror's own notes. apply: the changes of one transaction, which the log keeps. The others
 * replace the contents: begin, then put, remove and walk of the row operations, then end or undo;
 * the log is forgotten, as what it would lead to is not what was.
 */
int wf_local_mirror_apply(struct wf_local *local, const struct wf_local_row *rows, size_t count,
			  uint64_t revision, struct wf_err *err);
int wf_local_mirror_begin(struct wf_local *local, struct wf_err *err);
int wf_local_mirror_end(struct wf_local *local, uint64_t revision, struct wf_err *err);

/* A kept text as a document. -EIO: the text is damaged. */
int wf_local_parse(const struct wf_local_row *row, json_t **ret_document, struct wf_err *err);

#endif
