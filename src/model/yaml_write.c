/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON to YAML, in the layout that Kubernetes users know. Strings that any YAML reader, of 1.1 or
 * 1.2, might take for something else are quoted.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/document.h"
#include "model/yaml_priv.h"

/* A key that is longer must be marked with "?": readers look for its colon this far only. */
#define SHORT_KEY_LEN 120

/* What YAML 1.1 reads as something else than a string. */
static bool is_old_word(const char *text)
{
	static const char *const old[] = { "y", "n", "yes", "no", "on", "off", "=", "<<" };

	for (size_t i = 0; i < WF_ARRAY_LEN(old); i++)
		if (strcasecmp(old[i], text) == 0)
			return true;
	/* sexagesimal numbers, dates, 1_000; no number has two dots, addresses do */
	if (strchr(text, '.') != strrchr(text, '.'))
		return false;
	return strpbrk(text, "0123456789") &&
	       text[strspn(text, "0123456789+-:_.eExXobTZ ")] == '\0';
}

static bool is_plain(const char *text)
{
	size_t len = strlen(text);

	if (!len || len > SHORT_KEY_LEN || wf_yaml_word(text) != WF_YAML_STRING)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c < 0x20 || c >= 0x7f || strchr("{}[],&*#?|<>=!%@`\"'\\", c))
			return false;
		if (c == ':' && (text[i + 1] == ' ' || text[i + 1] == '\0'))
			return false;
	}
	return !strchr("- :", text[0]) && text[len - 1] != ' ' && !is_old_word(text) &&
	       strncmp(text, "...", 3) != 0;
}

/* The code point at *at, which is valid UTF-8 as all of jansson's strings are; steps over it. */
static uint32_t next_code_point(const unsigned char **at)
{
	uint32_t code = *(*at)++;
	unsigned int more = code >= 0xf0 ? 3 : code >= 0xe0 ? 2 : code >= 0xc0 ? 1 : 0;

	if (more)
		code &= 0x3fU >> more;
	for (; more; more--)
		code = code << 6 | (*(*at)++ & 0x3fU);
	return code;
}

/* What a reader would refuse, fold or skip when it stood there as it is. */
static bool is_special(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029 ||
	       code == 0xfeff || code == 0xfffe || code == 0xffff;
}

static void write_string(struct wf_str *out, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	if (is_plain(text)) {
		wf_str_add(out, text);
		return;
	}
	wf_str_add(out, "\"");
	while (*at) {
		const unsigned char *begin = at;
		uint32_t code = next_code_point(&at);

		if (code == '"' || code == '\\')
			wf_str_addf(out, "\\%c", (char)code);
		else if (code == '\n')
			wf_str_add(out, "\\n");
		else if (is_special(code))
			wf_str_addf(out, "\\u%04x", code);
		else
			wf_str_add_bytes(out, begin, (size_t)(at - begin));
	}
	wf_str_add(out, "\"");
}

static int write_scalar(struct wf_str *out, const json_t *value)
{
	char *text;

	if (json_is_string(value)) {
		write_string(out, json_string_value(value));
		return 0;
	}
	text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	if (!text)
		return -ENOMEM;
	wf_str_add(out, text);
	free(text);
	return 0;
}

static void add_indent(struct wf_str *out, size_t indent)
{
	for (size_t i = 0; i < indent; i++)
		wf_str_add(out, " ");
}

static bool is_block(const json_t *value)
{
	return json_object_size(value) || json_array_size(value);
}

static int write_block(struct wf_str *out, const json_t *value, size_t indent, bool inline_first);

/* "key: value", "key:" and a block below, or "? key" and ": value" for a long key. */
static int write_member(struct wf_str *out, const char *key, const json_t *value, size_t indent)
{
	bool is_long = strlen(key) > SHORT_KEY_LEN;
	int r;

	if (is_long)
		wf_str_add(out, "? ");
	write_string(out, key);
	if (is_long) {
		wf_str_add(out, "\n");
		add_indent(out, indent);
	}
	wf_str_add(out, ":");
	if (is_block(value)) {
		wf_str_add(out, "\n");
		/* lists are written at the indentation of their key, as kubectl does */
		return write_block(out, value,
				   json_is_array(value) && !is_long ? indent : indent + 2, false);
	}
	wf_str_add(out, " ");
	r = write_scalar(out, value);
	wf_str_add(out, "\n");
	return r;
}

static int write_item(struct wf_str *out, const json_t *value, size_t indent)
{
	int r;

	wf_str_add(out, "- ");
	if (is_block(value))
		return write_block(out, value, indent + 2, true);
	r = write_scalar(out, value);
	wf_str_add(out, "\n");
	return r;
}

/* inline_first: the first entry continues a line that "- " began. */
static int write_block(struct wf_str *out, const json_t *value, size_t indent, bool inline_first)
{
	const char *key;
	json_t *member;
	size_t i;
	int r = 0;

	json_object_foreach((json_t *)value, key, member) {
		if (!inline_first)
			add_indent(out, indent);
		inline_first = false;
		r = write_member(out, key, member, indent);
		if (r < 0)
			return r;
	}
	json_array_foreach(value, i, member) {
		if (!inline_first)
			add_indent(out, indent);
		inline_first = false;
		r = write_item(out, member, indent);
		if (r < 0)
			return r;
	}
	return r;
}

int wf_document_to_yaml(const json_t *root, struct wf_str *out)
{
	int r;

	if (is_block(root)) {
		r = write_block(out, root, 0, false);
	} else {
		r = write_scalar(out, root);
		wf_str_add(out, "\n");
	}
	return r < 0 || out->failed ? -ENOMEM : 0;
}
