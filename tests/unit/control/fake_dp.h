/* SPDX-License-Identifier: Apache-2.0 */
/* dp/dp.h, lb.h, conn.h and policy.h over tables in memory, and what a test may see of and do to them. */
#ifndef WEFT_TESTS_FAKE_DP_H
#define WEFT_TESTS_FAKE_DP_H

#include "base/str.h"
#include "dp/conn.h"
#include "dp/conn_table.h"
#include "dp/dp.h"
#include "dp/lb.h"
#include "dp/policy.h"
#include "dp/tcx.h"

/* What wf_dp_netkit_possible() says. */
extern bool fake_dp_kernel_has_netkit;

struct wf_dp *fake_dp_new(void);
void fake_dp_free(struct wf_dp **dp);

/* One line per entry that is set, in no particular order: "slot 1 ...", "addr ...", "net ...". */
void fake_dp_dump(const struct wf_dp *dp, struct wf_str *out);

/* What the programs were told last. */
struct wf_config_value fake_dp_config(const struct wf_dp *dp);

/* Counters, as packets would have raised them. */
void fake_dp_count_drop(struct wf_dp *dp, enum wf_reason reason, uint64_t bytes);
void fake_dp_count_sent(struct wf_dp *dp, uint32_t slot, uint64_t bytes);

/* Puts an event into the ring. */
void fake_dp_push(struct wf_dp *dp, const struct wf_event *event);

/* Entries that nobody wants, as a crash may leave them. */
void fake_dp_litter(struct wf_dp *dp, uint32_t slot, uint32_t network, const char *addr);

/* How many addresses the table holds at most; 0: WF_MAX_ADDRESSES. */
void fake_dp_limit(struct wf_dp *dp, size_t addresses);

/* The one entry of a slot. */
struct wf_ep_value fake_dp_slot(const struct wf_dp *dp, uint32_t slot);
struct wf_net_value fake_dp_network(const struct wf_dp *dp, uint32_t number);

/* How many frontends the table holds at most; 0: as many as it has room for. */
void fake_dp_frontend_limit(struct wf_dp *dp, size_t frontends);

/* What is in the tables of services; NULL: nothing. The arrays are wf_dp_lb_memory()'s. */
const struct wf_frontend_value *fake_dp_frontend(const struct wf_dp *dp,
						 const struct wf_frontend_key *key);
size_t fake_dp_frontend_count(const struct wf_dp *dp);
const struct wf_netns_value *fake_dp_netns(const struct wf_dp *dp, uint64_t cookie);
const struct wf_uplink_value *fake_dp_uplink(const struct wf_dp *dp, uint32_t ifindex);
bool fake_dp_source(const struct wf_dp *dp, uint32_t service, const char *prefix);
/* A socket counts for a backend; whether it does. */
void fake_dp_use(struct wf_dp *dp, uint64_t cookie);
bool fake_dp_is_used(const struct wf_dp *dp, uint64_t cookie);
const char *fake_dp_cgroup(const struct wf_dp *dp); /* "": the socket hooks are nowhere */
enum wf_dp_xdp_mode fake_dp_xdp(const struct wf_dp *dp, uint32_t ifindex);

/* WF_MAX_TUNNELS addresses of a node inside WireGuard; zero: none. */
/* How the packets of a node's host go to it; NULL: as they are. */
const struct wf_seal_value *fake_dp_seal(const struct wf_dp *dp, const struct wf_addr *addr);
/* The device that bound packets go into as they are; 0: none. */
uint32_t fake_dp_bare(const struct wf_dp *dp);
const struct wf_addr *fake_dp_tunnels(const struct wf_dp *dp, uint32_t number);
/* What is in the tables of the overlay; NULL: nothing. */
const struct wf_remote_value *fake_dp_remote(struct wf_dp *dp, const char *addr);
/* Routes to VXLAN endpoints and these themselves; "ADDR/LEN" in a scope, NULL: there is none. */
size_t fake_dp_vtep_count(const struct wf_dp *dp);
const struct wf_vtep_value *fake_dp_vtep(struct wf_dp *dp, uint32_t scope, const char *prefix);
/* The same in a scope. */
const struct wf_remote_value *fake_dp_remote_in(struct wf_dp *dp, uint32_t scope, const char *addr);
/* Of the tunnel that programs open; 0: the device alone does. */
uint16_t fake_dp_tunnel_port(const struct wf_dp *dp);
/* Whether programs send nothing through it but probes. */
bool fake_dp_sends_by_device(const struct wf_dp *dp);
struct wf_node_value fake_dp_node(const struct wf_dp *dp, uint32_t number);
size_t fake_dp_remote_count(const struct wf_dp *dp);

/* What is in the tables of policies; the arrays are wf_dp_policy_memory()'s. */
bool fake_dp_guarded(const struct wf_dp *dp, uint32_t slot);
size_t fake_dp_pair_count(const struct wf_dp *dp);
/* Connections that were seeded, in their order. Borrowed. */
size_t fake_dp_seeds(const struct wf_dp *dp, const struct wf_conn_seed **ret_seeds);
/* A packet that met a rule. */
void fake_dp_hit(struct wf_dp *dp, uint32_t rule, uint64_t bytes);
/* What wf_dp_trace() answers from now on. */
void fake_dp_answer(struct wf_dp *dp, const struct wf_event *answer);

/* Puts a connection in force, as the programs would; index from 1, below 1024. */
void fake_dp_connect(struct wf_dp *dp, uint32_t index, const struct wf_conn *conn);

/* As if others had emptied the table. */
void fake_dp_forget_pairs(struct wf_dp *dp);
/* How many pairs the table holds at most; 0: as many as there is room for. */
void fake_dp_pair_limit(struct wf_dp *dp, size_t pairs);
struct wf_policy_subject_value fake_dp_subject(const struct wf_dp *dp, uint32_t slot);
/* The packet of the last question, without its bytes. */
struct wf_dp_packet fake_dp_asked(const struct wf_dp *dp);

#endif
