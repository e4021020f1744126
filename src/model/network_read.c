/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a network from its document, with checks and defaults. Subnets: subnet_read.c. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/field_priv.h"
#include "model/network.h"
#include "model/network_priv.h"

static const char *modes_of(enum wf_driver driver)
{
	return driver == WF_DRIVER_MACVLAN ? "bridge, private, vepa, passthru" : "l2, l3, l3s";
}

static bool mode_fits(enum wf_driver driver, enum wf_driver_mode mode)
{
	if (driver == WF_DRIVER_MACVLAN)
		return mode >= WF_MODE_BRIDGE && mode <= WF_MODE_PASSTHRU;
	return driver == WF_DRIVER_IPVLAN && mode >= WF_MODE_L2 && mode <= WF_MODE_L3S;
}

static int read_mode(struct wf_network *network, const json_t *spec, struct wf_err *err)
{
	const char *text = wf_json_str(spec, "mode", "");
	char excerpt[WF_FIELD_EXCERPT_BYTES];

	network->mode = wf_driver_default_mode(network->driver);
	if (!*text)
		return 0;
	if (!wf_driver_has_parent(network->driver))
		return wf_field_fail(err, "spec.mode", "driver %s has no modes (leave it out)",
				     wf_driver_name(network->driver));
	network->mode = wf_mode_from_name(text);
	if (!mode_fits(network->driver, network->mode))
		return wf_field_fail(err, "spec.mode", "\"%s\" is not a mode of %s (it has %s)",
				     wf_field_excerpt(text, excerpt),
				     wf_driver_name(network->driver), modes_of(network->driver));
	return 0;
}

static int read_driver(struct wf_network *network, const json_t *spec, struct wf_err *err)
{
	const char *text = wf_json_str(spec, "driver", "bridge");
	char excerpt[WF_FIELD_EXCERPT_BYTES];

	network->driver = wf_driver_from_name(text);
	if (network->driver == WF_DRIVER_COUNT)
		return wf_field_fail(err, "spec.driver", "\"%s\" is not a driver",
				     wf_field_excerpt(text, excerpt));
	return read_mode(network, spec, err);
}

static int read_parent(struct wf_network *network, const json_t *spec, struct wf_err *err)
{
	const char *text = wf_json_str(spec, "parent", "");
	char excerpt[WF_FIELD_EXCERPT_BYTES];
	bool macvlan = network->driver == WF_DRIVER_MACVLAN;

	network->host_access = wf_json_bool(spec, "hostAccess", macvlan);
	if (network->host_access && !macvlan)
		return wf_field_fail(err, "spec.hostAccess", "is for macvlan only, not for %s",
				     wf_driver_name(network->driver));
	if (!*text)
		return 0;
	if (!wf_driver_has_parent(network->driver))
		return wf_field_fail(err, "spec.parent",
				     "is for macvlan and ipvlan only, not for %s",
				     wf_driver_name(network->driver));
	if (!wf_str_is_ifname(text))
		return wf_field_fail(err, "spec.parent",
				     "\"%s\" cannot be an interface name (1 to 15 characters, "
				     "no '/', ':', '%%' or spaces)",
				     wf_field_excerpt(text, excerpt));
	return wf_str_copy(network->parent, sizeof(network->parent), text);
}

static int read_vlan(struct wf_network *network, const json_t *spec, struct wf_err *err)
{
	const json_t *value = json_object_get(spec, "vlan");
	int64_t vlan = wf_json_int(spec, "vlan", 0);

	if (!value)
		return 0;
	if (!wf_driver_has_parent(network->driver))
		return wf_field_fail(err, "spec.vlan", "is for macvlan and ipvlan only, not for %s",
				     wf_driver_name(network->driver));
	if (vlan < 1 || vlan > WF_NETWORK_MAX_VLAN)
		return wf_field_fail(err, "spec.vlan", "%" PRId64 " is not between 1 and %d", vlan,
				     WF_NETWORK_MAX_VLAN);
	network->vlan = (uint16_t)vlan;
	return 0;
}

static int read_encapsulation(struct wf_network *network, const json_t *spec, struct wf_err *err)
{
	const char *text = wf_json_str(spec, "encapsulation", "");
	char excerpt[WF_FIELD_EXCERPT_BYTES];

	if (!*text)
		return 0;
	if (network->driver != WF_DRIVER_ROUTED)
		return wf_field_fail(err, "spec.encapsulation", "is for routed only, not for %s",
				     wf_driver_name(network->driver));
	network->encapsulation = wf_encapsulation_from_name(text);
	if (network->encapsulation == WF_ENCAPSULATION_COUNT)
		return wf_field_fail(err, "spec.encapsulation",
				     "\"%s\" is neither across-subnets nor never",
				     wf_field_excerpt(text, excerpt));
	return 0;
}

/* The families written in spec.ipFamilies; both false when it is not given. */
static int read_families(struct wf_network *network, const json_t *spec, struct wf_err *err)
{
	const json_t *families = json_object_get(spec, "ipFamilies");
	json_t *item;
	size_t i;

	if (json_array_size(families) && !wf_driver_has_subnets(network->driver))
		return wf_field_fail(err, "spec.ipFamilies",
				     "driver %s has no addresses of its own (leave it out)",
				     wf_driver_name(network->driver));
	json_array_foreach(families, i, item) {
		const char *text = json_string_value(item);
		bool *want =
			text && strcmp(text, "IPv4") == 0 ? &network->want_ip4 : &network->want_ip6;

		if (*want)
			return wf_field_fail(err, "spec.ipFamilies", "%s is listed twice", text);
		*want = true;
	}
	return 0;
}

/* Explicit families must be those of the subnets; otherwise they follow from them. */
static int match_families(struct wf_network *network, struct wf_err *err)
{
	bool stated = network->want_ip4 || network->want_ip6;
	bool ip4 = false, ip6 = false;

	for (size_t i = 0; i < network->subnet_count; i++) {
		if (wf_addr_is_ip4(&network->subnets[i].prefix.addr))
			ip4 = true;
		else
			ip6 = true;
	}
	if (!network->subnet_count && !stated)
		ip4 = wf_driver_has_subnets(network->driver);
	if (network->subnet_count && stated && ip4 != network->want_ip4)
		return wf_field_fail(err, "spec.ipFamilies",
				     "IPv4 is %slisted, but %s subnet is IPv4", ip4 ? "not " : "",
				     ip4 ? "a" : "no");
	if (network->subnet_count && stated && ip6 != network->want_ip6)
		return wf_field_fail(err, "spec.ipFamilies",
				     "IPv6 is %slisted, but %s subnet is IPv6", ip6 ? "not " : "",
				     ip6 ? "a" : "no");
	network->want_ip4 |= ip4;
	network->want_ip6 |= ip6;
	return 0;
}

static int read_mtu(struct wf_network *network, const json_t *spec, struct wf_err *err)
{
	int64_t mtu = wf_json_int(spec, "mtu", 0);

	if (mtu != 0 && (mtu < WF_NETWORK_MIN_MTU || mtu > WF_NETWORK_MAX_MTU))
		return wf_field_fail(err, "spec.mtu",
				     "%" PRId64 " is not 0 (found by itself) or between %d and %d",
				     mtu, WF_NETWORK_MIN_MTU, WF_NETWORK_MAX_MTU);
	if (mtu != 0 && network->want_ip6 && mtu < WF_NETWORK_MIN_MTU_IP6)
		return wf_field_fail(err, "spec.mtu",
				     "%" PRId64 " is too small: IPv6 needs at least %d", mtu,
				     WF_NETWORK_MIN_MTU_IP6);
	network->mtu = (uint32_t)mtu;
	return 0;
}

static int read_cool_down(struct wf_network *network, const json_t *spec, struct wf_err *err)
{
	const char *text = json_string_value(json_object_get(spec, "coolDown"));
	char excerpt[WF_FIELD_EXCERPT_BYTES];
	uint64_t ms = WF_NETWORK_COOL_DOWN_MS;

	if (text && wf_str_to_duration_ms(text, &ms) < 0)
		return wf_field_fail(err, "spec.coolDown",
				     "\"%s\" is not a duration (such as 30s, 500ms, 5m)",
				     wf_field_excerpt(text, excerpt));
	if (ms > WF_NETWORK_MAX_COOL_DOWN_MS)
		return wf_field_fail(err, "spec.coolDown", "\"%s\" is more than 30 days",
				     wf_field_excerpt(text, excerpt));
	network->cool_down_ms = ms;
	return 0;
}

/*
 * Whether others may have the same addresses: then nobody beyond the network can be reached, but for the
 * world in the host's name if the network is masqueraded.
 */
static int read_overlapping(struct wf_network *network, const json_t *spec, struct wf_err *err)
{
	const bool is_hidden = wf_json_bool(spec, "masquerade", false);

	network->overlapping = wf_json_bool(spec, "overlapping", false);
	if (!network->overlapping)
		return 0;
	if (network->driver != WF_DRIVER_BRIDGE && network->driver != WF_DRIVER_OVERLAY)
		return wf_field_fail(
			err, "spec.overlapping",
			"is for bridge and overlay only, not for %s: nothing tells its "
			"packets from those of another network",
			wf_driver_name(network->driver));
	if (!wf_json_bool(spec, "isolated", true))
		return wf_field_fail(err, "spec.isolated",
				     "cannot be false with overlapping: true, which leads to no "
				     "other network (leave one of the two out)");
	if (!wf_json_bool(spec, "internal", true) && !is_hidden)
		return wf_field_fail(err, "spec.internal",
				     "cannot be false with overlapping: true, which leads nowhere "
				     "else (say masquerade: true for a way out that shows the "
				     "host's address)");
	return 0;
}

static int read_flags(struct wf_network *network, const json_t *spec, struct wf_err *err)
{
	bool routed = wf_driver_is_routed(network->driver);
	/* one whose addresses mean nothing outside has a way out only if it is asked for */
	bool leads_out = !network->overlapping || wf_json_bool(spec, "masquerade", false);

	network->isolated = wf_json_bool(spec, "isolated", true);
	network->internal = wf_json_bool(spec, "internal", !leads_out);
	network->sticky = wf_json_bool(spec, "sticky", false);
	network->masquerade = wf_json_bool(spec, "masquerade", routed && !network->internal);
	if (network->masquerade && !routed)
		return wf_field_fail(err, "spec.masquerade",
				     "is for bridge, overlay and routed only, not for %s",
				     wf_driver_name(network->driver));
	if (network->masquerade && network->internal)
		return wf_field_fail(err, "spec.masquerade",
				     "an internal network has no traffic to masquerade (leave one "
				     "of the two out)");
	if (network->internal && network->driver == WF_DRIVER_HOST)
		return wf_field_fail(err, "spec.internal",
				     "driver host has the host's own interfaces and cannot be "
				     "internal");
	return 0;
}

static int read_encryption(struct wf_network *network, const json_t *spec, struct wf_err *err)
{
	const char *text = wf_json_str(spec, "encryption", "");
	char excerpt[WF_FIELD_EXCERPT_BYTES];

	network->encryption = wf_encryption_from_name(text);
	if (network->encryption == WF_ENCRYPTION_COUNT)
		return wf_field_fail(err, "spec.encryption",
				     "\"%s\" is no encryption (none, wireguard)",
				     wf_field_excerpt(text, excerpt));
	if (network->encryption == WF_ENCRYPTION_WIREGUARD && network->driver != WF_DRIVER_OVERLAY)
		return wf_field_fail(err, "spec.encryption",
				     "wireguard is for overlay only, not for %s: other networks "
				     "stay on their node, or have no tunnel",
				     wf_driver_name(network->driver));
	return 0;
}

static int read_number(struct wf_network *network, const json_t *document, struct wf_err *err)
{
	int64_t number = wf_json_int(json_object_get(document, "status"), "number", 0);

	if (number < 0 || number >= WF_MAX_NETWORKS)
		return wf_field_fail(err, "status.number", "%" PRId64 " is not between 0 and %d",
				     number, WF_MAX_NETWORKS - 1);
	network->number = (uint32_t)number;
	return 0;
}

static int read_network(struct wf_network *network, const json_t *document, struct wf_err *err)
{
	const json_t *spec = json_object_get(document, "spec");
	static int (*const steps[])(struct wf_network *, const json_t *, struct wf_err *) = {
		read_driver,    read_parent,      read_vlan,      read_encapsulation,
		read_families,  read_overlapping, read_flags,     wf_subnets_read,
		read_cool_down, read_encryption,  wf_routes_read,
	};
	int r = wf_meta_from_json(&network->meta, document, err);

	for (size_t i = 0; r == 0 && i < WF_ARRAY_LEN(steps); i++)
		r = steps[i](network, spec, err);
	if (r == 0)
		r = match_families(network, err);
	if (r == 0)
		r = wf_network_check_routes(network, err);
	if (r == 0)
		r = read_mtu(network, spec, err);
	return r < 0 ? r : read_number(network, document, err);
}

int wf_network_from_json(struct wf_network *network, const json_t *document, struct wf_err *err)
{
	_cleanup_(wf_network_done) struct wf_network fresh = { .subnet_count = 0 };
	int r = read_network(&fresh, document, err);

	if (r < 0)
		return wf_field_name_object(r, document, err);
	*network = fresh;
	fresh = (struct wf_network){ .subnet_count = 0 };
	return 0;
}
