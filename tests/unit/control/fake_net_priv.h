/* SPDX-License-Identifier: Apache-2.0 */
/* The tables behind fake_net.h, for the fake_net*.c files only. */
#ifndef WEFT_TESTS_FAKE_NET_PRIV_H
#define WEFT_TESTS_FAKE_NET_PRIV_H

#include <weft/abi/limits.h>

#include "fake_gate.h"
#include "fake_net.h"
#include "net/sock.h"

#define MAX_LINKS     128
#define MAX_NS        64
#define MAX_INNER     8
#define MAX_ROUTES    512
#define MAX_EVENTS    1024
#define MAX_FDS       1024
#define MAX_INSIDE    8
#define MAX_CONNS     16
#define MAX_OWNERS    16
#define MAX_ENDED     256
#define MAX_FAR       8
#define HOST_NS       ((size_t)-1)
#define FOREIGN       3 /* RTPROT_BOOT */
#define FIRST_IFINDEX 10

/* First line of what may be made to fail. */
#define PASS(code, err)                                                        \
	do {                                                                   \
		int gate_ = fake_gate_pass(FAKE_NET, __func__, (code), (err)); \
		if (gate_ < 0)                                                 \
			return gate_;                                          \
	} while (0)

struct link {
	bool used;
	uint32_t ifindex;
	char name[16], kind[16], alias[256];
	uint32_t group, mtu, parent;
	uint16_t vlan;
	bool up;
	struct wf_mac mac;
	uint32_t ingress, egress;
	size_t peer_ns;                  /* veth of an endpoint: where its other end is */
	struct wf_addr ip4, ip6;         /* of global scope: it leads outside */
	uint32_t from_uplink, to_uplink; /* program ids of weft's own filters */
	bool is_foreign;                 /* its clsact qdisc has shared blocks of others */
};

/* An interface inside of a namespace. */
struct inner {
	bool used, buried, is_netkit;
	char ifname[16];
	enum wf_net_kind kind;
	uint32_t host_ifindex, parent, mode, mtu;
	struct wf_mac mac;
	struct wf_net_address addresses[MAX_INSIDE];
	size_t address_count;
	struct wf_net_route routes[2 * MAX_INSIDE];
	size_t route_count;
};

struct ns {
	bool alive;
	char path[64];
	struct wf_net_ns_id id;
	int32_t nsid;
	bool lo_up;
	struct inner inner[MAX_INNER];
};

struct route {
	struct wf_net_route route;
	uint8_t protocol;
};

struct address {
	uint32_t ifindex;
	struct wf_prefix prefix;
};

struct block {
	uint32_t number, prog_id;
};

/* An event, and the link as it was then. */
struct queued {
	struct wf_net_event event;
	struct link link;
};

/* A port of the host that a process has. */
struct owner {
	uint8_t proto;
	struct wf_addr addr;
	uint16_t port;
	char name[96];
};

struct neigh {
	uint32_t ifindex;
	struct wf_net_macvlan_peer peer;
};

struct wf_net {
	struct link links[MAX_LINKS];
	struct ns ns[MAX_NS];
	size_t ns_count;
	struct route routes[MAX_ROUTES];
	size_t route_count;
	struct address addresses[MAX_ROUTES];
	size_t address_count;
	struct neigh neighs[MAX_ROUTES];
	size_t neigh_count;
	struct wf_net_conn conns[MAX_CONNS]; /* TCP sockets of every namespace */
	size_t conn_count;
	uint64_t cookie_end;
	struct block blocks[2];
	char default_device[16];
	struct queued events[MAX_EVENTS];
	size_t event_count;
	int event_fd;
	uint32_t next_ifindex;
	struct fake_wg wg[2];
	bool wg_broken;  /* none can be made */
	bool wg_late;    /* none answers in time */
	uint32_t wg_way; /* device that tunnel addresses lead into; 0: none */
	bool wg_has_end; /* without one they are refused */
	uint64_t next_inode;
	int32_t next_nsid;
	size_t fds[MAX_FDS]; /* descriptor -> namespace + 1 */
	bool forwards4, forwards6, has_firewall, has_ipsec;
	enum wf_net_sums sums;
	struct owner owners[MAX_OWNERS];
	size_t owner_count;
	struct fake_ended ended[MAX_ENDED];
	size_t ended_count;
	struct wf_addr far[MAX_FAR]; /* addresses that are behind a router */
	size_t far_count;
	struct wf_net_fate fate;      /* of what comes in */
	bool has_fate;                /* otherwise it is for the host */
	unsigned int leftovers_asked; /* wf_net_bury_leftovers() */
};

/* Namespaces are looked up without a handle: the lab says in which host. */
extern struct wf_net *fake_net_current;

/* The fake is full, or a test is wrong: no way on. */
void fake_must(bool condition);
/* Queues an event. */
void fake_push(struct wf_net *net, struct wf_net_event event);
struct link *fake_link_by_index(const struct wf_net *net, uint32_t ifindex);
struct link *fake_link_by_name(const struct wf_net *net, const char *name);
struct link *fake_add_link(struct wf_net *net, const char *name, uint32_t ifindex, const char *kind,
			   uint32_t mtu);
struct link *fake_add_vlan(struct wf_net *net, const char *name, const struct link *parent,
			   uint16_t vlan);
void fake_describe(const struct link *link, struct wf_net_link *ret);
/* Queues an event about a device as it is now. */
void fake_tell_about(struct wf_net *net, const struct link *link, enum wf_net_event_type type);
void fake_tell_link(struct wf_net *net, const struct link *link);
/* Whether a device uses a shared block. */
bool fake_is_block_used(const struct wf_net *net, uint32_t block);
/* A block ends with the last device that uses it, and its filter with the block. */
void fake_settle_blocks(struct wf_net *net);
/* All neighbour entries of a device. */
void fake_forget_neighs(struct wf_net *net, uint32_t ifindex);
/* A device goes, and what the kernel takes along. */
void fake_remove_link(struct wf_net *net, struct link *link);
/* What wf_net_ns_open() gave out. */
struct ns *fake_ns_of_fd(struct wf_net *net, int fd);
struct ns *fake_ns_by_path(const struct wf_net *net, const char *path);
struct inner *fake_inner_by_name(struct ns *ns, const char *ifname, bool buried);
/* "uplink eth0 ingress 702 egress 703" for each that has filters. */
void fake_dump_uplinks(const struct wf_net *net, struct wf_str *out);
const char *fake_device_name(const struct wf_net *net, uint32_t ifindex);

#endif
