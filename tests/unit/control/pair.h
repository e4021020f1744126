/* SPDX-License-Identifier: Apache-2.0 */
/* Two nodes a and b on one store, each a lab of its own. */
#ifndef WEFT_TESTS_CONTROL_PAIR_H
#define WEFT_TESTS_CONTROL_PAIR_H

#include "lab.h"

struct pair {
	struct lab *a, *b;
};

/* Both have joined; there is no network. */
struct pair *pair_new(void);
void pair_free(struct pair **pair);

/*
 * Of each test: *state is a pair with an overlay network "over", 10.5.0.0/24. It has no blocks: both
 * nodes choose the same addresses.
 */
int pair_setup(void **state);
int pair_teardown(void **state);

#define PAIR_CASE(function) cmocka_unit_test_setup_teardown(function, pair_setup, pair_teardown)

/* a settles, then b does. */
void pair_settle(struct pair *pair);

/* Attaches /fake/c0 of a lab to "over"; more: further members of the request, ",'KEY':VALUE". */
int pair_attach(struct lab *lab, const char *name, const char *more);

/* How many addresses in the store are endpoints'; those of the nodes' hosts are not. */
size_t pair_leased(const struct lab *lab);

/* Writes to the store whatever is there already, as another node would; document NULL: deletes. */
void pair_write(struct lab *lab, const char *kind, const char *name, json_t *document);

/* As etcd does when a node does not renew its lease. */
void pair_forget_lease(struct lab *lab, const char *name);

#endif
