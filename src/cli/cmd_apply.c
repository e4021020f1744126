/* SPDX-License-Identifier: Apache-2.0 */
/* weft apply and weft delete: documents into the daemon and out of it. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/client.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/document.h"
#include "cli/files.h"
#include "cli/output.h"
#include "cli/policy_lab.h"
#include "model/policy.h"

/* "network/blue created" */
static void format_object(const json_t *item, struct wf_str *out)
{
	for (const char *at = wf_json_str(item, "kind", ""); *at; at++) {
		char lower[2] = { (char)tolower((unsigned char)*at), '\0' };

		wf_str_add_escaped(out, lower);
	}
	wf_str_add(out, "/");
	wf_str_add_escaped(out, wf_json_str(item, "name", ""));
}

/* With what went along. */
static void format_action(const json_t *item, struct wf_str *out)
{
	const json_t *released = json_object_get(item, "released");

	wf_cli_format_action(item, out);
	if (released)
		wf_str_addf(out, ", with it endpoints: %lld, addresses: %lld",
			    (long long)wf_json_int(released, "endpoints", 0),
			    (long long)wf_json_int(released, "addresses", 0));
}

static const struct wf_cli_column result_columns[] = {
	{ .header = "OBJECT", .format = format_object },
	{ .header = "ACTION", .format = format_action },
	{ .header = NULL },
};

static const struct wf_cli_view results_view = {
	.shape = WF_CLI_LINES, .items = "results", .name = "name", .columns = result_columns
};

static int print_results(struct wf_cli *cli, json_t *results, struct wf_err *err)
{
	_cleanup_json_ json_t *value = json_pack("{s:O}", "results", results);

	if (!json_array_size(results))
		return 0;
	if (!value)
		return wf_fail(err, -ENOMEM, "out of memory");
	return wf_cli_print(cli, &results_view, value, err);
}

/* What weftd needs at most for one of very many documents: 100,000 take minutes, not half of one. */
#define MS_PER_DOCUMENT 5

/* Sends one file's documents; what was done is appended to results. */
static int send_file(struct wf_cli *cli, const struct wf_cli_file *file, json_t *results,
		     struct wf_err *err)
{
	const struct wf_cli_file_options *options = cli->options;
	uint64_t timeout_ms = wf_cli_global(cli)->timeout_ms;
	bool dry_run = options->dry_run;
	char path[64] = "/v1/apply";
	_cleanup_json_ json_t *documents = json_array();
	_cleanup_json_ json_t *body = json_pack("{s:O}", "documents", documents);
	_cleanup_json_ json_t *answer = NULL;
	int r;

	for (size_t i = 0; i < file->documents.count; i++)
		if (json_array_append(documents, file->documents.items[i].root) < 0)
			return wf_fail(err, -ENOMEM, "out of memory");
	if (!body)
		return wf_fail(err, -ENOMEM, "out of memory");
	if (dry_run)
		(void)snprintf(path, sizeof(path), "/v1/apply?dryRun=true");
	else if (options->confirm_ms)
		(void)snprintf(path, sizeof(path), "/v1/apply?confirm=%llums",
			       (unsigned long long)options->confirm_ms);
	timeout_ms += MS_PER_DOCUMENT * file->documents.count;
	r = wf_client_call(wf_cli_global(cli)->socket, "POST", path, body, (int)timeout_ms, &answer,
			   err);
	if (r < 0)
		return r;
	if (dry_run)
		wf_cli_mark_dry_run(answer);
	(void)json_array_extend(results, json_object_get(answer, "results"));
	return 0;
}

/* The daemon names a document by its place in the request; people know files and lines. */
static void report_refused(struct wf_cli *cli, const struct wf_cli_file *file, struct wf_err *err)
{
	const struct wf_document *document;
	char where[512];

	if (err->document < 0 || (size_t)err->document >= file->documents.count) {
		wf_cli_report(cli, err->code == -ECONNREFUSED ? NULL : file->path, err);
		return;
	}
	document = &file->documents.items[err->document];
	wf_cli_files_name(document->root, err);
	wf_cli_report(cli, wf_cli_files_where(document, err->field, where, sizeof(where)), err);
}

static bool has_policy(const struct wf_cli_files *files)
{
	for (size_t f = 0; f < files->count; f++)
		for (size_t i = 0; i < files->items[f].documents.count; i++)
			if (wf_policy_is_kind(wf_json_str(files->items[f].documents.items[i].root,
							  "kind", "")))
				return true;
	return false;
}

/* Between whom the files would change what passes: for people only. */
static int print_changes(struct wf_cli *cli, const struct wf_cli_files *files, struct wf_err *err)
{
	static const struct wf_cli_view view = { .shape = WF_CLI_TABLE,
						 .items = "items",
						 .columns = wf_cli_policy_change_columns };
	const char *format = wf_cli_global(cli)->output;
	_cleanup_json_ json_t *items = NULL, *value = NULL;
	int r;

	if (format && strcmp(format, "table") != 0 && strcmp(format, "wide") != 0)
		return 0;
	r = wf_cli_policy_changes(cli, files, &items, err);
	if (r < 0)
		return r;
	if (!json_array_size(items)) {
		(void)printf("no endpoint of this host reaches more or less than now\n");
		return 0;
	}
	value = json_pack("{s:O}", "items", items);
	if (!value)
		return wf_fail(err, -ENOMEM, "out of memory");
	return wf_cli_print(cli, &view, value, err);
}

int wf_cli_run_apply(struct wf_cli *cli, struct wf_err *err)
{
	const struct wf_cli_file_options *options = cli->options;
	_cleanup_(wf_cli_files_done) struct wf_cli_files files = { 0 };
	_cleanup_json_ json_t *results = json_array();
	int r;

	if (!options->files.count)
		return wf_cli_misuse(cli, err,
				     "'weft apply' needs -f FILE; '-f -' reads standard "
				     "input");
	r = wf_cli_files_read(cli, &options->files, true, &files, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < files.count && cli->failed != WF_CLI_UNREACHABLE; i++) {
		struct wf_err fault = WF_ERR_INIT;

		if (send_file(cli, &files.items[i], results, &fault) < 0)
			report_refused(cli, &files.items[i], &fault);
	}
	r = print_results(cli, results, err);
	if (r == 0 && options->confirm_ms && json_array_size(results))
		(void)fprintf(stderr,
			      "weft: rolled back in %llu s unless 'weft confirm' is called\n",
			      (unsigned long long)((options->confirm_ms + 999) / 1000));
	if (r == 0 && options->dry_run && !cli->failed && has_policy(&files))
		r = print_changes(cli, &files, err);
	return r;
}

int wf_cli_run_confirm(struct wf_cli *cli, struct wf_err *err)
{
	_cleanup_json_ json_t *answer = NULL;
	int r = wf_cli_call(cli, "POST", "/v1/confirm", NULL, &answer, err);

	return r < 0 ? r : wf_cli_print(cli, &results_view, answer, err);
}

static int delete_one(struct wf_cli *cli, const char *kind, const char *name, json_t *results,
		      struct wf_err *err)
{
	const struct wf_cli_file_options *options = cli->options;
	_cleanup_json_ json_t *answer = NULL;
	_cleanup_str_ struct wf_str path = WF_STR_INIT;
	json_t *result, *released;
	int r;

	if (!*name)
		return wf_fail(err, -EINVAL, "the name is empty");
	wf_str_addf(&path, "/v1/documents/%s/", kind);
	wf_client_add_segment(&path, name);
	wf_str_add(&path, options->force ? "?force=true" : "");
	if (path.failed)
		return wf_fail(err, -ENOMEM, "out of memory");
	r = wf_cli_call(cli, "DELETE", path.data, NULL, &answer, err);
	if (r == -ENOENT && options->ignore_not_found)
		return 0;
	if (r < 0)
		return r;
	result = json_pack("{s:s, s:s, s:s}", "kind", kind, "name", name, "action", "deleted");
	released = json_object_get(answer, "released");
	if (result && released)
		(void)json_object_set(result, "released", released);
	return json_array_append_new(results, result) < 0 ? wf_fail(err, -ENOMEM, "out of memory")
							  : 0;
}

static void delete_and_report(struct wf_cli *cli, const char *kind, const char *name,
			      json_t *results)
{
	struct wf_err fault = WF_ERR_INIT;

	if (cli->failed == WF_CLI_UNREACHABLE || delete_one(cli, kind, name, results, &fault) >= 0)
		return;
	if (fault.code != -ECONNREFUSED && !fault.object[0]) {
		_cleanup_json_ json_t *object = json_pack("{s:s, s:s}", "kind", kind, "name", name);
		_cleanup_str_ struct wf_str text = WF_STR_INIT;

		format_object(object, &text);
		wf_err_set_object(&fault, "%s", wf_str_text(&text));
	}
	wf_cli_report(cli, NULL, &fault);
}

/* The last one first: what came later may need what came before. */
static int delete_files(struct wf_cli *cli, json_t *results, struct wf_err *err)
{
	const struct wf_cli_file_options *options = cli->options;
	_cleanup_(wf_cli_files_done) struct wf_cli_files files = { 0 };
	int r = wf_cli_files_read(cli, &options->files, false, &files, err);

	for (size_t i = files.count; r == 0 && i-- > 0;) {
		const struct wf_documents *documents = &files.items[i].documents;

		for (size_t j = documents->count; j-- > 0;) {
			const json_t *root = documents->items[j].root;
			const struct wf_kind *kind = wf_kind_find(wf_json_str(root, "kind", ""));
			char name[WF_NAME_BYTES] = "";

			if (!*wf_json_str(json_object_get(root, "metadata"), "name", "") || !kind ||
			    wf_document_key(root, name) < 0)
				return wf_fail(err, -EINVAL,
					       "%s:%d: a document to delete needs kind and "
					       "metadata.name",
					       documents->items[j].source,
					       documents->items[j].first_line);
			delete_and_report(cli, kind->name, name, results);
		}
	}
	return r;
}

int wf_cli_run_delete(struct wf_cli *cli, struct wf_err *err)
{
	const struct wf_cli_file_options *options = cli->options;
	_cleanup_json_ json_t *results = json_array();
	const struct wf_kind *kind;
	size_t first;
	int r;

	if (!options->files.count == !cli->count)
		return wf_cli_misuse(cli, err, "'weft delete' needs either KIND NAME or -f FILE");
	if (options->files.count && options->namespace.name)
		return wf_cli_misuse(cli, err,
				     "--namespace goes with KIND NAME; files say it themselves");
	if (options->files.count) {
		r = delete_files(cli, results, err);
		return r < 0 ? r : print_results(cli, results, err);
	}
	r = wf_cli_kind_argument(cli, &kind, &first, err);
	if (r < 0)
		return r;
	if (first == cli->count)
		return wf_cli_misuse(cli, err, "'weft delete %s' needs a name", cli->args[0]);
	if (!kind->namespaced && options->namespace.name)
		return wf_cli_misuse(cli, err, "%s have no namespace", kind->plural);
	for (size_t i = first; i < cli->count; i++) {
		_cleanup_str_ struct wf_str name = WF_STR_INIT;

		r = wf_cli_kind_name(cli, kind, i, &options->namespace, &name, err);
		if (r < 0)
			return r;
		delete_and_report(cli, kind->name, wf_str_text(&name), results);
	}
	return print_results(cli, results, err);
}
