/* SPDX-License-Identifier: Apache-2.0 */
#include "cni/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

int wf_cni_fail(struct wf_cni_error *error, int code, const char *format, ...)
{
	va_list args;

	error->code = code;
	error->details[0] = '\0';
	va_start(args, format);
	(void)vsnprintf(error->msg, sizeof(error->msg), format, args);
	va_end(args);
	return -EINVAL;
}

void wf_cni_error_detail(struct wf_cni_error *error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(error->details, sizeof(error->details), format, args);
	va_end(args);
}

int wf_cni_fail_memory(struct wf_cni_error *error)
{
	return wf_cni_fail(error, WF_CNI_TRY_AGAIN, "out of memory");
}

int wf_cni_fail_daemon(struct wf_cni_error *error, int r, const struct wf_err *err,
		       const char *socket_path)
{
	if (r == -ECONNREFUSED) {
		(void)wf_cni_fail(error, WF_CNI_TRY_AGAIN,
				  "weftd is not reachable at %s: start it with 'systemctl start "
				  "weftd' (or run weftd); the runtime may try again",
				  socket_path);
		wf_cni_error_detail(error, "%s", err->message);
		return -EINVAL;
	}
	(void)wf_cni_fail(error, wf_err_map(r)->cni_code, "%s",
			  err->message[0] ? err->message : strerror(-r));
	wf_cni_error_detail(error, "%s%s%s%s%s from weftd at %s", wf_err_map(r)->name,
			    err->object[0] ? ", " : "", err->object, err->field[0] ? ", " : "",
			    err->field, socket_path);
	return -EINVAL;
}

/* Messages quote what users wrote; JSON strings must be UTF-8. */
static int set_text(json_t *object, const char *key, const char *text)
{
	_cleanup_str_ struct wf_str escaped = WF_STR_INIT;

	wf_str_add_escaped(&escaped, text);
	return escaped.failed ? -ENOMEM
			      : json_object_set_new(object, key,
						    json_string_nocheck(wf_str_text(&escaped)));
}

json_t *wf_cni_error_json(const struct wf_cni_error *error, const char *version)
{
	json_t *object = json_object();
	bool ok = object && wf_json_set_str(object, "cniVersion", version) == 0 &&
		  json_object_set_new(object, "code", json_integer(error->code)) == 0 &&
		  set_text(object, "msg", error->msg) == 0 &&
		  (!error->details[0] || set_text(object, "details", error->details) == 0);

	if (!ok)
		wf_json_cleanup(&object);
	return object;
}
