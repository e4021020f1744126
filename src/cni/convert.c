/* SPDX-License-Identifier: Apache-2.0 */
/* A result of the newest shape, told in the words of an older version. */
#include <string.h>

#include "base/addr.h"
#include "base/json.h"
#include "base/mem.h"
#include "cni/prev.h"

static void strip(json_t *list, const char *const *keys, size_t key_count)
{
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
		for (size_t k = 0; k < key_count; k++)
			(void)json_object_del(item, keys[k]);
}

/* What 1.1.0 brought. */
static void strip_newest(json_t *result)
{
	static const char *const of_interface[] = { "mtu", "socketPath", "pciID" };
	static const char *const of_route[] = { "mtu", "advmss", "priority", "table", "scope" };

	strip(json_object_get(result, "interfaces"), of_interface, WF_ARRAY_LEN(of_interface));
	strip(json_object_get(result, "routes"), of_route, WF_ARRAY_LEN(of_route));
}

static bool is_ip4(const char *text)
{
	return !strchr(text, ':');
}

static int add_families(json_t *result)
{
	json_t *ip;
	size_t i;

	json_array_foreach(json_object_get(result, "ips"), i, ip)
		if (wf_json_set_str(ip, "version",
				    is_ip4(wf_json_str(ip, "address", "")) ? "4" : "6") < 0)
			return -1;
	return 0;
}

/* The routes of one family, for ip4 and ip6. */
static int add_routes(json_t *family, const json_t *result, bool ip4)
{
	_cleanup_json_ json_t *routes = json_array();
	json_t *route;
	size_t i;

	json_array_foreach(json_object_get(result, "routes"), i, route)
		if (is_ip4(wf_json_str(route, "dst", "")) == ip4 &&
		    json_array_append(routes, route) < 0)
			return -1;
	if (routes && json_array_size(routes) == 0)
		return 0;
	return json_object_set(family, "routes", routes);
}

static int add_family(json_t *oldest, const json_t *result, bool ip4)
{
	const json_t *ip;
	json_t *family;
	size_t i;

	json_array_foreach(json_object_get(result, "ips"), i, ip) {
		const char *address = wf_json_str(ip, "address", "");

		if (is_ip4(address) != ip4)
			continue;
		family = json_object();
		if (json_object_set_new(oldest, ip4 ? "ip4" : "ip6", family) < 0 ||
		    wf_json_set_str(family, "ip", address) < 0 ||
		    wf_json_set_str(family, "gateway", wf_json_str(ip, "gateway", "")) < 0)
			return -1;
		return add_routes(family, result, ip4);
	}
	return 0;
}

static json_t *convert_oldest(const json_t *result)
{
	_cleanup_json_ json_t *oldest = json_object();
	json_t *dns = json_object_get(result, "dns");

	if (!oldest || add_family(oldest, result, true) < 0 ||
	    add_family(oldest, result, false) < 0 ||
	    (dns && json_object_set(oldest, "dns", dns) < 0))
		return NULL;
	return TAKE_PTR(oldest);
}

/* cniVersion belongs in front, where people look for it. */
static json_t *with_version(const json_t *result, enum wf_cni_version version)
{
	_cleanup_json_ json_t *whole = json_object();

	if (!whole || wf_json_set_str(whole, "cniVersion", wf_cni_version_name(version)) < 0 ||
	    json_object_update(whole, (json_t *)result) < 0)
		return NULL;
	return TAKE_PTR(whole);
}

json_t *wf_cni_result_convert(json_t *result, enum wf_cni_version version)
{
	_cleanup_json_ json_t *owned = result;
	_cleanup_json_ json_t *oldest = NULL;

	if (version < WF_CNI_1_1_0)
		strip_newest(owned);
	if (version < WF_CNI_0_3_0) {
		oldest = convert_oldest(owned);
		return oldest ? with_version(oldest, version) : NULL;
	}
	if (version < WF_CNI_1_0_0 && add_families(owned) < 0)
		return NULL;
	return with_version(owned, version);
}
