/* SPDX-License-Identifier: Apache-2.0 */
/* The network object: names, lifetime, writing, allowed changes. Reading: network_read.c. */
#include "model/network.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/field_priv.h"
#include "model/network_priv.h"

static const struct {
	const char *name;
	enum wf_driver_mode mode; /* when none is given */
	bool has_subnets;
	bool has_parent;
	bool is_routed;
} drivers[WF_DRIVER_COUNT] = {
	[WF_DRIVER_BRIDGE] = { "bridge", WF_MODE_DEFAULT, true, false, true },
	[WF_DRIVER_OVERLAY] = { "overlay", WF_MODE_DEFAULT, true, false, true },
	[WF_DRIVER_ROUTED] = { "routed", WF_MODE_DEFAULT, true, false, true },
	[WF_DRIVER_HOST] = { "host", WF_MODE_DEFAULT, false, false, false },
	[WF_DRIVER_NONE] = { "none", WF_MODE_DEFAULT, false, false, false },
	[WF_DRIVER_MACVLAN] = { "macvlan", WF_MODE_BRIDGE, true, true, false },
	[WF_DRIVER_IPVLAN] = { "ipvlan", WF_MODE_L2, true, true, false },
};

static const char *const modes[WF_MODE_COUNT] = {
	[WF_MODE_DEFAULT] = "",  [WF_MODE_BRIDGE] = "bridge",     [WF_MODE_PRIVATE] = "private",
	[WF_MODE_VEPA] = "vepa", [WF_MODE_PASSTHRU] = "passthru", [WF_MODE_L2] = "l2",
	[WF_MODE_L3] = "l3",     [WF_MODE_L3S] = "l3s",
};

static const char *const encapsulations[WF_ENCAPSULATION_COUNT] = {
	[WF_ENCAPSULATION_ACROSS_SUBNETS] = "across-subnets",
	[WF_ENCAPSULATION_NEVER] = "never",
};

const char *wf_driver_name(enum wf_driver driver)
{
	return driver < WF_DRIVER_COUNT ? drivers[driver].name : "";
}

enum wf_driver wf_driver_from_name(const char *name)
{
	unsigned int driver = 0;

	while (driver < WF_DRIVER_COUNT && strcmp(drivers[driver].name, name) != 0)
		driver++;
	return (enum wf_driver)driver;
}

bool wf_driver_is_routed(enum wf_driver driver)
{
	return driver < WF_DRIVER_COUNT && drivers[driver].is_routed;
}

bool wf_driver_is_shared(enum wf_driver driver)
{
	return driver == WF_DRIVER_OVERLAY || driver == WF_DRIVER_ROUTED;
}

const char *wf_encapsulation_name(enum wf_encapsulation encapsulation)
{
	return encapsulation < WF_ENCAPSULATION_COUNT ? encapsulations[encapsulation] : "";
}

enum wf_encapsulation wf_encapsulation_from_name(const char *name)
{
	return (enum wf_encapsulation)wf_str_place(encapsulations, WF_ENCAPSULATION_COUNT, name);
}

const char *wf_mode_name(enum wf_driver_mode mode)
{
	return mode < WF_MODE_COUNT ? modes[mode] : "";
}

enum wf_driver_mode wf_mode_from_name(const char *name)
{
	return (enum wf_driver_mode)wf_str_place(modes, WF_MODE_COUNT, name);
}

static const char *const encryptions[WF_ENCRYPTION_COUNT] = {
	[WF_ENCRYPTION_DEFAULT] = "",
	[WF_ENCRYPTION_NONE] = "none",
	[WF_ENCRYPTION_WIREGUARD] = "wireguard",
};

const char *wf_encryption_name(enum wf_encryption encryption)
{
	return encryption < WF_ENCRYPTION_COUNT ? encryptions[encryption] : "";
}

enum wf_encryption wf_encryption_from_name(const char *name)
{
	return (enum wf_encryption)wf_str_place(encryptions, WF_ENCRYPTION_COUNT, name);
}

bool wf_driver_has_subnets(enum wf_driver driver)
{
	return drivers[driver].has_subnets;
}

bool wf_driver_has_parent(enum wf_driver driver)
{
	return drivers[driver].has_parent;
}

enum wf_driver_mode wf_driver_default_mode(enum wf_driver driver)
{
	return drivers[driver].mode;
}

uint16_t wf_network_name_vlan(const char *parent, char ret_device[16])
{
	const char *dot = strrchr(parent, '.');
	uint64_t vlan;

	/* as it is written by those who name devices so: eth0.042 is another name */
	if (!dot || dot == parent || dot - parent > 15 || dot[1] == '0' ||
	    wf_str_to_u64(dot + 1, 1, WF_NETWORK_MAX_VLAN, &vlan) < 0)
		return 0;
	(void)snprintf(ret_device, 16, "%.*s", (int)(dot - parent), parent);
	return (uint16_t)vlan;
}

bool wf_network_has_gateways(const struct wf_network *network)
{
	return network->mode != WF_MODE_L3 && network->mode != WF_MODE_L3S &&
	       (!network->overlapping || network->masquerade);
}

void wf_network_done(struct wf_network *network)
{
	for (size_t i = 0; i < network->subnet_count; i++) {
		wf_ranges_done(&network->subnets[i].ranges);
		wf_ranges_done(&network->subnets[i].excluded);
	}
	free(network->routes);
	wf_meta_done(&network->meta);
	memset(network, 0, sizeof(*network));
}

const struct wf_subnet *wf_network_subnet_of(const struct wf_network *network,
					     const struct wf_addr *addr)
{
	for (size_t i = 0; i < network->subnet_count; i++)
		if (wf_prefix_contains(&network->subnets[i].prefix, addr))
			return &network->subnets[i];
	return NULL;
}

/* Blocks are not larger than this unless the document says so, and not smaller than two bits. */
#define BLOCK_LEN_IP4 26
#define BLOCK_LEN_IP6 122
#define BLOCK_COUNT   4 /* as bits: sixteen at least */

uint8_t wf_subnet_block_len(const struct wf_subnet *subnet)
{
	unsigned int bits = wf_addr_bits(&subnet->prefix.addr), len;

	if (subnet->has_block_size)
		return subnet->block_size;
	len = subnet->prefix.len + BLOCK_COUNT;
	if (len < (bits == 32 ? BLOCK_LEN_IP4 : BLOCK_LEN_IP6))
		len = bits == 32 ? BLOCK_LEN_IP4 : BLOCK_LEN_IP6;
	return len + 2 > bits ? 0 : (uint8_t)len;
}

static json_t *range_to_json(const struct wf_range *range)
{
	char first[WF_ADDR_TEXT], last[WF_ADDR_TEXT];

	return json_pack("{s:s, s:s}", "start", wf_addr_format(&range->first, first), "end",
			 wf_addr_format(&range->last, last));
}

static json_t *exclude_to_json(const struct wf_range *range)
{
	char text[WF_RANGE_TEXT];

	return json_string(wf_range_format(range, text));
}

static int write_ranges(json_t *object, const char *key, const struct wf_ranges *ranges,
			json_t *(*write)(const struct wf_range *range))
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < ranges->count; i++) {
		if (json_array_append_new(array, write(&ranges->items[i])) < 0) {
			json_decref(array);
			return -ENOMEM;
		}
	}
	if (array && !ranges->count) {
		json_decref(array);
		return 0;
	}
	return json_object_set_new(object, key, array) < 0 ? -ENOMEM : 0;
}

static json_t *subnet_to_json(const struct wf_subnet *subnet)
{
	char cidr[WF_ADDR_TEXT], gateway[WF_ADDR_TEXT] = "";
	_cleanup_json_ json_t *object = NULL;

	if (subnet->has_gateway)
		(void)wf_addr_format(&subnet->gateway, gateway);
	object = json_pack("{s:s, s:s}", "cidr", wf_prefix_format(&subnet->prefix, cidr), "gateway",
			   gateway);
	if (subnet->has_block_size &&
	    json_object_set_new(object, "blockSize", json_integer(subnet->block_size)) < 0)
		return NULL;
	if (!object || write_ranges(object, "ranges", &subnet->ranges, range_to_json) < 0 ||
	    write_ranges(object, "exclude", &subnet->excluded, exclude_to_json) < 0)
		return NULL;
	return TAKE_PTR(object);
}

static int write_families(json_t *spec, const struct wf_network *network)
{
	bool ip4 = network->want_ip4, ip6 = network->want_ip6;
	json_t *families = json_array();

	if (network->subnet_count)
		ip4 = ip6 = false;
	for (size_t i = 0; i < network->subnet_count; i++) {
		if (wf_addr_is_ip4(&network->subnets[i].prefix.addr))
			ip4 = true;
		else
			ip6 = true;
	}
	if (json_object_set_new(spec, "ipFamilies", families) < 0)
		return -ENOMEM;
	if (ip4 && json_array_append_new(families, json_string("IPv4")) < 0)
		return -ENOMEM;
	if (ip6 && json_array_append_new(families, json_string("IPv6")) < 0)
		return -ENOMEM;
	return 0;
}

static int write_subnets(json_t *spec, const struct wf_network *network)
{
	json_t *subnets;

	if (!wf_driver_has_subnets(network->driver))
		return 0;
	if (write_families(spec, network) < 0)
		return -ENOMEM;
	if (!network->subnet_count)
		return 0;
	subnets = json_array();
	if (json_object_set_new(spec, "subnets", subnets) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < network->subnet_count; i++)
		if (json_array_append_new(subnets, subnet_to_json(&network->subnets[i])) < 0)
			return -ENOMEM;
	return 0;
}

/* In the largest unit that says it exactly. */
static char *format_duration(uint64_t ms, char *buf, size_t buf_bytes)
{
	static const struct {
		const char *suffix;
		uint64_t factor_ms;
	} units[] = { { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 } };
	size_t unit = 0;

	while (ms % units[unit].factor_ms)
		unit++;
	if (ms == 0)
		unit = 2;
	(void)snprintf(buf, buf_bytes, "%" PRIu64 "%s", ms / units[unit].factor_ms,
		       units[unit].suffix);
	return buf;
}

static int write_parent(json_t *spec, const struct wf_network *network)
{
	enum wf_driver_mode mode = network->mode;

	if (!wf_driver_has_parent(network->driver))
		return 0;
	if (mode == WF_MODE_DEFAULT)
		mode = wf_driver_default_mode(network->driver);
	if (wf_json_set_str(spec, "parent", network->parent) < 0 ||
	    (network->vlan && json_object_set_new(spec, "vlan", json_integer(network->vlan)) < 0) ||
	    json_object_set_new(spec, "mode", json_string(wf_mode_name(mode))) < 0)
		return -ENOMEM;
	if (network->driver != WF_DRIVER_MACVLAN)
		return 0;
	return json_object_set_new(spec, "hostAccess", json_boolean(network->host_access)) < 0
		       ? -ENOMEM
		       : 0;
}

static int write_spec(json_t *spec, const struct wf_network *network)
{
	char cool_down[32];

	(void)format_duration(network->cool_down_ms, cool_down, sizeof(cool_down));
	if (write_subnets(spec, network) < 0 ||
	    json_object_set_new(spec, "isolated", json_boolean(network->isolated)) < 0 ||
	    json_object_set_new(spec, "internal", json_boolean(network->internal)) < 0 ||
	    (wf_driver_is_routed(network->driver) &&
	     json_object_set_new(spec, "masquerade", json_boolean(network->masquerade)) < 0) ||
	    (network->driver == WF_DRIVER_ROUTED &&
	     wf_json_set_str(spec, "encapsulation", wf_encapsulation_name(network->encapsulation)) <
		     0) ||
	    (network->overlapping && json_object_set_new(spec, "overlapping", json_true()) < 0) ||
	    wf_json_set_str(spec, "encryption", wf_encryption_name(network->encryption)) < 0 ||
	    wf_routes_write(spec, network) < 0 ||
	    json_object_set_new(spec, "mtu", json_integer(network->mtu)) < 0 ||
	    json_object_set_new(spec, "coolDown", json_string(cool_down)) < 0 ||
	    json_object_set_new(spec, "sticky", json_boolean(network->sticky)) < 0)
		return -ENOMEM;
	return write_parent(spec, network);
}

json_t *wf_network_to_json(const struct wf_network *network)
{
	_cleanup_json_ json_t *document = wf_meta_to_json(&network->meta, WF_KIND_NETWORK);
	json_t *spec = json_pack("{s:s}", "driver", wf_driver_name(network->driver));

	if (json_object_set_new(document, "spec", spec) < 0 || write_spec(spec, network) < 0)
		return NULL;
	if (network->number &&
	    json_object_set_new(document, "status",
				json_pack("{s:I}", "number", (json_int_t)network->number)) < 0)
		return NULL;
	return TAKE_PTR(document);
}

#define BUSY(err, path, what)                                                \
	wf_fail_field(err, -EBUSY, path,                                     \
		      "%s: %s while the network has endpoints (detach them " \
		      "first, or create another network)",                   \
		      path, what)

static int check_subnet_change(const struct wf_subnet *old, const struct wf_network *to,
			       struct wf_err *err)
{
	char cidr[WF_ADDR_TEXT], path[64];

	for (size_t i = 0; i < to->subnet_count; i++) {
		if (!wf_prefix_equal(&old->prefix, &to->subnets[i].prefix))
			continue;
		(void)snprintf(path, sizeof(path), "spec.subnets[%zu].gateway", i);
		if (old->has_gateway != to->subnets[i].has_gateway ||
		    (old->has_gateway && !wf_addr_equal(&old->gateway, &to->subnets[i].gateway)))
			return BUSY(err, path, "the gateway cannot change");
		return 0;
	}
	return wf_fail_field(err, -EBUSY, "spec.subnets",
			     "spec.subnets: %s cannot go while the network has endpoints",
			     wf_prefix_format(&old->prefix, cidr));
}

int wf_network_check_kept(const struct wf_network *from, const struct wf_network *to,
			  struct wf_err *err)
{
	if (from->overlapping != to->overlapping)
		return wf_fail_field(
			err, -EBUSY, "spec.overlapping",
			"spec.overlapping: cannot change (delete the network, or create "
			"another one)");
	return 0;
}

int wf_network_check_change(const struct wf_network *from, const struct wf_network *to,
			    struct wf_err *err)
{
	int r;

	if (from->driver != to->driver)
		return BUSY(err, "spec.driver", "the driver cannot change");
	if (from->mode != to->mode)
		return BUSY(err, "spec.mode", "the mode cannot change");
	if (strcmp(from->parent, to->parent) != 0)
		return BUSY(err, "spec.parent", "the parent cannot change");
	if (from->vlan != to->vlan)
		return BUSY(err, "spec.vlan", "the VLAN cannot change");
	if (from->overlapping && from->masquerade != to->masquerade)
		return BUSY(err, "spec.masquerade", "the way out cannot change");
	if (from->internal != to->internal)
		return BUSY(err, "spec.internal", "cannot change");
	if (from->encryption != to->encryption)
		return BUSY(err, "spec.encryption", "the encryption cannot change");
	if (from->mtu != to->mtu)
		return BUSY(err, "spec.mtu", "the MTU cannot change");
	for (size_t i = 0; i < from->subnet_count; i++) {
		r = check_subnet_change(&from->subnets[i], to, err);
		if (r < 0)
			return r;
	}
	return 0;
}
