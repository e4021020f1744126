/* SPDX-License-Identifier: Apache-2.0 */
/* A list of everything, page by page at one revision, and the set of keys that it had. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/index.h"
#include "base/mem.h"
#include "store/etcd_priv.h"

#define FIRST_PAGE      128
#define PAGE_TIMEOUT_MS 10000

/*
 * A page is dealt with in one turn of the owner's loop: some tens of milliseconds at most, and more
 * only while the store is being opened, when there is no loop yet. Small pages are dear for etcd,
 * which counts all keys behind each of them: many nodes that list a large store at once keep it busy.
 */
struct bounds {
	size_t limit;       /* largest page */
	size_t small_bytes; /* pages grow below, and get smaller beyond three times as much */
};
static const struct bounds bounds_documents = { 512, (size_t)512 << 10 };
static const struct bounds bounds_keys = { 2048, (size_t)512 << 10 };
static const struct bounds bounds_opening = { 4096, (size_t)1 << 20 };

int wf_etcd_pager_init(struct wf_etcd_pager *pager, const struct wf_etcd *etcd, bool keys_only,
		       struct wf_err *err)
{
	*pager = (struct wf_etcd_pager){ .limit = FIRST_PAGE,
					 .keys_only = keys_only,
					 .is_opening = !etcd->store.watchers };
	pager->next = strdup(etcd->first);
	pager->next_len = strlen(etcd->first);
	return pager->next ? 0 : wf_fail(err, -ENOMEM, "out of memory listing etcd");
}

void wf_etcd_pager_done(struct wf_etcd_pager *pager)
{
	free(pager->next);
	*pager = (struct wf_etcd_pager){ 0 };
}

int wf_etcd_pager_start(const struct wf_etcd_pager *pager, struct wf_etcd *etcd,
			struct wf_etcd_call **ret_call, struct wf_err *err)
{
	struct wf_str body = WF_STR_INIT;

	wf_etcd_add_range(&body, pager->next, pager->next_len, etcd->end);
	wf_str_addf(&body, ",\"limit\":\"%zu\"", pager->limit);
	if (pager->revision)
		wf_str_addf(&body, ",\"revision\":\"%" PRIu64 "\"", pager->revision);
	if (pager->keys_only)
		wf_str_add(&body, ",\"keys_only\":true");
	/* the revision is the newest; what it holds, any member may tell */
	if (pager->keys_only && pager->revision)
		wf_str_add(&body, ",\"serializable\":true");
	wf_str_add(&body, "}");
	return wf_etcd_call_start(&etcd->net, "kv/range", &body, PAGE_TIMEOUT_MS, ret_call, err);
}

/* Pages grow while they are small. */
static void grow(struct wf_etcd_pager *pager, const struct wf_etcd_answer *answer)
{
	const struct bounds *bounds = pager->is_opening  ? &bounds_opening
				      : pager->keys_only ? &bounds_keys
							 : &bounds_documents;
	size_t bytes = 0;

	for (size_t i = 0; i < answer->kv_count; i++)
		bytes += answer->kvs[i].key_len + answer->kvs[i].value_len;
	if (bytes < bounds->small_bytes && pager->limit < bounds->limit)
		pager->limit *= 2;
	else if (bytes > 3 * bounds->small_bytes && pager->limit > 1)
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

/* What is compared is our own store with itself: nobody gains from a collision. */
static uint64_t hash_key(const char *kind, const char *name)
{
	return wf_hash_text(wf_hash_text(0, kind), name);
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
