/* SPDX-License-Identifier: Apache-2.0 */
/* Threads of a daemon whose main thread has all the signals. */
#ifndef WEFT_BASE_THREAD_H
#define WEFT_BASE_THREAD_H

#include <pthread.h>

/*
 * Starts one with a small stack and all signals blocked; the caller joins it. 0 or a negative errno, as
 * pthread_create(3).
 */
int wf_thread_start(pthread_t *ret_thread, void *(*run)(void *context), void *context);

#endif
