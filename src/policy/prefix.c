/* SPDX-License-Identifier: Apache-2.0 */
/* Records of prefixes: which have an entry that says their class. */
#include <stdlib.h>

#include "base/index.h"
#include "policy/engine_priv.h"

static uint64_t hash_of(const struct wf_prefix *prefix)
{
	return wf_hash_addr(prefix->len, &prefix->addr);
}

static uint64_t hash(const void *object)
{
	return hash_of(&((const struct wf_prefix_record *)object)->prefix);
}

static bool is(const void *object, const void *key)
{
	return wf_prefix_equal(&((const struct wf_prefix_record *)object)->prefix, key);
}

void wf_prefixes_init(struct wf_policy_engine *engine)
{
	static const struct wf_set_ops ops = { hash, is };

	engine->prefixes.ops = &ops;
}

void wf_prefixes_done(struct wf_policy_engine *engine)
{
	size_t at = 0;

	for (void *record; (record = wf_set_walk(&engine->prefixes, &at));)
		free(record);
	wf_set_done(&engine->prefixes);
}

struct wf_prefix_record *wf_prefix_find(const struct wf_policy_engine *engine,
					const struct wf_prefix *prefix)
{
	return wf_set_find(&engine->prefixes, hash_of(prefix), prefix);
}

struct wf_prefix_record *wf_prefix_add(struct wf_policy_engine *engine,
				       const struct wf_prefix *prefix)
{
	struct wf_prefix_record *record = calloc(1, sizeof(*record));

	if (!record)
		return NULL;
	record->prefix = *prefix;
	if (wf_set_add(&engine->prefixes, record) == 0)
		return record;
	free(record);
	return NULL;
}

void wf_prefix_drop(struct wf_policy_engine *engine, struct wf_prefix_record *record)
{
	wf_set_remove(&engine->prefixes, record);
	free(record);
}
