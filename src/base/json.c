/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_priv.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

void wf_json_cleanup(json_t **value)
{
	json_decref(*value);
	*value = NULL;
}

/*
 * jansson does not look at every allocation: its reader goes on without a byte, and its writer
 * leaves out part of a key, when a buffer cannot grow. So failures are noted where they happen.
 */
static __thread bool has_no_memory;

static void *noting_malloc(size_t bytes)
{
	void *memory = malloc(bytes);

	if (!memory)
		has_no_memory = true;
	return memory;
}

__attribute__((constructor)) static void watch_allocations(void)
{
	json_set_alloc_funcs(noting_malloc, free);
}

static bool opens_node(char c)
{
	return c == ',' || c == ':' || c == '[' || c == '{';
}

/*
 * Nesting and size are checked before parsing: jansson's own limit of depth is a compile-time
 * choice of the distro, and a node costs thirty times its text. 0, -EILSEQ or -E2BIG.
 */
static int check_shape(const char *text, size_t len, size_t most_nodes, struct wf_err *err)
{
	size_t depth = 0, nodes = 0;
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		if (!in_string && opens_node(text[i]) && ++nodes > most_nodes)
			return wf_fail(err, -E2BIG, "JSON has more than %zu values", most_nodes);
		if (in_string) {
			if (text[i] == '\\')
				i++;
			else if (text[i] == '"')
				in_string = false;
		} else if (text[i] == '"') {
			in_string = true;
		} else if (text[i] == '{' || text[i] == '[') {
			if (++depth > WF_JSON_MAX_DEPTH)
				return wf_fail(err, -EILSEQ, "JSON is nested deeper than %d levels",
					       WF_JSON_MAX_DEPTH);
		} else if ((text[i] == '}' || text[i] == ']') && depth) {
			depth--;
		}
	}
	return 0;
}

/* The integer a real stands for, or NULL when it is not one. */
static json_t *whole_number(const json_t *value)
{
	double number = json_real_value(value);

	if (!(fabs(number) < 9007199254740992.0) || floor(number) != number)
		return NULL;
	return json_integer((json_int_t)number);
}

/* Go re-encodes numbers as floats: 1e+06 means the integer. Depth is bounded by the parser. */
static void floats_to_integers(json_t *value)
{
	const char *key;
	json_t *member;
	void *next;
	size_t i;

	if (json_is_object(value)) {
		json_object_foreach_safe(value, next, key, member) {
			json_t *whole = json_is_real(member) ? whole_number(member) : NULL;

			if (whole)
				(void)json_object_set_new(value, key, whole);
			else
				floats_to_integers(member);
		}
	} else if (json_is_array(value)) {
		json_array_foreach(value, i, member) {
			json_t *whole = json_is_real(member) ? whole_number(member) : NULL;

			if (whole)
				(void)json_array_set_new(value, i, whole);
			else
				floats_to_integers(member);
		}
	}
}

/* Any JSON, by jansson; NULL: *ret_code and err say why. */
static json_t *read_any(const char *text, size_t len, size_t max_nodes, int *ret_code,
			struct wf_err *err)
{
	json_error_t fault;
	json_t *value;

	*ret_code = check_shape(text, len, max_nodes, err);
	if (*ret_code < 0)
		return NULL;
	value = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &fault);
	if (value)
		floats_to_integers(value);
	else
		*ret_code = wf_fail(err, -EILSEQ, "not valid JSON: line %d, column %d: %s",
				    fault.line, fault.column, fault.text);
	return value;
}

int wf_json_parse(const char *text, size_t len, json_t **ret_value, struct wf_err *err)
{
	static const struct wf_json_bounds bounds = { WF_JSON_MAX_BYTES, WF_JSON_MAX_NODES };

	return wf_json_parse_within(text, len, &bounds, ret_value, err);
}

int wf_json_parse_within(const char *text, size_t len, const struct wf_json_bounds *bounds,
			 json_t **ret_value, struct wf_err *err)
{
	_cleanup_json_ json_t *value = NULL;
	int r = 0;

	if (len > bounds->bytes)
		return wf_fail(err, -E2BIG, "JSON of %zu bytes is larger than the %zu accepted",
			       len, bounds->bytes);
	has_no_memory = false;
	value = wf_json_read_plain(text, len, bounds->nodes);
	if (!value && !has_no_memory)
		value = read_any(text, len, bounds->nodes, &r, err);
	if (has_no_memory)
		return wf_fail(err, -ENOMEM, "out of memory reading JSON");
	if (value)
		*ret_value = TAKE_PTR(value);
	return r;
}

char *wf_json_text(const json_t *value)
{
	char *text;

	has_no_memory = false;
	text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	if (has_no_memory)
		free(TAKE_PTR(text));
	return text;
}

json_t *wf_json_get_nocase(const json_t *object, const char *key)
{
	json_t *exact = json_object_get(object, key);
	const char *name;
	json_t *member;

	if (exact || !json_is_object(object))
		return exact;
	json_object_foreach((json_t *)object, name, member)
		if (strcasecmp(name, key) == 0)
			return member;
	return NULL;
}

const char *wf_json_str(const json_t *object, const char *key, const char *fallback)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : fallback;
}

int64_t wf_json_int(const json_t *object, const char *key, int64_t fallback)
{
	const json_t *member = json_object_get(object, key);

	return json_is_integer(member) ? json_integer_value(member) : fallback;
}

bool wf_json_bool(const json_t *object, const char *key, bool fallback)
{
	const json_t *member = json_object_get(object, key);

	return json_is_boolean(member) ? json_is_true(member) : fallback;
}

int wf_json_set(json_t *object, const char *key, json_t *value)
{
	if (!value)
		return 0;
	return json_object_set_new(object, key, value) < 0 ? -ENOMEM : 0;
}

int wf_json_set_str(json_t *object, const char *key, const char *text)
{
	if (!text || !*text)
		return 0;
	return json_object_set_new(object, key, json_string(text)) < 0 ? -ENOMEM : 0;
}
