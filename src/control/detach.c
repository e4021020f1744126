/* SPDX-License-Identifier: Apache-2.0 */
/* Detaching by name or container, CNI's CHECK, GC and STATUS. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "control/control_priv.h"

int wf_control_detach(struct wf_control *control, const char *name, struct wf_err *err)
{
	struct ctl_endpoint *endpoint = wf_ctl_endpoint_find(control, name);
	int r;

	if (!endpoint)
		r = wf_ctl_endpoint_missing(control, name, NULL, err);
	else
		r = wf_ctl_endpoint_release(control, endpoint, "asked for", err);
	if (r < 0)
		wf_err_set_object(err, "endpoint/%s", name);
	return r;
}

int wf_control_detach_container(struct wf_control *control, const char *container_id,
				const char *ifname, const char *network, json_t **ret_names,
				struct wf_err *err)
{
	_cleanup_json_ json_t *names = json_array();
	struct ctl_endpoint *endpoint;
	int r = names ? 0 : -ENOMEM;

	endpoint = wf_ctl_endpoint_by_container(control, container_id, ifname);
	if (endpoint && network && strcmp(endpoint->spec.network, network) != 0)
		endpoint = NULL;
	if (endpoint && json_array_append_new(names, json_string(endpoint->spec.meta.name)) < 0)
		r = -ENOMEM;
	if (r < 0)
		return wf_fail(err, r, "out of memory");
	if (endpoint)
		r = wf_ctl_endpoint_release(control, endpoint, "asked for by the runtime", err);
	wf_ctl_spool_retry(control, r);
	if (r == 0)
		*ret_names = TAKE_PTR(names);
	return r;
}

/* The addresses a request names must be the endpoint's. */
static int check_addresses(const struct ctl_endpoint *endpoint, const json_t *wanted,
			   struct wf_err *err)
{
	json_t *item;
	size_t i;

	json_array_foreach(wanted, i, item) {
		const char *text = json_string_value(item);
		struct wf_prefix prefix;
		bool found = false;

		if (!text || wf_prefix_parse(text, &prefix) < 0)
			return wf_fail_field(err, -EINVAL, "addresses", "not an address: %s",
					     text ? text : "(not a string)");
		for (size_t k = 0; k < endpoint->spec.address_count; k++)
			found = found || wf_addr_equal(&endpoint->spec.addresses[k].prefix.addr,
						       &prefix.addr);
		if (!found)
			return wf_fail(err, -ESTALE, "%s is not an address of endpoint %s", text,
				       endpoint->spec.meta.name);
	}
	return 0;
}

static int check_maps(struct wf_control *control, const struct ctl_endpoint *endpoint,
		      struct wf_err *err)
{
	struct wf_ep_value value, wanted = wf_ctl_desired_endpoint(endpoint);

	if (!endpoint->spec.slot)
		return 0;
	if (wf_dp_endpoint_get(control->dp, endpoint->spec.slot, &value) < 0 ||
	    memcmp(&value, &wanted, sizeof(value)) != 0)
		return wf_fail(err, -ESTALE, "endpoint %s is not in the datapath's tables",
			       endpoint->spec.meta.name);
	return 0;
}

static int check_links(struct wf_control *control, const struct ctl_endpoint *endpoint,
		       struct wf_err *err)
{
	struct ctl_interface interface;
	_cleanup_close_ int fd = -1;
	struct wf_net_ns_id id;
	int r;

	r = wf_net_ns_open(endpoint->spec.netns, &fd, &id, err);
	if (r < 0)
		return r;
	wf_ctl_desired_interface(control, endpoint, fd, &interface);
	/* those to services are not what a runtime asked for, and follow by themselves */
	if (wf_ctl_scope_routes_services(endpoint))
		interface.net.route_count = 0;
	return wf_net_endpoint_check(control->net, &interface.net, err);
}

int wf_control_check(struct wf_control *control, const json_t *request, struct wf_err *err)
{
	const char *container_id = wf_json_str(request, "containerID", "");
	const char *ifname = wf_json_str(request, "ifname", "");
	struct ctl_endpoint *endpoint;
	const char *mac = wf_json_str(request, "mac", "");
	struct wf_mac wanted;
	int r;

	endpoint = wf_ctl_endpoint_by_container(control, container_id, ifname);
	if (!endpoint)
		return wf_fail(err, -ENOENT, "container %s has no interface %s in weft",
			       container_id, ifname);
	r = check_addresses(endpoint, json_object_get(request, "addresses"), err);
	if (r == 0 && *mac &&
	    (wf_mac_parse(mac, &wanted) < 0 ||
	     memcmp(&wanted, &endpoint->spec.mac, sizeof(wanted)) != 0))
		r = wf_fail(err, -ESTALE, "%s is not the MAC of endpoint %s", mac,
			    endpoint->spec.meta.name);
	if (r == 0)
		r = check_maps(control, endpoint, err);
	if (r == 0)
		r = check_links(control, endpoint, err);
	if (r < 0)
		wf_err_set_object(err, "endpoint/%s", endpoint->spec.meta.name);
	return r;
}

static bool is_valid(const json_t *valid, const struct wf_endpoint *spec)
{
	json_t *item;
	size_t i;

	json_array_foreach(valid, i, item)
		if (strcmp(wf_json_str(item, "containerID", ""), spec->container_id) == 0 &&
		    strcmp(wf_json_str(item, "ifname", ""), spec->ifname) == 0)
			return true;
	return false;
}

int wf_control_gc(struct wf_control *control, const json_t *request, json_t **ret_report,
		  struct wf_err *err)
{
	const json_t *valid = json_object_get(request, "valid");
	const char *network = wf_json_str(request, "network", NULL);
	const char *owner = wf_json_str(request, "owner", "cni");
	_cleanup_json_ json_t *report = NULL;
	struct ctl_endpoint *endpoint, *next;

	if (!json_is_array(valid))
		return wf_fail_field(err, -EINVAL, "valid",
				     "must be an array of {containerID, ifname}");
	if (!network)
		return wf_fail_field(err, -EINVAL, "network", "is required");
	report = json_pack("{s:[], s:[]}", "deleted", "errors");
	if (!report)
		return wf_fail(err, -ENOMEM, "out of memory");
	HASH_ITER(by_name, control->endpoints, endpoint, next) {
		struct wf_err fault = WF_ERR_INIT;
		char name[WF_NAME_BYTES];

		if (!endpoint->spec.container_id || strcmp(endpoint->spec.owner, owner) != 0 ||
		    strcmp(endpoint->spec.network, network) != 0 ||
		    is_valid(valid, &endpoint->spec))
			continue;
		(void)snprintf(name, sizeof(name), "%s", endpoint->spec.meta.name);
		if (wf_ctl_endpoint_release(control, endpoint, "garbage collection", &fault) < 0)
			(void)json_array_append_new(json_object_get(report, "errors"),
						    json_string(fault.message));
		else
			(void)json_array_append_new(json_object_get(report, "deleted"),
						    json_string(name));
	}
	*ret_report = TAKE_PTR(report);
	return 0;
}

int wf_control_attachable(struct wf_control *control, const char *name, struct wf_err *err)
{
	struct ctl_network *network = wf_ctl_network_find(control, name);
	bool wanted[2] = { false, false }, free_left[2] = { false, false };
	uint64_t now_ms = wf_clock_monotonic_ms();
	struct wf_store_state store;

	wf_store_state(control->store, &store);
	if (store.write_code)
		return wf_fail(err, store.write_code, "%s", store.write_error);
	/* a network that does not exist yet is made on first use */
	if (!network)
		return 0;
	for (size_t i = 0; i < network->spec.subnet_count; i++) {
		bool ip4 = wf_addr_is_ip4(&network->spec.subnets[i].prefix.addr);

		wanted[ip4] = true;
		if (wf_pool_usage(network->pools[i], now_ms).free)
			free_left[ip4] = true;
	}
	for (int ip4 = 0; ip4 <= 1; ip4++)
		if (wanted[ip4] && !free_left[ip4]) {
			wf_err_set(err, -ENOSPC, "network %s has no free %s address", name,
				   ip4 ? "IPv4" : "IPv6");
			wf_err_set_object(err, "network/%s", name);
			return -ENOSPC;
		}
	return 0;
}
