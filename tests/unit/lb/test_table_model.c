/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random changes of many ports against a model that is a list of the ports as they were put. After
 * each step the kernel's side is read as a program would read it: every frontend's runs hold all
 * backends of its set and nobody else, nothing is used twice, nothing is used again too early, and
 * whoever has connections keeps his number. From time to time a new table takes over, and the same
 * puts must not change a byte.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab.h"

#include "base/mem.h"

#define PORTS    24
#define BACKENDS 12
#define STEPS    1000
#define SERVICES 256
#define PLACES   (4096 * WF_PICKS_PER_PAGE)
#define NUMBERS  1024
#define NEVER    (-1000000)

struct model {
	struct wf_lb_port ports[PORTS]; /* key NULL: not there */
	int64_t now_ms;
	int64_t used_ms[PLACES];                   /* when a place was last named by a frontend */
	uint32_t named_by[PLACES];                 /* service, in the last step; 0: none */
	uint32_t was[PLACES];                      /* what it held then */
	struct wf_backend_value backends[NUMBERS]; /* in the last step */
	int64_t left_ms[NUMBERS];                  /* when it was last usable */
};

static struct lab lab;
static struct model model;

static uint32_t roll(uint32_t below)
{
	return (uint32_t)rand() % below;
}

static uint32_t set_of(const struct lab_frontend *frontend, bool outside)
{
	if (frontend->value.type == WF_FRONTEND_CLUSTER_IP)
		return WF_LB_INSIDE;
	return outside ? WF_LB_OUTSIDE : WF_LB_EXTERNAL;
}

static const struct wf_lb_port *port_of(const struct lab_frontend *frontend)
{
	const char *key = wf_lb_table_key(lab.table, frontend->value.service);

	assert_non_null(key);
	for (size_t i = 0; i < PORTS; i++)
		if (model.ports[i].key && strcmp(model.ports[i].key, key) == 0)
			return &model.ports[i];
	fail_msg("frontend of %s, which is not there", key);
	return NULL;
}

/* Every pick is a usable backend of the set, and every backend of the set is picked. */
static void check_run(const struct wf_lb_port *port, const struct wf_pick_run *run,
		      const struct lab_frontend *frontend, uint32_t set)
{
	bool met[BACKENDS] = { false };
	size_t wanted = 0;

	for (uint32_t i = 0; i < run->size; i++) {
		const struct wf_backend_value *value;
		uint32_t number = lab_pick(&lab, run, i), place = run->first + i;
		size_t at = 0;

		assert_true(number > 0 && number < NUMBERS);
		value = &lab.memory.backends[number];
		assert_true(value->flags & WF_BACKEND_VALID && value->flags & WF_BACKEND_USABLE);
		assert_int_equal(value->service, frontend->value.service);
		while (at < port->backend_count &&
		       (!wf_addr_equal(&port->backends[at].addr, &value->addr) ||
			htons(port->backends[at].port) != value->port))
			at++;
		assert_true(at < port->backend_count && port->backends[at].sets & set);
		met[at] = true;
		/* one service's alone, and of others' not since the pause */
		if (model.named_by[place] != frontend->value.service || model.was[place] != number)
			assert_true(model.used_ms[place] == NEVER ||
				    model.used_ms[place] + LAB_PAUSE_MS <= model.now_ms);
	}
	for (size_t i = 0; i < port->backend_count; i++) {
		assert_int_equal(met[i], (port->backends[i].sets & set) != 0);
		wanted += met[i];
	}
	assert_int_equal(run->size == 0, wanted == 0);
}

static void note_run(const struct wf_pick_run *run, uint32_t service, uint32_t *named_by)
{
	for (uint32_t i = run->first; i < run->first + run->size; i++) {
		assert_true(!named_by[i] || named_by[i] == service);
		named_by[i] = service;
	}
}

static void check_frontends(void)
{
	static uint32_t named_by[PLACES];
	size_t wanted = 0;

	memset(named_by, 0, sizeof(named_by));
	for (size_t i = 0; i < PORTS; i++)
		wanted += model.ports[i].key ? model.ports[i].frontend_count : 0;
	assert_int_equal(lab.frontend_count, wanted);
	for (size_t i = 0; i < lab.frontend_count; i++) {
		const struct lab_frontend *frontend = &lab.frontends[i];
		const struct wf_lb_port *port = port_of(frontend);

		check_run(port, &frontend->value.inside, frontend, set_of(frontend, false));
		check_run(port, &frontend->value.outside, frontend, set_of(frontend, true));
		note_run(&frontend->value.inside, frontend->value.service, named_by);
		note_run(&frontend->value.outside, frontend->value.service, named_by);
	}
	for (uint32_t i = 0; i < PLACES; i++) {
		if (!named_by[i])
			continue;
		model.used_ms[i] = model.now_ms;
		model.was[i] =
			lab.memory.pages[i / WF_PICKS_PER_PAGE].backends[i % WF_PICKS_PER_PAGE];
	}
	memcpy(model.named_by, named_by, sizeof(named_by));
}

static bool is_same(const struct wf_backend_value *a, const struct wf_backend_value *b)
{
	return wf_addr_equal(&a->addr, &b->addr) && a->port == b->port && a->service == b->service;
}

/* Numbers name one thing each, and another only after a pause without connections. */
static void check_backends(void)
{
	for (uint32_t i = 1; i < NUMBERS; i++) {
		const struct wf_backend_value *value = &lab.memory.backends[i];
		const struct wf_backend_value *before = &model.backends[i];

		if (before->flags && (!value->flags || !is_same(before, value))) {
			assert_int_equal(before->active, 0);
			assert_true(model.left_ms[i] + LAB_PAUSE_MS <= model.now_ms);
		}
		if (value->flags & WF_BACKEND_USABLE)
			model.left_ms[i] = model.now_ms;
		if (!value->flags)
			continue;
		/* the name of a service that was removed is lost with the process that knew it */
		if (value->flags & WF_BACKEND_USABLE)
			assert_non_null(wf_lb_table_key(lab.table, value->service));
		for (uint32_t j = 1; j < i; j++)
			assert_false(lab.memory.backends[j].flags &&
				     is_same(value, &lab.memory.backends[j]));
	}
	memcpy(model.backends, lab.memory.backends, sizeof(model.backends));
}

static void check_all(void)
{
	struct wf_lb_use use;

	check_frontends();
	check_backends();
	wf_lb_table_use(lab.table, &use);
	assert_int_equal(use.frontends, lab.frontend_count);
	for (size_t i = 0; i < PORTS; i++) {
		const struct wf_lb_port *port = &model.ports[i];

		for (size_t j = 0; port->key && j < port->backend_count; j++)
			assert_int_not_equal(wf_lb_table_backend(lab.table, port->key,
								 &port->backends[j].addr,
								 port->backends[j].port),
					     0);
	}
}

static struct wf_lb_port random_port(unsigned int index)
{
	char key[32], addr[32];
	struct wf_lb_port port;

	(void)snprintf(key, sizeof(key), "ns/s%u:80/tcp/IPv4", index);
	(void)snprintf(addr, sizeof(addr), "10.96.0.%u", index);
	port = lab_port(key, addr);
	if (roll(2))
		lab_add_frontend(&port, "0.0.0.0", (uint16_t)(30000 + index),
				 WF_FRONTEND_NODE_PORT);
	(void)snprintf(addr, sizeof(addr), "192.0.2.%u", index);
	if (roll(3) == 0)
		lab_add_frontend(&port, addr, 80, WF_FRONTEND_LOAD_BALANCER);
	port.algorithm = (enum wf_lb_algorithm)roll(WF_LB_ALGORITHM_COUNT);
	port.cut = roll(4) == 0;
	for (unsigned int i = 0; i < BACKENDS; i++) {
		struct wf_lb_backend *made;

		if (roll(3) == 0)
			continue;
		made = lab_add_backend(&port, i, roll(4) ? 7 : roll(8));
		made->weight = roll(3) ? 1 : 1 + roll(20);
		made->state = made->sets ? WF_LB_READY : (enum wf_lb_state)roll(4);
	}
	return port;
}

static void put(const struct wf_lb_port *port)
{
	uint32_t number;

	assert_int_equal(wf_lb_table_put(lab.table, port, (uint64_t)model.now_ms, &number, NULL),
			 0);
}

static void change_one(void)
{
	unsigned int index = roll(PORTS);
	struct wf_lb_port *port = &model.ports[index];

	if (port->key && roll(4) == 0) {
		assert_int_equal(
			wf_lb_table_remove(lab.table, port->key, (uint64_t)model.now_ms, NULL), 0);
		wf_lb_port_done(port);
		return;
	}
	/* half of the changes are of one backend, as in life */
	if (port->key && port->backend_count && roll(2)) {
		port->backends[roll((uint32_t)port->backend_count)].sets = roll(2) ? 7 : roll(8);
	} else {
		wf_lb_port_done(port);
		*port = random_port(index);
	}
	put(port);
}

/* Connections come to usable backends, and end after a while where they cannot come any more. */
static void change_active(void)
{
	for (uint32_t i = 1; i < NUMBERS; i++) {
		struct wf_backend_value *value = &lab.memory.backends[i];

		if (value->flags & WF_BACKEND_USABLE)
			value->active += roll(20) == 0;
		else if (roll(20) == 0)
			value->active = 0;
	}
	for (uint32_t i = 1; i < NUMBERS; i++)
		if (is_same(&model.backends[i], &lab.memory.backends[i]))
			model.backends[i].active = lab.memory.backends[i].active;
}

static void change_many(void)
{
	wf_lb_table_begin(lab.table);
	for (uint32_t i = roll(10); i; i--)
		change_one();
	assert_int_equal(wf_lb_table_commit(lab.table, NULL), 0);
}

/* Another process takes over: nothing changes, be it that something was already going. */
static void take_over(void)
{
	_cleanup_free_ struct wf_pick_page *pages = malloc(PLACES * sizeof(uint32_t));
	_cleanup_free_ struct wf_backend_value *backends = malloc(sizeof(model.backends));
	size_t effects = lab.calls + lab.source_changes;
	unsigned int first = roll(PORTS);

	memcpy(pages, lab.memory.pages, PLACES * sizeof(uint32_t));
	memcpy(backends, lab.memory.backends, sizeof(model.backends));
	lab_restart(&lab);
	for (unsigned int i = 0; i < PORTS; i++)
		if (model.ports[(first + i) % PORTS].key)
			put(&model.ports[(first + i) % PORTS]);
	assert_int_equal(wf_lb_table_drop_unclaimed(lab.table, (uint64_t)model.now_ms, NULL), 0);
	assert_int_equal(lab.calls + lab.source_changes, effects);
	assert_memory_equal(pages, lab.memory.pages, PLACES * sizeof(uint32_t));
	assert_memory_equal(backends, lab.memory.backends, sizeof(model.backends));
	/* pauses are forgotten: no program runs for as long as a restart takes */
	for (uint32_t i = 0; i < PLACES; i++)
		if (!model.named_by[i])
			model.used_ms[i] = NEVER;
}

static void drain_all(void)
{
	struct wf_lb_use use;

	for (size_t i = 0; i < PORTS; i++) {
		if (!model.ports[i].key)
			continue;
		assert_int_equal(wf_lb_table_remove(lab.table, model.ports[i].key,
						    (uint64_t)model.now_ms, NULL),
				 0);
		wf_lb_port_done(&model.ports[i]);
	}
	for (uint32_t i = 0; i < NUMBERS; i++)
		lab.memory.backends[i].active = 0;
	model.now_ms += LAB_PAUSE_MS;
	assert_int_equal(wf_lb_table_sweep(lab.table, (uint64_t)model.now_ms), UINT64_MAX);
	wf_lb_table_use(lab.table, &use);
	assert_int_equal(use.services + use.frontends + use.backends + use.picks, 0);
}

static void run(unsigned int seed)
{
	srand(seed);
	memset(&model, 0, sizeof(model));
	for (uint32_t i = 0; i < PLACES; i++)
		model.used_ms[i] = NEVER;
	lab_init(&lab, SERVICES, NUMBERS, PLACES / WF_PICKS_PER_PAGE);
	for (unsigned int i = 0; i < STEPS; i++) {
		model.now_ms += roll(600);
		if (roll(8))
			change_one();
		else
			change_many();
		change_active();
		if (roll(2))
			(void)wf_lb_table_sweep(lab.table, (uint64_t)model.now_ms);
		check_all();
		if (roll(20) == 0)
			take_over();
	}
	drain_all();
	lab_done(&lab);
}

static void test_model(void **state)
{
	for (unsigned int seed = 1; seed <= 2; seed++)
		run(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
