/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and checks spec.subnets of a network. Called by network_read.c only. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "model/field_priv.h"
#include "model/network_priv.h"

/* Address space in which no container can live. */
static const struct {
	const char *cidr;
	const char *what;
} reserved[] = {
	{ "0.0.0.0/8", "\"this network\" (RFC 1122)" },
	{ "127.0.0.0/8", "loopback" },
	{ "169.254.0.0/16", "link-local" },
	{ "224.0.0.0/4", "multicast" },
	{ "240.0.0.0/4", "reserved (RFC 1112)" },
	{ "::/8", "reserved (loopback and IPv4-mapped addresses)" },
	{ "fe80::/10", "link-local" },
	{ "ff00::/8", "multicast" },
};

/* Prefix lengths that a network can work with. */
#define MIN_LEN_IP4 8
#define MAX_LEN_IP4 30
#define MIN_LEN_IP6 48
#define MAX_LEN_IP6 126

/* One subnet while it is read: what goes wrong is told with its path. */
struct reading {
	struct wf_subnet *subnet;
	const json_t *object;
	struct wf_field_path path;
	char cidr[WF_ADDR_TEXT];
	struct wf_err *err;
};

const char *wf_prefix_reserved(const struct wf_prefix *prefix, const char **ret_space)
{
	for (size_t i = 0; i < WF_ARRAY_LEN(reserved); i++) {
		struct wf_prefix space;

		*ret_space = reserved[i].cidr;
		if (wf_prefix_parse(reserved[i].cidr, &space) == 0 &&
		    wf_prefix_overlaps(&space, prefix))
			return reserved[i].what;
	}
	return NULL;
}

static int check_reserved(const struct reading *reading)
{
	const char *space, *what = wf_prefix_reserved(&reading->subnet->prefix, &space);

	return what ? wf_field_fail(reading->err, reading->path.text, "%s cannot be used: %s is %s",
				    reading->cidr, space, what)
		    : 0;
}

static int check_len(const struct reading *reading)
{
	bool ip4 = wf_addr_is_ip4(&reading->subnet->prefix.addr);
	int min = ip4 ? MIN_LEN_IP4 : MIN_LEN_IP6, max = ip4 ? MAX_LEN_IP4 : MAX_LEN_IP6;
	int len = reading->subnet->prefix.len;

	if (len < min)
		return wf_field_fail(reading->err, reading->path.text,
				     "%s is too large (/%d to /%d for %s)", reading->cidr, min, max,
				     ip4 ? "IPv4" : "IPv6");
	if (len > max)
		return wf_field_fail(reading->err, reading->path.text,
				     "%s is too small: beside the gateway no address is left for "
				     "containers (/%d to /%d for %s)",
				     reading->cidr, min, max, ip4 ? "IPv4" : "IPv6");
	return 0;
}

static int check_overlap(const struct reading *reading, const struct wf_network *network)
{
	char other[WF_ADDR_TEXT];

	for (const struct wf_subnet *s = network->subnets; s < reading->subnet; s++)
		if (wf_prefix_overlaps(&s->prefix, &reading->subnet->prefix))
			return wf_field_fail(reading->err, reading->path.text,
					     "%s overlaps %s of subnets[%td]", reading->cidr,
					     wf_prefix_format(&s->prefix, other),
					     s - network->subnets);
	return 0;
}

static int read_cidr(struct reading *reading, const struct wf_network *network)
{
	const char *text = wf_json_str(reading->object, "cidr", "");
	size_t parent = wf_field_push_key(&reading->path, "cidr");
	struct wf_prefix *prefix = &reading->subnet->prefix, right_one;
	char excerpt[WF_FIELD_EXCERPT_BYTES], right[WF_ADDR_TEXT];
	int r;

	if (wf_prefix_parse(text, prefix) < 0)
		return wf_field_fail(reading->err, reading->path.text,
				     "\"%s\" is not a prefix (such as 10.64.0.0/16 or "
				     "fd00:1:2::/64)",
				     wf_field_excerpt(text, excerpt));
	if (!strchr(text, '/'))
		return wf_field_fail(reading->err, reading->path.text,
				     "\"%s\" has no prefix length (such as %s/%d)", text, text,
				     wf_addr_is_ip4(&prefix->addr) ? 24 : 64);
	(void)wf_prefix_format(prefix, reading->cidr);
	r = check_len(reading);
	if (r < 0)
		return r;
	right_one = wf_prefix_network(prefix);
	if (!wf_prefix_equal(prefix, &right_one))
		return wf_field_fail(reading->err, reading->path.text,
				     "%s is an address within a subnet, the subnet is %s",
				     reading->cidr, wf_prefix_format(&right_one, right));
	r = check_reserved(reading);
	if (r == 0)
		r = check_overlap(reading, network);
	wf_field_pop(&reading->path, parent);
	return r;
}

/* An address written in a field; it must be inside the subnet. */
static int read_inside(const struct reading *reading, const char *text, struct wf_addr *ret_addr)
{
	char excerpt[WF_FIELD_EXCERPT_BYTES];
	struct wf_addr addr;

	if (wf_addr_parse(text, &addr) < 0)
		return wf_field_fail(reading->err, reading->path.text, "\"%s\" is not an address",
				     wf_field_excerpt(text, excerpt));
	if (!wf_prefix_contains(&reading->subnet->prefix, &addr))
		return wf_field_fail(reading->err, reading->path.text, "%s is not inside %s",
				     wf_field_excerpt(text, excerpt), reading->cidr);
	*ret_addr = addr;
	return 0;
}

static int check_gateway(const struct reading *reading)
{
	const struct wf_subnet *subnet = reading->subnet;
	struct wf_addr last = wf_prefix_last(&subnet->prefix);
	char text[WF_ADDR_TEXT];

	if (wf_addr_equal(&subnet->gateway, &subnet->prefix.addr))
		return wf_field_fail(reading->err, reading->path.text,
				     "%s is the address of the subnet itself",
				     wf_addr_format(&subnet->gateway, text));
	if (wf_addr_is_ip4(&last) && wf_addr_equal(&subnet->gateway, &last))
		return wf_field_fail(reading->err, reading->path.text,
				     "%s is the broadcast address of %s",
				     wf_addr_format(&subnet->gateway, text), reading->cidr);
	return 0;
}

static int read_gateway(struct reading *reading, const struct wf_network *network)
{
	const char *text = json_string_value(json_object_get(reading->object, "gateway"));
	struct wf_subnet *subnet = reading->subnet;
	size_t parent;
	int r;

	if (!text) {
		subnet->has_gateway = wf_network_has_gateways(network);
		if (subnet->has_gateway)
			subnet->gateway = wf_addr_add(&subnet->prefix.addr, 1);
		return 0;
	}
	if (!*text)
		return 0;
	parent = wf_field_push_key(&reading->path, "gateway");
	if (network->overlapping && !network->masquerade)
		return wf_field_fail(reading->err, reading->path.text,
				     "nothing answers there in a network with overlapping: true "
				     "(leave it out, or say masquerade: true)");
	if (!wf_network_has_gateways(network))
		return wf_field_fail(reading->err, reading->path.text,
				     "ipvlan in mode %s has no gateway (leave it out)",
				     wf_mode_name(network->mode));
	r = read_inside(reading, text, &subnet->gateway);
	if (r < 0)
		return r;
	subnet->has_gateway = true;
	r = check_gateway(reading);
	wf_field_pop(&reading->path, parent);
	return r;
}

static int read_end(struct reading *reading, const json_t *object, const char *key,
		    struct wf_addr *ret_addr)
{
	size_t parent = wf_field_push_key(&reading->path, key);
	int r = read_inside(reading, wf_json_str(object, key, ""), ret_addr);

	if (r == 0)
		wf_field_pop(&reading->path, parent);
	return r;
}

static int read_range(struct reading *reading, const json_t *object)
{
	struct wf_ranges *ranges = &reading->subnet->ranges;
	char first[WF_ADDR_TEXT], last[WF_ADDR_TEXT];
	struct wf_range range;
	int r = read_end(reading, object, "start", &range.first);

	if (r == 0)
		r = read_end(reading, object, "end", &range.last);
	if (r < 0)
		return r;
	if (wf_addr_compare(&range.first, &range.last) > 0)
		return wf_field_fail(reading->err, reading->path.text,
				     "start %s is behind end %s (the other way round?)",
				     wf_addr_format(&range.first, first),
				     wf_addr_format(&range.last, last));
	for (size_t i = 0; i < ranges->count; i++)
		if (wf_addr_compare(&range.first, &ranges->items[i].last) <= 0 &&
		    wf_addr_compare(&ranges->items[i].first, &range.last) <= 0)
			return wf_field_fail(reading->err, reading->path.text,
					     "overlaps ranges[%zu], %s to %s", i,
					     wf_addr_format(&ranges->items[i].first, first),
					     wf_addr_format(&ranges->items[i].last, last));
	if (wf_ranges_add(ranges, &range) < 0)
		return wf_fail(reading->err, -ENOMEM, "out of memory");
	return 0;
}

static int read_exclude(struct reading *reading, const json_t *item)
{
	const char *text = json_is_string(item) ? json_string_value(item) : "";
	char excerpt[WF_FIELD_EXCERPT_BYTES];
	struct wf_range range;

	if (wf_range_parse(text, &range) < 0)
		return wf_field_fail(reading->err, reading->path.text,
				     "\"%s\" is not an address, a range (10.64.0.70-10.64.0.75) or "
				     "a prefix with its host bits zero (10.64.0.64/28)",
				     wf_field_excerpt(text, excerpt));
	if (!wf_prefix_contains(&reading->subnet->prefix, &range.first) ||
	    !wf_prefix_contains(&reading->subnet->prefix, &range.last))
		return wf_field_fail(reading->err, reading->path.text, "%s is not inside %s",
				     wf_field_excerpt(text, excerpt), reading->cidr);
	if (wf_ranges_add(&reading->subnet->excluded, &range) < 0)
		return wf_fail(reading->err, -ENOMEM, "out of memory");
	return 0;
}

static int read_list(struct reading *reading, const char *key, size_t max,
		     int (*read)(struct reading *reading, const json_t *item))
{
	const json_t *list = json_object_get(reading->object, key);
	size_t parent = wf_field_push_key(&reading->path, key);
	json_t *item;
	size_t i;

	if (json_array_size(list) > max)
		return wf_field_fail(reading->err, reading->path.text,
				     "has %zu entries, the limit is %zu", json_array_size(list),
				     max);
	json_array_foreach(list, i, item) {
		size_t own = wf_field_push_index(&reading->path, i);
		int r = read(reading, item);

		if (r < 0)
			return r;
		wf_field_pop(&reading->path, own);
	}
	wf_field_pop(&reading->path, parent);
	return 0;
}

/* A block has two addresses at least, and no more than a node can have endpoints. */
#define MAX_BLOCK_BITS 16

static int read_block_size(struct reading *reading, const struct wf_network *network)
{
	const json_t *value = json_object_get(reading->object, "blockSize");
	struct wf_subnet *subnet = reading->subnet;
	int bits = (int)wf_addr_bits(&subnet->prefix.addr), least = subnet->prefix.len;
	json_int_t len = json_integer_value(value);
	size_t parent;

	if (!value || json_is_null(value))
		return 0;
	if (least < bits - MAX_BLOCK_BITS)
		least = bits - MAX_BLOCK_BITS;
	parent = wf_field_push_key(&reading->path, "blockSize");
	if (!wf_driver_is_shared(network->driver))
		return wf_field_fail(reading->err, reading->path.text,
				     "is for overlay and routed only, not for %s",
				     wf_driver_name(network->driver));
	if (len && (len < least || len >= bits))
		return wf_field_fail(reading->err, reading->path.text,
				     "%s cannot be cut into blocks of /%lld: want /%d to /%d, or 0 "
				     "for none",
				     reading->cidr, (long long)len, least, bits - 1);
	subnet->has_block_size = true;
	subnet->block_size = (uint8_t)len;
	wf_field_pop(&reading->path, parent);
	return 0;
}

static int read_subnet(struct reading *reading, const struct wf_network *network)
{
	int r = read_cidr(reading, network);

	if (r == 0)
		r = read_gateway(reading, network);
	if (r == 0)
		r = read_block_size(reading, network);
	if (r == 0)
		r = read_list(reading, "ranges", WF_SUBNET_MAX_RANGES, read_range);
	if (r == 0)
		r = read_list(reading, "exclude", WF_SUBNET_MAX_EXCLUDES, read_exclude);
	return r;
}

int wf_subnets_read(struct wf_network *network, const json_t *spec, struct wf_err *err)
{
	const json_t *list = json_object_get(spec, "subnets");
	json_t *item;
	size_t i;

	if (json_array_size(list) && !wf_driver_has_subnets(network->driver))
		return wf_field_fail(err, "spec.subnets",
				     "driver %s has no subnets (leave them out)",
				     wf_driver_name(network->driver));
	if (json_array_size(list) > WF_MAX_SUBNETS)
		return wf_field_fail(err, "spec.subnets", "has %zu entries, the limit is %d",
				     json_array_size(list), WF_MAX_SUBNETS);
	json_array_foreach(list, i, item) {
		struct reading reading = {
			.subnet = &network->subnets[i],
			.object = item,
			.err = err,
		};
		int r;

		(void)wf_field_push_key(&reading.path, "spec.subnets");
		(void)wf_field_push_index(&reading.path, i);
		/* counted before it is complete, so that what it owns is freed on failure */
		network->subnet_count = i + 1;
		r = read_subnet(&reading, network);
		if (r < 0)
			return r;
	}
	return 0;
}
