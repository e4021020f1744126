/* SPDX-License-Identifier: Apache-2.0 */
/* Packets before and after translation, each case good in both directions. */
#ifndef WEFT_TESTS_BPF_NAT_CASES_H
#define WEFT_TESTS_BPF_NAT_CASES_H

#include "wire.h"

struct nat_case {
	const char *name;
	struct wire_spec before;
	struct wire_spec after;
};

extern const struct nat_case nat_cases[];
extern const size_t nat_case_count;

/* The case of that name; asserts that there is one. */
const struct nat_case *nat_case_find(const char *name);

#endif
