/* SPDX-License-Identifier: Apache-2.0 */
#include "store/stamp.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

static const char *const keys[WF_STAMP_KEYS] = { "uid", "resourceVersion", "creationTimestamp" };

int wf_stamp_uid(char ret_uid[WF_STAMP_UID_BYTES])
{
	uint8_t b[16];

	if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b))
		return errno ? -errno : -EIO;
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	(void)snprintf(ret_uid, WF_STAMP_UID_BYTES,
		       "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
		       b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12],
		       b[13], b[14], b[15]);
	return 0;
}

static bool is_stamped(const char *key)
{
	for (int i = 0; i < WF_STAMP_KEYS; i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	return false;
}

/* Members of metadata that are the user's; a missing metadata has none. */
static size_t count_own(const json_t *metadata)
{
	size_t count = json_object_size(metadata);

	for (int i = 0; i < WF_STAMP_KEYS; i++)
		count -= json_object_get(metadata, keys[i]) != NULL;
	return count;
}

static bool metadata_equal(const json_t *a, const json_t *b)
{
	const char *key;
	json_t *member;

	if (count_own(a) != count_own(b))
		return false;
	json_object_foreach((json_t *)a, key, member)
		if (!is_stamped(key) && !json_equal(member, json_object_get(b, key)))
			return false;
	return true;
}

bool wf_stamp_equal(const json_t *a, const json_t *b)
{
	const json_t *meta_a = json_object_get(a, "metadata");
	const json_t *meta_b = json_object_get(b, "metadata");
	const char *key;
	json_t *member;

	if (json_object_size(a) - (meta_a != NULL) != json_object_size(b) - (meta_b != NULL))
		return false;
	json_object_foreach((json_t *)a, key, member)
		if (member != meta_a && !json_equal(member, json_object_get(b, key)))
			return false;
	return metadata_equal(meta_a, meta_b);
}

int wf_stamp_version(json_t *document, uint64_t revision)
{
	json_t *metadata = json_object_get(document, "metadata");
	const char *now = json_string_value(json_object_get(metadata, "resourceVersion"));
	char version[24];

	(void)snprintf(version, sizeof(version), "%llu", (unsigned long long)revision);
	if (now && strcmp(now, version) == 0)
		return 0;
	if (!metadata) {
		metadata = json_object();
		if (json_object_set_new(document, "metadata", metadata) < 0)
			return -ENOMEM;
	}
	return json_object_set_new(metadata, "resourceVersion", json_string(version)) < 0 ? -ENOMEM
											  : 0;
}

int wf_stamp_put(struct wf_stamp *stamp, json_t *document, const char *uid, uint64_t revision,
		 const char *created)
{
	json_t *metadata = json_object_get(document, "metadata");
	char version[24];
	const char *const values[WF_STAMP_KEYS] = { uid, version, created };

	(void)snprintf(version, sizeof(version), "%llu", (unsigned long long)revision);
	*stamp = (struct wf_stamp){ .document = document, .made_metadata = !metadata };
	if (!metadata) {
		metadata = json_object();
		if (!metadata || json_object_set_new(document, "metadata", metadata) < 0) {
			*stamp = (struct wf_stamp){ 0 };
			return -ENOMEM;
		}
	}
	for (int i = 0; i < WF_STAMP_KEYS; i++) {
		json_t *old = json_incref(json_object_get(metadata, keys[i]));

		if (json_object_set_new(metadata, keys[i], json_string(values[i])) < 0) {
			json_decref(old);
			wf_stamp_undo(stamp);
			return -ENOMEM;
		}
		stamp->old[i] = old;
		stamp->applied++;
	}
	return 0;
}

void wf_stamp_keep(struct wf_stamp *stamp)
{
	for (int i = 0; i < stamp->applied; i++)
		json_decref(stamp->old[i]);
	*stamp = (struct wf_stamp){ 0 };
}

/*
 * Cannot fail although it sets members: jansson makes room before it looks whether the key is
 * there, so after the sets of wf_stamp_put() there is room for as many members as there were
 * before; those it added go first.
 */
void wf_stamp_undo(struct wf_stamp *stamp)
{
	json_t *metadata = json_object_get(stamp->document, "metadata");

	for (int i = 0; i < stamp->applied; i++)
		if (!stamp->old[i])
			(void)json_object_del(metadata, keys[i]);
	for (int i = 0; i < stamp->applied; i++)
		if (stamp->old[i])
			(void)json_object_set_new(metadata, keys[i], stamp->old[i]);
	if (stamp->made_metadata)
		(void)json_object_del(stamp->document, "metadata");
	*stamp = (struct wf_stamp){ 0 };
}
