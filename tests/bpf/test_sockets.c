/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket hooks on a real cgroup, with the test's processes in it.
 *
 *        c1 .11 (network 1)   c2 .12 (network 2)   b1 .21 "a"   b2 .22 "b"
 *            '--------------------'--------------------'-----------'
 *                      br0 10.9.0.1, fd09::1: the host, the test's namespace
 *
 * Nothing routes to the services' addresses: a socket that is not translated cannot reach them.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>

#include "base/addr.h"
#include "base/file.h"
#include "base/mem.h"
#include "calls.h"
#include "dp/lb.h"
#include "lab.h"

#define VIP4     "10.96.0.1"
#define VIP6     "fd96::1"
#define PORT     80
#define EMPTY    81 /* a service without backends */
#define LOCAL    82 /* the same, and silent about it */
#define PRIVATE  83 /* network 1 sees it */
#define UNKNOWN  84 /* no port of the service */
#define NODEPORT 30080
#define RANGE    8000 /* ten ports are published */
#define SERVER   7000

#define TCP IPPROTO_TCP
#define UDP IPPROTO_UDP

static struct wf_dp *dp;
static char cgroup[128], other_cgroup[128];
static pid_t servers[2];

/* ---- the world ----------------------------------------------------------------------------- */

static const char *cgroup_root(void)
{
	return access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0 ? "/sys/fs/cgroup"
								      : "/sys/fs/cgroup/unified";
}

static bool join_cgroup(const char *path)
{
	char procs[192];
	int fd;
	bool ok;

	(void)snprintf(procs, sizeof(procs), "%s/cgroup.procs", path);
	fd = open(procs, O_WRONLY | O_CLOEXEC);
	ok = fd >= 0 && dprintf(fd, "%d", getpid()) > 0;
	(void)close(fd);
	return ok;
}

static void add_netns(const char *name, unsigned int host)
{
	lab_run("ip netns add %s && ip link add v%s type veth peer name eth0 netns %s && "
		"ip link set v%s master br0 up && ip -n %s link set lo up && "
		"ip -n %s link set eth0 up && ip -n %s addr add 10.9.0.%u/24 dev eth0 && "
		"ip -n %s addr add fd09::%u/64 dev eth0 nodad",
		name, name, name, name, name, name, name, host, name, host);
}

/* Backend numbers: those of a service port are 2 N - 1 and 2 N. */
static void put_backends(uint32_t service, bool ip6)
{
	struct wf_dp_lb_memory memory;

	lab_lb_memory(dp, &memory);
	for (uint32_t i = 0; i < 2; i++) {
		struct wf_backend_value *backend = &memory.backends[2 * service - 1 + i];

		backend->addr = lab_addr(ip6 ? (i ? "fd09::22" : "fd09::21")
					     : (i ? "10.9.0.22" : "10.9.0.21"));
		backend->service = service;
		backend->port = htons(SERVER);
		backend->flags = WF_BACKEND_VALID | WF_BACKEND_USABLE;
		for (uint32_t place = i; place < WF_PICKS_PER_PAGE; place += 2)
			memory.pages[service].backends[place] = 2 * service - 1 + i;
	}
}

struct frontend_spec {
	const char *address;
	uint32_t scope, service, flags;
	uint16_t port;
	uint8_t proto;
	bool served;
};

static void put_frontend(const struct frontend_spec *spec)
{
	struct wf_frontend_key key = { .addr = lab_addr(spec->address),
				       .scope = spec->scope,
				       .port = htons(spec->port),
				       .proto = spec->proto };
	struct wf_frontend_value value = { .service = spec->service,
					   .flags = (uint16_t)(spec->flags | WF_FRONTEND_INSIDE),
					   .algorithm = WF_LB_RANDOM };

	if (spec->served)
		value.inside = (struct wf_pick_run){ spec->service * WF_PICKS_PER_PAGE,
						     WF_PICKS_PER_PAGE };
	assert_int_equal(wf_dp_frontends_set(dp, &key, &value, 1, NULL), 0);
}

static const struct frontend_spec frontends[] = {
	{ VIP4, WF_SCOPE_ANY, 1, 0, PORT, TCP, true },
	{ VIP6, WF_SCOPE_ANY, 2, 0, PORT, TCP, true },
	{ VIP4, WF_SCOPE_ANY, 3, 0, PORT, UDP, true },
	{ VIP6, WF_SCOPE_ANY, 4, 0, PORT, UDP, true },
	{ VIP4, WF_SCOPE_ANY, 5, 0, EMPTY, TCP, false },
	{ VIP4, WF_SCOPE_ANY, 5, 0, EMPTY, UDP, false },
	{ VIP4, WF_SCOPE_ANY, 5, WF_FRONTEND_INSIDE_DROP, LOCAL, TCP, false },
	{ VIP4, 1, 1, 0, PRIVATE, TCP, true },
	{ "0.0.0.0", WF_SCOPE_ANY, 1, 0, NODEPORT, TCP, true },
	{ "::", WF_SCOPE_ANY, 2, 0, NODEPORT, TCP, true },
};

static void put_netns(const char *netns, uint32_t network, uint32_t flags)
{
	const struct wf_netns_value value = { .networks = { network }, .flags = flags };

	assert_int_equal(wf_dp_netns_set(dp, call_cookie(netns), &value, NULL), 0);
}

static void put_ranges(void)
{
	const struct wf_range_value range = { .addr = lab_addr("0.0.0.0"),
					      .target = lab_addr("10.9.0.21"),
					      .service = 6,
					      .target_port = htons(SERVER - 3),
					      .first = RANGE,
					      .last = RANGE + 9,
					      .proto = TCP };
	uint32_t word = 0;

	assert_int_equal(wf_dp_ranges_set(dp, &range, 1, &word, NULL), 0);
}

static void fill(void)
{
	const struct wf_config_value config = { .flags = WF_CONFIG_SERVICES };
	const struct wf_addr_value host = { .flags = WF_ADDR_HOST };
	const struct wf_addr_value vip = { .flags = WF_ADDR_SERVICE };
	struct wf_addr at = lab_addr("10.9.0.1");

	for (uint32_t service = 1; service <= 4; service++)
		put_backends(service, service % 2 == 0);
	for (size_t i = 0; i < sizeof(frontends) / sizeof(frontends[0]); i++)
		put_frontend(&frontends[i]);
	put_ranges();
	assert_int_equal(wf_dp_address_set(dp, WF_NETWORK_HOST, &at, &host, NULL), 0);
	at = lab_addr(VIP4);
	assert_int_equal(wf_dp_address_set(dp, WF_NETWORK_HOST, &at, &vip, NULL), 0);
	put_netns(CALLS_HOST, WF_NETWORK_HOST, WF_NETNS_HOST);
	put_netns("c1", 1, 0);
	put_netns("c2", 2, 0);
	assert_int_equal(wf_dp_config_set(dp, &config, NULL), 0);
}

static int set_up(void **state)
{
	struct wf_err err = WF_ERR_INIT;

	if (wf_dp_open(LAB_BPF_DIR, NULL, &dp, &err) < 0)
		fail_msg("%s", err.message);
	fill();
	if (wf_dp_sockets_attach(dp, cgroup, &err) < 0)
		fail_msg("%s", err.message);
	return 0;
}

static int tear_down(void **state)
{
	wf_dp_close(&dp);
	assert_int_equal(wf_dp_remove(LAB_BPF_DIR, NULL), 0);
	return 0;
}

/* ---- tests --------------------------------------------------------------------------------- */

static struct call_result run(const struct call_spec *spec)
{
	struct call_result result;

	call_run(spec, NULL, &result);
	return result;
}

static void assert_addr(const struct wf_addr *seen, const char *wanted)
{
	char text[WF_ADDR_TEXT];

	assert_string_equal(wf_addr_format(seen, text), wanted);
}

static void assert_talks(const struct call_spec *spec)
{
	struct call_result result = run(spec);

	if (result.error)
		fail_msg("%s to %s port %u: %s", spec->netns, spec->address, spec->port,
			 strerror(result.error));
	assert_true(result.names[0] == 'a' || result.names[0] == 'b');
	assert_addr(&result.peer, spec->address);
	assert_int_equal(result.peer_port, spec->port);
}

static void assert_fails(const struct call_spec *spec, int error)
{
	struct call_result result = run(spec);

	if (result.error != error)
		fail_msg("%s to %s port %u: %s, not %s", spec->netns, spec->address, spec->port,
			 strerror(result.error), strerror(error));
}

static void connected_sockets_reach_a_backend_and_see_the_service(void **state)
{
	static const struct call_spec calls[] = {
		{ CALL_TCP, "c1", VIP4, PORT },
		{ CALL_TCP, "c1", VIP6, PORT },
		{ CALL_TCP, "c1", VIP4, PORT, .mapped = true },
		{ CALL_TCP, CALLS_HOST, VIP4, PORT },
		{ CALL_TCP, CALLS_HOST, VIP6, PORT },
		{ CALL_UDP, "c1", VIP4, PORT },
		{ CALL_UDP, "c1", VIP6, PORT },
		{ CALL_UDP, "c1", VIP4, PORT, .mapped = true },
		{ CALL_UDP, CALLS_HOST, VIP4, PORT },
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		assert_talks(&calls[i]);
}

#define SCOPED_VIP "10.96.0.9" /* of network 1, which is a scope of its own */

static void what_is_a_scope_sees_its_own_services_alone(void **state)
{
	static const struct frontend_spec own = { SCOPED_VIP, 1, 1, 0, PORT, TCP, true };
	static const struct call_spec mine = { CALL_TCP, "c1", SCOPED_VIP, PORT };
	static const struct call_spec everybodys = { CALL_TCP, "c1", VIP4, PORT };
	static const struct call_spec no_port = { CALL_TCP, "c1", SCOPED_VIP, UNKNOWN };
	const struct wf_netns_value both = { .networks = { 2, 1 | WF_NETNS_SCOPED } };
	const struct wf_addr_value vip = { .flags = WF_ADDR_SERVICE };
	const struct wf_addr at = lab_addr(SCOPED_VIP);

	assert_talks(&everybodys);
	put_frontend(&own);
	assert_int_equal(wf_dp_address_set(dp, 1, &at, &vip, NULL), 0);
	put_netns("c1", 1 | WF_NETNS_SCOPED, 0);
	assert_talks(&mine);
	assert_fails(&everybodys, ENETUNREACH);
	assert_fails(&no_port, ECONNREFUSED);
	assert_fails(&(struct call_spec){ CALL_TCP, "c2", SCOPED_VIP, PORT }, ENETUNREACH);
	/* in two networks: what is known in one of them is that one's */
	assert_int_equal(wf_dp_netns_set(dp, call_cookie("c1"), &both, NULL), 0);
	assert_talks(&mine);
	assert_talks(&everybodys);
	assert_fails(&no_port, ECONNREFUSED);
	put_netns("c1", 1, 0);
	assert_int_equal(wf_dp_address_clear(dp, 1, &at), 0);
}

static void hits_are_counted(void **state)
{
	const struct call_spec call = { CALL_TCP, "c1", VIP4, PORT };
	struct wf_dp_lb_memory memory;
	bool seen[2] = {};

	lab_lb_memory(dp, &memory);
	for (int i = 0; i < 32; i++)
		seen[run(&call).names[0] == 'b'] = true;
	assert_int_equal(memory.services[1].connections, 32);
	assert_true(seen[0] && seen[1]);
}

static void connected_datagrams_come_from_the_service(void **state)
{
	const struct call_spec calls[] = { { CALL_UDP, "c1", VIP4, PORT },
					   { CALL_UDP, "c1", VIP6, PORT } };

	for (size_t i = 0; i < 2; i++) {
		struct call_result result = run(&calls[i]);

		assert_int_equal(result.error, 0);
		assert_addr(&result.source, calls[i].address);
		assert_int_equal(result.source_port, PORT);
	}
}

static void one_socket_keeps_its_backend(void **state)
{
	static const struct call_spec calls[] = {
		{ CALL_DATAGRAMS, "c1", VIP4, PORT, .count = 12 },
		{ CALL_DATAGRAMS, "c1", VIP6, PORT, .count = 12 },
		{ CALL_DATAGRAMS, "c1", VIP4, PORT, .count = 12, .mapped = true },
		{ CALL_DATAGRAMS, CALLS_HOST, VIP4, PORT, .count = 12 },
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		struct call_result result = run(&calls[i]);

		assert_int_equal(result.error, 0);
		assert_int_equal(strspn(result.names, result.names[0] == 'a' ? "a" : "b"), 12);
		assert_addr(&result.source, calls[i].address);
		assert_int_equal(result.source_port, PORT);
	}
}

/* The backend of UDP over IPv4 that is still usable when a test takes the other away. */
static uint32_t spared;

static void take_backend_away(void)
{
	struct wf_dp_lb_memory memory;

	lab_lb_memory(dp, &memory);
	memory.backends[spared == 5 ? 6 : 5].flags = WF_BACKEND_VALID;
	for (uint32_t i = 0; i < WF_PICKS_PER_PAGE; i++)
		memory.pages[3].backends[i] = spared;
}

static void datagrams_move_when_their_backend_goes(void **state)
{
	const struct call_spec call = { CALL_DATAGRAMS, "c1", VIP4, PORT, .count = 4 };

	for (spared = 5; spared <= 6; spared++) {
		char stays = spared == 5 ? 'a' : 'b';
		struct call_result result;

		/* until the socket has the backend that goes */
		do {
			put_backends(3, false);
			call_run(&call, take_backend_away, &result);
			assert_int_equal(result.error, 0);
			assert_int_equal(result.names[3], stays);
		} while (result.names[0] == stays);
		assert_addr(&result.source, VIP4);
	}
}

static void refusals_have_their_error(void **state)
{
	struct wf_counter drops[WF_REASON_COUNT];

	assert_fails(&(struct call_spec){ CALL_TCP, "c1", VIP4, EMPTY }, ECONNREFUSED);
	assert_fails(&(struct call_spec){ CALL_UDP, "c1", VIP4, EMPTY }, ECONNREFUSED);
	assert_fails(&(struct call_spec){ CALL_DATAGRAMS, "c1", VIP4, EMPTY, 1 }, ECONNREFUSED);
	assert_fails(&(struct call_spec){ CALL_TCP, "c1", VIP4, LOCAL }, EHOSTUNREACH);
	assert_fails(&(struct call_spec){ CALL_TCP, "c1", VIP4, UNKNOWN }, ECONNREFUSED);
	assert_int_equal(wf_dp_drops_read(dp, drops), 0);
	assert_int_equal(drops[WF_REASON_SERVICE_NO_BACKEND].packets +
				 drops[WF_REASON_SERVICE_NOT_LOCAL].packets,
			 4);
	assert_int_equal(drops[WF_REASON_SERVICE_NO_PORT].packets, 1);
}

static void services_of_other_networks_are_not_seen(void **state)
{
	assert_talks(&(struct call_spec){ CALL_TCP, "c1", VIP4, PRIVATE });
	assert_fails(&(struct call_spec){ CALL_TCP, "c2", VIP4, PRIVATE }, ECONNREFUSED);
	assert_talks(&(struct call_spec){ CALL_TCP, "c2", VIP4, PORT });
}

static void sockets_of_unknown_namespaces_are_left_alone(void **state)
{
	const struct call_spec call = { CALL_TCP, "c2", VIP4, PORT };

	assert_talks(&call);
	assert_int_equal(wf_dp_netns_set(dp, call_cookie("c2"), NULL, NULL), 0);
	assert_fails(&call, ENETUNREACH);
	assert_fails(&(struct call_spec){ CALL_DATAGRAMS, "c2", VIP4, PORT, 1 }, ENETUNREACH);
	assert_fails(&(struct call_spec){ CALL_TCP, "c2", VIP4, EMPTY }, ENETUNREACH);
}

static void ports_of_the_host(void **state)
{
	assert_talks(&(struct call_spec){ CALL_TCP, CALLS_HOST, "127.0.0.1", NODEPORT });
	assert_talks(&(struct call_spec){ CALL_TCP, CALLS_HOST, "::1", NODEPORT });
	assert_talks(&(struct call_spec){ CALL_TCP, CALLS_HOST, "10.9.0.1", NODEPORT });
	assert_talks(&(struct call_spec){ CALL_TCP, "c1", "10.9.0.1", NODEPORT });
	assert_talks(&(struct call_spec){ CALL_TCP, CALLS_HOST, "127.0.0.1", RANGE + 3 });
	assert_talks(&(struct call_spec){ CALL_TCP, "c1", "10.9.0.1", RANGE + 3 });
	/* a container's loopback is its own, and so is another's address */
	assert_fails(&(struct call_spec){ CALL_TCP, "c1", "127.0.0.1", NODEPORT }, ECONNREFUSED);
	assert_fails(&(struct call_spec){ CALL_TCP, "c1", "::1", NODEPORT }, ECONNREFUSED);
	assert_fails(&(struct call_spec){ CALL_TCP, "c1", "0.0.0.0", NODEPORT }, ECONNREFUSED);
	assert_fails(&(struct call_spec){ CALL_TCP, "c1", "10.9.0.12", NODEPORT }, ECONNREFUSED);
	assert_fails(&(struct call_spec){ CALL_TCP, CALLS_HOST, "127.0.0.1", RANGE + 10 },
		     ECONNREFUSED);
}

static void bind_of_a_node_port_is_refused(void **state)
{
	static const char *const any[] = { "0.0.0.0", "127.0.0.1", "10.9.0.1", "::" };

	for (size_t i = 0; i < sizeof(any) / sizeof(any[0]); i++) {
		assert_fails(&(struct call_spec){ CALL_BIND, CALLS_HOST, any[i], NODEPORT },
			     EADDRINUSE);
		/* a runtime keeps the ports it has published to itself by binding them */
		assert_fails(&(struct call_spec){ CALL_BIND, CALLS_HOST, any[i], RANGE + 9 }, 0);
		assert_fails(&(struct call_spec){ CALL_BIND_UDP, CALLS_HOST, any[i], NODEPORT }, 0);
		assert_fails(&(struct call_spec){ CALL_BIND, CALLS_HOST, any[i], 0 }, 0);
	}
	assert_fails(&(struct call_spec){ CALL_BIND, CALLS_HOST, "::1", NODEPORT }, EADDRINUSE);
	assert_fails(&(struct call_spec){ CALL_BIND, "c1", "0.0.0.0", NODEPORT }, 0);
}

static uint32_t program_of_link(const char *name)
{
	struct bpf_link_info info = {};
	uint32_t bytes = sizeof(info);
	_cleanup_close_ int fd = -1;
	char path[256];

	(void)snprintf(path, sizeof(path), LAB_PINS "/links/%s", name);
	fd = bpf_obj_get(path);
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &bytes) < 0)
		return 0;
	return info.prog_id;
}

static void write_hash(uint64_t hash)
{
	struct wf_build_value build = { .hash = hash, .abi = WF_ABI_VERSION };
	_cleanup_close_ int fd = bpf_obj_get(LAB_PINS "/maps/wf_build");
	uint32_t zero = 0;

	assert_int_equal(bpf_map_update_elem(fd, &zero, &build, BPF_ANY), 0);
}

static void hooks_outlive_the_daemon_and_are_upgraded(void **state)
{
	const struct call_spec call = { CALL_TCP, "c1", VIP4, PORT };
	uint32_t program = program_of_link("connect4");

	assert_int_not_equal(program, 0);
	wf_dp_close(&dp);
	assert_talks(&call);
	assert_int_equal(wf_dp_open(LAB_BPF_DIR, NULL, &dp, NULL), 0);
	assert_true(wf_dp_adopted(dp));
	assert_true(wf_dp_sockets_attached(dp));
	assert_int_equal(wf_dp_sockets_attach(dp, cgroup, NULL), 0);
	assert_int_equal(program_of_link("connect4"), program);
	wf_dp_close(&dp);
	write_hash(1);
	assert_int_equal(wf_dp_open(LAB_BPF_DIR, NULL, &dp, NULL), 0);
	assert_false(wf_dp_adopted(dp));
	assert_int_not_equal(program_of_link("connect4"), program);
	assert_talks(&call);
}

static void hooks_can_move_and_go(void **state)
{
	const struct call_spec call = { CALL_TCP, "c1", VIP4, PORT };

	assert_talks(&call);
	assert_int_equal(wf_dp_sockets_attach(dp, other_cgroup, NULL), 0);
	assert_fails(&call, ENETUNREACH);
	assert_int_equal(wf_dp_sockets_attach(dp, cgroup, NULL), 0);
	assert_talks(&call);
	assert_int_equal(wf_dp_sockets_detach(dp), 0);
	assert_false(wf_dp_sockets_attached(dp));
	assert_int_equal(wf_dp_sockets_detach(dp), 0);
	assert_fails(&call, ENETUNREACH);
	assert_int_equal(wf_dp_sockets_attach(dp, cgroup, NULL), 0);
	assert_talks(&call);
	wf_dp_close(&dp);
	assert_int_equal(wf_dp_remove(LAB_BPF_DIR, NULL), 0);
	assert_fails(&call, ENETUNREACH);
}

/* A cgroup that is made anew has another number, and the links of the old one are dead. */
static void hooks_on_a_cgroup_that_was_made_anew(void **state)
{
	struct wf_err err = WF_ERR_INIT;

	assert_int_equal(wf_dp_sockets_attach(dp, other_cgroup, NULL), 0);
	assert_int_equal(rmdir(other_cgroup), 0);
	assert_int_equal(wf_dp_sockets_attach(dp, other_cgroup, &err), -ENOENT);
	assert_int_equal(mkdir(other_cgroup, 0755), 0);
	write_hash(1);
	wf_dp_close(&dp);
	assert_int_equal(wf_dp_open(LAB_BPF_DIR, NULL, &dp, NULL), 0);
	assert_int_equal(wf_dp_sockets_attach(dp, other_cgroup, NULL), 0);
	assert_int_equal(wf_dp_sockets_attach(dp, "/tmp", &err), -EOPNOTSUPP);
	assert_false(wf_dp_sockets_attached(dp));
}

static int build(void **state)
{
	lab_run("ip link add br0 type bridge && ip addr add 10.9.0.1/24 dev br0 && "
		"ip addr add fd09::1/64 dev br0 nodad && ip link set br0 up");
	add_netns("c1", 11);
	add_netns("c2", 12);
	add_netns("b1", 21);
	add_netns("b2", 22);
	servers[0] = call_serve("b1", SERVER, 'a');
	servers[1] = call_serve("b2", SERVER, 'b');
	(void)snprintf(cgroup, sizeof(cgroup), "%s/wt-%d", cgroup_root(), getpid());
	(void)snprintf(other_cgroup, sizeof(other_cgroup), "%s/wt-%d-other", cgroup_root(),
		       getpid());
	if (mkdir(cgroup, 0755) < 0 || mkdir(other_cgroup, 0755) < 0 || !join_cgroup(cgroup)) {
		(void)fprintf(stderr, "skipped: needs a cgroup of version 2: %s\n",
			      strerror(errno));
		exit(LAB_SKIP);
	}
	return 0;
}

static int demolish(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		(void)kill(servers[i], SIGKILL);
		(void)waitpid(servers[i], NULL, 0);
	}
	(void)join_cgroup(cgroup_root());
	(void)rmdir(cgroup);
	(void)rmdir(other_cgroup);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(connected_sockets_reach_a_backend_and_see_the_service),
		TEST(what_is_a_scope_sees_its_own_services_alone),
		TEST(hits_are_counted),
		TEST(connected_datagrams_come_from_the_service),
		TEST(one_socket_keeps_its_backend),
		TEST(datagrams_move_when_their_backend_goes),
		TEST(refusals_have_their_error),
		TEST(services_of_other_networks_are_not_seen),
		TEST(sockets_of_unknown_namespaces_are_left_alone),
		TEST(ports_of_the_host),
		TEST(bind_of_a_node_port_is_refused),
		TEST(hooks_outlive_the_daemon_and_are_upgraded),
		TEST(hooks_can_move_and_go),
		TEST(hooks_on_a_cgroup_that_was_made_anew),
	};

	lab_enter();
	return cmocka_run_group_tests(tests, build, demolish);
}
