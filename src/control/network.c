/* SPDX-License-Identifier: Apache-2.0 */
/* Networks: completing what a document leaves open, coming into force, changing, ending. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "control/control_priv.h"

/* What new subnets must keep away from. */
struct taken_list {
	struct wf_choose_taken *items; /* owned, with their texts */
	size_t count, capacity;
	bool failed;
};

static void taken_done(struct taken_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free((char *)list->items[i].what);
	free(list->items);
}

static void taken_add(struct taken_list *list, const struct wf_prefix *prefix, const char *owner,
		      const char *name)
{
	char *what;

	if (wf_mem_grow(&list->items, sizeof(*list->items), list->count, &list->capacity) < 0 ||
	    asprintf(&what, "%s %s", owner, name) < 0) {
		list->failed = true;
		return;
	}
	list->items[list->count++] = (struct wf_choose_taken){ .prefix = *prefix, .what = what };
}

static void add_host_prefix(const struct wf_prefix *prefix, const char *device, uint8_t protocol,
			    void *context)
{
	bool link_local = prefix->addr.bytes[0] == 0xfe || prefix->addr.bytes[0] == 0xff;

	(void)protocol;
	if (prefix->len == 0 || link_local || strcmp(device, WF_NET_HOST_DEVICE) == 0)
		return;
	taken_add(context, prefix, "the host's route or address on", device);
}

/* What is reached beyond the nodes has no containers. */
static void add_routes(struct taken_list *list, const struct wf_network *network)
{
	for (size_t i = 0; i < network->route_count; i++)
		if (!wf_route_is_default(&network->routes[i]))
			taken_add(list, &network->routes[i].to, "a route of network",
				  network->meta.name);
}

/* Beside the subnets of networks and of services. */
enum taken_more {
	TAKEN_HOST = 1 << 0,   /* routes and addresses of the host */
	TAKEN_ROUTES = 1 << 1, /* what other networks have routes to */
};

/* What another network has, if the one in question keeps away from it. */
static void add_network(struct taken_list *list, const struct wf_network *of,
			const struct wf_network *other, unsigned int more)
{
	if (strcmp(other->meta.name, of->meta.name) == 0 || !wf_ctl_scope_heeds(of, other))
		return;
	for (size_t i = 0; i < other->subnet_count; i++)
		taken_add(list, &other->subnets[i].prefix, "network", other->meta.name);
	if (more & TAKEN_ROUTES)
		add_routes(list, other);
}

/* The subnets of all networks but `of` itself; more: enum taken_more. */
static int collect_taken(struct wf_control *control, const struct wf_network *of, unsigned int more,
			 struct taken_list *list, struct wf_err *err)
{
	struct ctl_network *network, *next;
	int r = 0;

	HASH_ITER(by_name, control->networks, network, next)
		add_network(list, of, &network->spec, more);
	for (const struct ctl_change *change = control->plan ? control->plan->networks : NULL;
	     change; change = change->next_network)
		add_network(list, of, &change->network, more);
	for (size_t i = 0; i < WF_ARRAY_LEN(control->lb.cluster_cidrs); i++)
		taken_add(list, &control->lb.cluster_cidrs[i], "the service addresses of",
			  "--service-cidr");
	if (more & TAKEN_HOST)
		r = wf_net_prefix_dump(control->net, add_host_prefix, list, err);
	if (r == 0 && list->failed)
		r = wf_fail(err, -ENOMEM, "out of memory listing the prefixes in use");
	return r;
}

static bool takes_subnets(enum wf_driver driver)
{
	return driver != WF_DRIVER_HOST && driver != WF_DRIVER_NONE;
}

static int choose(struct wf_network *network, const struct wf_choose_pool *pools, size_t count,
		  struct taken_list *taken, struct wf_err *err)
{
	struct wf_subnet *subnet = &network->subnets[network->subnet_count];
	int r = wf_choose_subnet(pools, count, taken->items, taken->count, &subnet->prefix, err);

	if (r < 0) {
		wf_err_set_field(err, "spec.subnets");
		return r;
	}
	subnet->has_gateway = wf_network_has_gateways(network);
	if (subnet->has_gateway)
		subnet->gateway = wf_addr_add(&subnet->prefix.addr, 1);
	network->subnet_count++;
	return 0;
}

static int choose_subnets(struct wf_control *control, struct wf_network *network,
			  struct wf_err *err)
{
	_cleanup_(taken_done) struct taken_list taken = { 0 };
	struct wf_choose_pool ula = wf_choose_default_ip6(control->ula_seed);
	const struct wf_choose_pool *pools;
	size_t count;
	int r;

	r = collect_taken(control, network, TAKEN_HOST | TAKEN_ROUTES, &taken, err);
	if (r < 0)
		return r;
	add_routes(&taken, network);
	if (network->want_ip4) {
		pools = wf_choose_default_ip4(&count);
		r = choose(network, pools, count, &taken, err);
	}
	if (r == 0 && network->want_ip6)
		r = choose(network, &ula, 1, &taken, err);
	return r;
}

static int copy_ranges(struct wf_ranges *to, const struct wf_ranges *from)
{
	int r = 0;

	memset(to, 0, sizeof(*to));
	for (size_t i = 0; r == 0 && i < from->count; i++)
		r = wf_ranges_add(to, &from->items[i]);
	return r;
}

static int copy_subnets(struct wf_network *to, const struct wf_network *from, struct wf_err *err)
{
	for (size_t i = 0; i < from->subnet_count; i++) {
		struct wf_subnet *subnet = &to->subnets[i];
		int failed;

		*subnet = from->subnets[i];
		failed = copy_ranges(&subnet->ranges, &from->subnets[i].ranges);
		failed |= copy_ranges(&subnet->excluded, &from->subnets[i].excluded);
		to->subnet_count = i + 1;
		if (failed)
			return wf_fail(err, -ENOMEM, "out of memory for the subnets of network %s",
				       from->meta.name);
	}
	return 0;
}

/* Whether the subnets that were chosen before still are what the document asks for. */
static bool same_families(const struct wf_network *network, const struct wf_network *before)
{
	bool ip4 = false, ip6 = false;

	for (size_t i = 0; i < before->subnet_count; i++)
		*(wf_addr_is_ip4(&before->subnets[i].prefix.addr) ? &ip4 : &ip6) = true;
	return ip4 == network->want_ip4 && ip6 == network->want_ip6;
}

/* Said once and for all, in the document: nodes that are told different things agree. */
static void complete_encryption(const struct wf_control *control, struct wf_network *network,
				const struct wf_network *before)
{
	if (network->driver != WF_DRIVER_OVERLAY || network->encryption != WF_ENCRYPTION_DEFAULT)
		return;
	network->encryption = before && before->driver == WF_DRIVER_OVERLAY
				      ? before->encryption
				      : control->config.encryption;
}

int wf_ctl_network_complete(struct wf_control *control, struct wf_network *network,
			    const struct wf_network *before, struct wf_err *err)
{
	if (before) {
		network->number = before->number;
	} else {
		network->number = wf_ctl_number_take(control);
		if (!network->number)
			return wf_fail(err, -ENOSPC, "all %d network numbers of the node are taken",
				       WF_MAX_NETWORKS - 1);
	}
	complete_encryption(control, network, before);
	if (!takes_subnets(network->driver) || network->subnet_count)
		return 0;
	if (before && same_families(network, before))
		return copy_subnets(network, before, err);
	return choose_subnets(control, network, err);
}

static int check_routes(struct wf_control *control, const struct wf_network *network,
			struct wf_err *err)
{
	_cleanup_(taken_done) struct taken_list taken = { 0 };
	int r;

	if (!network->route_count)
		return 0;
	r = collect_taken(control, network, 0, &taken, err);
	return r < 0 ? r : wf_ctl_vteps_check(control, network, taken.items, taken.count, err);
}

/* What a network that overlaps another one could do about it. */
static const char *way_out(const struct wf_network *network)
{
	if (network->driver != WF_DRIVER_OVERLAY && network->driver != WF_DRIVER_BRIDGE)
		return "";
	return "; or say overlapping: true, if it needs neither the host nor anybody beyond it";
}

/*
 * Subnets of networks that the host routes must be told apart; a macvlan or ipvlan network
 * naturally has the subnet of its parent, and one with overlapping: true is by itself.
 */
int wf_ctl_network_check(struct wf_control *control, const struct wf_network *network,
			 struct wf_err *err)
{
	_cleanup_(taken_done) struct taken_list taken = { 0 };
	bool routed = wf_driver_is_routed(network->driver);
	int r;

	if (!takes_subnets(network->driver) || wf_ctl_scope_is_own(network))
		return 0;
	r = collect_taken(control, network, TAKEN_ROUTES | (routed ? TAKEN_HOST : 0), &taken, err);
	for (size_t i = 0; r == 0 && i < network->subnet_count; i++) {
		const struct wf_prefix *prefix = &network->subnets[i].prefix;
		const struct wf_choose_taken *other =
			wf_choose_overlap(prefix, taken.items, taken.count);
		char field[64], mine[WF_ADDR_TEXT], theirs[WF_ADDR_TEXT], who[320];

		(void)snprintf(field, sizeof(field), "spec.subnets[%zu].cidr", i);
		if (!other && wf_ctl_prefix_served(control, prefix, who))
			r = wf_fail_field(err, -EADDRINUSE, field, "%s contains %s",
					  wf_prefix_format(prefix, mine), who);
		if (!other)
			continue;
		r = wf_fail_field(err, -EADDRINUSE, field,
				  "%s overlaps %s of %s; choose another, or leave subnets out to "
				  "have a free one chosen%s",
				  wf_prefix_format(prefix, mine),
				  wf_prefix_format(&other->prefix, theirs), other->what,
				  way_out(network));
	}
	return r < 0 ? r : check_routes(control, network, err);
}

int wf_ctl_network_start(struct wf_control *control, struct wf_network *spec, struct wf_err *err)
{
	struct ctl_network *network;
	int r;

	r = wf_ctl_network_insert(control, spec, &network, err);
	if (r < 0)
		return r;
	r = wf_ctl_network_resolve(control, network, err);
	network->is_stranded = false;
	if (r == 0)
		r = wf_ctl_program_network(control, network, err);
	if (r == 0 && (wf_ctl_is_routed_by_host(network) || network->host_ifindex))
		r = wf_ctl_host_sync(control, err);
	if (r < 0)
		wf_ctl_network_stop(control, network);
	wf_ctl_encrypt_touch(control);
	return r;
}

/* The pools of a changed network: those of subnets that stay are moved along, others are new. */
struct next_pools {
	struct wf_pool *fresh[WF_MAX_SUBNETS]; /* owned; NULL where one is kept */
	size_t kept[WF_MAX_SUBNETS];           /* else: its index until now */
};

static void next_pools_done(struct next_pools *next)
{
	for (size_t i = 0; i < WF_MAX_SUBNETS; i++)
		wf_pool_free(&next->fresh[i]);
}

/* What is reserved in the network stays so in a new pool. */
static int hold_again(struct wf_control *control, const struct wf_network *spec,
		      struct wf_pool *pool, struct wf_err *err)
{
	struct ctl_reservation *reservation, *next;
	int r = 0;

	HASH_ITER(by_name, control->reservations, reservation, next) {
		const struct wf_reservation *held = &reservation->spec;

		if (strcmp(held->network, spec->meta.name) != 0)
			continue;
		for (size_t i = 0; r == 0 && i < held->address_count; i++)
			if (wf_prefix_contains(wf_pool_prefix(pool), &held->addresses[i]))
				r = wf_pool_reserve(pool, &held->addresses[i], held->holder, err);
	}
	return r;
}

static int next_pools_make(struct wf_control *control, struct ctl_network *network,
			   const struct wf_network *spec, struct next_pools *next,
			   struct wf_err *err)
{
	const struct wf_network *before = &network->spec;

	for (size_t i = 0; i < spec->subnet_count; i++) {
		int r;

		for (next->kept[i] = 0; next->kept[i] < before->subnet_count; next->kept[i]++)
			if (wf_prefix_equal(&spec->subnets[i].prefix,
					    &before->subnets[next->kept[i]].prefix))
				break;
		if (next->kept[i] < before->subnet_count)
			continue;
		if (wf_ctl_pool_new(&next->fresh[i], spec, i) < 0)
			return wf_fail(err, -ENOMEM, "out of memory for the pools of network %s",
				       spec->meta.name);
		wf_pool_ask(next->fresh[i], wf_ctl_remote_owner, network);
		r = hold_again(control, spec, next->fresh[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int update_kept(struct ctl_network *network, const struct wf_network *spec,
		       const struct next_pools *next, struct wf_err *err)
{
	for (size_t i = 0; i < spec->subnet_count; i++) {
		int r = next->fresh[i] ? 0
				       : wf_ctl_pool_update(network->pools[next->kept[i]], spec, i);
		char field[64];

		if (r == -EADDRINUSE) {
			(void)snprintf(field, sizeof(field), "spec.subnets[%zu].gateway", i);
			return wf_fail_field(err, r, field,
					     "an endpoint or a reservation has this address; see "
					     "'weft ip ls'");
		}
		if (r < 0)
			return wf_fail(err, r, "out of memory for the pools of network %s",
				       spec->meta.name);
	}
	return 0;
}

/* On failure pools may have some of the new rules already: change back to what was before. */
static int change_pools(struct wf_control *control, struct ctl_network *network,
			const struct wf_network *spec, struct wf_err *err)
{
	_cleanup_(next_pools_done) struct next_pools next = { 0 };
	struct wf_pool *pools[WF_MAX_SUBNETS] = { NULL };
	int r;

	r = next_pools_make(control, network, spec, &next, err);
	if (r == 0)
		r = update_kept(network, spec, &next, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < spec->subnet_count; i++)
		pools[i] = next.fresh[i] ? TAKE_PTR(next.fresh[i])
					 : TAKE_PTR(network->pools[next.kept[i]]);
	for (size_t i = 0; i < WF_MAX_SUBNETS; i++) {
		wf_pool_free(&network->pools[i]);
		network->pools[i] = pools[i];
	}
	return 0;
}

int wf_ctl_network_change(struct wf_control *control, struct ctl_network *network,
			  struct wf_network *spec, struct wf_err *err)
{
	_cleanup_(wf_network_done) struct wf_network before = { 0 };
	int r;

	r = change_pools(control, network, spec, err);
	if (r < 0)
		return r;
	/* the hash key lives in the struct: same name, same place */
	before = network->spec;
	network->spec = *spec;
	memset(spec, 0, sizeof(*spec));
	wf_ctl_blocks_cut(control, network);
	wf_ctl_hosts_check(control, network, !wf_ctl_takes_hosts(network));
	/* traffic goes on: first what is new, then away with what is not wanted any more */
	r = wf_ctl_network_resolve(control, network, err);
	if (r == 0)
		r = wf_ctl_program_network(control, network, err);
	wf_ctl_service_routes_touch(control, network);
	wf_ctl_unprogram_network(control, &before, &network->spec);
	if (r == 0)
		r = wf_ctl_host_sync(control, err);
	wf_ctl_encrypt_touch(control);
	return r;
}

void wf_ctl_network_stop(struct wf_control *control, struct ctl_network *network)
{
	bool routed = wf_ctl_is_routed_by_host(network);

	wf_ctl_blocks_end(control, network);
	wf_ctl_hosts_check(control, network, true);
	wf_ctl_unprogram_network(control, &network->spec, NULL);
	if (network->host_ifindex && wf_net_link_del(control->net, network->host_ifindex, NULL) < 0)
		wf_ctl_dirty(control, CTL_DIRTY_DEVICES);
	wf_ctl_parent_drop(control, network);
	wf_ctl_network_remove(control, network);
	wf_ctl_encrypt_touch(control);
	if (routed && wf_ctl_host_sync(control, NULL) < 0)
		wf_ctl_dirty(control, CTL_DIRTY_HOST);
}

int wf_ctl_network_create_default(struct wf_control *control, const char *name, struct wf_err *err)
{
	_cleanup_(wf_json_cleanup) json_t *documents = NULL;
	_cleanup_(wf_json_cleanup) json_t *results = NULL;

	documents = json_pack("[{s:s, s:s, s:{s:s}, s:{}}]", "apiVersion", WF_API_VERSION, "kind",
			      WF_KIND_NETWORK, "metadata", "name", name, "spec");
	if (!documents)
		return wf_fail(err, -ENOMEM, "out of memory creating network %s", name);
	return wf_control_apply(control, documents, false, &results, err);
}
