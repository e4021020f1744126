/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole runs of the plugin against a fake daemon: a thread that answers every request from a
 * table and remembers what it was asked. Without the thread the socket does not exist.
 */
#ifndef WEFT_TESTS_UNIT_CNI_LAB_H
#define WEFT_TESTS_UNIT_CNI_LAB_H

#include <pthread.h>
#include <stddef.h>

#include "base/str.h"

struct lab_answer {
	const char *request; /* "POST /v1/endpoints" */
	int status;          /* 0: close without an answer */
	const char *body;
};

struct lab {
	char dir[32];
	char socket[64];
	char spool[64];
	const struct lab_answer *answers; /* ends with request NULL */
	int listener;
	pthread_t thread;
	struct wf_str asked; /* "POST /v1/endpoints {...}\n" of every request */
	struct wf_str log;
	struct wf_str out;
};

/* Before and after each test. */
int lab_setup(void **state);
int lab_teardown(void **state);
#define LAB_TEST(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)

/* The daemon comes, and goes. */
void lab_start(struct lab *lab, const struct lab_answer *answers);
void lab_stop(struct lab *lab);
/* Answers of a daemon that does whatever it is asked for. */
extern const struct lab_answer lab_willing[];

/* An error as the daemon answers it. */
#define LAB_REFUSED(errno_name, object)                                                        \
	"{\"error\":{\"code\":\"" errno_name "\",\"message\":\"because\",\"object\":\"" object \
	"\"}}"

/* The environment of the next runs: these, CNI_IFNAME eth0, and what variables.h sets later. */
void lab_environment(const char *command, const char *id, const char *netns);
/* Runs with members beside name, socket and version; 1.1.0 unless they start with cniVersion. */
int lab_run(struct lab *lab, const char *members);
/* The same with an output of the caller's, which lab->out shows nothing of. */
int lab_run_into(struct lab *lab, const char *members, int out_fd);
/* The same as lab_run(); the code of the error object, which a failing run has to write. */
int lab_run_code(struct lab *lab, const char *members);
void lab_assert_asked(struct lab *lab, const char *text);
/* How many requests wait for the daemon's next start. */
size_t lab_spooled(struct lab *lab);

#endif
