/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Services and slices: the tables, and from what was touched to what the datapath holds. A flush
 * resolves only services that were touched; a restart touches all and finds nothing to write.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/control_priv.h"
#include "control/lb_local.h"

WF_LOG_MODULE(service);

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

static struct ctl_slice *slice_find(struct wf_control *control, const char *key)
{
	struct ctl_slice *slice;

	HASH_FIND(by_key, control->lb.slices, key, strlen(key), slice);
	return slice;
}

void wf_ctl_service_touch(struct wf_control *control, struct ctl_service *service)
{
	service->dirty = true;
	control->lb.has_dirty = true;
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

/* Slices that came before their service. */
static void adopt_slices(struct wf_control *control, struct ctl_service *service)
{
	struct ctl_slice *slice, *next;

	HASH_ITER(by_key, control->lb.slices, slice, next) {
		if (strcmp(slice->service_key, service->key) != 0)
			continue;
		slice->next = service->slices;
		service->slices = slice;
	}
}

int wf_ctl_service_put(struct wf_control *control, const char *key, struct wf_service *spec,
		       struct wf_err *err)
{
	struct ctl_service *service = wf_ctl_service_find(control, key);

	if (!service) {
		service = calloc(1, sizeof(*service));
		if (!service)
			return wf_fail(err, -ENOMEM, "out of memory for service %s", key);
		(void)snprintf(service->key, sizeof(service->key), "%s", key);
		HASH_ADD(by_key, control->lb.services, key[0], strlen(service->key), service);
		if (!service->by_key.tbl) {
			free(service);
			return wf_fail(err, -ENOMEM, "out of memory for service %s", key);
		}
		adopt_slices(control, service);
	}
	wf_service_done(&service->spec);
	service->spec = *spec;
	memset(spec, 0, sizeof(*spec));
	wf_ctl_service_touch(control, service);
	return 0;
}

/* ---- who cares about which address ---------------------------------------------------------- */

static int backend_ref_add(struct wf_control *control, const struct wf_addr *addr,
			   struct ctl_service *service)
{
	struct ctl_backend_ref *ref;

	HASH_FIND(by_addr, control->lb.backends, addr, sizeof(*addr), ref);
	if (!ref) {
		ref = calloc(1, sizeof(*ref));
		if (!ref)
			return -ENOMEM;
		ref->addr = *addr;
		HASH_ADD(by_addr, control->lb.backends, addr, sizeof(ref->addr), ref);
		if (!ref->by_addr.tbl) {
			free(ref);
			return -ENOMEM;
		}
	}
	for (size_t i = 0; i < ref->count; i++)
		if (ref->services[i] == service)
			return 0;
	if (wf_mem_grow(&ref->services, sizeof(struct ctl_service *), ref->count, &ref->capacity) <
	    0)
		return -ENOMEM;
	ref->services[ref->count++] = service;
	return 0;
}

static void backend_ref_free(struct wf_control *control, struct ctl_backend_ref *ref)
{
	HASH_DELETE(by_addr, control->lb.backends, ref);
	free(ref->services);
	free(ref);
}

static void backend_ref_del(struct wf_control *control, const struct wf_addr *addr,
			    const struct ctl_service *service)
{
	struct ctl_backend_ref *ref;

	HASH_FIND(by_addr, control->lb.backends, addr, sizeof(*addr), ref);
	for (size_t i = 0; ref && i < ref->count; i++) {
		if (ref->services[i] != service)
			continue;
		ref->services[i] = ref->services[--ref->count];
		break;
	}
	if (ref && !ref->count)
		backend_ref_free(control, ref);
}

/* Notes or forgets addresses of backends and frontends of what a service was resolved to. */
static void note_ports(struct wf_control *control, struct ctl_service *service,
		       const struct wf_lb_ports *ports, bool present)
{
	for (size_t p = 0; p < ports->count; p++) {
		const struct wf_lb_port *port = &ports->items[p];

		for (size_t i = 0; i < port->backend_count; i++) {
			if (!present)
				backend_ref_del(control, &port->backends[i].addr, service);
			else if (backend_ref_add(control, &port->backends[i].addr, service) < 0)
				wf_log_warning_rl("out of memory noting a backend", "service=%s",
						  service->key);
		}
		for (size_t i = 0; i < port->frontend_count; i++)
			if (!wf_addr_is_zero(&port->frontends[i].addr) &&
			    wf_ctl_view_service(control, &port->frontends[i].addr,
						present ? 1 : -1) < 0)
				wf_ctl_dirty(control, CTL_DIRTY_MAPS);
	}
}

/* ---- resolving ------------------------------------------------------------------------------ */

static uint32_t slot_of(const struct wf_addr *addr, void *context)
{
	const struct resolve *resolve = context;
	struct wf_addr_value value;

	if (wf_dp_address_get(resolve->control->dp, WF_NETWORK_HOST, addr, &value) < 0 ||
	    value.flags)
		return WF_SLOT_HOST;
	return value.slot;
}

static bool is_healthy(const struct wf_addr *addr, uint16_t port, void *context)
{
	const struct resolve *resolve = context;

	return wf_ctl_check_is_healthy(resolve->service, addr, port);
}

/* The frontends' scope; -ENOENT: the network that the service is for does not exist. */
static int scope_of(struct wf_control *control, const struct ctl_service *service,
		    uint32_t *ret_scope, struct wf_err *err)
{
	const struct ctl_network *network;

	*ret_scope = WF_SCOPE_ANY;
	if (!*service->spec.network)
		return 0;
	network = wf_ctl_network_find(control, service->spec.network);
	if (!network)
		return wf_fail_field(err, -ENOENT, "metadata.annotations.weft.dev/network",
				     "there is no network %s", service->spec.network);
	*ret_scope = network->spec.number;
	return 0;
}

static int resolve_service(struct wf_control *control, struct ctl_service *service,
			   struct wf_lb_ports *ret_ports, struct wf_err *err)
{
	_cleanup_(wf_ctl_slices_done) struct local_slices slices = { 0 };
	struct resolve resolve = { .control = control, .service = service };
	struct wf_lb_facts facts = {
		.node = control->config.node_name,
		.zone = control->config.zone ? control->config.zone : "",
		.slot_of = slot_of,
		.is_healthy = is_healthy,
		.context = &resolve,
	};
	int r;

	r = scope_of(control, service, &facts.scope, err);
	if (r == 0)
		r = wf_ctl_slices_gather(control, service, &slices, err);
	if (r == 0)
		r = wf_lb_select(&service->spec, slices.refs, slices.count, &facts, ret_ports, err);
	if (r == 0 && wf_ctl_sources_admit_host(control, ret_ports) < 0)
		r = wf_fail(err, -ENOMEM, "out of memory resolving service %s", service->key);
	return r;
}

static bool has_port(const struct wf_lb_ports *ports, const char *key)
{
	for (size_t i = 0; i < ports->count; i++)
		if (strcmp(ports->items[i].key, key) == 0)
			return true;
	return false;
}

/* Brings the resolved ports into force; the first failure is the service's fault. */
static int write_ports(struct wf_control *control, struct ctl_service *service,
		       const struct wf_lb_ports *ports, struct wf_err *err)
{
	uint64_t now_ms = wf_clock_monotonic_ms();
	int r = 0;

	for (size_t i = 0; i < service->ports.count; i++)
		if (!has_port(ports, service->ports.items[i].key)) {
			int q = wf_lb_table_remove(control->lb.table, service->ports.items[i].key,
						   now_ms, err);

			r = r < 0 ? r : q;
		}
	for (size_t i = 0; i < ports->count; i++) {
		uint32_t number;
		int q = wf_lb_table_put(control->lb.table, &ports->items[i], now_ms, &number,
					r < 0 ? NULL : err);

		r = r < 0 ? r : q;
	}
	return r;
}

/* A service that is being resolved keeps what it had when that fails. */
static void flush_service(struct wf_control *control, struct ctl_service *service)
{
	struct wf_lb_ports ports = { 0 };
	struct wf_err fault = WF_ERR_INIT;
	int r;

	service->dirty = false;
	r = resolve_service(control, service, &ports, &fault);
	if (r == -ENOENT) {
		/* its network is gone: nobody sees it */
		(void)write_ports(control, service, &ports, NULL);
	} else if (r == 0) {
		r = write_ports(control, service, &ports, &fault);
	}
	if (r == 0 || r == -ENOENT || r == -ENOSPC || r == -EEXIST) {
		note_ports(control, service, &ports, true);
		note_ports(control, service, &service->ports, false);
		wf_ctl_moved_sockets(control, service, &ports);
		wf_lb_ports_done(&service->ports);
		service->ports = ports;
		memset(&ports, 0, sizeof(ports));
	}
	wf_lb_ports_done(&ports);
	if (r < 0 && strcmp(service->fault.message, fault.message) != 0)
		wf_log_error("service is not in force", "service=%s error=\"%s\"", service->key,
			     fault.message);
	service->programmed = r == 0;
	service->fault = fault;
	wf_ctl_policy_service_put(control, service);
	service->local_ready = wf_lb_local_ready(&service->ports);
	wf_ctl_checks_sync(control, service);
	wf_ctl_health_server_sync(control, service);
}

void wf_ctl_lb_config(struct wf_control *control)
{
	struct wf_lb_use use;
	uint32_t flags = control->lb.config_flags & ~(uint32_t)WF_CONFIG_SERVICES;

	wf_lb_table_use(control->lb.table, &use);
	if (use.services || control->lb.run_count)
		flags |= WF_CONFIG_SERVICES;
	/* those still to be resolved may be in force from an earlier daemon */
	if (control->lb.has_dirty)
		flags |= control->lb.config_flags & WF_CONFIG_SERVICES;
	if (flags == control->lb.config_flags)
		return;
	control->lb.config_flags = flags;
	if (wf_ctl_config_sync(control, NULL) < 0)
		wf_ctl_dirty(control, CTL_DIRTY_HOST);
}

void wf_ctl_lb_flush(struct wf_control *control)
{
	struct ctl_service *service, *next;
	struct wf_err fault = WF_ERR_INIT;
	int r;

	if (!control->lb.started)
		return;
	if (control->lb.has_dirty) {
		control->lb.has_dirty = false;
		wf_lb_table_begin(control->lb.table);
		HASH_ITER(by_key, control->lb.services, service, next)
			if (service->dirty)
				flush_service(control, service);
		r = wf_lb_table_commit(control->lb.table, &fault);
		if (r < 0) {
			wf_log_error("services are not all in force", "error=\"%s\"",
				     fault.message);
			wf_ctl_dirty(control, CTL_DIRTY_SERVICES);
		}
	}
	wf_ctl_lb_config(control);
	wf_ctl_sweep_arm(control);
}

/* ---- going ---------------------------------------------------------------------------------- */

static void unlink_slice(struct wf_control *control, struct ctl_slice *slice)
{
	struct ctl_service *service = wf_ctl_service_find(control, slice->service_key);

	for (struct ctl_slice **at = service ? &service->slices : NULL; at && *at;
	     at = &(*at)->next) {
		if (*at != slice)
			continue;
		*at = slice->next;
		break;
	}
	slice->next = NULL;
	if (service)
		wf_ctl_service_touch(control, service);
}

static void free_service(struct wf_control *control, struct ctl_service *service)
{
	HASH_DELETE(by_key, control->lb.services, service);
	wf_ctl_checks_free(service);
	wf_ctl_health_server_free(service);
	wf_lb_ports_done(&service->ports);
	wf_service_done(&service->spec);
	free(service);
}

void wf_ctl_service_drop(struct wf_control *control, const char *key)
{
	struct ctl_service *service = wf_ctl_service_find(control, key);
	struct wf_lb_ports none = { 0 };
	struct ctl_slice *next;

	if (!service)
		return;
	if (write_ports(control, service, &none, NULL) < 0)
		wf_ctl_dirty(control, CTL_DIRTY_SERVICES);
	note_ports(control, service, &service->ports, false);
	wf_ctl_moved_sockets(control, service, &none);
	for (struct ctl_slice *slice = service->slices; slice; slice = next) {
		next = slice->next;
		slice->next = NULL;
	}
	wf_ctl_policy_service_drop(control, service);
	free_service(control, service);
	wf_ctl_lb_config(control);
}

static void link_slice(struct wf_control *control, struct ctl_slice *slice)
{
	struct ctl_service *service = wf_ctl_service_find(control, slice->service_key);

	slice->next = NULL;
	if (!service)
		return;
	slice->next = service->slices;
	service->slices = slice;
	wf_ctl_service_touch(control, service);
}

int wf_ctl_slice_put(struct wf_control *control, const char *key, struct wf_endpoint_slice *spec,
		     struct wf_err *err)
{
	struct ctl_slice *slice = slice_find(control, key);

	if (slice) {
		unlink_slice(control, slice);
	} else {
		slice = calloc(1, sizeof(*slice));
		if (!slice)
			return wf_fail(err, -ENOMEM, "out of memory for slice %s", key);
		(void)snprintf(slice->key, sizeof(slice->key), "%s", key);
		HASH_ADD(by_key, control->lb.slices, key[0], strlen(slice->key), slice);
		if (!slice->by_key.tbl) {
			free(slice);
			return wf_fail(err, -ENOMEM, "out of memory for slice %s", key);
		}
	}
	wf_endpoint_slice_done(&slice->spec);
	slice->spec = *spec;
	memset(spec, 0, sizeof(*spec));
	*slice->service_key = '\0';
	if (*slice->spec.service)
		(void)snprintf(slice->service_key, sizeof(slice->service_key), "%.63s/%.63s",
			       slice->spec.meta.namespace, slice->spec.service);
	link_slice(control, slice);
	return 0;
}

void wf_ctl_slice_drop(struct wf_control *control, const char *key)
{
	struct ctl_slice *slice = slice_find(control, key);

	if (!slice)
		return;
	unlink_slice(control, slice);
	HASH_DELETE(by_key, control->lb.slices, slice);
	wf_endpoint_slice_done(&slice->spec);
	free(slice);
}

static void touch_member(struct wf_control *control, const struct local_member *member)
{
	struct ctl_service *service, *next;

	for (size_t i = 0; i < member->addr_count; i++) {
		const struct wf_addr *addr = &member->addrs[i];
		struct ctl_backend_ref *ref;

		HASH_FIND(by_addr, control->lb.backends, addr, sizeof(*addr), ref);
		for (size_t k = 0; ref && k < ref->count; k++)
			wf_ctl_service_touch(control, ref->services[k]);
	}
	HASH_ITER(by_key, control->lb.services, service, next)
		if (!service->slices && wf_ctl_service_selects(service, member))
			wf_ctl_service_touch(control, service);
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
	struct ctl_slice *slice, *next_slice;
	struct ctl_backend_ref *ref, *next_ref;

	control->lb.started = false;
	wf_ctl_sweep_stop(control);
	HASH_ITER(by_key, control->lb.services, service, next_service)
		free_service(control, service);
	HASH_ITER(by_key, control->lb.slices, slice, next_slice) {
		HASH_DELETE(by_key, control->lb.slices, slice);
		wf_endpoint_slice_done(&slice->spec);
		free(slice);
	}
	HASH_ITER(by_addr, control->lb.backends, ref, next_ref)
		backend_ref_free(control, ref);
	wf_ctl_view_free(control);
	wf_lb_table_free(&control->lb.table);
	free(control->lb.uplinks);
	control->lb.uplinks = NULL;
	if (control->lb.flush_timer)
		event_free(control->lb.flush_timer);
	control->lb.flush_timer = NULL;
}
