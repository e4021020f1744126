/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting wireguard-go: a process of its own, in a mount namespace of its own. What comes out of
 * its tunnel goes through GRO: without, every packet is a walk of its own through programs, stack
 * and socket. Newer versions see to that themselves; for older ones we make the tun device.
 * Between fork() and exec() nothing takes locks.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/wireguard_priv.h"

#define PROGRAM_FOLDER "/var/run/wireguard"
/*
 * How long GRO keeps segments that may have successors, in nanoseconds. What ends a burst (PSH),
 * has no payload or is no TCP is not kept.
 */
#define GRO_WAIT_NS "100000"
/*
 * The last version that reads one packet at a time, with the header that tun puts in front unless
 * IFF_NO_PI is set: the day at the end of "0.0.20230223".
 */
#define LAST_PLAIN_VERSION 20230223
#define VERSION_START      "wireguard-go v0.0."

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

/* Lets GRO wait, by the /sys of the namespace that the device is in. */
static void keep_segments(const char *device)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "/sys/class/net/%s/gro_flush_timeout", device);
	if (mount("sysfs", "/sys", "sysfs", 0, NULL) < 0)
		return;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
		(void)!write(fd, GRO_WAIT_NS, sizeof(GRO_WAIT_NS) - 1);
}

/* What `wireguard-go --version` says, cut short; empty: nothing. */
static void ask_version(char *text, size_t size)
{
	char program[] = WF_WG_PROGRAM, option[] = "--version", path[] = "PATH=" WF_WG_PROGRAM_PATH;
	char *argv[] = { program, option, NULL }, *environment[] = { path, NULL };
	ssize_t len = 0;
	int ends[2];
	pid_t child;

	text[0] = '\0';
	if (pipe2(ends, O_CLOEXEC) < 0)
		return;
	child = fork();
	if (child == 0) {
		if (dup2(ends[1], STDOUT_FILENO) >= 0)
			(void)execvpe(WF_WG_PROGRAM, argv, environment);
		_exit(1);
	}
	(void)close(ends[1]);
	if (child > 0) {
		len = read(ends[0], text, size - 1);
		(void)waitpid(child, NULL, 0);
	}
	(void)close(ends[0]);
	text[len > 0 ? len : 0] = '\0';
}

/* Whether it is one for which the device is made here. */
static bool is_plain_version(void)
{
	char text[64];

	ask_version(text, sizeof(text));
	return strncmp(text, VERSION_START, strlen(VERSION_START)) == 0 &&
	       strtoul(text + strlen(VERSION_START), NULL, 10) <= LAST_PLAIN_VERSION;
}

/*
 * The device with GRO: its descriptor, which exec() leaves open. Negative: the program makes one
 * itself, which works as well, but slower.
 */
static int make_tun(const char *device)
{
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NAPI };
	int fd = is_plain_version() ? open(WF_WG_TUN_DEVICE, O_RDWR) : -1;

	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", device);
	if (fd >= 0 && ioctl(fd, TUNSETIFF, &request) < 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

/* The variable of its environment by which the program knows of a device that was made for it. */
static void prepare_tun(const char *device, char *variable, size_t size)
{
	int fd = make_tun(device);

	(void)snprintf(variable, size, "WG_TUN_FD=");
	if (fd < 0)
		return;
	keep_segments(device);
	(void)snprintf(variable, size, "WG_TUN_FD=%d", fd);
}

static void become_program(const char *folder, const char *name, int pipe_fd)
{
	char program[] = WF_WG_PROGRAM, foreground[] = "-f", device[16];
	char *argv[] = { program, foreground, device, NULL };
	char path[] = "PATH=" WF_WG_PROGRAM_PATH;
	char level[] = "LOG_LEVEL=error", quiet[] = "WG_PROCESS_FOREGROUND=1";
	char tun[24];
	char *environment[] = { path, level, quiet, tun, NULL };
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
	prepare_tun(device, tun, sizeof(tun));
	(void)execvpe(WF_WG_PROGRAM, argv, environment);
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

int wf_wg_go_launch(const char *folder, const char *name, struct wf_err *err)
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
		return wf_fail(err, r, "cannot start " WF_WG_PROGRAM ": %s", strerror(-r));
	(void)close(TAKE_FD(out));
	if (read(in, &failure, sizeof(failure)) != sizeof(failure))
		return 0;
	failure.step[sizeof(failure.step) - 1] = '\0';
	if (failure.code == ENOENT && strcmp(failure.step, "exec") == 0)
		return wf_wg_go_not_installed(err);
	return wf_fail(err, -failure.code, "cannot start " WF_WG_PROGRAM ": %s: %s", failure.step,
		       strerror(failure.code));
}
