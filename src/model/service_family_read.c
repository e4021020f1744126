/* SPDX-License-Identifier: Apache-2.0 */
/* Reads which families a service has, and its cluster IPs. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "model/field_priv.h"
#include "model/service_priv.h"

#define NO_CLUSTER_IP "None"

static bool is_none(const char *text)
{
	return strcmp(text, NO_CLUSTER_IP) == 0;
}

static const char *family_name(const struct wf_addr *addr)
{
	return wf_addr_is_ip4(addr) ? "IPv4" : "IPv6";
}

static int read_headless(struct wf_service *service, const char *path, struct wf_err *err)
{
	if (service->type != WF_SERVICE_CLUSTER_IP)
		return wf_field_fail(err, path, "\"None\" is for type ClusterIP only, not for %s",
				     wf_service_type_name(service->type));
	service->headless = true;
	return 0;
}

static int read_cluster_ip(struct wf_service *service, const char *text, const char *path,
			   struct wf_err *err)
{
	char excerpt[WF_FIELD_EXCERPT_BYTES];
	struct wf_addr addr;

	if (wf_addr_parse(text, &addr) < 0)
		return wf_field_fail(err, path, "\"%s\" is not an address or \"None\"",
				     wf_field_excerpt(text, excerpt));
	if (!wf_addr_is_usable(&addr))
		return wf_field_fail(err, path,
				     "%s cannot be a service's address (unspecified, loopback, "
				     "link-local, multicast or broadcast)",
				     text);
	if (service->cluster_ip_count &&
	    wf_addr_is_ip4(&addr) == wf_addr_is_ip4(&service->cluster_ips[0]))
		return wf_field_fail(err, path, "a second %s address (want one per family)",
				     family_name(&addr));
	service->cluster_ips[service->cluster_ip_count++] = addr;
	return 0;
}

/* clusterIP and the first of clusterIPs say the same; either may be left out. */
static int check_first(const char *single, const json_t *list, struct wf_err *err)
{
	const char *first = json_string_value(json_array_get(list, 0));
	char a[WF_FIELD_EXCERPT_BYTES], b[WF_FIELD_EXCERPT_BYTES];
	struct wf_addr left, right;

	if (!*single || !first || strcmp(single, first) == 0)
		return 0;
	if (wf_addr_parse(single, &left) == 0 && wf_addr_parse(first, &right) == 0 &&
	    wf_addr_equal(&left, &right))
		return 0;
	return wf_field_fail(err, "spec.clusterIPs[0]", "\"%s\" is not clusterIP \"%s\"",
			     wf_field_excerpt(first, a), wf_field_excerpt(single, b));
}

static int read_cluster_ips(struct wf_service *service, const json_t *spec, struct wf_err *err)
{
	const char *single = wf_json_str(spec, "clusterIP", "");
	const json_t *list = json_object_get(spec, "clusterIPs");
	json_t *item;
	size_t i;
	int r = check_first(single, list, err);

	if (r < 0)
		return r;
	if ((*single || json_array_size(list)) && service->type == WF_SERVICE_EXTERNAL_NAME)
		return wf_field_fail(err, "spec.clusterIP",
				     "means nothing for type ExternalName (leave it out)");
	if (!json_array_size(list) && *single)
		return is_none(single) ? read_headless(service, "spec.clusterIP", err)
				       : read_cluster_ip(service, single, "spec.clusterIP", err);
	json_array_foreach(list, i, item) {
		char path[64];

		(void)snprintf(path, sizeof(path), "spec.clusterIPs[%zu]", i);
		if (is_none(json_string_value(item)) && json_array_size(list) > 1)
			return wf_field_fail(err, path, "\"None\" stands alone or not at all");
		r = is_none(json_string_value(item))
			    ? read_headless(service, path, err)
			    : read_cluster_ip(service, json_string_value(item), path, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* spec.ipFamilies and whether the cluster IPs agree with them, place by place. */
static int read_families(struct wf_service *service, const json_t *spec, struct wf_err *err)
{
	const json_t *list = json_object_get(spec, "ipFamilies");
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item) {
		bool ip6 = strcmp(json_string_value(item), "IPv6") == 0;
		bool *want = ip6 ? &service->want_ip6 : &service->want_ip4;
		char path[64];

		if (*want)
			return wf_field_fail(err, "spec.ipFamilies", "%s is listed twice",
					     json_string_value(item));
		*want = true;
		service->ip6_first |= ip6 && i == 0;
		if (i >= service->cluster_ip_count ||
		    ip6 != wf_addr_is_ip4(&service->cluster_ips[i]))
			continue;
		(void)snprintf(path, sizeof(path), "spec.ipFamilies[%zu]", i);
		return wf_field_fail(err, path, "is %s, but the cluster IP in that place is %s",
				     json_string_value(item),
				     family_name(&service->cluster_ips[i]));
	}
	return 0;
}

static int apply_policy(struct wf_service *service, const json_t *spec, struct wf_err *err)
{
	const char *policy = wf_json_str(spec, "ipFamilyPolicy", "");
	bool two = service->cluster_ip_count == 2 || (service->want_ip4 && service->want_ip6);

	if (strcmp(policy, "SingleStack") == 0 && two)
		return wf_field_fail(err, "spec.ipFamilyPolicy",
				     "SingleStack with two %s (want PreferDualStack or "
				     "RequireDualStack)",
				     service->cluster_ip_count == 2 ? "cluster IPs" : "ipFamilies");
	service->require_dual = strcmp(policy, "RequireDualStack") == 0 || (!*policy && two);
	if (!service->want_ip4 && !service->want_ip6) {
		bool ip6 = service->cluster_ip_count && !wf_addr_is_ip4(&service->cluster_ips[0]);

		service->ip6_first = service->want_ip6 = ip6;
		service->want_ip4 = !ip6;
	}
	if (service->require_dual || strcmp(policy, "PreferDualStack") == 0 || two)
		service->want_ip4 = service->want_ip6 = true;
	return 0;
}

int wf_service_read_families(struct wf_service *service, const json_t *document, struct wf_err *err)
{
	const json_t *spec = json_object_get(document, "spec");
	int r = read_cluster_ips(service, spec, err);

	if (r < 0)
		return r;
	if (service->type != WF_SERVICE_EXTERNAL_NAME) {
		r = read_families(service, spec, err);
		return r < 0 ? r : apply_policy(service, spec, err);
	}
	if (json_array_size(json_object_get(spec, "ipFamilies")))
		return wf_field_fail(err, "spec.ipFamilies", "means nothing for type ExternalName");
	if (*wf_json_str(spec, "ipFamilyPolicy", ""))
		return wf_field_fail(err, "spec.ipFamilyPolicy",
				     "means nothing for type ExternalName");
	return 0;
}
