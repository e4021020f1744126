/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The address that this node's host has of its own in each network of all nodes. By it the host
 * and containers of other nodes talk: the gateway's, which every node has, would not lead an
 * answer back. It is taken with a lease, like an endpoint's, and the Node document shows it; both
 * are written at once, so that no address is ever held by nobody.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/index.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/control_priv.h"
#include "model/document.h"

WF_LOG_MODULE(node);

/* Of a subnet's last addresses so many, and no more than a quarter, are where hosts look. */
#define SPAN 4096
/* How often another node may be faster before it is left for later. */
#define TRIES 64
/* More nodes than a few do not ask the store in one moment: so long for each that there is. */
#define FEW       16
#define SPREAD_MS 5

/* Where a network keeps the host's address of the same family as another one. */
static struct wf_addr *host_addr(struct ctl_network *network, const struct wf_addr *of_family)
{
	return &network->host_addrs[!wf_addr_is_ip4(of_family)];
}

void wf_ctl_hosts_load(struct wf_control *control, const struct wf_node *self)
{
	for (size_t i = 0; i < self->host_count; i++) {
		const struct wf_node_host *host = &self->hosts[i];
		struct ctl_network *network = wf_ctl_network_find(control, host->network);

		if (!network || !wf_ctl_takes_hosts(network) ||
		    !wf_ctl_pool_of(network, &host->addr))
			continue;
		*host_addr(network, &host->addr) = host->addr;
		wf_ctl_host_hold(control, control->config.node_name, host, true);
	}
}

char *wf_ctl_hosts_text(const struct wf_control *control, bool scoped)
{
	_cleanup_str_ struct wf_str text = WF_STR_INIT;
	char addr[WF_ADDR_TEXT];

	for (const struct ctl_network *network = control->networks; network;
	     network = network->by_name.next)
		for (size_t i = 0; i < WF_ARRAY_LEN(network->host_addrs); i++)
			if (!wf_addr_is_zero(&network->host_addrs[i]) &&
			    wf_ctl_scope_is_own(&network->spec) == scoped)
				wf_str_addf(&text, "%s%s/%s", text.len ? "," : "",
					    network->spec.meta.name,
					    wf_addr_format(&network->host_addrs[i], addr));
	return text.failed ? NULL : strdup(wf_str_text(&text));
}

/* The next that is free for a host, seen from its own place among the last ones of the subnet. */
static bool next_place(const struct wf_control *control, const struct wf_pool *pool, uint32_t *step,
		       struct wf_addr *ret_addr)
{
	const struct wf_prefix *prefix = wf_pool_prefix(pool);
	unsigned int bits = wf_addr_bits(&prefix->addr) - prefix->len;
	uint64_t last = bits > 16 ? 0xffff : (1ULL << bits) - 1, span = (last + 1) / 4;
	uint64_t first = wf_hash_text(0, control->config.node_name);

	if (span > SPAN)
		span = SPAN;
	while (*step < span) {
		uint64_t offset = last - 1 - (first + (*step)++) % span;
		struct wf_addr addr = wf_addr_add(&prefix->addr, offset);

		*ret_addr = addr;
		if (wf_pool_explain(pool, &addr, wf_clock_monotonic_ms()).state == WF_POOL_FREE)
			return true;
	}
	return false;
}

/*
 * Takes the lease and shows the address, or gives it back (is_end); network->host_addrs are as they
 * shall be. -EEXIST: another node has it, which this one has not heard of yet.
 */
static int commit(struct wf_control *control, const struct wf_node_host *host, bool is_end,
		  struct wf_err *err)
{
	ctl_lease_name name;
	_cleanup_json_ json_t *self = wf_ctl_node_document(control), *lease = NULL;
	struct wf_store_write writes[] = {
		{ .op = WF_STORE_PUT,
		  .kind = WF_KIND_NODE,
		  .name = control->config.node_name,
		  .document = self,
		  .expected = WF_STORE_ANY },
		{ .op = is_end ? WF_STORE_DELETE : WF_STORE_PUT,
		  .kind = CTL_KIND_ADDRESS_LEASE,
		  .name = name,
		  .expected = is_end ? WF_STORE_ANY : WF_STORE_ABSENT },
	};
	size_t count = WF_ARRAY_LEN(writes);
	int r;

	(void)wf_ctl_lease_name(host->network, &host->addr, name);
	lease = is_end ? NULL
		       : wf_ctl_lease_document(name, host->network, NULL,
					       control->config.node_name);
	writes[1].document = lease;
	if (!self || (!is_end && !lease))
		return wf_fail(err, -ENOMEM, "out of memory");
	if (!wf_ctl_can_tell(control))
		return wf_fail(err, -EAGAIN, "etcd is asked whether it answers");
	/* it may be somebody else's by now */
	if (is_end && !wf_ctl_is_lease_of(control, name, "", control->config.node_name))
		count = 1;
	r = wf_ctl_commit(control, writes, count, WF_STORE_DURABLE, err);
	if (r == 0)
		wf_ctl_encrypt_published(control);
	return r;
}

static bool has_room(const struct wf_pool *pool)
{
	struct wf_pool_usage usage = wf_pool_usage(pool, wf_clock_monotonic_ms());

	return usage.free >= usage.total / 2;
}

/* Takes an address of the pool's subnet. 0, or why it has to be tried again. */
static int take_in(struct wf_control *control, struct ctl_network *network, struct wf_pool *pool,
		   struct wf_addr *addr, struct wf_err *err)
{
	static const struct wf_addr none;
	struct wf_node_host host;
	uint32_t step = 0;
	int r = -EEXIST;

	(void)wf_str_copy(host.network, sizeof(host.network), network->spec.meta.name);
	for (int i = 0; r == -EEXIST && i < TRIES; i++) {
		if (!has_room(pool) || !next_place(control, pool, &step, &host.addr)) {
			wf_log_warning_rl("the host reaches no containers of other nodes: half of "
					  "the subnet is in use",
					  "network=%s", network->spec.meta.name);
			return 0;
		}
		*addr = host.addr;
		r = commit(control, &host, false, err);
		if (r < 0)
			*addr = none;
	}
	if (r == 0)
		wf_ctl_host_hold(control, control->config.node_name, &host, true);
	return r;
}

/* What the network lacks of the first subnet of each family; *any: something was taken. */
static int take_missing(struct wf_control *control, struct ctl_network *network, bool *any,
			struct wf_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < network->spec.subnet_count; i++) {
		struct wf_addr *addr = host_addr(network, &network->spec.subnets[i].prefix.addr);

		if (!wf_addr_is_zero(addr))
			continue;
		r = take_in(control, network, network->pools[i], addr, err);
		*any |= !wf_addr_is_zero(addr);
	}
	return r;
}

/* Tells the kernel and policies. */
static int put_in_force(struct wf_control *control, struct wf_err *err)
{
	const struct ctl_network *network;
	int r = 0;

	for (network = control->networks; network; network = network->by_name.next)
		if (r == 0 && wf_ctl_takes_hosts(network))
			r = wf_ctl_program_network(control, network, err);
	if (r == 0)
		r = wf_ctl_host_sync(control, err);
	return r < 0 ? r : wf_ctl_policy_self_put(control, err);
}

/* Gives back what the stored document shows of networks that are gone, or have other subnets. */
static int give_back(struct wf_control *control, const struct wf_node *stored, struct wf_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < stored->host_count; i++) {
		const struct wf_node_host *host = &stored->hosts[i];
		struct ctl_network *network = wf_ctl_network_find(control, host->network);

		if (!network || !wf_addr_equal(host_addr(network, &host->addr), &host->addr))
			r = commit(control, host, true, err);
	}
	return r;
}

/* The host does not have it any more. */
static void drop_addr(struct wf_control *control, const struct ctl_network *network,
		      struct wf_addr *addr)
{
	/* the datapath finds none of those in scopes by address */
	if (wf_ctl_scope_has_host(&network->spec) &&
	    (wf_dp_address_clear(control->dp, network->spec.number, addr) < 0 ||
	     wf_dp_address_clear(control->dp, WF_NETWORK_HOST, addr) < 0))
		wf_ctl_dirty(control, CTL_DIRTY_MAPS);
	memset(addr, 0, sizeof(*addr));
}

void wf_ctl_hosts_check(struct wf_control *control, struct ctl_network *network, bool is_end)
{
	for (size_t i = 0; i < WF_ARRAY_LEN(network->host_addrs); i++) {
		struct wf_addr *addr = &network->host_addrs[i];

		if (wf_addr_is_zero(addr) || (!is_end && wf_ctl_pool_of(network, addr)))
			continue;
		drop_addr(control, network, addr);
	}
}

/* Others have released what this node's host has: it looks for another address. */
void wf_ctl_host_missed(struct wf_control *control, const char *lease)
{
	_cleanup_json_ json_t *again = NULL;
	struct ctl_network *network;
	struct wf_node_host host;
	struct wf_addr *addr;

	if (wf_node_host_parse(lease, &host) < 0)
		return;
	network = wf_ctl_network_find(control, host.network);
	addr = network ? host_addr(network, &host.addr) : NULL;
	/* it may have been taken anew since */
	if (!addr || !wf_addr_equal(addr, &host.addr) ||
	    wf_store_get(control->store, CTL_KIND_ADDRESS_LEASE, lease, &again, NULL) == 0)
		return;
	wf_ctl_host_hold(control, control->config.node_name, &host, false);
	drop_addr(control, network, addr);
	wf_log_warning("others released an address of this host; it takes another", "lease=%s",
		       lease);
	wf_ctl_hosts_want(control);
}

static int sync_all(struct wf_control *control, struct wf_err *err)
{
	_cleanup_(wf_node_done) struct wf_node stored = { .addr_count = 0 };
	_cleanup_json_ json_t *document = NULL;
	struct ctl_network *network, *next;
	bool any = false;
	int r = wf_store_get(control->store, WF_KIND_NODE, control->config.node_name, &document,
			     err);

	if (r == 0)
		r = wf_node_from_json(&stored, document, err);
	HASH_ITER(by_name, control->networks, network, next)
		if (r == 0 && wf_ctl_takes_hosts(network))
			r = take_missing(control, network, &any, err);
	if (r == 0)
		r = give_back(control, &stored, err);
	if (any && put_in_force(control, NULL) < 0)
		wf_ctl_dirty(control, CTL_DIRTY_HOST | CTL_DIRTY_MAPS | CTL_DIRTY_POLICY);
	return r;
}

void wf_ctl_hosts_now(struct wf_control *control)
{
	struct wf_err fault = WF_ERR_INIT;

	/* who has not joined has nothing; it is tried again when the node says that it is alive */
	if (wf_ctl_has_joined(control) && sync_all(control, &fault) < 0 &&
	    !control->cluster.is_asked)
		wf_log_warning_rl("the host has no address in a network yet", "error=\"%s\"",
				  fault.message);
}

static void on_time(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	wf_ctl_hosts_now(context);
}

void wf_ctl_hosts_want(struct wf_control *control)
{
	uint32_t nodes = HASH_CNT(by_name, control->cluster.nodes);
	uint32_t wait_ms = nodes > FEW ? wf_ctl_random(control) % (nodes * SPREAD_MS) : 0;
	const struct timeval wait = wf_ctl_timeval(wait_ms);

	if (control->cluster.host_timer && !evtimer_pending(control->cluster.host_timer, NULL))
		(void)evtimer_add(control->cluster.host_timer, &wait);
}

int wf_ctl_hosts_start(struct wf_control *control, struct wf_err *err)
{
	control->cluster.host_timer = evtimer_new(control->loop, on_time, control);
	if (!control->cluster.host_timer)
		return wf_fail(err, -ENOMEM, "out of memory");
	wf_ctl_hosts_want(control);
	return 0;
}
