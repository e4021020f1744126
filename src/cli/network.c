/* SPDX-License-Identifier: Apache-2.0 */
/* A Network document from options: which subnet each gateway and range belongs to. */
#include "cli/network.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/json.h"
#include "base/mem.h"
#include "model/label.h"
#include "model/meta.h"
#include "model/network.h"

int wf_cli_labels(const struct wf_option_list *labels, json_t **ret_labels, struct wf_err *err)
{
	_cleanup_(wf_labels_done) struct wf_labels parsed = { 0 };

	for (size_t i = 0; i < labels->count; i++) {
		int r = wf_labels_parse(&parsed, labels->items[i], err);

		if (r < 0) {
			if (err)
				wf_err_set_field(err, "--label");
			return r;
		}
	}
	*ret_labels = wf_labels_to_json(&parsed);
	return *ret_labels ? 0 : wf_fail(err, -ENOMEM, "out of memory");
}

/* The subnet object that contains an address, NULL when none does. */
static json_t *subnet_of(const json_t *subnets, const struct wf_addr *addr)
{
	json_t *subnet;
	size_t i;

	json_array_foreach(subnets, i, subnet) {
		struct wf_prefix prefix;

		if (wf_prefix_parse(wf_json_str(subnet, "cidr", ""), &prefix) == 0 &&
		    wf_prefix_contains(&prefix, addr))
			return subnet;
	}
	return NULL;
}

static int not_contained(const char *option, const char *text, const json_t *subnets,
			 struct wf_err *err)
{
	if (!json_array_size(subnets))
		return wf_fail_field(err, -EINVAL, option,
				     "%s needs a subnet that contains it; give --subnet too", text);
	return wf_fail_field(err, -EINVAL, option, "%s is in none of the subnets", text);
}

static int add_subnets(json_t *subnets, const struct wf_option_list *list, struct wf_err *err)
{
	for (size_t i = 0; i < list->count; i++) {
		struct wf_prefix prefix, network;
		char text[WF_ADDR_TEXT];

		if (!strchr(list->items[i], '/') || wf_prefix_parse(list->items[i], &prefix) < 0)
			return wf_fail_field(err, -EINVAL, "--subnet",
					     "'%s' is not a subnet; write it like 10.64.0.0/16 or "
					     "fd00:64::/64",
					     list->items[i]);
		network = wf_prefix_network(&prefix);
		if (!wf_prefix_equal(&prefix, &network))
			return wf_fail_field(
				err, -EINVAL, "--subnet",
				"'%s' has bits set behind its prefix; did you mean %s?",
				list->items[i], wf_prefix_format(&network, text));
		if (json_array_append_new(subnets, json_pack("{s:s}", "cidr", list->items[i])) < 0)
			return wf_fail(err, -ENOMEM, "out of memory");
	}
	return 0;
}

static int add_no_gateways(json_t *subnets, struct wf_err *err)
{
	json_t *subnet;
	size_t i;

	json_array_foreach(subnets, i, subnet)
		if (json_object_set_new(subnet, "gateway", json_string("")) < 0)
			return wf_fail(err, -ENOMEM, "out of memory");
	return 0;
}

static int add_gateways(json_t *subnets, const struct wf_option_list *list, struct wf_err *err)
{
	for (size_t i = 0; i < list->count; i++) {
		const char *text = list->items[i];
		struct wf_addr addr;
		json_t *subnet;

		if (strcmp(text, "none") == 0 && list->count == 1)
			return add_no_gateways(subnets, err);
		if (wf_addr_parse(text, &addr) < 0)
			return wf_fail_field(err, -EINVAL, "--gateway",
					     "'%s' is not an address such as 10.64.0.1", text);
		subnet = subnet_of(subnets, &addr);
		if (!subnet)
			return not_contained("--gateway", text, subnets, err);
		if (json_object_get(subnet, "gateway"))
			return wf_fail_field(err, -EINVAL, "--gateway",
					     "subnet %s has two gateways",
					     wf_json_str(subnet, "cidr", ""));
		if (wf_json_set_str(subnet, "gateway", text) < 0)
			return wf_fail(err, -ENOMEM, "out of memory");
	}
	return 0;
}

/* The list in a subnet, made when it is not there. Borrowed; NULL when out of memory. */
static json_t *list_in(json_t *subnet, const char *key)
{
	json_t *list = json_object_get(subnet, key);

	if (!list && json_object_set_new(subnet, key, json_array()) == 0)
		list = json_object_get(subnet, key);
	return list;
}

/* key: "ranges" takes objects with start and end, "exclude" the user's text. */
static int add_ranges(json_t *subnets, const struct wf_option_list *list, const char *option,
		      const char *key, struct wf_err *err)
{
	char first[WF_ADDR_TEXT], last[WF_ADDR_TEXT];

	for (size_t i = 0; i < list->count; i++) {
		struct wf_range range;
		json_t *subnet, *item;

		if (wf_range_parse(list->items[i], &range) < 0)
			return wf_fail_field(err, -EINVAL, option,
					     "'%s' is not a range such as 10.64.1.0/24 or "
					     "10.64.0.10-10.64.0.99",
					     list->items[i]);
		subnet = subnet_of(subnets, &range.first);
		if (!subnet || subnet != subnet_of(subnets, &range.last))
			return not_contained(option, list->items[i], subnets, err);
		item = strcmp(key, "exclude") == 0
			       ? json_string(list->items[i])
			       : json_pack("{s:s, s:s}", "start",
					   wf_addr_format(&range.first, first), "end",
					   wf_addr_format(&range.last, last));
		if (json_array_append_new(list_in(subnet, key), item) < 0)
			return wf_fail(err, -ENOMEM, "out of memory");
	}
	return 0;
}

static bool has_ip6(const json_t *subnets)
{
	const json_t *subnet;
	size_t i;

	json_array_foreach(subnets, i, subnet)
		if (strchr(wf_json_str(subnet, "cidr", ""), ':'))
			return true;
	return false;
}

static int add_families(json_t *spec, const json_t *subnets, bool ipv6, struct wf_err *err)
{
	if (!ipv6 || has_ip6(subnets))
		return 0;
	if (json_array_size(subnets))
		return wf_fail_field(err, -EINVAL, "--ipv6",
				     "weft chooses either all subnets or none; give the IPv6 "
				     "subnet with --subnet too");
	if (json_object_set_new(spec, "ipFamilies", json_pack("[s, s]", "IPv4", "IPv6")) < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	return 0;
}

/* Members that are not about addresses; defaults are left to the daemon. */
static int add_settings(json_t *spec, const struct wf_cli_network_options *options,
			struct wf_err *err)
{
	int r = wf_json_set_str(spec, "driver", options->driver);

	r |= wf_json_set_str(spec, "parent", options->parent);
	r |= wf_json_set_str(spec, "mode", options->mode);
	r |= wf_json_set_str(spec, "encapsulation", options->encapsulation);
	r |= wf_json_set_str(spec, "coolDown", options->cool_down);
	if (options->vlan)
		r |= wf_json_set(spec, "vlan", json_integer((json_int_t)options->vlan));
	if (options->mtu)
		r |= wf_json_set(spec, "mtu", json_integer((json_int_t)options->mtu));
	if (options->internal)
		r |= wf_json_set(spec, "internal", json_true());
	if (options->overlapping)
		r |= wf_json_set(spec, "overlapping", json_true());
	if (!options->isolated)
		r |= wf_json_set(spec, "isolated", json_false());
	if (options->way_out)
		r |= wf_json_set(spec, "masquerade", json_true());
	if (!options->masquerade)
		r |= wf_json_set(spec, "masquerade", json_false());
	if (options->sticky)
		r |= wf_json_set(spec, "sticky", json_true());
	if (options->encryption)
		r |= wf_json_set_str(spec, "encryption", options->encryption);
	if (!options->host_access)
		r |= wf_json_set(spec, "hostAccess", json_false());
	return r ? wf_fail(err, -ENOMEM, "out of memory") : 0;
}

/* Routes are checked with the document; here they are only taken apart. */
static int add_routes(json_t *spec, const struct wf_option_list *routes, struct wf_err *err)
{
	json_t *list;

	if (!routes->count)
		return 0;
	list = json_array();
	if (wf_json_set(spec, "routes", list) < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < routes->count; i++) {
		const char *text = routes->items[i], *sign = strchr(text, '=');
		json_t *route;

		if (!sign)
			return wf_fail_field(err, -EINVAL, "--route",
					     "%s does not say by way of whom: PREFIX=ADDR", text);
		route = json_pack("{s:s%, s:s}", "to", text, (size_t)(sign - text), "via",
				  sign + 1);
		if (json_array_append_new(list, route) < 0)
			return wf_fail(err, -ENOMEM, "out of memory");
	}
	return 0;
}

static int build_spec(const struct wf_cli_network_options *options, json_t *spec, json_t *subnets,
		      struct wf_err *err)
{
	int r = add_subnets(subnets, &options->subnets, err);

	if (r == 0)
		r = add_gateways(subnets, &options->gateways, err);
	if (r == 0)
		r = add_ranges(subnets, &options->ranges, "--ip-range", "ranges", err);
	if (r == 0)
		r = add_ranges(subnets, &options->excluded, "--exclude", "exclude", err);
	if (r == 0)
		r = add_families(spec, subnets, options->ipv6, err);
	if (r == 0)
		r = add_settings(spec, options, err);
	if (r == 0)
		r = add_routes(spec, &options->routes, err);
	if (r == 0 && json_array_size(subnets) && json_object_set(spec, "subnets", subnets) < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	return r;
}

int wf_cli_network_document(const char *name, const struct wf_cli_network_options *options,
			    json_t **ret_document, struct wf_err *err)
{
	_cleanup_json_ json_t *subnets = json_array();
	_cleanup_json_ json_t *spec = json_object();
	_cleanup_json_ json_t *metadata = json_pack("{s:s}", "name", name);
	_cleanup_json_ json_t *labels = NULL;
	int r;

	if (!subnets || !spec)
		return wf_fail(err, -ENOMEM, "out of memory");
	if (!metadata)
		return wf_fail(err, -EINVAL, "the name is not valid UTF-8");
	r = wf_cli_labels(&options->labels, &labels, err);
	if (r == 0)
		r = build_spec(options, spec, subnets, err);
	if (r < 0)
		return r;
	if (json_object_size(labels) && json_object_set(metadata, "labels", labels) < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	*ret_document = json_pack("{s:s, s:s, s:O, s:O}", "apiVersion", WF_API_VERSION, "kind",
				  WF_KIND_NETWORK, "metadata", metadata, "spec", spec);
	return *ret_document ? 0 : wf_fail(err, -ENOMEM, "out of memory");
}
