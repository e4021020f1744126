/* SPDX-License-Identifier: Apache-2.0 */
/* dp/overlay.h over tables in memory. */
#include "dp/overlay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "fake_dp.h"
#include "fake_dp_priv.h"

#define NODES   64
#define REMOTES 1024
#define VTEPS   64

struct remote {
	struct wf_addr addr;
	uint32_t scope;
	struct wf_remote_value value;
};

struct vtep {
	uint32_t scope;
	struct wf_prefix prefix;
	struct wf_vtep_value value;
};

struct seal {
	struct wf_addr addr;
	struct wf_seal_value value;
};

struct fake_overlay {
	uint32_t ifindex, bare_ifindex;
	uint16_t port;
	bool by_device;
	struct wf_node_value nodes[NODES]; /* zero: none */
	struct wf_addr tunnels[NODES][WF_MAX_TUNNELS];
	struct remote remotes[REMOTES];
	size_t count;
	struct vtep vteps[VTEPS];
	size_t vtep_count;
	struct seal seals[NODES];
	size_t seal_count;
};

struct fake_overlay *fake_overlay_new(void)
{
	struct fake_overlay *overlay = calloc(1, sizeof(*overlay));

	if (!overlay)
		abort();
	return overlay;
}

void fake_overlay_free(struct fake_overlay **overlay)
{
	free(*overlay);
	*overlay = NULL;
}

int wf_dp_overlay_set(struct wf_dp *dp, uint32_t ifindex, const struct wf_addr *underlay,
		      uint16_t port, unsigned int by_device, struct wf_err *err)
{
	(void)underlay;
	PASS(FAKE_DP, err);
	dp->overlay->ifindex = ifindex;
	dp->overlay->port = by_device & WF_NODE_OPENS_BY_DEVICE ? 0 : port;
	dp->overlay->by_device = by_device & WF_NODE_SENDS_BY_DEVICE;
	return 0;
}

int wf_dp_node_set(struct wf_dp *dp, uint32_t number, const struct wf_node_value *value,
		   struct wf_err *err)
{
	static const struct wf_node_value none;

	PASS(FAKE_DP, err);
	if (number == WF_NODE_SELF || number >= NODES)
		abort();
	dp->overlay->nodes[number] = value ? *value : none;
	if (!value)
		memset(dp->overlay->tunnels[number], 0, sizeof(dp->overlay->tunnels[number]));
	return 0;
}

int wf_dp_node_tunnels_set(struct wf_dp *dp, uint32_t number, const struct wf_addr *tunnels,
			   size_t count, struct wf_err *err)
{
	PASS(FAKE_DP, err);
	if (number >= NODES || count > WF_MAX_TUNNELS)
		abort();
	memset(dp->overlay->tunnels[number], 0, sizeof(dp->overlay->tunnels[number]));
	for (size_t i = 0; i < count; i++)
		dp->overlay->tunnels[number][i] = tunnels[i];
	return 0;
}

int wf_dp_bare_set(struct wf_dp *dp, uint32_t ifindex, struct wf_err *err)
{
	PASS(FAKE_DP, err);
	dp->overlay->bare_ifindex = ifindex;
	return 0;
}

static struct seal *find_seal(const struct wf_dp *dp, const struct wf_addr *addr)
{
	for (size_t i = 0; i < dp->overlay->seal_count; i++)
		if (wf_addr_equal(&dp->overlay->seals[i].addr, addr))
			return &dp->overlay->seals[i];
	return NULL;
}

const struct wf_seal_value *fake_dp_seal(const struct wf_dp *dp, const struct wf_addr *addr)
{
	const struct seal *seal = find_seal(dp, addr);

	return seal ? &seal->value : NULL;
}

int wf_dp_seal_set(struct wf_dp *dp, const struct wf_addr *addr, const struct wf_seal_value *value,
		   struct wf_err *err)
{
	struct seal *seal = find_seal(dp, addr);

	PASS(FAKE_DP, err);
	if (!value && seal)
		*seal = dp->overlay->seals[--dp->overlay->seal_count];
	if (!value)
		return 0;
	if (!seal)
		seal = &dp->overlay->seals[dp->overlay->seal_count++];
	*seal = (struct seal){ *addr, *value };
	return 0;
}

int wf_dp_seal_visit(struct wf_dp *dp, wf_dp_seal_fn visit, void *context, struct wf_err *err)
{
	PASS(FAKE_DP, err);
	for (size_t i = 0; i < dp->overlay->seal_count; i++)
		visit(&dp->overlay->seals[i].addr, &dp->overlay->seals[i].value, context);
	return 0;
}

int wf_dp_clear_set(struct wf_dp *dp, const uint64_t ports[WF_CLEAR_WORDS], struct wf_err *err)
{
	(void)dp;
	(void)ports;
	PASS(FAKE_DP, err);
	return 0;
}

uint32_t fake_dp_bare(const struct wf_dp *dp)
{
	return dp->overlay->bare_ifindex;
}

const struct wf_addr *fake_dp_tunnels(const struct wf_dp *dp, uint32_t number)
{
	return dp->overlay->tunnels[number];
}

int wf_dp_member_get(struct wf_dp *dp, const struct wf_addr *underlay, uint32_t *ret_number)
{
	for (uint32_t i = 1; i < NODES; i++)
		if (wf_addr_equal(&dp->overlay->nodes[i].underlay, underlay)) {
			*ret_number = i;
			return 0;
		}
	return -ENOENT;
}

static struct remote *find(struct wf_dp *dp, uint32_t scope, const struct wf_addr *addr)
{
	for (size_t i = 0; i < dp->overlay->count; i++)
		if (dp->overlay->remotes[i].scope == scope &&
		    wf_addr_equal(&dp->overlay->remotes[i].addr, addr))
			return &dp->overlay->remotes[i];
	return NULL;
}

int wf_dp_remote_get(struct wf_dp *dp, uint32_t scope, const struct wf_addr *addr,
		     struct wf_remote_value *ret_value)
{
	const struct remote *remote = find(dp, scope, addr);

	if (!remote)
		return -ENOENT;
	*ret_value = remote->value;
	return 0;
}

int wf_dp_remote_set(struct wf_dp *dp, uint32_t scope, const struct wf_addr *addr,
		     const struct wf_remote_value *value, struct wf_err *err)
{
	struct remote *remote = find(dp, scope, addr);

	PASS(FAKE_DP, err);
	if (!remote) {
		if (dp->overlay->count == REMOTES)
			abort();
		remote = &dp->overlay->remotes[dp->overlay->count++];
		remote->addr = *addr;
		remote->scope = scope;
	}
	remote->value = *value;
	return 0;
}

int wf_dp_remote_add(struct wf_dp *dp, uint32_t scope, const struct wf_addr *addr,
		     const struct wf_remote_value *value, struct wf_err *err)
{
	return wf_dp_remote_set(dp, scope, addr, value, err);
}

int wf_dp_remotes_flush(struct wf_dp *dp, struct wf_err *err)
{
	(void)dp;
	(void)err;
	return 0;
}

int wf_dp_remote_clear(struct wf_dp *dp, uint32_t scope, const struct wf_addr *addr)
{
	struct remote *remote = find(dp, scope, addr);

	PASS(FAKE_DP, NULL);
	if (remote)
		*remote = dp->overlay->remotes[--dp->overlay->count];
	return 0;
}

/* The visit reads them itself. */
void wf_dp_remotes_fetch(struct wf_dp *dp)
{
	(void)dp;
}

int wf_dp_remote_visit(struct wf_dp *dp, wf_dp_remote_fn visit, void *context, struct wf_err *err)
{
	PASS(FAKE_DP, err);
	for (size_t i = dp->overlay->count; i-- > 0;) {
		const struct remote remote = dp->overlay->remotes[i];

		visit(remote.scope, &remote.addr, &remote.value, context);
	}
	return 0;
}

const struct wf_remote_value *fake_dp_remote(struct wf_dp *dp, const char *text)
{
	return fake_dp_remote_in(dp, WF_NETWORK_HOST, text);
}

const struct wf_remote_value *fake_dp_remote_in(struct wf_dp *dp, uint32_t scope, const char *text)
{
	struct wf_addr addr;
	struct remote *remote;

	if (wf_addr_parse(text, &addr) < 0)
		abort();
	remote = find(dp, scope, &addr);
	return remote ? &remote->value : NULL;
}

uint16_t fake_dp_tunnel_port(const struct wf_dp *dp)
{
	return dp->overlay->port;
}

bool fake_dp_sends_by_device(const struct wf_dp *dp)
{
	return dp->overlay->by_device;
}

struct wf_node_value fake_dp_node(const struct wf_dp *dp, uint32_t number)
{
	if (number >= NODES)
		abort();
	return dp->overlay->nodes[number];
}

size_t fake_dp_remote_count(const struct wf_dp *dp)
{
	return dp->overlay->count;
}

static struct vtep *find_vtep(struct wf_dp *dp, uint32_t scope, const struct wf_prefix *prefix)
{
	for (size_t i = 0; i < dp->overlay->vtep_count; i++)
		if (dp->overlay->vteps[i].scope == scope &&
		    wf_prefix_equal(&dp->overlay->vteps[i].prefix, prefix))
			return &dp->overlay->vteps[i];
	return NULL;
}

int wf_dp_vtep_set(struct wf_dp *dp, uint32_t scope, const struct wf_prefix *prefix,
		   const struct wf_vtep_value *value, struct wf_err *err)
{
	struct vtep *vtep = find_vtep(dp, scope, prefix);

	PASS(FAKE_DP, err);
	if (!value) {
		if (vtep)
			*vtep = dp->overlay->vteps[--dp->overlay->vtep_count];
		return 0;
	}
	if (!vtep && dp->overlay->vtep_count == VTEPS)
		abort();
	if (!vtep)
		vtep = &dp->overlay->vteps[dp->overlay->vtep_count++];
	*vtep = (struct vtep){ scope, *prefix, *value };
	return 0;
}

int wf_dp_vtep_visit(struct wf_dp *dp, wf_dp_vtep_fn visit, void *context, struct wf_err *err)
{
	PASS(FAKE_DP, err);
	/* from the end, for the one at hand may go */
	for (size_t i = dp->overlay->vtep_count; i-- > 0;)
		visit(dp->overlay->vteps[i].scope, &dp->overlay->vteps[i].prefix, context);
	return 0;
}

size_t fake_dp_vtep_count(const struct wf_dp *dp)
{
	return dp->overlay->vtep_count;
}

const struct wf_vtep_value *fake_dp_vtep(struct wf_dp *dp, uint32_t scope, const char *prefix)
{
	struct wf_prefix wanted;
	const struct vtep *vtep;

	if (wf_prefix_parse(prefix, &wanted) < 0)
		abort();
	vtep = find_vtep(dp, scope, &wanted);
	return vtep ? &vtep->value : NULL;
}
