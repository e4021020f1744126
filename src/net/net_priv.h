/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of src/net share with each other and with nobody else. */
#ifndef WEFT_NET_NET_PRIV_H
#define WEFT_NET_NET_PRIV_H

#include <linux/rtnetlink.h>

#include "net/net.h"
#include "netlink/socket.h"

/* Attributes younger than the headers of the oldest distribution we build on. */
#define WF_IFLA_GSO_MAX_SIZE      41
#define WF_IFLA_GRO_MAX_SIZE      58
#define WF_IFLA_GSO_IPV4_MAX_SIZE 63
#define WF_IFLA_GRO_IPV4_MAX_SIZE 64
#define WF_IFLA_MAX               64

/* Enough for what wf_net_ns_name() writes. */
#define WF_NET_NS_TEXT 128
/* Enough for what wf_net_describe() writes. */
#define WF_NET_DESCRIBE_TEXT 192

/*
 * Dead links wait in as many groups from WF_NET_GROUP_DEAD on; outside of bury.c they are all
 * one: wf_net_link_parse() says WF_NET_GROUP_DEAD for each.
 */
#define WF_NET_DEAD_GROUPS 64

struct wf_grave;

struct wf_net {
	struct wf_netlink_socket socket; /* in the host's namespace */
	struct wf_netlink_batch batch;   /* kept for its memory; every call clears it first */
	int ns_fd;                       /* the host's namespace */
	bool has_ip6;                    /* the kernel runs with IPv6 */
	int event_fd;                    /* subscribed to what others do */
	struct wf_grave *grave;          /* owned */
	uint64_t wg_started_ms[2]; /* when wireguard-go was, by the device's digit; 0: never */
};

/* ---- net.c -------------------------------------------------------------------------------- */

/* wf_netlink_transact() whose err also says which request failed and about what. */
int wf_net_send(struct wf_netlink_socket *socket, struct wf_netlink_batch *batch,
		wf_netlink_fn visit, void *context, struct wf_err *err);

/* The net's batch, emptied. */
struct wf_netlink_batch *wf_net_batch(struct wf_net *net);

/* ---- describe.c --------------------------------------------------------------------------- */

/* "cannot set address 10.1.0.2/24": what a request was meant to do. Returns buf. */
char *wf_net_describe(const struct nlmsghdr *request, char *buf);

/* ---- ns.c --------------------------------------------------------------------------------- */

/* A socket inside a namespace; the thread is back in its own when this returns. */
int wf_net_ns_socket(const struct wf_net *net, int netns_fd, struct wf_netlink_socket *ret_socket,
		     struct wf_err *err);

/* The same for any NETLINK_* protocol; netns_fd < 0: the own namespace. */
int wf_net_ns_netlink(const struct wf_net *net, int netns_fd, int protocol,
		      struct wf_netlink_socket *ret_socket, struct wf_err *err);

/* Writes a sysctl inside a namespace, in the same way. Relative to /proc/sys/net/. */
int wf_net_ns_sysctl(const struct wf_net *net, int netns_fd, const char *path, const char *value,
		     struct wf_err *err);

/* The path a namespace was opened by, or net:[inode]; buf has WF_NET_NS_TEXT bytes. */
char *wf_net_ns_name(int netns_fd, char *buf);

/* ---- sysctl.c ----------------------------------------------------------------------------- */

/*
 * Writes a value below /proc/sys/net/ in the thread's namespace unless it is there already.
 * -ENOENT: the kernel has no such setting.
 */
int wf_net_sysctl_set(const char *path, const char *value, struct wf_err *err);

/* Whether a setting has a value; false when there is no such setting. */
bool wf_net_sysctl_is(const char *path, const char *value);

/* ---- link.c ------------------------------------------------------------------------------- */

/* A link message as struct; strings borrowed from the message. False when it is malformed. */
bool wf_net_link_parse(const struct nlmsghdr *message, struct wf_net_link *ret_link);

/* A change of one link: bits of `change` take their value from `flags` (IFF_*). */
void wf_net_link_put_set(struct wf_netlink_batch *batch, uint32_t ifindex, unsigned int flags,
			 unsigned int change);

/* Attributes of a new link or a changed one: MAC, MTU, BIG TCP limits; zero ones are left out. */
void wf_net_link_put_limits(struct wf_netlink_batch *batch, const struct wf_mac *mac, uint32_t mtu,
			    uint32_t gso_max_bytes);

/*
 * Attributes of a change: IPv6 without an address of the kernel's making, link-local included.
 * Nothing for a device that has no IPv6, because the kernel runs without or the MTU (0: the
 * default) is too small for it: the kernel would refuse the message.
 */
void wf_net_link_put_no_autoconf(const struct wf_net *net, struct wf_netlink_batch *batch,
				 uint32_t mtu);

/* Gives a device another name; it may be down afterwards. -EEXIST: the name is taken. */
int wf_net_link_rename(struct wf_net *net, uint32_t ifindex, const char *name, struct wf_err *err);

/* As wf_net_link_find(), on any socket. */
int wf_net_link_get(struct wf_netlink_socket *socket, struct wf_netlink_batch *batch,
		    const char *name, uint32_t ifindex, struct wf_net_link *ret_link,
		    char names[256], struct wf_err *err);

/* ---- vlan.c ------------------------------------------------------------------------------- */

/* The tag that IFLA_INFO_DATA of a "vlan" tells of; 0: none of IEEE 802.1Q. */
uint16_t wf_net_vlan_of(const struct nlattr *data);

/* ---- addr.c ------------------------------------------------------------------------------- */

/* An attribute that is an address: 4 or 16 bytes, by its family. */
void wf_net_put_addr(struct wf_netlink_batch *batch, uint16_t type, const struct wf_addr *addr);

/* An address of a device as the kernel tells it. */
struct wf_net_addr {
	struct wf_prefix prefix; /* with host bits */
	struct wf_addr peer;     /* the other end of a point-to-point link; else as prefix.addr */
	uint32_t ifindex;
	uint32_t flags; /* IFA_F_* */
	uint8_t scope;  /* RT_SCOPE_* */
};

typedef void (*wf_net_addr_fn)(const struct wf_net_addr *addr, void *context);

/* Addresses of one device (ifindex 0: of all), both families. */
int wf_net_addr_dump(struct wf_netlink_socket *socket, struct wf_netlink_batch *batch,
		     uint32_t ifindex, wf_net_addr_fn visit, void *context, struct wf_err *err);

/* RTM_NEWADDR or RTM_DELADDR; ifa_flags are IFA_F_*. */
void wf_net_addr_put(struct wf_netlink_batch *batch, uint16_t type, uint16_t flags,
		     uint32_t ifindex, const struct wf_prefix *prefix, uint32_t ifa_flags);

/* ---- route.c ------------------------------------------------------------------------------ */

/* A route as the kernel tells it. */
struct wf_net_kernel_route {
	struct wf_net_route route; /* ifindex: of the first next hop */
	uint32_t table;
	uint8_t protocol;
	uint8_t type; /* RTN_* */
};

/* RTM_NEWROUTE or RTM_DELROUTE as struct. False when it is malformed. */
bool wf_net_route_parse(const struct nlmsghdr *message, struct wf_net_kernel_route *ret_route);

typedef void (*wf_net_route_fn)(const struct wf_net_kernel_route *route, void *context);

/* What wf_net_route_dump() asks for; zero members do not restrict. */
struct wf_net_route_filter {
	uint32_t table;
	uint32_t ifindex;
	uint8_t protocol;
};

int wf_net_route_dump(struct wf_netlink_socket *socket, struct wf_netlink_batch *batch,
		      const struct wf_net_route_filter *filter, wf_net_route_fn visit,
		      void *context, struct wf_err *err);

/*
 * Brings weft's own routes by a device of another namespace to these, all by that device. Those of
 * others stay, also in their place.
 */
int wf_net_routes_sync(struct wf_net *net, struct wf_netlink_socket *inside, uint32_t ifindex,
		       const struct wf_net_route *routes, size_t count, struct wf_err *err);

/* Asks by which route the namespace would send to an address; none is no error. */
void wf_net_route_put_ask(struct wf_netlink_batch *batch, const struct wf_addr *addr);

/* RTM_NEWROUTE or RTM_DELROUTE in the main table, with weft's protocol. */
void wf_net_route_put(struct wf_netlink_batch *batch, uint16_t type, uint16_t flags,
		      const struct wf_net_route *route, uint32_t ifindex);

/* ---- tc.c --------------------------------------------------------------------------------- */

/* A clsact qdisc with shared blocks; flags: NLM_F_EXCL and so on. */
void wf_net_blocks_put(struct wf_netlink_batch *batch, uint16_t flags, uint32_t ifindex,
		       uint32_t ingress, uint32_t egress);

/* ---- filter.c ----------------------------------------------------------------------------- */

/* Kind and options of a new filter: a program in direct action. */
void wf_net_filter_put_program(struct wf_netlink_batch *batch, int prog_fd, const char *name);

/* Program id in the TCA_OPTIONS of a bpf filter; 0: no program in direct action. */
uint32_t wf_net_filter_program(const struct nlattr *attribute);

/* ---- pair.c, macvlan.c -------------------------------------------------------------------- */

/*
 * The pair, its host side up with blocks; the inner side is there but down. On failure nothing
 * is left. *ret_inner: index of the inner side.
 */
int wf_net_pair_create(struct wf_net *net, const struct wf_net_endpoint *endpoint,
		       uint32_t *ret_inner, int32_t *ret_nsid, struct wf_err *err);

/* MACVLAN and IPVLAN. `inside` is a socket in the endpoint's namespace. */
int wf_net_macvlan_create(struct wf_net *net, struct wf_netlink_socket *inside,
			  const struct wf_net_endpoint *endpoint, uint32_t *ret_inner,
			  struct wf_err *err);

/* Kind and mode of a new link. */
void wf_net_macvlan_put_info(struct wf_netlink_batch *batch, enum wf_net_kind kind,
			     enum wf_net_mode mode);

/* Says what is missing when a kernel without the module refused ("Unknown device type"). */
int wf_net_macvlan_explain(int code, enum wf_net_kind kind, struct wf_err *err);

/* ---- neigh.c ------------------------------------------------------------------------------ */

/* A neighbour entry as the kernel tells it. */
struct wf_net_neigh {
	struct wf_addr addr;
	struct wf_mac mac; /* zero while unknown, and of a proxy entry */
	uint32_t ifindex;
	bool is_permanent;
	bool is_proxy; /* the device answers for the address */
};

typedef void (*wf_net_neigh_fn)(const struct wf_net_neigh *neigh, void *context);

/* Entries of one device, both families, proxies last. */
int wf_net_neigh_dump(struct wf_netlink_socket *socket, struct wf_netlink_batch *batch,
		      uint32_t ifindex, wf_net_neigh_fn visit, void *context, struct wf_err *err);

/* RTM_NEWNEIGH or RTM_DELNEIGH of a permanent entry; mac NULL: of a proxy entry. */
void wf_net_neigh_put(struct wf_netlink_batch *batch, uint16_t type, uint16_t flags,
		      uint32_t ifindex, const struct wf_addr *addr, const struct wf_mac *mac);

/* ---- inside.c ----------------------------------------------------------------------------- */

/* lo, up, addresses, routes of a new interface, in one send. */
int wf_net_inside_configure(struct wf_net *net, struct wf_netlink_socket *inside,
			    const struct wf_net_endpoint *endpoint, uint32_t ifindex,
			    struct wf_err *err);

/* ---- sock_owner.c ------------------------------------------------------------------------- */

/* "nginx (pid 123)": the first process that has a socket open, else "a socket of uid 0". */
void wf_net_sock_owner(uint32_t inode, uint32_t uid, char ret_owner[96]);

/* ---- bury.c ------------------------------------------------------------------------------- */

/* Links are being changed: the grave-digger waits until nobody has for a moment. */
void wf_net_grave_disturb(struct wf_grave *grave);
/* Starts the grave-digger. */
int wf_net_grave_open(struct wf_grave **ret_grave, struct wf_err *err);
/* Finishes pending burials first. NULL-safe; nulls the pointer. */
void wf_net_grave_close(struct wf_grave **grave);

/* ---- monitor.c ---------------------------------------------------------------------------- */

/* The subscribed, non-blocking socket; -1 and negative errno style as wf_netlink_open(). */
int wf_net_monitor_open(int *ret_fd, struct wf_err *err);

#endif
