/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the tables in memory: fake_dp.c has dp/dp.h, fake_dp_lb.c dp/lb.h and dp/conn.h,
 * fake_dp_policy.c dp/policy.h, fake_dp_overlay.c dp/overlay.h.
 */
#ifndef WEFT_TESTS_FAKE_DP_PRIV_H
#define WEFT_TESTS_FAKE_DP_PRIV_H

#include "dp/dp.h"
#include "fake_gate.h"

#define ROOM      4096
#define RING_ROOM 64

/* Ends a function of the fake when its call is to fail. */
#define PASS(kind, err)                                                    \
	do {                                                               \
		int gate_ = fake_gate_pass((kind), __func__, -EIO, (err)); \
		if (gate_ < 0)                                             \
			return gate_;                                      \
	} while (0)

struct entry {
	struct wf_addr_key key;
	struct wf_addr_value value;
};

/* Tables of services and connections. */
struct fake_lb;
/* Tables of policies. */
struct fake_policy;
/* Tables of the overlay. */
struct fake_overlay;

struct wf_dp {
	struct wf_ep_value slots[WF_MAX_SLOTS];
	struct wf_net_value networks[WF_MAX_NETWORKS];
	struct wf_traffic_value traffic[WF_MAX_SLOTS];
	struct entry addresses[ROOM];
	size_t count, limit;
	struct wf_config_value config;
	struct wf_counter drops[WF_REASON_COUNT];
	struct wf_event ring[RING_ROOM];
	size_t waiting;
	int ring_fd;
	struct fake_lb *lb;           /* owned */
	struct fake_policy *policy;   /* owned */
	struct fake_overlay *overlay; /* owned */
};

struct fake_lb *fake_lb_new(void);
void fake_lb_free(struct fake_lb **lb);
struct fake_policy *fake_policy_new(void);
void fake_policy_free(struct fake_policy **policy);
struct fake_overlay *fake_overlay_new(void);
void fake_overlay_free(struct fake_overlay **overlay);

#endif
