/* SPDX-License-Identifier: Apache-2.0 */
#include "weftd/keep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/control.h"
#include "model/endpoint.h"

WF_LOG_MODULE(store);

/* More than the largest number of endpoints takes. */
#define MAX_BYTES ((size_t)512 << 20)

static bool is_embedded(const struct weftd_config *config)
{
	return strcmp(config->store, "sqlite") == 0;
}

/* NULL: there is no memory for it. */
static char *path_of(const struct weftd_config *config)
{
	char *path;

	return asprintf(&path, "%s/" WF_CONTROL_KEPT_FILE, config->run_dir) < 0 ? NULL : path;
}

static int fail_memory(struct wf_err *err)
{
	return wf_fail(err, -ENOMEM, "out of memory for endpoints");
}

int weftd_keep(const struct weftd_config *config, struct wf_store *store, struct wf_err *err)
{
	_cleanup_json_ json_t *endpoints = NULL, *kept = NULL;
	_cleanup_free_ char *path = path_of(config), *text = NULL;
	char boot_id[37];
	uint64_t revision;
	int r;

	if (!is_embedded(config))
		return 0;
	r = path ? wf_file_boot_id(boot_id) : -ENOMEM;
	if (r < 0)
		return wf_fail(err, r, "cannot read the id of this boot");
	r = wf_store_list(store, WF_KIND_ENDPOINT, &endpoints, &revision, err);
	if (r < 0)
		return r;
	kept = json_pack("{s:s, s:I, s:O}", "bootID", boot_id, "revision", (json_int_t)revision,
			 "endpoints", endpoints);
	text = kept ? wf_json_text(kept) : NULL;
	return text ? wf_file_write(path, text, strlen(text), 0600, err) : fail_memory(err);
}

void weftd_keep_forget(const struct weftd_config *config)
{
	_cleanup_free_ char *path = path_of(config);

	if (path)
		(void)unlink(path);
}

bool weftd_keep_is_due(const struct weftd_config *config)
{
	_cleanup_close_ int fd = -1;

	if (!is_embedded(config))
		return false;
	/* what ext4 does about an error shows in none of the file system's flags */
	fd = open(config->state_dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	return fd < 0 && (errno == EROFS || errno == EIO);
}

/* What was written down and is of this boot; NULL: nothing. */
static json_t *read_kept(const char *path)
{
	_cleanup_str_ struct wf_str text = WF_STR_INIT;
	struct wf_err fault = WF_ERR_INIT;
	json_t *kept = NULL;
	char boot_id[37];
	int r = wf_file_read(path, MAX_BYTES, &text, &fault);

	if (r == -ENOENT)
		return NULL;
	if (r == 0)
		r = wf_json_parse(wf_str_text(&text), text.len, &kept, &fault);
	if (r < 0)
		wf_log_warning("endpoints that were written down cannot be read", "error=\"%s\"",
			       fault.message);
	if (kept &&
	    (wf_file_boot_id(boot_id) < 0 || strcmp(wf_json_str(kept, "bootID", ""), boot_id) != 0))
		wf_json_cleanup(&kept);
	return kept;
}

static const char *name_of(const json_t *document)
{
	return wf_json_str(json_object_get(document, "metadata"), "name", "");
}

/*
 * What makes of the endpoints in the store those that were written down. Those that are as they were are
 * no change to the store. Returns how many writes.
 */
static size_t gather(json_t *kept, const json_t *stored, json_t *names,
		     struct wf_store_write *writes)
{
	const json_t *old;
	json_t *document;
	size_t count = 0, i;

	json_array_foreach(kept, i, document) {
		(void)json_object_set_new(names, name_of(document), json_true());
		writes[count++] = (struct wf_store_write){ .op = WF_STORE_PUT,
							   .kind = WF_KIND_ENDPOINT,
							   .name = name_of(document),
							   .document = document,
							   .expected = WF_STORE_ANY };
	}
	json_array_foreach(stored, i, old) {
		if (json_object_get(names, name_of(old)))
			continue;
		writes[count++] = (struct wf_store_write){ .op = WF_STORE_DELETE,
							   .kind = WF_KIND_ENDPOINT,
							   .name = name_of(old),
							   .expected = WF_STORE_ANY };
	}
	return count;
}

/* Writes what is missing. Returns how many revisions the store was behind. */
static int put_back(json_t *kept, struct wf_store *store, struct wf_err *err)
{
	json_t *endpoints = json_object_get(kept, "endpoints");
	_cleanup_json_ json_t *stored = NULL, *names = json_object();
	_cleanup_free_ struct wf_store_write *writes = NULL;
	const int64_t behind = wf_json_int(kept, "revision", 0) - (int64_t)wf_store_revision(store);
	uint64_t revision;
	size_t most;
	int r;

	if (behind <= 0)
		return 0;
	r = wf_store_list(store, WF_KIND_ENDPOINT, &stored, &revision, err);
	if (r < 0)
		return r;
	most = json_array_size(endpoints) + json_array_size(stored);
	writes = calloc(most ? most : 1, sizeof(*writes));
	if (!writes || !names)
		return fail_memory(err);
	r = wf_store_commit(store, writes, gather(endpoints, stored, names, writes),
			    WF_STORE_DURABLE, &revision, err);
	return r < 0 ? r : (int)behind;
}

int weftd_keep_restore(const struct weftd_config *config, struct wf_store *store,
		       struct wf_err *err)
{
	_cleanup_free_ char *path = path_of(config);
	_cleanup_json_ json_t *kept = NULL;
	int r;

	if (!is_embedded(config))
		return 0;
	if (!path)
		return fail_memory(err);
	kept = read_kept(path);
	r = kept ? put_back(kept, store, err) : 0;
	if (r < 0)
		return wf_wrap(err, r, "endpoints in %s", path);
	if (r > 0)
		wf_log_info("endpoints are back that the disk had lost", "revisions=%d", r);
	weftd_keep_forget(config);
	return 0;
}
