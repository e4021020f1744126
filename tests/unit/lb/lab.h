/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of the table: memory and a kernel that remembers frontends, and ports to put. */
#ifndef WEFT_TESTS_LB_LAB_H
#define WEFT_TESTS_LB_LAB_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "lb/table.h"

#define LAB_FRONTENDS 512
#define LAB_SOURCES   64

/* How long what left the table is not used again. */
#define LAB_PAUSE_MS 2000

struct lab_frontend {
	struct wf_frontend_key key;
	struct wf_frontend_value value;
};

struct lab_source {
	uint32_t service;
	struct wf_prefix prefix;
};

struct lab {
	struct wf_lb_memory memory; /* owned; what programs see */
	struct wf_lb_memory view;   /* owned; the same memory as the table has it */
	struct lab_frontend frontends[LAB_FRONTENDS];
	size_t frontend_count, frontend_max;
	struct lab_source sources[LAB_SOURCES];
	size_t source_count;
	size_t calls, sets, deletes, source_changes; /* of effects */
	uint16_t refused_port;                       /* frontends of this port cannot be set */
	void (*on_set)(struct lab *lab);             /* before frontends change; NULL: nothing */
	void *context;
	struct wf_lb_table *table;
};

/* Memory of these sizes, all zero, and a table over it. */
void lab_init(struct lab *lab, uint32_t services, uint32_t backends, uint32_t pages);
void lab_done(struct lab *lab);
struct wf_lb_effects lab_effects(struct lab *lab);
/* A new table that adopts what the kernel has, instead of the old one. */
void lab_restart(struct lab *lab);

const struct wf_frontend_value *lab_find(const struct lab *lab, const char *addr, uint16_t port);
uint32_t lab_pick(const struct lab *lab, const struct wf_pick_run *run, uint32_t place);

/* A port "key" with one ClusterIP frontend at addr:80 and backends 10.1.0.<last>:8080. */
struct wf_lb_port lab_port(const char *key, const char *addr);
void lab_add_frontend(struct wf_lb_port *port, const char *addr, uint16_t number,
		      enum wf_frontend_type type);
/* To be added in the order of `last`. */
struct wf_lb_backend *lab_add_backend(struct wf_lb_port *port, unsigned int last, uint32_t sets);

#endif
