/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors: a negative errno as result, and for people a message in a fixed-size object on the
 * caller's stack. Functions that can fail in more than one way take `struct wf_err *err` last
 * (NULL is allowed). Whoever finds the fault calls wf_fail(); whoever passes it on may put a
 * context in front with wf_wrap(). Nothing below the mains and control logs or prints.
 */
#ifndef WEFT_BASE_ERR_H
#define WEFT_BASE_ERR_H

#include <errno.h>
#include <stdarg.h>

struct wf_err {
	int code;          /* negative errno, 0 when no error was set */
	int document;      /* index of the document the error is about, -1 when none */
	char object[160];  /* "network/blue"; empty when not about one object */
	char field[160];   /* "spec.subnets[0].cidr"; empty when not about one field */
	char message[640]; /* what is wrong and what would be right; no newline at the end */
};

#define WF_ERR_INIT            \
	{                      \
		.document = -1 \
	}

/*
 * Sets the message and returns `code` (a negative errno). The first failure wins nothing: a
 * later call overwrites the message, so call it once, where the fault is known.
 */
#define wf_fail(err, code, ...) (wf_err_set((err), (code), __VA_ARGS__), wf_err_negative(code))

/* As wf_fail(), naming the field that is wrong. */
#define wf_fail_field(err, code, path, ...)                                       \
	(wf_err_set((err), (code), __VA_ARGS__), wf_err_set_field((err), (path)), \
	 wf_err_negative(code))

/* Puts "context: " in front of the message of an error that was set below; returns `code`. */
#define wf_wrap(err, code, ...) (wf_err_prefix((err), __VA_ARGS__), wf_err_negative(code))

/* Formats the message. err may be NULL. Clears object, field and document. */
void wf_err_set(struct wf_err *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Names the field the error is about. err may be NULL. */
void wf_err_set_field(struct wf_err *err, const char *path);

/* Names the object the error is about, unless a deeper call has named one. err may be NULL. */
void wf_err_set_object(struct wf_err *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Puts a context in front of the message. err may be NULL. */
void wf_err_prefix(struct wf_err *err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Forgets everything. */
void wf_err_clear(struct wf_err *err);

/*
 * Returns code if it is negative, -EIO otherwise: a failure never looks like success. Inline, so
 * that static analysis of a caller sees it too.
 */
static inline int wf_err_negative(int code)
{
	return code < 0 ? code : -EIO;
}

/* One row of the table that maps an errno to the outside. */
struct wf_err_map {
	int errnum;       /* positive errno */
	const char *name; /* "EEXIST" */
	int http_status;  /* 409 */
	int cni_code;     /* code of the CNI error object */
};

/* Finds the row for a (positive or negative) errno; never NULL, unknown ones map to EIO's. */
const struct wf_err_map *wf_err_map(int code);

/* Finds the row by name ("EEXIST"); NULL when unknown. */
const struct wf_err_map *wf_err_map_by_name(const char *name);

#endif
