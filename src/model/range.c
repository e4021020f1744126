/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of addresses, as ranges and exclusions of a subnet are written. Declared in network.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/network.h"
#include "model/network_priv.h"

/* "a/len": all of a prefix, which must be written with its host bits zero. */
static int parse_prefix(const char *text, struct wf_range *ret_range)
{
	struct wf_prefix prefix, network;

	if (wf_prefix_parse(text, &prefix) < 0)
		return -EINVAL;
	network = wf_prefix_network(&prefix);
	if (!wf_addr_equal(&network.addr, &prefix.addr))
		return -EINVAL;
	*ret_range = (struct wf_range){ .first = prefix.addr, .last = wf_prefix_last(&prefix) };
	return 0;
}

int wf_range_parse(const char *text, struct wf_range *ret_range)
{
	const char *dash = strchr(text, '-');
	char first[WF_ADDR_TEXT];
	struct wf_range range;

	if (!dash)
		return parse_prefix(text, ret_range);
	if ((size_t)(dash - text) >= sizeof(first))
		return -EINVAL;
	memcpy(first, text, (size_t)(dash - text));
	first[dash - text] = '\0';
	if (wf_addr_parse(first, &range.first) < 0 || wf_addr_parse(dash + 1, &range.last) < 0)
		return -EINVAL;
	if (wf_addr_family(&range.first) != wf_addr_family(&range.last) ||
	    wf_addr_compare(&range.first, &range.last) > 0)
		return -EINVAL;
	*ret_range = range;
	return 0;
}

/* The prefix that holds exactly the addresses of a range; false when there is none. */
static bool as_prefix(const struct wf_range *range, struct wf_prefix *ret_prefix)
{
	for (uint8_t len = 0; len <= wf_addr_bits(&range->first); len++) {
		struct wf_prefix prefix = { .addr = range->first, .len = len };
		struct wf_prefix network = wf_prefix_network(&prefix);
		struct wf_addr last = wf_prefix_last(&prefix);

		if (wf_addr_equal(&network.addr, &range->first) &&
		    wf_addr_equal(&last, &range->last)) {
			*ret_prefix = prefix;
			return true;
		}
	}
	return false;
}

char *wf_range_format(const struct wf_range *range, char *buf)
{
	struct wf_prefix prefix;
	size_t len;

	if (wf_addr_equal(&range->first, &range->last))
		return wf_addr_format(&range->first, buf);
	if (as_prefix(range, &prefix))
		return wf_prefix_format(&prefix, buf);
	(void)wf_addr_format(&range->first, buf);
	len = strlen(buf);
	buf[len] = '-';
	(void)wf_addr_format(&range->last, buf + len + 1);
	return buf;
}

void wf_ranges_done(struct wf_ranges *ranges)
{
	free(ranges->items);
	memset(ranges, 0, sizeof(*ranges));
}

int wf_ranges_add(struct wf_ranges *ranges, const struct wf_range *range)
{
	if (wf_mem_grow(&ranges->items, sizeof(*ranges->items), ranges->count, &ranges->capacity) <
	    0)
		return -ENOMEM;
	ranges->items[ranges->count++] = *range;
	return 0;
}

bool wf_ranges_contain(const struct wf_ranges *ranges, const struct wf_addr *addr)
{
	for (size_t i = 0; i < ranges->count; i++)
		if (wf_addr_compare(&ranges->items[i].first, addr) <= 0 &&
		    wf_addr_compare(addr, &ranges->items[i].last) <= 0)
			return true;
	return false;
}
