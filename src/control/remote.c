/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endpoints of other nodes in networks that reach them: how they come, change and go. Policies know
 * them before the datapath does, and the datapath forgets them before policies do: no packet meets
 * an address without class.
 */
#include <errno.h>
#include <string.h>

#include <utlist.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/remote_priv.h"
#include "dp/overlay.h"

WF_LOG_MODULE(remote);

bool wf_ctl_is_remote(const struct wf_control *control, const json_t *document)
{
	const char *node = wf_json_str(json_object_get(document, "spec"), "node", "");

	return wf_ctl_is_shared(control) && *node && strcmp(node, control->config.node_name) != 0;
}

/* NULL: no memory. It is in no table yet. */
static struct ctl_remote *make_remote(const struct wf_endpoint *spec, uint32_t scope,
				      struct ctl_node *node)
{
	size_t bytes = sizeof(struct ctl_remote) + spec->address_count * sizeof(struct wf_addr);
	size_t name_bytes = strlen(spec->meta.name) + 1;
	struct ctl_remote *remote = calloc(1, bytes + name_bytes);

	if (!remote)
		return NULL;
	remote->node = node;
	remote->scope = (uint16_t)scope;
	remote->addr_count = (uint8_t)spec->address_count;
	for (size_t i = 0; i < spec->address_count; i++)
		remote->addrs[i] = spec->addresses[i].prefix.addr;
	memcpy(&remote->addrs[remote->addr_count], spec->meta.name, name_bytes);
	return remote;
}

/* Nobody here gives the addresses out. What is taken already stays with whom it is. */
static void hold(struct wf_control *control, const struct ctl_remote *remote, bool on)
{
	struct ctl_network *network = wf_ctl_network_find(control, remote->crowd->network);
	const char *name = wf_ctl_remote_name(remote);
	uint64_t now_ms = wf_clock_monotonic_ms();

	for (size_t i = 0; network && i < remote->addr_count; i++) {
		const struct wf_addr *addr = &remote->addrs[i];
		struct wf_pool *pool = wf_ctl_pool_of(network, addr);

		if (pool && on)
			(void)wf_pool_take_elsewhere(pool, addr, name, now_ms, NULL);
		else if (pool)
			(void)wf_pool_release(pool, addr, name, now_ms, true);
	}
}

void wf_ctl_remote_free(struct wf_control *control, struct ctl_remote *remote)
{
	wf_ctl_crowd_leave(control, remote);
	free(remote);
}

/* Into the tables; after a failure it is in none of them. */
static int list(struct wf_control *control, struct ctl_remote *remote)
{
	int r = wf_ctl_remote_list(control, remote);

	if (r < 0)
		return r;
	DL_APPEND2(remote->node->remotes, remote, prev_there, next_there);
	remote->node->remote_count++;
	hold(control, remote, true);
	return 0;
}

static void unlist(struct wf_control *control, struct ctl_remote *remote)
{
	hold(control, remote, false);
	wf_ctl_remote_unlist(control, remote);
	DL_DELETE2(remote->node->remotes, remote, prev_there, next_there);
	remote->node->remote_count--;
}

/*
 * A remote is gone that had this address. Another one may have it by now, when news do not come in
 * the order in which it went on. What fails is tried again.
 */
static void withdraw(struct wf_control *control, uint32_t scope, const struct wf_addr *addr)
{
	const struct ctl_remote *heir = wf_ctl_remote_by_address(control, scope, addr);
	int r = heir ? wf_ctl_remote_program(control, heir, NULL)
		     : wf_dp_remote_clear(control->dp, scope, addr);

	if (heir)
		hold(control, heir, true);
	if (r == 0)
		return;
	wf_log_warning_rl("the address of an endpoint that is gone stays for now", "error=\"%s\"",
			  strerror(-r));
	wf_ctl_dirty(control, CTL_DIRTY_HOST);
}

/* Whether the same node has the same addresses in the same network. */
static bool stays(const struct ctl_remote *before, const struct ctl_remote *now)
{
	bool same = before->node == now->node && before->addr_count == now->addr_count &&
		    strcmp(before->crowd->network, now->crowd->network) == 0;

	for (size_t i = 0; same && i < before->addr_count; i++)
		same = wf_ctl_remote_has(now, &before->addrs[i]);
	return same;
}

/* Out of the tables and the datapath, but for the addresses that `now` (NULL: nobody) has. */
static void take_out(struct wf_control *control, struct ctl_remote *remote, struct ctl_remote *now)
{
	wf_ctl_lb_touch_remote(control, remote);
	if (now && stays(remote, now))
		now->is_bound = remote->is_bound;
	else
		wf_ctl_unbind(control, remote);
	unlist(control, remote);
	for (size_t i = 0; i < remote->addr_count; i++)
		if (!now || now->scope != remote->scope ||
		    !wf_ctl_remote_has(now, &remote->addrs[i]))
			withdraw(control, remote->scope, &remote->addrs[i]);
}

/* Puts it in place of what was known under its name; *remote is the table's afterwards. */
static int replace(struct wf_control *control, struct ctl_remote *remote, struct wf_err *err)
{
	struct ctl_remote *before = wf_ctl_remote_find(control, wf_ctl_remote_name(remote));
	int r;

	if (before) {
		take_out(control, before, remote);
		wf_ctl_remote_misjudge(control, before, remote);
		wf_ctl_remote_free(control, before);
	}
	if (list(control, remote) < 0) {
		wf_ctl_remote_free(control, remote);
		return wf_fail(err, -ENOMEM, "out of memory");
	}
	if (!control->lb.settled)
		return 0;
	r = wf_ctl_remote_judge(control, remote, err);
	if (r == 0)
		r = wf_ctl_remote_program(control, remote, err);
	if (r == 0)
		wf_ctl_bind(control, remote);
	wf_ctl_lb_touch_remote(control, remote);
	return r;
}

/*
 * Labels and ports of *spec may be taken over. labels: they have not been read yet; 0: they cannot be read
 * in this way. 1: it is known, or no business of others.
 */
static int put(struct wf_control *control, struct wf_endpoint *spec,
	       const struct wf_endpoint_text *labels, struct wf_err *err)
{
	const struct ctl_network *network = wf_ctl_network_find(control, spec->network);
	struct ctl_remote *remote;
	struct ctl_crowd *crowd;
	struct ctl_node *node;
	bool is_read = true;
	int r;

	/* one that ends at its node is no business of others */
	if (!network || !wf_ctl_is_overlay(network))
		return 1;
	if (spec->phase != WF_ENDPOINT_READY) {
		wf_ctl_remote_drop(control, spec->meta.name);
		return 1;
	}
	crowd = labels ? wf_ctl_crowd_written(control, spec, labels, &is_read)
		       : wf_ctl_crowd_get(control, spec);
	if (!is_read)
		return 0;
	if (!crowd)
		return wf_fail(err, -ENOMEM, "out of memory");
	r = wf_ctl_node_get(control, spec->node, &node, err);
	remote = r < 0 ? NULL : make_remote(spec, wf_ctl_scope_of(network), node);
	if (!remote) {
		wf_ctl_crowd_release(control, crowd);
		return r < 0 ? r : wf_fail(err, -ENOMEM, "out of memory");
	}
	wf_ctl_crowd_join(crowd, remote);
	r = replace(control, remote, err);
	return r < 0 ? r : 1;
}

int wf_ctl_remote_put(struct wf_control *control, const json_t *document, struct wf_err *err)
{
	_cleanup_(wf_endpoint_done) struct wf_endpoint spec = { 0 };
	int r = wf_endpoint_from_json(&spec, document, err);

	if (r == 0)
		r = put(control, &spec, NULL, err);
	return r < 0 ? r : 0;
}

int wf_ctl_remote_take(struct wf_control *control, const char *text, size_t len, struct wf_err *err)
{
	_cleanup_(wf_endpoint_done) struct wf_endpoint spec = { 0 };
	struct wf_endpoint_text labels;

	if (!wf_ctl_is_shared(control) || !wf_endpoint_read_brief(&spec, text, len, &labels) ||
	    strcmp(spec.node, control->config.node_name) == 0)
		return 0;
	return put(control, &spec, &labels, err);
}

void wf_ctl_remote_drop(struct wf_control *control, const char *name)
{
	struct ctl_remote *remote = wf_ctl_remote_find(control, name);

	if (!remote)
		return;
	take_out(control, remote, NULL);
	wf_ctl_remote_misjudge(control, remote, NULL);
	/* `name` may be its own */
	wf_ctl_remote_free(control, remote);
}
