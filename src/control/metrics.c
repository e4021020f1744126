/* SPDX-License-Identifier: Apache-2.0 */
/* Prometheus text: names weft_*, base units, counters end in _total. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/reason.h"
#include "control/control_priv.h"

void wf_ctl_metric_head(struct wf_str *out, const char *name, const char *type, const char *help)
{
	wf_str_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void wf_ctl_metric(struct wf_str *out, const char *name, const char *type, const char *help,
		   uint64_t value)
{
	wf_ctl_metric_head(out, name, type, help);
	wf_str_addf(out, "%s %llu\n", name, (unsigned long long)value);
}

static void add_drops(struct wf_control *control, struct wf_str *out)
{
	static const struct {
		const char *name, *help;
	} series[] = {
		{ "weft_drop_packets_total", "Packets dropped by the datapath, by reason." },
		{ "weft_drop_bytes_total", "Bytes dropped by the datapath, by reason." },
	};
	struct wf_counter drops[WF_REASON_COUNT];

	if (wf_dp_drops_read(control->dp, drops) < 0)
		return;
	for (size_t s = 0; s < WF_ARRAY_LEN(series); s++) {
		wf_ctl_metric_head(out, series[s].name, "counter", series[s].help);
		for (unsigned int i = 1; i < WF_REASON_COUNT; i++) {
			wf_str_addf(out, "%s{reason=\"%s\",class=\"%s\"} %llu\n", series[s].name,
				    wf_reason_label(i), wf_reason_class(i),
				    (unsigned long long)(s ? drops[i].bytes : drops[i].packets));
		}
	}
}

static void add_addresses(struct wf_control *control, struct wf_str *out)
{
	struct ctl_network *network, *next;
	uint64_t now_ms = wf_clock_monotonic_ms();
	char cidr[WF_ADDR_TEXT];

	wf_ctl_metric_head(
		out, "weft_ipam_addresses", "gauge",
		"Addresses of a subnet by state; free 0 means that the pool is exhausted.");
	HASH_ITER(by_name, control->networks, network, next) {
		for (size_t i = 0; i < network->spec.subnet_count; i++) {
			struct wf_pool_usage usage = wf_pool_usage(network->pools[i], now_ms);
			const struct {
				const char *state;
				uint64_t value;
			} states[] = { { "in_use", usage.taken },
				       { "reserved", usage.reserved },
				       { "cooling", usage.cooling },
				       { "free", usage.free } };

			(void)wf_prefix_format(&network->spec.subnets[i].prefix, cidr);
			for (size_t s = 0; s < WF_ARRAY_LEN(states); s++)
				wf_str_addf(out,
					    "weft_ipam_addresses{network=\"%s\",subnet=\"%s\","
					    "state=\"%s\"} %llu\n",
					    network->spec.meta.name, cidr, states[s].state,
					    (unsigned long long)states[s].value);
		}
	}
	wf_ctl_metric_head(out, "weft_ipam_exhausted_total", "counter",
			   "Attaches refused because the network had no free address.");
	HASH_ITER(by_name, control->networks, network, next)
		wf_str_addf(out, "weft_ipam_exhausted_total{network=\"%s\"} %llu\n",
			    network->spec.meta.name, (unsigned long long)network->exhausted_total);
}

static void add_endpoints(struct wf_control *control, struct wf_str *out)
{
	struct ctl_network *network, *next;

	wf_ctl_metric_head(out, "weft_endpoints", "gauge", "Endpoints attached, by network.");
	HASH_ITER(by_name, control->networks, network, next)
		wf_str_addf(out, "weft_endpoints{network=\"%s\"} %zu\n", network->spec.meta.name,
			    network->endpoint_count);
}

void wf_control_metrics(struct wf_control *control, struct wf_str *out)
{
	wf_ctl_metric_head(out, "weft_build_info", "gauge", "Version of the daemon.");
	wf_str_addf(out, "weft_build_info{version=\"%s\"} 1\n", WEFT_VERSION);
	wf_ctl_metric(out, "weft_networks", "gauge", "Networks of this node.",
		      HASH_CNT(by_name, control->networks));
	add_endpoints(control, out);
	wf_ctl_metric(out, "weft_endpoint_limit", "gauge", "Endpoints this node can hold.",
		      WF_MAX_SLOTS - 1);
	add_addresses(control, out);
	wf_ctl_block_metrics(control, out);
	add_drops(control, out);
	wf_ctl_lb_metrics(control, out);
	wf_ctl_policy_metrics(control, out);
	wf_ctl_node_metrics(control, out);
	wf_ctl_store_metrics(control, out);
	wf_ctl_metric(
		out, "weft_repairs_total", "counter",
		"Endpoints whose device or filter others removed or changed and that were put right.",
		control->repairs_total);
	wf_ctl_metric(out, "weft_uptime_seconds", "gauge", "Seconds since the daemon started.",
		      (wf_clock_monotonic_ms() - control->started_ms) / 1000);
}
