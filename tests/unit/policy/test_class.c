/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/class.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static struct wf_class *get(struct wf_classes *classes, uint32_t a, uint32_t b)
{
	struct wf_class_items items = { 0 };
	struct wf_class *class;

	assert_int_equal(wf_class_items_add(&items, WF_WHO_ENDPOINT), 0);
	if (a)
		assert_int_equal(wf_class_items_add(&items, WF_CLASS_ITEM(a, 0)), 0);
	if (b)
		assert_int_equal(wf_class_items_add(&items, WF_CLASS_ITEM(b, 80)), 0);
	assert_int_equal(wf_classes_get(classes, &items, &class), 0);
	wf_class_items_done(&items);
	return class;
}

static void test_items(void **state)
{
	struct wf_class *ab, *a, *b;
	struct wf_classes classes;

	(void)state;
	assert_int_equal(wf_classes_init(&classes), 0);
	assert_int_equal(classes.world->id, WF_POLICY_CLASS_WORLD);
	ab = get(&classes, 7, 3);
	a = get(&classes, 7, 0);
	b = get(&classes, 0, 3);
	assert_ptr_equal(get(&classes, 7, 3), ab);
	assert_ptr_not_equal(a, b);
	assert_int_equal(WF_CLASS_ITEM_PORT(*wf_class_find(ab, 3)), 80);
	assert_null(wf_class_find(a, 3));
	/* alike without the atom: one of them gives way */
	wf_classes_strip(&classes, 3);
	assert_null(wf_class_find(ab, 3));
	assert_int_equal(classes.unkeyed, 1);
	assert_false(ab->is_keyed);
	assert_ptr_equal(get(&classes, 7, 0), a);
	assert_true(b->is_keyed);
	wf_class_retire(&classes, ab, false);
	assert_int_equal(classes.unkeyed, 0);
	assert_ptr_equal(classes.dead, ab);
	wf_classes_done(&classes);
}

static void test_numbers(void **state)
{
	struct wf_classes classes;
	struct wf_class *a, *b;

	(void)state;
	assert_int_equal(wf_classes_init(&classes), 0);
	wf_classes_adopt(&classes, 5U << 24 | 17);
	a = get(&classes, 1, 0);
	b = get(&classes, 2, 0);
	wf_class_number(&classes, a);
	wf_class_number(&classes, b);
	assert_int_not_equal(a->id, b->id);
	assert_true(a->id > (5U << 24 | 0xffffff));
	/* never the bit that says more, never 0, never one that is in use */
	classes.last = (1U << 24) - 1;
	classes.epoch = 128;
	wf_class_number(&classes, a);
	assert_true(a->id && !(a->id & WF_POLICY_CLASS_ODD));
	wf_classes_done(&classes);
}

/* Whatever comes and goes: those that are fresh come last, and each is found where it says. */
static void check_places(const struct wf_classes *classes)
{
	for (size_t i = 0; i < classes->count; i++) {
		const struct wf_class *class = classes->items[i];

		assert_int_equal(class->index, i);
		assert_int_equal(class->is_fresh, i >= classes->settled);
		assert_int_equal(classes->traits[i].who, class->who);
		assert_memory_equal(&classes->traits[i].mask, &class->mask, sizeof(class->mask));
	}
}

static void test_fresh_ones_come_last(void **state)
{
	struct wf_classes classes;
	unsigned int random = 1;
	uint32_t next = 1;

	(void)state;
	assert_int_equal(wf_classes_init(&classes), 0);
	for (int step = 0; step < 5000; step++) {
		size_t at = (size_t)rand_r(&random) % classes.count;

		switch (rand_r(&random) % 8) {
		case 0: wf_classes_settle(&classes); break;
		case 1: wf_classes_strip(&classes, next - (next > 5 ? 5 : 0)); break;
		case 2:
		case 3:
		case 4:
			if (classes.items[at] != classes.world)
				wf_class_retire(&classes, classes.items[at], true);
			break;
		default: (void)get(&classes, next, next + 1); next++;
		}
		check_places(&classes);
	}
	wf_classes_done(&classes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_items),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_fresh_ones_come_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
