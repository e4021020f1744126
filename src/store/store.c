/* SPDX-License-Identifier: Apache-2.0 */
/* The front of every store: checks of arguments, then the back end's table of operations. */
#include "store/store_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

/* Bytes of a kind or a name, as in metadata.name. */
#define MAX_NAME_LEN 253

/* Up to here pairs are compared, beyond a sorted copy is made. */
#define FEW_WRITES 16

int wf_store_init(struct wf_store *store, const struct wf_store_ops *ops, const char *describe, ...)
{
	va_list args;
	int len;

	va_start(args, describe);
	len = vasprintf(&store->description, describe, args);
	va_end(args);
	if (len < 0) {
		store->description = NULL;
		return -ENOMEM;
	}
	store->ops = ops;
	store->queue_end = &store->queue;
	return 0;
}

void wf_store_close(struct wf_store **store)
{
	struct wf_store *closing = TAKE_PTR(*store);

	if (closing)
		closing->ops->close(closing);
}

static int check_key(const char *kind, const char *name, struct wf_err *err)
{
	if (!kind || !*kind || strlen(kind) > MAX_NAME_LEN)
		return wf_fail(err, -EINVAL, "a document needs a kind of 1 to %d bytes",
			       MAX_NAME_LEN);
	if (!name || !*name || strlen(name) > MAX_NAME_LEN)
		return wf_fail_field(err, -EINVAL, "metadata.name",
				     "%s: a document needs a name of 1 to %d bytes", kind,
				     MAX_NAME_LEN);
	return 0;
}

/* NULL when what is written can be read again; otherwise what is wrong. Depth is bounded. */
static const char *find_fault(const json_t *value, size_t depth)
{
	const char *key, *fault;
	json_t *member;
	size_t i;

	if (json_is_string(value))
		return strlen(json_string_value(value)) == json_string_length(value)
			       ? NULL
			       : "a string contains a NUL character";
	if (!json_is_object(value) && !json_is_array(value))
		return NULL;
	if (depth == WF_JSON_MAX_DEPTH)
		return "it is nested too deep";
	json_object_foreach((json_t *)value, key, member)
		if ((fault = find_fault(member, depth + 1)))
			return fault;
	json_array_foreach(value, i, member)
		if ((fault = find_fault(member, depth + 1)))
			return fault;
	return NULL;
}

static int check_put(const struct wf_store_write *write, struct wf_err *err)
{
	const json_t *metadata = json_object_get(write->document, "metadata");
	const char *fault = NULL;

	if (!json_is_object(write->document))
		fault = "it is not an object";
	else if (metadata && !json_is_object(metadata))
		fault = "its metadata is not an object";
	else
		fault = find_fault(write->document, 0);
	if (fault)
		return wf_fail(err, -EINVAL, "%s/%s cannot be stored: %s", write->kind, write->name,
			       fault);
	return 0;
}

static int compare_keys(const void *a, const void *b)
{
	const struct wf_store_write *x = *(const struct wf_store_write *const *)a;
	const struct wf_store_write *y = *(const struct wf_store_write *const *)b;
	int order = strcmp(x->kind, y->kind);

	return order ? order : strcmp(x->name, y->name);
}

static int fail_twice(const struct wf_store_write *write, struct wf_err *err)
{
	return wf_fail(err, -EINVAL, "%s/%s is written twice in one transaction", write->kind,
		       write->name);
}

static int check_few_unique(const struct wf_store_write *writes, size_t count, struct wf_err *err)
{
	for (size_t i = 1; i < count; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(writes[i].name, writes[j].name) == 0 &&
			    strcmp(writes[i].kind, writes[j].kind) == 0)
				return fail_twice(&writes[i], err);
	return 0;
}

static int check_unique(const struct wf_store_write *writes, size_t count, struct wf_err *err)
{
	_cleanup_free_ const struct wf_store_write **sorted = NULL;

	if (count <= FEW_WRITES)
		return check_few_unique(writes, count, err);
	sorted = calloc(count, sizeof(const struct wf_store_write *));
	if (!sorted)
		return wf_fail(err, -ENOMEM, "out of memory for a transaction of %zu writes",
			       count);
	for (size_t i = 0; i < count; i++)
		sorted[i] = &writes[i];
	qsort(sorted, count, sizeof(const struct wf_store_write *), compare_keys);
	for (size_t i = 1; i < count; i++)
		if (compare_keys(&sorted[i - 1], &sorted[i]) == 0)
			return fail_twice(sorted[i], err);
	return 0;
}

int wf_store_check_write(const struct wf_store_write *write, struct wf_err *err)
{
	int r = check_key(write->kind, write->name, err);

	if (r == 0 && write->op == WF_STORE_PUT)
		r = check_put(write, err);
	else if (r == 0 && write->expected == WF_STORE_ABSENT)
		r = wf_fail(err, -EINVAL, "%s/%s: what must be absent cannot be deleted",
			    write->kind, write->name);
	if (r < 0)
		wf_err_set_object(err, "%s/%s", write->kind ? write->kind : "",
				  write->name ? write->name : "");
	return r;
}

static int check_writes(const struct wf_store_write *writes, size_t count, struct wf_err *err)
{

	if (count > WF_STORE_MAX_WRITES)
		return wf_fail(err, -E2BIG,
			       "a transaction of %zu writes is larger than the %d accepted", count,
			       WF_STORE_MAX_WRITES);
	for (size_t i = 0; i < count; i++) {
		int r = wf_store_check_write(&writes[i], err);

		if (r < 0)
			return r;
	}
	return check_unique(writes, count, err);
}

int wf_store_get(struct wf_store *store, const char *kind, const char *name, json_t **ret_document,
		 struct wf_err *err)
{
	int r = check_key(kind, name, err);

	return r < 0 ? r : store->ops->get(store, kind, name, ret_document, err);
}

int wf_store_list(struct wf_store *store, const char *kind, json_t **ret_array,
		  uint64_t *ret_revision, struct wf_err *err)
{
	return store->ops->list(store, kind, ret_array, ret_revision, err);
}

int wf_store_count(struct wf_store *store, const char *kind, size_t *ret_count, struct wf_err *err)
{
	return store->ops->count(store, kind, ret_count, err);
}

int wf_store_visit(struct wf_store *store, const char *kind, wf_store_visit_fn visit, void *context,
		   struct wf_err *err)
{
	return store->ops->visit(store, kind, NULL, visit, context, err);
}

int wf_store_visit_texts(struct wf_store *store, const char *kind, wf_store_text_fn take,
			 wf_store_visit_fn visit, void *context, struct wf_err *err)
{
	return store->ops->visit(store, kind, take, visit, context, err);
}

int wf_store_commit(struct wf_store *store, const struct wf_store_write *writes, size_t count,
		    enum wf_store_durability durability, uint64_t *ret_revision, struct wf_err *err)
{
	uint64_t revision = store->revision;
	int r = check_writes(writes, count, err);

	if (r == 0 && count)
		r = store->ops->commit(store, writes, count, durability, &revision, err);
	if (r == 0 && ret_revision)
		*ret_revision = revision;
	return r;
}

struct wf_store_flight wf_store_commit_begin(struct wf_store *store,
					     const struct wf_store_write *writes, size_t count,
					     enum wf_store_durability durability)
{
	struct wf_store_flight flight = { store, writes, count, durability, NULL };

	if (store->ops->commit_begin && count && check_writes(writes, count, NULL) == 0)
		flight.sent = store->ops->commit_begin(store, writes, count);
	return flight;
}

int wf_store_commit_end(struct wf_store_flight *flight, uint64_t *ret_revision, struct wf_err *err)
{
	uint64_t revision = flight->store->revision;
	int r;

	if (!flight->sent)
		return wf_store_commit(flight->store, flight->writes, flight->count,
				       flight->durability, ret_revision, err);
	r = flight->store->ops->commit_end(flight->store, TAKE_PTR(flight->sent), &revision, err);
	if (r == 0 && ret_revision)
		*ret_revision = revision;
	return r;
}

int wf_store_compact(struct wf_store *store, uint64_t before, struct wf_err *err)
{
	return store->ops->compact(store, before, err);
}

uint64_t wf_store_revision(const struct wf_store *store)
{
	return store->revision;
}

void wf_store_on_backlog(struct wf_store *store, wf_store_backlog_fn backlog, void *context)
{
	if (store->ops->on_backlog)
		store->ops->on_backlog(store, backlog, context);
}

void wf_store_tidy(struct wf_store *store)
{
	if (store->ops->tidy)
		store->ops->tidy(store);
}

int wf_store_lease_grant(struct wf_store *store, uint64_t ttl_ms, uint64_t *ret_lease,
			 struct wf_err *err)
{
	if (ttl_ms == 0 || ttl_ms > INT64_MAX)
		return wf_fail(err, -EINVAL, "a lease must last for a time");
	return store->ops->lease_grant(store, ttl_ms, ret_lease, err);
}

void wf_store_lease_renew_later(struct wf_store *store, uint64_t lease, wf_store_done_fn done,
				void *context)
{
	struct wf_err err = WF_ERR_INIT;

	if (store->ops->lease_renew_later)
		store->ops->lease_renew_later(store, lease, done, context);
	else
		done(store->ops->lease_renew(store, lease, &err), &err, context);
}

int wf_store_lease_revoke(struct wf_store *store, uint64_t lease, struct wf_err *err)
{
	return store->ops->lease_revoke(store, lease, err);
}

int wf_store_lease_expire(struct wf_store *store, uint64_t *ret_next_ms, struct wf_err *err)
{
	return store->ops->lease_expire(store, ret_next_ms, err);
}

const char *wf_store_describe(const struct wf_store *store)
{
	return store->description;
}

int wf_store_fd(const struct wf_store *store)
{
	return store->ops->fd ? store->ops->fd(store) : -1;
}

void wf_store_process(struct wf_store *store)
{
	if (store->ops->process)
		store->ops->process(store);
}

void wf_store_state(const struct wf_store *store, struct wf_store_state *ret_state)
{
	*ret_state = (struct wf_store_state){
		.is_connected = true,
		.endpoint = "",
		.last_error = "",
		.hold = "",
		.write_error = "",
	};
	if (store->ops->state)
		store->ops->state(store, ret_state);
}

int wf_store_accept(struct wf_store *store, struct wf_err *err)
{
	if (store->ops->accept)
		return store->ops->accept(store, err);
	return wf_fail(err, -EALREADY, "the store on this host holds nothing back");
}
