/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a Service leaves open and what it must not be: cluster addresses and node ports are chosen
 * from what is free, and whatever two objects would both answer at is refused with the other's
 * name. Looks at what is in force and at the earlier documents of the same apply.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <utlist.h>

#include "base/mem.h"
#include "control/claims.h"
#include "control/control_priv.h"

/* Random places that are tried before the range is walked. */
#define RANDOM_TRIES 16

/* ---- who has an address or a port ------------------------------------------------------------ */

static void name_claim(const struct ctl_claim *claim, char who[320])
{
	static const char *const words[] = {
		[CTL_CLAIM_PORT] = "port",
		[CTL_CLAIM_NODE_PORT] = "node port",
		[CTL_CLAIM_HEALTH_PORT] = "health check node port",
	};

	if (claim->kind == CTL_CLAIM_ADDRESS)
		(void)snprintf(who, 320, "service %.253s", claim->owner->key);
	else
		(void)snprintf(who, 320, "%s %u of service %.253s", words[claim->kind], claim->port,
			       claim->owner->key);
}

static bool meet(const struct wf_addr *a, const struct wf_addr *b)
{
	if (wf_addr_is_zero(a) && wf_addr_is_zero(b))
		return true;
	/* :: stands for both families, 0.0.0.0 for one */
	if (wf_addr_is_zero(a))
		return !wf_addr_is_ip4(a) || wf_addr_is_ip4(b);
	if (wf_addr_is_zero(b))
		return !wf_addr_is_ip4(b) || wf_addr_is_ip4(a);
	return wf_addr_equal(a, b);
}

/* Whether an endpoint publishes one of these ports; addr zero: at every address of the host. */
static bool claims_published(struct wf_control *control, uint8_t proto, const struct wf_addr *addr,
			     uint16_t first, uint16_t last, const char *except, char who[320])
{
	const struct ctl_endpoint *endpoint;
	char text[WF_PUBLISH_TEXT];

	DL_FOREACH2(control->publishers, endpoint, next_publisher) {
		if (except && strcmp(endpoint->spec.meta.name, except) == 0)
			continue;
		for (size_t i = 0; i < endpoint->spec.publish.count; i++) {
			const struct wf_publish *other = &endpoint->spec.publish.items[i];

			if (other->proto != proto || other->first > last || other->last < first ||
			    !meet(&other->host_ip, addr))
				continue;
			(void)snprintf(who, 320, "endpoint %.200s, which publishes %s",
				       endpoint->spec.meta.name, wf_publish_format(other, text));
			return true;
		}
	}
	return false;
}

int wf_ctl_port_claimed(struct wf_control *control, uint8_t proto, const struct wf_addr *addr,
			uint16_t first, uint16_t last, const char *except, char ret_who[320])
{
	const struct ctl_claim *found =
		wf_ctl_claim_of_node_port(&control->lb.claims, proto, first, last, except);

	if (!found && !wf_addr_is_zero(addr))
		found = wf_ctl_claim_of_port(&control->lb.claims, addr, proto, first, last, except);
	if (!found)
		return claims_published(control, proto, addr, first, last, except, ret_who);
	name_claim(found, ret_who);
	return 1;
}

/* ---- cluster addresses ------------------------------------------------------------------------ */

/* Whether one of a service's addresses lies within a prefix: 1 and its name. */
static int lies_within(const struct ctl_claimant *claimant, const struct wf_prefix *prefix,
		       char who[320])
{
	char text[WF_ADDR_TEXT];

	for (size_t i = 0; claimant && i < claimant->count; i++) {
		const struct ctl_claim *claim = &claimant->claims[i];

		if (claim->kind != CTL_CLAIM_ADDRESS || !wf_index_has(&claim->node) ||
		    !wf_prefix_contains(prefix, &claim->addr))
			continue;
		(void)snprintf(who, 320, "%s of service %.253s", wf_addr_format(&claim->addr, text),
			       claimant->key);
		return 1;
	}
	return 0;
}

int wf_ctl_prefix_served(struct wf_control *control, const struct wf_prefix *prefix,
			 char ret_who[320])
{
	const struct ctl_plan *plan = control->plan;
	const struct ctl_service *service, *next;

	for (size_t i = 0; plan && i < plan->count; i++)
		if (lies_within(plan->items[i].claimant, prefix, ret_who))
			return 1;
	HASH_ITER(by_key, control->lb.services, service, next)
		if (lies_within(service->claimant, prefix, ret_who))
			return 1;
	return 0;
}

/* Who has an address that a service, of a network or of all, wants for itself. */
static bool is_address_taken(struct wf_control *control, const char *key, const char *of,
			     const struct wf_addr *addr, char who[320])
{
	const struct ctl_claim *claim = wf_ctl_claim_of_address(&control->lb.claims, addr, key);
	struct ctl_network *network, *next;

	if (claim) {
		name_claim(claim, who);
		return true;
	}
	HASH_ITER(by_name, control->networks, network, next) {
		for (size_t i = 0; i < network->spec.subnet_count; i++) {
			char cidr[WF_ADDR_TEXT];

			/* others' addresses are in nobody's way */
			if ((wf_ctl_scope_is_own(&network->spec) &&
			     strcmp(network->spec.meta.name, of) != 0) ||
			    !wf_prefix_contains(&network->spec.subnets[i].prefix, addr))
				continue;
			(void)snprintf(who, 320, "network %.200s (%s)", network->spec.meta.name,
				       wf_prefix_format(&network->spec.subnets[i].prefix, cidr));
			return true;
		}
	}
	return false;
}

static int choose_cluster_ip(struct wf_control *control, const char *key, const char *of, bool ip6,
			     struct wf_addr *ret_addr, struct wf_err *err)
{
	const struct wf_prefix *range = &control->lb.cluster_cidrs[ip6];
	unsigned int host_bits = (unsigned int)wf_addr_bits(&range->addr) - range->len;
	uint64_t room = host_bits >= 20 ? 1U << 20 : 1U << host_bits, at;
	uint64_t *walked = &control->lb.cluster_walked[ip6];
	char who[320], text[WF_ADDR_TEXT];

	/*
	 * Random first: an address that was just given up is not the next one given out. Then all,
	 * from where the last walk ended: a range that is nearly full is not walked anew each time.
	 */
	for (uint64_t i = 0; i < RANDOM_TRIES + room; i++) {
		at = (i < RANDOM_TRIES ? wf_ctl_random(control) : ++*walked) % room;
		if (at == 0 || at == room - 1)
			continue;
		*ret_addr = wf_addr_add(&range->addr, at);
		if (!is_address_taken(control, key, of, ret_addr, who))
			return 0;
	}
	return wf_fail_field(err, -ENOSPC, "spec.clusterIP",
			     "every address of the service range %s is taken",
			     wf_prefix_format(range, text));
}

static int check_address(struct wf_control *control, const char *key, const char *of,
			 const struct wf_addr *addr, const char *field, struct wf_err *err)
{
	char who[320], text[WF_ADDR_TEXT];

	if (!is_address_taken(control, key, of, addr, who))
		return 0;
	return wf_fail_field(err, -EADDRINUSE, field, "%s belongs to %s",
			     wf_addr_format(addr, text), who);
}

static bool has_family(const struct wf_service *spec, bool ip6)
{
	for (size_t i = 0; i < spec->cluster_ip_count; i++)
		if (wf_addr_is_ip4(&spec->cluster_ips[i]) != ip6)
			return true;
	return false;
}

static int add_cluster_ip(struct wf_control *control, const char *key, struct wf_service *spec,
			  const struct wf_service *before, bool ip6, struct wf_err *err)
{
	struct wf_addr *addr = &spec->cluster_ips[spec->cluster_ip_count];
	int r = 0;

	if (has_family(spec, ip6))
		return 0;
	for (size_t i = 0; before && i < before->cluster_ip_count; i++)
		if (wf_addr_is_ip4(&before->cluster_ips[i]) != ip6) {
			*addr = before->cluster_ips[i];
			spec->cluster_ip_count++;
			return 0;
		}
	r = choose_cluster_ip(control, key, spec->network, ip6, addr, err);
	if (r == 0)
		spec->cluster_ip_count++;
	return r;
}

static int complete_addresses(struct wf_control *control, const char *key, struct wf_service *spec,
			      const struct wf_service *before, struct wf_err *err)
{
	int r = 0;

	if (spec->headless || spec->type == WF_SERVICE_EXTERNAL_NAME)
		return 0;
	for (size_t i = 0; r == 0 && i < spec->cluster_ip_count; i++)
		r = check_address(control, key, spec->network, &spec->cluster_ips[i],
				  i ? "spec.clusterIPs[1]" : "spec.clusterIP", err);
	/* the first family's address is clusterIP */
	for (int pass = 0; r == 0 && pass < 2; pass++) {
		bool ip6 = spec->ip6_first ? pass == 0 : pass == 1;

		if (ip6 ? spec->want_ip6 : spec->want_ip4)
			r = add_cluster_ip(control, key, spec, before, ip6, err);
	}
	return r;
}

/* An address that several services may share as long as their ports differ. */
static int check_shared(struct wf_control *control, const char *key, const struct wf_service *spec,
			const struct wf_service_addrs *list, const char *field, struct wf_err *err)
{
	char who[320], text[WF_ADDR_TEXT], path[64];
	struct ctl_network *network, *next;

	for (size_t i = 0; i < list->count; i++) {
		const struct wf_addr *addr = &list->items[i];

		(void)snprintf(path, sizeof(path), "%s[%zu]", field, i);
		HASH_ITER(by_name, control->networks, network, next)
			if (wf_network_subnet_of(&network->spec, addr))
				return wf_fail_field(err, -EADDRINUSE, path,
						     "%s is inside the subnet of network %s",
						     wf_addr_format(addr, text),
						     network->spec.meta.name);
		for (size_t p = 0; p < spec->port_count; p++)
			if (wf_ctl_port_claimed(control, spec->ports[p].proto, addr,
						spec->ports[p].port, spec->ports[p].port, key, who))
				return wf_fail_field(
					err, -EADDRINUSE, path, "port %u at %s belongs to %s",
					spec->ports[p].port, wf_addr_format(addr, text), who);
	}
	return 0;
}

/* ---- node ports -------------------------------------------------------------------------------- */

static bool wants_node_ports(const struct wf_service *spec)
{
	return spec->type == WF_SERVICE_NODE_PORT ||
	       (spec->type == WF_SERVICE_LOAD_BALANCER && spec->allocate_node_ports);
}

/* Whether it is where the service's health check answers. */
static bool is_own_health_port(const struct wf_service *spec, uint8_t proto, uint16_t number)
{
	return proto == IPPROTO_TCP && wf_ctl_wants_health_port(spec) &&
	       spec->health_check_node_port == number;
}

/* Whether the service itself gave the number to another of its ports. */
static bool is_own_node_port(const struct wf_service *spec, size_t except, uint8_t proto,
			     uint16_t number)
{
	if (is_own_health_port(spec, proto, number))
		return true;
	for (size_t i = 0; i < spec->port_count; i++)
		if (i != except && spec->ports[i].proto == proto &&
		    spec->ports[i].node_port == number)
			return true;
	return false;
}

static int choose_node_port(struct wf_control *control, const char *key, struct wf_service *spec,
			    size_t index, struct wf_err *err)
{
	const uint16_t first = control->config.node_port_first;
	const uint32_t room = (uint32_t)control->config.node_port_last - first + 1U;
	const struct wf_addr any = { 0 };
	char who[320];

	for (uint32_t i = 0; i < RANDOM_TRIES + room; i++) {
		uint32_t at = i < RANDOM_TRIES ? wf_ctl_random(control) % room : i - RANDOM_TRIES;
		uint16_t number = (uint16_t)(first + at);

		if (is_own_node_port(spec, index, spec->ports[index].proto, number) ||
		    wf_ctl_port_claimed(control, spec->ports[index].proto, &any, number, number,
					key, who))
			continue;
		spec->ports[index].node_port = number;
		return 0;
	}
	return wf_fail_field(err, -ENOSPC, "spec.ports", "every node port from %u to %u is taken",
			     first, control->config.node_port_last);
}

/* The number that the port had before the change, if it says none now. */
static void keep_node_port(const struct wf_service *spec, struct wf_service_port *port,
			   const struct wf_service *before)
{
	for (size_t i = 0; before && i < before->port_count; i++)
		if (before->ports[i].proto == port->proto && before->ports[i].port == port->port)
			port->node_port = before->ports[i].node_port;
	if (is_own_health_port(spec, port->proto, port->node_port))
		port->node_port = 0;
}

static int complete_node_ports(struct wf_control *control, const char *key, struct wf_service *spec,
			       const struct wf_service *before, struct wf_err *err)
{
	const struct wf_addr any = { 0 };
	char who[320], field[64];
	int r = 0;

	for (size_t i = 0; r == 0 && i < spec->port_count; i++) {
		struct wf_service_port *port = &spec->ports[i];

		(void)snprintf(field, sizeof(field), "spec.ports[%zu].nodePort", i);
		if (!port->node_port && wants_node_ports(spec)) {
			keep_node_port(spec, port, before);
			if (!port->node_port)
				r = choose_node_port(control, key, spec, i, err);
			continue;
		}
		if (!port->node_port)
			continue;
		if (port->node_port < control->config.node_port_first ||
		    port->node_port > control->config.node_port_last)
			return wf_fail_field(err, -EINVAL, field,
					     "%u is not in the range of node ports, %u-%u",
					     port->node_port, control->config.node_port_first,
					     control->config.node_port_last);
		if (wf_ctl_port_claimed(control, port->proto, &any, port->node_port,
					port->node_port, key, who))
			return wf_fail_field(err, -EADDRINUSE, field, "%u belongs to %s",
					     port->node_port, who);
	}
	return r;
}

static int choose_health_port(struct wf_control *control, const char *key, struct wf_service *spec,
			      struct wf_err *err)
{
	struct wf_service_port port = { .proto = IPPROTO_TCP };
	struct wf_service chooser = { .ports = &port, .port_count = 1 };
	int r;

	do {
		r = choose_node_port(control, key, &chooser, 0, err);
	} while (r == 0 && is_own_node_port(spec, SIZE_MAX, IPPROTO_TCP, port.node_port));
	if (r == 0)
		spec->health_check_node_port = port.node_port;
	return r;
}

static int check_health_port(struct wf_control *control, const char *key,
			     const struct wf_service *spec, struct wf_err *err)
{
	const uint16_t number = spec->health_check_node_port;
	static const char field[] = "spec.healthCheckNodePort";
	const struct wf_addr any = { 0 };
	char who[320];

	if (number < control->config.node_port_first || number > control->config.node_port_last)
		return wf_fail_field(
			err, -EINVAL, field, "%u is not in the range of node ports, %u-%u", number,
			control->config.node_port_first, control->config.node_port_last);
	if (wf_ctl_port_claimed(control, IPPROTO_TCP, &any, number, number, key, who))
		return wf_fail_field(err, -EADDRINUSE, field, "%u belongs to %s", number, who);
	return 0;
}

static int complete_health_port(struct wf_control *control, const char *key,
				struct wf_service *spec, const struct wf_service *before,
				struct wf_err *err)
{
	if (!wf_ctl_wants_health_port(spec))
		return 0;
	if (!spec->health_check_node_port && before)
		spec->health_check_node_port = before->health_check_node_port;
	return spec->health_check_node_port ? check_health_port(control, key, spec, err)
					    : choose_health_port(control, key, spec, err);
}

int wf_ctl_service_complete(struct wf_control *control, const char *key, struct wf_service *spec,
			    const struct wf_service *before, struct wf_err *err)
{
	int r = complete_addresses(control, key, spec, before, err);

	if (r == 0)
		r = check_shared(control, key, spec, &spec->external_ips, "spec.externalIPs", err);
	if (r == 0)
		r = check_shared(control, key, spec, &spec->balancer_ips,
				 "status.loadBalancer.ingress", err);
	if (r == 0)
		r = complete_node_ports(control, key, spec, before, err);
	return r < 0 ? r : complete_health_port(control, key, spec, before, err);
}
