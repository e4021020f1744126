/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `weft cleanup`: takes back everything weft made on this host, with no daemon running. Kernel
 * objects are found by what marks them (interface index range, group, name, route protocol), so it
 * works without a store; the state is removed last.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "control/control_priv.h"

/* Names of settings: some dozens at most, unless somebody turns them off again and again. */
#define MAX_FORWARDING_BYTES 65536

struct found {
	struct wf_net *net;
	uint32_t *devices; /* owned */
	size_t count, capacity;
	size_t endpoints;
	bool failed;
};

static void add_device(struct found *found, uint32_t ifindex)
{
	if (wf_mem_grow(&found->devices, sizeof(*found->devices), found->count, &found->capacity) <
	    0) {
		found->failed = true;
		return;
	}
	found->devices[found->count++] = ifindex;
}

static bool is_macvlan_host(const struct wf_net_link *link)
{
	unsigned int number;
	char rest;

	return strcmp(link->kind, "macvlan") == 0 &&
	       sscanf(link->name, "wfm%u%c", &number, &rest) == 1;
}

static bool is_overlay(const struct wf_net_link *link)
{
	return strcmp(link->kind, "vxlan") == 0 && strcmp(link->name, WF_NET_OVERLAY_DEVICE) == 0;
}

static void see_link(const struct wf_net_link *link, void *context)
{
	struct found *found = context;
	bool indexed =
		link->ifindex > WF_IFINDEX_BASE && link->ifindex < WF_IFINDEX_BASE + WF_MAX_SLOTS;

	if (indexed || link->group == WF_NET_GROUP_LIVE || link->group == WF_NET_GROUP_DEAD) {
		found->endpoints++;
		(void)wf_net_endpoint_bury(found->net, link->ifindex);
	} else if (link->ifindex == WF_IFINDEX_BASE || link->group == WF_NET_GROUP_VLAN ||
		   is_macvlan_host(link) || is_overlay(link)) {
		add_device(found, link->ifindex);
	} else {
		/* an uplink, perhaps: nothing happens to others */
		(void)wf_net_uplink_detach(found->net, link->ifindex, NULL);
	}
}

/* Interfaces the host cannot see: macvlan and ipvlan inside of living namespaces. */
static size_t bury_inner(struct wf_net *net, struct wf_store *store)
{
	_cleanup_json_ json_t *items = NULL;
	uint64_t revision;
	size_t i, count = 0;
	json_t *item;

	if (wf_store_list(store, WF_KIND_ENDPOINT, &items, &revision, NULL) < 0)
		return 0;
	json_array_foreach(items, i, item) {
		struct wf_endpoint spec = { 0 };
		_cleanup_close_ int fd = -1;
		struct wf_net_ns_id id;

		if (wf_endpoint_from_json(&spec, item, NULL) < 0)
			continue;
		if (!spec.slot && wf_net_ns_open(spec.netns, &fd, &id, NULL) == 0 &&
		    id.inode == spec.netns_inode && id.dev == spec.netns_dev &&
		    wf_net_inner_bury(net, fd, spec.ifname) == 0)
			count++;
		wf_endpoint_done(&spec);
	}
	return count;
}

static size_t bury_known(struct wf_net *net, const char *state_dir, const char *name)
{
	_cleanup_(wf_store_close) struct wf_store *store = NULL;
	_cleanup_free_ char *database = NULL;

	if (asprintf(&database, "%s/%s", state_dir, name) < 0 || access(database, F_OK) < 0 ||
	    wf_store_sqlite_open(database, &store, NULL) < 0)
		return 0;
	return bury_inner(net, store);
}

int wf_ctl_forwarding_note(const char *run_dir, const char *changed, struct wf_err *err)
{
	_cleanup_str_ struct wf_str text = WF_STR_INIT;
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "%s/" WF_CTL_FORWARDING_FILE, run_dir) < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	if (access(path, F_OK) == 0)
		(void)wf_file_read(path, MAX_FORWARDING_BYTES, &text, NULL);
	wf_str_addf(&text, "%s\n", changed);
	if (text.failed)
		return wf_fail(err, -ENOMEM, "out of memory");
	return wf_file_write(path, wf_str_text(&text), text.len, 0600, err);
}

/* Gives the host the settings back that it had before weft. */
static int restore_forwarding(const char *run_dir, struct wf_net *net, struct wf_str *report,
			      struct wf_err *err)
{
	_cleanup_str_ struct wf_str text = WF_STR_INIT;
	_cleanup_free_ char *path = NULL;
	int r;

	if (asprintf(&path, "%s/" WF_CTL_FORWARDING_FILE, run_dir) < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	if (access(path, F_OK) < 0)
		return 0;
	r = wf_file_read(path, MAX_FORWARDING_BYTES, &text, err);
	if (r == 0)
		r = wf_net_forwarding_restore(net, wf_str_text(&text), err);
	if (r == 0)
		wf_str_addf(report, "turned off forwarding, which weft had turned on\n");
	return r;
}

/* The devices of encrypted networks, the programs behind them, and the way that led there. */
static int remove_tunnels(struct wf_net *net, const char *run_dir, struct wf_err *err)
{
	const struct wf_prefix prefix = wf_node_tunnel_prefix();
	int r = 0;

	for (uint32_t digit = 0; r == 0 && digit < WF_MAX_TUNNELS; digit++) {
		char name[16];

		r = wf_net_wg_remove(net, run_dir, wf_ctl_tunnel_name(digit, name), err);
	}
	return r < 0 ? r : wf_net_wg_unroute(net, &prefix, err);
}

static int clean_links(const char *run_dir, const char *state_dir, struct wf_str *report,
		       struct wf_err *err)
{
	_cleanup_(wf_net_close) struct wf_net *net = NULL;
	struct found found = { 0 };
	int r;

	r = wf_net_open(&net, err);
	if (r < 0)
		return r;
	/* the embedded store, and what is known here of a shared one */
	found.endpoints += bury_known(net, state_dir, "weft.db");
	found.endpoints += bury_known(net, state_dir, "mirror.db");
	found.net = net;
	r = remove_tunnels(net, run_dir, err);
	if (r == 0)
		r = wf_net_link_dump(net, see_link, &found, err);
	if (r == 0)
		r = wf_net_host_sync_routes(net, NULL, 0, 0, err);
	if (r == 0)
		r = wf_net_bury_flush(net, err);
	for (size_t i = 0; r == 0 && i < found.count; i++)
		r = wf_net_link_del(net, found.devices[i], err);
	free(found.devices);
	if (r == 0)
		r = restore_forwarding(run_dir, net, report, err);
	if (r == 0)
		wf_str_addf(report, "removed %zu endpoint interfaces and %zu host devices\n",
			    found.endpoints, found.count);
	return r;
}

/* Removes the named files and then the directory, if that leaves it empty. */
static int remove_files(const char *dir, const char *const *names, struct wf_str *report,
			struct wf_err *err)
{
	_cleanup_close_ int fd = open(dir, O_DIRECTORY | O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	for (; *names; names++)
		if (unlinkat(fd, *names, 0) < 0 && errno != ENOENT)
			return wf_fail(err, -errno, "cannot remove %s/%s: %s", dir, *names,
				       strerror(errno));
	if (rmdir(dir) == 0)
		wf_str_addf(report, "removed %s\n", dir);
	return 0;
}

/* A folder of plain files. */
static void remove_folder(const char *run_dir, const char *name)
{
	_cleanup_free_ char *path = NULL;
	const struct dirent *entry;
	DIR *dir;

	if (asprintf(&path, "%s/%s", run_dir, name) < 0)
		return;
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			(void)unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		(void)closedir(dir);
	(void)rmdir(path);
}

/* Only files that weft makes: a mistyped --state-dir must not cost more than them. */
static int remove_state(const char *run_dir, const char *state_dir, struct wf_str *report,
			struct wf_err *err)
{
	static const char *const state_files[] = {
		"weft.db",           "weft.db-wal",    "weft.db-shm",   "weft.db-journal",
		"weft.db.lock",      "mirror.db",      "mirror.db-wal", "mirror.db-shm",
		"mirror.db-journal", "mirror.db.lock", CTL_KEY_FILE,    NULL
	};
	static const char *const run_files[] = { "weft.sock", "weftd.lock", WF_CTL_FORWARDING_FILE,
						 WF_CONTROL_KEPT_FILE, NULL };
	int r;

	remove_folder(run_dir, "spool");
	remove_folder(run_dir, WF_NET_WG_FOLDER);
	r = remove_files(state_dir, state_files, report, err);
	return r < 0 ? r : remove_files(run_dir, run_files, report, err);
}

/* The lock of a running daemon; held until the end so that none starts meanwhile. */
static int take_lock(const char *run_dir, int *ret_fd, struct wf_err *err)
{
	_cleanup_free_ char *path = NULL;
	int fd;

	*ret_fd = -1;
	if (asprintf(&path, "%s/weftd.lock", run_dir) < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		(void)close(fd);
		return wf_fail(err, -EBUSY,
			       "weftd runs on %s; stop it first (systemctl stop weftd)", run_dir);
	}
	*ret_fd = fd;
	return 0;
}

int wf_control_cleanup(const char *run_dir, const char *state_dir, const char *bpf_dir,
		       struct wf_str *report, struct wf_err *err)
{
	_cleanup_close_ int lock = -1;
	int r;

	r = take_lock(run_dir, &lock, err);
	if (r == 0)
		r = clean_links(run_dir, state_dir, report, err);
	if (r == 0)
		r = wf_dp_remove(bpf_dir, err);
	if (r == 0)
		r = remove_state(run_dir, state_dir, report, err);
	return r;
}
