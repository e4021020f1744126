/* SPDX-License-Identifier: Apache-2.0 */
/* Published ports from and to documents and requests. */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/field_priv.h"
#include "model/protocol.h"
#include "model/publish.h"

static int read_port(struct wf_field_path *at, const json_t *object, const char *key,
		     uint16_t *ret_port, struct wf_err *err)
{
	const json_t *member = json_object_get(object, key);
	json_int_t port = json_integer_value(member);
	size_t parent = wf_field_push_key(at, key);

	if (!member || json_is_null(member))
		return wf_field_fail(err, at->text, "is missing (want a port from 1 to %d)",
				     UINT16_MAX);
	if (!json_is_integer(member))
		return wf_field_fail(err, at->text, "want a port from 1 to %d, without quotes",
				     UINT16_MAX);
	if (port < 1 || port > UINT16_MAX)
		return wf_field_fail(err, at->text,
				     "%" JSON_INTEGER_FORMAT " is not a port from 1 to %d", port,
				     UINT16_MAX);
	*ret_port = (uint16_t)port;
	wf_field_pop(at, parent);
	return 0;
}

static int read_last(struct wf_field_path *at, const json_t *object, struct wf_publish *publish,
		     struct wf_err *err)
{
	const json_t *member = json_object_get(object, "hostPortEnd");
	size_t parent;
	int r;

	publish->last = publish->first;
	if (!member || json_is_null(member))
		return 0;
	r = read_port(at, object, "hostPortEnd", &publish->last, err);
	if (r < 0 || publish->last >= publish->first)
		return r;
	parent = wf_field_push_key(at, "hostPortEnd");
	r = wf_field_fail(err, at->text, "%u is less than hostPort %u", publish->last,
			  publish->first);
	wf_field_pop(at, parent);
	return r;
}

/* An optional string; *ret_text stays when it is absent. */
static int read_text(struct wf_field_path *at, const json_t *object, const char *key,
		     const char **ret_text, struct wf_err *err)
{
	const json_t *member = json_object_get(object, key);

	if (!member || json_is_null(member))
		return 0;
	(void)wf_field_push_key(at, key);
	if (!json_is_string(member))
		return wf_field_fail(err, at->text, "want a string");
	*ret_text = json_string_value(member);
	return 0;
}

static int read_host(struct wf_field_path *at, const json_t *object, struct wf_publish *publish,
		     struct wf_err *err)
{
	size_t parent = at->len;
	const char *text = "";
	char excerpt[WF_FIELD_EXCERPT_BYTES];
	int r = read_text(at, object, "hostIP", &text, err);

	if (r < 0)
		return r;
	if (*text && wf_addr_parse(text, &publish->host_ip) < 0)
		return wf_field_fail(err, at->text, "\"%s\" is not an address of the host",
				     wf_field_excerpt(text, excerpt));
	wf_field_pop(at, parent);
	return 0;
}

static int read_protocol(struct wf_field_path *at, const json_t *object, struct wf_publish *publish,
			 struct wf_err *err)
{
	size_t parent = at->len;
	const char *text = "TCP";
	char excerpt[WF_FIELD_EXCERPT_BYTES];
	int r = read_text(at, object, "protocol", &text, err);

	if (r < 0)
		return r;
	publish->proto = *text ? wf_protocol_from_name(text) : IPPROTO_TCP;
	if (!publish->proto)
		return wf_field_fail(err, at->text, "\"%s\" is not one of TCP, UDP, SCTP",
				     wf_field_excerpt(text, excerpt));
	wf_field_pop(at, parent);
	return 0;
}

static const char *const known[] = { "hostIP", "hostPort", "hostPortEnd", "containerPort",
				     "protocol" };

static const char *known_at(const void *context, size_t index)
{
	return ((const char *const *)context)[index];
}

static int check_keys(struct wf_field_path *at, const json_t *object, struct wf_err *err)
{
	char excerpt[WF_FIELD_EXCERPT_BYTES];
	const char *key, *nearest;
	const json_t *value;

	json_object_foreach((json_t *)object, key, value) {
		if (wf_str_place(known, WF_ARRAY_LEN(known), key) < WF_ARRAY_LEN(known))
			continue;
		nearest = wf_field_nearest(key, WF_ARRAY_LEN(known), known_at, known);
		(void)wf_field_push_key(at, key);
		return wf_field_fail(err, at->text, "unknown field \"%s\"%s%s%s",
				     wf_field_excerpt(key, excerpt),
				     nearest ? " (did you mean \"" : "", nearest ? nearest : "",
				     nearest ? "\"?)" : "");
	}
	return 0;
}

static int read_item(struct wf_publishes *list, struct wf_field_path *at, const json_t *object,
		     struct wf_err *err)
{
	struct wf_publish publish = { .proto = 0 };
	int r;

	if (!json_is_object(object))
		return wf_field_fail(err, at->text,
				     "want a mapping with hostPort and "
				     "containerPort");
	r = check_keys(at, object, err);
	if (r == 0)
		r = read_host(at, object, &publish, err);
	if (r == 0)
		r = read_port(at, object, "hostPort", &publish.first, err);
	if (r == 0)
		r = read_last(at, object, &publish, err);
	if (r == 0)
		r = read_port(at, object, "containerPort", &publish.target, err);
	if (r == 0)
		r = read_protocol(at, object, &publish, err);
	return r < 0 ? r : wf_publishes_add(list, &publish, at->text, err);
}

int wf_publishes_from_json(struct wf_publishes *list, const json_t *array, const char *path,
			   struct wf_err *err)
{
	struct wf_field_path at = { .len = 0 };
	size_t count = list->count, i;
	json_t *item;

	(void)wf_field_push_key(&at, path);
	if (array && !json_is_null(array) && !json_is_array(array))
		return wf_field_fail(err, path, "want a list of published ports");
	json_array_foreach(array, i, item) {
		size_t parent = wf_field_push_index(&at, i);
		int r = read_item(list, &at, item, err);

		if (r < 0) {
			list->count = count;
			return r;
		}
		wf_field_pop(&at, parent);
	}
	return 0;
}

static json_t *to_json(const struct wf_publish *publish)
{
	bool any = wf_addr_is_zero(&publish->host_ip) && !wf_addr_is_ip4(&publish->host_ip);
	char addr[WF_ADDR_TEXT];
	_cleanup_json_ json_t *object = json_object();

	if (!any && wf_json_set_str(object, "hostIP", wf_addr_format(&publish->host_ip, addr)) < 0)
		return NULL;
	if (json_object_set_new(object, "hostPort", json_integer(publish->first)) < 0)
		return NULL;
	if (publish->last != publish->first &&
	    json_object_set_new(object, "hostPortEnd", json_integer(publish->last)) < 0)
		return NULL;
	if (json_object_set_new(object, "containerPort", json_integer(publish->target)) < 0 ||
	    wf_json_set_str(object, "protocol", wf_protocol_name(publish->proto)) < 0)
		return NULL;
	return TAKE_PTR(object);
}

json_t *wf_publishes_to_json(const struct wf_publishes *list)
{
	_cleanup_json_ json_t *array = json_array();

	for (size_t i = 0; i < list->count; i++)
		if (json_array_append_new(array, to_json(&list->items[i])) < 0)
			return NULL;
	return TAKE_PTR(array);
}
