/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of endpoints of other nodes: by name, and by address within a scope. */
#include "control/remote_priv.h"

#include <string.h>

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

void wf_ctl_remotes_free(struct wf_control *control)
{
	struct ctl_remote *remote;
	size_t at = 0;

	while ((remote = wf_ctl_remote_walk(control, &at)))
		wf_ctl_remote_free(control, remote);
	wf_ctl_crowds_forget(control);
	wf_set_done(&control->cluster.remotes);
	wf_set_done(&control->cluster.addresses);
	wf_index_done(&control->cluster.crowds);
	wf_index_done(&control->cluster.crowd_networks);
	wf_index_done(&control->cluster.crowd_labels);
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

struct ctl_remote *wf_ctl_remote_find_address(struct wf_control *control, uint32_t scope,
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

	return wf_ctl_remote_find_address(control, scope, addr, &at);
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

bool wf_ctl_remote_has(const struct ctl_remote *remote, const struct wf_addr *addr)
{
	for (size_t i = 0; i < remote->addr_count; i++)
		if (wf_addr_equal(&remote->addrs[i], addr))
			return true;
	return false;
}

int wf_ctl_remote_list(struct wf_control *control, struct ctl_remote *remote)
{
	int r = wf_set_add(&control->cluster.remotes, remote);

	for (size_t i = 0; r == 0 && i < remote->addr_count; i++)
		r = wf_set_add(&control->cluster.addresses, address_entry(remote, i));
	if (r < 0)
		wf_ctl_remote_unlist(control, remote);
	return r;
}

void wf_ctl_remote_unlist(struct wf_control *control, struct ctl_remote *remote)
{
	for (size_t i = 0; i < remote->addr_count; i++)
		wf_set_remove(&control->cluster.addresses, address_entry(remote, i));
	wf_set_remove(&control->cluster.remotes, remote);
}
