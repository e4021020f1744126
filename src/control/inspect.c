/* SPDX-License-Identifier: Apache-2.0 */
/* What people see of networks, endpoints and the node: documents with their status. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/reason.h"
#include "control/control_priv.h"
#include "dp/tcx.h"

static json_t *usage_json(const struct wf_subnet *subnet, const struct wf_pool *pool)
{
	struct wf_pool_usage usage = wf_pool_usage(pool, wf_clock_monotonic_ms());
	char cidr[WF_ADDR_TEXT], gateway[WF_ADDR_TEXT];
	json_t *value;

	value = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "cidr",
			  wf_prefix_format(&subnet->prefix, cidr), "total",
			  (json_int_t)(usage.total & INT64_MAX), "inUse", (json_int_t)usage.taken,
			  "reserved", (json_int_t)usage.reserved, "cooling",
			  (json_int_t)usage.cooling, "free", (json_int_t)(usage.free & INT64_MAX));
	if (value && subnet->has_gateway)
		(void)wf_json_set_str(value, "gateway", wf_addr_format(&subnet->gateway, gateway));
	return value;
}

static json_t *subnets_json(const struct ctl_network *network)
{
	json_t *list = json_array();

	for (size_t i = 0; i < network->spec.subnet_count; i++)
		(void)json_array_append_new(
			list, usage_json(&network->spec.subnets[i], network->pools[i]));
	return list;
}

static json_t *addresses_json(const struct wf_endpoint *spec)
{
	json_t *list = json_array();
	char text[WF_ADDR_TEXT];

	for (size_t i = 0; i < spec->address_count; i++)
		(void)json_array_append_new(
			list, json_string(wf_prefix_format(&spec->addresses[i].prefix, text)));
	return list;
}

static json_t *remote_json(const struct ctl_remote *remote)
{
	json_t *list = json_array();
	char text[WF_ADDR_TEXT];

	for (size_t i = 0; i < remote->addr_count; i++)
		(void)json_array_append_new(list,
					    json_string(wf_addr_format(&remote->addrs[i], text)));
	return json_pack("{s:o, s:s}", "addresses", list, "node", remote->node->name);
}

static void add_crowd(json_t *members, const struct ctl_crowd *crowd, const char *network)
{
	const struct ctl_remote *remote;

	if (strcmp(crowd->network, network) != 0)
		return;
	for (remote = crowd->members; remote; remote = remote->next_alike)
		(void)json_object_set_new(members, wf_ctl_remote_name(remote), remote_json(remote));
}

/* As `docker network inspect` lists containers: name -> what it has. */
static json_t *members_json(struct wf_control *control, const struct ctl_network *network)
{
	struct ctl_endpoint *endpoint, *next;
	json_t *members = json_object();
	char mac[WF_MAC_TEXT];

	HASH_ITER(by_name, control->endpoints, endpoint, next) {
		json_t *member;

		if (endpoint->network != network)
			continue;
		member = json_pack("{s:o, s:s, s:s, s:s}", "addresses",
				   addresses_json(&endpoint->spec), "mac",
				   wf_mac_format(&endpoint->spec.mac, mac), "interface",
				   endpoint->spec.ifname, "netns", endpoint->spec.netns);
		if (endpoint->spec.container_id)
			(void)wf_json_set_str(member, "containerID", endpoint->spec.container_id);
		(void)json_object_set_new(members, endpoint->spec.meta.name, member);
	}
	WF_INDEX_EACH(&control->cluster.crowd_networks,
		      wf_ctl_crowd_network_hash(network->spec.meta.name), node)
		add_crowd(members, WF_INDEX_OBJECT(node, struct ctl_crowd, by_network),
			  network->spec.meta.name);
	return members;
}

/* What the host itself has in a network of all nodes. */
static void add_host_address(json_t *status, const struct wf_addr *addr)
{
	char text[WF_ADDR_TEXT];
	json_t *list = json_object_get(status, "hostAddresses");

	if (wf_addr_is_zero(addr))
		return;
	if (!list && json_object_set_new(status, "hostAddresses", json_array()) == 0)
		list = json_object_get(status, "hostAddresses");
	(void)json_array_append_new(list, json_string(wf_addr_format(addr, text)));
}

static json_t *network_json(struct wf_control *control, struct ctl_network *network)
{
	json_t *document = wf_network_to_json(&network->spec), *status;

	if (!document)
		return NULL;
	status = json_pack("{s:I, s:o, s:o, s:I, s:I}", "number", (json_int_t)network->spec.number,
			   "subnets", subnets_json(network), "endpoints",
			   members_json(control, network), "endpointCount",
			   (json_int_t)network->endpoint_count, "mtu", (json_int_t)network->mtu);
	(void)wf_json_set_str(status, "parent", network->parent);
	if (network->vlan)
		(void)wf_json_set(status, "vlan", json_integer(network->vlan));
	for (size_t i = 0; i < WF_ARRAY_LEN(network->host_addrs); i++)
		add_host_address(status, &network->host_addrs[i]);
	if (wf_ctl_scope_has_host(&network->spec))
		(void)wf_json_set_str(status, "hostInterface", WF_NET_HOST_DEVICE);
	if (network->blocks)
		(void)wf_json_set(status, "blocks", wf_ctl_blocks_json(control, network));
	if (wf_ctl_is_plain(network))
		(void)wf_json_set(status, "unreachableNodes",
				  wf_ctl_ways_missing(control, network));
	(void)wf_json_set(document, "status", status);
	return document;
}

int wf_control_network_inspect(struct wf_control *control, const char *name, json_t **ret_document,
			       struct wf_err *err)
{
	struct ctl_network *network = wf_ctl_network_find(control, name);

	if (!network) {
		wf_err_set(err, -ENOENT, "there is no network %s; see 'weft network ls'", name);
		wf_err_set_object(err, "network/%s", name);
		return -ENOENT;
	}
	*ret_document = network_json(control, network);
	return *ret_document ? 0 : wf_fail(err, -ENOMEM, "out of memory");
}

json_t *wf_control_network_list(struct wf_control *control)
{
	struct ctl_network *network, *next;
	json_t *items = json_array();

	HASH_ITER(by_name, control->networks, network, next)
		(void)json_array_append_new(items, network_json(control, network));
	return json_pack("{s:o}", "items", items);
}

static json_t *counter_json(const struct wf_counter *counter)
{
	return json_pack("{s:I, s:I}", "packets", (json_int_t)counter->packets, "bytes",
			 (json_int_t)counter->bytes);
}

static json_t *endpoint_json(struct wf_control *control, const struct ctl_endpoint *endpoint)
{
	json_t *document = wf_endpoint_to_json(&endpoint->spec);
	struct wf_traffic_value traffic;

	if (document && endpoint->spec.slot &&
	    wf_dp_traffic_read(control->dp, endpoint->spec.slot, &traffic) == 0)
		(void)wf_json_set(json_object_get(document, "status"), "traffic",
				  json_pack("{s:o, s:o, s:o}", "sent", counter_json(&traffic.sent),
					    "received", counter_json(&traffic.received), "dropped",
					    counter_json(&traffic.dropped)));
	return document;
}

/* Where its packets meet weft; asks the kernel. */
static void add_hook(json_t *document, const struct wf_endpoint *spec)
{
	struct wf_dp_tcx tcx;

	if (spec->slot && wf_dp_tcx_look(WF_IFINDEX_BASE + spec->slot, &tcx) == 0)
		(void)wf_json_set_str(json_object_get(document, "status"), "hook",
				      tcx.is_netkit ? "netkit"
				      : tcx.own     ? "tcx"
						    : "clsact");
}

int wf_control_endpoint_inspect(struct wf_control *control, const char *name, json_t **ret_document,
				struct wf_err *err)
{
	const struct ctl_endpoint *endpoint = wf_ctl_endpoint_find(control, name);

	if (!endpoint) {
		int r = wf_ctl_endpoint_missing(control, name, NULL, err);

		wf_err_set_object(err, "endpoint/%s", name);
		return r;
	}
	*ret_document = endpoint_json(control, endpoint);
	if (*ret_document)
		add_hook(*ret_document, &endpoint->spec);
	return *ret_document ? 0 : wf_fail(err, -ENOMEM, "out of memory");
}

json_t *wf_control_endpoint_list(struct wf_control *control)
{
	struct ctl_endpoint *endpoint, *next;
	json_t *items = json_array();

	HASH_ITER(by_name, control->endpoints, endpoint, next)
		(void)json_array_append_new(items, endpoint_json(control, endpoint));
	return json_pack("{s:o}", "items", items);
}

static json_t *drops_json(struct wf_control *control)
{
	struct wf_counter drops[WF_REASON_COUNT];
	json_t *value = json_object();

	if (wf_dp_drops_read(control->dp, drops) < 0)
		return value;
	for (unsigned int i = 0; i < WF_REASON_COUNT; i++)
		if (drops[i].packets)
			(void)json_object_set_new(value, wf_reason_label(i),
						  json_integer((json_int_t)drops[i].packets));
	return value;
}

json_t *wf_control_status(struct wf_control *control)
{
	uint64_t up_s = (wf_clock_monotonic_ms() - control->started_ms) / 1000;
	char started[WF_CLOCK_TEXT];

	(void)wf_clock_format(wf_clock_wall_s() - (int64_t)up_s, started);
	return json_pack(
		"{s:s, s:s, s:i, s:s, s:I, s:s, s:o, s:I, s:I, s:I, s:I, s:b, s:I, s:o}", "version",
		WEFT_VERSION, "nodeName", control->config.node_name, "pid", (int)getpid(),
		"started", started, "uptimeSeconds", (json_int_t)up_s, "store",
		wf_store_describe(control->store), "storeState", wf_control_store(control),
		"revision", (json_int_t)wf_store_revision(control->store), "networks",
		(json_int_t)HASH_CNT(by_name, control->networks), "endpoints",
		(json_int_t)control->endpoint_count, "endpointLimit",
		(json_int_t)(WF_MAX_SLOTS - 1), "datapathAdopted", wf_dp_adopted(control->dp),
		"repairs", (json_int_t)control->repairs_total, "drops", drops_json(control));
}
