/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole control plane without a kernel: control on a store in memory, fake maps and links, a
 * clock that stands still, and an event loop that is turned by hand. Unprivileged, deterministic.
 *
 * JSON in tests is written with ' for ".
 */
#ifndef WEFT_TESTS_CONTROL_LAB_H
#define WEFT_TESTS_CONTROL_LAB_H

#include <event2/event.h>

#include "base/str.h"
#include "control/control_priv.h"
#include "fake_clock.h"
#include "fake_dp.h"
#include "fake_gate.h"
#include "fake_net.h"

/* A host with its control, and what the last operation said. */
struct lab {
	struct wf_store *store;
	struct wf_dp *dp;
	struct wf_net *net;
	struct event_base *loop;
	struct wf_control *control;
	struct wf_err err;       /* of the last operation */
	json_t *answer;          /* owned; of the last operation that has one */
	uint64_t cool_down_ms;   /* for networks that do not say */
	const char *node;        /* its name; borrowed */
	const char *node_ip;     /* NULL: the store is its own */
	uint64_t probe_ms;       /* how often it asks whether others are reached; 0: never */
	uint64_t attach_wait_ms; /* an attach waits so long for others to know; 0: not at all */
	const char *state_dir;   /* for the node's key; NULL: none; borrowed */
	bool encryption_hosts;   /* whether it encrypts what its host sends */
	bool is_guest;           /* the store is another lab's */
	enum wf_overlay_sums overlay_sums;
	const char *pair;         /* devices of new endpoints; NULL: veth; borrowed */
	const char *service_cidr; /* NULL: 10.96.0.0/24; borrowed */
};

/* An empty host with namespaces /fake/c0 to /fake/c7, and control started on it. */
struct lab *lab_new(void);
void lab_free(struct lab **lab);
/*
 * Another host, whose control shares the store of the first, which must outlive it; first NULL: the
 * first of those that share.
 */
struct lab *lab_join(struct lab *first, const char *node, const char *node_ip);
/* The same, but its control is not started. */
struct lab *lab_beside(struct lab *first, const char *node, const char *node_ip);
/* Paths of namespaces are those of this lab from here on. */
void lab_use(const struct lab *lab);

/* Control starts on what store and kernel hold; 0 or what wf_control_new() says. */
int lab_start(struct lab *lab);
void lab_stop(struct lab *lab);
/* Both, and settles; fails the test when it does not start. */
void lab_restart(struct lab *lab);

/* Turns the loop until nothing is left to do: events read, repairs made, the buried deleted. */
void lab_settle(struct lab *lab);

/* New reference from a text with ' for ". */
json_t *lab_json(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Requests; the result is the operation's, lab->err and lab->answer hold the rest. */
int lab_apply(struct lab *lab, const char *format, ...) __attribute__((format(printf, 2, 3)));
int lab_attach(struct lab *lab, const char *format, ...) __attribute__((format(printf, 2, 3)));
int lab_detach(struct lab *lab, const char *name);
int lab_delete(struct lab *lab, const char *kind, const char *name);

/* Short forms that must succeed: a network with these subnets (JSON), an endpoint in /fake/cN. */
void lab_network(struct lab *lab, const char *name, const char *spec);
void lab_endpoint(struct lab *lab, const char *network, const char *name, unsigned int ns);

/* The first address of the last attach, without its length; borrowed until the next call. */
const char *lab_address(const struct lab *lab);

/* Asserts that the last operation failed so, about this field ("" for none), saying this. */
void lab_assert_refused(const struct lab *lab, int r, int code, const char *field,
			const char *text);

/*
 * Asserts that maps, links, pools and tables hold exactly what the stored documents ask for; the
 * naive computation of that is in expect.c. To be called when settled.
 */
void lab_assert_consistent(struct lab *lab);

/* What policies say of both ends, as slots; asked of the tables that programs read. */
enum wf_policy_verdict lab_verdict(struct lab *lab, uint32_t from, uint32_t to, uint8_t proto,
				   uint16_t port);

/* Everything there is as sorted lines: documents, maps, links, pools. */
void lab_dump(struct lab *lab, struct wf_str *out);

/* expect.c: from the stored documents to the lines of the fakes' dumps and of the pools. */
void lab_expect(struct lab *lab, struct wf_str *out);

/*
 * The next time control comes by this crash point it stops there for good, as if killed. Run the
 * operation within lab_crashes(): true when it came by. Start control anew afterwards.
 */
bool lab_crashes(struct lab *lab, const char *point, void (*operation)(struct lab *lab));
/* Names of the points that were passed since the start of the process, sorted, by line. */
void lab_points(struct wf_str *out);

/*
 * Teardowns of cmocka, for a lab that is the state of its test. Settled: whatever the test did, in the
 * end everything is as the documents say.
 */
int lab_teardown(void **state);
int lab_teardown_settled(void **state);

/* Open descriptors of this process. */
size_t lab_open_fds(void);

#endif
