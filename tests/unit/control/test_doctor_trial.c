/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole report, trials included, in a network and mount namespace of its own (root): what it
 * says of a host with weft's devices, and that it changes nothing.
 *
 *   this namespace                 container
 *   weft0 -- weft0p (slot 0)
 *   wf1 (slot 1, blocks) --------- eth0
 *   wf2 (slot 2, no blocks) ------ eth1
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "control/doctor.h"
#include "control/doctor_priv.h"
#include "model/network.h"
#include "net/net.h"
#include "store/store.h"

#define RUN_DIR   "/run/weft-doctor-test"
#define STATE_DIR RUN_DIR "/state"
#define BPF_DIR   "/sys/fs/bpf/weft-doctor-test"

static const struct wf_doctor_config config = {
	.run_dir = RUN_DIR,
	.state_dir = STATE_DIR,
	.bpf_dir = BPF_DIR,
	.socket = RUN_DIR "/weft.sock",
};

static bool has_root;

static int setup(void **state)
{
	(void)state;
	if (geteuid() != 0 || unshare(CLONE_NEWNET | CLONE_NEWNS) < 0) {
		print_message("skipped: needs root\n");
		return 0;
	}
	has_root = mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		   mount("tmpfs", "/run", "tmpfs", 0, NULL) == 0 &&
		   mount("tmpfs", "/tmp", "tmpfs", 0, NULL) == 0 &&
		   mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL) == 0 &&
		   wf_file_make_dirs(STATE_DIR, 0700, NULL) == 0;
	return has_root ? 0 : -1;
}

static json_t *examine(void)
{
	struct wf_err err = WF_ERR_INIT;
	json_t *report;

	assert_int_equal(wf_control_doctor(&config, &report, &err), 0);
	return report;
}

static const json_t *find(const json_t *report, const char *id)
{
	const json_t *check;
	size_t i;

	json_array_foreach(json_object_get(report, "checks"), i, check)
		if (strcmp(wf_json_str(check, "id", ""), id) == 0)
			return check;
	fail_msg("no check %s", id);
	return NULL;
}

static void assert_check(const json_t *report, const char *id, const char *status, const char *seen)
{
	const json_t *check = find(report, id);

	if (strcmp(wf_json_str(check, "status", ""), status) != 0 ||
	    !strstr(wf_json_str(check, "seen", ""), seen))
		fail_msg("%s: %s: %s", id, wf_json_str(check, "status", ""),
			 wf_json_str(check, "seen", ""));
}

/* ---- nothing changes ------------------------------------------------------------------------ */

/* Mounts of named namespaces come and go with other people's. */
static void add_file(struct wf_str *snapshot, const char *path)
{
	_cleanup_str_ struct wf_str text = WF_STR_INIT;
	char *rest = NULL;

	assert_int_equal(wf_file_read(path, 1 << 20, &text, NULL), 0);
	for (char *line = text.len ? strtok_r(text.data, "\n", &rest) : NULL; line;
	     line = strtok_r(NULL, "\n", &rest))
		if (!strstr(line, "/run/netns/"))
			wf_str_addf(snapshot, "%s: %s\n", path, line);
}

static void add_dir(struct wf_str *snapshot, const char *path)
{
	struct dirent **entries;
	int count = scandir(path, &entries, NULL, alphasort);

	assert_true(count >= 0);
	for (int i = 0; i < count; i++) {
		wf_str_addf(snapshot, "%s/%s\n", path, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
}

static void add_link(const struct wf_net_link *link, void *context)
{
	wf_str_addf(context, "%u %s %u %u %d\n", link->ifindex, link->name, link->group, link->mtu,
		    link->up);
}

static void add_qdisc(uint32_t ifindex, uint32_t ingress, uint32_t egress, void *context)
{
	wf_str_addf(context, "%u %x %x\n", ifindex, ingress, egress);
}

/* Everything the doctor could have left something in. */
static void take_snapshot(struct wf_str *snapshot)
{
	static const char *const dirs[] = { "/run", RUN_DIR, STATE_DIR, "/tmp", "/sys/fs/bpf" };
	static const char *const files[] = { "/proc/self/mounts", "/proc/net/route",
					     "/proc/net/if_inet6",
					     "/proc/sys/net/ipv4/ip_forward" };
	struct wf_net *net;

	assert_int_equal(wf_net_open_reader(&net, NULL), 0);
	assert_int_equal(wf_net_link_dump(net, add_link, snapshot, NULL), 0);
	assert_int_equal(wf_net_qdisc_dump(net, add_qdisc, snapshot, NULL), 0);
	wf_net_close(&net);
	for (size_t i = 0; i < WF_ARRAY_LEN(dirs); i++)
		add_dir(snapshot, dirs[i]);
	for (size_t i = 0; i < WF_ARRAY_LEN(files); i++)
		add_file(snapshot, files[i]);
}

static bool is_same(const struct wf_str *before)
{
	_cleanup_str_ struct wf_str now = WF_STR_INIT;

	take_snapshot(&now);
	return strcmp(wf_str_text(before), wf_str_text(&now)) == 0;
}

/* The snapshot sees a pin, a file and a mount. */
static void assert_snapshot_sees(const struct wf_str *before)
{
	assert_int_equal(mkdir("/sys/fs/bpf/x", 0700), 0);
	assert_false(is_same(before));
	assert_int_equal(rmdir("/sys/fs/bpf/x"), 0);
	assert_int_equal(mkdir("/tmp/x", 0700), 0);
	assert_false(is_same(before));
	assert_int_equal(rmdir("/tmp/x"), 0);
	assert_true(is_same(before));
	assert_int_equal(mount("tmpfs", "/mnt", "tmpfs", 0, NULL), 0);
	assert_false(is_same(before));
	assert_int_equal(umount("/mnt"), 0);
	assert_true(is_same(before));
}

/* ---- what it says ---------------------------------------------------------------------------- */

static struct wf_store *make_store(void)
{
	struct wf_store_write write = { .op = WF_STORE_PUT,
					.kind = WF_KIND_NETWORK,
					.name = "blue",
					.expected = WF_STORE_ABSENT };
	struct wf_store *store;
	uint64_t revision;

	write.document = json_pack("{s:s,s:s,s:{s:s},s:{}}", "apiVersion", "weft.dev/v1", "kind",
				   "Network", "metadata", "name", "blue", "spec");
	assert_int_equal(wf_store_sqlite_open(STATE_DIR "/weft.db", &store, NULL), 0);
	assert_int_equal(wf_store_commit(store, &write, 1, WF_STORE_DURABLE, &revision, NULL), 0);
	json_decref(write.document);
	return store;
}

static void assert_complete(const json_t *report)
{
	int64_t fine = 0;
	const json_t *check;
	size_t i;

	json_array_foreach(json_object_get(report, "checks"), i, check) {
		bool is_fine = strcmp(wf_json_str(check, "status", ""), "ok") == 0;

		fine += is_fine;
		assert_int_equal(is_fine, !*wf_json_str(check, "advice", ""));
		assert_true(*wf_json_str(check, "seen", ""));
	}
	assert_int_equal(fine, wf_json_int(json_object_get(report, "summary"), "ok", -1));
}

/* The store is open, so that some of it is in its journal still. */
static void test_report(void **state)
{
	_cleanup_(wf_store_close) struct wf_store *store = NULL;
	_cleanup_str_ struct wf_str before = WF_STR_INIT;
	_cleanup_json_ json_t *report = NULL;

	(void)state;
	if (!has_root)
		skip();
	store = make_store();
	assert_int_equal(access(STATE_DIR "/weft.db-wal", F_OK), 0);
	take_snapshot(&before);
	report = examine();
	assert_true(is_same(&before));
	assert_snapshot_sees(&before);
	assert_complete(report);
	assert_check(report, "kernel.namespace", "ok", "");
	assert_check(report, "kernel.bpffs", "ok", "");
	assert_check(report, "kernel.programs", "ok", "every program and map");
	assert_check(report, "kernel.veth", "ok", "");
	assert_check(report, "kernel.nsid", "ok", "");
	assert_check(report, "kernel.clsact", "ok", "");
	assert_check(report, "kernel.filter", "ok", "pinned and put in force");
	assert_check(report, "kernel.pair", "ok", "");
	assert_check(report, "weft.daemon", "note", "no weftd runs");
	assert_check(report, "weft.store", "ok", "networks: 1, endpoints: 0");
	assert_check(report, "files.store", "ok", "mode 0600");
	assert_check(report, "files.leftovers", "ok", "nothing");
}

static void test_damaged_store(void **state)
{
	_cleanup_json_ json_t *report = NULL;

	(void)state;
	if (!has_root)
		skip();
	assert_int_equal(wf_file_write(STATE_DIR "/weft.db", "no database", 11, 0600, NULL), 0);
	report = examine();
	assert_check(report, "weft.store", "error", "weft.db");
	assert_int_equal(wf_control_doctor_status(report), 1);
	assert_complete(report);
	assert_int_equal(unlink(STATE_DIR "/weft.db"), 0);
}

/* ---- a node with devices --------------------------------------------------------------------- */

static const struct doctor_check *const tables[] = { wf_doctor_net_checks, wf_doctor_hook_checks,
						     wf_doctor_host_checks, wf_doctor_file_checks };

/* One check by itself: the trials take their time. */
static void assert_says(const char *id, enum doctor_status status, const char *seen)
{
	struct doctor doctor = { .config = &config, .root = "" };
	struct doctor_result result = { 0 };

	wf_doctor_look_at_links(&doctor);
	for (size_t i = 0; i < WF_ARRAY_LEN(tables); i++)
		for (const struct doctor_check *check = tables[i]; check->id; check++)
			if (strcmp(check->id, id) == 0)
				check->run(&doctor, check, &result);
	if (result.status != status || !strstr(wf_str_text(&result.seen), seen))
		fail_msg("%s: %s: %s", id, wf_doctor_status_name(result.status),
			 wf_str_text(&result.seen));
	wf_doctor_result_done(&result);
	wf_net_close(&doctor.net);
}

static int make_container(void)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), fd;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	(void)close(home);
	return fd;
}

static void attach(struct wf_net *net, int netns_fd, uint32_t slot, uint32_t mtu, bool has_blocks)
{
	char ifname[16], host_name[16];
	struct wf_net_endpoint endpoint = {
		.kind = WF_NET_KIND_PAIR,
		.netns_fd = netns_fd,
		.ifname = ifname,
		.host_name = host_name,
		.host_ifindex = WF_IFINDEX_BASE + slot,
		.mtu = mtu,
		.ingress_block = has_blocks ? WF_BLOCK_INGRESS : 0,
		.egress_block = has_blocks ? WF_BLOCK_EGRESS : 0,
	};
	struct wf_err err = WF_ERR_INIT;
	int32_t nsid;

	(void)snprintf(ifname, sizeof(ifname), "eth%u", slot - 1);
	(void)snprintf(host_name, sizeof(host_name), "wf%u", slot);
	assert_int_equal(wf_net_endpoint_create(net, &endpoint, &nsid, &err), 0);
}

static void test_node(void **state)
{
	struct wf_net *net;
	uint32_t ifindex;
	bool created;
	int fd;

	(void)state;
	if (!has_root)
		skip();
	fd = make_container();
	assert_int_equal(wf_net_open(&net, NULL), 0);
	assert_int_equal(wf_net_host_ensure(net, 1500, 0, WF_BLOCK_INGRESS, WF_BLOCK_EGRESS,
					    &ifindex, &created, NULL),
			 0);
	attach(net, fd, 1, 1400, true);
	assert_says("hooks.filters", DOCTOR_OK, "all 2");
	assert_says("hooks.programs", DOCTOR_ERROR, "no program");
	assert_says("net.rpfilter", DOCTOR_OK, "loose");
	assert_says("net.acceptra", DOCTOR_OK, "takes no");
	assert_says("host.endpoints", DOCTOR_OK, "1 of");
	assert_says("files.leftovers", DOCTOR_WARNING, "weft0, interfaces: 1");
	attach(net, fd, 2, 1500, false);
	assert_says("hooks.filters", DOCTOR_ERROR, "1 of weft's 3 devices are without");
	assert_says("net.mtu", DOCTOR_NOTE, "from 1400 to 1500");
	(void)close(fd);
	assert_int_equal(wf_net_link_del(net, WF_IFINDEX_BASE + 1, NULL), 0);
	assert_int_equal(wf_net_link_del(net, WF_IFINDEX_BASE + 2, NULL), 0);
	assert_int_equal(wf_net_link_del(net, WF_IFINDEX_BASE, NULL), 0);
	wf_net_close(&net);
}

/* Without the grave-digger, who would delete it at once. */
static void put_into_dead_group(const char *device)
{
	_cleanup_close_ int fd = -1;
	char path[64], group[16];
	int len = snprintf(group, sizeof(group), "%d", WF_NET_GROUP_DEAD);

	/* the sysfs of this namespace, not the one that is mounted already */
	assert_int_equal(mount("sysfs", "/mnt", "sysfs", 0, NULL), 0);
	(void)snprintf(path, sizeof(path), "/mnt/class/net/%s/netdev_group", device);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(fd, group, (size_t)len), len);
	(void)close(fd);
	fd = -1;
	assert_int_equal(umount("/mnt"), 0);
}

/* What waits to be deleted is for the daemon to delete: looking must not do it. */
static void test_leaves_the_dead(void **state)
{
	struct wf_net *net;
	char names[256];
	struct wf_net_link link;
	int fd;

	(void)state;
	if (!has_root)
		skip();
	fd = make_container();
	assert_int_equal(wf_net_open(&net, NULL), 0);
	assert_int_equal(wf_net_bury_flush(net, NULL), 0);
	attach(net, fd, 3, 1500, true);
	put_into_dead_group("wf3");
	assert_says("files.leftovers", DOCTOR_WARNING, "interfaces: 1");
	assert_int_equal(wf_net_link_find(net, "wf3", 0, &link, names, NULL), 0);
	wf_net_close(&net);
	/* a handle that may write would have deleted it */
	assert_int_equal(wf_net_open(&net, NULL), 0);
	assert_int_equal(wf_net_bury_flush(net, NULL), 0);
	assert_int_equal(wf_net_link_find(net, "wf3", 0, &link, names, NULL), -ENODEV);
	wf_net_close(&net);
	(void)close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_damaged_store),
		cmocka_unit_test(test_node),
		cmocka_unit_test(test_leaves_the_dead),
	};

	return cmocka_run_group_tests_name("control/doctor_trial", tests, setup, NULL);
}
