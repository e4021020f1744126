/* SPDX-License-Identifier: Apache-2.0 */
#include "cni/result.h"

#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "cni/copy.h"

/* A list of the result, made when it is not there yet. Borrowed; NULL: no memory. */
static json_t *list_of(json_t *result, const char *key)
{
	json_t *list = json_object_get(result, key);

	if (list)
		return list;
	list = json_array();
	return json_object_set_new(result, key, list) < 0 ? NULL : list;
}

static int add_interface(json_t *interfaces, const char *name, const char *mac, int64_t mtu,
			 const char *sandbox)
{
	json_t *interface = json_object();

	if (json_array_append_new(interfaces, interface) < 0 ||
	    wf_json_set_str(interface, "name", name) < 0 ||
	    wf_json_set_str(interface, "mac", mac) < 0 ||
	    wf_json_set_str(interface, "sandbox", sandbox) < 0)
		return -1;
	return mtu > 0 ? json_object_set_new(interface, "mtu", json_integer(mtu)) : 0;
}

static int add_address(json_t *ips, const json_t *address, size_t index)
{
	json_t *ip = json_object();

	if (json_array_append_new(ips, ip) < 0 ||
	    wf_json_set_str(ip, "address", wf_json_str(address, "address", "")) < 0 ||
	    wf_json_set_str(ip, "gateway", wf_json_str(address, "gateway", "")) < 0)
		return -1;
	return json_object_set_new(ip, "interface", json_integer((json_int_t)index));
}

/* The default route through an address's gateway; one per family is enough. */
static int add_route(json_t *routes, const json_t *address, bool seen[2])
{
	const char *gateway = wf_json_str(address, "gateway", "");
	bool ip6 = strchr(gateway, ':');
	json_t *route;

	if (!*gateway || seen[ip6])
		return 0;
	seen[ip6] = true;
	route = json_object();
	if (json_array_append_new(routes, route) < 0 ||
	    wf_json_set_str(route, "dst", ip6 ? "::/0" : "0.0.0.0/0") < 0)
		return -1;
	return wf_json_set_str(route, "gw", gateway);
}

static int add_interfaces(json_t *result, const json_t *status, const char *ifname,
			  const char *netns, size_t *ret_index)
{
	const json_t *host = json_object_get(status, "hostInterface");
	json_t *interfaces = list_of(result, "interfaces");

	if (!interfaces)
		return -1;
	if (*wf_json_str(host, "name", "") &&
	    add_interface(interfaces, wf_json_str(host, "name", ""), wf_json_str(host, "mac", ""),
			  0, "") < 0)
		return -1;
	*ret_index = json_array_size(interfaces);
	return add_interface(interfaces, ifname, wf_json_str(status, "mac", ""),
			     wf_json_int(status, "mtu", 0), netns);
}

static int add_addresses(json_t *result, const json_t *endpoint, size_t index)
{
	const json_t *status = json_object_get(endpoint, "status");
	bool routed = wf_json_bool(json_object_get(endpoint, "spec"), "defaultRoute", false);
	json_t *ips = list_of(result, "ips"), *routes = list_of(result, "routes");
	bool seen[2] = { false, false };
	const json_t *address;
	size_t i;

	json_array_foreach(json_object_get(status, "addresses"), i, address)
		if (add_address(ips, address, index) < 0 ||
		    (routed && add_route(routes, address, seen) < 0))
			return -1;
	return ips && routes ? 0 : -1;
}

int wf_cni_result_build(const json_t *endpoint, const char *ifname, const char *netns, json_t *dns,
			const json_t *prev, json_t **ret_result, struct wf_cni_error *error)
{
	_cleanup_json_ json_t *result = prev ? wf_cni_copy(prev) : json_object();
	const json_t *status = json_object_get(endpoint, "status");
	size_t index;

	if (!json_is_object(status))
		return wf_cni_fail(error, WF_CNI_INTERNAL,
				   "the answer of weftd is no Endpoint: it has no status");
	if (!result || add_interfaces(result, status, ifname, netns, &index) < 0 ||
	    add_addresses(result, endpoint, index) < 0)
		return wf_cni_fail_memory(error);
	if (json_array_size(json_object_get(result, "routes")) == 0)
		(void)json_object_del(result, "routes");
	if (dns && json_object_size(json_object_get(result, "dns")) == 0 &&
	    json_object_set(result, "dns", dns) < 0)
		return wf_cni_fail_memory(error);
	*ret_result = TAKE_PTR(result);
	return 0;
}
