/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first step of a change, see table_priv.h: finds numbers, runs and memory for what a port
 * shall be. Whatever fails here leaves everything as it was.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include <weft/abi/limits.h>

#include "base/mem.h"
#include "lb/table_priv.h"
#include "lb/turns.h"

struct plan {
	struct wf_lb_table *table;
	struct wf_lb_record *record;
	const struct wf_lb_port *port;
	const char *name;        /* of the port, for messages */
	struct wf_lb_held *held; /* owned; the record's backends and new ones; NULL: no new ones */
	size_t held_count;
	struct wf_err *err;
};

static int fail_memory(const struct plan *plan)
{
	return wf_fail(plan->err, -ENOMEM, "out of memory for service port %s", plan->name);
}

/* Makes a scratch array hold count elements; what it held does not matter. */
static int reserve(void *array, size_t element_bytes, size_t count, size_t *capacity)
{
	void *old, *made;

	if (count <= *capacity)
		return 0;
	made = malloc(count * 2 * element_bytes);
	if (!made)
		return -ENOMEM;
	memcpy(&old, array, sizeof(old));
	free(old);
	memcpy(array, &made, sizeof(made));
	*capacity = count * 2;
	return 0;
}

static uint16_t flags_of(const struct wf_lb_port *port, const struct wf_lb_backend *backend)
{
	if (backend && backend->sets)
		return WF_BACKEND_VALID | WF_BACKEND_USABLE;
	/* one that is ready and only too far away has not left: its connections are good */
	if (port->cut && !(backend && backend->state == WF_LB_READY))
		return WF_BACKEND_VALID | WF_BACKEND_CUT;
	return WF_BACKEND_VALID;
}

static int compare_held(const struct wf_lb_held *held, const struct wf_lb_backend *backend)
{
	return wf_lb_held_compare(&held->addr, held->port, &backend->addr, backend->port);
}

static void want(const struct plan *plan, struct wf_lb_held *held,
		 const struct wf_lb_backend *backend)
{
	held->stays = backend;
	held->wanted = flags_of(plan->port, backend);
	if (backend)
		held->slot = backend->slot;
	else /* one that was cut when it left stays so, whatever the port is now */
		held->wanted |= held->flags & WF_BACKEND_CUT;
}

/* Marks the record's backends that stay or leave. Returns how many of the port's are new. */
static size_t match_backends(const struct plan *plan)
{
	const struct wf_lb_record *record = plan->record;
	const struct wf_lb_port *port = plan->port;
	uint32_t *numbers = plan->table->scratch.numbers;
	size_t at = 0, fresh = 0;

	for (size_t i = 0; i < port->backend_count; i++) {
		while (at < record->held_count &&
		       compare_held(&record->held[at], &port->backends[i]) < 0)
			want(plan, &record->held[at++], NULL);
		numbers[i] = 0;
		if (at < record->held_count &&
		    compare_held(&record->held[at], &port->backends[i]) == 0) {
			numbers[i] = record->held[at].number;
			want(plan, &record->held[at++], &port->backends[i]);
		}
		fresh += !numbers[i];
	}
	while (at < record->held_count)
		want(plan, &record->held[at++], NULL);
	return fresh;
}

static struct wf_lb_held make_held(const struct plan *plan, const struct wf_lb_backend *backend)
{
	struct wf_lb_table *table = plan->table;
	struct wf_lb_held held = {
		.addr = backend->addr,
		.port = backend->port,
		.number = wf_bits_next(&table->free_backends, 0),
	};

	wf_bits_clear(&table->free_backends, held.number);
	want(plan, &held, backend);
	return held;
}

/* Whether the entries of so many new backends can be written. */
static int reach_backends(struct wf_lb_table *table, size_t fresh)
{
	uint32_t number = 0;

	while (fresh--)
		number = wf_bits_next(&table->free_backends, number + 1);
	return wf_lb_table_reach(table, WF_LB_BACKENDS, number + 1);
}

/* Merges new backends, with numbers of their own, into a copy of the record's. */
static void merge_backends(struct plan *plan)
{
	const struct wf_lb_record *record = plan->record;
	uint32_t *numbers = plan->table->scratch.numbers;
	size_t at = 0;

	for (size_t i = 0; i < plan->port->backend_count; i++) {
		const struct wf_lb_backend *backend = &plan->port->backends[i];

		if (numbers[i])
			continue;
		while (at < record->held_count && compare_held(&record->held[at], backend) < 0)
			plan->held[plan->held_count++] = record->held[at++];
		plan->held[plan->held_count] = make_held(plan, backend);
		numbers[i] = plan->held[plan->held_count++].number;
	}
	while (at < record->held_count)
		plan->held[plan->held_count++] = record->held[at++];
}

static int plan_backends(struct plan *plan)
{
	struct wf_lb_table *table = plan->table;
	struct wf_lb_scratch *scratch = &table->scratch;
	size_t count = plan->port->backend_count, fresh;

	if (reserve(&scratch->numbers, sizeof(*scratch->numbers), count,
		    &scratch->numbers_capacity) < 0)
		return fail_memory(plan);
	fresh = match_backends(plan);
	if (!fresh)
		return 0;
	if (fresh > table->free_backends.count)
		return wf_fail(plan->err, -ENOSPC,
			       "service port %s needs %zu more backends and %u of %u are free; "
			       "raise --max-services",
			       plan->name, fresh, table->free_backends.count,
			       table->memory.backend_count - 1);
	if (reach_backends(table, fresh) < 0)
		return fail_memory(plan);
	plan->held = malloc((plan->record->held_count + fresh) * sizeof(*plan->held));
	if (!plan->held)
		return fail_memory(plan);
	merge_backends(plan);
	return 0;
}

static bool is_own(const struct wf_lb_frontend *frontend)
{
	return frontend->type == WF_FRONTEND_CLUSTER_IP;
}

/* Which set serves a frontend's clients from inside or outside; WF_LB_SETS: it has none. */
static unsigned int set_of(const struct wf_lb_frontend *frontend, enum wf_frontend_flag side)
{
	enum wf_lb_set set = side == WF_FRONTEND_OUTSIDE ? WF_LB_OUTSIDE : WF_LB_EXTERNAL;

	if (!(frontend->flags & side))
		return WF_LB_SETS;
	return (unsigned int)__builtin_ctz(is_own(frontend) ? WF_LB_INSIDE : set);
}

static bool is_needed(const struct wf_lb_port *port, unsigned int set)
{
	for (size_t i = 0; i < port->frontend_count; i++)
		if (set_of(&port->frontends[i], WF_FRONTEND_INSIDE) == set ||
		    set_of(&port->frontends[i], WF_FRONTEND_OUTSIDE) == set)
			return true;
	return false;
}

static bool are_alike(const struct wf_lb_port *port, unsigned int a, unsigned int b)
{
	for (size_t i = 0; i < port->backend_count; i++)
		if ((port->backends[i].sets >> a & 1) != (port->backends[i].sets >> b & 1))
			return false;
	return true;
}

/* The same on every node, whatever its byte order: the tables of all nodes are to agree. */
static uint64_t key_of(const struct wf_lb_backend *backend)
{
	uint64_t key = be64toh(backend->addr.halves[0]) * 0xff51afd7ed558ccd;

	key = (key ^ (key >> 33)) + be64toh(backend->addr.halves[1]);
	key *= 0xc4ceb9fe1a85ec53;
	return (key ^ (key >> 29)) + backend->port;
}

static size_t gather_members(const struct plan *plan, unsigned int set)
{
	struct wf_lb_scratch *scratch = &plan->table->scratch;
	size_t count = 0;

	for (size_t i = 0; i < plan->port->backend_count; i++) {
		const struct wf_lb_backend *backend = &plan->port->backends[i];

		if (!(backend->sets >> set & 1))
			continue;
		scratch->members[count++] = (struct wf_maglev_backend){
			.key = key_of(backend),
			.number = scratch->numbers[i],
			.weight = backend->weight < WF_MAGLEV_MAX_WEIGHT ? backend->weight
									 : WF_MAGLEV_MAX_WEIGHT,
		};
	}
	return count;
}

/* Computes the picks of a set into the scratch. Its size, -ENOMEM. */
static int compute_picks(const struct plan *plan, unsigned int set)
{
	struct wf_lb_scratch *scratch = &plan->table->scratch;
	const struct wf_lb_run *current = plan->record->sets[set];
	bool is_maglev = plan->port->algorithm == WF_LB_MAGLEV;
	size_t count;
	uint32_t size;
	int r;

	if (reserve(&scratch->members, sizeof(*scratch->members), plan->port->backend_count,
		    &scratch->members_capacity) < 0)
		return -ENOMEM;
	count = gather_members(plan, set);
	if (count <= 1)
		size = (uint32_t)count;
	else if (is_maglev)
		size = wf_maglev_size(count, current ? current->size : 0);
	else
		size = wf_turns_size(scratch->members, count);
	if (reserve(&scratch->picks, sizeof(*scratch->picks), size, &scratch->picks_capacity) < 0)
		return -ENOMEM;
	if (count <= 1) {
		if (count)
			scratch->picks[0] = scratch->members[0].number;
		return (int)size;
	}
	r = is_maglev ? wf_maglev_build(scratch->members, count, scratch->picks, size)
		      : wf_turns_build(scratch->members, count, scratch->picks, size);
	return r < 0 ? r : (int)size;
}

static int make_run(const struct plan *plan, uint32_t size, struct wf_lb_run **ret_run)
{
	struct wf_lb_table *table = plan->table;
	_cleanup_free_ struct wf_lb_run *run = calloc(1, sizeof(*run));

	if (!run)
		return fail_memory(plan);
	if (wf_space_take(&table->space, size, &run->first) < 0)
		return wf_fail(plan->err, -ENOSPC,
			       "no run of %u picks is free for service port %s (%u of %u are in "
			       "use or were until just now); raise --max-services",
			       size, plan->name, table->space.used, table->space.places);
	if (wf_lb_run_reach(table, run->first, size) < 0) {
		wf_space_give(&table->space, run->first, size);
		return fail_memory(plan);
	}
	run->size = size;
	memcpy(wf_lb_run_places(table, run->first), table->scratch.picks, size * sizeof(uint32_t));
	DL_APPEND(plan->record->fresh, run);
	*ret_run = TAKE_PTR(run);
	return 0;
}

/* A run that holds what is in the scratch: one of the record's, or a new one. */
static int find_run(const struct plan *plan, uint32_t size, struct wf_lb_run **ret_run)
{
	struct wf_lb_run *run;

	DL_FOREACH(plan->record->runs, run) {
		if (run->size == size &&
		    !memcmp(wf_lb_run_places(plan->table, run->first), plan->table->scratch.picks,
			    size * sizeof(uint32_t))) {
			*ret_run = run;
			return 0;
		}
	}
	return make_run(plan, size, ret_run);
}

static int plan_set(const struct plan *plan, unsigned int set)
{
	struct wf_lb_record *record = plan->record;
	int size;

	record->next_sets[set] = NULL;
	if (!is_needed(plan->port, set))
		return 0;
	for (unsigned int i = 0; i < set; i++) {
		if (record->next_sets[i] && are_alike(plan->port, i, set)) {
			record->next_sets[set] = record->next_sets[i];
			return 0;
		}
	}
	size = compute_picks(plan, set);
	if (size < 0)
		return fail_memory(plan);
	return size ? find_run(plan, (uint32_t)size, &record->next_sets[set]) : 0;
}

static int plan_sets(const struct plan *plan)
{
	for (unsigned int i = 0; i < WF_LB_SETS; i++) {
		int r = plan_set(plan, i);

		if (r < 0)
			return r;
	}
	return 0;
}

static int plan_nodes(const struct plan *plan)
{
	struct wf_lb_scratch *scratch = &plan->table->scratch;
	struct wf_frontend_key *keys;
	struct wf_frontend_value *values;
	size_t wanted;

	for (size_t i = 0; i < plan->port->frontend_count; i++) {
		struct wf_frontend_key key = wf_lb_node_key(plan->port, &plan->port->frontends[i]);

		if (!wf_lb_node_find(plan->table, &key) &&
		    !wf_lb_node_new(plan->table, plan->record, &key))
			return fail_memory(plan);
	}
	/* what commit will write has its room now, so that commit cannot fail for want of it */
	wanted = plan->table->staged_nodes + plan->record->node_count + plan->port->frontend_count;
	if (wanted <= scratch->batch_capacity)
		return 0;
	keys = realloc(scratch->keys, wanted * 2 * sizeof(*keys));
	if (!keys)
		return fail_memory(plan);
	scratch->keys = keys;
	values = realloc(scratch->values, wanted * 2 * sizeof(*values));
	if (!values)
		return fail_memory(plan);
	scratch->values = values;
	scratch->batch_capacity = wanted * 2;
	return 0;
}

int wf_lb_source_compare(const void *a, const void *b)
{
	const struct wf_prefix *x = a, *y = b;
	int order = wf_addr_compare(&x->addr, &y->addr);

	return order ? order : (int)x->len - (int)y->len;
}

static bool has_source(const struct wf_lb_sources *sources, const struct wf_prefix *prefix)
{
	return sources->count && bsearch(prefix, sources->items, sources->count,
					 sizeof(*sources->items), wf_lb_source_compare);
}

/* Network addresses only, sorted, each once. */
static int copy_sources(const struct plan *plan)
{
	struct wf_lb_sources *next = &plan->record->next_sources;
	size_t kept = 0;

	*next = (struct wf_lb_sources){ 0 };
	if (!plan->port->source_count)
		return 0;
	next->items = malloc(plan->port->source_count * sizeof(*next->items));
	if (!next->items)
		return fail_memory(plan);
	for (size_t i = 0; i < plan->port->source_count; i++)
		next->items[i] = wf_prefix_network(&plan->port->sources[i]);
	qsort(next->items, plan->port->source_count, sizeof(*next->items), wf_lb_source_compare);
	for (size_t i = 1; i < plan->port->source_count; i++)
		if (wf_lb_source_compare(&next->items[kept], &next->items[i]))
			next->items[++kept] = next->items[i];
	next->count = next->capacity = kept + 1;
	return 0;
}

/*
 * New sources are allowed before the frontends change and old ones forbidden afterwards: in
 * between clients of both may come, but nobody is refused whom both would let in.
 */
static int plan_sources(const struct plan *plan)
{
	const struct wf_lb_effects *effects = &plan->table->effects;
	const struct wf_lb_record *record = plan->record;
	const struct wf_lb_sources *next = &record->next_sources;
	int r = copy_sources(plan);

	for (size_t i = 0; r == 0 && i < next->count; i++) {
		if (has_source(&record->sources, &next->items[i]))
			continue;
		r = effects->source_set(record->number, &next->items[i], true, effects->context,
					plan->err);
		for (size_t j = i; r < 0 && j--;)
			if (!has_source(&record->sources, &next->items[j]))
				(void)effects->source_set(record->number, &next->items[j], false,
							  effects->context, NULL);
	}
	return r;
}

/* Gives back all that a plan has taken. */
static void abandon(struct plan *plan)
{
	struct wf_lb_table *table = plan->table;
	struct wf_lb_record *record = plan->record;
	struct wf_lb_node *node, *next_node;
	struct wf_lb_run *run, *next_run;

	for (size_t i = 0; i < plan->held_count; i++)
		if (!plan->held[i].flags)
			wf_bits_set(&table->free_backends, plan->held[i].number);
	free(TAKE_PTR(plan->held));
	DL_FOREACH_SAFE(record->fresh, run, next_run)
	{
		DL_DELETE(record->fresh, run);
		wf_space_give(&table->space, run->first, run->size);
		free(run);
	}
	DL_FOREACH_SAFE(record->nodes, node, next_node)
	{
		if (!node->is_there)
			wf_lb_node_free(table, node);
	}
	free(TAKE_PTR(record->next_sources.items));
	record->next_sources = (struct wf_lb_sources){ 0 };
}

static struct wf_pick_run run_of(const struct wf_lb_record *record, unsigned int set)
{
	const struct wf_lb_run *run = set < WF_LB_SETS ? record->next_sets[set] : NULL;

	return run ? (struct wf_pick_run){ run->first, run->size } : (struct wf_pick_run){ 0, 0 };
}

/* Nothing fails from here on. Also takes over frontends that were adopted without an owner. */
static void mark_nodes(const struct plan *plan)
{
	const struct wf_lb_port *port = plan->port;
	struct wf_lb_record *record = plan->record;
	struct wf_lb_node *node;

	DL_FOREACH(record->nodes, node)
		node->pending = WF_LB_DELETE;
	for (size_t i = 0; i < port->frontend_count; i++) {
		const struct wf_lb_frontend *frontend = &port->frontends[i];
		struct wf_frontend_key key = wf_lb_node_key(port, frontend);

		node = wf_lb_node_find(plan->table, &key);
		if (node->owner != record)
			wf_lb_node_move(node, record);
		node->staged = (struct wf_frontend_value){
			.service = record->number,
			.affinity_s = port->affinity_s,
			.inside = run_of(record, set_of(frontend, WF_FRONTEND_INSIDE)),
			.outside = run_of(record, set_of(frontend, WF_FRONTEND_OUTSIDE)),
			.flags = frontend->flags,
			.algorithm = (uint8_t)port->algorithm,
			.type = (uint8_t)frontend->type,
			.scope = frontend->view == port->view ? WF_NETWORK_HOST : port->view,
		};
		node->pending =
			node->is_there && !memcmp(&node->staged, &node->value, sizeof(node->value))
				? WF_LB_KEEP
				: WF_LB_SET;
	}
}

static int plan_all(struct plan *plan)
{
	int r = plan_backends(plan);

	if (r == 0)
		r = plan_sets(plan);
	if (r == 0)
		r = plan_nodes(plan);
	return r == 0 ? plan_sources(plan) : r;
}

int wf_lb_table_plan(struct wf_lb_table *table, struct wf_lb_record *record,
		     const struct wf_lb_port *port, struct wf_err *err)
{
	struct wf_lb_port none = { .cut = record->is_cut };
	struct plan plan = {
		.table = table,
		.record = record,
		.port = port ? port : &none,
		.name = port ? port->key : wf_lb_record_label(record),
		.err = err,
	};
	int r = plan_all(&plan);

	if (r < 0) {
		abandon(&plan);
		return r;
	}
	if (plan.held) {
		free(record->held);
		record->held = TAKE_PTR(plan.held);
		record->held_count = plan.held_count;
	}
	record->is_cut = plan.port->cut;
	record->will_be_in_force = port;
	mark_nodes(&plan);
	return 0;
}
