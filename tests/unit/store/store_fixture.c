/* SPDX-License-Identifier: Apache-2.0 */
#include "store_fixture.h"

#include <dirent.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/str.h"

void fixture_init(struct store_fixture *fixture)
{
	(void)snprintf(fixture->dir, sizeof(fixture->dir), "/tmp/weft-store-XXXXXX");
	assert_non_null(mkdtemp(fixture->dir));
	(void)snprintf(fixture->path, sizeof(fixture->path), "%s/weft.db", fixture->dir);
}

void fixture_done(struct store_fixture *fixture)
{
	DIR *dir = opendir(fixture->dir);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		(void)unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		(void)closedir(dir);
	(void)rmdir(fixture->dir);
}

json_t *make_document(const char *kind, const char *name, int value)
{
	json_t *document = json_pack("{s:s, s:{s:s}, s:{s:i}}", "kind", kind, "metadata", "name",
				     name, "spec", "value", value);

	assert_non_null(document);
	return document;
}

const char *metadata_text(const json_t *document, const char *key)
{
	return wf_json_str(json_object_get(document, "metadata"), key, "");
}

uint64_t base_revision;

uint64_t at(uint64_t revision)
{
	return base_revision + revision;
}

uint64_t version_of(const json_t *document)
{
	return strtoull(metadata_text(document, "resourceVersion"), NULL, 10) - base_revision;
}

int value_of(const json_t *document)
{
	return (int)wf_json_int(json_object_get(document, "spec"), "value", -1);
}

int put(struct wf_store *store, const char *kind, const char *name, int value, uint64_t expected,
	struct wf_err *err)
{
	_cleanup_json_ json_t *document = make_document(kind, name, value);
	const struct wf_store_write write = {
		.op = WF_STORE_PUT,
		.kind = kind,
		.name = name,
		.document = document,
		.expected = expected,
	};

	return wf_store_commit(store, &write, 1, WF_STORE_DURABLE, NULL, err);
}

int del(struct wf_store *store, const char *kind, const char *name, uint64_t expected,
	struct wf_err *err)
{
	const struct wf_store_write write = {
		.op = WF_STORE_DELETE,
		.kind = kind,
		.name = name,
		.expected = expected,
	};

	return wf_store_commit(store, &write, 1, WF_STORE_DURABLE, NULL, err);
}

int stored_value(struct wf_store *store, const char *kind, const char *name)
{
	_cleanup_json_ json_t *document = NULL;

	return wf_store_get(store, kind, name, &document, NULL) < 0 ? -1 : value_of(document);
}

char *dump_store(struct wf_store *store, const char *const *kinds)
{
	struct wf_str text = WF_STR_INIT;

	for (; *kinds; kinds++) {
		_cleanup_json_ json_t *array = NULL;
		const json_t *document;
		size_t i;

		if (wf_store_list(store, *kinds, &array, NULL, NULL) < 0) {
			wf_str_done(&text);
			return NULL;
		}
		json_array_foreach(array, i, document)
			wf_str_addf(&text, "%s/%s %s %s=%d\n", *kinds,
				    metadata_text(document, "name"), metadata_text(document, "uid"),
				    metadata_text(document, "resourceVersion"), value_of(document));
	}
	return text.data ? text.data : strdup("");
}

static void note_result(int result, const struct wf_err *err, void *context)
{
	(void)err;
	*(int *)context = result;
}

int renew(struct wf_store *store, uint64_t lease)
{
	int result = 1;

	wf_store_lease_renew_later(store, lease, note_result, &result);
	for (int i = 0; result == 1 && i < 500; i++) {
		struct pollfd news = { .fd = wf_store_fd(store), .events = POLLIN };

		(void)poll(&news, 1, 10);
		wf_store_process(store);
	}
	return result;
}

uint64_t roll(uint64_t *seed, uint64_t below)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (*seed >> 11) % below;
}
