/* SPDX-License-Identifier: Apache-2.0 */
/* The host of the tests of attach, with a network of each kind. */
#ifndef WEFT_TESTS_CONTROL_ATTACH_LAB_H
#define WEFT_TESTS_CONTROL_ATTACH_LAB_H

#include "lab.h"

/*
 * blue: 10.1.0.0/28 without .14, and fd01::/64, MTU 1400   green: 10.2.0.0/30, room for one
 * lan: macvlan on "uplink", 10.3.0.0/24   nothing: driver none   host: driver host
 */
int attach_setup(void **state);
#define ATTACH_CASE(function) \
	cmocka_unit_test_setup_teardown(function, attach_setup, lab_teardown_settled)

/* Of the endpoint that the last attach answered with; borrowed. */
const json_t *attach_status(const struct lab *lab);
const json_t *attach_spec(const struct lab *lab);

#endif
