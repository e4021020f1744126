/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses that a scope of the address table, mostly the host's view, has besides endpoints' and
 * gateways': the host's own and those of services. By them programs know that a packet is for a
 * published port or a service, and refuse what a service has no port for.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "control/control_priv.h"

static struct ctl_view *view_find(const struct wf_control *control, uint32_t scope,
				  const struct wf_addr *addr)
{
	struct ctl_view *view;
	struct wf_addr_key key;

	memset(&key, 0, sizeof(key));
	key.network = scope;
	memcpy(&key.addr, addr, sizeof(key.addr));
	HASH_FIND(by_key, control->lb.views, &key, sizeof(key), view);
	return view;
}

static struct ctl_view *view_make(struct wf_control *control, uint32_t scope,
				  const struct wf_addr *addr)
{
	struct ctl_view *view = view_find(control, scope, addr);

	if (view)
		return view;
	view = calloc(1, sizeof(*view));
	if (!view)
		return NULL;
	view->key = (struct wf_addr_key){ .network = scope, .addr = *addr };
	HASH_ADD(by_key, control->lb.views, key, sizeof(view->key), view);
	if (!view->by_key.tbl) {
		free(view);
		return NULL;
	}
	return view;
}

/* A host that has a service's address as its own goes on answering at its other ports. */
static uint32_t wanted_flags(const struct ctl_view *view)
{
	if (view->host)
		return WF_ADDR_HOST;
	return view->services ? WF_ADDR_SERVICE : 0;
}

/* Whether somebody else's entry is in the place: an endpoint's or a gateway's. */
static bool is_foreign(struct wf_control *control, const struct wf_addr_key *key)
{
	struct wf_addr_value value;

	return wf_dp_address_get(control->dp, key->network, &key->addr, &value) == 0 &&
	       (value.slot != WF_SLOT_HOST || value.flags & WF_ADDR_GATEWAY);
}

static int view_write(struct wf_control *control, struct ctl_view *view, struct wf_err *err)
{
	struct wf_addr_value value = { .slot = WF_SLOT_HOST, .flags = wanted_flags(view) };
	int r = 0;

	if (value.flags != view->flags && !is_foreign(control, &view->key))
		r = value.flags
			    ? wf_dp_address_set(control->dp, view->key.network, &view->key.addr,
						&value, err)
			    : wf_dp_address_clear(control->dp, view->key.network, &view->key.addr);
	if (r == 0)
		view->flags = value.flags;
	return r;
}

static void view_settle(struct wf_control *control, struct ctl_view *view)
{
	if (view->host || view->services || view->flags)
		return;
	HASH_DELETE(by_key, control->lb.views, view);
	free(view);
}

int wf_ctl_view_service(struct wf_control *control, uint32_t scope, const struct wf_addr *addr,
			uint8_t proto, int delta)
{
	struct ctl_view *view = view_make(control, scope, addr);
	bool was_routed;
	int r;

	if (!view)
		return -ENOMEM;
	was_routed = wf_ctl_view_is_routed(control, view);
	view->services += (uint32_t)delta;
	if (proto == IPPROTO_SCTP)
		view->sctp += (uint32_t)delta;
	control->lb.routes_changed |= wf_ctl_view_is_routed(control, view) != was_routed;
	r = view_write(control, view, NULL);
	view_settle(control, view);
	return r;
}

int wf_ctl_view_host(struct wf_control *control, const struct wf_addr *addrs, size_t count)
{
	struct ctl_view *view, *next;
	int r = 0;

	HASH_ITER(by_key, control->lb.views, view, next)
		view->host = false;
	for (size_t i = 0; i < count; i++) {
		view = view_make(control, WF_NETWORK_HOST, &addrs[i]);
		if (!view)
			return -ENOMEM;
		view->host = true;
	}
	HASH_ITER(by_key, control->lb.views, view, next) {
		int q;

		/* the host needs no route to itself */
		if (view->services && view->host != !!(view->flags & WF_ADDR_HOST))
			wf_ctl_dirty(control, CTL_DIRTY_HOST);
		q = view_write(control, view, NULL);
		r = r < 0 ? r : q;
		view_settle(control, view);
	}
	return r;
}

uint32_t wf_ctl_view_flags(const struct wf_control *control, uint32_t scope,
			   const struct wf_addr *addr)
{
	const struct ctl_view *view = view_find(control, scope, addr);

	return view ? wanted_flags(view) : 0;
}

bool wf_ctl_view_is_host(const struct wf_control *control, const struct wf_addr *addr)
{
	const struct ctl_view *view = view_find(control, WF_NETWORK_HOST, addr);

	return view && view->host;
}

int wf_ctl_view_program(struct wf_control *control, struct wf_err *err)
{
	struct ctl_view *view, *next;
	int r = 0;

	HASH_ITER(by_key, control->lb.views, view, next) {
		struct wf_addr_value value;

		if (r < 0)
			break;
		if (wf_dp_address_get(control->dp, view->key.network, &view->key.addr, &value) < 0)
			view->flags = 0;
		else if (value.slot == WF_SLOT_HOST)
			view->flags = value.flags & (WF_ADDR_HOST | WF_ADDR_SERVICE);
		r = view_write(control, view, err);
	}
	return r;
}

void wf_ctl_view_free(struct wf_control *control)
{
	struct ctl_view *view, *next;

	HASH_ITER(by_key, control->lb.views, view, next) {
		HASH_DELETE(by_key, control->lb.views, view);
		free(view);
	}
}
