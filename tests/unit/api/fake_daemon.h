/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fake daemon: a thread that accepts one connection, reads the request and plays a script of
 * pieces.
 */
#ifndef WEFT_TESTS_UNIT_API_FAKE_DAEMON_H
#define WEFT_TESTS_UNIT_API_FAKE_DAEMON_H

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

/* The head of an answer, without the empty line that ends it. */
#define FAKE_OK "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

struct fake_daemon {
	char directory[32];
	char path[64];
	int listener;
	pthread_t thread;
	sem_t started; /* the thread allocates when it starts: not while a test lets that fail */
	bool running;
	const char *answer; /* what to send */
	size_t answer_len;
	size_t piece;      /* bytes per send */
	bool stay;         /* keep the connection open until the client closes */
	size_t read_bytes; /* of the request before answering; 0: up to its end */
	struct wf_str request;
};

/* Before and after each test. */
int fake_setup(void **state);
int fake_teardown(void **state);
#define FAKE_TEST(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

/* Answers the next request with these bytes, which are borrowed. */
void fake_play(struct fake_daemon *fake, const char *answer, size_t len);
/* Waits until that is done; then its request is complete. */
void fake_stop(struct fake_daemon *fake);

#endif
