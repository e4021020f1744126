/* SPDX-License-Identifier: Apache-2.0 */
/* What a table of options tells people and programs: --help, man page, schema, values. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/option.h"
#include "base/option_priv.h"

/* Column at which help texts start; longer options get a line of their own. */
#define HELP_COLUMN 30
#define HELP_WIDTH  100

static const char *value_name(const struct wf_option *option)
{
	if (option->value)
		return option->value;
	switch (option->type) {
	case WF_OPTION_U64: return "NUMBER";
	case WF_OPTION_DURATION: return "DURATION";
	default: return "VALUE";
	}
}

/* Appends ", " or, the first time, " (". */
static void add_separator(bool *is_open, struct wf_str *out)
{
	wf_str_add(out, *is_open ? ", " : " (");
	*is_open = true;
}

/* Appends the help sentence with choices, and range and default in brackets. */
static void add_sentence(const struct wf_option *option, struct wf_str *out)
{
	bool is_off = option->type == WF_OPTION_BOOL && option->fallback &&
		      strcmp(option->fallback, "false") == 0;
	char low[32], high[32];
	bool is_open = false;

	wf_str_add(out, option->help);
	for (const char *const *choice = option->choices; choice && *choice; choice++)
		wf_str_addf(out, "%s%s", choice == option->choices ? ": " : ", ", *choice);
	if (option->type == WF_OPTION_LIST)
		wf_str_add(out, "; may be repeated");
	if (option->max && option->type == WF_OPTION_U64) {
		add_separator(&is_open, out);
		wf_str_addf(out, "%" PRIu64 " to %" PRIu64, option->min, option->max);
	}
	if (option->max && option->type == WF_OPTION_DURATION) {
		add_separator(&is_open, out);
		wf_str_addf(out, "%s to %s", wf_option_format_duration(option->min, low),
			    wf_option_format_duration(option->max, high));
	}
	if (option->fallback && option->fallback[0] && !is_off) {
		add_separator(&is_open, out);
		wf_str_addf(out, "default: %s", option->fallback);
	}
	wf_str_add(out, is_open ? ")" : "");
}

/* Appends words, broken at HELP_WIDTH and indented to HELP_COLUMN. */
static void add_wrapped(const char *text, struct wf_str *out)
{
	size_t column = HELP_COLUMN;

	while (*text) {
		size_t len = strcspn(text, " ");

		if (column > HELP_COLUMN && column + 1 + len > HELP_WIDTH) {
			wf_str_addf(out, "\n%*s", HELP_COLUMN, "");
			column = HELP_COLUMN;
		} else if (column > HELP_COLUMN) {
			wf_str_add(out, " ");
			column++;
		}
		wf_str_add_bytes(out, text, len);
		column += len;
		text += len + (text[len] == ' ');
	}
	wf_str_add(out, "\n");
}

void wf_option_help(const struct wf_option *table, struct wf_str *out)
{
	for (; table->name; table++) {
		_cleanup_str_ struct wf_str left = WF_STR_INIT;
		_cleanup_str_ struct wf_str right = WF_STR_INIT;

		if (table->letter)
			wf_str_addf(&left, "  -%c, --%s", table->letter, table->name);
		else
			wf_str_addf(&left, "      --%s", table->name);
		if (table->type != WF_OPTION_BOOL)
			wf_str_addf(&left, " %s", value_name(table));
		add_sentence(table, &right);
		if (left.len + 2 > HELP_COLUMN)
			wf_str_addf(out, "%s\n%*s", wf_str_text(&left), HELP_COLUMN, "");
		else
			wf_str_addf(out, "%-*s", HELP_COLUMN, wf_str_text(&left));
		add_wrapped(wf_str_text(&right), out);
		out->failed |= left.failed || right.failed;
	}
}

static json_t *show_list(const struct wf_option_list *list)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < list->count; i++) {
		if (json_array_append_new(array, json_string(list->items[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static json_t *show_one(const struct wf_option *option, const void *member)
{
	char duration[32];
	const char *text;

	switch (option->type) {
	case WF_OPTION_BOOL: return json_boolean(*(const bool *)member);
	case WF_OPTION_U64: return json_integer((json_int_t) * (const uint64_t *)member);
	case WF_OPTION_DURATION:
		return json_string(wf_option_format_duration(*(const uint64_t *)member, duration));
	case WF_OPTION_LIST: return show_list(member);
	default: break;
	}
	text = *(char *const *)member;
	return text ? json_string(text) : json_null();
}

json_t *wf_option_show(const struct wf_option *table, const void *target)
{
	_cleanup_json_ json_t *shown = json_object();
	char name[64];

	for (; shown && table->name; table++) {
		json_t *value = show_one(table, wf_option_const_member(table, target));

		if (json_object_set_new(shown, wf_option_file_name(table, name), value) < 0)
			return NULL;
	}
	return TAKE_PTR(shown);
}

/* The default as the schema's type has it. New reference, NULL when out of memory. */
static json_t *schema_default(const struct wf_option *option)
{
	uint64_t number;

	if (option->type == WF_OPTION_BOOL)
		return json_boolean(strcmp(option->fallback, "true") == 0);
	if (option->type == WF_OPTION_U64 &&
	    wf_str_to_u64(option->fallback, 0, UINT64_MAX, &number) == 0)
		return json_integer((json_int_t)number);
	return json_string(option->fallback);
}

static json_t *schema_choices(const struct wf_option *option)
{
	_cleanup_json_ json_t *choices = json_array();

	for (const char *const *choice = option->choices; *choice; choice++)
		if (json_array_append_new(choices, json_string(*choice)) < 0)
			return NULL;
	return TAKE_PTR(choices);
}

static json_t *schema_type(const struct wf_option *option)
{
	switch (option->type) {
	case WF_OPTION_BOOL: return json_pack("{s:s}", "type", "boolean");
	case WF_OPTION_U64:
		return json_pack("{s:s, s:I}", "type", "integer", "minimum",
				 (json_int_t)option->min);
	case WF_OPTION_DURATION:
		return json_pack("{s:[s, s], s:s}", "type", "string", "integer", "pattern",
				 "^[0-9]+(ms|s|m|h|d)?$");
	case WF_OPTION_LIST:
		return json_pack("{s:[s, s], s:{s:s}}", "type", "array", "string", "items", "type",
				 "string");
	default: return json_pack("{s:s}", "type", "string");
	}
}

static json_t *schema_one(const struct wf_option *option)
{
	_cleanup_json_ json_t *schema = schema_type(option);
	bool has_maximum = option->max && option->type == WF_OPTION_U64;
	int r = wf_json_set_str(schema, "description", option->help);

	if (r == 0 && option->choices)
		r = json_object_set_new(schema, "enum", schema_choices(option));
	if (r == 0 && has_maximum)
		r = json_object_set_new(schema, "maximum", json_integer((json_int_t)option->max));
	if (r == 0 && option->fallback)
		r = json_object_set_new(schema, "default", schema_default(option));
	return r == 0 ? TAKE_PTR(schema) : NULL;
}

json_t *wf_option_schema(const struct wf_option *table)
{
	_cleanup_json_ json_t *properties = json_object();
	char name[64];

	for (; properties && table->name; table++)
		if (json_object_set_new(properties, wf_option_file_name(table, name),
					schema_one(table)) < 0)
			return NULL;
	return json_pack("{s:s, s:s, s:O, s:b}", "$schema",
			 "https://json-schema.org/draft/2020-12/schema", "type", "object",
			 "properties", properties, "additionalProperties", 0);
}

void wf_option_man_text(const char *text, struct wf_str *out)
{
	bool at_start = true;

	for (; *text; text++) {
		if (at_start && (*text == '.' || *text == '\''))
			wf_str_add(out, "\\&");
		at_start = *text == '\n';
		switch (*text) {
		case '\\': wf_str_add(out, "\\e"); break;
		case '-': wf_str_add(out, "\\-"); break;
		case '\'': wf_str_add(out, "\\(aq"); break;
		case '`': wf_str_add(out, "\\(ga"); break;
		case '^': wf_str_add(out, "\\(ha"); break;
		case '~': wf_str_add(out, "\\(ti"); break;
		default: wf_str_add_bytes(out, text, 1);
		}
	}
}

void wf_option_man(const struct wf_option *table, struct wf_str *out)
{
	for (; table->name; table++) {
		_cleanup_str_ struct wf_str sentence = WF_STR_INIT;

		wf_str_add(out, ".TP\n");
		if (table->letter)
			wf_str_addf(out, "\\fB\\-%c\\fR, ", table->letter);
		wf_str_add(out, "\\fB\\-\\-");
		wf_option_man_text(table->name, out);
		wf_str_add(out, "\\fR");
		if (table->type != WF_OPTION_BOOL) {
			wf_str_add(out, " \\fI");
			wf_option_man_text(value_name(table), out);
			wf_str_add(out, "\\fR");
		}
		wf_str_add(out, "\n");
		add_sentence(table, &sentence);
		wf_option_man_text(wf_str_text(&sentence), out);
		wf_str_add(out, ".\n");
		out->failed |= sentence.failed;
	}
}
