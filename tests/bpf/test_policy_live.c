/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies under real traffic, between namespaces: one connection that lives through changes. See
 * node.h for the picture.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>

#include "base/mem.h"
#include "lab.h"
#include "node.h"
#include "rules.h"
#include "traffic.h"

#define PORT     7100
#define SOON_MS  300
#define LATER_MS 3000

#define WEB     10
#define NOTHING 11

static struct wf_dp *dp;

static const struct rule web[] = {
	{ 0, 0, WF_POLICY_DENY, 20 },
	{ IPPROTO_TCP, PORT, WF_POLICY_ALLOW, 21 },
	{ IPPROTO_TCP, PORT + 1, WF_POLICY_DENY, 20 },
};
static const struct rule nothing[] = { { 0, 0, WF_POLICY_DENY, 10 } };

static int set_up(void **state)
{
	struct wf_err err = WF_ERR_INIT;

	if (wf_dp_open(LAB_BPF_DIR, NULL, &dp, &err) < 0)
		fail_msg("%s", err.message);
	node_build(dp);
	return 0;
}

static int tear_down(void **state)
{
	node_remove();
	assert_int_equal(wf_dp_remove(LAB_BPF_DIR, NULL), 0);
	wf_dp_close(&dp);
	return 0;
}

static int begin(void **state)
{
	rules_reset(dp);
	rules_profile(dp, WEB, web, sizeof(web) / sizeof(web[0]));
	rules_profile(dp, NOTHING, nothing, 1);
	return 0;
}

/* A socket in a namespace ("" is the test's own); the thread comes back. */
static int socket_in(const char *netns, int type)
{
	_cleanup_close_ int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int there = -1;
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "/run/netns/%s", netns);
	there = open(*netns ? path : "/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_int_equal(setns(there, CLONE_NEWNET), 0);
	fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	assert_true(fd >= 0);
	return fd;
}

static struct sockaddr_in address(const char *text, uint16_t port)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(port) };

	assert_int_equal(inet_pton(AF_INET, text, &name.sin_addr), 1);
	return name;
}

static int listen_in(const char *netns, const char *text, uint16_t port)
{
	const struct sockaddr_in name = address(text, port);
	int fd = socket_in(netns, SOCK_STREAM);

	assert_int_equal(bind(fd, (const struct sockaddr *)&name, sizeof(name)), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

static bool is_ready(int fd, short events, int patience_ms)
{
	struct pollfd poller = { .fd = fd, .events = events };

	return poll(&poller, 1, patience_ms) == 1 && poller.revents & events;
}

/* Connects; whether it was answered. */
static bool connects(const char *netns, const char *text, uint16_t port, int *ret_fd)
{
	const struct sockaddr_in name = address(text, port);
	int error = 0;
	socklen_t bytes = sizeof(error);

	*ret_fd = socket_in(netns, SOCK_STREAM);
	(void)!connect(*ret_fd, (const struct sockaddr *)&name, sizeof(name));
	return is_ready(*ret_fd, POLLOUT, SOON_MS) &&
	       getsockopt(*ret_fd, SOL_SOCKET, SO_ERROR, &error, &bytes) == 0 && error == 0;
}

/* Sends a byte; whether it arrived at the other end. */
static bool passes(int from, int to, int patience_ms)
{
	char byte = 'x';

	return send(from, &byte, 1, MSG_NOSIGNAL) == 1 && is_ready(to, POLLIN, patience_ms) &&
	       recv(to, &byte, 1, 0) == 1;
}

static void a_revision_cuts_what_it_forbids(void **state)
{
	_cleanup_close_ int server = listen_in("c2", "10.1.0.12", PORT);
	_cleanup_close_ int other = listen_in("c1", "10.1.0.11", PORT);
	_cleanup_close_ int client = -1, accepted = -1, back = -1, again = -1, denied = -1;

	/* the probe sees it: both ways before there is a policy */
	assert_true(connects("c2", "10.1.0.11", PORT, &back));
	rules_subject(dp, 2, WEB, NOTHING, 0);
	assert_int_equal(wf_dp_policy_revise(dp, NULL), 0);
	assert_true(connects("c1", "10.1.0.12", PORT, &client));
	accepted = accept4(server, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	assert_true(accepted >= 0);
	assert_true(passes(client, accepted, SOON_MS));
	assert_true(passes(accepted, client, SOON_MS));
	/* answers are no leave to begin */
	assert_false(connects("c2", "10.1.0.11", PORT, &again));
	assert_false(traffic_ping("c2", "10.1.0.11"));
	assert_true(rules_hits(dp, 10) > 0);
	rules_subject(dp, 2, NOTHING, NOTHING, 0);
	assert_int_equal(wf_dp_policy_revise(dp, NULL), 0);
	assert_false(passes(client, accepted, SOON_MS));
	assert_false(connects("c1", "10.1.0.12", PORT, &denied));
	/* allowed again it goes on where it was: TCP sends once more */
	rules_subject(dp, 2, WEB, NOTHING, 0);
	assert_int_equal(wf_dp_policy_revise(dp, NULL), 0);
	assert_true(is_ready(accepted, POLLIN, LATER_MS));
}

/* What a container marks loses its mark on the way out: it cannot pass for a question. */
static void a_container_cannot_mark(void **state)
{
	const struct wf_config_value config = { .host_ifindex = 1 };
	const struct sockaddr_in name = address("10.1.0.12", PORT);
	_cleanup_close_ int client = socket_in("c1", SOCK_DGRAM);
	_cleanup_close_ int server = socket_in("c2", SOCK_DGRAM);
	_cleanup_close_ int map = bpf_obj_get(LAB_PINS "/maps/wf_config");
	struct wf_config_value tracing = config;
	uint32_t zero = 0, mark = 0x77;
	char byte = 'x';

	assert_int_equal(bpf_map_lookup_elem(map, &zero, &tracing), 0);
	tracing.trace = mark;
	assert_int_equal(bpf_map_update_elem(map, &zero, &tracing, BPF_ANY), 0);
	assert_int_equal(bind(server, (const struct sockaddr *)&name, sizeof(name)), 0);
	assert_int_equal(setsockopt(client, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)), 0);
	assert_int_equal(sendto(client, &byte, 1, 0, (const struct sockaddr *)&name, sizeof(name)),
			 1);
	/* a question would have ended at the judge */
	assert_true(is_ready(server, POLLIN, SOON_MS));
	tracing.trace = 0;
	assert_int_equal(bpf_map_update_elem(map, &zero, &tracing, BPF_ANY), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_revision_cuts_what_it_forbids, begin),
		cmocka_unit_test_setup(a_container_cannot_mark, begin),
	};

	lab_enter();
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
