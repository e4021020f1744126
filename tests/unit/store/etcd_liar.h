/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Something between a store and etcd, in a process of its own: a server that answers every
 * request with the same bytes, or a proxy that loses, repeats and misorders what a watch says, or
 * passes nothing at all.
 */
#ifndef WEFT_TESTS_UNIT_STORE_ETCD_LIAR_H
#define WEFT_TESTS_UNIT_STORE_ETCD_LIAR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Orders to the process; shared memory. */
struct liar_orders {
	volatile bool is_hole;             /* takes bytes, passes none */
	volatile unsigned int lie_percent; /* of the messages with events: each of three lies */
	volatile unsigned int lies;        /* told so far */
	volatile unsigned int delay_ms;    /* before each piece that is passed */
	volatile bool lists_are_empty;     /* ranges are answered without their keys */
};

struct liar {
	pid_t pid;
	char url[48];
	struct liar_orders *orders;
};

/* Answers each request with these bytes and closes. The text must outlive the call only. */
void liar_start_server(struct liar *liar, const char *answer);

/* Passes everything to and from a port on loopback, as ordered. */
void liar_start_proxy(struct liar *liar, uint16_t port);

void liar_stop(struct liar *liar);

#endif
