/* SPDX-License-Identifier: Apache-2.0 */
#include "base/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

static const char *const kind_names[WF_SPOOL_KIND_COUNT] = { "detach", "gc" };

void wf_spool_add_dir(struct wf_str *path, const char *socket_path)
{
	const char *slash = strrchr(socket_path, '/');

	if (slash)
		wf_str_add_bytes(path, socket_path, (size_t)(slash - socket_path) + 1);
	wf_str_add(path, "spool");
}

/* FNV-1a with 128 bits; the text's NUL is hashed too, so that it separates members. */
static unsigned __int128 hash_text(unsigned __int128 hash, const char *text)
{
	const unsigned __int128 prime = ((unsigned __int128)1 << 88) | 0x13b;

	do {
		hash ^= (unsigned char)*text;
		hash *= prime;
	} while (*text++);
	return hash;
}

char *wf_spool_name(enum wf_spool_kind kind, const json_t *body, char *name)
{
	unsigned __int128 hash = ((unsigned __int128)0x6c62272e07bb0142 << 64) | 0x62b821756295c58d;

	if (kind == WF_SPOOL_DETACH) {
		hash = hash_text(hash, wf_json_str(body, "containerID", ""));
		hash = hash_text(hash, wf_json_str(body, "ifname", ""));
	}
	hash = hash_text(hash, wf_json_str(body, "network", ""));
	(void)snprintf(name, WF_SPOOL_NAME_BYTES, "%s-%016llx%016llx.json", kind_names[kind],
		       (unsigned long long)(hash >> 64), (unsigned long long)hash);
	return name;
}

/* What an entry is called; WF_SPOOL_KIND_COUNT when the file is none. */
static enum wf_spool_kind kind_of_name(const char *name)
{
	for (int kind = 0; kind < WF_SPOOL_KIND_COUNT; kind++) {
		size_t len = strlen(kind_names[kind]);

		if (strncmp(name, kind_names[kind], len) == 0 && name[len] == '-' &&
		    strspn(name + len + 1, "0123456789abcdef") == 32 &&
		    strcmp(name + len + 33, ".json") == 0)
			return (enum wf_spool_kind)kind;
	}
	return WF_SPOOL_KIND_COUNT;
}

/* Opens the directory if it is ours alone. */
static int open_dir(const char *dir, struct wf_err *err)
{
	_cleanup_close_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat status;

	if (fd < 0)
		return wf_fail(err, -errno, "cannot open the spool %s: %s", dir, strerror(errno));
	if (fstat(fd, &status) < 0)
		return wf_fail(err, -errno, "cannot stat the spool %s: %s", dir, strerror(errno));
	if (status.st_uid != geteuid() || (status.st_mode & 022))
		return wf_fail(
			err, -EPERM,
			"the spool %s can be written by others: owner %u, mode %04o; it must "
			"belong to the user of weftd with mode 0700",
			dir, status.st_uid, status.st_mode & 07777);
	return TAKE_FD(fd);
}

static int make_dir(const char *dir, struct wf_err *err)
{
	if (mkdir(dir, 0700) == 0 || errno == EEXIST)
		return 0;
	return wf_fail(err, -errno, "cannot create the spool %s: %s", dir, strerror(errno));
}

/* Counts entries; the limit keeps a stopped daemon from filling the file system. */
static int check_room(int dir_fd, const char *dir, struct wf_err *err)
{
	_cleanup_close_ int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	size_t count = 0;

	if (!stream)
		return wf_fail(err, -errno, "cannot read the spool %s: %s", dir, strerror(errno));
	(void)TAKE_FD(fd);
	while (readdir(stream))
		count++;
	(void)closedir(stream);
	if (count < WF_SPOOL_MAX_ENTRIES)
		return 0;
	return wf_fail(err, -ENOSPC, "the spool %s is full (%zu entries): start weftd", dir, count);
}

static char *entry_text(enum wf_spool_kind kind, const json_t *body)
{
	_cleanup_json_ json_t *entry = json_object();
	char boot_id[37];

	/* not json_copy(), which drops members without memory */
	if (!entry || json_object_update(entry, (json_t *)body) < 0 ||
	    wf_json_set_str(entry, "kind", kind_names[kind]) < 0 ||
	    json_object_set_new(entry, "time", json_integer(wf_clock_wall_s())) < 0)
		return NULL;
	if (wf_file_boot_id(boot_id) == 0 && wf_json_set_str(entry, "bootID", boot_id) < 0)
		return NULL;
	return wf_json_text(entry);
}

static int write_bytes(int fd, const char *bytes, size_t len)
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
	return 0;
}

/* A temporary file of this process, renamed when complete: a reader sees all of it or nothing. */
static int write_entry(int dir_fd, const char *name, const char *text)
{
	char temporary[WF_SPOOL_NAME_BYTES + 32];
	_cleanup_close_ int fd = -1;
	int r;

	(void)snprintf(temporary, sizeof(temporary), ".%s.%ld", name, (long)getpid());
	(void)unlinkat(dir_fd, temporary, 0);
	fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = write_bytes(fd, text, strlen(text));
	if (r == 0 && renameat(dir_fd, temporary, dir_fd, name) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(dir_fd, temporary, 0);
	return r;
}

int wf_spool_write(const char *dir, enum wf_spool_kind kind, const json_t *body, struct wf_err *err)
{
	_cleanup_free_ char *text = entry_text(kind, body);
	_cleanup_close_ int dir_fd = -1;
	char name[WF_SPOOL_NAME_BYTES];
	int r;

	if (!text)
		return wf_fail(err, -ENOMEM, "out of memory writing to the spool %s", dir);
	r = make_dir(dir, err);
	if (r < 0)
		return r;
	dir_fd = open_dir(dir, err);
	if (dir_fd < 0)
		return dir_fd;
	r = check_room(dir_fd, dir, err);
	if (r < 0)
		return r;
	r = write_entry(dir_fd, wf_spool_name(kind, body, name), text);
	if (r < 0)
		return wf_fail(err, r, "cannot write to the spool %s: %s", dir, strerror(-r));
	return 0;
}

bool wf_spool_has(const char *dir, const char *name)
{
	_cleanup_close_ int dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return dir_fd >= 0 && faccessat(dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int wf_spool_remove(const char *dir, const char *name)
{
	_cleanup_close_ int dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (dir_fd < 0)
		return errno == ENOENT ? 0 : -errno;
	return unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

struct entries {
	struct wf_spool_entry *items; /* owned, with their bodies */
	size_t count;
	size_t capacity;
};

static void entries_done(struct entries *entries)
{
	for (size_t i = 0; i < entries->count; i++)
		json_decref(entries->items[i].body);
	free(entries->items);
}

static int read_text(int dir_fd, const char *name, struct wf_str *text)
{
	_cleanup_close_ int fd =
		openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat status;
	char buf[16384];
	ssize_t got;

	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -EINVAL;
	while ((got = read(fd, buf, sizeof(buf))) != 0) {
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (text->len + (size_t)got > WF_JSON_MAX_BYTES)
			return -E2BIG;
		wf_str_add_bytes(text, buf, (size_t)got);
	}
	return text->failed ? -ENOMEM : 0;
}

/* Whether a body has what its request needs; more the daemon checks as with any client. */
static bool is_complete(enum wf_spool_kind kind, const json_t *body)
{
	if (!json_is_object(body))
		return false;
	if (kind == WF_SPOOL_GC)
		return *wf_json_str(body, "network", "") &&
		       json_is_array(json_object_get(body, "valid"));
	return *wf_json_str(body, "containerID", "") && *wf_json_str(body, "ifname", "");
}

/* 0, -EINVAL for a file that is no entry, other errors when it could not be read now. */
static int read_entry(int dir_fd, const char *name, struct wf_spool_entry *ret_entry)
{
	_cleanup_(wf_str_done) struct wf_str text = WF_STR_INIT;
	struct wf_spool_entry entry = { .kind = kind_of_name(name) };
	_cleanup_json_ json_t *body = NULL;
	int r;

	if (entry.kind == WF_SPOOL_KIND_COUNT)
		return -EINVAL;
	r = read_text(dir_fd, name, &text);
	if (r < 0)
		return r == -E2BIG ? -EINVAL : r;
	if (wf_json_parse(wf_str_text(&text), text.len, &body, NULL) < 0 ||
	    !is_complete(entry.kind, body))
		return -EINVAL;
	entry.time_s = wf_json_int(body, "time", 0);
	(void)wf_str_copy(entry.boot_id, sizeof(entry.boot_id), wf_json_str(body, "bootID", ""));
	(void)wf_str_copy(entry.name, sizeof(entry.name), name);
	for (size_t i = 0; i < 3; i++)
		(void)json_object_del(body, (const char *[]){ "kind", "time", "bootID" }[i]);
	entry.body = TAKE_PTR(body);
	*ret_entry = entry;
	return 0;
}

static int compare_entries(const void *left, const void *right)
{
	const struct wf_spool_entry *a = left, *b = right;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->time_s != b->time_s)
		return a->time_s < b->time_s ? -1 : 1;
	return strcmp(a->name, b->name);
}

static int gather(int dir_fd, DIR *stream, struct entries *entries, size_t *bad)
{
	const struct dirent *file;
	struct wf_spool_entry entry;
	int r;

	while ((file = readdir(stream))) {
		/* names with a dot in front are entries being written */
		if (file->d_name[0] == '.')
			continue;
		r = read_entry(dir_fd, file->d_name, &entry);
		if (r == -EINVAL || r == -ELOOP) {
			(void)unlinkat(dir_fd, file->d_name, 0);
			(*bad)++;
			continue;
		}
		if (r < 0)
			continue;
		r = wf_mem_grow(&entries->items, sizeof(entry), entries->count, &entries->capacity);
		if (r < 0) {
			json_decref(entry.body);
			return r;
		}
		entries->items[entries->count++] = entry;
	}
	return 0;
}

int wf_spool_drain(const char *dir, wf_spool_visit_fn visit, void *context, size_t *ret_bad,
		   struct wf_err *err)
{
	_cleanup_(entries_done) struct entries entries = { 0 };
	_cleanup_close_ int dir_fd = -1;
	size_t bad = 0;
	DIR *stream;
	int r, done = 0;

	if (access(dir, F_OK) < 0 && errno == ENOENT)
		return 0;
	dir_fd = open_dir(dir, err);
	if (dir_fd < 0)
		return dir_fd;
	stream = opendir(dir);
	if (!stream)
		return wf_fail(err, -errno, "cannot read the spool %s: %s", dir, strerror(errno));
	r = gather(dir_fd, stream, &entries, &bad);
	(void)closedir(stream);
	if (r < 0)
		return wf_fail(err, r, "out of memory reading the spool %s", dir);
	if (entries.count)
		qsort(entries.items, entries.count, sizeof(*entries.items), compare_entries);
	for (size_t i = 0; i < entries.count; i++) {
		if (visit(&entries.items[i], context) != 0)
			continue;
		if (unlinkat(dir_fd, entries.items[i].name, 0) == 0)
			done++;
	}
	if (ret_bad)
		*ret_bad = bad;
	return done;
}
