/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The beginning and end of a table: an empty one, or one that finds what an earlier process left.
 * Backends are found in memory when the table is made, frontends and sources are told of. What
 * belongs to one number becomes a record without a key, until a put recognises its frontends.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "lb/table_priv.h"

static int fail_memory(struct wf_err *err)
{
	return wf_fail(err, -ENOMEM, "out of memory for what an earlier run left of services");
}

static int find_stray(struct wf_lb_table *table, struct wf_lb_record **ret_record)
{
	if (!table->stray && wf_lb_record_new(table, 0, NULL, &table->stray) < 0)
		return -ENOMEM;
	table->stray->in_force = true;
	*ret_record = table->stray;
	return 0;
}

/* The record of a number, made if there is none. What has no good number goes to one for all. */
static int find_record(struct wf_lb_table *table, uint32_t number, struct wf_lb_record **ret_record)
{
	if (!number || number >= table->memory.service_count)
		return find_stray(table, ret_record);
	if (!table->by_number[number] &&
	    wf_lb_record_new(table, number, NULL, &table->by_number[number]) < 0)
		return -ENOMEM;
	*ret_record = table->by_number[number];
	(*ret_record)->in_force = true;
	return 0;
}

/* A backend of memory; `capacity` is of the record it was added to last. */
static int adopt_backend(struct wf_lb_table *table, uint32_t number)
{
	const struct wf_backend_value *value = &table->memory.backends[number];
	struct wf_lb_record *record;
	struct wf_lb_held *held;

	if (find_record(table, value->service, &record) < 0)
		return -ENOMEM;
	/* doubled at powers of two: nobody has to remember the capacity afterwards */
	if (!(record->held_count & (record->held_count - 1))) {
		size_t wanted = record->held_count ? record->held_count * 2 : 1;

		held = realloc(record->held, wanted * sizeof(*held));
		if (!held)
			return -ENOMEM;
		record->held = held;
	}
	record->held[record->held_count++] = (struct wf_lb_held){
		.addr = value->addr,
		.port = ntohs(value->port),
		.number = number,
		.slot = value->slot,
		.flags = value->flags,
		.is_here = true,
	};
	wf_bits_clear(&table->free_backends, number);
	return 0;
}

static int compare_held(const void *a, const void *b)
{
	const struct wf_lb_held *x = a, *y = b;
	int order = wf_lb_held_compare(&x->addr, x->port, &y->addr, y->port);

	if (order)
		return order;
	return x->number < y->number ? -1 : x->number > y->number;
}

static int adopt_backends(struct wf_lb_table *table)
{
	const struct wf_lb_memory *memory = &table->memory;
	uint32_t used = 1;

	if (wf_lb_table_reach(table, WF_LB_BACKENDS, memory->backend_count) < 0)
		return -ENOMEM;
	for (uint32_t i = 1; i < memory->backend_count; i++) {
		if (!memory->backends[i].flags)
			continue;
		if (adopt_backend(table, i) < 0)
			return -ENOMEM;
		used = i + 1;
	}
	if (memory->trim)
		memory->trim(WF_LB_BACKENDS, used, memory->context);
	for (uint32_t i = 1; i < table->memory.service_count; i++) {
		struct wf_lb_record *record = table->by_number[i];

		if (record && record->held_count)
			qsort(record->held, record->held_count, sizeof(*record->held),
			      compare_held);
	}
	if (table->stray && table->stray->held_count)
		qsort(table->stray->held, table->stray->held_count, sizeof(*table->stray->held),
		      compare_held);
	return 0;
}

static int init(struct wf_lb_table *table, const struct wf_lb_memory *memory)
{
	table->by_number = calloc(memory->service_count, sizeof(struct wf_lb_record *));
	if (!table->by_number || wf_bits_init(&table->free_services, memory->service_count) < 0 ||
	    wf_bits_init(&table->free_backends, memory->backend_count) < 0 ||
	    wf_space_init(&table->space, memory->page_count * WF_PICKS_PER_PAGE) < 0)
		return -ENOMEM;
	for (uint32_t i = 1; i < memory->service_count; i++)
		wf_bits_set(&table->free_services, i);
	for (uint32_t i = 1; i < memory->backend_count; i++)
		wf_bits_set(&table->free_backends, i);
	return adopt_backends(table);
}

int wf_lb_table_new(struct wf_lb_table **ret_table, const struct wf_lb_memory *memory,
		    const struct wf_lb_effects *effects, struct wf_err *err)
{
	_cleanup_(wf_lb_table_free) struct wf_lb_table *table = NULL;

	if (!memory->service_count || !memory->backend_count || !memory->page_count ||
	    memory->page_count > UINT32_MAX / WF_PICKS_PER_PAGE)
		return wf_fail(err, -EINVAL, "the tables of services have no usable size");
	table = calloc(1, sizeof(*table));
	if (!table)
		return fail_memory(err);
	table->memory = *memory;
	table->effects = *effects;
	if (init(table, memory) < 0)
		return fail_memory(err);
	*ret_table = TAKE_PTR(table);
	return 0;
}

static void free_records(struct wf_lb_table *table)
{
	for (uint32_t i = 1; table->by_number && i < table->memory.service_count; i++)
		if (table->by_number[i])
			wf_lb_record_free(table, table->by_number[i]);
	if (table->stray)
		wf_lb_record_free(table, table->stray);
	free(table->by_number);
}

void wf_lb_table_free(struct wf_lb_table **table)
{
	struct wf_lb_run *run, *next;

	if (!*table)
		return;
	free_records(*table);
	DL_FOREACH_SAFE((*table)->paused, run, next)
	{
		DL_DELETE((*table)->paused, run);
		free(run);
	}
	wf_index_done(&(*table)->records);
	wf_index_done(&(*table)->nodes);
	wf_bits_done(&(*table)->free_services);
	wf_bits_done(&(*table)->free_backends);
	wf_space_done(&(*table)->space);
	free((*table)->scratch.picks);
	free((*table)->scratch.members);
	free((*table)->scratch.numbers);
	free((*table)->scratch.keys);
	free((*table)->scratch.values);
	free(*table);
	*table = NULL;
}

/*
 * A run that a frontend names. One that cannot be ours (it overlaps another's, or does not lie
 * where we would have put it) stays unknown: the put that claims the frontend replaces it.
 */
static int adopt_run(struct wf_lb_table *table, struct wf_lb_record *record,
		     const struct wf_pick_run *named, struct wf_lb_run **ret_run)
{
	struct wf_lb_run *run;

	*ret_run = NULL;
	if (!named->size)
		return 0;
	DL_FOREACH(record->runs, run) {
		if (run->first == named->first && run->size == named->size) {
			*ret_run = run;
			return 0;
		}
	}
	run = calloc(1, sizeof(*run));
	if (!run)
		return -ENOMEM;
	run->first = named->first;
	run->size = named->size;
	if (wf_space_take_at(&table->space, named->first, named->size) < 0) {
		free(run);
		return 0;
	}
	if (wf_lb_run_reach(table, named->first, named->size) < 0) {
		wf_space_give(&table->space, named->first, named->size);
		free(run);
		return -ENOMEM;
	}
	DL_APPEND(record->runs, run);
	*ret_run = run;
	return 0;
}

static int adopt_runs(struct wf_lb_table *table, struct wf_lb_record *record,
		      const struct wf_frontend_value *value)
{
	bool is_own = value->type == WF_FRONTEND_CLUSTER_IP;
	struct wf_lb_run *inside, *outside;

	if (adopt_run(table, record, &value->inside, &inside) < 0 ||
	    adopt_run(table, record, &value->outside, &outside) < 0)
		return -ENOMEM;
	if (inside)
		record->sets[__builtin_ctz(is_own ? WF_LB_INSIDE : WF_LB_EXTERNAL)] = inside;
	if (outside)
		record->sets[__builtin_ctz(is_own ? WF_LB_INSIDE : WF_LB_OUTSIDE)] = outside;
	return 0;
}

int wf_lb_table_adopt(struct wf_lb_table *table, const struct wf_frontend_key *key,
		      const struct wf_frontend_value *value, struct wf_err *err)
{
	struct wf_lb_record *record;
	struct wf_lb_node *node;

	if (wf_lb_node_find(table, key))
		return 0;
	if (find_record(table, value->service, &record) < 0 ||
	    (record->number && adopt_runs(table, record, value) < 0))
		return fail_memory(err);
	node = wf_lb_node_new(table, record, key);
	if (!node)
		return fail_memory(err);
	node->value = *value;
	node->is_there = true;
	record->is_cut |= value->flags & WF_FRONTEND_CUT;
	return 0;
}

int wf_lb_table_adopt_source(struct wf_lb_table *table, uint32_t service,
			     const struct wf_prefix *prefix, struct wf_err *err)
{
	struct wf_prefix source = wf_prefix_network(prefix);
	struct wf_lb_sources *sources;
	struct wf_lb_record *record;
	size_t at;

	/* a number that cannot be has no record to keep it in, and no program asks for it */
	if (!service || service >= table->memory.service_count)
		return table->effects.source_set(service, &source, false, table->effects.context,
						 err);
	if (find_record(table, service, &record) < 0)
		return fail_memory(err);
	sources = &record->sources;
	if (wf_mem_grow(&sources->items, sizeof(*sources->items), sources->count,
			&sources->capacity) < 0)
		return fail_memory(err);
	for (at = sources->count; at; at--) {
		int order = wf_lb_source_compare(&sources->items[at - 1], &source);

		if (!order)
			return 0;
		if (order < 0)
			break;
	}
	memmove(&sources->items[at + 1], &sources->items[at],
		(sources->count - at) * sizeof(*sources->items));
	sources->items[at] = source;
	sources->count++;
	return 0;
}
