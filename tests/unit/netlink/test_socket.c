/* SPDX-License-Identifier: Apache-2.0 */
/* Against the kernel, in a namespace of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static ssize_t interrupting_recvmsg(int fd, struct msghdr *header, int flags);

#define recvmsg interrupting_recvmsg
#include "netlink/socket.c"
#undef recvmsg

/* So many dumps to come are marked as interrupted, as the kernel does when a table changes. */
static int interrupted_dumps;

static ssize_t interrupting_recvmsg(int fd, struct msghdr *header, int flags)
{
	ssize_t got = recvmsg(fd, header, flags);
	struct nlmsghdr *message = header->msg_iov->iov_base;

	if (got >= (ssize_t)sizeof(*message) && message->nlmsg_flags & NLM_F_MULTI &&
	    interrupted_dumps) {
		message->nlmsg_flags |= NLM_F_DUMP_INTR;
		if (message->nlmsg_type == NLMSG_DONE)
			interrupted_dumps--;
	}
	return got;
}

static struct wf_netlink_socket netlink = WF_NETLINK_SOCKET_INIT;
static struct wf_netlink_batch batch;

static int setup(void **state)
{
	wf_netlink_batch_clear(&batch);
	if (netlink.fd >= 0)
		return 0;
	if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0) {
		print_message("needs root\n");
		exit(77);
	}
	return wf_netlink_open(&netlink, NULL);
}

static void put_link(const char *name, uint16_t type)
{
	static const struct ifinfomsg header;
	wf_netlink_nest info;

	wf_netlink_batch_begin(&batch, type, type == RTM_NEWLINK ? NLM_F_CREATE | NLM_F_EXCL : 0,
			       &header, sizeof(header));
	wf_netlink_put_text(&batch, IFLA_IFNAME, name);
	if (type != RTM_NEWLINK)
		return;
	info = wf_netlink_nest_begin(&batch, IFLA_LINKINFO);
	wf_netlink_put_text(&batch, IFLA_INFO_KIND, "bridge");
	wf_netlink_nest_end(&batch, info);
}

static void test_failure_names_its_message(void **state)
{
	struct wf_netlink_failure failure;
	struct wf_err err = WF_ERR_INIT;

	put_link("one", RTM_NEWLINK);
	put_link("two", RTM_NEWLINK);
	put_link("two", RTM_NEWLINK);
	put_link("three", RTM_NEWLINK);
	put_link("none", RTM_DELLINK);
	assert_int_equal(wf_netlink_transact(&netlink, &batch, NULL, NULL, &failure, &err),
			 -EEXIST);
	assert_int_equal(failure.index, 2);
	assert_string_equal(err.message, "File exists");
	/* the others were carried out: a batch is no transaction */
	assert_true(if_nametoindex("three") > 0);
	wf_netlink_batch_clear(&batch);
	put_link("one", RTM_DELLINK);
	put_link("two", RTM_DELLINK);
	put_link("none", RTM_DELLINK);
	wf_netlink_batch_tolerate(&batch, -ENODEV);
	put_link("three", RTM_DELLINK);
	assert_int_equal(wf_netlink_transact(&netlink, &batch, NULL, NULL, NULL, NULL), 0);
	assert_int_equal(if_nametoindex("one"), 0);
}

static void test_kernel_explains(void **state)
{
	struct wf_netlink_failure failure;
	struct wf_err err = WF_ERR_INIT;

	put_link("bad", RTM_NEWLINK);
	/* a broken attribute: a string where a number is due */
	wf_netlink_put_u8(&batch, IFLA_MTU, 1);
	assert_int_equal(wf_netlink_transact(&netlink, &batch, NULL, NULL, &failure, &err),
			 -ERANGE);
	assert_string_equal(failure.text, "Attribute failed policy validation");
	assert_non_null(strstr(err.message, "(Attribute failed policy validation)"));
}

static void test_more_than_one_send(void **state)
{
	struct wf_netlink_failure failure;

	for (int i = 0; i < 300; i++)
		put_link("none", RTM_DELLINK);
	assert_int_equal(wf_netlink_transact(&netlink, &batch, NULL, NULL, &failure, NULL),
			 -ENODEV);
	assert_int_equal(failure.index, 0);
	wf_netlink_batch_clear(&batch);
	for (int i = 0; i < 300; i++) {
		put_link("none", RTM_DELLINK);
		if (i != 250)
			wf_netlink_batch_tolerate(&batch, -ENODEV);
	}
	assert_int_equal(wf_netlink_transact(&netlink, &batch, NULL, NULL, &failure, NULL),
			 -ENODEV);
	assert_int_equal(failure.index, 250);
}

static void test_empty_and_broken_batch(void **state)
{
	struct wf_netlink_failure failure;

	assert_int_equal(wf_netlink_transact(&netlink, &batch, NULL, NULL, &failure, NULL), 0);
	wf_netlink_batch_fail(&batch, -EMSGSIZE);
	assert_int_equal(wf_netlink_transact(&netlink, &batch, NULL, NULL, &failure, NULL),
			 -EMSGSIZE);
	assert_true(failure.index == SIZE_MAX);
}

static void count(const struct nlmsghdr *message, void *context)
{
	if (message->nlmsg_type == RTM_NEWLINK)
		(*(int *)context)++;
}

static int dump_links(int *ret_count)
{
	static const struct ifinfomsg header;

	*ret_count = 0;
	wf_netlink_batch_clear(&batch);
	wf_netlink_batch_begin(&batch, RTM_GETLINK, 0, &header, sizeof(header));
	return wf_netlink_dump(&netlink, &batch, count, ret_count, NULL);
}

static void test_dump(void **state)
{
	char name[16];
	int links;

	for (int i = 0; i < 60; i++) {
		(void)snprintf(name, sizeof(name), "br%d", i);
		put_link(name, RTM_NEWLINK);
	}
	assert_int_equal(wf_netlink_transact(&netlink, &batch, NULL, NULL, NULL, NULL), 0);
	assert_int_equal(dump_links(&links), 0);
	assert_int_equal(links, 61);
}

/* A dump that is interrupted is taken again, and shows every link once. */
static void test_interrupted_dump(void **state)
{
	int links;

	interrupted_dumps = 3;
	assert_int_equal(dump_links(&links), 0);
	assert_int_equal(links, 61);
	assert_int_equal(interrupted_dumps, 0);
	interrupted_dumps = 1000;
	assert_int_equal(dump_links(&links), -EAGAIN);
	assert_int_equal(links, 0);
	assert_true(interrupted_dumps > 900);
	interrupted_dumps = 0;
	assert_int_equal(dump_links(&links), 0);
	assert_int_equal(links, 61);
}

static void test_dump_error(void **state)
{
	struct wf_err err = WF_ERR_INIT;
	const struct ifinfomsg header = { .ifi_change = 77 };

	wf_netlink_batch_begin(&batch, RTM_GETLINK, 0, &header, sizeof(header));
	assert_int_equal(wf_netlink_dump(&netlink, &batch, count, NULL, &err), -EINVAL);
	assert_non_null(strstr(err.message, "Invalid values in header for link dump request"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_failure_names_its_message, setup),
		cmocka_unit_test_setup(test_kernel_explains, setup),
		cmocka_unit_test_setup(test_more_than_one_send, setup),
		cmocka_unit_test_setup(test_empty_and_broken_batch, setup),
		cmocka_unit_test_setup(test_dump, setup),
		cmocka_unit_test_setup(test_interrupted_dump, setup),
		cmocka_unit_test_setup(test_dump_error, setup),
	};
	int r = cmocka_run_group_tests(tests, NULL, NULL);

	wf_netlink_close(&netlink);
	wf_netlink_batch_done(&batch);
	return r;
}
