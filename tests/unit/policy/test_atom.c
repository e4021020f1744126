/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/atom.h"

#include <stdio.h>

#include "lab.h"

#include "base/mem.h"

static const char *const selectors[] = {
	"app=a",
	"app=b",
	"app=*",
	"!app=",
	"!app=a",
	"app=a,tier=x",
	";kubernetes.io/metadata.name=n0",
	"app=a;kubernetes.io/metadata.name=n1",
	";team=t",
	"tier=*;team=t",
	"!tier=;!team=t",
	"",
};

/* The index finds exactly what matching each by itself finds. */
static void test_index(void **state)
{
	static const char *const labels[] = { "", "app=a", "app=b", "app=a,tier=x", "tier=y" };
	static const char *const teams[] = { "", "team=t", "team=u" };
	struct wf_atoms atoms = { 0 };
	struct wf_atom *made[WF_ARRAY_LEN(selectors)];

	(void)state;
	for (size_t i = 0; i < WF_ARRAY_LEN(selectors); i++) {
		struct wf_peer peer = { .type = WF_PEER_ENDPOINTS };
		struct wf_atom *again;

		lab_select(&peer.selector, selectors[i]);
		assert_int_equal(wf_atoms_get(&atoms, WF_ATOM_ENDPOINTS, &peer, &made[i]), 0);
		assert_int_equal(wf_atoms_get(&atoms, WF_ATOM_ENDPOINTS, &peer, &again), 0);
		assert_ptr_equal(again, made[i]);
		wf_atom_unref(&atoms, again);
		wf_selector_done(&peer.selector);
	}
	for (size_t i = 0; i < WF_ARRAY_LEN(labels) * WF_ARRAY_LEN(teams) * 2; i++) {
		struct wf_labels own = lab_labels(labels[i / 2 % WF_ARRAY_LEN(labels)]);
		struct wf_labels team = lab_labels(teams[i / 2 / WF_ARRAY_LEN(labels)]);
		struct wf_atom_party party = { false, i % 2 ? "n0" : "n1", &own, &team };
		struct wf_numbers numbers = { 0 };
		size_t at = 0;

		assert_int_equal(wf_atoms_match(&atoms, &party, &numbers), 0);
		for (size_t j = 0; j < WF_ARRAY_LEN(selectors); j++)
			if (wf_atom_matches(made[j], &party))
				assert_int_equal(numbers.items[at++], made[j]->number);
		assert_int_equal(at, numbers.count);
		assert_true(at > 0);
		wf_numbers_done(&numbers);
		wf_labels_done(&own);
		wf_labels_done(&team);
	}
	for (size_t i = 0; i < WF_ARRAY_LEN(selectors); i++) {
		wf_atom_unref(&atoms, made[i]);
		wf_atoms_remove(&atoms, made[i]);
	}
	assert_int_equal(atoms.idle, 0);
	assert_null(atoms.buckets);
	wf_atoms_done(&atoms);
}

static void test_cidr(void **state)
{
	static const struct {
		const char *prefix;
		bool is_managed;
		size_t expected;
	} rows[] = {
		{ "10.1.2.3/32", false, 2 }, { "10.2.0.1/32", false, 1 },
		{ "10.0.0.0/8", false, 1 },  { "10.1.0.0/16", false, 2 },
		{ "10.1.2.3/32", true, 1 },  { "11.0.0.1/32", false, 0 },
		{ "fd00::1/128", false, 0 },
	};
	struct wf_atoms atoms = { 0 };
	struct wf_peer peer = { .type = WF_PEER_CIDR, .holds_endpoints = true };
	struct wf_prefix except;
	struct wf_atom *wide, *narrow;

	(void)state;
	assert_int_equal(wf_prefix_parse("10.0.0.0/8", &peer.cidr), 0);
	assert_int_equal(wf_prefix_parse("10.1.128.0/17", &except), 0);
	peer.except = &except;
	peer.except_count = 1;
	assert_int_equal(wf_atoms_get(&atoms, WF_ATOM_CIDR, &peer, &wide), 0);
	peer.except_count = 0;
	peer.holds_endpoints = false;
	assert_int_equal(wf_prefix_parse("10.1.0.0/16", &peer.cidr), 0);
	assert_int_equal(wf_atoms_get(&atoms, WF_ATOM_CIDR, &peer, &narrow), 0);
	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		struct wf_numbers numbers = { 0 };
		struct wf_prefix prefix;

		assert_int_equal(wf_prefix_parse(rows[i].prefix, &prefix), 0);
		assert_int_equal(
			wf_atoms_match_prefix(&atoms, &prefix, rows[i].is_managed, &numbers), 0);
		assert_int_equal(numbers.count, rows[i].expected);
		wf_numbers_done(&numbers);
	}
	wf_atoms_done(&atoms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_index),
		cmocka_unit_test(test_cidr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
