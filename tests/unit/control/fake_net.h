/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net/net.h, net/uplink.h and net/sock.h over tables in memory: the host's links, addresses, routes
 * and ports, the shared blocks, and namespaces with made-up paths. What "others" do is done with the fake_net_* functions below and
 * queues the events that the kernel would send.
 */
#ifndef WEFT_TESTS_FAKE_NET_H
#define WEFT_TESTS_FAKE_NET_H

#include "base/str.h"
#include "net/ask.h"
#include "net/net.h"
#include "net/wireguard.h"

/* fake_net_echo.c: how echo requests fare, of all nodes; to be set by tests. */
struct fake_echo {
	uint32_t largest;  /* what passes; more is refused by a router that says so */
	bool is_cut;       /* nobody answers */
	bool is_forbidden; /* no socket */
	unsigned int sockets, sent;
};
struct fake_echo *fake_net_echo(void);

/* fake_net_ask.c: how questions between the nodes of this process fare; to be set by tests. */
struct fake_ask {
	bool is_cut;       /* what is sent is lost */
	bool is_forbidden; /* no socket */
	unsigned int sockets, questions, answers;
};
struct fake_ask *fake_net_ask(void);
/* As if somebody had sent it: from "192.0.2.9" to "192.0.2.1". */
void fake_net_forge(const char *from, const char *to, enum wf_ask_what what, uint64_t cookie,
		    uint64_t revision);
/* The last message that was sent to an address, whether it came or not. */
const struct wf_ask_message *fake_net_asked(const char *to);

/* fake_net_sums.c: how probes of checksums fare between the nodes of this process; to be set by tests. */
struct fake_sums {
	bool is_broken; /* what is left to the device is lost */
	bool is_cut;    /* all is */
	bool is_forbidden;
	unsigned int sockets, sent;
};
struct fake_sums *fake_net_sums(void);

struct wf_net *fake_net_new(void);
void fake_net_free(struct wf_net **net);

/* A live namespace at a path such as "/fake/c1". */
void fake_net_add_ns(struct wf_net *net, const char *path);
/* It dies with all that is in it; the kernel tells. The path is free for another. */
void fake_net_kill_ns(struct wf_net *net, const char *path);
/* How many interfaces a namespace has (lo not counted, buried ones neither). */
size_t fake_net_ns_interfaces(const struct wf_net *net, const char *path);
/* Whether one of them was made as a netkit pair. */
bool fake_net_ns_has_netkit(const struct wf_net *net, const char *path);

/* A physical device, an address or route of the host's own. */
/* A TCP socket that every namespace shows. */
struct wf_net_conn;
void fake_net_connect(struct wf_net *net, const struct wf_net_conn *conn);
/* The sockets of the host are those with the cookies 1 to end. */
void fake_net_cookies(struct wf_net *net, uint64_t end);

uint32_t fake_net_add_device(struct wf_net *net, const char *name, uint32_t mtu);
/* The device of a VLAN that somebody else has made, and whether there is a device. */
void fake_net_add_vlan(struct wf_net *net, const char *name, const char *parent, uint16_t vlan);
bool fake_net_has(const struct wf_net *net, const char *name);
/* Takes weft's mark from a device, or gives it. */
void fake_net_set_group(struct wf_net *net, const char *name, uint32_t group);
void fake_net_add_route(struct wf_net *net, const char *prefix, const char *device);
void fake_net_set_default(struct wf_net *net, const char *device);

/*
 * Addresses of global scope of a device, NULL: none. With one it leads outside. The kernel tells.
 * No device has any to begin with.
 */
void fake_net_set_uplink(struct wf_net *net, const char *name, const char *ip4, const char *ip6);
/* Somebody has turned off that devices make checksums of the overlay, or on; the kernel does not tell. */
void fake_net_set_checksums(struct wf_net *net, bool are_offloaded);
/* Who makes them. */
enum wf_net_sums fake_net_sums_by(const struct wf_net *net);
/* Policies of IPsec are there, or are not; the kernel does not tell. */
void fake_net_set_ipsec(struct wf_net *net, bool is_present);
/* A route that puts an address behind a router, or back on the segment of the device. */
void fake_net_set_far(struct wf_net *net, const char *addr, bool is_far);
/* What the host does with all that comes in from outside; at first it is for the host itself. */
void fake_net_set_fate(struct wf_net *net, const struct wf_net_fate *fate);
/* Somebody else's shared blocks are on a device, or not any more: attaching is refused. */
void fake_net_set_foreign_blocks(struct wf_net *net, const char *name, bool are_there);
/* Whether the host filters forwarded packets; at first it does not. */
void fake_net_set_firewall(struct wf_net *net, bool is_present);
/* Whether forwarding is on; at first it is off. */
bool fake_net_forwards(const struct wf_net *net, bool ip6);
void fake_net_stop_forwarding(struct wf_net *net);
/* A process takes a port of the host; owner NULL: it gives it back. */
void fake_net_take_port(struct wf_net *net, uint8_t proto, const char *addr, uint16_t port,
			const char *owner);

/* A call of wf_net_socks_destroy(). */
struct fake_ended {
	char path[64]; /* of the namespace, "": the host's */
	uint8_t proto;
	struct wf_addr addr;
	uint16_t port;
};
/* The calls since the last time, oldest first; borrowed until the next one. */
const struct fake_ended *fake_net_take_ended(struct wf_net *net, size_t *ret_count);

/* What others break. False: there was nothing to break. */
bool fake_net_delete_link(struct wf_net *net, const char *name);
bool fake_net_set_down(struct wf_net *net, const char *name);
bool fake_net_rename(struct wf_net *net, const char *name, const char *to);
bool fake_net_delete_qdisc(struct wf_net *net, const char *name);
bool fake_net_delete_filter(struct wf_net *net, uint32_t block);
bool fake_net_delete_uplink_filter(struct wf_net *net, const char *name, bool egress);
bool fake_net_delete_uplink_qdisc(struct wf_net *net, const char *name);
bool fake_net_delete_route(struct wf_net *net, size_t index);
bool fake_net_delete_address(struct wf_net *net, size_t index);
/* Without an event: an address inside of a namespace goes. */
bool fake_net_strip_ns(struct wf_net *net, const char *path);
/* Events are lost: those that wait go, and one says so. */
void fake_net_overrun(struct wf_net *net);
/* They are lost and nobody says so. */
void fake_net_forget_events(struct wf_net *net);

/* Deletes what is buried, as the grave-digger does after a while. */
void fake_net_dig(struct wf_net *net);
/* How often somebody asked for what an earlier process buried. */
unsigned int fake_net_leftovers_asked(const struct wf_net *net);
/* Whether something is buried and not deleted yet, or an event waits. */
bool fake_net_is_busy(const struct wf_net *net);

/*
 * One line per thing of weft's, in no particular order: "link ...", "route ...", "address ...",
 * "block ...", "uplink ...", "inside ...". Buried ones are left out.
 */
void fake_net_dump(const struct wf_net *net, struct wf_str *out);

/* A WireGuard device as it was set up. */
#define FAKE_WG_PEERS 16
#define FAKE_WG_BOUND 64
struct fake_wg {
	struct {
		struct wf_addr addr;
		uint8_t key[WF_WG_KEY_BYTES]; /* whose it is */
	} bound[FAKE_WG_BOUND];
	size_t bound_count;
	uint8_t key[WF_WG_KEY_BYTES];
	uint16_t port;
	struct wf_wg_peer peers[FAKE_WG_PEERS];
	size_t peer_count;
	bool has_met_all;
};
const struct fake_wg *fake_net_wg(const struct wf_net *net, unsigned int digit);
/* The device that tunnel addresses lead into, 0: none; and whether there is an end to that. */
uint32_t fake_net_wg_way(const struct wf_net *net, bool *ret_has_end);
/* No device can be made or changed, or they can again. */
void fake_net_wg_break(struct wf_net *net, bool on);
/* Devices do not answer in time, or they do again. */
void fake_net_wg_delay(struct wf_net *net, bool on);
/* All peers of a device have shaken hands, or none. */
void fake_net_wg_meet(struct wf_net *net, unsigned int digit, bool on);

#endif
