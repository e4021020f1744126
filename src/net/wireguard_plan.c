/* SPDX-License-Identifier: Apache-2.0 */
/* What has to be changed about a WireGuard device. Pure. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/index.h"
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

/* No point of the curve that anybody has the private key of. */
const uint8_t wf_wg_nobody[WF_WG_KEY_BYTES] = { 'w', 'e', 'f', 't', ':', ' ',
						'n', 'o', 'b', 'o', 'd', 'y' };

void wf_wg_bound_add(struct wf_wg_peer *peer, const struct wf_addr *addr)
{
	peer->bound_count++;
	peer->bound_sum += wf_hash_addr(0, addr);
}

static int add(struct wf_wg_plan *plan, const struct wf_wg_change *change)
{
	if (wf_mem_grow(&plan->changes, sizeof(*plan->changes), plan->count, &plan->capacity) < 0)
		return -ENOMEM;
	plan->changes[plan->count++] = *change;
	return 0;
}

static bool same(const struct wf_wg_peer *is, const struct wf_wg_peer *shall)
{
	return wf_addr_equal(&is->endpoint, &shall->endpoint) && is->port == shall->port &&
	       is->keepalive_s == shall->keepalive_s;
}

static bool same_bound(const struct wf_wg_peer *is, const struct wf_wg_peer *shall)
{
	struct wf_wg_peer sum = { .port = 0 };

	if (is->bound_count != shall->bound_count)
		return false;
	for (size_t i = 0; i < shall->bound_count; i++)
		wf_wg_bound_add(&sum, &shall->bound[i]);
	return is->bound_sum == sum.bound_sum;
}

struct walk {
	struct wf_wg_plan *plan;
	bool removals, gentle, rest;
};

/* A peer that the device has, NULL if it is new. */
static int change(struct walk *walk, const struct wf_wg_peer *is, const struct wf_wg_peer *shall)
{
	struct wf_wg_change now = { .peer = shall };

	if (!is || !wf_addr_equal(&is->tunnel, &shall->tunnel)) {
		now.is_moved = true;
		return add(walk->plan, &now);
	}
	if (!same_bound(is, shall)) {
		walk->rest |= walk->gentle;
		now.is_moved = !walk->gentle;
		now.is_more = walk->gentle && shall->bound_count;
	}
	if (!now.is_moved && !now.is_more && same(is, shall))
		return 0;
	return add(walk->plan, &now);
}

/* One walk over both, for those that go or for those that come and change. */
static int walk_both(const struct wf_wg_state *state, const struct wf_wg_device *device,
		     struct walk *walk)
{
	size_t i = 0, k = 0;
	int r = 0;

	while (r == 0 && (i < state->peer_count || k < device->peer_count)) {
		const struct wf_wg_peer *is = i < state->peer_count ? &state->peers[i] : NULL;
		const struct wf_wg_peer *shall = k < device->peer_count ? &device->peers[k] : NULL;
		int order = !is ? 1 : !shall ? -1 : compare(is, shall);

		if (order < 0 && walk->removals)
			r = add(walk->plan,
				&(struct wf_wg_change){ .peer = is, .is_removal = true });
		if (order >= 0 && !walk->removals)
			r = change(walk, order ? NULL : is, shall);
		i += order <= 0;
		k += order >= 0;
	}
	return r;
}

int wf_wg_plan(const struct wf_wg_state *state, const struct wf_wg_device *device, bool gentle,
	       struct wf_wg_plan *ret_plan, bool *ret_rest)
{
	struct wf_wg_plan plan = { .key = NULL };
	struct walk walk = { .plan = &plan, .removals = true, .gentle = gentle };
	int r;

	if (memcmp(state->key, device->key, sizeof(state->key)) != 0)
		plan.key = device->key;
	if (state->port != device->port)
		plan.port = device->port;
	r = walk_both(state, device, &walk);
	walk.removals = false;
	if (r == 0)
		r = walk_both(state, device, &walk);
	if (r < 0) {
		wf_wg_plan_done(&plan);
		return r;
	}
	*ret_plan = plan;
	*ret_rest = walk.rest;
	return 0;
}
