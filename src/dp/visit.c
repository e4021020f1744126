/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a whole hash in batches of whole buckets. */
#include <errno.h>

#include "base/mem.h"
#include "dp/dp_priv.h"

/* Entries of one batch; doubled when a bucket of the hash holds more. */
#define BATCH 256

/* Where a visit stands: the kernel's place between two batches is a bucket's number. */
struct pass {
	int fd;
	size_t key_bytes;
	size_t value_bytes;
	uint32_t batch;
	uint32_t place;
	bool started;
	wf_dp_entry_fn visit;
	void *context;
};

static int visit_batch(const struct pass *pass, const char *keys, const char *values,
		       uint32_t count)
{
	int r = 0;

	for (uint32_t i = 0; r >= 0 && i < count; i++)
		r = pass->visit(keys + i * pass->key_bytes, values + i * pass->value_bytes,
				pass->context);
	return r < 0 ? r : 0;
}

/* Goes on from pass->place to the end. -ENOSPC: a bucket exceeds the batch. */
static int run(struct pass *pass, char *keys, char *values)
{
	bool more = true;

	while (more) {
		uint32_t count = pass->batch, next = 0;
		int r = 0;

		if (bpf_map_lookup_batch(pass->fd, pass->started ? &pass->place : NULL, &next, keys,
					 values, &count, NULL) < 0)
			r = -errno;
		if (r < 0 && r != -ENOENT)
			return r;
		more = r == 0;
		pass->place = next;
		pass->started = true;
		r = visit_batch(pass, keys, values, count);
		if (r < 0)
			return r;
	}
	return 0;
}

int wf_dp_entry_visit(const struct wf_dp *dp, enum wf_dp_map map, wf_dp_entry_fn visit,
		      void *context)
{
	const struct wf_dp_map_spec *spec = &wf_dp_map_specs[map];
	uint32_t most = wf_dp_map_entries(spec, &dp->sizes);
	struct pass pass = { .fd = dp->map_fds[map],
			     .key_bytes = spec->key_bytes,
			     .value_bytes = spec->value_bytes,
			     .visit = visit,
			     .context = context };
	int r = -ENOSPC;

	for (pass.batch = BATCH; r == -ENOSPC && pass.batch < 2 * most + BATCH; pass.batch *= 2) {
		_cleanup_free_ char *keys = calloc(pass.batch, pass.key_bytes);
		_cleanup_free_ char *values = calloc(pass.batch, pass.value_bytes);

		if (!keys || !values)
			return -ENOMEM;
		r = run(&pass, keys, values);
	}
	return r;
}
