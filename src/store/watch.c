/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Delivery of changes, shared by all back ends. Every watcher sees whole transactions, each once,
 * in the order of their revisions. A callback may use the store: what it commits is queued and
 * delivered by the outermost call after the transactions before it; a watch that it starts is
 * caught up at once and then skips what it has seen; one that it ends is not called again. What
 * a callback must not do is close the store.
 */
#include "store/store_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

struct wf_watcher {
	uint64_t id;
	char *kind;       /* owned; NULL: every kind */
	uint64_t seen;    /* revision of the last transaction it was shown, or that it began at */
	bool catching_up; /* reads the history itself; not called for the queue meanwhile */
	bool ended;       /* freed when no callback is on the stack */
	wf_store_watch_fn callback;
	void *context;
	struct wf_watcher *next;
};

struct wf_store_batch *wf_watch_batch_new(size_t capacity)
{
	struct wf_store_batch *batch =
		calloc(1, sizeof(*batch) + capacity * sizeof(batch->events[0]));

	if (batch)
		batch->capacity = capacity;
	return batch;
}

void wf_watch_batch_free(struct wf_store_batch **batch)
{
	if (!*batch)
		return;
	for (size_t i = 0; i < (*batch)->count; i++) {
		free((char *)(*batch)->events[i].kind);
		free((char *)(*batch)->events[i].name);
		json_decref((json_t *)(*batch)->events[i].document);
	}
	free(*batch);
	*batch = NULL;
}

int wf_watch_batch_add(struct wf_store_batch *batch, const char *kind, const char *name,
		       json_t *document)
{
	struct wf_store_event event = {
		.op = document ? WF_STORE_PUT : WF_STORE_DELETE,
		.kind = strdup(kind),
		.name = strdup(name),
		.document = document,
	};

	assert(batch->count < batch->capacity);
	if (!event.kind || !event.name) {
		free((char *)event.kind);
		free((char *)event.name);
		json_decref(document);
		return -ENOMEM;
	}
	batch->events[batch->count++] = event;
	return 0;
}

static bool matches(const struct wf_watcher *watcher, const char *kind)
{
	return !watcher->ended && (!watcher->kind || strcmp(watcher->kind, kind) == 0);
}

bool wf_watch_wants(const struct wf_store *store, const char *kind)
{
	for (const struct wf_watcher *watcher = store->watchers; watcher; watcher = watcher->next)
		if (matches(watcher, kind))
			return true;
	return false;
}

static void free_watcher(struct wf_watcher *watcher)
{
	free(watcher->kind);
	free(watcher);
}

static void sweep_ended(struct wf_store *store)
{
	struct wf_watcher **link = &store->watchers;

	if (store->calling)
		return;
	while (*link) {
		struct wf_watcher *watcher = *link;

		if (!watcher->ended) {
			link = &watcher->next;
			continue;
		}
		*link = watcher->next;
		free_watcher(watcher);
	}
}

static void show(struct wf_store *store, struct wf_watcher *watcher,
		 const struct wf_store_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++) {
		struct wf_store_event event = batch->events[i];

		if (!matches(watcher, event.kind))
			continue;
		event.revision = batch->revision;
		store->calling++;
		watcher->callback(&event, watcher->context);
		store->calling--;
	}
	watcher->seen = batch->revision;
}

static struct wf_store_batch *dequeue(struct wf_store *store)
{
	struct wf_store_batch *batch = store->queue;

	if (!batch)
		return NULL;
	store->queue = batch->next;
	if (!store->queue)
		store->queue_end = &store->queue;
	return batch;
}

/* Shows the queue to everybody, until it is empty. Only the outermost call does. */
static void drain(struct wf_store *store)
{
	struct wf_store_batch *batch;

	if (store->calling)
		return;
	while ((batch = dequeue(store))) {
		/* the list only grows at its end while callbacks run, and nothing is freed */
		for (struct wf_watcher *watcher = store->watchers; watcher; watcher = watcher->next)
			if (!watcher->catching_up && watcher->seen < batch->revision)
				show(store, watcher, batch);
		wf_watch_batch_free(&batch);
	}
	sweep_ended(store);
}

void wf_watch_deliver(struct wf_store *store, struct wf_store_batch *batch)
{
	*store->queue_end = batch;
	store->queue_end = &batch->next;
	drain(store);
}

void wf_watch_rewind(struct wf_store *store)
{
	for (struct wf_watcher *watcher = store->watchers; watcher; watcher = watcher->next)
		watcher->seen = 0;
}

/* Shows what has already happened, up to the revision at the end of the loop. */
static int catch_up(struct wf_store *store, struct wf_watcher *watcher, struct wf_err *err)
{
	int r = 0;

	watcher->catching_up = true;
	while (!watcher->ended) {
		struct wf_store_batch *batch = NULL;
		uint64_t revision = store->revision;

		r = store->ops->history(store, watcher->kind, watcher->seen, &batch, err);
		if (r < 0)
			break;
		if (!batch) {
			watcher->seen = revision;
			break;
		}
		/* commits of the callback are queued: the queue must not overtake the history */
		store->calling++;
		show(store, watcher, batch);
		store->calling--;
		wf_watch_batch_free(&batch);
	}
	watcher->catching_up = false;
	return r;
}

static struct wf_watcher *add_watcher(struct wf_store *store, const char *kind)
{
	struct wf_watcher *watcher = calloc(1, sizeof(*watcher)), **link = &store->watchers;

	if (!watcher)
		return NULL;
	if (kind && !(watcher->kind = strdup(kind))) {
		free(watcher);
		return NULL;
	}
	watcher->id = ++store->last_watch_id;
	while (*link)
		link = &(*link)->next;
	*link = watcher;
	return watcher;
}

int wf_store_watch(struct wf_store *store, const char *kind, uint64_t from_revision,
		   wf_store_watch_fn callback, void *context, uint64_t *ret_id, struct wf_err *err)
{
	struct wf_watcher *watcher;
	uint64_t id;
	int r;

	if (from_revision > store->revision)
		return wf_fail(err, -ESTALE,
			       "revision %llu has not happened yet (the store is at %llu): list "
			       "again",
			       (unsigned long long)from_revision,
			       (unsigned long long)store->revision);
	watcher = add_watcher(store, kind);
	if (!watcher)
		return wf_fail(err, -ENOMEM, "out of memory for a watch");
	watcher->callback = callback;
	watcher->context = context;
	watcher->seen = from_revision;
	id = watcher->id;
	if (ret_id)
		*ret_id = id;
	r = catch_up(store, watcher, err);
	if (r < 0)
		watcher->ended = true;
	drain(store);
	return r;
}

void wf_store_unwatch(struct wf_store *store, uint64_t id)
{
	for (struct wf_watcher *watcher = store->watchers; watcher; watcher = watcher->next)
		if (watcher->id == id)
			watcher->ended = true;
	sweep_ended(store);
}

void wf_store_done(struct wf_store *store)
{
	struct wf_store_batch *batch;
	struct wf_watcher *watcher;

	assert(!store->calling);
	while ((batch = dequeue(store)))
		wf_watch_batch_free(&batch);
	while ((watcher = store->watchers)) {
		store->watchers = watcher->next;
		free_watcher(watcher);
	}
	free(store->description);
}
