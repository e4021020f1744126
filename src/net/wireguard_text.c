/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text protocol that WireGuard programs are set up by (wireguard.com/xplatform): lines of
 * "name=value", keys in hexadecimal, an empty line at the end. Pure.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "net/wireguard_priv.h"

#define LINE_BYTES 256

static void add_key(struct wf_str *text, const char *name, const uint8_t *key)
{
	char hex[2 * WF_WG_KEY_BYTES + 1];

	for (size_t i = 0; i < WF_WG_KEY_BYTES; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", key[i]);
	wf_str_addf(text, "%s=%s\n", name, hex);
	explicit_bzero(hex, sizeof(hex));
}

static void add_allowed(struct wf_str *text, const struct wf_addr *addrs, size_t count)
{
	char addr[WF_ADDR_TEXT];

	for (size_t i = 0; i < count; i++)
		wf_str_addf(text, "allowed_ip=%s/%u\n", wf_addr_format(&addrs[i], addr),
			    wf_addr_bits(&addrs[i]));
}

static void add_peer(struct wf_str *text, const struct wf_wg_change *change)
{
	const struct wf_wg_peer *peer = change->peer;
	bool ip4 = wf_addr_is_ip4(&peer->endpoint);
	char addr[WF_ADDR_TEXT];

	add_key(text, "public_key", peer->key);
	if (!wf_addr_is_zero(&peer->endpoint))
		wf_str_addf(text, "endpoint=%s%s%s:%u\n", ip4 ? "" : "[",
			    wf_addr_format(&peer->endpoint, addr), ip4 ? "" : "]", peer->port);
	/* setting it again would lose what comes in between */
	if (change->is_moved) {
		wf_str_add(text, "replace_allowed_ips=true\n");
		add_allowed(text, &peer->tunnel, 1);
	}
	if (change->is_moved || change->is_more)
		add_allowed(text, peer->bound, peer->bound_count);
	/* the last: with a key and an address it says hello at once */
	wf_str_addf(text, "persistent_keepalive_interval=%u\n", peer->keepalive_s);
}

void wf_wg_text_set(struct wf_str *text, const struct wf_wg_plan *plan)
{
	wf_str_add(text, "set=1\n");
	if (plan->key)
		add_key(text, "private_key", plan->key);
	if (plan->port)
		wf_str_addf(text, "listen_port=%u\n", plan->port);
	for (size_t i = 0; i < plan->count; i++) {
		if (!plan->changes[i].is_removal) {
			add_peer(text, &plan->changes[i]);
			continue;
		}
		add_key(text, "public_key", plan->changes[i].peer->key);
		wf_str_add(text, "remove=true\n");
	}
	wf_str_add(text, "\n");
}

void wf_wg_text_bind(struct wf_str *text, const uint8_t *key, const struct wf_addr *addrs,
		     size_t count)
{
	wf_str_add(text, "set=1\n");
	add_key(text, "public_key", key ? key : wf_wg_nobody);
	/* one that went meanwhile is not made anew */
	if (key)
		wf_str_add(text, "update_only=true\n");
	add_allowed(text, addrs, count);
	if (!key) {
		add_key(text, "public_key", wf_wg_nobody);
		wf_str_add(text, "remove=true\n");
	}
	wf_str_add(text, "\n");
}

static int read_key(const char *value, uint8_t *ret_key)
{
	if (strlen(value) != 2 * (size_t)WF_WG_KEY_BYTES)
		return -EBADMSG;
	for (size_t i = 0; i < WF_WG_KEY_BYTES; i++) {
		unsigned int byte;
		char pair[3] = { value[2 * i], value[2 * i + 1], '\0' };

		if (strspn(pair, "0123456789abcdefABCDEF") != 2 || sscanf(pair, "%x", &byte) != 1)
			return -EBADMSG;
		ret_key[i] = (uint8_t)byte;
	}
	return 0;
}

static int read_number(const char *value, uint64_t max, uint64_t *ret)
{
	return wf_str_to_u64(value, 0, max, ret) < 0 ? -EBADMSG : 0;
}

static int read_port(const char *value, uint16_t *ret_port)
{
	uint64_t number;
	int r = read_number(value, UINT16_MAX, &number);

	if (r == 0)
		*ret_port = (uint16_t)number;
	return r;
}

/* "192.0.2.1:51820" or "[2001:db8::1]:51820". */
static int read_endpoint(char *value, struct wf_wg_peer *peer)
{
	char *colon = strrchr(value, ':');
	size_t len;

	if (!colon || read_port(colon + 1, &peer->port) < 0)
		return -EBADMSG;
	*colon = '\0';
	len = strlen(value);
	if (len > 2 && value[0] == '[' && value[len - 1] == ']') {
		value[len - 1] = '\0';
		value++;
	}
	return wf_addr_parse(value, &peer->endpoint) < 0 ? -EBADMSG : 0;
}

static bool is_tunnel(const struct wf_addr *addr)
{
	return ntohl(addr->words[0]) == WF_TUNNEL_PREFIX_WORD0 &&
	       (ntohl(addr->words[1]) & 0xffff0000) == WF_TUNNEL_PREFIX_WORD1;
}

void wf_wg_state_allow(struct wf_wg_peer *peer, const struct wf_prefix *prefix, bool *is_odd)
{
	bool is_whole = prefix->len == wf_addr_bits(&prefix->addr);

	if (is_whole && !is_tunnel(&prefix->addr)) {
		wf_wg_bound_add(peer, &prefix->addr);
		return;
	}
	*is_odd |= !is_whole || !wf_addr_is_zero(&peer->tunnel);
	peer->tunnel = prefix->addr;
	if (*is_odd)
		memset(&peer->tunnel, 0, sizeof(peer->tunnel));
}

static int read_allowed(const char *value, struct wf_wg_peer *peer, bool *is_odd)
{
	struct wf_prefix prefix;

	if (wf_prefix_parse(value, &prefix) < 0)
		return -EBADMSG;
	wf_wg_state_allow(peer, &prefix, is_odd);
	return 0;
}

static int read_line(const char *name, char *value, struct wf_wg_state *state, bool *is_odd)
{
	struct wf_wg_peer *peer = state->peer_count ? &state->peers[state->peer_count - 1] : NULL;

	if (strcmp(name, "private_key") == 0)
		return read_key(value, state->key);
	if (strcmp(name, "listen_port") == 0)
		return read_port(value, &state->port);
	if (strcmp(name, "public_key") == 0) {
		peer = wf_wg_state_add(state);
		*is_odd = false;
		return peer ? read_key(value, peer->key) : -ENOMEM;
	}
	/* the rest is about a peer; what is not known here does not matter here */
	if (!peer)
		return 0;
	if (strcmp(name, "endpoint") == 0)
		return read_endpoint(value, peer);
	if (strcmp(name, "allowed_ip") == 0)
		return read_allowed(value, peer, is_odd);
	if (strcmp(name, "persistent_keepalive_interval") == 0)
		return read_port(value, &peer->keepalive_s);
	if (strcmp(name, "last_handshake_time_sec") == 0)
		return read_number(value, INT64_MAX, &peer->handshake_s);
	if (strcmp(name, "rx_bytes") == 0)
		return read_number(value, UINT64_MAX, &peer->rx_bytes);
	if (strcmp(name, "tx_bytes") == 0)
		return read_number(value, UINT64_MAX, &peer->tx_bytes);
	return 0;
}

/* Programs differ in the sign. */
static int read_errno(const char *value)
{
	uint64_t code;

	if (wf_str_to_u64(value + (*value == '-'), 0, 4095, &code) < 0)
		return -EBADMSG;
	return -(int)code;
}

/* line: room for one, which may hold a key. */
static int read_lines(const char *text, char line[LINE_BYTES], struct wf_wg_state *state)
{
	bool is_odd = false;
	int r = 0;

	while (r == 0 && *text) {
		size_t len = strcspn(text, "\n");
		char *equals;

		if (!text[len] || len >= LINE_BYTES)
			return -EBADMSG;
		memcpy(line, text, len);
		line[len] = '\0';
		text += len + 1;
		equals = strchr(line, '=');
		if (!equals)
			return -EBADMSG;
		*equals = '\0';
		if (strcmp(line, "errno") == 0) {
			wf_wg_peers_sort(state->peers, state->peer_count);
			return read_errno(equals + 1);
		}
		r = read_line(line, equals + 1, state, &is_odd);
	}
	return r < 0 ? r : -EBADMSG;
}

int wf_wg_text_read(const char *text, struct wf_wg_state *state)
{
	char line[LINE_BYTES];
	int r = read_lines(text, line, state);

	explicit_bzero(line, sizeof(line));
	return r;
}
