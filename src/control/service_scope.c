/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose a service is: everybody's, or of the one network that its annotation names. That network may
 * have addresses which mean nothing beyond it (spec.overlapping): then so does the service, and who is
 * elsewhere reaches it from outside, by the network's way out, or not at all.
 */
#include <errno.h>
#include <string.h>

#include "control/control_priv.h"
#include "control/lb_local.h"

#define FIELD "metadata.annotations.weft.dev/network"

/* The first field by which others than the network's own containers would reach it; or NULL. */
static const char *field_beyond(const struct wf_service *spec)
{
	if (spec->type == WF_SERVICE_NODE_PORT || spec->type == WF_SERVICE_LOAD_BALANCER)
		return "spec.type";
	if (spec->external_ips.count)
		return "spec.externalIPs";
	return spec->balancer_ips.count ? "spec.loadBalancerIP" : NULL;
}

/* Who is outside comes in by the network's way out, and this node leads him to whatever node has the backend. */
static int check_beyond(const struct wf_service *spec, const struct ctl_network *network,
			struct wf_err *err)
{
	const char *field = field_beyond(spec);

	/* asked by weftd, from the host */
	if (spec->check.type != WF_CHECK_NONE)
		return wf_fail_field(err, -EOPNOTSUPP, "metadata.annotations.weft.dev/health-check",
				     "the host does not reach network %s, which has "
				     "spec.overlapping: true",
				     spec->network);
	if (!field)
		return 0;
	if (!wf_ctl_scope_has_outsiders(&network->spec))
		return wf_fail_field(err, -EOPNOTSUPP, field,
				     "network %s has spec.overlapping: true, and nobody beyond it "
				     "reaches it: without spec.masquerade: true its services have "
				     "a ClusterIP and nothing else",
				     spec->network);
	/* to another node it goes in that network's tunnel: no other router would bring it there */
	if (spec->dsr)
		return wf_fail_field(err, -EOPNOTSUPP, "metadata.annotations.weft.dev/forwarding",
				     "network %s has spec.overlapping: true: only this node knows "
				     "the way of an answer, so it has to be snat",
				     spec->network);
	return 0;
}

/* Containers there take an address of their own subnets for a container's. */
static int check_addresses(const struct wf_addr *addrs, size_t count, const char *field,
			   const struct ctl_network *network, struct wf_err *err)
{
	char text[WF_ADDR_TEXT];

	for (size_t i = 0; i < count; i++)
		if (wf_network_subnet_of(&network->spec, &addrs[i]))
			return wf_fail_field(
				err, -EADDRINUSE, field, "%s is inside the subnet of network %s",
				wf_addr_format(&addrs[i], text), network->spec.meta.name);
	return 0;
}

static int check_closed(const struct wf_service *spec, const struct ctl_network *network,
			struct wf_err *err)
{
	int r = check_beyond(spec, network, err);

	if (r == 0)
		r = check_addresses(spec->cluster_ips, spec->cluster_ip_count, "spec.clusterIP",
				    network, err);
	if (r == 0)
		r = check_addresses(spec->external_ips.items, spec->external_ips.count,
				    "spec.externalIPs", network, err);
	if (r == 0)
		r = check_addresses(spec->balancer_ips.items, spec->balancer_ips.count,
				    "status.loadBalancer.ingress", network, err);
	return r;
}

int wf_ctl_service_scope(struct wf_control *control, const struct wf_service *spec,
			 uint32_t *ret_scope, uint32_t *ret_view, struct wf_err *err)
{
	const struct ctl_network *network;

	*ret_scope = WF_SCOPE_ANY;
	*ret_view = WF_NETWORK_HOST;
	if (!*spec->network)
		return 0;
	network = wf_ctl_network_find(control, spec->network);
	if (!network)
		return wf_fail_field(err, -ENOENT, FIELD, "there is no network %s", spec->network);
	*ret_scope = network->spec.number;
	*ret_view = wf_ctl_scope_of(network);
	return wf_ctl_scope_is_own(&network->spec) ? check_closed(spec, network, err) : 0;
}

uint32_t wf_ctl_service_view(struct wf_control *control, const struct wf_service *spec)
{
	const struct ctl_network *network =
		*spec->network ? wf_ctl_network_find(control, spec->network) : NULL;

	return network ? wf_ctl_scope_of(network) : WF_NETWORK_HOST;
}
