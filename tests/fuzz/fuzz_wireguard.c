/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a WireGuard program answers to "get=1", and what is made of it: from whatever is read there is a
 * plan to what the device shall be, and its text.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/wireguard_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* Sorted: plans count on it. */
static void check_state(const struct wf_wg_state *state)
{
	for (size_t i = 1; i < state->peer_count; i++)
		if (memcmp(state->peers[i - 1].key, state->peers[i].key, WF_WG_KEY_BYTES) > 0)
			abort();
}

static void check_plan(const struct wf_wg_state *state)
{
	_cleanup_(wf_wg_plan_done) struct wf_wg_plan plan = { 0 };
	_cleanup_str_ struct wf_str text = WF_STR_INIT;
	struct wf_wg_peer peer = { .port = 51820 };
	struct wf_wg_device device = { .port = 51820, .peers = &peer, .peer_count = 1 };
	bool rest;

	memset(peer.key, 7, sizeof(peer.key));
	(void)wf_addr_parse("192.0.2.1", &peer.endpoint);
	(void)wf_addr_parse("fd77:6566:7400::1", &peer.tunnel);
	if (wf_wg_plan(state, &device, false, &plan, &rest) < 0)
		return;
	wf_wg_text_set(&text, &plan);
	/* a request ends with an empty line, and nowhere before */
	if (text.failed || text.len < 2 || strstr(text.data, "\n\n") != text.data + text.len - 2)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	_cleanup_(wf_wg_state_done) struct wf_wg_state state = WF_WG_STATE_INIT;
	_cleanup_free_ char *text = malloc(len + 1);

	if (!text)
		return 0;
	if (len)
		memcpy(text, bytes, len);
	text[len] = '\0';
	if (wf_wg_text_read(text, &state) < 0)
		return 0;
	check_state(&state);
	check_plan(&state);
	return 0;
}
