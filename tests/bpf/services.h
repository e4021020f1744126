/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Services, published ports and an uplink around the world of world.h, and steps: one packet
 * through one program of the shipped object, its verdict, its bytes with all checksums, and the
 * reason it was counted for. Steps build on each other by the table of connections.
 *
 *   slot 1 blue   slot 2 blue   slot 3 red   slot 4 alone (isolated)   slot 5 inner (internal)
 *   uplink 192.0.2.1, 2001:db8::1; blue and red are masqueraded
 *
 *   1  10.96.0.1:80/tcp, /sctp, [fd96::1]:80   node port 30080   slot 2, port 8080
 *   2  10.96.0.1:53/udp  round robin                      slots 2 and 3, port 53
 *   3  10.96.0.2:80/tcp                 node port 30082   nobody
 *   4  10.96.0.3:80/tcp                                   slot 1, port 8080
 *   5  10.96.0.4:80/tcp                 node port 30084   203.0.113.9:8080, elsewhere; SNAT
 *   6                                   node port 30085   nobody here, policy Local
 *   7  198.51.100.7:80/tcp (load balancer, for 192.0.2.0/25)   slot 2, port 8080
 *   8  10.96.0.5:80/tcp                 node port 30086   slot 4, port 80
 *   9  10.96.0.6:80/tcp  affinity                         slots 2 and 3, port 80
 *  10  198.51.100.17:80/tcp (load balancer)              203.0.113.9:8080, elsewhere; direct
 *  14                                   node port 30087, udp  203.0.113.9:4789, elsewhere; SNAT
 *  15  10.96.0.7:80/tcp                                   192.0.2.1:8080, the host itself
 *   -  published: 8000-8999/tcp to slot 3 from port 9000; 7000/tcp to slot 4, port 70
 */
#ifndef WEFT_TESTS_BPF_SERVICES_H
#define WEFT_TESTS_BPF_SERVICES_H

#include <linux/pkt_cls.h>
#include <stdbool.h>

#include <weft/abi/lb.h>
#include <weft/abi/reason.h>

#include "dp/conn.h"
#include "dp/lb.h"
#include "native/wire.h"

#define SERVICES_TCP   .proto = IPPROTO_TCP, .sport = 40000, .tcp_flags = 2
#define SERVICES_UDP   .proto = IPPROTO_UDP, .sport = 40000, .payload = 20
#define SERVICES_GO_ON ((int)TC_ACT_UNSPEC)

/* Of steps: verdicts, and the address of the uplink. */
#define GO_ON    .action = SERVICES_GO_ON
#define SHOT     .action = TC_ACT_SHOT
#define REDIRECT .action = TC_ACT_REDIRECT
#define TO_H     "192.0.2.1"
/* Of steps: marked as it may be, see services_mark. */
#define ANY_MARK 0xffffffff

/* Numbers of backends. */
enum services_backend {
	BACKEND_WEB = 1,
	BACKEND_WEB6,
	BACKEND_DNS2,
	BACKEND_DNS3,
	BACKEND_SELF,
	BACKEND_FAR,
	BACKEND_BALANCED,
	BACKEND_ALONE,
	BACKEND_STICKY2,
	BACKEND_STICKY3,
	BACKEND_DIRECT,
	BACKEND_TUNNEL,
	BACKEND_HOST,
	BACKEND_COUNT,
};

enum place {
	FROM,      /* a container's device */
	FROM_HOST, /* weft0p */
	COMES_IN,  /* the uplink, received */
	GOES_OUT,  /* the uplink, about to be sent */
	XDP_IN,    /* the uplink, before the stack */
};

struct step {
	const char *name;
	enum place place;
	__u32 slot; /* FROM: whose */
	struct wire_spec in;
	int action;           /* of tc or XDP */
	struct wire_spec out; /* src NULL: unchanged */
	__u32 reason;         /* enum wf_reason; 0: not counted as a drop */
	bool is_refused;      /* the packet out is the refusal of the packet in */
	__u16 to_mac;         /* brief destination MAC; 0: any */
	__u32 mark;           /* of the packet in */
	__u32 mark_out;
};

extern struct wf_dp *services_dp;
extern __u32 services_uplink; /* ifindex */
extern __u32 services_mark;   /* of the last packet that passed a program of tc, behind it */

/* Group fixtures: enters the world; and leaves. */
int services_set_up(void **state);
int services_tear_down(void **state);
/* Test fixture: no connections, all backends usable, wf_config as usual. */
int services_begin(void **state);

/* Runs the packet of a step, whatever it expects; returns the action. */
int services_run(const struct step *step, struct wire *ret_in, struct wire *ret_out);
void services_step(const struct step *step);
void services_steps(const struct step *steps, size_t count);
#define SERVICES_STEPS(steps) services_steps((steps), sizeof(steps) / sizeof((steps)[0]))

void services_configure(__u32 flags, __u32 observe);
/* The published 8000-8999/tcp. */
struct wf_range_value services_run_of_ports(void);
struct wf_backend_value *services_backend(enum services_backend number);
/* Connections in force. */
__u32 services_live(void);

#endif
