/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of the readers of policies as rows: the text after the head of a document, and either what
 * becomes of it, one line for each section and rule, or the field of the error.
 */
#ifndef WEFT_TESTS_UNIT_MODEL_POLICY_ROWS_H
#define WEFT_TESTS_UNIT_MODEL_POLICY_ROWS_H

#include <stddef.h>

#include "model/policy.h"

struct policy_row {
	const char *rest; /* "spec: {...}" */
	const char *want;
};

/* Reads head + rest, which together are a YAML flow mapping; fails the test when it is refused. */
void policy_read(struct wf_policy *policy, const char *head, const char *rest);

void policy_check_accepted(const char *head, const struct policy_row *rows, size_t count);
void policy_check_refused(const char *head, const struct policy_row *rows, size_t count);

/* Reads the document with every allocation failing once. */
void policy_check_memory(const char *head, const char *rest);

#endif
