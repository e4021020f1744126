/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DEL: succeeds whatever is gone already. When the daemon is down, or does not answer in time,
 * the request goes to the spool (base/spool.h) and counts as done.
 */
#include <errno.h>

#include "api/client.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/spool.h"
#include "cni/call.h"
#include "cni/spooled.h"

json_t *wf_cni_detach_body(const struct wf_cni_call *call)
{
	_cleanup_json_ json_t *body = json_object();

	if (!body || wf_json_set_str(body, "containerID", call->env.container_id) < 0 ||
	    wf_json_set_str(body, "ifname", call->env.ifname) < 0 ||
	    wf_json_set_str(body, "network", call->config.network) < 0)
		return NULL;
	return TAKE_PTR(body);
}

int wf_cni_detach(const struct wf_cni_call *call, struct wf_err *err)
{
	_cleanup_json_ json_t *body = wf_cni_detach_body(call);
	_cleanup_json_ json_t *answer = NULL;

	if (!body)
		return wf_fail(err, -ENOMEM, "out of memory");
	return wf_client_call(call->config.socket, "POST", "/v1/endpoints/detach", body,
			      WF_CNI_DEL_TIMEOUT_MS, &answer, err);
}

int wf_cni_replay(const struct wf_cni_call *call, struct wf_err *err)
{
	_cleanup_json_ json_t *body = wf_cni_detach_body(call);
	_cleanup_str_ struct wf_str dir = WF_STR_INIT;
	char name[WF_SPOOL_NAME_BYTES];
	int r;

	wf_spool_add_dir(&dir, call->config.socket);
	if (!body || dir.failed)
		return wf_fail(err, -ENOMEM, "out of memory");
	(void)wf_spool_name(WF_SPOOL_DETACH, body, name);
	if (!wf_spool_has(wf_str_text(&dir), name))
		return 0;
	r = wf_cni_detach(call, err);
	if (r == 0)
		r = wf_spool_remove(wf_str_text(&dir), name);
	return r < 0 ? wf_wrap(err, r, "a DEL that waits in %s", wf_str_text(&dir)) : 0;
}

int wf_cni_del(struct wf_cni_call *call, struct wf_cni_error *error)
{
	const struct wf_cni_spooled request = {
		.kind = WF_SPOOL_DETACH,
		.path = "/v1/endpoints/detach",
		.timeout_ms = WF_CNI_DEL_TIMEOUT_MS,
		.spool_late = true,
	};
	_cleanup_json_ json_t *body = NULL;

	/* no network of weft's can have the name, so nothing of it exists */
	if (!wf_str_is_name(call->config.network))
		return 0;
	body = wf_cni_detach_body(call);
	if (!body)
		return wf_cni_fail_memory(error);
	return wf_cni_spooled_call(call, &request, body, error);
}
