/* SPDX-License-Identifier: Apache-2.0 */
#include "base/shared.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "fail_alloc.h"

/* The sanitizer sees a text that is freed too early, or never. */
static void test_holders(void **state)
{
	struct wf_shared *a, *b;

	(void)state;
	assert_int_equal(wf_shared_new(&a, "node-1"), 0);
	b = wf_shared_ref(a);
	wf_shared_unref(&a);
	assert_null(a);
	assert_string_equal(wf_shared_text(b), "node-1");
	wf_shared_unref(&b);
	assert_null(b);
}

static void test_nothing(void **state)
{
	struct wf_shared *none;

	(void)state;
	assert_int_equal(wf_shared_new(&none, ""), 0);
	assert_null(none);
	assert_null(wf_shared_ref(none));
	assert_string_equal(wf_shared_text(none), "");
	wf_shared_unref(&none);
}

static void test_no_memory(void **state)
{
	struct wf_shared *shared = NULL;

	(void)state;
	fail_alloc_arm(0);
	assert_int_equal(wf_shared_new(&shared, "x"), -ENOMEM);
	assert_true(fail_alloc_disarm());
	assert_null(shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_holders),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
