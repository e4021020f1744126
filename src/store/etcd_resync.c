/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists everything at one revision, page by page, and makes the mirror equal to it in one
 * transaction. The watchers are shown the difference. Nothing else goes on meanwhile: this is for
 * the first start, and for when the history between us and etcd is lost.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "store/etcd_priv.h"

#define PAGE_TIMEOUT_MS  10000
#define FIRST_PAGE       256
#define LARGEST_PAGE     2048
#define LARGEST_OF_KEYS  4096
#define MAX_SHRINKS      12
#define WELL_BELOW_BYTES (512U << 10)

int wf_etcd_pager_init(struct wf_etcd_pager *pager, const struct wf_etcd *etcd, bool keys_only,
		       struct wf_err *err)
{
	*pager = (struct wf_etcd_pager){ .limit = FIRST_PAGE, .keys_only = keys_only };
	pager->next = strdup(etcd->first);
	pager->next_len = strlen(etcd->first);
	return pager->next ? 0 : wf_fail(err, -ENOMEM, "out of memory listing etcd");
}

void wf_etcd_pager_done(struct wf_etcd_pager *pager)
{
	free(pager->next);
	*pager = (struct wf_etcd_pager){ 0 };
}

void wf_etcd_pager_request(const struct wf_etcd_pager *pager, const struct wf_etcd *etcd,
			   struct wf_str *body)
{
	wf_etcd_add_range(body, pager->next, pager->next_len, etcd->end);
	wf_str_addf(body, ",\"limit\":\"%zu\"", pager->limit);
	if (pager->revision)
		wf_str_addf(body, ",\"revision\":\"%" PRIu64 "\"", pager->revision);
	if (pager->keys_only)
		wf_str_add(body, ",\"keys_only\":true");
	/* the revision is the newest; what it holds, any member may tell */
	if (pager->keys_only && pager->revision)
		wf_str_add(body, ",\"serializable\":true");
	wf_str_add(body, "}");
}

/* Pages grow while they are small: each costs etcd a count of all keys. */
static void grow(struct wf_etcd_pager *pager, const struct wf_etcd_answer *answer)
{
	size_t largest = pager->keys_only ? LARGEST_OF_KEYS : LARGEST_PAGE, bytes = 0;

	for (size_t i = 0; i < answer->kv_count; i++)
		bytes += answer->kvs[i].key_len + answer->kvs[i].value_len;
	if (bytes < WELL_BELOW_BYTES && pager->limit < largest)
		pager->limit *= 2;
	else if (bytes > 3 * WELL_BELOW_BYTES && pager->limit > 1)
		pager->limit /= 2;
}

int wf_etcd_pager_take(struct wf_etcd_pager *pager, const struct wf_etcd_answer *answer,
		       struct wf_err *err)
{
	const struct wf_etcd_kv *last;
	char *next;

	if (pager->revision == 0)
		pager->revision = answer->revision;
	pager->is_done = !answer->more;
	if (pager->is_done)
		return 0;
	if (answer->kv_count == 0)
		return wf_fail(err, -EPROTO,
			       "etcd answers nonsense: an empty page, and more to come");
	/* the first key after the last one is that one with a NUL behind it */
	last = &answer->kvs[answer->kv_count - 1];
	next = malloc(last->key_len + 1);
	if (!next)
		return wf_fail(err, -ENOMEM, "out of memory listing etcd");
	memcpy(next, last->key, last->key_len);
	next[last->key_len] = '\0';
	free(pager->next);
	pager->next = next;
	pager->next_len = last->key_len + 1;
	grow(pager, answer);
	return 0;
}

bool wf_etcd_pager_shrink(struct wf_etcd_pager *pager)
{
	if (pager->limit == 1)
		return false;
	pager->limit /= 4;
	if (pager->limit == 0)
		pager->limit = 1;
	return true;
}

/* FNV-1a: what is compared is our own store with itself, nobody gains from a collision. */
static uint64_t hash_text(uint64_t hash, const char *text)
{
	do {
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3;
	} while (*text++);
	return hash;
}

static uint64_t hash_key(const char *kind, const char *name)
{
	return hash_text(hash_text(0xcbf29ce484222325, kind), name);
}

int wf_etcd_keys_add(struct wf_etcd_keys *keys, const char *kind, const char *name)
{
	if (wf_mem_grow(&keys->hashes, sizeof(*keys->hashes), keys->count, &keys->capacity) < 0)
		return -ENOMEM;
	keys->hashes[keys->count++] = hash_key(kind, name);
	return 0;
}

static int compare_hashes(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

void wf_etcd_keys_sort(struct wf_etcd_keys *keys)
{
	if (keys->count)
		qsort(keys->hashes, keys->count, sizeof(*keys->hashes), compare_hashes);
}

bool wf_etcd_keys_has(const struct wf_etcd_keys *keys, const char *kind, const char *name)
{
	uint64_t hash = hash_key(kind, name);

	return keys->count &&
	       bsearch(&hash, keys->hashes, keys->count, sizeof(hash), compare_hashes) != NULL;
}

void wf_etcd_keys_done(struct wf_etcd_keys *keys)
{
	free(keys->hashes);
	*keys = (struct wf_etcd_keys){ 0 };
}

/* A document that the list has put right. */
struct difference {
	char *kind; /* owned */
	char *name; /* owned */
};

struct resync {
	struct wf_etcd *etcd;
	struct wf_etcd_pager pager;
	struct wf_etcd_keys listed;
	struct difference *changed; /* owned; those to be deleted at the end */
	size_t count;
	size_t capacity;
	size_t first_doomed;
	size_t total;    /* documents that the mirror had */
	bool is_cleared; /* of the guard: deletions may go on */
};

static void resync_done(struct resync *resync)
{
	for (size_t i = 0; i < resync->count; i++) {
		free(resync->changed[i].kind);
		free(resync->changed[i].name);
	}
	free(resync->changed);
	wf_etcd_keys_done(&resync->listed);
	wf_etcd_pager_done(&resync->pager);
}

static int note(struct resync *resync, const char *kind, const char *name, struct wf_err *err)
{
	struct difference *at;

	if (wf_mem_grow(&resync->changed, sizeof(*at), resync->count, &resync->capacity) < 0)
		return wf_fail(err, -ENOMEM, "out of memory listing etcd");
	at = &resync->changed[resync->count++];
	at->kind = strdup(kind);
	at->name = strdup(name);
	return at->kind && at->name ? 0 : wf_fail(err, -ENOMEM, "out of memory listing etcd");
}

static int take_kv(struct resync *resync, struct wf_etcd_kv *kv, struct wf_err *err)
{
	struct wf_etcd *etcd = resync->etcd;
	struct wf_local *mirror = wf_etcd_mirror(etcd);
	struct wf_local_row row = { .revision = kv->mod_revision, .lease = kv->lease }, old;
	_cleanup_json_ json_t *document = NULL;
	char *kind, *name;
	int r;

	if (!wf_etcd_split_key(etcd->prefix, kv->key, kv->key_len, &kind, &name))
		return 0;
	if (wf_etcd_keys_add(&resync->listed, kind, name) < 0)
		return wf_fail(err, -ENOMEM, "out of memory listing etcd");
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
	/* nobody watches a store that is being opened: nothing to be remembered for them */
	if (r == 0 && etcd->store.watchers)
		r = note(resync, kind, name, err);
	etcd->counters.repairs++;
	return r;
}

static int read_page(struct resync *resync, struct wf_etcd_answer *answer, struct wf_err *err)
{
	int r = -E2BIG;

	for (int i = 0; r == -E2BIG && i < MAX_SHRINKS; i++) {
		struct wf_str body = WF_STR_INIT;

		wf_etcd_pager_request(&resync->pager, resync->etcd, &body);
		r = wf_etcd_net_ask(&resync->etcd->net, "kv/range", &body, PAGE_TIMEOUT_MS, answer,
				    err);
		if (r == -E2BIG && !wf_etcd_pager_shrink(&resync->pager))
			break;
	}
	return r;
}

static int read_pages(struct resync *resync, struct wf_err *err)
{
	int r = 0;

	while (r == 0 && !resync->pager.is_done) {
		_cleanup_(wf_etcd_answer_done) struct wf_etcd_answer answer = { 0 };

		r = read_page(resync, &answer, err);
		if (r == 0 && answer.cluster_id != resync->etcd->cluster_id)
			r = wf_fail(err, -EPROTO, "etcd at %s changed its cluster id during a list",
				    wf_etcd_net_endpoint(&resync->etcd->net));
		if (r == 0)
			r = wf_etcd_pager_take(&resync->pager, &answer, err);
		for (size_t i = 0; r == 0 && i < answer.kv_count; i++)
			r = take_kv(resync, &answer.kvs[i], err);
	}
	return r;
}

static int find_doomed(const struct wf_local_row *row, void *context, struct wf_err *err)
{
	struct resync *resync = context;

	if (row->kind[0] == '.')
		return 0;
	resync->total++;
	return wf_etcd_keys_has(&resync->listed, row->kind, row->name)
		       ? 0
		       : note(resync, row->kind, row->name, err);
}

static int remove_doomed(struct resync *resync, struct wf_err *err)
{
	struct wf_local *mirror = wf_etcd_mirror(resync->etcd);
	int r;

	wf_etcd_keys_sort(&resync->listed);
	resync->first_doomed = resync->count;
	r = mirror->rows->walk(mirror, NULL, 0, find_doomed, resync, err);
	if (r < 0)
		return r;
	resync->is_cleared = wf_etcd_guard_list(resync->etcd, resync->count - resync->first_doomed,
						resync->total);
	for (size_t i = resync->first_doomed; r == 0 && resync->is_cleared && i < resync->count;
	     i++)
		r = mirror->rows->remove(mirror, resync->changed[i].kind, resync->changed[i].name,
					 err);
	if (resync->is_cleared)
		resync->etcd->counters.repairs += resync->count - resync->first_doomed;
	return r;
}

/* Tells the watchers what is different now. What cannot be told for lack of memory is lost. */
static void deliver(struct resync *resync)
{
	struct wf_etcd *etcd = resync->etcd;
	size_t count = resync->is_cleared ? resync->count : resync->first_doomed;
	struct wf_store_batch *batch = wf_watch_batch_new(count);

	if (!batch)
		return;
	for (size_t i = 0; i < count; i++) {
		const struct difference *at = &resync->changed[i];
		json_t *document = NULL;

		if (!wf_watch_wants(&etcd->store, at->kind))
			continue;
		if (i < resync->first_doomed &&
		    etcd->mirror->ops->get(etcd->mirror, at->kind, at->name, &document, NULL) < 0)
			continue;
		(void)wf_watch_batch_add(batch, at->kind, at->name, document);
	}
	batch->revision = etcd->store.revision;
	if (batch->count)
		wf_watch_deliver(&etcd->store, batch);
	else
		wf_watch_batch_free(&batch);
}

static int run(struct resync *resync, struct wf_err *err)
{
	struct wf_etcd *etcd = resync->etcd;
	struct wf_local *mirror = wf_etcd_mirror(etcd);
	int r = wf_local_mirror_begin(mirror, err);

	if (r < 0)
		return r;
	r = read_pages(resync, err);
	if (r == 0)
		r = remove_doomed(resync, err);
	if (r == 0)
		r = wf_etcd_identity_save(etcd, err);
	if (r < 0) {
		mirror->rows->undo(mirror);
		return r;
	}
	return wf_local_mirror_end(mirror, resync->pager.revision, err);
}

int wf_etcd_resync(struct wf_etcd *etcd, struct wf_err *err)
{
	_cleanup_(resync_done) struct resync resync = { .etcd = etcd };
	uint64_t repairs = etcd->counters.repairs;
	int r = wf_etcd_pager_init(&resync.pager, etcd, false, err);

	wf_etcd_watch_forget(etcd);
	wf_etcd_audit_end(etcd);
	if (r == 0)
		r = run(&resync, err);
	if (r < 0) {
		etcd->counters.repairs = repairs;
		return r;
	}
	etcd->counters.lists++;
	etcd->needs_resync = false;
	etcd->accept = false;
	etcd->documents = resync.listed.count;
	if (resync.pager.revision < etcd->store.revision)
		wf_watch_rewind(&etcd->store);
	etcd->store.revision = resync.pager.revision;
	etcd->server_revision = resync.pager.revision;
	deliver(&resync);
	return 0;
}
