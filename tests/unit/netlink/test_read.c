/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netlink/read.h"

/* Copies into memory of exactly this size, so that the sanitizer sees every byte too many. */
static struct wf_netlink_cursor exactly(const void *bytes, size_t len, void **ret_memory)
{
	*ret_memory = malloc(len ? len : 1);
	memcpy(*ret_memory, bytes, len);
	return (struct wf_netlink_cursor){ *ret_memory, len };
}

static void test_next_stops_at_what_is_not_whole(void **state)
{
	struct {
		struct nlmsghdr first, second;
		unsigned char payload[8];
	} bytes = { .first = { .nlmsg_len = 16, .nlmsg_type = 1 },
		    .second = { .nlmsg_len = 24, .nlmsg_type = 2 } };

	for (size_t len = 0; len <= sizeof(bytes); len++) {
		struct wf_netlink_cursor cursor;
		const struct nlmsghdr *first, *second;
		void *memory;

		cursor = exactly(&bytes, len, &memory);
		first = wf_netlink_next(&cursor);
		second = first ? wf_netlink_next(&cursor) : NULL;
		assert_int_equal(first != NULL, len >= 16);
		assert_int_equal(second != NULL, len >= 40);
		if (second)
			assert_null(wf_netlink_next(&cursor));
		free(memory);
	}
	bytes.first.nlmsg_len = 15;
	assert_null(wf_netlink_next(
		&(struct wf_netlink_cursor){ (const unsigned char *)&bytes, sizeof(bytes) }));
	bytes.first.nlmsg_len = UINT32_MAX;
	assert_null(wf_netlink_next(
		&(struct wf_netlink_cursor){ (const unsigned char *)&bytes, sizeof(bytes) }));
}

static void test_attributes(void **state)
{
	struct {
		struct nlattr first;
		uint32_t value;
		struct nlattr second;
		char text[4];
	} bytes = {
		.first = { 8, 1 }, .value = 42, .second = { 8, 2 | NLA_F_NESTED }, .text = "abc"
	};
	const struct nlattr *table[3];

	wf_netlink_attrs_bytes(&bytes, sizeof(bytes), table, 2);
	assert_int_equal(wf_netlink_u32(table[1], 7), 42);
	assert_string_equal(wf_netlink_text(table[2]), "abc");
	assert_null(table[0]);
	/* wrong sizes give the fallback */
	assert_int_equal(wf_netlink_u32(NULL, 7), 7);
	assert_int_equal(wf_netlink_u8(NULL, 7), 7);
	bytes.first.nla_len = 6;
	assert_int_equal(wf_netlink_u32(&bytes.first, 7), 7);
	assert_string_equal(wf_netlink_text(NULL), "");
	memcpy(bytes.text, "abcd", 4);
	assert_string_equal(wf_netlink_text(&bytes.second), "");
	/* lengths beyond the end, or below the header, end it */
	bytes.first.nla_len = 17;
	wf_netlink_attrs_bytes(&bytes, sizeof(bytes), table, 2);
	assert_null(table[1]);
	bytes.first.nla_len = 3;
	wf_netlink_attrs_bytes(&bytes, sizeof(bytes), table, 2);
	assert_null(table[1]);
	assert_null(table[2]);
}

static void test_header_too_short(void **state)
{
	struct nlmsghdr message = { .nlmsg_len = sizeof(message) };
	const struct nlattr *table[2] = { (const void *)&message, NULL };

	assert_null(wf_netlink_header(&message, 16));
	wf_netlink_attrs(&message, 16, table, 1);
	assert_null(table[0]);
}

static void test_ack(void **state)
{
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		struct nlattr attribute;
		char text[12];
	} bytes = { .header = { .nlmsg_len = sizeof(bytes),
				.nlmsg_type = NLMSG_ERROR,
				.nlmsg_flags = NLM_F_CAPPED | NLM_F_ACK_TLVS },
		    .error.error = -ENODEV,
		    .error.msg.nlmsg_len = 4000,
		    .attribute = { 16, NLMSGERR_ATTR_MSG },
		    .text = "what it is" };
	const char *text;
	int code;

	assert_int_equal(wf_netlink_ack(&bytes.header, &code, &text), 0);
	assert_int_equal(code, -ENODEV);
	assert_string_equal(text, "what it is");
	/* not capped: the request follows, and is said to be longer than what is there */
	bytes.header.nlmsg_flags = NLM_F_ACK_TLVS;
	assert_int_equal(wf_netlink_ack(&bytes.header, &code, &text), 0);
	assert_string_equal(text, "");
	bytes.error.error = 5;
	assert_int_equal(wf_netlink_ack(&bytes.header, &code, &text), -EBADMSG);
	bytes.error.error = INT32_MIN;
	assert_int_equal(wf_netlink_ack(&bytes.header, &code, &text), -EBADMSG);
	bytes.header.nlmsg_len = 30;
	assert_int_equal(wf_netlink_ack(&bytes.header, &code, &text), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_next_stops_at_what_is_not_whole),
		cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_header_too_short),
		cmocka_unit_test(test_ack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
