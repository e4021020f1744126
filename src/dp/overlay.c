/* SPDX-License-Identifier: Apache-2.0 */
#include "dp/overlay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/addr.h"
#include "dp/dp_priv.h"

static int node_get(struct wf_dp *dp, uint32_t number, struct wf_node_value *ret_value,
		    struct wf_err *err)
{
	int r;

	if (number >= WF_MAX_NODES)
		return wf_fail(err, -ENOSPC, "more than %d nodes", WF_MAX_NODES - 1);
	r = wf_dp_entry_get(dp, WF_DP_MAP_NODES, &number, ret_value);
	return r < 0 ? wf_fail(err, r, "cannot read node %u: %s", number, strerror(-r)) : 0;
}

int wf_dp_overlay_set(struct wf_dp *dp, uint32_t ifindex, const struct wf_addr *underlay,
		      uint16_t port, unsigned int by_device, struct wf_err *err)
{
	const uint32_t number = WF_NODE_SELF;
	struct wf_node_value value = {};
	int r = node_get(dp, number, &value, err);

	value.ifindex = ifindex;
	value.underlay = *underlay;
	value.port = htons(port);
	value.path_mtu = (uint16_t)by_device;
	return r < 0 ? r : wf_dp_entry_put(dp, WF_DP_MAP_NODES, &number, &value, err);
}

int wf_dp_member_get(struct wf_dp *dp, const struct wf_addr *underlay, uint32_t *ret_number)
{
	return wf_dp_entry_get(dp, WF_DP_MAP_MEMBERS, underlay, ret_number);
}

static int drop_member(struct wf_dp *dp, uint32_t number, const struct wf_addr *underlay)
{
	uint32_t holder;

	/* another node may have taken the address over */
	if (wf_dp_member_get(dp, underlay, &holder) < 0 || holder != number)
		return 0;
	return wf_dp_entry_put(dp, WF_DP_MAP_MEMBERS, underlay, NULL, NULL);
}

int wf_dp_node_set(struct wf_dp *dp, uint32_t number, const struct wf_node_value *value,
		   struct wf_err *err)
{
	struct wf_node_value before = {}, now = {};
	int r;

	if (number == WF_NODE_SELF)
		return wf_fail(err, -EINVAL, "node %u is this one", number);
	r = value ? 0 : wf_dp_node_tunnels_set(dp, number, NULL, 0, err);
	if (r == 0)
		r = node_get(dp, number, &before, err);
	if (r < 0)
		return r;
	if (value)
		now = *value;
	memcpy(now.tunnels, before.tunnels, sizeof(now.tunnels));
	if (!wf_addr_equal(&before.underlay, &now.underlay))
		r = drop_member(dp, number, &before.underlay);
	if (r < 0)
		return wf_fail(err, r, "cannot change node %u: %s", number, strerror(-r));
	r = wf_dp_entry_put(dp, WF_DP_MAP_NODES, &number, &now, err);
	if (r < 0 || !value)
		return r;
	return wf_dp_entry_put(dp, WF_DP_MAP_MEMBERS, &value->underlay, &number, err);
}

static bool has_tunnel(const struct wf_addr *tunnels, size_t count, const struct wf_addr *addr)
{
	for (size_t i = 0; i < count; i++)
		if (wf_addr_equal(&tunnels[i], addr))
			return true;
	return false;
}

/* Frames are taken before they are sent there, and not any more after that. */
int wf_dp_node_tunnels_set(struct wf_dp *dp, uint32_t number, const struct wf_addr *tunnels,
			   size_t count, struct wf_err *err)
{
	struct wf_addr before[WF_MAX_TUNNELS];
	struct wf_node_value value = {};
	int r = node_get(dp, number, &value, err);

	if (r < 0)
		return r;
	memcpy(before, value.tunnels, sizeof(before));
	memset(value.tunnels, 0, sizeof(value.tunnels));
	for (size_t i = 0; r == 0 && i < count; i++) {
		value.tunnels[i] = tunnels[i];
		if (number != WF_NODE_SELF)
			r = wf_dp_entry_put(dp, WF_DP_MAP_MEMBERS, &tunnels[i], &number, err);
	}
	if (r == 0)
		r = wf_dp_entry_put(dp, WF_DP_MAP_NODES, &number, &value, err);
	for (size_t i = 0; r == 0 && i < WF_MAX_TUNNELS; i++)
		if (!wf_addr_is_zero(&before[i]) && !has_tunnel(tunnels, count, &before[i]))
			r = drop_member(dp, number, &before[i]);
	return r;
}

int wf_dp_bare_set(struct wf_dp *dp, uint32_t ifindex, struct wf_err *err)
{
	const uint32_t number = WF_NODE_SELF;
	struct wf_node_value value = {};
	int r = node_get(dp, number, &value, err);

	if (r < 0 || value.out_ifindex == ifindex)
		return r;
	value.out_ifindex = ifindex;
	return wf_dp_entry_put(dp, WF_DP_MAP_NODES, &number, &value, err);
}

int wf_dp_remote_get(struct wf_dp *dp, uint32_t scope, const struct wf_addr *addr,
		     struct wf_remote_value *ret_value)
{
	const struct wf_addr_key key = { .network = scope, .addr = *addr };

	return wf_dp_entry_get(dp, WF_DP_MAP_REMOTES, &key, ret_value);
}

static int fail_remote(int r, struct wf_err *err)
{
	if (r == -E2BIG || r == -ENOSPC)
		return wf_fail(err, -ENOSPC,
			       "the table of other nodes' addresses is full: it holds %d",
			       WF_MAX_REMOTES);
	return wf_fail(err, r, "cannot write to wf_remotes: %s", strerror(-r));
}

int wf_dp_remote_set(struct wf_dp *dp, uint32_t scope, const struct wf_addr *addr,
		     const struct wf_remote_value *value, struct wf_err *err)
{
	int r = wf_dp_remote_add(dp, scope, addr, value, err);

	return r < 0 ? r : wf_dp_remotes_flush(dp, err);
}

int wf_dp_remote_add(struct wf_dp *dp, uint32_t scope, const struct wf_addr *addr,
		     const struct wf_remote_value *value, struct wf_err *err)
{
	const struct wf_addr_key key = { .network = scope, .addr = *addr };
	int r;

	wf_dp_fetch_drop(&dp->fetched_remotes);
	r = wf_dp_batch_add(dp, WF_DP_MAP_REMOTES, &key, value);
	return r < 0 ? fail_remote(r, err) : 0;
}

int wf_dp_remotes_flush(struct wf_dp *dp, struct wf_err *err)
{
	int r = wf_dp_batch_flush(dp, WF_DP_MAP_REMOTES);

	return r < 0 ? fail_remote(r, err) : 0;
}

int wf_dp_remote_clear(struct wf_dp *dp, uint32_t scope, const struct wf_addr *addr)
{
	const struct wf_addr_key key = { .network = scope, .addr = *addr };

	wf_dp_fetch_drop(&dp->fetched_remotes);
	return wf_dp_entry_put(dp, WF_DP_MAP_REMOTES, &key, NULL, NULL);
}

struct remote_visit {
	wf_dp_remote_fn visit;
	void *context;
};

static int visit_remote(const void *key, const void *value, void *context)
{
	const struct wf_addr_key *of = key;
	const struct remote_visit *to = context;

	to->visit(of->network, &of->addr, value, to->context);
	return 0;
}

int wf_dp_remote_visit(struct wf_dp *dp, wf_dp_remote_fn visit, void *context, struct wf_err *err)
{
	struct remote_visit to = { visit, context };
	int r;

	if (wf_dp_fetched_remote_visit(dp, visit, context))
		return 0;
	r = wf_dp_entry_visit(dp, WF_DP_MAP_REMOTES, visit_remote, &to);
	return r < 0 ? wf_fail(err, r, "cannot read wf_remotes: %s", strerror(-r)) : 0;
}

int wf_dp_vtep_set(struct wf_dp *dp, uint32_t scope, const struct wf_prefix *prefix,
		   const struct wf_vtep_value *value, struct wf_err *err)
{
	const struct wf_vtep_key key = {
		.prefixlen = wf_dp_trie_len(prefix),
		.scope = scope,
		.addr = prefix->addr,
	};
	int r = wf_dp_entry_put(dp, WF_DP_MAP_VTEPS, &key, value, err);

	return r == -ENOSPC ? wf_fail(err, r, "the table of routes (wf_vteps) is full: it holds %d",
				      WF_MAX_VTEP_ENTRIES)
			    : r;
}

int wf_dp_vtep_visit(struct wf_dp *dp, wf_dp_vtep_fn visit, void *context, struct wf_err *err)
{
	const int fd = dp->map_fds[WF_DP_MAP_VTEPS];
	struct wf_vtep_key key, next;
	int r = bpf_map_get_next_key(fd, NULL, &next) < 0 ? -errno : 0;

	/* the next one is known before this one may go */
	while (r == 0) {
		struct wf_prefix prefix = wf_dp_trie_prefix(next.prefixlen, &next.addr);

		key = next;
		r = bpf_map_get_next_key(fd, &key, &next) < 0 ? -errno : 0;
		visit(key.scope, &prefix, context);
	}
	return r == -ENOENT ? 0 : wf_fail(err, r, "cannot read wf_vteps: %s", strerror(-r));
}

int wf_dp_seal_set(struct wf_dp *dp, const struct wf_addr *addr, const struct wf_seal_value *value,
		   struct wf_err *err)
{
	return wf_dp_entry_put(dp, WF_DP_MAP_SEALS, addr, value, err);
}

struct seal_visit {
	wf_dp_seal_fn visit;
	void *context;
};

static int visit_seal(const void *key, const void *value, void *context)
{
	const struct seal_visit *to = context;

	to->visit(key, value, to->context);
	return 0;
}

int wf_dp_seal_visit(struct wf_dp *dp, wf_dp_seal_fn visit, void *context, struct wf_err *err)
{
	struct seal_visit to = { visit, context };
	int r = wf_dp_entry_visit(dp, WF_DP_MAP_SEALS, visit_seal, &to);

	return r < 0 ? wf_fail(err, r, "cannot read wf_seals: %s", strerror(-r)) : 0;
}

int wf_dp_clear_set(struct wf_dp *dp, const uint64_t ports[WF_CLEAR_WORDS], struct wf_err *err)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < WF_CLEAR_WORDS; i++)
		r = wf_dp_entry_put(dp, WF_DP_MAP_CLEAR, &i, &ports[i], err);
	return r;
}
