/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of tests from text, which has to be right. */
#ifndef WEFT_TESTS_UNIT_FROM_TEXT_H
#define WEFT_TESTS_UNIT_FROM_TEXT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/addr.h"

static inline struct wf_addr addr_of(const char *text)
{
	struct wf_addr addr;

	assert_int_equal(wf_addr_parse(text, &addr), 0);
	return addr;
}

static inline struct wf_prefix prefix_of(const char *text)
{
	struct wf_prefix prefix;

	assert_int_equal(wf_prefix_parse(text, &prefix), 0);
	return prefix;
}

#endif
