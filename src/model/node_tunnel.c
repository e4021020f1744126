/* SPDX-License-Identifier: Apache-2.0 */
/* The WireGuard tunnels that a node says it has: their text, and the addresses inside of them. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/node.h"

#define KEY_TEXT 44 /* characters */

char *wf_node_tunnels_format(const struct wf_node_tunnel *tunnels, size_t count, char *buf)
{
	size_t len = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < count && i < WF_MAX_TUNNELS; i++) {
		_cleanup_str_ struct wf_str key = WF_STR_INIT;

		wf_base64_add(&key, tunnels[i].key, sizeof(tunnels[i].key));
		len += (size_t)snprintf(buf + len, WF_NODE_TUNNELS_TEXT - len, "%s%s %u",
					i ? ", " : "", wf_str_text(&key), tunnels[i].port);
	}
	return buf;
}

static int parse_one(const char *text, size_t len, struct wf_node_tunnel *ret_tunnel)
{
	_cleanup_free_ char *bytes = NULL;
	size_t byte_count = 0;
	char port_text[8];
	uint64_t port;
	int r;

	if (len < KEY_TEXT + 2 || len - KEY_TEXT > sizeof(port_text) || text[KEY_TEXT] != ' ')
		return -EINVAL;
	r = wf_base64_decode(text, KEY_TEXT, &bytes, &byte_count);
	if (r == -ENOMEM)
		return r;
	if (r < 0 || byte_count != sizeof(ret_tunnel->key))
		return -EINVAL;
	len -= KEY_TEXT + 1;
	memcpy(port_text, text + KEY_TEXT + 1, len);
	port_text[len] = '\0';
	if (wf_str_to_u64(port_text, 1, UINT16_MAX, &port) < 0)
		return -EINVAL;
	memcpy(ret_tunnel->key, bytes, sizeof(ret_tunnel->key));
	ret_tunnel->port = (uint16_t)port;
	return 0;
}

int wf_node_tunnels_parse(const char *text, struct wf_node_tunnel *ret_tunnels, size_t *ret_count)
{
	struct wf_node_tunnel tunnels[WF_MAX_TUNNELS];
	size_t count = 0;

	while (*text) {
		size_t len = strcspn(text, ",");
		int r = count < WF_MAX_TUNNELS ? parse_one(text, len, &tunnels[count]) : -EINVAL;

		if (r < 0)
			return r;
		count++;
		text += len;
		if (!*text)
			break;
		text++;
		text += strspn(text, " ");
		if (!*text)
			return -EINVAL;
	}
	if (count == 2 && memcmp(tunnels[0].key, tunnels[1].key, sizeof(tunnels[0].key)) == 0)
		return -EINVAL;
	memcpy(ret_tunnels, tunnels, count * sizeof(*tunnels));
	*ret_count = count;
	return 0;
}

struct wf_prefix wf_node_tunnel_prefix(void)
{
	struct wf_prefix prefix = { .len = WF_TUNNEL_PREFIX_BITS };

	memset(&prefix.addr, 0, sizeof(prefix.addr));
	prefix.addr.words[0] = htonl(WF_TUNNEL_PREFIX_WORD0);
	prefix.addr.words[1] = htonl(WF_TUNNEL_PREFIX_WORD1);
	return prefix;
}

struct wf_addr wf_node_tunnel_address(const struct wf_node_tunnel *tunnel)
{
	const size_t prefix_bytes = WF_TUNNEL_PREFIX_BITS / 8;
	struct wf_addr addr = wf_node_tunnel_prefix().addr;

	memcpy(addr.bytes + prefix_bytes, tunnel->key, sizeof(addr) - prefix_bytes);
	return addr;
}
