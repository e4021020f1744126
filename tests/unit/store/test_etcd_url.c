/* SPDX-License-Identifier: Apache-2.0 */
/* URLs of stores in etcd: those that are taken, those that are not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "store/etcd.h"

static void test_options(void **state)
{
	static const struct {
		const char *url;
		const char *endpoint;
		size_t count;
		const char *prefix;
	} good[] = {
		{ "etcd://10.0.0.1:2379", "http://10.0.0.1:2379", 1, "/weft" },
		{ "etcd://a,b:1,[fd00::1]:2", "http://a:2379", 3, "/weft" },
		{ "etcds://h:1/", "https://h:1", 1, "/weft" },
		{ "etcds://h:1/a/b/", "https://h:1", 1, "/a/b" },
	};
	static const char *const bad[] = {
		"etcd://",        "etcd:///x",  "http://a",        "etcd://a:0",
		"etcd://a:70000", "etcd://a b", "etcd://u@h",      "etcd://fd00::1",
		"etcd://a:1/x y", "etcd://a?x", "etcd://[fd00::1",
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(good); i++) {
		struct wf_store_etcd_url url;

		assert_int_equal(wf_store_etcd_url_parse(good[i].url, &url, NULL), 0);
		assert_string_equal(url.endpoints[0], good[i].endpoint);
		assert_int_equal(url.endpoint_count, good[i].count);
		assert_string_equal(url.prefix, good[i].prefix);
		wf_store_etcd_url_done(&url);
	}
	for (size_t i = 0; i < WF_ARRAY_LEN(bad); i++) {
		struct wf_store_etcd_url url;

		if (wf_store_etcd_url_parse(bad[i], &url, NULL) != -EINVAL)
			fail_msg("%s was accepted", bad[i]);
		wf_store_etcd_url_done(&url);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_options) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
