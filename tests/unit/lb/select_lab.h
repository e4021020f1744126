/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of who serves whom: one service with one slice, and its endpoints row by row. This node
 * is "here" in zone "z1"; the service has port 80 at 10.96.0.1, its slice's port is 8080. An address
 * that ends in 7 is that of the local endpoint with slot 70; no other is of an endpoint here.
 */
#ifndef WEFT_TESTS_LB_SELECT_LAB_H
#define WEFT_TESTS_LB_SELECT_LAB_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "../from_text.h"
#include "lb/select.h"

#define SELECT_MOST 8

/* Endpoints of a test: the state as letters, "r"eady, "s"erving, "t"erminating, "x" unhealthy. */
struct select_row {
	const char *addr, *state, *node, *zone;
	const char *node_hint, *zone_hint; /* NULL: none */
	uint32_t sets;                     /* wanted */
};

struct select_lab {
	struct wf_service service;
	struct wf_service_port port;
	struct wf_slice_port slice_port;
	struct wf_slice_endpoint endpoints[SELECT_MOST];
	char *hints[SELECT_MOST][2][2];
	struct wf_endpoint_slice slice;
	const char *sick[SELECT_MOST]; /* addresses that fail the check; NULL ends */
	struct wf_lb_facts facts;
	struct wf_lb_ports ports;
};

/* Zero, or used before. */
void select_init(struct select_lab *lab);
void select_done(struct select_lab *lab);
/* The slice's endpoints are these from now on. */
void select_add_rows(struct select_lab *lab, const struct select_row *rows, size_t count);
/* Into lab->ports: from any slices; from the lab's own. The first port, NULL: there is none. */
void select_resolve_slices(struct select_lab *lab, const struct wf_endpoint_slice *const *slices,
			   size_t count);
struct wf_lb_port *select_resolve(struct select_lab *lab);
/* A port's backend that has to be there. */
const struct wf_lb_backend *select_backend(const struct wf_lb_port *port, const char *text);
/* NULL: the port has none of this type. */
const struct wf_lb_frontend *select_frontend(const struct wf_lb_port *port,
					     enum wf_frontend_type type);

#endif
