/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steps of the doctor's trials: what weftd does all day, done once where it does not matter.
 * They run in the child of doctor_trial.c, in scratch namespaces; nothing here undoes anything.
 */
#include <errno.h>
#include <sys/utsname.h>

#include "base/mem.h"
#include "control/doctor_priv.h"
#include "net/wireguard.h"

#define MTU           1500
#define GSO_MAX_BYTES (192 * 1024)

/* Steps that need the scratch namespaces fail with the reason why there are none. */
static int need_net(const struct doctor_trial *trial, struct wf_err *err)
{
	if (trial->net)
		return 0;
	return wf_fail(err, DOCTOR_NOT_TRIED, "not tried: %s", trial->fault.message);
}

static int try_namespace(struct doctor_trial *trial, struct doctor_result *result,
			 struct wf_err *err)
{
	if (!trial->net)
		return wf_fail(err, trial->fault.code, "%s", trial->fault.message);
	wf_doctor_say(result, DOCTOR_OK, "network namespaces can be made and entered");
	return 0;
}

/* ---- links --------------------------------------------------------------------------------- */

static struct wf_net_endpoint make_endpoint(const struct doctor_trial *trial, uint32_t slot,
					    const char *ifname, const char *host_name)
{
	return (struct wf_net_endpoint){
		.kind = WF_NET_KIND_PAIR,
		.netns_fd = trial->inner_fd,
		.ifname = ifname,
		.host_name = host_name,
		.host_ifindex = WF_IFINDEX_BASE + slot,
		.mac = { { 0x02, 0, 0, 0, 1, (uint8_t)slot } },
		.host_mac = { { 0x02, 0, 0, 0, 2, (uint8_t)slot } },
		.mtu = MTU,
	};
}

static int try_veth(struct doctor_trial *trial, struct doctor_result *result, struct wf_err *err)
{
	struct wf_net_address address = { 0 };
	struct wf_net_endpoint endpoint = make_endpoint(trial, 1, "eth0", "wf1");
	struct wf_net_link link = { 0 };
	char names[256];
	int r = need_net(trial, err);

	if (r < 0)
		return r;
	(void)wf_prefix_parse("192.0.2.2/24", &address.prefix);
	endpoint.addresses = &address;
	endpoint.address_count = 1;
	r = wf_net_endpoint_create(trial->net, &endpoint, &trial->nsid, err);
	if (r == 0)
		r = wf_net_link_find(trial->net, NULL, endpoint.host_ifindex, &link, names, err);
	if (r == 0)
		r = wf_net_endpoint_check(trial->net, &endpoint, err);
	if (r < 0)
		return r;
	trial->device = link.ifindex;
	wf_doctor_say(result, DOCTOR_OK,
		      "a veth pair can be made across namespaces, with a chosen index");
	return 0;
}

int wf_doctor_trial_device(const struct doctor_trial *trial, struct wf_err *err)
{
	int r = need_net(trial, err);

	if (r == 0 && !trial->device)
		r = wf_fail(err, DOCTOR_NOT_TRIED, "not tried: there is no veth pair to try it on");
	return r;
}

static int try_nsid(struct doctor_trial *trial, struct doctor_result *result, struct wf_err *err)
{
	int r = wf_doctor_trial_device(trial, err);

	if (r == 0 && trial->nsid < 0)
		r = wf_fail(err, -EOPNOTSUPP, "the kernel gives namespaces no ids");
	if (r == 0)
		wf_doctor_say(result, DOCTOR_OK,
			      "namespaces get ids, so that their end is noticed");
	return r;
}

struct blocks {
	uint32_t device;
	bool is_found;
};

static void see_qdisc(uint32_t ifindex, uint32_t ingress, uint32_t egress, void *context)
{
	struct blocks *blocks = context;

	if (ifindex == blocks->device && ingress == WF_BLOCK_INGRESS && egress == WF_BLOCK_EGRESS)
		blocks->is_found = true;
}

static int try_clsact(struct doctor_trial *trial, struct doctor_result *result, struct wf_err *err)
{
	struct blocks blocks = { .device = trial->device };
	int r = wf_doctor_trial_device(trial, err);

	if (r == 0)
		r = wf_net_blocks_attach(trial->net, trial->device, WF_BLOCK_INGRESS,
					 WF_BLOCK_EGRESS, err);
	if (r == 0)
		r = wf_net_qdisc_dump(trial->net, see_qdisc, &blocks, err);
	if (r == 0 && !blocks.is_found)
		r = wf_fail(err, -EOPNOTSUPP, "a clsact qdisc has no shared blocks");
	if (r == 0)
		wf_doctor_say(result, DOCTOR_OK, "clsact qdiscs can share blocks");
	return r;
}

static int try_pair(struct doctor_trial *trial, struct doctor_result *result, struct wf_err *err)
{
	bool was_created;
	uint32_t ifindex;
	int r = need_net(trial, err);

	if (r == 0)
		r = wf_net_host_ensure(trial->net, MTU, 0, WF_BLOCK_INGRESS, WF_BLOCK_EGRESS,
				       &ifindex, &was_created, err);
	if (r == 0)
		wf_doctor_say(result, DOCTOR_OK,
			      WF_NET_HOST_DEVICE
			      " and its settings below /proc/sys/net can be made");
	return r;
}

static int try_big_tcp(struct doctor_trial *trial, struct doctor_result *result, struct wf_err *err)
{
	struct wf_net_endpoint endpoint = make_endpoint(trial, 2, "eth1", "wf2");
	struct utsname kernel;
	int32_t nsid;
	int r = need_net(trial, err);

	endpoint.gso_max_bytes = GSO_MAX_BYTES;
	if (r == 0)
		r = wf_net_endpoint_create(trial->net, &endpoint, &nsid, err);
	if (r < 0)
		return r;
	/* an older kernel passes over the attributes for IPv4 in silence */
	if (uname(&kernel) == 0 && wf_doctor_version_reaches(kernel.release, 6, 3) == 0)
		return wf_fail(err, -EOPNOTSUPP, "BIG TCP is for IPv6 only on kernels before 6.3");
	wf_doctor_say(result, DOCTOR_OK, "BIG TCP packets of %d KiB are possible",
		      GSO_MAX_BYTES / 1024);
	return 0;
}

static int try_netkit(struct doctor_trial *trial, struct doctor_result *result, struct wf_err *err)
{
	struct wf_net_endpoint endpoint = make_endpoint(trial, 3, "eth3", "wf3");
	int32_t nsid;
	int r = need_net(trial, err);

	endpoint.is_netkit = true;
	if (r == 0)
		r = wf_net_endpoint_create(trial->net, &endpoint, &nsid, err);
	if (r == 0)
		wf_doctor_say(result, DOCTOR_OK, "netkit pairs are possible (datapathMode)");
	return r;
}

static int try_macvlan(struct doctor_trial *trial, struct doctor_result *result, struct wf_err *err)
{
	uint32_t ifindex = 0;
	int r = wf_doctor_trial_device(trial, err);

	if (r == 0)
		r = wf_net_macvlan_host_ensure(trial->net, "wfm1", trial->device, &ifindex, err);
	if (r < 0)
		return r;
	/* one device is not the parent of both kinds at a time */
	r = wf_net_link_del(trial->net, ifindex, err);
	if (r == 0)
		wf_doctor_say(result, DOCTOR_OK, "macvlan networks are possible");
	return r;
}

static int try_ipvlan(struct doctor_trial *trial, struct doctor_result *result, struct wf_err *err)
{
	struct wf_net_endpoint endpoint = {
		.kind = WF_NET_KIND_IPVLAN, /* mode 0 is L2 */
		.netns_fd = trial->inner_fd,
		.ifname = "eth2",
		.mtu = MTU,
		.parent_ifindex = trial->device,
	};
	int32_t nsid;
	int r = wf_doctor_trial_device(trial, err);

	if (r == 0)
		r = wf_net_endpoint_create(trial->net, &endpoint, &nsid, err);
	if (r == 0)
		wf_doctor_say(result, DOCTOR_OK, "ipvlan networks are possible");
	return r;
}

static int try_vlan(struct doctor_trial *trial, struct doctor_result *result, struct wf_err *err)
{
	struct wf_net_link link;
	char names[256];
	bool is_created;
	int r = wf_doctor_trial_device(trial, err);

	if (r == 0)
		r = wf_net_vlan_ensure(trial->net, trial->device, 1, &link, names, &is_created,
				       err);
	if (r == 0)
		wf_doctor_say(result, DOCTOR_OK, "networks can be in VLANs");
	return r;
}

static int try_wireguard(struct doctor_trial *trial, struct doctor_result *result,
			 struct wf_err *err)
{
	bool in_kernel = false;
	int r = need_net(trial, err);

	if (r == 0)
		r = wf_net_wg_possible(trial->net, &in_kernel, err);
	if (r == 0)
		wf_doctor_say(result, DOCTOR_OK, "networks can be encrypted between nodes, by %s",
			      in_kernel ? "the kernel" : "wireguard-go");
	return r;
}

/* Compound literals outside functions live as long as the program. */
#define TRIAL(id, title, run, failure, advice)                                  \
	{                                                                       \
		(id), (title), wf_doctor_trial_run, &(const struct doctor_step) \
		{                                                               \
			(run), (failure), (advice)                              \
		}                                                               \
	}

const struct doctor_check wf_doctor_trial_checks[] = {
	TRIAL("kernel.namespace", "network namespaces", try_namespace, DOCTOR_ERROR,
	      "Run as root: sudo weft doctor; within a container, give it CAP_SYS_ADMIN."),
	TRIAL("kernel.bpffs", "BPF file system", wf_doctor_try_bpffs, DOCTOR_ERROR,
	      "Boot a kernel with CONFIG_BPF_SYSCALL, and try: mount -t bpf bpf /sys/fs/bpf."),
	TRIAL("kernel.programs", "BPF programs and maps", wf_doctor_try_programs, DOCTOR_ERROR,
	      "Boot a kernel of 6.1 or later with CONFIG_BPF_SYSCALL and CONFIG_NET_CLS_BPF "
	      "(uname -r), as root: sudo weft doctor."),
	TRIAL("kernel.veth", "veth pair across namespaces", try_veth, DOCTOR_ERROR,
	      "Load the module, or boot a kernel with CONFIG_VETH: modprobe veth."),
	TRIAL("kernel.nsid", "namespace ids", try_nsid, DOCTOR_ERROR,
	      "Boot a kernel with CONFIG_NET_NS (grep NET_NS /boot/config-$(uname -r))."),
	TRIAL("kernel.clsact", "clsact with shared blocks", try_clsact, DOCTOR_ERROR,
	      "Load the module, or boot a kernel with CONFIG_NET_SCH_INGRESS: modprobe sch_ingress."),
	TRIAL("kernel.filter", "filters on shared blocks", wf_doctor_try_filter, DOCTOR_ERROR,
	      "Load the module, or boot a kernel with CONFIG_NET_CLS_BPF: modprobe cls_bpf."),
	TRIAL("kernel.pair", "the node's own devices", try_pair, DOCTOR_ERROR,
	      "Make /proc/sys/net writable for weftd: mount -o remount,rw /proc/sys."),
	TRIAL("kernel.bigtcp", "BIG TCP", try_big_tcp, DOCTOR_NOTE,
	      "Nothing has to be done; kernel 6.3 or later would give more throughput."),
	TRIAL("kernel.netkit", "netkit", try_netkit, DOCTOR_NOTE,
	      "Only datapathMode netkit needs it; auto does without."),
	TRIAL("kernel.macvlan", "macvlan", try_macvlan, DOCTOR_NOTE,
	      "Only networks with driver macvlan need it: modprobe macvlan."),
	TRIAL("kernel.ipvlan", "ipvlan", try_ipvlan, DOCTOR_NOTE,
	      "Only networks with driver ipvlan need it: modprobe ipvlan."),
	TRIAL("kernel.vlan", "VLANs", try_vlan, DOCTOR_NOTE,
	      "Only macvlan and ipvlan networks that name a VLAN need it: modprobe 8021q."),
	TRIAL("kernel.wireguard", "WireGuard", try_wireguard, DOCTOR_NOTE,
	      "Only encrypted networks need it: modprobe wireguard, or: apt install wireguard-go."),
	TRIAL("weft.store", "contents of the store", wf_doctor_try_store, DOCTOR_ERROR,
	      "Put back a copy of weft.db, or begin anew: weft cleanup."),
	DOCTOR_CHECKS_END,
};
