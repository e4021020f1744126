/* SPDX-License-Identifier: Apache-2.0 */
#include "lab.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define COMMAND_BYTES 4096

struct wf_addr lab_addr(const char *text)
{
	struct wf_addr addr;

	if (wf_addr_parse(text, &addr) < 0) {
		(void)fprintf(stderr, "no address: %s\n", text);
		abort();
	}
	return addr;
}

void lab_lb_memory(struct wf_dp *dp, struct wf_dp_lb_memory *ret_memory)
{
	wf_dp_lb_memory(dp, ret_memory);
	if (wf_dp_lb_reach(dp, WF_DP_LB_PAGES, ret_memory->page_count) < 0 ||
	    wf_dp_lb_reach(dp, WF_DP_LB_BACKENDS, ret_memory->backend_count) < 0 ||
	    wf_dp_lb_reach(dp, WF_DP_LB_SERVICES, ret_memory->service_count) < 0)
		abort();
}

void lab_enter(void)
{
	if (geteuid() != 0 || unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", "/tmp", "tmpfs", 0, NULL) < 0 ||
	    mount("tmpfs", "/run", "tmpfs", 0, NULL) < 0) {
		(void)fprintf(stderr, "skipped: needs root: %s\n", strerror(errno));
		exit(LAB_SKIP);
	}
	(void)mkdir("/tmp/weft-lab", 0700);
	lab_run("ip link set lo up");
}

pid_t lab_spawn(const char *netns, int (*run)(void *context), void *context)
{
	char path[128];
	pid_t pid = fork();
	int fd;

	if (pid != 0)
		return pid;
	(void)snprintf(path, sizeof(path), "/run/netns/%s", netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		_exit(126);
	_exit(run(context));
}

int lab_wait(pid_t pid)
{
	int status = 0;

	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return 255;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static int run(const char *format, va_list args)
{
	char command[COMMAND_BYTES];
	int status;

	(void)vsnprintf(command, sizeof(command), format, args);
	status = system(command); /* NOLINT: fixed commands of the tests */
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

int lab_try(const char *format, ...)
{
	va_list args;
	int status;

	va_start(args, format);
	status = run(format, args);
	va_end(args);
	return status;
}

void lab_run(const char *format, ...)
{
	va_list args;
	int status;

	va_start(args, format);
	status = run(format, args);
	va_end(args);
	if (status == 0)
		return;
	(void)fprintf(stderr, "failed with %d: %s\n", status, format);
	exit(EXIT_FAILURE);
}
