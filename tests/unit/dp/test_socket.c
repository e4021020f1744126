/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the socket hooks decide (bpf/lib/socket.h), natively: whose services a socket sees, what
 * is remembered and for how long, and which binds are refused. tests/bpf/test_sockets.c has them
 * in the kernel.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "native.h"

#include "lib/socket.h"

#define HOST_NS    100
#define ONE_NS     101 /* slot 1, network 1 */
#define TWO_NS     102 /* slot 3, networks 2 and 1 */
#define FOREIGN_NS 103

#define SERVICE 1
#define PORT    80

static struct wf_addr ip4(__u32 addr)
{
	struct wf_addr result;

	wf_addr_set_ip4(&result, htonl(addr));
	return result;
}

static struct wf_addr vip(void)
{
	return ip4(0x0a600001);
}

static struct wf_addr backend_addr(__u32 number)
{
	return ip4(0x0a010000 + number);
}

static void put_frontend(struct wf_addr addr, __u32 scope, __u32 flags, __u32 size)
{
	native.frontends[native.frontend_count++] = (struct native_frontend){
		{ .addr = addr, .scope = scope, .port = htons(PORT), .proto = IPPROTO_TCP },
		{ .service = SERVICE,
		  .inside = { 0, size },
		  .flags = (__u16)(WF_FRONTEND_INSIDE | flags),
		  .algorithm = WF_LB_ROUND_ROBIN },
	};
	native.frontends[native.frontend_count] = native.frontends[native.frontend_count - 1];
	native.frontends[native.frontend_count++].key.proto = IPPROTO_UDP;
}

static void put_netns(__u64 cookie, __u32 slot, __u32 first, __u32 second, __u32 flags)
{
	native.netns[native.netns_count++] =
		(struct native_netns){ cookie, { { first, second }, slot, flags } };
}

static int set_up(void **state)
{
	(void)state;
	native_reset();
	native.config.flags = WF_CONFIG_SERVICES;
	put_netns(HOST_NS, WF_SLOT_HOST, 0, 0, WF_NETNS_HOST);
	put_netns(ONE_NS, 1, 1, 0, 0);
	put_netns(TWO_NS, 3, 2, 1, 0);
	for (__u32 i = 0; i < 4; i++) {
		native.pages[0].backends[i] = i + 1;
		native.backends[i + 1] =
			(struct wf_backend_value){ .addr = backend_addr(i + 1),
						   .service = SERVICE,
						   .port = htons(8080),
						   .flags = WF_BACKEND_VALID | WF_BACKEND_USABLE };
	}
	return 0;
}

static struct wf_sock sock_of(__u64 netns, struct wf_addr addr, __u16 proto)
{
	return (struct wf_sock){
		.cookie = 7, .netns = netns, .addr = addr, .port = htons(PORT), .proto = proto
	};
}

static int connects(__u64 netns, struct wf_addr addr)
{
	struct wf_sock sock = sock_of(netns, addr, IPPROTO_TCP);

	return wf_sock_translate(&sock, 0);
}

static void everybodys_service(void **state)
{
	(void)state;
	put_frontend(vip(), WF_SCOPE_ANY, 0, 4);
	assert_int_equal(connects(HOST_NS, vip()), 1);
	assert_int_equal(connects(ONE_NS, vip()), 1);
	assert_int_equal(connects(TWO_NS, vip()), 1);
	assert_int_equal(connects(FOREIGN_NS, vip()), 0);
	assert_int_equal(connects(ONE_NS, ip4(0x0a600002)), 0);
	assert_int_equal(native.services[SERVICE].connections, 3);
	native.config.flags = 0;
	assert_int_equal(connects(ONE_NS, vip()), 0);
}

static void service_of_a_network(void **state)
{
	(void)state;
	put_frontend(vip(), 1, 0, 4);
	assert_int_equal(connects(ONE_NS, vip()), 1);
	/* its second network */
	assert_int_equal(connects(TWO_NS, vip()), 1);
	assert_int_equal(connects(HOST_NS, vip()), 0);
	native.frontends[0].key.scope = 2;
	assert_int_equal(connects(ONE_NS, vip()), 0);
	assert_int_equal(connects(TWO_NS, vip()), 1);
	native.frontends[0].key.scope = WF_NETWORK_HOST;
	assert_int_equal(connects(TWO_NS, vip()), 0);
	assert_int_equal(connects(HOST_NS, vip()), 1);
}

/* Least connections: a container's are counted where its packets pass, so it is left to them. */
static void least_connections_are_left_to_packets(void **state)
{
	(void)state;
	put_frontend(vip(), WF_SCOPE_ANY, 0, 4);
	native.frontends[0].value.algorithm = WF_LB_LEAST;
	assert_int_equal(connects(ONE_NS, vip()), 0);
	assert_int_equal(native.services[SERVICE].connections, 0);
	/* those whose packets are not, or may go by a network that does not see the service */
	assert_int_equal(connects(HOST_NS, vip()), 1);
	assert_int_equal(connects(TWO_NS, vip()), 1);
	native.frontends[0].value.algorithm = WF_LB_RANDOM;
	assert_int_equal(connects(ONE_NS, vip()), 1);
}

static int connects_as(__u64 cookie, __u64 netns, __u16 proto, int per_message)
{
	struct wf_sock sock = sock_of(netns, vip(), proto);

	sock.cookie = cookie;
	return wf_sock_translate(&sock, per_message);
}

static void assert_active(__u32 one, __u32 two, __u32 three, __u32 four)
{
	const __u32 wanted[] = { one, two, three, four };

	for (__u32 i = 0; i < 4; i++)
		assert_int_equal(native.backends[i + 1].active, wanted[i]);
}

/* Those that a hook translates count until their sockets end, or talk to another. */
static void the_hosts_sockets_are_counted(void **state)
{
	(void)state;
	put_frontend(vip(), WF_SCOPE_ANY, 0, 4);
	native.frontends[0].value.algorithm = WF_LB_LEAST;
	native.frontends[1].value.algorithm = WF_LB_LEAST;
	/* before the daemon says so nobody sees their end */
	assert_int_equal(connects_as(1, HOST_NS, IPPROTO_TCP, 0), 1);
	assert_active(0, 0, 0, 0);
	native.config.flags |= WF_CONFIG_LEAST;
	for (__u64 cookie = 1; cookie <= 4; cookie++)
		assert_int_equal(
			connects_as(cookie, HOST_NS, cookie % 2 ? IPPROTO_TCP : IPPROTO_UDP, 0), 1);
	assert_active(1, 1, 1, 1);
	/* once more: whoever it left has least */
	assert_int_equal(connects_as(2, HOST_NS, IPPROTO_UDP, 0), 1);
	assert_active(1, 1, 1, 1);
	/* datagrams one by one: the first of them */
	for (int i = 0; i < 3; i++)
		assert_int_equal(connects_as(5, HOST_NS, IPPROTO_UDP, 1), 1);
	assert_int_equal(native.sock_use_count, 5);
	for (__u64 cookie = 1; cookie <= 6; cookie++) {
		wf_sock_uncount(cookie);
		wf_sock_uncount(cookie);
	}
	assert_active(0, 0, 0, 0);
	assert_int_equal(native.sock_use_count, 0);
}

static void what_else_sockets_count_for(void **state)
{
	__u32 count = 0;

	(void)state;
	put_frontend(vip(), WF_SCOPE_ANY, 0, 4);
	native.frontends[0].value.algorithm = WF_LB_LEAST;
	native.config.flags |= WF_CONFIG_LEAST;
	assert_int_equal(connects_as(1, HOST_NS, IPPROTO_TCP, 0), 1);
	assert_int_equal(native.sock_use_count, 1);
	/* another service's algorithm: it counts for nobody any more */
	assert_int_equal(connects_as(1, HOST_NS, IPPROTO_UDP, 0), 1);
	assert_int_equal(native.sock_use_count, 0);
	assert_active(0, 0, 0, 0);
	/* a number that is another's is left alone, and so is a count of nothing */
	assert_int_equal(connects_as(2, HOST_NS, IPPROTO_TCP, 0), 1);
	count = native.sock_uses[0].value.backend;
	native.backends[count].service++;
	wf_sock_uncount(2);
	assert_int_equal(native.backends[count].active, 1);
	native.backends[count].service--;
	native.backends[count].active = 0;
	native.sock_uses[native.sock_use_count++] =
		(struct native_sock_use){ 3, { count, SERVICE } };
	wf_sock_uncount(3);
	assert_active(0, 0, 0, 0);
	/* without room they are served and not counted */
	for (__u64 cookie = 1; cookie <= NATIVE_CLIENTS + 3; cookie++)
		assert_int_equal(connects_as(cookie, HOST_NS, IPPROTO_TCP, 0), 1);
	count = 0;
	for (__u32 i = 1; i <= 4; i++)
		count += native.backends[i].active;
	assert_int_equal(count, NATIVE_CLIENTS);
}

static void only_protocols_with_hooks(void **state)
{
	struct wf_sock sock = sock_of(ONE_NS, vip(), IPPROTO_SCTP);

	(void)state;
	put_frontend(vip(), WF_SCOPE_ANY, 0, 4);
	native.frontends[0].key.proto = IPPROTO_SCTP;
	assert_int_equal(wf_sock_translate(&sock, 0), 0);
}

static void loopback_is_the_hosts_for_the_host_alone(void **state)
{
	(void)state;
	put_frontend(ip4(0), WF_SCOPE_ANY, 0, 4);
	assert_int_equal(connects(HOST_NS, ip4(0x7f000001)), 1);
	assert_int_equal(connects(HOST_NS, ip4(0x7f010203)), 1);
	assert_int_equal(connects(HOST_NS, ip4(0)), 1);
	assert_int_equal(connects(ONE_NS, ip4(0x7f000001)), 0);
	assert_int_equal(connects(ONE_NS, ip4(0)), 0);
	/* the gateway of its network is the host */
	assert_int_equal(connects(ONE_NS, ip4(0x0a010001)), 1);
	assert_int_equal(connects(ONE_NS, ip4(0x0a01000c)), 0);
}

/* Affinity must be that of the packet path: by the address that the container sends from. */
static void client_is_known_by_its_address(void **state)
{
	(void)state;
	put_frontend(vip(), WF_SCOPE_ANY, WF_FRONTEND_AFFINITY, 4);
	native.frontends[0].value.affinity_s = 60;
	assert_int_equal(connects(ONE_NS, vip()), 1);
	assert_int_equal(native.affinity_count, 1);
	assert_memory_equal(&native.affinities[0].key.client, &native.endpoints[1].ip4,
			    sizeof(struct wf_addr));
	assert_int_equal(connects(ONE_NS, vip()), 1);
	assert_int_equal(native.affinity_count, 1);
	assert_int_equal(connects(HOST_NS, vip()), 1);
	assert_int_equal(native.affinity_count, 2);
}

static void the_service_is_shown(void **state)
{
	struct wf_sock sock = sock_of(ONE_NS, vip(), IPPROTO_TCP);
	struct wf_sock other;

	(void)state;
	put_frontend(vip(), WF_SCOPE_ANY, 0, 4);
	assert_int_equal(wf_sock_restore(&sock), 0);
	assert_int_equal(wf_sock_translate(&sock, 0), 1);
	assert_int_equal(sock.port, htons(8080));
	other = sock;
	other.cookie++;
	assert_int_equal(wf_sock_restore(&other), 0);
	other = sock;
	other.proto = IPPROTO_UDP;
	assert_int_equal(wf_sock_restore(&other), 0);
	assert_int_equal(wf_sock_restore(&sock), 1);
	assert_int_equal(sock.port, htons(PORT));
	assert_int_equal(sock.addr.words[3], vip().words[3]);
}

static struct wf_addr sends(void)
{
	struct wf_sock sock = sock_of(ONE_NS, vip(), IPPROTO_UDP);

	assert_int_equal(wf_sock_translate(&sock, 1), 1);
	return sock.addr;
}

static int keeps(const struct wf_addr *first)
{
	struct wf_addr second = sends();

	return wf_addr_same(first, &second);
}

/* Round robin would give every datagram another backend. */
static void datagrams_stay_while_the_backend_is_the_same_and_usable(void **state)
{
	struct wf_backend_value *backend;
	struct wf_addr first;

	(void)state;
	put_frontend(vip(), WF_SCOPE_ANY, 0, 4);
	first = sends();
	backend = &native.backends[ntohl(first.words[3]) & 0xff];
	assert_true(keeps(&first));
	assert_int_equal(native.services[SERVICE].connections, 1);
	backend->flags = WF_BACKEND_VALID;
	assert_false(keeps(&first));
	assert_int_equal(native.services[SERVICE].connections, 2);
	/* the number was given to a backend of another service, or to another address */
	first = sends();
	backend = &native.backends[ntohl(first.words[3]) & 0xff];
	backend->service = SERVICE + 1;
	assert_false(keeps(&first));
	first = sends();
	backend = &native.backends[ntohl(first.words[3]) & 0xff];
	backend->addr = ip4(0x0a0100ee);
	assert_false(keeps(&first));
}

static void connect_chooses_anew(void **state)
{
	struct wf_sock first = sock_of(ONE_NS, vip(), IPPROTO_UDP), second = first;

	(void)state;
	put_frontend(vip(), WF_SCOPE_ANY, 0, 4);
	assert_int_equal(wf_sock_translate(&first, 0), 1);
	assert_int_equal(wf_sock_translate(&second, 0), 1);
	assert_false(wf_addr_same(&first.addr, &second.addr));
}

static void refusals_are_counted_and_told(void **state)
{
	(void)state;
	put_frontend(vip(), WF_SCOPE_ANY, 0, 0);
	native.config.observe = WF_OBSERVE_DROPS;
	assert_int_equal(connects(ONE_NS, vip()), -WF_REASON_SERVICE_NO_BACKEND);
	assert_int_equal(native.drops[WF_REASON_SERVICE_NO_BACKEND].packets, 1);
	assert_int_equal(native.traffic[1].dropped.packets, 1);
	assert_int_equal(native.events, 1);
	assert_int_equal(native.event.hook, WF_HOOK_SOCKET);
	assert_int_equal(native.event.reason, WF_REASON_SERVICE_NO_BACKEND);
	assert_int_equal(native.event.slot, 1);
	assert_int_equal(native.event.dport, htons(PORT));
	assert_int_equal(wf_sock_errno(-WF_REASON_SERVICE_NO_BACKEND), -ECONNREFUSED);
	assert_int_equal(wf_sock_errno(-WF_REASON_SERVICE_NO_PORT), -ECONNREFUSED);
	assert_int_equal(wf_sock_errno(-WF_REASON_SERVICE_NOT_LOCAL), -EHOSTUNREACH);
	assert_int_equal(wf_sock_errno(-WF_REASON_SERVICE_SOURCE), -EHOSTUNREACH);
}

static void translations_are_told(void **state)
{
	(void)state;
	put_frontend(vip(), WF_SCOPE_ANY, 0, 1);
	assert_int_equal(connects(ONE_NS, vip()), 1);
	assert_int_equal(native.events, 0);
	native.config.observe = WF_OBSERVE_FIRST;
	assert_int_equal(connects(ONE_NS, vip()), 1);
	assert_int_equal(native.events, 1);
	assert_int_equal(native.event.translated, WF_EVENT_TRANSLATED_DST);
	assert_int_equal(native.event.nat_port, htons(8080));
	assert_int_equal(native.event.network, 1);
	assert_int_equal(native.event.nat.words[3], backend_addr(1).words[3]);
	assert_int_equal(native.event.dst.words[3], vip().words[3]);
	assert_int_equal(native.event.src.words[3], native.endpoints[1].ip4.words[3]);
}

static int binds(__u64 netns, struct wf_addr addr, __u16 port)
{
	struct wf_sock sock = sock_of(netns, addr, IPPROTO_TCP);

	sock.port = htons(port);
	return wf_sock_bind(&sock);
}

static void binds_beside_frontends(void **state)
{
	const struct wf_addr any6 = {}, one6 = { .bytes = { 0xfd, [15] = 1 } };

	(void)state;
	put_frontend(ip4(0), WF_SCOPE_ANY, 0, 4);
	assert_int_equal(binds(HOST_NS, ip4(0), PORT), -WF_REASON_PORT_TAKEN);
	assert_int_equal(binds(HOST_NS, ip4(0x0a010001), PORT), -WF_REASON_PORT_TAKEN);
	assert_int_equal(binds(HOST_NS, any6, PORT), -WF_REASON_PORT_TAKEN);
	assert_int_equal(binds(HOST_NS, one6, PORT), 0);
	assert_int_equal(binds(HOST_NS, ip4(0), PORT + 1), 0);
	assert_int_equal(binds(HOST_NS, ip4(0), 0), 0);
	assert_int_equal(binds(ONE_NS, ip4(0), PORT), 0);
	assert_int_equal(binds(FOREIGN_NS, ip4(0), PORT), 0);
	assert_int_equal(native.drops[WF_REASON_PORT_TAKEN].packets, 3);
}

/* Runtimes bind what they have published, so as to keep it to themselves. */
static void published_runs_may_be_bound(void **state)
{
	(void)state;
	native.ranges[0] = (struct wf_range_value){ .addr = ip4(0x0a010001),
						    .target = backend_addr(1),
						    .first = 8000,
						    .last = 8009,
						    .proto = IPPROTO_TCP };
	native.config.ranges = 1;
	assert_int_equal(binds(HOST_NS, ip4(0x0a010001), 8000), 0);
	assert_int_equal(binds(HOST_NS, ip4(0), 8009), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(everybodys_service, set_up),
		cmocka_unit_test_setup(service_of_a_network, set_up),
		cmocka_unit_test_setup(least_connections_are_left_to_packets, set_up),
		cmocka_unit_test_setup(the_hosts_sockets_are_counted, set_up),
		cmocka_unit_test_setup(what_else_sockets_count_for, set_up),
		cmocka_unit_test_setup(only_protocols_with_hooks, set_up),
		cmocka_unit_test_setup(loopback_is_the_hosts_for_the_host_alone, set_up),
		cmocka_unit_test_setup(client_is_known_by_its_address, set_up),
		cmocka_unit_test_setup(the_service_is_shown, set_up),
		cmocka_unit_test_setup(datagrams_stay_while_the_backend_is_the_same_and_usable,
				       set_up),
		cmocka_unit_test_setup(connect_chooses_anew, set_up),
		cmocka_unit_test_setup(refusals_are_counted_and_told, set_up),
		cmocka_unit_test_setup(translations_are_told, set_up),
		cmocka_unit_test_setup(binds_beside_frontends, set_up),
		cmocka_unit_test_setup(published_runs_may_be_bound, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
