/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the addresses a service is reached at besides its cluster IPs, and from where. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/field_priv.h"
#include "model/service_priv.h"

static bool has(const struct wf_service_addrs *list, const struct wf_addr *addr)
{
	for (size_t i = 0; i < list->count; i++)
		if (wf_addr_equal(&list->items[i], addr))
			return true;
	return false;
}

static int add(struct wf_service_addrs *list, const struct wf_addr *addr, struct wf_err *err)
{
	if (wf_mem_grow(&list->items, sizeof(*list->items), list->count, &list->capacity) < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	list->items[list->count++] = *addr;
	return 0;
}

/* An address that clients can send to. */
static int parse_address(const char *text, const char *path, struct wf_addr *ret_addr,
			 struct wf_err *err)
{
	char excerpt[WF_FIELD_EXCERPT_BYTES];

	if (wf_addr_parse(text, ret_addr) < 0)
		return wf_field_fail(err, path, "\"%s\" is not an address",
				     wf_field_excerpt(text, excerpt));
	if (!wf_addr_is_usable(ret_addr))
		return wf_field_fail(err, path,
				     "%s cannot be a service's address (unspecified, loopback, "
				     "link-local, multicast or broadcast)",
				     text);
	return 0;
}

static int read_external(struct wf_service *service, const json_t *spec, struct wf_err *err)
{
	const json_t *list = json_object_get(spec, "externalIPs");
	json_t *item;
	size_t i;

	if (json_array_size(list) && service->type == WF_SERVICE_EXTERNAL_NAME)
		return wf_field_fail(err, "spec.externalIPs",
				     "means nothing for type ExternalName");
	json_array_foreach(list, i, item) {
		struct wf_addr addr;
		char path[64];
		int r;

		(void)snprintf(path, sizeof(path), "spec.externalIPs[%zu]", i);
		r = parse_address(json_string_value(item), path, &addr, err);
		if (r < 0)
			return r;
		if (has(&service->external_ips, &addr))
			return wf_field_fail(err, path, "%s is listed twice",
					     json_string_value(item));
		r = add(&service->external_ips, &addr, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Adds an address of a load balancer unless it is known. */
static int add_balancer(struct wf_service *service, const char *text, const char *path,
			struct wf_err *err)
{
	struct wf_addr addr;
	int r = parse_address(text, path, &addr, err);

	if (r < 0)
		return r;
	return has(&service->balancer_ips, &addr) ? 0 : add(&service->balancer_ips, &addr, err);
}

static int read_ingress(struct wf_service *service, const json_t *item, size_t index,
			struct wf_err *err)
{
	const char *ip = wf_json_str(item, "ip", "");
	const char *mode = wf_json_str(item, "ipMode", "");
	char path[64];

	if (*mode && !*ip) {
		(void)snprintf(path, sizeof(path), "status.loadBalancer.ingress[%zu].ipMode",
			       index);
		return wf_field_fail(err, path, "means nothing without ip");
	}
	/* behind such a balancer packets come to a node port or to the backends themselves */
	if (!*ip || strcmp(mode, "Proxy") == 0)
		return 0;
	(void)snprintf(path, sizeof(path), "status.loadBalancer.ingress[%zu].ip", index);
	return add_balancer(service, ip, path, err);
}

static int read_balancer(struct wf_service *service, const json_t *document, struct wf_err *err)
{
	const json_t *spec = json_object_get(document, "spec");
	const json_t *status = json_object_get(json_object_get(document, "status"), "loadBalancer");
	const json_t *ingress = json_object_get(status, "ingress");
	const char *wanted = wf_json_str(spec, "loadBalancerIP", "");
	json_t *item;
	size_t i;
	int r = 0;

	if (service->type != WF_SERVICE_LOAD_BALANCER) {
		if (json_array_size(ingress))
			return wf_field_fail(err, "status.loadBalancer.ingress",
					     "is for type LoadBalancer only, not for %s",
					     wf_service_type_name(service->type));
		return 0;
	}
	json_array_foreach(ingress, i, item) {
		r = read_ingress(service, item, i, err);
		if (r < 0)
			return r;
	}
	return *wanted ? add_balancer(service, wanted, "spec.loadBalancerIP", err) : 0;
}

/* A copy of text without the blanks at both ends; false when it does not fit. */
static bool trim(const char *text, char *buf, size_t buf_bytes)
{
	size_t len;

	while (isspace((unsigned char)*text))
		text++;
	len = strlen(text);
	while (len && isspace((unsigned char)text[len - 1]))
		len--;
	if (len >= buf_bytes)
		return false;
	memcpy(buf, text, len);
	buf[len] = '\0';
	return true;
}

static int read_source(struct wf_service *service, const char *text, const char *path,
		       struct wf_err *err)
{
	char trimmed[WF_ADDR_TEXT], excerpt[WF_FIELD_EXCERPT_BYTES];
	struct wf_prefix prefix;

	if (!trim(text, trimmed, sizeof(trimmed)) || !strchr(trimmed, '/') ||
	    wf_prefix_parse(trimmed, &prefix) < 0)
		return wf_field_fail(err, path, "\"%s\" is not a prefix (such as 203.0.113.0/24)",
				     wf_field_excerpt(text, excerpt));
	if (wf_mem_grow(&service->sources, sizeof(*service->sources), service->source_count,
			&service->source_capacity) < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	service->sources[service->source_count++] = wf_prefix_network(&prefix);
	return 0;
}

static int read_sources(struct wf_service *service, const json_t *spec, struct wf_err *err)
{
	const json_t *list = json_object_get(spec, "loadBalancerSourceRanges");
	json_t *item;
	size_t i;

	if (json_array_size(list) && service->type != WF_SERVICE_LOAD_BALANCER)
		return wf_field_fail(err, "spec.loadBalancerSourceRanges",
				     "is for type LoadBalancer only, not for %s",
				     wf_service_type_name(service->type));
	json_array_foreach(list, i, item) {
		char path[64];
		int r;

		(void)snprintf(path, sizeof(path), "spec.loadBalancerSourceRanges[%zu]", i);
		r = read_source(service, json_string_value(item), path, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int wf_service_read_addresses(struct wf_service *service, const json_t *document,
			      struct wf_err *err)
{
	const json_t *spec = json_object_get(document, "spec");
	int r = read_external(service, spec, err);

	if (r == 0)
		r = read_balancer(service, document, err);
	return r < 0 ? r : read_sources(service, spec, err);
}
