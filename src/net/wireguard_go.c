/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wireguard-go: WireGuard where the kernel has none. The program has its sockets in one fixed
 * folder; it gets a mount namespace in which that folder is the node's own, so that nodes and others
 * who use it do not meet. It belongs to nobody: the daemon may end and the next one finds it by
 * its socket. Taking the socket away ends it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "net/wireguard_priv.h"

#define PROGRAM        "wireguard-go"
#define PROGRAM_PATH   "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define TUN_DEVICE     "/dev/net/tun"
#define PROGRAM_FOLDER "/var/run/wireguard"
#define MAX_ANSWER     (4U << 20)
#define START_TRIES    400
#define START_WAIT_US  5000
#define ANSWER_MS      1000

static int socket_path(const char *run_dir, const char *name, struct sockaddr_un *ret_addr)
{
	int len;

	*ret_addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	len = snprintf(ret_addr->sun_path, sizeof(ret_addr->sun_path),
		       "%s/" WF_NET_WG_FOLDER "/%s.sock", run_dir, name);
	return len < 0 || (size_t)len >= sizeof(ret_addr->sun_path) ? -ENAMETOOLONG : 0;
}

/* A socket to the program, or a negative errno. */
static int connect_to(const char *run_dir, const char *name)
{
	const struct timeval patience = { .tv_sec = ANSWER_MS / 1000 };
	_cleanup_close_ int fd = -1;
	struct sockaddr_un addr;
	int r = socket_path(run_dir, name, &addr);

	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
		return errno == ENOENT || errno == ECONNREFUSED ? -ENODEV : -errno;
	return TAKE_FD(fd);
}

static int send_text(int fd, const struct wf_str *text)
{
	for (size_t sent = 0; sent < text->len;) {
		ssize_t r = send(fd, text->data + sent, text->len - sent, MSG_NOSIGNAL);

		if (r < 0 && errno != EINTR)
			return -errno;
		sent += r > 0 ? (size_t)r : 0;
	}
	return 0;
}

/* Up to the empty line that ends it. */
static int receive_text(int fd, struct wf_str *text)
{
	char bytes[4096];

	for (;;) {
		ssize_t r = recv(fd, bytes, sizeof(bytes), 0);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return r < 0 ? -errno : -EPROTO;
		wf_str_add_bytes(text, bytes, (size_t)r);
		if (text->failed)
			return -ENOMEM;
		if (text->len >= 2 && memcmp(text->data + text->len - 2, "\n\n", 2) == 0)
			return 0;
		if (text->len > MAX_ANSWER)
			return -EMSGSIZE;
	}
}

static int ask(const char *run_dir, const char *name, const struct wf_str *request,
	       struct wf_wg_state *state, struct wf_err *err)
{
	_cleanup_(wf_str_wipe) struct wf_str answer = WF_STR_INIT;
	_cleanup_close_ int fd = connect_to(run_dir, name);
	int r = request->failed ? -ENOMEM : fd < 0 ? fd : send_text(fd, request);

	if (r == 0)
		r = receive_text(fd, &answer);
	if (r == 0)
		r = wf_wg_text_read(wf_str_text(&answer), state);
	return r < 0 ? wf_fail(err, r, PROGRAM " of %s: %s", name, strerror(-r)) : 0;
}

int wf_wg_go_read(const char *run_dir, const char *name, struct wf_wg_state *state,
		  struct wf_err *err)
{
	_cleanup_(wf_str_wipe) struct wf_str request = WF_STR_INIT;

	wf_str_add(&request, "get=1\n\n");
	return ask(run_dir, name, &request, state, err);
}

int wf_wg_go_set(const char *run_dir, const char *name, const struct wf_wg_plan *plan,
		 struct wf_err *err)
{
	_cleanup_(wf_wg_state_done) struct wf_wg_state none = WF_WG_STATE_INIT;
	_cleanup_(wf_str_wipe) struct wf_str request = WF_STR_INIT;

	wf_wg_text_set(&request, plan);
	return ask(run_dir, name, &request, &none, err);
}

void wf_wg_go_end(const char *run_dir, const char *name)
{
	struct sockaddr_un addr;

	if (socket_path(run_dir, name, &addr) == 0)
		(void)unlink(addr.sun_path);
}

/* ---- starting it; between fork() and exec() nothing that takes locks --------------------------- */

/* What the child could not do: told through a pipe that exec() closes. */
struct failure {
	int code;
	char step[24];
};

static void give_up(int pipe_fd, const char *step)
{
	struct failure failure = { .code = errno ? errno : EIO };

	(void)strncpy(failure.step, step, sizeof(failure.step) - 1);
	(void)!write(pipe_fd, &failure, sizeof(failure));
	_exit(1);
}

static void become_program(const char *folder, const char *name, int pipe_fd)
{
	char program[] = PROGRAM, foreground[] = "-f", device[16];
	char *argv[] = { program, foreground, device, NULL };
	char path[] = "PATH=" PROGRAM_PATH;
	char level[] = "LOG_LEVEL=error", quiet[] = "WG_PROCESS_FOREGROUND=1";
	char *environment[] = { path, level, quiet, NULL };
	sigset_t none;
	int null_fd;

	(void)strncpy(device, name, sizeof(device) - 1);
	device[sizeof(device) - 1] = '\0';
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (unshare(CLONE_NEWNS) < 0)
		give_up(pipe_fd, "mount namespace");
	/* what the host unmounts later goes here too */
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		give_up(pipe_fd, "mounts");
	if (mkdir(PROGRAM_FOLDER, 0755) < 0 && errno != EEXIST)
		give_up(pipe_fd, PROGRAM_FOLDER);
	if (mount(folder, PROGRAM_FOLDER, NULL, MS_BIND, NULL) < 0)
		give_up(pipe_fd, "bind mount");
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; fd < 3; fd++)
		if (null_fd < 0 || dup2(null_fd, fd) < 0)
			give_up(pipe_fd, "/dev/null");
	if (chdir("/") < 0)
		give_up(pipe_fd, "/");
	(void)execvpe(PROGRAM, argv, environment);
	give_up(pipe_fd, "exec");
}

/* A process between, so that the program is nobody's child. */
static int fork_twice(const char *folder, const char *name, int pipe_fd)
{
	pid_t child = fork();
	int status = 0;

	if (child < 0)
		return -errno;
	if (child == 0) {
		(void)setsid();
		child = fork();
		if (child == 0)
			become_program(folder, name, pipe_fd);
		if (child < 0)
			give_up(pipe_fd, "fork");
		_exit(0);
	}
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

static int not_installed(struct wf_err *err)
{
	return wf_fail(err, -EOPNOTSUPP,
		       "the kernel has no WireGuard and " PROGRAM
		       " is not installed (package wireguard-go)");
}

int wf_wg_go_find(struct wf_err *err)
{
	for (const char *at = PROGRAM_PATH; *at;) {
		size_t len = strcspn(at, ":");
		char path[64];

		(void)snprintf(path, sizeof(path), "%.*s/" PROGRAM, (int)len, at);
		if (access(path, X_OK) == 0)
			return access(TUN_DEVICE, F_OK) == 0
				       ? 0
				       : wf_fail(err, -EOPNOTSUPP,
						 "the kernel has no WireGuard, and there is no " TUN_DEVICE
						 " for " PROGRAM);
		at += len + (at[len] == ':');
	}
	return not_installed(err);
}

static int launch(const char *folder, const char *name, struct wf_err *err)
{
	_cleanup_close_ int in = -1, out = -1;
	struct failure failure = { .code = 0 };
	int ends[2], r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return wf_fail(err, -errno, "cannot make a pipe: %s", strerror(errno));
	in = ends[0];
	out = ends[1];
	r = fork_twice(folder, name, out);
	if (r < 0)
		return wf_fail(err, r, "cannot start " PROGRAM ": %s", strerror(-r));
	(void)close(TAKE_FD(out));
	if (read(in, &failure, sizeof(failure)) != sizeof(failure))
		return 0;
	failure.step[sizeof(failure.step) - 1] = '\0';
	if (failure.code == ENOENT && strcmp(failure.step, "exec") == 0)
		return not_installed(err);
	return wf_fail(err, -failure.code, "cannot start " PROGRAM ": %s: %s", failure.step,
		       strerror(failure.code));
}

int wf_wg_go_start(const char *run_dir, const char *name, struct wf_err *err)
{
	_cleanup_free_ char *folder = NULL;
	struct sockaddr_un addr;
	int r = socket_path(run_dir, name, &addr);

	if (r < 0)
		return wf_fail(err, r, "%s is too long for a socket's path", run_dir);
	if (asprintf(&folder, "%s/" WF_NET_WG_FOLDER, run_dir) < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	r = wf_file_make_dirs(folder, 0700, err);
	if (r < 0)
		return r;
	/* nothing answers there: what a program left that was killed */
	(void)unlink(addr.sun_path);
	r = launch(folder, name, err);
	for (int i = 0; r == 0 && i < START_TRIES; i++) {
		_cleanup_close_ int fd = connect_to(run_dir, name);

		if (fd >= 0)
			return 0;
		(void)usleep(START_WAIT_US);
	}
	return r < 0 ? r
		     : wf_fail(err, -ETIMEDOUT,
			       PROGRAM " did not make %s; is there a " TUN_DEVICE "?", name);
}
