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

struct local_member wf_ctl_member_of(const struct wf_control *control,
				     const struct ctl_endpoint *endpoint)
{
	const struct wf_endpoint *spec = &endpoint->spec;
	struct local_member member = { .name = spec->meta.name,
				       .node = control->config.node_name,
				       .network = spec->network,
				       .scope = wf_ctl_scope_of(endpoint->network),
				       .labels = &spec->meta.labels,
				       .ports = spec->ports,
				       .port_count = spec->port_count };

	for (size_t i = 0; i < spec->address_count; i++)
		member.addrs[member.addr_count++] = spec->addresses[i].prefix.addr;
	return member;
}

struct local_member wf_ctl_member_of_remote(const struct ctl_remote *remote)
{
	const struct ctl_crowd *crowd = remote->crowd;
	struct local_member member = { .name = wf_ctl_remote_name(remote),
				       .node = remote->node->name,
				       .network = crowd->network,
				       .scope = remote->scope,
				       .labels = &crowd->labels,
				       .ports = crowd->ports,
				       .port_count = crowd->port_count,
				       .addr_count = remote->addr_count };

	for (size_t i = 0; i < remote->addr_count; i++)
		member.addrs[i] = remote->addrs[i];
	return member;
}

/* The selector alone. */
static bool matches(const struct ctl_service *service, const struct local_member *member)
{
	const struct wf_labels *selector = &service->spec.selector;

	if (!selector->count ||
	    strcmp(wf_ctl_namespace_of(member->labels), service->spec.meta.namespace) != 0)
		return false;
	for (size_t i = 0; i < selector->count; i++) {
		const char *value = wf_labels_get(member->labels, selector->items[i].key);

		if (!value || strcmp(value, selector->items[i].value) != 0)
			return false;
	}
	return true;
}

bool wf_ctl_service_selects(const struct ctl_service *service, const struct local_member *member)
{
	const char *network = service->spec.network;

	/* a backend's address has to mean the same to whoever asks */
	if (*network ? strcmp(network, member->network) != 0 : member->scope != WF_NETWORK_HOST)
		return false;
	return matches(service, member);
}

void wf_ctl_services_selecting(struct wf_control *control, const struct local_member *member,
			       void (*visit)(struct wf_control *control,
					     struct ctl_service *service))
{
	const struct wf_labels *labels = member->labels;
	const char *namespace = wf_ctl_namespace_of(member->labels);

	for (size_t i = 0; i < labels->count; i++) {
		uint64_t hash =
			wf_ctl_label_hash(namespace, labels->items[i].key, labels->items[i].value);

		WF_INDEX_EACH(&control->lb.selecting, hash, node) {
			struct ctl_service *service =
				WF_INDEX_OBJECT(node, struct ctl_service, by_label);

			if (!service->slices && wf_ctl_service_selects(service, member))
				visit(control, service);
		}
	}
}

/* The number of a target port for an endpoint; 0: it has no port of that name. */
static uint16_t target_of(const struct wf_service_port *port, const struct local_member *member)
{
	if (!*port->target_name)
		return port->target_port;
	for (size_t i = 0; i < member->port_count; i++)
		if (member->ports[i].proto == port->proto &&
		    strcmp(member->ports[i].name, port->target_name) == 0)
			return member->ports[i].port;
	return 0;
}

static uint32_t weight_of(const struct local_member *member)
{
	const char *text = wf_labels_get(member->labels, LABEL_WEIGHT);
	long weight = text ? strtol(text, NULL, 10) : 1;

	return weight >= 1 && weight <= 256 ? (uint32_t)weight : 1;
}

/* One slice for one address of one endpoint: each may have other numbers for named ports. */
static int make_slice(const struct ctl_service *service, const struct local_member *member,
		      const struct wf_addr *addr, struct wf_endpoint_slice *slice)
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

		port->port = target_of(&spec->ports[i], member);
		if (!port->port)
			continue;
		port->proto = spec->ports[i].proto;
		(void)snprintf(port->name, sizeof(port->name), "%s", spec->ports[i].name);
		slice->port_count++;
	}
	item = &slice->endpoints[slice->endpoint_count++];
	item->addr = *addr;
	item->ready = item->serving = true;
	item->weight = weight_of(member);
	(void)snprintf(target, sizeof(target), "%.127s", member->name);
	if (wf_shared_new(&item->node, member->node) < 0)
		return -ENOMEM;
	return wf_shared_new(&item->target, target);
}

static int add_selected(const struct ctl_service *service, const struct local_member *member,
			struct local_slices *slices)
{
	for (size_t i = 0; i < member->addr_count; i++) {
		struct wf_endpoint_slice *slice;

		if (wf_mem_grow(&slices->made, sizeof(*slices->made), slices->made_count,
				&slices->made_capacity) < 0)
			return -ENOMEM;
		slice = &slices->made[slices->made_count++];
		memset(slice, 0, sizeof(*slice));
		if (make_slice(service, member, &member->addrs[i], slice) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Endpoints of this node: only those are looked at that have the first label of the selector. */
static int add_own(struct wf_control *control, const struct ctl_service *service,
		   struct local_slices *slices)
{
	const struct wf_label *label = service->spec.selector.items;
	uint64_t hash = wf_ctl_label_hash(service->spec.meta.namespace, label->key, label->value);
	struct local_member member;
	int r = 0;

	WF_INDEX_EACH(&control->labels, hash, node) {
		const struct ctl_endpoint *endpoint =
			WF_INDEX_OBJECT(node, struct ctl_endpoint_key, node)->endpoint;

		if (r < 0 || endpoint->spec.phase != WF_ENDPOINT_READY)
			continue;
		member = wf_ctl_member_of(control, endpoint);
		if (wf_ctl_service_selects(service, &member))
			r = add_selected(service, &member, slices);
	}
	return r;
}

/* What is selected is so with all that are alike; of them those whose node is alive. */
static int add_crowd(const struct ctl_service *service, const struct ctl_crowd *crowd,
		     struct local_slices *slices)
{
	struct local_member member = wf_ctl_member_of_remote(crowd->members);
	const struct ctl_remote *remote;
	int r = 0;

	if (!wf_ctl_service_selects(service, &member))
		return 0;
	for (remote = crowd->members; r == 0 && remote; remote = remote->next_alike) {
		if (!remote->node->is_alive)
			continue;
		member = wf_ctl_member_of_remote(remote);
		r = add_selected(service, &member, slices);
	}
	return r;
}

/* And of other nodes. */
static int add_remote(struct wf_control *control, const struct ctl_service *service,
		      struct local_slices *slices)
{
	const struct wf_label *label = service->spec.selector.items;
	uint64_t hash = wf_ctl_label_hash(service->spec.meta.namespace, label->key, label->value);
	int r = 0;

	WF_INDEX_EACH(&control->cluster.crowd_labels, hash, node)
		if (r == 0)
			r = add_crowd(service,
				      WF_INDEX_OBJECT(node, struct ctl_crowd_key, node)->crowd,
				      slices);
	return r;
}

/* The members of a crowd that matches, with the network that they are in; 0: it is the host's view. */
static size_t overlooked_crowd(const struct ctl_service *service, const struct ctl_crowd *crowd,
			       const char **ret_network)
{
	const struct local_member member = wf_ctl_member_of_remote(crowd->members);
	size_t count = 0;

	if (member.scope == WF_NETWORK_HOST || !matches(service, &member))
		return 0;
	*ret_network = member.network;
	for (const struct ctl_remote *remote = crowd->members; remote; remote = remote->next_alike)
		count++;
	return count;
}

size_t wf_ctl_service_overlooked(struct wf_control *control, const struct ctl_service *service,
				 const char **ret_network)
{
	const struct wf_label *label = service->spec.selector.items;
	struct local_member member;
	size_t count = 0;
	uint64_t hash;

	if (!service->spec.selector.count || service->slices || *service->spec.network)
		return 0;
	hash = wf_ctl_label_hash(service->spec.meta.namespace, label->key, label->value);
	WF_INDEX_EACH(&control->labels, hash, node) {
		member = wf_ctl_member_of(
			control, WF_INDEX_OBJECT(node, struct ctl_endpoint_key, node)->endpoint);
		if (member.scope == WF_NETWORK_HOST || !matches(service, &member))
			continue;
		*ret_network = member.network;
		count++;
	}
	WF_INDEX_EACH(&control->cluster.crowd_labels, hash, node)
		count += overlooked_crowd(service,
					  WF_INDEX_OBJECT(node, struct ctl_crowd_key, node)->crowd,
					  ret_network);
	return count;
}

static int add_ref(struct local_slices *slices, const struct wf_endpoint_slice *slice)
{
	if (wf_mem_grow(&slices->refs, sizeof(const struct wf_endpoint_slice *), slices->count,
			&slices->capacity) < 0)
		return -ENOMEM;
	slices->refs[slices->count++] = slice;
	return 0;
}

int wf_ctl_slices_gather(struct wf_control *control, const struct ctl_service *service,
			 struct local_slices *slices, struct wf_err *err)
{
	int r = 0;

	for (const struct ctl_slice *slice = service->slices; r == 0 && slice; slice = slice->next)
		r = add_ref(slices, &slice->spec);
	if (r == 0 && !service->slices && service->spec.selector.count) {
		r = add_own(control, service, slices);
		if (r == 0)
			r = add_remote(control, service, slices);
	}
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

/* In the namespaces where the address means the backend, which of the host's view is the host's too. */
static void end_sockets(struct wf_control *control, uint32_t scope, uint8_t proto,
			const struct wf_lb_backend *backend)
{
	struct ctl_endpoint *endpoint, *next;

	if (scope == WF_NETWORK_HOST)
		(void)wf_net_socks_destroy(control->net, -1, proto, &backend->addr, backend->port,
					   NULL);
	HASH_ITER(by_name, control->endpoints, endpoint, next) {
		_cleanup_close_ int fd = -1;
		struct wf_net_ns_id id;

		if (!endpoint->spec.slot || wf_ctl_scope_of(endpoint->network) != scope ||
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
				end_sockets(control, before->view, before->proto,
					    &before->backends[i]);
	}
}
