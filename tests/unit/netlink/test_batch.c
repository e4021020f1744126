/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "netlink/batch.h"
#include "netlink/read.h"

static const struct ifinfomsg header = { .ifi_index = 7 };

static void test_layout(void **state)
{
	struct wf_netlink_batch batch = WF_NETLINK_BATCH_INIT;
	const struct nlattr *table[IFLA_MTU + 1];
	const struct nlmsghdr *message;
	const struct ifinfomsg *read;

	wf_netlink_batch_begin(&batch, RTM_NEWLINK, NLM_F_CREATE, &header, sizeof(header));
	wf_netlink_put_text(&batch, IFLA_IFNAME, "eth0");
	wf_netlink_put_u32(&batch, IFLA_MTU, 1500);
	wf_netlink_batch_begin(&batch, RTM_DELLINK, 0, &header, sizeof(header));
	assert_int_equal(batch.error, 0);
	assert_int_equal(batch.count, 2);
	message = wf_netlink_batch_message(&batch, 0);
	assert_int_equal(message->nlmsg_type, RTM_NEWLINK);
	assert_int_equal(message->nlmsg_flags, NLM_F_CREATE | NLM_F_REQUEST);
	assert_int_equal(message->nlmsg_len, 16 + 16 + 12 + 8);
	read = wf_netlink_header(message, sizeof(*read));
	assert_int_equal(read->ifi_index, 7);
	wf_netlink_attrs(message, sizeof(header), table, IFLA_MTU);
	assert_string_equal(wf_netlink_text(table[IFLA_IFNAME]), "eth0");
	assert_int_equal(wf_netlink_u32(table[IFLA_MTU], 0), 1500);
	assert_int_equal(wf_netlink_batch_message(&batch, 1)->nlmsg_type, RTM_DELLINK);
	assert_null(wf_netlink_batch_message(&batch, 2));
	wf_netlink_batch_done(&batch);
}

static void test_nests_survive_growth(void **state)
{
	const struct nlattr *outer[2], *inner[64];
	struct wf_netlink_batch batch = WF_NETLINK_BATCH_INIT;
	unsigned char payload[100];
	wf_netlink_nest nest, deep;

	memset(payload, 0x5a, sizeof(payload));
	for (int i = 0; i < 30; i++)
		wf_netlink_batch_begin(&batch, RTM_NEWLINK, 0, &header, sizeof(header));
	nest = wf_netlink_nest_begin(&batch, 1);
	deep = wf_netlink_nest_begin(&batch, 1);
	for (uint16_t i = 0; i < 64; i++)
		wf_netlink_put(&batch, i, payload, sizeof(payload));
	wf_netlink_nest_end(&batch, deep);
	wf_netlink_nest_end(&batch, nest);
	assert_int_equal(batch.error, 0);
	assert_true(batch.capacity > 4096);
	wf_netlink_attrs(wf_netlink_batch_message(&batch, 29), sizeof(header), outer, 1);
	assert_int_equal(wf_netlink_len(outer[1]), 4 + 64 * 104);
	wf_netlink_nested(outer[1], outer, 1);
	wf_netlink_nested(outer[1], inner, 63);
	for (int i = 0; i < 64; i++)
		assert_memory_equal(wf_netlink_bytes(inner[i], 100), payload, 100);
	wf_netlink_batch_done(&batch);
}

static void test_errors_are_remembered(void **state)
{
	static const unsigned char big[WF_NETLINK_MAX_MESSAGE + 1];
	struct wf_netlink_batch batch = WF_NETLINK_BATCH_INIT;

	wf_netlink_put_u8(&batch, 1, 1); /* without a message */
	assert_int_equal(batch.error, -EINVAL);
	wf_netlink_batch_clear(&batch);
	wf_netlink_batch_begin(&batch, RTM_NEWLINK, 0, &header, sizeof(header));
	wf_netlink_put(&batch, 1, big, sizeof(big));
	assert_int_equal(batch.error, -EMSGSIZE);
	wf_netlink_put_u8(&batch, 1, 1);
	wf_netlink_nest_end(&batch, wf_netlink_nest_begin(&batch, 1));
	assert_int_equal(batch.error, -EMSGSIZE);
	wf_netlink_batch_clear(&batch);
	wf_netlink_batch_begin(&batch, RTM_NEWLINK, 0, &header, sizeof(header));
	for (int i = 0; i < 3000; i++)
		wf_netlink_put_u32(&batch, 1, 1);
	assert_int_equal(batch.error, -EMSGSIZE);
	assert_true(wf_netlink_batch_message(&batch, 0)->nlmsg_len <= WF_NETLINK_MAX_MESSAGE);
	wf_netlink_batch_clear(&batch);
	wf_netlink_batch_fail(&batch, -EAFNOSUPPORT);
	wf_netlink_batch_fail(&batch, -EIO);
	assert_int_equal(batch.error, -EAFNOSUPPORT);
	wf_netlink_batch_done(&batch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_nests_survive_growth),
		cmocka_unit_test(test_errors_are_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
