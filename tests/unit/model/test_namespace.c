/* SPDX-License-Identifier: Apache-2.0 */
#include "model/namespace.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "documents.h"
#include "fail_alloc.h"
#include "model/document.h"

/* Namespace with this metadata. */
static json_t *document(const char *metadata)
{
	return document_format("{apiVersion: v1, kind: Namespace, metadata: %s, spec: {}}",
			       metadata);
}

static void test_everything(void **state)
{
	_cleanup_(wf_namespace_done) struct wf_namespace namespace = { .audit = false };
	_cleanup_json_ json_t *in =
		document("{name: shop, uid: u, generation: 2, finalizers: [a], labels: {team: a},"
			 " annotations: {weft.dev/audit: 'true'}}");

	assert_int_equal(wf_document_check_deep(in, NULL), 0);
	assert_int_equal(wf_namespace_from_json(&namespace, in, NULL), 0);
	assert_true(namespace.audit);
	assert_string_equal(namespace.meta.name, "shop");
	assert_string_equal(namespace.meta.namespace, "");
	assert_string_equal(wf_labels_get(&namespace.meta.labels, "team"), "a");
}

static void test_least(void **state)
{
	_cleanup_(wf_namespace_done) struct wf_namespace namespace = { .audit = true };
	_cleanup_json_ json_t *in = document("{name: x, annotations: {weft.dev/audit: 'false'}}");

	assert_int_equal(wf_namespace_from_json(&namespace, in, NULL), 0);
	assert_false(namespace.audit);
}

static void test_refusals(void **state)
{
	static const struct {
		const char *metadata;
		const char *field;
	} rows[] = {
		{ "{name: a.b}", "metadata.name" },
		{ "{name: x, namespace: y}", "metadata.namespace" },
		{ "{name: x, annotations: {weft.dev/audit: 'yes'}}",
		  "metadata.annotations.weft.dev/audit" },
		{ "{name: x, labels: {a: 'b c'}}", "metadata.labels.a" },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		_cleanup_json_ json_t *in = document(rows[i].metadata);
		struct wf_err err = WF_ERR_INIT;

		assert_int_equal(wf_document_check_deep(in, &err), -EINVAL);
		assert_string_equal(err.field, rows[i].field);
	}
}

static void test_allocation_failures(void **state)
{
	_cleanup_json_ json_t *in = document("{name: x, labels: {team: a}}");

	for (size_t n = 0;; n++) {
		struct wf_namespace namespace = { .audit = false };
		int r;

		fail_alloc_arm(n);
		r = wf_namespace_from_json(&namespace, in, NULL);
		if (!fail_alloc_disarm()) {
			assert_int_equal(r, 0);
			wf_namespace_done(&namespace);
			return;
		}
		assert_int_equal(r, -ENOMEM);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_least),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_allocation_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
