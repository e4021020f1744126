/* SPDX-License-Identifier: Apache-2.0 */
/* What the table remembers: records of service ports and their frontends, and how each is found. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "lb/table_priv.h"

/* NOLINTNEXTLINE(readability-function-size): what uthash expands to */
struct wf_lb_record *wf_lb_record_find(const struct wf_lb_table *table, const char *key)
{
	struct wf_lb_record *record;

	HASH_FIND_STR(table->records, key, record);
	return record;
}

const char *wf_lb_record_label(const struct wf_lb_record *record)
{
	return record->key ? record->key : "(of an earlier run)";
}

/* NOLINTNEXTLINE(readability-function-size): what uthash expands to */
int wf_lb_record_name(struct wf_lb_table *table, struct wf_lb_record *record, const char *key)
{
	_cleanup_free_ char *copy = strdup(key);

	if (!copy)
		return -ENOMEM;
	HASH_ADD_KEYPTR(hh, table->records, copy, strlen(copy), record);
	if (!record->hh.tbl)
		return -ENOMEM;
	record->key = TAKE_PTR(copy);
	return 0;
}

int wf_lb_record_new(struct wf_lb_table *table, uint32_t number, const char *key,
		     struct wf_lb_record **ret_record)
{
	_cleanup_free_ struct wf_lb_record *record = calloc(1, sizeof(*record));

	if (!record || wf_lb_table_reach(table, WF_LB_SERVICES, number + 1) < 0)
		return -ENOMEM;
	record->number = number;
	if (key && wf_lb_record_name(table, record, key) < 0)
		return -ENOMEM;
	if (number) {
		table->by_number[number] = record;
		wf_bits_clear(&table->free_services, number);
	}
	*ret_record = TAKE_PTR(record);
	return 0;
}

static void free_runs(struct wf_lb_run **runs)
{
	struct wf_lb_run *run, *next;

	DL_FOREACH_SAFE(*runs, run, next)
	{
		DL_DELETE(*runs, run);
		free(run);
	}
}

/* NOLINTNEXTLINE(readability-function-size): what uthash expands to */
void wf_lb_record_free(struct wf_lb_table *table, struct wf_lb_record *record)
{
	/* a frontend of a list is in the hash: asked for the analyser, which does not know */
	while (record->nodes && table->nodes)
		wf_lb_node_free(table, record->nodes);
	if (record->key)
		HASH_DEL(table->records, record);
	if (record->is_waiting)
		DL_DELETE2(table->waiting, record, waiting_prev, waiting_next);
	if (record->is_staged)
		DL_DELETE2(table->staged, record, staged_prev, staged_next);
	if (record->number) {
		table->by_number[record->number] = NULL;
		wf_bits_set(&table->free_services, record->number);
	}
	free_runs(&record->runs);
	free_runs(&record->fresh);
	free(record->key);
	free(record->held);
	free(record->sources.items);
	free(record->next_sources.items);
	free(record);
}

/* NOLINTNEXTLINE(readability-function-size): what uthash expands to */
struct wf_lb_node *wf_lb_node_find(const struct wf_lb_table *table,
				   const struct wf_frontend_key *key)
{
	struct wf_lb_node *node;

	HASH_FIND(hh, table->nodes, key, sizeof(*key), node);
	return node;
}

/* NOLINTNEXTLINE(readability-function-size): what uthash expands to */
struct wf_lb_node *wf_lb_node_new(struct wf_lb_table *table, struct wf_lb_record *owner,
				  const struct wf_frontend_key *key)
{
	struct wf_lb_node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->key = *key;
	node->owner = owner;
	HASH_ADD(hh, table->nodes, key, sizeof(node->key), node);
	if (!node->hh.tbl) {
		free(node);
		return NULL;
	}
	DL_APPEND(owner->nodes, node);
	owner->node_count++;
	return node;
}

/* NOLINTNEXTLINE(readability-function-size): what uthash expands to */
void wf_lb_node_free(struct wf_lb_table *table, struct wf_lb_node *node)
{
	HASH_DEL(table->nodes, node);
	DL_DELETE(node->owner->nodes, node);
	node->owner->node_count--;
	free(node);
}

void wf_lb_node_move(struct wf_lb_node *node, struct wf_lb_record *owner)
{
	DL_DELETE(node->owner->nodes, node);
	node->owner->node_count--;
	DL_APPEND(owner->nodes, node);
	owner->node_count++;
	node->owner = owner;
}

struct wf_frontend_key wf_lb_node_key(const struct wf_lb_port *port,
				      const struct wf_lb_frontend *frontend)
{
	return (struct wf_frontend_key){
		.addr = frontend->addr,
		.scope = frontend->scope,
		.port = htons(frontend->port),
		.proto = port->proto,
	};
}

int wf_lb_held_compare(const struct wf_addr *addr, uint16_t port, const struct wf_addr *other,
		       uint16_t other_port)
{
	int order = wf_addr_compare(addr, other);

	return order ? order : (int)port - (int)other_port;
}

int wf_lb_table_reach(const struct wf_lb_table *table, enum wf_lb_array array, uint32_t count)
{
	const struct wf_lb_memory *memory = &table->memory;

	return memory->reach && memory->reach(array, count, memory->context) < 0 ? -ENOMEM : 0;
}

int wf_lb_run_reach(const struct wf_lb_table *table, uint32_t first, uint32_t size)
{
	return wf_lb_table_reach(table, WF_LB_PAGES, (first + size - 1) / WF_PICKS_PER_PAGE + 1);
}

uint32_t *wf_lb_run_places(const struct wf_lb_table *table, uint32_t first)
{
	return &table->memory.pages[first / WF_PICKS_PER_PAGE].backends[first % WF_PICKS_PER_PAGE];
}
