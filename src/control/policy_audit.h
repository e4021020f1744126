/* SPDX-License-Identifier: Apache-2.0 */
/* What was seen on trial, and how to allow exactly that. */
#ifndef WEFT_CONTROL_POLICY_AUDIT_H
#define WEFT_CONTROL_POLICY_AUDIT_H

#include "control/control_priv.h"

/* Different flows that are remembered; later ones are counted only. */
#define AUDIT_MAX 4096

/* What an end of a flow is known by. */
struct audit_party {
	struct wf_addr addr;
	char name[WF_NAME_BYTES]; /* of the endpoint, "" for an address of nobody here */
	bool is_host;
};

/* Flows that are alike; zeroed before it is filled: compared as bytes. */
struct audit_key {
	struct audit_party subject, peer;
	enum wf_policy_dir dir;
	uint8_t proto;
	uint16_t port; /* ICMP: the type */
};

struct audit_record {
	struct audit_key key;
	json_t *subject_labels, *peer_labels; /* owned; as they were when it was seen */
	char subject_namespace[64], peer_namespace[64];
	char policy[CTL_POLICY_KEY_BYTES]; /* what would have denied it */
	bool by_rule;                      /* by a rule that denies, not for want of one */
	uint64_t count;
	int64_t first_s, last_s;
	UT_hash_handle by_key;
};

struct ctl_audit {
	struct audit_record *records;
	uint64_t seen_total;
	uint64_t missed_total; /* not remembered: there were too many */
};

#endif
