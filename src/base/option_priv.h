/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the option table share; nobody else includes it. */
#ifndef WEFT_BASE_OPTION_PRIV_H
#define WEFT_BASE_OPTION_PRIV_H

#include "base/option.h"

/* The member of an option within its struct. */
static inline void *wf_option_member(const struct wf_option *option, void *target)
{
	return (char *)target + option->offset;
}

static inline const void *wf_option_const_member(const struct wf_option *option, const void *target)
{
	return (const char *)target + option->offset;
}

/* As wf_option_set(); label is what messages call the option ("--run-dir", "runDir"). */
int wf_option_set_as(const struct wf_option *option, const char *label, void *target,
		     const char *text, struct wf_err *err);

/* Frees and zeroes one member. */
void wf_option_clear(const struct wf_option *option, void *target);

/* Bytes of the member in the struct. */
size_t wf_option_bytes(enum wf_option_type type);

/* "500ms", "10s", "5m": the largest unit without a remainder. buf has 32 bytes; returns buf. */
char *wf_option_format_duration(uint64_t ms, char *buf);

/* Sets the default of one option; the member must be clear. */
int wf_option_default(const struct wf_option *option, const char *label, void *target,
		      struct wf_err *err);

#endif
