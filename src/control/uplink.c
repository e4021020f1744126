/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The devices that lead out of the host: weft's filters on them, what the programs know of them,
 * and the host's own addresses. Looked at again when a device, an address or a filter changes.
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "control/control_priv.h"
#include "net/uplink.h"

WF_LOG_MODULE(uplink);

const struct wf_net_uplink *wf_ctl_uplink_at(const struct wf_control *control, uint32_t ifindex)
{
	for (size_t i = 0; i < control->lb.uplink_count; i++)
		if (control->lb.uplinks[i].ifindex == ifindex)
			return &control->lb.uplinks[i];
	return NULL;
}

bool wf_ctl_is_uplink(const struct wf_control *control, uint32_t ifindex)
{
	return wf_ctl_uplink_at(control, ifindex) != NULL;
}

/* Whether a device's name is among those of --uplinks: names or patterns, separated by commas. */
static bool is_named(const char *list, const char *name)
{
	_cleanup_free_ char *copy = strdup(list);
	char *rest = NULL;

	for (char *word = copy ? strtok_r(copy, ", ", &rest) : NULL; word;
	     word = strtok_r(NULL, ", ", &rest))
		if (fnmatch(word, name, 0) == 0)
			return true;
	return false;
}

static bool is_wanted(const struct wf_control *control, const struct wf_net_uplink *uplink)
{
	const char *list = control->config.uplinks;

	if (!list || !*list || strcmp(list, "auto") == 0)
		return true;
	return strcmp(list, "none") != 0 && is_named(list, uplink->name);
}

static int attach(struct wf_control *control, const struct wf_net_uplink *uplink,
		  struct wf_err *err)
{
	uint32_t ingress = 0, egress = 0;
	int r = wf_net_uplink_get(control->net, uplink->ifindex, &ingress, &egress, NULL);

	if (r == 0 && ingress == wf_dp_program_id(control->dp, WF_DP_FROM_UPLINK) &&
	    egress == wf_dp_program_id(control->dp, WF_DP_TO_UPLINK))
		return 0;
	return wf_net_uplink_attach(control->net, uplink->ifindex,
				    wf_dp_program_fd(control->dp, WF_DP_FROM_UPLINK),
				    wf_dp_program_fd(control->dp, WF_DP_TO_UPLINK), err);
}

static void attach_xdp(struct wf_control *control, const struct wf_net_uplink *uplink)
{
	enum wf_dp_xdp_mode mode = WF_DP_XDP_NONE;
	struct wf_err fault = WF_ERR_INIT;
	bool native = strcmp(control->config.xdp, "native") == 0;

	if (strcmp(control->config.xdp, "off") == 0) {
		(void)wf_dp_xdp_detach(control->dp, uplink->ifindex);
		return;
	}
	if (wf_dp_xdp_attach(control->dp, uplink->ifindex, native, &mode, &fault) < 0)
		wf_log_warning_rl("device is without XDP", "device=%s error=\"%s\"", uplink->name,
				  fault.message);
}

static int put_in_force(struct wf_control *control, const struct wf_net_uplink *uplink,
			struct wf_err *err)
{
	struct wf_uplink_value value = { .ip4 = uplink->ip4,
					 .ip6 = uplink->ip6,
					 .l2_bytes = uplink->l2_bytes };
	int r;

	memcpy(value.mac, uplink->mac.bytes, sizeof(value.mac));
	/* what the programs read comes before the programs */
	r = wf_dp_uplink_set(control->dp, uplink->ifindex, &value, err);
	if (r == 0)
		r = attach(control, uplink, err);
	if (r == 0)
		attach_xdp(control, uplink);
	return r;
}

/* A device that leads out no more. */
static void take_out(struct wf_control *control, uint32_t ifindex)
{
	(void)wf_net_uplink_detach(control->net, ifindex, NULL);
	(void)wf_dp_xdp_detach(control->dp, ifindex);
	(void)wf_dp_uplink_set(control->dp, ifindex, NULL, NULL);
}

struct stale {
	const struct wf_control *control;
	uint32_t items[WF_MAX_UPLINKS];
	size_t count;
};

static void see_uplink(uint32_t ifindex, const struct wf_uplink_value *value, void *context)
{
	struct stale *stale = context;

	(void)value;
	if (!wf_ctl_is_uplink(stale->control, ifindex) && stale->count < WF_MAX_UPLINKS)
		stale->items[stale->count++] = ifindex;
}

static int sync_host_addresses(struct wf_control *control, struct wf_err *err)
{
	_cleanup_free_ struct wf_addr *addrs = NULL;
	size_t count = 0, kept = 0;
	int r = wf_net_host_addresses(control->net, &addrs, &count, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		struct wf_addr_value value;
		bool is_gateway =
			wf_dp_address_get(control->dp, WF_NETWORK_HOST, &addrs[i], &value) == 0 &&
			value.flags & WF_ADDR_GATEWAY;

		if (!is_gateway && wf_addr_is_usable(&addrs[i]))
			addrs[kept++] = addrs[i];
	}
	r = wf_ctl_view_host(control, addrs, kept);
	if (r == 0 && control->policy.settled)
		r = wf_ctl_policy_self_put_at(control, addrs, kept, err);
	return r < 0 ? wf_fail(err, r, "cannot note the host's addresses: %s", strerror(-r)) : 0;
}

/* Forwarding is what a host of containers does; said once, since it changes the host. */
static void ensure_forwarding(struct wf_control *control)
{
	struct wf_err fault = WF_ERR_INIT;
	char changed[WF_NET_CHANGED_BYTES] = "";

	if (wf_net_forwarding_enable(control->net, true, true, changed, &fault) < 0) {
		wf_log_warning_rl("forwarding cannot be turned on", "error=\"%s\"", fault.message);
		return;
	}
	if (!*changed)
		return;
	wf_log_info("forwarding turned on", "settings=\"%s\"", changed);
	if (control->config.run_dir &&
	    wf_ctl_forwarding_note(control->config.run_dir, changed, &fault) < 0)
		wf_log_warning("cleanup will leave forwarding on", "error=\"%s\"", fault.message);
}

static bool has_routed_network(const struct wf_control *control)
{
	for (const struct ctl_network *network = control->networks; network;
	     network = network->by_name.next)
		if (wf_ctl_is_routed_by_host(network))
			return true;
	return false;
}

static void sync_bypass(struct wf_control *control)
{
	uint32_t flags = control->lb.config_flags & ~(uint32_t)WF_CONFIG_BYPASS;

	if (strcmp(control->config.firewall, "bypass") == 0)
		flags |= WF_CONFIG_BYPASS;
	if (flags == control->lb.config_flags)
		return;
	control->lb.config_flags = flags;
	if (wf_ctl_config_sync(control, NULL) < 0)
		wf_ctl_dirty(control, CTL_DIRTY_HOST);
}

int wf_ctl_uplinks_sync(struct wf_control *control, struct wf_err *err)
{
	struct wf_net_uplink *found = NULL;
	struct stale stale = { .control = control };
	size_t count = 0, kept = 0;
	int r = wf_net_uplinks(control->net, &found, &count, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < count && kept < WF_MAX_UPLINKS; i++) {
		struct wf_err fault = WF_ERR_INIT;

		if (!is_wanted(control, &found[i]))
			continue;
		if (put_in_force(control, &found[i], &fault) < 0)
			wf_log_warning_rl("device is not used as an uplink",
					  "device=%s error=\"%s\"", found[i].name, fault.message);
		else
			found[kept++] = found[i];
	}
	wf_ctl_sources_note_uplinks(control, found, kept);
	free(control->lb.uplinks);
	control->lb.uplinks = found;
	control->lb.uplink_count = kept;
	(void)wf_dp_uplink_visit(control->dp, see_uplink, &stale);
	for (size_t i = 0; i < stale.count; i++)
		take_out(control, stale.items[i]);
	if (has_routed_network(control))
		ensure_forwarding(control);
	sync_bypass(control);
	return sync_host_addresses(control, err);
}
