/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log of the daemon's processes: one line per event on stderr when it is a terminal or a file,
 * structured fields (PRIORITY, WEFT_MODULE, KEY=value) through the native protocol when stderr
 * is journald's stream (JOURNAL_STREAM). Pure parts and drivers do not log; they return wf_err.
 *
 *   WF_LOG_MODULE(control);
 *   wf_log_info("network created", "network=%s", name);
 */
#ifndef WEFT_BASE_LOG_H
#define WEFT_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum wf_log_level {
	WF_LOG_ERROR,
	WF_LOG_WARNING,
	WF_LOG_INFO,
	WF_LOG_DEBUG,
	WF_LOG_LEVEL_COUNT,
};

/* Level of one module; registered at start-up, settable at run time. */
struct wf_log_module {
	const char *name;
	enum wf_log_level level;
	struct wf_log_module *next;
};

/* State of one rate-limited call site: at most 10 messages in 10 s, then a count. */
struct wf_log_rate {
	uint64_t window_start_ms;
	uint32_t printed;
	uint32_t suppressed;
};

#define WF_LOG_MODULE(module)                                                     \
	static struct wf_log_module this_module = { #module, WF_LOG_INFO, NULL }; \
	__attribute__((constructor)) static void register_this_module(void)       \
	{                                                                         \
		wf_log_register(&this_module);                                    \
	}                                                                         \
	struct wf_log_module

/*
 * what: a constant sentence without values. fields: a printf format of space-separated
 * key=value pairs ("" when none). A value that may hold spaces is quoted in the format,
 * error=\"%s\": nothing here can tell where a value ends.
 */
#define wf_log_error(what, ...) wf_log_write(&this_module, WF_LOG_ERROR, NULL, what, __VA_ARGS__)
#define wf_log_warning(what, ...) \
	wf_log_write(&this_module, WF_LOG_WARNING, NULL, what, __VA_ARGS__)
#define wf_log_info(what, ...)  wf_log_write(&this_module, WF_LOG_INFO, NULL, what, __VA_ARGS__)
#define wf_log_debug(what, ...) wf_log_write(&this_module, WF_LOG_DEBUG, NULL, what, __VA_ARGS__)

/* Mandatory on every path that a packet or a peer can trigger. */
#define wf_log_warning_rl(what, ...)                                                   \
	do {                                                                           \
		static struct wf_log_rate rate_;                                       \
		wf_log_write(&this_module, WF_LOG_WARNING, &rate_, what, __VA_ARGS__); \
	} while (0)

void wf_log_register(struct wf_log_module *module);

/* Preserves errno. rate may be NULL. Control characters in values are escaped. */
void wf_log_write(const struct wf_log_module *module, enum wf_log_level level,
		  struct wf_log_rate *rate, const char *what, const char *fields, ...)
	__attribute__((format(printf, 5, 6)));

/*
 * Sets levels from "info" or "warning,control=debug,dp=info". Returns 0, or -EINVAL (nothing
 * changed) when a level or module is unknown.
 */
int wf_log_set_levels(const char *spec);

/* Whether wf_log_set_levels() would accept spec; changes nothing. 0, -EINVAL or -ENOMEM. */
int wf_log_check_levels(const char *spec);

/* The names accepted for levels; NULL past the end. */
const char *wf_log_level_name(enum wf_log_level level);

/* Sends lines elsewhere (tests); NULL restores stderr. */
void wf_log_set_sink(void (*sink)(enum wf_log_level level, const char *line));

#endif
