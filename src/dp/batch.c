/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes of many entries at once: at a start that finds nothing, a call for each is as dear as what the
 * call does.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dp/dp_priv.h"

#define ENTRIES 256

struct wf_dp_batch {
	uint32_t count;
	char *values; /* behind the keys */
	char keys[];
};

static char *key_at(struct wf_dp_batch *batch, const struct wf_dp_map_spec *spec, size_t at)
{
	return &batch->keys[at * spec->key_bytes];
}

static char *value_at(struct wf_dp_batch *batch, const struct wf_dp_map_spec *spec, size_t at)
{
	return &batch->values[at * spec->value_bytes];
}

static int make(struct wf_dp_batch **batch, const struct wf_dp_map_spec *spec)
{
	struct wf_dp_batch *made =
		malloc(sizeof(*made) + ENTRIES * ((size_t)spec->key_bytes + spec->value_bytes));

	if (!made)
		return -ENOMEM;
	made->count = 0;
	made->values = &made->keys[ENTRIES * (size_t)spec->key_bytes];
	*batch = made;
	return 0;
}

int wf_dp_batch_add(struct wf_dp *dp, enum wf_dp_map map, const void *key, const void *value)
{
	const struct wf_dp_map_spec *spec = &wf_dp_map_specs[map];
	struct wf_dp_batch **batch = &dp->batches[map];
	int r = *batch ? 0 : make(batch, spec);

	/* kept as it is until it is written, or fails */
	if (r == 0 && (*batch)->count == ENTRIES)
		r = wf_dp_batch_flush(dp, map);
	if (r < 0)
		return r;
	memcpy(key_at(*batch, spec, (*batch)->count), key, spec->key_bytes);
	memcpy(value_at(*batch, spec, (*batch)->count), value, spec->value_bytes);
	(*batch)->count++;
	return 0;
}

int wf_dp_batch_flush(struct wf_dp *dp, enum wf_dp_map map)
{
	const struct wf_dp_map_spec *spec = &wf_dp_map_specs[map];
	struct wf_dp_batch *batch = dp->batches[map];
	uint32_t count = batch ? batch->count : 0, written = count;
	int r = 0;

	if (!count)
		return 0;
	batch->count = 0;
	if (count > 1 &&
	    bpf_map_update_batch(dp->map_fds[map], batch->keys, batch->values, &written, NULL) == 0)
		return 0;
	/* whatever came of it: one after the other says which one is refused, and why */
	for (uint32_t i = 0; r == 0 && i < count; i++)
		if (bpf_map_update_elem(dp->map_fds[map], key_at(batch, spec, i),
					value_at(batch, spec, i), BPF_ANY) < 0)
			r = -errno;
	return r;
}

void wf_dp_batches_free(struct wf_dp *dp)
{
	for (size_t i = 0; i < WF_DP_MAP_COUNT; i++) {
		free(dp->batches[i]);
		dp->batches[i] = NULL;
	}
}
