/* SPDX-License-Identifier: Apache-2.0 */
/* Folders, mount and pins below BPF_DIR. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "dp/dp_priv.h"

/* Where every distribution mounts bpffs; sysfs provides the folder. */
#define STANDARD_MOUNT "/sys/fs/bpf"

/* Longest tree that wf_dp_remove() walks: BPF_DIR/v1/maps/name. */
#define MAX_DEPTH 4

/* Whether the path, or the nearest parent that exists, is on bpffs. */
static bool is_on_bpffs(const char *path)
{
	char at[PATH_MAX];
	struct statfs fs;

	if (wf_str_copy(at, sizeof(at), path) < 0)
		return false;
	while (statfs(at, &fs) < 0) {
		char *slash = strrchr(at, '/');

		if (!slash || slash == at)
			return false;
		*slash = '\0';
	}
	return (unsigned long)fs.f_type == BPF_FS_MAGIC;
}

static int mount_bpffs(const char *bpf_dir, struct wf_err *err)
{
	const char *where = bpf_dir;
	size_t len = strlen(STANDARD_MOUNT);
	int r;

	if (strncmp(bpf_dir, STANDARD_MOUNT, len) == 0 && bpf_dir[len] == '/') {
		where = STANDARD_MOUNT;
	} else {
		r = wf_file_make_dirs(bpf_dir, 0700, err);
		if (r < 0)
			return r;
	}
	if (mount("bpf", where, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") < 0)
		return wf_fail(err, -errno, "cannot mount bpffs at %s: %s", where, strerror(errno));
	return 0;
}

/* A folder of this layout, with room for a name below it. */
static int folder(const char *bpf_dir, const char *name, char ret_path[PATH_MAX])
{
	int len = snprintf(ret_path, PATH_MAX, "%s/v%d/%s", bpf_dir, WF_ABI_VERSION, name);

	return len < PATH_MAX - NAME_MAX ? 0 : -ENAMETOOLONG;
}

int wf_dp_pin_prepare(struct wf_dp *dp, const char *bpf_dir, struct wf_err *err)
{
	int r;

	if (folder(bpf_dir, "maps", dp->map_dir) < 0 ||
	    folder(bpf_dir, "progs", dp->prog_dir) < 0 ||
	    folder(bpf_dir, "links", dp->link_dir) < 0)
		return wf_fail(err, -ENAMETOOLONG, "the BPF directory %s is too long", bpf_dir);
	if (!is_on_bpffs(bpf_dir)) {
		r = mount_bpffs(bpf_dir, err);
		if (r < 0)
			return r;
	}
	r = wf_file_make_dirs(dp->map_dir, 0700, err);
	if (r == 0)
		r = wf_file_make_dirs(dp->prog_dir, 0700, err);
	return r < 0 ? r : wf_file_make_dirs(dp->link_dir, 0700, err);
}

int wf_dp_pin_path(const char *dir, const char *name, char ret_path[PATH_MAX])
{
	return snprintf(ret_path, PATH_MAX, "%s/%s", dir, name) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int wf_dp_pin_open(const char *dir, const char *name)
{
	char path[PATH_MAX];
	int fd;

	if (wf_dp_pin_path(dir, name, path) < 0)
		return -ENAMETOOLONG;
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

int wf_dp_pin_replace(const char *dir, const char *name, int fd, struct wf_err *err)
{
	char path[PATH_MAX], temporary[PATH_MAX], hidden[NAME_MAX];

	/* bpffs refuses names with dots */
	if (snprintf(hidden, sizeof(hidden), "%s_new", name) >= (int)sizeof(hidden) ||
	    wf_dp_pin_path(dir, name, path) < 0 || wf_dp_pin_path(dir, hidden, temporary) < 0)
		return wf_fail(err, -ENAMETOOLONG, "the path of %s is too long", name);
	if (unlink(temporary) < 0 && errno != ENOENT)
		return wf_fail(err, -errno, "cannot remove %s: %s", temporary, strerror(errno));
	if (bpf_obj_pin(fd, temporary) < 0)
		return wf_fail(err, -errno, "cannot pin %s: %s", temporary, strerror(errno));
	if (rename(temporary, path) < 0)
		return wf_fail(err, -errno, "cannot rename %s to %s: %s", temporary, path,
			       strerror(errno));
	return 0;
}

static int remove_tree(int parent_fd, const char *name, int depth);

/* Whether an entry of BPF_DIR is one of weft's folders: "v" and a number. */
static bool is_version(const char *name)
{
	return name[0] == 'v' && name[1] && strspn(name + 1, "0123456789") == strlen(name + 1);
}

/*
 * Removes what is in a folder; at depth 0, BPF_DIR itself, only weft's own: bpffs puts files of
 * the kernel there. *ret_foreign tells whether others have something there too.
 */
static int empty_dir(DIR *dir, int depth, bool *ret_foreign)
{
	struct dirent *entry;
	int r = 0;

	while (r == 0 && (entry = readdir(dir))) {
		const char *child = entry->d_name;

		if (strcmp(child, ".") == 0 || strcmp(child, "..") == 0)
			continue;
		if (depth > 0 || is_version(child))
			r = remove_tree(dirfd(dir), child, depth + 1);
		else if (strcmp(child, "maps.debug") != 0 && strcmp(child, "progs.debug") != 0)
			*ret_foreign = true;
	}
	return r;
}

/* Removes a pin, or a folder with all that is in it. */
static int remove_tree(int parent_fd, const char *name, int depth)
{
	int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), r;
	bool foreign = false;
	DIR *dir;

	if (fd < 0 && errno == ENOTDIR)
		return unlinkat(parent_fd, name, 0) < 0 ? -errno : 0;
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	dir = depth <= MAX_DEPTH ? fdopendir(fd) : NULL;
	if (!dir) {
		(void)close(fd);
		return -ELOOP;
	}
	r = empty_dir(dir, depth, &foreign);
	(void)closedir(dir);
	return r == 0 && unlinkat(parent_fd, name, AT_REMOVEDIR) < 0 ? -errno : r;
}

int wf_dp_remove(const char *bpf_dir, struct wf_err *err)
{
	char links[PATH_MAX];
	bool foreign = false;
	DIR *dir;
	int r;

	/* what is not bpffs holds no pins, and is not ours to empty */
	if (!is_on_bpffs(bpf_dir))
		return 0;
	dir = opendir(bpf_dir);
	if (!dir)
		return errno == ENOENT ? 0
				       : wf_fail(err, -errno, "cannot open %s: %s", bpf_dir,
						 strerror(errno));
	/* a link whose pin goes ends some time later; these end now */
	if (folder(bpf_dir, "links", links) == 0)
		(void)wf_dp_link_visit(links, wf_dp_link_drop, NULL);
	r = empty_dir(dir, 0, &foreign);
	(void)closedir(dir);
	if (r < 0)
		return wf_fail(err, r, "cannot remove what is below %s: %s", bpf_dir, strerror(-r));
	if (foreign || rmdir(bpf_dir) == 0 || errno != EBUSY)
		return 0;
	/* a mount of its own, which wf_dp_open() made; the standard one is everybody's */
	if (strcmp(bpf_dir, STANDARD_MOUNT) != 0 && umount2(bpf_dir, UMOUNT_NOFOLLOW) == 0)
		(void)rmdir(bpf_dir);
	return 0;
}
