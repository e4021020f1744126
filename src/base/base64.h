/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 (RFC 4648, with padding), as JSON carries bytes. */
#ifndef WEFT_BASE_BASE64_H
#define WEFT_BASE_BASE64_H

#include <stddef.h>

#include "base/str.h"

/* Appends the text of some bytes. */
void wf_base64_add(struct wf_str *str, const void *bytes, size_t len);

/*
 * The bytes of a text, owned by the caller and followed by a NUL that *ret_len does not count.
 * -EILSEQ: not base64 (white space and missing padding are not either); -ENOMEM.
 */
int wf_base64_decode(const char *text, size_t len, char **ret_bytes, size_t *ret_len);

#endif
