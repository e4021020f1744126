/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses of other nodes' endpoints in encrypted networks, bound to the key of their node: what
 * comes from them is taken by WireGuard only with that key, and what is sent to them is encrypted
 * for it. So their packets need no outer headers. An address is told to the devices first and to the
 * datapath then (WF_REMOTE_BOUND), which until then sends with outer headers and takes nothing else.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/control_priv.h"

WF_LOG_MODULE(encrypt);

/* As long as others have to hear of another key (encrypt_rotate.c). */
#define NEWS_S 300

uint64_t wf_ctl_bare_wait(const struct wf_control *control)
{
	const struct ctl_encrypt *encrypt = &control->cluster.encrypt;
	uint64_t now_s = (uint64_t)wf_clock_wall_s(), used_s = encrypt->own[0].used_s;
	uint64_t age_s = now_s > used_s ? now_s - used_s : 0;

	/* what is on its way as it is has to be there before others move the addresses to a new key */
	if (encrypt->rotation != CTL_ROTATION_NONE)
		return NEWS_S * 1000ULL;
	return !used_s || age_s >= NEWS_S ? 0 : (NEWS_S - age_s) * 1000ULL;
}

bool wf_ctl_is_bare(const struct wf_control *control)
{
	return wf_ctl_bare_wait(control) == 0;
}

static bool is_wanted(struct wf_control *control, const struct ctl_remote *remote)
{
	const struct ctl_network *network = wf_ctl_network_find(control, remote->crowd->network);

	/* an allowed IP is of one node; where others may have the address it says nothing */
	return network && wf_ctl_is_encrypted(network) && remote->scope == WF_NETWORK_HOST &&
	       remote->node->tunnel_count && wf_ctl_is_peer(control, remote->node);
}

/* Its addresses, but for those that another one has by now. */
static size_t list(struct wf_control *control, const struct ctl_remote *remote,
		   struct wf_addr *ret_addrs)
{
	size_t count = 0;

	for (size_t i = 0; i < remote->addr_count; i++)
		if (wf_ctl_remote_by_address(control, WF_NETWORK_HOST, &remote->addrs[i]) == remote)
			ret_addrs[count++] = remote->addrs[i];
	return count;
}

size_t wf_ctl_bound_list(struct wf_control *control, const struct ctl_node *node,
			 struct wf_addr *ret_addrs)
{
	size_t count = 0;

	for (const struct ctl_remote *remote = node->remotes; remote; remote = remote->next_there)
		if (is_wanted(control, remote))
			count += list(control, remote, &ret_addrs[count]);
	return count;
}

size_t wf_ctl_bound_room(const struct wf_control *control)
{
	return control->cluster.addresses.count;
}

int wf_ctl_bound_all(struct wf_control *control, struct wf_err *err)
{
	struct ctl_remote *remote;
	size_t at = 0;
	int r = 0;

	while (r == 0 && (remote = wf_ctl_remote_walk(control, &at))) {
		bool wanted = is_wanted(control, remote);

		if (remote->is_bound == wanted)
			continue;
		remote->is_bound = wanted;
		if (control->lb.settled)
			r = wf_ctl_remote_program(control, remote, err);
	}
	return r;
}

/* The same to each of this node's devices. */
static int tell(struct wf_control *control, const uint8_t *key, const struct wf_addr *addrs,
		size_t count, struct wf_err *err)
{
	const struct ctl_encrypt *encrypt = &control->cluster.encrypt;
	char name[16];
	int r = 0;

	for (size_t i = 0; r == 0 && count && i < encrypt->count; i++)
		if (encrypt->own[i].ifindex)
			r = wf_net_wg_bind(control->net, control->config.run_dir,
					   wf_ctl_tunnel_name(encrypt->own[i].digit, name), key,
					   addrs, count, err);
	return r;
}

void wf_ctl_bind(struct wf_control *control, struct ctl_remote *remote)
{
	struct wf_addr addrs[WF_MAX_ENDPOINT_ADDRESSES];
	struct wf_err fault = WF_ERR_INIT;
	int r;

	if (remote->is_bound || !control->cluster.encrypt.is_on ||
	    control->cluster.encrypt.late_count || !is_wanted(control, remote))
		return;
	r = tell(control, remote->node->tunnels[0].key, addrs, list(control, remote, addrs),
		 &fault);
	if (r == 0) {
		remote->is_bound = true;
		r = wf_ctl_remote_program(control, remote, &fault);
	}
	if (r == 0)
		return;
	wf_log_warning_rl("an endpoint's address is not bound to its node's key yet",
			  "endpoint=%s error=\"%s\"", wf_ctl_remote_name(remote), fault.message);
	wf_ctl_encrypt_touch(control);
}

void wf_ctl_unbind(struct wf_control *control, struct ctl_remote *remote)
{
	struct wf_addr addrs[WF_MAX_ENDPOINT_ADDRESSES];
	struct wf_err fault = WF_ERR_INIT;

	if (!remote->is_bound)
		return;
	remote->is_bound = false;
	if (tell(control, NULL, addrs, list(control, remote, addrs), &fault) < 0)
		wf_ctl_encrypt_touch(control);
}
