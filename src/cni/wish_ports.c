/* SPDX-License-Identifier: Apache-2.0 */
/* The port mappings of an ADD, the way the reference's portmap plugin understands them. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cni/wish_priv.h"
#include "model/protocol.h"

#define KEY "runtimeConfig.portMappings"

static int fail_member(struct wf_cni_error *error, size_t index, const char *member,
		       const json_t *value, const char *what)
{
	char key[96];

	(void)snprintf(key, sizeof(key), KEY "[%zu].%s", index, member);
	return wf_cni_fail_value(error, key, value, what);
}

static int read_port(const json_t *mapping, size_t index, const char *member, uint16_t *ret_port,
		     struct wf_cni_error *error)
{
	const json_t *value = wf_cni_get(mapping, member);
	json_int_t port = json_integer_value(value);

	if (!json_is_integer(value) || port < 1 || port > UINT16_MAX)
		return fail_member(error, index, member, value, "a port from 1 to 65535");
	*ret_port = (uint16_t)port;
	return 0;
}

static int read_protocol(const json_t *mapping, size_t index, uint8_t *ret_proto,
			 struct wf_cni_error *error)
{
	const json_t *value = wf_cni_get(mapping, "protocol");
	const char *text = json_string_value(value);

	*ret_proto = IPPROTO_TCP;
	if (!value || (text && !*text))
		return 0;
	*ret_proto = text ? wf_protocol_from_name(text) : 0;
	return *ret_proto ? 0 : fail_member(error, index, "protocol", value, "tcp, udp or sctp");
}

static int read_host(const json_t *mapping, size_t index, struct wf_addr *ret_addr,
		     struct wf_cni_error *error)
{
	const json_t *value = wf_cni_get(mapping, "hostIP");
	const char *text = json_string_value(value);

	if (!value || (text && !*text))
		return 0;
	if (!text || wf_addr_parse(text, ret_addr) < 0)
		return fail_member(error, index, "hostIP", value, "an address of the host");
	return 0;
}

/* Whether a runtime has said exactly this before. */
static bool is_known(const struct wf_publishes *list, const struct wf_publish *publish)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct wf_publish *other = &list->items[i];

		if (wf_addr_equal(&other->host_ip, &publish->host_ip) &&
		    other->first == publish->first && other->target == publish->target &&
		    other->proto == publish->proto)
			return true;
	}
	return false;
}

/* A mapping without a port of the host publishes nothing, and is no error. */
static bool is_unpublished(const json_t *mapping)
{
	const json_t *value = wf_cni_get(mapping, "hostPort");

	return !value || (json_is_integer(value) && json_integer_value(value) <= 0);
}

static int read_mapping(struct wf_cni_wish *wish, const json_t *mapping, size_t index,
			struct wf_cni_error *error)
{
	struct wf_publish publish = { .proto = IPPROTO_TCP };
	struct wf_err err = WF_ERR_INIT;
	char key[64];
	int r;

	(void)snprintf(key, sizeof(key), KEY "[%zu]", index);
	if (!json_is_object(mapping))
		return wf_cni_fail_value(error, key, mapping, "an object with a hostPort");
	if (is_unpublished(mapping))
		return 0;
	r = read_port(mapping, index, "hostPort", &publish.first, error);
	if (r == 0)
		r = read_port(mapping, index, "containerPort", &publish.target, error);
	if (r == 0)
		r = read_protocol(mapping, index, &publish.proto, error);
	if (r == 0)
		r = read_host(mapping, index, &publish.host_ip, error);
	publish.last = publish.first;
	if (r < 0 || is_known(&wish->publish, &publish))
		return r;
	r = wf_publishes_add(&wish->publish, &publish, key, &err);
	if (r == -ENOMEM)
		return wf_cni_fail_memory(error);
	return r < 0 ? wf_cni_fail(error, WF_CNI_CONFIG, "%s", err.message) : 0;
}

int wf_cni_wish_ports(struct wf_cni_wish *wish, const struct wf_cni_config *config,
		      struct wf_cni_error *error)
{
	const json_t *list = wf_cni_get(config->runtime, "portMappings");
	const json_t *mapping;
	size_t i;

	if (list && !json_is_array(list))
		return wf_cni_fail_value(error, KEY, list, "an array of port mappings");
	json_array_foreach(list, i, mapping) {
		int r = read_mapping(wish, mapping, i, error);

		if (r < 0)
			return r;
	}
	return 0;
}
