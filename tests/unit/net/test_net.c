/* SPDX-License-Identifier: Apache-2.0 */
/* The handle as a whole: namespaces by path, links by name, nothing leaked. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lab.h"
#include "net/sock.h"
#include "net/uplink.h"

static void test_ns_open_errors(void **state)
{
	struct lab *lab = *state;
	struct wf_net_ns_id id;
	char fifo[64];
	int fd = 77;

	assert_int_equal(wf_net_ns_open("/nonexistent/ns", &fd, &id, &lab->err), -ESRCH);
	assert_non_null(strstr(lab->err.message, "cannot open the network namespace /nonexistent"));
	assert_int_equal(wf_net_ns_open("/etc/passwd", &fd, &id, &lab->err), -ESRCH);
	assert_non_null(strstr(lab->err.message, "/etc/passwd is not a network namespace"));
	assert_int_equal(wf_net_ns_open("/proc/self/ns/mnt", &fd, &id, &lab->err), -ESRCH);
	assert_int_equal(wf_net_ns_open("/", &fd, &id, &lab->err), -ESRCH);
	assert_int_equal(wf_net_ns_open("/proc/self/ns/net", &fd, &id, &lab->err), -ESRCH);
	assert_non_null(strstr(lab->err.message, "the host's own"));
	(void)snprintf(fifo, sizeof(fifo), "/tmp/weft-test-fifo-%d", getpid());
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(wf_net_ns_open(fifo, &fd, &id, &lab->err), -ESRCH);
	(void)unlink(fifo);
	assert_int_equal(fd, 77);
}

static void test_ns_open(void **state)
{
	struct lab *lab = *state;
	int box = lab_container(), fd = -1;
	struct wf_net_ns_id id;
	struct lab_endpoint e;
	char path[64], file[64];
	int32_t nsid;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", box);
	lab_ok(lab, wf_net_ns_open(path, &fd, &id, &lab->err));
	assert_false(wf_net_ns_is_own(&id));
	assert_int_equal(wf_net_ns_alive(path, &id), 1);
	/* a path that leads elsewhere by now, or nowhere */
	assert_int_equal(wf_net_ns_alive("/proc/self/ns/net", &id), 0);
	assert_int_equal(wf_net_ns_alive("/nonexistent/ns", &id), 0);
	(void)close(fd);
	/* as runtimes do it: bound to a file, which messages then name */
	(void)snprintf(file, sizeof(file), "/tmp/weft-test-ns-%d", getpid());
	(void)close(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(mount(path, file, NULL, MS_BIND, NULL), 0);
	lab_ok(lab, wf_net_ns_open(file, &fd, &id, &lab->err));
	lab_endpoint_init(&e, fd, 1, "10.9.0.2/24", NULL);
	(void)lab_run(fd, "ip link add eth0 type veth peer name other");
	assert_int_equal(wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err), -EEXIST);
	assert_non_null(
		strstr(lab->err.message, "interface eth0 exists already in /tmp/weft-test"));
	(void)close(fd);
	(void)umount2(file, MNT_DETACH);
	(void)unlink(file);
	(void)close(box);
}

/* Each namespace has a number of its own, the one that its sockets have. */
static void test_ns_cookie(void **state)
{
	struct lab *lab = *state;
	int boxes[2] = { lab_container(), lab_container() };
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), fd;
	uint64_t own = 0, cookies[2] = { 0 }, by_hand = 0;
	struct stat home = { 0 }, now = { 0 };
	socklen_t bytes = sizeof(by_hand);

	assert_int_equal(stat("/proc/thread-self/ns/net", &home), 0);
	lab_ok(lab, wf_net_ns_cookie(-1, &own, &lab->err));
	for (size_t i = 0; i < 2; i++) {
		lab_ok(lab, wf_net_ns_cookie(boxes[i], &cookies[i], &lab->err));
		assert_int_equal(setns(boxes[i], CLONE_NEWNET), 0);
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		lab_go_home();
		assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &by_hand, &bytes), 0);
		assert_int_equal(cookies[i], by_hand);
		(void)close(fd);
	}
	assert_true(own && own != cookies[0] && own != cookies[1] && cookies[0] != cookies[1]);
	/* a visit ends where it began, the one that failed as well */
	assert_true(wf_net_ns_cookie(null, &own, &lab->err) < 0);
	assert_non_null(strstr(lab->err.message, "cannot enter the network namespace /dev/null"));
	assert_int_equal(stat("/proc/thread-self/ns/net", &now), 0);
	assert_int_equal(now.st_ino, home.st_ino);
	(void)close(null);
	(void)close(boxes[0]);
	(void)close(boxes[1]);
}

static void test_create_in_no_namespace(void **state)
{
	struct lab *lab = *state;
	struct lab_endpoint e;
	int32_t nsid;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	lab_endpoint_init(&e, null, 1, "10.9.0.2/24", NULL);
	assert_true(wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err) < 0);
	assert_non_null(strstr(lab->err.message, "cannot enter the network namespace /dev/null"));
	lab_assert_lacks(-1, "ip link", "wft1");
	(void)close(null);
}

static void count_link(const struct wf_net_link *link, void *context)
{
	size_t *count = context;

	if (strncmp(link->name, "dev", 3) == 0 && strcmp(link->kind, "veth") == 0)
		(*count)++;
}

static void test_links(void **state)
{
	struct lab *lab = *state;
	struct wf_net_link link;
	char names[256];
	size_t count = 0;

	(void)lab_run(-1, "ip link add dev0 type veth peer name dev1; ip link set dev0 up mtu 1333 "
			  "alias 'what it is'");
	lab_ok(lab, wf_net_link_dump(lab->net, count_link, &count, &lab->err));
	assert_int_equal(count, 2);
	lab_ok(lab, wf_net_link_find(lab->net, "dev0", 0, &link, names, &lab->err));
	assert_string_equal(link.name, "dev0");
	assert_string_equal(link.kind, "veth");
	assert_string_equal(link.alias, "what it is");
	assert_int_equal(link.mtu, 1333);
	assert_int_equal(link.peer_nsid, -1);
	assert_true(link.up);
	lab_ok(lab, wf_net_link_find(lab->net, NULL, link.parent, &link, names, &lab->err));
	assert_string_equal(link.name, "dev1");
	assert_false(link.up);
	lab_ok(lab, wf_net_link_del(lab->net, link.ifindex, &lab->err));
	lab_ok(lab, wf_net_link_del(lab->net, link.ifindex, &lab->err));
	assert_int_equal(wf_net_link_find(lab->net, "dev0", 0, &link, names, &lab->err), -ENODEV);
	/* an alias that does not fit is cut, never overruns */
	(void)lab_run(-1, "ip link add dev0 type veth; ip link set dev0 alias $(printf %%0250d 7)");
	lab_ok(lab, wf_net_link_find(lab->net, "dev0", 0, &link, names, &lab->err));
	assert_true(strlen(link.alias) > 200);
	assert_true(link.alias + strlen(link.alias) < names + sizeof(names));
}

/* Everything that opens a socket or a file of its own. */
static void ask_everything(struct lab *lab, int box)
{
	struct wf_addr any = { 0 }, one = lab_addr("10.9.0.7");
	uint32_t ingress, egress;
	bool is_present;
	uint64_t cookie;
	char text[WF_NET_CHANGED_BYTES];
	uint16_t port;

	assert_true(wf_net_port_owner(lab->net, IPPROTO_TCP, &any, 1, 65535, &port, text,
				      &lab->err) >= 0);
	assert_int_equal(wf_net_socks_destroy(lab->net, box, IPPROTO_UDP, &one, 53, &lab->err), 0);
	lab_ok(lab, wf_net_ns_cookie(box, &cookie, &lab->err));
	lab_ok(lab, wf_net_firewall_present(lab->net, &is_present, &lab->err));
	lab_ok(lab, wf_net_forwarding_enable(lab->net, true, true, text, &lab->err));
	assert_int_equal(wf_net_uplink_get(lab->net, 4242, &ingress, &egress, &lab->err), -ENODEV);
}

static void test_no_leaks(void **state)
{
	struct lab *lab = *state;
	size_t fds, threads;
	int box = lab_container();
	struct lab_endpoint e;
	int32_t nsid;

	lab_endpoint_init(&e, box, 1, "10.9.0.2/24", "fd09::2/64");
	wf_net_close(&lab->net);
	fds = lab_count_fds();
	threads = lab_count_threads();
	for (int i = 0; i < 10; i++) {
		lab_ok(lab, wf_net_open(&lab->net, &lab->err));
		assert_int_equal(lab_count_threads(), threads + 1);
		lab_ok(lab, wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err));
		assert_int_equal(wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err),
				 -EEXIST);
		lab_ok(lab, wf_net_endpoint_check(lab->net, &e.endpoint, &lab->err));
		lab_ok(lab, wf_net_host_side_repair(lab->net, &e.endpoint, &lab->err));
		ask_everything(lab, box);
		if (i % 2)
			assert_int_equal(wf_net_endpoint_bury(lab->net, LAB_SLOT(1)), 0);
		else
			assert_int_equal(wf_net_inner_bury(lab->net, box, "eth0"), 0);
		wf_net_close(&lab->net);
		assert_int_equal(lab_count_fds(), fds);
		assert_true(lab_await_threads(threads));
	}
	(void)close(box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ns_open_errors, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_ns_open, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_ns_cookie, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_create_in_no_namespace, lab_setup,
						lab_teardown),
		cmocka_unit_test_setup_teardown(test_links, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_no_leaks, lab_setup, lab_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
