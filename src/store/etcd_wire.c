/* SPDX-License-Identifier: Apache-2.0 */
#include "store/etcd_wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/json.h"
#include "base/mem.h"

static int fail_member(const char *key, const char *what, struct wf_err *err)
{
	return wf_fail(err, -EPROTO, "\"%s\" is not %s", key, what);
}

/* A 64-bit integer as a string or a number; absent is 0. Negative ones are not expected. */
static int read_u64(const json_t *object, const char *key, uint64_t *ret_value, struct wf_err *err)
{
	const json_t *member = json_object_get(object, key);

	if (!member)
		return 0;
	if (json_is_integer(member) && json_integer_value(member) >= 0)
		*ret_value = (uint64_t)json_integer_value(member);
	else if (!json_is_string(member) ||
		 wf_str_to_u64(json_string_value(member), 0, UINT64_MAX, ret_value) < 0)
		return fail_member(key, "a number", err);
	return 0;
}

/* A revision: as above, and small enough to be shifted by the log of changes. */
static int read_revision(const json_t *object, const char *key, uint64_t *ret_value,
			 struct wf_err *err)
{
	int r = read_u64(object, key, ret_value, err);

	if (r == 0 && *ret_value >= UINT64_C(1) << 43)
		return fail_member(key, "a revision", err);
	return r;
}

static int read_bool(const json_t *object, const char *key, bool *ret_value, struct wf_err *err)
{
	const json_t *member = json_object_get(object, key);

	if (member && !json_is_boolean(member))
		return fail_member(key, "true or false", err);
	*ret_value = json_is_true(member);
	return 0;
}

/* Bytes; absent ones leave *ret_bytes NULL. */
static int read_bytes(const json_t *object, const char *key, char **ret_bytes, size_t *ret_len,
		      struct wf_err *err)
{
	const json_t *member = json_object_get(object, key);
	int r;

	if (!member)
		return 0;
	if (!json_is_string(member))
		return fail_member(key, "base64", err);
	r = wf_base64_decode(json_string_value(member), json_string_length(member), ret_bytes,
			     ret_len);
	if (r == -ENOMEM)
		return wf_fail(err, r, "out of memory reading an answer of etcd");
	return r < 0 ? fail_member(key, "base64", err) : 0;
}

static int add_kv(struct wf_etcd_answer *answer, const json_t *object, bool is_deleted,
		  struct wf_err *err)
{
	struct wf_etcd_kv *kv;
	int r;

	if (!json_is_object(object))
		return fail_member("kv", "an object", err);
	if (wf_mem_grow(&answer->kvs, sizeof(*kv), answer->kv_count, &answer->kv_capacity) < 0)
		return wf_fail(err, -ENOMEM, "out of memory reading an answer of etcd");
	kv = &answer->kvs[answer->kv_count++];
	*kv = (struct wf_etcd_kv){ .is_deleted = is_deleted };
	r = read_bytes(object, "key", &kv->key, &kv->key_len, err);
	if (r == 0)
		r = read_bytes(object, "value", &kv->value, &kv->value_len, err);
	if (r == 0)
		r = read_revision(object, "mod_revision", &kv->mod_revision, err);
	if (r == 0)
		r = read_u64(object, "lease", &kv->lease, err);
	if (r == 0 && (!kv->key || kv->mod_revision == 0 || kv->lease > INT64_MAX))
		r = wf_fail(err, -EPROTO, "a key without its name or revision");
	return r;
}

static int read_kvs(struct wf_etcd_answer *answer, const json_t *object, struct wf_err *err)
{
	const json_t *array = json_object_get(object, "kvs"), *item;
	size_t i;
	int r;

	if (array && !json_is_array(array))
		return fail_member("kvs", "an array", err);
	json_array_foreach((json_t *)array, i, item) {
		r = add_kv(answer, item, false, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_events(struct wf_etcd_answer *answer, const json_t *object, struct wf_err *err)
{
	const json_t *array = json_object_get(object, "events"), *item;
	size_t i;
	int r;

	if (array && !json_is_array(array))
		return fail_member("events", "an array", err);
	json_array_foreach((json_t *)array, i, item) {
		const char *type = wf_json_str(item, "type", "PUT");

		if (strcmp(type, "PUT") != 0 && strcmp(type, "DELETE") != 0)
			return fail_member("type", "PUT or DELETE", err);
		r = add_kv(answer, json_object_get(item, "kv"), *type == 'D', err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The ranges among a transaction's responses, and those of transactions within it. */
static int read_responses(struct wf_etcd_answer *answer, const json_t *object, struct wf_err *err)
{
	const json_t *array = json_object_get(object, "responses"), *item;
	size_t i;
	int r;

	if (array && !json_is_array(array))
		return fail_member("responses", "an array", err);
	json_array_foreach((json_t *)array, i, item) {
		const json_t *nested = json_object_get(item, "response_txn");

		answer->nested_succeeded += wf_json_bool(nested, "succeeded", false);
		r = read_kvs(answer, json_object_get(item, "response_range"), err);
		if (r == 0 && nested)
			r = read_responses(answer, nested, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_header(struct wf_etcd_answer *answer, const json_t *object, struct wf_err *err)
{
	const json_t *header = json_object_get(object, "header");
	int r;

	if (!json_is_object(header))
		return wf_fail(err, -EPROTO, "it has no header");
	r = read_u64(header, "cluster_id", &answer->cluster_id, err);
	if (r == 0)
		r = read_revision(header, "revision", &answer->revision, err);
	if (r == 0 && answer->cluster_id == 0)
		r = wf_fail(err, -EPROTO, "it does not name its cluster");
	return r;
}

/* What etcd itself reports: an object within a stream, a string and a code otherwise. */
static int read_failure(struct wf_etcd_answer *answer, const json_t *root, const json_t *failure,
			struct wf_err *err)
{
	bool is_object = json_is_object(failure);
	int64_t code =
		is_object ? wf_json_int(failure, "grpc_code", 0) : wf_json_int(root, "code", 0);
	const char *message =
		is_object ? wf_json_str(failure, "message", "") : json_string_value(failure);

	if (!message || code <= 0 || code > 16)
		return wf_fail(err, -EPROTO, "its error has no code and text");
	answer->code = (enum wf_etcd_code)code;
	(void)snprintf(answer->message, sizeof(answer->message), "%s", message);
	return 0;
}

static int read_success(struct wf_etcd_answer *answer, const json_t *object, struct wf_err *err)
{
	int r = read_header(answer, object, err);

	if (r == 0)
		r = read_kvs(answer, object, err);
	if (r == 0)
		r = read_responses(answer, object, err);
	if (r == 0)
		r = read_events(answer, object, err);
	if (r == 0)
		r = read_u64(object, "count", &answer->count, err);
	if (r == 0)
		r = read_bool(object, "more", &answer->more, err);
	if (r == 0)
		r = read_bool(object, "succeeded", &answer->succeeded, err);
	if (r == 0)
		r = read_bool(object, "created", &answer->created, err);
	if (r == 0)
		r = read_bool(object, "canceled", &answer->canceled, err);
	if (r == 0)
		r = read_bool(object, "fragment", &answer->fragment, err);
	if (r == 0)
		r = read_revision(object, "compact_revision", &answer->compact_revision, err);
	if (r == 0)
		r = read_u64(object, "ID", &answer->lease, err);
	if (r == 0)
		r = read_u64(object, "TTL", &answer->ttl_s, err);
	if (r == 0)
		(void)snprintf(answer->message, sizeof(answer->message), "%s",
			       wf_json_str(object, "cancel_reason", ""));
	return r;
}

int wf_etcd_answer_read(const char *text, size_t len, struct wf_etcd_answer *ret_answer,
			struct wf_err *err)
{
	_cleanup_json_ json_t *root = NULL;
	const json_t *failure, *result;
	struct wf_err why = WF_ERR_INIT;
	int r;

	*ret_answer = (struct wf_etcd_answer){ 0 };
	r = wf_json_parse(text, len, &root, &why);
	if (r < 0)
		return wf_fail(err, r == -ENOMEM ? r : -EPROTO, "%s", why.message);
	if (!json_is_object(root))
		return wf_fail(err, -EPROTO, "it is not an object");
	failure = json_object_get(root, "error");
	if (failure)
		return read_failure(ret_answer, root, failure, err);
	result = json_object_get(root, "result");
	return read_success(ret_answer, result ? result : root, err);
}

void wf_etcd_kvs_free(struct wf_etcd_kv *kvs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(kvs[i].key);
		free(kvs[i].value);
	}
	free(kvs);
}

void wf_etcd_answer_done(struct wf_etcd_answer *answer)
{
	wf_etcd_kvs_free(answer->kvs, answer->kv_count);
	*answer = (struct wf_etcd_answer){ 0 };
}

bool wf_etcd_split_key(const char *prefix, char *key, size_t len, char **ret_kind, char **ret_name)
{
	size_t prefix_len = strlen(prefix);
	char *kind, *slash;

	if (strlen(key) != len || len <= prefix_len || strncmp(key, prefix, prefix_len) != 0 ||
	    key[prefix_len] != '/')
		return false;
	kind = key + prefix_len + 1;
	slash = strchr(kind, '/');
	if (!slash || slash == kind || !slash[1])
		return false;
	*slash = '\0';
	*ret_kind = kind;
	*ret_name = slash + 1;
	return true;
}
