/* SPDX-License-Identifier: Apache-2.0 */
/* The service object: names, lifetime. Reading: service_read.c; writing: service_write.c. */
#include "model/service.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static const char *const types[WF_SERVICE_TYPE_COUNT] = {
	[WF_SERVICE_CLUSTER_IP] = "ClusterIP",
	[WF_SERVICE_NODE_PORT] = "NodePort",
	[WF_SERVICE_LOAD_BALANCER] = "LoadBalancer",
	[WF_SERVICE_EXTERNAL_NAME] = "ExternalName",
};

static const char *const algorithms[WF_LB_ALGORITHM_COUNT] = {
	[WF_LB_MAGLEV] = "maglev",
	[WF_LB_RANDOM] = "random",
	[WF_LB_ROUND_ROBIN] = "round-robin",
	[WF_LB_LEAST] = "least-connections",
};

const char *wf_service_type_name(enum wf_service_type type)
{
	return type < WF_SERVICE_TYPE_COUNT ? types[type] : "";
}

const char *wf_lb_algorithm_name(enum wf_lb_algorithm algorithm)
{
	return algorithm < WF_LB_ALGORITHM_COUNT ? algorithms[algorithm] : "";
}

enum wf_lb_algorithm wf_lb_algorithm_from_name(const char *name)
{
	return (enum wf_lb_algorithm)wf_str_place(algorithms, WF_LB_ALGORITHM_COUNT, name);
}

void wf_service_done(struct wf_service *service)
{
	wf_meta_done(&service->meta);
	wf_labels_done(&service->selector);
	free(service->external_ips.items);
	free(service->balancer_ips.items);
	free(service->sources);
	free(service->ports);
	json_decref(service->document);
	memset(service, 0, sizeof(*service));
}
