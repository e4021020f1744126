/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the watch's messages to the mirror and the watchers. A message holds the events of one or
 * more revisions; one revision may be spread over messages that are marked as fragments. What
 * was seen already (after a reconnection, or because etcd repeats itself) is skipped: revisions
 * only grow.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "store/etcd_priv.h"
#include "store/stamp.h"

void wf_etcd_watch_request(const struct wf_etcd *etcd, struct wf_str *body)
{
	wf_str_add(body, "{\"create_request\":");
	wf_etcd_add_range(body, etcd->first, strlen(etcd->first), etcd->end);
	wf_str_addf(body,
		    ",\"start_revision\":\"%" PRIu64 "\",\"fragment\":true,"
		    "\"progress_notify\":true}}",
		    etcd->mirror->revision + 1);
}

static void free_change(struct wf_etcd_change **change)
{
	if (!*change)
		return;
	wf_etcd_kvs_free((*change)->kvs, (*change)->count);
	free(*change);
	*change = NULL;
}

static struct wf_etcd_change *next_change(struct wf_etcd *etcd)
{
	struct wf_etcd_change *change = etcd->changes;

	if (!change)
		return NULL;
	etcd->changes = change->next;
	if (!etcd->changes)
		etcd->changes_end = &etcd->changes;
	return change;
}

void wf_etcd_watch_forget(struct wf_etcd *etcd)
{
	struct wf_etcd_change *change;

	free_change(&etcd->open);
	while ((change = next_change(etcd)))
		free_change(&change);
}

static void close_change(struct wf_etcd *etcd)
{
	if (!etcd->open)
		return;
	*etcd->changes_end = etcd->open;
	etcd->changes_end = &etcd->open->next;
	etcd->open = NULL;
}

/* Adds an event to the change of its revision; takes what it points to. */
static int add_event(struct wf_etcd *etcd, struct wf_etcd_kv *kv)
{
	struct wf_etcd_change *change;

	if (etcd->open && etcd->open->revision != kv->mod_revision)
		close_change(etcd);
	if (!etcd->open)
		etcd->open = calloc(1, sizeof(*etcd->open));
	change = etcd->open;
	if (!change || wf_mem_grow(&change->kvs, sizeof(*kv), change->count, &change->capacity) < 0)
		return -ENOMEM;
	change->revision = kv->mod_revision;
	change->kvs[change->count++] = *kv;
	kv->key = NULL;
	kv->value = NULL;
	return 0;
}

int wf_etcd_watch_take(struct wf_etcd *etcd, struct wf_etcd_answer *answer, struct wf_err *err)
{
	if (answer->cluster_id != etcd->cluster_id)
		return wf_fail(err, -EPROTO,
			       "etcd at %s changed its cluster id in the middle of a watch",
			       wf_etcd_net_endpoint(&etcd->net));
	for (size_t i = 0; i < answer->kv_count; i++)
		if (add_event(etcd, &answer->kvs[i]) < 0)
			return wf_fail(err, -ENOMEM, "out of memory for changes from etcd");
	if (!answer->fragment)
		close_change(etcd);
	return 0;
}

int wf_etcd_read_document(const struct wf_local_row *row, json_t **ret_document, struct wf_err *err)
{
	_cleanup_json_ json_t *document = NULL;
	const json_t *metadata;
	int r = wf_json_parse(row->text, row->len, &document, err);

	if (r == -ENOMEM)
		return r;
	metadata = json_object_get(document, "metadata");
	if (r < 0 || !json_is_object(document) || (metadata && !json_is_object(metadata)))
		return wf_fail(err, -EILSEQ, "%s/%s in etcd is not a document", row->kind,
			       row->name);
	if (wf_stamp_version(document, row->revision) < 0)
		return wf_fail(err, -ENOMEM, "out of memory reading %s/%s", row->kind, row->name);
	*ret_document = TAKE_PTR(document);
	return 0;
}

/* What is applied, in the forms that the mirror and the watchers want. */
struct application {
	struct wf_local_row *rows; /* owned; point into the change */
	size_t count;
	struct wf_store_batch *batch; /* owned */
};

static void application_done(struct application *application)
{
	free(application->rows);
	wf_watch_batch_free(&application->batch);
}

static int add_row(struct wf_etcd *etcd, struct application *application, struct wf_etcd_kv *kv,
		   struct wf_err *err)
{
	struct wf_local_row row = { .revision = kv->mod_revision, .lease = kv->lease };
	_cleanup_json_ json_t *document = NULL;
	char *kind, *name;
	int r;

	if (!wf_etcd_split_key(etcd->prefix, kv->key, kv->key_len, &kind, &name))
		return 0;
	row.kind = kind;
	row.name = name;
	if (!kv->is_deleted) {
		row.text = kv->value ? kv->value : "";
		row.len = kv->value_len;
		r = wf_etcd_read_document(&row, &document, err);
		/* the last good state is kept: one broken value is no reason to lose it */
		if (r == -EILSEQ) {
			etcd->counters.unreadable++;
			return 0;
		}
		if (r < 0)
			return r;
	}
	application->rows[application->count++] = row;
	if (wf_watch_wants(&etcd->store, kind) &&
	    wf_watch_batch_add(application->batch, kind, name, TAKE_PTR(document)) < 0)
		return wf_fail(err, -ENOMEM, "out of memory for the watchers of %s", kind);
	return 0;
}

static int apply_one(struct wf_etcd *etcd, struct wf_etcd_change *change, struct wf_err *err)
{
	_cleanup_(application_done) struct application application = { 0 };
	int r = 0;

	application.rows = calloc(change->count, sizeof(*application.rows));
	application.batch = wf_watch_batch_new(change->count);
	if (!application.rows || !application.batch)
		return wf_fail(err, -ENOMEM, "out of memory for changes from etcd");
	for (size_t i = 0; r == 0 && i < change->count; i++)
		r = add_row(etcd, &application, &change->kvs[i], err);
	if (r == 0)
		r = wf_local_mirror_apply(wf_etcd_mirror(etcd), application.rows, application.count,
					  change->revision, err);
	if (r < 0)
		return r;
	etcd->store.revision = change->revision;
	application.batch->revision = change->revision;
	if (application.batch->count)
		wf_watch_deliver(&etcd->store, TAKE_PTR(application.batch));
	return 0;
}

int wf_etcd_watch_apply(struct wf_etcd *etcd, struct wf_err *err)
{
	struct wf_etcd_change *change;
	int r = 0;

	while (r == 0 && (change = next_change(etcd))) {
		if (change->revision > etcd->server_revision)
			etcd->server_revision = change->revision;
		if (change->revision > etcd->mirror->revision) {
			if (!wf_etcd_guard_watch(etcd, change)) {
				etcd->needs_resync = true;
				r = wf_fail(err, -EAGAIN,
					    "one revision deletes much of the store: it is listed "
					    "before that is believed");
			} else {
				r = apply_one(etcd, change, err);
			}
		}
		free_change(&change);
	}
	return r;
}
