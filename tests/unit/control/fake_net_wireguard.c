/* SPDX-License-Identifier: Apache-2.0 */
/* net/wireguard.h over tables in memory: links of kind "wireguard", and what they were told. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fake_net_priv.h"

static struct fake_wg *wg_of(struct wf_net *net, const char *name)
{
	return &net->wg[name[strlen(name) - 1] & 1];
}

void wf_wg_state_done(struct wf_wg_state *state)
{
	free(state->peers);
	memset(state, 0, sizeof(*state));
}

/* An address has one holder, or none. */
static void fake_wg_give(struct fake_wg *wg, const uint8_t *key, const struct wf_addr *addr)
{
	size_t i = 0;

	while (i < wg->bound_count && !wf_addr_equal(&wg->bound[i].addr, addr))
		i++;
	if (!key) {
		if (i < wg->bound_count)
			wg->bound[i] = wg->bound[--wg->bound_count];
		return;
	}
	if (i == FAKE_WG_BOUND)
		abort();
	wg->bound[i].addr = *addr;
	memcpy(wg->bound[i].key, key, WF_WG_KEY_BYTES);
	if (i == wg->bound_count)
		wg->bound_count++;
}

int wf_net_wg_ensure(struct wf_net *net, const struct wf_wg_device *device, uint32_t *ret_ifindex,
		     struct wf_err *err)
{
	struct link *link = fake_link_by_name(net, device->name);
	struct fake_wg *wg = wg_of(net, device->name);

	PASS(-EOPNOTSUPP, err);
	if (net->wg_broken)
		return wf_fail(err, -EOPNOTSUPP, "broken");
	if (net->wg_late)
		return wf_fail(err, -ETIMEDOUT, "late");
	if (!link)
		link = fake_add_link(net, device->name, 0, "wireguard", device->mtu);
	if (device->peer_count > FAKE_WG_PEERS)
		abort();
	memcpy(wg->key, device->key, sizeof(wg->key));
	wg->port = device->port;
	wg->bound_count = 0;
	for (size_t i = 0; i < device->peer_count; i++) {
		for (size_t k = 0; k < device->peers[i].bound_count; k++)
			fake_wg_give(wg, device->peers[i].key, &device->peers[i].bound[k]);
		wg->peers[i] = device->peers[i];
		wg->peers[i].handshake_s = wg->has_met_all;
	}
	wg->peer_count = device->peer_count;
	*ret_ifindex = link->ifindex;
	return 0;
}

int wf_net_wg_read(struct wf_net *net, const char *run_dir, const char *name,
		   struct wf_wg_state *ret_state, struct wf_err *err)
{
	const struct fake_wg *wg = wg_of(net, name);

	(void)run_dir;
	PASS(-EIO, err);
	if (!fake_link_by_name(net, name))
		return -ENODEV;
	*ret_state = (struct wf_wg_state){ .port = wg->port, .peer_count = wg->peer_count };
	ret_state->peers = calloc(wg->peer_count + 1, sizeof(*ret_state->peers));
	if (!ret_state->peers)
		abort();
	memcpy(ret_state->peers, wg->peers, wg->peer_count * sizeof(*wg->peers));
	return 0;
}

int wf_net_wg_bind(struct wf_net *net, const char *run_dir, const char *name, const uint8_t *key,
		   const struct wf_addr *addrs, size_t count, struct wf_err *err)
{
	struct fake_wg *wg = wg_of(net, name);

	(void)run_dir;
	PASS(-EIO, err);
	if (!fake_link_by_name(net, name))
		return -ENODEV;
	for (size_t i = 0; i < count; i++)
		fake_wg_give(wg, key, &addrs[i]);
	return 0;
}

int wf_net_wg_remove(struct wf_net *net, const char *run_dir, const char *name, struct wf_err *err)
{
	struct link *link = fake_link_by_name(net, name);

	(void)run_dir;
	PASS(-EIO, err);
	if (link)
		fake_remove_link(net, link);
	*wg_of(net, name) = (struct fake_wg){ .port = 0 };
	return 0;
}

int wf_net_wg_route(struct wf_net *net, const struct wf_prefix *prefix, uint32_t ifindex,
		    const struct wf_addr *source, struct wf_err *err)
{
	(void)prefix;
	(void)source;
	PASS(-EIO, err);
	net->wg_way = ifindex;
	net->wg_has_end = true;
	return 0;
}

int wf_net_wg_unroute(struct wf_net *net, const struct wf_prefix *prefix, struct wf_err *err)
{
	(void)prefix;
	PASS(-EIO, err);
	net->wg_way = 0;
	net->wg_has_end = false;
	return 0;
}

int wf_net_wg_key_make(uint8_t ret_private[WF_WG_KEY_BYTES], struct wf_err *err)
{
	static uint8_t count;

	PASS(-EIO, err);
	memset(ret_private, ++count, WF_WG_KEY_BYTES);
	return 0;
}

int wf_net_wg_key_public(const uint8_t private[WF_WG_KEY_BYTES],
			 uint8_t ret_public[WF_WG_KEY_BYTES], struct wf_err *err)
{
	PASS(-EIO, err);
	for (size_t i = 0; i < WF_WG_KEY_BYTES; i++)
		ret_public[i] = (uint8_t) ~private[i];
	return 0;
}

const struct fake_wg *fake_net_wg(const struct wf_net *net, unsigned int digit)
{
	return &net->wg[digit & 1];
}

uint32_t fake_net_wg_way(const struct wf_net *net, bool *ret_has_end)
{
	*ret_has_end = net->wg_has_end;
	return net->wg_way;
}

void fake_net_wg_break(struct wf_net *net, bool on)
{
	net->wg_broken = on;
}

void fake_net_wg_delay(struct wf_net *net, bool on)
{
	net->wg_late = on;
}

void fake_net_wg_meet(struct wf_net *net, unsigned int digit, bool on)
{
	struct fake_wg *wg = &net->wg[digit & 1];

	wg->has_met_all = on;
	for (size_t i = 0; i < wg->peer_count; i++)
		wg->peers[i].handshake_s = on;
}
