/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

int wf_file_read(const char *path, size_t max_bytes, struct wf_str *ret_text, struct wf_err *err)
{
	_cleanup_(wf_str_done) struct wf_str text = WF_STR_INIT;
	_cleanup_close_ int opened = -1;
	char buf[16384];
	int fd = STDIN_FILENO;
	ssize_t got;

	if (strcmp(path, "-") != 0) {
		opened = open(path, O_RDONLY | O_CLOEXEC);
		if (opened < 0)
			return wf_fail(err, -errno, "cannot open %s: %s", path, strerror(errno));
		fd = opened;
	}
	while ((got = read(fd, buf, sizeof(buf))) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return wf_fail(err, -errno, "cannot read %s: %s", path, strerror(errno));
		if (text.len + (size_t)got > max_bytes)
			return wf_fail(err, -E2BIG, "%s is larger than %zu bytes", path, max_bytes);
		wf_str_add_bytes(&text, buf, (size_t)got);
	}
	if (text.failed)
		return wf_fail(err, -ENOMEM, "out of memory reading %s", path);
	wf_str_done(ret_text);
	*ret_text = text;
	text = (struct wf_str)WF_STR_INIT;
	return 0;
}

static int write_all(int fd, const char *bytes, size_t len)
{
	while (len) {
		ssize_t put = write(fd, bytes, len);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		bytes += put;
		len -= (size_t)put;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

int wf_file_write(const char *path, const void *bytes, size_t len, mode_t mode, struct wf_err *err)
{
	_cleanup_free_ char *temporary = NULL;
	_cleanup_close_ int fd = -1;
	int r;

	if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
		return wf_fail(err, -ENOMEM, "out of memory writing %s", path);
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return wf_fail(err, -errno, "cannot create %s: %s", temporary, strerror(errno));
	r = write_all(fd, bytes, len);
	if (r == 0 && (fchmod(fd, mode) < 0 || rename(temporary, path) < 0))
		r = -errno;
	if (r < 0) {
		(void)unlink(temporary);
		return wf_fail(err, r, "cannot write %s: %s", path, strerror(-r));
	}
	return 0;
}

int wf_file_make_dirs(const char *path, mode_t mode, struct wf_err *err)
{
	_cleanup_free_ char *copy = strdup(path);

	if (!copy)
		return wf_fail(err, -ENOMEM, "out of memory creating %s", path);
	for (char *at = copy + 1; *at; at++) {
		if (*at != '/')
			continue;
		*at = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return wf_fail(err, -errno, "cannot create directory %s: %s", copy,
				       strerror(errno));
		*at = '/';
	}
	if (mkdir(copy, mode) < 0 && errno != EEXIST)
		return wf_fail(err, -errno, "cannot create directory %s: %s", copy,
			       strerror(errno));
	return 0;
}

int wf_file_boot_id(char ret_id[37])
{
	_cleanup_close_ int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (read(fd, ret_id, 36) != 36)
		return -EIO;
	ret_id[36] = '\0';
	return 0;
}
