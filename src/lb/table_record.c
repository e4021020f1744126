/* SPDX-License-Identifier: Apache-2.0 */
/* What the table remembers: records of service ports and their frontends, and how each is found. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "lb/table_priv.h"

struct wf_lb_record *wf_lb_record_find(const struct wf_lb_table *table, const char *key)
{
	WF_INDEX_EACH(&table->records, wf_hash_text(0, key), node) {
		struct wf_lb_record *record = WF_INDEX_OBJECT(node, struct wf_lb_record, by_key);

		if (strcmp(record->key, key) == 0)
			return record;
	}
	return NULL;
}

const char *wf_lb_record_label(const struct wf_lb_record *record)
{
	return record->key ? record->key : "(of an earlier run)";
}

int wf_lb_record_name(struct wf_lb_table *table, struct wf_lb_record *record, const char *key)
{
	record->key = strdup(key);
	if (!record->key)
		return -ENOMEM;
	wf_index_add(&table->records, &record->by_key, wf_hash_text(0, key));
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

void wf_lb_record_free(struct wf_lb_table *table, struct wf_lb_record *record)
{
	while (record->nodes)
		wf_lb_node_free(table, record->nodes);
	wf_index_remove(&table->records, &record->by_key);
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

static uint64_t node_hash(const struct wf_frontend_key *key)
{
	uint64_t rest = (uint64_t)key->scope << 32 | (uint64_t)key->port << 8 | key->proto;

	return wf_hash_addr(rest, &key->addr);
}

struct wf_lb_node *wf_lb_node_find(const struct wf_lb_table *table,
				   const struct wf_frontend_key *key)
{
	WF_INDEX_EACH(&table->nodes, node_hash(key), found) {
		struct wf_lb_node *node = WF_INDEX_OBJECT(found, struct wf_lb_node, by_key);

		if (memcmp(&node->key, key, sizeof(*key)) == 0)
			return node;
	}
	return NULL;
}

struct wf_lb_node *wf_lb_node_new(struct wf_lb_table *table, struct wf_lb_record *owner,
				  const struct wf_frontend_key *key)
{
	struct wf_lb_node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->key = *key;
	node->owner = owner;
	wf_index_add(&table->nodes, &node->by_key, node_hash(key));
	DL_APPEND(owner->nodes, node);
	owner->node_count++;
	return node;
}

void wf_lb_node_free(struct wf_lb_table *table, struct wf_lb_node *node)
{
	wf_index_remove(&table->nodes, &node->by_key);
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
