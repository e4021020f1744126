/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loadBalancerSourceRanges and the host's own processes. A socket has no address yet when it is
 * translated at connect(), so the programs know the host by an address that nobody has: that is
 * admitted to what the host's addresses are admitted to.
 */
#include <errno.h>

#include "base/mem.h"
#include "control/control_priv.h"

static bool is_within(const struct wf_prefix *source, const struct wf_addr *addr)
{
	return !wf_addr_is_zero(addr) && wf_prefix_contains(source, addr);
}

static bool is_host_admitted(const struct wf_control *control, const struct wf_lb_port *port)
{
	for (size_t i = 0; i < port->source_count; i++)
		for (size_t k = 0; k < control->lb.uplink_count; k++)
			if (is_within(&port->sources[i], &control->lb.uplinks[k].ip4) ||
			    is_within(&port->sources[i], &control->lb.uplinks[k].ip6))
				return true;
	return false;
}

int wf_ctl_sources_admit_host(const struct wf_control *control, struct wf_lb_ports *ports)
{
	for (size_t i = 0; i < ports->count; i++) {
		struct wf_lb_port *port = &ports->items[i];
		struct wf_prefix host = { .len = 8 * sizeof(host.addr) };

		if (!is_host_admitted(control, port))
			continue;
		if (wf_mem_grow(&port->sources, sizeof(*port->sources), port->source_count,
				&port->source_capacity) < 0)
			return -ENOMEM;
		host.addr.halves[1] = WF_CLIENT_HOST;
		port->sources[port->source_count++] = host;
	}
	return 0;
}

static bool has_same_addresses(const struct ctl_lb *lb, const struct wf_net_uplink *uplinks,
			       size_t count)
{
	if (count != lb->uplink_count)
		return false;
	for (size_t i = 0; i < count; i++)
		if (!wf_addr_equal(&uplinks[i].ip4, &lb->uplinks[i].ip4) ||
		    !wf_addr_equal(&uplinks[i].ip6, &lb->uplinks[i].ip6))
			return false;
	return true;
}

void wf_ctl_sources_note_uplinks(struct wf_control *control, const struct wf_net_uplink *uplinks,
				 size_t count)
{
	struct ctl_service *service, *next;
	bool found = false;

	if (has_same_addresses(&control->lb, uplinks, count))
		return;
	HASH_ITER(by_key, control->lb.services, service, next) {
		if (!service->spec.source_count)
			continue;
		wf_ctl_service_touch(control, service);
		found = true;
	}
	if (found && control->lb.settled)
		event_active(control->lb.flush_timer, EV_TIMEOUT, 0);
}
