/* SPDX-License-Identifier: Apache-2.0 */
/* Beside other nodes: what is committed, the overlay's device, starting and stopping. */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "control/control_priv.h"
#include "dp/overlay.h"
#include "net/uplink.h"

WF_LOG_MODULE(cluster);

bool wf_ctl_is_shared(const struct wf_control *control)
{
	return control->config.shared;
}

struct ctl_flight wf_ctl_commit_begin(struct wf_control *control,
				      const struct wf_store_write *writes, size_t count,
				      enum wf_store_durability durability)
{
	struct ctl_news **first = control->cluster.news_end;

	return (struct ctl_flight){
		.store = wf_store_commit_begin(control->store, writes, count, durability),
		.first = first,
	};
}

int wf_ctl_commit_end(struct wf_control *control, struct ctl_flight *flight, struct wf_err *err)
{
	uint64_t revision = 0;
	int r = wf_store_commit_end(&flight->store, &revision, err);

	if (r == 0)
		wf_ctl_follow_forget(control, flight->first, flight->store.writes,
				     flight->store.count, revision);
	return r;
}

int wf_ctl_commit(struct wf_control *control, const struct wf_store_write *writes, size_t count,
		  enum wf_store_durability durability, struct wf_err *err)
{
	struct ctl_news **first = control->cluster.news_end;
	uint64_t revision = 0;
	int r = wf_store_commit(control->store, writes, count, durability, &revision, err);

	if (r == 0)
		wf_ctl_follow_forget(control, first, writes, count, revision);
	return r;
}

int wf_ctl_commit_stage(struct wf_control *control, struct wf_store_stage **stage,
			const struct wf_store_write *writes, size_t count,
			enum wf_store_durability durability, struct wf_err *err)
{
	struct ctl_news **first = control->cluster.news_end;
	uint64_t revision = 0;
	int r = wf_store_stage_commit(stage, durability, &revision, err);

	if (r == 0)
		wf_ctl_follow_forget(control, first, writes, count, revision);
	return r;
}

uint32_t wf_ctl_overlay_bytes(const struct wf_control *control)
{
	return wf_addr_is_ip4(&control->config.node_ip) ? WF_VXLAN_BYTES_IP4 : WF_VXLAN_BYTES_IP6;
}

/*
 * Whether programs may make and open the tunnel: over IPv6 the outer packet has a checksum, which the
 * stack makes; and only the stack encrypts, and refuses what should have been.
 */
static bool by_programs(struct wf_control *control, bool *ret_ipsec)
{
	struct wf_err fault = WF_ERR_INIT;

	if (wf_net_ipsec_present(control->net, ret_ipsec, &fault) < 0) {
		wf_log_warning_rl("taken for a host with IPsec", "error=\"%s\"", fault.message);
		*ret_ipsec = true;
	}
	return wf_addr_is_ip4(&control->config.node_ip) && !*ret_ipsec;
}

int wf_ctl_tunnel_sync(struct wf_control *control, struct wf_err *err)
{
	struct ctl_cluster *cluster = &control->cluster;
	bool ipsec = false, by_kernel;

	cluster->by_programs = by_programs(control, &ipsec);
	if (ipsec != cluster->has_ipsec)
		wf_log_info("IPsec policies", "present=%s tunnel=%s", ipsec ? "yes" : "no",
			    cluster->by_programs ? "programs" : "device");
	cluster->has_ipsec = ipsec;
	/* programs cannot finish a checksum that no device below can be trusted with */
	by_kernel = wf_ctl_sums_sync(control) != WF_NET_SUMS_DEVICE;
	if (by_kernel != cluster->sums_by_kernel)
		wf_log_info("checksums of what is encapsulated", "by=%s tunnel=%s",
			    by_kernel ? "kernel" : "device",
			    cluster->by_programs && !by_kernel ? "programs" : "device");
	cluster->sums_by_kernel = by_kernel;
	return wf_dp_overlay_set(control->dp, cluster->overlay_ifindex, &control->config.node_ip,
				 control->config.overlay_port,
				 (by_kernel ? WF_NODE_SENDS_BY_DEVICE : 0) |
					 (cluster->by_programs ? 0 : WF_NODE_OPENS_BY_DEVICE),
				 err);
}

int wf_ctl_ingress_put(struct wf_control *control, uint32_t ifindex, enum wf_dp_program program,
		       struct wf_err *err)
{
	uint32_t ingress = 0, egress = 0;
	int r = wf_dp_program_want(control->dp, program, err);

	if (r == 0)
		r = wf_net_uplink_get(control->net, ifindex, &ingress, &egress, err);
	if (r < 0 || ingress == wf_dp_program_id(control->dp, program))
		return r;
	return wf_net_uplink_attach(control->net, ifindex, wf_dp_program_fd(control->dp, program),
				    -1, err);
}

/* A network of one node has its own MTU; the tunnel's is what is left of the underlay's. */
static int sync_device(struct wf_control *control, struct wf_err *err)
{
	uint32_t mtu = wf_ctl_default_mtu(control) - wf_ctl_overlay_bytes(control);
	uint32_t ifindex = 0;
	int r = wf_net_overlay_ensure(control->net, control->config.overlay_port, mtu, &ifindex,
				      err);

	if (r == 0)
		r = wf_ctl_ingress_put(control, ifindex, WF_DP_FROM_OVERLAY, err);
	if (r < 0)
		return r;
	control->cluster.overlay_ifindex = ifindex;
	return wf_ctl_tunnel_sync(control, err);
}

int wf_ctl_cluster_sync(struct wf_control *control, struct wf_err *err)
{
	int r;

	if (!wf_ctl_is_shared(control))
		return 0;
	r = sync_device(control, err);
	if (r == 0)
		r = wf_ctl_nodes_program(control, err);
	if (r == 0)
		wf_ctl_encrypt_sync(control);
	return r < 0 ? r : wf_ctl_remotes_program(control, err);
}

int wf_ctl_cluster_start(struct wf_control *control, struct wf_err *err)
{
	int r;

	if (!wf_ctl_is_shared(control))
		return 0;
	wf_ctl_nodes_begin(control);
	r = wf_ctl_node_publish(control, err);
	if (r < 0)
		return r;
	wf_log_info("other nodes", "known=%u", HASH_CNT(by_name, control->cluster.nodes));
	wf_ctl_known_start(control);
	wf_ctl_sums_open(control);
	return wf_ctl_hosts_start(control, err);
}

void wf_ctl_cluster_stop(struct wf_control *control)
{
	struct ctl_node *node, *next;

	wf_ctl_follow_stop(control);
	wf_ctl_sums_close(control);
	wf_ctl_known_stop(control);
	wf_ctl_encrypt_stop(control);
	if (control->cluster.lease_timer)
		event_free(control->cluster.lease_timer);
	if (control->cluster.renewed_event)
		event_free(control->cluster.renewed_event);
	if (control->cluster.expire_timer)
		event_free(control->cluster.expire_timer);
	if (control->cluster.host_timer)
		event_free(control->cluster.host_timer);
	wf_ctl_remotes_free(control);
	HASH_ITER(by_name, control->cluster.nodes, node, next) {
		HASH_DELETE(by_name, control->cluster.nodes, node);
		wf_ctl_probe_stop(node);
		wf_ctl_sums_stop(node);
		free(node->hosts);
		free(node);
	}
	wf_index_done(&control->cluster.underlays);
	wf_index_done(&control->cluster.hosts);
	wf_ctl_probes_close(control);
}
