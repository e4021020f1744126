/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose store it is. PREFIX/schema holds the version of what is below it, a random id that it got
 * when it was made, and while an import is under way, who imports. The mirror notes the id and
 * etcd's cluster id: when they differ later, or the revisions have gone backwards, somebody
 * restored a backup, made the cluster anew, or gave us another one's address.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "store/etcd_priv.h"
#include "store/stamp.h"

/* Where the mirror notes the identity. */
#define NOTE_KIND ".mirror"
#define NOTE_NAME "source"

int wf_etcd_schema_text(struct wf_str *text, const char *store_id, const char *importing)
{
	_cleanup_json_ json_t *value =
		json_pack("{s:i, s:s, s:s}", "version", WF_ETCD_SCHEMA, "store", store_id,
			  "writtenBy", "weft " WEFT_VERSION);
	_cleanup_free_ char *json = NULL;

	if (!value || wf_json_set_str(value, "importing", importing) < 0 ||
	    !(json = wf_json_text(value)))
		return -ENOMEM;
	wf_str_add(text, json);
	return text->failed ? -ENOMEM : 0;
}

int wf_etcd_schema_read(const struct wf_etcd_kv *kv, json_t **ret_schema)
{
	_cleanup_json_ json_t *schema = NULL;
	size_t len;
	int r = kv->value ? wf_json_parse(kv->value, kv->value_len, &schema, NULL) : -EPROTO;

	if (r < 0)
		return r == -ENOMEM ? r : -EPROTO;
	len = strlen(wf_json_str(schema, "store", ""));
	if (len == 0 || len >= WF_STAMP_UID_BYTES || wf_json_int(schema, "version", 0) < 1)
		return -EPROTO;
	*ret_schema = TAKE_PTR(schema);
	return 0;
}

/* Only who has no store yet, or was told to believe what is there, makes one. */
static bool may_create(const struct wf_etcd *etcd)
{
	return etcd->cluster_id == 0 || etcd->accept;
}

int wf_etcd_schema_request(struct wf_etcd *etcd, struct wf_str *body, struct wf_err *err)
{
	_cleanup_str_ struct wf_str value = WF_STR_INIT;
	char store_id[WF_STAMP_UID_BYTES];

	wf_str_add(body, "{\"compare\":[");
	wf_etcd_add_compare(body, etcd->schema, "", "EQUAL", 0);
	wf_str_add(body, "],\"success\":[");
	if (may_create(etcd)) {
		if (wf_stamp_uid(store_id) < 0 || wf_etcd_schema_text(&value, store_id, NULL) < 0)
			return wf_fail(err, -ENOMEM, "out of memory asking etcd");
		wf_etcd_add_put(body, etcd->schema, wf_str_text(&value), 0);
		wf_str_add(body, ",");
	}
	wf_etcd_add_get(body, etcd->schema);
	wf_str_add(body, "],\"failure\":[");
	wf_etcd_add_get(body, etcd->schema);
	wf_str_add(body, "]}");
	return 0;
}

/* Takes the identity of what is there. */
static void adopt(struct wf_etcd *etcd, uint64_t cluster_id, const char *store_id)
{
	etcd->cluster_id = cluster_id;
	(void)snprintf(etcd->store_id, sizeof(etcd->store_id), "%s", store_id);
}

static int fail_foreign(struct wf_etcd *etcd, struct wf_err *err)
{
	return wf_fail(err, -EPERM, "%s; nothing is taken from it: see \"weft store accept\"",
		       etcd->reason);
}

/* Compares with what the mirror mirrors. */
static int check_identity(struct wf_etcd *etcd, const struct wf_etcd_answer *answer,
			  const char *store_id, struct wf_err *err)
{
	const char *endpoint = wf_etcd_net_endpoint(&etcd->net);
	uint64_t revision = etcd->mirror->revision;

	if (etcd->cluster_id == 0 || etcd->accept) {
		if (etcd->cluster_id != answer->cluster_id ||
		    strcmp(etcd->store_id, store_id) != 0 || answer->revision < revision)
			etcd->needs_resync = true;
		adopt(etcd, answer->cluster_id, store_id);
		return 0;
	}
	if (!*store_id)
		wf_etcd_guard_foreign(etcd, "etcd at %s has no store of weft under %s any more",
				      endpoint, etcd->prefix);
	else if (etcd->cluster_id != answer->cluster_id || strcmp(etcd->store_id, store_id) != 0)
		wf_etcd_guard_foreign(etcd,
				      "etcd at %s is not the one this node knows (cluster "
				      "%" PRIx64 ", expected %" PRIx64 "; store %s, expected %s)",
				      endpoint, answer->cluster_id, etcd->cluster_id, store_id,
				      etcd->store_id);
	else if (answer->revision < revision)
		wf_etcd_guard_foreign(etcd,
				      "etcd at %s has gone back from revision %" PRIu64
				      " to %" PRIu64 " (restored from a backup?)",
				      endpoint, revision, answer->revision);
	else if (etcd->hold == WF_ETCD_HOLD_FOREIGN)
		wf_etcd_guard_clear(etcd);
	return etcd->hold == WF_ETCD_HOLD_FOREIGN ? fail_foreign(etcd, err) : 0;
}

static int check_version(const struct wf_etcd *etcd, const json_t *schema, struct wf_err *err)
{
	int64_t version = wf_json_int(schema, "version", 0);
	const char *importing = wf_json_str(schema, "importing", "");
	const char *writer = wf_json_str(schema, "writtenBy", "a newer weft");

	if (version > WF_ETCD_SCHEMA)
		return wf_fail(err, -ESTALE,
			       "the store in etcd under %s was written by a newer weft (%s, schema "
			       "%" PRId64 ", this one knows %d): run that version on this node too",
			       etcd->prefix, writer, version, WF_ETCD_SCHEMA);
	if (*importing)
		return wf_fail(err, -EBUSY,
			       "an import into etcd under %s by %s is under way or was cut short: "
			       "let it end, or run it again there",
			       etcd->prefix, importing);
	return 0;
}

int wf_etcd_schema_check(struct wf_etcd *etcd, const struct wf_etcd_answer *answer,
			 struct wf_err *err)
{
	_cleanup_json_ json_t *schema = NULL;
	int r;

	if (answer->kv_count == 0)
		return check_identity(etcd, answer, "", err);
	r = wf_etcd_schema_read(&answer->kvs[0], &schema);
	if (r == -ENOMEM)
		return wf_fail(err, r, "out of memory asking etcd");
	if (r < 0)
		return wf_fail(err, r,
			       "the key %s in etcd at %s is not what weft wrote: is the prefix "
			       "another program's?",
			       etcd->schema, wf_etcd_net_endpoint(&etcd->net));
	r = check_version(etcd, schema, err);
	return r < 0 ? r : check_identity(etcd, answer, wf_json_str(schema, "store", ""), err);
}

int wf_etcd_identity_load(struct wf_etcd *etcd, struct wf_err *err)
{
	struct wf_local *mirror = wf_etcd_mirror(etcd);
	_cleanup_json_ json_t *note = NULL;
	struct wf_local_row row;
	int found = mirror->rows->read(mirror, NOTE_KIND, NOTE_NAME, &row, err);

	if (found <= 0)
		return found;
	found = wf_local_parse(&row, &note, err);
	if (found < 0)
		return found;
	etcd->has_note = true;
	etcd->needs_resync = wf_json_bool(note, "listing", false);
	etcd->cluster_id = strtoull(wf_json_str(note, "cluster", "0"), NULL, 16);
	/* of another prefix it is another store, whatever its id */
	adopt(etcd, etcd->cluster_id,
	      strcmp(wf_json_str(note, "prefix", ""), etcd->prefix) == 0
		      ? wf_json_str(note, "store", "")
		      : "of another prefix");
	return 0;
}

int wf_etcd_identity_save(struct wf_etcd *etcd, bool is_listing, struct wf_err *err)
{
	struct wf_local *mirror = wf_etcd_mirror(etcd);
	_cleanup_free_ char *text = NULL;
	struct wf_local_row row = { .kind = NOTE_KIND, .name = NOTE_NAME };

	if (asprintf(&text,
		     "{\"cluster\":\"%" PRIx64 "\",\"store\":\"%s\",\"prefix\":\"%s\","
		     "\"listing\":%s}",
		     etcd->cluster_id, etcd->store_id, etcd->prefix,
		     is_listing ? "true" : "false") < 0)
		return wf_fail(err, -ENOMEM, "out of memory for the mirror");
	row.text = text;
	row.len = strlen(text);
	row.revision = 1;
	etcd->has_note = true;
	return mirror->rows->put(mirror, &row, err);
}
