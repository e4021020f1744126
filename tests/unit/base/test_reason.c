/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/reason.h"

static void every_reason_has_a_name(void **state)
{
	for (unsigned int i = 1; i < WF_REASON_COUNT; i++) {
		assert_string_not_equal(wf_reason_label(i), "unknown");
		assert_true(strlen(wf_reason_text(i)) > 5);
		for (unsigned int j = 1; j < i; j++)
			assert_string_not_equal(wf_reason_label(i), wf_reason_label(j));
	}
}

static void classes_are_the_four(void **state)
{
	for (unsigned int i = 1; i < WF_REASON_COUNT; i++)
		assert_non_null(strstr("attack error policy noise", wf_reason_class(i)));
	assert_string_equal(wf_reason_class(WF_REASON_SPOOFED_IP), "attack");
}

static void beyond_the_list_is_unknown(void **state)
{
	assert_string_equal(wf_reason_label(0), "unknown");
	assert_string_equal(wf_reason_label(WF_REASON_COUNT), "unknown");
	assert_string_equal(wf_reason_label(~0U), "unknown");
	assert_non_null(strstr(wf_reason_hint(~0U), "versions"));
	assert_string_equal(wf_reason_hint(WF_REASON_SPOOFED_ND), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_reason_has_a_name),
		cmocka_unit_test(classes_are_the_four),
		cmocka_unit_test(beyond_the_list_is_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
