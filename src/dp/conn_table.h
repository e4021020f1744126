/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's part in the table of connections, on plain pointers: expiry, removal, copies of
 * records, and records of what began before anybody looked. The protocol is stated in bpf/lib/conn.h; programs work on the same memory meanwhile.
 * Knows no map, no clock and no system call.
 */
#ifndef WEFT_DP_CONN_TABLE_H
#define WEFT_DP_CONN_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include <weft/abi/conn.h>
#include <weft/abi/lb.h>

/* Puts the index of a free record into the queue of free records. 0 or a negative errno. */
typedef int (*wf_conn_free_fn)(uint32_t index, void *context);
/* Takes one out of it. 0 or a negative errno when there is none. */
typedef int (*wf_conn_pop_fn)(uint32_t *ret_index, void *context);

/* The memory, borrowed. */
struct wf_conn_table {
	struct wf_conn_state *state;
	struct wf_conn *conns; /* a window: records [first, first + count) */
	uint32_t first;
	uint32_t count;
	struct wf_conn_bucket *buckets; /* all; only needed to remove */
	struct wf_conn_owner *owners;   /* only needed to remove */
	uint32_t owner_count;
	struct wf_backend_value *backends; /* only needed to remove */
	uint32_t backend_count;
	wf_conn_free_fn free;
	wf_conn_pop_fn pop; /* only needed to add */
	void *context;
};

/* A record that somebody has changed for suspiciously long. */
struct wf_conn_suspect {
	uint32_t index;
	uint32_t guard;
	uint32_t since; /* tick */
};

#define WF_CONN_SUSPECTS 4

/* What one sweep has to tell the next. All zero to begin with. */
struct wf_conn_sweep {
	uint32_t next;        /* record to go on with */
	uint32_t waiting;     /* records in limbo, seen in this round */
	uint32_t waiting_was; /* the same, of the round before */
	/* A process that is killed while it holds a record leaves it held: the next one finds it. */
	struct wf_conn_suspect suspects[WF_CONN_SUSPECTS];
	uint32_t suspect_next; /* the one to be overwritten */
	/* Milliseconds until a record that was seen may be over; whoever sweeps sets it to begin with. */
	uint64_t soonest_ms;
};

/* First record that was never handed out: nothing from there on needs a look. */
uint32_t wf_conn_table_end(const struct wf_conn_state *state);
/* Copies a record of the window if it is in force; false otherwise. */
bool wf_conn_table_read(const struct wf_conn_table *table, uint32_t index,
			struct wf_conn *ret_conn);
/* Milliseconds of silence after which a record in force is over. */
uint64_t wf_conn_table_limit_ms(const struct wf_conn_state *state, const struct wf_conn *conn);
/* Ticks without a packet. */
uint32_t wf_conn_table_silence(const struct wf_conn *conn, uint32_t now);
/* Takes a record of the window out of force, unless it has begun another life than `guard`'s. */
bool wf_conn_table_remove(const struct wf_conn_table *table, uint32_t index, uint32_t guard,
			  uint32_t now);
/* A connection that exists already. */
struct wf_conn_seed {
	struct wf_tuple tuple[WF_DIR_COUNT]; /* each as packets of that direction arrive */
	uint32_t flags;                      /* enum wf_conn_flag */
	uint32_t owner;                      /* slots, as in struct wf_conn */
	uint32_t peer;
	uint32_t phase; /* enum wf_conn_phase */
};

/*
 * Puts it in force, whatever the owner's quota; the window must be the whole table. 0, -EEXIST: one
 * of the tuples is in force or about to be; -ENOSPC: no record or no place in the index.
 */
int wf_conn_table_add(const struct wf_conn_table *table, const struct wf_conn_seed *seed,
		      uint32_t now);
/* Whether a sweep over the window may have to remove something. */
bool wf_conn_table_is_due(const struct wf_conn_table *table, uint32_t now);
/* Removes what is expired, frees what has waited long enough. Returns how many were removed. */
uint32_t wf_conn_table_sweep(const struct wf_conn_table *table, struct wf_conn_sweep *sweep,
			     uint32_t now);

#endif
