/* SPDX-License-Identifier: Apache-2.0 */
/* CHECK: what prevResult promises of our interface is compared by the daemon with what it finds. */
#include <errno.h>

#include "api/client.h"
#include "base/json.h"
#include "base/mem.h"
#include "cni/call.h"
#include "cni/prev.h"

/* Addresses of prevResult that belong to our interface. */
static json_t *addresses_of(const json_t *prev, size_t index)
{
	json_t *addresses = json_array();
	const json_t *ip;
	size_t i;

	json_array_foreach(json_object_get(prev, "ips"), i, ip) {
		if (wf_json_int(ip, "interface", -1) != (int64_t)index)
			continue;
		if (json_array_append(addresses, json_object_get(ip, "address")) < 0) {
			json_decref(addresses);
			return NULL;
		}
	}
	return addresses;
}

static json_t *check_body(const struct wf_cni_call *call, const json_t *prev,
			  const json_t *interface, size_t index)
{
	_cleanup_json_ json_t *body = wf_cni_detach_body(call);

	if (!body || wf_json_set_str(body, "netns", call->env.netns) < 0 ||
	    wf_json_set_str(body, "mac", wf_json_str(interface, "mac", "")) < 0 ||
	    json_object_set_new(body, "addresses", addresses_of(prev, index)) < 0)
		return NULL;
	return TAKE_PTR(body);
}

static int ask(const struct wf_cni_call *call, const json_t *body, struct wf_cni_error *error)
{
	_cleanup_json_ json_t *answer = NULL;
	struct wf_err err = WF_ERR_INIT;
	int r = wf_client_call(call->config.socket, "POST", "/v1/endpoints/check", body,
			       WF_CNI_CHECK_TIMEOUT_MS, &answer, &err);

	return r < 0 ? wf_cni_fail_daemon(error, r, &err, call->config.socket) : 0;
}

int wf_cni_check(struct wf_cni_call *call, struct wf_cni_error *error)
{
	const struct wf_cni_config *config = &call->config;
	_cleanup_json_ json_t *prev = NULL, *body = NULL;
	const json_t *interface;
	size_t index;
	int r = wf_cni_config_check_network(config, error);

	if (r < 0)
		return r;
	if (!config->prev_result)
		return wf_cni_fail(error, WF_CNI_CONFIG,
				   "CHECK needs prevResult, the result of the ADD; there is none");
	r = wf_cni_prev_read(config->prev_result, config->version, &prev, error);
	if (r == 0)
		r = wf_cni_env_check_netns(&call->env, error);
	if (r < 0)
		return r;
	interface = wf_cni_result_find(prev, call->env.ifname, call->env.netns, &index);
	if (!interface)
		return wf_cni_fail(error, WF_CNI_CONFIG,
				   "prevResult has no interface %s in the sandbox %s",
				   call->env.ifname, call->env.netns);
	body = check_body(call, prev, interface, index);
	return body ? ask(call, body, error) : wf_cni_fail_memory(error);
}
