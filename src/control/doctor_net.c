/* SPDX-License-Identifier: Apache-2.0 */
/* The doctor's checks of the host's network: MTUs, forwarding and its settings, offloads, hooks. */
#include <errno.h>
#include <linux/ethtool.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/doctor_priv.h"
#include "net/offload.h"

#define IPV4   "/proc/sys/net/ipv4/"
#define IPV6   "/proc/sys/net/ipv6/"
#define DEVICE WF_NET_HOST_DEVICE

/* ---- MTU ----------------------------------------------------------------------------------- */

void wf_doctor_judge_mtu(const struct doctor_links *links, struct doctor_result *result)
{
	if (!*links->device)
		wf_doctor_say(result, DOCTOR_OK, "there is no default route, so no MTU to keep to");
	else
		wf_doctor_say(result, DOCTOR_OK, "%s, the way out, has MTU %u", links->device,
			      links->device_mtu);
	if (*links->device && links->mtu_max > links->device_mtu) {
		wf_doctor_say(result, DOCTOR_WARNING, "endpoints have MTUs of up to %u",
			      links->mtu_max);
		wf_doctor_advise(result,
				 "Set spec.mtu: %u in the networks with a larger one (weft get "
				 "network) and attach their containers again; until then large "
				 "packets to other hosts are fragmented or refused.",
				 links->device_mtu);
	} else if (links->mtu_min != links->mtu_max) {
		wf_doctor_say(result, DOCTOR_NOTE, "endpoints have MTUs from %u to %u",
			      links->mtu_min, links->mtu_max);
		wf_doctor_advise(result, "If this was not meant, set one spec.mtu in all networks "
					 "that talk to each other (weft get network).");
	}
}

static void check_mtu(struct doctor *doctor, const struct doctor_check *check,
		      struct doctor_result *result)
{
	if (!doctor->net) {
		wf_doctor_say(result, DOCTOR_ERROR, "the host's devices cannot be listed");
		wf_doctor_advise(result, "Run as root: sudo weft doctor.");
		return;
	}
	wf_doctor_judge_mtu(&doctor->links, result);
}

/* ---- the ways to other nodes --------------------------------------------------------------- */

/* Appends "over to b: 1450 > 1300". */
static void add_narrow(const json_t *node, struct wf_str *out)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(node, "narrow"), i, item)
		wf_str_addf(out, "%s%s to %s: %lld > %lld", out->len ? ", " : "",
			    wf_json_str(item, "network", ""), wf_json_str(node, "name", ""),
			    (long long)wf_json_int(item, "mtu", 0),
			    (long long)wf_json_int(item, "carried", 0));
}

void wf_doctor_judge_paths(const json_t *nodes, struct doctor_result *result)
{
	_cleanup_str_ struct wf_str narrow = WF_STR_INIT;
	const json_t *items = json_object_get(nodes, "items"), *node;
	size_t i, asked = 0;

	json_array_foreach(items, i, node) {
		asked += wf_json_int(json_object_get(node, "path"), "mtu", 0) != 0;
		add_narrow(node, &narrow);
	}
	if (!narrow.len) {
		wf_doctor_say(result, DOCTOR_OK,
			      asked ? "the ways to other nodes carry what networks send"
				    : "no way to another node was measured");
		return;
	}
	wf_doctor_say(result, DOCTOR_WARNING,
		      "networks send larger packets than ways to other nodes carry: %s",
		      wf_str_text(&narrow));
	wf_doctor_advise(result,
			 "Containers are told so by ICMP, and what must not be cut goes on in "
			 "smaller packets. Repair the way (weft node ls), or set spec.mtu of the "
			 "networks to what is carried and attach their containers again.");
}

static void check_paths(struct doctor *doctor, const struct doctor_check *check,
			struct doctor_result *result)
{
	wf_doctor_judge_paths(doctor->config->nodes, result);
}

/* ---- checksums inside the tunnel ----------------------------------------------------------- */

/* "eth0, eth1" */
static void add_names(const json_t *names, struct wf_str *out)
{
	const json_t *name;
	size_t i;

	json_array_foreach(names, i, name)
		wf_str_addf(out, "%s%s", i ? ", " : "", json_string_value(name));
}

static void say_broken(const json_t *self, struct doctor_result *result)
{
	_cleanup_str_ struct wf_str nodes = WF_STR_INIT, devices = WF_STR_INIT;

	add_names(json_object_get(self, "nodes"), &nodes);
	add_names(json_object_get(self, "devices"), &devices);
	wf_doctor_say(
		result, DOCTOR_WARNING,
		"checksums inside the tunnel that are left to a device%s%s%s arrive wrong%s%s: "
		"the kernel makes them",
		devices.len ? " (" : "", wf_str_text(&devices), devices.len ? ")" : "",
		nodes.len ? " at " : "", wf_str_text(&nodes));
	wf_doctor_advise(result,
			 "Traffic goes on and costs more. Another driver or firmware of the "
			 "device may do better; weftd --overlay-checksum software says that "
			 "it is not to be tried.");
}

void wf_doctor_judge_sums(const json_t *nodes, struct doctor_result *result)
{
	const json_t *items = json_object_get(nodes, "items"), *node, *self = NULL;
	const char *because;
	size_t i, sound = 0;

	json_array_foreach(items, i, node) {
		const json_t *sums = json_object_get(node, "checksums");

		if (json_object_get(sums, "by"))
			self = sums;
		sound += strcmp(wf_json_str(sums, "state", ""), "sound") == 0;
	}
	because = wf_json_str(self, "because", "");
	if (strcmp(because, "detected") == 0 || strcmp(because, "remembered") == 0)
		say_broken(self, result);
	else if (strcmp(wf_json_str(self, "by", ""), "kernel") == 0)
		wf_doctor_say(result, DOCTOR_OK, "the kernel makes checksums inside the tunnel: %s",
			      strcmp(because, "option") == 0
				      ? "--overlay-checksum says so"
				      : "weft-overlay was set so, and not by weftd");
	else if (sound)
		wf_doctor_say(result, DOCTOR_OK,
			      "checksums inside the tunnel that are left to devices arrive right "
			      "(%zu nodes)",
			      sound);
	else
		wf_doctor_say(result, DOCTOR_OK,
			      "whether devices make checksums inside a tunnel was not tried");
}

static void check_sums(struct doctor *doctor, const struct doctor_check *check,
		       struct doctor_result *result)
{
	wf_doctor_judge_sums(doctor->config->nodes, result);
}

/* ---- forwarding ---------------------------------------------------------------------------- */

static void check_forward4(struct doctor *doctor, const struct doctor_check *check,
			   struct doctor_result *result)
{
	if (wf_doctor_number(doctor, IPV4 "ip_forward") != 1) {
		wf_doctor_say(result, DOCTOR_WARNING,
			      "ip_forward is 0: containers reach this host but nothing beyond");
		wf_doctor_advise(result, "Run: sysctl -w net.ipv4.ip_forward=1 (and put it in "
					 "/etc/sysctl.d).");
	} else if (wf_doctor_number(doctor, IPV4 "conf/" DEVICE "/forwarding") == 0) {
		wf_doctor_say(result, DOCTOR_WARNING,
			      "forwarding of " DEVICE " is 0 although ip_forward is 1: containers "
			      "reach this host but nothing beyond");
		wf_doctor_advise(result, "Run: sysctl -w net.ipv4.conf." DEVICE ".forwarding=1.");
	} else {
		wf_doctor_say(result, DOCTOR_OK,
			      "IPv4 is forwarded: containers reach beyond this "
			      "host");
	}
}

static void check_forward6(struct doctor *doctor, const struct doctor_check *check,
			   struct doctor_result *result)
{
	int64_t value = wf_doctor_number(doctor, IPV6 "conf/all/forwarding");
	bool is_used = doctor->links.has_ip6;

	if (value > 0) {
		wf_doctor_say(result, DOCTOR_OK,
			      "IPv6 is forwarded: containers reach beyond this "
			      "host");
	} else if (value < 0) {
		wf_doctor_say(result, is_used ? DOCTOR_WARNING : DOCTOR_NOTE,
			      "this host has no IPv6");
		wf_doctor_advise(result, "Only networks with ipFamilies: [IPv6] need it: boot "
					 "without ipv6.disable=1 (cat /proc/cmdline).");
	} else {
		wf_doctor_say(result, is_used ? DOCTOR_WARNING : DOCTOR_NOTE,
			      "IPv6 forwarding is 0: containers reach this host over IPv6 but "
			      "nothing beyond");
		wf_doctor_advise(result,
				 "For IPv6 networks run: sysctl -w net.ipv6.conf.all.forwarding=1 "
				 "(and first net.ipv6.conf.%s.accept_ra=2 if a router tells the "
				 "host its IPv6 route).",
				 *doctor->links.device ? doctor->links.device : "DEVICE");
	}
}

/* The kernel takes the larger one of all and the device. */
static void check_rp_filter(struct doctor *doctor, const struct doctor_check *check,
			    struct doctor_result *result)
{
	int64_t all = wf_doctor_number(doctor, IPV4 "conf/all/rp_filter");
	int64_t own = wf_doctor_number(doctor, IPV4 "conf/" DEVICE "/rp_filter");
	int64_t effective = all > own ? all : own;

	if (own < 0) {
		wf_doctor_say(result, DOCTOR_OK,
			      DEVICE " is not there yet; weftd sets its "
				     "rp_filter");
	} else if (effective == 1) {
		wf_doctor_say(result, DOCTOR_WARNING,
			      "rp_filter of " DEVICE " is strict: the host drops packets of "
			      "containers that it would answer another way");
		wf_doctor_advise(result, "Run: sysctl -w net.ipv4.conf." DEVICE ".rp_filter=2 (and "
					 "see who sets it: grep -r rp_filter /etc/sysctl.d).");
	} else {
		wf_doctor_say(result, DOCTOR_OK, "rp_filter of " DEVICE " is %s",
			      effective == 2 ? "loose" : "off");
	}
}

static void check_accept_ra(struct doctor *doctor, const struct doctor_check *check,
			    struct doctor_result *result)
{
	int64_t value = wf_doctor_number(doctor, IPV6 "conf/" DEVICE "/accept_ra");

	if (value > 0) {
		wf_doctor_say(result, DOCTOR_WARNING,
			      "accept_ra of " DEVICE " is %d: the host may take routes from a "
			      "container",
			      (int)value);
		wf_doctor_advise(result, "Run: sysctl -w net.ipv6.conf." DEVICE ".accept_ra=0.");
	} else if (value < 0) {
		wf_doctor_say(result, DOCTOR_OK,
			      DEVICE " has no IPv6 yet; weftd sets its "
				     "accept_ra");
	} else {
		wf_doctor_say(result, DOCTOR_OK, DEVICE " takes no router advertisements");
	}
}

static void check_bridge_nf(struct doctor *doctor, const struct doctor_check *check,
			    struct doctor_result *result)
{
	if (wf_doctor_number(doctor, "/proc/sys/net/bridge/bridge-nf-call-iptables") != 1) {
		wf_doctor_say(result, DOCTOR_OK, "bridged frames do not pass iptables");
		return;
	}
	wf_doctor_say(result, DOCTOR_NOTE,
		      "bridge-nf-call-iptables is 1: frames on other software's bridges pass "
		      "iptables; weft has no bridge");
	wf_doctor_advise(result, "Nothing has to be done for weft, and Docker and Kubernetes want "
				 "it so; to see it: sysctl net.bridge.");
}

/* ---- offloads ------------------------------------------------------------------------------ */

static const struct {
	uint32_t command;
	const char *name, *key;
} offloads[] = {
	{ ETHTOOL_GTXCSUM, "transmit checksums", "tx" },
	{ ETHTOOL_GRXCSUM, "receive checksums", "rx" },
	{ ETHTOOL_GTSO, "TSO", "tso" },
	{ ETHTOOL_GGRO, "GRO", "gro" },
};

static void check_offloads(struct doctor *doctor, const struct doctor_check *check,
			   struct doctor_result *result)
{
	_cleanup_str_ struct wf_str off = WF_STR_INIT, keys = WF_STR_INIT;
	const char *device = doctor->links.device;
	size_t told = 0;

	for (size_t i = 0; *device && i < WF_ARRAY_LEN(offloads); i++) {
		int value = wf_net_offload_get(NULL, device, offloads[i].command);

		told += value >= 0;
		if (value != 0)
			continue;
		wf_str_addf(&off, "%s%s", off.len ? ", " : "", offloads[i].name);
		wf_str_addf(&keys, " %s on", offloads[i].key);
	}
	if (!*device) {
		wf_doctor_say(result, DOCTOR_OK,
			      "there is no default route, so no offloads to see");
	} else if (!told) {
		wf_doctor_say(result, DOCTOR_OK, "%s tells nothing about offloads", device);
	} else if (off.len) {
		wf_doctor_say(result, DOCTOR_NOTE,
			      "%s is off on %s: traffic to other hosts costs more",
			      wf_str_text(&off), device);
		wf_doctor_advise(result, "If the device can do it, run: ethtool -K %s%s.", device,
				 wf_str_text(&keys));
	} else {
		wf_doctor_say(result, DOCTOR_OK, "%s computes checksums, segments and merges",
			      device);
	}
}

const struct doctor_check wf_doctor_net_checks[] = {
	{ "net.mtu", "MTU", check_mtu, NULL },
	{ "net.paths", "ways to other nodes", check_paths, NULL },
	{ "net.checksums", "checksums to other nodes", check_sums, NULL },
	{ "net.forward4", "IPv4 forwarding", check_forward4, NULL },
	{ "net.forward6", "IPv6 forwarding", check_forward6, NULL },
	{ "net.rpfilter", "reverse path filter", check_rp_filter, NULL },
	{ "net.acceptra", "router advertisements", check_accept_ra, NULL },
	{ "net.bridgenf", "bridge netfilter", check_bridge_nf, NULL },
	{ "net.offloads", "offloads", check_offloads, NULL },
	DOCTOR_CHECKS_END,
};
