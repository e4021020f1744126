/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the lab share: what it holds. */
#ifndef WEFT_CLI_POLICY_LAB_PRIV_H
#define WEFT_CLI_POLICY_LAB_PRIV_H

#include "cli/policy_lab.h"

#include "model/endpoint.h"
#include "model/service.h"

/* Addresses of the host, for those who ask about it. */
#define LAB_HOST4 "198.19.255.1"
#define LAB_HOST6 "2001:2:0:ffff::1"

struct lab_endpoint {
	char *name;      /* owned */
	char *namespace; /* owned */
	struct wf_labels labels;
	struct wf_endpoint ports; /* only its ports are used */
	struct wf_addr addrs[WF_MAX_ENDPOINT_ADDRESSES];
	size_t addr_count;
	bool audit;
};

struct lab_service {
	struct wf_service spec;
};

struct wf_cli_lab {
	struct wf_policy_memory memory; /* owned arrays */
	struct wf_policy_engine *engine;
	struct lab_endpoint *endpoints; /* owned; slot is index + 1 */
	size_t endpoint_count, endpoint_capacity;
	struct lab_service *services; /* owned */
	size_t service_count, service_capacity;
	uint32_t *starts; /* owned; (proto, port) at which some rule begins, sorted, each once */
	size_t start_count, start_capacity;
};

/* policy_lab_read.c */
void wf_cli_lab_endpoint_done(struct lab_endpoint *endpoint);

/*
 * policy_lab_starts.c: where verdicts may change. Those of a policy are noted as it is read; at
 * the end they are sorted, each once. -ENOMEM.
 */
int wf_cli_lab_starts_add(struct wf_cli_lab *lab, const struct wf_policy *policy);
int wf_cli_lab_starts_settle(struct wf_cli_lab *lab);

#endif
