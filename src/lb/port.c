/* SPDX-License-Identifier: Apache-2.0 */
#include "lb/port.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void wf_lb_port_done(struct wf_lb_port *port)
{
	for (size_t i = 0; i < port->backend_count; i++) {
		wf_shared_unref(&port->backends[i].node);
		wf_shared_unref(&port->backends[i].zone);
		wf_shared_unref(&port->backends[i].target);
	}
	free(port->key);
	free(port->frontends);
	free(port->backends);
	free(port->sources);
	memset(port, 0, sizeof(*port));
}

void wf_lb_ports_done(struct wf_lb_ports *ports)
{
	for (size_t i = 0; i < ports->count; i++)
		wf_lb_port_done(&ports->items[i]);
	free(ports->items);
	memset(ports, 0, sizeof(*ports));
}

const char *wf_lb_state_name(enum wf_lb_state state)
{
	static const char *const names[] = {
		[WF_LB_READY] = "ready",
		[WF_LB_TERMINATING] = "terminating",
		[WF_LB_NOT_READY] = "not-ready",
		[WF_LB_UNHEALTHY] = "unhealthy",
	};

	_Static_assert(WF_ARRAY_LEN(names) == WF_LB_STATE_COUNT, "a state without a name");
	return (unsigned int)state < WF_LB_STATE_COUNT ? names[state] : "unknown";
}

const char *wf_lb_type_name(enum wf_frontend_type type)
{
	static const char *const names[] = {
		[WF_FRONTEND_CLUSTER_IP] = "ClusterIP",
		[WF_FRONTEND_NODE_PORT] = "NodePort",
		[WF_FRONTEND_LOAD_BALANCER] = "LoadBalancer",
		[WF_FRONTEND_EXTERNAL_IP] = "ExternalIP",
	};

	_Static_assert(WF_ARRAY_LEN(names) == WF_FRONTEND_TYPE_COUNT, "a type without a name");
	return (unsigned int)type < WF_FRONTEND_TYPE_COUNT ? names[type] : "unknown";
}
