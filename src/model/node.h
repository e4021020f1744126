/* SPDX-License-Identifier: Apache-2.0 */
/* A Node of Kubernetes: labels and addresses, by which policies tell nodes apart. Pure. */
#ifndef WEFT_MODEL_NODE_H
#define WEFT_MODEL_NODE_H

#include <weft/abi/limits.h>

#include "base/addr.h"
#include "model/meta.h"

#define WF_KIND_NODE        "Node"
#define WF_NODE_API_VERSION "v1"

/* Its addresses where nobody writes a status: "192.0.2.1, 2001:db8::1". */
#define WF_ANNOTATION_ADDRESSES "weft.dev/addresses"

/* WireGuard keys (base64) and UDP ports of the node, the one in use first: "KEY PORT, KEY PORT". */
#define WF_ANNOTATION_WIREGUARD "weft.dev/wireguard"

/* "true": the node encrypts what its host and those of others that say so send each other. */
#define WF_ANNOTATION_ENCRYPTION_HOSTS "weft.dev/encryption-hosts"

/* What its host has in networks of all nodes, each as NETWORK/ADDRESS; weft writes it. */
#define WF_ANNOTATION_HOST_ADDRESSES "weft.dev/host-addresses"
/* The same in networks whose addresses mean nothing beyond them: these are no addresses of the node. */
#define WF_ANNOTATION_SCOPE_ADDRESSES "weft.dev/scope-addresses"

#define WF_NODE_MAX_ADDRESSES 64
#define WF_NODE_KEY_BYTES     32
/* Enough for wf_node_tunnels_format(), NUL included. */
#define WF_NODE_TUNNELS_TEXT 128

/* Where a node takes WireGuard packets, as whom. */
struct wf_node_tunnel {
	uint8_t key[WF_NODE_KEY_BYTES]; /* public */
	uint16_t port;
};

/* An address of the node's host in a network. */
struct wf_node_host {
	char network[WF_NAME_BYTES];
	bool is_scoped; /* it is none beyond that network, and not among the node's addresses */
	struct wf_addr addr;
};

struct wf_node {
	struct wf_meta meta;   /* its labels have WF_LABEL_NODE_NAME only if the document has */
	struct wf_addr *addrs; /* owned; each once; those of hosts come last */
	size_t addr_count, addr_capacity;
	struct wf_node_host *hosts; /* owned */
	size_t host_count, host_capacity;
	/* Neighbours of its segment send IPv6 there; zero: not known. Not among the addresses. */
	struct wf_addr link_local;
	struct wf_node_tunnel tunnels[WF_MAX_TUNNELS];
	size_t tunnel_count;
	bool encrypts_hosts;
};

void wf_node_done(struct wf_node *node);

/* NETWORK/ADDRESS, as the annotation and the names of leases have it. -EINVAL. */
int wf_node_host_parse(const char *text, struct wf_node_host *ret_host);

/*
 * Reads a document that passed wf_document_check(). *node must be zeroed; untouched on failure.
 * Addresses are those of the status (InternalIP, ExternalIP) and those of the annotations; the
 * status' LinkLocalIP stands apart.
 */
int wf_node_from_json(struct wf_node *node, const json_t *document, struct wf_err *err);

/* The annotation's text; "" for none. Returns buf, of WF_NODE_TUNNELS_TEXT bytes. */
char *wf_node_tunnels_format(const struct wf_node_tunnel *tunnels, size_t count, char *buf);
/* The other way. -EINVAL. */
int wf_node_tunnels_parse(const char *text, struct wf_node_tunnel *ret_tunnels, size_t *ret_count);
/*
 * The address that a tunnel's owner has inside of it: it follows from the key, so that nobody can
 * claim another node's.
 */
struct wf_addr wf_node_tunnel_address(const struct wf_node_tunnel *tunnel);
/* The prefix that all of them have. */
struct wf_prefix wf_node_tunnel_prefix(void);

#endif
