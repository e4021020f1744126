/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The second and third step of a change, see table_priv.h: what is planned is shown to programs,
 * and then finished or taken back. Memory is written by field: programs count in wf_backends while
 * we write, and flags come last, so that whoever sees them sees the rest too.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "lb/table_priv.h"

static void write_flags(struct wf_lb_table *table, const struct wf_lb_held *held, uint16_t flags)
{
	__atomic_store_n(&table->memory.backends[held->number].flags, flags, __ATOMIC_RELEASE);
}

static void write_slot(struct wf_lb_table *table, const struct wf_lb_held *held)
{
	uint32_t *slot = &table->memory.backends[held->number].slot;

	if (__atomic_load_n(slot, __ATOMIC_RELAXED) != held->slot)
		__atomic_store_n(slot, held->slot, __ATOMIC_RELAXED);
}

/* A number nobody uses: also its count may be written. */
static void write_new(struct wf_lb_table *table, const struct wf_lb_record *record,
		      const struct wf_lb_held *held)
{
	struct wf_backend_value *value = &table->memory.backends[held->number];

	value->addr = held->addr;
	value->service = record->number;
	value->slot = held->slot;
	value->port = htons(held->port);
	__atomic_store_n(&value->active, 0, __ATOMIC_RELAXED);
	write_flags(table, held, held->wanted);
}

static bool is_usable(uint16_t flags)
{
	return flags & WF_BACKEND_USABLE;
}

static bool sources_differ(const struct wf_lb_sources *a, const struct wf_lb_sources *b)
{
	if (a->count != b->count)
		return true;
	for (size_t i = 0; i < a->count; i++)
		if (!wf_prefix_equal(&a->items[i], &b->items[i]))
			return true;
	return false;
}

/* A backend on another slot is no change of the port: written at once, like its counts. */
static bool changes_memory(struct wf_lb_table *table, const struct wf_lb_record *record)
{
	bool changes = false;

	for (size_t i = 0; i < record->held_count; i++) {
		const struct wf_lb_held *held = &record->held[i];

		if (held->wanted != held->flags || held->stays != held->is_here)
			changes = true;
		else if (held->stays)
			write_slot(table, held);
	}
	return changes;
}

bool wf_lb_table_settle(struct wf_lb_table *table, struct wf_lb_record *record)
{
	bool changes = changes_memory(table, record) ||
		       record->in_force != record->will_be_in_force || record->fresh ||
		       sources_differ(&record->sources, &record->next_sources);
	const struct wf_lb_node *node;
	const struct wf_lb_run *run;

	DL_FOREACH(record->nodes, node)
		changes |= node->pending != WF_LB_KEEP;
	/* an adopted run may be left that no frontend names any more */
	DL_FOREACH(record->runs, run) {
		bool is_named = false;

		for (unsigned int i = 0; i < WF_LB_SETS; i++)
			is_named |= record->next_sets[i] == run;
		changes |= !is_named;
	}
	if (changes)
		return true;
	memcpy(record->sets, record->next_sets, sizeof(record->sets));
	free(record->next_sources.items);
	record->next_sources = (struct wf_lb_sources){ 0 };
	return false;
}

/*
 * Backends that take connections from now on are shown before any frontend leads to them; those
 * that take none any more lose the flag only after no frontend does.
 */
void wf_lb_table_stage(struct wf_lb_table *table, struct wf_lb_record *record, uint64_t now_ms)
{
	for (size_t i = 0; i < record->held_count; i++) {
		const struct wf_lb_held *held = &record->held[i];

		if (!held->flags) {
			write_new(table, record, held);
			continue;
		}
		if (held->stays)
			write_slot(table, held);
		if (is_usable(held->wanted) && held->wanted != held->flags)
			write_flags(table, held, held->wanted);
	}
	record->staged_ms = now_ms;
	record->is_staged = true;
	DL_APPEND2(table->staged, record, staged_prev, staged_next);
	table->staged_nodes += record->node_count;
}

static void unstage(struct wf_lb_table *table, struct wf_lb_record *record)
{
	DL_DELETE2(table->staged, record, staged_prev, staged_next);
	record->is_staged = false;
}

/* Begins the pauses of a list of runs, except those that are in one of the sets. */
static void retire(struct wf_lb_table *table, struct wf_lb_run **runs,
		   struct wf_lb_run *const *sets, uint64_t now_ms)
{
	struct wf_lb_run *run, *next;

	DL_FOREACH_SAFE(*runs, run, next)
	{
		bool is_kept = false;

		for (unsigned int i = 0; i < WF_LB_SETS; i++)
			is_kept |= sets[i] == run;
		if (is_kept)
			continue;
		DL_DELETE(*runs, run);
		wf_lb_table_pause(table, run, now_ms);
	}
}

/* Forbids the sources of `gone` that `kept` does not have. Both are sorted. */
static int remove_sources(struct wf_lb_table *table, uint32_t service,
			  const struct wf_lb_sources *gone, const struct wf_lb_sources *kept,
			  struct wf_err *err)
{
	int result = 0;
	size_t at = 0;

	for (size_t i = 0; i < gone->count; i++) {
		const struct wf_prefix *source = &gone->items[i];
		int order = 1, r;

		for (; at < kept->count; at++) {
			order = wf_lb_source_compare(&kept->items[at], source);
			if (order >= 0)
				break;
		}
		if (at < kept->count && order == 0)
			continue;
		r = table->effects.source_set(service, source, false, table->effects.context,
					      result ? NULL : err);
		result = result ? result : r;
	}
	return result;
}

static void take_sources(struct wf_lb_record *record, struct wf_lb_sources *taken)
{
	free(record->sources.items);
	record->sources = *taken;
	*taken = (struct wf_lb_sources){ 0 };
}

static void finish_backends(struct wf_lb_table *table, struct wf_lb_record *record)
{
	bool has_left = false;

	for (size_t i = 0; i < record->held_count; i++) {
		struct wf_lb_held *held = &record->held[i];

		if (held->wanted != held->flags)
			write_flags(table, held, held->wanted);
		held->flags = held->wanted;
		if (held->is_here && !held->stays)
			held->left_ms = record->staged_ms;
		held->is_here = held->stays;
		has_left |= !held->is_here;
	}
	if (has_left || !record->in_force)
		wf_lb_table_wait(table, record);
}

static int finish(struct wf_lb_table *table, struct wf_lb_record *record, struct wf_err *err)
{
	struct wf_lb_node *node, *next;
	int r;

	unstage(table, record);
	DL_FOREACH_SAFE(record->nodes, node, next)
	{
		if (node->pending == WF_LB_DELETE) {
			wf_lb_node_free(table, node);
			continue;
		}
		if (node->pending == WF_LB_SET)
			node->value = node->staged;
		node->is_there = true;
		node->pending = WF_LB_KEEP;
	}
	if (record->in_force && !record->will_be_in_force)
		record->gone_ms = record->staged_ms;
	record->in_force = record->will_be_in_force;
	finish_backends(table, record);
	retire(table, &record->runs, record->next_sets, record->staged_ms);
	DL_CONCAT(record->runs, record->fresh);
	record->fresh = NULL;
	memcpy(record->sets, record->next_sets, sizeof(record->sets));
	r = remove_sources(table, record->number, &record->sources, &record->next_sources, err);
	take_sources(record, &record->next_sources);
	return r;
}

/* Writes back what was there. The kernel has had room for it, so this does not fail again. */
static void restore_node(struct wf_lb_table *table, struct wf_lb_node *node)
{
	const struct wf_lb_effects *effects = &table->effects;

	if (node->pending == WF_LB_KEEP)
		return;
	(void)effects->frontends_set(&node->key, node->is_there ? &node->value : NULL, 1,
				     effects->context, NULL);
	node->pending = WF_LB_KEEP;
	if (!node->is_there)
		wf_lb_node_free(table, node);
}

static void restore_backends(struct wf_lb_table *table, struct wf_lb_record *record)
{
	for (size_t i = 0; i < record->held_count; i++) {
		struct wf_lb_held *held = &record->held[i];

		if (!held->flags) {
			/* somebody may have met it: it leaves like any other */
			held->flags = WF_BACKEND_VALID;
			held->left_ms = record->staged_ms;
			write_flags(table, held, held->flags);
		} else if (held->wanted != held->flags) {
			write_flags(table, held, held->flags);
		}
	}
}

/* The way back: frontends first, as long as they lead to backends and runs of the change. */
static void take_back(struct wf_lb_table *table, struct wf_lb_record *record)
{
	static struct wf_lb_run *const none[WF_LB_SETS];
	struct wf_lb_node *node, *next;

	unstage(table, record);
	DL_FOREACH_SAFE(record->nodes, node, next)
	restore_node(table, node);
	restore_backends(table, record);
	retire(table, &record->fresh, none, record->staged_ms);
	(void)remove_sources(table, record->number, &record->next_sources, &record->sources, NULL);
	free(record->next_sources.items);
	record->next_sources = (struct wf_lb_sources){ 0 };
	if (!record->in_force)
		record->gone_ms = record->staged_ms;
	wf_lb_table_wait(table, record);
}

static size_t gather(struct wf_lb_table *table, const struct wf_lb_record *record,
		     enum wf_lb_pending pending, size_t count)
{
	const struct wf_lb_node *node;

	DL_FOREACH(record->nodes, node) {
		if (node->pending != pending)
			continue;
		table->scratch.keys[count] = node->key;
		table->scratch.values[count++] = node->staged;
	}
	return count;
}

/*
 * Writes what is pending of one record, or of all (NULL). New frontends come before old ones go:
 * a service that moves to another address is never without one.
 */
static int write_nodes(struct wf_lb_table *table, const struct wf_lb_record *only,
		       struct wf_err *err)
{
	const struct wf_lb_effects *effects = &table->effects;
	const struct wf_lb_scratch *scratch = &table->scratch;

	for (enum wf_lb_pending pending = WF_LB_SET; pending <= WF_LB_DELETE; pending++) {
		const struct wf_lb_record *record;
		size_t count = 0;
		int r;

		if (only)
			count = gather(table, only, pending, 0);
		else
			DL_FOREACH2(table->staged, record, staged_next)
				count = gather(table, record, pending, count);
		if (!count)
			continue;
		r = effects->frontends_set(scratch->keys,
					   pending == WF_LB_SET ? scratch->values : NULL, count,
					   effects->context, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int wf_lb_table_flush(struct wf_lb_table *table, struct wf_err *err)
{
	struct wf_lb_record *record, *next;
	bool is_single = table->staged && !table->staged->staged_next;
	int all = write_nodes(table, NULL, err);
	int result = 0;

	/* when writing all at once fails, each on its own tells which it is about */
	DL_FOREACH_SAFE2(table->staged, record, next, staged_next)
	{
		int r = all;

		if (all < 0 && !is_single)
			r = write_nodes(table, record, result ? NULL : err);
		if (r < 0) {
			if (!result)
				(void)wf_wrap(err, r, "service port %s",
					      wf_lb_record_label(record));
			take_back(table, record);
		} else {
			r = finish(table, record, result ? NULL : err);
		}
		result = result ? result : r;
	}
	if (all < 0 && !result)
		wf_err_clear(err);
	table->staged_nodes = 0;
	return result;
}
