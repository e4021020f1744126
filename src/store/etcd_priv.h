/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the etcd store. Who does what:
 *
 *   etcd.c          opening, the table of operations, one turn of everything
 *   etcd_link.c     the connection: hello, watch, probe, and what happens when one fails
 *   etcd_schema.c   whose store it is and whether we understand it
 *   etcd_watch.c    messages of the watch -> transactions -> mirror and watchers
 *   etcd_resync.c   list everything, put the mirror right; etcd_pager.c: page by page
 *   etcd_audit.c    from time to time: is the mirror right?
 *   etcd_guard.c    what is not deleted before it is confirmed
 *   etcd_commit.c   transactions of this host; etcd_evaluate.c: what they mean
 *   etcd_lease.c, etcd_import.c, etcd_net.c, etcd_wire.c
 *
 * Turns nest: a watch callback may commit, and a commit waits by taking turns. Therefore whatever
 * calls the watchers first brings its own state in order; and a resync, which replaces the
 * mirror's contents, is not begun while a callback is on the stack.
 */
#ifndef WEFT_STORE_ETCD_PRIV_H
#define WEFT_STORE_ETCD_PRIV_H

#include "store/etcd.h"
#include "store/etcd_net.h"
#include "store/local.h"
#include "store/stamp.h"

/* What this weft writes, and the newest that it reads: "version" of PREFIX/schema. */
#define WF_ETCD_SCHEMA 1

/* Operations of one transaction that etcd accepts by default. */
#define WF_ETCD_MAX_OPS 128

enum wf_etcd_link_state {
	WF_ETCD_LINK_DOWN,  /* until retry_ms */
	WF_ETCD_LINK_HELLO, /* asked whose store it is */
	WF_ETCD_LINK_LIST,  /* lists everything first */
	WF_ETCD_LINK_WATCH, /* the stream is open; connected once it said so */
};

/* The changes of one revision, as the watch told them. */
struct wf_etcd_change {
	uint64_t revision;
	struct wf_etcd_kv *kvs; /* owned */
	size_t count;
	size_t capacity;
	struct wf_etcd_change *next;
};

/* Why nothing is deleted, or nothing is believed at all. */
enum wf_etcd_hold {
	WF_ETCD_HOLD_NONE,
	WF_ETCD_HOLD_VANISHED, /* much is gone: deletions wait for a second list */
	WF_ETCD_HOLD_FOREIGN,  /* it is another store than before: waits for the operator */
};

struct wf_etcd {
	struct wf_store store;   /* first: the same address */
	struct wf_store *mirror; /* owned */
	struct wf_etcd_net net;
	char *prefix;                       /* owned: "/weft" */
	char *first;                        /* "/weft/": where its keys begin */
	char *end;                          /* "/weft0": where they have ended */
	char *schema;                       /* "/weft/schema" */
	struct wf_store_etcd_options times; /* the times of the options only */
	/* link */
	enum wf_etcd_link_state state;
	struct wf_etcd_call *hello; /* owned, as all calls here */
	struct wf_etcd_call *stream;
	struct wf_etcd_call *probe;
	struct wf_etcd_call *list; /* a page of the resync's */
	struct wf_etcd_call *page; /* the audit's */
	struct {
		struct wf_etcd_call *call; /* NULL: none is under way */
		uint64_t lease;
		wf_store_done_fn done;
		void *context; /* borrowed */
	} renewal;
	uint64_t retry_ms;
	uint64_t heard_ms;        /* last sign of life of the connection */
	uint64_t answered_ms;     /* last answer to a request, of whichever member */
	unsigned int failed;      /* connections in a row that came to nothing */
	bool is_connected;        /* the watch runs: the mirror follows */
	bool needs_resync;        /* the mirror may be wrong: list before the next watch */
	int64_t stale_since_s;    /* wall clock; 0: connected */
	uint64_t fail_until_ms;   /* commits fail at once until then, while not connected */
	uint64_t server_revision; /* the greatest heard of */
	struct wf_err last_error;
	/* identity of the store that the mirror mirrors; cluster 0: of none yet */
	uint64_t cluster_id;
	char store_id[WF_STAMP_UID_BYTES];
	bool has_note; /* the mirror has noted it */
	bool accept;
	/* watch */
	struct wf_etcd_change *open;    /* owned; not known to be whole yet */
	struct wf_etcd_change *changes; /* owned; to be applied, in order */
	struct wf_etcd_change **changes_end;
	size_t own_deletions; /* of the commit under way: not the guard's business */
	/* guard */
	enum wf_etcd_hold hold;
	uint64_t confirm_ms;           /* when the second list is due */
	char reason[256];              /* of the hold */
	struct wf_etcd_resync *resync; /* owned; a list under way, or cut short */
	/* audit */
	struct wf_etcd_audit *audit; /* owned; NULL: none is under way */
	uint64_t audit_ms;           /* when the next is due */
	size_t documents;            /* in the mirror when last counted; 0: not yet */
	struct wf_store_counters counters;
};

static inline struct wf_local *wf_etcd_mirror(const struct wf_etcd *etcd)
{
	return (struct wf_local *)etcd->mirror;
}

/* Time for tests to be quick in: ms from now, a quarter more or less. */
uint64_t wf_etcd_soon(uint64_t from_now_ms);

/* One turn: waits up to timeout_ms for the network, then lets every part do what it can. */
void wf_etcd_turn(struct wf_etcd *etcd, uint64_t timeout_ms);

/* Sets the descriptor's timer to the earliest thing that is due. */
void wf_etcd_schedule(struct wf_etcd *etcd);

/* link */
void wf_etcd_link_run(struct wf_etcd *etcd);
void wf_etcd_link_drop(struct wf_etcd *etcd, const struct wf_err *why);
void wf_etcd_link_close(struct wf_etcd *etcd);
void wf_etcd_link_kick(struct wf_etcd *etcd);
uint64_t wf_etcd_link_due(const struct wf_etcd *etcd);
int wf_etcd_fail_unreachable(const struct wf_etcd *etcd, struct wf_err *err);

/* The time of one request, so that within the time of a call another endpoint can be asked. */
uint64_t wf_etcd_request_ms(const struct wf_etcd *etcd);

/* schema; load and save are the mirror's memory of it */
int wf_etcd_schema_request(struct wf_etcd *etcd, struct wf_str *body, struct wf_err *err);
int wf_etcd_schema_check(struct wf_etcd *etcd, const struct wf_etcd_answer *answer,
			 struct wf_err *err);
int wf_etcd_identity_load(struct wf_etcd *etcd, struct wf_err *err);
int wf_etcd_identity_save(struct wf_etcd *etcd, bool is_listing, struct wf_err *err);
/* What PREFIX/schema holds. -EPROTO: not what weft writes there; -ENOMEM. */
int wf_etcd_schema_read(const struct wf_etcd_kv *kv, json_t **ret_schema);
int wf_etcd_schema_text(struct wf_str *text, const char *store_id, const char *importing);

/* watch */
void wf_etcd_watch_request(const struct wf_etcd *etcd, struct wf_str *body);
int wf_etcd_watch_take(struct wf_etcd *etcd, struct wf_etcd_answer *answer, struct wf_err *err);
int wf_etcd_watch_apply(struct wf_etcd *etcd, struct wf_err *err);
void wf_etcd_watch_forget(struct wf_etcd *etcd);

/* A value as a document with its resourceVersion. -EILSEQ: it is none. */
int wf_etcd_read_document(const struct wf_local_row *row, json_t **ret_document,
			  struct wf_err *err);

/*
 * resync: begin, then run once a turn while it returns 1; at 0 the mirror is right, and when the
 * watch has been started the watchers are told.
 */
int wf_etcd_resync_begin(struct wf_etcd *etcd, struct wf_err *err);
int wf_etcd_resync_run(struct wf_etcd *etcd, struct wf_err *err);
void wf_etcd_resync_tell(struct wf_etcd *etcd);
void wf_etcd_resync_free(struct wf_etcd_resync **resync);

/* A list of everything, page by page at one revision. */
struct wf_etcd_pager {
	char *next; /* owned; the key where the next page begins */
	size_t next_len;
	size_t limit;
	uint64_t revision; /* of the list; 0 before the first page */
	bool keys_only;
	bool is_opening; /* nobody waits for anything else */
	bool is_done;
};
int wf_etcd_pager_init(struct wf_etcd_pager *pager, const struct wf_etcd *etcd, bool keys_only,
		       struct wf_err *err);
void wf_etcd_pager_done(struct wf_etcd_pager *pager);

/* Asks for the next page, which has its own time to come: the caller's calls do not wait for it. */
int wf_etcd_pager_start(const struct wf_etcd_pager *pager, struct wf_etcd *etcd,
			struct wf_etcd_call **ret_call, struct wf_err *err);
int wf_etcd_pager_take(struct wf_etcd_pager *pager, const struct wf_etcd_answer *answer,
		       struct wf_err *err);
/* A page was too large for us: the next try takes a quarter. False: it was one key. */
bool wf_etcd_pager_shrink(struct wf_etcd_pager *pager);

/* A set of keys by their hashes. */
struct wf_etcd_keys {
	uint64_t *hashes; /* owned */
	size_t count;
	size_t capacity;
};
int wf_etcd_keys_add(struct wf_etcd_keys *keys, const char *kind, const char *name);
void wf_etcd_keys_sort(struct wf_etcd_keys *keys);
bool wf_etcd_keys_has(const struct wf_etcd_keys *keys, const char *kind, const char *name);
void wf_etcd_keys_done(struct wf_etcd_keys *keys);

/* audit */
void wf_etcd_audit_run(struct wf_etcd *etcd);
void wf_etcd_audit_end(struct wf_etcd *etcd);
uint64_t wf_etcd_audit_due(const struct wf_etcd *etcd);

/* guard: whether `count` of `total` documents may be deleted now; false raises the hold */
bool wf_etcd_guard_list(struct wf_etcd *etcd, size_t count, size_t total);
bool wf_etcd_guard_watch(struct wf_etcd *etcd, const struct wf_etcd_change *change);
void wf_etcd_guard_foreign(struct wf_etcd *etcd, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void wf_etcd_guard_clear(struct wf_etcd *etcd);

/* commit */
int wf_etcd_commit(struct wf_store *store, const struct wf_store_write *writes, size_t count,
		   enum wf_store_durability durability, uint64_t *ret_revision, struct wf_err *err);
void *wf_etcd_commit_begin(struct wf_store *store, const struct wf_store_write *writes,
			   size_t count);
int wf_etcd_commit_end(struct wf_store *store, void *sent, uint64_t *ret_revision,
		       struct wf_err *err);

/* Waits for the connection within the time of one call; the error says why there is none. */
int wf_etcd_connect(struct wf_etcd *etcd, uint64_t deadline_ms, struct wf_err *err);

/*
 * Asks and waits, while the watch and everything else goes on. A failure takes us to the next
 * endpoint. *ret_sent: the server may have acted on it, whatever the result.
 */
int wf_etcd_ask(struct wf_etcd *etcd, const char *path, struct wf_str *body, uint64_t deadline_ms,
		struct wf_etcd_answer *ret_answer, bool *ret_sent, struct wf_err *err);

/* The answer of a call that is done; a failure takes us to the next endpoint. */
int wf_etcd_judge_answer(struct wf_etcd *etcd, const struct wf_etcd_call *call,
			 struct wf_etcd_answer *ret_answer, struct wf_err *err);

/* lease */
int wf_etcd_lease_grant(struct wf_store *store, uint64_t ttl_ms, uint64_t *ret_lease,
			struct wf_err *err);
void wf_etcd_lease_renew_later(struct wf_store *store, uint64_t lease, wf_store_done_fn done,
			       void *context);
/* Once a turn: whether a renewal that nobody waits for has its answer. */
void wf_etcd_lease_run(struct wf_etcd *etcd);
int wf_etcd_lease_revoke(struct wf_store *store, uint64_t lease, struct wf_err *err);
int wf_etcd_lease_expire(struct wf_store *store, uint64_t *ret_next_ms, struct wf_err *err);

#endif
