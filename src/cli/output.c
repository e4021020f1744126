/* SPDX-License-Identifier: Apache-2.0 */
/* Tables, JSON, YAML and names from JSON values. */
#include "cli/output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "model/document.h"
#include "model/meta.h"

const struct wf_cli_column wf_cli_condition_columns[] = {
	{ .header = "CONDITION", .path = "type" },
	{ .header = "STATUS", .path = "status" },
	{ .header = "REASON", .path = "reason" },
	{ .header = "MESSAGE", .path = "message" },
	{ .header = NULL },
};

static void add_scalar(const json_t *value, struct wf_str *out)
{
	const char *key;
	json_t *member;
	size_t i, start = out->len;

	switch (value ? json_typeof(value) : JSON_NULL) {
	case JSON_STRING: wf_str_add_escaped(out, json_string_value(value)); break;
	case JSON_INTEGER:
		wf_str_addf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		break;
	case JSON_REAL: wf_str_addf(out, "%g", json_real_value(value)); break;
	case JSON_TRUE: wf_str_add(out, "true"); break;
	case JSON_FALSE: wf_str_add(out, "false"); break;
	case JSON_NULL: break;
	case JSON_ARRAY:
		json_array_foreach(value, i, member) {
			wf_str_add(out, out->len > start ? "," : "");
			add_scalar(member, out);
		}
		break;
	case JSON_OBJECT:
		json_object_foreach((json_t *)value, key, member) {
			wf_str_add(out, out->len > start ? "," : "");
			wf_str_add_escaped(out, key);
			wf_str_add(out, "=");
			add_scalar(member, out);
		}
		break;
	}
}

void wf_cli_add_path(const json_t *value, const char *path, struct wf_str *out)
{
	char key[64] = "";
	size_t len, i, start = out->len;
	json_t *member;

	if (*path == '.')
		path++;
	if (!*path) {
		add_scalar(value, out);
		return;
	}
	if (strncmp(path, "[]", 2) == 0) {
		json_array_foreach(value, i, member) {
			size_t before = out->len;

			wf_str_add(out, before > start ? "," : "");
			wf_cli_add_path(member, path + 2, out);
			if (out->len == before + 1 && before > start)
				out->data[--out->len] = '\0';
		}
		return;
	}
	len = strcspn(path, ".[");
	if (len >= sizeof(key))
		return;
	memcpy(key, path, len);
	wf_cli_add_path(json_object_get(value, key), path + len, out);
}

void wf_cli_format_action(const json_t *item, struct wf_str *out)
{
	wf_str_add_escaped(out, wf_json_str(item, "action", ""));
	if (wf_json_bool(item, "dryRun", false))
		wf_str_add(out, " (dry run)");
}

void wf_cli_mark_dry_run(json_t *answer)
{
	json_t *item;
	size_t i;

	json_array_foreach(json_object_get(answer, "results"), i, item)
		(void)json_object_set_new(item, "dryRun", json_true());
}

void wf_cli_format_age(const json_t *item, struct wf_str *out)
{
	const json_t *meta = json_object_get(item, "metadata");
	const char *created = wf_json_str(meta, "creationTimestamp", "");
	struct tm utc = { 0 };
	int64_t age;

	if (!strptime(created, "%Y-%m-%dT%H:%M:%S", &utc))
		return;
	age = wf_clock_wall_s() - (int64_t)timegm(&utc);
	if (age < 0)
		age = 0;
	if (age < 120)
		wf_str_addf(out, "%ds", (int)age);
	else if (age < 7200)
		wf_str_addf(out, "%dm", (int)(age / 60));
	else if (age < 172800)
		wf_str_addf(out, "%dh", (int)(age / 3600));
	else
		wf_str_addf(out, "%lldd", (long long)(age / 86400));
}

bool wf_cli_has_color(const struct wf_cli *cli, int fd)
{
	const char *no_color = getenv("NO_COLOR");

	return !(no_color && *no_color) && !(cli->options && wf_cli_global(cli)->no_color) &&
	       isatty(fd);
}

/* The items of a value as an array; owned by the caller. */
static json_t *items_of(const struct wf_cli_view *view, const json_t *value)
{
	json_t *items = view->items ? json_object_get(value, view->items) : NULL;
	json_t *single;

	if (json_is_array(items))
		return json_incref(items);
	if (view->items)
		return json_array();
	single = json_array();
	if (single && json_array_append(single, (json_t *)value) < 0) {
		json_decref(single);
		return NULL;
	}
	return single;
}

static void add_cell(const struct wf_cli_column *column, const json_t *item, struct wf_str *out)
{
	size_t start = out->len;

	if (column->format)
		column->format(item, out);
	else
		wf_cli_add_path(item, column->path, out);
	if (out->len == start)
		wf_str_add(out, "-");
}

/* Columns a terminal needs: UTF-8 characters, not bytes. */
static size_t width_of(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static void pad(struct wf_str *out, const char *text, size_t width)
{
	wf_str_add(out, text);
	wf_str_addf(out, "%*s", (int)(width - width_of(text)), "");
}

/* Appends one table; `cells` holds the rows one after the other, each ended by NUL. */
static void lay_out(const struct wf_str *cells, const size_t *widths, size_t columns,
		    struct wf_str *out)
{
	const char *cell = wf_str_text(cells);
	const char *end = cell + cells->len;

	for (size_t column = 0; cell < end; cell += strlen(cell) + 1) {
		if (column + 1 < columns) {
			pad(out, cell, widths[column] + 3);
			column++;
		} else {
			wf_str_add(out, cell);
			wf_str_add(out, "\n");
			column = 0;
		}
	}
}

int wf_cli_add_table(const struct wf_cli_column *columns, const json_t *items, bool wide,
		     struct wf_str *out)
{
	_cleanup_str_ struct wf_str cells = WF_STR_INIT;
	_cleanup_free_ size_t *widths = NULL;
	size_t count = 0, shown = 0, i;
	json_t *item = NULL;

	while (columns[count].header)
		count++;
	widths = calloc(count + 1, sizeof(*widths));
	if (!widths)
		return -ENOMEM;
	for (i = 0; i <= json_array_size(items); i++) {
		item = i ? json_array_get(items, i - 1) : NULL;
		shown = 0;
		for (const struct wf_cli_column *column = columns; column->header; column++) {
			size_t start = cells.len, width;

			if (column->wide && !wide)
				continue;
			if (item)
				add_cell(column, item, &cells);
			else
				wf_str_add(&cells, column->header);
			if (cells.failed)
				return -ENOMEM;
			width = width_of(cells.data + start);
			widths[shown] = width > widths[shown] ? width : widths[shown];
			wf_str_add_bytes(&cells, "", 1);
			shown++;
		}
	}
	lay_out(&cells, widths, shown, out);
	return cells.failed ? -ENOMEM : 0;
}

void wf_cli_add_fields(const struct wf_cli_column *columns, const json_t *items, bool wide,
		       struct wf_str *out)
{
	size_t width = 0, i;
	json_t *item;

	for (const struct wf_cli_column *column = columns; column->header; column++)
		if (width_of(column->header) > width)
			width = width_of(column->header);
	json_array_foreach(items, i, item) {
		for (const struct wf_cli_column *column = columns; column->header; column++) {
			if (column->wide && !wide)
				continue;
			wf_str_add(out, column->header);
			wf_str_addf(out, ":%*s", (int)(width + 2 - width_of(column->header)), "");
			add_cell(column, item, out);
			wf_str_add(out, "\n");
		}
	}
}

static void add_lines(const struct wf_cli_column *columns, const json_t *items, struct wf_str *out)
{
	json_t *item;
	size_t i;

	json_array_foreach(items, i, item) {
		for (const struct wf_cli_column *column = columns; column->header; column++) {
			wf_str_add(out, column == columns ? "" : " ");
			add_cell(column, item, out);
		}
		wf_str_add(out, "\n");
	}
}

/* Names of documents in namespaces are written as arguments of commands take them. */
static void add_names(const struct wf_cli_view *view, const json_t *items, struct wf_str *out)
{
	json_t *item;
	size_t i;

	json_array_foreach(items, i, item) {
		const json_t *meta = json_object_get(item, "metadata");

		if (view->documents && *wf_json_str(meta, "namespace", "")) {
			wf_cli_add_path(meta, "namespace", out);
			wf_str_add(out, "/");
		}
		wf_cli_add_path(item, view->name, out);
		wf_str_add(out, "\n");
	}
}

/* On a terminal everything but ASCII is escaped: a name must not be able to steer it. */
static int add_json(const json_t *value, struct wf_str *out)
{
	size_t flags = JSON_INDENT(2) | JSON_ENCODE_ANY | (isatty(1) ? JSON_ENSURE_ASCII : 0);
	_cleanup_free_ char *text = json_dumps(value, flags);

	if (!text)
		return -ENOMEM;
	wf_str_addf(out, "%s\n", text);
	return 0;
}

static int add_yaml(const struct wf_cli_view *view, const json_t *value, const json_t *items,
		    struct wf_str *out)
{
	json_t *item;
	size_t i;
	int r = 0;

	if (!view->documents)
		return wf_document_to_yaml(value, out);
	json_array_foreach(items, i, item) {
		wf_str_add(out, i ? "---\n" : "");
		r = wf_document_to_yaml(item, out);
		if (r < 0)
			return r;
	}
	return r;
}

/* A list of documents as one document that apply takes apart again. */
static json_t *list_document(const json_t *items)
{
	return json_pack("{s:s, s:s, s:O}", "apiVersion", WF_API_VERSION, "kind", "List", "items",
			 items);
}

static int compose(const struct wf_cli_view *view, const char *format, const json_t *value,
		   struct wf_str *out)
{
	_cleanup_json_ json_t *items = items_of(view, value);
	_cleanup_json_ json_t *list = NULL;
	bool wide = strcmp(format, "wide") == 0;

	if (!items)
		return -ENOMEM;
	if (strcmp(format, "json") == 0) {
		if (!view->documents || !view->items)
			return add_json(value, out);
		list = list_document(items);
		return list ? add_json(list, out) : -ENOMEM;
	}
	if (strcmp(format, "yaml") == 0)
		return add_yaml(view, value, items, out);
	if (strcmp(format, "name") == 0) {
		add_names(view, items, out);
		return 0;
	}
	if (!view->columns)
		return -EINVAL;
	if (view->shape == WF_CLI_FIELDS)
		wf_cli_add_fields(view->columns, items, wide, out);
	else if (view->shape == WF_CLI_LINES)
		add_lines(view->columns, items, out);
	else
		return wf_cli_add_table(view->columns, items, wide, out);
	return 0;
}

int wf_cli_print(struct wf_cli *cli, const struct wf_cli_view *view, const json_t *value,
		 struct wf_err *err)
{
	_cleanup_str_ struct wf_str out = WF_STR_INIT;
	const char *format = wf_cli_global(cli)->output;
	int r;

	if (!format)
		format = view->shape == WF_CLI_JSON   ? "json"
			 : view->shape == WF_CLI_YAML ? "yaml"
						      : "table";
	if (!view->columns && (strcmp(format, "table") == 0 || strcmp(format, "wide") == 0))
		return wf_cli_misuse(cli, err, "'weft %s' has no table; give -o json or -o yaml",
				     cli->command->name);
	if (!view->name && strcmp(format, "name") == 0)
		return wf_cli_misuse(cli, err, "'weft %s' has no names; give -o json or -o yaml",
				     cli->command->name);
	r = compose(view, format, value, &out);
	if (r == 0 && out.failed)
		r = -ENOMEM;
	if (r < 0)
		return wf_fail(err, r, "cannot compose the output: %s", strerror(-r));
	errno = 0;
	if (fwrite(wf_str_text(&out), 1, out.len, stdout) != out.len || fflush(stdout) != 0)
		return wf_fail(err, -EIO, "cannot write to standard output: %s", strerror(errno));
	return 0;
}

int wf_cli_print_each(struct wf_cli *cli, const struct wf_cli_view *view,
		      int (*one)(struct wf_cli *cli, const char *arg, json_t *items,
				 struct wf_err *err),
		      struct wf_err *err)
{
	_cleanup_json_ json_t *items = json_array();
	_cleanup_json_ json_t *list = json_pack("{s:O}", "items", items);
	struct wf_cli_view shown = *view;

	if (!list)
		return wf_fail(err, -ENOMEM, "out of memory");
	(void)wf_cli_each_arg(cli, items, one);
	if (!json_array_size(items))
		return 0;
	shown.items = cli->count > 1 ? "items" : NULL;
	return wf_cli_print(cli, &shown, cli->count > 1 ? list : json_array_get(items, 0), err);
}
