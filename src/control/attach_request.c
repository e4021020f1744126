/* SPDX-License-Identifier: Apache-2.0 */
/* Reads an attach request (docs/api.md). Parsing and checking only. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "control/attach_priv.h"

static int want_string(const json_t *body, const char *key, bool required, const char **ret,
		       struct wf_err *err)
{
	const json_t *value = json_object_get(body, key);

	*ret = "";
	if (!value || json_is_null(value)) {
		if (!required)
			return 0;
		return wf_fail_field(err, -EINVAL, key, "is required");
	}
	if (!json_is_string(value))
		return wf_fail_field(err, -EINVAL, key, "must be a string");
	*ret = json_string_value(value);
	if (required && !**ret)
		return wf_fail_field(err, -EINVAL, key, "must not be empty");
	return 0;
}

static int parse_strings(struct attach_request *request, const json_t *body, struct wf_err *err)
{
	const struct {
		const char *key;
		const char **value;
		bool required;
	} strings[] = {
		{ "network", &request->network, true },
		{ "netns", &request->netns, true },
		{ "owner", &request->owner, true },
		{ "ifname", &request->ifname, false },
		{ "name", &request->name, false },
		{ "containerID", &request->container_id, false },
		{ "stickyName", &request->sticky_name, false },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(strings); i++) {
		int r = want_string(body, strings[i].key, strings[i].required, strings[i].value,
				    err);

		if (r < 0)
			return r;
	}
	if (!wf_str_is_name(request->network))
		return wf_fail_field(
			err, -EINVAL, "network",
			"\"%s\" is not a name: lower-case letters, digits, '-' and '.'",
			request->network);
	if (*request->name && !wf_str_is_name(request->name))
		return wf_fail_field(
			err, -EINVAL, "name",
			"\"%s\" is not a name: lower-case letters, digits, '-' and '.'",
			request->name);
	if (*request->sticky_name && !wf_str_is_name(request->sticky_name))
		return wf_fail_field(
			err, -EINVAL, "stickyName",
			"\"%s\" is not a name: lower-case letters, digits, '-' and '.'",
			request->sticky_name);
	if (*request->ifname && !wf_str_is_ifname(request->ifname))
		return wf_fail_field(err, -EINVAL, "ifname",
				     "\"%s\" cannot name an interface: 1 to 15 characters, no '/', "
				     "':' or space",
				     request->ifname);
	return 0;
}

static int parse_addresses(struct attach_request *request, const json_t *body, struct wf_err *err)
{
	const json_t *list = json_object_get(body, "addresses"), *item;
	char field[32];
	size_t i;

	if (list && !json_is_array(list))
		return wf_fail_field(err, -EINVAL, "addresses", "must be an array of strings");
	if (json_array_size(list) > WF_MAX_ENDPOINT_ADDRESSES)
		return wf_fail_field(err, -E2BIG, "addresses", "an endpoint has at most %d",
				     WF_MAX_ENDPOINT_ADDRESSES);
	json_array_foreach(list, i, item) {
		const char *text = json_string_value(item);
		struct wf_prefix prefix;

		(void)snprintf(field, sizeof(field), "addresses[%zu]", i);
		/* "addr/len" is accepted as runtimes send it; the network knows the length */
		if (!text || wf_prefix_parse(text, &prefix) < 0)
			return wf_fail_field(
				err, -EINVAL, field,
				"\"%s\" is not an address such as 10.64.0.5 or fd00::5",
				text ? text : "(not a string)");
		request->addresses[request->address_count++] = prefix.addr;
	}
	return 0;
}

static int parse_mac(struct attach_request *request, const json_t *body, struct wf_err *err)
{
	const char *text;
	int r = want_string(body, "mac", false, &text, err);

	if (r < 0 || !*text)
		return r;
	if (wf_mac_parse(text, &request->mac) < 0 || !wf_mac_is_unicast(&request->mac))
		return wf_fail_field(err, -EINVAL, "mac",
				     "\"%s\" is not a unicast MAC such as 02:42:ac:11:00:02", text);
	return 0;
}

static int parse_flags(struct attach_request *request, const json_t *body, struct wf_err *err)
{
	const json_t *route = json_object_get(body, "defaultRoute");
	const json_t *mtu = json_object_get(body, "mtu");

	request->create_network = wf_json_bool(body, "createNetwork", false);
	request->sticky = wf_json_bool(body, "sticky", false) || *request->sticky_name;
	request->default_route_given = json_is_boolean(route);
	request->default_route = json_is_true(route);
	if (mtu && !json_is_null(mtu)) {
		json_int_t value = json_integer_value(mtu);

		if (!json_is_integer(mtu) || (value != 0 && (value < 576 || value > 65535)))
			return wf_fail_field(err, -EINVAL, "mtu",
					     "must be a number from 576 to 65535");
		request->mtu = (uint32_t)value;
	}
	return 0;
}

/* One {subnet, rangeStart, rangeEnd}: what is not said reaches to the subnet's ends. */
static int parse_range(const json_t *item, struct wf_range *range, const char *field,
		       struct wf_err *err)
{
	const char *subnet = json_string_value(wf_json_get_nocase(item, "subnet"));
	const char *start = json_string_value(wf_json_get_nocase(item, "rangeStart"));
	const char *end = json_string_value(wf_json_get_nocase(item, "rangeEnd"));
	struct wf_prefix prefix;

	if (!subnet || wf_prefix_parse(subnet, &prefix) < 0)
		return wf_fail_field(err, -EINVAL, field,
				     "subnet \"%s\" is not a prefix such as 10.64.0.0/16",
				     subnet ? subnet : "");
	prefix = wf_prefix_network(&prefix);
	range->first = prefix.addr;
	range->last = wf_prefix_last(&prefix);
	if (start && *start && wf_addr_parse(start, &range->first) < 0)
		return wf_fail_field(err, -EINVAL, field, "rangeStart \"%s\" is not an address",
				     start);
	if (end && *end && wf_addr_parse(end, &range->last) < 0)
		return wf_fail_field(err, -EINVAL, field, "rangeEnd \"%s\" is not an address", end);
	if (!wf_prefix_contains(&prefix, &range->first) ||
	    !wf_prefix_contains(&prefix, &range->last) ||
	    wf_addr_compare(&range->first, &range->last) > 0)
		return wf_fail_field(err, -EINVAL, field,
				     "rangeStart and rangeEnd must lie in %s, in this order",
				     subnet);
	return 0;
}

static int parse_range_set(struct attach_range_set *set, const json_t *list, size_t index,
			   struct wf_err *err)
{
	char field[64];
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item) {
		struct wf_range range;
		int r;

		(void)snprintf(field, sizeof(field), "ranges[%zu][%zu]", index, i);
		r = parse_range(item, &range, field, err);
		if (r == 0 && wf_ranges_add(&set->ranges, &range) < 0)
			r = wf_fail(err, -ENOMEM, "out of memory");
		if (r < 0)
			return r;
	}
	if (!set->ranges.count) {
		(void)snprintf(field, sizeof(field), "ranges[%zu]", index);
		return wf_fail_field(err, -EINVAL, field, "must be a list of ranges, not empty");
	}
	return 0;
}

static int parse_ranges(struct attach_request *request, const json_t *body, struct wf_err *err)
{
	const json_t *outer = json_object_get(body, "ranges");
	json_t *inner;
	size_t i;

	if (!json_array_size(outer))
		return 0;
	if (json_array_size(outer) > WF_MAX_ENDPOINT_ADDRESSES)
		return wf_fail_field(err, -E2BIG, "ranges", "an endpoint has at most %d addresses",
				     WF_MAX_ENDPOINT_ADDRESSES);
	request->range_sets = calloc(json_array_size(outer), sizeof(*request->range_sets));
	if (!request->range_sets)
		return wf_fail(err, -ENOMEM, "out of memory");
	json_array_foreach(outer, i, inner) {
		int r = parse_range_set(&request->range_sets[i], inner, i, err);

		request->range_set_count++;
		if (r < 0)
			return r;
	}
	return 0;
}

int wf_ctl_attach_parse(struct attach_request *request, const json_t *body, struct wf_err *err)
{
	int r;

	if (!json_is_object(body))
		return wf_fail(err, -EINVAL, "an attach request is a JSON object");
	request->labels = json_object_get(body, "labels");
	request->annotations = json_object_get(body, "annotations");
	request->extra = json_object_get(body, "extra");
	request->publish = json_object_get(body, "publish");
	request->ports = json_object_get(body, "ports");
	r = parse_strings(request, body, err);
	if (r == 0)
		r = parse_addresses(request, body, err);
	if (r == 0)
		r = parse_mac(request, body, err);
	if (r == 0)
		r = parse_flags(request, body, err);
	if (r == 0)
		r = parse_ranges(request, body, err);
	return r;
}

void wf_ctl_attach_request_done(struct attach_request *request)
{
	for (size_t i = 0; i < request->range_set_count; i++)
		wf_ranges_done(&request->range_sets[i].ranges);
	free(request->range_sets);
	request->range_sets = NULL;
	request->range_set_count = 0;
}

int wf_ctl_attach_copy(const struct attach_request *request, struct wf_endpoint *spec,
		       struct wf_err *err)
{
	int r = 0;

	(void)snprintf(spec->meta.name, sizeof(spec->meta.name), "%s", request->name);
	spec->netns = strdup(request->netns);
	spec->owner = strdup(request->owner);
	if (*request->container_id)
		spec->container_id = strdup(request->container_id);
	if (!spec->netns || !spec->owner || (*request->container_id && !spec->container_id))
		return wf_fail(err, -ENOMEM, "out of memory");
	spec->mac = request->mac;
	if (json_is_object(request->labels))
		r = wf_labels_from_json(&spec->meta.labels, request->labels, "labels", true, err);
	if (r == 0 && json_is_object(request->annotations))
		r = wf_labels_from_json(&spec->meta.annotations, request->annotations,
					"annotations", false, err);
	if (r == 0 && request->publish)
		r = wf_publishes_from_json(&spec->publish, request->publish, "publish", err);
	if (r == 0 && request->ports)
		r = wf_endpoint_ports_from_json(spec, request->ports, "ports", err);
	if (r == 0 && json_is_object(request->extra)) {
		spec->extra = json_deep_copy(request->extra);
		if (!spec->extra)
			r = wf_fail(err, -ENOMEM, "out of memory");
	}
	return r;
}
