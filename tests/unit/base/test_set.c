/* SPDX-License-Identifier: Apache-2.0 */
#include "base/set.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/index.h"
#include "base/mem.h"
#include "fail_alloc.h"

#define THINGS 700

struct thing {
	uint64_t key;
	bool is_in;
};

static struct thing things[THINGS];

/* Many have one hash, and many the places at the end, behind which the beginning is. */
static uint64_t hash_of(uint64_t key)
{
	return key % 3 == 0 ? UINT64_MAX - key % 5 : wf_hash_number(0, key / 4);
}

static uint64_t hash(const void *object)
{
	return hash_of(((const struct thing *)object)->key);
}

static bool is(const void *object, const void *key)
{
	return ((const struct thing *)object)->key == *(const uint64_t *)key;
}

static const struct wf_set_ops ops = { hash, is };

static void *find(const struct wf_set *set, uint64_t key)
{
	return wf_set_find(set, hash_of(key), &key);
}

static void make_things(void)
{
	for (size_t i = 0; i < THINGS; i++)
		things[i] = (struct thing){ .key = i };
}

static void check_all(const struct wf_set *set, size_t count)
{
	size_t at = 0, seen = 0;

	assert_int_equal(set->count, count);
	for (size_t i = 0; i < THINGS; i++)
		assert_ptr_equal(find(set, i), things[i].is_in ? &things[i] : NULL);
	for (struct thing *thing; (thing = wf_set_walk(set, &at)); seen++)
		assert_true(thing->is_in);
	assert_int_equal(seen, count);
}

static void test_model(void **state)
{
	struct wf_set set = { .ops = &ops };
	size_t count = 0;

	(void)state;
	make_things();
	srand(5);
	check_all(&set, 0);
	for (unsigned int step = 0; step < 20000; step++) {
		struct thing *thing = &things[(unsigned int)rand() % THINGS];

		if (thing->is_in)
			wf_set_remove(&set, thing);
		else
			assert_int_equal(wf_set_add(&set, thing), 0);
		thing->is_in = !thing->is_in;
		count += thing->is_in ? 1 : (size_t)-1;
		assert_ptr_equal(find(&set, thing->key), thing->is_in ? thing : NULL);
		if (step % 100 == 0)
			check_all(&set, count);
	}
	check_all(&set, count);
	wf_set_done(&set);
}

static void test_same_key(void **state)
{
	struct thing twins[2] = { { .key = 7 }, { .key = 7 } }, other = { .key = 8 };
	struct wf_set set = { .ops = &ops };

	(void)state;
	assert_int_equal(wf_set_add(&set, &twins[0]), 0);
	assert_int_equal(wf_set_add(&set, &twins[1]), 0);
	assert_int_equal(wf_set_add(&set, &other), 0);
	wf_set_remove(&set, &twins[0]);
	wf_set_remove(&set, &twins[0]); /* is not in it any more */
	assert_ptr_equal(find(&set, 7), &twins[1]);
	assert_int_equal(set.count, 2);
	wf_set_done(&set);
}

/* Comparisons that a search of each took at most, on average. */
#define FEW 12

static size_t compared;

static bool counted_is(const void *object, const void *key)
{
	compared++;
	return object == key;
}

static uint64_t number_hash(const void *object)
{
	return wf_hash_number(0, *(const uint64_t *)object);
}

/* A set that is filled in the order of another one's slots is as good as any. */
static void test_filled_by_a_walk(void **state)
{
	static const struct wf_set_ops counted = { number_hash, counted_is };
	struct wf_set from = { .ops = &counted }, to = { .ops = &counted };
	static uint64_t numbers[50000];
	size_t at = 0;

	(void)state;
	for (size_t i = 0; i < WF_ARRAY_LEN(numbers); i++) {
		numbers[i] = i;
		assert_int_equal(wf_set_add(&from, &numbers[i]), 0);
	}
	compared = 0;
	for (uint64_t *number; (number = wf_set_walk(&from, &at));) {
		assert_int_equal(wf_set_add(&to, number), 0);
		assert_ptr_equal(wf_set_find(&to, number_hash(number), number), number);
	}
	assert_int_equal(to.count, WF_ARRAY_LEN(numbers));
	assert_true(compared < FEW * WF_ARRAY_LEN(numbers));
	wf_set_done(&from);
	wf_set_done(&to);
}

/* Without memory to grow it becomes full but for one slot, and still ends every search. */
static void test_no_memory(void **state)
{
	struct wf_set set = { .ops = &ops };
	size_t count = 0;

	(void)state;
	make_things();
	fail_alloc_arm(0);
	assert_int_equal(wf_set_add(&set, &things[0]), -ENOMEM);
	assert_true(fail_alloc_disarm());
	for (; count < 14; count++) {
		assert_int_equal(wf_set_add(&set, &things[count]), 0);
		things[count].is_in = true;
	}
	for (int r = 0; r == 0; count += r == 0) {
		fail_alloc_arm(0);
		r = wf_set_add(&set, &things[count]);
		assert_true(fail_alloc_disarm());
		things[count].is_in = r == 0;
	}
	assert_int_equal(count, 15);
	check_all(&set, count);
	wf_set_done(&set);
}

/* What there is room for needs no memory to be added, and what was there is still found. */
static void test_room(void **state)
{
	struct wf_set set = { .ops = &ops };
	size_t count = 0, slots;

	make_things();
	for (; count < 100; count++) {
		assert_int_equal(wf_set_add(&set, &things[count]), 0);
		things[count].is_in = true;
	}
	fail_alloc_arm(0);
	assert_int_equal(wf_set_reserve(&set, THINGS), -ENOMEM);
	assert_true(fail_alloc_disarm());
	check_all(&set, count);
	assert_int_equal(wf_set_reserve(&set, THINGS), 0);
	check_all(&set, count);
	slots = set.slot_count;
	for (; count < THINGS; count++) {
		assert_int_equal(wf_set_add(&set, &things[count]), 0);
		things[count].is_in = true;
	}
	assert_int_equal(set.slot_count, slots);
	/* for fewer there is room already */
	assert_int_equal(wf_set_reserve(&set, 10), 0);
	assert_int_equal(set.slot_count, slots);
	check_all(&set, count);
	wf_set_done(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_same_key),
		cmocka_unit_test(test_filled_by_a_walk),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
