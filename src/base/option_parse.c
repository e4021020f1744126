/* SPDX-License-Identifier: Apache-2.0 */
/* Where option values come from: the command line, and the configuration file. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/option.h"
#include "base/option_priv.h"

/* One run over argv. */
struct parser {
	const struct wf_option *table;
	void *target;
	char **argv;
	int argc;
	int at;     /* index of the argument in hand */
	bool *seen; /* owned; per table entry: a list was given before, so it is not replaced */
	bool help;
	struct wf_err *err;
};

static int set(struct parser *parser, const struct wf_option *option, const char *text)
{
	char label[80];
	bool *seen = &parser->seen[option - parser->table];

	if (option->type == WF_OPTION_LIST && !*seen)
		wf_option_clear(option, parser->target);
	*seen = true;
	(void)snprintf(label, sizeof(label), "--%s", option->name);
	return wf_option_set_as(option, label, parser->target, text, parser->err);
}

/* The value that follows an option as an argument of its own. "-" is a value: standard input. */
static int set_from_next(struct parser *parser, const struct wf_option *option)
{
	const char *value = parser->at + 1 < parser->argc ? parser->argv[parser->at + 1] : NULL;

	if (!value || (value[0] == '-' && value[1]))
		return wf_fail(parser->err, -EINVAL, "option --%s needs a value: --%s=%s",
			       option->name, option->name, option->value ? option->value : "VALUE");
	parser->at++;
	return set(parser, option, value);
}

static const struct wf_option *find_long(const struct wf_option *table, const char *name)
{
	for (; table->name; table++)
		if (strcmp(table->name, name) == 0)
			return table;
	return NULL;
}

static int unknown_long(struct parser *parser, const char *name)
{
	const char *near = wf_option_nearest(parser->table, name, false, NULL);

	if (near)
		return wf_fail(parser->err, -EINVAL, "unknown option --%s; did you mean --%s?",
			       name, near);
	return wf_fail(parser->err, -EINVAL, "unknown option --%s", name);
}

/* text is what follows the two dashes. */
static int parse_long(struct parser *parser, const char *text)
{
	const char *equals = strchr(text, '=');
	const struct wf_option *option;
	_cleanup_free_ char *name = equals ? strndup(text, (size_t)(equals - text)) : strdup(text);

	if (!name)
		return wf_fail(parser->err, -ENOMEM, "out of memory");
	option = find_long(parser->table, name);
	if (option && equals)
		return set(parser, option, equals + 1);
	if (option)
		return option->type == WF_OPTION_BOOL ? set(parser, option, "true")
						      : set_from_next(parser, option);
	if (strcmp(text, "help") == 0) {
		parser->help = true;
		return 0;
	}
	if (strncmp(name, "no-", 3) == 0) {
		option = find_long(parser->table, name + 3);
		if (option && option->type == WF_OPTION_BOOL) {
			if (equals)
				return wf_fail(parser->err, -EINVAL, "option --%s takes no value",
					       name);
			return set(parser, option, "false");
		}
	}
	return unknown_long(parser, name);
}

/* letters is what follows the dash: "o", "ojson", "o=json", or several switches "ab". */
static int parse_short(struct parser *parser, const char *letters)
{
	for (; *letters; letters++) {
		const struct wf_option *option = parser->table;
		int r;

		while (option->name && option->letter != *letters)
			option++;
		if (!option->name && *letters == 'h') {
			parser->help = true;
			continue;
		}
		if (!option->name)
			return wf_fail(parser->err, -EINVAL, "unknown option -%c", *letters);
		if (option->type != WF_OPTION_BOOL) {
			if (!letters[1])
				return set_from_next(parser, option);
			return set(parser, option, letters + (letters[1] == '=' ? 2 : 1));
		}
		r = set(parser, option, "true");
		if (r < 0)
			return r;
	}
	return 0;
}

static int parse_all(struct parser *parser, char **args, size_t *ret_count)
{
	bool ended = false;

	for (parser->at = 1; parser->at < parser->argc; parser->at++) {
		char *text = parser->argv[parser->at];
		int r = 0;

		if (ended || text[0] != '-' || !text[1])
			args[(*ret_count)++] = text;
		else if (strcmp(text, "--") == 0)
			ended = true;
		else if (text[1] == '-')
			r = parse_long(parser, text + 2);
		else
			r = parse_short(parser, text + 1);
		if (r < 0)
			return r;
	}
	return 0;
}

int wf_option_parse(const struct wf_option *table, void *target, int argc, char **argv,
		    char ***ret_args, size_t *ret_count, bool *ret_help, struct wf_err *err)
{
	struct parser parser = {
		.table = table, .target = target, .argc = argc, .argv = argv, .err = err
	};
	_cleanup_free_ char **args = calloc((size_t)argc + 1, sizeof(*args));
	_cleanup_free_ bool *seen = NULL;
	size_t entries = 1, count = 0;
	int r;

	for (const struct wf_option *option = table; option->name; option++)
		entries++;
	seen = calloc(entries, sizeof(*seen));
	if (!args || !seen)
		return wf_fail(err, -ENOMEM, "out of memory");
	parser.seen = seen;
	r = parse_all(&parser, args, &count);
	if (r < 0)
		return r;
	*ret_args = TAKE_PTR(args);
	*ret_count = count;
	*ret_help = parser.help;
	return 0;
}

/* A scalar of the file as text in buf (32 bytes) or borrowed; NULL when it is not a scalar. */
static const char *scalar_text(const json_t *value, char *buf)
{
	if (json_is_string(value))
		return json_string_value(value);
	if (json_is_boolean(value))
		return json_is_true(value) ? "true" : "false";
	if (json_is_integer(value)) {
		(void)snprintf(buf, 32, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		return buf;
	}
	return NULL;
}

static int load_list(const struct wf_option *option, const char *label, void *target,
		     const json_t *value, struct wf_err *err)
{
	struct wf_option as_default = *option;
	char path[96], number[32];
	const json_t *item;
	size_t i;

	as_default.fallback = scalar_text(value, number);
	if (as_default.fallback)
		return wf_option_default(&as_default, label, target, err);
	if (!json_is_array(value))
		return wf_fail_field(err, -EINVAL, label, "must be a list");
	json_array_foreach(value, i, item) {
		const char *text = scalar_text(item, number);
		int r;

		(void)snprintf(path, sizeof(path), "%s[%zu]", label, i);
		if (!text)
			return wf_fail_field(err, -EINVAL, path, "must be a text");
		r = wf_option_set_as(option, path, target, text, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* null means what leaving the key out means: the default. */
static int load_one(const struct wf_option *option, const char *label, void *target,
		    const json_t *value, struct wf_err *err)
{
	char number[32];
	const char *text;

	if (json_is_null(value))
		return wf_option_default(option, label, target, err);
	if (option->type == WF_OPTION_LIST)
		return load_list(option, label, target, value, err);
	text = scalar_text(value, number);
	if (!text)
		return wf_fail_field(err, -EINVAL, label, "must be a single value");
	return wf_option_set_as(option, label, target, text, err);
}

static const struct wf_option *find_by_file_name(const struct wf_option *table, const char *key)
{
	char name[64];

	for (; table->name; table++)
		if (strcmp(wf_option_file_name(table, name), key) == 0)
			return table;
	return NULL;
}

static int load_all(const struct wf_option *table, void *target, const json_t *file,
		    struct wf_err *err)
{
	const struct wf_option *option;
	char buf[64];
	const char *key, *near;
	json_t *value;
	int r;

	json_object_foreach((json_t *)file, key, value) {
		option = find_by_file_name(table, key);
		if (option) {
			r = load_one(option, key, target, value, err);
			if (r < 0)
				return r;
			continue;
		}
		near = wf_option_nearest(table, key, true, buf);
		if (near)
			return wf_fail_field(err, -EINVAL, key, "unknown option; did you mean %s?",
					     near);
		return wf_fail_field(err, -EINVAL, key, "unknown option");
	}
	return 0;
}

int wf_option_load(const struct wf_option *table, void *target, const json_t *file,
		   struct wf_err *err)
{
	_cleanup_free_ char *scratch = NULL;
	size_t bytes = 1;
	int r;

	if (!json_is_object(file))
		return wf_fail(err, -EINVAL, "must be a mapping of option names to values");
	for (const struct wf_option *option = table; option->name; option++)
		if (option->offset + wf_option_bytes(option->type) > bytes)
			bytes = option->offset + wf_option_bytes(option->type);
	scratch = calloc(1, bytes);
	if (!scratch)
		return wf_fail(err, -ENOMEM, "out of memory");
	r = load_all(table, scratch, file, err);
	for (const struct wf_option *option = table; option->name; option++) {
		char name[64];

		if (r < 0 || !json_object_get(file, wf_option_file_name(option, name))) {
			wf_option_clear(option, scratch);
			continue;
		}
		wf_option_clear(option, target);
		memcpy(wf_option_member(option, target), scratch + option->offset,
		       wf_option_bytes(option->type));
	}
	return r;
}
