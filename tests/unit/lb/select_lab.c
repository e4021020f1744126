/* SPDX-License-Identifier: Apache-2.0 */
#include "select_lab.h"

#include <netinet/in.h>
#include <string.h>

#include <weft/abi/limits.h>

static uint32_t slot_of(const struct wf_addr *addr, void *context)
{
	return addr->bytes[15] == 7 ? 70 : WF_SLOT_HOST;
}

static bool is_healthy(const struct wf_addr *addr, uint16_t port, void *context)
{
	const struct select_lab *lab = context;

	for (const char *const *sick = lab->sick; *sick; sick++) {
		struct wf_addr other = addr_of(*sick);

		if (wf_addr_equal(addr, &other))
			return false;
	}
	return true;
}

void select_done(struct select_lab *lab)
{
	for (size_t i = 0; i < SELECT_MOST; i++) {
		wf_shared_unref(&lab->endpoints[i].node);
		wf_shared_unref(&lab->endpoints[i].zone);
	}
	wf_lb_ports_done(&lab->ports);
}

void select_init(struct select_lab *lab)
{
	select_done(lab);
	memset(lab, 0, sizeof(*lab));
	strcpy(lab->service.meta.name, "web");
	strcpy(lab->service.meta.namespace, "shop");
	lab->service.cluster_ips[0] = addr_of("10.96.0.1");
	lab->service.cluster_ip_count = 1;
	lab->port = (struct wf_service_port){ .name = "http", .proto = IPPROTO_TCP, .port = 80 };
	lab->service.ports = &lab->port;
	lab->service.port_count = 1;
	lab->slice_port = (struct wf_slice_port){ "http", IPPROTO_TCP, 8080 };
	lab->slice.ports = &lab->slice_port;
	lab->slice.port_count = 1;
	lab->slice.endpoints = lab->endpoints;
	lab->facts = (struct wf_lb_facts){
		.node = "here",
		.zone = "z1",
		.scope = WF_SCOPE_ANY,
		.slot_of = slot_of,
		.is_healthy = is_healthy,
		.context = lab,
	};
}

void select_add_rows(struct select_lab *lab, const struct select_row *rows, size_t count)
{
	size_t sick = 0;

	for (size_t i = 0; i < count; i++) {
		struct wf_slice_endpoint *endpoint = &lab->endpoints[i];

		endpoint->addr = addr_of(rows[i].addr);
		endpoint->ready = strchr(rows[i].state, 'r');
		endpoint->serving = strchr(rows[i].state, 's') || endpoint->ready;
		endpoint->terminating = strchr(rows[i].state, 't');
		endpoint->weight = 1;
		if (strchr(rows[i].state, 'x'))
			lab->sick[sick++] = rows[i].addr;
		wf_shared_unref(&endpoint->node);
		wf_shared_unref(&endpoint->zone);
		assert_int_equal(wf_shared_new(&endpoint->node, rows[i].node ? rows[i].node : ""),
				 0);
		assert_int_equal(wf_shared_new(&endpoint->zone, rows[i].zone ? rows[i].zone : ""),
				 0);
		lab->hints[i][0][0] = (char *)rows[i].node_hint;
		lab->hints[i][1][0] = (char *)rows[i].zone_hint;
		endpoint->node_hints = rows[i].node_hint ? lab->hints[i][0] : NULL;
		endpoint->zone_hints = rows[i].zone_hint ? lab->hints[i][1] : NULL;
	}
	lab->slice.endpoint_count = count;
}

void select_resolve_slices(struct select_lab *lab, const struct wf_endpoint_slice *const *slices,
			   size_t count)
{
	wf_lb_ports_done(&lab->ports);
	assert_int_equal(wf_lb_select(&lab->service, slices, count, &lab->facts, &lab->ports, NULL),
			 0);
}

struct wf_lb_port *select_resolve(struct select_lab *lab)
{
	const struct wf_endpoint_slice *slices[] = { &lab->slice };

	select_resolve_slices(lab, slices, 1);
	return lab->ports.count ? &lab->ports.items[0] : NULL;
}

const struct wf_lb_backend *select_backend(const struct wf_lb_port *port, const char *text)
{
	struct wf_addr addr = addr_of(text);

	for (size_t i = 0; i < port->backend_count; i++)
		if (wf_addr_equal(&port->backends[i].addr, &addr))
			return &port->backends[i];
	fail_msg("no backend %s", text);
	return NULL;
}

const struct wf_lb_frontend *select_frontend(const struct wf_lb_port *port,
					     enum wf_frontend_type type)
{
	for (size_t i = 0; i < port->frontend_count; i++)
		if (port->frontends[i].type == type)
			return &port->frontends[i];
	return NULL;
}
