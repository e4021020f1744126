/* SPDX-License-Identifier: Apache-2.0 */
/* The addresses of a service's ports and who may use them; its backends are in select_backends.c. */
#include "lb/select.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/abi/limits.h>

#include "base/mem.h"
#include "lb/select_priv.h"

static const char *proto_name(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP: return "tcp";
	case IPPROTO_UDP: return "udp";
	case IPPROTO_SCTP: return "sctp";
	default: return "other";
	}
}

/* Copies a text without its end. Returns where the next one goes. */
static char *append(char *at, const char *text)
{
	while (*text)
		*at++ = *text++;
	return at;
}

static char *append_number(char *at, unsigned int number)
{
	char digits[10];
	size_t count = 0;

	do {
		digits[count++] = (char)('0' + number % 10);
	} while (number /= 10);
	while (count)
		*at++ = digits[--count];
	return at;
}

/* "NAMESPACE/NAME:PORT/tcp/IPv4". By asprintf() it took a tenth of the whole resolution. */
static char *make_key(const struct wf_lb_question *question)
{
	const struct wf_meta *meta = &question->service->meta;
	char *key =
		malloc(strlen(meta->namespace) + strlen(meta->name) + sizeof("/:65535/other/IPv4"));
	char *at = key;

	if (!key)
		return NULL;
	at = append(append(append(at, meta->namespace), "/"), meta->name);
	at = append_number(append(at, ":"), question->port->port);
	at = append(append(append(at, "/"), proto_name(question->port->proto)), "/");
	*append(at, question->ip6 ? "IPv6" : "IPv4") = '\0';
	return key;
}

/* Adds one unless the port has that address already; the first one decides about its type. */
static int add_frontend(struct wf_lb_port *port, const struct wf_lb_frontend *frontend)
{
	for (size_t i = 0; i < port->frontend_count; i++) {
		const struct wf_lb_frontend *known = &port->frontends[i];

		if (known->port == frontend->port && known->scope == frontend->scope &&
		    wf_addr_equal(&known->addr, &frontend->addr))
			return 0;
	}
	if (wf_mem_grow(&port->frontends, sizeof(*port->frontends), port->frontend_count,
			&port->frontend_capacity) < 0)
		return -ENOMEM;
	port->frontends[port->frontend_count++] = *frontend;
	return 0;
}

/* The host's processes are in no network and see the services of every one whose addresses they know. */
static int add_scoped(struct wf_lb_port *port, struct wf_lb_frontend frontend,
		      const struct wf_lb_facts *facts)
{
	frontend.scope = facts->scope;
	frontend.view = facts->view;
	if (add_frontend(port, &frontend) < 0)
		return -ENOMEM;
	if (facts->scope == WF_SCOPE_ANY || facts->scope == WF_NETWORK_HOST || facts->view)
		return 0;
	frontend.scope = WF_NETWORK_HOST;
	return add_frontend(port, &frontend);
}

/*
 * An address beyond the service's own. Where backends are of a scope of their own nobody in the host's
 * view reaches them but who comes in from outside, and to the scope's containers the host is nobody.
 */
static int add_beyond(struct wf_lb_port *port, struct wf_lb_frontend frontend,
		      const struct wf_lb_facts *facts)
{
	struct wf_lb_frontend within = frontend;

	if (!facts->view)
		return add_scoped(port, frontend, facts);
	frontend.scope = WF_SCOPE_ANY;
	frontend.view = WF_NETWORK_HOST;
	frontend.flags &= (uint16_t)~WF_FRONTEND_INSIDE;
	if (add_frontend(port, &frontend) < 0)
		return -ENOMEM;
	within.flags &= (uint16_t)~WF_FRONTEND_OUTSIDE;
	return within.type == WF_FRONTEND_NODE_PORT ? 0 : add_scoped(port, within, facts);
}

static uint16_t common_flags(const struct wf_service *service)
{
	return (uint16_t)(WF_FRONTEND_INSIDE | WF_FRONTEND_OUTSIDE |
			  (service->affinity_s ? WF_FRONTEND_AFFINITY : 0) |
			  (service->cut ? WF_FRONTEND_CUT : 0));
}

/*
 * The service's own address serves outsiders too who have a route to it, as kube-proxy does; they
 * are bound by the internal policy. Under a Local policy who finds nobody here is dropped while
 * there is somebody elsewhere, so that he tries again; with nobody anywhere he is refused.
 */
static uint16_t cluster_flags(const struct wf_service *service, bool has_any)
{
	uint16_t flags = common_flags(service) | WF_FRONTEND_SNAT;

	if (service->internal_local && has_any)
		flags |= WF_FRONTEND_INSIDE_DROP | WF_FRONTEND_OUTSIDE_DROP;
	return flags;
}

/*
 * Policy Local never leads to another node, so nothing has to be done for the way back. Direct
 * return keeps the client's address, masquerading hides it: it is one or the other.
 */
static uint16_t external_flags(const struct wf_service *service, bool has_any)
{
	uint16_t flags = common_flags(service);

	if (!service->external_local)
		flags |= service->dsr ? WF_FRONTEND_DSR : WF_FRONTEND_SNAT;
	else if (has_any)
		flags |= WF_FRONTEND_OUTSIDE_DROP;
	return flags;
}

static int add_all(const struct wf_lb_question *question, const struct wf_service_addrs *addrs,
		   struct wf_lb_frontend frontend, struct wf_lb_port *port)
{
	for (size_t i = 0; i < addrs->count; i++) {
		if (wf_addr_is_ip4(&addrs->items[i]) == question->ip6)
			continue;
		frontend.addr = addrs->items[i];
		if (add_beyond(port, frontend, question->facts) < 0)
			return -ENOMEM;
	}
	return 0;
}

static bool has_balancer(const struct wf_service *service)
{
	return service->type == WF_SERVICE_LOAD_BALANCER;
}

static uint16_t node_port_of(const struct wf_lb_question *question)
{
	enum wf_service_type type = question->service->type;

	return type == WF_SERVICE_NODE_PORT || type == WF_SERVICE_LOAD_BALANCER
		       ? question->port->node_port
		       : 0;
}

/* A balancer's address comes before the same one among externalIPs: it is the restricted one. */
static int add_external(const struct wf_lb_question *question, bool has_any,
			struct wf_lb_port *port)
{
	const struct wf_service *service = question->service;
	struct wf_lb_frontend frontend = {
		.port = question->port->port,
		.type = WF_FRONTEND_LOAD_BALANCER,
		.flags = external_flags(service, has_any),
	};

	if (port->source_count)
		frontend.flags |= WF_FRONTEND_SOURCE_RANGES;
	if (has_balancer(service) && add_all(question, &service->balancer_ips, frontend, port) < 0)
		return -ENOMEM;
	frontend.flags &= (uint16_t)~WF_FRONTEND_SOURCE_RANGES;
	frontend.type = WF_FRONTEND_EXTERNAL_IP;
	if (add_all(question, &service->external_ips, frontend, port) < 0)
		return -ENOMEM;
	if (!node_port_of(question))
		return 0;
	/* an address of this node is nobody else's: what comes for it cannot go on as it is */
	if (frontend.flags & WF_FRONTEND_DSR)
		frontend.flags ^= WF_FRONTEND_DSR | WF_FRONTEND_SNAT;
	frontend.type = WF_FRONTEND_NODE_PORT;
	frontend.port = node_port_of(question);
	frontend.addr = question->ip6 ? (struct wf_addr){ 0 } : wf_addr_from_ip4(0);
	return add_beyond(port, frontend, question->facts);
}

/* Those of the family; one that holds every address of it lifts the restriction. */
static int add_sources(const struct wf_lb_question *question, struct wf_lb_port *port)
{
	const struct wf_service *service = question->service;

	if (!has_balancer(service))
		return 0;
	for (size_t i = 0; i < service->source_count; i++) {
		const struct wf_prefix *source = &service->sources[i];

		if (wf_addr_is_ip4(&source->addr) == question->ip6)
			continue;
		if (!source->len) {
			port->source_count = 0;
			return 0;
		}
		if (wf_mem_grow(&port->sources, sizeof(*port->sources), port->source_count,
				&port->source_capacity) < 0)
			return -ENOMEM;
		port->sources[port->source_count++] = *source;
	}
	return 0;
}

static bool has_family(const struct wf_service_addrs *addrs, bool ip6)
{
	for (size_t i = 0; i < addrs->count; i++)
		if (wf_addr_is_ip4(&addrs->items[i]) != ip6)
			return true;
	return false;
}

static bool has_external(const struct wf_lb_question *question)
{
	const struct wf_service *service = question->service;

	return node_port_of(question) || has_family(&service->external_ips, question->ip6) ||
	       (has_balancer(service) && has_family(&service->balancer_ips, question->ip6));
}

static int resolve(struct wf_lb_question *question, const struct wf_addr *cluster_ip,
		   struct wf_lb_port *port)
{
	const struct wf_service *service = question->service;
	bool has_any;
	struct wf_lb_frontend own = {
		.addr = *cluster_ip,
		.port = question->port->port,
		.type = WF_FRONTEND_CLUSTER_IP,
	};

	port->key = make_key(question);
	if (!port->key)
		return -ENOMEM;
	port->proto = question->port->proto;
	port->view = question->facts->view;
	port->algorithm = service->algorithm;
	port->affinity_s = service->affinity_s;
	port->cut = service->cut;
	question->has_external = has_external(question);
	if (wf_lb_select_backends(question, port, &has_any) < 0 || add_sources(question, port) < 0)
		return -ENOMEM;
	own.flags = cluster_flags(service, has_any);
	if (add_scoped(port, own, question->facts) < 0)
		return -ENOMEM;
	return add_external(question, has_any, port);
}

static bool is_ours(const struct wf_service *service)
{
	return service->type != WF_SERVICE_EXTERNAL_NAME && !service->headless &&
	       !service->foreign && !wf_labels_get(&service->meta.labels, WF_LB_LABEL_HEADLESS);
}

/* The ports of one family; *ports has room for them. */
static int resolve_family(const struct wf_service *service, const struct wf_addr *cluster_ip,
			  struct wf_lb_question *question, struct wf_lb_ports *ports)
{
	question->ip6 = !wf_addr_is_ip4(cluster_ip);
	for (size_t i = 0; i < service->port_count; i++) {
		struct wf_lb_port *port = &ports->items[ports->count++];

		question->port = &service->ports[i];
		if (resolve(question, cluster_ip, port) < 0)
			return -ENOMEM;
	}
	return 0;
}

int wf_lb_select(const struct wf_service *service, const struct wf_endpoint_slice *const *slices,
		 size_t slice_count, const struct wf_lb_facts *facts, struct wf_lb_ports *ret_ports,
		 struct wf_err *err)
{
	_cleanup_(wf_lb_ports_done) struct wf_lb_ports ports = { 0 };
	struct wf_lb_question question = {
		.service = service,
		.slices = slices,
		.slice_count = slice_count,
		.facts = facts,
	};

	if (is_ours(service) && service->port_count) {
		ports.capacity = service->port_count * WF_ARRAY_LEN(service->cluster_ips);
		ports.items = calloc(ports.capacity, sizeof(*ports.items));
		if (!ports.items)
			return wf_fail(err, -ENOMEM, "out of memory for the ports of a service");
	}
	for (size_t i = 0; ports.items && i < service->cluster_ip_count; i++) {
		if (wf_addr_is_zero(&service->cluster_ips[i]))
			continue;
		if (resolve_family(service, &service->cluster_ips[i], &question, &ports) < 0)
			return wf_fail(err, -ENOMEM, "out of memory for the ports of service %s/%s",
				       service->meta.namespace, service->meta.name);
	}
	*ret_ports = ports;
	ports = (struct wf_lb_ports){ 0 };
	return 0;
}

static bool is_counted(const struct wf_lb_backend *backend)
{
	return backend->is_local && backend->state == WF_LB_READY;
}

/* Whether a port counts this address before its backend number `count`; they are sorted by it. */
static bool has_counted(const struct wf_lb_port *port, size_t count, const struct wf_addr *addr)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (wf_addr_compare(&port->backends[middle].addr, addr) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < count && wf_addr_equal(&port->backends[low].addr, addr); low++)
		if (is_counted(&port->backends[low]))
			return true;
	return false;
}

size_t wf_lb_local_ready(const struct wf_lb_ports *ports)
{
	size_t found = 0;

	for (size_t i = 0; i < ports->count; i++) {
		const struct wf_lb_port *port = &ports->items[i];

		for (size_t j = 0; j < port->backend_count; j++) {
			bool known = !is_counted(&port->backends[j]) ||
				     has_counted(port, j, &port->backends[j].addr);

			for (size_t k = 0; k < i && !known; k++)
				known = has_counted(&ports->items[k], ports->items[k].backend_count,
						    &port->backends[j].addr);
			found += !known;
		}
	}
	return found;
}
