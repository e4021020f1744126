/* SPDX-License-Identifier: Apache-2.0 */
#include "cni/prev.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/json.h"
#include "base/mem.h"
#include "cni/config.h"
#include "cni/copy.h"

const json_t *wf_cni_result_find(const json_t *result, const char *ifname, const char *sandbox,
				 size_t *ret_index)
{
	const json_t *interface;
	size_t i;

	json_array_foreach(json_object_get(result, "interfaces"), i, interface) {
		const char *inside = wf_json_str(interface, "sandbox", "");

		if (strcmp(wf_json_str(interface, "name", ""), ifname) != 0 || !*inside)
			continue;
		if (sandbox && strcmp(inside, sandbox) != 0)
			continue;
		*ret_index = i;
		return interface;
	}
	return NULL;
}

static int check_list(json_t *result, const char *key, struct wf_cni_error *error)
{
	const json_t *list = json_object_get(result, key), *item;
	char path[64];
	size_t i;

	(void)snprintf(path, sizeof(path), "prevResult.%s", key);
	if (json_is_null(list))
		(void)json_object_del(result, key);
	else if (list && !json_is_array(list))
		return wf_cni_fail_value(error, path, list, "an array");
	json_array_foreach(json_object_get(result, key), i, item)
		if (!json_is_object(item))
			return wf_cni_fail_value(error, path, item, "an array of objects");
	return 0;
}

/* Wrong strings would pass for absent ones; they are a damaged result instead. */
static int check_strings(const json_t *list, const char *path, const char *const *keys,
			 size_t key_count, struct wf_cni_error *error)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item) {
		for (size_t k = 0; k < key_count; k++) {
			const json_t *value = json_object_get(item, keys[k]);
			char key[64];

			if (!value || json_is_null(value) || json_is_string(value))
				continue;
			(void)snprintf(key, sizeof(key), "%s.%s", path, keys[k]);
			return wf_cni_fail_value(error, key, value, "a string");
		}
	}
	return 0;
}

static int check_address(const json_t *ip, size_t interfaces, struct wf_cni_error *error)
{
	const json_t *index = json_object_get(ip, "interface");
	struct wf_prefix prefix;

	if (wf_prefix_parse(wf_json_str(ip, "address", ""), &prefix) < 0)
		return wf_cni_fail_value(error, "prevResult.ips[].address",
					 json_object_get(ip, "address"),
					 "an address such as 10.64.0.5/16");
	if (!index || json_is_null(index))
		return 0;
	if (!json_is_integer(index) || json_integer_value(index) < 0 ||
	    (size_t)json_integer_value(index) >= interfaces)
		return wf_cni_fail_value(error, "prevResult.ips[].interface", index,
					 "the index of one of its interfaces");
	return 0;
}

static int check_members(json_t *result, struct wf_cni_error *error)
{
	static const char *const keys[] = { "name", "mac", "sandbox", "dst", "gw", "gateway" };
	static const char *const lists[] = { "interfaces", "ips", "routes" };
	const json_t *ip;
	size_t i;
	int r = 0;

	for (i = 0; r == 0 && i < WF_ARRAY_LEN(lists); i++) {
		r = check_list(result, lists[i], error);
		if (r == 0)
			r = check_strings(json_object_get(result, lists[i]), lists[i], keys,
					  WF_ARRAY_LEN(keys), error);
	}
	if (r < 0)
		return r;
	json_array_foreach(json_object_get(result, "ips"), i, ip) {
		r = check_address(ip, json_array_size(json_object_get(result, "interfaces")),
				  error);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ip4 or ip6 of the oldest results: {ip, gateway, routes}. */
static int read_family(json_t *result, const char *key, json_t *ips, json_t *routes,
		       struct wf_cni_error *error)
{
	const json_t *family = json_object_get(result, key);
	json_t *ip;

	if (!family || json_is_null(family))
		return 0;
	if (!json_is_object(family))
		return wf_cni_fail_value(error, key, family, "an object");
	ip = json_object();
	if (json_array_append_new(ips, ip) < 0 ||
	    wf_json_set_str(ip, "address", wf_json_str(family, "ip", "")) < 0 ||
	    wf_json_set_str(ip, "gateway", wf_json_str(family, "gateway", "")) < 0 ||
	    (json_is_array(json_object_get(family, "routes")) &&
	     json_array_extend(routes, json_object_get(family, "routes")) < 0))
		return wf_cni_fail_memory(error);
	return 0;
}

static int read_oldest(json_t *result, struct wf_cni_error *error)
{
	_cleanup_json_ json_t *ips = json_array(), *routes = json_array();
	int r;

	if (json_object_set(result, "ips", ips) < 0 ||
	    json_object_set(result, "routes", routes) < 0)
		return wf_cni_fail_memory(error);
	r = read_family(result, "ip4", ips, routes, error);
	if (r == 0)
		r = read_family(result, "ip6", ips, routes, error);
	(void)json_object_del(result, "ip4");
	(void)json_object_del(result, "ip6");
	return r;
}

static int version_of(const json_t *prev, enum wf_cni_version fallback,
		      enum wf_cni_version *ret_version, struct wf_cni_error *error)
{
	const json_t *value = json_object_get(prev, "cniVersion");
	const char *text = json_string_value(value);

	*ret_version = fallback;
	if (!value || json_is_null(value) || (text && !*text))
		return 0;
	*ret_version = text ? wf_cni_version_from_name(text) : WF_CNI_VERSION_COUNT;
	if (*ret_version == WF_CNI_VERSION_COUNT)
		return wf_cni_fail_value(error, "prevResult.cniVersion", value,
					 "a version that is supported");
	return 0;
}

int wf_cni_prev_read(const json_t *prev, enum wf_cni_version fallback, json_t **ret_result,
		     struct wf_cni_error *error)
{
	_cleanup_json_ json_t *result = NULL;
	enum wf_cni_version version;
	json_t *ip;
	size_t i;
	int r;

	if (!json_is_object(prev))
		return wf_cni_fail_value(error, "prevResult", prev, "an object");
	r = version_of(prev, fallback, &version, error);
	if (r < 0)
		return r;
	result = wf_cni_copy(prev);
	if (!result)
		return wf_cni_fail_memory(error);
	(void)json_object_del(result, "cniVersion");
	if (version < WF_CNI_0_3_0)
		r = read_oldest(result, error);
	if (r == 0)
		r = check_members(result, error);
	if (r < 0)
		return r;
	json_array_foreach(json_object_get(result, "ips"), i, ip)
		(void)json_object_del(ip, "version");
	*ret_result = TAKE_PTR(result);
	return 0;
}
