/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The doctor's checks of weft's own programs: does the daemon run, is it this build, is it the
 * only one here, and is the CNI plugin that runtimes would call of the same version.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/doctor_priv.h"

#define PLUGIN_PATIENCE_MS 2000

/* ---- the daemon ---------------------------------------------------------------------------- */

static bool has_same_bytes(int a, int b)
{
	char left[16384], right[16384];
	off_t at = 0;

	for (;;) {
		ssize_t got = pread(a, left, sizeof(left), at);

		if (got < 0 || pread(b, right, sizeof(right), at) != got ||
		    memcmp(left, right, (size_t)got) != 0)
			return false;
		if (got == 0)
			return true;
		at += got;
	}
}

/* Whether a process runs this very program, be it under another name or deleted meanwhile. */
static bool runs_this_build(pid_t pid)
{
	_cleanup_close_ int its = -1, own = -1;
	char path[64];
	struct stat its_st, own_st;

	(void)snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	its = open(path, O_RDONLY | O_CLOEXEC);
	own = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (its < 0 || own < 0 || fstat(its, &its_st) < 0 || fstat(own, &own_st) < 0)
		return its < 0 && errno == EACCES;
	if (its_st.st_dev == own_st.st_dev && its_st.st_ino == own_st.st_ino)
		return true;
	return its_st.st_size == own_st.st_size && has_same_bytes(its, own);
}

static void check_daemon(struct doctor *doctor, const struct doctor_check *check,
			 struct doctor_result *result)
{
	if (!doctor->daemon) {
		wf_doctor_say(result, DOCTOR_NOTE,
			      "no weftd runs on %s; containers that are attached go on working",
			      doctor->config->run_dir);
		wf_doctor_advise(result, "Run: systemctl start weftd.");
	} else if (!runs_this_build(doctor->daemon)) {
		wf_doctor_say(result, DOCTOR_WARNING,
			      "the running weftd (pid %d) is another build than this one, %s",
			      (int)doctor->daemon, WEFT_VERSION);
		wf_doctor_advise(result, "Run: systemctl restart weftd (no connection is lost).");
	} else {
		wf_doctor_say(result, DOCTOR_OK, "weftd %s runs (pid %d)", WEFT_VERSION,
			      (int)doctor->daemon);
	}
}

struct others {
	size_t here;
	size_t elsewhere;
	pid_t pid; /* one of those here */
};

/* One-shot modes, this process among them, are no daemons. */
static bool is_one_shot(const struct doctor *doctor, pid_t pid)
{
	_cleanup_str_ struct wf_str line = WF_STR_INIT;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	if (!wf_doctor_read(doctor, path, &line))
		return true;
	for (size_t at = 0; at < line.len; at += strlen(line.data + at) + 1)
		if (strcmp(line.data + at, "--doctor") == 0 ||
		    strcmp(line.data + at, "--check") == 0 ||
		    strcmp(line.data + at, "--cleanup") == 0)
			return true;
	return false;
}

static bool see_other(struct doctor *doctor, pid_t pid, bool is_here, void *context)
{
	struct others *others = context;

	if (pid == doctor->daemon || pid == getpid() || is_one_shot(doctor, pid))
		return true;
	others->here += is_here;
	others->elsewhere += !is_here;
	if (is_here)
		others->pid = pid;
	return true;
}

static void check_others(struct doctor *doctor, const struct doctor_check *check,
			 struct doctor_result *result)
{
	struct others others = { 0 };

	wf_doctor_each_process(doctor, "weftd", see_other, &others);
	if (others.here) {
		wf_doctor_say(result, doctor->daemon ? DOCTOR_ERROR : DOCTOR_WARNING,
			      "another weftd (pid %d) works in this network namespace: both would "
			      "claim " WF_NET_HOST_DEVICE,
			      (int)others.pid);
		wf_doctor_advise(
			result,
			"Ask for its --run-dir (tr '\\0' ' ' < /proc/%d/cmdline), and stop "
			"one of them: kill %d.",
			(int)others.pid, (int)others.pid);
	} else if (others.elsewhere) {
		wf_doctor_say(result, DOCTOR_OK, "%zu other weftd run in other network namespaces",
			      others.elsewhere);
	} else {
		wf_doctor_say(result, DOCTOR_OK, "no other weftd runs on this host");
	}
}

/* ---- the plugin ---------------------------------------------------------------------------- */

static const char *const plugin_places[] = { "/opt/cni/bin/weft", "/usr/lib/cni/weft",
					     "/usr/libexec/cni/weft" };

static void be_plugin(const char *path, int out)
{
	char *const argv[] = { (char *)path, NULL };
	char *const environment[] = { NULL };
	int in = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (in >= 0 && dup2(in, STDIN_FILENO) >= 0 && dup2(in, STDOUT_FILENO) >= 0 &&
	    dup2(out, STDERR_FILENO) >= 0)
		(void)execve(path, argv, environment);
	_exit(127);
}

/* The first bytes that a program says, for as long as there is patience. */
static void listen_to(int fd, char *buf, size_t bytes)
{
	uint64_t end_ms = wf_clock_monotonic_ms() + PLUGIN_PATIENCE_MS;
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };
	size_t len = 0;

	while (len < bytes - 1) {
		uint64_t now_ms = wf_clock_monotonic_ms();
		ssize_t got;

		if (now_ms >= end_ms || poll(&pollfd, 1, (int)(end_ms - now_ms)) <= 0)
			break;
		got = read(fd, buf + len, bytes - 1 - len);
		if (got <= 0)
			break;
		len += (size_t)got;
	}
	buf[len] = '\0';
}

/* Without CNI_COMMAND the plugin says what it is. */
static int ask_plugin(const char *path, char *buf, size_t bytes)
{
	int fds[2];
	pid_t child;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	child = fork();
	if (child == 0)
		be_plugin(path, fds[1]);
	(void)close(fds[1]);
	if (child > 0)
		listen_to(fds[0], buf, bytes);
	(void)close(fds[0]);
	if (child < 0)
		return -EAGAIN;
	(void)kill(child, SIGKILL);
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		continue;
	return 0;
}

bool wf_doctor_plugin_version(const char *text, char *buf, size_t bytes)
{
	static const char intro[] = "CNI plugin weft ";
	const char *at = strstr(text, intro);
	size_t len;

	if (!at)
		return false;
	at += sizeof(intro) - 1;
	len = strcspn(at, ":\n");
	if (len == 0 || len >= bytes)
		return false;
	memcpy(buf, at, len);
	buf[len] = '\0';
	return true;
}

static void judge_plugin(const char *path, const struct stat *st, struct doctor_result *result)
{
	char text[256] = "", version[64];

	if (!(st->st_mode & 0111)) {
		wf_doctor_say(result, DOCTOR_ERROR, "%s is not executable", path);
		wf_doctor_advise(result, "Run: chmod 755 %s.", path);
	} else if ((st->st_uid != 0 && st->st_uid != geteuid()) || st->st_mode & 022) {
		wf_doctor_say(result, DOCTOR_ERROR,
			      "%s can be changed by others than root, and runtimes run it as root",
			      path);
		wf_doctor_advise(result, "Run: chown root:root %s && chmod 755 %s.", path, path);
	} else if (ask_plugin(path, text, sizeof(text)) < 0 ||
		   !wf_doctor_plugin_version(text, version, sizeof(version))) {
		wf_doctor_say(result, DOCTOR_ERROR, "%s does not answer as weft's plugin", path);
		wf_doctor_advise(result, "Install it again, and try it: %s.", path);
	} else if (strcmp(version, WEFT_VERSION) != 0) {
		wf_doctor_say(result, DOCTOR_WARNING, "%s is version %s, weftd is %s", path,
			      version, WEFT_VERSION);
		wf_doctor_advise(result, "Install the plugin of this version, and try it: %s.",
				 path);
	} else {
		wf_doctor_say(result, DOCTOR_OK, "%s is version %s too", path, version);
	}
}

static void check_plugin(struct doctor *doctor, const struct doctor_check *check,
			 struct doctor_result *result)
{
	for (size_t i = 0; i < WF_ARRAY_LEN(plugin_places); i++) {
		_cleanup_free_ char *path = wf_doctor_path(doctor, "%s", plugin_places[i]);
		struct stat st;

		if (path && stat(path, &st) == 0) {
			judge_plugin(path, &st, result);
			return;
		}
	}
	wf_doctor_say(result, DOCTOR_NOTE, "the CNI plugin is not installed (%s)",
		      plugin_places[0]);
	wf_doctor_advise(result,
			 "If a container runtime shall use weft, run: install -m 755 "
			 "weft-cni %s.",
			 plugin_places[0]);
}

const struct doctor_check wf_doctor_build_checks[] = {
	{ "weft.daemon", "daemon", check_daemon, NULL },
	{ "weft.others", "other daemons", check_others, NULL },
	{ "weft.plugin", "CNI plugin", check_plugin, NULL },
	DOCTOR_CHECKS_END,
};
