/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of the gateway as text: those that etcd 3.4 gives, and those that nobody should. */
#include "store/etcd_wire.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../fail_alloc.h"
#include "base/mem.h"

#define HEADER                                                                    \
	"\"header\":{\"cluster_id\":\"324952591200643719\",\"member_id\":\"33\"," \
	"\"revision\":\"7\",\"raft_term\":\"2\"}"

static void read_good(const char *text, struct wf_etcd_answer *answer)
{
	struct wf_err err = WF_ERR_INIT;

	if (wf_etcd_answer_read(text, strlen(text), answer, &err) < 0)
		fail_msg("%s: %s", text, err.message);
}

static void test_range(void **state)
{
	_cleanup_(wf_etcd_answer_done) struct wf_etcd_answer answer;

	read_good(
		"{" HEADER ",\"kvs\":[{\"key\":\"L3dlZnQvSy9h\",\"create_revision\":\"2\","
		"\"mod_revision\":\"5\",\"version\":\"1\",\"value\":\"aGVsbG8=\",\"lease\":\"9\"},"
		"{\"key\":\"YQA=\",\"mod_revision\":\"6\"}],\"more\":true,\"count\":\"12\"}",
		&answer);
	assert_true(answer.cluster_id == 324952591200643719);
	assert_int_equal(answer.revision, 7);
	assert_int_equal(answer.kv_count, 2);
	assert_string_equal(answer.kvs[0].key, "/weft/K/a");
	assert_string_equal(answer.kvs[0].value, "hello");
	assert_int_equal(answer.kvs[0].mod_revision, 5);
	assert_int_equal(answer.kvs[0].lease, 9);
	assert_int_equal(answer.kvs[1].key_len, 2);
	assert_null(answer.kvs[1].value);
	assert_true(answer.more);
	assert_int_equal(answer.count, 12);
}

static void test_txn(void **state)
{
	_cleanup_(wf_etcd_answer_done) struct wf_etcd_answer answer;

	read_good("{" HEADER ",\"succeeded\":true,\"responses\":[{\"response_put\":{\"header\":{"
		  "\"revision\":\"3\"}}},{\"response_range\":{\"header\":{},\"kvs\":[{\"key\":"
		  "\"YQ==\",\"mod_revision\":\"1\"}],\"count\":\"1\"}},{\"response_txn\":{"
		  "\"header\":{},\"succeeded\":true,\"responses\":[{\"response_range\":{\"kvs\":["
		  "{\"key\":\"Yg==\",\"mod_revision\":\"2\"}]}}]}}]}",
		  &answer);
	assert_true(answer.succeeded);
	assert_int_equal(answer.kv_count, 2);
	assert_string_equal(answer.kvs[1].key, "b");
	assert_int_equal(answer.nested_succeeded, 1);
}

static void test_watch(void **state)
{
	struct wf_etcd_answer answer;

	read_good("{\"result\":{" HEADER ",\"created\":true}}", &answer);
	assert_true(answer.created);
	wf_etcd_answer_done(&answer);
	read_good(
		"{\"result\":{" HEADER ",\"fragment\":true,\"events\":[{\"kv\":{\"key\":\"YQ==\","
		"\"mod_revision\":\"7\",\"value\":\"e30=\"}},{\"type\":\"DELETE\",\"kv\":{\"key\":"
		"\"Yg==\",\"mod_revision\":\"7\"}}]}}",
		&answer);
	assert_true(answer.fragment);
	assert_int_equal(answer.kv_count, 2);
	assert_false(answer.kvs[0].is_deleted);
	assert_true(answer.kvs[1].is_deleted);
	wf_etcd_answer_done(&answer);
	read_good("{\"result\":{" HEADER ",\"canceled\":true,\"compact_revision\":\"3\"}}",
		  &answer);
	assert_true(answer.canceled);
	assert_int_equal(answer.compact_revision, 3);
	wf_etcd_answer_done(&answer);
	read_good("{\"error\":{\"grpc_code\":14,\"http_code\":503,\"message\":\"no leader\"}}",
		  &answer);
	assert_int_equal(answer.code, WF_ETCD_UNAVAILABLE);
	assert_string_equal(answer.message, "no leader");
	wf_etcd_answer_done(&answer);
}

static void test_failure(void **state)
{
	_cleanup_(wf_etcd_answer_done) struct wf_etcd_answer answer;

	read_good(
		"{\"error\":\"etcdserver: requested lease not found\",\"message\":\"x\",\"code\":5}",
		&answer);
	assert_int_equal(answer.code, WF_ETCD_NOT_FOUND);
	assert_string_equal(answer.message, "etcdserver: requested lease not found");
}

static void test_nonsense(void **state)
{
	static const char *const rows[] = {
		"",
		"null",
		"7",
		"[]",
		"{}",
		"{",
		"{\"header\":7}",
		"{\"header\":{}}",
		"{\"header\":{\"cluster_id\":\"0\"}}",
		"{\"header\":{\"cluster_id\":\"-1\"}}",
		"{\"header\":{\"cluster_id\":-1}}",
		"{\"header\":{\"cluster_id\":\"99999999999999999999\"}}",
		"{\"header\":{\"cluster_id\":\"1\",\"revision\":\"9000000000000000000\"}}",
		"{\"header\":{\"cluster_id\":\"1\",\"revision\":[]}}",
		"{" HEADER ",\"kvs\":{}}",
		"{" HEADER ",\"kvs\":[1]}",
		"{" HEADER ",\"kvs\":[{}]}",
		"{" HEADER ",\"kvs\":[{\"key\":\"YQ==\"}]}",
		"{" HEADER ",\"kvs\":[{\"key\":\"YQ\",\"mod_revision\":\"1\"}]}",
		"{" HEADER ",\"kvs\":[{\"key\":7,\"mod_revision\":\"1\"}]}",
		"{" HEADER ",\"kvs\":[{\"key\":\"YQ==\",\"mod_revision\":\"x\"}]}",
		"{" HEADER ",\"kvs\":[{\"key\":\"YQ==\",\"mod_revision\":\"1\",\"lease\":"
		"\"18446744073709551615\"}]}",
		"{" HEADER ",\"more\":\"yes\"}",
		"{" HEADER ",\"succeeded\":1}",
		"{" HEADER ",\"responses\":3}",
		"{" HEADER ",\"events\":3}",
		"{" HEADER ",\"events\":[{\"type\":\"MOVE\",\"kv\":{\"key\":\"YQ==\","
		"\"mod_revision\":\"1\"}}]}",
		"{" HEADER ",\"events\":[{}]}",
		"{\"error\":{}}",
		"{\"error\":\"x\"}",
		"{\"error\":\"x\",\"code\":99}",
		"{\"error\":7,\"code\":5}",
		"{\"result\":7}",
		"{\"result\":{}}",
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		struct wf_etcd_answer answer;
		struct wf_err err = WF_ERR_INIT;

		if (wf_etcd_answer_read(rows[i], strlen(rows[i]), &answer, &err) != -EPROTO)
			fail_msg("%s was read", rows[i]);
		assert_int_equal(err.code, -EPROTO);
		assert_true(err.message[0] != '\0');
		wf_etcd_answer_done(&answer);
	}
}

static void test_keys(void **state)
{
	static const struct {
		const char *key;
		const char *kind;
		const char *name;
	} rows[] = {
		{ "/weft/K/a", "K", "a" },      { "/weft/K/a/b", "K", "a/b" },
		{ "/weft/schema", NULL, NULL }, { "/weft/K/", NULL, NULL },
		{ "/weft//a", NULL, NULL },     { "/weft", NULL, NULL },
		{ "/weft/", NULL, NULL },       { "/weftx/K/a", NULL, NULL },
		{ "/wef", NULL, NULL },         { "", NULL, NULL },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		char text[32], *kind = NULL, *name = NULL;

		assert_int_equal(wf_str_copy(text, sizeof(text), rows[i].key), 0);
		assert_int_equal(wf_etcd_split_key("/weft", text, strlen(text), &kind, &name),
				 rows[i].kind != NULL);
		if (!rows[i].kind)
			continue;
		assert_string_equal(kind, rows[i].kind);
		assert_string_equal(name, rows[i].name);
	}
	{
		char text[] = "/weft/K/a\0b", *kind, *name;

		assert_false(wf_etcd_split_key("/weft", text, sizeof(text) - 1, &kind, &name));
	}
}

static void test_requests(void **state)
{
	_cleanup_str_ struct wf_str text = WF_STR_INIT;

	wf_etcd_add_range(&text, "/weft/", 6, "/weft0");
	wf_str_add(&text, "} ");
	wf_etcd_add_compare(&text, "a", "", "EQUAL", 12);
	wf_etcd_add_put(&text, "a", "b", 7);
	wf_etcd_add_delete(&text, "a");
	wf_etcd_add_get(&text, "a");
	assert_string_equal(
		wf_str_text(&text),
		"{\"key\":\"L3dlZnQv\",\"range_end\":\"L3dlZnQw\"} "
		"{\"key\":\"YQ==\",\"target\":\"MOD\",\"result\":\"EQUAL\",\"mod_revision\":\"12\"}"
		"{\"request_put\":{\"key\":\"YQ==\",\"value\":\"Yg==\",\"lease\":\"7\"}}"
		"{\"request_delete_range\":{\"key\":\"YQ==\"}}"
		"{\"request_range\":{\"key\":\"YQ==\"}}");
}

/* Whatever allocation fails: an error, nothing leaks, nothing is half read. */
static void test_no_memory(void **state)
{
	static const char text[] =
		"{" HEADER ",\"kvs\":[{\"key\":\"YQ==\",\"mod_revision\":\"1\",\"value\":"
		"\"aGVsbG8=\"},{\"key\":\"Yg==\",\"mod_revision\":\"2\"}]}";
	size_t failures = 0;

	for (size_t n = 0;; n++) {
		struct wf_etcd_answer answer;
		struct wf_err err = WF_ERR_INIT;
		int r;

		fail_alloc_arm(n);
		r = wf_etcd_answer_read(text, strlen(text), &answer, &err);
		wf_etcd_answer_done(&answer);
		if (!fail_alloc_disarm()) {
			assert_int_equal(r, 0);
			break;
		}
		assert_int_equal(r, -ENOMEM);
		failures++;
	}
	assert_true(failures > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_range),    cmocka_unit_test(test_txn),
		cmocka_unit_test(test_watch),    cmocka_unit_test(test_failure),
		cmocka_unit_test(test_nonsense), cmocka_unit_test(test_keys),
		cmocka_unit_test(test_requests), cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
