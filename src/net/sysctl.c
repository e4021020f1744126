/* SPDX-License-Identifier: Apache-2.0 */
/* Settings below /proc/sys/net/ that netlink has no message for. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "net/net_priv.h"

/* Whether the setting has the value already: then a read-only /proc/sys does not matter. */
static bool has_value(int fd, const char *value)
{
	size_t len = strlen(value);
	char now[64];
	ssize_t got = pread(fd, now, sizeof(now), 0);

	return got == (ssize_t)len + 1 && memcmp(now, value, len) == 0 && now[len] == '\n';
}

bool wf_net_sysctl_is(const char *path, const char *value)
{
	_cleanup_close_ int fd = -1;
	char file[256];

	(void)snprintf(file, sizeof(file), "/proc/sys/net/%s", path);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && has_value(fd, value);
}

int wf_net_sysctl_set(const char *path, const char *value, struct wf_err *err)
{
	_cleanup_close_ int reader = -1, writer = -1;
	char file[256];

	if (snprintf(file, sizeof(file), "/proc/sys/net/%s", path) >= (int)sizeof(file))
		return wf_fail(err, -EMSGSIZE, "sysctl net/%s has too long a name", path);
	reader = open(file, O_RDONLY | O_CLOEXEC);
	if (reader < 0)
		return wf_fail(err, -errno, "cannot read %s: %s", file, strerror(errno));
	if (has_value(reader, value))
		return 0;
	writer = open(file, O_WRONLY | O_CLOEXEC);
	if (writer < 0 || write(writer, value, strlen(value)) < 0)
		return wf_fail(err, -errno, "cannot set %s to %s: %s", file, value,
			       strerror(errno));
	return 0;
}
