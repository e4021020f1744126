/* SPDX-License-Identifier: Apache-2.0 */
/* The requests' texts; the answers' are read in etcd_wire.c. */
#include <inttypes.h>
#include <string.h>

#include "base/base64.h"
#include "store/etcd_wire.h"

static void add_bytes(struct wf_str *str, const char *key, const void *bytes, size_t len)
{
	wf_str_addf(str, "\"%s\":\"", key);
	wf_base64_add(str, bytes, len);
	wf_str_add(str, "\"");
}

static void add_end(struct wf_str *str, const char *end)
{
	if (!*end)
		return;
	wf_str_add(str, ",");
	add_bytes(str, "range_end", end, strlen(end));
}

void wf_etcd_add_range(struct wf_str *str, const char *key, size_t key_len, const char *end)
{
	wf_str_add(str, "{");
	add_bytes(str, "key", key, key_len);
	add_end(str, end);
}

void wf_etcd_add_compare(struct wf_str *str, const char *key, const char *end, const char *result,
			 uint64_t revision)
{
	wf_etcd_add_range(str, key, strlen(key), end);
	wf_str_addf(str, ",\"target\":\"MOD\",\"result\":\"%s\",\"mod_revision\":\"%" PRIu64 "\"}",
		    result, revision);
}

void wf_etcd_add_put(struct wf_str *str, const char *key, const char *value, uint64_t lease)
{
	wf_str_add(str, "{\"request_put\":{");
	add_bytes(str, "key", key, strlen(key));
	wf_str_add(str, ",");
	add_bytes(str, "value", value, strlen(value));
	if (lease)
		wf_str_addf(str, ",\"lease\":\"%" PRIu64 "\"", lease);
	wf_str_add(str, "}}");
}

static void add_on_key(struct wf_str *str, const char *request, const char *key)
{
	wf_str_addf(str, "{\"%s\":{", request);
	add_bytes(str, "key", key, strlen(key));
	wf_str_add(str, "}}");
}

void wf_etcd_add_delete(struct wf_str *str, const char *key)
{
	add_on_key(str, "request_delete_range", key);
}

void wf_etcd_add_get(struct wf_str *str, const char *key)
{
	add_on_key(str, "request_range", key);
}
