/* SPDX-License-Identifier: Apache-2.0 */
/* Ports of an endpoint that have names. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/endpoint_priv.h"
#include "model/field_priv.h"
#include "model/protocol.h"

struct ports {
	struct wf_endpoint_port *items;
	size_t count, capacity;
};

static void ports_done(struct ports *ports)
{
	free(ports->items);
}

static int read_port(struct ports *ports, const json_t *item, const char *path, struct wf_err *err)
{
	const char *name = wf_json_str(item, "name", "");
	json_int_t number = wf_json_int(item, "port", 0);
	struct wf_endpoint_port port = {
		.proto = wf_protocol_from_name(wf_json_str(item, "protocol", "TCP")),
		.port = (uint16_t)number,
	};
	char excerpt[WF_FIELD_EXCERPT_BYTES];

	if (!*name || !wf_meta_is_label(name))
		return wf_field_fail(err, path,
				     "name: \"%s\" is not the name of a port (lower-case letters, "
				     "digits or '-', a letter or digit at both ends)",
				     wf_field_excerpt(name, excerpt));
	if (number < 1 || number > UINT16_MAX)
		return wf_field_fail(err, path, "port: want a port from 1 to %d", UINT16_MAX);
	if (!port.proto)
		return wf_field_fail(err, path, "protocol: want one of TCP, UDP, SCTP");
	(void)wf_str_copy(port.name, sizeof(port.name), name);
	for (size_t i = 0; i < ports->count; i++)
		if (ports->items[i].proto == port.proto &&
		    strcmp(ports->items[i].name, port.name) == 0)
			return wf_field_fail(err, path, "\"%s\" is there twice for %s", port.name,
					     wf_protocol_name(port.proto));
	if (wf_mem_grow(&ports->items, sizeof(*ports->items), ports->count, &ports->capacity) < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	ports->items[ports->count++] = port;
	return 0;
}

int wf_endpoint_ports_from_json(struct wf_endpoint *endpoint, const json_t *array, const char *path,
				struct wf_err *err)
{
	_cleanup_(ports_done) struct ports ports = { .count = 0 };
	struct wf_field_path at = { .len = 0 };
	json_t *item;
	size_t i;

	if (array && !json_is_null(array) && !json_is_array(array))
		return wf_field_fail(err, path, "want a list of named ports");
	if (json_array_size(array) > WF_ENDPOINT_MAX_PORTS)
		return wf_field_fail(err, path, "has %zu entries, the limit is %d",
				     json_array_size(array), WF_ENDPOINT_MAX_PORTS);
	(void)wf_field_push_key(&at, path);
	json_array_foreach(array, i, item) {
		size_t parent = wf_field_push_index(&at, i);
		int r = read_port(&ports, item, at.text, err);

		if (r < 0)
			return r;
		wf_field_pop(&at, parent);
	}
	free(endpoint->ports);
	endpoint->port_count = ports.count;
	endpoint->port_capacity = ports.capacity;
	endpoint->ports = TAKE_PTR(ports.items);
	return 0;
}

uint16_t wf_endpoint_port_named(const struct wf_endpoint *endpoint, const char *name, uint8_t proto)
{
	for (size_t i = 0; i < endpoint->port_count; i++)
		if (endpoint->ports[i].proto == proto && strcmp(endpoint->ports[i].name, name) == 0)
			return endpoint->ports[i].port;
	return 0;
}

json_t *wf_endpoint_ports_to_json(const struct wf_endpoint *endpoint)
{
	_cleanup_json_ json_t *array = json_array();

	for (size_t i = 0; i < endpoint->port_count; i++) {
		const struct wf_endpoint_port *port = &endpoint->ports[i];
		json_t *item =
			json_pack("{s:s, s:i, s:s}", "name", port->name, "port", (int)port->port,
				  "protocol", wf_protocol_name(port->proto));

		if (json_array_append_new(array, item) < 0)
			return NULL;
	}
	return TAKE_PTR(array);
}
