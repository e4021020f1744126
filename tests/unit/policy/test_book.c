/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/book.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "../fail_alloc.h"

#define NAMES 200
#define MANY  100000

struct counts {
	size_t linked, alive;
};

/* An object is a number; in force while it is linked. */
struct object {
	int number;
	bool is_linked;
};

static void link_object(void *context, void *object)
{
	struct counts *counts = context;
	struct object *self = object;

	assert_false(self->is_linked);
	self->is_linked = true;
	counts->linked++;
}

static void unlink_object(void *context, void *object)
{
	struct counts *counts = context;
	struct object *self = object;

	assert_true(self->is_linked);
	self->is_linked = false;
	counts->linked--;
}

static void free_object(void *context, void *object)
{
	struct counts *counts = context;
	struct object *self = object;

	assert_false(self->is_linked);
	counts->alive--;
	free(self);
}

static const struct wf_book_ops ops = { link_object, unlink_object, free_object };

static struct object *object_of(struct counts *counts, int number)
{
	struct object *object = calloc(1, sizeof(*object));

	assert_non_null(object);
	object->number = number;
	counts->alive++;
	return object;
}

static void name_of(int number, char name[16])
{
	(void)snprintf(name, 16, "name-%d", number);
}

/* What the book must say: by number of the name, 0: there is none. */
static void check(const struct wf_book *book, const struct counts *counts, const int *expected)
{
	size_t there = 0;
	char name[16];

	for (int i = 0; i < NAMES; i++) {
		const struct wf_record *record;
		const struct object *object;

		name_of(i, name);
		record = wf_book_find(book, name);
		object = record ? record->now : NULL;
		assert_int_equal(object ? object->number : 0, expected[i]);
		there += object != NULL;
	}
	assert_int_equal(counts->linked, there);
}

/* Random changes, each kept or taken back, beside an array. */
static void test_model(void **state)
{
	int before[NAMES] = { 0 }, now[NAMES] = { 0 }, number = 0;
	struct counts counts = { 0 };
	struct wf_book book = { .ops = &ops, .context = &counts };
	char name[16];

	srand(7);
	for (int round = 0; round < 400; round++) {
		for (int i = rand() % 40; i >= 0; i--) {
			int which = rand() % NAMES, value = rand() % 3 ? ++number : 0;

			name_of(which, name);
			assert_int_equal(
				wf_book_set(&book, name, value ? object_of(&counts, value) : NULL),
				0);
			now[which] = value;
		}
		check(&book, &counts, now);
		if (rand() % 2) {
			wf_book_settle(&book);
			memcpy(before, now, sizeof(before));
		} else {
			wf_book_restore(&book);
			memcpy(now, before, sizeof(now));
		}
		check(&book, &counts, now);
		assert_int_equal(book.count, counts.linked);
		assert_int_equal(counts.alive, counts.linked);
	}
	wf_book_done(&book);
	assert_int_equal(counts.alive, 0);
}

static void test_order(void **state)
{
	static const char *const names[] = { "m", "b", "z", "a", "ab" };
	static const char *const sorted[] = { "a", "ab", "b", "m", "z" };
	struct counts counts = { 0 };
	struct wf_book book = { .ops = &ops, .context = &counts };

	wf_book_sort(&book);
	for (int i = 0; i < 5; i++)
		assert_int_equal(wf_book_set(&book, names[i], object_of(&counts, i + 1)), 0);
	wf_book_sort(&book);
	for (size_t i = 0; i < 5; i++)
		assert_string_equal(book.items[i]->name, sorted[i]);
	/* who goes is who was meant, whatever the order has become */
	assert_int_equal(wf_book_set(&book, "ab", NULL), 0);
	wf_book_settle(&book);
	assert_null(wf_book_find(&book, "ab"));
	for (int i = 0; i < 4; i++)
		assert_non_null(wf_book_find(&book, names[i]));
	assert_int_equal(book.count, 4);
	wf_book_done(&book);
	assert_int_equal(counts.alive, 0);
}

/* Without memory nothing is there that was not there before. */
static void test_no_memory(void **state)
{
	bool failed = true;

	for (size_t n = 0; failed; n++) {
		struct counts counts = { 0 };
		struct wf_book book = { .ops = &ops, .context = &counts };
		struct object *object = object_of(&counts, 1);
		int r;

		fail_alloc_arm(n);
		r = wf_book_set(&book, "one", object);
		failed = fail_alloc_disarm();
		assert_true(r == 0 || (failed && r == -ENOMEM));
		assert_int_equal(counts.linked, r == 0);
		assert_int_equal(!!wf_book_find(&book, "one"), r == 0);
		if (r < 0)
			free_object(&counts, object);
		wf_book_done(&book);
		assert_int_equal(counts.alive, 0);
	}
}

/* Seconds of the processor that so many names take, in and out again, in an order not theirs. */
static double seconds_for(int count)
{
	struct counts counts = { 0 };
	struct wf_book book = { .ops = &ops, .context = &counts };
	clock_t start = clock();
	char name[16];

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < count; i++) {
			name_of((int)((uint64_t)i * 7919 % (uint64_t)count), name);
			assert_int_equal(
				wf_book_set(&book, name, round ? NULL : object_of(&counts, i + 1)),
				0);
		}
		wf_book_settle(&book);
	}
	assert_int_equal(book.count, 0);
	wf_book_done(&book);
	return (double)(clock() - start) / CLOCKS_PER_SEC;
}

static double least_seconds_for(int count)
{
	double least = seconds_for(count);

	for (int i = 0; i < 4; i++) {
		double again = seconds_for(count);

		least = again < least ? again : least;
	}
	return least;
}

/* Eight times as many names do not take many times eight times as long; in a list they took 64. */
static void test_growth(void **state)
{
	double few = least_seconds_for(MANY / 8), many = least_seconds_for(MANY);

	print_message("%d names: %.3f s; %d: %.3f s\n", MANY / 8, few, MANY, many);
	assert_true(many < few * 8 * 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_growth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
