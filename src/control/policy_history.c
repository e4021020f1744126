/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who changed which policy when, and what: on record in the store, in the same transaction as the
 * change itself, and in the log. The record is bounded: the oldest go.
 */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/control_priv.h"
#include "control/policy_diff.h"
#include "model/document.h"

WF_LOG_MODULE(policy_history);

#define HISTORY_KIND "PolicyChange"
#define HISTORY_MAX  1000
/* A longer diff is cut, and says so. */
#define MAX_DIFF_BYTES 32768

static void history_name(char name[24], uint64_t number)
{
	(void)snprintf(name, 24, "%020llu", (unsigned long long)number);
}

static void user_name(uint32_t uid, char name[64])
{
	struct passwd entry, *found = NULL;
	char buffer[1024];

	if (getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found) == 0 && found)
		(void)snprintf(name, 64, "%.63s", found->pw_name);
	else
		(void)snprintf(name, 64, "uid %u", uid);
}

/* What the asking process calls itself; "" when it is gone. */
static void command_name(int32_t pid, char name[32])
{
	_cleanup_str_ struct wf_str text = WF_STR_INIT;
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	*name = '\0';
	if (wf_file_read(path, 64, &text, NULL) == 0)
		(void)snprintf(name, 32, "%.*s", (int)strcspn(wf_str_text(&text), "\n"),
			       wf_str_text(&text));
}

/* The document as people wrote it, without what the store and weft add. */
static int add_yaml(const json_t *document, struct wf_str *out)
{
	static const char *const added[] = { "uid", "resourceVersion", "creationTimestamp" };
	_cleanup_json_ json_t *copy = document ? json_deep_copy(document) : NULL;

	if (!document)
		return 0;
	for (size_t i = 0; copy && i < WF_ARRAY_LEN(added); i++)
		(void)json_object_del(json_object_get(copy, "metadata"), added[i]);
	(void)json_object_del(copy, "status");
	return copy ? wf_document_to_yaml(copy, out) : -ENOMEM;
}

static int add_diff(json_t *spec, const struct ctl_policy_change *change)
{
	_cleanup_str_ struct wf_str before = WF_STR_INIT, after = WF_STR_INIT, diff = WF_STR_INIT;

	if (add_yaml(change->before, &before) < 0 || add_yaml(change->after, &after) < 0)
		return -ENOMEM;
	wf_ctl_diff(wf_str_text(&before), wf_str_text(&after), &diff);
	if (diff.len > MAX_DIFF_BYTES) {
		size_t end = MAX_DIFF_BYTES;

		while (end && diff.data[end - 1] != '\n')
			end--;
		diff.data[end] = '\0';
		(void)json_object_set_new(spec, "diffCut", json_true());
	}
	return diff.failed ? -ENOMEM : wf_json_set_str(spec, "diff", wf_str_text(&diff));
}

static json_t *change_document(const struct wf_control *control, uint64_t number,
			       const struct ctl_policy_change *change)
{
	const struct wf_control_actor *actor = &control->policy.actor;
	char name[24], when[WF_CLOCK_TEXT], user[64] = "weft", command[32] = "";
	_cleanup_json_ json_t *document = NULL;
	json_t *spec;

	history_name(name, number);
	if (actor->pid) {
		user_name(actor->uid, user);
		command_name(actor->pid, command);
	}
	spec = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I}", "time",
			 wf_clock_format(wf_clock_wall_s(), when), "action", change->action, "kind",
			 change->kind, "name", change->key, "user", user, "uid",
			 (json_int_t)actor->uid, "pid", (json_int_t)actor->pid);
	if (!spec || wf_json_set_str(spec, "command", command) < 0 || add_diff(spec, change) < 0) {
		json_decref(spec);
		return NULL;
	}
	document = json_pack("{s:s, s:s, s:{s:s}, s:o}", "apiVersion", WF_API_VERSION, "kind",
			     HISTORY_KIND, "metadata", "name", name, "spec", spec);
	return TAKE_PTR(document);
}

/* Which numbers are taken: asked once. */
static int read_numbers(struct wf_control *control, struct wf_err *err)
{
	_cleanup_json_ json_t *items = NULL;
	uint64_t revision, first = 0, last = 0;
	json_t *item;
	size_t i;
	int r;

	if (control->policy.history_read)
		return 0;
	r = wf_store_list(control->store, HISTORY_KIND, &items, &revision, err);
	if (r < 0)
		return r;
	json_array_foreach(items, i, item) {
		const char *name = wf_json_str(json_object_get(item, "metadata"), "name", "");

		if (wf_str_to_u64(name + strspn(name, "0"), 1, UINT64_MAX, &last) == 0 && !first)
			first = last;
	}
	control->policy.history_first = first ? first : 1;
	control->policy.history_next = last + 1;
	control->policy.history_read = true;
	return 0;
}

/* A name of a write has to live as long as the write: it is kept in the documents. */
static const char *keep_name(json_t *items, uint64_t number)
{
	char name[24];
	json_t *text;

	history_name(name, number);
	text = json_string(name);
	return json_array_append_new(items, text) < 0 ? NULL : json_string_value(text);
}

static int history_put(struct wf_control *control, const struct ctl_policy_change *change,
		       struct wf_store_write *write, json_t *items)
{
	json_t *document = change_document(control, control->policy.history_next, change);

	if (!document || json_array_append_new(items, document) < 0)
		return -ENOMEM;
	*write = (struct wf_store_write){
		.op = WF_STORE_PUT,
		.kind = HISTORY_KIND,
		.name = json_string_value(
			json_object_get(json_object_get(document, "metadata"), "name")),
		.document = document,
		.expected = WF_STORE_ANY,
	};
	control->policy.history_next++;
	return 0;
}

int wf_ctl_history_writes(struct wf_control *control, const struct ctl_policy_change *changes,
			  size_t count, struct wf_store_write *writes, size_t *ret_count,
			  json_t **ret_items, struct wf_err *err)
{
	_cleanup_json_ json_t *items = json_array();
	uint64_t first, next;
	size_t used = 0;
	int r = count ? read_numbers(control, err) : 0;

	if (r < 0)
		return r;
	first = control->policy.history_first;
	next = control->policy.history_next;
	r = items ? 0 : -ENOMEM;
	/* of a file of thousands the last ones are kept, as if they had come one by one */
	for (size_t i = count > HISTORY_MAX ? count - HISTORY_MAX : 0; r == 0 && i < count; i++) {
		r = history_put(control, &changes[i], &writes[used], items);
		used += r == 0;
	}
	while (r == 0 && first < next && control->policy.history_next - first > HISTORY_MAX) {
		const char *name = keep_name(items, first++);

		r = name ? 0 : -ENOMEM;
		writes[used++] = (struct wf_store_write){ .op = WF_STORE_DELETE,
							  .kind = HISTORY_KIND,
							  .name = name,
							  .expected = WF_STORE_ANY };
	}
	if (r < 0) {
		control->policy.history_next = next;
		return wf_fail(err, r, "out of memory for the record of changes");
	}
	if (count)
		control->policy.history_first = first;
	*ret_count = used;
	*ret_items = TAKE_PTR(items);
	return 0;
}

void wf_ctl_history_forget(struct wf_control *control)
{
	control->policy.history_read = false;
}

void wf_ctl_history_log(const struct wf_control *control, const struct ctl_policy_change *change)
{
	const struct wf_control_actor *actor = &control->policy.actor;
	char user[64] = "weft", command[32] = "";

	if (actor->pid) {
		user_name(actor->uid, user);
		command_name(actor->pid, command);
	}
	wf_log_info("policy changed",
		    "kind=%s name=%s action=\"%s\" user=\"%s\" uid=%u pid=%d command=\"%s\"",
		    change->kind, change->key, change->action, user, actor->uid, actor->pid,
		    command);
}

int wf_control_policy_history(struct wf_control *control, size_t limit, json_t **ret_answer,
			      struct wf_err *err)
{
	_cleanup_json_ json_t *items = NULL, *newest = json_array();
	uint64_t revision;
	int r = wf_store_list(control->store, HISTORY_KIND, &items, &revision, err);

	if (r < 0)
		return r;
	for (size_t i = json_array_size(items); newest && i-- > 0;) {
		json_t *spec = json_object_get(json_array_get(items, i), "spec");

		if (limit && json_array_size(newest) == limit)
			break;
		if (json_array_append(newest, spec) < 0)
			return wf_fail(err, -ENOMEM, "out of memory");
	}
	*ret_answer = json_pack("{s:O}", "items", newest);
	return *ret_answer ? 0 : wf_fail(err, -ENOMEM, "out of memory");
}
