/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of kube-proxy for who serves whom, row by row. This node is "here" in zone "z1"; the
 * service has port 80 at 10.96.0.1 (and fd00::1), its slices' port is 8080.
 */
#include "lb/select.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <weft/abi/limits.h>

#include "base/mem.h"

#define IN  WF_LB_INSIDE
#define OUT WF_LB_OUTSIDE
#define EXT WF_LB_EXTERNAL
#define ALL (IN | OUT | EXT)

/* Flags of a frontend that every one of them has. */
#define BOTH (WF_FRONTEND_INSIDE | WF_FRONTEND_OUTSIDE)

/* Endpoints of a test: the state as letters, "r"eady, "s"erving, "t"erminating, "x" unhealthy. */
struct row {
	const char *addr, *state, *node, *zone;
	const char *node_hint, *zone_hint; /* NULL: none */
	uint32_t sets;                     /* wanted */
};

#define MOST 8

struct lab {
	struct wf_service service;
	struct wf_service_port port;
	struct wf_slice_port slice_port;
	struct wf_slice_endpoint endpoints[MOST];
	char *hints[MOST][2][2];
	struct wf_endpoint_slice slice;
	const char *sick[MOST]; /* addresses that fail the check; NULL ends */
	struct wf_lb_facts facts;
	struct wf_lb_ports ports;
};

static struct wf_addr addr_of(const char *text)
{
	struct wf_addr addr;

	assert_int_equal(wf_addr_parse(text, &addr), 0);
	return addr;
}

static uint32_t slot_of(const struct wf_addr *addr, void *context)
{
	return addr->bytes[15] == 7 ? 70 : WF_SLOT_HOST;
}

static bool is_healthy(const struct wf_addr *addr, uint16_t port, void *context)
{
	const struct lab *lab = context;

	for (const char *const *sick = lab->sick; *sick; sick++) {
		struct wf_addr other = addr_of(*sick);

		if (wf_addr_equal(addr, &other))
			return false;
	}
	return true;
}

static void lab_done(struct lab *lab)
{
	for (size_t i = 0; i < MOST; i++) {
		wf_shared_unref(&lab->endpoints[i].node);
		wf_shared_unref(&lab->endpoints[i].zone);
	}
	wf_lb_ports_done(&lab->ports);
}

/* lab: zero, or used before. */
static void lab_init(struct lab *lab)
{
	lab_done(lab);
	memset(lab, 0, sizeof(*lab));
	strcpy(lab->service.meta.name, "web");
	strcpy(lab->service.meta.namespace, "shop");
	lab->service.cluster_ips[0] = addr_of("10.96.0.1");
	lab->service.cluster_ip_count = 1;
	lab->port = (struct wf_service_port){ .name = "http", .proto = IPPROTO_TCP, .port = 80 };
	lab->service.ports = &lab->port;
	lab->service.port_count = 1;
	lab->slice_port = (struct wf_slice_port){ "http", IPPROTO_TCP, 8080 };
	lab->slice.ports = &lab->slice_port;
	lab->slice.port_count = 1;
	lab->slice.endpoints = lab->endpoints;
	lab->facts = (struct wf_lb_facts){
		.node = "here",
		.zone = "z1",
		.scope = WF_SCOPE_ANY,
		.slot_of = slot_of,
		.is_healthy = is_healthy,
		.context = lab,
	};
}

static void add_rows(struct lab *lab, const struct row *rows, size_t count)
{
	size_t sick = 0;

	for (size_t i = 0; i < count; i++) {
		struct wf_slice_endpoint *endpoint = &lab->endpoints[i];

		endpoint->addr = addr_of(rows[i].addr);
		endpoint->ready = strchr(rows[i].state, 'r');
		endpoint->serving = strchr(rows[i].state, 's') || endpoint->ready;
		endpoint->terminating = strchr(rows[i].state, 't');
		endpoint->weight = 1;
		if (strchr(rows[i].state, 'x'))
			lab->sick[sick++] = rows[i].addr;
		wf_shared_unref(&endpoint->node);
		wf_shared_unref(&endpoint->zone);
		assert_int_equal(wf_shared_new(&endpoint->node, rows[i].node ? rows[i].node : ""),
				 0);
		assert_int_equal(wf_shared_new(&endpoint->zone, rows[i].zone ? rows[i].zone : ""),
				 0);
		lab->hints[i][0][0] = (char *)rows[i].node_hint;
		lab->hints[i][1][0] = (char *)rows[i].zone_hint;
		endpoint->node_hints = rows[i].node_hint ? lab->hints[i][0] : NULL;
		endpoint->zone_hints = rows[i].zone_hint ? lab->hints[i][1] : NULL;
	}
	lab->slice.endpoint_count = count;
}

static void resolve_slices(struct lab *lab, const struct wf_endpoint_slice *const *slices,
			   size_t count)
{
	wf_lb_ports_done(&lab->ports);
	assert_int_equal(wf_lb_select(&lab->service, slices, count, &lab->facts, &lab->ports, NULL),
			 0);
}

static struct wf_lb_port *resolve(struct lab *lab)
{
	const struct wf_endpoint_slice *slices[] = { &lab->slice };

	resolve_slices(lab, slices, 1);
	return lab->ports.count ? &lab->ports.items[0] : NULL;
}

static const struct wf_lb_backend *backend_at(const struct wf_lb_port *port, const char *text)
{
	struct wf_addr addr = addr_of(text);

	for (size_t i = 0; i < port->backend_count; i++)
		if (wf_addr_equal(&port->backends[i].addr, &addr))
			return &port->backends[i];
	fail_msg("no backend %s", text);
	return NULL;
}

static const struct wf_lb_frontend *frontend_of(const struct wf_lb_port *port,
						enum wf_frontend_type type)
{
	for (size_t i = 0; i < port->frontend_count; i++)
		if (port->frontends[i].type == type)
			return &port->frontends[i];
	return NULL;
}

enum policy {
	NONE,
	INT = 1,
	EXTERNAL = 2,
	PUBLISH = 4,
	PLAIN = 8
};

/* Resolves the rows for a NodePort service (PLAIN: ClusterIP only) and compares their sets. */
static const struct wf_lb_port *check_rows(struct lab *lab, unsigned int policy,
					   const struct row *rows, size_t count)
{
	struct wf_lb_port *port;

	lab_init(lab);
	lab->service.internal_local = policy & INT;
	lab->service.external_local = policy & EXTERNAL;
	lab->service.publish_not_ready = policy & PUBLISH;
	lab->service.type = policy & PLAIN ? WF_SERVICE_CLUSTER_IP : WF_SERVICE_NODE_PORT;
	lab->port.node_port = policy & PLAIN ? 0 : 30080;
	add_rows(lab, rows, count);
	port = resolve(lab);
	assert_int_equal(port->backend_count, count);
	for (size_t i = 0; i < count; i++)
		if (backend_at(port, rows[i].addr)->sets != rows[i].sets)
			fail_msg("%s is in sets %u instead of %u", rows[i].addr,
				 backend_at(port, rows[i].addr)->sets, rows[i].sets);
	return port;
}

#define CHECK(policy, ...)                                              \
	check_rows(&lab, (policy), (const struct row[]){ __VA_ARGS__ }, \
		   WF_ARRAY_LEN(((const struct row[]){ __VA_ARGS__ })))

#define DROPS (WF_FRONTEND_INSIDE_DROP | WF_FRONTEND_OUTSIDE_DROP)

static uint16_t drops(const struct wf_lb_port *port, enum wf_frontend_type type)
{
	return frontend_of(port, type)->flags & DROPS;
}

static void test_policies(void **state)
{
	static struct lab lab;
	const struct wf_lb_port *port;

	CHECK(NONE, { "10.1.0.1", "r", "here", .sets = ALL },
	      { "10.1.0.2", "r", "there", .sets = ALL });
	CHECK(PLAIN, { "10.1.0.1", "r", "here", .sets = IN },
	      { "10.1.0.2", "r", "there", .sets = IN });
	/* a Local policy for outsiders does not bind insiders */
	port = CHECK(EXTERNAL, { "10.1.0.1", "r", "here", .sets = ALL },
		     { "10.1.0.2", "r", "there", .sets = IN | EXT });
	assert_true(backend_at(port, "10.1.0.1")->is_local);
	assert_false(backend_at(port, "10.1.0.2")->is_local);
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
	lab_done(&lab);
}

/* Nobody here: dropped while there is somebody elsewhere, refused when there is nobody. */
static void test_drop(void **state)
{
	static struct lab lab;
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
	lab_done(&lab);
}

static void test_conditions(void **state)
{
	static struct lab lab;
	const struct wf_lb_port *port;

	port = CHECK(NONE, { "10.1.0.1", "r", .sets = ALL }, { "10.1.0.2", "st", .sets = 0 },
		     { "10.1.0.3", "t", .sets = 0 }, { "10.1.0.4", "", .sets = 0 });
	assert_int_equal(backend_at(port, "10.1.0.1")->state, WF_LB_READY);
	assert_int_equal(backend_at(port, "10.1.0.2")->state, WF_LB_TERMINATING);
	assert_int_equal(backend_at(port, "10.1.0.3")->state, WF_LB_NOT_READY);
	assert_int_equal(backend_at(port, "10.1.0.4")->state, WF_LB_NOT_READY);
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
	assert_int_equal(backend_at(port, "10.1.0.1")->state, WF_LB_READY);
	lab_done(&lab);
}

static void test_hints(void **state)
{
	static struct lab lab;

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
	lab_done(&lab);
}

/* A node that knows neither its name nor its zone is meant by nobody. */
static void test_hints_unknown(void **state)
{
	static struct lab lab;
	const struct row row = { "10.1.0.1", "r", "", .node_hint = "", .zone_hint = "" };

	lab_init(&lab);
	lab.facts.node = lab.facts.zone = "";
	add_rows(&lab, &row, 1);
	assert_int_equal(resolve(&lab)->backends[0].sets, IN);
	assert_false(lab.ports.items[0].backends[0].is_local);
	lab_done(&lab);
}

static void test_health(void **state)
{
	static struct lab lab;
	const struct wf_lb_port *port;

	port = CHECK(NONE, { "10.1.0.1", "r", .sets = ALL }, { "10.1.0.2", "rx", .sets = 0 });
	assert_int_equal(backend_at(port, "10.1.0.2")->state, WF_LB_UNHEALTHY);
	/* all of them: the check is not heeded */
	port = CHECK(NONE, { "10.1.0.1", "rx", .sets = ALL }, { "10.1.0.2", "rx", .sets = ALL },
		     { "10.1.0.3", "", .sets = 0 });
	assert_int_equal(backend_at(port, "10.1.0.2")->state, WF_LB_UNHEALTHY);
	/* one that leaves but is alive is better than one that should be ready and is not */
	CHECK(NONE, { "10.1.0.1", "rx", .sets = 0 }, { "10.1.0.2", "st", .sets = ALL });
	/* health is readiness for hints too: nobody of our zone is left */
	CHECK(NONE, { "10.1.0.1", "rx", .zone_hint = "z1", .sets = 0 },
	      { "10.1.0.2", "r", .zone_hint = "z2", .sets = ALL });
	port = CHECK(EXTERNAL, { "10.1.0.1", "rx", "here", .sets = 0 },
		     { "10.1.0.2", "r", "there", .sets = IN | EXT });
	assert_int_equal(drops(port, WF_FRONTEND_NODE_PORT), WF_FRONTEND_OUTSIDE_DROP);
	lab_done(&lab);
}

static void test_slices(void **state)
{
	static struct lab lab, other;
	struct wf_slice_port ports[2] = { { "http", IPPROTO_UDP, 53 },
					  { "http", IPPROTO_TCP, 9090 } };
	const struct wf_endpoint_slice *slices[] = { &lab.slice, &other.slice };
	const struct wf_lb_port *port;

	lab_init(&lab);
	lab_init(&other);
	add_rows(&lab,
		 (const struct row[]){ { "10.1.0.9", "r", "there" }, { "10.1.0.3", "", "there" } },
		 2);
	add_rows(&other,
		 (const struct row[]){ { "10.1.0.3", "r", "here" }, { "10.1.0.7", "r", "here" } },
		 2);
	resolve_slices(&lab, slices, 2);
	port = &lab.ports.items[0];
	/* sorted, each once, the better condition wins */
	assert_int_equal(port->backend_count, 3);
	assert_true(wf_addr_compare(&port->backends[0].addr, &port->backends[1].addr) < 0);
	assert_true(wf_addr_compare(&port->backends[1].addr, &port->backends[2].addr) < 0);
	assert_int_equal(backend_at(port, "10.1.0.3")->state, WF_LB_READY);
	assert_string_equal(backend_at(port, "10.1.0.3")->node->text, "here");
	assert_int_equal(backend_at(port, "10.1.0.7")->slot, 70);
	assert_int_equal(backend_at(port, "10.1.0.9")->slot, WF_SLOT_HOST);
	/* a named target port is another number in each slice; the protocol has to be the same */
	other.slice.ports = ports;
	other.slice.port_count = 2;
	resolve_slices(&lab, slices, 2);
	port = &lab.ports.items[0];
	assert_int_equal(port->backend_count, 4);
	assert_int_equal(backend_at(port, "10.1.0.7")->port, 9090);
	assert_int_equal(backend_at(port, "10.1.0.9")->port, 8080);
	/* no number, another name, no proxy's, another family, host names: not ours */
	ports[1].port = 0;
	resolve_slices(&lab, slices, 2);
	assert_int_equal(lab.ports.items[0].backend_count, 2);
	ports[1] = (struct wf_slice_port){ "metrics", IPPROTO_TCP, 9090 };
	resolve_slices(&lab, slices, 2);
	assert_int_equal(lab.ports.items[0].backend_count, 2);
	ports[1] = (struct wf_slice_port){ "http", IPPROTO_TCP, 9090 };
	other.slice.fqdn = true;
	resolve_slices(&lab, slices, 2);
	assert_int_equal(lab.ports.items[0].backend_count, 2);
	other.slice.fqdn = false;
	other.slice.ip6 = true;
	resolve_slices(&lab, slices, 2);
	assert_int_equal(lab.ports.items[0].backend_count, 2);
	other.slice.ip6 = false;
	assert_int_equal(
		wf_labels_set(&other.slice.meta.labels, "service.kubernetes.io/headless", ""), 0);
	resolve_slices(&lab, slices, 2);
	assert_int_equal(lab.ports.items[0].backend_count, 2);
	wf_labels_done(&other.slice.meta.labels);
	resolve_slices(&lab, slices, 0);
	assert_int_equal(lab.ports.items[0].backend_count, 0);
	assert_int_equal(lab.ports.items[0].frontend_count, 1);
	lab_done(&lab);
}

static void test_not_ours(void **state)
{
	static struct lab lab;

	lab_init(&lab);
	assert_non_null(resolve(&lab));
	lab.service.headless = true;
	assert_null(resolve(&lab));
	lab_init(&lab);
	lab.service.foreign = true;
	assert_null(resolve(&lab));
	lab_init(&lab);
	lab.service.type = WF_SERVICE_EXTERNAL_NAME;
	assert_null(resolve(&lab));
	lab_init(&lab);
	lab.service.cluster_ip_count = 0;
	assert_null(resolve(&lab));
	lab_init(&lab);
	lab.service.cluster_ips[0] = (struct wf_addr){ 0 };
	assert_null(resolve(&lab));
	lab_init(&lab);
	assert_int_equal(
		wf_labels_set(&lab.service.meta.labels, "service.kubernetes.io/headless", ""), 0);
	assert_null(resolve(&lab));
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
static void lab_balancer(struct lab *lab, struct wf_addr *external, struct wf_addr *balancer)
{
	lab_init(lab);
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
	static struct lab lab;
	struct wf_addr external[3], balancer[2];
	const uint16_t snat = BOTH | WF_FRONTEND_SNAT;
	const struct wf_lb_port *port;

	lab_balancer(&lab, external, balancer);
	port = resolve(&lab);
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
	port = resolve(&lab);
	assert_int_equal(port->frontends[0].flags, snat);
	assert_int_equal(port->frontends[1].flags, BOTH | WF_FRONTEND_DSR);
	assert_int_equal(port->frontends[2].flags, BOTH | WF_FRONTEND_DSR);
	assert_int_equal(port->frontends[3].flags, snat);
	lab.service.external_local = true;
	port = resolve(&lab);
	assert_int_equal(port->frontends[0].flags, snat);
	assert_int_equal(port->frontends[1].flags, BOTH);
	lab.service.affinity_s = 60;
	lab.service.cut = true;
	port = resolve(&lab);
	assert_int_equal(port->affinity_s, 60);
	assert_true(port->cut);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(port->frontends[i].flags &
					 (WF_FRONTEND_AFFINITY | WF_FRONTEND_CUT),
				 WF_FRONTEND_AFFINITY | WF_FRONTEND_CUT);

	/* other types have neither a balancer's addresses nor node ports */
	lab.service.type = WF_SERVICE_CLUSTER_IP;
	port = resolve(&lab);
	assert_int_equal(port->frontend_count, 3);
	assert_null(frontend_of(port, WF_FRONTEND_LOAD_BALANCER));
	assert_null(frontend_of(port, WF_FRONTEND_NODE_PORT));
	lab_done(&lab);
}

/* Frontends of a network's service are in its scope and in the host's. */
static void test_scope(void **state)
{
	static struct lab lab;
	const struct wf_lb_port *port;

	lab_init(&lab);
	lab.facts.scope = 5;
	lab.service.type = WF_SERVICE_NODE_PORT;
	lab.port.node_port = 30080;
	port = resolve(&lab);
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
	port = resolve(&lab);
	assert_int_equal(port->frontend_count, 1);
	assert_int_equal(port->frontends[0].scope, 5);
	assert_int_equal(port->view, 5);
	lab.facts.view = WF_NETWORK_HOST;
	lab.facts.scope = WF_NETWORK_HOST;
	assert_int_equal(resolve(&lab)->frontend_count, 1);
	lab_done(&lab);
}

static void test_sources(void **state)
{
	static struct lab lab;
	struct wf_addr external[3], balancer[2];
	struct wf_prefix sources[3];
	const struct wf_lb_port *port;

	lab_balancer(&lab, external, balancer);
	assert_int_equal(wf_prefix_parse("192.0.2.0/24", &sources[0]), 0);
	assert_int_equal(wf_prefix_parse("198.51.100.0/24", &sources[1]), 0);
	assert_int_equal(wf_prefix_parse("::/0", &sources[2]), 0);
	lab.service.sources = sources;
	lab.service.source_count = 3;
	port = resolve(&lab);
	assert_int_equal(port->source_count, 2);
	assert_true(wf_prefix_equal(&port->sources[1], &sources[1]));
	for (size_t i = 0; i < port->frontend_count; i++)
		assert_int_equal((port->frontends[i].flags & WF_FRONTEND_SOURCE_RANGES) != 0,
				 port->frontends[i].type == WF_FRONTEND_LOAD_BALANCER);
	/* everybody of the family may */
	port = &lab.ports.items[1];
	assert_int_equal(port->source_count, 0);
	assert_int_equal(
		frontend_of(port, WF_FRONTEND_LOAD_BALANCER)->flags & WF_FRONTEND_SOURCE_RANGES, 0);
	/* none of the family: no restriction, as kube-proxy has it */
	lab.service.source_count = 2;
	resolve(&lab);
	assert_int_equal(lab.ports.items[0].source_count, 2);
	assert_int_equal(lab.ports.items[1].source_count, 0);
	lab_done(&lab);
}

/* Several ports, of which a name may occur once for each protocol. */
static void test_ports(void **state)
{
	static struct lab lab;
	struct wf_service_port ports[3] = { { "dns", IPPROTO_UDP, 53 },
					    { "dns", IPPROTO_TCP, 53 },
					    { "media", IPPROTO_SCTP, 9 } };
	struct wf_slice_port slice_ports[2] = { { "dns", IPPROTO_TCP, 5300 },
						{ "dns", IPPROTO_UDP, 5301 } };
	const struct row row = { "10.1.0.1", "r", "here" };

	lab_init(&lab);
	lab.service.ports = ports;
	lab.service.port_count = 3;
	lab.slice.ports = slice_ports;
	lab.slice.port_count = 2;
	add_rows(&lab, &row, 1);
	resolve(&lab);
	assert_int_equal(lab.ports.count, 3);
	assert_string_equal(lab.ports.items[0].key, "shop/web:53/udp/IPv4");
	assert_int_equal(lab.ports.items[0].backends[0].port, 5301);
	assert_string_equal(lab.ports.items[1].key, "shop/web:53/tcp/IPv4");
	assert_int_equal(lab.ports.items[1].backends[0].port, 5300);
	assert_string_equal(lab.ports.items[2].key, "shop/web:9/sctp/IPv4");
	assert_int_equal(lab.ports.items[2].backend_count, 0);
	/* one endpoint, whatever the number of ports */
	assert_int_equal(wf_lb_local_ready(&lab.ports), 1);
	lab_done(&lab);
}

static void test_local_ready(void **state)
{
	static struct lab lab;

	CHECK(EXTERNAL, { "10.1.0.1", "r", "here", .sets = ALL },
	      { "10.1.0.2", "r", "there", .sets = IN | EXT },
	      { "10.1.0.3", "r", "here", .sets = ALL }, { "10.1.0.4", "", "here", .sets = 0 },
	      { "10.1.0.5", "rx", "here", .sets = 0 });
	assert_int_equal(wf_lb_local_ready(&lab.ports), 2);
	CHECK(EXTERNAL, { "10.1.0.1", "st", "here", .sets = ALL });
	assert_int_equal(wf_lb_local_ready(&lab.ports), 0);
	lab_done(&lab);
	assert_int_equal(wf_lb_local_ready(&lab.ports), 0);
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
		cmocka_unit_test(test_policies),      cmocka_unit_test(test_drop),
		cmocka_unit_test(test_conditions),    cmocka_unit_test(test_hints),
		cmocka_unit_test(test_hints_unknown), cmocka_unit_test(test_health),
		cmocka_unit_test(test_slices),        cmocka_unit_test(test_not_ours),
		cmocka_unit_test(test_frontends),     cmocka_unit_test(test_scope),
		cmocka_unit_test(test_sources),       cmocka_unit_test(test_ports),
		cmocka_unit_test(test_local_ready),   cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
