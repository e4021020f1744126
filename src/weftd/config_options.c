/* SPDX-License-Identifier: Apache-2.0 */
/* The table of the daemon's options, and checks of their values; config.c reads them. */
#include <errno.h>
#include <stddef.h>

#include <weft/abi/limits.h>

#include "base/addr.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "weftd/config.h"
#include "weftd/failsafe.h"
#include "weftd/ranges.h"
#include "weftd/store.h"

#define MAX_COOL_DOWN_MS   86400000
#define MAX_NODE_GRACE_MS  2592000000ULL
#define MIN_NODE_PROBE_MS  1000
#define MAX_NODE_PROBE_MS  3600000
#define MAX_ROTATE_MS      31536000000ULL
#define MAX_ATTACH_WAIT_MS 10000

static const char *const formats[] = { "table", "json", NULL };
static const char *const xdp_modes[] = { "off", "auto", "native", NULL };
static const char *const datapath_modes[] = { "veth", "netkit", "auto", NULL };
static const char *const tcx_modes[] = { "auto", "off", NULL };
static const char *const firewall_modes[] = { "respect", "bypass", NULL };

static const char *const checksums[] = { "auto", "software", "device", NULL };

static const char *const encryptions[] = { "none", "wireguard", NULL };

static const char *const policy_logs[] = { "none", "denied", "all", NULL };

/* What a host cannot lose without being lost itself: ssh, DHCP, DNS, etcd, the API server, BGP. */
#define DEFAULT_FAILSAFE                                                                  \
	"ingress:tcp/22,ingress:udp/68,ingress:udp/546,ingress:tcp/179,ingress:tcp/2379," \
	"ingress:tcp/2380,ingress:tcp/6443,egress:udp/53,egress:tcp/53,egress:udp/67,"    \
	"egress:udp/547,egress:tcp/179,egress:tcp/2379,egress:tcp/2380,egress:tcp/6443"

static int check_levels(const char *text, struct wf_err *err)
{
	if (wf_log_check_levels(text) < 0)
		return wf_fail(err, -EINVAL,
			       "\"%s\" is not a level (error, warning, info, debug), or names a "
			       "module that does not exist",
			       text);
	return 0;
}

static int check_node_name(const char *text, struct wf_err *err)
{
	if (!wf_str_is_name(text))
		return wf_fail(err, -EINVAL,
			       "\"%s\" cannot name a node: lower-case letters, digits, '-' and '.'",
			       text);
	return 0;
}

static int check_node_ip(const char *text, struct wf_err *err)
{
	struct wf_addr addr;

	if (wf_addr_parse(text, &addr) < 0 || !wf_addr_is_usable(&addr))
		return wf_fail(err, -EINVAL, "\"%s\" is not an address of a host", text);
	return 0;
}

static int check_node_probe(const char *text, struct wf_err *err)
{
	uint64_t ms;

	if (wf_str_to_duration_ms(text, &ms) == 0 && ms && ms < MIN_NODE_PROBE_MS)
		return wf_fail(err, -EINVAL, "%s is too often: 1s at least, or 0 for never", text);
	return 0;
}

static int check_service_cidr(const char *text, struct wf_err *err)
{
	struct wf_prefix cidrs[2];

	return weftd_ranges_cidrs(text, cidrs, err);
}

static int check_node_ports(const char *text, struct wf_err *err)
{
	uint16_t first, last;

	return weftd_ranges_ports(text, &first, &last, err);
}

static int check_clear_ports(const char *text, struct wf_err *err)
{
	uint64_t ports[WF_CLEAR_WORDS];

	return weftd_ranges_bits(text, ports, err);
}

static int check_failsafe(const char *text, struct wf_err *err)
{
	struct wf_policy_failsafe failsafes[WEFTD_MAX_FAILSAFES];
	size_t count;

	return weftd_failsafe_parse(text, failsafes, &count, err);
}

#define MEMBER(name) offsetof(struct weftd_config, name)

const struct wf_option weftd_options[] = {
	{ .name = "config",
	  .type = WF_OPTION_STRING,
	  .offset = MEMBER(config),
	  .fallback = WEFTD_DEFAULT_CONFIG,
	  .value = "FILE",
	  .help = "configuration file; the default one may be absent",
	  .complete = "file" },
	{ .name = "node-name",
	  .type = WF_OPTION_STRING,
	  .offset = MEMBER(node_name),
	  .value = "NAME",
	  .help = "name of this node; default: the host name",
	  .check = check_node_name },
	{ .name = "node-ip",
	  .type = WF_OPTION_STRING,
	  .offset = MEMBER(node_ip),
	  .value = "ADDR",
	  .help = "address at which other nodes reach this one; default: that of the default "
		  "route's device",
	  .check = check_node_ip },
	{ .name = "run-dir",
	  .type = WF_OPTION_STRING,
	  .offset = MEMBER(run_dir),
	  .fallback = "/run/weft",
	  .value = "DIR",
	  .help = "directory of the socket, the lock and the CNI plugin's spool",
	  .complete = "dir" },
	{ .name = "state-dir",
	  .type = WF_OPTION_STRING,
	  .offset = MEMBER(state_dir),
	  .fallback = "/var/lib/weft",
	  .value = "DIR",
	  .help = "directory of the embedded store (weft.db), or of the mirror of etcd (mirror.db)",
	  .complete = "dir" },
	{ .name = "bpf-dir",
	  .type = WF_OPTION_STRING,
	  .offset = MEMBER(bpf_dir),
	  .fallback = "/sys/fs/bpf/weft",
	  .value = "DIR",
	  .help = "directory of the pinned maps and programs, on a BPF file system",
	  .complete = "dir" },
	{ .name = "cgroup",
	  .type = WF_OPTION_STRING,
	  .offset = MEMBER(cgroup),
	  .value = "DIR",
	  .help = "root of the cgroup v2 tree, where services are translated for all processes; default: "
		  "found by itself; none: packet by packet only",
	  .complete = "dir" },
	{ .name = "socket",
	  .type = WF_OPTION_STRING,
	  .offset = MEMBER(socket),
	  .value = "PATH",
	  .help = "socket of the API; default: weft.sock in the run directory",
	  .complete = "file" },
	{ .name = "group",
	  .type = WF_OPTION_STRING,
	  .offset = MEMBER(group),
	  .value = "GROUP",
	  .help = "group whose members may use the socket besides root" },
	{ .name = "store",
	  .type = WF_OPTION_STRING,
	  .offset = MEMBER(store),
	  .fallback = "sqlite",
	  .value = "STORE",
	  .help = "where documents live: sqlite is durable, mem forgets when the daemon ends, "
		  "etcd://HOST:PORT[,HOST:PORT...][/PREFIX] is shared by many hosts (etcds://: "
		  "with TLS)",
	  .check = weftd_store_check },
	{ .name = "etcd-ca",
	  .type = WF_OPTION_STRING,
	  .offset = MEMBER(etcd_ca),
	  .value = "FILE",
	  .help = "authority that etcd's certificate must be of (PEM); default: the system's",
	  .complete = "file" },
	{ .name = "etcd-cert",
	  .type = WF_OPTION_STRING,
	  .offset = MEMBER(etcd_cert),
	  .value = "FILE",
	  .help = "certificate of this node for etcd (PEM)",
	  .complete = "file" },
	{ .name = "etcd-key",
	  .type = WF_OPTION_STRING,
	  .offset = MEMBER(etcd_key),
	  .value = "FILE",
	  .help = "key of that certificate (PEM)",
	  .complete = "file" },
	{ .name = "log-level",
	  .type = WF_OPTION_STRING,
	  .offset = MEMBER(log_level),
	  .fallback = "info",
	  .value = "LEVELS",
	  .help = "error, warning, info or debug; per module: info,repair=debug",
	  .reloadable = true,
	  .check = check_levels },
	{ .name = "big-tcp",
	  .type = WF_OPTION_BOOL,
	  .offset = MEMBER(big_tcp),
	  .fallback = "true",
	  .help = "let containers on this host exchange packets of up to 192 KiB" },
	{ .name = "cool-down",
	  .type = WF_OPTION_DURATION,
	  .offset = MEMBER(cool_down_ms),
	  .fallback = "30s",
	  .max = MAX_COOL_DOWN_MS,
	  .value = "TIME",
	  .help = "rest of a released address, for networks that do not say" },
	{ .name = "zone",
	  .type = WF_OPTION_STRING,
	  .offset = MEMBER(zone),
	  .value = "ZONE",
	  .help = "zone of this node, for services that prefer near backends" },
	{ .name = "service-cidr",
	  .type = WF_OPTION_STRING,
	  .offset = MEMBER(service_cidr),
	  .fallback = "10.96.0.0/16",
	  .value = "CIDR[,CIDR]",
	  .help = "ranges of service addresses, one of each family; without one for IPv6 a "
		  "private one is made",
	  .check = check_service_cidr },
	{ .name = "node-ports",
	  .type = WF_OPTION_STRING,
	  .offset = MEMBER(node_ports),
	  .fallback = "30000-32767",
	  .value = "FIRST-LAST",
	  .help = "range of node ports",
	  .check = check_node_ports },
	{ .name = "overlay-port",
	  .type = WF_OPTION_U64,
	  .offset = MEMBER(overlay_port),
	  .fallback = "4789",
	  .min = 1,
	  .max = UINT16_MAX,
	  .value = "PORT",
	  .help = "UDP port of networks that reach other nodes (VXLAN); on every node the same" },
	{ .name = "overlay-checksum",
	  .type = WF_OPTION_CHOICE,
	  .offset = MEMBER(overlay_checksum),
	  .fallback = "auto",
	  .choices = checksums,
	  .value = "HOW",
	  .help = "who makes the checksums of what goes through that tunnel: devices, until they "
		  "are found to get them wrong (auto), always the kernel (software), or always "
		  "devices (device)" },
	{ .name = "encryption",
	  .type = WF_OPTION_CHOICE,
	  .offset = MEMBER(encryption),
	  .fallback = "none",
	  .choices = encryptions,
	  .value = "HOW",
	  .help = "whether new overlay networks that do not say are encrypted between nodes" },
	{ .name = "encryption-port",
	  .type = WF_OPTION_U64,
	  .offset = MEMBER(encryption_port),
	  .fallback = "51820",
	  .min = 1,
	  .max = UINT16_MAX - 1,
	  .value = "PORT",
	  .help = "UDP port of WireGuard between nodes; the next one is used as well, while the "
		  "key is changed" },
	{ .name = "encryption-rotate",
	  .type = WF_OPTION_DURATION,
	  .offset = MEMBER(encryption_rotate_ms),
	  .fallback = "0",
	  .max = MAX_ROTATE_MS,
	  .value = "TIME",
	  .help = "age at which this node's WireGuard key is changed for a new one; 0: only when "
		  "asked to ('weft node rotate-key')" },
	{ .name = "encryption-hosts",
	  .type = WF_OPTION_BOOL,
	  .offset = MEMBER(encryption_hosts),
	  .fallback = "false",
	  .help = "encrypt what this host and those of other nodes that say so send each other, "
		  "from node address to node address" },
	{ .name = "encryption-hosts-clear",
	  .type = WF_OPTION_STRING,
	  .offset = MEMBER(encryption_hosts_clear),
	  .fallback = "2379-2380",
	  .value = "PORTS",
	  .help = "ports of TCP and UDP that stay in clear text then, as 22,8000-8010, or none; "
		  "those of the store do so anyway",
	  .check = check_clear_ports },
	{ .name = "node-grace",
	  .type = WF_OPTION_DURATION,
	  .offset = MEMBER(node_grace_ms),
	  .fallback = "5m",
	  .max = MAX_NODE_GRACE_MS,
	  .value = "TIME",
	  .help = "how long a node may be lost until others release its endpoints and their "
		  "addresses; 0: for ever" },
	{ .name = "node-probe-interval",
	  .type = WF_OPTION_DURATION,
	  .offset = MEMBER(node_probe_ms),
	  .fallback = "10s",
	  .max = MAX_NODE_PROBE_MS,
	  .value = "TIME",
	  .help = "how often each other node is asked by ICMP whether it is reached, how fast and "
		  "with how large packets; 0: never",
	  .check = check_node_probe },
	{ .name = "attach-wait",
	  .type = WF_OPTION_DURATION,
	  .offset = MEMBER(attach_wait_ms),
	  .fallback = "50ms",
	  .max = MAX_ATTACH_WAIT_MS,
	  .value = "TIME",
	  .help = "how long an attach waits at most until the other nodes have its address in "
		  "force; 0: not at all" },
	{ .name = "news-port",
	  .type = WF_OPTION_U64,
	  .offset = MEMBER(news_port),
	  .fallback = "51822",
	  .min = 1,
	  .max = UINT16_MAX - 1,
	  .value = "PORT",
	  .help = "UDP port by which nodes ask each other for that; on every node the same. The "
		  "next one is used as well, inside the tunnel" },
	{ .name = "uplinks",
	  .type = WF_OPTION_STRING,
	  .offset = MEMBER(uplinks),
	  .fallback = "auto",
	  .value = "NAMES",
	  .help = "devices that lead out of the host: auto (every one with an address), none, or "
		  "names and patterns separated by commas" },
	{ .name = "xdp",
	  .type = WF_OPTION_CHOICE,
	  .offset = MEMBER(xdp),
	  .fallback = "off",
	  .choices = xdp_modes,
	  .value = "MODE",
	  .help = "balance before the stack: off, auto (native where the driver can, else "
		  "generic), native" },
	{ .name = "datapath-mode",
	  .type = WF_OPTION_CHOICE,
	  .offset = MEMBER(datapath_mode),
	  .fallback = "veth",
	  .choices = datapath_modes,
	  .value = "MODE",
	  .help = "devices of new endpoints: veth, netkit (their program runs as they send, which "
		  "spares what leaves the host a queue; Linux 6.7), auto (netkit where the kernel "
		  "has it)" },
	{ .name = "tcx",
	  .type = WF_OPTION_CHOICE,
	  .offset = MEMBER(tcx),
	  .fallback = "auto",
	  .choices = tcx_modes,
	  .value = "MODE",
	  .help = "whether endpoints that send much get their program on the tcx or netkit hook, "
		  "where it costs a packet less: auto (where the kernel has it), off" },
	{ .name = "firewall",
	  .type = WF_OPTION_CHOICE,
	  .offset = MEMBER(firewall),
	  .fallback = "respect",
	  .choices = firewall_modes,
	  .value = "MODE",
	  .help = "whether packets between containers and the world pass the host's packet filter "
		  "(respect) or go straight to the container and the neighbour (bypass)" },
	{ .name = "max-services",
	  .type = WF_OPTION_U64,
	  .offset = MEMBER(max_services),
	  .fallback = "16384",
	  .min = 64,
	  .max = WF_MAX_SERVICES,
	  .value = "N",
	  .help = "most service ports; sizes the tables when they are made" },
	{ .name = "max-connections",
	  .type = WF_OPTION_U64,
	  .offset = MEMBER(max_connections),
	  .fallback = "131072",
	  .min = 1024,
	  .max = WF_MAX_CONNECTIONS,
	  .value = "N",
	  .help = "most translated connections, rounded up to a power of two; sizes the table "
		  "when it is made" },
	{ .name = "connection-quota",
	  .type = WF_OPTION_U64,
	  .offset = MEMBER(connection_quota),
	  .fallback = "0",
	  .max = WF_MAX_CONNECTIONS,
	  .value = "N",
	  .help = "most translated connections of one endpoint; 0: a quarter of the table" },
	{ .name = "policy-audit",
	  .type = WF_OPTION_BOOL,
	  .offset = MEMBER(policy_audit),
	  .help = "every policy is on trial: what it would deny passes, and is told" },
	{ .name = "policy-log",
	  .type = WF_OPTION_CHOICE,
	  .offset = MEMBER(policy_log),
	  .fallback = "none",
	  .choices = policy_logs,
	  .value = "FLOWS",
	  .help = "new flows that are told in the log with the policy and rule that decided: none, "
		  "denied, all" },
	{ .name = "host-failsafe",
	  .type = WF_OPTION_STRING,
	  .offset = MEMBER(host_failsafe),
	  .fallback = DEFAULT_FAILSAFE,
	  .value = "PORTS",
	  .help = "ports of this host that no policy closes: DIRECTION:PROTOCOL/PORT separated by "
		  "commas, or none",
	  .check = check_failsafe },
	{ .name = "check",
	  .type = WF_OPTION_BOOL,
	  .offset = MEMBER(check),
	  .help = "check the configuration and exit" },
	{ .name = "doctor",
	  .type = WF_OPTION_BOOL,
	  .offset = MEMBER(doctor),
	  .help = "examine the host, say what is wrong and what to do, and exit" },
	{ .name = "cleanup",
	  .type = WF_OPTION_BOOL,
	  .offset = MEMBER(cleanup),
	  .help = "remove everything weft made on this host and exit" },
	{ .name = "yes",
	  .type = WF_OPTION_BOOL,
	  .offset = MEMBER(yes),
	  .help = "with --cleanup: do not ask" },
	{ .name = "import",
	  .type = WF_OPTION_BOOL,
	  .offset = MEMBER(import),
	  .help = "copy the embedded store of the state directory into the etcd of --store and "
		  "exit" },
	{ .name = "merge",
	  .type = WF_OPTION_BOOL,
	  .offset = MEMBER(merge),
	  .help = "with --import: into an etcd that has documents; they stay" },
	{ .name = "accept-store",
	  .type = WF_OPTION_BOOL,
	  .offset = MEMBER(accept_store),
	  .help = "believe what etcd has, although it is not the store this node knows" },
	{ .name = "output",
	  .letter = 'o',
	  .type = WF_OPTION_CHOICE,
	  .offset = MEMBER(output),
	  .fallback = "table",
	  .choices = formats,
	  .value = "FORMAT",
	  .help = "with --doctor: table or json" },
	{ .name = "man",
	  .type = WF_OPTION_STRING,
	  .offset = MEMBER(man),
	  .value = "PAGE",
	  .help = "print a man page (weftd.8 or weft.yaml.5) and exit" },
	{ .name = "version",
	  .type = WF_OPTION_BOOL,
	  .offset = MEMBER(version),
	  .help = "print the version and exit" },
	WF_OPTION_END,
};
