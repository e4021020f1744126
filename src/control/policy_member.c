/* SPDX-License-Identifier: Apache-2.0 */
/* Whom policies are about, as the engine is told: endpoints, this node, services. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/control_priv.h"
#include "control/lb_local.h"

WF_LOG_MODULE(policy_member);

static bool says_true(const struct wf_labels *labels, const char *key)
{
	const char *value = wf_labels_get(labels, key);

	return value && strcmp(value, "true") == 0;
}

bool wf_ctl_policy_is_audited(const struct wf_endpoint *spec)
{
	return says_true(&spec->meta.labels, WF_ANNOTATION_AUDIT) ||
	       says_true(&spec->meta.annotations, WF_ANNOTATION_AUDIT);
}

int wf_ctl_policy_member_put(struct wf_control *control, const struct ctl_endpoint *endpoint,
			     struct wf_err *err)
{
	const struct wf_endpoint *spec = &endpoint->spec;
	struct wf_addr addrs[WF_MAX_ENDPOINT_ADDRESSES];
	const struct wf_policy_member member = {
		.slot = spec->slot,
		.scope = wf_ctl_scope_of(endpoint->network),
		.namespace = wf_ctl_namespace_of(&spec->meta.labels),
		.labels = &spec->meta.labels,
		.ports = spec->ports,
		.port_count = spec->port_count,
		.addrs = addrs,
		.addr_count = spec->address_count,
		.audit = wf_ctl_policy_is_audited(spec),
	};
	int r;

	if (!spec->slot)
		return 0;
	for (size_t i = 0; i < spec->address_count; i++)
		addrs[i] = spec->addresses[i].prefix.addr;
	r = wf_policy_engine_member_put(control->policy.engine, &member, err);
	/* gathered changes are not in force yet; the commit says it then */
	if (r < 0 || control->policy.gathering)
		return r;
	if (member.audit && !(control->policy.observe & WF_OBSERVE_DROPS))
		wf_ctl_audit_sync(control);
	return wf_ctl_policy_guard(control, spec->slot, err);
}

void wf_ctl_policy_member_drop(struct wf_control *control, const struct ctl_endpoint *endpoint)
{
	if (endpoint->spec.slot)
		wf_policy_engine_member_drop(control->policy.engine, endpoint->spec.slot);
}

/* ---- this node ---------------------------------------------------------------------------------- */

static int add_host_addrs(const struct wf_control *control, struct wf_addr **addrs, size_t *count)
{
	size_t capacity = *count;

	for (const struct ctl_network *network = control->networks; network;
	     network = network->by_name.next) {
		struct wf_addr own[CTL_MAX_HOST_ADDRS];
		size_t own_count = wf_ctl_desired_host_addrs(network, own);

		/* of a scope's gateway the host knows nothing */
		if (!wf_ctl_scope_has_host(&network->spec))
			continue;
		for (size_t i = 0; i < own_count; i++) {
			if (wf_mem_grow(addrs, sizeof(**addrs), *count, &capacity) < 0)
				return -ENOMEM;
			(*addrs)[(*count)++] = own[i];
		}
	}
	return 0;
}

static int compare_addrs(const void *a, const void *b)
{
	return wf_addr_compare(a, b);
}

/* Sorted, each once, and only those that a peer can be known by. */
static size_t keep_usable(struct wf_addr *addrs, size_t count)
{
	size_t kept = 0;

	if (count)
		qsort(addrs, count, sizeof(*addrs), compare_addrs);
	for (size_t i = 0; i < count; i++)
		if (wf_addr_is_usable(&addrs[i]) &&
		    !(kept && wf_addr_equal(&addrs[kept - 1], &addrs[i])))
			addrs[kept++] = addrs[i];
	return kept;
}

/* The labels of its Node document; its name is a label that every node has. */
static int self_labels(const struct wf_control *control, struct wf_labels *labels,
		       struct wf_err *err)
{
	const json_t *meta = json_object_get(control->policy.self, "metadata");
	const json_t *stored = json_object_get(meta, "labels");
	int r = stored ? wf_labels_from_json(labels, stored, "metadata.labels", false, err) : 0;

	if (r == 0 && !wf_labels_get(labels, WF_LABEL_NODE_NAME))
		r = wf_labels_set(labels, WF_LABEL_NODE_NAME, control->config.node_name);
	return r;
}

/* *addrs, owned by the caller, may grow. */
static int put_self(struct wf_control *control, struct wf_addr **addrs, size_t count,
		    struct wf_err *err)
{
	_cleanup_(wf_labels_done) struct wf_labels labels = { 0 };
	int r = add_host_addrs(control, addrs, &count);

	if (r == 0)
		r = self_labels(control, &labels, err);
	if (r < 0)
		return wf_fail(err, r, "cannot tell policies of this node: %s", strerror(-r));
	return wf_policy_engine_node_put(control->policy.engine, control->config.node_name, true,
					 &labels, *addrs, keep_usable(*addrs, count), err);
}

int wf_ctl_policy_self_put(struct wf_control *control, struct wf_err *err)
{
	_cleanup_free_ struct wf_addr *addrs = NULL;
	size_t count = 0;
	int r = wf_net_host_addresses(control->net, &addrs, &count, err);

	if (r < 0)
		return wf_fail(err, r, "cannot tell policies of this node: %s", strerror(-r));
	return put_self(control, &addrs, count, err);
}

int wf_ctl_policy_self_put_at(struct wf_control *control, const struct wf_addr *addrs, size_t count,
			      struct wf_err *err)
{
	_cleanup_free_ struct wf_addr *copy = calloc(count + 1, sizeof(*copy));

	if (!copy)
		return wf_fail(err, -ENOMEM, "out of memory for the host's addresses");
	memcpy(copy, addrs, count * sizeof(*copy));
	return put_self(control, &copy, count, err);
}

/* ---- services ------------------------------------------------------------------------------------- */

/* Every address behind a service, whether it serves now or not: it may in a moment. */
static int backends_of(struct wf_control *control, const struct ctl_service *service,
		       struct wf_addr **ret_addrs, size_t *ret_count)
{
	_cleanup_(wf_ctl_slices_done) struct local_slices slices = { 0 };
	_cleanup_free_ struct wf_addr *addrs = NULL;
	size_t count = 0, capacity = 0;

	if (wf_ctl_slices_gather(control, service, &slices, NULL) < 0)
		return -ENOMEM;
	for (size_t s = 0; s < slices.count; s++)
		for (size_t i = 0; i < slices.refs[s]->endpoint_count; i++) {
			if (wf_mem_grow(&addrs, sizeof(*addrs), count, &capacity) < 0)
				return -ENOMEM;
			addrs[count++] = slices.refs[s]->endpoints[i].addr;
		}
	*ret_count = keep_usable(addrs, count);
	*ret_addrs = TAKE_PTR(addrs);
	return 0;
}

void wf_ctl_policy_service_put(struct wf_control *control, const struct ctl_service *service)
{
	const struct wf_meta *meta = &service->spec.meta;
	_cleanup_free_ struct wf_addr *addrs = NULL;
	struct wf_policy_backends backends = { .scope = wf_ctl_service_view(control,
									    &service->spec) };
	struct wf_err fault = WF_ERR_INIT;
	int r = backends_of(control, service, &addrs, &backends.count);

	backends.addrs = addrs;
	if (r == 0)
		r = wf_policy_engine_service_put(control->policy.engine, meta->namespace,
						 meta->name, &meta->labels, &backends, &fault);
	/* fails closed: rules that name the service mean whom they meant before, or nobody */
	if (r < 0)
		wf_log_error("policies do not know a service's backends", "service=%s error=\"%s\"",
			     service->key, *fault.message ? fault.message : strerror(-r));
}

void wf_ctl_policy_service_drop(struct wf_control *control, const struct ctl_service *service)
{
	const struct wf_meta *meta = &service->spec.meta;
	struct wf_err fault = WF_ERR_INIT;

	if (wf_policy_engine_service_drop(control->policy.engine, meta->namespace, meta->name,
					  &fault) < 0)
		wf_log_error("policies still know a service that is gone",
			     "service=%s error=\"%s\"", service->key, fault.message);
}
