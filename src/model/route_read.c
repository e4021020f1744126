/* SPDX-License-Identifier: Apache-2.0 */
/* Reads, checks and writes spec.routes of a network. Called by network.c and network_read.c only. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "model/field_priv.h"
#include "model/network_priv.h"

/* One route while it is read: what goes wrong is told with its path. */
struct reading {
	struct wf_route *route;
	struct wf_field_path path;
	struct wf_err *err;
};

static int read_to(struct reading *reading, const char *text)
{
	struct wf_prefix *to = &reading->route->to, right_one;
	char excerpt[WF_FIELD_EXCERPT_BYTES], right[WF_ADDR_TEXT];
	const char *space, *what;

	if (wf_prefix_parse(text, to) < 0)
		return wf_field_fail(reading->err, reading->path.text,
				     "\"%s\" is not a prefix (such as 10.98.0.0/16 or "
				     "fd00:98::/64)",
				     wf_field_excerpt(text, excerpt));
	right_one = wf_prefix_network(to);
	if (!wf_prefix_equal(to, &right_one))
		return wf_field_fail(
			reading->err, reading->path.text, "%s has host bits: the prefix is %s",
			wf_field_excerpt(text, excerpt), wf_prefix_format(&right_one, right));
	what = to->len ? wf_prefix_reserved(to, &space) : NULL;
	if (what)
		return wf_field_fail(reading->err, reading->path.text,
				     "%s cannot be used: %s is %s", wf_field_excerpt(text, excerpt),
				     space, what);
	return 0;
}

static int read_via(struct reading *reading, const char *text)
{
	char excerpt[WF_FIELD_EXCERPT_BYTES];

	if (wf_addr_parse(text, &reading->route->via) < 0)
		return wf_field_fail(reading->err, reading->path.text,
				     "\"%s\" is not an address (such as 10.64.0.9)",
				     wf_field_excerpt(text, excerpt));
	reading->route->is_via = true;
	return 0;
}

static int read_address(struct reading *reading, const char *text)
{
	char excerpt[WF_FIELD_EXCERPT_BYTES];

	if (wf_addr_parse(text, &reading->route->vtep) < 0 ||
	    !wf_addr_is_usable(&reading->route->vtep))
		return wf_field_fail(reading->err, reading->path.text,
				     "\"%s\" is not the address of another host",
				     wf_field_excerpt(text, excerpt));
	return 0;
}

static int read_mac(struct reading *reading, const char *text)
{
	char excerpt[WF_FIELD_EXCERPT_BYTES];

	if (wf_mac_parse(text, &reading->route->mac) < 0 ||
	    !wf_mac_is_unicast(&reading->route->mac))
		return wf_field_fail(reading->err, reading->path.text,
				     "\"%s\" is not the MAC of one device (such as "
				     "02:42:ac:11:00:02)",
				     wf_field_excerpt(text, excerpt));
	return 0;
}

static int read_vni(struct reading *reading, const json_t *vtep)
{
	size_t parent = wf_field_push_key(&reading->path, "vni");
	int64_t vni = wf_json_int(vtep, "vni", 0);

	if (vni < WF_VTEP_MIN_VNI || vni > WF_VTEP_MAX_VNI)
		return wf_field_fail(reading->err, reading->path.text,
				     "%" PRId64 " is not between %d and %d (smaller ones are for "
				     "weft's own networks)",
				     vni, WF_VTEP_MIN_VNI, WF_VTEP_MAX_VNI);
	reading->route->vni = (uint32_t)vni;
	wf_field_pop(&reading->path, parent);
	return 0;
}

static int read_text(struct reading *reading, const json_t *object, const char *key,
		     int (*read)(struct reading *reading, const char *text))
{
	size_t parent = wf_field_push_key(&reading->path, key);
	int r = read(reading, wf_json_str(object, key, ""));

	wf_field_pop(&reading->path, parent);
	return r;
}

static int read_vtep(struct reading *reading, const json_t *vtep)
{
	size_t parent = wf_field_push_key(&reading->path, "vtep");
	int r = read_text(reading, vtep, "address", read_address);

	if (r == 0)
		r = read_vni(reading, vtep);
	if (r == 0)
		r = read_text(reading, vtep, "mac", read_mac);
	reading->route->unencrypted = wf_json_bool(vtep, "unencrypted", false);
	wf_field_pop(&reading->path, parent);
	return r;
}

static int refuse_default(struct reading *reading, const char *text)
{
	return wf_field_fail(
		reading->err, reading->path.text,
		"the default route (%s) leads to an endpoint of the network (via), not "
		"to a VXLAN endpoint",
		text);
}

static int read_route(struct reading *reading, const json_t *object)
{
	const json_t *via = json_object_get(object, "via"), *vtep = json_object_get(object, "vtep");
	bool has_via = via && !json_is_null(via), has_vtep = vtep && !json_is_null(vtep);
	int r = read_text(reading, object, "to", read_to);

	if (r < 0)
		return r;
	if (has_via == has_vtep)
		return wf_field_fail(reading->err, reading->path.text,
				     has_via ? "a route has via or vtep, not both"
					     : "needs via (an address of the network) or vtep (a "
					       "VXLAN endpoint)");
	if (has_vtep && wf_route_is_default(reading->route))
		return read_text(reading, object, "to", refuse_default);
	return has_via ? read_text(reading, object, "via", read_via) : read_vtep(reading, vtep);
}

static bool has_vteps(const struct wf_network *network)
{
	for (size_t i = 0; i < network->route_count; i++)
		if (!network->routes[i].is_via)
			return true;
	return false;
}

static int check_driver(const struct wf_network *network, struct wf_err *err)
{
	if (network->driver != WF_DRIVER_OVERLAY && has_vteps(network))
		return wf_field_fail(err, "spec.routes",
				     "with vtep are for overlay only, not for %s: other networks "
				     "have no tunnel of their own",
				     wf_driver_name(network->driver));
	if (!wf_driver_is_routed(network->driver))
		return wf_field_fail(err, "spec.routes",
				     "are for bridge, overlay and routed, not for %s",
				     wf_driver_name(network->driver));
	if (network->driver == WF_DRIVER_ROUTED && network->encapsulation == WF_ENCAPSULATION_NEVER)
		return wf_field_fail(err, "spec.routes",
				     "need the tunnel between nodes, and the network has "
				     "encapsulation: never");
	if (network->internal)
		return wf_field_fail(err, "spec.routes",
				     "an internal network leads nowhere else (leave one of the two "
				     "out)");
	return 0;
}

int wf_routes_read(struct wf_network *network, const json_t *spec, struct wf_err *err)
{
	const json_t *list = json_object_get(spec, "routes");
	json_t *item;
	size_t i;

	if (!json_array_size(list))
		return 0;
	if (json_array_size(list) > WF_MAX_ROUTES)
		return wf_field_fail(err, "spec.routes", "has %zu entries, the limit is %d",
				     json_array_size(list), WF_MAX_ROUTES);
	network->routes = calloc(json_array_size(list), sizeof(*network->routes));
	if (!network->routes)
		return wf_fail(err, -ENOMEM, "out of memory for the routes of a network");
	json_array_foreach(list, i, item) {
		struct reading reading = { .route = &network->routes[i], .err = err };
		int r;

		(void)wf_field_push_key(&reading.path, "spec.routes");
		(void)wf_field_push_index(&reading.path, i);
		r = read_route(&reading, item);
		if (r < 0)
			return r;
		network->route_count = i + 1;
	}
	return check_driver(network, err);
}

bool wf_route_is_default(const struct wf_route *route)
{
	return route->to.len == 0;
}

/* Where a route is in the document: "spec.routes[1].to". */
static const char *name_field(struct wf_field_path *path, const struct wf_network *network,
			      const struct wf_route *route, const char *key)
{
	*path = (struct wf_field_path){ .len = 0 };
	(void)wf_field_push_key(path, "spec.routes");
	(void)wf_field_push_index(path, (size_t)(route - network->routes));
	(void)wf_field_push_key(path, key);
	return path->text;
}

static int check_prefix(const struct wf_network *network, const struct wf_route *route,
			struct wf_err *err)
{
	bool ip4 = wf_addr_is_ip4(&route->to.addr), has_family = false;
	char mine[WF_ADDR_TEXT], theirs[WF_ADDR_TEXT];
	struct wf_field_path path;

	(void)wf_prefix_format(&route->to, mine);
	for (size_t i = 0; i < network->subnet_count; i++) {
		const struct wf_prefix *subnet = &network->subnets[i].prefix;

		if (!wf_route_is_default(route) && wf_prefix_overlaps(subnet, &route->to))
			return wf_field_fail(err, name_field(&path, network, route, "to"),
					     "%s overlaps the network's own subnet %s", mine,
					     wf_prefix_format(subnet, theirs));
		has_family = has_family || wf_addr_is_ip4(&subnet->addr) == ip4;
	}
	if (network->subnet_count ? !has_family : !(ip4 ? network->want_ip4 : network->want_ip6))
		return wf_field_fail(err, name_field(&path, network, route, "to"),
				     "%s is %s, and the network has no addresses of that family",
				     mine, ip4 ? "IPv4" : "IPv6");
	for (const struct wf_route *other = network->routes; other < route; other++)
		if (wf_prefix_equal(&other->to, &route->to))
			return wf_field_fail(err, name_field(&path, network, route, "to"),
					     "%s has a route already, routes[%td]", mine,
					     other - network->routes);
	return 0;
}

/* An address that an endpoint of the network can have. */
static int check_via(const struct wf_network *network, const struct wf_route *route,
		     struct wf_err *err)
{
	const struct wf_subnet *subnet = wf_network_subnet_of(network, &route->via);
	struct wf_addr last = subnet ? wf_prefix_last(&subnet->prefix) : route->via;
	char text[WF_ADDR_TEXT], to[WF_ADDR_TEXT];
	const char *what = NULL;
	struct wf_field_path path;

	(void)wf_addr_format(&route->via, text);
	(void)name_field(&path, network, route, "via");
	if (wf_addr_is_ip4(&route->via) != wf_addr_is_ip4(&route->to.addr))
		return wf_field_fail(err, path.text, "%s is not of the family of %s", text,
				     wf_prefix_format(&route->to, to));
	/* chosen later: then this is asked once more */
	if (!network->subnet_count)
		return 0;
	if (!subnet)
		return wf_field_fail(err, path.text, "%s is in none of the network's subnets",
				     text);
	if (subnet->has_gateway && wf_addr_equal(&subnet->gateway, &route->via))
		what = "the network's own gateway";
	else if (wf_addr_equal(&subnet->prefix.addr, &route->via))
		what = "the address of the subnet itself";
	else if (wf_addr_is_ip4(&last) && wf_addr_equal(&last, &route->via))
		what = "the broadcast address of the subnet";
	return what ? wf_field_fail(err, path.text, "%s is %s, which no endpoint can have", text,
				    what)
		    : 0;
}

int wf_network_check_routes(const struct wf_network *network, struct wf_err *err)
{
	struct wf_field_path path;

	for (size_t i = 0; i < network->route_count; i++) {
		const struct wf_route *route = &network->routes[i];
		int r = check_prefix(network, route, err);

		if (r == 0 && route->is_via)
			r = check_via(network, route, err);
		if (r < 0)
			return r;
		if (!route->is_via && network->encryption == WF_ENCRYPTION_WIREGUARD &&
		    !route->unencrypted)
			return wf_field_fail(
				err, name_field(&path, network, route, "vtep"),
				"what goes there can be read on the wire, and the network "
				"is encrypted: add unencrypted: true if that may be");
	}
	return 0;
}

static json_t *route_to_json(const struct wf_route *route)
{
	char to[WF_ADDR_TEXT], address[WF_ADDR_TEXT], mac[WF_MAC_TEXT];
	_cleanup_json_ json_t *object = NULL;

	if (route->is_via)
		return json_pack("{s:s, s:s}", "to", wf_prefix_format(&route->to, to), "via",
				 wf_addr_format(&route->via, address));
	object = json_pack("{s:s, s:{s:s, s:I, s:s}}", "to", wf_prefix_format(&route->to, to),
			   "vtep", "address", wf_addr_format(&route->vtep, address), "vni",
			   (json_int_t)route->vni, "mac", wf_mac_format(&route->mac, mac));
	if (object && route->unencrypted &&
	    json_object_set_new(json_object_get(object, "vtep"), "unencrypted", json_true()) < 0)
		return NULL;
	return TAKE_PTR(object);
}

int wf_routes_write(json_t *spec, const struct wf_network *network)
{
	json_t *list;

	if (!network->route_count)
		return 0;
	list = json_array();
	if (json_object_set_new(spec, "routes", list) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < network->route_count; i++)
		if (json_array_append_new(list, route_to_json(&network->routes[i])) < 0)
			return -ENOMEM;
	return 0;
}
