/* SPDX-License-Identifier: Apache-2.0 */
/* Short forms for the plugin's tests. Included after cmocka.h. */
#ifndef WEFT_TESTS_UNIT_CNI_HELPER_H
#define WEFT_TESTS_UNIT_CNI_HELPER_H

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* JSON with ' for ", so that tables stay readable. Owned by the caller. */
static inline json_t *json_of(const char *text)
{
	_cleanup_free_ char *copy = strdup(text);
	json_error_t fault;
	json_t *value;

	for (char *at = copy; *at; at++)
		if (*at == '\'')
			*at = '"';
	value = json_loads(copy, JSON_DECODE_ANY, &fault);
	if (!value)
		fail_msg("not JSON: %s: %s", fault.text, copy);
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
