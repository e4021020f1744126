/* SPDX-License-Identifier: Apache-2.0 */
#include "control/claims.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static const struct wf_addr every_address;

bool wf_ctl_wants_health_port(const struct wf_service *service)
{
	return service->type == WF_SERVICE_LOAD_BALANCER && service->external_local;
}

static uint64_t hash_of(enum ctl_claim_kind kind, const struct wf_addr *addr, uint8_t proto,
			uint16_t port)
{
	/* the two kinds of node ports are found together */
	if (kind == CTL_CLAIM_HEALTH_PORT)
		kind = CTL_CLAIM_NODE_PORT;
	return wf_hash_addr((uint64_t)kind << 32 | (uint64_t)proto << 16 | port, addr);
}

static size_t count_claims(const struct wf_service *spec)
{
	size_t addrs = spec->cluster_ip_count + spec->external_ips.count + spec->balancer_ips.count;
	size_t count = addrs * (1 + spec->port_count) + wf_ctl_wants_health_port(spec);

	for (size_t p = 0; p < spec->port_count; p++)
		count += spec->ports[p].node_port != 0;
	return count;
}

static void add(struct ctl_claimant *claimant, enum ctl_claim_kind kind, const struct wf_addr *addr,
		uint8_t proto, uint16_t port)
{
	claimant->claims[claimant->count++] = (struct ctl_claim){
		.owner = claimant,
		.addr = *addr,
		.port = port,
		.proto = proto,
		.kind = (uint8_t)kind,
	};
}

static void add_addresses(struct ctl_claimant *claimant, const struct wf_service *spec,
			  const struct wf_addr *addrs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		add(claimant, CTL_CLAIM_ADDRESS, &addrs[i], 0, 0);
		for (size_t p = 0; p < spec->port_count; p++)
			add(claimant, CTL_CLAIM_PORT, &addrs[i], spec->ports[p].proto,
			    spec->ports[p].port);
	}
}

static void add_node_ports(struct ctl_claimant *claimant, const struct wf_service *spec)
{
	for (size_t p = 0; p < spec->port_count; p++)
		if (spec->ports[p].node_port)
			add(claimant, CTL_CLAIM_NODE_PORT, &every_address, spec->ports[p].proto,
			    spec->ports[p].node_port);
	if (wf_ctl_wants_health_port(spec))
		add(claimant, CTL_CLAIM_HEALTH_PORT, &every_address, IPPROTO_TCP,
		    spec->health_check_node_port);
}

int wf_ctl_claimant_new(struct ctl_claimant **ret_claimant, const char *key,
			const struct wf_service *spec)
{
	size_t bytes = sizeof(struct ctl_claimant) + count_claims(spec) * sizeof(struct ctl_claim);
	size_t key_bytes = strlen(key) + 1;
	struct ctl_claimant *claimant = calloc(1, bytes + key_bytes);

	if (!claimant)
		return -ENOMEM;
	claimant->key = (char *)claimant + bytes;
	memcpy(claimant->key, key, key_bytes);
	add_addresses(claimant, spec, spec->cluster_ips, spec->cluster_ip_count);
	add_addresses(claimant, spec, spec->external_ips.items, spec->external_ips.count);
	add_addresses(claimant, spec, spec->balancer_ips.items, spec->balancer_ips.count);
	add_node_ports(claimant, spec);
	*ret_claimant = claimant;
	return 0;
}

void wf_ctl_claimant_show(struct wf_index *claims, struct ctl_claimant *claimant)
{
	for (size_t i = 0; claimant && i < claimant->count; i++) {
		struct ctl_claim *claim = &claimant->claims[i];

		if (!wf_index_has(&claim->node))
			wf_index_add(claims, &claim->node,
				     hash_of(claim->kind, &claim->addr, claim->proto, claim->port));
	}
}

void wf_ctl_claimant_hide(struct wf_index *claims, struct ctl_claimant *claimant)
{
	for (size_t i = 0; claimant && i < claimant->count; i++)
		wf_index_remove(claims, &claimant->claims[i].node);
}

void wf_ctl_claimant_free(struct wf_index *claims, struct ctl_claimant **claimant)
{
	wf_ctl_claimant_hide(claims, *claimant);
	free(*claimant);
	*claimant = NULL;
}

static const struct ctl_claim *find(struct wf_index *claims, enum ctl_claim_kind kind,
				    const struct wf_addr *addr, uint8_t proto, uint16_t port,
				    const char *except)
{
	WF_INDEX_EACH(claims, hash_of(kind, addr, proto, port), node) {
		const struct ctl_claim *claim = WF_INDEX_OBJECT(node, struct ctl_claim, node);

		if ((kind == CTL_CLAIM_NODE_PORT ? claim->kind >= CTL_CLAIM_NODE_PORT
						 : claim->kind == kind) &&
		    claim->proto == proto && claim->port == port &&
		    wf_addr_equal(&claim->addr, addr) &&
		    !(except && strcmp(claim->owner->key, except) == 0))
			return claim;
	}
	return NULL;
}

static const struct ctl_claim *find_range(struct wf_index *claims, enum ctl_claim_kind kind,
					  const struct wf_addr *addr, uint8_t proto, uint16_t first,
					  uint16_t last, const char *except)
{
	const struct ctl_claim *found = NULL;

	for (uint32_t port = first; !found && port <= last; port++)
		found = find(claims, kind, addr, proto, (uint16_t)port, except);
	return found;
}

const struct ctl_claim *wf_ctl_claim_of_address(struct wf_index *claims, const struct wf_addr *addr,
						const char *except)
{
	return find(claims, CTL_CLAIM_ADDRESS, addr, 0, 0, except);
}

const struct ctl_claim *wf_ctl_claim_of_port(struct wf_index *claims, const struct wf_addr *addr,
					     uint8_t proto, uint16_t first, uint16_t last,
					     const char *except)
{
	/* nearly always nobody is at the address at all, however many ports are asked about */
	if (!wf_ctl_claim_of_address(claims, addr, except))
		return NULL;
	return find_range(claims, CTL_CLAIM_PORT, addr, proto, first, last, except);
}

const struct ctl_claim *wf_ctl_claim_of_node_port(struct wf_index *claims, uint8_t proto,
						  uint16_t first, uint16_t last, const char *except)
{
	return find_range(claims, CTL_CLAIM_NODE_PORT, &every_address, proto, first, last, except);
}
