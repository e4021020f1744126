/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GC: hands the runtime's list of valid attachments to the daemon. A list that is absent says
 * nothing, so nothing is removed; null and [] say that no attachment is valid.
 */
#include "base/json.h"
#include "base/mem.h"
#include "cni/call.h"
#include "cni/spooled.h"

/* The library sends the list under both names; the second was a mistake of an early text. */
static const json_t *valid_list(const json_t *root, const char **ret_key)
{
	static const char *const keys[] = { "cni.dev/valid-attachments", "cni.dev/attachments" };
	const json_t *list = NULL;

	for (size_t i = 0; !list && i < WF_ARRAY_LEN(keys); i++) {
		*ret_key = keys[i];
		list = wf_json_get_nocase(root, keys[i]);
	}
	return list;
}

static int add_attachment(json_t *valid, const json_t *item, const char *key,
			  struct wf_cni_error *error)
{
	const char *id = json_string_value(wf_cni_get(item, "containerID"));
	const char *ifname = json_string_value(wf_cni_get(item, "ifname"));
	json_t *entry;

	if (!id || !wf_cni_is_identifier(id) || !ifname || !wf_str_is_ifname(ifname))
		return wf_cni_fail_value(error, key, item,
					 "a list of {\"containerID\": \"...\", \"ifname\": "
					 "\"...\"}");
	entry = json_object();
	if (json_array_append_new(valid, entry) < 0 ||
	    wf_json_set_str(entry, "containerID", id) < 0 ||
	    wf_json_set_str(entry, "ifname", ifname) < 0)
		return wf_cni_fail_memory(error);
	return 0;
}

static int read_valid(const json_t *list, const char *key, json_t *valid,
		      struct wf_cni_error *error)
{
	const json_t *item;
	size_t i;
	int r;

	if (!json_is_array(list) && !json_is_null(list))
		return wf_cni_fail_value(error, key, list, "an array");
	json_array_foreach(list, i, item) {
		r = add_attachment(valid, item, key, error);
		if (r < 0)
			return r;
	}
	return 0;
}

int wf_cni_gc(struct wf_cni_call *call, struct wf_cni_error *error)
{
	const struct wf_cni_spooled request = {
		.kind = WF_SPOOL_GC,
		.path = "/v1/endpoints/gc",
		.timeout_ms = WF_CNI_GC_TIMEOUT_MS,
	};
	_cleanup_json_ json_t *body = json_object();
	json_t *valid = json_array();
	const json_t *list;
	const char *key;
	int r;

	if (json_object_set_new(body, "valid", valid) < 0 ||
	    wf_json_set_str(body, "network", call->config.network) < 0 ||
	    wf_json_set_str(body, "owner", "cni") < 0)
		return wf_cni_fail_memory(error);
	list = valid_list(call->config.root, &key);
	if (!list) {
		wf_str_addf(call->log, "warning: no cni.dev/valid-attachments, nothing removed\n");
		return 0;
	}
	r = read_valid(list, key, valid, error);
	if (r < 0 || !wf_str_is_name(call->config.network))
		return r;
	return wf_cni_spooled_call(call, &request, body, error);
}
