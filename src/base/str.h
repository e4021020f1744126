/* SPDX-License-Identifier: Apache-2.0 */
/* Strings: a growing buffer with a sticky error, checked numbers, names. */
#ifndef WEFT_BASE_STR_H
#define WEFT_BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Growing string. Start with WF_STR_INIT; a failed allocation is remembered, check once. */
struct wf_str {
	char *data;      /* owned; NUL-terminated; NULL while empty */
	size_t len;      /* characters without the NUL */
	size_t capacity; /* bytes */
	bool failed;     /* an allocation failed; further appends do nothing */
};

#define WF_STR_INIT \
	{           \
		0   \
	}
#define _cleanup_str_ _cleanup_(wf_str_done)

/* Frees the contents; the object may be used again. */
void wf_str_done(struct wf_str *str);
/* The same, and overwrites them first: secrets. */
void wf_str_wipe(struct wf_str *str);

void wf_str_add(struct wf_str *str, const char *text);
void wf_str_add_bytes(struct wf_str *str, const void *bytes, size_t len);
void wf_str_addf(struct wf_str *str, const char *format, ...) __attribute__((format(printf, 2, 3)));
void wf_str_vaddf(struct wf_str *str, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

/* The text, never NULL ("" while empty). Borrowed until the next change. */
const char *wf_str_text(const struct wf_str *str);

/*
 * Copies with a bound. Returns 0, or -EMSGSIZE when text does not fit (dst then holds ""):
 * nothing is ever truncated silently.
 */
int wf_str_copy(char *dst, size_t dst_bytes, const char *text);

/* Parses a whole decimal number within [min, max]. Returns 0, -EINVAL or -ERANGE. */
int wf_str_to_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value);

/* Parses "10s", "500ms", "5m", "2h" into milliseconds; a bare number is seconds. */
int wf_str_to_duration_ms(const char *text, uint64_t *ret_ms);

/*
 * Whether text is a DNS-1123 subdomain of at most 253 characters: what Kubernetes accepts as
 * metadata.name and what weft accepts as the name of any object.
 */
bool wf_str_is_name(const char *text);

/* Whether text can name an interface: 1-15 bytes, not "." or "..", no '/', ':', space, control. */
bool wf_str_is_ifname(const char *text);

/* Appends text with control characters and invalid UTF-8 escaped as \xNN, safe for a terminal. */
void wf_str_add_escaped(struct wf_str *str, const char *text);

/* The place of a text among others; count: it is none of them. */
size_t wf_str_place(const char *const *texts, size_t count, const char *text);

/* Small edit distance for "did you mean"; SIZE_MAX when either string is longer than 64. */
size_t wf_str_distance(const char *a, const char *b);

#endif
