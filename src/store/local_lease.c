/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leases of a local store. Which leases there are is kept by the back end, when they are due in
 * memory only: after a restart every lease has its whole time again to be renewed.
 */
#include "store/local.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* The keys of a lease's documents, as writes that delete them. */
struct doomed {
	struct wf_store_write *writes; /* owned, and their kind and name */
	size_t count;
	size_t capacity;
};

struct wf_local_lease *wf_local_find_lease(const struct wf_local *local, uint64_t id)
{
	for (size_t i = 0; i < local->lease_count; i++)
		if (local->leases[i].id == id)
			return &local->leases[i];
	return NULL;
}

static int make_room(struct wf_local *local)
{
	return wf_mem_grow(&local->leases, sizeof(*local->leases), local->lease_count,
			   &local->lease_capacity);
}

static uint64_t due_ms(const struct wf_local *local, uint64_t ttl_ms)
{
	return local->now_ms() + ttl_ms;
}

int wf_local_add_lease(struct wf_local *local, uint64_t id, uint64_t ttl_ms)
{
	if (make_room(local) < 0)
		return -ENOMEM;
	local->leases[local->lease_count++] = (struct wf_local_lease){
		.id = id,
		.ttl_ms = ttl_ms,
		.due_ms = due_ms(local, ttl_ms),
	};
	return 0;
}

int wf_local_lease_grant(struct wf_store *store, uint64_t ttl_ms, uint64_t *ret_lease,
			 struct wf_err *err)
{
	struct wf_local *local = (struct wf_local *)store;
	uint64_t id;
	int r;

	if (make_room(local) < 0)
		return wf_fail(err, -ENOMEM, "out of memory for a lease");
	r = local->rows->begin(local, WF_STORE_BOOT_BOUND, err);
	if (r < 0)
		return r;
	r = wf_local_rows_end(local, local->rows->lease_new(local, ttl_ms, &id, err), err);
	if (r < 0)
		return r;
	(void)wf_local_add_lease(local, id, ttl_ms);
	*ret_lease = id;
	return 0;
}

int wf_local_lease_renew(struct wf_store *store, uint64_t lease, struct wf_err *err)
{
	struct wf_local *local = (struct wf_local *)store;
	struct wf_local_lease *found = wf_local_find_lease(local, lease);

	if (!found)
		return wf_fail(err, -ENOENT, "lease %llu has ended", (unsigned long long)lease);
	found->due_ms = due_ms(local, found->ttl_ms);
	return 0;
}

static void doomed_done(struct doomed *doomed)
{
	for (size_t i = 0; i < doomed->count; i++) {
		free((char *)doomed->writes[i].kind);
		free((char *)doomed->writes[i].name);
	}
	free(doomed->writes);
}

static int doom(const struct wf_local_row *row, void *context, struct wf_err *err)
{
	struct doomed *doomed = context;
	struct wf_store_write write = { .op = WF_STORE_DELETE, .expected = WF_STORE_ANY };

	if (wf_mem_grow(&doomed->writes, sizeof(write), doomed->count, &doomed->capacity) < 0)
		return wf_fail(err, -ENOMEM, "out of memory ending a lease");
	write.kind = strdup(row->kind);
	write.name = strdup(row->name);
	doomed->writes[doomed->count++] = write;
	if (!write.kind || !write.name)
		return wf_fail(err, -ENOMEM, "out of memory ending a lease");
	return 0;
}

int wf_local_lease_revoke(struct wf_store *store, uint64_t lease, struct wf_err *err)
{
	struct wf_local *local = (struct wf_local *)store;
	struct wf_local_lease *found = wf_local_find_lease(local, lease);
	_cleanup_(doomed_done) struct doomed doomed = { 0 };
	struct wf_local_lease ended;
	int r;

	if (!found)
		return wf_fail(err, -ENOENT, "lease %llu has ended", (unsigned long long)lease);
	r = local->rows->walk(local, NULL, lease, doom, &doomed, err);
	if (r < 0)
		return r;
	/* gone before the watchers are called: a callback must not find or renew it */
	ended = *found;
	*found = local->leases[--local->lease_count];
	r = wf_local_apply(local, doomed.writes, doomed.count, WF_STORE_BOOT_BOUND, lease, err);
	if (r < 0)
		local->leases[local->lease_count++] = ended;
	return r;
}

int wf_local_lease_expire(struct wf_store *store, uint64_t *ret_next_ms, struct wf_err *err)
{
	struct wf_local *local = (struct wf_local *)store;
	uint64_t now_ms = local->now_ms(), next_ms = UINT64_MAX;
	size_t i = 0;

	/* from the start after each one: ending it moves the others, and so may callbacks */
	while (i < local->lease_count) {
		if (local->leases[i].due_ms <= now_ms) {
			int r = wf_local_lease_revoke(store, local->leases[i].id, err);

			if (r < 0)
				return r;
			i = 0;
			next_ms = UINT64_MAX;
			continue;
		}
		if (local->leases[i].due_ms - now_ms < next_ms)
			next_ms = local->leases[i].due_ms - now_ms;
		i++;
	}
	if (ret_next_ms)
		*ret_next_ms = next_ms;
	return 0;
}
