/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of schema.h for others: as JSON schema (draft 2020-12) and as a reference page. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "model/field_priv.h"
#include "model/schema.h"

static const char *const json_types[WF_SCHEMA_TYPE_COUNT] = {
	[WF_SCHEMA_STRING] = "string",   [WF_SCHEMA_BOOL] = "boolean",
	[WF_SCHEMA_INTEGER] = "integer", [WF_SCHEMA_NUMBER] = "number",
	[WF_SCHEMA_OBJECT] = "object",   [WF_SCHEMA_MAP] = "object",
	[WF_SCHEMA_LIST] = "array",
};

/* Keywords for the bounds, by type. */
static const struct {
	const char *min;
	const char *max;
} json_bounds[WF_SCHEMA_TYPE_COUNT] = {
	[WF_SCHEMA_STRING] = { "minLength", "maxLength" },
	[WF_SCHEMA_INTEGER] = { "minimum", "maximum" },
	[WF_SCHEMA_LIST] = { "minItems", "maxItems" },
	[WF_SCHEMA_MAP] = { "minProperties", "maxProperties" },
};

static json_t *export_value(const struct wf_schema *schema);

static int export_type(json_t *object, enum wf_schema_type type)
{
	if (type == WF_SCHEMA_ANY)
		return 0;
	if (type == WF_SCHEMA_INT_OR_STRING)
		return json_object_set_new(object, "type",
					   json_pack("[s, s]", "integer", "string"));
	return json_object_set_new(object, "type", json_string(json_types[type]));
}

static int export_bounds(json_t *object, const struct wf_schema *schema)
{
	if ((!schema->min && !schema->max) || !json_bounds[schema->type].min)
		return 0;
	if (json_object_set_new(object, json_bounds[schema->type].min, json_integer(schema->min)) <
	    0)
		return -ENOMEM;
	return json_object_set_new(object, json_bounds[schema->type].max,
				   json_integer(schema->max));
}

static int export_choices(json_t *object, const char *const *choices)
{
	json_t *list = json_array();

	if (json_object_set_new(object, "enum", list) < 0)
		return -ENOMEM;
	for (; *choices; choices++)
		if (json_array_append_new(list, json_string(*choices)) < 0)
			return -ENOMEM;
	return 0;
}

/* A default or example, written in the table as JSON text. */
static json_t *constant(const char *text)
{
	return json_loads(text, JSON_DECODE_ANY, NULL);
}

static int export_notes(json_t *object, const struct wf_schema *schema)
{
	if (wf_json_set_str(object, "description", schema->help) < 0)
		return -ENOMEM;
	if (schema->read_only && json_object_set_new(object, "readOnly", json_true()) < 0)
		return -ENOMEM;
	if (schema->fallback &&
	    json_object_set_new(object, "default", constant(schema->fallback)) < 0)
		return -ENOMEM;
	if (schema->example && json_object_set_new(object, "examples",
						   json_pack("[o]", constant(schema->example))) < 0)
		return -ENOMEM;
	return 0;
}

static int export_fields(json_t *object, const struct wf_schema *fields, bool open)
{
	json_t *properties = json_object(), *required = json_array();

	if (json_object_set_new(object, "properties", properties) < 0) {
		json_decref(required);
		return -ENOMEM;
	}
	if (json_object_set_new(object, "required", required) < 0)
		return -ENOMEM;
	for (; fields->name; fields++) {
		if (json_object_set_new(properties, fields->name, export_value(fields)) < 0)
			return -ENOMEM;
		if (fields->required &&
		    json_array_append_new(required, json_string(fields->name)) < 0)
			return -ENOMEM;
	}
	return json_object_set_new(object, "additionalProperties", json_boolean(open));
}

static json_t *export_value(const struct wf_schema *schema)
{
	_cleanup_json_ json_t *object = json_object();
	int r = export_type(object, schema->type);

	if (r == 0)
		r = export_notes(object, schema);
	if (r == 0)
		r = export_bounds(object, schema);
	if (r == 0 && schema->choices)
		r = export_choices(object, schema->choices);
	if (r == 0 && schema->type == WF_SCHEMA_OBJECT)
		r = export_fields(object, schema->fields, schema->open);
	if (r == 0 && schema->type == WF_SCHEMA_LIST)
		r = json_object_set_new(object, "items", export_value(schema->item));
	if (r == 0 && schema->type == WF_SCHEMA_MAP)
		r = json_object_set_new(object, "additionalProperties", export_value(schema->item));
	return r < 0 ? NULL : TAKE_PTR(object);
}

json_t *wf_schema_to_json(const struct wf_schema *fields)
{
	const struct wf_schema root = { .type = WF_SCHEMA_OBJECT, .fields = fields };

	return export_value(&root);
}

static void add_type(struct wf_str *out, const struct wf_schema *schema)
{
	if (schema->type == WF_SCHEMA_LIST) {
		wf_str_add(out, "list of ");
		add_type(out, schema->item);
	} else if (schema->type == WF_SCHEMA_MAP) {
		wf_str_add(out, "mapping to ");
		add_type(out, schema->item);
	} else if (schema->choices) {
		for (size_t i = 0; schema->choices[i]; i++)
			wf_str_addf(out, "%s`%s`", i ? ", " : "", schema->choices[i]);
	} else {
		wf_str_add(out, wf_schema_type_name(schema->type));
	}
	if (schema->type == WF_SCHEMA_INTEGER && (schema->min || schema->max))
		wf_str_addf(out, " (%lld to %lld)", (long long)schema->min, (long long)schema->max);
}

/* A reference being written; tables of fields that several objects share are told once. */
struct telling {
	struct wf_str *out;
	struct told {
		const struct wf_schema *fields;
		char *path; /* owned; of the object that has them */
	} * items;          /* owned */
	size_t count, capacity;
};

static void telling_done(struct telling *telling)
{
	for (size_t i = 0; i < telling->count; i++)
		free(telling->items[i].path);
	free(telling->items);
}

static const char *find_told(const struct telling *telling, const struct wf_schema *fields)
{
	for (size_t i = 0; i < telling->count; i++)
		if (telling->items[i].fields == fields)
			return telling->items[i].path;
	return NULL;
}

/* Without memory it is told again, which is longer and not wrong. */
static void note_told(struct telling *telling, const struct wf_schema *fields, const char *path)
{
	char *copy = strdup(path);

	if (!copy || wf_mem_grow(&telling->items, sizeof(*telling->items), telling->count,
				 &telling->capacity) < 0) {
		free(copy);
		return;
	}
	telling->items[telling->count++] = (struct told){ .fields = fields, .path = copy };
}

/* The object within lists and mappings; its path goes on behind theirs. */
static const struct wf_schema *innermost(const struct wf_schema *field, struct wf_str *path)
{
	for (; field->type == WF_SCHEMA_LIST; field = field->item)
		wf_str_add(path, "[]");
	for (; field->type == WF_SCHEMA_MAP; field = field->item)
		wf_str_add(path, ".KEY");
	return field;
}

static void add_rows(struct telling *telling, const struct wf_schema *fields, const char *prefix)
{
	struct wf_str *out = telling->out;

	for (; fields->name; fields++) {
		_cleanup_str_ struct wf_str path = WF_STR_INIT;
		const struct wf_schema *inner;
		const char *told;

		wf_str_addf(&path, "%s%s", prefix, fields->name);
		wf_str_addf(out, "| `%s` | ", wf_str_text(&path));
		add_type(out, fields);
		wf_str_add(out, fields->required ? " | required" : " | ");
		if (fields->fallback)
			wf_str_addf(out, "`%s`", fields->fallback);
		wf_str_addf(out, " | %s%s", fields->read_only ? "Written by weft. " : "",
			    fields->help ? fields->help : "");
		inner = innermost(fields, &path);
		told = inner->type == WF_SCHEMA_OBJECT ? find_told(telling, inner->fields) : NULL;
		if (told)
			wf_str_addf(out, " Fields as of `%s`.", told);
		wf_str_add(out, " |\n");
		if (told || inner->type != WF_SCHEMA_OBJECT)
			continue;
		if (inner->fields->name)
			note_told(telling, inner->fields, wf_str_text(&path));
		wf_str_add(&path, ".");
		add_rows(telling, inner->fields, wf_str_text(&path));
	}
}

void wf_schema_markdown(const struct wf_schema *fields, struct wf_str *out)
{
	_cleanup_(telling_done) struct telling telling = { .out = out };

	wf_str_add(out, "| field | type | default | meaning |\n| --- | --- | --- | --- |\n");
	add_rows(&telling, fields, "");
}
