/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of the engine by hand: two nodes and four endpoints, and short words for what is asked. */
#ifndef WEFT_TESTS_POLICY_ENGINE_FIXTURE_H
#define WEFT_TESTS_POLICY_ENGINE_FIXTURE_H

#include "lab.h"

#define IN  WF_POLICY_INGRESS
#define OUT WF_POLICY_EGRESS

#define WORLD   UINT32_MAX
#define OUTSIDE "192.0.2.1"

extern struct lab lab;

int engine_setup(void **state);
int engine_teardown(void **state);

/* The verdict of TCP between slots, IPv4; the engine says the same. */
enum wf_policy_verdict tcp(enum wf_policy_dir dir, uint32_t subject, uint32_t peer,
			   const char *addr, uint16_t port);

#define ALLOWED(...) assert_int_equal(tcp(__VA_ARGS__), WF_POLICY_ALLOW)
#define DENIED(...)  assert_int_equal(tcp(__VA_ARGS__), WF_POLICY_DENY)
#define AUDITED(...) assert_int_equal(tcp(__VA_ARGS__), WF_POLICY_AUDIT)

/* A policy of one section that isolates ingress and has no rule. */
struct wf_policy closed(const char *subject);

#define ENGINE_TEST(name) \
	cmocka_unit_test_setup_teardown(test_##name, engine_setup, engine_teardown)

#endif
