/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of src/net share: a host of their own (a network namespace that this process
 * moves into), container namespaces, and a look at the result with other means than weft's
 * (iproute2, raw attributes).
 */
#ifndef WEFT_TESTS_NET_LAB_H
#define WEFT_TESTS_NET_LAB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/net.h"

#define LAB_SLOT(slot) (0x1000000U + (slot))

/* Moves the process into a fresh namespace, once; exits with 77 (skipped) without root. */
int lab_setup(void **state);
int lab_teardown(void **state);

struct lab {
	struct wf_net *net;
	struct wf_err err;
};

/* A fresh namespace for a container; closing the descriptor ends it. */
int lab_container(void);

/* Back to the host's namespace, after a test entered another by itself. */
void lab_go_home(void);

/* Runs a shell command inside a namespace (-1: the host's) and returns its output; static. */
const char *lab_run(int netns_fd, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A pair NAME, NAMEp on the host, down; the peer goes to netns_fd unless that is -1. Its index. */
uint32_t lab_make_veth(struct lab *lab, const char *name, int netns_fd);

/* Asserts that the output of a command inside a namespace has (or has not) a text. */
void lab_assert_has(int netns_fd, const char *command, const char *text);
void lab_assert_lacks(int netns_fd, const char *command, const char *text);

/*
 * Waits until an IPv6 address inside a namespace is in use: the kernel does that in a worker of its own,
 * and what arrives before is lost.
 */
void lab_await_address(int netns_fd, const char *address);

/* A number attribute of a link inside a namespace, read by hand. 0 when it is not there. */
uint32_t lab_link_attr(int netns_fd, const char *ifname, uint16_t type);

/* Whether the kernel has such an attribute at all: lo, which every namespace has, tells. */
bool lab_knows_link_attr(uint16_t type);

/* A program of two instructions (return 0) for a tc filter; descriptor. */
int lab_program(void);
int lab_program_returning(int verdict);
uint32_t lab_program_id(int prog_fd);

struct wf_prefix lab_prefix(const char *text);
struct wf_addr lab_addr(const char *text);
struct wf_mac lab_mac(const char *text);

/* An endpoint with one address per family asked for; its arrays live in `storage`. */
struct lab_endpoint {
	struct wf_net_endpoint endpoint;
	struct wf_net_address addresses[2];
	struct wf_net_route routes[2];
	char host_name[16];
};
void lab_endpoint_init(struct lab_endpoint *storage, int netns_fd, uint32_t slot, const char *ip4,
		       const char *ip6);

/* Open descriptors and threads of this process. */
size_t lab_count_fds(void);
size_t lab_count_threads(void);

/* Waits a moment for as many threads: one that was joined may still be on its way out. */
bool lab_await_threads(size_t wanted);

/* assert_int_equal(0, r) that shows the message. */
#define lab_ok(lab, r)                                                      \
	do {                                                                \
		int lab_r = (r);                                            \
		if (lab_r < 0)                                              \
			print_error("%d: %s\n", lab_r, (lab)->err.message); \
		assert_int_equal(lab_r, 0);                                 \
	} while (0)

#endif
