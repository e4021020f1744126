/* SPDX-License-Identifier: Apache-2.0 */
/* The ports of an attach request: published ones, and those with names. */
#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/attach.h"
#include "model/meta.h"
#include "model/protocol.h"
#include "model/publish.h"

int wf_cli_attach_publish(json_t *body, const struct wf_option_list *texts, struct wf_err *err)
{
	_cleanup_(wf_publishes_done) struct wf_publishes list = { 0 };
	json_t *array;

	for (size_t i = 0; i < texts->count; i++) {
		if (wf_publish_parse(&list, texts->items[i], err) >= 0)
			continue;
		wf_err_set_field(err, "--publish");
		return -EINVAL;
	}
	if (!list.count)
		return 0;
	array = wf_publishes_to_json(&list);
	return json_object_set_new(body, "publish", array) < 0
		       ? wf_fail(err, -ENOMEM, "out of memory")
		       : 0;
}

/* "http=8080/tcp" as {name, port, protocol}; NULL: it is none. */
static json_t *named_port(const char *text)
{
	_cleanup_free_ char *name = strdup(text);
	char *number = name ? strchr(name, '=') : NULL, *proto;
	uint64_t port;

	if (!number)
		return NULL;
	*number++ = '\0';
	proto = strchr(number, '/');
	if (proto)
		*proto++ = '\0';
	if (!wf_meta_is_label(name) || wf_str_to_u64(number, 1, UINT16_MAX, &port) < 0 ||
	    (proto && !wf_protocol_from_name(proto)))
		return NULL;
	return json_pack("{s:s, s:I, s:s}", "name", name, "port", (json_int_t)port, "protocol",
			 wf_protocol_name(wf_protocol_from_name(proto ? proto : "tcp")));
}

int wf_cli_attach_ports(json_t *body, const struct wf_option_list *texts, struct wf_err *err)
{
	_cleanup_json_ json_t *array = json_array();

	for (size_t i = 0; i < texts->count; i++) {
		json_t *port = named_port(texts->items[i]);

		if (!port)
			return wf_fail_field(err, -EINVAL, "--port",
					     "'%s' is not a named port such as http=8080 or "
					     "dns=53/udp",
					     texts->items[i]);
		if (json_array_append_new(array, port) < 0)
			return wf_fail(err, -ENOMEM, "out of memory");
	}
	if (texts->count && json_object_set(body, "ports", array) < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	return 0;
}
