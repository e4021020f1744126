/* SPDX-License-Identifier: Apache-2.0 */
/* weftd.8 and weft.yaml.5, made from the option table. */
#ifndef WEFT_WEFTD_MAN_H
#define WEFT_WEFTD_MAN_H

#include "base/err.h"
#include "base/str.h"

/* Appends the page; -EINVAL: no such page. */
int weftd_man(const char *page, struct wf_str *out, struct wf_err *err);

#endif
