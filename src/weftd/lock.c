/* SPDX-License-Identifier: Apache-2.0 */
#include "weftd/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

WF_LOG_MODULE(lock);

/* Abstract names belong to the network namespace: exactly what is to be locked. */
#define NAMESPACE_NAME "weftd"

int weftd_lock_run_dir(const char *run_dir, int *ret_fd, struct wf_err *err)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;
	char pid[16] = "";

	if (asprintf(&path, "%s/weftd.lock", run_dir) < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return wf_fail(err, -errno, "cannot open %s: %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		(void)!read(fd, pid, sizeof(pid) - 1);
		pid[strcspn(pid, "\n")] = '\0';
		return wf_fail(err, -EBUSY,
			       "another weftd (pid %s) runs on %s; stop it, or give this one its "
			       "own --run-dir, --state-dir and --bpf-dir",
			       pid, run_dir);
	}
	(void)snprintf(pid, sizeof(pid), "%d\n", getpid());
	if (ftruncate(fd, 0) < 0 || write(fd, pid, strlen(pid)) < 0)
		return wf_fail(err, -errno, "cannot write %s: %s", path, strerror(errno));
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* Who listens on a name; 0 when nobody does, or nobody who may be a weftd. */
static pid_t find_holder(const struct sockaddr_un *name, socklen_t len)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct ucred peer = { 0 };
	socklen_t bytes = sizeof(peer);

	if (fd < 0 || connect(fd, (const struct sockaddr *)name, len) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) < 0)
		return 0;
	return peer.uid == geteuid() ? peer.pid : 0;
}

int weftd_lock_namespace(int *ret_fd, struct wf_err *err)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	socklen_t len = offsetof(struct sockaddr_un, sun_path) + sizeof(NAMESPACE_NAME);
	pid_t holder;

	/* a NUL in front makes the name abstract */
	memcpy(name.sun_path + 1, NAMESPACE_NAME, sizeof(NAMESPACE_NAME) - 1);
	if (fd < 0)
		return wf_fail(err, -errno, "cannot make a unix socket: %s", strerror(errno));
	if (bind(fd, (const struct sockaddr *)&name, len) == 0 && listen(fd, 16) == 0) {
		*ret_fd = TAKE_FD(fd);
		return 0;
	}
	if (errno != EADDRINUSE)
		return wf_fail(err, -errno, "cannot lock the network namespace: %s",
			       strerror(errno));
	holder = find_holder(&name, len);
	if (holder)
		return wf_fail(err, -EBUSY,
			       "another weftd (pid %d) works in this network namespace; two would "
			       "take each other's devices away: stop it first",
			       (int)holder);
	/* anybody may take an abstract name: that must not keep the daemon from its work */
	wf_log_warning("a process that is no weftd holds the socket @weftd; a second daemon in "
		       "this network namespace would not be noticed",
		       "name=@%s", NAMESPACE_NAME);
	return 0;
}

void weftd_lock_answer(int fd)
{
	int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

	if (peer >= 0)
		(void)close(peer);
}

int weftd_lock_bpf_dir(const char *bpf_dir, int *ret_fd, struct wf_err *err)
{
	_cleanup_close_ int fd = open(bpf_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return wf_fail(err, -errno, "cannot open %s: %s", bpf_dir, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		return wf_fail(err, -EBUSY,
			       "another weftd uses the maps in %s; give this one its own --bpf-dir",
			       bpf_dir);
	*ret_fd = TAKE_FD(fd);
	return 0;
}
