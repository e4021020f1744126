/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon writes to and reads from the tables of services, namespaces and uplinks. */
#include "dp/lb.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "dp/dp_priv.h"

void wf_dp_lb_memory(struct wf_dp *dp, struct wf_dp_lb_memory *ret_memory)
{
	struct wf_dp_lb_memory memory = {};

	memory.pages = wf_dp_memory_reserve(dp, WF_DP_MAP_PICKS);
	memory.backends = wf_dp_memory_reserve(dp, WF_DP_MAP_BACKENDS);
	memory.services = wf_dp_memory_reserve(dp, WF_DP_MAP_SERVICES);
	if (memory.pages && memory.backends && memory.services) {
		memory.page_count =
			wf_dp_map_entries(&wf_dp_map_specs[WF_DP_MAP_PICKS], &dp->sizes);
		memory.backend_count =
			wf_dp_map_entries(&wf_dp_map_specs[WF_DP_MAP_BACKENDS], &dp->sizes);
		memory.service_count =
			wf_dp_map_entries(&wf_dp_map_specs[WF_DP_MAP_SERVICES], &dp->sizes);
	}
	*ret_memory = memory;
}

static const enum wf_dp_map array_maps[WF_DP_LB_ARRAYS] = {
	[WF_DP_LB_PAGES] = WF_DP_MAP_PICKS,
	[WF_DP_LB_BACKENDS] = WF_DP_MAP_BACKENDS,
	[WF_DP_LB_SERVICES] = WF_DP_MAP_SERVICES,
};

int wf_dp_lb_reach(struct wf_dp *dp, enum wf_dp_lb_array array, uint32_t count)
{
	return wf_dp_memory_reach(dp, array_maps[array], count);
}

void wf_dp_lb_trim(struct wf_dp *dp, enum wf_dp_lb_array array, uint32_t count)
{
	wf_dp_memory_trim(dp, array_maps[array], count);
}

static int frontend_failed(const struct wf_dp *dp, int r, struct wf_err *err)
{
	if (r == -E2BIG)
		return wf_fail(
			err, -ENOSPC,
			"the frontend table is full: it holds at most %u (--max-services)",
			wf_dp_map_entries(&wf_dp_map_specs[WF_DP_MAP_FRONTENDS], &dp->sizes));
	return wf_fail(err, r, "cannot write to wf_frontends: %s", strerror(-r));
}

/* One by one, for kernels that refuse the batch; says which entry failed by where it stopped. */
static int write_frontends(int fd, const struct wf_frontend_key *keys,
			   const struct wf_frontend_value *values, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int r = values ? bpf_map_update_elem(fd, &keys[i], &values[i], BPF_ANY)
			       : bpf_map_delete_elem(fd, &keys[i]);

		if (r < 0 && (values || errno != ENOENT))
			return -errno;
	}
	return 0;
}

static int update_frontends(int fd, const struct wf_frontend_key *keys,
			    const struct wf_frontend_value *values, size_t count)
{
	uint32_t done = (uint32_t)count;

	if (bpf_map_update_batch(fd, keys, values, &done, NULL) == 0)
		return 0;
	return errno == E2BIG ? -E2BIG : write_frontends(fd, keys, values, count);
}

/* A batch stops at a key that is not there, having counted those before it. */
static int delete_frontends(int fd, const struct wf_frontend_key *keys, size_t count)
{
	while (count) {
		uint32_t done = (uint32_t)count;

		if (bpf_map_delete_batch(fd, keys, &done, NULL) == 0)
			return 0;
		if (errno != ENOENT || done >= count)
			return write_frontends(fd, keys, NULL, count);
		keys += done + 1;
		count -= done + 1;
	}
	return 0;
}

int wf_dp_frontends_set(struct wf_dp *dp, const struct wf_frontend_key *keys,
			const struct wf_frontend_value *values, size_t count, struct wf_err *err)
{
	int fd = dp->map_fds[WF_DP_MAP_FRONTENDS], r = 0;

	/* the usual change has one entry, for which a batch costs more than it saves */
	if (count == 1)
		r = write_frontends(fd, keys, values, count);
	else if (count)
		r = values ? update_frontends(fd, keys, values, count)
			   : delete_frontends(fd, keys, count);
	return r < 0 ? frontend_failed(dp, r, err) : 0;
}

struct frontend_visit {
	wf_dp_frontend_fn visit;
	void *context;
};

static int visit_frontend(const void *key, const void *value, void *context)
{
	const struct frontend_visit *to = context;

	return to->visit(key, value, to->context);
}

int wf_dp_frontend_visit(struct wf_dp *dp, wf_dp_frontend_fn visit, void *context,
			 struct wf_err *err)
{
	struct frontend_visit to = { visit, context };
	int r = wf_dp_entry_visit(dp, WF_DP_MAP_FRONTENDS, visit_frontend, &to);

	return r < 0 ? wf_fail(err, r, "cannot read wf_frontends: %s", strerror(-r)) : 0;
}

int wf_dp_source_set(struct wf_dp *dp, uint32_t service, const struct wf_prefix *prefix,
		     bool present, struct wf_err *err)
{
	int fd = dp->map_fds[WF_DP_MAP_SOURCE_RANGES];
	struct wf_prefix network = wf_prefix_network(prefix);
	struct wf_source_key key = { .prefixlen = wf_dp_trie_len(&network),
				     .service = htobe32(service),
				     .addr = network.addr };
	uint32_t admitted = 1;

	if (!present && (bpf_map_delete_elem(fd, &key) == 0 || errno == ENOENT))
		return 0;
	if (present && bpf_map_update_elem(fd, &key, &admitted, BPF_ANY) == 0)
		return 0;
	if (errno == ENOSPC)
		return wf_fail(err, -ENOSPC,
			       "the table of source ranges is full: a node holds at most %d",
			       WF_MAX_SOURCE_RANGES);
	return wf_fail(err, -errno, "cannot write to wf_source_ranges: %s", strerror(errno));
}

int wf_dp_source_visit(struct wf_dp *dp, wf_dp_source_fn visit, void *context, struct wf_err *err)
{
	int fd = dp->map_fds[WF_DP_MAP_SOURCE_RANGES], r = 0;
	struct wf_source_key key, *before = NULL;

	while (r >= 0 && bpf_map_get_next_key(fd, before, &key) == 0) {
		struct wf_prefix prefix = wf_dp_trie_prefix(key.prefixlen, &key.addr);

		r = visit(be32toh(key.service), &prefix, context);
		before = &key;
	}
	return r < 0 ? wf_fail(err, r, "cannot read wf_source_ranges: %s", strerror(-r)) : 0;
}

int wf_dp_netns_set(struct wf_dp *dp, uint64_t cookie, const struct wf_netns_value *value,
		    struct wf_err *err)
{
	return wf_dp_entry_put(dp, WF_DP_MAP_NETNS, &cookie, value, err);
}

struct netns_visit {
	wf_dp_netns_fn visit;
	void *context;
};

static int visit_netns(const void *key, const void *value, void *context)
{
	const struct netns_visit *to = context;
	uint64_t cookie;

	memcpy(&cookie, key, sizeof(cookie));
	to->visit(cookie, value, to->context);
	return 0;
}

int wf_dp_netns_visit(struct wf_dp *dp, wf_dp_netns_fn visit, void *context)
{
	struct netns_visit to = { visit, context };

	return wf_dp_entry_visit(dp, WF_DP_MAP_NETNS, visit_netns, &to);
}

int wf_dp_uplink_set(struct wf_dp *dp, uint32_t ifindex, const struct wf_uplink_value *value,
		     struct wf_err *err)
{
	return wf_dp_entry_put(dp, WF_DP_MAP_UPLINKS, &ifindex, value, err);
}

struct uplink_visit {
	wf_dp_uplink_fn visit;
	void *context;
};

static int visit_uplink(const void *key, const void *value, void *context)
{
	const struct uplink_visit *to = context;
	uint32_t ifindex;

	memcpy(&ifindex, key, sizeof(ifindex));
	to->visit(ifindex, value, to->context);
	return 0;
}

int wf_dp_uplink_visit(struct wf_dp *dp, wf_dp_uplink_fn visit, void *context)
{
	struct uplink_visit to = { visit, context };

	return wf_dp_entry_visit(dp, WF_DP_MAP_UPLINKS, visit_uplink, &to);
}
