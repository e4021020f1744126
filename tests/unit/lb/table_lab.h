/* SPDX-License-Identifier: Apache-2.0 */
/* One table over the lab, made anew for every test, and ports that are put into it. */
#ifndef WEFT_TESTS_LB_TABLE_LAB_H
#define WEFT_TESTS_LB_TABLE_LAB_H

#include "lab.h"

#define TABLE_USABLE (WF_BACKEND_VALID | WF_BACKEND_USABLE)

extern struct lab lab;

/* Before and after each test. */
int table_setup(void **state);
int table_teardown(void **state);
/* Puts a port that is accepted, and returns its number. */
uint32_t table_put(const struct wf_lb_port *port, uint64_t now_ms);
/* What the kernel has of a backend of a port that was put. */
struct wf_backend_value *table_backend(const struct wf_lb_port *port, size_t index);
/* shop/web at 10.96.0.1:80 with backends 10.1.0.1 to 10.1.0.<backends>; slots are their numbers. */
struct wf_lb_port table_usual(unsigned int backends);

#define TABLE_TEST(name) cmocka_unit_test_setup_teardown(name, table_setup, table_teardown)

#endif
