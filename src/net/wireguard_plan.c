/* SPDX-License-Identifier: Apache-2.0 */
/* What has to be changed about a WireGuard device. Pure. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/wireguard_priv.h"

void wf_wg_state_done(struct wf_wg_state *state)
{
	free(state->peers);
	explicit_bzero(state, sizeof(*state));
}

static int compare(const void *a, const void *b)
{
	const struct wf_wg_peer *left = a, *right = b;

	return memcmp(left->key, right->key, sizeof(left->key));
}

void wf_wg_peers_sort(struct wf_wg_peer *peers, size_t count)
{
	if (count)
		qsort(peers, count, sizeof(*peers), compare);
}

struct wf_wg_peer *wf_wg_state_add(struct wf_wg_state *state)
{
	if (wf_mem_grow(&state->peers, sizeof(*state->peers), state->peer_count,
			&state->peer_capacity) < 0)
		return NULL;
	memset(&state->peers[state->peer_count], 0, sizeof(*state->peers));
	return &state->peers[state->peer_count++];
}

void wf_wg_plan_done(struct wf_wg_plan *plan)
{
	free(plan->changes);
	memset(plan, 0, sizeof(*plan));
}

static int add(struct wf_wg_plan *plan, const struct wf_wg_peer *peer, bool is_removal,
	       bool is_moved)
{
	if (wf_mem_grow(&plan->changes, sizeof(*plan->changes), plan->count, &plan->capacity) < 0)
		return -ENOMEM;
	plan->changes[plan->count++] = (struct wf_wg_change){ .peer = peer,
							      .is_removal = is_removal,
							      .is_moved = is_moved };
	return 0;
}

static bool same(const struct wf_wg_peer *is, const struct wf_wg_peer *shall)
{
	return wf_addr_equal(&is->tunnel, &shall->tunnel) &&
	       wf_addr_equal(&is->endpoint, &shall->endpoint) && is->port == shall->port &&
	       is->keepalive_s == shall->keepalive_s;
}

/* One walk over both, for those that go or for those that come and change. */
static int walk(const struct wf_wg_state *state, const struct wf_wg_device *device,
		struct wf_wg_plan *plan, bool removals)
{
	size_t i = 0, k = 0;
	int r = 0;

	while (r == 0 && (i < state->peer_count || k < device->peer_count)) {
		const struct wf_wg_peer *is = i < state->peer_count ? &state->peers[i] : NULL;
		const struct wf_wg_peer *shall = k < device->peer_count ? &device->peers[k] : NULL;
		int order = !is ? 1 : !shall ? -1 : compare(is, shall);

		if (order < 0 && removals)
			r = add(plan, is, true, false);
		if (!removals && (order > 0 || (order == 0 && !same(is, shall))))
			r = add(plan, shall, false,
				order > 0 || !wf_addr_equal(&is->tunnel, &shall->tunnel));
		i += order <= 0;
		k += order >= 0;
	}
	return r;
}

int wf_wg_plan(const struct wf_wg_state *state, const struct wf_wg_device *device,
	       struct wf_wg_plan *ret_plan)
{
	struct wf_wg_plan plan = { .key = NULL };
	int r;

	if (memcmp(state->key, device->key, sizeof(state->key)) != 0)
		plan.key = device->key;
	if (state->port != device->port)
		plan.port = device->port;
	r = walk(state, device, &plan, true);
	if (r == 0)
		r = walk(state, device, &plan, false);
	if (r < 0)
		wf_wg_plan_done(&plan);
	else
		*ret_plan = plan;
	return r;
}
