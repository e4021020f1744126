/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Services: the table, and what touches them. A flush (service_flush.c) resolves only services that were
 * touched; a restart touches all and finds nothing to write.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <utlist.h>

#include "base/mem.h"
#include "control/control_priv.h"
#include "control/lb_local.h"

static int write_frontends(const struct wf_frontend_key *keys,
			   const struct wf_frontend_value *values, size_t count, void *context,
			   struct wf_err *err)
{
	struct wf_control *control = context;

	return wf_dp_frontends_set(control->dp, keys, values, count, err);
}

static int write_source(uint32_t service, const struct wf_prefix *prefix, bool present,
			void *context, struct wf_err *err)
{
	struct wf_control *control = context;

	return wf_dp_source_set(control->dp, service, prefix, present, err);
}

/* ---- the tables --------------------------------------------------------------------------- */

struct ctl_service *wf_ctl_service_find(struct wf_control *control, const char *key)
{
	struct ctl_service *service;

	HASH_FIND(by_key, control->lb.services, key, strlen(key), service);
	return service;
}

void wf_ctl_service_untouch(struct wf_control *control, struct ctl_service *service)
{
	if (!service->dirty)
		return;
	service->dirty = false;
	if (service->held) {
		DL_DELETE2(control->lb.held, service, prev_dirty, next_dirty);
		control->lb.held_count--;
	} else {
		DL_DELETE2(control->lb.dirty, service, prev_dirty, next_dirty);
	}
	service->held = false;
}

void wf_ctl_service_touch(struct wf_control *control, struct ctl_service *service)
{
	/* what is held back stays so, and has both changes then */
	if (service->dirty && (service->held || !control->lb.holding))
		return;
	wf_ctl_service_untouch(control, service);
	service->dirty = true;
	service->held = control->lb.holding;
	if (service->held) {
		DL_APPEND2(control->lb.held, service, prev_dirty, next_dirty);
		control->lb.held_count++;
	} else {
		DL_APPEND2(control->lb.dirty, service, prev_dirty, next_dirty);
	}
}

size_t wf_ctl_lb_release(struct wf_control *control, size_t most)
{
	struct ctl_service *service;
	size_t count = 0;

	while ((service = control->lb.held) && count < most) {
		wf_ctl_service_untouch(control, service);
		wf_ctl_service_touch(control, service);
		count++;
	}
	return count;
}

void wf_ctl_lb_touch_all(struct wf_control *control)
{
	struct ctl_service *service, *next;

	HASH_ITER(by_key, control->lb.services, service, next)
		wf_ctl_service_touch(control, service);
}

void wf_ctl_lb_touch_network(struct wf_control *control, const char *network)
{
	struct ctl_service *service, *next;

	HASH_ITER(by_key, control->lb.services, service, next)
		if (strcmp(service->spec.network, network) == 0)
			wf_ctl_service_touch(control, service);
}

/* NULL: no memory. */
static struct ctl_service *new_service(struct wf_control *control, const char *key)
{
	struct ctl_service *service = calloc(1, sizeof(*service));

	if (!service)
		return NULL;
	(void)snprintf(service->key, sizeof(service->key), "%s", key);
	HASH_ADD(by_key, control->lb.services, key[0], strlen(service->key), service);
	if (!service->by_key.tbl) {
		free(service);
		return NULL;
	}
	wf_ctl_slices_adopt(control, service);
	return service;
}

/* By what is found of it: where it answers, and the first label that it selects. */
static void index_service(struct wf_control *control, struct ctl_service *service)
{
	const struct wf_labels *selector = &service->spec.selector;

	wf_ctl_claimant_show(&control->lb.claims, service->claimant);
	wf_index_remove(&control->lb.selecting, &service->by_label);
	if (selector->count)
		wf_index_add(&control->lb.selecting, &service->by_label,
			     wf_ctl_label_hash(service->spec.meta.namespace, selector->items->key,
					       selector->items->value));
}

int wf_ctl_service_put(struct wf_control *control, const char *key, struct wf_service *spec,
		       struct wf_err *err)
{
	struct ctl_service *service = wf_ctl_service_find(control, key);
	struct ctl_claimant *claimant;

	if (wf_ctl_claimant_new(&claimant, key, spec) < 0)
		return wf_fail(err, -ENOMEM, "out of memory for service %s", key);
	if (!service)
		service = new_service(control, key);
	if (!service) {
		wf_ctl_claimant_free(&control->lb.claims, &claimant);
		return wf_fail(err, -ENOMEM, "out of memory for service %s", key);
	}
	wf_ctl_claimant_free(&control->lb.claims, &service->claimant);
	service->claimant = claimant;
	wf_service_done(&service->spec);
	service->spec = *spec;
	memset(spec, 0, sizeof(*spec));
	index_service(control, service);
	wf_ctl_service_touch(control, service);
	return 0;
}

/* ---- going ---------------------------------------------------------------------------------- */

static void free_service(struct wf_control *control, struct ctl_service *service)
{
	HASH_DELETE(by_key, control->lb.services, service);
	wf_ctl_service_untouch(control, service);
	wf_index_remove(&control->lb.selecting, &service->by_label);
	wf_ctl_claimant_free(&control->lb.claims, &service->claimant);
	wf_ctl_service_unlink(control, service);
	wf_ctl_checks_free(service);
	wf_ctl_health_server_free(service);
	wf_lb_ports_done(&service->ports);
	wf_service_done(&service->spec);
	free(service->fault);
	free(service);
}

void wf_ctl_service_drop(struct wf_control *control, const char *key)
{
	struct ctl_service *service = wf_ctl_service_find(control, key);

	if (!service)
		return;
	wf_ctl_service_withdraw(control, service);
	wf_ctl_slices_orphan(control, service);
	wf_ctl_policy_service_drop(control, service);
	free_service(control, service);
	wf_ctl_lb_config(control);
}

static void touch_member(struct wf_control *control, const struct local_member *member)
{
	for (size_t i = 0; i < member->addr_count; i++) {
		const struct wf_addr *addr = &member->addrs[i];

		WF_INDEX_EACH(&control->lb.links, wf_hash_addr(0, addr), node) {
			const struct ctl_backend_link *link =
				WF_INDEX_OBJECT(node, struct ctl_backend_link, node);

			if (wf_addr_equal(&link->addr, addr))
				wf_ctl_service_touch(control, link->service);
		}
	}
	wf_ctl_services_selecting(control, member, wf_ctl_service_touch);
}

void wf_ctl_lb_touch_endpoint(struct wf_control *control, const struct ctl_endpoint *endpoint)
{
	const struct local_member member = wf_ctl_member_of(control, endpoint);

	touch_member(control, &member);
}

void wf_ctl_lb_touch_remote(struct wf_control *control, const struct ctl_remote *remote)
{
	const struct local_member member = wf_ctl_member_of_remote(remote);

	touch_member(control, &member);
}

/* ---- start and stop -------------------------------------------------------------------------- */

static int adopt_frontend(const struct wf_frontend_key *key, const struct wf_frontend_value *value,
			  void *context)
{
	struct wf_control *control = context;

	return wf_lb_table_adopt(control->lb.table, key, value, NULL);
}

static int adopt_source(uint32_t service, const struct wf_prefix *prefix, void *context)
{
	struct wf_control *control = context;

	return wf_lb_table_adopt_source(control->lb.table, service, prefix, NULL);
}

static void on_flush(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	wf_ctl_lb_flush(context);
}

static const enum wf_dp_lb_array shared_arrays[] = {
	[WF_LB_PAGES] = WF_DP_LB_PAGES,
	[WF_LB_BACKENDS] = WF_DP_LB_BACKENDS,
	[WF_LB_SERVICES] = WF_DP_LB_SERVICES,
};

static int reach_array(enum wf_lb_array array, uint32_t count, void *context)
{
	struct wf_control *control = context;

	return wf_dp_lb_reach(control->dp, shared_arrays[array], count);
}

static void trim_array(enum wf_lb_array array, uint32_t count, void *context)
{
	struct wf_control *control = context;

	wf_dp_lb_trim(control->dp, shared_arrays[array], count);
}

int wf_ctl_lb_start(struct wf_control *control, struct wf_err *err)
{
	const struct wf_lb_effects effects = { .frontends_set = write_frontends,
					       .source_set = write_source,
					       .context = control };
	struct wf_dp_lb_memory shared;
	struct wf_lb_memory memory;
	int r;

	wf_dp_lb_memory(control->dp, &shared);
	memory = (struct wf_lb_memory){
		.pages = shared.pages,
		.page_count = shared.page_count,
		.backends = shared.backends,
		.backend_count = shared.backend_count,
		.services = shared.services,
		.service_count = shared.service_count,
		.reach = reach_array,
		.trim = trim_array,
		.context = control,
	};
	/* what an earlier daemon left serves until all is known here */
	control->lb.config_flags = wf_dp_config_flags(control->dp);
	control->lb.flush_timer = evtimer_new(control->loop, on_flush, control);
	if (!control->lb.flush_timer)
		return wf_fail(err, -ENOMEM, "out of memory for services");
	r = wf_lb_table_new(&control->lb.table, &memory, &effects, err);
	if (r == 0)
		r = wf_dp_frontend_visit(control->dp, adopt_frontend, control, err);
	if (r == 0)
		r = wf_dp_source_visit(control->dp, adopt_source, control, err);
	if (r == 0)
		r = wf_ctl_sweep_start(control, err);
	control->lb.started = r == 0;
	return r;
}

void wf_ctl_lb_stop(struct wf_control *control)
{
	struct ctl_service *service, *next_service;

	control->lb.started = false;
	wf_ctl_sweep_stop(control);
	wf_ctl_recount_stop(control);
	HASH_ITER(by_key, control->lb.services, service, next_service)
		free_service(control, service);
	wf_ctl_slices_free(control);
	wf_index_done(&control->lb.claims);
	wf_index_done(&control->lb.selecting);
	wf_index_done(&control->lb.links);
	wf_ctl_view_free(control);
	wf_lb_table_free(&control->lb.table);
	free(control->lb.uplinks);
	control->lb.uplinks = NULL;
	if (control->lb.flush_timer)
		event_free(control->lb.flush_timer);
	control->lb.flush_timer = NULL;
}
