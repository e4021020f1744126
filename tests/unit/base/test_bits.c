/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

/* Random changes against an array of bools. */
static void against_model(uint32_t size, unsigned int steps)
{
	struct wf_bits bits;
	_cleanup_free_ bool *model = calloc(size ? size : 1, sizeof(*model));
	uint32_t count = 0;

	assert_int_equal(wf_bits_init(&bits, size), 0);
	for (unsigned int i = 0; i < steps; i++) {
		uint32_t number = (uint32_t)rand() % size, next;

		/* first it fills up, then it empties */
		if ((unsigned int)rand() % steps > i) {
			wf_bits_set(&bits, number);
			count += !model[number];
			model[number] = true;
		} else {
			wf_bits_clear(&bits, number);
			count -= model[number];
			model[number] = false;
		}
		assert_int_equal(bits.count, count);
		assert_int_equal(wf_bits_has(&bits, number), model[number]);
		number = (uint32_t)rand() % size;
		for (next = number; next < size && !model[next];)
			next++;
		assert_int_equal(wf_bits_next(&bits, number), next < size ? next : WF_BITS_NONE);
	}
	wf_bits_done(&bits);
}

static void test_model(void **state)
{
	static const uint32_t sizes[] = { 1, 2, 63, 64, 65, 127, 128, 4095, 4096, 4097, 20000 };

	srand(1);
	for (size_t i = 0; i < WF_ARRAY_LEN(sizes); i++)
		against_model(sizes[i], 4000);
}

static void test_bounds(void **state)
{
	struct wf_bits bits;

	assert_int_equal(wf_bits_init(&bits, 70), 0);
	wf_bits_set(&bits, 70);
	wf_bits_set(&bits, UINT32_MAX);
	wf_bits_clear(&bits, UINT32_MAX);
	assert_int_equal(bits.count, 0);
	assert_false(wf_bits_has(&bits, 70));
	assert_int_equal(wf_bits_next(&bits, UINT32_MAX), WF_BITS_NONE);
	wf_bits_set(&bits, 69);
	assert_int_equal(wf_bits_next(&bits, 0), 69);
	assert_int_equal(wf_bits_next(&bits, 70), WF_BITS_NONE);
	wf_bits_done(&bits);
	assert_int_equal(wf_bits_init(&bits, 0), 0);
	assert_int_equal(wf_bits_next(&bits, 0), WF_BITS_NONE);
	wf_bits_done(&bits);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
