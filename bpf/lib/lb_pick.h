/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Which backend of a run a new connection gets: the place by the service's algorithm, or the one
 * that the client had before (affinity). Only backends that take new connections are given.
 */
#ifndef WEFT_BPF_LB_PICK_H
#define WEFT_BPF_LB_PICK_H

#include <weft/abi/conn.h>
#include <weft/abi/lb.h>

#include "packet.h"

/* Places tried behind one whose backend takes nothing, until the daemon has made a new run. */
#define WF_PICK_TRIES 8

/* Places looked at for the least connections; of longer runs two are compared. */
#define WF_PICK_LEAST 64

/* Odd numbers with their bits well mixed (fractions of the golden ratio and of square roots). */
#define WF_PICK_MIX1 0x9e3779b97f4a7c15ULL
#define WF_PICK_MIX2 0xbb67ae8584caa73bULL

#define WF_BACKEND_TAKES (WF_BACKEND_VALID | WF_BACKEND_USABLE)

static __always_inline __u64 wf_pick_mix(__u64 hash, __u64 value)
{
	hash = (hash ^ value) * WF_PICK_MIX1;
	return (hash ^ hash >> 32) * WF_PICK_MIX2;
}

/*
 * The same on every node and without a secret, so that a client finds its backend again through
 * another node. A client with affinity is known by its address alone: whatever is forgotten, it
 * comes back to the same place.
 */
static __always_inline __u32 wf_pick_hash(const struct wf_tuple *tuple, int by_address)
{
	__u64 hash = wf_pick_mix(tuple->src.halves[0], tuple->src.halves[1]);

	if (!by_address) {
		hash = wf_pick_mix(hash, tuple->dst.halves[0]);
		hash = wf_pick_mix(hash, tuple->dst.halves[1]);
		hash = wf_pick_mix(hash, (__u32)tuple->sport << 16 | tuple->dport);
	}
	return wf_pick_mix(hash, tuple->proto) >> 32;
}

/* The number at a place of the run, which must lie in it. */
static __always_inline __u32 wf_pick_at(const struct wf_pick_run *run, __u32 place)
{
	__u32 index = run->first + place;
	struct wf_pick_page *page = wf_map_pick_page(index / WF_PICKS_PER_PAGE);

	return page ? wf_read32(&page->backends[index % WF_PICKS_PER_PAGE]) : 0;
}

/* The backend of that number if it takes new connections of the service. */
static __always_inline struct wf_backend_value *wf_backend_taking(__u32 number, __u32 service)
{
	struct wf_backend_value *backend = number ? wf_map_backend(number) : NULL;

	if (!backend || (backend->flags & WF_BACKEND_TAKES) != WF_BACKEND_TAKES ||
	    backend->service != service)
		return NULL;
	return backend;
}

/* A search for the least connections, place by place. */
struct wf_pick_search {
	struct wf_pick_run run;
	__u32 service;
	__u32 place;
	__u32 best; /* number of the backend, 0 while none */
	__u32 least;
};

/* Step of wf_loop(): the verifier looks at it once, where a plain loop would cost it thousands. */
static long wf_pick_step(__u32 i, void *data)
{
	struct wf_pick_search *search = data;
	__u32 number = wf_pick_at(&search->run, search->place);
	struct wf_backend_value *backend = wf_backend_taking(number, search->service);
	__u32 active = backend ? wf_read32(&backend->active) : 0;

	(void)i;
	if (backend && (!search->best || active < search->least)) {
		search->best = number;
		search->least = active;
	}
	search->place++;
	if (search->run.size > WF_PICK_LEAST)
		search->place = wf_random32() % search->run.size;
	if (search->place >= search->run.size)
		search->place = 0;
	return 0;
}

/* Of several places, from `place` on and around the end, the one with least connections; or 0. */
static __always_inline __u32 wf_pick_least(const struct wf_pick_run *run, __u32 service,
					   __u32 place)
{
	struct wf_pick_search search = {
		.run = *run, .service = service, .place = place, .best = wf_opaque(0)
	};

	wf_loop(run->size > WF_PICK_LEAST ? 2 : run->size, wf_pick_step, &search);
	return search.best;
}

/* Step of wf_loop(): 1 when the backend at the next place takes connections. */
static long wf_pick_next_step(__u32 i, void *data)
{
	struct wf_pick_search *search = data;
	__u32 number;

	(void)i;
	search->place++;
	if (search->place >= search->run.size)
		search->place = 0;
	number = wf_pick_at(&search->run, search->place);
	if (!wf_backend_taking(number, search->service))
		return 0;
	search->best = number;
	return 1;
}

/* The first backend that takes connections at the places behind `place`; 0: none does. */
static __always_inline __u32 wf_pick_behind(const struct wf_pick_run *run, __u32 service,
					    __u32 place)
{
	struct wf_pick_search search = { .run = *run, .service = service, .place = place };

	wf_loop(WF_PICK_TRIES, wf_pick_next_step, &search);
	return search.best;
}

/* The place where a new connection starts to look. */
static __always_inline __u32 wf_pick_place(const struct wf_pick_run *run, __u32 service,
					   __u32 algorithm, __u32 hash)
{
	struct wf_service_value *value;

	switch (algorithm) {
	case WF_LB_ROUND_ROBIN:
		value = wf_map_service(service);
		return value ? wf_atomic_add32(&value->turn, 1) % run->size : 0;
	case WF_LB_LEAST: return wf_random32() % run->size;
	/*
	 * By the hash as well: client ports are random enough, and the programs before and behind
	 * the stack come to the same backend.
	 */
	case WF_LB_RANDOM:
	default: return hash % run->size;
	}
}

/* A backend of the run by the algorithm; 0: none takes the connection. */
WF_GLOBAL int wf_pick(const struct wf_pick_run *run, __u32 service, __u32 algorithm, __u32 hash)
{
	__u32 place, number;

	if (!run || !run->size)
		return 0;
	place = wf_pick_place(run, service, algorithm, hash);
	if (algorithm == WF_LB_LEAST) {
		number = wf_pick_least(run, service, place);
		if (number)
			return number;
	}
	number = wf_pick_at(run, place);
	return wf_backend_taking(number, service) ? (int)number
						  : (int)wf_pick_behind(run, service, place);
}

/* Which backend the client had within the time-out and may have again; 0: none. */
static __always_inline __u32 wf_affinity_recall(const struct wf_affinity_key *key, __u32 affinity_s,
						int local_only)
{
	struct wf_affinity_value *value = wf_map_affinity(key);
	struct wf_backend_value *backend;
	__u32 now = wf_now_tick();

	if (!value || (__u64)(now - value->tick) << WF_CONN_TICK_SHIFT > affinity_s * 1000000000ULL)
		return 0;
	backend = wf_backend_taking(value->backend, key->service);
	if (!backend || (local_only && backend->slot == WF_SLOT_HOST))
		return 0;
	if (value->tick != now)
		value->tick = now;
	return value->backend;
}

static __always_inline void wf_affinity_keep(const struct wf_affinity_key *key, __u32 backend)
{
	const struct wf_affinity_value value = { .backend = backend, .tick = wf_now_tick() };

	wf_map_affinity_set(key, &value);
}

#endif
