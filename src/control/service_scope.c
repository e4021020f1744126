/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose a service is: everybody's, or of the one network that its annotation names. That network may
 * have addresses which mean nothing beyond it (spec.overlapping): then so does the service, and what
 * would lead there from elsewhere is refused.
 */
#include <errno.h>
#include <string.h>

#include "control/control_priv.h"
#include "control/lb_local.h"

#define FIELD "metadata.annotations.weft.dev/network"

/* The first field that asks for more than the network's own containers, which all there is; or NULL. */
static const char *field_beyond(const struct wf_service *spec)
{
	if (spec->type == WF_SERVICE_NODE_PORT || spec->type == WF_SERVICE_LOAD_BALANCER)
		return "spec.type";
	if (spec->external_ips.count)
		return "spec.externalIPs";
	if (spec->balancer_ips.count)
		return "spec.loadBalancerIP";
	/* asked by weftd, from the host */
	return spec->check.type != WF_CHECK_NONE ? "metadata.annotations.weft.dev/health-check"
						 : NULL;
}

/* Containers there take an address of their own subnets for a container's. */
static int check_addresses(const struct wf_service *spec, const struct ctl_network *network,
			   struct wf_err *err)
{
	char text[WF_ADDR_TEXT];

	for (size_t i = 0; i < spec->cluster_ip_count; i++)
		if (wf_network_subnet_of(&network->spec, &spec->cluster_ips[i]))
			return wf_fail_field(err, -EADDRINUSE, "spec.clusterIP",
					     "%s is inside the subnet of network %s",
					     wf_addr_format(&spec->cluster_ips[i], text),
					     spec->network);
	return 0;
}

static int check_closed(const struct wf_service *spec, const struct ctl_network *network,
			struct wf_err *err)
{
	const char *field = field_beyond(spec);

	if (field)
		return wf_fail_field(err, -EOPNOTSUPP, field,
				     "network %s has spec.overlapping: true, and nobody beyond it "
				     "reaches it: its services have a ClusterIP and nothing else",
				     spec->network);
	return check_addresses(spec, network, err);
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
	return network->spec.overlapping ? check_closed(spec, network, err) : 0;
}

uint32_t wf_ctl_service_view(struct wf_control *control, const struct wf_service *spec)
{
	const struct ctl_network *network =
		*spec->network ? wf_ctl_network_find(control, spec->network) : NULL;

	return network ? wf_ctl_scope_of(network) : WF_NETWORK_HOST;
}
