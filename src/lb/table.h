/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layout of services in the datapath's tables: numbers of service ports and backends, runs of
 * picks, and the order of writes in which no packet ever meets half a change: backends first,
 * then a new run, then the frontend that names it; the old run and numbers are used again only
 * after a pause. Pure: memory and effects come in; dp or a test provides them.
 *
 * Incremental by key: wf_lb_table_put() touches the one port it is told of. A table that adopted
 * what an earlier process left keeps every number, so connections go on.
 */
#ifndef WEFT_LB_TABLE_H
#define WEFT_LB_TABLE_H

#include "base/err.h"
#include "lb/port.h"

struct wf_lb_table;

enum wf_lb_array {
	WF_LB_PAGES,
	WF_LB_BACKENDS,
	WF_LB_SERVICES,
};

/*
 * The arrays that programs read, as shared memory. Borrowed; outlive the table. Most of it is
 * never used: an entry is touched only after reach() of so many entries of its array, and trim()
 * says that entries behind the first ones are not needed. Both NULL: all of it can be used.
 */
struct wf_lb_memory {
	struct wf_pick_page *pages;
	uint32_t page_count;
	struct wf_backend_value *backends;
	uint32_t backend_count;
	struct wf_service_value *services;
	uint32_t service_count;
	int (*reach)(enum wf_lb_array array, uint32_t count, void *context);
	void (*trim)(enum wf_lb_array array, uint32_t count, void *context);
	void *context;
};

/* Effects on the tables that are no arrays; each 0 or a negative errno with a message. */
struct wf_lb_effects {
	/* many at once; NULL values: delete, and one that is not there counts as deleted */
	int (*frontends_set)(const struct wf_frontend_key *keys,
			     const struct wf_frontend_value *values, size_t count, void *context,
			     struct wf_err *err);
	int (*source_set)(uint32_t service, const struct wf_prefix *prefix, bool present,
			  void *context, struct wf_err *err);
	void *context;
};

int wf_lb_table_new(struct wf_lb_table **ret_table, const struct wf_lb_memory *memory,
		    const struct wf_lb_effects *effects, struct wf_err *err);
/* NULL-safe; the arrays keep what they hold. */
void wf_lb_table_free(struct wf_lb_table **table);

/* Tells of a frontend that was found in the kernel; all of them before the first put. */
int wf_lb_table_adopt(struct wf_lb_table *table, const struct wf_frontend_key *key,
		      const struct wf_frontend_value *value, struct wf_err *err);

/* The same of an entry of wf_source_ranges, so that one that was taken away meanwhile goes. */
int wf_lb_table_adopt_source(struct wf_lb_table *table, uint32_t service,
			     const struct wf_prefix *prefix, struct wf_err *err);

/*
 * Between begin and commit frontends are gathered and written in batches: for many puts. A put
 * outside of them is in force when it returns. A port whose frontends cannot be written goes back
 * to what it was and the others go on; commit tells of the first such port, and
 * wf_lb_table_number() of those that never came into force is 0.
 */
void wf_lb_table_begin(struct wf_lb_table *table);
int wf_lb_table_commit(struct wf_lb_table *table, struct wf_err *err);

/*
 * Brings a port into force, or changes it to this. Backends that left the port stay valid for
 * established connections until wf_lb_table_sweep() finds none. *ret_number: number of the service
 * port. A port that equals what is in force costs no write. -ENOSPC names the table that is full;
 * what was in force stays. -EEXIST: a frontend belongs to another port (named). -EINVAL: backends
 * are not sorted. -ENOMEM.
 */
int wf_lb_table_put(struct wf_lb_table *table, const struct wf_lb_port *port, uint64_t now_ms,
		    uint32_t *ret_number, struct wf_err *err);
/* Takes a port away. Unknown keys are fine. */
int wf_lb_table_remove(struct wf_lb_table *table, const char *key, uint64_t now_ms,
		       struct wf_err *err);
/* Removes adopted frontends that no put claimed (after the first full sync). */
int wf_lb_table_drop_unclaimed(struct wf_lb_table *table, uint64_t now_ms, struct wf_err *err);

/*
 * Frees what is no longer in use. A number of a backend is free when it left more than a pause ago
 * and its count of active connections is 0. Returns ms until it wants to be called again,
 * UINT64_MAX: nothing waits.
 */
uint64_t wf_lb_table_sweep(struct wf_lb_table *table, uint64_t now_ms);

/* Number of a backend in force, 0 when unknown; and of a port. */
uint32_t wf_lb_table_backend(const struct wf_lb_table *table, const char *key,
			     const struct wf_addr *addr, uint16_t port);
uint32_t wf_lb_table_number(const struct wf_lb_table *table, const char *key);
/* Key of a service port by its number, NULL when free. Borrowed until the next change. */
const char *wf_lb_table_key(const struct wf_lb_table *table, uint32_t number);

/* Use of the tables, for metrics. */
struct wf_lb_use {
	uint32_t services, services_max;
	uint32_t frontends;
	uint32_t backends, backends_max;
	uint32_t picks, picks_max;
};
void wf_lb_table_use(const struct wf_lb_table *table, struct wf_lb_use *ret_use);

/*
 * A number for something else that counts hits in wf_services (a published run); stable over
 * restarts for the same key, unless its hash collides with another's. To be taken after all was
 * adopted. -ENOSPC, -ENOMEM. Freed by wf_lb_table_number_release(), unknown keys are fine.
 */
int wf_lb_table_number_take(struct wf_lb_table *table, const char *key, uint32_t *ret_number,
			    struct wf_err *err);
void wf_lb_table_number_release(struct wf_lb_table *table, const char *key);

#endif
