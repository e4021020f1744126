/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A commit: evaluate against the mirror, send, wait until the watch has brought it back. When etcd
 * says that something moved, what is there is read and the transaction evaluated anew; so an
 * error of compare-and-swap is etcd's word and never an old mirror's. When an answer is lost the
 * next endpoint is asked what became of it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/etcd_commit_priv.h"

/* After a commit has waited in vain the next ones do not, for this long or until etcd is back. */
#define FAIL_FAST_MS 5000

/* One turn of a wait: long enough that nothing is polled, short enough to look at the time. */
#define TURN_MS 50

/* Between two tries. */
#define RETRY_MS 5

/* At most, for what is to leave at once. */
#define LEAVE_MS 1

static uint64_t left_ms(uint64_t deadline_ms)
{
	uint64_t now_ms = wf_clock_monotonic_ms();

	return now_ms < deadline_ms ? deadline_ms - now_ms : 0;
}

static void turn(struct wf_etcd *etcd, uint64_t deadline_ms)
{
	uint64_t left = left_ms(deadline_ms);

	wf_etcd_turn(etcd, left < TURN_MS ? left : TURN_MS);
}

int wf_etcd_connect(struct wf_etcd *etcd, uint64_t deadline_ms, struct wf_err *err)
{
	if (etcd->is_connected && etcd->hold != WF_ETCD_HOLD_FOREIGN)
		return 0;
	if (etcd->hold == WF_ETCD_HOLD_FOREIGN || wf_clock_monotonic_ms() < etcd->fail_until_ms)
		return wf_etcd_fail_unreachable(etcd, err);
	wf_etcd_link_kick(etcd);
	while (!etcd->is_connected && left_ms(deadline_ms)) {
		turn(etcd, deadline_ms);
		if (etcd->hold == WF_ETCD_HOLD_FOREIGN)
			break;
	}
	if (etcd->is_connected)
		return 0;
	etcd->fail_until_ms = wf_clock_monotonic_ms() + FAIL_FAST_MS;
	return wf_etcd_fail_unreachable(etcd, err);
}

static int send_request(struct wf_etcd *etcd, const char *path, struct wf_str *body,
			uint64_t deadline_ms, struct wf_etcd_call **ret_call, struct wf_err *err)
{
	uint64_t timeout_ms = left_ms(deadline_ms);

	if (timeout_ms > wf_etcd_request_ms(etcd))
		timeout_ms = wf_etcd_request_ms(etcd);
	return wf_etcd_call_start(&etcd->net, path, body, timeout_ms ? timeout_ms : 1, ret_call,
				  err);
}

static int receive_answer(struct wf_etcd *etcd, struct wf_etcd_call *call,
			  struct wf_etcd_answer *ret_answer, bool *ret_sent, struct wf_err *err)
{
	/* its own timeout ends it */
	while (!call->is_done)
		wf_etcd_turn(etcd, TURN_MS);
	*ret_sent = call->was_sent;
	return wf_etcd_judge_answer(etcd, call, ret_answer, err);
}

int wf_etcd_ask(struct wf_etcd *etcd, const char *path, struct wf_str *body, uint64_t deadline_ms,
		struct wf_etcd_answer *ret_answer, bool *ret_sent, struct wf_err *err)
{
	_cleanup_(wf_etcd_call_free) struct wf_etcd_call *call = NULL;
	int r = send_request(etcd, path, body, deadline_ms, &call, err);

	return r < 0 ? r : receive_answer(etcd, call, ret_answer, ret_sent, err);
}

int wf_etcd_judge_answer(struct wf_etcd *etcd, const struct wf_etcd_call *call,
			 struct wf_etcd_answer *ret_answer, struct wf_err *err)
{
	int r = wf_etcd_call_answer(call, ret_answer, err);

	if (r == 0 && ret_answer->cluster_id != etcd->cluster_id)
		r = wf_fail(err, -EAGAIN, "etcd at %s is another one than before",
			    wf_etcd_call_endpoint(call));
	if (r == 0)
		etcd->answered_ms = wf_clock_monotonic_ms();
	if (r != -EHOSTUNREACH && r != -EPROTO && r != -EAGAIN)
		return r;
	/* a watch at the same endpoint is not better off */
	if (etcd->stream && etcd->stream->endpoint == call->endpoint && r != -EAGAIN) {
		wf_etcd_link_drop(etcd, err);
		/* whoever waited may not turn again: the owner's loop does it, and has to wake up */
		wf_etcd_schedule(etcd);
	} else if (etcd->net.current == call->endpoint) {
		wf_etcd_net_rotate(&etcd->net);
	}
	return r;
}

static int ask(struct wf_etcd_commit *commit, struct wf_str *body,
	       struct wf_etcd_answer *ret_answer, bool *ret_sent, struct wf_err *err)
{
	return wf_etcd_ask(commit->etcd, "kv/txn", body, commit->deadline_ms, ret_answer, ret_sent,
			   err);
}

/* Reads what is there, in as many transactions as it takes. */
static int look_again(struct wf_etcd_commit *commit, struct wf_err *err)
{
	int r = 0;

	for (size_t first = 0; r == 0 && first < commit->count; first += WF_ETCD_MAX_OPS) {
		_cleanup_(wf_etcd_answer_done) struct wf_etcd_answer answer = { 0 };
		struct wf_str body = WF_STR_INIT;
		size_t count = commit->count - first;
		bool sent;

		if (count > WF_ETCD_MAX_OPS)
			count = WF_ETCD_MAX_OPS;
		wf_str_add(&body, "{\"success\":[");
		for (size_t i = 0; i < count; i++) {
			wf_str_add(&body, i ? "," : "");
			wf_etcd_add_get(&body, commit->ops[first + i].key);
		}
		wf_str_add(&body, "]}");
		r = ask(commit, &body, &answer, &sent, err);
		if (r == 0)
			r = wf_etcd_evaluate_seen(commit, first, count, &answer, err);
	}
	return r;
}

static bool is_passing(int code)
{
	return code == -EHOSTUNREACH || code == -EAGAIN || code == -EPROTO;
}

/* Evaluates; what the mirror says against it is confirmed before it is believed. */
static int evaluate(struct wf_etcd_commit *commit, struct wf_err *err)
{
	int r = wf_etcd_evaluate(commit, err);

	if (commit->is_fresh || (r != -ESTALE && r != -EEXIST && r != -ENOENT))
		return r;
	r = look_again(commit, err);
	return r < 0 ? r : wf_etcd_evaluate(commit, err);
}

static int fail_doubtful(const struct wf_etcd *etcd, struct wf_err *err)
{
	return wf_fail(err, -EAGAIN,
		       "etcd did not say whether the change was made: it shows when the connection "
		       "is back (last error: %s)",
		       etcd->last_error.message);
}

static size_t count_deletions(const struct wf_etcd_commit *commit)
{
	size_t count = 0;

	for (size_t i = 0; i < commit->count; i++)
		count += commit->ops[i].action == WF_ETCD_DELETE;
	return count;
}

/* The transaction leaves; commit->call is what is on its way. */
static int send_transaction(struct wf_etcd_commit *commit, struct wf_err *err)
{
	struct wf_str body = WF_STR_INIT;
	int r = wf_etcd_evaluate_request(commit, &body, err);

	if (r < 0) {
		wf_str_done(&body);
		return r;
	}
	commit->etcd->own_deletions = count_deletions(commit);
	return send_request(commit->etcd, "kv/txn", &body, commit->deadline_ms, &commit->call, err);
}

/* What became of what is on its way; as try_once(). */
static int receive_transaction(struct wf_etcd_commit *commit, uint64_t *ret_revision,
			       struct wf_err *err)
{
	_cleanup_(wf_etcd_call_free) struct wf_etcd_call *call = TAKE_PTR(commit->call);
	_cleanup_(wf_etcd_answer_done) struct wf_etcd_answer answer = { 0 };
	bool sent = false;
	int r = receive_answer(commit->etcd, call, &answer, &sent, err);

	if (r < 0) {
		commit->is_doubtful = sent && is_passing(r) && commit->changes;
		return is_passing(r) ? 1 : r;
	}
	if (!answer.succeeded) {
		r = look_again(commit, err);
		return r < 0 && !is_passing(r) ? r : 1;
	}
	*ret_revision = answer.revision;
	return 0;
}

/*
 * One try. 1: to be tried again, with what is there now; 0: done, *ret_revision is the
 * transaction's, 0 when it is not known.
 */
static int try_once(struct wf_etcd_commit *commit, uint64_t *ret_revision, struct wf_err *err)
{
	int r;

	if (commit->is_doubtful) {
		r = look_again(commit, err);
		if (r < 0)
			return is_passing(r) ? 1 : r;
		if (wf_etcd_evaluate_is_done(commit, ret_revision))
			return 0;
		commit->is_doubtful = false;
	}
	r = evaluate(commit, err);
	if (r == 0)
		r = send_transaction(commit, err);
	if (r < 0)
		return is_passing(r) ? 1 : r;
	return receive_transaction(commit, ret_revision, err);
}

/* Waits for the watch to have told of a revision. Without it the change shows a moment later. */
static void wait_for(struct wf_etcd_commit *commit, uint64_t revision)
{
	struct wf_etcd *etcd = commit->etcd;

	while (etcd->mirror->revision < revision && left_ms(commit->deadline_ms))
		turn(etcd, commit->deadline_ms);
	if (etcd->mirror->revision < revision && etcd->is_connected) {
		struct wf_err err = WF_ERR_INIT;

		(void)wf_fail(&err, -EAGAIN, "the watch at etcd at %s is silent about a change",
			      wf_etcd_net_endpoint(&etcd->net));
		wf_etcd_link_drop(etcd, &err);
		wf_etcd_schedule(etcd);
	}
}

static int run(struct wf_etcd_commit *commit, uint64_t *ret_revision, struct wf_err *err)
{
	struct wf_etcd *etcd = commit->etcd;
	struct wf_err own = WF_ERR_INIT;
	uint64_t revision = 0;
	int r = 1;

	if (commit->call)
		r = receive_transaction(commit, &revision, &own);
	while (r == 1 && left_ms(commit->deadline_ms)) {
		r = wf_etcd_connect(etcd, commit->deadline_ms, &own);
		if (r == 0)
			r = try_once(commit, &revision, &own);
		/* not in a rush when every endpoint refuses at once */
		if (r == 1)
			wf_etcd_turn(etcd, RETRY_MS);
	}
	if (r == 1 || (r < 0 && commit->is_doubtful)) {
		etcd->last_error = own.code ? own : etcd->last_error;
		r = commit->is_doubtful ? fail_doubtful(etcd, &own)
					: wf_etcd_fail_unreachable(etcd, &own);
	}
	if (r < 0) {
		if (err)
			*err = own;
		return r;
	}
	if (commit->changes)
		wait_for(commit, revision);
	*ret_revision = commit->changes && revision ? revision : etcd->store.revision;
	return wf_etcd_evaluate_stamp(commit, *ret_revision, err);
}

int wf_etcd_commit(struct wf_store *store, const struct wf_store_write *writes, size_t count,
		   enum wf_store_durability durability, uint64_t *ret_revision, struct wf_err *err)
{
	struct wf_etcd *etcd = (struct wf_etcd *)store;
	_cleanup_(wf_etcd_evaluate_end) struct wf_etcd_commit commit = { 0 };
	int r = wf_etcd_evaluate_begin(&commit, etcd, writes, count, err);

	if (r < 0)
		return r;
	commit.deadline_ms = wf_clock_monotonic_ms() + etcd->times.timeout_ms;
	/* while etcd is away, what is as it should be is no failure */
	if (!etcd->is_connected && wf_etcd_evaluate(&commit, NULL) == 0 && commit.changes == 0) {
		*ret_revision = store->revision;
		return wf_etcd_evaluate_stamp(&commit, store->revision, err);
	}
	r = run(&commit, ret_revision, err);
	etcd->own_deletions = 0;
	return r;
}

/* What is to be done is clear from the mirror, and there is somebody to be told. */
static bool may_leave(struct wf_etcd_commit *commit)
{
	const struct wf_etcd *etcd = commit->etcd;

	return etcd->is_connected && etcd->hold != WF_ETCD_HOLD_FOREIGN &&
	       wf_etcd_evaluate(commit, NULL) == 0 && commit->changes;
}

static void free_commit(struct wf_etcd_commit *commit)
{
	commit->etcd->own_deletions = 0;
	wf_etcd_evaluate_end(commit);
	free(commit);
}

void *wf_etcd_commit_begin(struct wf_store *store, const struct wf_store_write *writes,
			   size_t count)
{
	struct wf_etcd *etcd = (struct wf_etcd *)store;
	struct wf_etcd_commit *commit = malloc(sizeof(*commit));

	if (!commit)
		return NULL;
	if (wf_etcd_evaluate_begin(commit, etcd, writes, count, NULL) < 0)
		goto err;
	commit->deadline_ms = wf_clock_monotonic_ms() + etcd->times.timeout_ms;
	if (!may_leave(commit) || send_transaction(commit, NULL) < 0)
		goto err;
	/* the connection is there: this is enough for it to leave */
	wf_etcd_turn(etcd, LEAVE_MS);
	return commit;

err:
	free_commit(commit);
	return NULL;
}

int wf_etcd_commit_end(struct wf_store *store, void *sent, uint64_t *ret_revision,
		       struct wf_err *err)
{
	int r = run(sent, ret_revision, err);

	free_commit(sent);
	return r;
}
