/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void wf_str_done(struct wf_str *str)
{
	free(str->data);
	memset(str, 0, sizeof(*str));
}

void wf_str_wipe(struct wf_str *str)
{
	if (str->data)
		explicit_bzero(str->data, str->capacity);
	wf_str_done(str);
}

static bool reserve(struct wf_str *str, size_t more)
{
	size_t wanted = str->capacity ? str->capacity : 64;
	char *grown;

	if (str->failed)
		return false;
	if (str->len + more + 1 <= str->capacity)
		return true;
	while (wanted < str->len + more + 1)
		wanted *= 2;
	grown = realloc(str->data, wanted);
	if (!grown) {
		str->failed = true;
		return false;
	}
	str->data = grown;
	str->capacity = wanted;
	return true;
}

void wf_str_add_bytes(struct wf_str *str, const void *bytes, size_t len)
{
	if (!reserve(str, len))
		return;
	if (len)
		memcpy(str->data + str->len, bytes, len);
	str->len += len;
	str->data[str->len] = '\0';
}

void wf_str_add(struct wf_str *str, const char *text)
{
	wf_str_add_bytes(str, text, strlen(text));
}

void wf_str_vaddf(struct wf_str *str, const char *format, va_list args)
{
	va_list again;
	int len;

	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (len < 0) {
		str->failed = true;
		return;
	}
	if (!reserve(str, (size_t)len))
		return;
	(void)vsnprintf(str->data + str->len, (size_t)len + 1, format, args);
	str->len += (size_t)len;
}

void wf_str_addf(struct wf_str *str, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	wf_str_vaddf(str, format, args);
	va_end(args);
}

const char *wf_str_text(const struct wf_str *str)
{
	return str->data ? str->data : "";
}

int wf_str_copy(char *dst, size_t dst_bytes, const char *text)
{
	size_t len = strlen(text);

	dst[0] = '\0';
	if (len >= dst_bytes)
		return -EMSGSIZE;
	memcpy(dst, text, len + 1);
	return 0;
}

int wf_str_to_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret_value)
{
	unsigned long long value;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (*end != '\0')
		return -EINVAL;
	if (errno == ERANGE || value < min || value > max)
		return -ERANGE;
	*ret_value = value;
	return 0;
}

int wf_str_to_duration_ms(const char *text, uint64_t *ret_ms)
{
	static const struct {
		const char *suffix;
		uint64_t factor_ms;
	} units[] = { { "", 1000 },   { "ms", 1 },      { "s", 1000 },
		      { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 } };
	unsigned long long value;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno == ERANGE)
		return -ERANGE;
	for (size_t i = 0; i < WF_ARRAY_LEN(units); i++) {
		if (strcmp(end, units[i].suffix) != 0)
			continue;
		if (value > UINT64_MAX / units[i].factor_ms)
			return -ERANGE;
		*ret_ms = value * units[i].factor_ms;
		return 0;
	}
	return -EINVAL;
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool wf_str_is_name(const char *text)
{
	size_t len = strlen(text);

	if (len == 0 || len > 253 || !is_name_char(text[0]) || !is_name_char(text[len - 1]))
		return false;
	for (size_t i = 1; i < len; i++) {
		bool separator = text[i] == '-' || text[i] == '.';

		if (!is_name_char(text[i]) && !separator)
			return false;
		if (text[i] == '.' && !is_name_char(text[i - 1]))
			return false;
		if (text[i - 1] == '.' && !is_name_char(text[i]))
			return false;
	}
	return true;
}

bool wf_str_is_ifname(const char *text)
{
	size_t len = strlen(text);

	if (len == 0 || len > 15 || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '/' || c == ':' || c == '%' || c <= ' ' || c >= 0x7f)
			return false;
	}
	return true;
}

/* Length of the valid UTF-8 sequence at text, 0 when it is not one. */
static size_t utf8_len(const unsigned char *text)
{
	size_t len = 0;

	if (text[0] >= 0xc2 && text[0] <= 0xdf)
		len = 2;
	else if (text[0] >= 0xe0 && text[0] <= 0xef)
		len = 3;
	else if (text[0] >= 0xf0 && text[0] <= 0xf4)
		len = 4;
	for (size_t i = 1; i < len; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	/* overlong forms, surrogates, beyond U+10FFFF; C1 controls and bidi marks are not text */
	if (len == 3 &&
	    ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f)))
		return 0;
	if (len == 4 &&
	    ((text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f)))
		return 0;
	if (len == 2 && text[0] == 0xc2 && text[1] < 0xa0)
		return 0;
	if (len == 3 && text[0] == 0xe2 && (text[1] == 0x80 || text[1] == 0x81) &&
	    ((text[2] >= 0x8e && text[2] <= 0x8f) || (text[2] >= 0xa6 && text[2] <= 0xae)))
		return 0;
	return len;
}

void wf_str_add_escaped(struct wf_str *str, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	while (*at) {
		size_t len = *at >= 0x20 && *at < 0x7f ? 1 : utf8_len(at);

		if (len == 0)
			wf_str_addf(str, "\\x%02x", *at);
		else
			wf_str_add_bytes(str, at, len);
		at += len ? len : 1;
	}
}

size_t wf_str_place(const char *const *texts, size_t count, const char *text)
{
	size_t place = 0;

	while (place < count && strcmp(texts[place], text) != 0)
		place++;
	return place;
}

size_t wf_str_distance(const char *a, const char *b)
{
	size_t row[66];
	size_t len_a = strlen(a), len_b = strlen(b);

	if (len_a > 64 || len_b > 64)
		return SIZE_MAX;
	for (size_t j = 0; j <= len_b; j++)
		row[j] = j;
	for (size_t i = 1; i <= len_a; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= len_b; j++) {
			size_t above = row[j];
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			if (above + 1 < best)
				best = above + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
			diagonal = above;
		}
	}
	return row[len_b];
}
