/* SPDX-License-Identifier: Apache-2.0 */
/* `weft ip ls` and `weft ip why`: who has an address, and if nobody, why not. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "control/control_priv.h"

static const char *const state_names[WF_POOL_STATE_COUNT] = {
	[WF_POOL_FREE] = "free",         [WF_POOL_TAKEN] = "in-use",
	[WF_POOL_RESERVED] = "reserved", [WF_POOL_COOLING] = "cooling",
	[WF_POOL_EXCLUDED] = "excluded", [WF_POOL_UNUSABLE] = "unusable",
	[WF_POOL_OUTSIDE] = "outside",
};

/* What one pool entry becomes; shared by ls and why. */
static json_t *fact_json(struct wf_control *control, const struct ctl_network *network,
			 const struct wf_addr *addr, const struct wf_pool_fact *fact)
{
	uint64_t now_ms = wf_clock_monotonic_ms();
	const struct ctl_endpoint *endpoint =
		fact->owner && fact->state == WF_POOL_TAKEN
			? wf_ctl_endpoint_by_address(control, network, addr)
			: NULL;
	char text[WF_ADDR_TEXT], mac[WF_MAC_TEXT];
	json_t *value;

	value = json_pack("{s:s, s:s, s:s}", "address", wf_addr_format(addr, text), "network",
			  network->spec.meta.name, "state", state_names[fact->state]);
	wf_ctl_block_show(control, network, addr, value);
	(void)wf_json_set_str(value, "owner", endpoint ? endpoint->spec.meta.name : fact->owner);
	if (fact->state == WF_POOL_COOLING && fact->cool_until_ms > now_ms)
		(void)wf_json_set(
			value, "freeInSeconds",
			json_integer((json_int_t)(fact->cool_until_ms - now_ms + 999) / 1000));
	if (endpoint) {
		(void)wf_json_set_str(value, "mac", wf_mac_format(&endpoint->spec.mac, mac));
		(void)wf_json_set_str(value, "netns", endpoint->spec.netns);
		(void)wf_json_set_str(value, "interface", endpoint->spec.ifname);
		(void)wf_json_set_str(value, "containerID", endpoint->spec.container_id);
	}
	return value;
}

struct list_context {
	struct wf_control *control;
	const struct ctl_network *network;
	json_t *items;
};

static bool add_fact(const struct wf_addr *addr, const struct wf_pool_fact *fact, void *context)
{
	struct list_context *list = context;

	if (fact->state == WF_POOL_UNUSABLE)
		return true;
	(void)json_array_append_new(list->items,
				    fact_json(list->control, list->network, addr, fact));
	return true;
}

static void add_gateway(struct list_context *list, const struct wf_subnet *subnet)
{
	char text[WF_ADDR_TEXT];

	if (subnet->has_gateway)
		(void)json_array_append_new(
			list->items, json_pack("{s:s, s:s, s:s}", "address",
					       wf_addr_format(&subnet->gateway, text), "network",
					       list->network->spec.meta.name, "state", "gateway"));
}

int wf_control_address_list(struct wf_control *control, const char *name, json_t **ret_items,
			    struct wf_err *err)
{
	struct list_context list = { .control = control, .items = json_array() };
	struct ctl_network *network, *next;

	if (name && !wf_ctl_network_find(control, name)) {
		json_decref(list.items);
		return wf_fail(err, -ENOENT, "there is no network %s; see 'weft network ls'", name);
	}
	HASH_ITER(by_name, control->networks, network, next) {
		if (name && strcmp(name, network->spec.meta.name) != 0)
			continue;
		list.network = network;
		for (size_t i = 0; i < network->spec.subnet_count; i++) {
			add_gateway(&list, &network->spec.subnets[i]);
			wf_pool_visit(network->pools[i], wf_clock_monotonic_ms(), add_fact, &list);
		}
	}
	*ret_items = list.items;
	return 0;
}

/* One sentence for people. */
static void explain(struct wf_str *text, const struct ctl_network *network,
		    const struct wf_subnet *subnet, const struct wf_addr *addr, const json_t *fact,
		    enum wf_pool_state state)
{
	const char *owner = wf_json_str(fact, "owner", "?");
	const char *name = network->spec.meta.name;

	if (subnet->has_gateway && wf_addr_equal(addr, &subnet->gateway)) {
		wf_str_addf(text, "it is the gateway of network %s", name);
		return;
	}
	switch (state) {
	case WF_POOL_TAKEN:
		wf_str_addf(text, "endpoint %s has it (interface %s in %s)", owner,
			    wf_json_str(fact, "interface", "?"), wf_json_str(fact, "netns", "?"));
		break;
	case WF_POOL_RESERVED:
		wf_str_addf(text, "it is held for %s, which is not attached now", owner);
		break;
	case WF_POOL_COOLING:
		wf_str_addf(text, "it was released and is not given out again for %lld s",
			    (long long)wf_json_int(fact, "freeInSeconds", 0));
		break;
	case WF_POOL_EXCLUDED:
		wf_str_addf(text,
			    "network %s gives it out only on request (spec.subnets: exclude "
			    "or outside of ranges)",
			    name);
		break;
	case WF_POOL_UNUSABLE:
		wf_str_addf(text, "it is the network or broadcast address of a subnet of %s", name);
		break;
	default: wf_str_addf(text, "nobody has it; network %s may give it out", name); break;
	}
}

static json_t *why_in_subnet(struct wf_control *control, const struct ctl_network *network,
			     size_t index, const struct wf_addr *addr)
{
	struct wf_pool_fact fact =
		wf_pool_explain(network->pools[index], addr, wf_clock_monotonic_ms());
	const struct wf_subnet *subnet = &network->spec.subnets[index];
	_cleanup_(wf_str_done) struct wf_str text = WF_STR_INIT;
	char cidr[WF_ADDR_TEXT];
	json_t *value;

	value = fact_json(control, network, addr, &fact);
	explain(&text, network, subnet, addr, value, fact.state);
	if (subnet->has_gateway && wf_addr_equal(addr, &subnet->gateway))
		(void)json_object_set_new(value, "state", json_string("gateway"));
	(void)wf_json_set_str(value, "subnet", wf_prefix_format(&subnet->prefix, cidr));
	(void)wf_json_set_str(value, "text", wf_str_text(&text));
	return value;
}

struct host_context {
	const struct wf_addr *addr;
	json_t *items;
};

static void add_host(const struct wf_prefix *prefix, const char *device, uint8_t protocol,
		     void *context)
{
	struct host_context *host = context;
	char text[WF_ADDR_TEXT];

	(void)protocol;
	if (prefix->len && wf_prefix_contains(prefix, host->addr))
		(void)json_array_append_new(host->items, json_pack("{s:s, s:s}", "prefix",
								   wf_prefix_format(prefix, text),
								   "device", device));
}

int wf_control_address_why(struct wf_control *control, const char *text, json_t **ret_answer,
			   struct wf_err *err)
{
	struct host_context host = { .items = json_array() };
	struct ctl_network *network, *next;
	json_t *items = json_array();
	struct wf_addr addr;

	if (wf_addr_parse(text, &addr) < 0) {
		json_decref(items);
		json_decref(host.items);
		return wf_fail_field(err, -EINVAL, "address",
				     "\"%s\" is not an address such as 10.64.0.5 or fd00::5", text);
	}
	host.addr = &addr;
	HASH_ITER(by_name, control->networks, network, next)
		for (size_t i = 0; i < network->spec.subnet_count; i++)
			if (wf_prefix_contains(&network->spec.subnets[i].prefix, &addr))
				(void)json_array_append_new(
					items, why_in_subnet(control, network, i, &addr));
	(void)wf_net_prefix_dump(control->net, add_host, &host, NULL);
	*ret_answer =
		json_pack("{s:s, s:o, s:o}", "address", text, "items", items, "host", host.items);
	return *ret_answer ? 0 : wf_fail(err, -ENOMEM, "out of memory");
}
