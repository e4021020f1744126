/* SPDX-License-Identifier: Apache-2.0 */
/* Checks documents against the tables of schema.h. */
#include "model/schema.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "model/field_priv.h"
#include "model/yaml_priv.h"

/* A check under way. */
struct walk {
	struct wf_field_path path;
	struct wf_err *err;
};

static const char *const type_names[WF_SCHEMA_TYPE_COUNT] = {
	[WF_SCHEMA_ANY] = "anything",
	[WF_SCHEMA_STRING] = "a string",
	[WF_SCHEMA_BOOL] = "true or false",
	[WF_SCHEMA_INTEGER] = "a whole number",
	[WF_SCHEMA_NUMBER] = "a number",
	[WF_SCHEMA_INT_OR_STRING] = "a whole number or a string",
	[WF_SCHEMA_OBJECT] = "a mapping",
	[WF_SCHEMA_MAP] = "a mapping",
	[WF_SCHEMA_LIST] = "a list",
};

const char *wf_schema_type_name(enum wf_schema_type type)
{
	return type < WF_SCHEMA_TYPE_COUNT ? type_names[type] : "";
}

/* A value as a person would name it. */
static void describe(const json_t *value, char *buf, size_t buf_bytes)
{
	char excerpt[WF_FIELD_EXCERPT_BYTES];

	switch (json_typeof(value)) {
	case JSON_OBJECT: (void)snprintf(buf, buf_bytes, "a mapping"); break;
	case JSON_ARRAY: (void)snprintf(buf, buf_bytes, "a list"); break;
	case JSON_STRING:
		(void)snprintf(buf, buf_bytes, "the string \"%s\"",
			       wf_field_excerpt(json_string_value(value), excerpt));
		break;
	case JSON_INTEGER:
		(void)snprintf(buf, buf_bytes, "the number %" JSON_INTEGER_FORMAT,
			       json_integer_value(value));
		break;
	case JSON_REAL:
		(void)snprintf(buf, buf_bytes, "the number %g", json_real_value(value));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		(void)snprintf(buf, buf_bytes, "%s", json_is_true(value) ? "true" : "false");
		break;
	default: (void)snprintf(buf, buf_bytes, "nothing (null)");
	}
}

static bool has_type(const json_t *value, enum wf_schema_type type)
{
	switch (type) {
	case WF_SCHEMA_STRING: return json_is_string(value);
	case WF_SCHEMA_BOOL: return json_is_boolean(value);
	case WF_SCHEMA_INTEGER: return json_is_integer(value);
	case WF_SCHEMA_NUMBER: return json_is_number(value);
	case WF_SCHEMA_INT_OR_STRING: return json_is_integer(value) || json_is_string(value);
	case WF_SCHEMA_OBJECT:
	case WF_SCHEMA_MAP: return json_is_object(value);
	case WF_SCHEMA_LIST: return json_is_array(value);
	default: return true;
	}
}

/* What the writer most probably has to change. */
static const char *type_hint(const json_t *value, enum wf_schema_type type)
{
	if (type == WF_SCHEMA_STRING && (json_is_number(value) || json_is_boolean(value)))
		return " (put it in quotes)";
	if (json_is_string(value)) {
		enum wf_yaml_word word = wf_yaml_word(json_string_value(value));

		if ((type == WF_SCHEMA_INTEGER && word == WF_YAML_INTEGER) ||
		    (type == WF_SCHEMA_NUMBER && word == WF_YAML_REAL) ||
		    (type == WF_SCHEMA_BOOL && (word == WF_YAML_TRUE || word == WF_YAML_FALSE)))
			return " (without quotes)";
	}
	if (type == WF_SCHEMA_LIST)
		return " (\"- \" in front of each entry)";
	return "";
}

static int check_type(struct walk *walk, const struct wf_schema *schema, const json_t *value)
{
	char found[WF_FIELD_EXCERPT_BYTES + 16];

	if (has_type(value, schema->type))
		return 0;
	describe(value, found, sizeof(found));
	return wf_field_fail(walk->err, walk->path.text, "found %s, want %s%s", found,
			     type_names[schema->type], type_hint(value, schema->type));
}

static const char *choice_at(const void *context, size_t index)
{
	return ((const char *const *)context)[index];
}

static int check_choice(struct walk *walk, const struct wf_schema *schema, const char *text)
{
	char excerpt[WF_FIELD_EXCERPT_BYTES], list[256] = "";
	const char *nearest;
	size_t count = 0, len = 0;

	for (; schema->choices[count]; count++) {
		if (strcmp(schema->choices[count], text) == 0)
			return 0;
		if (len < sizeof(list))
			len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s",
						count ? ", " : "", schema->choices[count]);
	}
	(void)wf_field_excerpt(text, excerpt);
	if (count == 1)
		return wf_field_fail(walk->err, walk->path.text,
				     "\"%s\" is not supported (want %s)", excerpt, list);
	nearest = wf_field_nearest(text, count, choice_at, schema->choices);
	if (nearest)
		return wf_field_fail(walk->err, walk->path.text,
				     "\"%s\" is not one of %s (did you mean \"%s\"?)", excerpt,
				     list, nearest);
	return wf_field_fail(walk->err, walk->path.text, "\"%s\" is not one of %s", excerpt, list);
}

/* A value, a length or a count against the bounds of its field. */
static int check_bounds(struct walk *walk, const struct wf_schema *schema, int64_t value,
			const char *unit)
{
	if (schema->min == 0 && schema->max == 0)
		return 0;
	if (value >= schema->min && value <= schema->max)
		return 0;
	if (value < schema->min && value == 0 && *unit)
		return wf_field_fail(walk->err, walk->path.text, "must not be empty");
	if (*unit && value > schema->max)
		return wf_field_fail(walk->err, walk->path.text,
				     "has %" PRId64 "%s, the limit is %" PRId64, value, unit,
				     schema->max);
	return wf_field_fail(walk->err, walk->path.text,
			     "%s%" PRId64 "%s is not between %" PRId64 " and %" PRId64,
			     *unit ? "a length of " : "", value, unit, schema->min, schema->max);
}

static int check_string(struct walk *walk, const struct wf_schema *schema, const json_t *value)
{
	int64_t len = (int64_t)json_string_length(value);

	if (schema->choices)
		return check_choice(walk, schema, json_string_value(value));
	if (!schema->max && len > WF_SCHEMA_STRING_BYTES)
		return wf_field_fail(walk->err, walk->path.text,
				     "is %" PRId64 " bytes long, the limit is %d", len,
				     WF_SCHEMA_STRING_BYTES);
	return check_bounds(walk, schema, len, " bytes");
}

static int check_value(struct walk *walk, const struct wf_schema *schema, const json_t *value);

static int check_list(struct walk *walk, const struct wf_schema *schema, const json_t *value)
{
	int r = check_bounds(walk, schema, (int64_t)json_array_size(value), " entries");
	json_t *item;
	size_t i;

	json_array_foreach(value, i, item) {
		size_t parent = wf_field_push_index(&walk->path, i);

		if (r == 0)
			r = check_value(walk, schema->item, item);
		wf_field_pop(&walk->path, parent);
		if (r < 0)
			break;
	}
	return r;
}

static int check_map(struct walk *walk, const struct wf_schema *schema, const json_t *value)
{
	int r = check_bounds(walk, schema, (int64_t)json_object_size(value), " entries");
	const char *key;
	json_t *item;

	json_object_foreach((json_t *)value, key, item) {
		size_t parent = wf_field_push_key(&walk->path, key);

		if (r == 0)
			r = check_value(walk, schema->item, item);
		wf_field_pop(&walk->path, parent);
		if (r < 0)
			break;
	}
	return r;
}

static size_t count_fields(const struct wf_schema *fields)
{
	size_t count = 0;

	while (fields[count].name)
		count++;
	return count;
}

static const char *field_at(const void *context, size_t index)
{
	return ((const struct wf_schema *)context)[index].name;
}

static const struct wf_schema *find_field(const struct wf_schema *fields, const char *name)
{
	for (; fields->name; fields++)
		if (strcmp(fields->name, name) == 0)
			return fields;
	return NULL;
}

static int fail_unknown(struct walk *walk, const struct wf_schema *fields, const char *key)
{
	const char *nearest = wf_field_nearest(key, count_fields(fields), field_at, fields);
	char excerpt[WF_FIELD_EXCERPT_BYTES];

	(void)wf_field_excerpt(key, excerpt);
	(void)wf_field_push_key(&walk->path, key);
	if (nearest)
		return wf_field_fail(walk->err, walk->path.text,
				     "unknown field \"%s\" (did you mean \"%s\"?)", excerpt,
				     nearest);
	return wf_field_fail(walk->err, walk->path.text, "unknown field \"%s\"", excerpt);
}

static int check_required(struct walk *walk, const struct wf_schema *fields, const json_t *value)
{
	for (; fields->name; fields++) {
		const json_t *member = json_object_get(value, fields->name);

		if (!fields->required || (member && !json_is_null(member)))
			continue;
		(void)wf_field_push_key(&walk->path, fields->name);
		return wf_field_fail(walk->err, walk->path.text, "is missing (want %s%s%s)",
				     type_names[fields->type], fields->example ? " such as " : "",
				     fields->example ? fields->example : "");
	}
	return 0;
}

static int check_object(struct walk *walk, const struct wf_schema *fields, bool open,
			const json_t *value)
{
	const char *key;
	json_t *member;

	json_object_foreach((json_t *)value, key, member) {
		const struct wf_schema *field = find_field(fields, key);
		size_t parent;
		int r;

		if (!field && open)
			continue;
		if (!field)
			return fail_unknown(walk, fields, key);
		parent = wf_field_push_key(&walk->path, key);
		r = json_is_null(member) ? 0 : check_value(walk, field, member);
		if (r < 0)
			return r;
		wf_field_pop(&walk->path, parent);
	}
	return check_required(walk, fields, value);
}

static int check_value(struct walk *walk, const struct wf_schema *schema, const json_t *value)
{
	int r = check_type(walk, schema, value);

	if (r < 0)
		return r;
	if (schema->type == WF_SCHEMA_OBJECT)
		return check_object(walk, schema->fields, schema->open, value);
	if (schema->type == WF_SCHEMA_MAP)
		return check_map(walk, schema, value);
	if (schema->type == WF_SCHEMA_LIST)
		return check_list(walk, schema, value);
	if (json_is_string(value) && schema->type != WF_SCHEMA_ANY)
		return check_string(walk, schema, value);
	if (json_is_integer(value) && schema->type == WF_SCHEMA_INTEGER)
		return check_bounds(walk, schema, json_integer_value(value), "");
	return 0;
}

int wf_schema_check(const struct wf_schema *fields, const json_t *value, struct wf_err *err)
{
	const struct wf_schema root = { .type = WF_SCHEMA_OBJECT, .fields = fields };
	struct walk walk = { .err = err };

	if (!value)
		return wf_field_fail(err, "", "found nothing, want a mapping");
	return check_value(&walk, &root, value);
}
