/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything of a store on this host into etcd. PREFIX/schema says that an import is under way
 * before the first document is written, and no longer with the last step; nobody opens the store in
 * between. Documents are written only where nothing is, so that an import that was cut short can
 * be run again: what it has written already is found equal.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "store/etcd_priv.h"
#include "store/stamp.h"

#define TIMEOUT_MS  10000
#define BATCH_OPS   64
#define BATCH_BYTES (512U << 10)

struct import {
	struct wf_store *from;
	struct wf_etcd_net net;
	const char *prefix; /* borrowed: "/weft" */
	char *first;        /* owned: "/weft/" */
	char *end;          /* owned */
	char *schema;       /* owned; the key */
	char store_id[WF_STAMP_UID_BYTES];
	uint64_t schema_revision;
	bool is_resumed; /* an import had begun */
	bool merge;
	bool is_dry; /* only looks for conflicts */
	/* writes that are collected */
	struct wf_str puts;
	struct wf_str reads;
	size_t pending;
	struct wf_store_import counts;
};

static void import_done(struct import *import)
{
	wf_etcd_net_done(&import->net);
	wf_str_done(&import->puts);
	wf_str_done(&import->reads);
	free(import->first);
	free(import->end);
	free(import->schema);
}

/* Asks each endpoint in turn until one answers. */
static int ask(struct import *import, const char *path, const struct wf_str *body,
	       struct wf_etcd_answer *ret_answer, struct wf_err *err)
{
	int r = -ENOMEM;

	if (body->failed)
		return wf_fail(err, -ENOMEM, "out of memory for an import");
	for (size_t i = 0; i < import->net.endpoint_count; i++) {
		struct wf_str copy = WF_STR_INIT;

		wf_etcd_answer_done(ret_answer);
		wf_str_add_bytes(&copy, body->data, body->len);
		r = wf_etcd_net_ask(&import->net, path, &copy, TIMEOUT_MS, ret_answer, err);
		if (r != -EHOSTUNREACH && r != -EAGAIN)
			break;
		wf_etcd_net_rotate(&import->net);
	}
	return r;
}

/* Sets PREFIX/schema under the condition that it is as we know it. */
static int set_schema(struct import *import, const char *importing, struct wf_err *err)
{
	_cleanup_(wf_etcd_answer_done) struct wf_etcd_answer answer = { 0 };
	_cleanup_str_ struct wf_str body = WF_STR_INIT, value = WF_STR_INIT;
	int r;

	if (wf_etcd_schema_text(&value, import->store_id, importing) < 0)
		return wf_fail(err, -ENOMEM, "out of memory for an import");
	wf_str_add(&body, "{\"compare\":[");
	wf_etcd_add_compare(&body, import->schema, "", "EQUAL", import->schema_revision);
	wf_str_add(&body, "],\"success\":[");
	wf_etcd_add_put(&body, import->schema, wf_str_text(&value), 0);
	wf_str_add(&body, "]}");
	r = ask(import, "kv/txn", &body, &answer, err);
	if (r < 0)
		return r;
	if (!answer.succeeded)
		return wf_fail(err, -EBUSY, "somebody else writes %s: run the import again",
			       import->schema);
	import->schema_revision = answer.revision;
	return 0;
}

static int read_schema(struct import *import, const struct wf_etcd_answer *answer,
		       struct wf_err *err)
{
	_cleanup_json_ json_t *schema = NULL;
	const struct wf_etcd_kv *kv = answer->kvs;
	int r;

	if (answer->kv_count == 0)
		return wf_stamp_uid(import->store_id) < 0 ? wf_fail(err, -EIO, "no randomness") : 0;
	r = wf_etcd_schema_read(kv, &schema);
	if (r == -ENOMEM)
		return wf_fail(err, r, "out of memory for an import");
	if (r < 0)
		return wf_fail(err, r, "the key %s in etcd is not what weft wrote", import->schema);
	(void)wf_str_copy(import->store_id, sizeof(import->store_id),
			  wf_json_str(schema, "store", ""));
	if (wf_json_int(schema, "version", 0) > WF_ETCD_SCHEMA)
		return wf_fail(err, -ESTALE, "the store in etcd was written by a newer weft (%s)",
			       wf_json_str(schema, "writtenBy", "?"));
	import->schema_revision = kv->mod_revision;
	import->is_resumed = wf_json_str(schema, "importing", "")[0] != '\0';
	return 0;
}

/* Refuses a target with documents, unless they are to stay or an import is taken up again. */
static int look_at_target(struct import *import, struct wf_err *err)
{
	_cleanup_(wf_etcd_answer_done) struct wf_etcd_answer answer = { 0 };
	_cleanup_str_ struct wf_str body = WF_STR_INIT;
	uint64_t count;
	int r;

	wf_etcd_add_range(&body, import->first, strlen(import->first), import->end);
	wf_str_add(&body, ",\"count_only\":true}");
	r = ask(import, "kv/range", &body, &answer, err);
	if (r < 0)
		return r;
	count = answer.count;
	wf_str_done(&body);
	wf_etcd_add_range(&body, import->schema, strlen(import->schema), "");
	wf_str_add(&body, "}");
	r = ask(import, "kv/range", &body, &answer, err);
	if (r == 0)
		r = read_schema(import, &answer, err);
	if (r < 0)
		return r;
	count -= answer.kv_count;
	if (count && !import->merge && !import->is_resumed)
		return wf_fail(err, -ENOTEMPTY,
			       "etcd has %" PRIu64 " documents under %s already: with --merge they "
			       "stay, and those of this host are added",
			       count, import->first);
	return 0;
}

/* The document as it is sent, or as it is compared: without its number. */
static char *text_of(const struct wf_local_row *row, struct wf_err *err)
{
	_cleanup_json_ json_t *document = NULL;
	char *text;

	if (wf_local_parse(row, &document, err) < 0)
		return NULL;
	(void)json_object_del(json_object_get(document, "metadata"), "resourceVersion");
	text = wf_json_text(document);
	if (!text)
		(void)wf_fail(err, -ENOMEM, "out of memory for an import");
	return text;
}

/* What is there must be what we would have put: in all but what the store sets, uid included. */
static int check_same(struct import *import, const struct wf_etcd_kv *kv, struct wf_err *err)
{
	struct wf_local *local = (struct wf_local *)import->from;
	_cleanup_json_ json_t *theirs = NULL, *ours = NULL;
	struct wf_local_row row;
	char *kind, *name;
	int r;

	if (!wf_etcd_split_key(import->prefix, kv->key, kv->key_len, &kind, &name))
		return wf_fail(err, -EPROTO, "etcd answers nonsense: a key that nobody asked for");
	r = local->rows->read(local, kind, name, &row, err);
	if (r > 0)
		r = wf_local_parse(&row, &ours, err);
	if (r < 0)
		return r;
	if (wf_json_parse(kv->value ? kv->value : "", kv->value_len, &theirs, NULL) < 0 ||
	    !wf_stamp_equal(theirs, ours)) {
		r = wf_fail(err, -EEXIST,
			    "%s/%s is in etcd already, with other contents: make them equal, or "
			    "delete one of them",
			    kind, name);
		wf_err_set_object(err, "%s/%s", kind, name);
		return r;
	}
	import->counts.same++;
	return 0;
}

/*
 * Looks which of the collected documents are there; in earnest, writes those that are not. Each is
 * a transaction within the transaction: "absent: put, else: get".
 */
static int flush(struct import *import, struct wf_err *err)
{
	_cleanup_(wf_etcd_answer_done) struct wf_etcd_answer answer = { 0 };
	_cleanup_str_ struct wf_str body = WF_STR_INIT;
	const struct wf_str *ops = import->is_dry ? &import->reads : &import->puts;
	int r;

	wf_str_addf(&body, "{\"success\":[%s]}", wf_str_text(ops));
	if (ops->failed)
		body.failed = true;
	r = ask(import, "kv/txn", &body, &answer, err);
	import->counts.copied += answer.nested_succeeded;
	for (size_t i = 0; r == 0 && i < answer.kv_count; i++)
		r = check_same(import, &answer.kvs[i], err);
	import->puts.len = import->reads.len = 0;
	import->pending = 0;
	return r;
}

static int collect(struct import *import, const struct wf_local_row *row, struct wf_err *err)
{
	_cleanup_free_ char *key = NULL, *text = text_of(row, err);
	const char *comma = import->pending ? "," : "";

	if (!text)
		return -ENOMEM;
	if (asprintf(&key, "%s%s/%s", import->first, row->kind, row->name) < 0)
		return wf_fail(err, -ENOMEM, "out of memory for an import");
	wf_str_addf(&import->puts, "%s{\"request_txn\":{\"compare\":[", comma);
	wf_etcd_add_compare(&import->puts, key, "", "EQUAL", 0);
	wf_str_add(&import->puts, "],\"success\":[");
	wf_etcd_add_put(&import->puts, key, text, 0);
	wf_str_add(&import->puts, "],\"failure\":[");
	wf_etcd_add_get(&import->puts, key);
	wf_str_add(&import->puts, "]}}");
	wf_str_add(&import->reads, comma);
	wf_etcd_add_get(&import->reads, key);
	import->pending++;
	return 0;
}

static int import_one(const struct wf_local_row *row, void *context, struct wf_err *err)
{
	struct import *import = context;
	int r;

	if (row->kind[0] == '.')
		return 0;
	if (row->lease) {
		import->counts.leased += !import->is_dry;
		return 0;
	}
	r = collect(import, row, err);
	if (r == 0 && (import->pending == BATCH_OPS || import->puts.len > BATCH_BYTES))
		r = flush(import, err);
	return r;
}

static int walk(struct import *import, struct wf_err *err)
{
	struct wf_local *local = (struct wf_local *)import->from;
	int r = local->rows->walk(local, NULL, 0, import_one, import, err);

	return r == 0 && import->pending ? flush(import, err) : r;
}

static int run(struct import *import, struct wf_err *err)
{
	char host[256] = "";
	int r = look_at_target(import, err);

	(void)gethostname(host, sizeof(host) - 1);
	/* before anything is written: is there a conflict? */
	import->is_dry = true;
	if (r == 0)
		r = walk(import, err);
	import->counts = (struct wf_store_import){ 0 };
	import->is_dry = false;
	if (r == 0)
		r = set_schema(import, host[0] ? host : "a node", err);
	if (r == 0)
		r = walk(import, err);
	return r < 0 ? r : set_schema(import, NULL, err);
}

int wf_store_etcd_import(struct wf_store *from, const struct wf_store_etcd_options *options,
			 bool merge, struct wf_store_import *ret_import, struct wf_err *err)
{
	const struct wf_etcd_tls tls = { .ca = (char *)options->ca,
					 .cert = (char *)options->cert,
					 .key = (char *)options->key };
	const char *prefix = options->prefix ? options->prefix : WF_STORE_ETCD_PREFIX;
	_cleanup_(import_done) struct import import = { .from = from,
							.prefix = prefix,
							.merge = merge };
	int r = wf_etcd_net_init(&import.net, options->endpoints, options->endpoint_count, &tls,
				 TIMEOUT_MS / 4, err);

	if (r == 0)
		r = wf_etcd_tls_check(&import.net.tls, err);
	if (r == 0 && (asprintf(&import.first, "%s/", prefix) < 0 ||
		       asprintf(&import.end, "%s0", prefix) < 0 ||
		       asprintf(&import.schema, "%s/schema", prefix) < 0))
		r = wf_fail(err, -ENOMEM, "out of memory for an import");
	if (r == 0)
		r = run(&import, err);
	if (r == 0)
		*ret_import = import.counts;
	return r;
}
