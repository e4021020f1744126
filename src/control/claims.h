/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who answers where: every address, port and node port that a service will have when what is being
 * planned is in force, each found by what it is. A service that is planned hides the one in force
 * of its name. Knows services as structs and nothing of control.
 */
#ifndef WEFT_CONTROL_CLAIMS_H
#define WEFT_CONTROL_CLAIMS_H

#include "base/index.h"
#include "model/service.h"

enum ctl_claim_kind {
	CTL_CLAIM_ADDRESS,     /* an address that the service answers at, at whatever port */
	CTL_CLAIM_PORT,        /* a port at such an address */
	CTL_CLAIM_NODE_PORT,   /* a port at every address of the host */
	CTL_CLAIM_HEALTH_PORT, /* the same, for the service's health check */
};

/* One thing that a service answers at. */
struct ctl_claim {
	struct wf_index_node node;
	struct ctl_claimant *owner;
	struct wf_addr addr; /* zero: node ports */
	uint16_t port;       /* 0: addresses */
	uint8_t proto;       /* 0: addresses */
	uint8_t kind;        /* enum ctl_claim_kind */
};

/* All of one service, in one allocation. */
struct ctl_claimant {
	char *key; /* of the service, NAMESPACE/NAME */
	size_t count;
	struct ctl_claim claims[];
};

/* What a service answers at, not shown yet. -ENOMEM. */
int wf_ctl_claimant_new(struct ctl_claimant **ret_claimant, const char *key,
			const struct wf_service *spec);
/* Takes it out of the index and frees it. NULL-safe. */
void wf_ctl_claimant_free(struct wf_index *claims, struct ctl_claimant **claimant);
/* In the index or not; what is so already is fine, and NULL. */
void wf_ctl_claimant_show(struct wf_index *claims, struct ctl_claimant *claimant);
void wf_ctl_claimant_hide(struct wf_index *claims, struct ctl_claimant *claimant);

/*
 * A claim that is no service's of the name `except` (NULL: anybody's); NULL: there is none. Node
 * ports and health check ports are one space, whichever is asked for.
 */
const struct ctl_claim *wf_ctl_claim_of_address(struct wf_index *claims, const struct wf_addr *addr,
						const char *except);
const struct ctl_claim *wf_ctl_claim_of_port(struct wf_index *claims, const struct wf_addr *addr,
					     uint8_t proto, uint16_t first, uint16_t last,
					     const char *except);
const struct ctl_claim *wf_ctl_claim_of_node_port(struct wf_index *claims, uint8_t proto,
						  uint16_t first, uint16_t last,
						  const char *except);

/* Whether the service has a port for its health check. */
bool wf_ctl_wants_health_port(const struct wf_service *service);

#endif
