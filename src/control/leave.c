/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node that does not come back is forgotten: its endpoints, the addresses it had given out, what it
 * said of itself. In small transactions, in an order that may be cut short and done again; the
 * Node document is the caller's, and last.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/control_priv.h"
#include "net/uplink.h"

WF_LOG_MODULE(leave);

/* Fewer than what other nodes take for a store that has lost its memory (etcd_guard.c). */
#define AT_ONCE 16

/* Transactions that everything else of this node waits for. */
#define PARTS_AT_ONCE 4

/* Who goes, out of which store. */
struct leaving {
	struct wf_store *store;
	struct wf_control *control; /* NULL: no daemon runs that would have to hear of it */
	const char *node;
};

/* The names of what a node has of a kind. */
struct owned {
	const char *kind;
	const char *node;
	char **names; /* owned */
	size_t count, capacity;
};

static void owned_done(struct owned *owned)
{
	for (size_t i = 0; i < owned->count; i++)
		free(owned->names[i]);
	free(owned->names);
}

static int note_owned(const json_t *document, void *context, struct wf_err *err)
{
	struct owned *owned = context;
	const char *node = wf_json_str(json_object_get(document, "spec"), "node", "");
	const char *name = wf_json_str(json_object_get(document, "metadata"), "name", "");
	char *copy;

	if (strcmp(node, owned->node) != 0)
		return 0;
	copy = strdup(name);
	if (!copy ||
	    wf_mem_grow(&owned->names, sizeof(*owned->names), owned->count, &owned->capacity) < 0) {
		free(copy);
		return wf_fail(err, -ENOMEM, "out of memory");
	}
	owned->names[owned->count++] = copy;
	return 0;
}

static int delete_names(const struct leaving *leaving, const struct owned *owned, size_t first,
			size_t count, struct wf_err *err)
{
	struct wf_store_write writes[AT_ONCE];

	for (size_t i = 0; i < count; i++)
		writes[i] = (struct wf_store_write){ .op = WF_STORE_DELETE,
						     .kind = owned->kind,
						     .name = owned->names[first + i],
						     .expected = WF_STORE_ANY };
	return leaving->control
		       ? wf_ctl_commit(leaving->control, writes, count, WF_STORE_DURABLE, err)
		       : wf_store_commit(leaving->store, writes, count, WF_STORE_DURABLE, NULL,
					 err);
}

/* What somebody else has deleted meanwhile is fine. */
static int delete_owned(const struct leaving *leaving, const struct owned *owned,
			struct wf_err *err)
{
	int r = 0;

	for (size_t first = 0; r == 0 && first < owned->count; first += AT_ONCE) {
		size_t left = owned->count - first, count = left < AT_ONCE ? left : AT_ONCE;

		r = delete_names(leaving, owned, first, count, err);
		if (r != -ENOENT)
			continue;
		r = 0;
		for (size_t i = 0; r == 0 && i < count; i++) {
			r = delete_names(leaving, owned, first + i, 1, err);
			if (r == -ENOENT)
				r = 0;
		}
	}
	return r;
}

static int release_kind(const struct leaving *leaving, const char *kind, size_t *ret_count,
			struct wf_err *err)
{
	_cleanup_(owned_done) struct owned owned = { .kind = kind, .node = leaving->node };
	int r = wf_store_visit(leaving->store, kind, note_owned, &owned, err);

	if (r == 0)
		r = delete_owned(leaving, &owned, err);
	if (r == 0 && leaving->control && strcmp(kind, WF_KIND_ENDPOINT) == 0)
		for (size_t i = 0; i < owned.count; i++)
			wf_ctl_remote_drop(leaving->control, owned.names[i]);
	if (r == 0 && leaving->control && strcmp(kind, CTL_KIND_IP_BLOCK) == 0)
		for (size_t i = 0; i < owned.count; i++)
			wf_ctl_block_forget(leaving->control, owned.names[i]);
	*ret_count = owned.count;
	return r;
}

static int release(const struct leaving *leaving, struct wf_control_released *ret_released,
		   struct wf_err *err)
{
	/* kinds whose spec.node says whose they are; the lease last: until then it is this node's */
	static const char *const kinds[] = { WF_KIND_ENDPOINT, CTL_KIND_ADDRESS_LEASE,
					     CTL_KIND_IP_BLOCK, CTL_KIND_NODE_ADDRESS,
					     CTL_KIND_NODE_LEASE };
	size_t counts[WF_ARRAY_LEN(kinds)] = { 0 };
	int r = 0;

	for (size_t i = 0; r == 0 && i < WF_ARRAY_LEN(kinds); i++)
		r = release_kind(leaving, kinds[i], &counts[i], err);
	ret_released->endpoints = counts[0];
	ret_released->addresses = counts[1];
	return r;
}

int wf_ctl_node_check_leave(struct wf_control *control, const char *name, bool force,
			    struct wf_err *err)
{
	const struct ctl_node *node = wf_ctl_node_find(control, name);

	if (!wf_ctl_is_shared(control))
		return 0;
	if (strcmp(name, control->config.node_name) == 0)
		return wf_fail(err, -EBUSY,
			       "this is the node that is asked; stop its weftd, and then 'weft "
			       "cleanup' there takes it out, or 'weft delete node %s' on another",
			       name);
	if (!node || !node->is_alive || force)
		return 0;
	return wf_fail(
		err, -EBUSY,
		"node %s is alive and has %zu endpoint%s that %s reached from here; stop its "
		"weftd first and wait half a minute for its lease to end, or use --force",
		name, node->remote_count, node->remote_count == 1 ? "" : "s",
		node->remote_count == 1 ? "is" : "are");
}

int wf_ctl_node_leave(struct wf_control *control, const char *name,
		      struct wf_control_released *ret_released, struct wf_err *err)
{
	const struct leaving leaving = { .store = control->store,
					 .control = control,
					 .node = name };
	int r;

	if (!wf_ctl_is_shared(control))
		return 0;
	r = release(&leaving, ret_released, err);
	wf_ctl_lb_flush(control);
	if (r < 0)
		return r;
	if (wf_ctl_node_find(control, name))
		wf_ctl_node_lives(control, name, false);
	wf_log_info("node is forgotten", "node=%s endpoints=%zu addresses=%zu", name,
		    ret_released->endpoints, ret_released->addresses);
	return 0;
}

/* ---- a node that was lost for too long ---------------------------------------------------------- */

/* A part of its endpoints: one transaction. */
struct part {
	struct ctl_remote *remotes[AT_ONCE];
	size_t remote_count;
	struct wf_store_write writes[AT_ONCE];
	ctl_lease_name leases[AT_ONCE];
	size_t write_count;
};

static void add_delete(struct part *part, const char *kind, const char *name)
{
	part->writes[part->write_count++] = (struct wf_store_write){
		.op = WF_STORE_DELETE, .kind = kind, .name = name, .expected = WF_STORE_ANY
	};
}

/* False: it does not fit in any more. */
static bool add_remote(struct part *part, struct ctl_remote *remote)
{
	_Static_assert(AT_ONCE >= 1 + WF_MAX_ENDPOINT_ADDRESSES, "one fits in");
	if (part->write_count + 1 + remote->addr_count > AT_ONCE)
		return false;
	part->remotes[part->remote_count++] = remote;
	add_delete(part, WF_KIND_ENDPOINT, wf_ctl_remote_name(remote));
	for (size_t i = 0; i < remote->addr_count; i++) {
		char *name = part->leases[part->write_count];

		add_delete(part, CTL_KIND_ADDRESS_LEASE,
			   wf_ctl_lease_name(remote->crowd->network, &remote->addrs[i], name));
	}
	return true;
}

static void fill_part(struct part *part, const struct ctl_node *node)
{
	part->remote_count = part->write_count = 0;
	for (struct ctl_remote *remote = node->remotes; remote; remote = remote->next_there)
		if (!add_remote(part, remote))
			break;
}

/* Something of it is gone already: each for itself, and only what is its own. */
static int release_one(struct wf_control *control, const struct ctl_remote *remote,
		       struct wf_err *err)
{
	_cleanup_json_ json_t *document = NULL;
	int r = wf_store_get(control->store, WF_KIND_ENDPOINT, wf_ctl_remote_name(remote),
			     &document, err);

	if (r == 0)
		r = wf_ctl_document_forget(control, document, WF_STORE_DURABLE, err);
	return r == -ENOENT ? 0 : r;
}

/* The watchers of others hear of it as of any change. */
static int release_part(struct wf_control *control, struct part *part, struct wf_err *err)
{
	int r = wf_ctl_commit(control, part->writes, part->write_count, WF_STORE_DURABLE, err);

	if (r == -ENOENT) {
		r = 0;
		for (size_t i = 0; r == 0 && i < part->remote_count; i++)
			r = release_one(control, part->remotes[i], err);
	}
	for (size_t i = 0; r == 0 && i < part->remote_count; i++)
		wf_ctl_remote_drop(control, wf_ctl_remote_name(part->remotes[i]));
	return r;
}

bool wf_ctl_node_release_some(struct wf_control *control, struct ctl_node *node)
{
	struct wf_err fault = WF_ERR_INIT;
	const size_t before = node->remote_count;
	struct part part;
	int r = 0;

	for (size_t i = 0; r == 0 && node->remotes && i < PARTS_AT_ONCE; i++) {
		fill_part(&part, node);
		r = release_part(control, &part, &fault);
	}
	wf_ctl_lb_flush(control);
	if (r < 0)
		wf_log_warning_rl("endpoints of a lost node cannot be released",
				  "node=%s error=\"%s\"", node->name, fault.message);
	else
		wf_log_warning_rl("endpoints of a lost node are released",
				  "node=%s endpoints=%zu left=%zu", node->name,
				  before - node->remote_count, node->remote_count);
	return r == 0 && node->remotes;
}

/* ---- without a daemon ------------------------------------------------------------------------- */

static bool is_own_address(const char *text)
{
	_cleanup_(wf_net_close) struct wf_net *net = NULL;
	_cleanup_free_ struct wf_addr *addrs = NULL;
	struct wf_addr addr;
	size_t count = 0;

	if (wf_addr_parse(text, &addr) < 0 || wf_net_open(&net, NULL) < 0 ||
	    wf_net_host_addresses(net, &addrs, &count, NULL) < 0)
		return false;
	for (size_t i = 0; i < count; i++)
		if (wf_addr_equal(&addrs[i], &addr))
			return true;
	return false;
}

/* The lease is of a weftd that ran on this host, in this boot; or nobody has one. */
static int check_own(struct wf_store *store, const char *node, struct wf_err *err)
{
	_cleanup_json_ json_t *lease = NULL;
	const json_t *spec;
	char boot_id[37];
	int r = wf_store_get(store, CTL_KIND_NODE_LEASE, node, &lease, err);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	spec = json_object_get(lease, "spec");
	r = wf_file_boot_id(boot_id);
	if (r == 0 && strcmp(wf_json_str(spec, "bootID", ""), boot_id) == 0 &&
	    is_own_address(wf_json_str(spec, "address", "")))
		return 0;
	return wf_fail(err, -EADDRINUSE, "node %s is alive at %s, which is not this host", node,
		       wf_json_str(spec, "address", "?"));
}

int wf_control_leave(struct wf_store *store, const char *node, struct wf_str *report,
		     struct wf_err *err)
{
	const struct leaving leaving = { .store = store, .node = node };
	const struct wf_store_write last = {
		.op = WF_STORE_DELETE, .kind = WF_KIND_NODE, .name = node, .expected = WF_STORE_ANY
	};
	struct wf_control_released released = { 0 };
	int r = check_own(store, node, err);

	if (r == 0)
		r = release(&leaving, &released, err);
	if (r == 0)
		r = wf_store_commit(store, &last, 1, WF_STORE_DURABLE, NULL, err);
	if (r < 0 && r != -ENOENT)
		return r;
	wf_str_addf(report, "took node %s out of %s: %zu endpoints, %zu addresses\n", node,
		    wf_store_describe(store), released.endpoints, released.addresses);
	return 0;
}
