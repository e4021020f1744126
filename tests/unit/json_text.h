/* SPDX-License-Identifier: Apache-2.0 */
/* JSON of tests, written with ' for ", so that tables stay readable. */
#ifndef WEFT_TESTS_UNIT_JSON_TEXT_H
#define WEFT_TESTS_UNIT_JSON_TEXT_H

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

/* The text as others read it. Owned by the caller. */
static inline char *json_quoted(const char *text)
{
	char *copy = strdup(text);

	assert_non_null(copy);
	for (char *at = copy; *at; at++)
		if (*at == '\'')
			*at = '"';
	return copy;
}

/* Any value. New reference. */
static inline json_t *json_of(const char *text)
{
	_cleanup_free_ char *quoted = json_quoted(text);
	json_error_t fault;
	json_t *value = json_loads(quoted, JSON_DECODE_ANY, &fault);

	if (!value)
		fail_msg("not JSON: %s: %s", fault.text, quoted);
	return value;
}

/* Compares a value with text in the same notation; frees both. */
static inline void assert_json(json_t *value, const char *text)
{
	json_t *wanted = json_of(text);

	if (!json_equal(value, wanted)) {
		char *got = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

		print_error("got    %s\nwanted %s\n", got, text);
		free(got);
		fail();
	}
	json_decref(value);
	json_decref(wanted);
}

#endif
