/* SPDX-License-Identifier: Apache-2.0 */
#include "cni/spooled.h"

#include <errno.h>

#include "api/client.h"
#include "base/json.h"
#include "base/mem.h"

static int make(const struct wf_cni_call *call, const struct wf_cni_spooled *request,
		const json_t *body, struct wf_err *err)
{
	_cleanup_json_ json_t *answer = NULL;

	return wf_client_call(call->config.socket, "POST", request->path, body, request->timeout_ms,
			      &answer, err);
}

/* Whether the daemon has no disk to do it with. */
static bool is_refused(int r)
{
	return r == -ENOSPC || r == -EROFS || r == -EIO;
}

/* Whether the daemon may never have seen the request, or has it to be made good later. */
static bool is_lost(int r, const struct wf_cni_spooled *request)
{
	switch (r) {
	case -ECONNREFUSED: return true;
	case -ETIMEDOUT:
	case -EAGAIN:
	case -ECONNRESET:
	case -EPIPE: return request->spool_late;
	default: return request->spool_late && is_refused(r);
	}
}

/*
 * r is why the first try was lost. The second try, after the entry is written, closes the gap in
 * which a starting daemon has read the spool before we wrote to it.
 */
static int leave(const struct wf_cni_call *call, const struct wf_cni_spooled *request,
		 const json_t *body, const char *dir, int r, struct wf_err *err)
{
	char name[WF_SPOOL_NAME_BYTES];
	int written = wf_spool_write(dir, request->kind, body, err);

	if (written == -ENOENT) {
		wf_str_addf(call->log,
			    "warning: weftd is not running and has not run since boot (%s does "
			    "not exist): nothing to undo\n",
			    dir);
		return 0;
	}
	if (written < 0)
		return written;
	if (r == -ECONNREFUSED && make(call, request, body, NULL) == 0)
		return wf_spool_remove(dir, wf_spool_name(request->kind, body, name));
	wf_str_addf(call->log, "weftd %s: noted in %s, to be made good\n",
		    is_refused(r) ? "cannot store it now" : "did not answer", dir);
	return 0;
}

int wf_cni_spooled_call(const struct wf_cni_call *call, const struct wf_cni_spooled *request,
			const json_t *body, struct wf_cni_error *error)
{
	_cleanup_str_ struct wf_str dir = WF_STR_INIT;
	struct wf_err err = WF_ERR_INIT;
	char name[WF_SPOOL_NAME_BYTES];
	int r;

	wf_spool_add_dir(&dir, call->config.socket);
	if (dir.failed)
		return wf_cni_fail_memory(error);
	r = make(call, request, body, &err);
	if (is_lost(r, request))
		r = leave(call, request, body, wf_str_text(&dir), r, &err);
	else if (r == 0)
		(void)wf_spool_remove(wf_str_text(&dir), wf_spool_name(request->kind, body, name));
	return r < 0 ? wf_cni_fail_daemon(error, r, &err, call->config.socket) : 0;
}
