/* SPDX-License-Identifier: Apache-2.0 */
/* dp/dp.h over tables in memory, and what a test may see of and do to them. */
#ifndef WEFT_TESTS_FAKE_DP_H
#define WEFT_TESTS_FAKE_DP_H

#include "base/str.h"
#include "dp/dp.h"

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

#endif
