/* SPDX-License-Identifier: Apache-2.0 */
/* The first look at a document's text: size, characters, encoding. Declared in yaml_priv.h. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "model/document.h"
#include "model/yaml_priv.h"

/* Bytes of the UTF-8 sequence at at, 0 when it is not one (overlong, surrogate, cut off). */
static size_t sequence_len(const unsigned char *at, size_t left)
{
	size_t len = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
	uint32_t code = at[0] & (0x7fU >> len);
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };

	if (at[0] < 0xc2 || at[0] > 0xf4 || len > left)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (at[i] & 0x3fU);
	}
	if (code < least[len] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	return len;
}

static int fail_at(const char *source, const char *text, size_t offset, const char *what,
		   struct wf_err *err)
{
	size_t line = 1, column = 1;

	for (size_t i = 0; i < offset; i++) {
		column = text[i] == '\n' ? 1 : column + 1;
		line += text[i] == '\n';
	}
	return wf_fail(err, -EILSEQ, "%s:%zu:%zu: %s (byte 0x%02x)", source, line, column, what,
		       (unsigned char)text[offset]);
}

int wf_text_check(const char *source, const char *text, size_t len, struct wf_err *err)
{
	const unsigned char *bytes = (const unsigned char *)text;
	size_t at = 0;

	if (len > WF_DOCUMENT_MAX_FILE_BYTES)
		return wf_fail(err, -E2BIG, "%s: %zu bytes are more than the %u accepted", source,
			       len, WF_DOCUMENT_MAX_FILE_BYTES);
	while (at < len) {
		size_t step = 1;

		if (bytes[at] >= 0x80)
			step = sequence_len(bytes + at, len - at);
		else if (bytes[at] == 0x7f || (bytes[at] < 0x20 && bytes[at] != '\n' &&
					       bytes[at] != '\t' && bytes[at] != '\r'))
			return fail_at(source, text, at, "control characters are not text", err);
		if (!step)
			return fail_at(source, text, at, "not valid UTF-8", err);
		at += step;
	}
	return 0;
}
