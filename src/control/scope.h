/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scopes: within which an address means one thing. Networks share that of the host's view
 * (WF_NETWORK_HOST), but for those whose subnets may be those of others (spec.overlapping): each of
 * these is a scope of its own, by its number, and the host is nobody in it.
 *
 * Whatever weftd does otherwise for such a network follows from one of these questions. Nobody else in
 * this room looks at spec.overlapping (tools/check-style). Pure: no effects, no failures.
 */
#ifndef WEFT_CONTROL_SCOPE_H
#define WEFT_CONTROL_SCOPE_H

#include <stdbool.h>
#include <stdint.h>

struct ctl_endpoint;
struct ctl_network;
struct wf_control;
struct wf_network;

/* ---- where an address is known ------------------------------------------------------------------ */

/* Whether the network is a scope of its own. */
bool wf_ctl_scope_is_own(const struct wf_network *network);
/* The scope of its addresses: WF_NETWORK_HOST, or its number. */
uint32_t wf_ctl_scope_of(const struct ctl_network *network);
/* The same by a network's number, which may be of none. */
uint32_t wf_ctl_scope_of_number(const struct wf_control *control, uint32_t number);
/* Whether a key of the address table is one for the network's addresses: its number, or its scope. */
bool wf_ctl_scope_has_key(const struct ctl_network *network, uint32_t key);

/* ---- who is in it ------------------------------------------------------------------------------- */

/* Whether the host has addresses and routes there: it is the gateway, and forwards for it. */
bool wf_ctl_scope_has_host(const struct wf_network *network);
/*
 * Whether the host has an address there all the same, by which nobody reaches it: what it leads in from
 * outside to containers of other nodes shows that (bpf/lib/door.h).
 */
bool wf_ctl_scope_has_door(const struct wf_network *network);
/* Whether who is outside can be led to its containers, by ports of the host or addresses of services. */
bool wf_ctl_scope_has_outsiders(const struct wf_network *network);
/* Whether each of its addresses is of one endpoint alone, so that a key can stand for it. */
bool wf_ctl_scope_has_keys(const struct wf_network *network);

/* ---- what must be told apart --------------------------------------------------------------------- */

/* Whether subnets of one network are to be others than those that another one has. */
bool wf_ctl_scope_heeds(const struct wf_network *network, const struct wf_network *other);
/* Whether a container in both could not tell them apart if they had an address in common. */
bool wf_ctl_scope_confuses(const struct wf_network *network, const struct wf_network *other);

/* ---- services ------------------------------------------------------------------------------------ */

/*
 * Whether an endpoint is told by routes of its own where services are, unless something else leads there:
 * weft keeps these as they have to be (service_route.c).
 */
bool wf_ctl_scope_routes_services(const struct ctl_endpoint *endpoint);

#endif
