/* SPDX-License-Identifier: Apache-2.0 */
/* The error object, and the one table that maps an errno to HTTP and CNI. */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/*
 * CNI codes: specification 1.1.0 "Error". 11 asks the runtime to try again later, 7 is a bad
 * configuration, 3 an unknown container; from 100 on they are the plugin's own.
 */
static const struct wf_err_map map[] = {
	{ EIO, "EIO", 500, 100 },
	{ EINVAL, "EINVAL", 400, 7 },
	{ ENOENT, "ENOENT", 404, 3 },
	{ EEXIST, "EEXIST", 409, 101 },
	{ EBUSY, "EBUSY", 409, 102 },
	{ ENOSPC, "ENOSPC", 507, 103 },
	{ EADDRINUSE, "EADDRINUSE", 409, 104 },
	{ EADDRNOTAVAIL, "EADDRNOTAVAIL", 400, 105 },
	{ EPERM, "EPERM", 403, 106 },
	{ EACCES, "EACCES", 403, 106 },
	{ ENOMEM, "ENOMEM", 503, 11 },
	{ EAGAIN, "EAGAIN", 503, 11 },
	{ ETIMEDOUT, "ETIMEDOUT", 504, 11 },
	{ ECONNREFUSED, "ECONNREFUSED", 503, 11 },
	{ EHOSTUNREACH, "EHOSTUNREACH", 503, 11 },
	{ EPROTO, "EPROTO", 502, 112 },
	{ EROFS, "EROFS", 507, 107 },
	{ ENODEV, "ENODEV", 400, 108 },
	{ EOPNOTSUPP, "EOPNOTSUPP", 501, 109 },
	{ EMSGSIZE, "EMSGSIZE", 413, 7 },
	{ E2BIG, "E2BIG", 413, 7 },
	{ ESRCH, "ESRCH", 400, 8 }, /* the network namespace does not exist or is not one */
	{ ESTALE, "ESTALE", 409, 110 },
	{ EILSEQ, "EILSEQ", 400, 6 },
	{ ENOTEMPTY, "ENOTEMPTY", 409, 111 },
	{ EALREADY, "EALREADY", 409, 113 },
};

void wf_err_clear(struct wf_err *err)
{
	if (!err)
		return;
	memset(err, 0, sizeof(*err));
	err->document = -1;
}

void wf_err_set(struct wf_err *err, int code, const char *format, ...)
{
	va_list args;

	if (!err)
		return;
	wf_err_clear(err);
	err->code = wf_err_negative(code);
	va_start(args, format);
	(void)vsnprintf(err->message, sizeof(err->message), format, args);
	va_end(args);
}

void wf_err_set_field(struct wf_err *err, const char *path)
{
	if (err)
		(void)snprintf(err->field, sizeof(err->field), "%s", path);
}

void wf_err_set_object(struct wf_err *err, const char *format, ...)
{
	va_list args;

	if (!err || err->object[0])
		return;
	va_start(args, format);
	(void)vsnprintf(err->object, sizeof(err->object), format, args);
	va_end(args);
}

void wf_err_prefix(struct wf_err *err, const char *format, ...)
{
	char context[sizeof(err->message)];
	char joined[2 * sizeof(err->message) + 8];
	va_list args;

	if (!err)
		return;
	va_start(args, format);
	(void)vsnprintf(context, sizeof(context), format, args);
	va_end(args);
	(void)snprintf(joined, sizeof(joined), "%s: %s", context, err->message);
	joined[sizeof(err->message) - 1] = '\0';
	memcpy(err->message, joined, sizeof(err->message));
}

const struct wf_err_map *wf_err_map(int code)
{
	for (size_t i = 0; i < WF_ARRAY_LEN(map); i++)
		if (map[i].errnum == abs(code))
			return &map[i];
	return &map[0];
}

const struct wf_err_map *wf_err_map_by_name(const char *name)
{
	for (size_t i = 0; i < WF_ARRAY_LEN(map); i++)
		if (strcmp(map[i].name, name) == 0)
			return &map[i];
	return NULL;
}
