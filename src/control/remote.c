/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endpoints of other nodes in networks that reach them. Policies know them before the datapath
 * does, and the datapath forgets them before policies do: no packet meets an address without class.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/attach_priv.h"
#include "control/control_priv.h"
#include "dp/overlay.h"

WF_LOG_MODULE(remote);

bool wf_ctl_is_remote(const struct wf_control *control, const json_t *document)
{
	const char *node = wf_json_str(json_object_get(document, "spec"), "node", "");

	return wf_ctl_is_shared(control) && *node && strcmp(node, control->config.node_name) != 0;
}

struct ctl_remote *wf_ctl_remote_find(struct wf_control *control, const char *name)
{
	struct ctl_remote *remote;

	HASH_FIND(by_name, control->cluster.remotes, name, strlen(name), remote);
	return remote;
}

static void free_remote(struct ctl_remote *remote)
{
	wf_labels_done(&remote->labels);
	free(remote->ports);
	free(remote->network);
	free(remote->name);
	free(remote);
}

static bool has_address(const struct ctl_remote *remote, const struct wf_addr *addr)
{
	for (size_t i = 0; remote && i < remote->addr_count; i++)
		if (wf_addr_equal(&remote->addrs[i], addr))
			return true;
	return false;
}

/* Moves what is kept out of *spec. */
static struct ctl_remote *make_remote(struct wf_endpoint *spec, struct ctl_node *node)
{
	struct ctl_remote *remote = calloc(1, sizeof(*remote));

	if (!remote)
		return NULL;
	remote->name = strdup(spec->meta.name);
	remote->network = strdup(spec->network);
	if (!remote->name || !remote->network) {
		free_remote(remote);
		return NULL;
	}
	remote->node = node;
	remote->labels = spec->meta.labels;
	memset(&spec->meta.labels, 0, sizeof(spec->meta.labels));
	remote->ports = TAKE_PTR(spec->ports);
	remote->port_count = spec->port_count;
	spec->port_count = spec->port_capacity = 0;
	for (size_t i = 0; i < spec->address_count; i++)
		remote->addrs[remote->addr_count++] = spec->addresses[i].prefix.addr;
	return remote;
}

static int judge(struct wf_control *control, const struct ctl_remote *remote, struct wf_err *err)
{
	const struct wf_policy_member member = {
		.namespace = wf_ctl_namespace_of(&remote->labels),
		.labels = &remote->labels,
		.ports = remote->ports,
		.port_count = remote->port_count,
		.addrs = remote->addrs,
		.addr_count = remote->addr_count,
	};

	return wf_policy_engine_remote_put(control->policy.engine, remote->name, &member, err);
}

static int program(struct wf_control *control, const struct ctl_remote *remote, struct wf_err *err)
{
	const struct ctl_network *network = wf_ctl_network_find(control, remote->network);
	struct wf_remote_value value = { .node = remote->node->number };
	int r = 0;

	if (!network)
		return 0;
	value.network = network->spec.number;
	for (size_t i = 0; r == 0 && i < remote->addr_count; i++)
		r = wf_dp_remote_set(control->dp, &remote->addrs[i], &value, err);
	return r;
}

/* Nobody here gives the addresses out. What is taken already stays with whom it is. */
static void hold(struct wf_control *control, const struct ctl_remote *remote, bool on)
{
	struct ctl_network *network = wf_ctl_network_find(control, remote->network);
	uint64_t now_ms = wf_clock_monotonic_ms();

	for (size_t i = 0; network && i < remote->addr_count; i++) {
		struct wf_pool *pool = wf_ctl_pool_of(network, &remote->addrs[i]);

		if (pool && on)
			(void)wf_pool_take(pool, &remote->addrs[i], remote->name, now_ms, NULL);
		else if (pool)
			(void)wf_pool_release(pool, &remote->addrs[i], remote->name, now_ms, true);
	}
}

void wf_ctl_remotes_free(struct wf_control *control)
{
	struct ctl_remote *remote, *next;

	HASH_ITER(by_name, control->cluster.remotes, remote, next) {
		HASH_DELETE(by_name, control->cluster.remotes, remote);
		free_remote(remote);
	}
}

static void take_out(struct wf_control *control, struct ctl_remote *remote)
{
	HASH_DELETE(by_name, control->cluster.remotes, remote);
	remote->node->remote_count--;
	hold(control, remote, false);
}

/* Puts it beside what was known under its name; *remote is the table's afterwards. */
static int replace(struct wf_control *control, struct ctl_remote *remote, struct wf_err *err)
{
	struct ctl_remote *before = wf_ctl_remote_find(control, remote->name);
	int r = 0;

	for (size_t i = 0; before && i < before->addr_count; i++)
		if (!has_address(remote, &before->addrs[i]))
			(void)wf_dp_remote_clear(control->dp, &before->addrs[i]);
	if (before) {
		wf_ctl_lb_touch_remote(control, before);
		take_out(control, before);
		free_remote(before);
	}
	HASH_ADD_KEYPTR(by_name, control->cluster.remotes, remote->name, strlen(remote->name),
			remote);
	if (!remote->by_name.tbl) {
		free_remote(remote);
		return wf_fail(err, -ENOMEM, "out of memory");
	}
	remote->node->remote_count++;
	hold(control, remote, true);
	if (!control->lb.settled)
		return 0;
	r = judge(control, remote, err);
	if (r == 0)
		r = program(control, remote, err);
	wf_ctl_lb_touch_remote(control, remote);
	return r;
}

int wf_ctl_remote_put(struct wf_control *control, const json_t *document, struct wf_err *err)
{
	_cleanup_(wf_endpoint_done) struct wf_endpoint spec = { 0 };
	const struct ctl_network *network;
	struct ctl_remote *remote;
	struct ctl_node *node;
	int r = wf_endpoint_from_json(&spec, document, err);

	if (r < 0)
		return r;
	network = wf_ctl_network_find(control, spec.network);
	/* one that ends at its node is no business of others */
	if (!network || !wf_ctl_is_overlay(network))
		return 0;
	if (spec.phase != WF_ENDPOINT_READY) {
		wf_ctl_remote_drop(control, spec.meta.name);
		return 0;
	}
	r = wf_ctl_node_get(control, spec.node, &node, err);
	if (r < 0)
		return r;
	remote = make_remote(&spec, node);
	return remote ? replace(control, remote, err) : wf_fail(err, -ENOMEM, "out of memory");
}

void wf_ctl_remote_drop(struct wf_control *control, const char *name)
{
	struct ctl_remote *remote = wf_ctl_remote_find(control, name);
	struct wf_err fault = WF_ERR_INIT;

	if (!remote)
		return;
	for (size_t i = 0; i < remote->addr_count; i++)
		(void)wf_dp_remote_clear(control->dp, &remote->addrs[i]);
	wf_ctl_lb_touch_remote(control, remote);
	take_out(control, remote);
	if (wf_policy_engine_remote_drop(control->policy.engine, name, &fault) < 0)
		wf_log_error("policies still know an endpoint that is gone",
			     "endpoint=%s error=\"%s\"", name, fault.message);
	free_remote(remote);
}

int wf_ctl_remotes_judge(struct wf_control *control, struct wf_err *err)
{
	struct ctl_remote *remote, *next;
	int r = 0;

	HASH_ITER(by_name, control->cluster.remotes, remote, next)
		if (r == 0)
			r = judge(control, remote, err);
	return r;
}

struct ctl_remote *wf_ctl_remote_by_address(struct wf_control *control, const struct wf_addr *addr)
{
	struct ctl_remote *remote, *next;

	HASH_ITER(by_name, control->cluster.remotes, remote, next)
		if (has_address(remote, addr))
			return remote;
	return NULL;
}

struct ctl_remote *wf_ctl_remote_in(struct wf_control *control, const char *network)
{
	struct ctl_remote *remote, *next;

	HASH_ITER(by_name, control->cluster.remotes, remote, next)
		if (strcmp(remote->network, network) == 0)
			return remote;
	return NULL;
}

/* Addresses that are in the table, as a hash. */
struct wanted {
	struct wf_addr addr;
	UT_hash_handle hh;
};

struct stale {
	struct wf_control *control;
	struct wanted *wanted;
	int result;
};

static void drop_unwanted(const struct wf_addr *addr, const struct wf_remote_value *value,
			  void *context)
{
	struct stale *stale = context;
	struct wanted *found;

	(void)value;
	HASH_FIND(hh, stale->wanted, addr, sizeof(*addr), found);
	if (!found && stale->result == 0 && !wf_ctl_node_hosts_have(stale->control, addr))
		stale->result = wf_dp_remote_clear(stale->control->dp, addr);
}

static int drop_stale(struct wf_control *control, struct wf_err *err)
{
	_cleanup_free_ struct wanted *items = NULL;
	struct stale stale = { .control = control };
	struct ctl_remote *remote, *next;
	size_t count = 0, used = 0;
	int r;

	HASH_ITER(by_name, control->cluster.remotes, remote, next)
		count += remote->addr_count;
	items = calloc(count + 1, sizeof(*items));
	if (!items)
		return wf_fail(err, -ENOMEM, "out of memory");
	HASH_ITER(by_name, control->cluster.remotes, remote, next)
		for (size_t i = 0; i < remote->addr_count; i++) {
			struct wanted *item = &items[used++];

			item->addr = remote->addrs[i];
			HASH_ADD(hh, stale.wanted, addr, sizeof(item->addr), item);
		}
	r = wf_dp_remote_visit(control->dp, drop_unwanted, &stale, err);
	HASH_CLEAR(hh, stale.wanted);
	return r < 0 ? r : stale.result;
}

int wf_ctl_remotes_program(struct wf_control *control, struct wf_err *err)
{
	struct ctl_remote *remote, *next;
	int r = 0;

	HASH_ITER(by_name, control->cluster.remotes, remote, next)
		if (r == 0)
			r = program(control, remote, err);
	if (r == 0)
		r = wf_ctl_node_hosts_program(control, err);
	return r < 0 ? r : drop_stale(control, err);
}
