/* SPDX-License-Identifier: Apache-2.0 */
/* Links that are pinned: the hook lives as long as the pin, and an upgrade changes its program. */
#include <dirent.h>
#include <errno.h>
#include <unistd.h>

#include "base/mem.h"
#include "dp/dp_priv.h"

int wf_dp_link_update(const char *dir, const char *name, int program_fd)
{
	_cleanup_close_ int fd = wf_dp_pin_open(dir, name);

	if (fd < 0)
		return fd;
	return bpf_link_update(fd, program_fd, NULL) < 0 ? -errno : 0;
}

int wf_dp_link_drop(const char *dir, const char *name, void *context)
{
	_cleanup_close_ int fd = wf_dp_pin_open(dir, name);
	char path[PATH_MAX];

	(void)context;
	if (fd == -ENOENT)
		return 0;
	/* what is no link, or dead, has only its pin to lose */
	if (fd >= 0)
		(void)bpf_link_detach(fd);
	if (wf_dp_pin_path(dir, name, path) < 0)
		return -ENAMETOOLONG;
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

int wf_dp_link_visit(const char *dir, wf_dp_link_fn visit, void *context)
{
	DIR *folder = opendir(dir);
	struct dirent *entry;
	int r = 0;

	if (!folder)
		return errno == ENOENT ? 0 : -errno;
	while (r >= 0 && (entry = readdir(folder)))
		if (entry->d_name[0] != '.')
			r = visit(dir, entry->d_name, context);
	(void)closedir(folder);
	return r < 0 ? r : 0;
}
