/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network namespaces as the socket hooks know them: by cookie, with the networks whose services
 * their processes see. A namespace with several endpoints is one entry.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "control/control_priv.h"

WF_LOG_MODULE(netns);

/* Its network as the hooks know it. */
static uint32_t network_of(const struct ctl_endpoint *endpoint)
{
	return endpoint->network->spec.number |
	       (wf_ctl_scope_is_own(&endpoint->network->spec) ? WF_NETNS_SCOPED : 0);
}

/* The endpoint at a node of the index if it is one of the namespace that the hooks know of. */
static const struct ctl_endpoint *member_at(struct wf_index_node *node,
					    const struct wf_endpoint *spec,
					    const struct ctl_endpoint *without)
{
	const struct ctl_endpoint *endpoint = WF_INDEX_OBJECT(node, struct ctl_endpoint, by_space);
	const bool is_member = endpoint != without && endpoint->spec.slot &&
			       wf_ctl_is_same_space(&endpoint->spec, spec);

	return is_member ? endpoint : NULL;
}

/*
 * What the hooks shall know of a namespace when `without` is not in it: the oldest endpoint speaks
 * for it. The index has the newest first.
 */
static struct wf_netns_value value_of(struct wf_control *control, const struct wf_endpoint *spec,
				      const struct ctl_endpoint *without)
{
	struct wf_netns_value value = { .slot = WF_SLOT_HOST };
	const uint64_t hash = wf_ctl_space_hash(spec);
	size_t place = 0;

	WF_INDEX_EACH(&control->spaces, hash, node)
		place += member_at(node, spec, without) != NULL;
	WF_INDEX_EACH(&control->spaces, hash, node) {
		const struct ctl_endpoint *endpoint = member_at(node, spec, without);

		if (!endpoint)
			continue;
		value.slot = endpoint->spec.slot;
		if (--place < WF_NETNS_NETWORKS)
			value.networks[place] = network_of(endpoint);
	}
	return value;
}

static int program_host(struct wf_control *control, struct wf_err *err)
{
	struct wf_netns_value value = { .slot = WF_SLOT_HOST, .flags = WF_NETNS_HOST };

	if (!control->lb.host_cookie) {
		int r = wf_net_ns_cookie(-1, &control->lb.host_cookie, err);

		if (r < 0)
			return r;
	}
	return wf_dp_netns_set(control->dp, control->lb.host_cookie, &value, err);
}

int wf_ctl_netns_program(struct wf_control *control, const struct ctl_endpoint *endpoint,
			 struct wf_err *err)
{
	struct wf_netns_value value;

	if (!endpoint)
		return program_host(control, err);
	if (!endpoint->spec.slot || !endpoint->spec.netns_cookie)
		return 0;
	value = value_of(control, &endpoint->spec, NULL);
	return wf_dp_netns_set(control->dp, endpoint->spec.netns_cookie, &value, err);
}

void wf_ctl_netns_unprogram(struct wf_control *control, const struct ctl_endpoint *endpoint)
{
	struct wf_netns_value value;

	if (!endpoint->spec.slot || !endpoint->spec.netns_cookie)
		return;
	value = value_of(control, &endpoint->spec, endpoint);
	if (wf_dp_netns_set(control->dp, endpoint->spec.netns_cookie,
			    value.slot == WF_SLOT_HOST ? NULL : &value, NULL) < 0)
		wf_ctl_dirty(control, CTL_DIRTY_MAPS);
}

/* One namespace as it shall be. */
struct entry {
	uint64_t cookie;
	struct wf_netns_value value;
	bool is_there; /* the map has it already */
};

/* All namespaces at once: endpoints sorted by cookie, so that each is looked at once. */
struct census {
	const struct ctl_endpoint **items; /* owned list */
	size_t count, capacity;
	struct entry *entries; /* owned; sorted by cookie */
	size_t entry_count;
	uint64_t *stale; /* owned; entries of namespaces that nobody has any more */
	size_t stale_count, stale_capacity;
	uint64_t host_cookie;
	bool failed;
};

static void census_done(struct census *census)
{
	free(census->items);
	free(census->entries);
	free(census->stale);
}

static int compare_cookies(const void *a, const void *b)
{
	const struct ctl_endpoint *const *x = a, *const *y = b;
	uint64_t left = (*x)->spec.netns_cookie, right = (*y)->spec.netns_cookie;

	return (left > right) - (left < right);
}

static int find_cookie(const void *key, const void *item)
{
	const struct entry *entry = item;
	uint64_t left = *(const uint64_t *)key, right = entry->cookie;

	return (left > right) - (left < right);
}

/* The run of endpoints that share the namespace of items[first]; returns where it ends. */
static size_t gather(const struct census *census, size_t first, struct entry *ret_entry)
{
	const struct wf_endpoint *spec = &census->items[first]->spec;
	size_t at = first, count = 0;

	*ret_entry = (struct entry){ .cookie = spec->netns_cookie, .value.slot = spec->slot };
	for (; at < census->count && census->items[at]->spec.netns_cookie == spec->netns_cookie;
	     at++)
		if (count < WF_NETNS_NETWORKS)
			ret_entry->value.networks[count++] = network_of(census->items[at]);
	return at;
}

static int take_census(struct wf_control *control, struct census *census)
{
	struct ctl_endpoint *endpoint, *next;

	HASH_ITER(by_name, control->endpoints, endpoint, next) {
		if (!endpoint->spec.slot || !endpoint->spec.netns_cookie)
			continue;
		if (wf_mem_grow(&census->items, sizeof(struct ctl_endpoint *), census->count,
				&census->capacity) < 0)
			return -ENOMEM;
		census->items[census->count++] = endpoint;
	}
	census->entries = calloc(census->count + 1, sizeof(*census->entries));
	if (!census->entries)
		return -ENOMEM;
	if (census->count)
		qsort(census->items, census->count, sizeof(struct ctl_endpoint *), compare_cookies);
	for (size_t at = 0; at < census->count;)
		at = gather(census, at, &census->entries[census->entry_count++]);
	return 0;
}

static void see_netns(uint64_t cookie, const struct wf_netns_value *value, void *context)
{
	struct census *census = context;
	struct entry *entry = bsearch(&cookie, census->entries, census->entry_count,
				      sizeof(*census->entries), find_cookie);

	if (entry)
		entry->is_there = memcmp(value, &entry->value, sizeof(*value)) == 0;
	if (entry || cookie == census->host_cookie)
		return;
	if (wf_mem_grow(&census->stale, sizeof(*census->stale), census->stale_count,
			&census->stale_capacity) < 0) {
		census->failed = true;
		return;
	}
	census->stale[census->stale_count++] = cookie;
}

int wf_ctl_netns_program_all(struct wf_control *control, struct wf_err *err)
{
	_cleanup_(census_done) struct census census = { 0 };
	int r = program_host(control, err);

	if (r == 0 && take_census(control, &census) < 0)
		r = wf_fail(err, -ENOMEM, "out of memory listing namespaces");
	census.host_cookie = control->lb.host_cookie;
	if (r == 0)
		r = wf_dp_netns_visit(control->dp, see_netns, &census);
	for (size_t i = 0; r == 0 && i < census.entry_count; i++) {
		const struct entry *entry = &census.entries[i];

		if (!entry->is_there)
			r = wf_dp_netns_set(control->dp, entry->cookie, &entry->value, err);
	}
	for (size_t i = 0; r == 0 && i < census.stale_count; i++)
		(void)wf_dp_netns_set(control->dp, census.stale[i], NULL, NULL);
	return r == 0 && census.failed ? wf_fail(err, -ENOMEM, "out of memory listing namespaces")
				       : r;
}

void wf_ctl_sockets_attach(struct wf_control *control)
{
	struct wf_err fault = WF_ERR_INIT;
	const char *cgroup = control->config.cgroup ? control->config.cgroup : "";
	int r = *cgroup ? wf_dp_sockets_attach(control->dp, cgroup, &fault)
			: wf_dp_sockets_detach(control->dp);

	/* without them the host has routes to all services */
	control->lb.routes_changed |= control->lb.has_hooks != (r == 0 && *cgroup);
	control->lb.has_hooks = r == 0 && *cgroup;
	if (r < 0)
		wf_log_warning("services are translated packet by packet only: the socket hooks "
			       "are not in force",
			       "cgroup=%s error=\"%s\"", cgroup, fault.message);
}
