/* SPDX-License-Identifier: Apache-2.0 */
/* Encryption between nodes: devices, peers, the route that leads there, what others are told. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/control_priv.h"
#include "dp/overlay.h"
#include "net/uplink.h"

WF_LOG_MODULE(encrypt);

#define RETRY_MS    1000
#define STARTING_MS 20
#define GREET_MS    2000

/* Looks at which a device that worked may be late, as on a machine that has no time for it. */
#define LATE_LOOKS 3
#define LATE_MS    250

/* Seconds between greetings. */
#define GREET_OFTEN 5
#define GREET_ONCE  UINT16_MAX

static bool is_ip4(const struct wf_control *control)
{
	return wf_addr_is_ip4(&control->config.node_ip);
}

uint32_t wf_ctl_encrypt_bytes(const struct wf_control *control)
{
	return is_ip4(control) ? WF_WIREGUARD_BYTES_IP4 : WF_WIREGUARD_BYTES_IP6;
}

uint32_t wf_ctl_inside_mtu(const struct wf_control *control, uint32_t mtu)
{
	return (mtu - wf_ctl_encrypt_bytes(control)) / WF_WIREGUARD_PAD * WF_WIREGUARD_PAD;
}

char *wf_ctl_tunnel_name(uint32_t digit, char buf[16])
{
	(void)snprintf(buf, 16, WF_NET_WG_DEVICE "%u", digit & 1);
	return buf;
}

bool wf_ctl_encrypt_has(const struct wf_control *control, uint32_t ifindex)
{
	const struct ctl_encrypt *encrypt = &control->cluster.encrypt;

	for (size_t i = 0; i < encrypt->count; i++)
		if (ifindex && encrypt->own[i].ifindex == ifindex)
			return true;
	return false;
}

/* Nodes without anything to encrypt have no key, no device and nothing to say of it. */
static bool is_wanted(const struct wf_control *control)
{
	const struct ctl_network *network;

	if (control->config.encryption == WF_ENCRYPTION_WIREGUARD || wf_ctl_hosts_said(control))
		return true;
	for (network = control->networks; network; network = network->by_name.next)
		if (wf_ctl_is_encrypted(network))
			return true;
	return false;
}

/* ---- what others are told --------------------------------------------------------------------- */

const char *wf_ctl_encrypt_text(const struct wf_control *control, char buf[WF_NODE_TUNNELS_TEXT])
{
	const struct ctl_encrypt *encrypt = &control->cluster.encrypt;
	struct wf_node_tunnel tunnels[WF_MAX_TUNNELS];
	size_t count = is_wanted(control) ? encrypt->count : 0;

	for (size_t i = 0; i < count; i++)
		tunnels[i] = encrypt->own[i].public;
	return wf_node_tunnels_format(tunnels, count, buf);
}

void wf_ctl_encrypt_published(struct wf_control *control)
{
	(void)wf_ctl_encrypt_text(control, control->cluster.encrypt.published);
	control->cluster.encrypt.published_hosts = wf_ctl_hosts_said(control);
}

static bool is_published(const struct wf_control *control)
{
	const struct ctl_encrypt *encrypt = &control->cluster.encrypt;
	char text[WF_NODE_TUNNELS_TEXT];

	return strcmp(wf_ctl_encrypt_text(control, text), encrypt->published) == 0 &&
	       encrypt->published_hosts == wf_ctl_hosts_said(control);
}

static int publish(struct wf_control *control, struct wf_err *err)
{
	/* before it joins its document is not written for this alone */
	if (is_published(control) || !wf_ctl_can_tell(control))
		return 0;
	return wf_ctl_node_put(control, err);
}

void wf_ctl_encrypt_learn_self(struct wf_control *control, const json_t *document)
{
	const json_t *annotations =
		json_object_get(json_object_get(document, "metadata"), "annotations");

	(void)snprintf(control->cluster.encrypt.published,
		       sizeof(control->cluster.encrypt.published), "%s",
		       wf_json_str(annotations, WF_ANNOTATION_WIREGUARD, ""));
	control->cluster.encrypt.published_hosts =
		strcmp(wf_json_str(annotations, WF_ANNOTATION_ENCRYPTION_HOSTS, ""), "true") == 0;
	wf_ctl_encrypt_touch(control);
}

/* ---- others ----------------------------------------------------------------------------------- */

static bool has_key(const struct ctl_node *node, const struct wf_node_tunnel *tunnel)
{
	for (size_t i = 0; i < node->tunnel_count; i++)
		if (memcmp(node->tunnels[i].key, tunnel->key, sizeof(tunnel->key)) == 0)
			return true;
	return false;
}

static const struct ctl_node *other_with(const struct wf_control *control,
					 const struct ctl_node *node, const struct wf_node *spec)
{
	const struct ctl_node *other;

	for (other = spec->tunnel_count ? control->cluster.nodes : NULL; other;
	     other = other->by_name.next)
		for (size_t i = 0; i < spec->tunnel_count; i++)
			if (other != node && has_key(other, &spec->tunnels[i]))
				return other;
	return NULL;
}

/* What of a node is sent to and taken from, in the programs. */
static int program(struct wf_control *control, const struct ctl_node *node, struct wf_err *err)
{
	struct wf_addr addrs[WF_MAX_TUNNELS];
	size_t count = is_wanted(control) ? node->tunnel_count : 0;

	for (size_t i = 0; i < count; i++)
		addrs[i] = wf_node_tunnel_address(&node->tunnels[i]);
	return wf_dp_node_tunnels_set(control->dp, node->number, addrs, count, err);
}

int wf_ctl_encrypt_learn(struct wf_control *control, struct ctl_node *node,
			 const struct wf_node *spec, struct wf_err *err)
{
	const struct ctl_node *other = other_with(control, node, spec);
	bool is_same = node->tunnel_count == spec->tunnel_count &&
		       node->encrypts_hosts == spec->encrypts_hosts;

	if (other)
		return wf_fail(err, -EADDRINUSE, "nodes %s and %s both say that they have a key",
			       node->name, other->name);
	for (size_t i = 0; is_same && i < spec->tunnel_count; i++)
		is_same = node->tunnels[i].port == spec->tunnels[i].port &&
			  memcmp(node->tunnels[i].key, spec->tunnels[i].key,
				 sizeof(spec->tunnels[i].key)) == 0;
	if (is_same)
		return 0;
	memcpy(node->tunnels, spec->tunnels, sizeof(node->tunnels));
	node->tunnel_count = spec->tunnel_count;
	node->encrypts_hosts = spec->encrypts_hosts;
	node->met_ms = wf_clock_monotonic_ms();
	wf_ctl_encrypt_touch(control);
	/* taken before the other's first packet can come */
	return control->lb.settled ? program(control, node, err) : 0;
}

/*
 * How often a peer is greeted; 0: not, or not yet. With the next key often: who answers knows it. With the
 * one in use once, so that there is a session before anybody waits for one, and none is used that the other
 * has lost. A greeting that is not heard, and two that cross, cost five seconds: so the other gets time to
 * hear of this node first, and of two the first by name greets, and later the other one.
 */
static uint16_t greeting(const struct wf_control *control, const struct ctl_node *node,
			 size_t tunnel, bool is_next)
{
	bool is_first = strcmp(control->config.node_name, node->name) < 0;
	uint64_t wait_ms = is_first ? GREET_MS : 2 * GREET_MS;

	if (is_next)
		return tunnel == 0 || is_first ? GREET_OFTEN : 0;
	return wf_clock_monotonic_ms() - node->met_ms >= wait_ms ? GREET_ONCE : 0;
}

/*
 * All tunnels of all others, the first of each with the addresses of its node's endpoints, which are
 * written to bound; *ret_peers is the caller's. If some are to be greeted later all are listed again then.
 */
static int list_peers(struct wf_control *control, bool is_next, struct wf_addr *bound,
		      struct wf_wg_peer **ret_peers, size_t *ret_count, struct wf_err *err)
{
	size_t room = WF_MAX_TUNNELS * HASH_CNT(by_name, control->cluster.nodes) + 1, count = 0;
	struct wf_wg_peer *peers = calloc(room, sizeof(*peers));
	bool is_early = false;

	if (!peers)
		return wf_fail(err, -ENOMEM, "out of memory");
	for (const struct ctl_node *node = control->cluster.nodes; node; node = node->by_name.next)
		for (size_t i = 0; wf_ctl_is_peer(control, node) && i < node->tunnel_count; i++) {
			struct wf_wg_peer *peer = &peers[count++];

			memcpy(peer->key, node->tunnels[i].key, sizeof(peer->key));
			peer->tunnel = wf_node_tunnel_address(&node->tunnels[i]);
			peer->endpoint = node->underlay;
			peer->port = node->tunnels[i].port;
			peer->keepalive_s = greeting(control, node, i, is_next);
			is_early |= !is_next && !peer->keepalive_s;
			if (i)
				continue;
			peer->bound = bound;
			peer->bound_count = wf_ctl_bound_list(control, node, bound);
			bound += peer->bound_count;
		}
	if (is_early)
		wf_ctl_encrypt_wake(control, GREET_MS);
	*ret_peers = peers;
	*ret_count = count;
	return 0;
}

/* ---- this node's devices ---------------------------------------------------------------------- */

/* What gets outer headers first has room for them: it is fragmented outside. So have hosts' packets. */
static uint32_t device_mtu(struct wf_control *control)
{
	const uint32_t mtu = wf_ctl_default_mtu(control) + WF_VXLAN_BYTES_IP6;

	return wf_ctl_hosts_said(control) ? mtu : mtu - wf_ctl_encrypt_bytes(control);
}

static int sync_device(struct wf_control *control, struct ctl_tunnel *tunnel, bool is_next,
		       struct wf_err *err)
{
	_cleanup_free_ struct wf_wg_peer *peers = NULL;
	_cleanup_free_ struct wf_addr *bound =
		calloc(wf_ctl_bound_room(control) + 1, sizeof(*bound));
	char name[16];
	struct wf_wg_device device = {
		.name = wf_ctl_tunnel_name(tunnel->digit, name),
		.run_dir = control->config.run_dir,
		.port = tunnel->public.port,
		.mtu = device_mtu(control),
		.address = wf_node_tunnel_address(&tunnel->public),
	};
	int r = bound ? list_peers(control, is_next, bound, &peers, &device.peer_count, err)
		      : wf_fail(err, -ENOMEM, "out of memory");

	if (r < 0)
		return r;
	device.peers = peers;
	memcpy(device.key, tunnel->key, sizeof(device.key));
	r = wf_net_wg_ensure(control->net, &device, &tunnel->ifindex, err);
	explicit_bzero(device.key, sizeof(device.key));
	/* one that does not answer has what it was told before */
	if (r < 0 && r != -ETIMEDOUT)
		tunnel->ifindex = 0;
	/* marks what comes out of it: the overlay believes nothing else */
	return r < 0 ? r : wf_ctl_ingress_put(control, tunnel->ifindex, WF_DP_FROM_TUNNEL, err);
}

/* Devices of keys that are no more. */
static int sweep(struct wf_control *control, struct wf_err *err)
{
	struct ctl_encrypt *encrypt = &control->cluster.encrypt;
	int r = 0;

	for (uint32_t digit = 0; r == 0 && !encrypt->is_swept && digit < WF_MAX_TUNNELS; digit++) {
		bool is_used = false;
		char name[16];

		for (size_t i = 0; i < encrypt->count && is_wanted(control); i++)
			is_used |= encrypt->own[i].digit == digit;
		if (!is_used)
			r = wf_net_wg_remove(control->net, control->config.run_dir,
					     wf_ctl_tunnel_name(digit, name), err);
	}
	encrypt->is_swept = r == 0;
	return r;
}

static int sync_devices(struct wf_control *control, struct wf_err *err)
{
	struct ctl_encrypt *encrypt = &control->cluster.encrypt;
	struct wf_err fault = WF_ERR_INIT;
	int r = encrypt->count ? 0 : wf_ctl_keys_load(control, err);

	if (r == 0)
		r = sync_device(control, &encrypt->own[0], false, err);
	/* without the second one the key is not changed: nothing that works depends on it */
	if (r == 0 && encrypt->count > 1 &&
	    sync_device(control, &encrypt->own[1], encrypt->rotation == CTL_ROTATION_NEXT, &fault) <
		    0)
		wf_log_warning_rl("the device of the node's other key does not work",
				  "error=\"%s\"", fault.message);
	return r;
}

/* Where the way leads, and that there is one; without a device it ends. */
static int lead(struct wf_control *control, bool works, struct wf_err *err)
{
	const struct ctl_tunnel *tunnel = &control->cluster.encrypt.own[0];
	const struct wf_prefix prefix = wf_node_tunnel_prefix();
	struct wf_addr address = wf_node_tunnel_address(&tunnel->public);
	int r = wf_dp_bare_set(control->dp, works && wf_ctl_is_bare(control) ? tunnel->ifindex : 0,
			       err);

	if (r == 0 && !works)
		r = wf_dp_node_tunnels_set(control->dp, WF_NODE_SELF, NULL, 0, err);
	if (r == 0)
		r = wf_net_wg_route(control->net, &prefix, works ? tunnel->ifindex : 0, &address,
				    err);
	if (r == 0 && works)
		r = wf_dp_node_tunnels_set(control->dp, WF_NODE_SELF, &address, 1, err);
	return r;
}

static int program_all(struct wf_control *control, struct wf_err *err)
{
	struct ctl_node *node, *next;
	int r = 0;

	HASH_ITER(by_name, control->cluster.nodes, node, next)
		if (r == 0 && wf_ctl_is_peer(control, node))
			r = program(control, node, err);
	return r;
}

static int turn_off(struct wf_control *control, struct wf_err *err)
{
	const struct wf_prefix prefix = wf_node_tunnel_prefix();
	struct ctl_encrypt *encrypt = &control->cluster.encrypt;
	int r;

	if (encrypt->is_swept && !encrypt->is_on && !encrypt->count)
		return 0;
	encrypt->is_swept = false;
	r = wf_dp_bare_set(control->dp, 0, err);
	if (r == 0)
		r = wf_dp_node_tunnels_set(control->dp, WF_NODE_SELF, NULL, 0, err);
	if (r == 0)
		r = program_all(control, err);
	if (r == 0)
		r = sweep(control, err);
	if (r == 0)
		r = wf_net_wg_unroute(control->net, &prefix, err);
	if (r < 0)
		return r;
	explicit_bzero(encrypt->own, sizeof(encrypt->own));
	encrypt->count = 0;
	encrypt->rotation = CTL_ROTATION_NONE;
	return 0;
}

static int turn_on(struct wf_control *control, struct wf_err *err)
{
	struct ctl_encrypt *encrypt = &control->cluster.encrypt;
	struct wf_err fault = WF_ERR_INIT;
	int r = program_all(control, err);

	if (r == 0)
		r = sync_devices(control, err);
	/* what does not answer goes on as it was, and packets with it */
	if (r != -ETIMEDOUT && lead(control, r == 0, r == 0 ? err : &fault) < 0 && r == 0)
		r = -EIO;
	if (r == 0)
		r = wf_ctl_bound_all(control, err);
	if (r == 0)
		r = sweep(control, err);
	if (r == 0 && !encrypt->is_on) {
		char key[WF_NODE_TUNNELS_TEXT];

		wf_log_info("encryption between nodes works", "key=\"%s\"",
			    wf_node_tunnels_format(&encrypt->own[0].public, 1, key));
	}
	return r;
}

/*
 * Whether a device that worked is only late: it goes on as it was told before, and so does what is
 * said of it. Nobody waits for it until the next look.
 */
static bool is_late(struct ctl_encrypt *encrypt, int r)
{
	encrypt->late_count = r == -ETIMEDOUT ? encrypt->late_count + 1 : 0;
	return encrypt->is_on && encrypt->late_count && encrypt->late_count < LATE_LOOKS;
}

void wf_ctl_encrypt_sync(struct wf_control *control)
{
	struct ctl_encrypt *encrypt = &control->cluster.encrypt;
	struct wf_err fault = WF_ERR_INIT;
	bool wanted = is_wanted(control);
	int r;

	if (!wf_ctl_is_shared(control))
		return;
	r = wf_ctl_seals_sync(control, &fault);
	if (r == 0)
		r = wanted ? turn_on(control, &fault) : turn_off(control, &fault);
	if (wanted && is_late(encrypt, r)) {
		wf_ctl_encrypt_wake(control, LATE_MS);
		return;
	}
	encrypt->is_on = wanted && r == 0;
	if (r == 0)
		r = publish(control, &fault);
	(void)snprintf(encrypt->problem, sizeof(encrypt->problem), "%s",
		       r < 0 ? fault.message : "");
	if (r < 0) {
		if (r != -EAGAIN)
			wf_log_warning_rl("encryption between nodes does not work", "error=\"%s\"",
					  fault.message);
		wf_ctl_encrypt_wake(control, r == -EAGAIN ? STARTING_MS : RETRY_MS);
	} else if (wanted && wf_ctl_encrypt_next(control)) {
		wf_ctl_encrypt_wake(control, wf_ctl_encrypt_next(control));
	}
}

/* ---- when ------------------------------------------------------------------------------------- */

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	struct wf_control *control = context;

	(void)fd;
	(void)what;
	if (control->cluster.encrypt.is_on)
		(void)wf_ctl_encrypt_step(control);
	wf_ctl_encrypt_sync(control);
}

void wf_ctl_encrypt_wake(struct wf_control *control, uint64_t ms)
{
	struct ctl_encrypt *encrypt = &control->cluster.encrypt;

	if (!encrypt->timer)
		encrypt->timer = evtimer_new(control->loop, on_timer, control);
	if (encrypt->timer)
		wf_ctl_timer_within(encrypt->timer, ms);
}

void wf_ctl_encrypt_touch(struct wf_control *control)
{
	if (wf_ctl_is_shared(control) && control->lb.settled)
		wf_ctl_encrypt_wake(control, 0);
}

void wf_ctl_encrypt_stop(struct wf_control *control)
{
	if (control->cluster.encrypt.timer)
		event_free(control->cluster.encrypt.timer);
	explicit_bzero(&control->cluster.encrypt, sizeof(control->cluster.encrypt));
}
