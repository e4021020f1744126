/* SPDX-License-Identifier: Apache-2.0 */
/* What people and Prometheus see of encryption between nodes. */
#include <string.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "control/control_priv.h"

/* A session lives for three minutes after its handshake. */
#define SESSION_S 180

static json_t *tunnel_json(const char *state, const struct wf_node_tunnel *tunnel)
{
	_cleanup_str_ struct wf_str key = WF_STR_INIT;
	struct wf_addr addr = wf_node_tunnel_address(tunnel);
	char text[WF_ADDR_TEXT];

	wf_base64_add(&key, tunnel->key, sizeof(tunnel->key));
	return json_pack("{s:s, s:s, s:s, s:i}", "state", state, "publicKey", wf_str_text(&key),
			 "address", wf_addr_format(&addr, text), "port", (int)tunnel->port);
}

static json_t *self_json(const struct ctl_encrypt *encrypt)
{
	const char *state = encrypt->rotation == CTL_ROTATION_NONE ? "on" : "changing key";
	json_t *value;

	if (!encrypt->is_on)
		return *encrypt->problem ? json_pack("{s:s, s:s}", "state", "failed", "problem",
						     encrypt->problem)
					 : json_pack("{s:s}", "state", "off");
	value = tunnel_json(state, &encrypt->own[0].public);
	(void)json_object_set_new(
		value, "keySeconds",
		json_integer((json_int_t)((uint64_t)wf_clock_wall_s() - encrypt->own[0].made_s)));
	return value;
}

const struct wf_wg_peer *wf_ctl_tunnel_peer(const struct wf_wg_state *state,
					    const struct wf_node_tunnel *tunnel)
{
	for (size_t i = 0; i < state->peer_count; i++)
		if (memcmp(state->peers[i].key, tunnel->key, sizeof(tunnel->key)) == 0)
			return &state->peers[i];
	return NULL;
}

static json_t *peer_json(const struct ctl_node *node, const struct wf_wg_state *state)
{
	const struct wf_wg_peer *peer;
	uint64_t age_s;
	json_t *value;

	if (!node->tunnel_count)
		return json_pack("{s:s}", "state", "off");
	peer = wf_ctl_tunnel_peer(state, &node->tunnels[0]);
	if (!peer || !peer->handshake_s)
		return tunnel_json("idle", &node->tunnels[0]);
	age_s = (uint64_t)wf_clock_wall_s() - peer->handshake_s;
	value = tunnel_json(age_s < SESSION_S ? "on" : "idle", &node->tunnels[0]);
	(void)json_object_set_new(value, "handshakeSeconds", json_integer((json_int_t)age_s));
	(void)json_object_set_new(value, "rxBytes", json_integer((json_int_t)peer->rx_bytes));
	(void)json_object_set_new(value, "txBytes", json_integer((json_int_t)peer->tx_bytes));
	return value;
}

void wf_ctl_encrypt_view(struct wf_control *control, json_t *items)
{
	_cleanup_(wf_wg_state_done) struct wf_wg_state state = WF_WG_STATE_INIT;
	const struct ctl_encrypt *encrypt = &control->cluster.encrypt;
	char name[16];
	json_t *item;
	size_t i;

	if (encrypt->count)
		(void)wf_net_wg_read(control->net, control->config.run_dir,
				     wf_ctl_tunnel_name(encrypt->own[0].digit, name), &state, NULL);
	json_array_foreach(items, i, item) {
		const struct ctl_node *node =
			wf_ctl_node_find(control, wf_json_str(item, "name", ""));

		json_t *value = node ? peer_json(node, &state) : self_json(encrypt);
		bool hosts = node ? wf_ctl_is_sealed(control, node) : wf_ctl_hosts_said(control);

		(void)json_object_set_new(value, "hosts", json_boolean(hosts));
		(void)json_object_set_new(item, "encryption", value);
	}
}

void wf_ctl_encrypt_metrics(struct wf_control *control, struct wf_str *out)
{
	wf_ctl_metric(
		out, "weft_encryption_up", "gauge",
		"Whether WireGuard between nodes works here; 0 also where no network needs it.",
		control->cluster.encrypt.is_on);
}
