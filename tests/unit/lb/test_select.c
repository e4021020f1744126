/* SPDX-License-Identifier: Apache-2.0 */
/* Which ports a service has, and at which addresses they answer whom. */
#include "lb/select.h"

#include <netinet/in.h>

#include <weft/abi/limits.h>

#include "base/mem.h"
#include "select_lab.h"

/* Flags of a frontend that every one of them has. */
#define BOTH (WF_FRONTEND_INSIDE | WF_FRONTEND_OUTSIDE)

static void test_not_ours(void **state)
{
	static struct select_lab lab;

	select_init(&lab);
	assert_non_null(select_resolve(&lab));
	lab.service.headless = true;
	assert_null(select_resolve(&lab));
	select_init(&lab);
	lab.service.foreign = true;
	assert_null(select_resolve(&lab));
	select_init(&lab);
	lab.service.type = WF_SERVICE_EXTERNAL_NAME;
	assert_null(select_resolve(&lab));
	select_init(&lab);
	lab.service.cluster_ip_count = 0;
	assert_null(select_resolve(&lab));
	select_init(&lab);
	lab.service.cluster_ips[0] = (struct wf_addr){ 0 };
	assert_null(select_resolve(&lab));
	select_init(&lab);
	assert_int_equal(
		wf_labels_set(&lab.service.meta.labels, "service.kubernetes.io/headless", ""), 0);
	assert_null(select_resolve(&lab));
	wf_labels_done(&lab.service.meta.labels);
}

static void check_frontend(const struct wf_lb_port *port, size_t index, const char *addr,
			   uint16_t number, enum wf_frontend_type type, uint16_t flags)
{
	struct wf_addr wanted = addr_of(addr);

	assert_true(index < port->frontend_count);
	assert_true(wf_addr_equal(&port->frontends[index].addr, &wanted));
	assert_int_equal(port->frontends[index].port, number);
	assert_int_equal(port->frontends[index].type, type);
	assert_int_equal(port->frontends[index].flags, flags);
	assert_int_equal(port->frontends[index].scope, WF_SCOPE_ANY);
}

/* A balancer of both families with everything. */
static void init_balancer(struct select_lab *lab, struct wf_addr *external,
			  struct wf_addr *balancer)
{
	select_init(lab);
	lab->service.type = WF_SERVICE_LOAD_BALANCER;
	lab->service.cluster_ips[1] = addr_of("fd00::1");
	lab->service.cluster_ip_count = 2;
	lab->port.node_port = 30080;
	external[0] = addr_of("192.0.2.1");
	external[1] = addr_of("2001:db8::1");
	external[2] = addr_of("192.0.2.9"); /* the balancer's too */
	lab->service.external_ips = (struct wf_service_addrs){ external, 3, 3 };
	balancer[0] = addr_of("2001:db8::9");
	balancer[1] = addr_of("192.0.2.9");
	lab->service.balancer_ips = (struct wf_service_addrs){ balancer, 2, 2 };
}

static void test_frontends(void **state)
{
	static struct select_lab lab;
	struct wf_addr external[3], balancer[2];
	const uint16_t snat = BOTH | WF_FRONTEND_SNAT;
	const struct wf_lb_port *port;

	init_balancer(&lab, external, balancer);
	port = select_resolve(&lab);
	assert_int_equal(lab.ports.count, 2);
	assert_string_equal(port->key, "shop/web:80/tcp/IPv4");
	assert_int_equal(port->frontend_count, 4);
	check_frontend(port, 0, "10.96.0.1", 80, WF_FRONTEND_CLUSTER_IP, snat);
	check_frontend(port, 1, "192.0.2.9", 80, WF_FRONTEND_LOAD_BALANCER, snat);
	check_frontend(port, 2, "192.0.2.1", 80, WF_FRONTEND_EXTERNAL_IP, snat);
	check_frontend(port, 3, "0.0.0.0", 30080, WF_FRONTEND_NODE_PORT, snat);
	port = &lab.ports.items[1];
	assert_string_equal(port->key, "shop/web:80/tcp/IPv6");
	assert_int_equal(port->frontend_count, 4);
	check_frontend(port, 0, "fd00::1", 80, WF_FRONTEND_CLUSTER_IP, snat);
	check_frontend(port, 3, "::", 30080, WF_FRONTEND_NODE_PORT, snat);

	/* who stays here or is answered directly is not masqueraded */
	lab.service.dsr = true;
	port = select_resolve(&lab);
	assert_int_equal(port->frontends[0].flags, snat);
	assert_int_equal(port->frontends[1].flags, BOTH | WF_FRONTEND_DSR);
	assert_int_equal(port->frontends[2].flags, BOTH | WF_FRONTEND_DSR);
	assert_int_equal(port->frontends[3].flags, snat);
	lab.service.external_local = true;
	port = select_resolve(&lab);
	assert_int_equal(port->frontends[0].flags, snat);
	assert_int_equal(port->frontends[1].flags, BOTH);
	lab.service.affinity_s = 60;
	lab.service.cut = true;
	port = select_resolve(&lab);
	assert_int_equal(port->affinity_s, 60);
	assert_true(port->cut);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(port->frontends[i].flags &
					 (WF_FRONTEND_AFFINITY | WF_FRONTEND_CUT),
				 WF_FRONTEND_AFFINITY | WF_FRONTEND_CUT);

	/* other types have neither a balancer's addresses nor node ports */
	lab.service.type = WF_SERVICE_CLUSTER_IP;
	port = select_resolve(&lab);
	assert_int_equal(port->frontend_count, 3);
	assert_null(select_frontend(port, WF_FRONTEND_LOAD_BALANCER));
	assert_null(select_frontend(port, WF_FRONTEND_NODE_PORT));
	select_done(&lab);
}

/* Beyond a network whose addresses mean nothing to the host its service is seen from outside alone. */
static void test_scope_from_outside(void **state)
{
	static const struct {
		enum wf_frontend_type type;
		uint32_t scope, view;
		uint16_t flags;
	} wanted[] = {
		{ WF_FRONTEND_CLUSTER_IP, 5, 5, WF_FRONTEND_INSIDE | WF_FRONTEND_OUTSIDE },
		{ WF_FRONTEND_LOAD_BALANCER, WF_SCOPE_ANY, WF_NETWORK_HOST, WF_FRONTEND_OUTSIDE },
		{ WF_FRONTEND_LOAD_BALANCER, 5, 5, WF_FRONTEND_INSIDE },
		{ WF_FRONTEND_EXTERNAL_IP, WF_SCOPE_ANY, WF_NETWORK_HOST, WF_FRONTEND_OUTSIDE },
		{ WF_FRONTEND_EXTERNAL_IP, 5, 5, WF_FRONTEND_INSIDE },
		{ WF_FRONTEND_NODE_PORT, WF_SCOPE_ANY, WF_NETWORK_HOST, WF_FRONTEND_OUTSIDE },
	};
	struct wf_addr balancer = addr_of("198.51.100.7"), external = addr_of("198.51.100.8");
	static struct select_lab lab;
	const struct wf_lb_port *port;

	select_init(&lab);
	lab.facts.scope = lab.facts.view = 5;
	lab.service.type = WF_SERVICE_LOAD_BALANCER;
	lab.service.external_local = true;
	lab.service.balancer_ips = (struct wf_service_addrs){ &balancer, 1, 1 };
	lab.service.external_ips = (struct wf_service_addrs){ &external, 1, 1 };
	lab.port.node_port = 30080;
	port = select_resolve(&lab);
	assert_int_equal(port->frontend_count, WF_ARRAY_LEN(wanted));
	for (size_t i = 0; i < WF_ARRAY_LEN(wanted); i++) {
		const uint16_t sides = WF_FRONTEND_INSIDE | WF_FRONTEND_OUTSIDE;

		assert_int_equal(port->frontends[i].type, wanted[i].type);
		assert_int_equal(port->frontends[i].scope, wanted[i].scope);
		assert_int_equal(port->frontends[i].view, wanted[i].view);
		assert_int_equal(port->frontends[i].flags & sides, wanted[i].flags);
	}
	select_done(&lab);
}

/* Frontends of a network's service are in its scope and in the host's. */
static void test_scope(void **state)
{
	static struct select_lab lab;
	const struct wf_lb_port *port;

	select_init(&lab);
	lab.facts.scope = 5;
	lab.service.type = WF_SERVICE_NODE_PORT;
	lab.port.node_port = 30080;
	port = select_resolve(&lab);
	assert_int_equal(port->frontend_count, 4);
	for (size_t i = 0; i < 4; i += 2) {
		assert_int_equal(port->frontends[i].scope, 5);
		assert_int_equal(port->frontends[i + 1].scope, WF_NETWORK_HOST);
		assert_int_equal(port->frontends[i].port, port->frontends[i + 1].port);
		assert_int_equal(port->frontends[i].flags, port->frontends[i + 1].flags);
	}
	/* of a network whose addresses mean nothing to the host: in its scope alone */
	lab.facts.view = 5;
	lab.service.type = WF_SERVICE_CLUSTER_IP;
	port = select_resolve(&lab);
	assert_int_equal(port->frontend_count, 1);
	assert_int_equal(port->frontends[0].scope, 5);
	assert_int_equal(port->view, 5);
	assert_int_equal(port->frontends[0].view, 5);
	lab.facts.view = WF_NETWORK_HOST;
	lab.facts.scope = WF_NETWORK_HOST;
	assert_int_equal(select_resolve(&lab)->frontend_count, 1);
	select_done(&lab);
}

static void test_sources(void **state)
{
	static struct select_lab lab;
	struct wf_addr external[3], balancer[2];
	struct wf_prefix sources[3];
	const struct wf_lb_port *port;

	init_balancer(&lab, external, balancer);
	assert_int_equal(wf_prefix_parse("192.0.2.0/24", &sources[0]), 0);
	assert_int_equal(wf_prefix_parse("198.51.100.0/24", &sources[1]), 0);
	assert_int_equal(wf_prefix_parse("::/0", &sources[2]), 0);
	lab.service.sources = sources;
	lab.service.source_count = 3;
	port = select_resolve(&lab);
	assert_int_equal(port->source_count, 2);
	assert_true(wf_prefix_equal(&port->sources[1], &sources[1]));
	for (size_t i = 0; i < port->frontend_count; i++)
		assert_int_equal((port->frontends[i].flags & WF_FRONTEND_SOURCE_RANGES) != 0,
				 port->frontends[i].type == WF_FRONTEND_LOAD_BALANCER);
	/* everybody of the family may */
	port = &lab.ports.items[1];
	assert_int_equal(port->source_count, 0);
	assert_int_equal(select_frontend(port, WF_FRONTEND_LOAD_BALANCER)->flags &
				 WF_FRONTEND_SOURCE_RANGES,
			 0);
	/* none of the family: no restriction, as kube-proxy has it */
	lab.service.source_count = 2;
	select_resolve(&lab);
	assert_int_equal(lab.ports.items[0].source_count, 2);
	assert_int_equal(lab.ports.items[1].source_count, 0);
	select_done(&lab);
}

/* Several ports, of which a name may occur once for each protocol. */
static void test_ports(void **state)
{
	static struct select_lab lab;
	struct wf_service_port ports[3] = { { "dns", IPPROTO_UDP, 53 },
					    { "dns", IPPROTO_TCP, 53 },
					    { "media", IPPROTO_SCTP, 9 } };
	struct wf_slice_port slice_ports[2] = { { "dns", IPPROTO_TCP, 5300 },
						{ "dns", IPPROTO_UDP, 5301 } };
	const struct select_row row = { "10.1.0.1", "r", "here" };

	select_init(&lab);
	lab.service.ports = ports;
	lab.service.port_count = 3;
	lab.slice.ports = slice_ports;
	lab.slice.port_count = 2;
	select_add_rows(&lab, &row, 1);
	select_resolve(&lab);
	assert_int_equal(lab.ports.count, 3);
	assert_string_equal(lab.ports.items[0].key, "shop/web:53/udp/IPv4");
	assert_int_equal(lab.ports.items[0].backends[0].port, 5301);
	assert_string_equal(lab.ports.items[1].key, "shop/web:53/tcp/IPv4");
	assert_int_equal(lab.ports.items[1].backends[0].port, 5300);
	assert_string_equal(lab.ports.items[2].key, "shop/web:9/sctp/IPv4");
	assert_int_equal(lab.ports.items[2].backend_count, 0);
	/* one endpoint, whatever the number of ports */
	assert_int_equal(wf_lb_local_ready(&lab.ports), 1);
	select_done(&lab);
}

static void test_names(void **state)
{
	assert_string_equal(wf_lb_state_name(WF_LB_UNHEALTHY), "unhealthy");
	assert_string_equal(wf_lb_state_name(WF_LB_STATE_COUNT), "unknown");
	assert_string_equal(wf_lb_type_name(WF_FRONTEND_EXTERNAL_IP), "ExternalIP");
	assert_string_equal(wf_lb_type_name(WF_FRONTEND_TYPE_COUNT), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_not_ours), cmocka_unit_test(test_frontends),
		cmocka_unit_test(test_scope),    cmocka_unit_test(test_scope_from_outside),
		cmocka_unit_test(test_sources),  cmocka_unit_test(test_ports),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
