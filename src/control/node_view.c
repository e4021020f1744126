/* SPDX-License-Identifier: Apache-2.0 */
/* What people and Prometheus see of the other nodes. */
#include "base/clock.h"
#include "base/json.h"
#include "control/control_priv.h"

static json_t *self_json(struct wf_control *control)
{
	char text[WF_ADDR_TEXT] = "";
	json_t *value;

	if (wf_ctl_is_shared(control))
		(void)wf_addr_format(&control->config.node_ip, text);
	value = json_pack("{s:s, s:s, s:s, s:I, s:o}", "name", control->config.node_name, "state",
			  "self", "address", text, "endpoints", (json_int_t)control->endpoint_count,
			  "blocks", wf_ctl_blocks_of_node(control, control->config.node_name));
	if (value && wf_ctl_is_shared(control))
		(void)wf_json_set(value, "checksums", wf_ctl_sums_self_json(control));
	return value;
}

static json_t *node_json(struct wf_control *control, const struct ctl_node *node)
{
	char text[WF_ADDR_TEXT] = "";
	json_t *value, *path, *narrow;

	if (!wf_addr_is_zero(&node->underlay))
		(void)wf_addr_format(&node->underlay, text);
	value = json_pack("{s:s, s:s, s:s, s:I}", "name", node->name, "state",
			  node->is_alive ? "alive" : "lost", "address", text, "endpoints",
			  (json_int_t)node->remote_count);
	if (value && *text)
		(void)wf_json_set_str(value, "way", node->way.ifindex ? "segment" : "router");
	if (value && node->lost_ms)
		(void)json_object_set_new(
			value, "lostSeconds",
			json_integer(
				(json_int_t)((wf_clock_monotonic_ms() - node->lost_ms) / 1000)));
	if (value)
		(void)wf_json_set(value, "blocks", wf_ctl_blocks_of_node(control, node->name));
	path = wf_ctl_probe_json(node);
	if (value && path)
		(void)json_object_set_new(value, "path", path);
	if (value)
		(void)wf_json_set(value, "checksums", wf_ctl_sums_json(node));
	narrow = wf_ctl_way_narrow(control, node);
	if (value && narrow)
		(void)json_object_set_new(value, "narrow", narrow);
	return value;
}

json_t *wf_control_node_list(struct wf_control *control)
{
	json_t *items = json_array();
	struct ctl_node *node, *next;

	(void)json_array_append_new(items, self_json(control));
	HASH_ITER(by_name, control->cluster.nodes, node, next)
		(void)json_array_append_new(items, node_json(control, node));
	wf_ctl_encrypt_view(control, items);
	return json_pack("{s:o}", "items", items);
}

void wf_ctl_node_metrics(struct wf_control *control, struct wf_str *out)
{
	struct ctl_node *node, *next;
	size_t alive = 0, lost = 0;

	HASH_ITER(by_name, control->cluster.nodes, node, next)
		*(node->is_alive ? &alive : &lost) += 1;
	wf_ctl_metric_head(out, "weft_nodes", "gauge",
			   "Other nodes that share the store, by state.");
	wf_str_addf(out, "weft_nodes{state=\"alive\"} %zu\nweft_nodes{state=\"lost\"} %zu\n", alive,
		    lost);
	wf_ctl_probe_metrics(control, out);
	wf_ctl_sums_metrics(control, out);
	wf_ctl_known_metrics(control, out);
	wf_ctl_encrypt_metrics(control, out);
	wf_ctl_metric_head(out, "weft_remote_endpoints", "gauge",
			   "Endpoints of other nodes that are known here.");
	wf_str_addf(out, "weft_remote_endpoints %zu\n", control->cluster.remotes.count);
	wf_ctl_metric_head(out, "weft_followed_total", "counter",
			   "Changes of other nodes that came into force, and that did not.");
	wf_str_addf(out,
		    "weft_followed_total{result=\"ok\"} %llu\n"
		    "weft_followed_total{result=\"refused\"} %llu\n",
		    (unsigned long long)control->cluster.followed_total,
		    (unsigned long long)control->cluster.refused_total);
}
