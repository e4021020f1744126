/* SPDX-License-Identifier: Apache-2.0 */
/* See fake_gate.h; and the store, whose calls come through here by the linker's --wrap. */
#include "fake_gate.h"

#include <errno.h>

#include "store/store.h"

static size_t calls[FAKE_KIND_COUNT];
static bool is_armed, is_shut, has_failed;
static enum fake_kind armed_kind;
static size_t good_left;
static const char *failed_function = "";

void fake_gate_arm(enum fake_kind kind, size_t n)
{
	armed_kind = kind;
	good_left = n;
	has_failed = false;
	is_shut = false;
	is_armed = true;
}

void fake_gate_shut(enum fake_kind kind)
{
	fake_gate_arm(kind, 0);
	is_shut = true;
}

bool fake_gate_disarm(void)
{
	is_armed = false;
	return has_failed;
}

const char *fake_gate_failed(void)
{
	return failed_function;
}

size_t fake_gate_calls(enum fake_kind kind)
{
	return calls[kind];
}

void fake_gate_reset_calls(void)
{
	for (size_t i = 0; i < FAKE_KIND_COUNT; i++)
		calls[i] = 0;
}

static bool must_fail(enum fake_kind kind)
{
	if (!is_armed || kind != armed_kind || (has_failed && !is_shut))
		return false;
	if (good_left) {
		good_left--;
		return false;
	}
	has_failed = true;
	return true;
}

int fake_gate_pass(enum fake_kind kind, const char *function, int code, struct wf_err *err)
{
	calls[kind]++;
	if (!must_fail(kind))
		return 0;
	failed_function = function;
	return wf_fail(err, code, "%s was made to fail", function);
}

/* ---- the store ---------------------------------------------------------------------------- */

int __real_wf_store_get(struct wf_store *store, const char *kind, const char *name,
			json_t **ret_document, struct wf_err *err);
int __wrap_wf_store_get(struct wf_store *store, const char *kind, const char *name,
			json_t **ret_document, struct wf_err *err);
int __real_wf_store_list(struct wf_store *store, const char *kind, json_t **ret_array,
			 uint64_t *ret_revision, struct wf_err *err);
int __wrap_wf_store_list(struct wf_store *store, const char *kind, json_t **ret_array,
			 uint64_t *ret_revision, struct wf_err *err);
int __real_wf_store_visit(struct wf_store *store, const char *kind, wf_store_visit_fn visit,
			  void *context, struct wf_err *err);
int __wrap_wf_store_visit(struct wf_store *store, const char *kind, wf_store_visit_fn visit,
			  void *context, struct wf_err *err);
int __real_wf_store_visit_texts(struct wf_store *store, const char *kind, wf_store_text_fn take,
				wf_store_visit_fn visit, void *context, struct wf_err *err);
int __wrap_wf_store_visit_texts(struct wf_store *store, const char *kind, wf_store_text_fn take,
				wf_store_visit_fn visit, void *context, struct wf_err *err);
int __real_wf_store_commit(struct wf_store *store, const struct wf_store_write *writes,
			   size_t count, enum wf_store_durability durability,
			   uint64_t *ret_revision, struct wf_err *err);
int __wrap_wf_store_commit(struct wf_store *store, const struct wf_store_write *writes,
			   size_t count, enum wf_store_durability durability,
			   uint64_t *ret_revision, struct wf_err *err);

int __real_wf_store_stage_add(struct wf_store_stage *stage, const struct wf_store_write *write,
			      struct wf_err *err);
int __wrap_wf_store_stage_add(struct wf_store_stage *stage, const struct wf_store_write *write,
			      struct wf_err *err);
int __real_wf_store_stage_commit(struct wf_store_stage **stage, enum wf_store_durability durability,
				 uint64_t *ret_revision, struct wf_err *err);
int __wrap_wf_store_stage_commit(struct wf_store_stage **stage, enum wf_store_durability durability,
				 uint64_t *ret_revision, struct wf_err *err);

int __wrap_wf_store_get(struct wf_store *store, const char *kind, const char *name,
			json_t **ret_document, struct wf_err *err)
{
	int r = fake_gate_pass(FAKE_STORE, "wf_store_get", -EIO, err);

	return r < 0 ? r : __real_wf_store_get(store, kind, name, ret_document, err);
}

int __wrap_wf_store_list(struct wf_store *store, const char *kind, json_t **ret_array,
			 uint64_t *ret_revision, struct wf_err *err)
{
	int r = fake_gate_pass(FAKE_STORE, "wf_store_list", -EIO, err);

	return r < 0 ? r : __real_wf_store_list(store, kind, ret_array, ret_revision, err);
}

int __wrap_wf_store_visit(struct wf_store *store, const char *kind, wf_store_visit_fn visit,
			  void *context, struct wf_err *err)
{
	int r = fake_gate_pass(FAKE_STORE, "wf_store_visit", -EIO, err);

	return r < 0 ? r : __real_wf_store_visit(store, kind, visit, context, err);
}

int __wrap_wf_store_visit_texts(struct wf_store *store, const char *kind, wf_store_text_fn take,
				wf_store_visit_fn visit, void *context, struct wf_err *err)
{
	int r = fake_gate_pass(FAKE_STORE, "wf_store_visit_texts", -EIO, err);

	return r < 0 ? r : __real_wf_store_visit_texts(store, kind, take, visit, context, err);
}

int __wrap_wf_store_commit(struct wf_store *store, const struct wf_store_write *writes,
			   size_t count, enum wf_store_durability durability,
			   uint64_t *ret_revision, struct wf_err *err)
{
	int r = fake_gate_pass(FAKE_STORE, "wf_store_commit", -ENOSPC, err);

	return r < 0 ? r
		     : __real_wf_store_commit(store, writes, count, durability, ret_revision, err);
}

int __wrap_wf_store_stage_add(struct wf_store_stage *stage, const struct wf_store_write *write,
			      struct wf_err *err)
{
	int r = fake_gate_pass(FAKE_STORE, "wf_store_stage_add", -EIO, err);

	return r < 0 ? r : __real_wf_store_stage_add(stage, write, err);
}

int __wrap_wf_store_stage_commit(struct wf_store_stage **stage, enum wf_store_durability durability,
				 uint64_t *ret_revision, struct wf_err *err)
{
	int r = fake_gate_pass(FAKE_STORE, "wf_store_stage_commit", -ENOSPC, err);

	return r < 0 ? r : __real_wf_store_stage_commit(stage, durability, ret_revision, err);
}
