/* SPDX-License-Identifier: Apache-2.0 */
/* The fields of a Network. */
#include "base/mem.h"
#include "model/kind_priv.h"
#include "model/network.h"
#include "model/network_priv.h"

static const char *const drivers[] = { "bridge", "overlay", "routed", "host",
				       "none",   "macvlan", "ipvlan", NULL };
static const char *const encapsulations[] = { "across-subnets", "never", NULL };
static const char *const modes[] = { "bridge", "private", "vepa", "passthru",
				     "l2",     "l3",      "l3s",  NULL };
static const char *const encryptions[] = { "none", "wireguard", NULL };
static const char *const families[] = { "IPv4", "IPv6", NULL };

static const struct wf_schema family = { .type = WF_SCHEMA_STRING, .choices = families };

static const struct wf_schema range_fields[] = {
	{ .name = "start",
	  .type = WF_SCHEMA_STRING,
	  .required = true,
	  .example = "\"10.64.0.10\"",
	  .help = "First address of the range." },
	{ .name = "end",
	  .type = WF_SCHEMA_STRING,
	  .required = true,
	  .example = "\"10.64.0.99\"",
	  .help = "Last address of the range." },
	WF_SCHEMA_END,
};

static const struct wf_schema range = { .type = WF_SCHEMA_OBJECT, .fields = range_fields };
static const struct wf_schema exclude = { .type = WF_SCHEMA_STRING };

static const struct wf_schema subnet_fields[] = {
	{ .name = "cidr",
	  .type = WF_SCHEMA_STRING,
	  .required = true,
	  .example = "\"10.64.0.0/16\"",
	  .help = "The subnet, with its host bits zero: /8 to /30 for IPv4, /48 to /126 for "
		  "IPv6." },
	{ .name = "gateway",
	  .type = WF_SCHEMA_STRING,
	  .example = "\"10.64.0.1\"",
	  .help = "Address of the gateway; empty for none. Default: the first address; none for "
		  "ipvlan in mode l3 or l3s." },
	{ .name = "blockSize",
	  .type = WF_SCHEMA_INTEGER,
	  .max = 127,
	  .example = "26",
	  .help = "overlay, routed: prefix length of the blocks of which each node has its own to give "
		  "addresses from; 0: none. Default: /26, for IPv6 /122, and longer where "
		  "the subnet would have fewer than 16 of them; none in a subnet of fewer than 64 "
		  "addresses." },
	{ .name = "ranges",
	  .type = WF_SCHEMA_LIST,
	  .item = &range,
	  .max = WF_SUBNET_MAX_RANGES,
	  .help = "Where addresses are given out automatically. Default: the whole subnet." },
	{ .name = "exclude",
	  .type = WF_SCHEMA_LIST,
	  .item = &exclude,
	  .max = WF_SUBNET_MAX_EXCLUDES,
	  .example = "[\"10.64.0.50\", \"10.64.0.64/28\", \"10.64.0.70-10.64.0.75\"]",
	  .help = "Addresses, prefixes and ranges that are given out on request only." },
	WF_SCHEMA_END,
};

static const struct wf_schema subnet = { .type = WF_SCHEMA_OBJECT, .fields = subnet_fields };

static const struct wf_schema vtep_fields[] = {
	{ .name = "address",
	  .type = WF_SCHEMA_STRING,
	  .required = true,
	  .example = "\"192.0.2.10\"",
	  .help = "Address of the VXLAN endpoint on the underlay, of the family of `--node-ip`." },
	{ .name = "vni",
	  .type = WF_SCHEMA_INTEGER,
	  .required = true,
	  .min = WF_VTEP_MIN_VNI,
	  .max = WF_VTEP_MAX_VNI,
	  .example = "5001",
	  .help = "The VNI there, for both ways. Together with the address it belongs to one network." },
	{ .name = "mac",
	  .type = WF_SCHEMA_STRING,
	  .required = true,
	  .example = "\"02:00:00:00:98:01\"",
	  .help = "MAC that the packets inside are sent to: that of the endpoint's router." },
	{ .name = "unencrypted",
	  .type = WF_SCHEMA_BOOL,
	  .fallback = "false",
	  .help = "An encrypted network may have the route all the same: what takes it can be read on the "
		  "wire." },
	WF_SCHEMA_END,
};

static const struct wf_schema route_fields[] = {
	{ .name = "to",
	  .type = WF_SCHEMA_STRING,
	  .required = true,
	  .example = "\"10.98.0.0/16\"",
	  .help = "The prefix that is reached this way, with its host bits zero. The longest one counts. "
		  "0.0.0.0/0 and ::/0, with `via`: what nobody in weft has." },
	{ .name = "via",
	  .type = WF_SCHEMA_STRING,
	  .example = "\"10.50.0.9\"",
	  .help = "bridge, overlay, routed: by way of the endpoint of the network that has this "
		  "address. One of `via` and `vtep` is required." },
	{ .name = "vtep",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = vtep_fields,
	  .help = "overlay: behind a VXLAN endpoint that is no node." },
	WF_SCHEMA_END,
};

static const struct wf_schema route = { .type = WF_SCHEMA_OBJECT, .fields = route_fields };

static const struct wf_schema spec_fields[] = {
	{ .name = "driver",
	  .type = WF_SCHEMA_STRING,
	  .choices = drivers,
	  .fallback = "\"bridge\"",
	  .help = "How containers are connected." },
	{ .name = "ipFamilies",
	  .type = WF_SCHEMA_LIST,
	  .item = &family,
	  .min = 1,
	  .max = 2,
	  .fallback = "[\"IPv4\"]",
	  .help = "Families of the subnets that are chosen automatically. With subnets given, "
		  "theirs." },
	{ .name = "subnets",
	  .type = WF_SCHEMA_LIST,
	  .item = &subnet,
	  .max = WF_MAX_SUBNETS,
	  .help = "The network's subnets. Default: one per family is chosen that overlaps nothing "
		  "the host knows." },
	{ .name = "isolated",
	  .type = WF_SCHEMA_BOOL,
	  .fallback = "true",
	  .help = "No traffic to and from other networks." },
	{ .name = "internal",
	  .type = WF_SCHEMA_BOOL,
	  .fallback = "false",
	  .help = "Nothing is reachable beyond the network and its host." },
	{ .name = "overlapping",
	  .type = WF_SCHEMA_BOOL,
	  .fallback = "false",
	  .help = "bridge, overlay: other networks may have the same subnets. The network is "
		  "isolated, and neither the host nor services of others are reached. It is internal "
		  "and has no gateway, unless masquerade is true. It cannot be changed." },
	{ .name = "masquerade",
	  .type = WF_SCHEMA_BOOL,
	  .help = "bridge, overlay, routed: what leaves the host shows an address of the host. "
		  "Default: true, false for an internal or overlapping network." },
	{ .name = "mtu",
	  .type = WF_SCHEMA_INTEGER,
	  .max = WF_NETWORK_MAX_MTU,
	  .fallback = "0",
	  .help = "MTU of the interfaces, at least 576, with IPv6 1280. 0: found by itself." },
	{ .name = "coolDown",
	  .type = WF_SCHEMA_STRING,
	  .fallback = "\"30s\"",
	  .help = "How long a released address rests before it is given out again: `500ms`, "
		  "`30s`, `5m`, `1h`." },
	{ .name = "sticky",
	  .type = WF_SCHEMA_BOOL,
	  .fallback = "false",
	  .help = "Addresses and MAC stick to the names of endpoints." },
	{ .name = "parent",
	  .type = WF_SCHEMA_STRING,
	  .example = "\"eth0\"",
	  .help = "macvlan, ipvlan: the host's interface, or a VLAN of one (`eth0.42`). Default: "
		  "that of the default route." },
	{ .name = "vlan",
	  .type = WF_SCHEMA_INTEGER,
	  .min = 1,
	  .max = WF_NETWORK_MAX_VLAN,
	  .example = "42",
	  .help = "macvlan, ipvlan: the VLAN of the parent that the network is in. weft makes its "
		  "device if there is none. Default: the parent's untagged frames." },
	{ .name = "mode",
	  .type = WF_SCHEMA_STRING,
	  .choices = modes,
	  .help = "macvlan: `bridge` (default), `private`, `vepa`, `passthru`. ipvlan: `l2` "
		  "(default), `l3`, `l3s`." },
	{ .name = "encryption",
	  .type = WF_SCHEMA_STRING,
	  .choices = encryptions,
	  .help = "overlay: `wireguard` encrypts what goes from node to node, `none` does not. "
		  "Default: what `--encryption` of weftd says when the network is made." },
	{ .name = "routes",
	  .type = WF_SCHEMA_LIST,
	  .item = &route,
	  .max = WF_MAX_ROUTES,
	  .help = "overlay: prefixes that are reached through VXLAN endpoints which are no nodes." },
	{ .name = "hostAccess",
	  .type = WF_SCHEMA_BOOL,
	  .help = "macvlan: the host reaches its own containers. Default: true." },
	{ .name = "encapsulation",
	  .type = WF_SCHEMA_STRING,
	  .choices = encapsulations,
	  .help = "routed: packets to nodes behind a router take the tunnel (`across-subnets`, "
		  "the default) or are dropped (`never`)." },
	WF_SCHEMA_END,
};

static const struct wf_schema status_fields[] = {
	{ .name = "number",
	  .type = WF_SCHEMA_INTEGER,
	  .read_only = true,
	  .max = WF_MAX_NETWORKS - 1,
	  .help = "Number of the network on this node." },
	WF_SCHEMA_END,
};

const struct wf_schema wf_kind_network_fields[] = {
	WF_KIND_COMMON_FIELDS,
	{ .name = "spec",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = spec_fields,
	  .help = "What the network shall be. Everything has a default." },
	{ .name = "status",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = status_fields,
	  .read_only = true,
	  .open = true,
	  .help = "What the network is." },
	WF_SCHEMA_END,
};

int wf_kind_network_check(const json_t *document, struct wf_err *err)
{
	_cleanup_(wf_network_done) struct wf_network network = { .subnet_count = 0 };

	return wf_network_from_json(&network, document, err);
}
