/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From parsed Service and EndpointSlice structs to tables that the kernel uses, by the ways of the
 * daemon: lb/select, lb/table and real maps. 10,000 services with 10 backends each from nothing,
 * one backend changed, and what the maps take.
 *
 *   lb_program [-o json]
 *
 * Needs root. Works in namespaces of its own.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/clock.h"
#include "base/index.h"
#include "base/mem.h"
#include "dp/conn.h"
#include "dp/lb.h"
#include "lab.h"
#include "lb/select.h"
#include "lb/table.h"
#include "model/endpoint_slice.h"
#include "model/service.h"

#define SERVICES     10000
#define BACKENDS     10
#define MAX_SERVICES 32768
#define CONNECTIONS  (1u << 20)
#define CHANGES      200
#define LOCALS       1000 /* endpoints of this node */

struct object {
	struct wf_service service;
	struct wf_endpoint_slice slice;
};

struct result {
	double select_ms, write_ms; /* of all: resolving, laying out and writing */
	double change_p50_us, change_max_us;
	struct wf_lb_use use;
	unsigned long long frontend_empty_bytes, frontend_bytes, pick_bytes, backend_bytes,
		service_bytes;
	unsigned long long conn_bytes, index_bytes, free_bytes;
};

static struct wf_dp *dp;
static struct object *objects;

static void check(int r, const struct wf_err *err, const char *what)
{
	if (r >= 0)
		return;
	(void)fprintf(stderr, "lb_program: %s: %s\n", what,
		      err && *err->message ? err->message : strerror(-r));
	exit(EXIT_FAILURE);
}

static double us_since(uint64_t start_ns)
{
	return (double)(wf_clock_monotonic_ns() - start_ns) / 1e3;
}

/* ---- the documents -------------------------------------------------------------------------- */

static void make_service(struct wf_service *service, unsigned int number)
{
	json_t *root =
		json_pack("{s:s, s:s, s:{s:o, s:s}, s:{s:o, s:[{s:i, s:i, s:s}]}}", "apiVersion",
			  WF_SERVICE_API_VERSION, "kind", WF_KIND_SERVICE, "metadata", "name",
			  json_sprintf("s%u", number), "namespace", "default", "spec", "clusterIP",
			  json_sprintf("10.96.%u.%u", number >> 8, number & 255), "ports", "port",
			  80, "targetPort", 8080, "protocol", "TCP");
	struct wf_err err = WF_ERR_INIT;

	check(wf_service_from_json(service, root, &err), &err, "service");
	json_decref(root);
}

/* Backend `index` of a service; generation changes its address. */
static json_t *endpoint_json(unsigned int number, unsigned int index, unsigned int generation)
{
	unsigned int address = number * BACKENDS + index;

	return json_pack("{s:[o]}", "addresses",
			 json_sprintf("10.%u.%u.%u", 128 + (address >> 16) + 8 * generation,
				      (address >> 8) & 255, address & 255));
}

static void make_slice(struct wf_endpoint_slice *slice, unsigned int number,
		       unsigned int generation)
{
	json_t *endpoints = json_array();
	json_t *root = json_pack(
		"{s:s, s:s, s:{s:o, s:s, s:{s:o}}, s:s, s:[{s:s, s:i, s:s}], s:o}", "apiVersion",
		WF_ENDPOINT_SLICE_API_VERSION, "kind", WF_KIND_ENDPOINT_SLICE, "metadata", "name",
		json_sprintf("s%u", number), "namespace", "default", "labels",
		WF_LABEL_SERVICE_NAME, json_sprintf("s%u", number), "addressType", "IPv4", "ports",
		"name", "", "port", 8080, "protocol", "TCP", "endpoints", endpoints);
	struct wf_err err = WF_ERR_INIT;

	for (unsigned int i = 0; i < BACKENDS; i++)
		(void)json_array_append_new(endpoints,
					    endpoint_json(number, i, i == 0 ? generation : 0));
	check(wf_endpoint_slice_from_json(slice, root, &err), &err, "slice");
	json_decref(root);
}

static void make_objects(void)
{
	objects = calloc(SERVICES, sizeof(*objects));
	check(objects ? 0 : -ENOMEM, NULL, "documents");
	for (unsigned int i = 0; i < SERVICES; i++) {
		make_service(&objects[i].service, i);
		make_slice(&objects[i].slice, i, 0);
	}
}

/* ---- the ways of the daemon ------------------------------------------------------------------ */

/* Endpoints of this node, and the index of their addresses that control keeps. */
static struct local {
	struct wf_index_node node;
	struct wf_addr addr;
} locals[LOCALS];
static struct wf_index addresses;

static void make_locals(void)
{
	for (uint32_t i = 0; i < LOCALS; i++) {
		struct local *local = &locals[i];

		/* every hundredth backend is here */
		local->addr = wf_addr_from_ip4(htonl(0x0a800000 + 100 * i));
		wf_index_add(&addresses, &local->node, wf_hash_addr(0, &local->addr));
	}
}

static uint32_t slot_of(const struct wf_addr *addr, void *context)
{
	(void)context;
	WF_INDEX_EACH(&addresses, wf_hash_addr(0, addr), node) {
		const struct local *local = WF_INDEX_OBJECT(node, struct local, node);

		if (wf_addr_equal(&local->addr, addr))
			return (uint32_t)(local - locals) + 1;
	}
	return WF_SLOT_HOST;
}

static bool is_healthy(const struct wf_addr *addr, uint16_t port, void *context)
{
	(void)addr;
	(void)port;
	(void)context;
	return true;
}

static int write_frontends(const struct wf_frontend_key *keys,
			   const struct wf_frontend_value *values, size_t count, void *context,
			   struct wf_err *err)
{
	(void)context;
	return wf_dp_frontends_set(dp, keys, values, count, err);
}

static int write_source(uint32_t service, const struct wf_prefix *prefix, bool present,
			void *context, struct wf_err *err)
{
	(void)context;
	return wf_dp_source_set(dp, service, prefix, present, err);
}

static void resolve(const struct object *object, struct wf_lb_ports *ret_ports)
{
	const struct wf_lb_facts facts = { .node = "bench",
					   .zone = "",
					   .scope = WF_SCOPE_ANY,
					   .slot_of = slot_of,
					   .is_healthy = is_healthy };
	const struct wf_endpoint_slice *slice = &object->slice;
	struct wf_err err = WF_ERR_INIT;

	check(wf_lb_select(&object->service, &slice, 1, &facts, ret_ports, &err), &err, "select");
}

static void put(struct wf_lb_table *table, const struct wf_lb_ports *ports)
{
	uint64_t now_ms = wf_clock_monotonic_ms();
	struct wf_err err = WF_ERR_INIT;
	uint32_t number;

	for (size_t i = 0; i < ports->count; i++)
		check(wf_lb_table_put(table, &ports->items[i], now_ms, &number, &err), &err,
		      "table");
}

static const enum wf_dp_lb_array shared_arrays[] = {
	[WF_LB_PAGES] = WF_DP_LB_PAGES,
	[WF_LB_BACKENDS] = WF_DP_LB_BACKENDS,
	[WF_LB_SERVICES] = WF_DP_LB_SERVICES,
};

static int reach_array(enum wf_lb_array array, uint32_t count, void *context)
{
	(void)context;
	return wf_dp_lb_reach(dp, shared_arrays[array], count);
}

static void trim_array(enum wf_lb_array array, uint32_t count, void *context)
{
	(void)context;
	wf_dp_lb_trim(dp, shared_arrays[array], count);
}

static struct wf_lb_table *new_table(void)
{
	static const struct wf_lb_effects effects = { .frontends_set = write_frontends,
						      .source_set = write_source };
	struct wf_err err = WF_ERR_INIT;
	struct wf_dp_lb_memory shared;
	struct wf_lb_memory memory;
	struct wf_lb_table *table;

	wf_dp_lb_memory(dp, &shared);
	memory = (struct wf_lb_memory){
		.pages = shared.pages,
		.page_count = shared.page_count,
		.backends = shared.backends,
		.backend_count = shared.backend_count,
		.services = shared.services,
		.service_count = shared.service_count,
		.reach = reach_array,
		.trim = trim_array,
	};
	check(wf_lb_table_new(&table, &memory, &effects, &err), &err, "table");
	return table;
}

/* ---- measuring ------------------------------------------------------------------------------- */

static void measure_all(struct wf_lb_table *table, struct result *result)
{
	uint64_t started = wf_clock_monotonic_ns(), selecting;
	struct wf_err err = WF_ERR_INIT;
	double select_us = 0;

	wf_lb_table_begin(table);
	for (unsigned int i = 0; i < SERVICES; i++) {
		_cleanup_(wf_lb_ports_done) struct wf_lb_ports ports = { 0 };

		selecting = wf_clock_monotonic_ns();
		resolve(&objects[i], &ports);
		select_us += us_since(selecting);
		put(table, &ports);
	}
	check(wf_lb_table_commit(table, &err), &err, "commit");
	result->select_ms = select_us / 1e3;
	result->write_ms = us_since(started) / 1e3 - result->select_ms;
}

static int compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure_change(struct wf_lb_table *table, struct result *result)
{
	double us[CHANGES];

	for (unsigned int i = 0; i < CHANGES; i++) {
		_cleanup_(wf_lb_ports_done) struct wf_lb_ports ports = { 0 };
		unsigned int number = i * (SERVICES / CHANGES);
		struct wf_endpoint_slice changed = { 0 };
		uint64_t started;

		make_slice(&changed, number, 1);
		wf_endpoint_slice_done(&objects[number].slice);
		objects[number].slice = changed;
		started = wf_clock_monotonic_ns();
		resolve(&objects[number], &ports);
		put(table, &ports);
		us[i] = us_since(started);
	}
	qsort(us, CHANGES, sizeof(us[0]), compare);
	result->change_p50_us = us[CHANGES / 2];
	result->change_max_us = us[CHANGES - 1];
}

/* What the kernel says that a map takes. */
static unsigned long long map_bytes(const char *name)
{
	unsigned long long bytes = 0;
	char path[128], line[128];
	_cleanup_close_ int fd = -1;
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/maps/%s", LAB_PINS, name);
	fd = bpf_obj_get(path);
	check(fd < 0 ? -errno : 0, NULL, name);
	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	check(file ? 0 : -errno, NULL, path);
	while (file && fgets(line, sizeof(line), file))
		(void)sscanf(line, "memlock: %llu", &bytes);
	(void)fclose(file);
	return bytes;
}

static void measure_memory(struct result *result)
{
	result->frontend_bytes = map_bytes("wf_frontends");
	result->pick_bytes = map_bytes("wf_picks");
	result->backend_bytes = map_bytes("wf_backends");
	result->service_bytes = map_bytes("wf_services");
	result->conn_bytes = map_bytes("wf_conns");
	result->index_bytes = map_bytes("wf_conn_index");
	result->free_bytes = map_bytes("wf_conn_free");
}

/* ---- the report ------------------------------------------------------------------------------ */

static void print_json(const struct result *result)
{
	printf("{\"services\": %u, \"backends\": %u, \"connections\": %u,\n", result->use.services,
	       result->use.backends, CONNECTIONS);
	printf(" \"select_ms\": %.2f, \"write_ms\": %.2f, \"change_p50_us\": %.2f, "
	       "\"change_max_us\": %.2f,\n",
	       result->select_ms, result->write_ms, result->change_p50_us, result->change_max_us);
	printf(" \"services_max\": %u, \"backends_max\": %u, \"picks\": %u, \"picks_max\": %u, "
	       "\"frontends\": %u,\n",
	       result->use.services_max, result->use.backends_max, result->use.picks,
	       result->use.picks_max, result->use.frontends);
	printf(" \"bytes\": {\"frontends_empty\": %llu, \"frontends\": %llu, \"picks\": %llu, \"backends\": %llu, "
	       "\"services\": %llu, \"conns\": %llu, \"conn_index\": %llu, \"conn_free\": %llu}}\n",
	       result->frontend_empty_bytes, result->frontend_bytes, result->pick_bytes,
	       result->backend_bytes, result->service_bytes, result->conn_bytes,
	       result->index_bytes, result->free_bytes);
}

static void print_text(const struct result *result)
{
	double conn_bytes = (double)(result->conn_bytes + result->index_bytes + result->free_bytes);

	printf("%u services, %u backends: select %.1f ms, layout and maps %.1f ms, in all %.1f ms\n",
	       result->use.services, result->use.backends, result->select_ms, result->write_ms,
	       result->select_ms + result->write_ms);
	printf("one backend changed: median %.1f us, slowest %.1f us\n", result->change_p50_us,
	       result->change_max_us);
	printf("a backend takes %llu bytes, a pick 4 (%.1f for each backend)\n",
	       result->backend_bytes / result->use.backends_max,
	       (double)result->use.picks / result->use.backends);
	printf("a service takes %llu bytes, a frontend %llu\n",
	       result->service_bytes / result->use.services_max,
	       (result->frontend_bytes - result->frontend_empty_bytes) / result->use.frontends);
	printf("%u connections: %.1f MB, %.0f bytes each\n", CONNECTIONS, conn_bytes / 1e6,
	       conn_bytes / CONNECTIONS);
}

int main(int argc, char **argv)
{
	const struct wf_dp_sizes sizes = { .services = MAX_SERVICES, .connections = CONNECTIONS };
	bool json = argc == 3 && strcmp(argv[1], "-o") == 0 && strcmp(argv[2], "json") == 0;
	struct wf_err err = WF_ERR_INIT;
	struct result result = { 0 };
	struct wf_lb_table *table;

	if (argc > 1 && !json) {
		(void)fprintf(stderr, "usage: %s [-o json]\n", argv[0]);
		return 2;
	}
	lab_enter();
	make_objects();
	make_locals();
	check(wf_dp_open(LAB_BPF_DIR, &sizes, &dp, &err), &err, "maps");
	table = new_table();
	result.frontend_empty_bytes = map_bytes("wf_frontends");
	measure_all(table, &result);
	measure_change(table, &result);
	wf_lb_table_use(table, &result.use);
	measure_memory(&result);
	if (json)
		print_json(&result);
	else
		print_text(&result);
	wf_lb_table_free(&table);
	(void)wf_dp_remove(LAB_BPF_DIR, NULL);
	wf_dp_close(&dp);
	return 0;
}
