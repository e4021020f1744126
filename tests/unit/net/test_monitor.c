/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "lab.h"
#include "net/uplink.h"

#define INGRESS 0x5eed0001
#define EGRESS  0x5eed0002

/* Waits for one event that is like `wanted` in every member that is set there. */
struct wait {
	struct wf_net_event wanted;
	bool is_seen;
};

static void compare(const struct wf_net_event *event, void *context)
{
	struct wait *wait = context;
	const struct wf_net_event *wanted = &wait->wanted;

	if (event->type == wanted->type &&
	    (!wanted->ifindex || event->ifindex == wanted->ifindex) &&
	    (!wanted->link.group || event->link.group == wanted->link.group) &&
	    (!wanted->block || event->block == wanted->block) &&
	    (!wanted->protocol || event->protocol == wanted->protocol) &&
	    (wanted->type != WF_NET_EVENT_NSID_DEL || event->nsid == wanted->nsid) &&
	    event->link.up == wanted->link.up)
		wait->is_seen = true;
}

static bool arrives(struct lab *lab, struct wf_net_event wanted, int patience_ms)
{
	struct pollfd poller = { .fd = wf_net_event_fd(lab->net), .events = POLLIN };
	struct wait wait = { .wanted = wanted };
	uint64_t end = wf_clock_monotonic_ms() + (uint64_t)patience_ms;

	while (!wait.is_seen && wf_clock_monotonic_ms() < end) {
		(void)poll(&poller, 1, 50);
		assert_int_equal(wf_net_event_read(lab->net, compare, &wait), 0);
	}
	return wait.is_seen;
}

static void test_endpoint_events(void **state)
{
	struct lab *lab = *state;
	int box = lab_container(), program = lab_program();
	struct lab_endpoint e;
	int32_t nsid;

	lab_endpoint_init(&e, box, 1, "10.9.0.2/24", NULL);
	assert_false(arrives(lab, (struct wf_net_event){ .type = WF_NET_EVENT_LINK_CHANGE }, 100));
	lab_ok(lab, wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err));
	assert_true(arrives(lab,
			    (struct wf_net_event){ .type = WF_NET_EVENT_LINK_CHANGE,
						   .ifindex = LAB_SLOT(1),
						   .link.group = WF_NET_GROUP_LIVE,
						   .link.up = true },
			    2000));
	lab_ok(lab, wf_net_block_set(lab->net, INGRESS, program, "weft", &lab->err));
	(void)lab_run(-1, "tc filter del block %u prio 1 handle 1 bpf", INGRESS);
	assert_true(arrives(
		lab, (struct wf_net_event){ .type = WF_NET_EVENT_FILTER_DEL, .block = INGRESS },
		2000));
	lab_ok(lab, wf_net_block_set(lab->net, INGRESS, program, "weft", &lab->err));
	(void)lab_run(-1, "tc filter del block %u", INGRESS);
	assert_true(arrives(
		lab, (struct wf_net_event){ .type = WF_NET_EVENT_FILTER_DEL, .block = INGRESS },
		2000));
	lab_ok(lab, wf_net_block_set(lab->net, INGRESS, program, "weft", &lab->err));
	assert_true(arrives(
		lab, (struct wf_net_event){ .type = WF_NET_EVENT_FILTER_CHANGE, .block = INGRESS },
		2000));
	assert_false(arrives(
		lab, (struct wf_net_event){ .type = WF_NET_EVENT_FILTER_CHANGE, .block = INGRESS },
		100));
	(void)lab_run(-1,
		      "tc filter replace block %u prio 1 protocol all handle 1 "
		      "bpf bytecode '1,6 0 0 0' classid 1:1",
		      INGRESS);
	assert_true(arrives(
		lab, (struct wf_net_event){ .type = WF_NET_EVENT_FILTER_CHANGE, .block = INGRESS },
		2000));
	(void)lab_run(-1, "tc qdisc del dev wft1 clsact");
	assert_true(arrives(
		lab,
		(struct wf_net_event){ .type = WF_NET_EVENT_QDISC_DEL, .ifindex = LAB_SLOT(1) },
		2000));
	(void)lab_run(-1, "ip link del wft1");
	assert_true(arrives(lab,
			    (struct wf_net_event){ .type = WF_NET_EVENT_LINK_DEL,
						   .ifindex = LAB_SLOT(1),
						   .link.group = WF_NET_GROUP_LIVE },
			    2000));
	(void)close(program);
	(void)close(box);
}

/* Devices that are not weft's: filters are told of by index, and every change of the device. */
static void test_uplink_events(void **state)
{
	struct lab *lab = *state;
	uint32_t ifindex = lab_make_veth(lab, "up0", -1);
	int program = lab_program();
	struct wf_net_event changed = { .type = WF_NET_EVENT_FILTER_CHANGE, .ifindex = ifindex };
	struct wf_net_event gone = { .type = WF_NET_EVENT_FILTER_DEL, .ifindex = ifindex };
	static const char *const deletions[] = {
		"tc filter del dev up0 ingress prio 30534 handle 1 bpf",
		"tc filter del dev up0 egress prio 30534",
		"tc filter del dev up0 ingress",
	};

	(void)lab_run(-1, "ip link set up0 up");
	assert_true(arrives(lab,
			    (struct wf_net_event){ .type = WF_NET_EVENT_LINK_CHANGE,
						   .ifindex = ifindex,
						   .link.up = true },
			    2000));
	(void)lab_run(-1, "ip addr add 10.3.0.1/24 dev up0");
	assert_true(arrives(
		lab, (struct wf_net_event){ .type = WF_NET_EVENT_ADDR_NEW, .ifindex = ifindex },
		2000));
	assert_false(arrives(lab, changed, 100));
	for (size_t i = 0; i < sizeof(deletions) / sizeof(deletions[0]); i++) {
		lab_ok(lab, wf_net_uplink_attach(lab->net, ifindex, program, program, &lab->err));
		assert_true(arrives(lab, changed, 2000));
		assert_false(arrives(lab, gone, 100));
		assert_string_equal(lab_run(-1, "%s", deletions[i]), "");
		assert_true(arrives(lab, gone, 2000));
	}
	assert_false(arrives(
		lab, (struct wf_net_event){ .type = WF_NET_EVENT_QDISC_DEL, .ifindex = ifindex },
		100));
	(void)lab_run(-1, "tc qdisc del dev up0 clsact");
	assert_true(arrives(
		lab, (struct wf_net_event){ .type = WF_NET_EVENT_QDISC_DEL, .ifindex = ifindex },
		2000));
	(void)lab_run(-1, "ip addr del 10.3.0.1/24 dev up0");
	assert_true(arrives(
		lab, (struct wf_net_event){ .type = WF_NET_EVENT_ADDR_DEL, .ifindex = ifindex },
		2000));
	(void)close(program);
}

static void test_route_and_addr_events(void **state)
{
	struct lab *lab = *state;
	struct wf_net_address address = { lab_prefix("10.1.0.1/24") };
	struct wf_net_route four = { .prefix = lab_prefix("10.5.0.0/16") };
	struct wf_net_route six = { .prefix = lab_prefix("fd05::/64") };
	uint32_t ifindex;
	bool created;

	lab_ok(lab, wf_net_host_ensure(lab->net, 1500, 0, INGRESS, EGRESS, &ifindex, &created,
				       &lab->err));
	lab_ok(lab, wf_net_host_sync_addresses(lab->net, ifindex, &address, 1, &lab->err));
	four.ifindex = six.ifindex = ifindex;
	lab_ok(lab, wf_net_route_add(lab->net, &four, &lab->err));
	lab_ok(lab, wf_net_route_add(lab->net, &six, &lab->err));
	assert_false(arrives(lab,
			     (struct wf_net_event){ .type = WF_NET_EVENT_ROUTE_DEL,
						    .protocol = WF_NET_ROUTE_PROTOCOL },
			     100));
	(void)lab_run(-1, "ip route del 10.5.0.0/16");
	assert_true(arrives(lab,
			    (struct wf_net_event){ .type = WF_NET_EVENT_ROUTE_DEL,
						   .ifindex = ifindex,
						   .protocol = WF_NET_ROUTE_PROTOCOL },
			    2000));
	lab_ok(lab, wf_net_route_add(lab->net, &four, &lab->err));
	/* new ones do not interest, replaced ones do */
	(void)lab_run(-1, "ip route add 10.77.0.0/16 dev weft0 proto static");
	assert_false(
		arrives(lab, (struct wf_net_event){ .type = WF_NET_EVENT_ROUTE_REPLACE }, 100));
	(void)lab_run(-1, "ip route replace 10.5.0.0/16 dev weft0 proto static");
	assert_true(arrives(lab,
			    (struct wf_net_event){ .type = WF_NET_EVENT_ROUTE_REPLACE,
						   .ifindex = ifindex,
						   .protocol = 4 },
			    2000));
	(void)lab_run(-1, "ip -6 route replace fd05::/64 dev weft0 proto static");
	assert_true(arrives(lab,
			    (struct wf_net_event){ .type = WF_NET_EVENT_ROUTE_REPLACE,
						   .ifindex = ifindex,
						   .protocol = 4 },
			    2000));
	lab_ok(lab, wf_net_host_sync_routes(lab->net, &six, 1, 0, &lab->err));
	(void)lab_run(-1, "ip -6 route del fd05::/64");
	assert_true(arrives(lab,
			    (struct wf_net_event){ .type = WF_NET_EVENT_ROUTE_DEL,
						   .ifindex = ifindex,
						   .protocol = WF_NET_ROUTE_PROTOCOL },
			    2000));
	(void)lab_run(-1, "ip addr del 10.1.0.1/24 dev weft0");
	assert_true(arrives(
		lab, (struct wf_net_event){ .type = WF_NET_EVENT_ADDR_DEL, .ifindex = ifindex },
		2000));
	(void)lab_run(-1, "ip addr add 10.1.0.7/24 dev weft0");
	assert_true(arrives(
		lab, (struct wf_net_event){ .type = WF_NET_EVENT_ADDR_NEW, .ifindex = ifindex },
		2000));
	(void)lab_run(-1, "ip link set weft0 down");
	assert_true(arrives(
		lab, (struct wf_net_event){ .type = WF_NET_EVENT_LINK_CHANGE, .ifindex = ifindex },
		2000));
}

static void test_namespace_event(void **state)
{
	struct lab *lab = *state;
	int box = lab_container(), other = lab_container();
	struct wf_net_event event = { .type = WF_NET_EVENT_NSID_DEL };
	struct lab_endpoint e;
	int32_t nsid;

	lab_endpoint_init(&e, box, 1, "10.9.0.2/24", NULL);
	lab_ok(lab, wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err));
	event.nsid = nsid;
	assert_false(arrives(lab, event, 100));
	(void)close(box);
	assert_true(arrives(lab, event, 3000));
	/* also when the endpoint has no link on the host */
	lab_endpoint_init(&e, other, 2, NULL, NULL);
	e.endpoint.kind = WF_NET_KIND_LOOPBACK_ONLY;
	lab_ok(lab, wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err));
	event.nsid = nsid;
	(void)close(other);
	assert_true(arrives(lab, event, 3000));
}

static void test_overrun(void **state)
{
	struct lab *lab = *state;
	const int small = 4096;

	assert_int_equal(
		setsockopt(wf_net_event_fd(lab->net), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)),
		0);
	(void)lab_run(-1, "for i in 1 2 3 4 5 6 7 8 9; do ip link add x$i type veth peer name y$i; "
			  "done");
	assert_true(arrives(lab, (struct wf_net_event){ .type = WF_NET_EVENT_OVERRUN }, 2000));
	/* and it goes on afterwards */
	(void)lab_run(-1, "ip link del x1");
	assert_true(arrives(lab, (struct wf_net_event){ .type = WF_NET_EVENT_LINK_DEL }, 2000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_endpoint_events, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_uplink_events, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_route_and_addr_events, lab_setup,
						lab_teardown),
		cmocka_unit_test_setup_teardown(test_namespace_event, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_overrun, lab_setup, lab_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
