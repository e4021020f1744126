/* SPDX-License-Identifier: Apache-2.0 */
#include "model/meta.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/field_priv.h"

#define LABEL_LEN_MAX 63

void wf_meta_done(struct wf_meta *meta)
{
	wf_labels_done(&meta->labels);
	wf_labels_done(&meta->annotations);
	memset(meta, 0, sizeof(*meta));
}

int wf_meta_check_name(const char *name, const char *path, struct wf_err *err)
{
	char excerpt[WF_FIELD_EXCERPT_BYTES];

	if (!wf_str_is_name(name))
		return wf_field_fail(err, path,
				     "\"%s\" is not a name (up to 253 lower-case letters, digits, "
				     "'-' or '.', a letter or digit at both ends)",
				     wf_field_excerpt(name, excerpt));
	if (strcmp(name, "all") == 0)
		return wf_field_fail(err, path, "\"all\" is reserved (it means every object)");
	return 0;
}

bool wf_meta_is_label(const char *text)
{
	return strlen(text) <= LABEL_LEN_MAX && !strchr(text, '.') && wf_str_is_name(text);
}

char *wf_meta_key(const struct wf_meta *meta, char key[WF_NAME_BYTES])
{
	size_t len = strlen(meta->namespace);

	memcpy(key, meta->namespace, len);
	if (len)
		key[len++] = '/';
	/* both together fit: wf_document_check() saw to it */
	(void)wf_str_copy(key + len, WF_NAME_BYTES - len, meta->name);
	return key;
}

/* Kubernetes writes resourceVersion as a string; an integer is accepted as well. */
static int read_version(const json_t *metadata, uint64_t *ret_version, struct wf_err *err)
{
	const json_t *member = json_object_get(metadata, "resourceVersion");
	const char *text = json_string_value(member);

	if (json_is_integer(member) && json_integer_value(member) >= 0) {
		*ret_version = (uint64_t)json_integer_value(member);
		return 0;
	}
	if (!member || json_is_null(member) || (text && !*text))
		return 0;
	if (!text || wf_str_to_u64(text, 0, UINT64_MAX, ret_version) < 0)
		return wf_field_fail(err, "metadata.resourceVersion",
				     "is not one of weft's (a whole number; leave it out)");
	return 0;
}

uint64_t wf_meta_revision(const json_t *document)
{
	const json_t *metadata = json_object_get(document, "metadata");

	return strtoull(wf_json_str(metadata, "resourceVersion", "0"), NULL, 10);
}

static int read_created(const json_t *metadata, int64_t *ret_created_s, struct wf_err *err)
{
	const char *text = wf_json_str(metadata, "creationTimestamp", "");
	char excerpt[WF_FIELD_EXCERPT_BYTES];
	struct tm utc = { 0 };
	const char *end;

	if (!*text)
		return 0;
	end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &utc);
	if (!end || *end)
		return wf_field_fail(err, "metadata.creationTimestamp",
				     "\"%s\" is not a time (such as 2026-11-21T07:38:45Z)",
				     wf_field_excerpt(text, excerpt));
	*ret_created_s = timegm(&utc);
	return 0;
}

static int read_namespace(struct wf_meta *meta, const json_t *metadata, struct wf_err *err)
{
	const char *text = wf_json_str(metadata, "namespace", "");
	char excerpt[WF_FIELD_EXCERPT_BYTES];

	if (*text && !wf_meta_is_label(text))
		return wf_field_fail(err, "metadata.namespace",
				     "\"%s\" is not a namespace (up to 63 lower-case letters, "
				     "digits or '-', a letter or digit at both ends)",
				     wf_field_excerpt(text, excerpt));
	return wf_str_copy(meta->namespace, sizeof(meta->namespace), text);
}

static int read_meta(struct wf_meta *meta, const json_t *metadata, struct wf_err *err)
{
	const char *name = wf_json_str(metadata, "name", "");
	int r = wf_meta_check_name(name, "metadata.name", err);

	if (r < 0)
		return r;
	(void)wf_str_copy(meta->name, sizeof(meta->name), name);
	r = read_namespace(meta, metadata, err);
	if (r < 0)
		return r;
	if (wf_str_copy(meta->uid, sizeof(meta->uid), wf_json_str(metadata, "uid", "")) < 0)
		return wf_field_fail(err, "metadata.uid", "is longer than 36 characters");
	r = read_version(metadata, &meta->resource_version, err);
	if (r < 0)
		return r;
	r = read_created(metadata, &meta->created_s, err);
	if (r < 0)
		return r;
	r = wf_labels_from_json(&meta->labels, json_object_get(metadata, "labels"),
				"metadata.labels", true, err);
	if (r < 0)
		return r;
	return wf_labels_from_json(&meta->annotations, json_object_get(metadata, "annotations"),
				   "metadata.annotations", false, err);
}

int wf_meta_from_json(struct wf_meta *meta, const json_t *document, struct wf_err *err)
{
	_cleanup_(wf_meta_done) struct wf_meta fresh = { .uid = "" };
	int r = read_meta(&fresh, json_object_get(document, "metadata"), err);

	if (r < 0)
		return r;
	*meta = fresh;
	fresh = (struct wf_meta){ .uid = "" };
	return 0;
}

static int write_stored(json_t *metadata, const struct wf_meta *meta)
{
	char version[24] = "", created[WF_CLOCK_TEXT] = "";

	if (meta->resource_version)
		(void)snprintf(version, sizeof(version), "%" PRIu64, meta->resource_version);
	if (meta->created_s)
		(void)wf_clock_format(meta->created_s, created);
	if (wf_json_set_str(metadata, "namespace", meta->namespace) < 0 ||
	    wf_json_set_str(metadata, "uid", meta->uid) < 0 ||
	    wf_json_set_str(metadata, "resourceVersion", version) < 0 ||
	    wf_json_set_str(metadata, "creationTimestamp", created) < 0)
		return -ENOMEM;
	return 0;
}

static int write_labels(json_t *metadata, const char *key, const struct wf_labels *labels)
{
	if (!labels->count)
		return 0;
	return json_object_set_new(metadata, key, wf_labels_to_json(labels)) < 0 ? -ENOMEM : 0;
}

json_t *wf_meta_to_json(const struct wf_meta *meta, const char *kind)
{
	_cleanup_json_ json_t *document =
		json_pack("{s:s, s:s, s:{s:s}}", "apiVersion", WF_API_VERSION, "kind", kind,
			  "metadata", "name", meta->name);
	json_t *metadata = json_object_get(document, "metadata");

	if (!document || write_stored(metadata, meta) < 0 ||
	    write_labels(metadata, "labels", &meta->labels) < 0 ||
	    write_labels(metadata, "annotations", &meta->annotations) < 0)
		return NULL;
	return TAKE_PTR(document);
}
