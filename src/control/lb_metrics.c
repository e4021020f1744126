/* SPDX-License-Identifier: Apache-2.0 */
/* Prometheus text of services, published ports and translated connections. */
#include <string.h>

#include "base/mem.h"
#include "control/control_priv.h"

static void add_conntrack(struct wf_control *control, struct wf_str *out)
{
	struct wf_conn_state state;

	wf_dp_conn_state(control->dp, &state);
	wf_ctl_metric_head(out, "weft_conntrack_entries", "gauge",
			   "Translated connections in force.");
	wf_str_addf(out, "weft_conntrack_entries %u\n", state.live);
	wf_ctl_metric_head(out, "weft_conntrack_limit", "gauge",
			   "Translated connections the table can hold.");
	wf_str_addf(out, "weft_conntrack_limit %u\n", state.max ? state.max - 1 : 0);
	wf_ctl_metric_head(
		out, "weft_conntrack_refused_total", "counter",
		"New connections refused because no translation was possible, by reason.");
	wf_str_addf(out, "weft_conntrack_refused_total{reason=\"table_full\"} %u\n",
		    state.failed_full);
	wf_str_addf(out, "weft_conntrack_refused_total{reason=\"bucket_full\"} %u\n",
		    state.failed_index);
	wf_str_addf(out, "weft_conntrack_refused_total{reason=\"endpoint_quota\"} %u\n",
		    state.failed_quota);
	wf_str_addf(out, "weft_conntrack_refused_total{reason=\"no_port\"} %u\n",
		    state.failed_ports);
}

static void add_tables(struct wf_control *control, struct wf_str *out)
{
	struct wf_lb_use use;

	wf_lb_table_use(control->lb.table, &use);
	wf_ctl_metric_head(out, "weft_lb_table_entries", "gauge",
			   "Entries in use of the tables of services.");
	wf_str_addf(out, "weft_lb_table_entries{table=\"services\"} %u\n", use.services);
	wf_str_addf(out, "weft_lb_table_entries{table=\"frontends\"} %u\n", use.frontends);
	wf_str_addf(out, "weft_lb_table_entries{table=\"backends\"} %u\n", use.backends);
	wf_str_addf(out, "weft_lb_table_entries{table=\"picks\"} %u\n", use.picks);
	wf_str_addf(out, "weft_lb_table_entries{table=\"published\"} %zu\n", control->lb.run_count);
	wf_ctl_metric_head(out, "weft_lb_table_limit", "gauge",
			   "Entries the tables of services can hold.");
	wf_str_addf(out, "weft_lb_table_limit{table=\"services\"} %u\n", use.services_max);
	wf_str_addf(out, "weft_lb_table_limit{table=\"backends\"} %u\n", use.backends_max);
	wf_str_addf(out, "weft_lb_table_limit{table=\"picks\"} %u\n", use.picks_max);
	wf_str_addf(out, "weft_lb_table_limit{table=\"published\"} %u\n", WF_MAX_RANGES);
}

typedef uint64_t (*service_value_fn)(const struct wf_service_value *value);

static uint64_t connections_of(const struct wf_service_value *value)
{
	return value->connections;
}

static uint64_t refused_of(const struct wf_service_value *value)
{
	return value->refused;
}

static void add_hits(struct wf_control *control, struct wf_str *out, const char *name,
		     const char *help, service_value_fn value_of)
{
	struct ctl_service *service, *next;
	struct wf_dp_lb_memory memory;

	wf_dp_lb_memory(control->dp, &memory);
	wf_ctl_metric_head(out, name, "counter", help);
	HASH_ITER(by_key, control->lb.services, service, next) {
		for (size_t i = 0; i < service->ports.count; i++) {
			const char *key = service->ports.items[i].key;
			uint32_t number = wf_lb_table_number(control->lb.table, key);

			if (number && number < memory.service_count)
				wf_str_addf(out, "%s{service=\"%s\",port=\"%s\"} %llu\n", name,
					    service->key, key + strlen(service->key) + 1,
					    (unsigned long long)value_of(&memory.services[number]));
		}
	}
}

static void add_backends(struct wf_control *control, struct wf_str *out)
{
	struct ctl_service *service, *next;

	wf_ctl_metric_head(out, "weft_service_backends", "gauge",
			   "Backends of a service port, by whether they take new connections.");
	HASH_ITER(by_key, control->lb.services, service, next) {
		for (size_t i = 0; i < service->ports.count; i++) {
			const struct wf_lb_port *port = &service->ports.items[i];
			size_t serving = 0;

			for (size_t k = 0; k < port->backend_count; k++)
				serving += port->backends[k].sets != 0;
			wf_str_addf(out,
				    "weft_service_backends{service=\"%s\",port=\"%s\","
				    "state=\"serving\"} %zu\n",
				    service->key, port->key + strlen(service->key) + 1, serving);
			wf_str_addf(out,
				    "weft_service_backends{service=\"%s\",port=\"%s\","
				    "state=\"idle\"} %zu\n",
				    service->key, port->key + strlen(service->key) + 1,
				    port->backend_count - serving);
		}
	}
}

void wf_ctl_lb_metrics(struct wf_control *control, struct wf_str *out)
{
	wf_ctl_metric_head(out, "weft_services", "gauge", "Services of this node.");
	wf_str_addf(out, "weft_services %u\n", HASH_CNT(by_key, control->lb.services));
	add_tables(control, out);
	add_conntrack(control, out);
	add_hits(control, out, "weft_service_connections_total",
		 "New connections given to a backend.", connections_of);
	add_hits(control, out, "weft_service_refused_total",
		 "New connections that found no backend or were not allowed.", refused_of);
	add_backends(control, out);
}
