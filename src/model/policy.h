/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies: NetworkPolicy, ClusterNetworkPolicy (and the older AdminNetworkPolicy and
 * BaselineAdminNetworkPolicy), CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy, all read
 * into one form. What the kinds mean differently is spelled out here (who is spared, what isolates,
 * whether CIDRs hold endpoints), so that nobody below asks for the kind. Pure.
 */
#ifndef WEFT_MODEL_POLICY_H
#define WEFT_MODEL_POLICY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/abi/policy.h>

#include "base/addr.h"
#include "model/meta.h"
#include "model/selector.h"

#define WF_KIND_NETWORK_POLICY        "NetworkPolicy"
#define WF_KIND_CLUSTER_POLICY        "ClusterNetworkPolicy"
#define WF_KIND_ADMIN_POLICY          "AdminNetworkPolicy"
#define WF_KIND_BASELINE_POLICY       "BaselineAdminNetworkPolicy"
#define WF_KIND_CILIUM_POLICY         "CiliumNetworkPolicy"
#define WF_KIND_CILIUM_CLUSTER_POLICY "CiliumClusterwideNetworkPolicy"

/* Annotation on a policy or Namespace, and label or annotation of an endpoint: "true". */
#define WF_ANNOTATION_AUDIT "weft.dev/audit"

/* Most rules of one policy, all lists together, and most peers or ports of one rule. */
#define WF_POLICY_MAX_RULES 10000
#define WF_POLICY_MAX_PEERS 10000
#define WF_POLICY_MAX_PORTS 1000

enum wf_policy_tier {
	WF_TIER_ADMIN,    /* ordered; first match decides; may pass on to the next tier */
	WF_TIER_NETWORK,  /* no order: deny, then allow, then isolation */
	WF_TIER_BASELINE, /* ordered; for whom no policy of the tier before isolates */
	WF_TIER_COUNT,
};

enum wf_rule_action {
	WF_RULE_ALLOW,
	WF_RULE_DENY,
	WF_RULE_PASS, /* admin tier: on to the network tier */
	WF_RULE_ACTION_COUNT,
};

/* What peers are beside endpoints and CIDRs; bits. */
enum wf_entity {
	WF_ENTITY_HOST = 1 << 0,        /* this node */
	WF_ENTITY_REMOTE_NODE = 1 << 1, /* the other nodes */
	WF_ENTITY_ENDPOINT = 1 << 2,    /* every endpoint, of whatever namespace */
	WF_ENTITY_WORLD4 = 1 << 3,      /* none of the above, IPv4 */
	WF_ENTITY_WORLD6 = 1 << 4,
	WF_ENTITY_WORLD = WF_ENTITY_WORLD4 | WF_ENTITY_WORLD6,
	WF_ENTITY_CLUSTER = WF_ENTITY_HOST | WF_ENTITY_REMOTE_NODE | WF_ENTITY_ENDPOINT,
	WF_ENTITY_ALL = WF_ENTITY_CLUSTER | WF_ENTITY_WORLD,
};

enum wf_peer_type {
	WF_PEER_ENDPOINTS, /* endpoints that `selector` matches */
	WF_PEER_NODES,     /* nodes, this one included, whose labels `selector` matches */
	WF_PEER_CIDR,
	WF_PEER_ENTITIES,
	WF_PEER_SERVICE, /* the backends of a service */
	WF_PEER_TYPE_COUNT,
};

struct wf_peer {
	enum wf_peer_type type;
	struct wf_selector selector; /* ENDPOINTS, NODES; SERVICE: of the Service's labels */
	struct wf_prefix cidr;
	struct wf_prefix *except; /* owned; inside cidr */
	size_t except_count, except_capacity;
	bool holds_endpoints; /* CIDR: endpoints and nodes in it are meant, too (Kubernetes) */
	uint32_t entities;    /* enum wf_entity */
	char service[64];     /* SERVICE: its name; "" by selector */
	char service_namespace[64]; /* "": every one */
};

/* Ports of one protocol. */
struct wf_policy_port {
	uint8_t proto;        /* 0: every protocol, ports or not */
	uint16_t first, last; /* 0 to 65535: all. ICMP: types */
	char name[64];        /* "": by number; otherwise resolved at the destination endpoint */
};

struct wf_policy_rule {
	enum wf_policy_dir dir;
	enum wf_rule_action action;
	char *name;            /* owned; NULL: none */
	char path[64];         /* of the field it was read from: "spec.ingress[2]" */
	bool any_peer;         /* otherwise: no peer matches nobody */
	bool any_port;         /* otherwise: no port matches nothing */
	struct wf_peer *peers; /* owned */
	size_t peer_count, peer_capacity;
	struct wf_policy_port *ports; /* owned */
	size_t port_count, port_capacity;
	/*
	 * Owned; NULL: can be enforced. Otherwise what cannot ("rules.http needs L7, ..."). Fails
	 * closed: an ALLOW then matches nothing, a DENY or PASS denies whatever its peers and ports
	 * may be.
	 */
	char *unenforced;
};

/* Rules with the subjects they are for. Only Cilium's `specs` makes more than one of a policy. */
struct wf_policy_section {
	struct wf_selector subject;
	bool subject_is_node; /* the nodes that it matches; otherwise endpoints */
	/* who has no rule that allows it is denied */
	bool isolates[WF_POLICY_DIR_COUNT];
	/* except for traffic with this node itself, which isolation leaves alone (kubelet probes) */
	bool spares_host[WF_POLICY_DIR_COUNT];
	struct wf_policy_rule *rules; /* owned; in the document's order */
	size_t rule_count, rule_capacity;
};

struct wf_policy {
	struct wf_meta meta;
	const char *kind; /* one of WF_KIND_*_POLICY */
	enum wf_policy_tier tier;
	uint32_t priority;                  /* of ordered tiers: lower comes first; then by name */
	bool audit;                         /* what it would deny passes and is told */
	struct wf_policy_section *sections; /* owned */
	size_t section_count, section_capacity;
	json_t *document; /* owned; as read */
};

void wf_policy_done(struct wf_policy *policy);

/*
 * Reads and checks a document of any of the kinds that passed wf_document_check(). *policy must be
 * zeroed; untouched on failure. Errors name the field and what would be right. Parts that need L7
 * or DNS are read, and kept as `unenforced`.
 */
int wf_policy_from_json(struct wf_policy *policy, const json_t *document, struct wf_err *err);

/* The document with metadata and namespace spelled out; all else as it was read. NULL: no memory. */
json_t *wf_policy_to_json(const struct wf_policy *policy);

/* Whether it is the name of a kind that wf_policy_from_json() reads. */
bool wf_policy_is_kind(const char *kind);

const char *wf_policy_tier_name(enum wf_policy_tier tier);   /* "admin", "network", "baseline" */
const char *wf_rule_action_name(enum wf_rule_action action); /* "allow", "deny", "pass" */
const char *wf_policy_dir_name(enum wf_policy_dir dir);      /* "ingress", "egress" */
const char *wf_policy_verdict_name(enum wf_policy_verdict verdict); /* "deny", "allow", "audit" */

#endif
