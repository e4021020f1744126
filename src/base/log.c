/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes log lines. A terminal or file gets "LEVEL module: what key=value"; when stderr is
 * journald's stream (JOURNAL_STREAM names its device and inode) the native protocol is spoken,
 * with MESSAGE, PRIORITY, WEFT_MODULE and one WEFT_<KEY> per field.
 */
#include "base/log.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#define RATE_WINDOW_MS 10000
#define RATE_BURST     10

static struct wf_log_module *modules;
static void (*sink)(enum wf_log_level level, const char *line);
static int journal_fd = -1;
static bool journal_looked;

static const struct {
	const char *name;
	const char *label;
	int priority; /* syslog's */
} levels[WF_LOG_LEVEL_COUNT] = {
	[WF_LOG_ERROR] = { "error", "ERROR", 3 },
	[WF_LOG_WARNING] = { "warning", "WARN ", 4 },
	[WF_LOG_INFO] = { "info", "INFO ", 6 },
	[WF_LOG_DEBUG] = { "debug", "DEBUG", 7 },
};

void wf_log_register(struct wf_log_module *module)
{
	module->next = modules;
	modules = module;
}

void wf_log_set_sink(void (*new_sink)(enum wf_log_level level, const char *line))
{
	sink = new_sink;
}

const char *wf_log_level_name(enum wf_log_level level)
{
	return level < WF_LOG_LEVEL_COUNT ? levels[level].name : NULL;
}

static int level_from_name(const char *name)
{
	for (int i = 0; i < WF_LOG_LEVEL_COUNT; i++)
		if (strcmp(levels[i].name, name) == 0)
			return i;
	return -EINVAL;
}

static struct wf_log_module *module_find(const char *name)
{
	for (struct wf_log_module *m = modules; m; m = m->next)
		if (strcmp(m->name, name) == 0)
			return m;
	return NULL;
}

/* One item of the specification: "level" or "module=level". apply false: only check. */
static int set_one(char *item, bool apply)
{
	char *equals = strchr(item, '=');
	struct wf_log_module *module;
	int level;

	if (!equals) {
		level = level_from_name(item);
		for (module = modules; apply && level >= 0 && module; module = module->next)
			module->level = (enum wf_log_level)level;
		return level < 0 ? level : 0;
	}
	*equals = '\0';
	module = module_find(item);
	level = level_from_name(equals + 1);
	*equals = '=';
	if (!module || level < 0)
		return -EINVAL;
	if (apply)
		module->level = (enum wf_log_level)level;
	return 0;
}

/* Every item of the specification, checked or applied. */
static int set_all(const char *spec, bool apply)
{
	_cleanup_free_ char *copy = strdup(spec);
	char *rest = copy, *item;

	if (!copy)
		return -ENOMEM;
	while ((item = strsep(&rest, ",")))
		if (set_one(item, apply) < 0)
			return -EINVAL;
	return 0;
}

int wf_log_check_levels(const char *spec)
{
	return set_all(spec, false);
}

int wf_log_set_levels(const char *spec)
{
	int r = set_all(spec, false);

	return r < 0 ? r : set_all(spec, true);
}

static bool rate_allows(struct wf_log_rate *rate, uint32_t *ret_suppressed)
{
	uint64_t now_ms = wf_clock_monotonic_ms();

	*ret_suppressed = 0;
	if (!rate->window_start_ms || now_ms - rate->window_start_ms >= RATE_WINDOW_MS) {
		*ret_suppressed = rate->suppressed;
		*rate = (struct wf_log_rate){ .window_start_ms = now_ms };
	}
	if (rate->printed >= RATE_BURST) {
		rate->suppressed++;
		return false;
	}
	rate->printed++;
	return true;
}

/* Connects to journald when stderr is its stream; -1 otherwise. Looked for once. */
static int journal_socket(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	struct sockaddr_un address = { .sun_family = AF_UNIX,
				       .sun_path = "/run/systemd/journal/socket" };
	char own[64];
	struct stat st;

	if (journal_looked)
		return journal_fd;
	journal_looked = true;
	if (!stream || fstat(STDERR_FILENO, &st) < 0)
		return -1;
	(void)snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	if (strcmp(stream, own) != 0)
		return -1;
	journal_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (journal_fd >= 0 &&
	    connect(journal_fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		(void)close(journal_fd);
		journal_fd = -1;
	}
	return journal_fd;
}

/* "network=blue" as WEFT_NETWORK=blue; fields never hold newlines, they are escaped before. */
static void journal_add_fields(struct wf_str *out, const char *fields)
{
	_cleanup_free_ char *copy = strdup(fields);
	char *at = copy;

	while (at && *at) {
		char *equals = strchr(at, '='), *end;

		if (!equals)
			return;
		end = equals[1] == '"' ? strchr(equals + 2, '"') : strchr(equals, ' ');
		if (equals[1] == '"')
			memmove(equals + 1, equals + 2, strlen(equals + 2) + 1), end -= !!end;
		if (end)
			*end++ = '\0';
		wf_str_add(out, "WEFT_");
		for (; at < equals; at++)
			wf_str_addf(out, "%c", isalnum((unsigned char)*at) ? toupper(*at) : '_');
		wf_str_addf(out, "=%s\n", equals + 1);
		at = end;
		while (at && *at == ' ')
			at++;
	}
}

static bool journal_write(const struct wf_log_module *module, enum wf_log_level level,
			  const char *what, const char *fields)
{
	_cleanup_(wf_str_done) struct wf_str record = WF_STR_INIT;
	int fd = journal_socket();

	if (fd < 0)
		return false;
	wf_str_addf(&record,
		    "MESSAGE=%s%s%s\nPRIORITY=%d\nSYSLOG_IDENTIFIER=weftd\nWEFT_MODULE=%s\n", what,
		    *fields ? " " : "", fields, levels[level].priority, module->name);
	journal_add_fields(&record, fields);
	return !record.failed && send(fd, record.data, record.len, MSG_NOSIGNAL) >= 0;
}

void wf_log_write(const struct wf_log_module *module, enum wf_log_level level,
		  struct wf_log_rate *rate, const char *what, const char *fields, ...)
{
	_cleanup_(wf_str_done) struct wf_str raw = WF_STR_INIT;
	_cleanup_(wf_str_done) struct wf_str safe = WF_STR_INIT;
	int saved_errno = errno;
	uint32_t suppressed = 0;
	va_list args;

	if (level > module->level || (rate && !rate_allows(rate, &suppressed)))
		return;
	va_start(args, fields);
	wf_str_vaddf(&raw, fields, args);
	va_end(args);
	wf_str_add_escaped(&safe, wf_str_text(&raw));
	if (suppressed)
		wf_str_addf(&safe, " suppressed=%u", suppressed);
	if (sink || !journal_write(module, level, what, wf_str_text(&safe))) {
		_cleanup_(wf_str_done) struct wf_str line = WF_STR_INIT;

		wf_str_addf(&line, "%s %s: %s%s%s", levels[level].label, module->name, what,
			    safe.len ? " " : "", wf_str_text(&safe));
		if (sink)
			sink(level, wf_str_text(&line));
		else
			(void)dprintf(STDERR_FILENO, "%s\n", wf_str_text(&line));
	}
	errno = saved_errno;
}
