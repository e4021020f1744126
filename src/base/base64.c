/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#define PIECE_GROUPS 64

void wf_base64_add(struct wf_str *str, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	char piece[PIECE_GROUPS * 4];

	while (len) {
		size_t used = 0;

		while (len && used < sizeof(piece)) {
			size_t have = len < 3 ? len : 3;
			uint32_t group = (uint32_t)at[0] << 16;

			if (have > 1)
				group |= (uint32_t)at[1] << 8;
			if (have > 2)
				group |= at[2];
			piece[used++] = alphabet[group >> 18];
			piece[used++] = alphabet[(group >> 12) & 63];
			piece[used++] = '=';
			piece[used++] = '=';
			if (have > 1)
				piece[used - 2] = alphabet[(group >> 6) & 63];
			if (have > 2)
				piece[used - 1] = alphabet[group & 63];
			at += have;
			len -= have;
		}
		wf_str_add_bytes(str, piece, used);
	}
}

/* The six bits of a character; -1 when it has none. */
static int bits_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* One group of four characters, of which the last `padding` are '='. 0 or -EILSEQ. */
static int decode_group(const char *text, size_t padding, char *bytes)
{
	uint32_t group = 0;

	for (size_t i = 0; i < 4; i++) {
		int bits = i < 4 - padding ? bits_of(text[i]) : 0;

		if (bits < 0)
			return -EILSEQ;
		group = group << 6 | (uint32_t)bits;
	}
	bytes[0] = (char)(group >> 16);
	if (padding < 2)
		bytes[1] = (char)(group >> 8);
	if (padding < 1)
		bytes[2] = (char)group;
	return 0;
}

int wf_base64_decode(const char *text, size_t len, char **ret_bytes, size_t *ret_len)
{
	_cleanup_free_ char *bytes = NULL;
	size_t padding = 0, used = 0;

	if (len % 4)
		return -EILSEQ;
	if (len && text[len - 1] == '=')
		padding = text[len - 2] == '=' ? 2 : 1;
	bytes = malloc(len / 4 * 3 + 1);
	if (!bytes)
		return -ENOMEM;
	for (size_t i = 0; i < len; i += 4) {
		size_t missing = i + 4 == len ? padding : 0;

		if (decode_group(text + i, missing, bytes + used) < 0)
			return -EILSEQ;
		used += 3 - missing;
	}
	bytes[used] = '\0';
	*ret_bytes = TAKE_PTR(bytes);
	*ret_len = used;
	return 0;
}
