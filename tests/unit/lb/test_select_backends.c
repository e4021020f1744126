/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of kube-proxy for who serves whom, row by row. */
#include <netinet/in.h>

#include <weft/abi/limits.h>

#include "base/mem.h"
#include "select_lab.h"

#define IN  WF_LB_INSIDE
#define OUT WF_LB_OUTSIDE
#define EXT WF_LB_EXTERNAL
#define ALL (IN | OUT | EXT)

enum policy {
	NONE,
	INT = 1,
	EXTERNAL = 2,
	PUBLISH = 4,
	PLAIN = 8
};

/* Resolves the rows for a NodePort service (PLAIN: ClusterIP only) and compares their sets. */
static const struct wf_lb_port *check_rows(struct select_lab *lab, unsigned int policy,
					   const struct select_row *rows, size_t count)
{
	struct wf_lb_port *port;

	select_init(lab);
	lab->service.internal_local = policy & INT;
	lab->service.external_local = policy & EXTERNAL;
	lab->service.publish_not_ready = policy & PUBLISH;
	lab->service.type = policy & PLAIN ? WF_SERVICE_CLUSTER_IP : WF_SERVICE_NODE_PORT;
	lab->port.node_port = policy & PLAIN ? 0 : 30080;
	select_add_rows(lab, rows, count);
	port = select_resolve(lab);
	assert_int_equal(port->backend_count, count);
	for (size_t i = 0; i < count; i++)
		if (select_backend(port, rows[i].addr)->sets != rows[i].sets)
			fail_msg("%s is in sets %u instead of %u", rows[i].addr,
				 select_backend(port, rows[i].addr)->sets, rows[i].sets);
	return port;
}

#define CHECK(policy, ...)                                                     \
	check_rows(&lab, (policy), (const struct select_row[]){ __VA_ARGS__ }, \
		   WF_ARRAY_LEN(((const struct select_row[]){ __VA_ARGS__ })))

#define DROPS (WF_FRONTEND_INSIDE_DROP | WF_FRONTEND_OUTSIDE_DROP)

static uint16_t drops(const struct wf_lb_port *port, enum wf_frontend_type type)
{
	return select_frontend(port, type)->flags & DROPS;
}

static void test_policies(void **state)
{
	static struct select_lab lab;
	const struct wf_lb_port *port;

	CHECK(NONE, { "10.1.0.1", "r", "here", .sets = ALL },
	      { "10.1.0.2", "r", "there", .sets = ALL });
	CHECK(PLAIN, { "10.1.0.1", "r", "here", .sets = IN },
	      { "10.1.0.2", "r", "there", .sets = IN });
	/* a Local policy for outsiders does not bind insiders */
	port = CHECK(EXTERNAL, { "10.1.0.1", "r", "here", .sets = ALL },
		     { "10.1.0.2", "r", "there", .sets = IN | EXT });
	assert_true(select_backend(port, "10.1.0.1")->is_local);
	assert_false(select_backend(port, "10.1.0.2")->is_local);
	/* and the internal one binds the service's own address only */
	port = CHECK(INT, { "10.1.0.1", "r", "here", .sets = ALL },
		     { "10.1.0.2", "r", "there", .sets = OUT | EXT });
	assert_int_equal(drops(port, WF_FRONTEND_NODE_PORT), 0);
	CHECK(INT | EXTERNAL, { "10.1.0.1", "r", "here", .sets = ALL },
	      { "10.1.0.2", "r", "there", .sets = EXT });
	CHECK(INT | PLAIN, { "10.1.0.1", "r", "here", .sets = IN },
	      { "10.1.0.2", "r", "there", .sets = 0 });
	/* an endpoint of no known node is not here */
	CHECK(INT | PLAIN, { "10.1.0.1", "r", "", .sets = 0 });
	select_done(&lab);
}

/* Nobody here: dropped while there is somebody elsewhere, refused when there is nobody. */
static void test_drop(void **state)
{
	static struct select_lab lab;
	const struct wf_lb_port *port;

	port = CHECK(EXTERNAL, { "10.1.0.2", "r", "there", .sets = IN | EXT });
	assert_int_equal(drops(port, WF_FRONTEND_NODE_PORT), WF_FRONTEND_OUTSIDE_DROP);
	assert_int_equal(drops(port, WF_FRONTEND_CLUSTER_IP), 0);
	port = CHECK(INT, { "10.1.0.2", "r", "there", .sets = OUT | EXT });
	assert_int_equal(drops(port, WF_FRONTEND_NODE_PORT), 0);
	assert_int_equal(drops(port, WF_FRONTEND_CLUSTER_IP), DROPS);
	port = CHECK(EXTERNAL | INT, { "10.1.0.2", "", "there", .sets = 0 },
		     { "10.1.0.1", "s", "here", .sets = 0 });
	assert_int_equal(drops(port, WF_FRONTEND_NODE_PORT), 0);
	assert_int_equal(drops(port, WF_FRONTEND_CLUSTER_IP), 0);
	/* one that leaves and still serves is somebody */
	port = CHECK(EXTERNAL, { "10.1.0.2", "st", "there", .sets = IN | EXT });
	assert_int_equal(drops(port, WF_FRONTEND_NODE_PORT), WF_FRONTEND_OUTSIDE_DROP);
	select_done(&lab);
}

static void test_conditions(void **state)
{
	static struct select_lab lab;
	const struct wf_lb_port *port;

	port = CHECK(NONE, { "10.1.0.1", "r", .sets = ALL }, { "10.1.0.2", "st", .sets = 0 },
		     { "10.1.0.3", "t", .sets = 0 }, { "10.1.0.4", "", .sets = 0 });
	assert_int_equal(select_backend(port, "10.1.0.1")->state, WF_LB_READY);
	assert_int_equal(select_backend(port, "10.1.0.2")->state, WF_LB_TERMINATING);
	assert_int_equal(select_backend(port, "10.1.0.3")->state, WF_LB_NOT_READY);
	assert_int_equal(select_backend(port, "10.1.0.4")->state, WF_LB_NOT_READY);
	/* nobody ready: those that still serve; serving alone is not enough */
	CHECK(NONE, { "10.1.0.2", "st", .sets = ALL }, { "10.1.0.3", "t", .sets = 0 },
	      { "10.1.0.4", "s", .sets = 0 });
	/* Local looks at this node alone: ready elsewhere does not take serving here away */
	CHECK(EXTERNAL, { "10.1.0.1", "st", "here", .sets = OUT },
	      { "10.1.0.2", "r", "there", .sets = IN | EXT },
	      { "10.1.0.3", "", "here", .sets = 0 });
	CHECK(EXTERNAL, { "10.1.0.1", "st", "here", .sets = 0 },
	      { "10.1.0.2", "r", "here", .sets = ALL });
	CHECK(INT | EXTERNAL, { "10.1.0.1", "st", "here", .sets = ALL },
	      { "10.1.0.2", "st", "there", .sets = EXT });
	port = CHECK(PUBLISH, { "10.1.0.1", "", .sets = ALL }, { "10.1.0.2", "st", .sets = ALL });
	assert_int_equal(select_backend(port, "10.1.0.1")->state, WF_LB_READY);
	select_done(&lab);
}

static void test_hints(void **state)
{
	static struct select_lab lab;

	CHECK(NONE, { "10.1.0.1", "r", "here", .zone_hint = "z1", .sets = ALL },
	      { "10.1.0.2", "r", "there", .zone_hint = "z2", .sets = 0 });
	/* the node before the zone */
	CHECK(NONE,
	      { "10.1.0.1", "r", "here", .node_hint = "here", .zone_hint = "z1", .sets = ALL },
	      { "10.1.0.2", "r", "there", .node_hint = "there", .zone_hint = "z1", .sets = 0 });
	CHECK(NONE, { "10.1.0.1", "r", "a", .node_hint = "a", .zone_hint = "z1", .sets = ALL },
	      { "10.1.0.2", "r", "b", .node_hint = "b", .zone_hint = "z2", .sets = 0 });
	/* one ready endpoint without: hints are not heeded */
	CHECK(NONE, { "10.1.0.1", "r", "here", .zone_hint = "z1", .sets = ALL },
	      { "10.1.0.2", "r", "there", .sets = ALL });
	CHECK(NONE,
	      { "10.1.0.1", "r", "here", .node_hint = "here", .zone_hint = "z1", .sets = ALL },
	      { "10.1.0.2", "r", "there", .zone_hint = "z1", .sets = ALL },
	      { "10.1.0.3", "r", "there", .zone_hint = "z2", .sets = 0 });
	/* one that is not ready does not count */
	CHECK(NONE, { "10.1.0.1", "r", "here", .zone_hint = "z1", .sets = ALL },
	      { "10.1.0.2", "r", "there", .zone_hint = "z2", .sets = 0 },
	      { "10.1.0.3", "", "there", .sets = 0 });
	/* nobody is meant for us */
	CHECK(NONE, { "10.1.0.1", "r", "here", .zone_hint = "z3", .sets = ALL },
	      { "10.1.0.2", "r", "there", .zone_hint = "z2", .sets = ALL });
	/* Local does not ask for hints */
	CHECK(EXTERNAL, { "10.1.0.1", "r", "here", .zone_hint = "z2", .sets = OUT },
	      { "10.1.0.2", "r", "there", .zone_hint = "z1", .sets = IN | EXT });
	/* nor do those that only still serve */
	CHECK(NONE, { "10.1.0.1", "st", "here", .zone_hint = "z1", .sets = ALL },
	      { "10.1.0.2", "st", "there", .zone_hint = "z2", .sets = ALL });
	select_done(&lab);
}

/* A node that knows neither its name nor its zone is meant by nobody. */
static void test_hints_unknown(void **state)
{
	static struct select_lab lab;
	const struct select_row row = { "10.1.0.1", "r", "", .node_hint = "", .zone_hint = "" };

	select_init(&lab);
	lab.facts.node = lab.facts.zone = "";
	select_add_rows(&lab, &row, 1);
	assert_int_equal(select_resolve(&lab)->backends[0].sets, IN);
	assert_false(lab.ports.items[0].backends[0].is_local);
	select_done(&lab);
}

static void test_health(void **state)
{
	static struct select_lab lab;
	const struct wf_lb_port *port;

	port = CHECK(NONE, { "10.1.0.1", "r", .sets = ALL }, { "10.1.0.2", "rx", .sets = 0 });
	assert_int_equal(select_backend(port, "10.1.0.2")->state, WF_LB_UNHEALTHY);
	/* all of them: the check is not heeded */
	port = CHECK(NONE, { "10.1.0.1", "rx", .sets = ALL }, { "10.1.0.2", "rx", .sets = ALL },
		     { "10.1.0.3", "", .sets = 0 });
	assert_int_equal(select_backend(port, "10.1.0.2")->state, WF_LB_UNHEALTHY);
	/* one that leaves but is alive is better than one that should be ready and is not */
	CHECK(NONE, { "10.1.0.1", "rx", .sets = 0 }, { "10.1.0.2", "st", .sets = ALL });
	/* health is readiness for hints too: nobody of our zone is left */
	CHECK(NONE, { "10.1.0.1", "rx", .zone_hint = "z1", .sets = 0 },
	      { "10.1.0.2", "r", .zone_hint = "z2", .sets = ALL });
	port = CHECK(EXTERNAL, { "10.1.0.1", "rx", "here", .sets = 0 },
		     { "10.1.0.2", "r", "there", .sets = IN | EXT });
	assert_int_equal(drops(port, WF_FRONTEND_NODE_PORT), WF_FRONTEND_OUTSIDE_DROP);
	select_done(&lab);
}

static void test_slices(void **state)
{
	static struct select_lab lab, other;
	struct wf_slice_port ports[2] = { { "http", IPPROTO_UDP, 53 },
					  { "http", IPPROTO_TCP, 9090 } };
	const struct wf_endpoint_slice *slices[] = { &lab.slice, &other.slice };
	const struct wf_lb_port *port;

	select_init(&lab);
	select_init(&other);
	select_add_rows(&lab,
			(const struct select_row[]){ { "10.1.0.9", "r", "there" },
						     { "10.1.0.3", "", "there" } },
			2);
	select_add_rows(&other,
			(const struct select_row[]){ { "10.1.0.3", "r", "here" },
						     { "10.1.0.7", "r", "here" } },
			2);
	select_resolve_slices(&lab, slices, 2);
	port = &lab.ports.items[0];
	/* sorted, each once, the better condition wins */
	assert_int_equal(port->backend_count, 3);
	assert_true(wf_addr_compare(&port->backends[0].addr, &port->backends[1].addr) < 0);
	assert_true(wf_addr_compare(&port->backends[1].addr, &port->backends[2].addr) < 0);
	assert_int_equal(select_backend(port, "10.1.0.3")->state, WF_LB_READY);
	assert_string_equal(select_backend(port, "10.1.0.3")->node->text, "here");
	assert_int_equal(select_backend(port, "10.1.0.7")->slot, 70);
	assert_int_equal(select_backend(port, "10.1.0.9")->slot, WF_SLOT_HOST);
	/* a named target port is another number in each slice; the protocol has to be the same */
	other.slice.ports = ports;
	other.slice.port_count = 2;
	select_resolve_slices(&lab, slices, 2);
	port = &lab.ports.items[0];
	assert_int_equal(port->backend_count, 4);
	assert_int_equal(select_backend(port, "10.1.0.7")->port, 9090);
	assert_int_equal(select_backend(port, "10.1.0.9")->port, 8080);
	/* no number, another name, no proxy's, another family, host names: not ours */
	ports[1].port = 0;
	select_resolve_slices(&lab, slices, 2);
	assert_int_equal(lab.ports.items[0].backend_count, 2);
	ports[1] = (struct wf_slice_port){ "metrics", IPPROTO_TCP, 9090 };
	select_resolve_slices(&lab, slices, 2);
	assert_int_equal(lab.ports.items[0].backend_count, 2);
	ports[1] = (struct wf_slice_port){ "http", IPPROTO_TCP, 9090 };
	other.slice.fqdn = true;
	select_resolve_slices(&lab, slices, 2);
	assert_int_equal(lab.ports.items[0].backend_count, 2);
	other.slice.fqdn = false;
	other.slice.ip6 = true;
	select_resolve_slices(&lab, slices, 2);
	assert_int_equal(lab.ports.items[0].backend_count, 2);
	other.slice.ip6 = false;
	assert_int_equal(
		wf_labels_set(&other.slice.meta.labels, "service.kubernetes.io/headless", ""), 0);
	select_resolve_slices(&lab, slices, 2);
	assert_int_equal(lab.ports.items[0].backend_count, 2);
	wf_labels_done(&other.slice.meta.labels);
	select_resolve_slices(&lab, slices, 0);
	assert_int_equal(lab.ports.items[0].backend_count, 0);
	assert_int_equal(lab.ports.items[0].frontend_count, 1);
	select_done(&lab);
}

static void test_local_ready(void **state)
{
	static struct select_lab lab;

	CHECK(EXTERNAL, { "10.1.0.1", "r", "here", .sets = ALL },
	      { "10.1.0.2", "r", "there", .sets = IN | EXT },
	      { "10.1.0.3", "r", "here", .sets = ALL }, { "10.1.0.4", "", "here", .sets = 0 },
	      { "10.1.0.5", "rx", "here", .sets = 0 });
	assert_int_equal(wf_lb_local_ready(&lab.ports), 2);
	CHECK(EXTERNAL, { "10.1.0.1", "st", "here", .sets = ALL });
	assert_int_equal(wf_lb_local_ready(&lab.ports), 0);
	select_done(&lab);
	assert_int_equal(wf_lb_local_ready(&lab.ports), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policies),      cmocka_unit_test(test_drop),
		cmocka_unit_test(test_conditions),    cmocka_unit_test(test_hints),
		cmocka_unit_test(test_hints_unknown), cmocka_unit_test(test_health),
		cmocka_unit_test(test_slices),        cmocka_unit_test(test_local_ready),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
