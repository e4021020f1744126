/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Published ports: what endpoints ask for is checked against everybody who may have the port, and
 * all runs of the node are written as one sorted list.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "base/mem.h"
#include "control/control_priv.h"
#include "net/sock.h"

struct runs {
	struct wf_range_value *items; /* owned */
	size_t count, capacity;
};

static const struct wf_addr any_ip6;

static struct wf_addr any_ip4(void)
{
	return wf_addr_from_ip4(0);
}

/* Whether a run published at host_ip shall exist in a family. */
static bool is_in_family(const struct wf_publish *publish, bool ip4)
{
	if (wf_addr_is_zero(&publish->host_ip) && !wf_addr_is_ip4(&publish->host_ip))
		return true;
	return wf_addr_is_ip4(&publish->host_ip) == ip4;
}

/* The endpoint's first address of a family, NULL when it has none. */
static const struct wf_addr *address_of(const struct wf_endpoint *spec, bool ip4)
{
	for (size_t i = 0; i < spec->address_count; i++)
		if (wf_addr_is_ip4(&spec->addresses[i].prefix.addr) == ip4)
			return &spec->addresses[i].prefix.addr;
	return NULL;
}

static int check_target(const struct ctl_endpoint *endpoint, const struct wf_publish *publish,
			const char *field, struct wf_err *err)
{
	bool found = false;

	for (int ip4 = 0; ip4 <= 1; ip4++)
		found = found || (is_in_family(publish, ip4) && address_of(&endpoint->spec, ip4));
	if (found)
		return 0;
	return wf_fail_field(err, -EADDRNOTAVAIL, field,
			     "the endpoint has no address of the family of the host address");
}

static int check_host_ip(struct wf_control *control, const struct wf_publish *publish,
			 const char *field, struct wf_err *err)
{
	static const uint8_t loopback6[16] = { [15] = 1 };
	const struct wf_addr *addr = &publish->host_ip;
	char text[WF_ADDR_TEXT];
	bool loopback = wf_addr_is_ip4(addr) ? addr->bytes[12] == 127
					     : memcmp(addr->bytes, loopback6, 16) == 0;

	if (wf_addr_is_zero(addr) || loopback || wf_ctl_view_is_host(control, addr))
		return 0;
	/* an address may have come since the last look; gateways are the host's as well */
	if (wf_ctl_uplinks_sync(control, NULL) == 0 && wf_ctl_view_is_host(control, addr))
		return 0;
	for (const struct ctl_network *network = control->networks; network;
	     network = network->by_name.next)
		for (size_t i = 0; i < network->spec.subnet_count; i++)
			if (!wf_ctl_scope_is_own(&network->spec) &&
			    network->spec.subnets[i].has_gateway &&
			    wf_addr_equal(&network->spec.subnets[i].gateway, addr))
				return 0;
	return wf_fail_field(err, -EADDRNOTAVAIL, field, "%s is not an address of this host",
			     wf_addr_format(addr, text));
}

static int check_one(struct wf_control *control, const struct ctl_endpoint *endpoint, size_t index,
		     struct wf_err *err)
{
	const struct wf_publish *publish = &endpoint->spec.publish.items[index];
	char who[320], owner[96], field[32];
	uint16_t port;
	int r;

	(void)snprintf(field, sizeof(field), "publish[%zu]", index);
	r = check_target(endpoint, publish, field, err);
	if (r == 0)
		r = check_host_ip(control, publish, field, err);
	if (r < 0)
		return r;
	if (wf_ctl_port_claimed(control, publish->proto, &publish->host_ip, publish->first,
				publish->last, endpoint->spec.meta.name, who))
		return wf_fail_field(err, -EADDRINUSE, field, "port %u of the host belongs to %s",
				     publish->first, who);
	r = wf_net_port_owner(control->net, publish->proto, &publish->host_ip, publish->first,
			      publish->last, &port, owner, err);
	if (r > 0)
		return wf_fail_field(err, -EADDRINUSE, field, "port %u of the host is used by %s",
				     port, owner);
	return r;
}

int wf_ctl_publish_check(struct wf_control *control, const struct ctl_endpoint *endpoint,
			 struct wf_err *err)
{
	const struct wf_publishes *list = &endpoint->spec.publish;
	int r = 0;

	if (list->count && !endpoint->spec.slot)
		return wf_fail_field(err, -EOPNOTSUPP, "publish",
				     "ports can be published in networks with driver bridge; "
				     "network %s has another",
				     endpoint->spec.network);
	if (list->count && !wf_ctl_scope_has_outsiders(&endpoint->network->spec))
		return wf_fail_field(err, -EOPNOTSUPP, "publish",
				     "nobody beyond network %s, which has spec.overlapping: true, "
				     "reaches its containers: no port can be published without "
				     "spec.masquerade: true",
				     endpoint->spec.network);
	for (size_t i = 0; r == 0 && i < list->count; i++)
		r = check_one(control, endpoint, i, err);
	return r;
}

static int add_run(struct wf_control *control, struct runs *runs,
		   const struct ctl_endpoint *endpoint, size_t index, bool ip4)
{
	const struct wf_publish *publish = &endpoint->spec.publish.items[index];
	const struct wf_addr *target = address_of(&endpoint->spec, ip4);
	struct wf_range_value *run;
	char key[WF_NAME_BYTES + 32];

	if (!target || !is_in_family(publish, ip4))
		return 0;
	if (wf_mem_grow(&runs->items, sizeof(*runs->items), runs->count, &runs->capacity) < 0)
		return -ENOMEM;
	run = &runs->items[runs->count++];
	*run = (struct wf_range_value){
		.addr = publish->host_ip,
		.target = *target,
		.slot = endpoint->spec.slot,
		.target_port = htons(publish->target),
		.first = publish->first,
		.last = publish->last,
		.proto = publish->proto,
	};
	if (wf_addr_is_zero(&publish->host_ip))
		run->addr = ip4 ? any_ip4() : any_ip6;
	(void)snprintf(key, sizeof(key), "publish/%s/%zu", endpoint->spec.meta.name, index);
	/* without a number its hits are not counted, that is all */
	(void)wf_lb_table_number_take(control->lb.table, key, &run->service, NULL);
	return 0;
}

static void forget_numbers(struct wf_control *control, const struct ctl_endpoint *endpoint)
{
	char key[WF_NAME_BYTES + 32];

	for (size_t i = 0; endpoint && i < endpoint->spec.publish.count; i++) {
		(void)snprintf(key, sizeof(key), "publish/%s/%zu", endpoint->spec.meta.name, i);
		wf_lb_table_number_release(control->lb.table, key);
	}
}

int wf_ctl_publish_sync(struct wf_control *control, const struct ctl_endpoint *without,
			struct wf_err *err)
{
	const struct ctl_endpoint *endpoint;
	struct runs runs = { 0 };
	uint32_t word;
	int r = 0;

	DL_FOREACH2(control->publishers, endpoint, next_publisher) {
		if (endpoint == without || !endpoint->spec.slot)
			continue;
		for (size_t i = 0; r == 0 && i < endpoint->spec.publish.count; i++) {
			r = add_run(control, &runs, endpoint, i, true);
			if (r == 0)
				r = add_run(control, &runs, endpoint, i, false);
		}
	}
	if (r < 0)
		r = wf_fail(err, r, "out of memory for published ports");
	else
		r = wf_dp_ranges_set(control->dp, runs.items, runs.count, &word, err);
	free(runs.items);
	if (r == 0) {
		control->lb.run_count = runs.count;
		wf_ctl_lb_config(control);
	}
	forget_numbers(control, without);
	return r;
}
