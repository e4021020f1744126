/* SPDX-License-Identifier: Apache-2.0 */
/* Who holds a socket: the kernel tells its inode, /proc the processes that have it open. */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "net/net_priv.h"

#define OWNER_BYTES 96

/* Whether one of the descriptors in /proc/PID/fd is a link to `target`. */
static bool holds(int proc_fd, const char *pid, const char *target)
{
	char path[32], link[64];
	const struct dirent *entry;
	bool is_found = false;
	DIR *directory;
	int fd;

	(void)snprintf(path, sizeof(path), "%.12s/fd", pid);
	fd = openat(proc_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	directory = fdopendir(fd);
	if (!directory) {
		(void)close(fd);
		return false;
	}
	while (!is_found && (entry = readdir(directory))) {
		ssize_t len = readlinkat(fd, entry->d_name, link, sizeof(link) - 1);

		link[len < 0 ? 0 : len] = '\0';
		is_found = strcmp(link, target) == 0;
	}
	(void)closedir(directory);
	return is_found;
}

/* "nginx (pid 123)". A process may give itself any name: what is no text becomes '?'. */
static void describe_process(int proc_fd, const char *pid, char *ret_owner)
{
	_cleanup_close_ int fd = -1;
	char path[32], name[32];
	ssize_t len;

	(void)snprintf(path, sizeof(path), "%.12s/comm", pid);
	fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? 0 : read(fd, name, sizeof(name) - 1);
	while (len > 0 && name[len - 1] == '\n')
		len--;
	name[len < 0 ? 0 : len] = '\0';
	for (char *at = name; *at; at++)
		if (!isprint((unsigned char)*at))
			*at = '?';
	(void)snprintf(ret_owner, OWNER_BYTES, "%s (pid %.12s)", name[0] ? name : "a process", pid);
}

void wf_net_sock_owner(uint32_t inode, uint32_t uid, char ret_owner[OWNER_BYTES])
{
	const struct dirent *entry;
	bool is_found = false;
	char target[32];
	DIR *proc;

	(void)snprintf(target, sizeof(target), "socket:[%u]", inode);
	(void)snprintf(ret_owner, OWNER_BYTES, "a socket of uid %u", uid);
	proc = inode ? opendir("/proc") : NULL;
	if (!proc)
		return;
	while (!is_found && (entry = readdir(proc))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		is_found = holds(dirfd(proc), entry->d_name, target);
		if (is_found)
			describe_process(dirfd(proc), entry->d_name, ret_owner);
	}
	(void)closedir(proc);
}
