/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of connections as the daemon sees it: mapped memory that programs change
 * at the same time (abi/conn.h). Expired records are swept a slice at a time; programs take them
 * over themselves when no daemon does.
 */
#ifndef WEFT_DP_CONN_H
#define WEFT_DP_CONN_H

#include <weft/abi/conn.h>

#include "dp/dp.h"

/* A copy of a record that was in force at one moment. */
struct wf_dp_conn {
	uint32_t index;
	struct wf_conn conn;
	uint64_t age_ms;
	uint64_t idle_ms;
	uint64_t expires_ms; /* from now, if nothing more is seen */
};

/*
 * Visits all records in force; true from the callback removes the record. Returns their number, or
 * a negative errno when the memory cannot be mapped.
 */
typedef bool (*wf_dp_conn_fn)(const struct wf_dp_conn *conn, void *context);
int wf_dp_conn_visit(struct wf_dp *dp, wf_dp_conn_fn visit, void *context);

/* What a sweep leaves. */
struct wf_dp_conn_rest {
	uint32_t live;    /* records in force, or waiting to be free again */
	uint64_t wait_ms; /* until one of them may be over; 0: soon, or not all were looked at */
};

/*
 * Looks at up to `slice` records from where the last call ended and frees the expired. Returns how
 * many were taken out of force. With ret_rest->live 0 (also on failure) no sweep is needed until there
 * are connections again.
 */
int wf_dp_conn_sweep(struct wf_dp *dp, uint32_t slice, struct wf_dp_conn_rest *ret_rest);
/*
 * Asks to be told by an event (WF_EVENT_WAKE, once) when so many connections are in force; 0: not to be
 * told. False: so many are, nobody will tell.
 */
bool wf_dp_conn_wake_at(struct wf_dp *dp, uint32_t live);

/* A consistent copy of the counters. */
void wf_dp_conn_state(struct wf_dp *dp, struct wf_conn_state *ret_state);
/* Writes time-outs and quota, in force at once. */
void wf_dp_conn_configure(struct wf_dp *dp,
			  const uint32_t timeout_s[WF_CONN_PHASE_COUNT][WF_CONN_CLASS_COUNT],
			  uint32_t quota);
struct wf_conn_seed; /* dp/conn_table.h */
/*
 * Puts connections that exist already in force, as programs would have (WF_CONN_POLICY). Those whose tuples are known are left as they are. Returns how many
 * were added, or a negative errno; -ENOSPC: the table is full, some may have been added.
 */
int wf_dp_conn_seed(struct wf_dp *dp, const struct wf_conn_seed *seeds, size_t count);
/* Connections of an endpoint's slot. */
void wf_dp_conn_owner(struct wf_dp *dp, uint32_t slot, struct wf_conn_owner *ret_owner);

#endif
