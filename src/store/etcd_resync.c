/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists everything at one revision, a page a turn, and makes the mirror equal to it: for the first
 * start, and for when the history between us and etcd is lost. What is new or changed is put into
 * the mirror page by page, and readers see it; what is gone is deleted at the end, when all is
 * known, and then the watchers are shown the difference. A list that is cut short is begun again;
 * what it had changed already is not forgotten. The mirror notes that a list is under way, so that
 * a process that dies in the middle of it begins it again too.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "store/etcd_priv.h"

/* A document that the list has put right. */
struct difference {
	char *kind; /* owned */
	char *name; /* owned */
};

struct wf_etcd_resync {
	struct wf_etcd_pager pager;
	struct wf_etcd_keys listed;
	struct difference *changed; /* owned; what the watchers have to be shown */
	size_t count;
	size_t capacity;
	size_t total;     /* documents that the mirror has */
	size_t doomed;    /* the last so many of the changed are to be deleted */
	bool is_held;     /* but not yet */
	bool is_backward; /* the revisions begin anew */
};

void wf_etcd_resync_free(struct wf_etcd_resync **resync)
{
	if (!*resync)
		return;
	for (size_t i = 0; i < (*resync)->count; i++) {
		free((*resync)->changed[i].kind);
		free((*resync)->changed[i].name);
	}
	free((*resync)->changed);
	wf_etcd_keys_done(&(*resync)->listed);
	wf_etcd_pager_done(&(*resync)->pager);
	free(*resync);
	*resync = NULL;
}

static int fail_memory(struct wf_err *err)
{
	return wf_fail(err, -ENOMEM, "out of memory listing etcd");
}

/* Remembers what the watchers have to be shown. */
static int note(struct wf_etcd *etcd, const char *kind, const char *name, struct wf_err *err)
{
	struct wf_etcd_resync *resync = etcd->resync;
	struct difference *at;

	if (wf_mem_grow(&resync->changed, sizeof(*at), resync->count, &resync->capacity) < 0)
		return fail_memory(err);
	at = &resync->changed[resync->count++];
	at->kind = strdup(kind);
	at->name = strdup(name);
	return at->kind && at->name ? 0 : fail_memory(err);
}

static int take_kv(struct wf_etcd *etcd, struct wf_etcd_kv *kv, struct wf_err *err)
{
	struct wf_local *mirror = wf_etcd_mirror(etcd);
	struct wf_local_row row = { .revision = kv->mod_revision, .lease = kv->lease }, old;
	_cleanup_json_ json_t *document = NULL;
	char *kind, *name;
	int r;

	if (!wf_etcd_split_key(etcd->prefix, kv->key, kv->key_len, &kind, &name))
		return 0;
	if (wf_etcd_keys_add(&etcd->resync->listed, kind, name) < 0)
		return fail_memory(err);
	r = mirror->rows->read(mirror, kind, name, &old, err);
	if (r < 0 || (r > 0 && old.revision == kv->mod_revision && old.lease == kv->lease))
		return r < 0 ? r : 0;
	row.kind = kind;
	row.name = name;
	row.text = kv->value ? kv->value : "";
	row.len = kv->value_len;
	r = wf_etcd_read_document(&row, &document, err);
	if (r == -EILSEQ) {
		etcd->counters.unreadable++;
		return 0;
	}
	if (r == 0)
		r = mirror->rows->put(mirror, &row, err);
	/* nobody watches a store that is being opened */
	if (r == 0 && etcd->store.watchers)
		r = note(etcd, kind, name, err);
	etcd->counters.repairs++;
	return r;
}

static int take_page(struct wf_etcd *etcd, struct wf_etcd_answer *answer, struct wf_err *err)
{
	struct wf_local *mirror = wf_etcd_mirror(etcd);
	int r = wf_local_mirror_begin(mirror, err);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < answer->kv_count; i++)
		r = take_kv(etcd, &answer->kvs[i], err);
	return wf_local_rows_end(mirror, r, err);
}

static int find_doomed(const struct wf_local_row *row, void *context, struct wf_err *err)
{
	struct wf_etcd *etcd = context;

	if (row->kind[0] == '.')
		return 0;
	etcd->resync->total++;
	if (wf_etcd_keys_has(&etcd->resync->listed, row->kind, row->name))
		return 0;
	etcd->resync->doomed++;
	return note(etcd, row->kind, row->name, err);
}

/* Deletes what is gone, if that may be believed, and makes the list's revision the mirror's. */
static int finish(struct wf_etcd *etcd, struct wf_err *err)
{
	struct wf_etcd_resync *resync = etcd->resync;
	struct wf_local *mirror = wf_etcd_mirror(etcd);
	int r;

	wf_etcd_keys_sort(&resync->listed);
	r = mirror->rows->walk(mirror, NULL, 0, find_doomed, etcd, err);
	if (r == 0)
		r = wf_local_mirror_begin(mirror, err);
	if (r < 0)
		return r;
	resync->is_held = !wf_etcd_guard_list(etcd, resync->doomed, resync->total);
	for (size_t i = resync->is_held ? resync->count : resync->count - resync->doomed;
	     r == 0 && i < resync->count; i++)
		r = mirror->rows->remove(mirror, resync->changed[i].kind, resync->changed[i].name,
					 err);
	if (r == 0)
		r = wf_etcd_identity_save(etcd, false, err);
	if (r < 0) {
		mirror->rows->undo(mirror);
		return r;
	}
	return wf_local_mirror_end(mirror, resync->pager.revision, err);
}

static void finished(struct wf_etcd *etcd)
{
	struct wf_etcd_resync *resync = etcd->resync;

	if (!resync->is_held)
		etcd->counters.repairs += resync->doomed;
	etcd->counters.lists++;
	etcd->needs_resync = false;
	etcd->accept = false;
	etcd->documents = resync->listed.count;
	resync->is_backward = resync->pager.revision < etcd->store.revision;
	etcd->store.revision = resync->pager.revision;
	etcd->server_revision = resync->pager.revision;
}

/* Takes what an earlier list has changed, and nobody was told of, along. */
static int renew(struct wf_etcd *etcd, struct wf_err *err)
{
	struct wf_etcd_resync *resync = etcd->resync;

	if (!resync)
		resync = etcd->resync = calloc(1, sizeof(*resync));
	if (!resync)
		return fail_memory(err);
	wf_etcd_keys_done(&resync->listed);
	wf_etcd_pager_done(&resync->pager);
	resync->doomed = 0;
	resync->total = 0;
	return wf_etcd_pager_init(&resync->pager, etcd, false, err);
}

int wf_etcd_resync_begin(struct wf_etcd *etcd, struct wf_err *err)
{
	struct wf_local *mirror = wf_etcd_mirror(etcd);
	int r = renew(etcd, err);

	/* a mirror of nothing yet is told apart without a note */
	if (r == 0 && etcd->has_note) {
		r = wf_local_mirror_begin(mirror, err);
		if (r == 0)
			r = wf_etcd_identity_save(etcd, true, err);
		if (r == 0)
			r = mirror->rows->end(mirror, err);
	}
	return r < 0 ? r : wf_etcd_pager_start(&etcd->resync->pager, etcd, &etcd->list, err);
}

/* It is on its way when this returns: etcd makes it while the one before is dealt with. */
static int next_page(struct wf_etcd *etcd, struct wf_err *err)
{
	int r = wf_etcd_pager_start(&etcd->resync->pager, etcd, &etcd->list, err);

	if (r < 0)
		return r;
	wf_etcd_net_step(&etcd->net, 0);
	return 1;
}

int wf_etcd_resync_run(struct wf_etcd *etcd, struct wf_err *err)
{
	_cleanup_(wf_etcd_answer_done) struct wf_etcd_answer answer = { 0 };
	struct wf_etcd_pager *pager = &etcd->resync->pager;
	int r;

	if (!etcd->list->is_done)
		return 1;
	r = wf_etcd_call_answer(etcd->list, &answer, err);
	wf_etcd_call_free(&etcd->list);
	if (r == -E2BIG && wf_etcd_pager_shrink(pager))
		return next_page(etcd, err);
	if (r == 0 && answer.cluster_id != etcd->cluster_id)
		r = wf_fail(err, -EPROTO, "etcd at %s changed its cluster id during a list",
			    wf_etcd_net_endpoint(&etcd->net));
	if (r == 0)
		r = wf_etcd_pager_take(pager, &answer, err);
	if (r == 0 && !pager->is_done)
		r = next_page(etcd, err);
	if (r >= 0) {
		int taken = take_page(etcd, &answer, err);

		r = taken < 0 ? taken : r;
	}
	if (r == 0)
		r = finish(etcd, err);
	if (r == 0)
		finished(etcd);
	return r;
}

static int add_to_batch(struct wf_etcd *etcd, struct wf_store_batch *batch,
			const struct difference *at)
{
	json_t *document = NULL;
	int r;

	if (!wf_watch_wants(&etcd->store, at->kind))
		return 0;
	r = etcd->mirror->ops->get(etcd->mirror, at->kind, at->name, &document, NULL);
	return r < 0 && r != -ENOENT ? r : wf_watch_batch_add(batch, at->kind, at->name, document);
}

/* What cannot be told for lack of memory is lost. */
void wf_etcd_resync_tell(struct wf_etcd *etcd)
{
	_cleanup_(wf_etcd_resync_free) struct wf_etcd_resync *resync = TAKE_PTR(etcd->resync);
	size_t count = resync->count - (resync->is_held ? resync->doomed : 0);
	struct wf_store_batch *batch = wf_watch_batch_new(count);

	if (resync->is_backward)
		wf_watch_rewind(&etcd->store);
	if (!batch)
		return;
	for (size_t i = 0; i < count; i++)
		(void)add_to_batch(etcd, batch, &resync->changed[i]);
	batch->revision = etcd->store.revision;
	if (batch->count)
		wf_watch_deliver(&etcd->store, batch);
	else
		wf_watch_batch_free(&batch);
}
