/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lab.h"

#define INGRESS 0x5eed0001
#define EGRESS  0x5eed0002

static uint32_t make_device(struct lab *lab, const char *name)
{
	struct wf_net_link link;
	char names[256];

	(void)lab_run(-1, "ip link add %s type veth peer name %sp", name, name);
	lab_ok(lab, wf_net_link_find(lab->net, name, 0, &link, names, &lab->err));
	return link.ifindex;
}

/* Whatever is in the place of the qdisc with the blocks makes way. */
static void test_attach(void **state)
{
	static const char *const found[] = {
		"",
		"tc qdisc add dev dev0 clsact",
		"tc qdisc add dev dev0 ingress",
		"tc qdisc add dev dev0 egress_block 7 clsact",
	};
	struct lab *lab = *state;
	uint32_t ifindex = make_device(lab, "dev0");

	for (size_t i = 0; i < sizeof(found) / sizeof(found[0]); i++) {
		assert_string_equal(lab_run(-1, "%s", *found[i] ? found[i] : "true"), "");
		for (int again = 0; again < 2; again++) {
			lab_ok(lab,
			       wf_net_blocks_attach(lab->net, ifindex, INGRESS, EGRESS, &lab->err));
			lab_assert_has(-1, "tc qdisc show dev dev0",
				       "clsact ffff: parent ffff:fff1 ingress_block 1592590337 "
				       "egress_block 1592590338");
		}
		(void)lab_run(-1, "tc qdisc del dev dev0 clsact");
	}
	assert_int_equal(wf_net_blocks_attach(lab->net, 4242, INGRESS, EGRESS, &lab->err), -ENODEV);
}

/* How many messages about a qdisc that went wait; that one was looked at is told everybody too. */
static int count_deleted(int fd)
{
	char bytes[8192];
	int count = 0;
	ssize_t len;

	while ((len = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
		const struct nlmsghdr *message = (const struct nlmsghdr *)(const void *)bytes;

		for (unsigned int left = (unsigned int)len; NLMSG_OK(message, left);
		     message = NLMSG_NEXT(message, left))
			count += message->nlmsg_type == RTM_DELQDISC;
	}
	return count;
}

/* Blocks that are as they should be are not touched: packets pass there all the time. */
static void test_attach_again_touches_nothing(void **state)
{
	const struct sockaddr_nl groups = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_TC };
	struct lab *lab = *state;
	uint32_t ifindex = make_device(lab, "dev0");
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	assert_int_equal(bind(fd, (const struct sockaddr *)&groups, sizeof(groups)), 0);
	lab_ok(lab, wf_net_blocks_attach(lab->net, ifindex, EGRESS, INGRESS, &lab->err));
	assert_int_equal(count_deleted(fd), 0);
	lab_ok(lab, wf_net_blocks_attach(lab->net, ifindex, INGRESS, EGRESS, &lab->err));
	/* the control: others in the place are replaced, and that is told */
	assert_true(count_deleted(fd) > 0);
	lab_ok(lab, wf_net_blocks_attach(lab->net, ifindex, INGRESS, EGRESS, &lab->err));
	assert_int_equal(count_deleted(fd), 0);
	(void)close(fd);
}

struct seen {
	uint32_t ifindex;
	int count;
};

static void see_qdisc(uint32_t ifindex, uint32_t ingress, uint32_t egress, void *context)
{
	struct seen *seen = context;

	if (ifindex == seen->ifindex && ingress == INGRESS && egress == EGRESS)
		seen->count++;
}

static void test_qdisc_dump(void **state)
{
	struct lab *lab = *state;
	struct seen seen = { .ifindex = make_device(lab, "dev0") };

	lab_ok(lab, wf_net_qdisc_dump(lab->net, see_qdisc, &seen, &lab->err));
	assert_int_equal(seen.count, 0);
	lab_ok(lab, wf_net_blocks_attach(lab->net, seen.ifindex, INGRESS, EGRESS, &lab->err));
	lab_ok(lab, wf_net_qdisc_dump(lab->net, see_qdisc, &seen, &lab->err));
	assert_int_equal(seen.count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_attach, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_attach_again_touches_nothing, lab_setup,
						lab_teardown),
		cmocka_unit_test_setup_teardown(test_qdisc_dump, lab_setup, lab_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
