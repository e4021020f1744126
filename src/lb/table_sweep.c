/* SPDX-License-Identifier: Apache-2.0 */
/* What is no longer in use: pauses, backends that wait for their connections to end, metrics. */
#include <stdlib.h>
#include <string.h>

#include "lb/table_priv.h"

void wf_lb_table_wait(struct wf_lb_table *table, struct wf_lb_record *record)
{
	if (record->is_waiting)
		return;
	record->is_waiting = true;
	DL_APPEND2(table->waiting, record, waiting_prev, waiting_next);
}

/* Pauses are of one length and time does not go back, so the list is in order of their ends. */
void wf_lb_table_pause(struct wf_lb_table *table, struct wf_lb_run *run, uint64_t now_ms)
{
	run->due_ms = now_ms + WF_LB_PAUSE_MS;
	DL_APPEND(table->paused, run);
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Returns ms until the next pause ends. */
static uint64_t sweep_runs(struct wf_lb_table *table, uint64_t now_ms)
{
	struct wf_lb_run *run;

	while ((run = table->paused) && run->due_ms <= now_ms) {
		DL_DELETE(table->paused, run);
		wf_space_give(&table->space, run->first, run->size);
		free(run);
	}
	return run ? run->due_ms - now_ms : UINT64_MAX;
}

/* 0: its number is free now; else ms until it is worth asking again. */
static uint64_t sweep_backend(struct wf_lb_table *table, struct wf_lb_held *held, uint64_t now_ms)
{
	struct wf_backend_value *value = &table->memory.backends[held->number];

	if (held->left_ms + WF_LB_PAUSE_MS > now_ms)
		return held->left_ms + WF_LB_PAUSE_MS - now_ms;
	if (__atomic_load_n(&value->active, __ATOMIC_ACQUIRE))
		return WF_LB_POLL_MS;
	__atomic_store_n(&value->flags, 0, __ATOMIC_RELEASE);
	wf_bits_set(&table->free_backends, held->number);
	return 0;
}

static uint64_t sweep_backends(struct wf_lb_table *table, struct wf_lb_record *record,
			       uint64_t now_ms)
{
	uint64_t soonest = UINT64_MAX;
	size_t kept = 0;

	for (size_t i = 0; i < record->held_count; i++) {
		struct wf_lb_held *held = &record->held[i];
		uint64_t wait_ms = UINT64_MAX;

		if (!held->is_here)
			wait_ms = sweep_backend(table, held, now_ms);
		soonest = sooner(soonest, wait_ms ? wait_ms : UINT64_MAX);
		if (wait_ms)
			record->held[kept++] = *held;
	}
	record->held_count = kept;
	return soonest;
}

/* Counts start from nothing for the next owner of the number. */
static void forget(struct wf_lb_table *table, struct wf_lb_record *record)
{
	struct wf_service_value *value = &table->memory.services[record->number];

	if (record->number) {
		__atomic_store_n(&value->connections, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&value->refused, 0, __ATOMIC_RELAXED);
	}
	if (record == table->stray)
		table->stray = NULL;
	wf_lb_record_free(table, record);
}

/* Returns ms until it wants to be looked at again, UINT64_MAX: never, or it is gone. */
static uint64_t sweep_record(struct wf_lb_table *table, struct wf_lb_record *record,
			     uint64_t now_ms)
{
	uint64_t soonest;

	if (record->is_staged)
		return WF_LB_POLL_MS;
	soonest = sweep_backends(table, record, now_ms);
	if (record->gone_ms == UINT64_MAX)
		record->gone_ms = now_ms;
	if (!record->in_force && !record->held_count) {
		uint64_t due_ms = record->gone_ms + WF_LB_PAUSE_MS;

		if (due_ms > now_ms)
			return due_ms - now_ms;
		forget(table, record);
		return UINT64_MAX;
	}
	if (soonest == UINT64_MAX) {
		DL_DELETE2(table->waiting, record, waiting_prev, waiting_next);
		record->is_waiting = false;
	}
	return soonest;
}

uint64_t wf_lb_table_sweep(struct wf_lb_table *table, uint64_t now_ms)
{
	uint64_t soonest = sweep_runs(table, now_ms);
	struct wf_lb_record *record, *next;

	DL_FOREACH_SAFE2(table->waiting, record, next, waiting_next)
	soonest = sooner(soonest, sweep_record(table, record, now_ms));
	return soonest;
}

void wf_lb_table_use(const struct wf_lb_table *table, struct wf_lb_use *ret_use)
{
	const struct wf_lb_memory *memory = &table->memory;

	*ret_use = (struct wf_lb_use){
		.services_max = memory->service_count - 1,
		.services = memory->service_count - 1 - table->free_services.count,
		.frontends = (uint32_t)table->nodes.count,
		.backends_max = memory->backend_count - 1,
		.backends = memory->backend_count - 1 - table->free_backends.count,
		.picks_max = table->space.places,
		.picks = table->space.used,
	};
}
