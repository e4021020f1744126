/* SPDX-License-Identifier: Apache-2.0 */
/* What differs between two texts, by lines. Pure. */
#ifndef WEFT_CONTROL_POLICY_DIFF_H
#define WEFT_CONTROL_POLICY_DIFF_H

#include "base/str.h"

/*
 * Appends the lines that differ, "-" in front of those that are gone and "+" of new ones, with up
 * to two lines around each in common (" ") and "..." where more are left out. Texts that differ
 * in too many places to be compared well are told as one replaced by the other.
 */
void wf_ctl_diff(const char *before, const char *after, struct wf_str *out);

#endif
