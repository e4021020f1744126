/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The naive model: reads the stored documents and writes down, line by line, what maps, links,
 * pools and tables shall hold, in the words of the fakes' dumps. Shares no code with src/control.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../from_text.h"
#include "base/json.h"
#include "base/mem.h"
#include "lab.h"

/* What of a network matters to its endpoints. */
struct facts {
	const json_t *spec;
	uint32_t number;
	bool bridge, macvlan, ipvlan, host_access, internal;
	char host_device[16];
	char base[16]; /* of the VLAN that the parent is; "": of none */
	char parent[16];
};

static json_t *documents(struct lab *lab, const char *kind)
{
	json_t *items = NULL;
	uint64_t revision;

	assert_int_equal(wf_store_list(lab->store, kind, &items, &revision, &lab->err), 0);
	return items;
}

static const char *name_of(const json_t *document)
{
	return wf_json_str(json_object_get(document, "metadata"), "name", "?");
}

static const json_t *named(const json_t *items, const char *name)
{
	json_t *item;
	size_t i;

	json_array_foreach(items, i, item)
		if (strcmp(name_of(item), name) == 0)
			return item;
	fail_msg("there is no document %s", name);
	return NULL;
}

/* uplink and vlan 42, or uplink.42. */
static void add_parent(struct facts *facts)
{
	const char *parent = wf_json_str(facts->spec, "parent", "uplink");
	int64_t vlan = wf_json_int(facts->spec, "vlan", 0);

	if (!facts->macvlan && !facts->ipvlan)
		return;
	(void)snprintf(facts->parent, sizeof(facts->parent), "%s", parent);
	if (vlan)
		(void)snprintf(facts->parent, sizeof(facts->parent), "%s.%d", parent, (int)vlan);
	if (strchr(facts->parent, '.'))
		(void)snprintf(facts->base, sizeof(facts->base), "%.*s",
			       (int)strcspn(facts->parent, "."), facts->parent);
}

static struct facts facts_of(const json_t *network)
{
	const json_t *spec = json_object_get(network, "spec");
	const char *driver = wf_json_str(spec, "driver", "bridge");
	const char *mode = wf_json_str(spec, "mode", "");
	struct facts facts = {
		.spec = spec,
		.number = (uint32_t)wf_json_int(json_object_get(network, "status"), "number", 0),
		.bridge = strcmp(driver, "bridge") == 0,
		.macvlan = strcmp(driver, "macvlan") == 0,
		.ipvlan = strcmp(driver, "ipvlan") == 0,
		.internal = wf_json_bool(spec, "internal", false),
	};

	facts.host_access = facts.macvlan && wf_json_bool(spec, "hostAccess", false) &&
			    (!*mode || strcmp(mode, "bridge") == 0);
	if (facts.host_access)
		(void)snprintf(facts.host_device, sizeof(facts.host_device), "wfm%u", facts.number);
	add_parent(&facts);
	return facts;
}

static const char *single(const char *addr, char *buf)
{
	struct wf_prefix prefix = prefix_of(addr);

	prefix.len = wf_addr_is_ip4(&prefix.addr) ? 32 : 128;
	return wf_prefix_format(&prefix, buf);
}

static void expect_bridge(const struct facts *facts, struct wf_str *out)
{
	uint32_t flags = WF_NET_VALID;
	json_t *subnet;
	size_t i;
	struct wf_str masks = WF_STR_INIT;

	if (wf_json_bool(facts->spec, "isolated", true))
		flags |= WF_NET_ISOLATED;
	if (facts->internal)
		flags |= WF_NET_INTERNAL;
	else if (wf_json_bool(facts->spec, "masquerade", true))
		flags |= WF_NET_MASQUERADE;
	json_array_foreach(json_object_get(facts->spec, "subnets"), i, subnet) {
		const char *cidr = wf_json_str(subnet, "cidr", "?");
		const char *gateway = wf_json_str(subnet, "gateway", "");
		struct wf_prefix prefix = prefix_of(cidr);
		struct wf_addr mask = wf_prefix_mask(&prefix);
		int64_t mtu = wf_json_int(facts->spec, "mtu", 0);
		char base[WF_ADDR_TEXT], text[WF_ADDR_TEXT];

		flags |= wf_addr_is_ip4(&prefix.addr) ? WF_NET_IPV4 : WF_NET_IPV6;
		wf_str_addf(&masks, " %s&%s", wf_addr_format(&prefix.addr, base),
			    wf_addr_format(&mask, text));
		wf_str_addf(out, "route %s dev weft0 src %s mtu %lld\n", cidr,
			    *gateway ? gateway : "-", (long long)(mtu ? mtu : 1500));
		if (!*gateway)
			continue;
		wf_str_addf(out, "address %s dev weft0\n", single(gateway, text));
		wf_str_addf(out, "addr %u/%s slot=0 flags=1\n", facts->number, gateway);
		wf_str_addf(out, "addr 0/%s slot=0 flags=1\n", gateway);
	}
	wf_str_addf(out, "net %u flags=%x%s\n", facts->number, flags, wf_str_text(&masks));
	wf_str_done(&masks);
}

static size_t members(const json_t *endpoints, const char *network)
{
	size_t i, count = 0;
	json_t *item;

	json_array_foreach(endpoints, i, item)
		count += strcmp(wf_json_str(json_object_get(item, "spec"), "network", ""),
				network) == 0;
	return count;
}

static void expect_network(const json_t *network, const json_t *endpoints, struct wf_str *out)
{
	struct facts facts = facts_of(network);

	wf_str_addf(out, "table network %s number %u endpoints %zu\n", name_of(network),
		    facts.number, members(endpoints, name_of(network)));
	if (facts.bridge)
		expect_bridge(&facts, out);
	if (facts.host_access)
		wf_str_addf(out, "link %s up parent=%s\n", facts.host_device, facts.parent);
}

/* One device for all networks of a VLAN: the first of them tells. */
static void expect_vlan(const json_t *networks, size_t index, struct wf_str *out)
{
	struct facts facts = facts_of(json_array_get(networks, index));

	for (size_t i = 0; i < index; i++)
		if (strcmp(facts_of(json_array_get(networks, i)).parent, facts.parent) == 0)
			return;
	if (facts.base[0])
		wf_str_addf(out, "link %s up parent=%s\n", facts.parent, facts.base);
}

static void expect_inside(const struct facts *facts, const json_t *endpoint, struct wf_str *out)
{
	const json_t *spec = json_object_get(endpoint, "spec");
	const json_t *status = json_object_get(endpoint, "status");
	const char *mode = wf_json_str(facts->spec, "mode", "");
	struct wf_str routes = WF_STR_INIT;
	bool seen[2] = { false, false };
	json_t *address;
	size_t i;

	wf_str_addf(out, "inside %s %s %s mtu=%lld mac=%s parent=%s",
		    wf_json_str(spec, "netns", "?"), wf_json_str(spec, "interface", "?"),
		    facts->bridge    ? "veth"
		    : facts->macvlan ? "macvlan"
				     : "ipvlan",
		    (long long)wf_json_int(status, "mtu", 0), wf_json_str(status, "mac", "?"),
		    facts->bridge ? "-" : facts->parent);
	json_array_foreach(json_object_get(status, "addresses"), i, address) {
		const char *text = wf_json_str(address, "address", "?");
		const char *gateway = wf_json_str(address, "gateway", "");
		bool ip4 = !strchr(text, ':');
		bool layer3 = facts->ipvlan && strncmp(mode, "l3", 2) == 0;

		wf_str_addf(out, " %s", text);
		if (!wf_json_bool(spec, "defaultRoute", false) || facts->internal || seen[ip4] ||
		    (!*gateway && !layer3))
			continue;
		seen[ip4] = true;
		wf_str_addf(&routes, " default=%s", *gateway ? gateway : "::");
	}
	wf_str_addf(out, "%s\n", wf_str_text(&routes));
	wf_str_done(&routes);
}

static void expect_maps(const struct facts *facts, const json_t *endpoint, struct wf_str *out)
{
	const json_t *status = json_object_get(endpoint, "status");
	long long slot = wf_json_int(status, "slot", 0);
	char first[2][WF_ADDR_TEXT] = { "-", "-" };
	uint32_t flags = WF_EP_READY;
	json_t *address;
	size_t i;

	json_array_foreach(json_object_get(status, "addresses"), i, address) {
		struct wf_prefix prefix = prefix_of(wf_json_str(address, "address", "?"));
		bool ip4 = wf_addr_is_ip4(&prefix.addr);
		char text[WF_ADDR_TEXT];

		(void)wf_addr_format(&prefix.addr, text);
		wf_str_addf(out, "addr %u/%s slot=%lld flags=0\n", facts->number, text, slot);
		wf_str_addf(out, "addr 0/%s slot=%lld flags=0\n", text, slot);
		if (strcmp(first[ip4], "-") != 0) {
			flags |= WF_EP_MORE_ADDRS;
			continue;
		}
		flags |= ip4 ? WF_EP_IPV4 : WF_EP_IPV6;
		memcpy(first[ip4], text, sizeof(text));
	}
	wf_str_addf(out, "slot %lld flags=%x ifindex=%lld network=%u ip4=%s ip6=%s mac=%s\n", slot,
		    flags, WF_IFINDEX_BASE + slot, facts->number, first[1], first[0],
		    wf_json_str(status, "mac", "?"));
	wf_str_addf(out, "link wf%lld up blocks alias\n", slot);
	wf_str_addf(out, "table slot %lld used %s\n", slot, name_of(endpoint));
}

static void expect_endpoint(const struct facts *facts, const json_t *endpoint, struct wf_str *out)
{
	const json_t *spec = json_object_get(endpoint, "spec");
	const json_t *status = json_object_get(endpoint, "status");
	const char *owner = wf_json_str(spec, "sticky", "");
	json_t *address;
	size_t i;

	wf_str_addf(out, "table endpoint %s slot %lld mac %s Ready\n", name_of(endpoint),
		    (long long)wf_json_int(status, "slot", 0), wf_json_str(status, "mac", "?"));
	if (facts->bridge)
		expect_maps(facts, endpoint, out);
	if (facts->bridge || facts->macvlan || facts->ipvlan)
		expect_inside(facts, endpoint, out);
	json_array_foreach(json_object_get(status, "addresses"), i, address) {
		struct wf_prefix prefix = prefix_of(wf_json_str(address, "address", "?"));
		char text[WF_ADDR_TEXT], one[WF_ADDR_TEXT];

		(void)wf_addr_format(&prefix.addr, text);
		wf_str_addf(out, "pool %s %s in-use %s\n", wf_json_str(spec, "network", "?"), text,
			    name_of(endpoint));
		if (!facts->host_access)
			continue;
		wf_str_addf(out, "route %s dev %s src - mtu 0\n", single(text, one),
			    facts->host_device);
		wf_str_addf(out, "neigh %s dev %s mac %s\n", text, facts->host_device,
			    wf_json_str(status, "mac", "?"));
	}
	(void)owner;
}

static bool is_in_use(const json_t *endpoints, const char *network, const char *addr)
{
	json_t *item, *address;
	size_t i, k;

	json_array_foreach(endpoints, i, item) {
		if (strcmp(wf_json_str(json_object_get(item, "spec"), "network", ""), network) != 0)
			continue;
		json_array_foreach(json_object_get(json_object_get(item, "status"), "addresses"), k,
				   address) {
			const char *text = wf_json_str(address, "address", "?");

			if (strncmp(text, addr, strlen(addr)) == 0 && text[strlen(addr)] == '/')
				return true;
		}
	}
	return false;
}

static void expect_reservation(const json_t *reservation, const json_t *endpoints,
			       struct wf_str *out)
{
	const json_t *spec = json_object_get(reservation, "spec");
	const char *network = wf_json_str(spec, "network", "?");
	json_t *address;
	size_t i;

	wf_str_addf(out, "table reservation %s for %s of %s\n", name_of(reservation),
		    wf_json_str(spec, "for", "?"), network);
	json_array_foreach(json_object_get(spec, "addresses"), i, address)
		if (!is_in_use(endpoints, network, json_string_value(address)))
			wf_str_addf(out, "pool %s %s reserved %s\n", network,
				    json_string_value(address), wf_json_str(spec, "for", "?"));
}

/* Whether the network that a service is for, if any, is there. */
static bool is_seen(const json_t *service, const json_t *networks)
{
	const char *wanted =
		wf_json_str(json_object_get(json_object_get(service, "metadata"), "annotations"),
			    "weft.dev/network", "");
	json_t *item;
	size_t i;

	if (!*wanted)
		return true;
	json_array_foreach(networks, i, item)
		if (strcmp(name_of(item), wanted) == 0)
			return true;
	return false;
}

static void expect_service(const json_t *service, struct wf_str *out)
{
	static const char *const lists[] = { "clusterIPs", "externalIPs" };
	const json_t *spec = json_object_get(service, "spec");
	json_t *address;
	size_t i;

	for (size_t k = 0; k < WF_ARRAY_LEN(lists); k++)
		json_array_foreach(json_object_get(spec, lists[k]), i, address)
			wf_str_addf(out, "addr 0/%s slot=0 flags=4\n", json_string_value(address));
}

void lab_expect(struct lab *lab, struct wf_str *out)
{
	_cleanup_json_ json_t *services = documents(lab, WF_KIND_SERVICE);
	_cleanup_json_ json_t *networks = documents(lab, WF_KIND_NETWORK);
	_cleanup_json_ json_t *endpoints = documents(lab, WF_KIND_ENDPOINT);
	_cleanup_json_ json_t *reservations = documents(lab, WF_KIND_RESERVATION);
	json_t *item;
	size_t i;

	wf_str_addf(out, "link weft0 up\nlink weft0p up blocks\n");
	wf_str_addf(out, "block %x program 700\nblock %x program 701\n", WF_BLOCK_INGRESS,
		    WF_BLOCK_EGRESS);
	json_array_foreach(networks, i, item) {
		expect_network(item, endpoints, out);
		expect_vlan(networks, i, out);
	}
	json_array_foreach(endpoints, i, item) {
		struct facts facts = facts_of(named(
			networks, wf_json_str(json_object_get(item, "spec"), "network", "?")));

		expect_endpoint(&facts, item, out);
	}
	json_array_foreach(reservations, i, item)
		expect_reservation(item, endpoints, out);
	json_array_foreach(services, i, item)
		if (is_seen(item, networks))
			expect_service(item, out);
}
