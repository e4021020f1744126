/* SPDX-License-Identifier: Apache-2.0 */
/* STATUS: whether an ADD with this configuration would work now. */
#include <errno.h>

#include "api/client.h"
#include "base/json.h"
#include "base/mem.h"
#include "cni/call.h"

static int ask(const struct wf_cni_call *call, const char *path, struct wf_err *err)
{
	_cleanup_str_ struct wf_str whole = WF_STR_INIT;
	_cleanup_json_ json_t *answer = NULL;

	wf_str_add(&whole, path);
	wf_client_add_segment(&whole, call->config.network);
	if (whole.failed)
		return wf_fail(err, -ENOMEM, "out of memory");
	return wf_client_call(call->config.socket, "GET", wf_str_text(&whole), NULL,
			      WF_CNI_STATUS_TIMEOUT_MS, &answer, err);
}

int wf_cni_status(struct wf_cni_call *call, struct wf_cni_error *error)
{
	struct wf_err err = WF_ERR_INIT;
	int r = wf_cni_config_check(&call->config, call->log, error);

	if (r < 0)
		return r;
	/* the daemon speaks for a network that the first ADD makes; one that no ADD may make is asked */
	if (!call->config.create_network)
		r = ask(call, "/v1/networks/", &err);
	if (r == 0)
		r = ask(call, "/v1/cni/status?network=", &err);
	if (r == 0 || (r == -ENOENT && call->config.create_network))
		return 0;
	r = wf_cni_fail_daemon(error, r, &err, call->config.socket);
	error->code = WF_CNI_NOT_AVAILABLE;
	return r;
}
