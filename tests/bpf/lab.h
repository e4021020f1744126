/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private namespaces for tests that need root: what they make disappears with the process.
 */
#ifndef WEFT_TESTS_BPF_LAB_H
#define WEFT_TESTS_BPF_LAB_H

#include <sys/types.h>

#include <weft/abi/limits.h>

#include "dp/lb.h"

/* Exit status that meson counts as skipped. */
#define LAB_SKIP 77

/* A folder for bpffs, in the mount namespace of lab_enter(). */
#define LAB_BPF_DIR "/tmp/weft-lab/bpf"

/* What weft pins there: folders maps, progs and links. */
#define LAB_TEXT_(number) #number
#define LAB_TEXT(number)  LAB_TEXT_(number)
#define LAB_PINS          LAB_BPF_DIR "/v" LAB_TEXT(WF_ABI_VERSION)

/*
 * Enters a new network and mount namespace with an empty /tmp and /run; exits with LAB_SKIP when that is
 * not allowed.
 */
void lab_enter(void);

/* Runs a function in a process of its own in a network namespace ("ip netns"). */
pid_t lab_spawn(const char *netns, int (*run)(void *context), void *context);

/* Waits for it; its exit status, 255 when it was killed. */
int lab_wait(pid_t pid);

/* The address of a text, which must be one. */
struct wf_addr lab_addr(const char *text);

/* The arrays of services with all of their entries usable. */
void lab_lb_memory(struct wf_dp *dp, struct wf_dp_lb_memory *ret_memory);

/* Runs a shell command; the process ends when it fails. */
void lab_run(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Runs a shell command and returns its exit status. */
int lab_try(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
