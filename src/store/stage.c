/* SPDX-License-Identifier: Apache-2.0 */
/* Transactions that are made ready in parts: what all stores have in common. */
#include "store/stage_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/store_priv.h"

uint64_t wf_store_key_hash(const char *kind, const char *name)
{
	return wf_hash_text(wf_hash_text(0, kind), name);
}

struct wf_store_prepared *wf_store_staged(const struct wf_store_stage *stage, const char *kind,
					  const char *name)
{
	WF_INDEX_EACH(&stage->by_key, wf_store_key_hash(kind, name), node) {
		struct wf_store_prepared *prepared =
			WF_INDEX_OBJECT(node, struct wf_store_prepared, by_key);

		if (strcmp(prepared->write.kind, kind) == 0 &&
		    strcmp(prepared->write.name, name) == 0)
			return prepared;
	}
	return NULL;
}

int wf_store_stage_new(struct wf_store *store, struct wf_store_stage **ret_stage,
		       struct wf_err *err)
{
	struct wf_store_stage *stage = calloc(1, sizeof(*stage));

	if (!stage)
		return wf_fail(err, -ENOMEM, "out of memory for a transaction");
	stage->store = store;
	stage->end = &stage->first;
	stage->next = store->stages;
	store->stages = stage;
	*ret_stage = stage;
	return 0;
}

int wf_store_stage_add(struct wf_store_stage *stage, const struct wf_store_write *write,
		       struct wf_err *err)
{
	const struct wf_store_ops *ops = stage->store->ops;
	struct wf_store_prepared *prepared;
	int r = wf_store_check_write(write, err);

	if (r == 0 && stage->count == WF_STORE_MAX_WRITES)
		r = wf_fail(err, -E2BIG, "a transaction is larger than the %d writes accepted",
			    WF_STORE_MAX_WRITES);
	if (r == 0 && wf_store_staged(stage, write->kind, write->name))
		r = wf_fail(err, -EINVAL, "%s/%s is written twice in one transaction", write->kind,
			    write->name);
	if (r < 0)
		return r;
	prepared = calloc(1, sizeof(*prepared));
	if (!prepared)
		return wf_fail(err, -ENOMEM, "out of memory for a transaction");
	prepared->write = *write;
	if (ops->stage_add)
		r = ops->stage_add(stage, prepared, err);
	if (r < 0) {
		free(prepared);
		return r;
	}
	*stage->end = prepared;
	stage->end = &prepared->next;
	stage->count++;
	wf_index_add(&stage->by_key, &prepared->by_key,
		     wf_store_key_hash(write->kind, write->name));
	return 0;
}

int wf_store_stage_write(struct wf_store_stage *stage, size_t most, struct wf_err *err)
{
	const struct wf_store_ops *ops = stage->store->ops;

	return ops->stage_write ? ops->stage_write(stage, most, err) : 0;
}

/* Of stores that can make nothing ready: all at once. */
static int commit_plain(struct wf_store_stage *stage, enum wf_store_durability durability,
			uint64_t *ret_revision, struct wf_err *err)
{
	_cleanup_free_ struct wf_store_write *writes = calloc(stage->count + 1, sizeof(*writes));
	size_t count = 0;

	if (!writes)
		return wf_fail(err, -ENOMEM, "out of memory for a transaction of %zu writes",
			       stage->count);
	for (const struct wf_store_prepared *at = stage->first; at; at = at->next)
		writes[count++] = at->write;
	return wf_store_commit(stage->store, writes, count, durability, ret_revision, err);
}

/* The first of its writes. */
static void end_first(struct wf_store_stage *stage, bool committed)
{
	struct wf_store_prepared *prepared = stage->first;

	stage->first = prepared->next;
	wf_index_remove(&stage->by_key, &prepared->by_key);
	if (stage->store->ops->stage_end)
		stage->store->ops->stage_end(prepared, committed);
	free(prepared);
}

/* One without writes. */
static void end_stage(struct wf_store_stage **stage_)
{
	struct wf_store_stage *stage = TAKE_PTR(*stage_);
	struct wf_store_stage **link = &stage->store->stages;

	while (*link != stage)
		link = &(*link)->next;
	*link = stage->next;
	wf_index_done(&stage->by_key);
	free(stage);
}

int wf_store_stage_commit(struct wf_store_stage **stage_, enum wf_store_durability durability,
			  uint64_t *ret_revision, struct wf_err *err)
{
	struct wf_store_stage *stage = *stage_;
	uint64_t revision = stage->store->revision;
	int r = 0;

	if (stage->count && stage->store->ops->stage_commit)
		r = stage->store->ops->stage_commit(stage, durability, &revision, err);
	else if (stage->count)
		r = commit_plain(stage, durability, &revision, err);
	if (r < 0)
		return r;
	if (ret_revision)
		*ret_revision = revision;
	while (stage->first)
		end_first(stage, true);
	end_stage(stage_);
	return 0;
}

bool wf_store_stage_undo(struct wf_store_stage **stage_, size_t most)
{
	struct wf_store_stage *stage = *stage_;

	if (!stage)
		return false;
	if (stage->store->ops->stage_drop && stage->store->ops->stage_drop(stage, most))
		return true;
	for (; most && stage->first; most--)
		end_first(stage, false);
	if (stage->first)
		return true;
	end_stage(stage_);
	return false;
}

void wf_store_stage_free(struct wf_store_stage **stage)
{
	while (wf_store_stage_undo(stage, SIZE_MAX))
		;
}
