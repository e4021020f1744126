/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which endpoints of a service's slices serve one of its ports: gathered, each counted once, then
 * narrowed by readiness, health, topology and traffic policy. Called by select.c only.
 */
#include "lb/select_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Backends that are sorted without qsort(): those of nearly every service. */
#define FEW 32

/* What kube-proxy calls the topology mode. */
enum topology {
	EVERYWHERE,
	SAME_NODE,
	SAME_ZONE,
};

struct candidate {
	const struct wf_slice_endpoint *endpoint;
	uint32_t order; /* in which it was found, to settle ties */
	uint16_t port;
	bool is_local;
	bool is_ready;
	bool is_leaving; /* terminating and still serving */
	bool is_healthy;
	bool in_cluster; /* in the set of policy Cluster */
	bool in_local;   /* in the set of policy Local */
};

struct candidates {
	struct candidate *items; /* owned */
	size_t count;
};

static void candidates_done(struct candidates *candidates)
{
	free(candidates->items);
}

static bool is_about(const struct wf_lb_question *question, const struct wf_endpoint_slice *slice)
{
	return slice->ip6 == question->ip6 && !slice->fqdn &&
	       !wf_labels_get(&slice->meta.labels, WF_LB_LABEL_HEADLESS);
}

/*
 * The port of a slice that belongs to the service's port: ports are matched by name, because a
 * named target port may be another number in every slice. NULL: none, or one without a number.
 */
static const struct wf_slice_port *port_of(const struct wf_lb_question *question,
					   const struct wf_endpoint_slice *slice)
{
	for (size_t i = 0; i < slice->port_count; i++) {
		const struct wf_slice_port *port = &slice->ports[i];

		if (port->port && port->proto == question->port->proto &&
		    strcmp(port->name, question->port->name) == 0)
			return port;
	}
	return NULL;
}

static struct candidate judge(const struct wf_lb_question *question,
			      const struct wf_slice_endpoint *endpoint, uint16_t port)
{
	const struct wf_lb_facts *facts = question->facts;
	struct candidate candidate = {
		.endpoint = endpoint,
		.port = port,
		.is_local = endpoint->node && strcmp(endpoint->node->text, facts->node) == 0,
		.is_ready = endpoint->ready || question->service->publish_not_ready,
		.is_healthy = true,
	};

	candidate.is_leaving = !candidate.is_ready && endpoint->serving && endpoint->terminating;
	if (facts->is_healthy && (candidate.is_ready || candidate.is_leaving))
		candidate.is_healthy = facts->is_healthy(&endpoint->addr, port, facts->context);
	return candidate;
}

static int gather(const struct wf_lb_question *question, struct candidates *candidates)
{
	size_t most = 0;

	for (size_t i = 0; i < question->slice_count; i++)
		if (is_about(question, question->slices[i]) &&
		    port_of(question, question->slices[i]))
			most += question->slices[i]->endpoint_count;
	candidates->items = calloc(most ? most : 1, sizeof(*candidates->items));
	if (!candidates->items)
		return -ENOMEM;
	for (size_t i = 0; i < question->slice_count; i++) {
		const struct wf_endpoint_slice *slice = question->slices[i];
		const struct wf_slice_port *port = port_of(question, slice);

		if (!port || !is_about(question, slice))
			continue;
		for (size_t j = 0; j < slice->endpoint_count; j++) {
			struct candidate *made = &candidates->items[candidates->count];

			if (wf_addr_is_ip4(&slice->endpoints[j].addr) == question->ip6)
				continue;
			*made = judge(question, &slice->endpoints[j], port->port);
			made->order = (uint32_t)candidates->count++;
		}
	}
	return 0;
}

static int compare_places(const struct candidate *a, const struct candidate *b)
{
	int order = wf_addr_compare(&a->endpoint->addr, &b->endpoint->addr);

	return order ? order : (int)a->port - (int)b->port;
}

static unsigned int rank(const struct candidate *candidate)
{
	return (candidate->is_ready ? 4 : 0) + (candidate->is_leaving ? 2 : 0) +
	       (candidate->is_local ? 1 : 0);
}

/*
 * An endpoint that moves between slices is in both for a while, perhaps in different conditions:
 * the better one comes first and is kept, so that a stale copy takes nobody out of service.
 */
static int compare_candidates(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	int order = compare_places(x, y);

	if (order)
		return order;
	if (rank(x) != rank(y))
		return rank(x) > rank(y) ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* Few are sorted by hand: calling back for each comparison would take longer than all else. */
static void sort(struct candidate *items, size_t count)
{
	if (count > FEW) {
		qsort(items, count, sizeof(*items), compare_candidates);
		return;
	}
	for (size_t i = 1; i < count; i++) {
		struct candidate item = items[i];
		size_t at = i;

		for (; at && compare_candidates(&item, &items[at - 1]) < 0; at--)
			items[at] = items[at - 1];
		items[at] = item;
	}
}

static void sort_once(struct candidates *candidates)
{
	struct candidate *items = candidates->items;
	size_t kept = 0;

	if (candidates->count < 2)
		return;
	sort(items, candidates->count);
	for (size_t i = 1; i < candidates->count; i++)
		if (compare_places(&items[kept], &items[i]))
			items[++kept] = items[i];
	candidates->count = kept + 1;
}

/*
 * What fails weft's own check counts as not ready. When everybody fails it the check is as likely
 * wrong as all backends are: then it is not heeded.
 */
static void heed_health(struct candidates *candidates)
{
	bool heeded = false;

	for (size_t i = 0; i < candidates->count; i++) {
		const struct candidate *one = &candidates->items[i];

		heeded |= one->is_healthy && (one->is_ready || one->is_leaving);
	}
	for (size_t i = 0; heeded && i < candidates->count; i++) {
		candidates->items[i].is_ready &= candidates->items[i].is_healthy;
		candidates->items[i].is_leaving &= candidates->items[i].is_healthy;
	}
}

static bool names(char *const *hints, const char *name)
{
	for (; *hints; hints++)
		if (name[0] && strcmp(*hints, name) == 0)
			return true;
	return false;
}

/* Hints count only if every ready endpoint has them: else they are being changed just now. */
static enum topology topology_of(const struct candidates *candidates,
				 const struct wf_lb_facts *facts)
{
	bool all_nodes = true, all_zones = true, our_node = false, our_zone = false;

	for (size_t i = 0; i < candidates->count; i++) {
		const struct wf_slice_endpoint *endpoint = candidates->items[i].endpoint;

		if (!candidates->items[i].is_ready)
			continue;
		if (!endpoint->node_hints || !endpoint->node_hints[0])
			all_nodes = false;
		else if (names(endpoint->node_hints, facts->node))
			our_node = true;
		if (!endpoint->zone_hints || !endpoint->zone_hints[0])
			all_zones = false;
		else if (names(endpoint->zone_hints, facts->zone))
			our_zone = true;
	}
	if (all_nodes && our_node)
		return SAME_NODE;
	return all_zones && our_zone ? SAME_ZONE : EVERYWHERE;
}

static bool is_near(const struct candidate *candidate, enum topology topology,
		    const struct wf_lb_facts *facts)
{
	switch (topology) {
	case SAME_NODE: return names(candidate->endpoint->node_hints, facts->node);
	case SAME_ZONE: return names(candidate->endpoint->zone_hints, facts->zone);
	case EVERYWHERE: break;
	}
	return true;
}

/*
 * Ready ones, and only when there is none, those that still serve while they leave. Returns whether
 * there is anybody at all.
 */
static bool choose(struct candidates *candidates, const struct wf_lb_facts *facts)
{
	enum topology topology = topology_of(candidates, facts);
	bool has_any = false, has_ready = false, has_local_ready = false;

	for (size_t i = 0; i < candidates->count; i++) {
		const struct candidate *one = &candidates->items[i];

		has_ready |= one->is_ready;
		has_local_ready |= one->is_ready && one->is_local;
	}
	for (size_t i = 0; i < candidates->count; i++) {
		struct candidate *one = &candidates->items[i];

		one->in_cluster = has_ready ? one->is_ready && is_near(one, topology, facts)
					    : one->is_leaving;
		one->in_local =
			one->is_local && (has_local_ready ? one->is_ready : one->is_leaving);
		has_any |= one->is_ready || one->is_leaving;
	}
	return has_any;
}

static uint32_t sets_of(const struct wf_lb_question *question, const struct candidate *candidate)
{
	const struct wf_service *service = question->service;
	uint32_t sets = 0;

	if (service->internal_local ? candidate->in_local : candidate->in_cluster)
		sets |= WF_LB_INSIDE;
	if (!question->has_external)
		return sets;
	if (service->external_local ? candidate->in_local : candidate->in_cluster)
		sets |= WF_LB_OUTSIDE;
	if (candidate->in_cluster)
		sets |= WF_LB_EXTERNAL;
	return sets;
}

static enum wf_lb_state state_of(const struct wf_lb_question *question,
				 const struct candidate *candidate)
{
	const struct wf_slice_endpoint *endpoint = candidate->endpoint;

	if (!candidate->is_healthy)
		return WF_LB_UNHEALTHY;
	if (endpoint->ready || question->service->publish_not_ready)
		return WF_LB_READY;
	return endpoint->serving && endpoint->terminating ? WF_LB_TERMINATING : WF_LB_NOT_READY;
}

static void fill(const struct wf_lb_question *question, const struct candidate *candidate,
		 struct wf_lb_backend *backend)
{
	const struct wf_slice_endpoint *endpoint = candidate->endpoint;
	const struct wf_lb_facts *facts = question->facts;

	backend->addr = endpoint->addr;
	backend->port = candidate->port;
	backend->weight = endpoint->weight ? endpoint->weight : 1;
	backend->sets = sets_of(question, candidate);
	backend->state = state_of(question, candidate);
	backend->slot = facts->slot_of ? facts->slot_of(&endpoint->addr, facts->context) : 0;
	backend->is_local = candidate->is_local;
	backend->node = wf_shared_ref(endpoint->node);
	backend->zone = wf_shared_ref(endpoint->zone);
	backend->target = wf_shared_ref(endpoint->target);
}

int wf_lb_select_backends(const struct wf_lb_question *question, struct wf_lb_port *port,
			  bool *ret_has_any)
{
	_cleanup_(candidates_done) struct candidates candidates = { 0 };

	if (gather(question, &candidates) < 0)
		return -ENOMEM;
	sort_once(&candidates);
	heed_health(&candidates);
	port->backends =
		malloc((candidates.count ? candidates.count : 1) * sizeof(*port->backends));
	if (!port->backends)
		return -ENOMEM;
	port->backend_capacity = candidates.count;
	*ret_has_any = choose(&candidates, question->facts);
	for (size_t i = 0; i < candidates.count; i++)
		fill(question, &candidates.items[i], &port->backends[port->backend_count++]);
	return 0;
}
