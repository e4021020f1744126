/* SPDX-License-Identifier: Apache-2.0 */
#include "cni/wish_priv.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

void wf_cni_wish_done(struct wf_cni_wish *wish)
{
	json_decref(wish->addresses);
	json_decref(wish->ranges);
	json_decref(wish->labels);
	json_decref(wish->annotations);
	json_decref(wish->aliases);
	json_decref(wish->dns);
	wf_publishes_done(&wish->publish);
	memset(wish, 0, sizeof(*wish));
}

/* Appends one address; the length that may follow it is the network's business. */
static int add_address(struct wf_cni_wish *wish, const char *text, const char *key, int code,
		       struct wf_cni_error *error)
{
	char buf[WF_ADDR_TEXT];
	struct wf_prefix prefix;

	if (wf_prefix_parse(text, &prefix) < 0)
		return wf_cni_fail(error, code,
				   "%s must hold addresses such as 10.64.0.5 or 10.64.0.5/16, not "
				   "\"%.80s\"",
				   key, text);
	if (!wish->addresses)
		wish->addresses = json_array();
	if (json_array_append_new(wish->addresses, json_string(wf_addr_format(&prefix.addr, buf))) <
	    0)
		return wf_cni_fail_memory(error);
	return 0;
}

static int gather_ip_list(struct wf_cni_wish *wish, const json_t *list, const char *key,
			  struct wf_cni_error *error)
{
	const json_t *item;
	size_t i;
	int r;

	if (!json_is_array(list))
		return wf_cni_fail_value(error, key, list, "an array of addresses");
	json_array_foreach(list, i, item) {
		if (!json_is_string(item))
			return wf_cni_fail_value(error, key, item, "an array of strings");
		r = add_address(wish, json_string_value(item), key, WF_CNI_CONFIG, error);
		if (r < 0)
			return r;
	}
	return 0;
}

/* CNI_ARGS IP: one address or several with commas. */
static int gather_ip_text(struct wf_cni_wish *wish, const char *text, struct wf_cni_error *error)
{
	_cleanup_free_ char *copy = strdup(text);
	char *at = copy, *item;
	int r = copy ? 0 : wf_cni_fail_memory(error);

	while (r == 0 && (item = strsep(&at, ",")))
		r = add_address(wish, item, "IP of CNI_ARGS", WF_CNI_ENVIRONMENT, error);
	return r;
}

static int gather_addresses(struct wf_cni_wish *wish, const struct wf_cni_config *config,
			    const struct wf_cni_args *args, struct wf_cni_error *error)
{
	const json_t *list = wf_cni_get(config->runtime, "ips");
	const char *key = "runtimeConfig.ips";

	if (!list || (json_is_array(list) && json_array_size(list) == 0)) {
		list = wf_cni_get(config->args, "ips");
		key = "args.cni.ips";
	}
	if (list && !(json_is_array(list) && json_array_size(list) == 0))
		return gather_ip_list(wish, list, key, error);
	return *args->ip ? gather_ip_text(wish, args->ip, error) : 0;
}

static int gather_mac(struct wf_cni_wish *wish, const struct wf_cni_config *config,
		      const struct wf_cni_args *args, struct wf_cni_error *error)
{
	const json_t *ways[] = { wf_cni_get(config->runtime, "mac"),
				 wf_cni_get(config->args, "mac") };
	static const char *const keys[] = { "runtimeConfig.mac", "args.cni.mac" };
	const char *text = args->mac, *key = "MAC of CNI_ARGS";
	struct wf_mac mac;

	for (size_t i = 0; i < WF_ARRAY_LEN(ways); i++) {
		if (ways[i] && !json_is_string(ways[i]))
			return wf_cni_fail_value(error, keys[i], ways[i], "a string");
		if (!ways[i] || json_string_length(ways[i]) == 0)
			continue;
		text = json_string_value(ways[i]);
		key = keys[i];
		break;
	}
	if (!*text)
		return 0;
	if (wf_mac_parse(text, &mac) < 0 || !wf_mac_is_unicast(&mac))
		return wf_cni_fail(error, text == args->mac ? WF_CNI_ENVIRONMENT : WF_CNI_CONFIG,
				   "%s must be a unicast MAC such as 02:00:00:00:00:05, not "
				   "\"%.40s\"",
				   key, text);
	(void)wf_mac_format(&mac, wish->mac);
	return 0;
}

static int gather_gateway(struct wf_cni_wish *wish, const struct wf_cni_args *args,
			  struct wf_cni_error *error)
{
	struct wf_addr addr;

	if (!*args->gateway)
		return 0;
	if (wf_addr_parse(args->gateway, &addr) < 0)
		return wf_cni_fail(error, WF_CNI_ENVIRONMENT,
				   "GATEWAY of CNI_ARGS must be an address, not \"%.80s\"",
				   args->gateway);
	(void)wf_addr_format(&addr, wish->gateway);
	return 0;
}

/* One range, its keys in our spelling (containerd sends Subnet, RangeStart, ...). */
static json_t *read_range(const json_t *range, struct wf_cni_error *error)
{
	static const char *const keys[] = { "subnet", "rangeStart", "rangeEnd", "gateway" };
	_cleanup_json_ json_t *clean = json_object();
	struct wf_prefix prefix;

	if (!json_is_object(range) || !wf_cni_get(range, "subnet")) {
		(void)wf_cni_fail_value(error, "runtimeConfig.ipRanges[][]", range,
					"an object with a subnet");
		return NULL;
	}
	for (size_t i = 0; i < WF_ARRAY_LEN(keys); i++) {
		const json_t *value = wf_cni_get(range, keys[i]);
		const char *text = json_string_value(value);
		char key[64];

		if (!value || (text && !*text))
			continue;
		(void)snprintf(key, sizeof(key), "runtimeConfig.ipRanges[][].%s", keys[i]);
		if (!text || wf_prefix_parse(text, &prefix) < 0) {
			(void)wf_cni_fail_value(error, key, value, "an address");
			return NULL;
		}
		if (!clean || wf_json_set_str(clean, keys[i], text) < 0) {
			(void)wf_cni_fail_memory(error);
			return NULL;
		}
	}
	return TAKE_PTR(clean);
}

static int add_range_set(struct wf_cni_wish *wish, const json_t *set, struct wf_cni_error *error)
{
	json_t *clean = json_array();
	const json_t *range;
	size_t i;

	if (json_array_append_new(wish->ranges, clean) < 0)
		return wf_cni_fail_memory(error);
	if (!json_is_array(set))
		return wf_cni_fail_value(error, "runtimeConfig.ipRanges[]", set,
					 "an array of ranges");
	json_array_foreach(set, i, range) {
		json_t *item = read_range(range, error);

		if (!item)
			return -EINVAL;
		if (json_array_append_new(clean, item) < 0)
			return wf_cni_fail_memory(error);
	}
	return 0;
}

static int gather_ranges(struct wf_cni_wish *wish, const struct wf_cni_config *config,
			 struct wf_cni_error *error)
{
	const json_t *sets = wf_cni_get(config->runtime, "ipRanges");
	const json_t *set;
	size_t i;
	int r;

	if (!sets)
		return 0;
	if (!json_is_array(sets))
		return wf_cni_fail_value(error, "runtimeConfig.ipRanges", sets,
					 "an array of arrays of ranges");
	wish->ranges = json_array();
	json_array_foreach(sets, i, set) {
		r = add_range_set(wish, set, error);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool all_strings(const json_t *list)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
		if (!json_is_string(item))
			return false;
	return json_is_array(list);
}

/* ["name"], or as Podman sends it {"network": ["name"]}. */
static int gather_aliases(struct wf_cni_wish *wish, const struct wf_cni_config *config,
			  struct wf_cni_error *error)
{
	json_t *aliases = wf_cni_get(config->runtime, "aliases");

	if (json_is_object(aliases))
		aliases = json_object_get(aliases, config->name);
	if (!aliases || json_is_null(aliases))
		return 0;
	if (!all_strings(aliases))
		return wf_cni_fail_value(error, "runtimeConfig.aliases", aliases,
					 "an array of names");
	wish->aliases = json_incref(aliases);
	return 0;
}

static int gather_annotations(struct wf_cni_wish *wish, const struct wf_cni_config *config,
			      struct wf_cni_error *error)
{
	static const char key[] = "io.kubernetes.cri.pod-annotations";
	json_t *annotations = wf_cni_get(config->runtime, key), *value;
	const char *name;

	if (!annotations)
		return 0;
	if (!json_is_object(annotations))
		return wf_cni_fail_value(error, key, annotations, "an object of strings");
	json_object_foreach(annotations, name, value)
		if (!json_is_string(value))
			return wf_cni_fail_value(error, key, value, "an object of strings");
	wish->annotations = json_incref(annotations);
	return 0;
}

static int gather_cgroup(struct wf_cni_wish *wish, const struct wf_cni_config *config,
			 struct wf_cni_error *error)
{
	const json_t *value = wf_cni_get(config->runtime, "cgroupPath");

	if (value && !json_is_string(value))
		return wf_cni_fail_value(error, "runtimeConfig.cgroupPath", value, "a string");
	wish->cgroup_path = value ? json_string_value(value) : "";
	return 0;
}

int wf_cni_wish_gather(struct wf_cni_wish *wish, const struct wf_cni_config *config,
		       const struct wf_cni_args *args, struct wf_cni_error *error)
{
	int r = gather_addresses(wish, config, args, error);

	if (r == 0)
		r = gather_mac(wish, config, args, error);
	if (r == 0)
		r = gather_gateway(wish, args, error);
	if (r == 0)
		r = gather_ranges(wish, config, error);
	if (r == 0)
		r = gather_aliases(wish, config, error);
	if (r == 0)
		r = gather_annotations(wish, config, error);
	if (r == 0)
		r = gather_cgroup(wish, config, error);
	if (r == 0)
		r = wf_cni_wish_labels(wish, config, args, error);
	if (r == 0)
		r = wf_cni_wish_dns(wish, config, error);
	if (r == 0)
		r = wf_cni_wish_ports(wish, config, error);
	return r;
}
