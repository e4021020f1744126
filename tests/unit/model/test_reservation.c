/* SPDX-License-Identifier: Apache-2.0 */
#include "model/reservation.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "documents.h"
#include "fail_alloc.h"
#include "model/document.h"

/* Reservation blue.web with this spec. */
static json_t *document(const char *spec)
{
	return document_format(
		"{apiVersion: weft.dev/v1, kind: Reservation, metadata: {name: blue.web}, "
		"spec: %s}",
		spec);
}

static void test_round_trip(void **state)
{
	static const char *const specs[] = {
		("{network: blue, for: web, addresses: [10.64.0.7, 'fd00::7'], "
		 "mac: '02:00:00:00:00:07', sticky: true}"),
		"{network: blue, for: web, addresses: [10.64.0.7], sticky: false}",
		"{network: blue, for: web, addresses: [], mac: '02:00:00:00:00:07', sticky: false}",
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(specs); i++) {
		_cleanup_(wf_reservation_done) struct wf_reservation reservation = { 0 };
		_cleanup_json_ json_t *in = document(specs[i]), *out = NULL;

		assert_int_equal(wf_document_check_deep(in, NULL), 0);
		assert_int_equal(wf_reservation_from_json(&reservation, in, NULL), 0);
		out = wf_reservation_to_json(&reservation);
		assert_true(json_equal(in, out));
	}
}

static void test_refusals(void **state)
{
	static const struct {
		const char *spec;
		const char *field;
	} rows[] = {
		{ "{network: blue, for: web}", "spec" },
		{ "{network: B, for: web, addresses: [10.0.0.1]}", "spec.network" },
		{ "{network: blue, for: W, addresses: [10.0.0.1]}", "spec.for" },
		{ "{network: blue, for: web, addresses: [10.0.0.1/24]}", "spec.addresses[0]" },
		{ "{network: blue, for: web, addresses: [10.0.0.1, 127.0.0.1]}",
		  "spec.addresses[1]" },
		{ "{network: blue, for: web, addresses: [10.0.0.1, 10.0.0.1]}",
		  "spec.addresses[1]" },
		{ "{network: blue, for: web, mac: x}", "spec.mac" },
		{ "{network: blue, for: web, mac: '01:00:00:00:00:07'}", "spec.mac" },
		{ "{network: blue, for: web, mac: '00:00:00:00:00:00'}", "spec.mac" },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		struct wf_reservation reservation = { 0 };
		_cleanup_json_ json_t *in = document(rows[i].spec);
		struct wf_err err = WF_ERR_INIT;

		if (wf_reservation_from_json(&reservation, in, &err) != -EINVAL)
			fail_msg("accepted %s", rows[i].spec);
		assert_string_equal(err.field, rows[i].field);
		assert_string_equal(err.object, "reservation/blue.web");
		assert_int_equal(reservation.address_count, 0);
	}
}

static void test_too_many(void **state)
{
	_cleanup_json_ json_t *in =
		document("{network: b, for: w, addresses: [10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4, "
			 "10.0.0.5, 10.0.0.6, 10.0.0.7, 10.0.0.8, 10.0.0.9]}");
	struct wf_reservation reservation = { 0 };
	struct wf_err err = WF_ERR_INIT;

	assert_int_equal(wf_reservation_from_json(&reservation, in, &err), -EINVAL);
	assert_string_equal(err.field, "spec.addresses");
}

static void test_allocation_failures(void **state)
{
	_cleanup_json_ json_t *in =
		document("{network: b, for: w, addresses: [10.0.0.1], mac: '02:00:00:00:00:01'}");
	struct wf_reservation reservation = { 0 };

	assert_int_equal(wf_reservation_from_json(&reservation, in, NULL), 0);
	for (size_t n = 0;; n++) {
		json_t *out;

		fail_alloc_arm(n);
		out = wf_reservation_to_json(&reservation);
		if (!fail_alloc_disarm()) {
			assert_non_null(out);
			json_decref(out);
			break;
		}
		assert_null(out);
	}
	wf_reservation_done(&reservation);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_allocation_failures),
	};

	srandom(3);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
