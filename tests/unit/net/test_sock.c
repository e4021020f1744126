/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "lab.h"
#include "net/sock.h"

/* An address and port as the kernel wants it; IPv4 stays mapped in an AF_INET6 socket. */
static socklen_t fill(struct sockaddr_storage *storage, int family, const char *text, uint16_t port)
{
	struct sockaddr_in *four = (void *)storage;
	struct sockaddr_in6 *six = (void *)storage;

	memset(storage, 0, sizeof(*storage));
	storage->ss_family = (sa_family_t)family;
	if (family == AF_INET) {
		four->sin_port = htons(port);
		assert_int_equal(inet_pton(AF_INET, text, &four->sin_addr), 1);
		return sizeof(*four);
	}
	six->sin6_port = htons(port);
	assert_int_equal(inet_pton(AF_INET6, text, &six->sin6_addr), 1);
	return sizeof(*six);
}

/* A bound socket, listening if TCP. */
static int serve(int family, int type, const char *text, uint16_t port, int only_ip6)
{
	int fd = socket(family, type | SOCK_CLOEXEC, 0), on = 1;
	struct sockaddr_storage addr;
	socklen_t bytes = fill(&addr, family, text, port);

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	if (family == AF_INET6)
		assert_int_equal(
			setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_ip6, sizeof(only_ip6)), 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&addr, bytes), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static int dial(int family, int type, const char *text, uint16_t port)
{
	int fd = socket(family, type | SOCK_CLOEXEC, 0);
	struct sockaddr_storage addr;
	socklen_t bytes = fill(&addr, family, text, port);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&addr, bytes), 0);
	return fd;
}

struct bound {
	int family, type;
	const char *addr;
	int only_ip6;
	/* what clashes with it, and what does not; "" ends */
	const char *clashes[6], *passes[6];
};

static const struct bound bounds[] = {
	{ AF_INET,
	  SOCK_STREAM,
	  "0.0.0.0",
	  0,
	  { "::", "0.0.0.0", "10.3.0.1", "127.0.0.1", "" },
	  { "fd03::1", "::1", "" } },
	{ AF_INET,
	  SOCK_STREAM,
	  "10.3.0.1",
	  0,
	  { "::", "0.0.0.0", "10.3.0.1", "" },
	  { "127.0.0.1", "fd03::1", "" } },
	{ AF_INET6,
	  SOCK_STREAM,
	  "::",
	  0,
	  { "::", "0.0.0.0", "10.3.0.1", "fd03::1", "::1", "" },
	  { "" } },
	{ AF_INET6,
	  SOCK_STREAM,
	  "::",
	  1,
	  { "::", "fd03::1", "::1", "" },
	  { "0.0.0.0", "10.3.0.1", "" } },
	{ AF_INET6,
	  SOCK_STREAM,
	  "fd03::1",
	  0,
	  { "::", "fd03::1", "" },
	  { "0.0.0.0", "10.3.0.1", "::1", "" } },
	{ AF_INET6,
	  SOCK_STREAM,
	  "::ffff:10.3.0.1",
	  0,
	  { "::", "0.0.0.0", "10.3.0.1", "" },
	  { "127.0.0.1", "fd03::1", "" } },
	{ AF_INET,
	  SOCK_DGRAM,
	  "127.0.0.1",
	  0,
	  { "::", "0.0.0.0", "127.0.0.1", "" },
	  { "10.3.0.1", "::1", "" } },
	{ AF_INET6, SOCK_DGRAM, "::", 0, { "::", "0.0.0.0", "10.3.0.1", "fd03::1", "" }, { "" } },
	{ AF_INET6, SOCK_DGRAM, "::", 1, { "::", "fd03::1", "" }, { "10.3.0.1", "" } },
};

#define PORT 4711

static int ask(struct lab *lab, uint8_t proto, const char *text, uint16_t first, uint16_t last,
	       char owner[96])
{
	struct wf_addr addr = lab_addr(text);
	uint16_t port = 1;
	int r = wf_net_port_owner(lab->net, proto, &addr, first, last, &port, owner, &lab->err);

	assert_true(r >= 0);
	if (r == 1)
		assert_int_equal(port, PORT);
	return r;
}

static void make_addresses(struct lab *lab)
{
	(void)lab_make_veth(lab, "up0", -1);
	(void)lab_run(-1, "ip link set up0 up; ip link set up0p up; ip addr add 10.3.0.1/24 dev "
			  "up0; ip addr add fd03::1/64 dev up0 nodad");
}

static void test_clashes(void **state)
{
	struct lab *lab = *state;
	char owner[96], expected[96];

	make_addresses(lab);
	(void)prctl(PR_SET_NAME, "a\nserver");
	(void)snprintf(expected, sizeof(expected), "a?server (pid %d)", getpid());
	for (size_t i = 0; i < WF_ARRAY_LEN(bounds); i++) {
		const struct bound *row = &bounds[i];
		const bool is_tcp = row->type == SOCK_STREAM;
		const uint8_t proto = is_tcp ? IPPROTO_TCP : IPPROTO_UDP;
		int fd = serve(row->family, row->type, row->addr, PORT, row->only_ip6);

		for (size_t k = 0; *row->clashes[k]; k++) {
			memset(owner, 0, sizeof(owner));
			if (ask(lab, proto, row->clashes[k], PORT, PORT, owner) != 1)
				fail_msg("row %zu does not clash with %s", i, row->clashes[k]);
			assert_string_equal(owner, expected);
			assert_int_equal(ask(lab, is_tcp ? IPPROTO_UDP : IPPROTO_TCP,
					     row->clashes[k], PORT, PORT, owner),
					 0);
		}
		for (size_t k = 0; *row->passes[k]; k++)
			if (ask(lab, proto, row->passes[k], PORT, PORT, owner))
				fail_msg("row %zu clashes with %s", i, row->passes[k]);
		(void)close(fd);
		assert_int_equal(ask(lab, proto, "::", PORT, PORT, owner), 0);
	}
	assert_int_equal(ask(lab, IPPROTO_SCTP, "::", 1, 65535, owner), 0);
	(void)prctl(PR_SET_NAME, "test");
}

/* Runs of ports; what is connected is no server; other namespaces are other hosts. */
static void test_ranges_and_others(void **state)
{
	struct lab *lab = *state;
	int box = lab_container(), low, high, client, server;
	char owner[96];

	make_addresses(lab);
	low = serve(AF_INET, SOCK_STREAM, "0.0.0.0", PORT, 0);
	high = serve(AF_INET6, SOCK_STREAM, "::", PORT + 3, 0);
	assert_int_equal(ask(lab, IPPROTO_TCP, "::", PORT - 10, PORT + 10, owner), 1);
	assert_int_equal(ask(lab, IPPROTO_TCP, "::", PORT, PORT, owner), 1);
	assert_int_equal(ask(lab, IPPROTO_TCP, "::", 1, 65535, owner), 1);
	assert_int_equal(ask(lab, IPPROTO_TCP, "::", PORT + 1, PORT + 2, owner), 0);
	assert_int_equal(ask(lab, IPPROTO_TCP, "::", PORT + 4, 65535, owner), 0);
	assert_int_equal(ask(lab, IPPROTO_TCP, "::", 1, PORT - 1, owner), 0);
	(void)close(high);
	/* the server's side of a connection keeps the port after it stopped to listen */
	client = dial(AF_INET, SOCK_STREAM, "10.3.0.1", PORT);
	server = accept(low, NULL, NULL);
	assert_true(server >= 0);
	(void)close(low);
	assert_int_equal(ask(lab, IPPROTO_TCP, "::", 1, 65535, owner), 0);
	(void)close(server);
	(void)close(client);
	/* a client of UDP has a port too */
	client = dial(AF_INET, SOCK_DGRAM, "10.3.0.1", PORT);
	assert_int_equal(ask(lab, IPPROTO_UDP, "::", 1, 65535, owner), 0);
	(void)close(client);
	/* a container's own ports are no business of the host */
	assert_int_equal(setns(box, CLONE_NEWNET), 0);
	low = serve(AF_INET, SOCK_STREAM, "0.0.0.0", PORT, 0);
	lab_go_home();
	assert_int_equal(ask(lab, IPPROTO_TCP, "::", 1, 65535, owner), 0);
	(void)close(low);
	(void)close(box);
}

/* A socket that no process has open any more, but in a message that nobody has read. */
static void test_owner_without_process(void **state)
{
	struct lab *lab = *state;
	char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = { 0 };
	char byte = 0, owner[96];
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	int fd = serve(AF_INET, SOCK_STREAM, "0.0.0.0", PORT, 0), pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	assert_int_equal(sendmsg(pair[0], &message, 0), 1);
	(void)close(fd);
	assert_int_equal(ask(lab, IPPROTO_TCP, "::", PORT, PORT, owner), 1);
	assert_string_equal(owner, "a socket of uid 0");
	(void)close(pair[0]);
	(void)close(pair[1]);
	assert_int_equal(ask(lab, IPPROTO_TCP, "::", PORT, PORT, owner), 0);
}

/* ---- ending ------------------------------------------------------------------------------- */

/* The pending error of a socket; 0: it is well. */
static int error_of(int fd)
{
	int error = -1;
	socklen_t bytes = sizeof(error);

	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &bytes), 0);
	return error;
}

static int destroy(struct lab *lab, int netns_fd, uint8_t proto, const char *text, uint16_t port)
{
	struct wf_addr addr = lab_addr(text);
	int r = wf_net_socks_destroy(lab->net, netns_fd, proto, &addr, port, &lab->err);

	if (r < 0)
		print_error("%s\n", lab->err.message);
	return r;
}

struct talk {
	int client_family, server_family, type;
	const char *client_says, *server; /* where the client connects to, where the server is */
	const char *ended;                /* what is given to destroy */
};

static const struct talk talks[] = {
	{ AF_INET, AF_INET, SOCK_STREAM, "10.3.0.1", "0.0.0.0", "10.3.0.1" },
	{ AF_INET6, AF_INET6, SOCK_STREAM, "fd03::1", "::", "fd03::1" },
	{ AF_INET6, AF_INET, SOCK_STREAM, "::ffff:10.3.0.1", "0.0.0.0", "10.3.0.1" },
	{ AF_INET, AF_INET, SOCK_DGRAM, "10.3.0.1", "0.0.0.0", "10.3.0.1" },
	{ AF_INET6, AF_INET6, SOCK_DGRAM, "fd03::1", "::", "fd03::1" },
	{ AF_INET6, AF_INET, SOCK_DGRAM, "::ffff:10.3.0.1", "0.0.0.0", "10.3.0.1" },
};

/* Inside of a namespace only the socket with that peer ends, and none of the host. */
static void see_cookie(uint64_t cookie, void *context)
{
	uint64_t *wanted = context;

	for (int i = 0; i < 3; i++)
		if (wanted[i] == cookie)
			wanted[i] = 0;
}

static uint64_t cookie_of(int fd)
{
	uint64_t cookie = 0;
	socklen_t bytes = sizeof(cookie);

	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &bytes), 0);
	return cookie;
}

/* Of sockets that somebody holds; of one that was closed and still says goodbye not. */
static void test_cookies(void **state)
{
	struct lab *lab = *state;
	int server = serve(AF_INET, SOCK_STREAM, "127.0.0.1", 7000, 0);
	int tcp = dial(AF_INET, SOCK_STREAM, "127.0.0.1", 7000);
	int udp = dial(AF_INET6, SOCK_DGRAM, "::1", 7001);
	int closed = dial(AF_INET, SOCK_STREAM, "127.0.0.1", 7000);
	uint64_t wanted[] = { cookie_of(tcp), cookie_of(udp), cookie_of(closed) };

	(void)close(closed);
	lab_ok(lab, wf_net_cookies_visit(lab->net, -1, see_cookie, wanted, &lab->err));
	assert_int_equal(wanted[0], 0);
	assert_int_equal(wanted[1], 0);
	assert_int_not_equal(wanted[2], 0);
	(void)close(tcp);
	(void)close(udp);
	(void)close(server);
}

static void test_destroy(void **state)
{
	struct lab *lab = *state;
	int box = lab_container();

	make_addresses(lab);
	for (size_t i = 0; i < WF_ARRAY_LEN(talks); i++) {
		const struct talk *row = &talks[i];
		const uint8_t proto = row->type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
		int server, other, client, bystander, outside, outside_server;

		outside_server = serve(row->server_family, row->type, row->server, PORT, 0);
		outside = dial(row->client_family, row->type, row->client_says, PORT);
		(void)lab_run(box, "ip link set lo up; ip addr replace 10.3.0.1/32 dev lo; "
				   "ip addr replace fd03::1/128 dev lo nodad");
		assert_int_equal(setns(box, CLONE_NEWNET), 0);
		server = serve(row->server_family, row->type, row->server, PORT, 0);
		other = serve(row->server_family, row->type, row->server, PORT + 1, 0);
		client = dial(row->client_family, row->type, row->client_says, PORT);
		bystander = dial(row->client_family, row->type, row->client_says, PORT + 1);
		lab_go_home();

		assert_int_equal(destroy(lab, box, proto, "10.3.0.9", PORT), 0);
		assert_int_equal(destroy(lab, box, proto, row->ended, PORT + 2), 0);
		assert_int_equal(error_of(client), 0);
		assert_int_equal(destroy(lab, box, proto, row->ended, PORT), 1);
		assert_int_equal(error_of(client), ECONNABORTED);
		assert_int_equal(error_of(bystander), 0);
		assert_int_equal(error_of(outside), 0);
		assert_int_equal(destroy(lab, box, proto, row->ended, PORT), 0);
		/* the host's own */
		assert_int_equal(destroy(lab, -1, proto, row->ended, PORT), 1);
		assert_int_equal(error_of(outside), ECONNABORTED);
		assert_int_equal(error_of(bystander), 0);
		(void)close(server);
		(void)close(other);
		(void)close(client);
		(void)close(bystander);
		(void)close(outside);
		(void)close(outside_server);
	}
	assert_int_equal(destroy(lab, box, IPPROTO_SCTP, "10.3.0.1", PORT), 0);
	(void)close(box);
}

/* More than one send and one receive buffer hold; and one that is still waiting for an answer. */
static void test_destroy_many(void **state)
{
	struct lab *lab = *state;
	struct sockaddr_storage addr;
	socklen_t bytes = fill(&addr, AF_INET, "10.3.0.99", PORT);
	int fds[400], waiting = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	make_addresses(lab);
	for (size_t i = 0; i < WF_ARRAY_LEN(fds); i++)
		fds[i] = dial(AF_INET, SOCK_DGRAM, "10.3.0.1", PORT);
	assert_int_equal(destroy(lab, -1, IPPROTO_UDP, "10.3.0.1", PORT), WF_ARRAY_LEN(fds));
	for (size_t i = 0; i < WF_ARRAY_LEN(fds); i++) {
		assert_int_equal(error_of(fds[i]), ECONNABORTED);
		(void)close(fds[i]);
	}
	/* nobody answers there */
	assert_int_equal(connect(waiting, (const struct sockaddr *)&addr, bytes), -1);
	assert_int_equal(errno, EINPROGRESS);
	assert_int_equal(destroy(lab, -1, IPPROTO_TCP, "10.3.0.99", PORT), 1);
	assert_int_equal(error_of(waiting), ECONNABORTED);
	(void)close(waiting);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_clashes, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_ranges_and_others, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_owner_without_process, lab_setup,
						lab_teardown),
		cmocka_unit_test_setup_teardown(test_cookies, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_destroy, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_destroy_many, lab_setup, lab_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
