/* SPDX-License-Identifier: Apache-2.0 */
/* The endpoint object, to and from its document. Lifetime, writing and reading. */
#include "model/endpoint_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/field_priv.h"

static const char *const phases[WF_ENDPOINT_COUNT] = {
	[WF_ENDPOINT_PENDING] = "Pending",
	[WF_ENDPOINT_READY] = "Ready",
};

const char *wf_endpoint_phase_name(enum wf_endpoint_phase phase)
{
	return phase < WF_ENDPOINT_COUNT ? phases[phase] : "";
}

void wf_endpoint_done(struct wf_endpoint *endpoint)
{
	wf_meta_done(&endpoint->meta);
	free(endpoint->netns);
	free(endpoint->container_id);
	free(endpoint->owner);
	free(endpoint->node);
	free(endpoint->sticky_name);
	wf_publishes_done(&endpoint->publish);
	free(endpoint->ports);
	json_decref(endpoint->extra);
	memset(endpoint, 0, sizeof(*endpoint));
}

/* Copies an optional string; fallback NULL leaves the member NULL when it is absent. */
static int read_string(const json_t *object, const char *key, const char *fallback, char **ret_text,
		       struct wf_err *err)
{
	const char *text = wf_json_str(object, key, fallback);

	if (!text)
		return 0;
	*ret_text = strdup(text);
	return *ret_text ? 0 : wf_fail(err, -ENOMEM, "out of memory");
}

static int read_names(struct wf_endpoint *endpoint, const json_t *spec, struct wf_err *err)
{
	const char *network = wf_json_str(spec, "network", "");
	const char *ifname = wf_json_str(spec, "interface", "");
	char excerpt[WF_FIELD_EXCERPT_BYTES];
	int r = wf_meta_check_name(network, "spec.network", err);

	if (r < 0)
		return r;
	(void)wf_str_copy(endpoint->network, sizeof(endpoint->network), network);
	if (!wf_str_is_ifname(ifname))
		return wf_field_fail(err, "spec.interface", "\"%s\" cannot be an interface name",
				     wf_field_excerpt(ifname, excerpt));
	return wf_str_copy(endpoint->ifname, sizeof(endpoint->ifname), ifname);
}

static int read_spec(struct wf_endpoint *endpoint, const json_t *spec, struct wf_err *err)
{
	int r = read_names(endpoint, spec, err);

	if (r == 0)
		r = read_string(spec, "netns", "", &endpoint->netns, err);
	if (r == 0)
		r = read_string(spec, "owner", "", &endpoint->owner, err);
	if (r == 0)
		r = read_string(spec, "containerID", NULL, &endpoint->container_id, err);
	if (r == 0)
		r = read_string(spec, "node", NULL, &endpoint->node, err);
	if (r == 0)
		r = read_string(spec, "sticky", NULL, &endpoint->sticky_name, err);
	if (r == 0)
		r = wf_publishes_from_json(&endpoint->publish, json_object_get(spec, "publish"),
					   "spec.publish", err);
	if (r == 0)
		r = wf_endpoint_ports_from_json(endpoint, json_object_get(spec, "ports"),
						"spec.ports", err);
	if (r < 0)
		return r;
	endpoint->default_route = wf_json_bool(spec, "defaultRoute", false);
	/* shared with the document: nobody changes what is passed through */
	if (json_is_object(json_object_get(spec, "extra")))
		endpoint->extra = json_incref(json_object_get(spec, "extra"));
	return 0;
}

static int read_address(struct wf_endpoint_address *address, const json_t *object, size_t index,
			struct wf_err *err)
{
	const char *gateway = wf_json_str(object, "gateway", "");
	const char *text = wf_json_str(object, "address", "");
	const bool is_prefix = wf_prefix_parse(text, &address->prefix) == 0;
	char excerpt[WF_FIELD_EXCERPT_BYTES], path[64];

	if (is_prefix && (!*gateway || wf_addr_parse(gateway, &address->gateway) == 0))
		return 0;
	(void)snprintf(path, sizeof(path), "status.addresses[%zu]", index);
	if (!is_prefix)
		return wf_field_fail(err, path, "\"%s\" is not an address with prefix length",
				     wf_field_excerpt(text, excerpt));
	return wf_field_fail(err, path, "\"%s\" is not an address",
			     wf_field_excerpt(gateway, excerpt));
}

static int read_addresses(struct wf_endpoint *endpoint, const json_t *status, struct wf_err *err)
{
	const json_t *list = json_object_get(status, "addresses");
	json_t *item;
	size_t i;

	if (json_array_size(list) > WF_MAX_ENDPOINT_ADDRESSES)
		return wf_field_fail(err, "status.addresses", "has %zu entries, the limit is %d",
				     json_array_size(list), WF_MAX_ENDPOINT_ADDRESSES);
	json_array_foreach(list, i, item) {
		int r = read_address(&endpoint->addresses[i], item, i, err);

		if (r < 0)
			return r;
		endpoint->address_count = i + 1;
	}
	return 0;
}

static int read_phase(struct wf_endpoint *endpoint, const json_t *status, struct wf_err *err)
{
	const char *text = wf_json_str(status, "phase", phases[WF_ENDPOINT_PENDING]);
	char excerpt[WF_FIELD_EXCERPT_BYTES];
	size_t place = wf_str_place(phases, WF_ENDPOINT_COUNT, text);

	if (place == WF_ENDPOINT_COUNT)
		return wf_field_fail(err, "status.phase", "\"%s\" is not a phase",
				     wf_field_excerpt(text, excerpt));
	endpoint->phase = (enum wf_endpoint_phase)place;
	return 0;
}

static int read_status(struct wf_endpoint *endpoint, const json_t *status, struct wf_err *err)
{
	const json_t *namespace = json_object_get(status, "namespace");
	const json_t *device = json_object_get(status, "hostInterface");
	const char *mac = wf_json_str(status, "mac", "");
	int r = read_phase(endpoint, status, err);

	if (r == 0)
		r = read_addresses(endpoint, status, err);
	if (r < 0)
		return r;
	if (*mac && wf_mac_parse(mac, &endpoint->mac) < 0)
		return wf_field_fail(err, "status.mac", "is not a MAC");
	if (wf_str_copy(endpoint->boot_id, sizeof(endpoint->boot_id),
			wf_json_str(status, "bootID", "")) < 0)
		return wf_field_fail(err, "status.bootID", "is longer than 36 characters");
	endpoint->mtu = (uint32_t)wf_json_int(status, "mtu", 0);
	endpoint->slot = (uint32_t)wf_json_int(status, "slot", 0);
	endpoint->ifindex = (uint32_t)wf_json_int(device, "index", 0);
	endpoint->netns_dev = (uint64_t)wf_json_int(namespace, "device", 0);
	endpoint->netns_inode = (uint64_t)wf_json_int(namespace, "inode", 0);
	endpoint->netns_cookie = (uint64_t)wf_json_int(namespace, "cookie", 0);
	endpoint->nsid = (int32_t)wf_json_int(namespace, "id", -1);
	return 0;
}

static int read_endpoint(struct wf_endpoint *endpoint, const json_t *document, struct wf_err *err)
{
	int r = wf_meta_from_json(&endpoint->meta, document, err);

	if (r == 0)
		r = read_spec(endpoint, json_object_get(document, "spec"), err);
	if (r == 0)
		r = read_status(endpoint, json_object_get(document, "status"), err);
	return r;
}

int wf_endpoint_from_json(struct wf_endpoint *endpoint, const json_t *document, struct wf_err *err)
{
	_cleanup_(wf_endpoint_done) struct wf_endpoint fresh = { .mtu = 0 };
	int r = read_endpoint(&fresh, document, err);

	if (r < 0)
		return wf_field_name_object(r, document, err);
	*endpoint = fresh;
	fresh = (struct wf_endpoint){ .mtu = 0 };
	return 0;
}

static int write_ports(json_t *spec, const struct wf_endpoint *endpoint)
{
	if (endpoint->publish.count &&
	    json_object_set_new(spec, "publish", wf_publishes_to_json(&endpoint->publish)) < 0)
		return -ENOMEM;
	if (endpoint->port_count &&
	    json_object_set_new(spec, "ports", wf_endpoint_ports_to_json(endpoint)) < 0)
		return -ENOMEM;
	return 0;
}

static int write_spec(json_t *document, const struct wf_endpoint *endpoint)
{
	json_t *spec = json_pack("{s:s, s:s}", "network", endpoint->network, "interface",
				 endpoint->ifname);

	if (json_object_set_new(document, "spec", spec) < 0 ||
	    wf_json_set_str(spec, "netns", endpoint->netns) < 0 ||
	    wf_json_set_str(spec, "owner", endpoint->owner) < 0 ||
	    wf_json_set_str(spec, "containerID", endpoint->container_id) < 0 ||
	    wf_json_set_str(spec, "node", endpoint->node) < 0 ||
	    wf_json_set_str(spec, "sticky", endpoint->sticky_name) < 0 ||
	    json_object_set_new(spec, "defaultRoute", json_boolean(endpoint->default_route)) < 0 ||
	    write_ports(spec, endpoint) < 0)
		return -ENOMEM;
	if (!endpoint->extra)
		return 0;
	return json_object_set_new(spec, "extra", json_deep_copy(endpoint->extra)) < 0 ? -ENOMEM
										       : 0;
}

static int write_addresses(json_t *status, const struct wf_endpoint *endpoint)
{
	json_t *list = json_array();

	if (json_object_set_new(status, "addresses", list) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < endpoint->address_count; i++) {
		const struct wf_endpoint_address *address = &endpoint->addresses[i];
		char text[WF_ADDR_TEXT], gateway[WF_ADDR_TEXT] = "";
		json_t *object =
			json_pack("{s:s}", "address", wf_prefix_format(&address->prefix, text));

		if (!wf_addr_is_zero(&address->gateway))
			(void)wf_addr_format(&address->gateway, gateway);
		if (json_array_append_new(list, object) < 0 ||
		    wf_json_set_str(object, "gateway", gateway) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int write_host(json_t *status, const struct wf_endpoint *endpoint)
{
	char name[16];

	if (!endpoint->slot && !endpoint->ifindex)
		return 0;
	(void)snprintf(name, sizeof(name), "wf%u", endpoint->slot);
	if (json_object_set_new(status, "slot", json_integer(endpoint->slot)) < 0)
		return -ENOMEM;
	return json_object_set_new(status, "hostInterface",
				   json_pack("{s:s, s:I}", "name", name, "index",
					     (json_int_t)endpoint->ifindex)) < 0
		       ? -ENOMEM
		       : 0;
}

static int write_namespace(json_t *status, const struct wf_endpoint *endpoint)
{
	json_t *namespace = json_pack("{s:I, s:I}", "device", (json_int_t)endpoint->netns_dev,
				      "inode", (json_int_t)endpoint->netns_inode);

	if (json_object_set_new(status, "namespace", namespace) < 0)
		return -ENOMEM;
	if (endpoint->netns_cookie &&
	    json_object_set_new(namespace, "cookie",
				json_integer((json_int_t)endpoint->netns_cookie)) < 0)
		return -ENOMEM;
	if (endpoint->nsid >= 0 &&
	    json_object_set_new(namespace, "id", json_integer(endpoint->nsid)) < 0)
		return -ENOMEM;
	return wf_json_set_str(status, "bootID", endpoint->boot_id);
}

static int write_status(json_t *document, const struct wf_endpoint *endpoint)
{
	json_t *status = json_pack("{s:s}", "phase", wf_endpoint_phase_name(endpoint->phase));
	char mac[WF_MAC_TEXT] = "";

	if (!wf_mac_is_zero(&endpoint->mac))
		(void)wf_mac_format(&endpoint->mac, mac);
	if (json_object_set_new(document, "status", status) < 0 ||
	    write_addresses(status, endpoint) < 0 || wf_json_set_str(status, "mac", mac) < 0 ||
	    json_object_set_new(status, "mtu", json_integer(endpoint->mtu)) < 0 ||
	    write_host(status, endpoint) < 0)
		return -ENOMEM;
	return write_namespace(status, endpoint);
}

json_t *wf_endpoint_to_json(const struct wf_endpoint *endpoint)
{
	_cleanup_json_ json_t *document = wf_meta_to_json(&endpoint->meta, WF_KIND_ENDPOINT);

	if (!document || write_spec(document, endpoint) < 0 || write_status(document, endpoint) < 0)
		return NULL;
	return TAKE_PTR(document);
}
