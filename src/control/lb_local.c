/* SPDX-License-Identifier: Apache-2.0 */
/* See lb_local.h. */
#include "control/lb_local.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "control/control_priv.h"
#include "net/sock.h"

/* The label that gives a backend a weight. */
#define LABEL_WEIGHT "weft.dev/weight"

void wf_ctl_slices_done(struct local_slices *slices)
{
	for (size_t i = 0; i < slices->made_count; i++)
		wf_endpoint_slice_done(&slices->made[i]);
	free(slices->made);
	free(slices->refs);
}

bool wf_ctl_service_selects(const struct ctl_service *service, const struct ctl_endpoint *endpoint)
{
	const struct wf_labels *labels = &endpoint->spec.meta.labels;
	const struct wf_labels *selector = &service->spec.selector;

	if (!selector->count ||
	    strcmp(wf_ctl_endpoint_namespace(&endpoint->spec), service->spec.meta.namespace) != 0)
		return false;
	if (*service->spec.network && strcmp(service->spec.network, endpoint->spec.network) != 0)
		return false;
	for (size_t i = 0; i < selector->count; i++) {
		const char *value = wf_labels_get(labels, selector->items[i].key);

		if (!value || strcmp(value, selector->items[i].value) != 0)
			return false;
	}
	return true;
}

void wf_ctl_services_selecting(struct wf_control *control, const struct ctl_endpoint *endpoint,
			       void (*visit)(struct wf_control *control,
					     struct ctl_service *service))
{
	const struct wf_labels *labels = &endpoint->spec.meta.labels;
	const char *namespace = wf_ctl_endpoint_namespace(&endpoint->spec);

	for (size_t i = 0; i < labels->count; i++) {
		uint64_t hash =
			wf_ctl_label_hash(namespace, labels->items[i].key, labels->items[i].value);

		WF_INDEX_EACH(&control->lb.selecting, hash, node) {
			struct ctl_service *service =
				WF_INDEX_OBJECT(node, struct ctl_service, by_label);

			if (!service->slices && wf_ctl_service_selects(service, endpoint))
				visit(control, service);
		}
	}
}

/* The number of a target port for an endpoint; 0: it has no port of that name. */
static uint16_t target_of(const struct wf_service_port *port, const struct wf_endpoint *endpoint)
{
	if (!*port->target_name)
		return port->target_port;
	for (size_t i = 0; i < endpoint->port_count; i++)
		if (endpoint->ports[i].proto == port->proto &&
		    strcmp(endpoint->ports[i].name, port->target_name) == 0)
			return endpoint->ports[i].port;
	return 0;
}

static uint32_t weight_of(const struct wf_endpoint *endpoint)
{
	const char *text = wf_labels_get(&endpoint->meta.labels, LABEL_WEIGHT);
	long weight = text ? strtol(text, NULL, 10) : 1;

	return weight >= 1 && weight <= 256 ? (uint32_t)weight : 1;
}

/* One slice for one address of one endpoint: each may have other numbers for named ports. */
static int make_slice(struct wf_control *control, const struct ctl_service *service,
		      const struct ctl_endpoint *endpoint, const struct wf_addr *addr,
		      struct wf_endpoint_slice *slice)
{
	const struct wf_service *spec = &service->spec;
	struct wf_slice_endpoint *item;
	char target[128]; /* only shown: the beginning of the name will do */

	slice->ip6 = !wf_addr_is_ip4(addr);
	slice->ports = calloc(spec->port_count, sizeof(*slice->ports));
	slice->endpoints = calloc(1, sizeof(*slice->endpoints));
	if (!slice->ports || !slice->endpoints)
		return -ENOMEM;
	for (size_t i = 0; i < spec->port_count; i++) {
		struct wf_slice_port *port = &slice->ports[slice->port_count];

		port->port = target_of(&spec->ports[i], &endpoint->spec);
		if (!port->port)
			continue;
		port->proto = spec->ports[i].proto;
		(void)snprintf(port->name, sizeof(port->name), "%s", spec->ports[i].name);
		slice->port_count++;
	}
	item = &slice->endpoints[slice->endpoint_count++];
	item->addr = *addr;
	item->ready = item->serving = true;
	item->weight = weight_of(&endpoint->spec);
	(void)snprintf(target, sizeof(target), "%.127s", endpoint->spec.meta.name);
	if (wf_shared_new(&item->node, control->config.node_name) < 0)
		return -ENOMEM;
	return wf_shared_new(&item->target, target);
}

static int add_selected(struct wf_control *control, const struct ctl_service *service,
			const struct ctl_endpoint *endpoint, struct local_slices *slices)
{
	for (size_t i = 0; i < endpoint->spec.address_count; i++) {
		struct wf_endpoint_slice *slice;

		if (wf_mem_grow(&slices->made, sizeof(*slices->made), slices->made_count,
				&slices->made_capacity) < 0)
			return -ENOMEM;
		slice = &slices->made[slices->made_count++];
		memset(slice, 0, sizeof(*slice));
		if (make_slice(control, service, endpoint, &endpoint->spec.addresses[i].prefix.addr,
			       slice) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int add_ref(struct local_slices *slices, const struct wf_endpoint_slice *slice)
{
	if (wf_mem_grow(&slices->refs, sizeof(const struct wf_endpoint_slice *), slices->count,
			&slices->capacity) < 0)
		return -ENOMEM;
	slices->refs[slices->count++] = slice;
	return 0;
}

/* Of all endpoints only those are looked at that have the first label of the selector. */
static int add_all_selected(struct wf_control *control, const struct ctl_service *service,
			    struct local_slices *slices)
{
	const struct wf_label *label = service->spec.selector.items;
	uint64_t hash = wf_ctl_label_hash(service->spec.meta.namespace, label->key, label->value);
	int r = 0;

	WF_INDEX_EACH(&control->labels, hash, node) {
		const struct ctl_endpoint *endpoint =
			WF_INDEX_OBJECT(node, struct ctl_endpoint_key, node)->endpoint;

		if (r == 0 && endpoint->spec.phase == WF_ENDPOINT_READY &&
		    wf_ctl_service_selects(service, endpoint))
			r = add_selected(control, service, endpoint, slices);
	}
	return r;
}

int wf_ctl_slices_gather(struct wf_control *control, const struct ctl_service *service,
			 struct local_slices *slices, struct wf_err *err)
{
	int r = 0;

	for (const struct ctl_slice *slice = service->slices; r == 0 && slice; slice = slice->next)
		r = add_ref(slices, &slice->spec);
	if (!service->slices && service->spec.selector.count)
		r = add_all_selected(control, service, slices);
	for (size_t i = 0; r == 0 && i < slices->made_count; i++)
		r = add_ref(slices, &slices->made[i]);
	return r < 0 ? wf_fail(err, r, "out of memory resolving service %s", service->key) : 0;
}

/* ---- sockets that were translated once --------------------------------------------------------- */

static const struct wf_lb_port *port_of(const struct wf_lb_ports *ports, const char *key)
{
	for (size_t i = 0; i < ports->count; i++)
		if (strcmp(ports->items[i].key, key) == 0)
			return &ports->items[i];
	return NULL;
}

static bool is_used(const struct wf_lb_port *port, const struct wf_lb_backend *backend)
{
	for (size_t i = 0; port && i < port->backend_count; i++)
		if (port->backends[i].port == backend->port &&
		    wf_addr_equal(&port->backends[i].addr, &backend->addr))
			return port->backends[i].sets != 0;
	return false;
}

/* In the host's namespace and in every container's: each namespace once. */
static void end_sockets(struct wf_control *control, uint8_t proto,
			const struct wf_lb_backend *backend)
{
	struct ctl_endpoint *endpoint, *next;

	(void)wf_net_socks_destroy(control->net, -1, proto, &backend->addr, backend->port, NULL);
	HASH_ITER(by_name, control->endpoints, endpoint, next) {
		_cleanup_close_ int fd = -1;
		struct wf_net_ns_id id;

		if (!endpoint->spec.slot || !wf_ctl_netns_is_first(control, endpoint) ||
		    wf_net_ns_open(endpoint->spec.netns, &fd, &id, NULL) < 0)
			continue;
		(void)wf_net_socks_destroy(control->net, fd, proto, &backend->addr, backend->port,
					   NULL);
	}
}

void wf_ctl_moved_sockets(struct wf_control *control, const struct ctl_service *service,
			  const struct wf_lb_ports *now)
{
	if (!wf_dp_sockets_attached(control->dp))
		return;
	for (size_t p = 0; p < service->ports.count; p++) {
		const struct wf_lb_port *before = &service->ports.items[p];
		const struct wf_lb_port *after = port_of(now, before->key);

		if (before->proto != IPPROTO_UDP && !(before->proto == IPPROTO_TCP && before->cut))
			continue;
		for (size_t i = 0; i < before->backend_count; i++)
			if (before->backends[i].sets && !is_used(after, &before->backends[i]))
				end_sockets(control, before->proto, &before->backends[i]);
	}
}
