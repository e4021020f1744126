/* SPDX-License-Identifier: Apache-2.0 */
#include "model/endpoint_slice.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/field_priv.h"
#include "model/protocol.h"

#define WEIGHT_ANNOTATION "weft.dev/weight"
#define MAX_WEIGHT        256

/* A slice being read. */
struct reading {
	struct wf_endpoint_slice *slice;
	struct wf_field_path at;
	struct wf_err *err;
};

static void free_list(char **list)
{
	for (size_t i = 0; list && list[i]; i++)
		free(list[i]);
	free(list);
}

static void endpoint_done(struct wf_slice_endpoint *endpoint)
{
	wf_shared_unref(&endpoint->node);
	wf_shared_unref(&endpoint->zone);
	wf_shared_unref(&endpoint->target);
	free_list(endpoint->zone_hints);
	free_list(endpoint->node_hints);
}

void wf_endpoint_slice_done(struct wf_endpoint_slice *slice)
{
	for (size_t i = 0; i < slice->endpoint_count; i++)
		endpoint_done(&slice->endpoints[i]);
	free(slice->endpoints);
	free(slice->ports);
	wf_meta_done(&slice->meta);
	memset(slice, 0, sizeof(*slice));
}

/* A name that has to fit; "" when it is absent. */
static int read_word(struct reading *reading, const json_t *object, const char *key, char *buf,
		     size_t buf_bytes)
{
	const char *text = wf_json_str(object, key, "");

	if (wf_str_copy(buf, buf_bytes, text) == 0)
		return 0;
	(void)wf_field_push_key(&reading->at, key);
	return wf_field_fail(reading->err, reading->at.text,
			     "is %zu characters long, the limit is %zu", strlen(text),
			     buf_bytes - 1);
}

static int read_port(struct reading *reading, const json_t *item)
{
	struct wf_endpoint_slice *slice = reading->slice;
	struct wf_slice_port port = {
		.proto = wf_protocol_from_name(wf_json_str(item, "protocol", "TCP")),
		.port = (uint16_t)wf_json_int(item, "port", 0),
	};
	int r = read_word(reading, item, "name", port.name, sizeof(port.name));

	if (r < 0)
		return r;
	if (*port.name && !wf_meta_is_label(port.name))
		return wf_field_fail(reading->err, reading->at.text,
				     "the name is not one (lower-case letters, digits or '-', a "
				     "letter or digit at both ends)");
	for (size_t i = 0; i < slice->port_count; i++)
		if (strcmp(slice->ports[i].name, port.name) == 0)
			return wf_field_fail(reading->err, reading->at.text,
					     "has the name \"%s\" of ports[%zu]", port.name, i);
	if (wf_mem_grow(&slice->ports, sizeof(*slice->ports), slice->port_count,
			&slice->port_capacity) < 0)
		return wf_fail(reading->err, -ENOMEM, "out of memory");
	slice->ports[slice->port_count++] = port;
	return 0;
}

static int read_address(struct reading *reading, struct wf_slice_endpoint *endpoint,
			const json_t *item, size_t index)
{
	const char *text = json_string_value(item);
	char excerpt[WF_FIELD_EXCERPT_BYTES];
	bool ip6 = reading->slice->ip6;
	struct wf_addr addr;

	(void)wf_field_push_key(&reading->at, "addresses");
	(void)wf_field_push_index(&reading->at, index);
	if (wf_addr_parse(text, &addr) < 0)
		return wf_field_fail(reading->err, reading->at.text, "\"%s\" is not an address",
				     wf_field_excerpt(text, excerpt));
	if (wf_addr_is_ip4(&addr) == ip6)
		return wf_field_fail(reading->err, reading->at.text,
				     "%s is not %s, which addressType says", text,
				     ip6 ? "IPv6" : "IPv4");
	if (!wf_addr_is_usable(&addr))
		return wf_field_fail(reading->err, reading->at.text,
				     "%s cannot be a backend's address (unspecified, loopback, "
				     "link-local, multicast or broadcast)",
				     text);
	if (index == 0)
		endpoint->addr = addr;
	return 0;
}

static int read_addresses(struct reading *reading, struct wf_slice_endpoint *endpoint,
			  const json_t *object)
{
	const json_t *list = json_object_get(object, "addresses");
	size_t parent = reading->at.len, i;
	json_t *item;

	if (reading->slice->fqdn)
		return 0;
	json_array_foreach(list, i, item) {
		int r = read_address(reading, endpoint, item, i);

		if (r < 0)
			return r;
		wf_field_pop(&reading->at, parent);
	}
	return 0;
}

/* Names of [{name}] as a list that NULL ends. */
static int read_names(struct reading *reading, const json_t *array, char ***ret_names)
{
	size_t count = json_array_size(array);
	char **names;

	if (!count)
		return 0;
	names = calloc(count + 1, sizeof(*names));
	for (size_t i = 0; names && i < count; i++) {
		names[i] = strdup(wf_json_str(json_array_get(array, i), "name", ""));
		if (!names[i]) {
			free_list(names);
			names = NULL;
		}
	}
	if (!names)
		return wf_fail(reading->err, -ENOMEM, "out of memory");
	*ret_names = names;
	return 0;
}

static int read_hints(struct reading *reading, struct wf_slice_endpoint *endpoint,
		      const json_t *object)
{
	const json_t *hints = json_object_get(object, "hints");
	int r = read_names(reading, json_object_get(hints, "forZones"), &endpoint->zone_hints);

	if (r < 0)
		return r;
	return read_names(reading, json_object_get(hints, "forNodes"), &endpoint->node_hints);
}

/* Holds what the endpoint before has, when it is the same text: nodes and zones often are. */
static int share(struct reading *reading, struct wf_shared *before, const char *text,
		 struct wf_shared **ret_shared)
{
	if (before && strcmp(before->text, text) == 0)
		*ret_shared = wf_shared_ref(before);
	else if (wf_shared_new(ret_shared, text) < 0)
		return wf_fail(reading->err, -ENOMEM, "out of memory");
	return 0;
}

static int read_where(struct reading *reading, struct wf_slice_endpoint *endpoint,
		      const json_t *object)
{
	const struct wf_slice_endpoint none = { .weight = 0 };
	const struct wf_slice_endpoint *before =
		endpoint > reading->slice->endpoints ? endpoint - 1 : &none;
	const char *target = wf_json_str(json_object_get(object, "targetRef"), "name", "");
	char word[64], shown[128];
	int r;

	/* only shown: its beginning will do */
	(void)snprintf(shown, sizeof(shown), "%s", target);
	r = share(reading, NULL, shown, &endpoint->target);
	if (r == 0)
		r = read_word(reading, object, "nodeName", word, sizeof(word));
	if (r == 0)
		r = share(reading, before->node, word, &endpoint->node);
	if (r == 0)
		r = read_word(reading, object, "zone", word, sizeof(word));
	return r < 0 ? r : share(reading, before->zone, word, &endpoint->zone);
}

static int fill_endpoint(struct reading *reading, struct wf_slice_endpoint *endpoint,
			 const json_t *object)
{
	const json_t *conditions = json_object_get(object, "conditions");
	int r = read_addresses(reading, endpoint, object);

	endpoint->ready = wf_json_bool(conditions, "ready", true);
	endpoint->serving = wf_json_bool(conditions, "serving", true);
	endpoint->terminating = wf_json_bool(conditions, "terminating", false);
	if (r == 0)
		r = read_where(reading, endpoint, object);
	return r < 0 ? r : read_hints(reading, endpoint, object);
}

static int read_endpoint(struct reading *reading, const json_t *object, uint32_t weight)
{
	struct wf_endpoint_slice *slice = reading->slice;
	struct wf_slice_endpoint *endpoint;

	if (wf_mem_grow(&slice->endpoints, sizeof(*slice->endpoints), slice->endpoint_count,
			&slice->endpoint_capacity) < 0)
		return wf_fail(reading->err, -ENOMEM, "out of memory");
	endpoint = &slice->endpoints[slice->endpoint_count++];
	*endpoint = (struct wf_slice_endpoint){ .weight = weight };
	return fill_endpoint(reading, endpoint, object);
}

static int read_weight(struct reading *reading, uint32_t *ret_weight)
{
	const char *text = wf_labels_get(&reading->slice->meta.annotations, WEIGHT_ANNOTATION);
	char excerpt[WF_FIELD_EXCERPT_BYTES];
	uint64_t weight = 1;

	if (text && wf_str_to_u64(text, 1, MAX_WEIGHT, &weight) < 0)
		return wf_field_fail(reading->err, "metadata.annotations." WEIGHT_ANNOTATION,
				     "\"%s\" is not a weight from 1 to %d",
				     wf_field_excerpt(text, excerpt), MAX_WEIGHT);
	*ret_weight = (uint32_t)weight;
	return 0;
}

static int read_head(struct reading *reading, const json_t *document)
{
	struct wf_endpoint_slice *slice = reading->slice;
	const char *type = wf_json_str(document, "addressType", "IPv4"), *service;
	int r = wf_meta_from_json(&slice->meta, document, reading->err);

	if (r < 0)
		return r;
	if (!*slice->meta.namespace)
		(void)wf_str_copy(slice->meta.namespace, sizeof(slice->meta.namespace),
				  WF_NAMESPACE_DEFAULT);
	slice->ip6 = strcmp(type, "IPv6") == 0;
	slice->fqdn = strcmp(type, "FQDN") == 0;
	service = wf_labels_get(&slice->meta.labels, WF_LABEL_SERVICE_NAME);
	/* a label's value is never longer than 63 characters */
	return wf_str_copy(slice->service, sizeof(slice->service), service ? service : "");
}

static int read_ports(struct reading *reading, const json_t *document)
{
	size_t root = wf_field_push_key(&reading->at, "ports"), i;
	json_t *item;

	json_array_foreach(json_object_get(document, "ports"), i, item) {
		size_t parent = wf_field_push_index(&reading->at, i);
		int r = read_port(reading, item);

		if (r < 0)
			return r;
		wf_field_pop(&reading->at, parent);
	}
	wf_field_pop(&reading->at, root);
	return 0;
}

static int read_endpoints(struct reading *reading, const json_t *document, uint32_t weight)
{
	size_t i;
	json_t *item;

	(void)wf_field_push_key(&reading->at, "endpoints");
	json_array_foreach(json_object_get(document, "endpoints"), i, item) {
		size_t parent = wf_field_push_index(&reading->at, i);
		int r = read_endpoint(reading, item, weight);

		if (r < 0)
			return r;
		wf_field_pop(&reading->at, parent);
	}
	return 0;
}

int wf_endpoint_slice_from_json(struct wf_endpoint_slice *slice, const json_t *document,
				struct wf_err *err)
{
	_cleanup_(wf_endpoint_slice_done) struct wf_endpoint_slice fresh = { .ip6 = false };
	struct reading reading = { .slice = &fresh, .err = err };
	uint32_t weight = 1;
	int r = read_head(&reading, document);

	if (r == 0)
		r = read_weight(&reading, &weight);
	if (r == 0)
		r = read_ports(&reading, document);
	if (r == 0)
		r = read_endpoints(&reading, document, weight);
	if (r < 0)
		return wf_field_name_object(r, document, err);
	*slice = fresh;
	fresh = (struct wf_endpoint_slice){ .ip6 = false };
	return 0;
}
