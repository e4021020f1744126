/* SPDX-License-Identifier: Apache-2.0 */
/* Services of networks that are scopes of their own: the same addresses mean others there. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lab.h"
#include "services.h"
#include "world.h"

#define REDIRECT .action = TC_ACT_REDIRECT
#define SHOT     .action = TC_ACT_SHOT

#define SCOPED_VIP "10.96.1.1"

/* A network with a client .11 and a backend .12 in two slots, addresses of which others have as well. */
static void put_scope(__u32 number, __u32 client, __u32 backend, __u32 service, __u32 pick)
{
	const struct wf_net_value network = { .flags = WF_NET_VALID | WF_NET_IPV4 | WF_NET_SCOPED |
						       WF_NET_ISOLATED | WF_NET_INTERNAL };
	const struct wf_addr_value of_service = { .flags = WF_ADDR_SERVICE };
	const struct wf_frontend_key key = { .addr = lab_addr(SCOPED_VIP),
					     .scope = number,
					     .port = htons(80),
					     .proto = IPPROTO_TCP };
	const struct wf_frontend_value value = {
		.service = service,
		.inside = { service * WF_PICKS_PER_PAGE, 1 },
		.flags = WF_FRONTEND_INSIDE | WF_FRONTEND_OUTSIDE,
	};
	struct wf_dp_lb_memory memory;

	assert_int_equal(wf_dp_network_set(services_dp, number, &network, NULL), 0);
	for (__u32 i = 0; i < 2; i++) {
		const __u32 slot = i ? backend : client;
		const struct wf_addr_value own = { .slot = slot };
		struct wf_ep_value endpoint = { .flags = WF_EP_READY | WF_EP_IPV4,
						.ifindex = WF_IFINDEX_BASE + slot,
						.network = number,
						.ip4 = lab_addr(i ? "10.8.0.12" : "10.8.0.11"),
						.mac = { 2, 0, 0, 0, 0, (__u8)slot },
						.scope = (__u16)number };

		assert_int_equal(wf_dp_endpoint_set(services_dp, slot, &endpoint, NULL), 0);
		assert_int_equal(wf_dp_address_set(services_dp, number, &endpoint.ip4, &own, NULL),
				 0);
	}
	lab_lb_memory(services_dp, &memory);
	memory.backends[pick] = (struct wf_backend_value){
		.addr = lab_addr("10.8.0.12"),
		.service = service,
		.port = htons(8080),
		.slot = backend,
		.flags = WF_BACKEND_VALID | WF_BACKEND_USABLE,
	};
	memory.pages[service].backends[0] = pick;
	assert_int_equal(wf_dp_frontends_set(services_dp, &key, &value, 1, NULL), 0);
	assert_int_equal(wf_dp_address_set(services_dp, number, &key.addr, &of_service, NULL), 0);
}

static void a_scope_has_services_of_its_own(void **state)
{
	static const struct step steps[] = {
		{ "one network's",
		  FROM,
		  8,
		  { "10.8.0.11", SCOPED_VIP, SERVICES_TCP, .dport = 80 },
		  REDIRECT,
		  { "10.8.0.11", "10.8.0.12", SERVICES_TCP, .dport = 8080 },
		  .to_mac = 9 },
		{ "another's, by the same addresses and ports",
		  FROM,
		  10,
		  { "10.8.0.11", SCOPED_VIP, SERVICES_TCP, .dport = 80 },
		  REDIRECT,
		  { "10.8.0.11", "10.8.0.12", SERVICES_TCP, .dport = 8080 },
		  .to_mac = 11 },
		{ "the answer of one",
		  FROM,
		  9,
		  { "10.8.0.12", "10.8.0.11", IPPROTO_TCP, 8080, 40000, .tcp_flags = 18 },
		  REDIRECT,
		  { SCOPED_VIP, "10.8.0.11", IPPROTO_TCP, 80, 40000, .tcp_flags = 18 },
		  .to_mac = 8 },
		{ "the answer of the other",
		  FROM,
		  11,
		  { "10.8.0.12", "10.8.0.11", IPPROTO_TCP, 8080, 40000, .tcp_flags = 18 },
		  REDIRECT,
		  { SCOPED_VIP, "10.8.0.11", IPPROTO_TCP, 80, 40000, .tcp_flags = 18 },
		  .to_mac = 10 },
		{ "no port of it",
		  FROM,
		  8,
		  { "10.8.0.11", SCOPED_VIP, SERVICES_TCP, .dport = 81 },
		  REDIRECT,
		  .reason = WF_REASON_SERVICE_NO_PORT,
		  .is_refused = true },
		{ "everybody's service",
		  FROM,
		  8,
		  { "10.8.0.11", "10.96.0.1", SERVICES_TCP, .dport = 80 },
		  SHOT,
		  .reason = WF_REASON_NETWORK_INTERNAL },
		{ "a published port",
		  FROM,
		  8,
		  { "10.8.0.11", "192.0.2.1", SERVICES_TCP, .dport = 8000 },
		  SHOT,
		  .reason = WF_REASON_NETWORK_INTERNAL },
		{ "from another network: nothing of weft's",
		  FROM,
		  1,
		  { "10.1.0.11", SCOPED_VIP, SERVICES_TCP, .dport = 80 },
		  REDIRECT,
		  .to_mac = MAC_HOST },
		{ "from the uplink: the same",
		  COMES_IN,
		  0,
		  { "192.0.2.9", SCOPED_VIP, SERVICES_TCP, .dport = 80 },
		  SERVICES_GO_ON },
	};
	static const struct step rest[] = {
		{ "from the middle of a connection that nobody knows",
		  FROM,
		  8,
		  { "10.8.0.11", SCOPED_VIP, IPPROTO_TCP, 40009, 81, .tcp_flags = 16 },
		  REDIRECT,
		  .reason = WF_REASON_SERVICE_NO_PORT,
		  .is_refused = true },
	};

	put_scope(8, 8, 9, 20, BACKEND_COUNT);
	put_scope(9, 10, 11, 21, BACKEND_COUNT + 1);
	SERVICES_STEPS(steps);
	/* never to the host, whatever is known of services */
	services_configure(0, 0);
	SERVICES_STEPS(rest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* takes over slots 8 to 11 */
		cmocka_unit_test_setup(a_scope_has_services_of_its_own, services_begin),
	};

	lab_enter();
	return cmocka_run_group_tests(tests, services_set_up, services_tear_down);
}
