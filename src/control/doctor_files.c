/* SPDX-License-Identifier: Apache-2.0 */
/* The doctor's checks of what weft keeps in files: store, spool, sockets, and what was left over. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/spool.h"
#include "base/str.h"
#include "control/doctor_priv.h"

#define MIB         (UINT64_C(1) << 20)
#define FREE_LITTLE (64 * MIB)
#define FREE_NONE   (4 * MIB)

static char *database_path(const struct doctor *doctor)
{
	char *path;

	return asprintf(&path, "%s/weft.db", doctor->config->state_dir) < 0 ? NULL : path;
}

/* ---- store --------------------------------------------------------------------------------- */

static void judge_mode(const char *path, const struct stat *st, struct doctor_result *result)
{
	if (st->st_mode & 077) {
		wf_doctor_say(result, DOCTOR_WARNING, "%s has mode %04o: others can read it", path,
			      (unsigned int)st->st_mode & 07777);
		wf_doctor_advise(result, "Run: chmod 600 %s.", path);
	} else if (st->st_uid != geteuid()) {
		wf_doctor_say(result, DOCTOR_WARNING, "%s belongs to uid %u, not to uid %u", path,
			      (unsigned int)st->st_uid, (unsigned int)geteuid());
		wf_doctor_advise(result, "Run: chown %u %s.", (unsigned int)geteuid(), path);
	} else {
		wf_doctor_say(result, DOCTOR_OK, "%s has %lld KiB and mode %04o", path,
			      (long long)st->st_size / 1024, (unsigned int)st->st_mode & 07777);
	}
}

/* A node whose documents are in etcd has a mirror of them here. */
static bool has_mirror(const struct doctor *doctor)
{
	_cleanup_free_ char *path = NULL;

	return asprintf(&path, "%s/mirror.db", doctor->config->state_dir) >= 0 &&
	       access(path, F_OK) == 0;
}

static void check_store(struct doctor *doctor, const struct doctor_check *check,
			struct doctor_result *result)
{
	_cleanup_free_ char *path = database_path(doctor);
	struct stat st;

	if (path && stat(path, &st) == 0) {
		judge_mode(path, &st, result);
	} else if (errno != ENOENT) {
		wf_doctor_say(result, DOCTOR_ERROR, "%s cannot be read: %s",
			      doctor->config->state_dir, strerror(errno));
		wf_doctor_advise(result, "Run as root: sudo weft doctor.");
	} else if (has_mirror(doctor)) {
		wf_doctor_say(result, DOCTOR_OK, "documents are in etcd; their mirror is in %s",
			      doctor->config->state_dir);
	} else if (doctor->daemon) {
		wf_doctor_say(result, DOCTOR_NOTE,
			      "%s has no weft.db although weftd runs: it keeps its documents "
			      "elsewhere",
			      doctor->config->state_dir);
		wf_doctor_advise(result, "Give the daemon's own directories to see its store: "
					 "weft status.");
	} else {
		wf_doctor_say(result, DOCTOR_OK, "there is no store yet in %s",
			      doctor->config->state_dir);
	}
}

/* Free bytes where a path is or would be; UINT64_MAX: no telling. */
static uint64_t free_bytes(const char *path, uint64_t *ret_inodes)
{
	_cleanup_free_ char *at = strdup(path);
	struct statvfs fs;

	*ret_inodes = UINT64_MAX;
	while (at && statvfs(at, &fs) < 0) {
		char *slash = strrchr(at, '/');

		if (!slash || slash == at)
			return UINT64_MAX;
		*slash = '\0';
	}
	if (!at)
		return UINT64_MAX;
	if (fs.f_files)
		*ret_inodes = fs.f_ffree;
	return (uint64_t)fs.f_bavail * fs.f_frsize;
}

static void check_disk(struct doctor *doctor, const struct doctor_check *check,
		       struct doctor_result *result)
{
	const char *dir = doctor->config->state_dir;
	uint64_t inodes, bytes = free_bytes(dir, &inodes);

	if (bytes < FREE_LITTLE || inodes < 16) {
		wf_doctor_say(result, bytes < FREE_NONE || !inodes ? DOCTOR_ERROR : DOCTOR_WARNING,
			      "only %" PRIu64 " MiB and %" PRIu64 " files are free for %s",
			      bytes / MIB, inodes, dir);
		wf_doctor_advise(result,
				 "Make room, or no network can be changed: du -xh --max-depth=2 %s "
				 "| sort -h.",
				 dir);
	} else {
		wf_doctor_say(result, DOCTOR_OK, "%" PRIu64 " MiB are free for %s", bytes / MIB,
			      dir);
	}
}

/* ---- whether it takes changes ---------------------------------------------------------------- */

/* What weftd writes there; a mirror where documents are in etcd. */
static const char *const store_files[] = { "weft.db", "weft.db-wal", "mirror.db", "mirror.db-wal" };

static void say_refused(struct doctor_result *result, const char *path, int errnum)
{
	if (errnum == EACCES) {
		wf_doctor_say(result, DOCTOR_NOTE, "uid %u may not write to %s",
			      (unsigned int)geteuid(), path);
		wf_doctor_advise(result, "Run as root: sudo weft doctor.");
		return;
	}
	wf_doctor_say(result, DOCTOR_ERROR, "%s cannot be written: %s", path, strerror(errnum));
	if (errnum == EPERM)
		wf_doctor_advise(result, "Look at it with lsattr; to allow changes: chattr -i %s.",
				 path);
	else
		wf_doctor_advise(result,
				 "See why with dmesg, and mount its file system for writing "
				 "again: findmnt -T %s.",
				 path);
}

/* A file without a name says what flags do not: a file system may have turned read-only by an error. */
static int try_file(const char *dir)
{
	_cleanup_close_ int fd = open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);

	return fd < 0 && (errno == EROFS || errno == EPERM || errno == EIO) ? -errno : 0;
}

static void check_writable(struct doctor *doctor, const struct doctor_check *check,
			   struct doctor_result *result)
{
	const char *dir = doctor->config->state_dir;
	int r = try_file(dir);

	if (r < 0)
		say_refused(result, dir, -r);
	for (size_t i = 0; r == 0 && i < WF_ARRAY_LEN(store_files); i++) {
		_cleanup_free_ char *path = NULL;

		if (asprintf(&path, "%s/%s", dir, store_files[i]) < 0) {
			path = NULL;
			return;
		}
		if (access(path, W_OK) == 0 || errno == ENOENT)
			continue;
		r = -errno;
		say_refused(result, path, errno);
	}
	if (r == 0)
		wf_doctor_say(result, DOCTOR_OK, "files in %s take changes", dir);
}

/* ---- run directory ------------------------------------------------------------------------- */

static void check_socket(struct doctor *doctor, const struct doctor_check *check,
			 struct doctor_result *result)
{
	const char *path = doctor->config->socket;
	struct stat st;
	bool is_there = stat(path, &st) == 0;

	if (doctor->listener < 0) {
		wf_doctor_say(result, DOCTOR_NOTE, "uid %u may not connect to %s",
			      (unsigned int)geteuid(), path);
		wf_doctor_advise(result, "Run as root: sudo weft doctor.");
	} else if (doctor->listener && is_there && st.st_mode & 07) {
		wf_doctor_say(result, DOCTOR_WARNING, "anybody may write to %s", path);
		wf_doctor_advise(result, "Run: chmod 660 %s.", path);
	} else if (doctor->listener) {
		wf_doctor_say(result, DOCTOR_OK, "weftd listens on %s", path);
	} else if (doctor->daemon) {
		wf_doctor_say(result, DOCTOR_ERROR, "weftd runs (pid %d) but does not listen on %s",
			      (int)doctor->daemon, path);
		wf_doctor_advise(result, "Name its socket with --socket, or see what it waits for: "
					 "journalctl -u weftd.");
	} else {
		wf_doctor_say(result, DOCTOR_OK, "nobody listens on %s", path);
	}
}

static void check_spool(struct doctor *doctor, const struct doctor_check *check,
			struct doctor_result *result)
{
	static const char *const suffixes[] = { ".json", NULL };
	_cleanup_str_ struct wf_str dir = WF_STR_INIT;
	struct doctor host = { .config = doctor->config, .root = "" };
	size_t count;

	wf_spool_add_dir(&dir, doctor->config->socket);
	count = wf_doctor_each_file(&host, wf_str_text(&dir), suffixes, NULL, NULL);
	if (!count) {
		wf_doctor_say(result, DOCTOR_OK, "no request waits for weftd");
	} else if (doctor->listener > 0) {
		wf_doctor_say(result, DOCTOR_WARNING, "%zu requests wait in %s although weftd runs",
			      count, wf_str_text(&dir));
		wf_doctor_advise(result, "Run: systemctl restart weftd (it takes them when it "
					 "starts).");
	} else {
		wf_doctor_say(result, DOCTOR_NOTE, "%zu requests wait in %s until weftd starts",
			      count, wf_str_text(&dir));
		wf_doctor_advise(result, "Run: systemctl start weftd.");
	}
}

/* ---- leftovers ----------------------------------------------------------------------------- */

/* Pins are in directories v1, v2 and so on; a bpffs may have entries of the kernel's beside them. */
static void see_pin(struct doctor *doctor, const char *path, void *context)
{
	const char *name = strrchr(path, '/') + 1;

	if (name[0] == 'v' && name[1] >= '0' && name[1] <= '9')
		*(bool *)context = true;
}

static bool has_pins(const struct doctor *doctor)
{
	struct doctor host = { .config = doctor->config, .root = "" };
	bool is_pinned = false;

	(void)wf_doctor_each_file(&host, doctor->config->bpf_dir, NULL, see_pin, &is_pinned);
	return is_pinned;
}

static void list_leftovers(const struct doctor *doctor, struct wf_str *list)
{
	const struct doctor_links *links = &doctor->links;

	if (links->weft0)
		wf_str_add(list, ", " WF_NET_HOST_DEVICE);
	if (links->endpoints + links->dead + links->on_wire)
		wf_str_addf(list, ", interfaces: %zu",
			    links->endpoints + links->dead + links->on_wire);
	if (links->routes)
		wf_str_addf(list, ", routes: %zu", links->routes);
	if (has_pins(doctor))
		wf_str_addf(list, ", maps and programs in %s", doctor->config->bpf_dir);
}

static void check_leftovers(struct doctor *doctor, const struct doctor_check *check,
			    struct doctor_result *result)
{
	_cleanup_free_ char *path = database_path(doctor);
	_cleanup_str_ struct wf_str list = WF_STR_INIT;
	bool has_store = path && access(path, F_OK) == 0;

	list_leftovers(doctor, &list);
	if (doctor->daemon || !list.len) {
		wf_doctor_say(result, DOCTOR_OK, "nothing of weft is left over");
	} else if (has_store) {
		wf_doctor_say(result, DOCTOR_NOTE,
			      "no weftd runs; what it made goes on working and waits for it: %s",
			      wf_str_text(&list) + 2);
		wf_doctor_advise(result, "Run: systemctl start weftd; or, to remove it all: weft "
					 "cleanup.");
	} else {
		wf_doctor_say(result, DOCTOR_WARNING, "left over without daemon and store: %s",
			      wf_str_text(&list) + 2);
		wf_doctor_advise(result, "Run: weft cleanup.");
	}
}

const struct doctor_check wf_doctor_file_checks[] = {
	{ "files.store", "store", check_store, NULL },
	{ "files.disk", "free space", check_disk, NULL },
	{ "files.writable", "writing", check_writable, NULL },
	{ "files.socket", "socket", check_socket, NULL },
	{ "files.spool", "spool", check_spool, NULL },
	{ "files.leftovers", "leftovers", check_leftovers, NULL },
	DOCTOR_CHECKS_END,
};
