/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From services that were touched to what the datapath holds: each is resolved to its ports and
 * backends and written, and it is noted which addresses it has there.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/control_priv.h"
#include "control/lb_local.h"

WF_LOG_MODULE(service);

/* ---- who cares about which address ---------------------------------------------------------- */

void wf_ctl_service_unlink(struct wf_control *control, struct ctl_service *service)
{
	for (size_t i = 0; i < service->link_count; i++)
		wf_index_remove(&control->lb.links, &service->links[i].node);
	free(service->links);
	service->links = NULL;
	service->link_count = 0;
}

/* Whether the port before has the same backend at the same place, as ports of one service do. */
static bool is_linked(const struct wf_lb_ports *ports, size_t port, size_t index)
{
	const struct wf_lb_port *before = port ? &ports->items[port - 1] : NULL;

	return before && index < before->backend_count &&
	       wf_addr_equal(&before->backends[index].addr,
			     &ports->items[port].backends[index].addr);
}

/* Notes the backends of what a service was resolved to, instead of those it had. */
static void link_backends(struct wf_control *control, struct ctl_service *service,
			  const struct wf_lb_ports *ports)
{
	size_t most = 0;

	wf_ctl_service_unlink(control, service);
	for (size_t p = 0; p < ports->count; p++)
		for (size_t i = 0; i < ports->items[p].backend_count; i++)
			most += !is_linked(ports, p, i);
	service->links = most ? calloc(most, sizeof(*service->links)) : NULL;
	if (most && !service->links) {
		wf_log_warning_rl("out of memory noting backends", "service=%s", service->key);
		return;
	}
	for (size_t p = 0; p < ports->count; p++)
		for (size_t i = 0; i < ports->items[p].backend_count; i++) {
			struct ctl_backend_link *link = &service->links[service->link_count];

			if (is_linked(ports, p, i))
				continue;
			link->service = service;
			link->addr = ports->items[p].backends[i].addr;
			wf_index_add(&control->lb.links, &link->node, wf_hash_addr(0, &link->addr));
			service->link_count++;
		}
}

/* The same for addresses of frontends, which the views that they are in count. */
static void note_frontends(struct wf_control *control, const struct wf_lb_ports *ports, int delta)
{
	for (size_t p = 0; p < ports->count; p++) {
		const struct wf_lb_port *port = &ports->items[p];

		for (size_t i = 0; i < port->frontend_count; i++)
			if (!wf_addr_is_zero(&port->frontends[i].addr) &&
			    wf_ctl_view_service(control, port->frontends[i].view,
						&port->frontends[i].addr, port->proto, delta) < 0)
				wf_ctl_dirty(control, CTL_DIRTY_MAPS);
	}
}

/* ---- resolving ------------------------------------------------------------------------------ */

static uint32_t slot_of(const struct wf_addr *addr, void *context)
{
	const struct resolve *resolve = context;

	return wf_ctl_slot_by_address(resolve->control, resolve->view, addr);
}

static bool is_healthy(const struct wf_addr *addr, uint16_t port, void *context)
{
	const struct resolve *resolve = context;

	return wf_ctl_check_is_healthy(resolve->service, addr, port);
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

	r = wf_ctl_service_scope(control, &service->spec, &facts.scope, &facts.view, err);
	resolve.view = facts.view;
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

/* Whether the service is in force, and why not. */
static void note_fault(struct ctl_service *service, int r, const struct wf_err *fault)
{
	if (r < 0 && !(service->fault && strcmp(service->fault->message, fault->message) == 0))
		wf_log_error("service is not in force", "service=%s error=\"%s\"", service->key,
			     fault->message);
	service->programmed = r == 0;
	free(service->fault);
	service->fault = r < 0 ? malloc(sizeof(*service->fault)) : NULL;
	if (service->fault)
		*service->fault = *fault;
}

/* Whether nobody sees it, and not only a change of it failed. */
static bool is_withdrawn(int r)
{
	return r == -ENOENT || r == -EOPNOTSUPP || r == -EADDRINUSE;
}

/* A service that is being resolved keeps what it had when that fails. */
static void flush_service(struct wf_control *control, struct ctl_service *service)
{
	struct wf_lb_ports ports = { 0 };
	struct wf_err fault = WF_ERR_INIT;
	int r;

	wf_ctl_service_untouch(control, service);
	control->lb.has_least |= service->spec.algorithm == WF_LB_LEAST;
	r = resolve_service(control, service, &ports, &fault);
	if (is_withdrawn(r)) {
		/* its network is gone, or nothing for it */
		(void)write_ports(control, service, &ports, NULL);
	} else if (r == 0) {
		r = write_ports(control, service, &ports, &fault);
	}
	if (r == 0 || is_withdrawn(r) || r == -ENOSPC || r == -EEXIST) {
		link_backends(control, service, &ports);
		note_frontends(control, &ports, 1);
		note_frontends(control, &service->ports, -1);
		wf_ctl_moved_sockets(control, service, &ports);
		wf_lb_ports_done(&service->ports);
		service->ports = ports;
		memset(&ports, 0, sizeof(ports));
	}
	wf_lb_ports_done(&ports);
	note_fault(service, r, &fault);
	wf_ctl_policy_service_put(control, service);
	service->local_ready = wf_lb_local_ready(&service->ports);
	wf_ctl_checks_sync(control, service);
	wf_ctl_health_server_sync(control, service);
}

void wf_ctl_service_withdraw(struct wf_control *control, struct ctl_service *service)
{
	const struct wf_lb_ports none = { 0 };

	if (write_ports(control, service, &none, NULL) < 0)
		wf_ctl_dirty(control, CTL_DIRTY_SERVICES);
	note_frontends(control, &service->ports, -1);
	wf_ctl_moved_sockets(control, service, &none);
}

void wf_ctl_lb_config(struct wf_control *control)
{
	struct wf_lb_use use;
	uint32_t flags = control->lb.config_flags & ~(uint32_t)WF_CONFIG_SERVICES;

	wf_lb_table_use(control->lb.table, &use);
	if (use.services || control->lb.run_count)
		flags |= WF_CONFIG_SERVICES;
	/* those still to be resolved may be in force from an earlier daemon */
	if (control->lb.dirty || control->lb.held)
		flags |= control->lb.config_flags & WF_CONFIG_SERVICES;
	/* sockets that count already go on until they end */
	if (control->lb.has_least)
		flags |= WF_CONFIG_LEAST;
	if (flags == control->lb.config_flags)
		return;
	control->lb.config_flags = flags;
	if (wf_ctl_config_sync(control, NULL) < 0)
		wf_ctl_dirty(control, CTL_DIRTY_HOST);
}

void wf_ctl_lb_flush(struct wf_control *control)
{
	struct wf_err fault = WF_ERR_INIT;
	int r;

	if (!control->lb.started)
		return;
	if (control->lb.dirty) {
		wf_lb_table_begin(control->lb.table);
		while (control->lb.dirty)
			flush_service(control, control->lb.dirty);
		r = wf_lb_table_commit(control->lb.table, &fault);
		if (r < 0) {
			wf_log_error("services are not all in force", "error=\"%s\"",
				     fault.message);
			wf_ctl_dirty(control, CTL_DIRTY_SERVICES);
		}
	}
	wf_ctl_lb_config(control);
	if (wf_ctl_host_routes_sync(control, NULL) < 0)
		wf_ctl_dirty(control, CTL_DIRTY_HOST);
	wf_ctl_sweep_arm(control);
}
