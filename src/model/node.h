/* SPDX-License-Identifier: Apache-2.0 */
/* A Node of Kubernetes: labels and addresses, by which policies tell nodes apart. Pure. */
#ifndef WEFT_MODEL_NODE_H
#define WEFT_MODEL_NODE_H

#include "base/addr.h"
#include "model/meta.h"

#define WF_KIND_NODE        "Node"
#define WF_NODE_API_VERSION "v1"

/* Its addresses where nobody writes a status: "192.0.2.1, 2001:db8::1". */
#define WF_ANNOTATION_ADDRESSES "weft.dev/addresses"

/* What its host has in networks of all nodes, each as NETWORK/ADDRESS; weft writes it. */
#define WF_ANNOTATION_HOST_ADDRESSES "weft.dev/host-addresses"

#define WF_NODE_MAX_ADDRESSES 64

/* An address of the node's host in a network. */
struct wf_node_host {
	char network[WF_NAME_BYTES];
	struct wf_addr addr;
};

struct wf_node {
	struct wf_meta meta;   /* its labels have WF_LABEL_NODE_NAME only if the document has */
	struct wf_addr *addrs; /* owned; each once; those of hosts come last */
	size_t addr_count, addr_capacity;
	struct wf_node_host *hosts; /* owned */
	size_t host_count, host_capacity;
};

void wf_node_done(struct wf_node *node);

/*
 * Reads a document that passed wf_document_check(). *node must be zeroed; untouched on failure.
 * Addresses are those of the status (InternalIP, ExternalIP) and those of the annotations.
 */
int wf_node_from_json(struct wf_node *node, const json_t *document, struct wf_err *err);

#endif
