/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another key for this node, without losing a packet. A WireGuard device has one key, so the next
 * key gets a device, an address and a port of its own:
 *
 *   next     The second key is published. Every other node takes packets from it and greets back;
 *            nothing is sent with it. A handshake proves that the other node knows it.
 *   former   When all that are alive have answered, the route is moved from one device to the
 *            other in one step, and the new key is published as the one to send to. The old one
 *            is still taken, until nothing has come with it for a while.
 *   none     The old device and its key are gone.
 *
 * Addresses of endpoints can be bound to one key only: from the first state on, and for as long as
 * somebody may not have heard of the new key, packets get outer headers (encrypt_bind.c).
 *
 * A node that does not answer while it can be reached with the old key ends the attempt: the old
 * key stays. The file of the keys is written before each step, so a restart goes on from there.
 */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/control_priv.h"

WF_LOG_MODULE(encrypt);

#define LOOK_MS      500
#define LEAST_MS     3000   /* in each state */
#define PATIENCE_MS  60000  /* for answers */
#define QUIET_MS     5000   /* without a packet for the former key */
#define FORMER_MS    300000 /* its end, whoever still uses it */
#define TRY_AGAIN_MS 600000
#define MAX_WAIT_MS  3600000

static bool is_due(const struct wf_control *control)
{
	const struct ctl_encrypt *encrypt = &control->cluster.encrypt;
	uint64_t age_ms = ((uint64_t)wf_clock_wall_s() - encrypt->own[0].made_s) * 1000;

	if (encrypt->is_requested)
		return true;
	return control->config.encryption_rotate_ms &&
	       age_ms >= control->config.encryption_rotate_ms &&
	       wf_clock_monotonic_ms() >= encrypt->not_before_ms;
}

uint64_t wf_ctl_encrypt_next(const struct wf_control *control)
{
	const struct ctl_encrypt *encrypt = &control->cluster.encrypt;
	uint64_t rotate_ms = control->config.encryption_rotate_ms;

	if (encrypt->rotation != CTL_ROTATION_NONE || encrypt->is_requested)
		return LOOK_MS;
	if (wf_ctl_bare_wait(control))
		return wf_ctl_bare_wait(control) + LOOK_MS;
	if (!rotate_ms)
		return 0;
	return rotate_ms < MAX_WAIT_MS ? rotate_ms / 4 + LOOK_MS : MAX_WAIT_MS;
}

static void enter(struct wf_control *control, enum ctl_rotation rotation)
{
	struct ctl_encrypt *encrypt = &control->cluster.encrypt;

	encrypt->rotation = rotation;
	encrypt->since_ms = encrypt->quiet_ms = wf_clock_monotonic_ms();
	encrypt->rx_bytes = 0;
}

/* What was decided is on disk first. */
static bool save(struct wf_control *control)
{
	struct wf_err fault = WF_ERR_INIT;

	if (wf_ctl_keys_save(control, &fault) == 0)
		return true;
	wf_log_warning_rl("the node's key cannot be changed", "error=\"%s\"", fault.message);
	return false;
}

static bool begin(struct wf_control *control)
{
	struct ctl_encrypt *encrypt = &control->cluster.encrypt;
	struct wf_err fault = WF_ERR_INIT;

	if (wf_ctl_key_make(control, !encrypt->own[0].digit, &encrypt->own[1], &fault) < 0) {
		wf_log_warning_rl("no new key for this node", "error=\"%s\"", fault.message);
		return false;
	}
	encrypt->count = 2;
	enter(control, CTL_ROTATION_NEXT);
	if (!save(control)) {
		encrypt->count = 1;
		enter(control, CTL_ROTATION_NONE);
		return false;
	}
	encrypt->is_requested = false;
	wf_log_info("the node's key is being changed", "after_s=%llu",
		    (unsigned long long)((uint64_t)wf_clock_wall_s() - encrypt->own[0].made_s));
	return true;
}

/* The second key goes, with its device. */
static bool finish(struct wf_control *control)
{
	struct ctl_encrypt *encrypt = &control->cluster.encrypt;

	encrypt->count = 1;
	if (!save(control)) {
		encrypt->count = 2;
		return false;
	}
	explicit_bzero(&encrypt->own[1], sizeof(encrypt->own[1]));
	encrypt->is_swept = false;
	enter(control, CTL_ROTATION_NONE);
	return true;
}

static bool read_device(struct wf_control *control, size_t which, struct wf_wg_state *state)
{
	char name[16];

	return wf_net_wg_read(control->net, control->config.run_dir,
			      wf_ctl_tunnel_name(control->cluster.encrypt.own[which].digit, name),
			      state, NULL) == 0;
}

static bool has_met(const struct wf_wg_state *state, const struct wf_node_tunnel *tunnel)
{
	const struct wf_wg_peer *peer = wf_ctl_tunnel_peer(state, tunnel);

	return peer && peer->handshake_s;
}

/* Another node may be changing its key as well: whichever of the two it uses, packets can go. */
static bool has_met_all(const struct wf_wg_state *state, const struct ctl_node *node)
{
	for (size_t i = 0; i < node->tunnel_count; i++)
		if (!has_met(state, &node->tunnels[i]))
			return false;
	return true;
}

/* A node that is reached with the key in use and has not answered to the next one; NULL: none. */
static const struct ctl_node *missing(const struct wf_control *control,
				      const struct wf_wg_state *now, const struct wf_wg_state *next)
{
	for (const struct ctl_node *node = control->cluster.nodes; node; node = node->by_name.next)
		if (node->is_alive && node->tunnel_count && has_met(now, &node->tunnels[0]) &&
		    !has_met_all(next, node))
			return node;
	return NULL;
}

static bool change_over(struct wf_control *control)
{
	struct ctl_encrypt *encrypt = &control->cluster.encrypt;
	struct ctl_tunnel former = encrypt->own[0];

	encrypt->own[0] = encrypt->own[1];
	encrypt->own[0].used_s = (uint64_t)wf_clock_wall_s();
	encrypt->own[1] = former;
	enter(control, CTL_ROTATION_FORMER);
	if (!save(control)) {
		encrypt->own[1] = encrypt->own[0];
		encrypt->own[0] = former;
		enter(control, CTL_ROTATION_NEXT);
	}
	explicit_bzero(&former, sizeof(former));
	return encrypt->rotation == CTL_ROTATION_FORMER;
}

static bool give_up(struct wf_control *control, const char *silent)
{
	struct ctl_encrypt *encrypt = &control->cluster.encrypt;

	wf_log_error("the node's key stays: another node does not answer to the next one",
		     "node=\"%s\" port=%u", silent, encrypt->own[1].public.port);
	encrypt->not_before_ms = wf_clock_monotonic_ms() + TRY_AGAIN_MS;
	return finish(control);
}

static bool try_next(struct wf_control *control, uint64_t waited_ms)
{
	_cleanup_(wf_wg_state_done) struct wf_wg_state now = WF_WG_STATE_INIT;
	_cleanup_(wf_wg_state_done) struct wf_wg_state next = WF_WG_STATE_INIT;
	struct ctl_encrypt *encrypt = &control->cluster.encrypt;
	const struct ctl_node *silent;

	if (waited_ms < LEAST_MS || !read_device(control, 0, &now))
		return false;
	/* nobody has answered to what is not there */
	if (!encrypt->own[1].ifindex || !read_device(control, 1, &next))
		return waited_ms >= PATIENCE_MS && give_up(control, "(none: no device)");
	silent = missing(control, &now, &next);
	if (!silent)
		return change_over(control);
	if (waited_ms < PATIENCE_MS)
		return false;
	return give_up(control, silent->name);
}

static bool try_end(struct wf_control *control, uint64_t waited_ms)
{
	_cleanup_(wf_wg_state_done) struct wf_wg_state former = WF_WG_STATE_INIT;
	struct ctl_encrypt *encrypt = &control->cluster.encrypt;
	char text[WF_NODE_TUNNELS_TEXT];
	uint64_t now_ms = wf_clock_monotonic_ms(), rx_bytes = 0;

	/* others still send to it while they have not been told */
	if (strcmp(wf_ctl_encrypt_text(control, text), encrypt->published) != 0) {
		encrypt->since_ms = now_ms;
		return false;
	}
	if (!read_device(control, 1, &former))
		return waited_ms >= LEAST_MS && finish(control);
	for (size_t i = 0; i < former.peer_count; i++)
		rx_bytes += former.peers[i].rx_bytes;
	if (rx_bytes != encrypt->rx_bytes)
		encrypt->quiet_ms = now_ms;
	encrypt->rx_bytes = rx_bytes;
	if (waited_ms < FORMER_MS && now_ms - encrypt->quiet_ms < QUIET_MS)
		return false;
	wf_log_info("the node's key is changed", "taken_ms=%llu", (unsigned long long)waited_ms);
	return finish(control);
}

bool wf_ctl_encrypt_step(struct wf_control *control)
{
	const struct ctl_encrypt *encrypt = &control->cluster.encrypt;
	uint64_t waited_ms = wf_clock_monotonic_ms() - encrypt->since_ms;

	switch (encrypt->rotation) {
	case CTL_ROTATION_NEXT: return try_next(control, waited_ms);
	case CTL_ROTATION_FORMER: return try_end(control, waited_ms);
	default: return is_due(control) && begin(control);
	}
}

int wf_control_node_rotate_key(struct wf_control *control, json_t **ret_answer, struct wf_err *err)
{
	struct ctl_encrypt *encrypt = &control->cluster.encrypt;

	if (!encrypt->is_on)
		return wf_fail(err, -ENODEV, "this node has no encrypted network%s%s",
			       *encrypt->problem ? ": " : "", encrypt->problem);
	if (encrypt->rotation != CTL_ROTATION_NONE)
		return wf_fail(err, -EBUSY, "the key is being changed already");
	encrypt->is_requested = true;
	wf_ctl_encrypt_touch(control);
	*ret_answer = json_pack("{s:s}", "node", control->config.node_name);
	return *ret_answer ? 0 : wf_fail(err, -ENOMEM, "out of memory");
}
