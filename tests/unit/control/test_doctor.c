/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The doctor's checks against hosts made of files: each test builds a small root directory and
 * looks at what one check says of it. The trials and the whole report are in test_doctor_trial.c.
 */
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "control/doctor.h"
#include "control/doctor_priv.h"

/* ---- a host made of files ------------------------------------------------------------------- */

struct host {
	char root[64];
	char run[96], state[96], bpf[96], socket[128];
	struct wf_doctor_config config;
	struct doctor doctor;
	struct doctor_result result;
};

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static int setup(void **state)
{
	struct host *host = calloc(1, sizeof(*host));

	assert_non_null(host);
	(void)snprintf(host->root, sizeof(host->root), "/tmp/weft-doctor-XXXXXX");
	assert_non_null(mkdtemp(host->root));
	(void)snprintf(host->run, sizeof(host->run), "%s/run", host->root);
	(void)snprintf(host->state, sizeof(host->state), "%s/state", host->root);
	(void)snprintf(host->bpf, sizeof(host->bpf), "%s/bpf", host->root);
	(void)snprintf(host->socket, sizeof(host->socket), "%s/weft.sock", host->run);
	assert_int_equal(mkdir(host->run, 0700), 0);
	assert_int_equal(mkdir(host->state, 0700), 0);
	host->config = (struct wf_doctor_config){ host->run, host->state, host->bpf, host->socket,
						  host->root };
	host->doctor = (struct doctor){ .config = &host->config, .root = host->root };
	*state = host;
	return 0;
}

static int teardown(void **state)
{
	struct host *host = *state;

	wf_doctor_result_done(&host->result);
	(void)nftw(host->root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(host);
	return 0;
}

static void put(struct host *host, const char *path, const char *text)
{
	char full[512], *slash;

	(void)snprintf(full, sizeof(full), "%s%s", host->root, path);
	slash = strrchr(full, '/');
	*slash = '\0';
	assert_int_equal(wf_file_make_dirs(full, 0700, NULL), 0);
	*slash = '/';
	assert_int_equal(wf_file_write(full, text, strlen(text), 0600, NULL), 0);
}

static void put_process(struct host *host, int pid, const char *comm, const char *cmdline)
{
	char path[64], line[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	(void)snprintf(line, sizeof(line), "%s\n", comm);
	put(host, path, line);
	(void)snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	put(host, path, cmdline);
}

static const struct doctor_check *const tables[] = {
	wf_doctor_build_checks, wf_doctor_kernel_checks, wf_doctor_net_checks,
	wf_doctor_hook_checks,  wf_doctor_host_checks,   wf_doctor_software_checks,
	wf_doctor_file_checks,
};

static const struct doctor_check *find_check(const char *id)
{
	for (size_t i = 0; i < WF_ARRAY_LEN(tables); i++)
		for (const struct doctor_check *check = tables[i]; check->id; check++)
			if (strcmp(check->id, id) == 0)
				return check;
	fail_msg("no check %s", id);
	return NULL;
}

/* Runs one check; something to do is told exactly when something is to be done. */
static enum doctor_status ask(struct host *host, const char *id)
{
	const struct doctor_check *check = find_check(id);

	wf_doctor_result_done(&host->result);
	host->result.status = DOCTOR_OK;
	check->run(&host->doctor, check, &host->result);
	assert_true(host->result.seen.len > 0);
	assert_int_equal(host->result.advice.len > 0, host->result.status != DOCTOR_OK);
	if (host->result.advice.len)
		assert_int_equal(host->result.advice.data[host->result.advice.len - 1], '.');
	return host->result.status;
}

#define assert_seen(host, text)   assert_non_null(strstr((host)->result.seen.data, text))
#define assert_advice(host, text) assert_non_null(strstr((host)->result.advice.data, text))

/* ---- pure parts ----------------------------------------------------------------------------- */

static void test_version(void **state)
{
	(void)state;
	assert_int_equal(wf_doctor_version_reaches("6.1.0-18-amd64", 6, 1), 1);
	assert_int_equal(wf_doctor_version_reaches("6.18.44", 6, 3), 1);
	assert_int_equal(wf_doctor_version_reaches("7.0-rc1", 6, 1), 1);
	assert_int_equal(wf_doctor_version_reaches("6.0.19", 6, 1), 0);
	assert_int_equal(wf_doctor_version_reaches("5.15.0", 6, 1), 0);
	assert_true(wf_doctor_version_reaches("mainline", 6, 1) < 0);
}

static void test_lock_holder(void **state)
{
	static const char locks[] = "1: POSIX  ADVISORY  WRITE 7 00:1a:815 0 EOF\n"
				    "2: FLOCK  ADVISORY  WRITE 4711 00:1a:815 0 EOF\n"
				    "2: -> FLOCK  ADVISORY  WRITE 12 00:1a:816 0 EOF\n"
				    "3: FLOCK  ADVISORY  READ  99 103:02:815 0 EOF\n";

	(void)state;
	assert_int_equal(wf_doctor_lock_holder(locks, 0, 0x1a, 815), 4711);
	assert_int_equal(wf_doctor_lock_holder(locks, 0x103, 2, 815), 99);
	assert_int_equal(wf_doctor_lock_holder(locks, 0, 0x1a, 816), 0);
	assert_int_equal(wf_doctor_lock_holder(locks, 0, 0x1b, 815), 0);
	assert_int_equal(wf_doctor_lock_holder("", 0, 0x1a, 815), 0);
}

static void test_plugin_version(void **state)
{
	char version[16];

	(void)state;
	assert_true(wf_doctor_plugin_version("CNI plugin weft 1.2.3: hands requests\n", version,
					     sizeof(version)));
	assert_string_equal(version, "1.2.3");
	assert_false(
		wf_doctor_plugin_version("CNI bridge plugin v1.1.1\n", version, sizeof(version)));
	assert_false(wf_doctor_plugin_version("CNI plugin weft :", version, sizeof(version)));
	assert_false(wf_doctor_plugin_version("CNI plugin weft 1234567890123456789", version,
					      sizeof(version)));
}

static void test_limit(void **state)
{
	static const char limits[] =
		"Limit                     Soft Limit           Hard Limit           Units     \n"
		"Max open files            1024                 524288               files     \n"
		"Max locked memory         unlimited            unlimited            bytes     \n";

	(void)state;
	assert_true(wf_doctor_limit(limits, "Max open files") == 1024);
	assert_true(wf_doctor_limit(limits, "Max locked memory") == UINT64_MAX);
	assert_true(wf_doctor_limit(limits, "Max processes") == UINT64_MAX);
}

static void test_settings(void **state)
{
	static const char text[] = "[Network]\n#ManageForeignRoutes=no\n"
				   "  ManageForeignRoutes = yes \nManageForeignRoutes=\"no\"\r\n";
	char value[8];

	(void)state;
	assert_true(wf_doctor_setting(text, "ManageForeignRoutes", value, sizeof(value)));
	assert_string_equal(value, "no");
	assert_false(wf_doctor_setting(text, "ManageForeign", value, sizeof(value)));
	assert_false(wf_doctor_setting("Key=12345678", "Key", value, sizeof(value)));
	assert_true(wf_doctor_setting("Key=\"", "Key", value, sizeof(value)));
	assert_string_equal(value, "");
	assert_true(wf_doctor_field("Uid:\t0\nCapEff:\t00000000a80425fb\n", "CapEff", 16, 0) ==
		    0xa80425fb);
	assert_true(wf_doctor_field("CapEff:\n", "CapBnd", 16, 7) == 7);
}

static void test_cni_type(void **state)
{
	static const char list[] = "{\"name\":\"a\",\"plugins\":[{\"type\":\"bridge\"},"
				   "{\"type\":\"weft\"}]}";

	(void)state;
	assert_true(wf_doctor_cni_has_type(list, strlen(list), "weft"));
	assert_false(wf_doctor_cni_has_type(list, strlen(list), "portmap"));
	assert_true(wf_doctor_cni_has_type("{\"type\":\"weft\"}", 15, "weft"));
	assert_false(wf_doctor_cni_has_type("{\"type\":\"weft\"", 14, "weft"));
	assert_false(wf_doctor_cni_has_type("[\"weft\"]", 8, "weft"));
}

static void test_mtu(void **state)
{
	struct doctor_links links = { .device = "eth0", .device_mtu = 1500 };
	struct host *host = *state;

	wf_doctor_judge_mtu(&links, &host->result);
	assert_int_equal(host->result.status, DOCTOR_OK);
	links.mtu_min = 1400;
	links.mtu_max = 1500;
	wf_doctor_judge_mtu(&links, &host->result);
	assert_int_equal(host->result.status, DOCTOR_NOTE);
	assert_seen(host, "from 1400 to 1500");
	links.mtu_max = 9000;
	wf_doctor_judge_mtu(&links, &host->result);
	assert_int_equal(host->result.status, DOCTOR_WARNING);
	assert_seen(host, "up to 9000");
	assert_advice(host, "spec.mtu: 1500");
	wf_doctor_result_done(&host->result);
	host->result.status = DOCTOR_OK;
	*links.device = '\0';
	links.mtu_min = 9000;
	wf_doctor_judge_mtu(&links, &host->result);
	assert_int_equal(host->result.status, DOCTOR_OK);
}

static void test_paths(void **state)
{
	_cleanup_json_ json_t *nodes = json_pack("{s:[{s:s}, {s:s, s:{s:i}}]}", "items", "name",
						 "a", "name", "b", "path", "mtu", 1350);
	struct host *host = *state;

	wf_doctor_judge_paths(NULL, &host->result);
	assert_int_equal(host->result.status, DOCTOR_OK);
	assert_seen(host, "no way");
	wf_doctor_judge_paths(nodes, &host->result);
	assert_int_equal(host->result.status, DOCTOR_OK);
	assert_seen(host, "carry what networks send");
	(void)json_object_set_new(
		json_array_get(json_object_get(nodes, "items"), 1), "narrow",
		json_pack("[{s:s, s:i, s:i}]", "network", "over", "mtu", 1450, "carried", 1300));
	wf_doctor_judge_paths(nodes, &host->result);
	assert_int_equal(host->result.status, DOCTOR_WARNING);
	assert_seen(host, "over to b: 1450 > 1300");
	assert_advice(host, "spec.mtu");
}

static void set_self(const json_t *nodes, json_t *sums)
{
	(void)json_object_set_new(json_array_get(json_object_get(nodes, "items"), 0), "checksums",
				  sums);
}

static void test_sums(void **state)
{
	_cleanup_json_ json_t *nodes = json_pack("{s:[{s:s}, {s:s, s:{s:s}}]}", "items", "name",
						 "a", "name", "b", "checksums", "state", "sound");
	struct host *host = *state;

	wf_doctor_judge_sums(NULL, &host->result);
	assert_int_equal(host->result.status, DOCTOR_OK);
	assert_seen(host, "not tried");
	set_self(nodes, json_pack("{s:s}", "by", "device"));
	wf_doctor_judge_sums(nodes, &host->result);
	assert_int_equal(host->result.status, DOCTOR_OK);
	assert_seen(host, "arrive right (1 nodes)");
	set_self(nodes, json_pack("{s:s, s:s}", "by", "kernel", "because", "option"));
	wf_doctor_judge_sums(nodes, &host->result);
	assert_int_equal(host->result.status, DOCTOR_OK);
	assert_seen(host, "--overlay-checksum");
	set_self(nodes, json_pack("{s:s, s:s}", "by", "kernel", "because", "others"));
	wf_doctor_judge_sums(nodes, &host->result);
	assert_int_equal(host->result.status, DOCTOR_OK);
	assert_seen(host, "not by weftd");
	set_self(nodes, json_pack("{s:s, s:s, s:[s], s:[s]}", "by", "kernel", "because", "detected",
				  "nodes", "b", "devices", "eth0"));
	wf_doctor_judge_sums(nodes, &host->result);
	assert_int_equal(host->result.status, DOCTOR_WARNING);
	assert_seen(host, "left to a device (eth0) arrive wrong at b");
	assert_advice(host, "software");
}

/* ---- kernel and network settings ------------------------------------------------------------ */

static void test_rights(void **state)
{
	struct host *host = *state;

	put(host, "/proc/self/status", "Name:\tweftd\nCapEff:\t000001ffffffffff\n");
	assert_int_equal(ask(host, "kernel.rights"), DOCTOR_OK);
	put(host, "/proc/self/status", "Name:\tweftd\nCapEff:\t000001ffffdfffff\n");
	assert_int_equal(ask(host, "kernel.rights"), DOCTOR_ERROR);
	assert_seen(host, "no CAP_SYS_ADMIN");
	put(host, "/proc/self/status", "Name:\tweftd\nCapEff:\t0000000000200000\n");
	assert_int_equal(ask(host, "kernel.rights"), DOCTOR_ERROR);
	assert_seen(host, "no CAP_NET_ADMIN, CAP_BPF");
}

static void test_kernel_settings(void **state)
{
	struct host *host = *state;

	assert_int_equal(ask(host, "kernel.version"), DOCTOR_OK);
	assert_int_equal(ask(host, "kernel.lockdown"), DOCTOR_OK);
	put(host, "/sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
	assert_int_equal(ask(host, "kernel.lockdown"), DOCTOR_OK);
	put(host, "/sys/kernel/security/lockdown", "none integrity [confidentiality]\n");
	assert_int_equal(ask(host, "kernel.lockdown"), DOCTOR_ERROR);
	put(host, "/proc/sys/net/core/bpf_jit_enable", "1\n");
	assert_int_equal(ask(host, "kernel.jit"), DOCTOR_OK);
	put(host, "/proc/sys/kernel/bpf_stats_enabled", "1\n");
	assert_int_equal(ask(host, "kernel.jit"), DOCTOR_NOTE);
	put(host, "/proc/sys/net/core/bpf_jit_enable", "0\n");
	assert_int_equal(ask(host, "kernel.jit"), DOCTOR_WARNING);
	/* the directory of this test is no bpffs, nor a cgroup */
	assert_int_equal(ask(host, "kernel.bpfdir"), DOCTOR_OK);
	host->doctor.daemon = 1;
	assert_int_equal(ask(host, "kernel.bpfdir"), DOCTOR_ERROR);
	assert_int_equal(ask(host, "kernel.cgroup"), DOCTOR_NOTE);
}

static void test_forwarding(void **state)
{
	struct host *host = *state;

	assert_int_equal(ask(host, "net.forward4"), DOCTOR_WARNING);
	put(host, "/proc/sys/net/ipv4/ip_forward", "0\n");
	assert_int_equal(ask(host, "net.forward4"), DOCTOR_WARNING);
	assert_advice(host, "sysctl -w net.ipv4.ip_forward=1");
	put(host, "/proc/sys/net/ipv4/ip_forward", "1\n");
	assert_int_equal(ask(host, "net.forward4"), DOCTOR_OK);
	put(host, "/proc/sys/net/ipv4/conf/weft0/forwarding", "0\n");
	assert_int_equal(ask(host, "net.forward4"), DOCTOR_WARNING);

	assert_int_equal(ask(host, "net.forward6"), DOCTOR_NOTE);
	put(host, "/proc/sys/net/ipv6/conf/all/forwarding", "0\n");
	assert_int_equal(ask(host, "net.forward6"), DOCTOR_NOTE);
	host->doctor.links.has_ip6 = true;
	assert_int_equal(ask(host, "net.forward6"), DOCTOR_WARNING);
	put(host, "/proc/sys/net/ipv6/conf/all/forwarding", "1\n");
	assert_int_equal(ask(host, "net.forward6"), DOCTOR_OK);
}

static void test_device_settings(void **state)
{
	struct host *host = *state;

	put(host, "/proc/sys/net/ipv4/conf/all/rp_filter", "1\n");
	assert_int_equal(ask(host, "net.rpfilter"), DOCTOR_OK);
	put(host, "/proc/sys/net/ipv4/conf/weft0/rp_filter", "0\n");
	assert_int_equal(ask(host, "net.rpfilter"), DOCTOR_WARNING);
	put(host, "/proc/sys/net/ipv4/conf/weft0/rp_filter", "2\n");
	assert_int_equal(ask(host, "net.rpfilter"), DOCTOR_OK);

	assert_int_equal(ask(host, "net.acceptra"), DOCTOR_OK);
	put(host, "/proc/sys/net/ipv6/conf/weft0/accept_ra", "1\n");
	assert_int_equal(ask(host, "net.acceptra"), DOCTOR_WARNING);
	put(host, "/proc/sys/net/ipv6/conf/weft0/accept_ra", "0\n");
	assert_int_equal(ask(host, "net.acceptra"), DOCTOR_OK);

	assert_int_equal(ask(host, "net.bridgenf"), DOCTOR_OK);
	put(host, "/proc/sys/net/bridge/bridge-nf-call-iptables", "1\n");
	assert_int_equal(ask(host, "net.bridgenf"), DOCTOR_NOTE);
}

/* ---- the host ------------------------------------------------------------------------------- */

static void test_limits(void **state)
{
	struct host *host = *state;

	assert_int_equal(ask(host, "host.endpoints"), DOCTOR_OK);
	host->doctor.links.endpoints = WF_MAX_SLOTS - 2;
	assert_int_equal(ask(host, "host.endpoints"), DOCTOR_WARNING);
	assert_int_equal(ask(host, "host.nofile"), DOCTOR_OK);
	host->doctor.daemon = 77;
	put(host, "/proc/77/limits", "Max open files            1024         524288      files\n");
	assert_int_equal(ask(host, "host.nofile"), DOCTOR_WARNING);
	put(host, "/proc/77/limits", "Max open files            65536        524288      files\n");
	assert_int_equal(ask(host, "host.nofile"), DOCTOR_OK);
	put(host, "/proc/sys/kernel/pid_max", "4096\n");
	assert_int_equal(ask(host, "host.pids"), DOCTOR_NOTE);
	put(host, "/proc/sys/kernel/pid_max", "4194304\n");
	assert_int_equal(ask(host, "host.pids"), DOCTOR_OK);
}

static void test_unit(void **state)
{
	struct host *host = *state;

	assert_int_equal(ask(host, "host.unit"), DOCTOR_OK);
	put(host, "/run/systemd/system/x", "");
	assert_int_equal(ask(host, "host.unit"), DOCTOR_NOTE);
	assert_seen(host, "no weftd.service");
	put(host, "/lib/systemd/system/weftd.service", "[Service]\nExecStart=/usr/sbin/weftd\n");
	assert_int_equal(ask(host, "host.unit"), DOCTOR_NOTE);
	assert_advice(host, "WatchdogSec");
	put(host, "/etc/systemd/system/weftd.service", "[Service]\nWatchdogSec=30\n");
	assert_int_equal(ask(host, "host.unit"), DOCTOR_OK);
}

/* ---- other software ------------------------------------------------------------------------- */

static void test_networkd(void **state)
{
	struct host *host = *state;

	put_process(host, 12, "systemd-networ", "");
	assert_int_equal(ask(host, "software.networkd"), DOCTOR_OK);
	put_process(host, 12, "systemd-network", "");
	assert_int_equal(ask(host, "software.networkd"), DOCTOR_NOTE);
	put(host, "/usr/lib/systemd/networkd.conf.d/a.conf", "ManageForeignRoutes=no\n");
	assert_int_equal(ask(host, "software.networkd"), DOCTOR_OK);
	put(host, "/etc/systemd/networkd.conf.d/b.conf", "ManageForeignRoutes=yes\n");
	assert_int_equal(ask(host, "software.networkd"), DOCTOR_NOTE);
	put(host, "/etc/systemd/networkd.conf.d/c.conf.off", "ManageForeignRoutes=no\n");
	assert_int_equal(ask(host, "software.networkd"), DOCTOR_NOTE);
}

static void test_network_manager(void **state)
{
	struct host *host = *state;

	assert_int_equal(ask(host, "software.networkmanager"), DOCTOR_OK);
	put_process(host, 13, "NetworkManager", "");
	assert_int_equal(ask(host, "software.networkmanager"), DOCTOR_NOTE);
	put(host, "/etc/NetworkManager/conf.d/weft.conf",
	    "[keyfile]\nunmanaged-devices=interface-name:weft*;interface-name:wf*\n");
	assert_int_equal(ask(host, "software.networkmanager"), DOCTOR_OK);
}

static void test_firewalls(void **state)
{
	struct host *host = *state;

	assert_int_equal(ask(host, "software.firewalld"), DOCTOR_OK);
	put_process(host, 14, "firewalld", "");
	assert_int_equal(ask(host, "software.firewalld"), DOCTOR_WARNING);
	put(host, "/etc/firewalld/zones/trusted.xml", "<interface name=\"weft0\"/>");
	assert_int_equal(ask(host, "software.firewalld"), DOCTOR_OK);

	put(host, "/etc/default/ufw", "DEFAULT_FORWARD_POLICY=\"DROP\"\n");
	assert_int_equal(ask(host, "software.ufw"), DOCTOR_OK);
	put(host, "/etc/ufw/ufw.conf", "ENABLED=yes\n");
	assert_int_equal(ask(host, "software.ufw"), DOCTOR_WARNING);
	put(host, "/etc/default/ufw", "DEFAULT_FORWARD_POLICY=\"ACCEPT\"\n");
	assert_int_equal(ask(host, "software.ufw"), DOCTOR_OK);

	put(host, "/proc/net/ip_tables_names", "nat\n");
	assert_int_equal(ask(host, "software.iptables"), DOCTOR_OK);
	assert_seen(host, "nftables are not looked at");
	put(host, "/proc/net/ip6_tables_names", "nat\nfilter\n");
	assert_int_equal(ask(host, "software.iptables"), DOCTOR_NOTE);
	assert_seen(host, "for IPv6");
}

static void test_dockerd(void **state)
{
	struct host *host = *state;

	assert_int_equal(ask(host, "software.dockerd"), DOCTOR_OK);
	put_process(host, 15, "dockerd", "");
	assert_int_equal(ask(host, "software.dockerd"), DOCTOR_NOTE);
	put(host, "/etc/docker/daemon.json", "{ not JSON");
	assert_int_equal(ask(host, "software.dockerd"), DOCTOR_NOTE);
	put(host, "/etc/docker/daemon.json", "{\"iptables\": false}");
	assert_int_equal(ask(host, "software.dockerd"), DOCTOR_OK);
}

static void test_cni_order(void **state)
{
	struct host *host = *state;

	put(host, "/etc/cni/net.d/87-podman.conflist", "{\"plugins\":[{\"type\":\"bridge\"}]}");
	assert_int_equal(ask(host, "software.cni"), DOCTOR_OK);
	put(host, "/etc/cni/net.d/90-weft.conf", "{\"type\":\"weft\"}");
	assert_int_equal(ask(host, "software.cni"), DOCTOR_WARNING);
	assert_seen(host, "87-podman.conflist sorts before /etc/cni/net.d/90-weft.conf");
	put(host, "/etc/cni/net.d/10-weft.conf", "{\"type\":\"weft\"}");
	put(host, "/etc/cni/net.d/05-note.txt", "not a configuration");
	assert_int_equal(ask(host, "software.cni"), DOCTOR_OK);
}

/* ---- weft's own ------------------------------------------------------------------------------ */

static void test_store_file(void **state)
{
	struct host *host = *state;
	char path[160];

	assert_int_equal(ask(host, "files.store"), DOCTOR_OK);
	put(host, "/state/weft.db", "x");
	assert_int_equal(ask(host, "files.store"), DOCTOR_OK);
	(void)snprintf(path, sizeof(path), "%s/weft.db", host->state);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(ask(host, "files.store"), DOCTOR_WARNING);
	assert_advice(host, "chmod 600");
	assert_int_equal(unlink(path), 0);
	host->doctor.daemon = 1;
	assert_int_equal(ask(host, "files.store"), DOCTOR_NOTE);
}

static void test_leftovers(void **state)
{
	struct host *host = *state;

	put(host, "/bpf/maps.debug", "");
	assert_int_equal(ask(host, "files.leftovers"), DOCTOR_OK);
	put(host, "/bpf/v1/maps/x", "");
	host->doctor.links.weft0 = 5;
	host->doctor.links.endpoints = 2;
	host->doctor.links.routes = 3;
	assert_int_equal(ask(host, "files.leftovers"), DOCTOR_WARNING);
	assert_seen(host, ": weft0, interfaces: 2, routes: 3, maps and programs in ");
	assert_advice(host, "weft cleanup");
	put(host, "/state/weft.db", "x");
	assert_int_equal(ask(host, "files.leftovers"), DOCTOR_NOTE);
	host->doctor.daemon = 1;
	assert_int_equal(ask(host, "files.leftovers"), DOCTOR_OK);
}

static void test_spool(void **state)
{
	struct host *host = *state;

	assert_int_equal(ask(host, "files.spool"), DOCTOR_OK);
	put(host, "/run/spool/detach-1.json", "{}");
	assert_int_equal(ask(host, "files.spool"), DOCTOR_NOTE);
	host->doctor.listener = -1;
	assert_int_equal(ask(host, "files.spool"), DOCTOR_NOTE);
	assert_int_equal(ask(host, "files.socket"), DOCTOR_NOTE);
	host->doctor.listener = 1;
	assert_int_equal(ask(host, "files.spool"), DOCTOR_WARNING);
}

static int listen_on(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(wf_str_copy(address.sun_path, sizeof(address.sun_path), path), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(chmod(path, 0660), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

/* This process plays the daemon: it holds the lock and listens. */
static void test_find_daemon(void **state)
{
	_cleanup_close_ int lock = -1, server = -1;
	struct host *host = *state;
	char path[160];

	host->doctor.root = "";
	wf_doctor_find_daemon(&host->doctor);
	assert_int_equal(host->doctor.daemon, 0);
	assert_int_equal(ask(host, "weft.daemon"), DOCTOR_NOTE);
	assert_int_equal(ask(host, "files.socket"), DOCTOR_OK);

	(void)snprintf(path, sizeof(path), "%s/weftd.lock", host->run);
	lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	wf_doctor_find_daemon(&host->doctor);
	assert_int_equal(host->doctor.daemon, 0);
	assert_int_equal(flock(lock, LOCK_EX), 0);
	wf_doctor_find_daemon(&host->doctor);
	assert_int_equal(host->doctor.daemon, getpid());
	assert_int_equal(host->doctor.listener, 0);
	assert_int_equal(ask(host, "weft.daemon"), DOCTOR_OK);
	assert_int_equal(ask(host, "files.socket"), DOCTOR_ERROR);

	server = listen_on(host->socket);
	wf_doctor_find_daemon(&host->doctor);
	assert_int_equal(host->doctor.listener, getpid());
	assert_int_equal(ask(host, "files.socket"), DOCTOR_OK);
	assert_int_equal(chmod(host->socket, 0666), 0);
	assert_int_equal(ask(host, "files.socket"), DOCTOR_WARNING);
	(void)flock(lock, LOCK_UN);
	wf_doctor_find_daemon(&host->doctor);
	assert_int_equal(host->doctor.daemon, getpid());
}

/* A process that runs another program; the pipe ends when it does. */
static pid_t start_other(void)
{
	int fds[2];
	pid_t child;
	char byte;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	child = fork();
	if (child == 0) {
		(void)execl("/bin/sleep", "sleep", "20", (char *)NULL);
		_exit(127);
	}
	(void)close(fds[1]);
	assert_int_equal(read(fds[0], &byte, 1), 0);
	(void)close(fds[0]);
	return child;
}

static void test_another_build(void **state)
{
	struct host *host = *state;
	pid_t child = start_other();

	host->doctor.daemon = child;
	assert_int_equal(ask(host, "weft.daemon"), DOCTOR_WARNING);
	assert_advice(host, "systemctl restart weftd");
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void test_other_daemons(void **state)
{
	struct host *host = *state;

	put_process(host, 31, "weftd", "weftd");
	host->doctor.daemon = 31;
	assert_int_equal(ask(host, "weft.others"), DOCTOR_OK);
	put_process(host, 32, "weftd-helper", "weftd-helper");
	assert_int_equal(ask(host, "weft.others"), DOCTOR_OK);
	put_process(host, 33, "weftd", "weftd");
	assert_int_equal(ask(host, "weft.others"), DOCTOR_ERROR);
	assert_seen(host, "pid 33");
	host->doctor.daemon = 33;
	assert_int_equal(ask(host, "weft.others"), DOCTOR_ERROR);
	assert_seen(host, "pid 31");
}

static void put_plugin(struct host *host, const char *script, mode_t mode)
{
	char path[160];

	put(host, "/opt/cni/bin/weft", script);
	(void)snprintf(path, sizeof(path), "%s/opt/cni/bin/weft", host->root);
	assert_int_equal(chmod(path, mode), 0);
}

static void test_plugin(void **state)
{
	struct host *host = *state;

	assert_int_equal(ask(host, "weft.plugin"), DOCTOR_NOTE);
	put_plugin(host, "#!/bin/sh\necho 'CNI plugin weft " WEFT_VERSION ": x' >&2\n", 0755);
	assert_int_equal(ask(host, "weft.plugin"), DOCTOR_OK);
	put_plugin(host, "#!/bin/sh\necho 'CNI plugin weft 0.0.9: x' >&2\n", 0755);
	assert_int_equal(ask(host, "weft.plugin"), DOCTOR_WARNING);
	assert_seen(host, "is version 0.0.9");
	put_plugin(host, "#!/bin/sh\nexec sleep 5\n", 0755);
	assert_int_equal(ask(host, "weft.plugin"), DOCTOR_ERROR);
	put_plugin(host, "#!/bin/sh\n", 0644);
	assert_int_equal(ask(host, "weft.plugin"), DOCTOR_ERROR);
	assert_seen(host, "not executable");
}

/* Whoever can write the plugin must not have it run by the doctor. */
static void test_plugin_of_others(void **state)
{
	struct host *host = *state;
	char path[160];

	put_plugin(host, "#!/bin/sh\ntouch $(dirname $0)/ran\n", 0775);
	assert_int_equal(ask(host, "weft.plugin"), DOCTOR_ERROR);
	assert_seen(host, "changed by others");
	(void)snprintf(path, sizeof(path), "%s/opt/cni/bin/ran", host->root);
	assert_int_not_equal(access(path, F_OK), 0);
	put_plugin(host, "#!/bin/sh\ntouch $(/usr/bin/dirname $0)/ran\n", 0755);
	assert_int_equal(ask(host, "weft.plugin"), DOCTOR_ERROR);
	assert_int_equal(access(path, F_OK), 0);
}

/* ---- the report ----------------------------------------------------------------------------- */

static void test_result(void **state)
{
	const struct doctor_check check = { .id = "a.b", .title = "title" };
	_cleanup_json_ json_t *object = NULL;
	struct host *host = *state;

	wf_doctor_say(&host->result, DOCTOR_WARNING, "file %s", "a\x1b[31m\xff");
	wf_doctor_say(&host->result, DOCTOR_OK, "and another");
	wf_doctor_advise(&host->result, "Run: one.");
	wf_doctor_advise(&host->result, "Run: two.");
	object = wf_doctor_result_json(&check, &host->result);
	assert_string_equal(wf_json_str(object, "status", ""), "warning");
	assert_string_equal(wf_json_str(object, "seen", ""), "file a\\x1b[31m\\xff; and another");
	assert_string_equal(wf_json_str(object, "advice", ""), "Run: one. Run: two.");
	assert_string_equal(wf_json_str(object, "id", ""), "a.b");
	assert_string_equal(wf_json_str(object, "title", ""), "title");
}

static json_t *make_report(int notes, int warnings, int errors)
{
	return json_pack("{s:[{s:s,s:s,s:s},{s:s,s:s,s:s}], s:{s:i,s:i,s:i,s:i}}", "checks",
			 "status", "ok", "seen", "kernel 6.1", "advice", "", "status", "warning",
			 "seen", "ip_forward is 0", "advice", "Run: it.", "summary", "ok", 1,
			 "notes", notes, "warnings", warnings, "errors", errors);
}

static void test_status(void **state)
{
	static const struct {
		int notes, warnings, errors, status;
	} rows[] = { { 0, 0, 0, 0 }, { 9, 0, 0, 0 }, { 0, 1, 0, 0 }, { 0, 0, 1, 1 } };

	(void)state;
	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		_cleanup_json_ json_t *report =
			make_report(rows[i].notes, rows[i].warnings, rows[i].errors);

		assert_int_equal(wf_control_doctor_status(report), rows[i].status);
	}
}

static void test_print(void **state)
{
	_cleanup_json_ json_t *report = make_report(0, 1, 0);
	_cleanup_str_ struct wf_str out = WF_STR_INIT;

	(void)state;
	wf_control_doctor_print(report, false, &out);
	assert_string_equal(wf_str_text(&out), "ok    kernel 6.1\n"
					       "WARN  ip_forward is 0. Run: it.\n"
					       "2 checks: 1 ok, 0 notes, 1 warning, 0 errors\n");
	wf_str_done(&out);
	wf_control_doctor_print(report, true, &out);
	assert_non_null(strstr(wf_str_text(&out), "\033[33mWARN \033[0m ip_forward"));
}

/* Ids are what scripts look for: no two checks share one. */
static void test_ids(void **state)
{
	(void)state;
	for (size_t i = 0; i < WF_ARRAY_LEN(tables); i++)
		for (const struct doctor_check *check = tables[i]; check->id; check++) {
			assert_ptr_equal(find_check(check->id), check);
			assert_true(strlen(check->title) > 0);
		}
	for (const struct doctor_check *check = wf_doctor_trial_checks; check->id; check++)
		assert_non_null(check->data);
}

static void assert_documented(const struct wf_str *text, const struct doctor_check *check)
{
	char id[64];

	for (; check->id; check++) {
		(void)snprintf(id, sizeof(id), "`%s`", check->id);
		if (!strstr(wf_str_text(text), id))
			fail_msg("docs/doctor.md does not have %s", id);
	}
}

static void test_documented(void **state)
{
	_cleanup_str_ struct wf_str text = WF_STR_INIT;

	(void)state;
	assert_int_equal(wf_file_read(DOCTOR_MD, 1 << 20, &text, NULL), 0);
	assert_null(strstr(wf_str_text(&text), "`kernel.nothing`"));
	assert_documented(&text, wf_doctor_trial_checks);
	for (size_t i = 0; i < WF_ARRAY_LEN(tables); i++)
		assert_documented(&text, tables[i]);
}

int main(void)
{
#define HOST_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_lock_holder),
		cmocka_unit_test(test_plugin_version),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_cni_type),
		HOST_TEST(test_mtu),
		HOST_TEST(test_paths),
		HOST_TEST(test_sums),
		HOST_TEST(test_rights),
		HOST_TEST(test_kernel_settings),
		HOST_TEST(test_forwarding),
		HOST_TEST(test_device_settings),
		HOST_TEST(test_limits),
		HOST_TEST(test_unit),
		HOST_TEST(test_networkd),
		HOST_TEST(test_network_manager),
		HOST_TEST(test_firewalls),
		HOST_TEST(test_dockerd),
		HOST_TEST(test_cni_order),
		HOST_TEST(test_store_file),
		HOST_TEST(test_leftovers),
		HOST_TEST(test_spool),
		HOST_TEST(test_find_daemon),
		HOST_TEST(test_another_build),
		HOST_TEST(test_other_daemons),
		HOST_TEST(test_plugin),
		HOST_TEST(test_plugin_of_others),
		HOST_TEST(test_result),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_documented),
	};

	return cmocka_run_group_tests_name("control/doctor", tests, NULL, NULL);
}
