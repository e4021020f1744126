/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of a pool, for the pool_*.c files only. Addresses are offsets from the subnet's first
 * address. Invariants:
 *   - a record exists for exactly the offsets that are taken here, reserved or cooling; `busy`
 *     holds exactly the offsets that have a record, and those that are taken elsewhere;
 *   - `cooling` lists the cooling records by time of release, which is the order they get due in;
 *   - `everywhere` and `automatic` count the records by state; every change of a record is
 *     bracketed by wf_pool_uncount() and wf_pool_count().
 */
#ifndef WEFT_IPAM_POOL_PRIV_H
#define WEFT_IPAM_POOL_PRIV_H

#include <stdlib.h>

#include "ipam/bitmap.h"
#include "ipam/interval.h"
#include "ipam/pool.h"

/* A failed allocation inside uthash leaves the element out; HASH_ADD callers look at hh.tbl. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* Offset of what lies outside; also what the searches return for "none". */
#define WF_POOL_NOWHERE UINT64_MAX

struct wf_pool_record {
	uint64_t offset;
	char *owner;                        /* owned; NULL: not taken */
	char *holder;                       /* owned; NULL: not reserved */
	bool is_cooling;                    /* in pool->cooling */
	uint64_t released_ms;               /* when it was released; valid while cooling */
	struct wf_pool_record *prev, *next; /* in pool->cooling */
	UT_hash_handle hh;
};

struct wf_pool_counts {
	uint64_t taken;
	uint64_t reserved;
	uint64_t cooling;
};

struct wf_pool {
	struct wf_prefix prefix;
	uint64_t last;    /* offset of the highest address */
	uint64_t gateway; /* offset; WF_POOL_NOWHERE when none */
	uint64_t cool_down_ms;
	uint64_t cursor;            /* last offset given out; WF_POOL_NOWHERE at first */
	uint64_t newest_release_ms; /* time never goes backwards in the cooling list */
	struct wf_intervals given;  /* what may be given out automatically */
	uint64_t given_size;
	struct wf_bitmap busy;
	unsigned int block_bits;  /* a block has 2^this addresses; 0: there are no blocks */
	struct wf_bitmap claimed; /* blocks that are a node's, by number from the subnet's start */
	struct wf_bitmap own;     /* of these: this node's */
	wf_pool_ask_fn ask;       /* NULL: nobody to ask */
	void *ask_context;
	struct wf_pool_record *records; /* owned; hash by offset */
	struct wf_pool_record *cooling; /* borrowed from records; oldest first */
	struct wf_pool_counts everywhere;
	struct wf_pool_counts automatic; /* only what lies in `given` */
};

/* Where an address is chosen from. */
enum wf_pool_where {
	WF_POOL_ANYWHERE,
	WF_POOL_OWN_BLOCKS,
	WF_POOL_FREE_BLOCKS,
};

/* The lowest offset from `from` on that lies there; WF_POOL_NOWHERE: none. */
uint64_t wf_pool_next_there(const struct wf_pool *pool, enum wf_pool_where where, uint64_t from);

/*
 * The next offset from `from` on that may be given, is there, is in the narrowed choice (NULL: all)
 * and is not busy; WF_POOL_NOWHERE: none.
 */
uint64_t wf_pool_next_free(const struct wf_pool *pool, enum wf_pool_where where,
			   const struct wf_intervals *narrow, uint64_t from);

/* Sets free what is due. */
void wf_pool_expire(struct wf_pool *pool, uint64_t now_ms);

/* Offset of an address, WF_POOL_NOWHERE when it is outside or beyond 64 bits. */
uint64_t wf_pool_offset(const struct wf_pool *pool, const struct wf_addr *addr);
struct wf_addr wf_pool_addr(const struct wf_pool *pool, uint64_t offset);

/* Why an offset can never be an endpoint's ("the gateway"); NULL when it can. */
const char *wf_pool_unusable(const struct wf_pool *pool, uint64_t offset);

/* Sets last and gateway from a subnet whose prefix is pool->prefix. */
void wf_pool_set_bounds(struct wf_pool *pool, const struct wf_subnet *subnet);

/* Computes what may be given out automatically. *ret_given must be empty. 0 or -ENOMEM. */
int wf_pool_make_given(const struct wf_pool *pool, const struct wf_subnet *subnet,
		       struct wf_intervals *ret_given);

/* Adds the part of the ranges that lies inside the subnet. 0 or -ENOMEM. */
int wf_pool_add_ranges(const struct wf_pool *pool, const struct wf_ranges *ranges,
		       struct wf_intervals *set);

struct wf_pool_record *wf_pool_find(const struct wf_pool *pool, uint64_t offset);

/* Whether somebody elsewhere has it: it is busy and has no record. */
bool wf_pool_is_elsewhere(const struct wf_pool *pool, uint64_t offset);
/* Who that is; never NULL. */
const char *wf_pool_elsewhere(const struct wf_pool *pool, uint64_t offset);

/* State of a record at a time; FREE when its cool-down is over. */
enum wf_pool_state wf_pool_record_state(const struct wf_pool *pool,
					const struct wf_pool_record *record, uint64_t now_ms);

/* When a cooling record is due; saturates. */
uint64_t wf_pool_due_ms(const struct wf_pool *pool, const struct wf_pool_record *record);

/* Adds a record to, or takes it from, a count; `sign` is +1 or -1. */
void wf_pool_tally(struct wf_pool_counts *counts, const struct wf_pool_record *record, int sign);

/* Counts all that lie in `given` into `automatic`, which is zero. */
void wf_pool_tally_given(struct wf_pool *pool);

/* Why nothing can be given out; returns -ENOSPC. narrow: the narrowed choice, NULL for all. */
int wf_pool_fail_full(const struct wf_pool *pool, const struct wf_intervals *narrow,
		      uint64_t now_ms, struct wf_err *err);

#endif
