/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The addresses of one subnet: who has which, what is reserved, what cools down, what comes next.
 * Pure: no clock (time comes in), no store (state is told by the caller), no logging.
 *
 * Order of automatic choice: onwards from the last address given (as host-local does), skipping
 * taken, reserved, excluded and cooling ones; wraps once. Never the subnet's own, broadcast
 * (IPv4, prefixes shorter than 31) or gateway address; in IPv6 never the subnet-router anycast
 * address. Memory grows with use, not with the size of the subnet.
 */
#ifndef WEFT_IPAM_POOL_H
#define WEFT_IPAM_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "model/network.h"

struct wf_pool;

enum wf_pool_state {
	WF_POOL_FREE,
	WF_POOL_TAKEN,    /* an endpoint has it */
	WF_POOL_RESERVED, /* held for a name */
	WF_POOL_COOLING,  /* released, not yet given out again */
	WF_POOL_EXCLUDED, /* spec.exclude, or outside the ranges: only on request */
	WF_POOL_UNUSABLE, /* network, broadcast, gateway */
	WF_POOL_OUTSIDE,  /* not in this subnet */
	WF_POOL_STATE_COUNT,
};

/* What the pool knows of one address. */
struct wf_pool_fact {
	enum wf_pool_state state;
	const char *owner;      /* borrowed: endpoint or reservation name; NULL when none */
	uint64_t cool_until_ms; /* COOLING: when it may be given out again */
};

struct wf_pool_usage {
	uint64_t total; /* addresses that can be given out automatically (saturates) */
	uint64_t taken;
	uint64_t reserved;
	uint64_t cooling;
	uint64_t free;
};

/* Copies what it needs of the subnet. cool_down_ms 0: none. */
int wf_pool_new(struct wf_pool **ret_pool, const struct wf_subnet *subnet, uint64_t cool_down_ms);
void wf_pool_free(struct wf_pool **pool);

/*
 * Gives the next free address to owner. ranges (may be NULL) narrows the choice for this call.
 * -ENOSPC: none; the message says how many are taken, reserved and cooling, and when the first
 * cooling one is due. -ENOMEM.
 */
int wf_pool_alloc(struct wf_pool *pool, const char *owner, const struct wf_ranges *ranges,
		  uint64_t now_ms, struct wf_addr *ret_addr, struct wf_err *err);

/*
 * Gives one given address to owner. Excluded and cooling addresses may be asked for, reserved
 * ones only by their holder. -EADDRINUSE names the owner; -EADDRNOTAVAIL: outside or unusable.
 */
int wf_pool_take(struct wf_pool *pool, const struct wf_addr *addr, const char *owner,
		 uint64_t now_ms, struct wf_err *err);

/*
 * The same for an owner elsewhere, of whom there may be very many: nothing is kept of it but that
 * the address is taken, and whoever was named by wf_pool_ask() is asked for the name.
 */
int wf_pool_take_elsewhere(struct wf_pool *pool, const struct wf_addr *addr, const char *owner,
			   uint64_t now_ms, struct wf_err *err);

/* Who has an address that was taken so: borrowed; NULL: nobody knows. */
typedef const char *(*wf_pool_ask_fn)(const struct wf_addr *addr, void *context);
void wf_pool_ask(struct wf_pool *pool, wf_pool_ask_fn ask, void *context);

/*
 * Takes an address back if owner has it (a stale release changes nothing and returns -ENOENT).
 * cool: start the cool-down; false for an ADD that failed before the address was used.
 */
int wf_pool_release(struct wf_pool *pool, const struct wf_addr *addr, const char *owner,
		    uint64_t now_ms, bool cool);

/* Holds an address for a name; -EADDRINUSE when another has it. The holder may have it taken. */
int wf_pool_reserve(struct wf_pool *pool, const struct wf_addr *addr, const char *holder,
		    struct wf_err *err);
int wf_pool_unreserve(struct wf_pool *pool, const struct wf_addr *addr, const char *holder);

/* What is known of an address at a time. */
struct wf_pool_fact wf_pool_explain(const struct wf_pool *pool, const struct wf_addr *addr,
				    uint64_t now_ms);

struct wf_pool_usage wf_pool_usage(const struct wf_pool *pool, uint64_t now_ms);

/*
 * Changes what may change while addresses are out: ranges, exclusions, gateway, cool-down; a new
 * cool-down holds for addresses that are already cooling too. -EINVAL: another prefix;
 * -EADDRINUSE: the new gateway is taken or reserved; -ENOMEM. Nothing changes on failure.
 */
int wf_pool_update(struct wf_pool *pool, const struct wf_subnet *subnet, uint64_t cool_down_ms);

/*
 * Calls back for every address that is taken, reserved, cooling or unusable, in order. Stops when
 * the callback returns false. The callback must not change the pool.
 */
typedef bool (*wf_pool_visit_fn)(const struct wf_addr *addr, const struct wf_pool_fact *fact,
				 void *context);
void wf_pool_visit(const struct wf_pool *pool, uint64_t now_ms, wf_pool_visit_fn visit,
		   void *context);

const struct wf_prefix *wf_pool_prefix(const struct wf_pool *pool);

/* ---- blocks ----------------------------------------------------------------------------------- */

/*
 * A subnet that several nodes give out may be cut into blocks: prefixes of one length, each of
 * which is one node's to choose from. They narrow what is chosen, not what may be asked for.
 */
enum wf_pool_block {
	WF_POOL_BLOCK_FREE,  /* no node's */
	WF_POOL_BLOCK_OWN,   /* this node's */
	WF_POOL_BLOCK_OTHER, /* another node's */
};

/* Cuts the subnet into blocks of a prefix length, all of them free; 0: into none. */
void wf_pool_cut(struct wf_pool *pool, uint8_t block_len);
/* The length that it is cut by; 0: there are no blocks. */
uint8_t wf_pool_block_len(const struct wf_pool *pool);
/* The block that an address is in; false: there is none. */
bool wf_pool_block_of(const struct wf_pool *pool, const struct wf_addr *addr,
		      struct wf_prefix *ret_block);
/* Says whose a block is. -EINVAL: the subnet is not cut so; -ENOMEM (it may be free then). */
int wf_pool_block_mark(struct wf_pool *pool, const struct wf_prefix *block,
		       enum wf_pool_block whose);
/* As wf_pool_alloc(), but only from own blocks; without a message when they are full. */
int wf_pool_alloc_own(struct wf_pool *pool, const char *owner, const struct wf_ranges *ranges,
		      uint64_t now_ms, struct wf_addr *ret_addr, struct wf_err *err);
/*
 * A free block with an address that may be given out now: the first from the one with that number on,
 * taken modulo their count. -ENOSPC: there is none (no message); -ENOMEM.
 */
int wf_pool_block_find(struct wf_pool *pool, const struct wf_ranges *ranges, uint64_t number,
		       uint64_t now_ms, struct wf_prefix *ret_block);
/* How many addresses of a block can be given out automatically. */
uint64_t wf_pool_block_size(const struct wf_pool *pool, const struct wf_prefix *block);
/* wf_pool_visit() of what is taken, reserved or cooling in a block. */
void wf_pool_visit_block(const struct wf_pool *pool, const struct wf_prefix *block, uint64_t now_ms,
			 wf_pool_visit_fn visit, void *context);

#endif
