/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses that hosts of other nodes have in networks, as their Node documents say: reached like
 * endpoints, and given to nobody here. This node's own are the business of host_address.c.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "control/control_priv.h"
#include "dp/overlay.h"

typedef char owner_name[WF_NAME_BYTES + sizeof("node:")];

static const char *owner_of(owner_name buffer, const char *node)
{
	(void)snprintf(buffer, sizeof(owner_name), "node:%s", node);
	return buffer;
}

void wf_ctl_host_hold(struct wf_control *control, const char *node, const struct wf_node_host *host,
		      bool on)
{
	const struct ctl_network *network = wf_ctl_network_find(control, host->network);
	struct wf_pool *pool = network ? wf_ctl_pool_of(network, &host->addr) : NULL;
	uint64_t now_ms = wf_clock_monotonic_ms();
	owner_name owner;

	if (pool && on)
		(void)wf_pool_take(pool, &host->addr, owner_of(owner, node), now_ms, NULL);
	else if (pool)
		(void)wf_pool_release(pool, &host->addr, owner_of(owner, node), now_ms, true);
}

static bool has_host(const struct wf_node_host *hosts, size_t count,
		     const struct wf_node_host *host)
{
	for (size_t i = 0; i < count; i++)
		if (wf_addr_equal(&hosts[i].addr, &host->addr) &&
		    strcmp(hosts[i].network, host->network) == 0)
			return true;
	return false;
}

/* The network that the address is in; NULL: it is not here, or is another one by now. */
static const struct ctl_network *network_of(struct wf_control *control,
					    const struct wf_node_host *host)
{
	const struct ctl_network *network = wf_ctl_network_find(control, host->network);

	return network && wf_ctl_takes_hosts(network) && wf_ctl_pool_of(network, &host->addr) &&
			       host->is_scoped == wf_ctl_scope_is_own(&network->spec)
		       ? network
		       : NULL;
}

static int program(struct wf_control *control, const struct ctl_node *node, struct ctl_host *host,
		   struct wf_err *err)
{
	const struct ctl_network *network = network_of(control, &host->is);
	struct wf_remote_value value = { .node = node->number };

	if (!network)
		return 0;
	/* a network that is new here knows nobody yet */
	wf_ctl_host_hold(control, node->name, &host->is, true);
	value.network = network->spec.number;
	host->scope = (uint16_t)wf_ctl_scope_of(network);
	return wf_dp_remote_set(control->dp, host->scope, &host->is.addr, &value, err);
}

static void forget(struct wf_control *control, const struct ctl_node *node,
		   const struct ctl_host *host)
{
	const struct wf_addr *addr = &host->is.addr;

	/* who has it by now is written again; one of a scope may never have come into the datapath */
	if ((host->scope || !host->is.is_scoped) &&
	    (wf_dp_remote_clear(control->dp, host->scope, addr) < 0 ||
	     wf_ctl_remote_by_address(control, host->scope, addr) ||
	     wf_ctl_node_hosts_have(control, host->scope, addr)))
		wf_ctl_dirty(control, CTL_DIRTY_HOST);
	wf_ctl_host_hold(control, node->name, &host->is, false);
}

/* What the node had is its no more; those that it has not again are forgotten. */
static void unlearn(struct wf_control *control, struct ctl_node *node, const struct wf_node *spec)
{
	struct ctl_host *before = TAKE_PTR(node->hosts);
	const size_t count = node->host_count;

	node->host_count = 0;
	for (size_t i = 0; i < count; i++)
		wf_index_remove(&control->cluster.hosts, &before[i].by_addr);
	for (size_t i = 0; i < count; i++)
		if (!spec || !has_host(spec->hosts, spec->host_count, &before[i].is))
			forget(control, node, &before[i]);
	free(before);
}

int wf_ctl_node_hosts_learn(struct wf_control *control, struct ctl_node *node,
			    const struct wf_node *spec, struct wf_err *err)
{
	const size_t count = spec ? spec->host_count : 0;
	int r = 0;

	unlearn(control, node, spec);
	if (!count)
		return 0;
	node->hosts = calloc(count, sizeof(*node->hosts));
	if (!node->hosts)
		return wf_fail(err, -ENOMEM, "out of memory for node %s", node->name);
	node->host_count = count;
	for (size_t i = 0; i < count; i++) {
		struct ctl_host *host = &node->hosts[i];

		host->is = spec->hosts[i];
		wf_index_add(&control->cluster.hosts, &host->by_addr,
			     wf_hash_addr(0, &host->is.addr));
		wf_ctl_host_hold(control, node->name, &host->is, true);
		if (r == 0 && control->lb.settled)
			r = program(control, node, host, err);
	}
	return r;
}

int wf_ctl_node_hosts_program(struct wf_control *control, struct wf_err *err)
{
	int r = 0;

	for (const struct ctl_node *node = control->cluster.nodes; node; node = node->by_name.next)
		for (size_t i = 0; r == 0 && i < node->host_count; i++)
			r = program(control, node, &node->hosts[i], err);
	return r;
}

bool wf_ctl_node_hosts_have(struct wf_control *control, uint32_t scope, const struct wf_addr *addr)
{
	WF_INDEX_EACH(&control->cluster.hosts, wf_hash_addr(0, addr), node) {
		const struct ctl_host *host = WF_INDEX_OBJECT(node, struct ctl_host, by_addr);

		const struct ctl_network *network =
			wf_addr_equal(&host->is.addr, addr) ? network_of(control, &host->is) : NULL;

		if (network && wf_ctl_scope_of(network) == scope)
			return true;
	}
	return false;
}
