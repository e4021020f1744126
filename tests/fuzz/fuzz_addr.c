/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses, prefixes, MACs, ranges, durations: what is accepted is written and read back alike. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/network.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void try_prefix(const char *text)
{
	struct wf_prefix prefix, again, network;
	char buf[WF_ADDR_TEXT];

	if (wf_prefix_parse(text, &prefix) < 0)
		return;
	require(wf_prefix_parse(wf_prefix_format(&prefix, buf), &again) == 0);
	require(wf_prefix_equal(&prefix, &again));
	network = wf_prefix_network(&prefix);
	require(wf_prefix_contains(&network, &prefix.addr));
	require(wf_prefix_overlaps(&network, &prefix));
}

static void try_mac(const char *text)
{
	struct wf_mac mac, again;
	char buf[WF_MAC_TEXT];

	if (wf_mac_parse(text, &mac) < 0)
		return;
	require(wf_mac_parse(wf_mac_format(&mac, buf), &again) == 0);
	require(memcmp(&mac, &again, sizeof(mac)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	_cleanup_free_ char *text = malloc(len + 1);
	struct wf_range range;
	uint64_t number;

	if (!text)
		return 0;
	if (len)
		memcpy(text, bytes, len);
	text[len] = '\0';
	try_prefix(text);
	try_mac(text);
	if (wf_range_parse(text, &range) == 0)
		require(wf_addr_compare(&range.first, &range.last) <= 0);
	(void)wf_str_to_duration_ms(text, &number);
	if (wf_str_to_u64(text, 5, 500, &number) == 0)
		require(number >= 5 && number <= 500);
	(void)wf_str_is_name(text);
	(void)wf_str_is_ifname(text);
	return 0;
}
