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
	char *network;   /* owned; "" when it names none */
	uint32_t scope;  /* of its addresses, once the lab has settled */
	struct wf_labels labels;
	struct wf_endpoint ports; /* only its ports are used */
	struct wf_addr addrs[WF_MAX_ENDPOINT_ADDRESSES];
	size_t addr_count;
	bool audit;
};

struct lab_service {
	struct wf_service spec;
};

/* A network whose addresses mean nothing beyond it. */
struct lab_network {
	char name[WF_NAME_BYTES];
	bool leads_out; /* masqueraded: to the world, in the host's name */
};

struct wf_cli_lab {
	struct wf_policy_memory memory; /* owned arrays */
	struct wf_policy_engine *engine;
	struct lab_endpoint *endpoints; /* owned; slot is index + 1 */
	size_t endpoint_count, endpoint_capacity;
	struct lab_service *services; /* owned */
	size_t service_count, service_capacity;
	struct lab_network *networks; /* owned; the scope is index + 1 */
	size_t network_count, network_capacity;
	uint32_t *starts; /* owned; (proto, port) at which some rule begins, sorted, each once */
	size_t start_count, start_capacity;
};

/* policy_lab_read.c */
void wf_cli_lab_endpoint_done(struct lab_endpoint *endpoint);

/*
 * policy_lab_scope.c: which addresses are told apart. Networks with `overlapping: true` are noted as they
 * are read, -ENOMEM; who is in one is known when all documents were.
 */
int wf_cli_lab_network_add(struct wf_cli_lab *lab, const json_t *document);
/* The scope of a network's addresses; WF_NETWORK_HOST: they are everybody's. */
uint32_t wf_cli_lab_scope_of(const struct wf_cli_lab *lab, const char *network);
/* Whether whoever is of a scope reaches the world; everybody does whose addresses are the host's. */
bool wf_cli_lab_leads_out(const struct wf_cli_lab *lab, uint32_t scope);
void wf_cli_lab_scopes_settle(struct wf_cli_lab *lab);
/* Whether an endpoint is in the network that a service is of, whatever else it selects. */
bool wf_cli_lab_is_in(const struct wf_cli_lab *lab, const struct lab_endpoint *endpoint,
		      const struct wf_service *service);
/* The endpoint that has an address of a scope; NULL: none of those in the files. */
const struct lab_endpoint *wf_cli_lab_holder(const struct wf_cli_lab *lab, uint32_t scope,
					     const struct wf_addr *addr);

/*
 * policy_lab_starts.c: where verdicts may change. Those of a policy are noted as it is read; at
 * the end they are sorted, each once. -ENOMEM.
 */
int wf_cli_lab_starts_add(struct wf_cli_lab *lab, const struct wf_policy *policy);
int wf_cli_lab_starts_settle(struct wf_cli_lab *lab);

#endif
