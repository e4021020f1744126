/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a transaction means, given what is there. Every write is conditional on exactly that:
 * uid and creationTimestamp are carried over from it, and "unchanged" is a statement about it. So
 * even a write that expects nothing compares revisions, and is evaluated anew when they moved.
 *
 * etcd takes 128 operations in one transaction, and as many comparisons. Larger ones are nested: up
 * to 64 transactions of 64 operations within one, under at most 64 comparisons. Existing documents
 * that change are compared one by one; that the new ones are still absent is one comparison of
 * each kind: nothing in it is younger than what we have seen. (A document that does not change and
 * is deleted meanwhile goes unnoticed then: the deletion comes after.)
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "store/etcd_commit_priv.h"

#define NESTED_OPS (WF_ETCD_MAX_OPS / 2)

static int fail_memory(struct wf_err *err)
{
	return wf_fail(err, -ENOMEM, "out of memory for a transaction");
}

static int fail_object(const struct wf_etcd_op *op, int code, struct wf_err *err)
{
	wf_err_set_object(err, "%s/%s", op->write->kind, op->write->name);
	return code;
}

static void clear_seen(struct wf_etcd_op *op)
{
	json_decref(op->stored);
	free(op->stored_text);
	op->stored = NULL;
	op->stored_text = NULL;
	op->is_there = false;
	op->revision = 0;
	op->lease = 0;
}

static int see(struct wf_etcd_op *op, const struct wf_local_row *row, struct wf_err *err)
{
	int r;

	clear_seen(op);
	op->is_there = true;
	op->revision = row->revision;
	op->lease = row->lease;
	r = wf_etcd_read_document(row, &op->stored, err);
	/* what is no document has nothing to carry over, and differs from every document */
	return r == -EILSEQ ? 0 : r;
}

static int begin_op(struct wf_etcd_commit *commit, struct wf_etcd_op *op,
		    const struct wf_store_write *write, struct wf_err *err)
{
	struct wf_local *mirror = wf_etcd_mirror(commit->etcd);
	struct wf_local_row row;
	int r;

	op->write = write;
	if (strchr(write->kind, '/') || write->kind[0] == '.')
		return wf_fail(err, -EINVAL, "\"%s\" cannot be a kind in etcd", write->kind);
	if (asprintf(&op->key, "%s%s/%s", commit->etcd->first, write->kind, write->name) < 0) {
		op->key = NULL;
		return fail_memory(err);
	}
	if (wf_stamp_uid(op->uid) < 0)
		return wf_fail(err, -EIO, "no randomness for a uid");
	r = mirror->rows->read(mirror, write->kind, write->name, &row, err);
	return r > 0 ? see(op, &row, err) : r;
}

int wf_etcd_evaluate_begin(struct wf_etcd_commit *commit, struct wf_etcd *etcd,
			   const struct wf_store_write *writes, size_t count, struct wf_err *err)
{
	char now[WF_CLOCK_TEXT];
	int r = 0;

	*commit = (struct wf_etcd_commit){ .etcd = etcd, .seen = etcd->mirror->revision };
	commit->ops = calloc(count, sizeof(*commit->ops));
	if (!commit->ops)
		return fail_memory(err);
	commit->count = count;
	(void)wf_clock_format(wf_clock_wall_s(), now);
	for (size_t i = 0; r == 0 && i < count; i++) {
		memcpy(commit->ops[i].created, now, sizeof(now));
		r = begin_op(commit, &commit->ops[i], &writes[i], err);
	}
	return r;
}

void wf_etcd_evaluate_end(struct wf_etcd_commit *commit)
{
	for (size_t i = 0; i < commit->count; i++) {
		clear_seen(&commit->ops[i]);
		free(commit->ops[i].key);
		free(commit->ops[i].text);
	}
	free(commit->ops);
}

static int see_kv(struct wf_etcd_op *op, const struct wf_etcd_kv *kv, struct wf_err *err)
{
	const struct wf_local_row row = {
		.kind = op->write->kind,
		.name = op->write->name,
		.text = kv->value ? kv->value : "",
		.len = kv->value_len,
		.revision = kv->mod_revision,
		.lease = kv->lease,
	};
	int r = see(op, &row, err);

	if (r < 0)
		return r;
	op->stored_text = strdup(row.text);
	return op->stored_text ? 0 : fail_memory(err);
}

int wf_etcd_evaluate_seen(struct wf_etcd_commit *commit, size_t first, size_t count,
			  const struct wf_etcd_answer *answer, struct wf_err *err)
{
	size_t at = 0;
	int r = 0;

	/* the answers are in the order of the questions; what is not there has none */
	for (size_t i = first; r == 0 && i < first + count; i++) {
		struct wf_etcd_op *op = &commit->ops[i];

		if (at < answer->kv_count && strcmp(answer->kvs[at].key, op->key) == 0)
			r = see_kv(op, &answer->kvs[at++], err);
		else
			clear_seen(op);
	}
	if (r == 0 && at != answer->kv_count)
		r = wf_fail(err, -EPROTO, "etcd at %s answers nonsense: keys that nobody asked for",
			    wf_etcd_net_endpoint(&commit->etcd->net));
	if (first == 0)
		commit->seen = answer->revision;
	commit->is_fresh = true;
	return r;
}

static const char *stored_text(const struct wf_etcd_op *op, const char *key, const char *fallback)
{
	const char *text = wf_json_str(json_object_get(op->stored, "metadata"), key, "");

	return *text ? text : fallback;
}

/* The text that is sent: without resourceVersion, which is the key's. */
static int make_text(struct wf_etcd_op *op, struct wf_err *err)
{
	_cleanup_json_ json_t *document = json_copy(op->write->document);
	json_t *metadata = json_object_get(op->write->document, "metadata");

	metadata = metadata ? json_copy(metadata) : json_object();
	if (json_object_set_new(document, "metadata", metadata) < 0)
		return fail_memory(err);
	(void)json_object_del(metadata, "resourceVersion");
	free(op->text);
	op->text = NULL;
	if (wf_json_set_str(metadata, "uid", stored_text(op, "uid", op->uid)) < 0 ||
	    wf_json_set_str(metadata, "creationTimestamp",
			    stored_text(op, "creationTimestamp", op->created)) < 0 ||
	    !(op->text = wf_json_text(document)))
		return fail_memory(err);
	if (strlen(op->text) > WF_JSON_MAX_BYTES)
		return wf_fail(err, -E2BIG, "%s/%s is larger than the %u bytes accepted",
			       op->write->kind, op->write->name, WF_JSON_MAX_BYTES);
	return 0;
}

static int evaluate_op(struct wf_etcd_op *op, struct wf_err *err)
{
	const struct wf_store_write *write = op->write;
	const struct wf_local_row row = { .revision = op->revision };
	int r = wf_local_check_expected(write, op->is_there ? &row : NULL, err);

	if (r < 0)
		return r;
	if (write->op == WF_STORE_DELETE) {
		op->action = WF_ETCD_DELETE;
		return 0;
	}
	if (op->stored && op->lease == write->lease &&
	    wf_stamp_equal(op->stored, write->document)) {
		op->action = WF_ETCD_KEEP;
		return 0;
	}
	op->action = WF_ETCD_PUT;
	return make_text(op, err);
}

int wf_etcd_evaluate(struct wf_etcd_commit *commit, struct wf_err *err)
{
	commit->changes = 0;
	for (size_t i = 0; i < commit->count; i++) {
		int r = evaluate_op(&commit->ops[i], err);

		if (r < 0)
			return fail_object(&commit->ops[i], r, err);
		commit->changes += commit->ops[i].action != WF_ETCD_KEEP;
	}
	return 0;
}

static bool op_is_done(const struct wf_etcd_op *op)
{
	switch (op->action) {
	case WF_ETCD_PUT:
		return op->stored_text && op->lease == op->write->lease &&
		       strcmp(op->stored_text, op->text) == 0;
	case WF_ETCD_DELETE: return !op->is_there;
	case WF_ETCD_KEEP: return true;
	}
	return false;
}

bool wf_etcd_evaluate_is_done(const struct wf_etcd_commit *commit, uint64_t *ret_revision)
{
	*ret_revision = 0;
	for (size_t i = 0; i < commit->count; i++) {
		const struct wf_etcd_op *op = &commit->ops[i];

		if (!op_is_done(op))
			return false;
		if (op->action == WF_ETCD_PUT)
			*ret_revision = op->revision;
	}
	return true;
}

static void add_op(struct wf_str *body, const struct wf_etcd_op *op)
{
	if (op->action == WF_ETCD_PUT)
		wf_etcd_add_put(body, op->key, op->text, op->write->lease);
	else
		wf_etcd_add_delete(body, op->key);
}

static void add_plain(const struct wf_etcd_commit *commit, struct wf_str *body)
{
	const char *comma = "";

	wf_str_add(body, "{\"compare\":[");
	for (size_t i = 0; i < commit->count; i++) {
		wf_str_add(body, i ? "," : "");
		wf_etcd_add_compare(body, commit->ops[i].key, "", "EQUAL", commit->ops[i].revision);
	}
	wf_str_add(body, "],\"success\":[");
	for (size_t i = 0; i < commit->count; i++) {
		if (commit->ops[i].action == WF_ETCD_KEEP)
			continue;
		wf_str_add(body, comma);
		add_op(body, &commit->ops[i]);
		comma = ",";
	}
	wf_str_add(body, "]}");
}

/* Whether this op is the first of its kind. */
static bool begins_kind(const struct wf_etcd_commit *commit, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (strcmp(commit->ops[i].write->kind, commit->ops[at].write->kind) == 0)
			return false;
	return true;
}

/* "Nothing of this kind is younger than what we have seen." */
static int add_kind_compare(const struct wf_etcd_commit *commit, struct wf_str *body,
			    const char *kind)
{
	_cleanup_free_ char *first = NULL, *end = NULL;

	if (asprintf(&first, "%s%s/", commit->etcd->first, kind) < 0 ||
	    asprintf(&end, "%s%s0", commit->etcd->first, kind) < 0)
		return -ENOMEM;
	wf_etcd_add_compare(body, first, end, "LESS", commit->seen + 1);
	return 0;
}

static int add_nested_compares(const struct wf_etcd_commit *commit, struct wf_str *body,
			       struct wf_err *err)
{
	size_t count = 0;

	for (size_t i = 0; i < commit->count; i++) {
		const struct wf_etcd_op *op = &commit->ops[i];
		bool by_itself = op->is_there && (op->action != WF_ETCD_KEEP || op->lease);

		if (begins_kind(commit, i)) {
			wf_str_add(body, count++ ? "," : "");
			if (add_kind_compare(commit, body, op->write->kind) < 0)
				return fail_memory(err);
		}
		if (by_itself) {
			wf_str_add(body, count++ ? "," : "");
			wf_etcd_add_compare(body, op->key, "", "EQUAL", op->revision);
		}
	}
	if (count > NESTED_OPS)
		return wf_fail(err, -E2BIG,
			       "a transaction of more than %d writes can change or delete at most "
			       "%d existing documents in etcd, less one for each kind: write less "
			       "at once",
			       WF_ETCD_MAX_OPS, NESTED_OPS);
	return 0;
}

static int add_nested(const struct wf_etcd_commit *commit, struct wf_str *body, struct wf_err *err)
{
	size_t used = 0;
	int r;

	if (commit->changes > (size_t)NESTED_OPS * NESTED_OPS)
		return wf_fail(err, -E2BIG,
			       "a transaction of %zu changes is larger than the %d that etcd takes "
			       "at once: write less",
			       commit->changes, NESTED_OPS * NESTED_OPS);
	wf_str_add(body, "{\"compare\":[");
	r = add_nested_compares(commit, body, err);
	if (r < 0)
		return r;
	wf_str_add(body, "],\"success\":[");
	for (size_t i = 0; i < commit->count; i++) {
		if (commit->ops[i].action == WF_ETCD_KEEP)
			continue;
		if (used % NESTED_OPS == 0)
			wf_str_addf(body, "%s{\"request_txn\":{\"success\":[", used ? "]}}," : "");
		else
			wf_str_add(body, ",");
		add_op(body, &commit->ops[i]);
		used++;
	}
	wf_str_add(body, used ? "]}}]}" : "]}");
	return 0;
}

int wf_etcd_evaluate_request(const struct wf_etcd_commit *commit, struct wf_str *body,
			     struct wf_err *err)
{
	int r = 0;

	if (commit->count <= WF_ETCD_MAX_OPS)
		add_plain(commit, body);
	else
		r = add_nested(commit, body, err);
	if (r == 0 && body->failed)
		r = fail_memory(err);
	return r;
}

int wf_etcd_evaluate_stamp(const struct wf_etcd_commit *commit, uint64_t revision,
			   struct wf_err *err)
{
	for (size_t i = 0; i < commit->count; i++) {
		const struct wf_etcd_op *op = &commit->ops[i];
		struct wf_stamp stamp;

		if (op->action == WF_ETCD_DELETE)
			continue;
		if (wf_stamp_put(&stamp, op->write->document, stored_text(op, "uid", op->uid),
				 op->action == WF_ETCD_KEEP ? op->revision : revision,
				 stored_text(op, "creationTimestamp", op->created)) < 0)
			return fail_memory(err);
		wf_stamp_keep(&stamp);
	}
	return 0;
}
