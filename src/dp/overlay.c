/* SPDX-License-Identifier: Apache-2.0 */
#include "dp/overlay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/addr.h"
#include "dp/dp_priv.h"

int wf_dp_overlay_set(struct wf_dp *dp, uint32_t ifindex, const struct wf_addr *underlay,
		      uint16_t port, struct wf_err *err)
{
	const struct wf_node_value value = { .ifindex = ifindex,
					     .underlay = *underlay,
					     .port = htons(port) };
	const uint32_t number = WF_NODE_SELF;

	return wf_dp_entry_put(dp, WF_DP_MAP_NODES, &number, &value, err);
}

static int node_get(struct wf_dp *dp, uint32_t number, struct wf_addr *ret_underlay)
{
	struct wf_node_value value = {};

	if (bpf_map_lookup_elem(dp->map_fds[WF_DP_MAP_NODES], &number, &value) < 0)
		return -errno;
	*ret_underlay = value.underlay;
	return 0;
}

int wf_dp_member_get(struct wf_dp *dp, const struct wf_addr *underlay, uint32_t *ret_number)
{
	return bpf_map_lookup_elem(dp->map_fds[WF_DP_MAP_MEMBERS], underlay, ret_number) < 0
		       ? -errno
		       : 0;
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
	static const struct wf_node_value none;
	const struct wf_node_value *now = value ? value : &none;
	struct wf_addr before = none.underlay;
	int r;

	if (number == WF_NODE_SELF || number >= WF_MAX_NODES)
		return wf_fail(err, -ENOSPC, "more than %d nodes", WF_MAX_NODES - 1);
	r = node_get(dp, number, &before);
	if (r == 0 && !wf_addr_equal(&before, &now->underlay))
		r = drop_member(dp, number, &before);
	if (r < 0)
		return wf_fail(err, r, "cannot change node %u: %s", number, strerror(-r));
	r = wf_dp_entry_put(dp, WF_DP_MAP_NODES, &number, now, err);
	if (r < 0 || !value)
		return r;
	return wf_dp_entry_put(dp, WF_DP_MAP_MEMBERS, &value->underlay, &number, err);
}

static struct wf_addr_key key_of(const struct wf_addr *addr)
{
	return (struct wf_addr_key){ .network = WF_NETWORK_HOST, .addr = *addr };
}

int wf_dp_remote_set(struct wf_dp *dp, const struct wf_addr *addr,
		     const struct wf_remote_value *value, struct wf_err *err)
{
	struct wf_addr_key key = key_of(addr);

	int r = wf_dp_entry_put(dp, WF_DP_MAP_REMOTES, &key, value, err);

	return r == -ENOSPC
		       ? wf_fail(err, r, "the table of other nodes' addresses is full: it holds %d",
				 WF_MAX_REMOTES)
		       : r;
}

int wf_dp_remote_clear(struct wf_dp *dp, const struct wf_addr *addr)
{
	struct wf_addr_key key = key_of(addr);

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

	to->visit(&of->addr, value, to->context);
	return 0;
}

int wf_dp_remote_visit(struct wf_dp *dp, wf_dp_remote_fn visit, void *context, struct wf_err *err)
{
	struct remote_visit to = { visit, context };
	int r = wf_dp_entry_visit(dp, WF_DP_MAP_REMOTES, visit_remote, &to);

	return r < 0 ? wf_fail(err, r, "cannot read wf_remotes: %s", strerror(-r)) : 0;
}
