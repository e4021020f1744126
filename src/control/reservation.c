/* SPDX-License-Identifier: Apache-2.0 */
/* Reservations: addresses held for a name in the pools of their network. */
#include <errno.h>

#include "base/mem.h"
#include "control/control_priv.h"

static void unhold(struct ctl_network *network, const struct wf_reservation *spec, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct wf_pool *pool = wf_ctl_pool_of(network, &spec->addresses[i]);

		if (pool)
			(void)wf_pool_unreserve(pool, &spec->addresses[i], spec->holder);
	}
}

int wf_ctl_reservation_start(struct wf_control *control, struct wf_reservation *spec,
			     struct wf_err *err)
{
	struct ctl_network *network = wf_ctl_network_find(control, spec->network);
	char text[WF_ADDR_TEXT];
	int r = 0;

	if (!network)
		return wf_fail_field(err, -ENOENT, "spec.network",
				     "there is no network %s; create it first", spec->network);
	for (size_t i = 0; i < spec->address_count; i++) {
		struct wf_pool *pool = wf_ctl_pool_of(network, &spec->addresses[i]);

		if (!pool)
			r = wf_fail_field(err, -EADDRNOTAVAIL, "spec.addresses",
					  "%s is in no subnet of network %s",
					  wf_addr_format(&spec->addresses[i], text), spec->network);
		else
			r = wf_pool_reserve(pool, &spec->addresses[i], spec->holder, err);
		if (r < 0) {
			unhold(network, spec, i);
			return r;
		}
	}
	r = wf_ctl_reservation_insert(control, spec, err);
	if (r < 0)
		unhold(network, spec, spec->address_count);
	return r;
}

void wf_ctl_reservation_stop(struct wf_control *control, struct ctl_reservation *reservation)
{
	struct ctl_network *network = wf_ctl_network_find(control, reservation->spec.network);

	if (network)
		unhold(network, &reservation->spec, reservation->spec.address_count);
	wf_ctl_reservation_remove(control, reservation);
}
