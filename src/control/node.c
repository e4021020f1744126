/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The nodes that share the store. Each says of itself who it is (Node) and that it is alive
 * (NodeLease, which goes by itself when the node does); the others believe the addresses there.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/control_priv.h"
#include "dp/overlay.h"
#include "model/document.h"

WF_LOG_MODULE(node);

struct ctl_node *wf_ctl_node_find(struct wf_control *control, const char *name)
{
	struct ctl_node *node;

	HASH_FIND(by_name, control->cluster.nodes, name, strlen(name), node);
	return node;
}

static uint32_t free_number(const struct wf_control *control)
{
	for (uint32_t number = 1; number < WF_MAX_NODES; number++)
		if (!control->cluster.by_number[number])
			return number;
	return 0;
}

/* The number that the datapath has for that address from before a restart, if it is free. */
static uint32_t number_of(struct wf_control *control, const struct wf_addr *underlay)
{
	uint32_t number = 0;

	if (underlay && wf_dp_member_get(control->dp, underlay, &number) == 0 && number &&
	    number < WF_MAX_NODES && !control->cluster.by_number[number])
		return number;
	return free_number(control);
}

static int make_node(struct wf_control *control, const char *name, const struct wf_addr *underlay,
		     struct ctl_node **ret_node, struct wf_err *err)
{
	struct ctl_node *node = calloc(1, sizeof(*node));

	if (!node)
		return wf_fail(err, -ENOMEM, "out of memory for node %s", name);
	node->number = number_of(control, underlay);
	(void)wf_str_copy(node->name, sizeof(node->name), name);
	if (node->number)
		HASH_ADD_KEYPTR(by_name, control->cluster.nodes, node->name, strlen(node->name),
				node);
	if (!node->number || !node->by_name.tbl) {
		int r = node->number ? -ENOMEM : -ENOSPC;

		free(node);
		return r == -ENOMEM ? wf_fail(err, r, "out of memory for node %s", name)
				    : wf_fail(err, r, "node %s: more than %d nodes", name,
					      WF_MAX_NODES - 1);
	}
	control->cluster.by_number[node->number] = node;
	*ret_node = node;
	return 0;
}

int wf_ctl_node_get(struct wf_control *control, const char *name, struct ctl_node **ret_node,
		    struct wf_err *err)
{
	*ret_node = wf_ctl_node_find(control, name);
	return *ret_node ? 0 : make_node(control, name, NULL, ret_node, err);
}

static bool is_of_host(const struct wf_node *spec, const struct wf_addr *addr)
{
	for (size_t i = 0; i < spec->host_count; i++)
		if (wf_addr_equal(&spec->hosts[i].addr, addr))
			return true;
	return false;
}

/* The node's address of this one's family: tunnels have both ends in one, and none in a network. */
static const struct wf_addr *underlay_of(const struct wf_control *control,
					 const struct wf_node *spec)
{
	bool ip4 = wf_addr_is_ip4(&control->config.node_ip);

	for (size_t i = 0; i < spec->addr_count; i++)
		if (wf_addr_is_ip4(&spec->addrs[i]) == ip4 && !is_of_host(spec, &spec->addrs[i]))
			return &spec->addrs[i];
	return NULL;
}

bool wf_ctl_is_peer(const struct wf_control *control, const struct ctl_node *node)
{
	return !wf_addr_is_zero(&node->underlay) &&
	       !wf_addr_equal(&node->underlay, &control->config.node_ip);
}

const struct ctl_node *wf_ctl_node_at(const struct wf_control *control, const char *name,
				      const struct wf_addr *underlay)
{
	WF_INDEX_EACH(&control->cluster.underlays, wf_hash_addr(0, underlay), at) {
		const struct ctl_node *node = WF_INDEX_OBJECT(at, struct ctl_node, by_underlay);

		if (wf_addr_equal(&node->underlay, underlay) && strcmp(node->name, name) != 0)
			return node;
	}
	return NULL;
}

static void set_underlay(struct wf_control *control, struct ctl_node *node,
			 const struct wf_addr *underlay)
{
	wf_index_remove(&control->cluster.underlays, &node->by_underlay);
	node->underlay = *underlay;
	if (!wf_addr_is_zero(underlay))
		wf_index_add(&control->cluster.underlays, &node->by_underlay,
			     wf_hash_addr(0, underlay));
}

/* No tunnel leads there any more. */
static int lose_way(struct wf_control *control, struct ctl_node *node, struct wf_err *err)
{
	static const struct wf_addr none;
	bool had_way = !wf_addr_is_zero(&node->underlay);

	set_underlay(control, node, &none);
	memset(&node->way, 0, sizeof(node->way));
	wf_ctl_probe_stop(node);
	wf_ctl_sums_stop(node);
	wf_ctl_known_forget(control, node);
	return had_way ? wf_dp_node_set(control->dp, node->number, NULL, err) : 0;
}

static void free_node(struct wf_control *control, struct ctl_node *node)
{
	control->cluster.by_number[node->number] = NULL;
	HASH_DELETE(by_name, control->cluster.nodes, node);
	wf_index_remove(&control->cluster.underlays, &node->by_underlay);
	free(node);
}

/* Its number is free again when its last endpoint has gone as well: see wf_ctl_nodes_expire(). */
static int drop_node(struct wf_control *control, struct ctl_node *node, struct wf_err *err)
{
	int r = wf_ctl_node_hosts_learn(control, node, NULL, err);
	int q = lose_way(control, node, r == 0 ? err : NULL);

	node->tunnel_count = 0;
	node->encrypts_hosts = false;
	node->is_gone = true;
	wf_ctl_encrypt_touch(control);
	if (r < 0 || q < 0)
		return r < 0 ? r : q;
	if (!node->remote_count)
		free_node(control, node);
	return 0;
}

int wf_ctl_node_learn(struct wf_control *control, const char *name, const struct wf_node *spec,
		      struct wf_err *err)
{
	struct ctl_node *node = wf_ctl_node_find(control, name);
	const struct wf_addr *underlay = spec ? underlay_of(control, spec) : NULL;
	const struct ctl_node *other = underlay ? wf_ctl_node_at(control, name, underlay) : NULL;
	char text[WF_ADDR_TEXT];
	bool is_moved;
	int r;

	if (!wf_ctl_is_shared(control) || (!spec && !node))
		return 0;
	if (!spec)
		return drop_node(control, node, err);
	if (other)
		return wf_fail(err, -EADDRINUSE, "nodes %s and %s both say that they are at %s",
			       name, other->name, wf_addr_format(underlay, text));
	r = node ? 0 : make_node(control, name, underlay, &node, err);
	if (r == 0)
		r = wf_ctl_encrypt_learn(control, node, spec, err);
	if (r < 0)
		return r;
	node->is_gone = false;
	/* what its host has nobody else may be given, also where no tunnel of ours leads to */
	if (!underlay)
		r = lose_way(control, node, err);
	if (!underlay || (wf_addr_equal(&node->underlay, underlay) &&
			  wf_addr_equal(&node->link_local, &spec->link_local)))
		return r < 0 ? r : wf_ctl_node_hosts_learn(control, node, spec, err);
	is_moved = !wf_addr_equal(&node->underlay, underlay);
	set_underlay(control, node, underlay);
	node->link_local = spec->link_local;
	/* noted, so that whoever comes second does not join; no tunnel leads there */
	if (wf_addr_equal(underlay, &control->config.node_ip)) {
		wf_log_error("another node says that it has this one's address",
			     "node=%s address=%s", name, wf_addr_format(underlay, text));
		return 0;
	}
	if (is_moved) {
		wf_ctl_probe_start(control, node);
		wf_ctl_sums_start(control, node);
	}
	if (control->lb.settled)
		r = wf_ctl_node_program(control, node, err);
	wf_ctl_encrypt_touch(control);
	if (r == 0)
		r = wf_ctl_node_hosts_learn(control, node, spec, err);
	/* of those that are there when this one starts it tells how many there are, when it is ready */
	if (is_moved && control->lb.settled)
		wf_log_info("node known", "node=%s address=%s", name,
			    wf_addr_format(underlay, text));
	return r;
}

/* Backends of a node that does not answer are no backends. */
static void touch_services(struct wf_control *control, const struct ctl_node *node)
{
	const struct ctl_remote *remote;

	for (remote = node->remotes; remote; remote = remote->next_there)
		wf_ctl_lb_touch_remote(control, remote);
	wf_ctl_lb_flush(control);
}

void wf_ctl_node_lives(struct wf_control *control, const char *name, bool lives)
{
	struct ctl_node *node;

	if (strcmp(name, control->config.node_name) == 0 ||
	    wf_ctl_node_get(control, name, &node, NULL) < 0 || node->is_alive == lives)
		return;
	node->is_alive = lives;
	node->lost_ms = lives ? 0 : wf_clock_monotonic_ms();
	if (!control->lb.settled)
		return;
	if (lives)
		wf_log_info("node is alive", "node=%s", name);
	else
		wf_log_warning("node is lost", "node=%s endpoints=%zu", name, node->remote_count);
	touch_services(control, node);
}

/* ---- nodes that do not come back -------------------------------------------------------------- */

/* One is enough: the first by name of those that are alive. */
static bool is_first(const struct wf_control *control)
{
	for (const struct ctl_node *node = control->cluster.nodes; node; node = node->by_name.next)
		if (node->is_alive && strcmp(node->name, control->config.node_name) < 0)
			return false;
	return true;
}

void wf_ctl_nodes_begin(struct wf_control *control)
{
	struct ctl_node *node, *next;

	HASH_ITER(by_name, control->cluster.nodes, node, next)
		if (!node->is_alive)
			node->lost_ms = wf_clock_monotonic_ms();
}

bool wf_ctl_node_is_over(const struct wf_control *control, const struct ctl_node *node)
{
	uint64_t grace_ms = control->config.node_grace_ms;

	return grace_ms && !node->is_alive && node->lost_ms &&
	       wf_clock_monotonic_ms() - node->lost_ms >= grace_ms && is_first(control);
}

bool wf_ctl_nodes_expire(struct wf_control *control)
{
	struct ctl_node *node, *next;
	bool is_more = false;

	HASH_ITER(by_name, control->cluster.nodes, node, next)
		if (node->remote_count && wf_ctl_node_is_over(control, node))
			is_more |= wf_ctl_node_release_some(control, node);
	HASH_ITER(by_name, control->cluster.nodes, node, next)
		if (node->is_gone && !node->is_alive && !node->remote_count)
			free_node(control, node);
	return is_more;
}

/* ---- this node -------------------------------------------------------------------------------- */

/* What others are told, beside the address: where to send IPv6 on a segment of IPv4. */
static void add_link_local(struct wf_control *control, json_t *status)
{
	struct wf_addr *own = &control->cluster.link_local;
	char text[WF_ADDR_TEXT];

	(void)wf_net_link_local_find(control->net, &control->config.node_ip, own, NULL);
	if (!wf_addr_is_zero(own))
		(void)json_array_append_new(json_object_get(status, "addresses"),
					    json_pack("{s:s, s:s}", "type", "LinkLocalIP",
						      "address", wf_addr_format(own, text)));
}

int wf_ctl_node_set_meta(json_t *document, const char *part, const char *key, const char *value)
{
	json_t *metadata = json_object_get(document, "metadata");
	json_t *object = json_object_get(metadata, part);

	if (!*value) {
		(void)json_object_del(object, key);
		return 0;
	}
	if (!object && json_object_set_new(metadata, part, json_object()) == 0)
		object = json_object_get(metadata, part);
	return object ? wf_json_set_str(object, key, value) : -ENOMEM;
}

json_t *wf_ctl_node_document(struct wf_control *control)
{
	_cleanup_json_ json_t *document = NULL, *stored = NULL;
	_cleanup_free_ char *hosts = wf_ctl_hosts_text(control, false);
	_cleanup_free_ char *scoped = wf_ctl_hosts_text(control, true);
	const char *zone = control->config.zone;
	char text[WF_ADDR_TEXT], tunnels[WF_NODE_TUNNELS_TEXT];
	json_t *status;
	int r = wf_store_get(control->store, WF_KIND_NODE, control->config.node_name, &stored,
			     NULL);

	document =
		r == 0 ? json_deep_copy(stored)
		       : json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", WF_NODE_API_VERSION, "kind",
				   WF_KIND_NODE, "metadata", "name", control->config.node_name);
	status = json_pack("{s:[{s:s, s:s}, {s:s, s:s}]}", "addresses", "type", "InternalIP",
			   "address", wf_addr_format(&control->config.node_ip, text), "type",
			   "Hostname", "address", control->config.node_name);
	if (!document || !hosts || !scoped || json_object_set_new(document, "status", status) < 0)
		return NULL;
	add_link_local(control, status);
	r = wf_ctl_node_set_meta(document, "annotations", WF_ANNOTATION_HOST_ADDRESSES, hosts);
	if (r == 0)
		r = wf_ctl_node_set_meta(document, "annotations", WF_ANNOTATION_SCOPE_ADDRESSES,
					 scoped);
	if (r == 0)
		r = wf_ctl_node_set_meta(document, "annotations", WF_ANNOTATION_WIREGUARD,
					 wf_ctl_encrypt_text(control, tunnels));
	if (r == 0)
		r = wf_ctl_node_set_meta(document, "annotations", WF_ANNOTATION_ENCRYPTION_HOSTS,
					 wf_ctl_hosts_said(control) ? "true" : "");
	if (r == 0 && zone && *zone)
		r = wf_ctl_node_set_meta(document, "labels", "topology.kubernetes.io/zone", zone);
	return r == 0 ? TAKE_PTR(document) : NULL;
}

int wf_ctl_node_put(struct wf_control *control, struct wf_err *err)
{
	_cleanup_json_ json_t *document = wf_ctl_node_document(control);
	const struct wf_store_write write = { .op = WF_STORE_PUT,
					      .kind = WF_KIND_NODE,
					      .name = control->config.node_name,
					      .document = document,
					      .expected = WF_STORE_ANY };

	int r = document ? wf_ctl_commit(control, &write, 1, WF_STORE_DURABLE, err)
			 : wf_fail(err, -ENOMEM, "out of memory");

	if (r == 0)
		wf_ctl_encrypt_published(control);
	return r;
}
