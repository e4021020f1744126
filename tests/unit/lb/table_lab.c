/* SPDX-License-Identifier: Apache-2.0 */
#include "table_lab.h"

struct lab lab;

int table_setup(void **state)
{
	lab_init(&lab, 64, 256, 1024);
	return 0;
}

int table_teardown(void **state)
{
	lab_done(&lab);
	return 0;
}

uint32_t table_put(const struct wf_lb_port *port, uint64_t now_ms)
{
	uint32_t number = 0;

	assert_int_equal(wf_lb_table_put(lab.table, port, now_ms, &number, NULL), 0);
	assert_int_equal(wf_lb_table_number(lab.table, port->key), number);
	assert_string_equal(wf_lb_table_key(lab.table, number), port->key);
	return number;
}

struct wf_backend_value *table_backend(const struct wf_lb_port *port, size_t index)
{
	uint32_t number = wf_lb_table_backend(lab.table, port->key, &port->backends[index].addr,
					      port->backends[index].port);

	assert_true(number > 0 && number < lab.memory.backend_count);
	return &lab.memory.backends[number];
}

struct wf_lb_port table_usual(unsigned int backends)
{
	struct wf_lb_port port = lab_port("shop/web:80/tcp/IPv4", "10.96.0.1");

	for (unsigned int i = 1; i <= backends; i++)
		lab_add_backend(&port, i, WF_LB_INSIDE)->slot = i;
	return port;
}
