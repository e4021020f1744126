/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values of options: from text into the struct's members, checked, and out of them again. Where
 * the text came from (argv, a file) is the business of option_parse.c.
 */
#include "base/option.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/option_priv.h"

size_t wf_option_bytes(enum wf_option_type type)
{
	switch (type) {
	case WF_OPTION_BOOL: return sizeof(bool);
	case WF_OPTION_U64:
	case WF_OPTION_DURATION: return sizeof(uint64_t);
	case WF_OPTION_LIST: return sizeof(struct wf_option_list);
	case WF_OPTION_STRING:
	case WF_OPTION_CHOICE:
	case WF_OPTION_TYPE_COUNT: break;
	}
	return sizeof(char *);
}

static void list_done(struct wf_option_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
}

void wf_option_clear(const struct wf_option *option, void *target)
{
	void *member = wf_option_member(option, target);

	if (option->type == WF_OPTION_STRING || option->type == WF_OPTION_CHOICE)
		free(*(char **)member);
	else if (option->type == WF_OPTION_LIST)
		list_done(member);
	memset(member, 0, wf_option_bytes(option->type));
}

void wf_option_done(const struct wf_option *table, void *target)
{
	for (; table->name; table++)
		wf_option_clear(table, target);
}

char *wf_option_format_duration(uint64_t ms, char *buf)
{
	static const struct {
		uint64_t factor_ms;
		const char *suffix;
	} units[] = { { 86400000, "d" }, { 3600000, "h" }, { 60000, "m" }, { 1000, "s" } };

	for (size_t i = 0; i < WF_ARRAY_LEN(units); i++) {
		if (ms == 0 || ms % units[i].factor_ms)
			continue;
		(void)snprintf(buf, 32, "%" PRIu64 "%s", ms / units[i].factor_ms, units[i].suffix);
		return buf;
	}
	(void)snprintf(buf, 32, ms ? "%" PRIu64 "ms" : "%" PRIu64 "s", ms);
	return buf;
}

static int set_bool(const char *label, bool *member, const char *text, struct wf_err *err)
{
	static const char *const yes[] = { "true", "yes", "on", "1" };
	static const char *const no[] = { "false", "no", "off", "0" };

	for (size_t i = 0; i < WF_ARRAY_LEN(yes); i++) {
		if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
			*member = strcmp(text, yes[i]) == 0;
			return 0;
		}
	}
	return wf_fail_field(err, -EINVAL, label, "'%s' is neither true nor false", text);
}

static int set_string(const char *label, char **member, const char *text, struct wf_err *err)
{
	char *copy = strdup(text);

	if (!copy)
		return wf_fail_field(err, -ENOMEM, label, "out of memory");
	free(*member);
	*member = copy;
	return 0;
}

static int set_choice(const struct wf_option *option, const char *label, char **member,
		      const char *text, struct wf_err *err)
{
	_cleanup_str_ struct wf_str known = WF_STR_INIT;

	for (const char *const *choice = option->choices; *choice; choice++) {
		if (strcmp(*choice, text) == 0)
			return set_string(label, member, text, err);
		wf_str_addf(&known, "%s%s", known.len ? (choice[1] ? ", " : " or ") : "", *choice);
	}
	return wf_fail_field(err, -EINVAL, label, "'%s' is not known; give %s", text,
			     wf_str_text(&known));
}

static bool is_bounded(const struct wf_option *option)
{
	return option->min || option->max;
}

/* Upper bound; a table that bounds only from below leaves max at 0. */
static uint64_t upper(const struct wf_option *option)
{
	return option->max ? option->max : UINT64_MAX;
}

static int set_u64(const struct wf_option *option, const char *label, uint64_t *member,
		   const char *text, struct wf_err *err)
{
	uint64_t value;
	int r = wf_str_to_u64(text, option->min, upper(option), &value);

	if (r == 0) {
		*member = value;
		return 0;
	}
	if (!is_bounded(option) || !option->max)
		return wf_fail_field(err, r, label,
				     "'%s' is not a whole number of at least %" PRIu64, text,
				     option->min);
	return wf_fail_field(err, r, label,
			     "'%s' is not a whole number from %" PRIu64 " to %" PRIu64, text,
			     option->min, option->max);
}

static int set_duration(const struct wf_option *option, const char *label, uint64_t *member,
			const char *text, struct wf_err *err)
{
	char low[32], high[32];
	uint64_t value;
	int r = wf_str_to_duration_ms(text, &value);

	if (r < 0)
		return wf_fail_field(
			err, r, label,
			"'%s' is not a duration; write it like 500ms, 10s, 5m, 2h or 1d", text);
	if (value >= option->min && value <= upper(option)) {
		*member = value;
		return 0;
	}
	wf_option_format_duration(option->min, low);
	if (!option->max)
		return wf_fail_field(err, -ERANGE, label, "'%s' is shorter than %s", text, low);
	return wf_fail_field(err, -ERANGE, label, "'%s' is not between %s and %s", text, low,
			     wf_option_format_duration(option->max, high));
}

static int add_item(const char *label, struct wf_option_list *list, const char *text,
		    struct wf_err *err)
{
	_cleanup_free_ char *copy = strdup(text);

	if (!copy || wf_mem_grow(&list->items, sizeof(*list->items), list->count, &list->capacity))
		return wf_fail_field(err, -ENOMEM, label, "out of memory");
	list->items[list->count++] = TAKE_PTR(copy);
	return 0;
}

int wf_option_set_as(const struct wf_option *option, const char *label, void *target,
		     const char *text, struct wf_err *err)
{
	void *member = wf_option_member(option, target);
	int r;

	if (option->check) {
		r = option->check(text, err);
		if (r < 0) {
			if (err)
				wf_err_set_field(err, label);
			return wf_err_negative(r);
		}
	}
	switch (option->type) {
	case WF_OPTION_BOOL: return set_bool(label, member, text, err);
	case WF_OPTION_STRING: return set_string(label, member, text, err);
	case WF_OPTION_U64: return set_u64(option, label, member, text, err);
	case WF_OPTION_DURATION: return set_duration(option, label, member, text, err);
	case WF_OPTION_LIST: return add_item(label, member, text, err);
	case WF_OPTION_CHOICE: return set_choice(option, label, member, text, err);
	case WF_OPTION_TYPE_COUNT: break;
	}
	return wf_fail_field(err, -EINVAL, label, "option without a type");
}

int wf_option_set(const struct wf_option *option, void *target, const char *text,
		  struct wf_err *err)
{
	char label[80];

	(void)snprintf(label, sizeof(label), "--%s", option->name);
	return wf_option_set_as(option, label, target, text, err);
}

int wf_option_default(const struct wf_option *option, const char *label, void *target,
		      struct wf_err *err)
{
	_cleanup_free_ char *items = NULL;
	char *rest, *item;

	if (!option->fallback)
		return 0;
	if (option->type != WF_OPTION_LIST)
		return wf_option_set_as(option, label, target, option->fallback, err);
	items = strdup(option->fallback);
	if (!items)
		return wf_fail_field(err, -ENOMEM, label, "out of memory");
	rest = items;
	while ((item = strsep(&rest, ",")) != NULL) {
		int r = *item ? wf_option_set_as(option, label, target, item, err) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

int wf_option_defaults(const struct wf_option *table, void *target, struct wf_err *err)
{
	for (const struct wf_option *option = table; option->name; option++) {
		int r = wf_option_default(option, option->name, target, err);

		if (r < 0) {
			wf_option_done(table, target);
			return r;
		}
	}
	return 0;
}

char *wf_option_file_name(const struct wf_option *option, char *buf)
{
	bool up = false;
	size_t len = 0;

	for (const char *at = option->name; *at && len < 63; at++) {
		if (*at == '-') {
			up = true;
			continue;
		}
		buf[len++] = up ? (char)toupper((unsigned char)*at) : *at;
		up = false;
	}
	buf[len] = '\0';
	return buf;
}

const struct wf_option *wf_option_find(const struct wf_option *table, const char *name)
{
	char file[64];

	for (; table->name; table++)
		if (strcmp(table->name, name) == 0 ||
		    strcmp(wf_option_file_name(table, file), name) == 0)
			return table;
	return NULL;
}

bool wf_option_is_near(const char *a, const char *b)
{
	size_t len = strlen(a) > strlen(b) ? strlen(a) : strlen(b);
	size_t distance = wf_str_distance(a, b);

	return distance <= 1 + len / 4 && distance < len;
}

const char *wf_option_nearest(const struct wf_option *table, const char *name, bool file, char *buf)
{
	const struct wf_option *best = NULL;
	size_t least = SIZE_MAX;

	for (; table->name; table++) {
		const char *known = file ? wf_option_file_name(table, buf) : table->name;
		size_t distance = wf_str_distance(known, name);

		if (distance < least && wf_option_is_near(known, name)) {
			least = distance;
			best = table;
		}
	}
	if (!best)
		return NULL;
	return file ? wf_option_file_name(best, buf) : best->name;
}
