/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon reads from and writes to the pinned maps. */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "dp/dp_priv.h"

int wf_dp_entry_put(struct wf_dp *dp, enum wf_dp_map map, const void *key, const void *value,
		    struct wf_err *err)
{
	const struct wf_dp_map_spec *spec = &wf_dp_map_specs[map];
	int r = value ? bpf_map_update_elem(dp->map_fds[map], key, value, BPF_ANY)
		      : bpf_map_delete_elem(dp->map_fds[map], key);

	if (r == 0 || (!value && errno == ENOENT))
		return 0;
	if (errno == E2BIG)
		return wf_fail(err, -ENOSPC, "%s is full: it holds at most %u", spec->name,
			       spec->max_entries);
	return wf_fail(err, -errno, "cannot write to %s: %s", spec->name, strerror(errno));
}

/* Bits of a trie's key in front of the address, and of a mapped IPv4 address in front of its own. */
#define WORD_BITS   32
#define MAPPED_BITS 96

uint32_t wf_dp_trie_len(const struct wf_prefix *prefix)
{
	return WORD_BITS + (wf_addr_is_ip4(&prefix->addr) ? MAPPED_BITS : 0U) + prefix->len;
}

struct wf_prefix wf_dp_trie_prefix(uint32_t prefixlen, const struct wf_addr *addr)
{
	struct wf_prefix prefix = { .addr = *addr, .len = (uint8_t)(prefixlen - WORD_BITS) };

	if (wf_addr_is_ip4(&prefix.addr) && prefix.len >= MAPPED_BITS)
		prefix.len = (uint8_t)(prefix.len - MAPPED_BITS);
	return prefix;
}

int wf_dp_entry_get(const struct wf_dp *dp, enum wf_dp_map map, const void *key, void *ret_value)
{
	return bpf_map_lookup_elem(dp->map_fds[map], key, ret_value) < 0 ? -errno : 0;
}

/* Whether the programs can meet both values while one is copied over the other. */
static bool is_one_write(const struct wf_ep_value *before, const struct wf_ep_value *after)
{
	struct wf_ep_value merged = *after;

	merged.flags = before->flags;
	merged.class_id = before->class_id;
	return memcmp(&merged, before, sizeof(merged)) == 0;
}

int wf_dp_endpoint_set(struct wf_dp *dp, uint32_t slot, const struct wf_ep_value *value,
		       struct wf_err *err)
{
	struct wf_ep_value current = {}, fenced = *value, final = *value;
	int r = wf_dp_entry_get(dp, WF_DP_MAP_ENDPOINTS, &slot, &current);
	uint32_t guard = current.flags & WF_EP_GUARDED;

	if (r < 0)
		return wf_fail(err, r, "cannot read slot %u: %s", slot, strerror(-r));
	final.flags = (value->flags & ~(uint32_t)WF_EP_GUARDED) | guard;
	/* the kernel copies a value word by word: only flags and class may change under traffic */
	if (is_one_write(&current, &final))
		return wf_dp_entry_put(dp, WF_DP_MAP_ENDPOINTS, &slot, &final, err);
	if (current.flags & WF_EP_READY) {
		current.flags = guard;
		r = wf_dp_entry_put(dp, WF_DP_MAP_ENDPOINTS, &slot, &current, err);
	}
	fenced.flags = guard;
	if (r == 0)
		r = wf_dp_entry_put(dp, WF_DP_MAP_ENDPOINTS, &slot, &fenced, err);
	return r < 0 ? r : wf_dp_entry_put(dp, WF_DP_MAP_ENDPOINTS, &slot, &final, err);
}

int wf_dp_endpoint_clear(struct wf_dp *dp, uint32_t slot, struct wf_err *err)
{
	struct wf_ep_value value = {};
	int r = wf_dp_entry_get(dp, WF_DP_MAP_ENDPOINTS, &slot, &value);
	uint32_t guard;

	if (r < 0)
		return wf_fail(err, r, "cannot read slot %u: %s", slot, strerror(-r));
	guard = value.flags & WF_EP_GUARDED;
	value.flags = guard;
	r = wf_dp_entry_put(dp, WF_DP_MAP_ENDPOINTS, &slot, &value, err);
	memset(&value, 0, sizeof(value));
	value.flags = guard;
	return r < 0 ? r : wf_dp_entry_put(dp, WF_DP_MAP_ENDPOINTS, &slot, &value, err);
}

int wf_dp_endpoint_get(struct wf_dp *dp, uint32_t slot, struct wf_ep_value *ret_value)
{
	int r = wf_dp_entry_get(dp, WF_DP_MAP_ENDPOINTS, &slot, ret_value);

	if (r == 0)
		ret_value->flags &= ~(uint32_t)WF_EP_GUARDED;
	return r;
}

/* A run of an array map by one system call. */
static int read_run(const struct wf_dp *dp, enum wf_dp_map map, uint32_t first, uint32_t count,
		    void *ret_values)
{
	_cleanup_free_ uint32_t *keys = calloc(count, sizeof(*keys));
	uint32_t before = first - 1, next, got = count;

	if (!keys)
		return -ENOMEM;
	if (bpf_map_lookup_batch(dp->map_fds[map], first ? &before : NULL, &next, keys, ret_values,
				 &got, NULL) < 0 &&
	    errno != ENOENT)
		return -errno;
	return got == count ? 0 : -ERANGE;
}

int wf_dp_endpoint_read(struct wf_dp *dp, uint32_t first, uint32_t count,
			struct wf_ep_value *ret_values)
{
	int r = read_run(dp, WF_DP_MAP_ENDPOINTS, first, count, ret_values);

	for (uint32_t i = 0; r == 0 && i < count; i++)
		ret_values[i].flags &= ~(uint32_t)WF_EP_GUARDED;
	return r;
}

int wf_dp_network_read(struct wf_dp *dp, uint32_t first, uint32_t count,
		       struct wf_net_value *ret_values)
{
	return read_run(dp, WF_DP_MAP_NETWORKS, first, count, ret_values);
}

int wf_dp_address_set(struct wf_dp *dp, uint32_t network, const struct wf_addr *addr,
		      const struct wf_addr_value *value, struct wf_err *err)
{
	struct wf_addr_key key = { .network = network, .addr = *addr };
	int r = wf_dp_entry_put(dp, WF_DP_MAP_ADDRESSES, &key, value, err);

	if (r == -ENOSPC)
		return wf_fail(
			err, -ENOSPC,
			"the address table is full: it holds at most %u addresses; more "
			"with a greater --max-services",
			wf_dp_map_entries(&wf_dp_map_specs[WF_DP_MAP_ADDRESSES], &dp->sizes));
	return r;
}

int wf_dp_address_clear(struct wf_dp *dp, uint32_t network, const struct wf_addr *addr)
{
	struct wf_addr_key key = { .network = network, .addr = *addr };

	return wf_dp_entry_put(dp, WF_DP_MAP_ADDRESSES, &key, NULL, NULL);
}

int wf_dp_address_get(struct wf_dp *dp, uint32_t network, const struct wf_addr *addr,
		      struct wf_addr_value *ret_value)
{
	struct wf_addr_key key = { .network = network, .addr = *addr };

	return wf_dp_entry_get(dp, WF_DP_MAP_ADDRESSES, &key, ret_value);
}

struct address_visit {
	wf_dp_address_fn visit;
	void *context;
};

static int visit_address(const void *key, const void *value, void *context)
{
	const struct address_visit *to = context;

	to->visit(key, value, to->context);
	return 0;
}

int wf_dp_address_visit(struct wf_dp *dp, wf_dp_address_fn visit, void *context, struct wf_err *err)
{
	struct address_visit to = { visit, context };
	int r = wf_dp_entry_visit(dp, WF_DP_MAP_ADDRESSES, visit_address, &to);

	return r < 0 ? wf_fail(err, r, "cannot read the address table: %s", strerror(-r)) : 0;
}

int wf_dp_network_set(struct wf_dp *dp, uint32_t number, const struct wf_net_value *value,
		      struct wf_err *err)
{
	static const struct wf_net_value none;

	return wf_dp_entry_put(dp, WF_DP_MAP_NETWORKS, &number, value ? value : &none, err);
}

int wf_dp_network_get(struct wf_dp *dp, uint32_t number, struct wf_net_value *ret_value)
{
	return wf_dp_entry_get(dp, WF_DP_MAP_NETWORKS, &number, ret_value);
}

int wf_dp_config_set(struct wf_dp *dp, const struct wf_config_value *value, struct wf_err *err)
{
	struct wf_config_value config = *value;
	uint32_t zero = 0;
	int r;

	/* which is what others wrote last */
	config.ranges = dp->config.ranges;
	config.revision = dp->config.revision;
	config.trace = dp->config.trace;
	r = wf_dp_entry_put(dp, WF_DP_MAP_CONFIG, &zero, &config, err);
	if (r < 0)
		return r;
	dp->config = config;
	dp->observing = value->observe != 0;
	wf_dp_event_release(dp);
	return 0;
}

uint32_t wf_dp_config_flags(const struct wf_dp *dp)
{
	return dp->config.flags;
}

static void add_counter(struct wf_counter *sum, const struct wf_counter *counter)
{
	sum->packets += counter->packets;
	sum->bytes += counter->bytes;
}

int wf_dp_drops_read(struct wf_dp *dp, struct wf_counter *ret_drops)
{
	const struct wf_counter *counters = dp->percpu;
	struct wf_counter sums[WF_REASON_COUNT] = {};

	for (uint32_t reason = 0; reason < WF_REASON_COUNT; reason++) {
		int r = wf_dp_entry_get(dp, WF_DP_MAP_DROPS, &reason, dp->percpu);

		if (r < 0)
			return r;
		for (int cpu = 0; cpu < dp->cpu_count; cpu++)
			add_counter(&sums[reason], &counters[cpu]);
	}
	memcpy(ret_drops, sums, sizeof(sums));
	return 0;
}

int wf_dp_traffic_read(struct wf_dp *dp, uint32_t slot, struct wf_traffic_value *ret_traffic)
{
	const struct wf_traffic_value *values = dp->percpu;
	struct wf_traffic_value sum = {};
	int r = wf_dp_entry_get(dp, WF_DP_MAP_TRAFFIC, &slot, dp->percpu);

	if (r < 0)
		return r;
	for (int cpu = 0; cpu < dp->cpu_count; cpu++) {
		add_counter(&sum.sent, &values[cpu].sent);
		add_counter(&sum.received, &values[cpu].received);
		add_counter(&sum.dropped, &values[cpu].dropped);
	}
	*ret_traffic = sum;
	return 0;
}

int wf_dp_traffic_clear(struct wf_dp *dp, uint32_t slot)
{
	memset(dp->percpu, 0, (size_t)dp->cpu_count * sizeof(struct wf_traffic_value));
	if (bpf_map_update_elem(dp->map_fds[WF_DP_MAP_TRAFFIC], &slot, dp->percpu, BPF_ANY) < 0)
		return -errno;
	return 0;
}
