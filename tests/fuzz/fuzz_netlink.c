/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The netlink reader over arbitrary bytes: messages, attributes three levels deep, and
 * acknowledgements. Every byte that the reader hands out is touched.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "netlink/read.h"

#define MAX_TYPE  70
#define MAX_DEPTH 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned int sum;

static void touch(const void *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += ((const unsigned char *)bytes)[i];
}

static void walk(const struct nlattr *const *table, int depth)
{
	for (int type = 0; type <= MAX_TYPE; type++) {
		const struct nlattr *inner[MAX_TYPE + 1];
		const struct nlattr *attribute = table[type];

		if (!attribute)
			continue;
		touch(attribute, sizeof(*attribute) + wf_netlink_len(attribute));
		sum += wf_netlink_u8(attribute, 0) + wf_netlink_u32(attribute, 0);
		sum += (unsigned int)strlen(wf_netlink_text(attribute));
		if (wf_netlink_bytes(attribute, 16))
			touch(wf_netlink_bytes(attribute, 16), 16);
		if (depth == 0)
			continue;
		wf_netlink_nested(attribute, inner, MAX_TYPE);
		walk(inner, depth - 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* in memory of its own: aligned, and with its end where the sanitizer sees it */
	unsigned char *copy = malloc(size ? size : 1);
	struct wf_netlink_cursor cursor = { copy, size };
	const struct nlattr *table[MAX_TYPE + 1];
	const struct nlmsghdr *message;
	const char *text;
	int code;

	if (!copy)
		return 0;
	memcpy(copy, data, size);
	while ((message = wf_netlink_next(&cursor))) {
		for (size_t header = 0; header <= 20; header += 4) {
			const void *at = wf_netlink_header(message, header);

			if (at)
				touch(at, header);
			wf_netlink_attrs(message, header, table, MAX_TYPE);
			walk(table, MAX_DEPTH);
		}
		if (wf_netlink_ack(message, &code, &text) == 0)
			sum += (unsigned int)strlen(text) + (unsigned int)code;
	}
	free(copy);
	return 0;
}
