/* SPDX-License-Identifier: Apache-2.0 */
/* See scope.h. */
#include "control/scope.h"

#include "control/control_priv.h"

bool wf_ctl_scope_is_own(const struct wf_network *network)
{
	return network->overlapping;
}

uint32_t wf_ctl_scope_of(const struct ctl_network *network)
{
	return wf_ctl_scope_is_own(&network->spec) ? network->spec.number : WF_NETWORK_HOST;
}

uint32_t wf_ctl_scope_of_number(const struct wf_control *control, uint32_t number)
{
	const struct ctl_network *network = wf_ctl_network_at(control, number);

	return network ? wf_ctl_scope_of(network) : WF_NETWORK_HOST;
}

bool wf_ctl_scope_has_key(const struct ctl_network *network, uint32_t key)
{
	return key == network->spec.number || key == wf_ctl_scope_of(network);
}

bool wf_ctl_scope_has_host(const struct wf_network *network)
{
	return wf_driver_is_routed(network->driver) && !wf_ctl_scope_is_own(network);
}

bool wf_ctl_scope_has_door(const struct wf_network *network)
{
	return wf_driver_is_shared(network->driver) && wf_ctl_scope_is_own(network) &&
	       network->masquerade;
}

bool wf_ctl_scope_has_outsiders(const struct wf_network *network)
{
	return !wf_ctl_scope_is_own(network) || network->masquerade;
}

bool wf_ctl_scope_has_keys(const struct wf_network *network)
{
	return !wf_ctl_scope_is_own(network);
}

/* Scopes are in nobody's way; one that may choose keeps away from all others all the same. */
bool wf_ctl_scope_heeds(const struct wf_network *network, const struct wf_network *other)
{
	return wf_ctl_scope_is_own(network) || !wf_ctl_scope_is_own(other);
}

bool wf_ctl_scope_confuses(const struct wf_network *network, const struct wf_network *other)
{
	return wf_ctl_scope_is_own(network) || wf_ctl_scope_is_own(other);
}

bool wf_ctl_scope_routes_services(const struct ctl_endpoint *endpoint)
{
	return endpoint->spec.slot && wf_ctl_scope_is_own(&endpoint->network->spec);
}
