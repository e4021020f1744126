/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of reading a service, each about some of its fields; service_read.c calls them in turn. */
#ifndef WEFT_MODEL_SERVICE_PRIV_H
#define WEFT_MODEL_SERVICE_PRIV_H

#include "model/service.h"

#define WF_SERVICE_AFFINITY_S     10800
#define WF_SERVICE_MAX_AFFINITY_S 86400

/* Names of the service's annotations of weft.dev begin with this. */
#define WF_SERVICE_ANNOTATIONS "weft.dev/"

#define WF_SERVICE_CHECK_INTERVAL_MS 2000

/* spec.clusterIP, clusterIPs, ipFamilies, ipFamilyPolicy. Needs type. */
int wf_service_read_families(struct wf_service *service, const json_t *document,
			     struct wf_err *err);
/* spec.externalIPs, loadBalancerIP, loadBalancerSourceRanges; status.loadBalancer. Needs type. */
int wf_service_read_addresses(struct wf_service *service, const json_t *document,
			      struct wf_err *err);
/* spec.ports. Needs type and headless. */
int wf_service_read_ports(struct wf_service *service, const json_t *document, struct wf_err *err);
/* metadata.annotations of weft.dev. Needs meta. */
int wf_service_read_annotations(struct wf_service *service, const json_t *document,
				struct wf_err *err);

/* "http://:8080/healthz" or "tcp" into a check; the interval stays. -EINVAL names path. */
int wf_service_check_parse(struct wf_service_check *check, const char *text, const char *path,
			   struct wf_err *err);

#endif
