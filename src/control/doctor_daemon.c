/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding the daemon of a run directory without asking it anything: who holds its lock, and who
 * listens on its socket. A lock is looked up in /proc/locks; trying to take it would keep a daemon
 * that starts at that moment from starting.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "control/doctor_priv.h"

pid_t wf_doctor_lock_holder(const char *locks, unsigned int dev_major, unsigned int dev_minor,
			    uint64_t inode)
{
	while (*locks) {
		unsigned int line_major, line_minor;
		uint64_t line_inode;
		int pid;

		/* "3: FLOCK  ADVISORY  WRITE 4711 00:1a:815 0 EOF"; waiting ones have "->" */
		if (sscanf(locks, "%*d: FLOCK %*s %*s %d %x:%x:%" SCNu64, &pid, &line_major,
			   &line_minor, &line_inode) == 4 &&
		    line_major == dev_major && line_minor == dev_minor && line_inode == inode &&
		    pid > 0)
			return pid;
		locks += strcspn(locks, "\n");
		locks += *locks == '\n';
	}
	return 0;
}

static pid_t lock_holder(const struct doctor *doctor)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_str_ struct wf_str locks = WF_STR_INIT;
	struct stat st;

	if (asprintf(&path, "%s/weftd.lock", doctor->config->run_dir) < 0) {
		path = NULL;
		return 0;
	}
	if (stat(path, &st) < 0 || !wf_doctor_read(doctor, "/proc/locks", &locks))
		return 0;
	return wf_doctor_lock_holder(wf_str_text(&locks), major(st.st_dev), minor(st.st_dev),
				     st.st_ino);
}

/* The process that listens on the socket; 0: nobody; -1: this process may not know. */
static pid_t listener(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -1;
	struct ucred peer = { 0 };
	socklen_t bytes = sizeof(peer);

	if (wf_str_copy(address.sun_path, sizeof(address.sun_path), path) < 0)
		return 0;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return errno == EACCES ? -1 : 0;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) < 0)
		return 0;
	return peer.pid;
}

void wf_doctor_find_daemon(struct doctor *doctor)
{
	doctor->listener = listener(doctor->config->socket);
	doctor->daemon = lock_holder(doctor);
	if (!doctor->daemon && doctor->listener > 0)
		doctor->daemon = doctor->listener;
}
