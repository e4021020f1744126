/* SPDX-License-Identifier: Apache-2.0 */
/* Policies and answers to "why?" as people read them. Pure. */
#ifndef WEFT_CLI_POLICY_H
#define WEFT_CLI_POLICY_H

#include <jansson.h>

#include "cli/output.h"

/* The table of `weft policy ls` and `weft get networkpolicies`. */
extern const struct wf_cli_column wf_cli_policy_columns[];

/* Appends a policy with whom it selects, its rules, peers and hits; no newline at the end. */
void wf_cli_policy_add(const json_t *policy, struct wf_str *out);

/* Appends "NetworkPolicy/default/web spec.ingress[0]" of a rule of /v1/observe or /v1/why. */
void wf_cli_policy_rule_add(const json_t *rule, struct wf_str *out);

/* Appends the answer of /v1/why; no newline at the end. */
void wf_cli_why_add(const json_t *answer, struct wf_str *out);

/* One change of `weft policy history`, with its diff. */
void wf_cli_policy_change_add(const json_t *change, struct wf_str *out);

#endif
