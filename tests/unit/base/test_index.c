/* SPDX-License-Identifier: Apache-2.0 */
#include "base/index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"
#include "base/mem.h"
#include "fail_alloc.h"

#define THINGS 600
#define HASHES 97

struct thing {
	int before; /* so that the node is not where the object begins */
	struct wf_index_node node;
	uint64_t hash;   /* while it is in */
	uint64_t number; /* of additions so far, when it came in */
};

static struct thing things[THINGS];

/* Whoever is in with a hash, the newest first: what the index must say, in its order. */
static const struct thing *next_of(uint64_t hash, uint64_t before)
{
	const struct thing *found = NULL;

	for (size_t i = 0; i < THINGS; i++)
		if (things[i].number && things[i].hash == hash && things[i].number < before &&
		    (!found || things[i].number > found->number))
			found = &things[i];
	return found;
}

static void check_hash(struct wf_index *index, uint64_t hash)
{
	const struct thing *expected = next_of(hash, UINT64_MAX);

	WF_INDEX_EACH(index, hash, node) {
		assert_ptr_equal(WF_INDEX_OBJECT(node, struct thing, node), expected);
		expected = next_of(hash, expected->number);
	}
	assert_null(expected);
}

/* Spread: some hashes differ in their lowest bits, some only far above any mask. */
static uint64_t any_hash(void)
{
	uint64_t pick = (uint64_t)rand() % HASHES;

	return pick % 2 ? pick : pick << 40;
}

static void test_model(void **state)
{
	struct wf_index index = { 0 };
	uint64_t additions = 0;
	size_t count = 0;

	(void)state;
	memset(things, 0, sizeof(things));
	srand(3);
	for (unsigned int step = 0; step < 20000; step++) {
		struct thing *thing = &things[(unsigned int)rand() % THINGS];

		if (thing->number) {
			wf_index_remove(&index, &thing->node);
			thing->number = 0;
			count--;
		} else {
			thing->hash = any_hash();
			thing->number = ++additions;
			wf_index_add(&index, &thing->node, thing->hash);
			count++;
		}
		assert_int_equal(wf_index_has(&thing->node), thing->number != 0);
		assert_int_equal(index.count, count);
		check_hash(&index, any_hash());
	}
	for (size_t i = 0; i < THINGS; i++)
		wf_index_remove(&index, &things[i].node);
	assert_int_equal(index.count, 0);
	wf_index_done(&index);
}

/* What is removed twice, or was never in, is fine. */
static void test_remove_absent(void **state)
{
	struct wf_index index = { 0 };
	struct wf_index_node node = { 0 };

	(void)state;
	wf_index_remove(&index, &node);
	assert_null(wf_index_first(&index, 1));
	wf_index_add(&index, &node, 1);
	wf_index_remove(&index, &node);
	wf_index_remove(&index, &node);
	assert_int_equal(index.count, 0);
	assert_null(wf_index_first(&index, 1));
	wf_index_done(&index);
}

/* Most nodes that a look-up may have to pass. */
static size_t longest_chain(const struct wf_index *index)
{
	size_t longest = 0;

	for (size_t i = 0; i < index->bucket_count; i++) {
		size_t count = 0;

		for (const struct wf_index_node *node = index->buckets[i]; node; node = node->next)
			count++;
		longest = count > longest ? count : longest;
	}
	return longest;
}

/* Without memory for buckets everything is still found; with it again, chains become short. */
static void test_no_memory(void **state)
{
	static struct wf_index_node nodes[400];
	const size_t half = WF_ARRAY_LEN(nodes) / 2;
	struct wf_index index = { 0 };
	size_t failures = 0;

	(void)state;
	memset(nodes, 0, sizeof(nodes));
	for (uint64_t i = 0; i < WF_ARRAY_LEN(nodes); i++) {
		if (i < half)
			fail_alloc_arm(0);
		wf_index_add(&index, &nodes[i], wf_hash_number(0, i));
		if (i < half)
			failures += fail_alloc_disarm();
		if (i + 1 == half)
			assert_null(index.buckets);
	}
	assert_int_equal(failures, half);
	for (uint64_t i = 0; i < WF_ARRAY_LEN(nodes); i++)
		assert_ptr_equal(wf_index_first(&index, wf_hash_number(0, i)), &nodes[i]);
	assert_true(longest_chain(&index) < 16);
	wf_index_done(&index);
}

/* A look-up passes few others, however many there are. */
static void test_few_are_passed(void **state)
{
	enum {
		MANY = 50000
	};
	struct wf_index_node *nodes = calloc(MANY, sizeof(*nodes));
	struct wf_index index = { 0 };

	(void)state;
	assert_non_null(nodes);
	for (uint32_t i = 0; i < MANY; i++) {
		struct wf_addr addr = wf_addr_from_ip4(__builtin_bswap32(0x0a600000 + i));

		wf_index_add(&index, &nodes[i], wf_hash_addr(0, &addr));
	}
	assert_true(longest_chain(&index) < 16);
	free(nodes);
	wf_index_done(&index);
}

static void test_hashes(void **state)
{
	(void)state;
	assert_int_not_equal(wf_hash_text(0, "ab"), wf_hash_text(0, "ba"));
	assert_int_not_equal(wf_hash_text(wf_hash_text(0, "a"), "b"),
			     wf_hash_text(wf_hash_text(0, "b"), "a"));
	/* what is split elsewhere is another thing */
	assert_int_not_equal(wf_hash_text(wf_hash_text(0, "a"), "bc"),
			     wf_hash_text(wf_hash_text(0, "ab"), "c"));
	assert_int_equal(wf_hash_text(7, "x"), wf_hash_text(7, "x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),     cmocka_unit_test(test_remove_absent),
		cmocka_unit_test(test_no_memory), cmocka_unit_test(test_few_are_passed),
		cmocka_unit_test(test_hashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
