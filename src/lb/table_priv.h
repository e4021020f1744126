/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Within the folder: what the table remembers, and how a change goes through it.
 *
 * A change of one port goes in three steps:
 *
 *   plan     table_plan.c   all that can fail for want of room: numbers, runs, memory. Nothing
 *                           that programs look at is written but runs and numbers nobody names yet
 *   write    table_apply.c  backends that are new or come back, then the frontends
 *   finish   table_apply.c  backends that left lose USABLE, the old runs begin their pause. If the
 *                           frontends could not be written: the way back instead
 *
 * A record is one service port, known by key; one that was adopted has none until a put claims
 * it. It outlives its removal until no connection uses its backends.
 */
#ifndef WEFT_LB_TABLE_PRIV_H
#define WEFT_LB_TABLE_PRIV_H

#include <utlist.h>

#include "base/bits.h"
#include "base/index.h"
#include "base/space.h"
#include "lb/maglev.h"
#include "lb/table.h"

/*
 * How long runs and numbers rest before they are used again: a program that read a frontend just
 * before it changed has long come to its end by then.
 */
#define WF_LB_PAUSE_MS 2000

/* Least time between sweeps for room: what is full is full for all that come in this time. */
#define WF_LB_FULL_MS 100

/* How often a backend that left is asked whether its connections have ended. */
#define WF_LB_POLL_MS 1000

/* Frontends gathered at most before they are written, so that memory stays bounded. */
#define WF_LB_BATCH 16384

/* Bit 1 << index of enum wf_lb_set is the backends' membership. */
#define WF_LB_SETS 3

/* A run of picks. */
struct wf_lb_run {
	uint32_t first;
	uint32_t size;
	uint64_t due_ms; /* end of its pause */
	struct wf_lb_run *prev, *next;
};

/* A backend of a record: in the port, or gone from it and not free yet. */
struct wf_lb_held {
	struct wf_addr addr;
	uint64_t left_ms; /* when it left, if it has */
	uint32_t number;
	uint32_t slot; /* in force once staged */
	uint16_t port;
	uint16_t flags;  /* in force; 0: has a number and was never shown */
	uint16_t wanted; /* by the change */
	bool is_here;    /* in the port that is in force */
	bool stays;      /* in the port of the change */
};

enum wf_lb_pending {
	WF_LB_KEEP,
	WF_LB_SET,
	WF_LB_DELETE,
};

/* A frontend, in the index by its key and in the list of its record. */
struct wf_lb_node {
	struct wf_frontend_key key;
	struct wf_frontend_value value;  /* in force, if it is */
	struct wf_frontend_value staged; /* with WF_LB_SET */
	enum wf_lb_pending pending;
	bool is_there; /* the kernel has it */
	struct wf_lb_record *owner;
	struct wf_lb_node *prev, *next;
	struct wf_index_node by_key;
};

/* Who may use a service; sorted, no two alike. */
struct wf_lb_sources {
	struct wf_prefix *items; /* owned */
	size_t count, capacity;
};

struct wf_lb_record {
	char *key;       /* owned; NULL: adopted, and nobody has claimed it */
	uint32_t number; /* 0: holds adopted things that make no sense */
	bool in_force;
	bool is_cut;             /* how its backends leave */
	bool is_reserved;        /* a number only, taken by wf_lb_table_number_take() */
	bool is_staged;          /* its change is planned, and waits for commit */
	bool is_waiting;         /* in the list of those that sweep looks at */
	uint64_t gone_ms;        /* when it was removed, unless in force */
	struct wf_lb_held *held; /* owned; sorted by address and port */
	size_t held_count;
	struct wf_lb_node *nodes; /* owned list */
	size_t node_count;
	struct wf_lb_run *runs;             /* owned list: all that frontends in force may name */
	struct wf_lb_run *sets[WF_LB_SETS]; /* into runs; NULL: nobody to serve */
	struct wf_lb_sources sources;

	/* of the planned change */
	bool will_be_in_force;
	uint64_t staged_ms;
	struct wf_lb_run *fresh; /* owned list: runs that were made for it */
	struct wf_lb_run *next_sets[WF_LB_SETS];
	struct wf_lb_sources next_sources;

	struct wf_lb_record *staged_prev, *staged_next;
	struct wf_lb_record *waiting_prev, *waiting_next;
	struct wf_index_node by_key; /* in the index when it has one */
};

/* Room for one computation, kept because nearly every put needs it. */
struct wf_lb_scratch {
	uint32_t *picks; /* owned */
	size_t picks_capacity;
	struct wf_maglev_backend *members; /* owned */
	size_t members_capacity;
	uint32_t *numbers; /* owned; of the port's backends, by index */
	size_t numbers_capacity;
	struct wf_frontend_key *keys; /* owned; for the effects */
	struct wf_frontend_value *values;
	size_t batch_capacity;
};

struct wf_lb_table {
	struct wf_lb_memory memory;
	struct wf_lb_effects effects;
	struct wf_bits free_services; /* numbers nobody has */
	struct wf_bits free_backends;
	struct wf_space space;
	struct wf_index records;         /* by key */
	struct wf_lb_record **by_number; /* owned array; owns them */
	struct wf_lb_record *stray;      /* owned; NULL: nothing senseless was adopted */
	struct wf_index nodes;           /* by key; the records own them */
	struct wf_lb_run *paused;        /* owned list, the one due first in front */
	struct wf_lb_record *waiting;    /* list */
	struct wf_lb_record *staged;     /* list, in the order of puts */
	size_t staged_nodes;
	uint64_t full_due_ms; /* before that no sweep is made because something is full */
	bool in_batch;
	int batch_result; /* of what was written before commit; the first failure */
	struct wf_err batch_err;
	struct wf_lb_scratch scratch;
};

/* table_record.c: records and frontends */
struct wf_lb_record *wf_lb_record_find(const struct wf_lb_table *table, const char *key);
/* Its key, or words for those without. */
const char *wf_lb_record_label(const struct wf_lb_record *record);
/* A record of a free number, with key or (NULL) without. -ENOMEM. */
int wf_lb_record_new(struct wf_lb_table *table, uint32_t number, const char *key,
		     struct wf_lb_record **ret_record);
/* Gives a record without one its key. -ENOMEM. */
int wf_lb_record_name(struct wf_lb_table *table, struct wf_lb_record *record, const char *key);
/* Forgets it and frees its number at once. */
void wf_lb_record_free(struct wf_lb_table *table, struct wf_lb_record *record);
struct wf_lb_node *wf_lb_node_find(const struct wf_lb_table *table,
				   const struct wf_frontend_key *key);
/* A frontend that is not in force yet. NULL: no memory. */
struct wf_lb_node *wf_lb_node_new(struct wf_lb_table *table, struct wf_lb_record *owner,
				  const struct wf_frontend_key *key);
void wf_lb_node_free(struct wf_lb_table *table, struct wf_lb_node *node);
void wf_lb_node_move(struct wf_lb_node *node, struct wf_lb_record *owner);
struct wf_frontend_key wf_lb_node_key(const struct wf_lb_port *port,
				      const struct wf_lb_frontend *frontend);
/* Order of backends: by address, then port. */
int wf_lb_held_compare(const struct wf_addr *addr, uint16_t port, const struct wf_addr *other,
		       uint16_t other_port);
/* Makes the first entries of an array usable. 0 or -ENOMEM. */
int wf_lb_table_reach(const struct wf_lb_table *table, enum wf_lb_array array, uint32_t count);
/* The same for all places of a run. */
int wf_lb_run_reach(const struct wf_lb_table *table, uint32_t first, uint32_t size);
/* The places of a run in memory. */
uint32_t *wf_lb_run_places(const struct wf_lb_table *table, uint32_t first);

/*
 * table_plan.c: plans that `record` becomes `port`; NULL: goes away. On failure all is as it was.
 * -ENOSPC, -ENOMEM, or what source_set said.
 */
int wf_lb_table_plan(struct wf_lb_table *table, struct wf_lb_record *record,
		     const struct wf_lb_port *port, struct wf_err *err);

/* Order of struct wf_prefix in struct wf_lb_sources, for qsort() too. */
int wf_lb_source_compare(const void *a, const void *b);

/* table_apply.c: whether a planned change changes anything; forgets the plan when not. */
bool wf_lb_table_settle(struct wf_lb_table *table, struct wf_lb_record *record);
/* Shows the backends and queues the frontends of a planned change. */
void wf_lb_table_stage(struct wf_lb_table *table, struct wf_lb_record *record, uint64_t now_ms);
/* Writes all queued frontends and finishes their changes, or takes them back. */
int wf_lb_table_flush(struct wf_lb_table *table, struct wf_err *err);

/* table_sweep.c: has sweep look at a record from now on. */
void wf_lb_table_wait(struct wf_lb_table *table, struct wf_lb_record *record);
/* A run that frontends do not name any more. */
void wf_lb_table_pause(struct wf_lb_table *table, struct wf_lb_run *run, uint64_t now_ms);

#endif
