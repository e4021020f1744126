/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the ports of a service. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/field_priv.h"
#include "model/protocol.h"
#include "model/service_priv.h"

/* A port being read: where it stands and those before it. */
struct reading {
	struct wf_service *service;
	struct wf_field_path at; /* "spec.ports[0]" */
	size_t at_len;
	struct wf_err *err;
};

/* Sets the error of a member of the port; what is said follows. */
#define PORT_FAIL(reading, member, ...)                     \
	(wf_field_pop(&(reading)->at, (reading)->at_len),   \
	 (void)wf_field_push_key(&(reading)->at, (member)), \
	 wf_field_error((reading)->err, (reading)->at.text, __VA_ARGS__), -EINVAL)

static int read_target(struct reading *reading, struct wf_service_port *port, const json_t *item)
{
	const json_t *member = json_object_get(item, "targetPort");
	const char *text = json_string_value(member);
	char excerpt[WF_FIELD_EXCERPT_BYTES];
	uint64_t number;

	port->target_port = port->port;
	if (json_is_integer(member)) {
		json_int_t target = json_integer_value(member);

		if (target < 1 || target > UINT16_MAX)
			return PORT_FAIL(reading, "targetPort",
					 "%" JSON_INTEGER_FORMAT " is not between 1 and %d", target,
					 UINT16_MAX);
		port->target_port = (uint16_t)target;
	}
	if (!text)
		return 0;
	if (!wf_protocol_is_port_name(text))
		return PORT_FAIL(reading, "targetPort",
				 "\"%s\" is not the name of a port (up to 15 lower-case letters, "
				 "digits or '-' with at least one letter)%s",
				 wf_field_excerpt(text, excerpt),
				 wf_str_to_u64(text, 1, UINT16_MAX, &number) == 0
					 ? "; a number goes without quotes"
					 : "");
	port->target_port = 0;
	return wf_str_copy(port->target_name, sizeof(port->target_name), text);
}

static int read_name(struct reading *reading, struct wf_service_port *port, const json_t *item,
		     bool required)
{
	const char *text = wf_json_str(item, "name", "");
	char excerpt[WF_FIELD_EXCERPT_BYTES];

	if (!*text && required)
		return PORT_FAIL(reading, "name",
				 "is missing (every one of several ports needs a "
				 "name)");
	if (*text && !wf_meta_is_label(text))
		return PORT_FAIL(reading, "name",
				 "\"%s\" is not the name of a port (up to 63 lower-case letters, "
				 "digits or '-', a letter or digit at both ends)",
				 wf_field_excerpt(text, excerpt));
	return wf_str_copy(port->name, sizeof(port->name), text);
}

static int read_node_port(struct reading *reading, struct wf_service_port *port, const json_t *item)
{
	enum wf_service_type type = reading->service->type;

	port->node_port = (uint16_t)wf_json_int(item, "nodePort", 0);
	if (port->node_port && type != WF_SERVICE_NODE_PORT && type != WF_SERVICE_LOAD_BALANCER)
		return PORT_FAIL(reading, "nodePort",
				 "is for type NodePort and LoadBalancer, not for %s",
				 wf_service_type_name(type));
	return 0;
}

/* No two ports may be the same, whichever way they are told apart. */
static int check_unique(struct reading *reading, const struct wf_service_port *port)
{
	const struct wf_service *service = reading->service;

	for (size_t i = 0; i < service->port_count; i++) {
		const struct wf_service_port *other = &service->ports[i];

		if (*port->name && strcmp(port->name, other->name) == 0)
			return PORT_FAIL(reading, "name",
					 "\"%s\" is the name of spec.ports[%zu] "
					 "already",
					 port->name, i);
		if (port->proto != other->proto)
			continue;
		if (port->port == other->port)
			return PORT_FAIL(reading, "port", "%u/%s is spec.ports[%zu] already",
					 port->port, wf_protocol_name(port->proto), i);
		if (port->node_port && port->node_port == other->node_port)
			return PORT_FAIL(reading, "nodePort",
					 "%u/%s is that of spec.ports[%zu] "
					 "already",
					 port->node_port, wf_protocol_name(port->proto), i);
	}
	return 0;
}

static int read_port(struct reading *reading, const json_t *item, bool several)
{
	struct wf_service *service = reading->service;
	struct wf_service_port port = {
		.port = (uint16_t)wf_json_int(item, "port", 0),
		.proto = wf_protocol_from_name(wf_json_str(item, "protocol", "TCP")),
	};
	int r = read_name(reading, &port, item, several);

	if (r == 0)
		r = read_target(reading, &port, item);
	if (r == 0)
		r = read_node_port(reading, &port, item);
	if (r == 0)
		r = check_unique(reading, &port);
	if (r < 0)
		return r;
	if (wf_mem_grow(&service->ports, sizeof(*service->ports), service->port_count,
			&service->port_capacity) < 0)
		return wf_fail(reading->err, -ENOMEM, "out of memory");
	service->ports[service->port_count++] = port;
	return 0;
}

/* The port for health checks is one of the host's as the node ports are. */
static int check_health_port(const struct wf_service *service, const json_t *spec,
			     struct wf_err *err)
{
	int64_t health = wf_json_int(spec, "healthCheckNodePort", 0);

	for (size_t i = 0; health && i < service->port_count; i++)
		if (service->ports[i].node_port == health)
			return wf_field_fail(err, "spec.healthCheckNodePort",
					     "%" PRId64 " is the nodePort of spec.ports[%zu] "
					     "already",
					     health, i);
	return 0;
}

int wf_service_read_ports(struct wf_service *service, const json_t *document, struct wf_err *err)
{
	const json_t *spec = json_object_get(document, "spec");
	const json_t *ports = json_object_get(spec, "ports");
	struct reading reading = { .service = service, .err = err };
	json_t *item;
	size_t i;

	if (!json_array_size(ports) && !service->headless &&
	    service->type != WF_SERVICE_EXTERNAL_NAME)
		return wf_field_fail(err, "spec.ports",
				     "is missing (a service without ports serves nothing; only a "
				     "headless one may be without)");
	(void)wf_field_push_key(&reading.at, "spec.ports");
	json_array_foreach(ports, i, item) {
		size_t parent = wf_field_push_index(&reading.at, i);
		int r;

		reading.at_len = reading.at.len;
		r = read_port(&reading, item, json_array_size(ports) > 1);
		if (r < 0)
			return r;
		wf_field_pop(&reading.at, parent);
	}
	return check_health_port(service, spec, err);
}
