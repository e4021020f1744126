/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "fail_alloc.h"

static void test_grow(void **state)
{
	uint32_t *items = NULL;
	size_t capacity = 0;

	for (uint32_t i = 0; i < 1000; i++) {
		assert_int_equal(wf_mem_grow(&items, sizeof(*items), i, &capacity), 0);
		assert_true(capacity > i);
		items[i] = i;
	}
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(items[i], i);
	free(items);
}

static void test_grow_fails_untouched(void **state)
{
	char *items = NULL, *before;
	size_t capacity = 0;

	assert_int_equal(wf_mem_grow(&items, 1, 0, &capacity), 0);
	before = items;
	fail_alloc_arm(0);
	assert_int_equal(wf_mem_grow(&items, 1, capacity, &capacity), -ENOMEM);
	assert_true(fail_alloc_disarm());
	assert_ptr_equal(items, before);
	assert_int_equal(capacity, 8);
	assert_int_equal(wf_mem_grow(&items, SIZE_MAX / 4, capacity, &capacity), -ENOMEM);
	assert_int_equal(capacity, 8);
	free(items);
}

static void test_take(void **state)
{
	char *owner = malloc(1);
	char *taken = TAKE_PTR(owner);
	int fd = 7;

	assert_null(owner);
	assert_non_null(taken);
	free(taken);
	assert_int_equal(TAKE_FD(fd), 7);
	assert_int_equal(fd, -1);
}

static int open_and_leave(void)
{
	_cleanup_close_ int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int none = -1;
	_cleanup_free_ char *memory = malloc(10);

	/* leaks would be reported by the sanitizer */
	assert_non_null(memory);
	assert_true(none < 0);
	return fd;
}

static void test_cleanup(void **state)
{
	int fd = open_and_leave();

	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grow),
		cmocka_unit_test(test_grow_fails_untouched),
		cmocka_unit_test(test_take),
		cmocka_unit_test(test_cleanup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
