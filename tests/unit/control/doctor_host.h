/* SPDX-License-Identifier: Apache-2.0 */
/* For the doctor's tests: a host made of files, and what one check says of it. */
#ifndef WEFT_TESTS_UNIT_CONTROL_DOCTOR_HOST_H
#define WEFT_TESTS_UNIT_CONTROL_DOCTOR_HOST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "control/doctor.h"
#include "control/doctor_priv.h"

struct host {
	char root[64];
	char run[96], state[96], bpf[96], socket[128];
	struct wf_doctor_config config;
	struct doctor doctor;
	struct doctor_result result;
};

/* All checks but the trials. */
#define HOST_TABLES 7
extern const struct doctor_check *const host_tables[HOST_TABLES];

/* An empty host with a run and a state directory; takes it away. */
int host_setup(void **state);
int host_teardown(void **state);

/* A file below the root, with the directories it needs. */
void host_put(struct host *host, const char *path, const char *text);
/* A process in /proc. */
void host_put_process(struct host *host, int pid, const char *comm, const char *cmdline);

/* A check by its id; the test fails when there is none. */
const struct doctor_check *host_find_check(const char *id);
/* Runs one check; something to do is told exactly when something is to be done. */
enum doctor_status host_ask(struct host *host, const char *id);

#define assert_seen(host, text)   assert_non_null(strstr((host)->result.seen.data, text))
#define assert_advice(host, text) assert_non_null(strstr((host)->result.advice.data, text))

#define HOST_TEST(function) cmocka_unit_test_setup_teardown(function, host_setup, host_teardown)

#endif
