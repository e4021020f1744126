/* SPDX-License-Identifier: Apache-2.0 */
/* How the doctor reads the host: small files, settings in them, directories and processes. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/doctor_priv.h"

#define FILE_MAX_BYTES (1U << 20)

char *wf_doctor_path(const struct doctor *doctor, const char *format, ...)
{
	_cleanup_free_ char *tail = NULL;
	char *path;
	va_list args;
	int r;

	va_start(args, format);
	r = vasprintf(&tail, format, args);
	va_end(args);
	if (r < 0) {
		tail = NULL;
		return NULL;
	}
	return asprintf(&path, "%s%s", doctor->root, tail) < 0 ? NULL : path;
}

bool wf_doctor_read(const struct doctor *doctor, const char *path, struct wf_str *ret_text)
{
	_cleanup_free_ char *full = wf_doctor_path(doctor, "%s", path);

	return full && wf_file_read(full, FILE_MAX_BYTES, ret_text, NULL) == 0;
}

int64_t wf_doctor_number(const struct doctor *doctor, const char *path)
{
	_cleanup_str_ struct wf_str text = WF_STR_INIT;
	uint64_t number;

	if (!wf_doctor_read(doctor, path, &text) || !text.len)
		return -1;
	while (text.len && isspace((unsigned char)text.data[text.len - 1]))
		text.data[--text.len] = '\0';
	return wf_str_to_u64(wf_str_text(&text), 0, INT64_MAX, &number) < 0 ? -1 : (int64_t)number;
}

/* The text behind "key:" or "key=" at the start of a line (spaces allowed); NULL: none. */
static const char *value_in_line(const char *line, const char *key)
{
	size_t len = strlen(key);

	line += strspn(line, " \t");
	if (strncmp(line, key, len) != 0)
		return NULL;
	line += len + strspn(line + len, " \t");
	if (*line != ':' && *line != '=')
		return NULL;
	return line + 1 + strspn(line + 1, " \t");
}

static const char *next_line(const char *line)
{
	const char *end = strchr(line, '\n');

	return end ? end + 1 : line + strlen(line);
}

uint64_t wf_doctor_field(const char *text, const char *key, int base, uint64_t fallback)
{
	for (const char *line = text; *line; line = next_line(line)) {
		const char *value = value_in_line(line, key);
		unsigned long long number;
		char *end;

		if (!value)
			continue;
		errno = 0;
		number = strtoull(value, &end, base);
		return errno || end == value ? fallback : number;
	}
	return fallback;
}

bool wf_doctor_setting(const char *text, const char *key, char *buf, size_t bytes)
{
	bool is_found = false;

	for (const char *line = text; *line; line = next_line(line)) {
		const char *value = value_in_line(line, key);
		size_t len;

		if (!value)
			continue;
		len = strcspn(value, "\r\n");
		while (len && (isspace((unsigned char)value[len - 1]) || value[len - 1] == '"'))
			len--;
		if (len && *value == '"') {
			value++;
			len--;
		}
		if (len >= bytes)
			continue;
		memcpy(buf, value, len);
		buf[len] = '\0';
		is_found = true;
	}
	return is_found;
}

static bool has_suffix(const char *name, const char *const *suffixes)
{
	size_t len = strlen(name);

	if (*name == '.')
		return false;
	for (; suffixes && *suffixes; suffixes++) {
		size_t suffix_len = strlen(*suffixes);

		if (len > suffix_len && strcmp(name + len - suffix_len, *suffixes) == 0)
			return true;
	}
	return !suffixes;
}

size_t wf_doctor_each_file(struct doctor *doctor, const char *dir, const char *const *suffixes,
			   doctor_file_fn visit, void *context)
{
	_cleanup_free_ char *full = wf_doctor_path(doctor, "%s", dir);
	struct dirent **entries;
	size_t seen = 0;
	int count = full ? scandir(full, &entries, NULL, alphasort) : -1;

	for (int i = 0; i < count; i++) {
		char path[512];

		if (has_suffix(entries[i]->d_name, suffixes) &&
		    snprintf(path, sizeof(path), "%s/%s", dir, entries[i]->d_name) <
			    (int)sizeof(path)) {
			seen++;
			if (visit)
				visit(doctor, path, context);
		}
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	return seen;
}

static bool is_here(const struct doctor *doctor, pid_t pid)
{
	_cleanup_free_ char *path = wf_doctor_path(doctor, "/proc/%d/ns/net", (int)pid);
	struct stat its, own;

	if (!path || stat(path, &its) < 0 || stat("/proc/self/ns/net", &own) < 0)
		return true;
	return its.st_ino == own.st_ino && its.st_dev == own.st_dev;
}

static bool has_name(const struct doctor *doctor, pid_t pid, const char *comm)
{
	_cleanup_str_ struct wf_str text = WF_STR_INIT;
	char path[64];
	size_t len = strnlen(comm, 15);

	(void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	return wf_doctor_read(doctor, path, &text) && strncmp(wf_str_text(&text), comm, len) == 0 &&
	       strcmp(wf_str_text(&text) + len, "\n") == 0;
}

void wf_doctor_each_process(struct doctor *doctor, const char *comm, doctor_process_fn visit,
			    void *context)
{
	_cleanup_free_ char *proc = wf_doctor_path(doctor, "/proc");
	DIR *dir = proc ? opendir(proc) : NULL;
	const struct dirent *entry;
	bool goes_on = true;

	while (dir && goes_on && (entry = readdir(dir))) {
		uint64_t pid;

		if (wf_str_to_u64(entry->d_name, 1, INT32_MAX, &pid) == 0 &&
		    has_name(doctor, (pid_t)pid, comm))
			goes_on = visit(doctor, (pid_t)pid, is_here(doctor, (pid_t)pid), context);
	}
	if (dir)
		(void)closedir(dir);
}

static bool note_here(struct doctor *doctor, pid_t pid, bool here, void *context)
{
	*(bool *)context |= here;
	return !here;
}

bool wf_doctor_is_running(struct doctor *doctor, const char *comm)
{
	bool is_running = false;

	wf_doctor_each_process(doctor, comm, note_here, &is_running);
	return is_running;
}
