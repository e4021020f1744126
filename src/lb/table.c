/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What callers ask for: put, remove, batches, questions. What is remembered is in table_record.c;
 * how a change is planned, written and cleaned up after in table_plan.c, table_apply.c and
 * table_sweep.c.
 */
#include "lb/table.h"

#include <stdlib.h>
#include <string.h>

#include <weft/abi/limits.h>

#include "base/mem.h"
#include "lb/table_priv.h"

/* The record of a port that nobody knows by key: adopted with one of its frontends, or none. */
static struct wf_lb_record *find_adopted(const struct wf_lb_table *table,
					 const struct wf_lb_port *port)
{
	for (size_t i = 0; i < port->frontend_count; i++) {
		struct wf_frontend_key key = wf_lb_node_key(port, &port->frontends[i]);
		const struct wf_lb_node *node = wf_lb_node_find(table, &key);

		if (node && !node->owner->key && node->owner->number)
			return node->owner;
	}
	return NULL;
}

static int fail_memory(const struct wf_lb_port *port, struct wf_err *err)
{
	return wf_fail(err, -ENOMEM, "out of memory for service port %s", port->key);
}

static int make_record(struct wf_lb_table *table, const struct wf_lb_port *port,
		       struct wf_lb_record **ret_record, struct wf_err *err)
{
	uint32_t number = wf_bits_next(&table->free_services, 0);
	struct wf_service_value *value;

	if (number == WF_BITS_NONE)
		return wf_fail(err, -ENOSPC,
			       "no number is free for service port %s: all %u are in use or were "
			       "until just now; raise --max-services",
			       port->key, table->memory.service_count - 1);
	if (wf_lb_record_new(table, number, port->key, ret_record) < 0)
		return fail_memory(port, err);
	value = &table->memory.services[number];
	__atomic_store_n(&value->connections, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&value->refused, 0, __ATOMIC_RELAXED);
	return 0;
}

static int find_or_make(struct wf_lb_table *table, const struct wf_lb_port *port,
			struct wf_lb_record **ret_record, struct wf_err *err)
{
	struct wf_lb_record *record = wf_lb_record_find(table, port->key);

	if (record && record->is_reserved)
		return wf_fail(err, -EEXIST, "%s is the name of published ports", port->key);
	if (!record) {
		record = find_adopted(table, port);
		if (!record)
			return make_record(table, port, ret_record, err);
		if (wf_lb_record_name(table, record, port->key) < 0)
			return fail_memory(port, err);
	}
	*ret_record = record;
	return 0;
}

/* Writes what the batch has gathered so far. How that went is told by commit. */
static void flush_early(struct wf_lb_table *table)
{
	int r = wf_lb_table_flush(table, table->batch_result ? NULL : &table->batch_err);

	if (r < 0 && !table->batch_result)
		table->batch_result = r;
}

static bool is_of(const struct wf_lb_node *node, const char *key)
{
	return node->owner->key && strcmp(node->owner->key, key) == 0;
}

/*
 * A frontend that another port has given up may still wait for commit: that has to be written
 * first. Frontends of adopted records without a key are for whoever comes.
 */
static int check_frontends(struct wf_lb_table *table, const struct wf_lb_port *port,
			   struct wf_err *err)
{
	char text[WF_ADDR_TEXT];

	for (size_t i = 0; i < port->frontend_count; i++) {
		struct wf_frontend_key key = wf_lb_node_key(port, &port->frontends[i]);
		const struct wf_lb_node *node = wf_lb_node_find(table, &key);

		if (node && node->pending == WF_LB_DELETE && !is_of(node, port->key)) {
			flush_early(table);
			node = wf_lb_node_find(table, &key);
		}
		if (node && node->owner->key && !is_of(node, port->key))
			return wf_fail(err, -EEXIST, "%s port %u of %s belongs to %s",
				       wf_addr_format(&key.addr, text), port->frontends[i].port,
				       port->key, node->owner->key);
	}
	return 0;
}

static int check_port(const struct wf_lb_port *port, struct wf_err *err)
{
	const struct wf_lb_backend *last = NULL;

	if (port->backend_count > WF_MAX_BACKENDS_OF_SERVICE)
		return wf_fail(err, -ENOSPC, "service port %s has %zu backends; at most %d can be",
			       port->key, port->backend_count, WF_MAX_BACKENDS_OF_SERVICE);
	for (size_t i = 0; i < port->backend_count; i++) {
		const struct wf_lb_backend *backend = &port->backends[i];

		if (last &&
		    wf_lb_held_compare(&last->addr, last->port, &backend->addr, backend->port) >= 0)
			return wf_fail(err, -EINVAL, "backends of %s are not sorted", port->key);
		last = backend;
	}
	return 0;
}

/* Looks for room where something is full. Not for each of many: nothing becomes free so soon. */
static void sweep_for_room(struct wf_lb_table *table, uint64_t now_ms)
{
	if (now_ms < table->full_due_ms)
		return;
	table->full_due_ms = now_ms + WF_LB_FULL_MS;
	(void)wf_lb_table_sweep(table, now_ms);
}

/* Plans, once more after a sweep when something is full, and lets it come into force. */
static int change(struct wf_lb_table *table, struct wf_lb_record *record,
		  const struct wf_lb_port *port, uint64_t now_ms, struct wf_err *err)
{
	int r = wf_lb_table_plan(table, record, port, err);

	if (r == -ENOSPC) {
		/* not this record: sweep would free it if it was removed long ago */
		record->is_staged = true;
		sweep_for_room(table, now_ms);
		record->is_staged = false;
		r = wf_lb_table_plan(table, record, port, err);
	}
	if (r < 0)
		return r;
	if (!wf_lb_table_settle(table, record))
		return 0;
	wf_lb_table_stage(table, record, now_ms);
	if (!table->in_batch)
		return wf_lb_table_flush(table, err);
	if (table->staged_nodes >= WF_LB_BATCH)
		flush_early(table);
	return 0;
}

int wf_lb_table_put(struct wf_lb_table *table, const struct wf_lb_port *port, uint64_t now_ms,
		    uint32_t *ret_number, struct wf_err *err)
{
	struct wf_lb_record *record;
	int r;

	r = check_port(port, err);
	if (r < 0)
		return r;
	r = check_frontends(table, port, err);
	if (r < 0)
		return r;
	if (!table->free_services.count)
		sweep_for_room(table, now_ms);
	r = find_or_make(table, port, &record, err);
	if (r < 0)
		return r;
	if (record->is_staged)
		flush_early(table);
	r = change(table, record, port, now_ms, err);
	if (r < 0) {
		/* nothing was shown to anybody yet, unless it waits for its pause */
		if (!record->in_force && !record->is_waiting)
			wf_lb_record_free(table, record);
		return r;
	}
	*ret_number = record->number;
	return 0;
}

static int take_away(struct wf_lb_table *table, struct wf_lb_record *record, uint64_t now_ms,
		     struct wf_err *err)
{
	if (record->is_staged)
		flush_early(table);
	return record->in_force ? change(table, record, NULL, now_ms, err) : 0;
}

int wf_lb_table_remove(struct wf_lb_table *table, const char *key, uint64_t now_ms,
		       struct wf_err *err)
{
	struct wf_lb_record *record = wf_lb_record_find(table, key);

	return record && !record->is_reserved ? take_away(table, record, now_ms, err) : 0;
}

int wf_lb_table_drop_unclaimed(struct wf_lb_table *table, uint64_t now_ms, struct wf_err *err)
{
	int result = 0, r;

	for (uint32_t i = 1; i < table->memory.service_count; i++) {
		struct wf_lb_record *record = table->by_number[i];

		if (!record || record->key)
			continue;
		r = take_away(table, record, now_ms, result ? NULL : err);
		result = result ? result : r;
	}
	if (table->stray) {
		r = take_away(table, table->stray, now_ms, result ? NULL : err);
		result = result ? result : r;
	}
	return result;
}

void wf_lb_table_begin(struct wf_lb_table *table)
{
	table->in_batch = true;
	table->batch_result = 0;
}

int wf_lb_table_commit(struct wf_lb_table *table, struct wf_err *err)
{
	int earlier = table->batch_result;
	int r;

	table->in_batch = false;
	table->batch_result = 0;
	r = wf_lb_table_flush(table, earlier ? NULL : err);
	if (!earlier)
		return r;
	if (err)
		*err = table->batch_err;
	return earlier;
}

uint32_t wf_lb_table_number(const struct wf_lb_table *table, const char *key)
{
	const struct wf_lb_record *record = wf_lb_record_find(table, key);

	return record && (record->in_force || record->is_staged) ? record->number : 0;
}

uint32_t wf_lb_table_backend(const struct wf_lb_table *table, const char *key,
			     const struct wf_addr *addr, uint16_t port)
{
	const struct wf_lb_record *record = wf_lb_record_find(table, key);
	size_t low = 0, high = record ? record->held_count : 0;

	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct wf_lb_held *held = &record->held[middle];
		int order = wf_lb_held_compare(&held->addr, held->port, addr, port);

		if (!order)
			return held->is_here || (record->is_staged && held->stays) ? held->number
										   : 0;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return 0;
}

const char *wf_lb_table_key(const struct wf_lb_table *table, uint32_t number)
{
	if (number >= table->memory.service_count || !table->by_number[number])
		return NULL;
	return table->by_number[number]->key;
}

/*
 * Ports take the lowest free number; these are spread by hash over the upper quarter, so that the
 * same key finds the same number again although nothing in the kernel tells of it.
 */
static uint32_t number_for(const struct wf_lb_table *table, const char *key)
{
	uint32_t count = table->memory.service_count, first = count - count / 4, number;
	uint64_t hash = 0xcbf29ce484222325;

	for (; *key; key++)
		hash = (hash ^ (uint8_t)*key) * 0x100000001b3;
	number = first + (count / 4 ? (uint32_t)((hash ^ hash >> 32) % (count / 4)) : 0);
	number = wf_bits_next(&table->free_services, number);
	if (number == WF_BITS_NONE)
		number = wf_bits_next(&table->free_services, first);
	return number == WF_BITS_NONE ? wf_bits_next(&table->free_services, 0) : number;
}

int wf_lb_table_number_take(struct wf_lb_table *table, const char *key, uint32_t *ret_number,
			    struct wf_err *err)
{
	struct wf_lb_record *record = wf_lb_record_find(table, key);
	uint32_t number = number_for(table, key);

	if (record && !record->is_reserved)
		return wf_fail(err, -EEXIST, "%s is the name of a service port", key);
	if (!record && number == WF_BITS_NONE)
		return wf_fail(err, -ENOSPC,
			       "no number is free for %s: all %u are in use; raise --max-services",
			       key, table->memory.service_count - 1);
	if (!record && wf_lb_record_new(table, number, key, &record) < 0)
		return wf_fail(err, -ENOMEM, "out of memory for %s", key);
	record->is_reserved = true;
	record->in_force = true;
	*ret_number = record->number;
	return 0;
}

void wf_lb_table_number_release(struct wf_lb_table *table, const char *key)
{
	struct wf_lb_record *record = wf_lb_record_find(table, key);

	if (!record || !record->is_reserved || !record->in_force)
		return;
	record->in_force = false;
	record->gone_ms = UINT64_MAX; /* the next sweep knows the time */
	wf_lb_table_wait(table, record);
}
