/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/files.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

void wf_cli_files_done(struct wf_cli_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		free(files->items[i].path);
		wf_documents_done(&files->items[i].documents);
	}
	free(files->items);
	memset(files, 0, sizeof(*files));
}

static int add_file(struct wf_cli_files *files, const char *path, struct wf_err *err)
{
	_cleanup_free_ char *copy = strdup(path);

	if (!copy ||
	    wf_mem_grow(&files->items, sizeof(*files->items), files->count, &files->capacity) < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	files->items[files->count++] = (struct wf_cli_file){ .path = TAKE_PTR(copy) };
	return 0;
}

static int is_document(const struct dirent *entry)
{
	static const char *const endings[] = { ".yaml", ".yml", ".json" };
	const char *dot = strrchr(entry->d_name, '.');

	if (!dot || entry->d_name[0] == '.')
		return 0;
	for (size_t i = 0; i < WF_ARRAY_LEN(endings); i++)
		if (strcmp(dot, endings[i]) == 0)
			return 1;
	return 0;
}

static int add_directory(struct wf_cli_files *files, const char *path, struct wf_err *err)
{
	struct dirent **entries = NULL;
	int count = scandir(path, &entries, is_document, alphasort), r = 0;

	if (count < 0)
		return wf_fail(err, -errno, "cannot read directory %s: %s", path, strerror(errno));
	if (count == 0)
		r = wf_fail(err, -ENOENT, "directory %s has no .yaml, .yml or .json files", path);
	for (int i = 0; i < count; i++) {
		_cleanup_free_ char *full = NULL;

		if (r == 0 && asprintf(&full, "%s/%s", path, entries[i]->d_name) < 0)
			r = wf_fail(err, -ENOMEM, "out of memory");
		if (r == 0)
			r = add_file(files, full, err);
		free(entries[i]);
	}
	free(entries);
	return r;
}

static int gather(struct wf_cli_files *files, const struct wf_option_list *paths,
		  struct wf_err *err)
{
	for (size_t i = 0; i < paths->count; i++) {
		const char *path = paths->items[i];
		struct stat status;
		int r;

		if (strcmp(path, "-") != 0 && stat(path, &status) == 0 && S_ISDIR(status.st_mode))
			r = add_directory(files, path, err);
		else
			r = add_file(files, path, err);
		if (r < 0)
			return r;
	}
	return 0;
}

char *wf_cli_files_where(const struct wf_document *document, const char *field, char *buf,
			 size_t bytes)
{
	int line = wf_document_line(document, field);

	if (line > 0)
		(void)snprintf(buf, bytes, "%s:%d", document->source, line);
	else
		(void)snprintf(buf, bytes, "%s", document->source);
	return buf;
}

void wf_cli_files_name(const json_t *document, struct wf_err *err)
{
	const char *kind = wf_json_str(document, "kind", "");
	const char *name = wf_json_str(json_object_get(document, "metadata"), "name", "");
	char lower[64] = "", key[WF_NAME_BYTES];

	for (size_t i = 0; kind[i] && i + 1 < sizeof(lower); i++)
		lower[i] = (char)tolower((unsigned char)kind[i]);
	if (*name && wf_document_key(document, key) == 0)
		name = key;
	if (*lower && *name)
		wf_err_set_object(err, "%s/%s", lower, name);
}

/* Reports what is wrong with the documents of a file; returns how many are. */
static size_t check_documents(struct wf_cli *cli, const struct wf_cli_file *file)
{
	size_t faults = 0;

	for (size_t i = 0; i < file->documents.count; i++) {
		const struct wf_document *document = &file->documents.items[i];
		struct wf_err fault = WF_ERR_INIT;
		char where[512];

		if (wf_document_check_deep(document->root, &fault) >= 0)
			continue;
		wf_cli_files_name(document->root, &fault);
		wf_cli_report(cli, wf_cli_files_where(document, fault.field, where, sizeof(where)),
			      &fault);
		faults++;
	}
	return faults;
}

static int parse_file(struct wf_cli_file *file, struct wf_err *err)
{
	_cleanup_str_ struct wf_str text = WF_STR_INIT;
	const char *source = strcmp(file->path, "-") == 0 ? "<stdin>" : file->path;
	int r = wf_file_read(file->path, WF_DOCUMENT_MAX_FILE_BYTES, &text, err);

	if (r == 0)
		r = wf_documents_parse(&file->documents, source, wf_str_text(&text), text.len, err);
	if (r == 0 && file->documents.count == 0)
		return wf_fail(err, -EINVAL, "%s: there is no document in it", source);
	return r;
}

int wf_cli_files_read(struct wf_cli *cli, const struct wf_option_list *paths, bool check,
		      struct wf_cli_files *files, struct wf_err *err)
{
	size_t faults = 0;
	int r = gather(files, paths, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < files->count; i++) {
		struct wf_err fault = WF_ERR_INIT;

		if (parse_file(&files->items[i], &fault) < 0) {
			wf_cli_report(cli, NULL, &fault);
			faults++;
		} else if (check) {
			faults += check_documents(cli, &files->items[i]);
		}
	}
	if (faults)
		return wf_fail(err, -EINVAL, "nothing was changed: %zu fault%s in the documents",
			       faults, faults == 1 ? "" : "s");
	return 0;
}
