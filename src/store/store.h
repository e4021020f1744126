/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one interface to where documents live: get, list, put with compare-and-swap, delete, watch
 * from a revision, transactions, leases. Implementations: sqlite (durable, one host), mem (tests),
 * etcd (many hosts; opened by etcd.h). Nothing above knows which one it talks to.
 *
 * Documents are keyed by (kind, name) and kept as JSON text. Every committed transaction raises
 * the store's revision (by one on a local store, by one or more on a remote one); a document's
 * resourceVersion is the revision of its last change. The store sets metadata.uid,
 * metadata.resourceVersion and metadata.creationTimestamp.
 *
 * Single-threaded: calls and watch callbacks happen on the owner's thread. Calls block for the
 * time of a local commit; on a remote store commits and leases do for a round trip, and at most for
 * a bounded time, after which they fail with -EHOSTUNREACH or -EAGAIN. Reads never do. A remote
 * store has a life of its own between the calls: see wf_store_fd().
 *
 * A watch callback may call the store again, except wf_store_close(). What it commits is delivered
 * to every watcher after the transaction being delivered now and those before it, and before the
 * outermost call returns; so every watcher sees the transactions in order, each once and whole. A
 * watch that a callback ends is not called again, not even for the rest of the transaction.
 */
#ifndef WEFT_STORE_STORE_H
#define WEFT_STORE_STORE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct wf_store;

/* When a transaction must have reached the disk. */
enum wf_store_durability {
	/* before commit returns: what users wrote */
	WF_STORE_DURABLE,
	/*
	 * order is kept and the database stays whole, but a power cut may lose the newest ones:
	 * facts that do not outlive this boot anyway (endpoints)
	 */
	WF_STORE_BOOT_BOUND,
};

enum wf_store_op {
	WF_STORE_PUT,
	WF_STORE_DELETE,
};

/* Expected revisions for compare-and-swap. */
#define WF_STORE_ANY    UINT64_MAX /* do not compare */
#define WF_STORE_ABSENT 0          /* must not exist */

/* One write of a transaction. */
struct wf_store_write {
	enum wf_store_op op;
	const char *kind;
	const char *name;
	json_t *document;  /* PUT: borrowed; its metadata is filled in on success, else untouched */
	uint64_t expected; /* resourceVersion it must have, WF_STORE_ANY or WF_STORE_ABSENT */
	uint64_t lease;    /* PUT: lease id, 0 for none */
};

/* One change as a watcher sees it. document is borrowed for the call; NULL for DELETE. */
struct wf_store_event {
	enum wf_store_op op;
	const char *kind;
	const char *name;
	const json_t *document;
	uint64_t revision;
};

typedef void (*wf_store_watch_fn)(const struct wf_store_event *event, void *context);

/*
 * Opens or creates the SQLite database, and its directory. -EBUSY: another process has it (the
 * lock is PATH.lock, which stays); -EROFS: read-only; -ENOSPC; -ESTALE: written by a newer
 * version; -EIO: damaged (message says what to do).
 */
int wf_store_sqlite_open(const char *path, struct wf_store **ret_store, struct wf_err *err);

/* A store that forgets everything when closed. */
int wf_store_mem_open(struct wf_store **ret_store, struct wf_err *err);

/* Ends watches without calling them. NULL-safe; nulls the pointer. */
void wf_store_close(struct wf_store **store);

/* A document by name. *ret_document is a new reference. -ENOENT. */
int wf_store_get(struct wf_store *store, const char *kind, const char *name, json_t **ret_document,
		 struct wf_err *err);

/* All documents of a kind as a new array sorted by name, and the revision it is true for. */
int wf_store_list(struct wf_store *store, const char *kind, json_t **ret_array,
		  uint64_t *ret_revision, struct wf_err *err);

/* How many documents of a kind there are. */
int wf_store_count(struct wf_store *store, const char *kind, size_t *ret_count, struct wf_err *err);

/* Returns 0 to go on; any other result ends the visit, which returns it. document is borrowed. */
typedef int (*wf_store_visit_fn)(const json_t *document, void *context, struct wf_err *err);

/*
 * Calls back with each document of a kind, sorted by name: as wf_store_list(), but no more than
 * one of them is in memory. The callback must not call the store.
 */
int wf_store_visit(struct wf_store *store, const char *kind, wf_store_visit_fn visit, void *context,
		   struct wf_err *err);

/*
 * The same; each document is offered as the text that it is kept as first, whose resourceVersion means nothing.
 * 1: that was enough; 0: it is wanted as a document.
 */
typedef int (*wf_store_text_fn)(const char *text, size_t len, void *context, struct wf_err *err);
int wf_store_visit_texts(struct wf_store *store, const char *kind, wf_store_text_fn take,
			 wf_store_visit_fn visit, void *context, struct wf_err *err);

/*
 * Applies all writes or none. -ESTALE: an expected revision did not match (err names the object);
 * -EEXIST: expected absent, but it is there; -ENOENT: DELETE of what is not there;
 * -ENOSPC, -EROFS, -EIO from the disk; -EINVAL: a name that is none, a document that cannot be
 * read back, or two writes to one document. Watchers are called after the commit, before return
 * (within a callback: see above).
 *
 * A PUT that changes nothing (the document equals the stored one in all but uid, resourceVersion
 * and creationTimestamp, and the lease is the same) is not a change: no event, no new revision;
 * the document gets the metadata of the stored one, its old resourceVersion included. So a
 * document was written by this commit if its resourceVersion is then greater than
 * wf_store_revision() was before, and created if expected was WF_STORE_ABSENT. When no write
 * changes anything, *ret_revision is the store's revision as it was.
 */
int wf_store_commit(struct wf_store *store, const struct wf_store_write *writes, size_t count,
		    enum wf_store_durability durability, uint64_t *ret_revision,
		    struct wf_err *err);

/*
 * A commit in two steps, for who has something to do while a remote store makes it. begin sends it and
 * returns at once; end waits for what comes of it, with the results of commit. In between the store is
 * not used; the writes are the caller's and stay as they are. Where there is nothing to wait for, or
 * no connection, or something is in the way, begin does nothing and end does it all.
 */
struct wf_store_flight {
	struct wf_store *store;
	const struct wf_store_write *writes;
	size_t count;
	enum wf_store_durability durability;
	void *sent; /* the back end's; NULL: nothing is on its way */
};
struct wf_store_flight wf_store_commit_begin(struct wf_store *store,
					     const struct wf_store_write *writes, size_t count,
					     enum wf_store_durability durability);
int wf_store_commit_end(struct wf_store_flight *flight, uint64_t *ret_revision, struct wf_err *err);

/*
 * A transaction of very many writes that is made ready write by write, so that other things can be done
 * in between, the store be used, and the commit itself be short. add: as commit checks a write, against
 * what is stored now; what the write points to must live as long as the stage, and its document is
 * stamped already (and is not any more, if it is not committed). commit: all or none, and -ESTALE when
 * somebody has changed one of the documents since it was added; it ends the stage if it succeeds, and
 * leaves nothing but to give it up if not. Without a store on this host nothing is made ready, and commit
 * does it all.
 *
 * write: when all are added, a very large transaction may be written in parts, too, which nobody sees
 * before the commit; up to `most` writes each time. 1: there are more, 0: the commit is short now, or
 * nothing is to be gained. What was written is taken away again when the stage is given up, or at the
 * next start.
 */
struct wf_store_stage;
int wf_store_stage_new(struct wf_store *store, struct wf_store_stage **ret_stage,
		       struct wf_err *err);
int wf_store_stage_add(struct wf_store_stage *stage, const struct wf_store_write *write,
		       struct wf_err *err);
int wf_store_stage_write(struct wf_store_stage *stage, size_t most, struct wf_err *err);
int wf_store_stage_commit(struct wf_store_stage **stage, enum wf_store_durability durability,
			  uint64_t *ret_revision, struct wf_err *err);
/*
 * Gives it up, in parts as well: up to `most` writes each time. true: there are more; false: it is gone, and
 * the pointer is nulled. NULL-safe. To be done before the store is closed.
 */
bool wf_store_stage_undo(struct wf_store_stage **stage, size_t most);
/* The same at once. */
void wf_store_stage_free(struct wf_store_stage **stage);

/*
 * Calls back for every change of a kind (NULL: every kind) after from_revision; changes that have
 * already happened are delivered before the call returns. -ESTALE: that revision is compacted
 * away, or of another store's future: list again. *ret_id, set before the first callback, ends
 * the watch with wf_store_unwatch(). The newest 1,000 changes (16 MiB) are kept, across restarts
 * too; older ones are compacted away by and by.
 */
int wf_store_watch(struct wf_store *store, const char *kind, uint64_t from_revision,
		   wf_store_watch_fn callback, void *context, uint64_t *ret_id, struct wf_err *err);
void wf_store_unwatch(struct wf_store *store, uint64_t id);

/* Forgets the history of changes before a revision; watches can still begin at before - 1. */
int wf_store_compact(struct wf_store *store, uint64_t before, struct wf_err *err);

uint64_t wf_store_revision(const struct wf_store *store);

/*
 * Work that can wait until nobody else wants anything, and would hold a commit up for as long as a
 * disk takes: backlog is called after a commit that leaves some, wf_store_tidy() does it. Without
 * a callback, or when too much has come together, commits do it themselves.
 *
 * It is called as well when the disk took no change (write_code of wf_store_state()); then
 * wf_store_tidy() tries whether it does again, and if not it is called once more.
 */
typedef void (*wf_store_backlog_fn)(void *context);
void wf_store_on_backlog(struct wf_store *store, wf_store_backlog_fn backlog, void *context);
void wf_store_tidy(struct wf_store *store);

/*
 * Leases: documents put with a lease go when it is revoked or not renewed for ttl_ms.
 * wf_store_lease_expire() is called by the owner's timer and says when to call again (ms from
 * now, UINT64_MAX: no lease). Leases outlive a restart; their time then starts anew. -ENOENT:
 * the lease has ended.
 */
int wf_store_lease_grant(struct wf_store *store, uint64_t ttl_ms, uint64_t *ret_lease,
			 struct wf_err *err);
/*
 * Renews a lease without waiting: done is called with the result once, before this returns or by a later
 * call of the store, but for wf_store_close(). It must not call the store. A second one before that
 * takes the place of the first.
 */
typedef void (*wf_store_done_fn)(int result, const struct wf_err *err, void *context);
void wf_store_lease_renew_later(struct wf_store *store, uint64_t lease, wf_store_done_fn done,
				void *context);
int wf_store_lease_revoke(struct wf_store *store, uint64_t lease, struct wf_err *err);
int wf_store_lease_expire(struct wf_store *store, uint64_t *ret_next_ms, struct wf_err *err);

/*
 * A remote store is driven by its owner's loop: whenever the descriptor is readable, call
 * wf_store_process(). It calls the watchers with what other hosts have changed, and so do commits
 * and leases while they wait; after a gap in the history (the server compacted it while we were
 * away) with the sum of what was missed, as one transaction whose documents may have older
 * resourceVersions. fd -1: nothing to drive.
 */
int wf_store_fd(const struct wf_store *store);
void wf_store_process(struct wf_store *store);

/* What a remote store counts since it was opened. */
struct wf_store_counters {
	uint64_t requests; /* to the server, and how many of them failed */
	uint64_t failures;
	uint64_t request_ns; /* their time in all */
	uint64_t connects;   /* connections that came to a watch */
	uint64_t lists;      /* of everything */
	uint64_t audits;     /* comparisons that were completed */
	uint64_t repairs;    /* documents that a list put right */
	uint64_t unreadable; /* values that are no document, and were left out */
};

/* How it is. Texts are borrowed until the next call of the store. */
struct wf_store_state {
	bool is_remote;           /* else all below is zero but is_connected and write_... */
	bool is_connected;        /* what is read is at most a moment old */
	uint64_t silent_ms;       /* since the server was last heard of */
	int64_t stale_since_s;    /* wall clock, when not connected */
	uint64_t server_revision; /* the newest heard of; may be of others' keys */
	const char *endpoint;     /* that is talked to */
	const char *last_error;   /* "" none; why it is not connected */
	const char *hold;         /* "" none; why nothing is deleted, or nothing believed */
	struct wf_store_counters counters;
	/* Also of a store on this host: why its disk took no change; 0 and "" while it does */
	int write_code;
	const char *write_error;
	int64_t write_error_since_s; /* wall clock */
};

void wf_store_state(const struct wf_store *store, struct wf_store_state *ret_state);

/*
 * The operator's word that what the server has now is right, however much of it is gone: ends a
 * hold. -EALREADY: there is none.
 */
int wf_store_accept(struct wf_store *store, struct wf_err *err);

/* What it is, for status output: "sqlite:/var/lib/weft/weft.db". Borrowed. */
const char *wf_store_describe(const struct wf_store *store);

#endif
