/* SPDX-License-Identifier: Apache-2.0 */
/* When a device is found to make wrong checksums, and what keeps it from that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "net/sums.h"

/* A round of which the first `software` and `device` datagrams came; how many pairs it had. */
static uint32_t turn(struct wf_sums *sums, uint32_t software, uint32_t device)
{
	const uint32_t pairs = wf_sums_begin(sums);

	for (uint32_t i = 0; i < pairs && i < software; i++)
		wf_sums_came(sums, sums->round, i, false);
	for (uint32_t i = 0; i < pairs && i < device; i++)
		wf_sums_came(sums, sums->round, i, true);
	return pairs;
}

static void test_broken(void **state)
{
	struct wf_sums sums = { 0 };
	uint32_t pairs;

	/* the first round of a doubt has one pair; those after it have enough to judge by */
	assert_int_equal(turn(&sums, WF_SUMS_PAIRS, 0), 1);
	for (int i = 1; i < WF_SUMS_ROUNDS; i++) {
		assert_int_equal(sums.state, WF_SUMS_UNKNOWN);
		assert_int_equal(turn(&sums, WF_SUMS_PAIRS, 0), WF_SUMS_PAIRS);
		assert_true(wf_sums_is_doubtful(&sums));
	}
	pairs = wf_sums_begin(&sums);
	assert_int_equal(sums.state, WF_SUMS_BROKEN);
	assert_false(wf_sums_is_doubtful(&sums));
	assert_int_equal(pairs, 1);
	/* it stays so until one comes */
	for (int i = 0; i < 100; i++)
		(void)turn(&sums, 1, 0);
	(void)turn(&sums, 0, 0);
	assert_int_equal(sums.state, WF_SUMS_BROKEN);
	(void)turn(&sums, 1, 1);
	assert_int_equal(sums.state, WF_SUMS_SOUND);
	(void)turn(&sums, 1, 0);
	assert_int_equal(wf_sums_begin(&sums), WF_SUMS_PAIRS);
	assert_int_equal(sums.state, WF_SUMS_SOUND);
}

/* One that came ends the count, however long it was, also when it is late. */
static void test_one_clears(void **state)
{
	struct wf_sums sums = { 0 };

	for (int i = 0; i < 100; i++) {
		(void)turn(&sums, WF_SUMS_PAIRS, 0);
		(void)turn(&sums, WF_SUMS_PAIRS, 0);
		(void)turn(&sums, WF_SUMS_PAIRS - 1, i % 2);
		if (i % 2 == 0) {
			/* of a round that is over */
			wf_sums_came(&sums, sums.round - 1, 0, true);
		}
		/* this round had only the other kind */
		(void)turn(&sums, 0, 1);
		assert_int_equal(sums.state, WF_SUMS_SOUND);
		assert_false(wf_sums_is_doubtful(&sums));
	}
}

/* Rounds that nothing came of say nothing: they neither count nor end the count. */
static void test_silence(void **state)
{
	struct wf_sums sums = { 0 };

	for (int i = 0; i < 1000; i++)
		assert_int_equal(turn(&sums, 0, 0), 1);
	assert_int_equal(sums.state, WF_SUMS_UNKNOWN);
	(void)turn(&sums, WF_SUMS_PAIRS, 0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(turn(&sums, 0, 0), WF_SUMS_PAIRS);
	assert_int_equal(sums.state, WF_SUMS_UNKNOWN);
	(void)turn(&sums, WF_SUMS_PAIRS, 0);
	(void)turn(&sums, 0, 0);
	(void)turn(&sums, WF_SUMS_PAIRS, 0);
	(void)wf_sums_begin(&sums);
	assert_int_equal(sums.state, WF_SUMS_BROKEN);
}

/* Three rounds are not enough while little came in them. */
static void test_little(void **state)
{
	struct wf_sums sums = { 0 };

	for (int i = 0; i < WF_SUMS_LONE; i++) {
		assert_int_not_equal(sums.state, WF_SUMS_BROKEN);
		(void)turn(&sums, 1, 0);
	}
	(void)wf_sums_begin(&sums);
	assert_int_equal(sums.state, WF_SUMS_BROKEN);
}

static void test_strange_answers(void **state)
{
	struct wf_sums sums = { 0 };

	/* nothing was sent yet */
	wf_sums_came(&sums, 0, 0, true);
	wf_sums_came(&sums, 1, 0, true);
	assert_int_equal(sums.state, WF_SUMS_UNKNOWN);
	(void)wf_sums_begin(&sums);
	/* of a round that is to come, of none, and too often */
	wf_sums_came(&sums, 2, 0, true);
	wf_sums_came(&sums, UINT32_MAX, 0, true);
	wf_sums_came(&sums, 1, WF_SUMS_PAIRS, true);
	assert_int_equal(sums.state, WF_SUMS_UNKNOWN);
	for (int i = 0; i < 1000; i++)
		wf_sums_came(&sums, 1, 0, false);
	(void)wf_sums_begin(&sums);
	assert_int_equal(sums.lone, 1);
	for (int i = 0; i < WF_SUMS_LATE; i++)
		(void)wf_sums_begin(&sums);
	wf_sums_came(&sums, 1, 0, true);
	assert_int_equal(sums.state, WF_SUMS_UNKNOWN);
	wf_sums_came(&sums, sums.round - WF_SUMS_LATE + 1, 0, true);
	assert_int_equal(sums.state, WF_SUMS_SOUND);
}

/* A way that loses packets of either kind alike is not taken for a broken device. */
static void test_loss(void **state)
{
	static const uint32_t lost_percent[] = { 1, 10, 50, 75, 90, 97 };
	unsigned int seed = 4711, wrong = 0;

	for (size_t i = 0; i < sizeof(lost_percent) / sizeof(*lost_percent); i++) {
		struct wf_sums sums = { 0 };

		for (int round = 0; round < 20000; round++) {
			const uint32_t pairs = wf_sums_begin(&sums);

			for (uint32_t j = 0; j < 2 * pairs; j++)
				if ((uint32_t)rand_r(&seed) % 100 >= lost_percent[i])
					wf_sums_came(&sums, sums.round, j / 2, j % 2);
			wrong += sums.state == WF_SUMS_BROKEN;
		}
	}
	assert_int_equal(wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_broken),          cmocka_unit_test(test_one_clears),
		cmocka_unit_test(test_silence),         cmocka_unit_test(test_little),
		cmocka_unit_test(test_strange_answers), cmocka_unit_test(test_loss),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
