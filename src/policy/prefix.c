/* SPDX-License-Identifier: Apache-2.0 */
/* Records of prefixes: which have an entry that says their class. */
#include <stdlib.h>

#include "base/index.h"
#include "policy/engine_priv.h"

/* What a record is found by. */
struct record_key {
	const struct wf_prefix *prefix;
	uint32_t scope;
};

static uint64_t hash_of(uint32_t scope, const struct wf_addr *addr, uint8_t len)
{
	return wf_hash_addr((uint64_t)scope << 8 | len, addr);
}

static uint64_t hash(const void *object)
{
	const struct wf_prefix_record *record = object;

	return hash_of(record->scope, &record->addr, record->len);
}

static bool is(const void *object, const void *key)
{
	const struct wf_prefix_record *record = object;
	const struct record_key *wanted = key;

	return record->scope == wanted->scope && record->len == wanted->prefix->len &&
	       wf_addr_equal(&record->addr, &wanted->prefix->addr);
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

struct wf_prefix_record *wf_prefix_find(const struct wf_policy_engine *engine, uint32_t scope,
					const struct wf_prefix *prefix)
{
	const struct record_key key = { prefix, scope };

	return wf_set_find(&engine->prefixes, hash_of(scope, &prefix->addr, prefix->len), &key);
}

struct wf_prefix wf_prefix_of(const struct wf_prefix_record *record)
{
	return (struct wf_prefix){ .addr = record->addr, .len = record->len };
}

struct wf_prefix_record *wf_prefix_add(struct wf_policy_engine *engine, uint32_t scope,
				       const struct wf_prefix *prefix)
{
	struct wf_prefix_record *record = calloc(1, sizeof(*record));

	if (!record)
		return NULL;
	record->addr = prefix->addr;
	record->scope = (uint16_t)scope;
	record->len = prefix->len;
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
