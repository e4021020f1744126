/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endpoints of other nodes in networks that reach them. Policies know them before the datapath
 * does, and the datapath forgets them before policies do: no packet meets an address without class.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <utlist.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/control_priv.h"
#include "dp/overlay.h"

WF_LOG_MODULE(remote);

bool wf_ctl_is_remote(const struct wf_control *control, const json_t *document)
{
	const char *node = wf_json_str(json_object_get(document, "spec"), "node", "");

	return wf_ctl_is_shared(control) && *node && strcmp(node, control->config.node_name) != 0;
}

static uint64_t hash_name(const void *object)
{
	return wf_hash_text(0, wf_ctl_remote_name(object));
}

static bool has_name(const void *object, const void *key)
{
	return strcmp(wf_ctl_remote_name(object), key) == 0;
}

/*
 * The set of addresses has of each one a pointer into the remote, so many bytes behind its begin as the
 * address has before it: a pointer back would be a tenth of all that is kept of an endpoint.
 */
static void *address_entry(struct ctl_remote *remote, size_t at)
{
	return (char *)remote + at;
}

/* Memory begins at multiples of 16. */
static size_t place_of(const void *entry)
{
	return (uintptr_t)entry % WF_MAX_ENDPOINT_ADDRESSES;
}

static const struct ctl_remote *remote_of(const void *entry)
{
	return (const void *)((const char *)entry - place_of(entry));
}

static const struct wf_addr *address_of(const void *entry)
{
	return &remote_of(entry)->addrs[place_of(entry)];
}

/* What an address is found by. */
struct address_key {
	const struct wf_addr *addr;
	uint32_t scope;
};

static uint64_t hash_address(const void *entry)
{
	return wf_hash_addr(remote_of(entry)->scope, address_of(entry));
}

static bool is_address(const void *entry, const void *key)
{
	const struct address_key *wanted = key;

	return remote_of(entry)->scope == wanted->scope &&
	       wf_addr_equal(address_of(entry), wanted->addr);
}

static const struct wf_set_ops names = { hash_name, has_name };
static const struct wf_set_ops addresses = { hash_address, is_address };

int wf_ctl_remotes_init(struct wf_control *control, struct wf_err *err)
{
	struct ctl_cluster *cluster = &control->cluster;
	int r = 0;

	cluster->remotes.ops = &names;
	cluster->addresses.ops = &addresses;
	if (wf_ctl_is_shared(control))
		r = wf_store_count(control->store, WF_KIND_ENDPOINT, &cluster->expected, err);
	if (r < 0)
		return r;
	/* without room for all at once they find theirs one by one */
	(void)wf_set_reserve(&cluster->remotes, cluster->expected);
	(void)wf_set_reserve(&cluster->addresses, cluster->expected);
	return 0;
}

const char *wf_ctl_remote_name(const struct ctl_remote *remote)
{
	return (const char *)&remote->addrs[remote->addr_count];
}

struct ctl_remote *wf_ctl_remote_find(struct wf_control *control, const char *name)
{
	return wf_set_find(&control->cluster.remotes, wf_hash_text(0, name), name);
}

struct ctl_remote *wf_ctl_remote_walk(const struct wf_control *control, size_t *at)
{
	return wf_set_walk(&control->cluster.remotes, at);
}

/* As which of its addresses a remote has one; NULL: nobody has it. */
static struct ctl_remote *find_address(struct wf_control *control, uint32_t scope,
				       const struct wf_addr *addr, size_t *ret_at)
{
	const struct address_key key = { addr, scope };
	char *entry = wf_set_find(&control->cluster.addresses, wf_hash_addr(scope, addr), &key);

	if (!entry)
		return NULL;
	*ret_at = place_of(entry);
	return (void *)(entry - *ret_at);
}

struct ctl_remote *wf_ctl_remote_by_address(struct wf_control *control, uint32_t scope,
					    const struct wf_addr *addr)
{
	size_t at;

	return find_address(control, scope, addr, &at);
}

const char *wf_ctl_remote_owner(const struct wf_addr *addr, void *context)
{
	const struct ctl_network *network = context;
	const struct ctl_remote *remote =
		wf_ctl_remote_by_address(network->control, wf_ctl_scope_of(network), addr);

	return remote ? wf_ctl_remote_name(remote) : NULL;
}

struct ctl_remote *wf_ctl_remote_in(struct wf_control *control, const char *network)
{
	WF_INDEX_EACH(&control->cluster.crowd_networks, wf_ctl_crowd_network_hash(network), node) {
		const struct ctl_crowd *crowd = WF_INDEX_OBJECT(node, struct ctl_crowd, by_network);

		if (strcmp(crowd->network, network) == 0)
			return crowd->members;
	}
	return NULL;
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

static bool has_address(const struct ctl_remote *remote, const struct wf_addr *addr)
{
	for (size_t i = 0; i < remote->addr_count; i++)
		if (wf_addr_equal(&remote->addrs[i], addr))
			return true;
	return false;
}

/* Tells policies who has these addresses, all of one crowd. */
static int judge_addresses(struct wf_control *control, const struct ctl_crowd *crowd,
			   uint32_t scope, const struct wf_addr *addrs, size_t count,
			   struct wf_err *err)
{
	const struct wf_policy_member member = {
		.scope = scope,
		.namespace = wf_ctl_namespace_of(&crowd->labels),
		.labels = &crowd->labels,
		.ports = crowd->ports,
		.port_count = crowd->port_count,
		.addrs = addrs,
		.addr_count = count,
	};

	return wf_policy_engine_remote_put(control->policy.engine, &member, err);
}

static int judge(struct wf_control *control, const struct ctl_remote *remote, struct wf_err *err)
{
	return judge_addresses(control, remote->crowd, remote->scope, remote->addrs,
			       remote->addr_count, err);
}

/*
 * Policies forget the addresses of a remote that is in no table any more, but for those that `now`
 * (NULL: nobody) has. Another one may have one by now, and then it is that one's.
 */
static void misjudge(struct wf_control *control, const struct ctl_remote *remote,
		     const struct ctl_remote *now)
{
	struct wf_addr gone[WF_MAX_ENDPOINT_ADDRESSES];
	struct wf_err fault = WF_ERR_INIT;
	size_t count = 0;
	int r = 0;

	for (size_t i = 0; i < remote->addr_count; i++) {
		const struct wf_addr *addr = &remote->addrs[i];
		const struct ctl_remote *heir =
			wf_ctl_remote_by_address(control, remote->scope, addr);

		if (now && now->scope == remote->scope && has_address(now, addr))
			continue;
		if (!heir)
			gone[count++] = *addr;
		else if (r == 0)
			r = judge_addresses(control, heir->crowd, heir->scope, addr, 1, &fault);
	}
	if (r == 0 && count)
		r = wf_policy_engine_remote_drop(control->policy.engine, remote->scope, gone, count,
						 &fault);
	if (r < 0)
		wf_log_error("policies still know an endpoint that is gone",
			     "endpoint=%s error=\"%s\"", wf_ctl_remote_name(remote), fault.message);
}

/* What the datapath shall have at its addresses; false: nothing, its network is not there. */
static bool value_of(struct wf_control *control, const struct ctl_remote *remote,
		     struct wf_remote_value *ret_value)
{
	const struct ctl_network *network = wf_ctl_network_find(control, remote->crowd->network);

	if (network)
		*ret_value = (struct wf_remote_value){
			.node = remote->node->number,
			.network = network->spec.number,
			.flags = remote->is_bound ? WF_REMOTE_BOUND : 0,
		};
	return network;
}

/* Adds what is not right to what is written with the next flush. */
static int add_entries(struct wf_control *control, const struct ctl_remote *remote,
		       struct wf_err *err)
{
	uint32_t all = (1U << remote->addr_count) - 1;
	struct wf_remote_value value;
	int r = 0;

	if (remote->right == all || !value_of(control, remote, &value))
		return 0;
	for (size_t i = 0; r == 0 && i < remote->addr_count; i++)
		if (!(remote->right & 1U << i))
			r = wf_dp_remote_add(control->dp, remote->scope, &remote->addrs[i], &value,
					     err);
	return r;
}

int wf_ctl_remote_program(struct wf_control *control, const struct ctl_remote *remote,
			  struct wf_err *err)
{
	int r = add_entries(control, remote, err);

	return r < 0 ? r : wf_dp_remotes_flush(control->dp, err);
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

static void free_remote(struct wf_control *control, struct ctl_remote *remote)
{
	wf_ctl_crowd_leave(control, remote);
	free(remote);
}

void wf_ctl_remotes_free(struct wf_control *control)
{
	struct ctl_remote *remote;
	size_t at = 0;

	while ((remote = wf_ctl_remote_walk(control, &at)))
		free_remote(control, remote);
	wf_ctl_crowds_forget(control);
	wf_set_done(&control->cluster.remotes);
	wf_set_done(&control->cluster.addresses);
	wf_index_done(&control->cluster.crowds);
	wf_index_done(&control->cluster.crowd_networks);
	wf_index_done(&control->cluster.crowd_labels);
}

static void unlist_addresses(struct wf_control *control, struct ctl_remote *remote)
{
	for (size_t i = 0; i < remote->addr_count; i++)
		wf_set_remove(&control->cluster.addresses, address_entry(remote, i));
}

/* Into the tables; after a failure it is in none of them. */
static int list(struct wf_control *control, struct ctl_remote *remote)
{
	int r = wf_set_add(&control->cluster.remotes, remote);

	for (size_t i = 0; r == 0 && i < remote->addr_count; i++)
		r = wf_set_add(&control->cluster.addresses, address_entry(remote, i));
	if (r < 0) {
		unlist_addresses(control, remote);
		wf_set_remove(&control->cluster.remotes, remote);
		return r;
	}
	DL_APPEND2(remote->node->remotes, remote, prev_there, next_there);
	remote->node->remote_count++;
	hold(control, remote, true);
	return 0;
}

static void unlist(struct wf_control *control, struct ctl_remote *remote)
{
	hold(control, remote, false);
	unlist_addresses(control, remote);
	wf_set_remove(&control->cluster.remotes, remote);
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
		same = has_address(now, &before->addrs[i]);
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
		if (!now || now->scope != remote->scope || !has_address(now, &remote->addrs[i]))
			withdraw(control, remote->scope, &remote->addrs[i]);
}

/* Puts it in place of what was known under its name; *remote is the table's afterwards. */
static int replace(struct wf_control *control, struct ctl_remote *remote, struct wf_err *err)
{
	struct ctl_remote *before = wf_ctl_remote_find(control, wf_ctl_remote_name(remote));
	int r;

	if (before) {
		take_out(control, before, remote);
		misjudge(control, before, remote);
		free_remote(control, before);
	}
	if (list(control, remote) < 0) {
		free_remote(control, remote);
		return wf_fail(err, -ENOMEM, "out of memory");
	}
	if (!control->lb.settled)
		return 0;
	r = judge(control, remote, err);
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
	misjudge(control, remote, NULL);
	/* `name` may be its own */
	free_remote(control, remote);
}

/* Many at once: what they have in common is looked at once for all of them. */
static int judge_crowd(struct wf_control *control, const struct ctl_crowd *crowd,
		       struct wf_err *err)
{
	struct wf_addr addrs[WF_POLICY_REMOTE_ADDRESSES];
	const struct ctl_remote *remote = crowd->members;
	uint32_t scope = remote->scope;
	size_t count = 0;
	int r = 0;

	for (; r == 0 && remote; remote = remote->next_alike) {
		if (remote->scope != scope ||
		    count + remote->addr_count > WF_POLICY_REMOTE_ADDRESSES) {
			r = judge_addresses(control, crowd, scope, addrs, count, err);
			scope = remote->scope;
			count = 0;
		}
		for (size_t i = 0; i < remote->addr_count; i++)
			addrs[count++] = remote->addrs[i];
	}
	return r < 0 ? r : judge_addresses(control, crowd, scope, addrs, count, err);
}

int wf_ctl_remotes_judge(struct wf_control *control, struct wf_err *err)
{
	int r = 0;

	for (const struct ctl_crowd *crowd = control->cluster.crowd_list; r == 0 && crowd;
	     crowd = crowd->next)
		r = judge_crowd(control, crowd, err);
	return r;
}

struct comparison {
	struct wf_control *control;
	int result;
};

/* What is right is noted, what nobody has goes, and the rest is written over afterwards. */
static void compare(uint32_t scope, const struct wf_addr *addr, const struct wf_remote_value *value,
		    void *context)
{
	struct comparison *comparison = context;
	struct wf_control *control = comparison->control;
	size_t at;
	struct ctl_remote *known = find_address(control, scope, addr, &at);
	struct wf_remote_value wanted;

	if (known && value_of(control, known, &wanted) &&
	    memcmp(value, &wanted, sizeof(wanted)) == 0)
		known->right |= (uint8_t)(1U << at);
	else if (!known && comparison->result == 0 &&
		 (scope != WF_NETWORK_HOST || !wf_ctl_node_hosts_have(control, addr)))
		comparison->result = wf_dp_remote_clear(control->dp, scope, addr);
}

int wf_ctl_remotes_program(struct wf_control *control, struct wf_err *err)
{
	struct comparison comparison = { .control = control };
	int r = wf_dp_remote_visit(control->dp, compare, &comparison, err);
	struct ctl_remote *remote;
	size_t at = 0;

	while ((remote = wf_ctl_remote_walk(control, &at))) {
		if (r == 0)
			r = add_entries(control, remote, err);
		remote->right = 0;
	}
	if (r == 0)
		r = wf_dp_remotes_flush(control->dp, err);
	if (r == 0)
		r = wf_ctl_node_hosts_program(control, err);
	return r < 0 ? r : comparison.result;
}
