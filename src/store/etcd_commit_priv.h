/* SPDX-License-Identifier: Apache-2.0 */
/* A transaction of this host on its way: etcd_evaluate.c: what it means, etcd_commit.c sends it. */
#ifndef WEFT_STORE_ETCD_COMMIT_PRIV_H
#define WEFT_STORE_ETCD_COMMIT_PRIV_H

#include "base/clock.h"
#include "store/etcd_priv.h"
#include "store/stamp.h"

enum wf_etcd_action {
	WF_ETCD_KEEP, /* it is what it should be */
	WF_ETCD_PUT,
	WF_ETCD_DELETE,
};

/* One write, what there is, and what is to be done. */
struct wf_etcd_op {
	const struct wf_store_write *write;
	char *key; /* owned */
	/* as last seen */
	bool is_there;
	uint64_t revision;
	uint64_t lease;
	json_t *stored;    /* owned; NULL: not there, or not readable */
	char *stored_text; /* owned; only of what was read again */
	/* to be done */
	enum wf_etcd_action action;
	char *text; /* owned; PUT: what is sent */
	char uid[WF_STAMP_UID_BYTES];
	char created[WF_CLOCK_TEXT];
};

struct wf_etcd_commit {
	struct wf_etcd *etcd;
	struct wf_etcd_op *ops; /* owned */
	size_t count;
	size_t changes; /* ops that do something */
	uint64_t seen;  /* revision at which what is there was true */
	uint64_t deadline_ms;
	struct wf_etcd_call *call; /* owned; the transaction, on its way already */
	bool is_fresh;             /* what is there was read from etcd, not from the mirror */
	bool is_doubtful;          /* it was sent, and the answer did not come */
};

/* Takes the writes and what the mirror knows of their documents. */
int wf_etcd_evaluate_begin(struct wf_etcd_commit *commit, struct wf_etcd *etcd,
			   const struct wf_store_write *writes, size_t count, struct wf_err *err);
void wf_etcd_evaluate_end(struct wf_etcd_commit *commit);

/* Takes what etcd has for the ops from `first` on (`count` of them), as it answered. */
int wf_etcd_evaluate_seen(struct wf_etcd_commit *commit, size_t first, size_t count,
			  const struct wf_etcd_answer *answer, struct wf_err *err);

/* Decides what each op does; the errors of wf_store_commit(). */
int wf_etcd_evaluate(struct wf_etcd_commit *commit, struct wf_err *err);

/* Whether what is there is what the commit wanted, so that it must have happened. */
bool wf_etcd_evaluate_is_done(const struct wf_etcd_commit *commit, uint64_t *ret_revision);

/* The text of the transaction. -E2BIG: more than etcd takes at once. */
int wf_etcd_evaluate_request(const struct wf_etcd_commit *commit, struct wf_str *body,
			     struct wf_err *err);

/* Fills in the metadata of the documents; revision is that of the transaction. */
int wf_etcd_evaluate_stamp(const struct wf_etcd_commit *commit, uint64_t revision,
			   struct wf_err *err);

#endif
