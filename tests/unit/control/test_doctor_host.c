/* SPDX-License-Identifier: Apache-2.0 */
/* The doctor's checks of the kernel's settings, the host and other software, on hosts made of files. */
#include "doctor_host.h"

#include <fcntl.h>

/* ---- kernel and network settings --------------------------------------------------------------- */

static void test_rights(void **state)
{
	struct host *host = *state;

	host_put(host, "/proc/self/status", "Name:\tweftd\nCapEff:\t000001ffffffffff\n");
	assert_int_equal(host_ask(host, "kernel.rights"), DOCTOR_OK);
	host_put(host, "/proc/self/status", "Name:\tweftd\nCapEff:\t000001ffffdfffff\n");
	assert_int_equal(host_ask(host, "kernel.rights"), DOCTOR_ERROR);
	assert_seen(host, "no CAP_SYS_ADMIN");
	host_put(host, "/proc/self/status", "Name:\tweftd\nCapEff:\t0000000000200000\n");
	assert_int_equal(host_ask(host, "kernel.rights"), DOCTOR_ERROR);
	assert_seen(host, "no CAP_NET_ADMIN, CAP_BPF");
}

static void test_kernel_settings(void **state)
{
	struct host *host = *state;

	assert_int_equal(host_ask(host, "kernel.version"), DOCTOR_OK);
	assert_int_equal(host_ask(host, "kernel.lockdown"), DOCTOR_OK);
	host_put(host, "/sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
	assert_int_equal(host_ask(host, "kernel.lockdown"), DOCTOR_OK);
	host_put(host, "/sys/kernel/security/lockdown", "none integrity [confidentiality]\n");
	assert_int_equal(host_ask(host, "kernel.lockdown"), DOCTOR_ERROR);
	host_put(host, "/proc/sys/net/core/bpf_jit_enable", "1\n");
	assert_int_equal(host_ask(host, "kernel.jit"), DOCTOR_OK);
	host_put(host, "/proc/sys/kernel/bpf_stats_enabled", "1\n");
	assert_int_equal(host_ask(host, "kernel.jit"), DOCTOR_NOTE);
	host_put(host, "/proc/sys/net/core/bpf_jit_enable", "0\n");
	assert_int_equal(host_ask(host, "kernel.jit"), DOCTOR_WARNING);
	/* the directory of this test is no bpffs, nor a cgroup */
	assert_int_equal(host_ask(host, "kernel.bpfdir"), DOCTOR_OK);
	host->doctor.daemon = 1;
	assert_int_equal(host_ask(host, "kernel.bpfdir"), DOCTOR_ERROR);
	assert_int_equal(host_ask(host, "kernel.cgroup"), DOCTOR_NOTE);
}

static void test_forwarding(void **state)
{
	struct host *host = *state;

	assert_int_equal(host_ask(host, "net.forward4"), DOCTOR_WARNING);
	host_put(host, "/proc/sys/net/ipv4/ip_forward", "0\n");
	assert_int_equal(host_ask(host, "net.forward4"), DOCTOR_WARNING);
	assert_advice(host, "sysctl -w net.ipv4.ip_forward=1");
	host_put(host, "/proc/sys/net/ipv4/ip_forward", "1\n");
	assert_int_equal(host_ask(host, "net.forward4"), DOCTOR_OK);
	host_put(host, "/proc/sys/net/ipv4/conf/weft0/forwarding", "0\n");
	assert_int_equal(host_ask(host, "net.forward4"), DOCTOR_WARNING);

	assert_int_equal(host_ask(host, "net.forward6"), DOCTOR_NOTE);
	host_put(host, "/proc/sys/net/ipv6/conf/all/forwarding", "0\n");
	assert_int_equal(host_ask(host, "net.forward6"), DOCTOR_NOTE);
	host->doctor.links.has_ip6 = true;
	assert_int_equal(host_ask(host, "net.forward6"), DOCTOR_WARNING);
	host_put(host, "/proc/sys/net/ipv6/conf/all/forwarding", "1\n");
	assert_int_equal(host_ask(host, "net.forward6"), DOCTOR_OK);
}

static void test_device_settings(void **state)
{
	struct host *host = *state;

	host_put(host, "/proc/sys/net/ipv4/conf/all/rp_filter", "1\n");
	assert_int_equal(host_ask(host, "net.rpfilter"), DOCTOR_OK);
	host_put(host, "/proc/sys/net/ipv4/conf/weft0/rp_filter", "0\n");
	assert_int_equal(host_ask(host, "net.rpfilter"), DOCTOR_WARNING);
	host_put(host, "/proc/sys/net/ipv4/conf/weft0/rp_filter", "2\n");
	assert_int_equal(host_ask(host, "net.rpfilter"), DOCTOR_OK);

	assert_int_equal(host_ask(host, "net.acceptra"), DOCTOR_OK);
	host_put(host, "/proc/sys/net/ipv6/conf/weft0/accept_ra", "1\n");
	assert_int_equal(host_ask(host, "net.acceptra"), DOCTOR_WARNING);
	host_put(host, "/proc/sys/net/ipv6/conf/weft0/accept_ra", "0\n");
	assert_int_equal(host_ask(host, "net.acceptra"), DOCTOR_OK);

	assert_int_equal(host_ask(host, "net.bridgenf"), DOCTOR_OK);
	host_put(host, "/proc/sys/net/bridge/bridge-nf-call-iptables", "1\n");
	assert_int_equal(host_ask(host, "net.bridgenf"), DOCTOR_NOTE);
}

/* ---- the host ---------------------------------------------------------------------------------- */

static void test_limits(void **state)
{
	struct host *host = *state;

	assert_int_equal(host_ask(host, "host.endpoints"), DOCTOR_OK);
	host->doctor.links.endpoints = WF_MAX_SLOTS - 2;
	assert_int_equal(host_ask(host, "host.endpoints"), DOCTOR_WARNING);
	assert_int_equal(host_ask(host, "host.nofile"), DOCTOR_OK);
	host->doctor.daemon = 77;
	host_put(host, "/proc/77/limits",
		 "Max open files            1024         524288      files\n");
	assert_int_equal(host_ask(host, "host.nofile"), DOCTOR_WARNING);
	host_put(host, "/proc/77/limits",
		 "Max open files            65536        524288      files\n");
	assert_int_equal(host_ask(host, "host.nofile"), DOCTOR_OK);
	host_put(host, "/proc/sys/kernel/pid_max", "4096\n");
	assert_int_equal(host_ask(host, "host.pids"), DOCTOR_NOTE);
	host_put(host, "/proc/sys/kernel/pid_max", "4194304\n");
	assert_int_equal(host_ask(host, "host.pids"), DOCTOR_OK);
}

static void test_unit(void **state)
{
	struct host *host = *state;

	assert_int_equal(host_ask(host, "host.unit"), DOCTOR_OK);
	host_put(host, "/run/systemd/system/x", "");
	assert_int_equal(host_ask(host, "host.unit"), DOCTOR_NOTE);
	assert_seen(host, "no weftd.service");
	host_put(host, "/lib/systemd/system/weftd.service",
		 "[Service]\nExecStart=/usr/sbin/weftd\n");
	assert_int_equal(host_ask(host, "host.unit"), DOCTOR_NOTE);
	assert_advice(host, "WatchdogSec");
	host_put(host, "/etc/systemd/system/weftd.service", "[Service]\nWatchdogSec=30\n");
	assert_int_equal(host_ask(host, "host.unit"), DOCTOR_OK);
}

/* ---- other software ---------------------------------------------------------------------------- */

static void test_networkd(void **state)
{
	struct host *host = *state;

	host_put_process(host, 12, "systemd-networ", "");
	assert_int_equal(host_ask(host, "software.networkd"), DOCTOR_OK);
	host_put_process(host, 12, "systemd-network", "");
	assert_int_equal(host_ask(host, "software.networkd"), DOCTOR_NOTE);
	host_put(host, "/usr/lib/systemd/networkd.conf.d/a.conf", "ManageForeignRoutes=no\n");
	assert_int_equal(host_ask(host, "software.networkd"), DOCTOR_OK);
	host_put(host, "/etc/systemd/networkd.conf.d/b.conf", "ManageForeignRoutes=yes\n");
	assert_int_equal(host_ask(host, "software.networkd"), DOCTOR_NOTE);
	host_put(host, "/etc/systemd/networkd.conf.d/c.conf.off", "ManageForeignRoutes=no\n");
	assert_int_equal(host_ask(host, "software.networkd"), DOCTOR_NOTE);
}

static void test_network_manager(void **state)
{
	struct host *host = *state;

	assert_int_equal(host_ask(host, "software.networkmanager"), DOCTOR_OK);
	host_put_process(host, 13, "NetworkManager", "");
	assert_int_equal(host_ask(host, "software.networkmanager"), DOCTOR_NOTE);
	host_put(host, "/etc/NetworkManager/conf.d/weft.conf",
		 "[keyfile]\nunmanaged-devices=interface-name:weft*;interface-name:wf*\n");
	assert_int_equal(host_ask(host, "software.networkmanager"), DOCTOR_OK);
}

static void test_firewalls(void **state)
{
	struct host *host = *state;

	assert_int_equal(host_ask(host, "software.firewalld"), DOCTOR_OK);
	host_put_process(host, 14, "firewalld", "");
	assert_int_equal(host_ask(host, "software.firewalld"), DOCTOR_WARNING);
	host_put(host, "/etc/firewalld/zones/trusted.xml", "<interface name=\"weft0\"/>");
	assert_int_equal(host_ask(host, "software.firewalld"), DOCTOR_OK);

	host_put(host, "/etc/default/ufw", "DEFAULT_FORWARD_POLICY=\"DROP\"\n");
	assert_int_equal(host_ask(host, "software.ufw"), DOCTOR_OK);
	host_put(host, "/etc/ufw/ufw.conf", "ENABLED=yes\n");
	assert_int_equal(host_ask(host, "software.ufw"), DOCTOR_WARNING);
	host_put(host, "/etc/default/ufw", "DEFAULT_FORWARD_POLICY=\"ACCEPT\"\n");
	assert_int_equal(host_ask(host, "software.ufw"), DOCTOR_OK);

	host_put(host, "/proc/net/ip_tables_names", "nat\n");
	assert_int_equal(host_ask(host, "software.iptables"), DOCTOR_OK);
	assert_seen(host, "nftables are not looked at");
	host_put(host, "/proc/net/ip6_tables_names", "nat\nfilter\n");
	assert_int_equal(host_ask(host, "software.iptables"), DOCTOR_NOTE);
	assert_seen(host, "for IPv6");
}

static void test_dockerd(void **state)
{
	struct host *host = *state;

	assert_int_equal(host_ask(host, "software.dockerd"), DOCTOR_OK);
	host_put_process(host, 15, "dockerd", "");
	assert_int_equal(host_ask(host, "software.dockerd"), DOCTOR_NOTE);
	host_put(host, "/etc/docker/daemon.json", "{ not JSON");
	assert_int_equal(host_ask(host, "software.dockerd"), DOCTOR_NOTE);
	host_put(host, "/etc/docker/daemon.json", "{\"iptables\": false}");
	assert_int_equal(host_ask(host, "software.dockerd"), DOCTOR_OK);
}

static void test_cni_order(void **state)
{
	struct host *host = *state;

	host_put(host, "/etc/cni/net.d/87-podman.conflist",
		 "{\"plugins\":[{\"type\":\"bridge\"}]}");
	assert_int_equal(host_ask(host, "software.cni"), DOCTOR_OK);
	host_put(host, "/etc/cni/net.d/90-weft.conf", "{\"type\":\"weft\"}");
	assert_int_equal(host_ask(host, "software.cni"), DOCTOR_WARNING);
	assert_seen(host, "87-podman.conflist sorts before /etc/cni/net.d/90-weft.conf");
	host_put(host, "/etc/cni/net.d/10-weft.conf", "{\"type\":\"weft\"}");
	host_put(host, "/etc/cni/net.d/05-note.txt", "not a configuration");
	assert_int_equal(host_ask(host, "software.cni"), DOCTOR_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(test_rights),     HOST_TEST(test_kernel_settings),
		HOST_TEST(test_forwarding), HOST_TEST(test_device_settings),
		HOST_TEST(test_limits),     HOST_TEST(test_unit),
		HOST_TEST(test_networkd),   HOST_TEST(test_network_manager),
		HOST_TEST(test_firewalls),  HOST_TEST(test_dockerd),
		HOST_TEST(test_cni_order),
	};

	return cmocka_run_group_tests_name("control/doctor_host", tests, NULL, NULL);
}
