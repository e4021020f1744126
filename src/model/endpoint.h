/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endpoint: one interface of one container, pod or namespace in one network. Written by the
 * daemon on attach; users read it with `weft endpoint inspect`. Pure.
 */
#ifndef WEFT_MODEL_ENDPOINT_H
#define WEFT_MODEL_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/abi/limits.h>

#include "base/addr.h"
#include "model/meta.h"
#include "model/publish.h"

#define WF_KIND_ENDPOINT "Endpoint"

/* Where an endpoint stands; status.phase in documents. */
enum wf_endpoint_phase {
	WF_ENDPOINT_PENDING, /* addresses taken, links being made */
	WF_ENDPOINT_READY,
	WF_ENDPOINT_COUNT,
};

struct wf_endpoint_address {
	struct wf_prefix prefix; /* address with the network's prefix length */
	struct wf_addr gateway;  /* zero when none */
};

/* A port of the container that has a name. */
struct wf_endpoint_port {
	char name[64];
	uint8_t proto; /* IPPROTO_TCP, UDP, SCTP */
	uint16_t port;
};

/* Most named ports of one endpoint. */
#define WF_ENDPOINT_MAX_PORTS 256

struct wf_endpoint {
	struct wf_meta meta; /* name: unique on the node */
	char network[WF_NAME_BYTES];
	char ifname[16];    /* inside the container */
	char *netns;        /* owned; the path as given, "" when none */
	uint64_t netns_dev; /* identity of the namespace: device and inode */
	uint64_t netns_inode;
	uint64_t netns_cookie; /* SO_NETNS_COOKIE, by which socket hooks know it; 0 unknown */
	char boot_id[37];      /* the boot the namespace lives in */
	char *container_id;    /* owned; NULL when not a container's */
	char *owner;           /* owned; "cni", "cli", ... who asked for it */
	char *node;            /* owned; where it is, NULL: the store is one node's alone */
	char *sticky_name;     /* owned; NULL: the addresses do not stick */
	bool default_route;    /* this endpoint carries the container's default route */
	struct wf_endpoint_address addresses[WF_MAX_ENDPOINT_ADDRESSES];
	size_t address_count;
	struct wf_mac mac;
	uint32_t mtu;
	uint32_t slot;    /* index into the datapath's tables; 0 when it has none */
	uint32_t ifindex; /* host side device; 0 when it has none */
	int32_t nsid;     /* the namespace's id in the host's; -1 unknown */
	enum wf_endpoint_phase phase;
	struct wf_publishes publish;    /* ports of the host that lead here */
	struct wf_endpoint_port *ports; /* owned; names that services may use as targetPort */
	size_t port_count, port_capacity;
	json_t *extra; /* owned; passed through: aliases, dns, cgroupPath, args */
};

void wf_endpoint_done(struct wf_endpoint *endpoint);
int wf_endpoint_from_json(struct wf_endpoint *endpoint, const json_t *document, struct wf_err *err);
/* Part of a text; borrowed. */
struct wf_endpoint_text {
	const char *text;
	size_t len; /* 0: there is none */
};
/*
 * Reads what other nodes have to know of one that is ready: name, labels, network, node, addresses, from
 * the text of a document that is JSON for sure. False: there is more to it, or something is not as
 * this weft writes it; the document is to be read whole, and nothing has to be freed. ret_labels: labels
 * are not read, but where they are is said, for who knows what the same text came to before.
 */
bool wf_endpoint_read_brief(struct wf_endpoint *endpoint, const char *text, size_t len,
			    struct wf_endpoint_text *ret_labels);
/* The labels that were left; false as above, but then the endpoint is still to be freed. */
bool wf_endpoint_read_labels(struct wf_endpoint *endpoint, const struct wf_endpoint_text *labels);
json_t *wf_endpoint_to_json(const struct wf_endpoint *endpoint);
/*
 * Reads [{name, port, protocol}], as in spec.ports and in attach requests, in place of what was
 * there. path names the array in errors. Untouched on failure.
 */
int wf_endpoint_ports_from_json(struct wf_endpoint *endpoint, const json_t *array, const char *path,
				struct wf_err *err);
/* The port of that name and protocol, 0 when there is none. */
uint16_t wf_endpoint_port_named(const struct wf_endpoint *endpoint, const char *name,
				uint8_t proto);
const char *wf_endpoint_phase_name(enum wf_endpoint_phase phase);

#endif
