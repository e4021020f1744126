/* SPDX-License-Identifier: Apache-2.0 */
/* What people see of services and published ports: documents with their status. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <utlist.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/control_priv.h"
#include "control/lb_local.h"
#include "dp/overlay.h"

static const char *proto_name(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP: return "TCP";
	case IPPROTO_UDP: return "UDP";
	default: return "SCTP";
	}
}

static json_t *addr_json(const struct wf_addr *addr)
{
	char text[WF_ADDR_TEXT];

	return json_string(wf_addr_format(addr, text));
}

/* Who sees a frontend: everybody, the service's network, or who is outside alone. */
static const char *scope_text(const struct wf_lb_frontend *frontend)
{
	if (frontend->scope != WF_SCOPE_ANY)
		return "network";
	return frontend->flags & WF_FRONTEND_INSIDE ? "any" : "outside";
}

static json_t *frontends_json(const struct wf_lb_port *port)
{
	json_t *list = json_array();

	for (size_t i = 0; i < port->frontend_count; i++) {
		const struct wf_lb_frontend *frontend = &port->frontends[i];

		/* the host's own copy of a network's frontend says nothing new */
		if (frontend->scope == WF_NETWORK_HOST)
			continue;
		(void)json_array_append_new(list, json_pack("{s:s, s:o, s:i, s:s}", "type",
							    wf_lb_type_name(frontend->type),
							    "address", addr_json(&frontend->addr),
							    "port", frontend->port, "scope",
							    scope_text(frontend)));
	}
	return list;
}

static uint32_t active_of(const struct wf_control *control, const struct wf_lb_port *port,
			  const struct wf_lb_backend *backend)
{
	uint32_t number =
		wf_lb_table_backend(control->lb.table, port->key, &backend->addr, backend->port);
	struct wf_dp_lb_memory memory;

	wf_dp_lb_memory(control->dp, &memory);
	return number && number < memory.backend_count ? memory.backends[number].active : 0;
}

static json_t *backends_json(const struct wf_control *control, const struct wf_lb_port *port)
{
	json_t *list = json_array();

	for (size_t i = 0; i < port->backend_count; i++) {
		const struct wf_lb_backend *backend = &port->backends[i];

		(void)json_array_append_new(
			list, json_pack("{s:o, s:i, s:s, s:s, s:s, s:s, s:I, s:b, s:b, s:I}",
					"address", addr_json(&backend->addr), "port", backend->port,
					"state", wf_lb_state_name(backend->state), "node",
					wf_shared_text(backend->node), "zone",
					wf_shared_text(backend->zone), "target",
					wf_shared_text(backend->target), "weight",
					(json_int_t)backend->weight, "inside",
					(backend->sets & WF_LB_INSIDE) != 0, "outside",
					(backend->sets & WF_LB_OUTSIDE) != 0, "active",
					(json_int_t)active_of(control, port, backend)));
	}
	return list;
}

/* The name of the service's port that a key stands for. */
static const char *port_name(const struct wf_service *service, const struct wf_lb_port *port)
{
	for (size_t i = 0; i < service->port_count; i++)
		for (size_t k = 0; k < port->frontend_count; k++)
			if (service->ports[i].proto == port->proto &&
			    service->ports[i].port == port->frontends[k].port)
				return service->ports[i].name;
	return "";
}

static json_t *port_json(const struct wf_control *control, const struct ctl_service *service,
			 const struct wf_lb_port *port)
{
	uint32_t number = wf_lb_table_number(control->lb.table, port->key);
	struct wf_service_value hits = { 0 };
	struct wf_dp_lb_memory memory;
	size_t len = strlen(port->key);

	wf_dp_lb_memory(control->dp, &memory);
	if (number && number < memory.service_count)
		hits = memory.services[number];
	return json_pack(
		"{s:s, s:s, s:I, s:s, s:s, s:s, s:I, s:I, s:o, s:o}", "name",
		port_name(&service->spec, port), "key", port->key, "number", (json_int_t)number,
		"protocol", proto_name(port->proto), "family", len > 4 ? port->key + len - 4 : "",
		"algorithm", wf_lb_algorithm_name(port->algorithm), "connections",
		(json_int_t)hits.connections, "refused", (json_int_t)hits.refused, "frontends",
		frontends_json(port), "backends", backends_json(control, port));
}

static const char *fault_reason(const struct ctl_service *service)
{
	switch (service->fault ? abs(service->fault->code) : ENOMEM) {
	case ENOSPC: return "TableFull";
	case EEXIST: return "Clash";
	case ENOENT: return "NetworkMissing";
	case EOPNOTSUPP: return "NotInThisNetwork";
	case EADDRINUSE: return "AddressTaken";
	default: return "Failed";
	}
}

static json_t *programmed_json(const struct ctl_service *service)
{
	const bool foreign = service->spec.foreign;
	const bool ok = service->programmed && !foreign;
	const char *reason = ok ? "InForce" : foreign ? "OtherProxy" : fault_reason(service);
	const char *message = ok               ? ""
			      : foreign        ? "another proxy serves it"
			      : service->fault ? service->fault->message
					       : "out of memory";
	const char *field = ok || foreign || !service->fault ? "" : service->fault->field;

	return json_pack("{s:s, s:s, s:s, s:o}", "type", "Programmed", "status",
			 ok ? "True" : "False", "reason", reason, "message",
			 json_sprintf("%s%s%s", field, *field ? ": " : "", message));
}

/* Whether somebody answers at healthCheckNodePort. */
static json_t *health_json(const struct ctl_service *service)
{
	const bool ok = service->health_port;
	char message[80] = "";

	if (!ok)
		(void)snprintf(message, sizeof(message),
			       "port %u cannot be opened; another process may have it",
			       service->spec.health_check_node_port);
	return json_pack("{s:s, s:s, s:s, s:s}", "type", "HealthCheckServed", "status",
			 ok ? "True" : "False", "reason", ok ? "Listening" : "PortTaken", "message",
			 message);
}

/* Endpoints that the selector names and the service passes over; NULL: there is none. */
static json_t *overlooked_json(struct wf_control *control, const struct ctl_service *service)
{
	const char *network = "";
	size_t count = wf_ctl_service_overlooked(control, service, &network);

	if (!count)
		return NULL;
	return json_pack(
		"{s:s, s:s, s:s, s:o}", "type", "AllSelected", "status", "False", "reason",
		"OverlappingNetwork", "message",
		json_sprintf("%zu endpoints that spec.selector names are no backends: "
			     "addresses of network %s mean nothing beyond it. A service of "
			     "that network has the annotation weft.dev/network: %s",
			     count, network, network));
}

/* The node whose tunnel a backend is the end of, where nobody but weft sends (bpf/lib/pretend.h); or NULL. */
static const struct ctl_node *tunnel_at(const struct wf_control *control,
					const struct wf_lb_port *port,
					const struct wf_lb_backend *backend)
{
	uint32_t number = WF_NODE_SELF;

	if (port->proto != IPPROTO_UDP || port->view ||
	    backend->port != control->config.overlay_port ||
	    wf_dp_member_get(control->dp, &backend->addr, &number) < 0 || number >= WF_MAX_NODES)
		return NULL;
	return control->cluster.by_number[number];
}

/* The first backend that nobody reaches for that; NULL: there is none. */
static json_t *unreached_json(const struct wf_control *control, const struct ctl_service *service)
{
	char addr[WF_ADDR_TEXT];

	for (size_t p = 0; p < service->ports.count; p++) {
		const struct wf_lb_port *port = &service->ports.items[p];

		for (size_t i = 0; i < port->backend_count; i++) {
			const struct wf_lb_backend *backend = &port->backends[i];
			const struct ctl_node *node = tunnel_at(control, port, backend);

			if (node)
				return json_pack(
					"{s:s, s:s, s:s, s:o}", "type", "BackendsReached", "status",
					"False", "reason", "TunnelPort", "message",
					json_sprintf("%s, UDP port %u, is where the tunnel "
						     "of node %s ends: nothing but weft's "
						     "own packets is sent there",
						     wf_addr_format(&backend->addr, addr),
						     backend->port, node->name));
		}
	}
	return NULL;
}

static json_t *conditions_json(struct wf_control *control, const struct ctl_service *service)
{
	json_t *list = json_array(), *overlooked = overlooked_json(control, service);
	json_t *unreached = unreached_json(control, service);

	(void)json_array_append_new(list, programmed_json(service));
	if (overlooked)
		(void)json_array_append_new(list, overlooked);
	if (unreached)
		(void)json_array_append_new(list, unreached);
	if (wf_ctl_wants_health_server(&service->spec))
		(void)json_array_append_new(list, health_json(service));
	return list;
}

static json_t *service_json(struct wf_control *control, const struct ctl_service *service)
{
	json_t *document = wf_service_to_json(&service->spec), *ports = json_array(), *status;

	if (!document)
		return NULL;
	for (size_t i = 0; i < service->ports.count; i++)
		(void)json_array_append_new(ports,
					    port_json(control, service, &service->ports.items[i]));
	status = json_object_get(document, "status");
	if (!json_is_object(status)) {
		(void)json_object_set_new(document, "status", json_object());
		status = json_object_get(document, "status");
	}
	(void)wf_json_set(status, "weft",
			  json_pack("{s:o, s:o}", "ports", ports, "conditions",
				    conditions_json(control, service)));
	return document;
}

json_t *wf_control_service_list(struct wf_control *control)
{
	struct ctl_service *service, *next;
	json_t *items = json_array();

	HASH_ITER(by_key, control->lb.services, service, next)
		(void)json_array_append_new(items, service_json(control, service));
	return json_pack("{s:o}", "items", items);
}

int wf_control_service_inspect(struct wf_control *control, const char *key, json_t **ret_document,
			       struct wf_err *err)
{
	const struct ctl_service *service = wf_ctl_service_find(control, key);

	if (!service) {
		wf_err_set(err, -ENOENT, "there is no service %s; see 'weft service ls -A'", key);
		wf_err_set_object(err, "service/%s", key);
		return -ENOENT;
	}
	*ret_document = service_json(control, service);
	return *ret_document ? 0 : wf_fail(err, -ENOMEM, "out of memory");
}

/* ---- ports ------------------------------------------------------------------------------------ */

static bool is_loopback(const struct wf_addr *addr)
{
	static const uint8_t loopback6[16] = { [15] = 1 };

	return wf_addr_is_ip4(addr) ? addr->bytes[12] == 127
				    : memcmp(addr->bytes, loopback6, sizeof(loopback6)) == 0;
}

/* Whether the host's own processes reach it: without a hook that sees them only what has a route to weft0. */
static bool is_from_host(const struct wf_control *control, uint8_t proto, bool own)
{
	return !own || (proto != IPPROTO_SCTP && wf_dp_sockets_attached(control->dp));
}

/* From where, of outside and inside (enum wf_frontend_flag), an address is reached, which may be the host's own. */
static json_t *from_json(const struct wf_control *control, const struct wf_addr *addr,
			 uint8_t proto, bool own, uint32_t sides)
{
	const bool loopback = is_loopback(addr);
	json_t *list = json_array();

	if (sides & WF_FRONTEND_OUTSIDE && !loopback)
		(void)json_array_append_new(list, json_string("outside"));
	if (sides & WF_FRONTEND_INSIDE && is_from_host(control, proto, own))
		(void)json_array_append_new(list, json_string("host"));
	if (sides & WF_FRONTEND_INSIDE && !loopback)
		(void)json_array_append_new(list, json_string("containers"));
	return list;
}

/* The address that a run leads to; its first when it is published for both families. */
static const struct wf_addr *target_of(const struct wf_endpoint *spec,
				       const struct wf_publish *publish)
{
	const struct wf_addr *host_ip = &publish->host_ip;
	bool any = wf_addr_is_zero(host_ip) && !wf_addr_is_ip4(host_ip);

	for (size_t i = 0; i < spec->address_count; i++) {
		const struct wf_addr *addr = &spec->addresses[i].prefix.addr;

		if (any || wf_addr_is_ip4(addr) == wf_addr_is_ip4(host_ip))
			return addr;
	}
	return NULL;
}

/* "10.64.0.5:80", "[fd01::5]:9000-9099" */
static void format_target(const struct wf_endpoint *spec, const struct wf_publish *run,
			  struct wf_str *out)
{
	const struct wf_addr *target = target_of(spec, run);
	uint16_t last = (uint16_t)(run->target + run->last - run->first);
	char addr[WF_ADDR_TEXT];

	if (target)
		wf_str_addf(out,
			    wf_addr_is_ip4(target) ? "%s:" : "[%s]:", wf_addr_format(target, addr));
	wf_str_addf(out, "%u", run->target);
	if (last != run->target)
		wf_str_addf(out, "-%u", last);
}

/* The sides from which the ports that an endpoint publishes are reached. */
static uint32_t sides_of(const struct ctl_endpoint *endpoint)
{
	return WF_FRONTEND_OUTSIDE |
	       (wf_ctl_scope_is_own(&endpoint->network->spec) ? 0 : WF_FRONTEND_INSIDE);
}

static json_t *published_json(const struct wf_control *control, const struct ctl_endpoint *endpoint,
			      const struct wf_publish *run)
{
	const struct wf_endpoint *spec = &endpoint->spec;
	_cleanup_str_ struct wf_str target = WF_STR_INIT;
	bool any = wf_addr_is_zero(&run->host_ip) && !wf_addr_is_ip4(&run->host_ip);

	format_target(spec, run, &target);
	return json_pack("{s:o, s:i, s:i, s:s, s:s, s:s, s:s, s:o}", "hostIP",
			 any ? json_string("*") : addr_json(&run->host_ip), "firstPort", run->first,
			 "lastPort", run->last, "protocol", proto_name(run->proto), "kind",
			 "published", "target", wf_str_text(&target), "name", spec->meta.name,
			 "from",
			 from_json(control, &run->host_ip, run->proto, true, sides_of(endpoint)));
}

static void add_published(struct wf_control *control, json_t *items)
{
	const struct ctl_endpoint *endpoint;

	DL_FOREACH2(control->publishers, endpoint, next_publisher)
		for (size_t i = 0; i < endpoint->spec.publish.count; i++)
			(void)json_array_append_new(
				items, published_json(control, endpoint,
						      &endpoint->spec.publish.items[i]));
}

static void add_frontends(const struct wf_control *control, const struct ctl_service *service,
			  const struct wf_lb_port *port, json_t *items)
{
	for (size_t i = 0; i < port->frontend_count; i++) {
		const struct wf_lb_frontend *frontend = &port->frontends[i];
		const bool own = wf_addr_is_zero(&frontend->addr) ||
				 wf_ctl_view_is_host(control, &frontend->addr);
		char target[64];

		/* nor is what has the address within another scope the host's */
		if (frontend->type == WF_FRONTEND_CLUSTER_IP ||
		    frontend->scope == WF_NETWORK_HOST || frontend->view)
			continue;
		(void)snprintf(target, sizeof(target), "%zu backends", port->backend_count);
		(void)json_array_append_new(
			items,
			json_pack("{s:o, s:i, s:i, s:s, s:s, s:s, s:s, s:o}", "hostIP",
				  addr_json(&frontend->addr), "firstPort", frontend->port,
				  "lastPort", frontend->port, "protocol", proto_name(port->proto),
				  "kind", wf_lb_type_name(frontend->type), "target", target, "name",
				  service->key, "from",
				  from_json(control, &frontend->addr, port->proto, own,
					    frontend->flags)));
	}
}

json_t *wf_control_port_list(struct wf_control *control)
{
	struct ctl_service *service, *next;
	json_t *items = json_array();

	add_published(control, items);
	HASH_ITER(by_key, control->lb.services, service, next)
		for (size_t i = 0; i < service->ports.count; i++)
			add_frontends(control, service, &service->ports.items[i], items);
	return json_pack("{s:o}", "items", items);
}
