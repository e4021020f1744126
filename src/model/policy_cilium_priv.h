/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of reading a rule of a Cilium policy; policy_cilium_read.c calls them. */
#ifndef WEFT_MODEL_POLICY_CILIUM_PRIV_H
#define WEFT_MODEL_POLICY_CILIUM_PRIV_H

#include "model/policy_priv.h"

/*
 * Keys of selectors of endpoints: "k8s:", "any:" and "container:" are left off; namespaces are
 * known by their name and labels; "reserved:" and "cidr:" stay in front, where no label has them.
 */
const char *wf_policy_cilium_key(const char *text, bool *ret_of_namespace);
/* Keys of selectors of nodes and services. */
const char *wf_policy_cilium_plain_key(const char *text, bool *ret_of_namespace);

/* Whether a requirement is about the namespace. */
bool wf_policy_cilium_names_namespace(const struct wf_selector *selector);

/* The peers of a rule: from... or to...; sets *ret_named if there is any such list. */
int wf_policy_cilium_read_peers(struct wf_policy_reading *reading, struct wf_policy_rule *rule,
				const json_t *item, bool *ret_named);

/* Whether an entry of toPorts has parts that need L7. */
bool wf_policy_cilium_has_l7(const json_t *entry);

/* Adds the ports of an entry of toPorts; context is the rule. */
int wf_policy_cilium_read_ports(struct wf_policy_reading *reading, const json_t *entry,
				void *context);

/* Checks the parts of an entry of toPorts that need L7, and notes them in the rule. */
int wf_policy_cilium_read_l7(struct wf_policy_reading *reading, struct wf_policy_rule *rule,
			     const json_t *entry);

/* {matchName} or {matchPattern} of a DNS name. */
int wf_policy_cilium_read_name(struct wf_policy_reading *reading, const json_t *item,
			       void *context);

/* Adds the types of an entry of icmps; context is the rule. */
int wf_policy_cilium_read_icmp(struct wf_policy_reading *reading, const json_t *entry,
			       void *context);

#endif
