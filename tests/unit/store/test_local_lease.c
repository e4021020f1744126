/* SPDX-License-Identifier: Apache-2.0 */
/* Leases, on every back end of this host. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "both_stores.h"

static int put_leased(struct wf_store *store, const char *name, int value, uint64_t lease)
{
	_cleanup_json_ json_t *document = make_document("L", name, value);
	const struct wf_store_write write = {
		.kind = "L",
		.name = name,
		.document = document,
		.expected = WF_STORE_ANY,
		.lease = lease,
	};

	return wf_store_commit(store, &write, 1, WF_STORE_BOOT_BOUND, NULL, NULL);
}

static void test_leases(void **state)
{
	struct setup *setup = *state;
	struct log log = { 0 };
	uint64_t first, second, id, next = 0;

	fake_ms = 1000;
	assert_int_equal(wf_store_lease_expire(setup->store, &next, NULL), 0);
	assert_int_equal(next, UINT64_MAX);
	assert_int_equal(wf_store_lease_grant(setup->store, 0, &first, NULL), -EINVAL);
	assert_int_equal(wf_store_lease_grant(setup->store, 500, &first, NULL), 0);
	assert_int_equal(wf_store_lease_grant(setup->store, 800, &second, NULL), 0);
	assert_true(first && second && first != second);
	assert_int_equal(put_leased(setup->store, "a", 1, first), 0);
	assert_int_equal(put_leased(setup->store, "b", 2, first), 0);
	assert_int_equal(put_leased(setup->store, "c", 3, second), 0);
	assert_int_equal(put_leased(setup->store, "d", 4, first), 0);
	assert_int_equal(put_leased(setup->store, "e", 5, 999), -ENOENT);
	/* equal but for the lease: a change, it now stays */
	assert_int_equal(put_leased(setup->store, "d", 4, 0), 0);
	assert_int_equal(wf_store_revision(setup->store), 5);
	assert_int_equal(wf_store_watch(setup->store, NULL, 5, note, &log, &id, NULL), 0);
	fake_ms = 1400;
	assert_int_equal(renew(setup->store, first), 0);
	assert_int_equal(wf_store_lease_expire(setup->store, &next, NULL), 0);
	assert_int_equal(next, 400);
	fake_ms = 1800;
	assert_int_equal(wf_store_lease_expire(setup->store, &next, NULL), 0);
	assert_int_equal(next, 100);
	assert_string_equal(log.text, "-L/c@6 ");
	assert_int_equal(renew(setup->store, second), -ENOENT);
	assert_int_equal(wf_store_lease_revoke(setup->store, first, NULL), 0);
	assert_string_equal(log.text, "-L/c@6 -L/a@7 -L/b@7 ");
	assert_int_equal(wf_store_lease_revoke(setup->store, first, NULL), -ENOENT);
	assert_int_equal(stored_value(setup->store, "L", "d"), 4);
	assert_int_equal(wf_store_lease_expire(setup->store, &next, NULL), 0);
	assert_int_equal(next, UINT64_MAX);
}

static void test_leases_outlive_restart(void **state)
{
	struct setup *setup = *state;
	uint64_t lease, other, next = 0;

	fake_ms = 1000;
	assert_int_equal(wf_store_lease_grant(setup->store, 500, &lease, NULL), 0);
	assert_int_equal(put_leased(setup->store, "a", 1, lease), 0);
	reopen(setup);
	((struct wf_local *)setup->store)->leases[0].due_ms = 1500;
	assert_int_equal(wf_store_lease_expire(setup->store, &next, NULL), 0);
	assert_int_equal(next, 500);
	assert_int_equal(stored_value(setup->store, "L", "a"), 1);
	fake_ms = 1500;
	assert_int_equal(wf_store_lease_expire(setup->store, &next, NULL), 0);
	assert_int_equal(stored_value(setup->store, "L", "a"), -1);
	reopen(setup);
	assert_int_equal(renew(setup->store, lease), -ENOENT);
	/* ids are never used twice */
	assert_int_equal(wf_store_lease_grant(setup->store, 500, &other, NULL), 0);
	assert_true(other > lease);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_leases),
		BOTH(test_leases_outlive_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
