/* SPDX-License-Identifier: Apache-2.0 */
/* The doctor's checks of the host itself: limits, clock, service unit. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "control/doctor_priv.h"

#define NOFILE_WANTED  4096
#define PID_MAX_WANTED 32768
/* No build of weft is older. */
#define EARLIEST_YEAR 2025

/* ---- limits -------------------------------------------------------------------------------- */

static void check_endpoints(struct doctor *doctor, const struct doctor_check *check,
			    struct doctor_result *result)
{
	const size_t limit = WF_MAX_SLOTS - 1;
	size_t count = doctor->links.endpoints;

	wf_doctor_say(result, count > limit / 10 * 9 ? DOCTOR_WARNING : DOCTOR_OK,
		      "%zu of %zu endpoints are in use", count, limit);
	if (result->status != DOCTOR_OK)
		wf_doctor_advise(result, "Detach what is no longer needed (weft endpoint ls), or "
					 "use another host for further containers.");
}

static void check_nofile(struct doctor *doctor, const struct doctor_check *check,
			 struct doctor_result *result)
{
	_cleanup_str_ struct wf_str text = WF_STR_INIT;
	char path[64];
	uint64_t limit;

	(void)snprintf(path, sizeof(path), "/proc/%d/limits", (int)doctor->daemon);
	if (!doctor->daemon || !wf_doctor_read(doctor, path, &text)) {
		wf_doctor_say(result, DOCTOR_OK,
			      "no weftd runs whose limit of open files could be "
			      "seen");
		return;
	}
	limit = wf_doctor_limit(wf_str_text(&text), "Max open files");
	wf_doctor_say(result, limit < NOFILE_WANTED ? DOCTOR_WARNING : DOCTOR_OK,
		      "weftd may open %llu files", (unsigned long long)limit);
	if (result->status != DOCTOR_OK)
		wf_doctor_advise(result, "Put LimitNOFILE=65536 into the service: systemctl edit "
					 "weftd; then: systemctl restart weftd.");
}

uint64_t wf_doctor_limit(const char *limits, const char *name)
{
	const char *line = strstr(limits, name);
	unsigned long long soft;

	return line && sscanf(line + strlen(name), "%llu", &soft) == 1 ? soft : UINT64_MAX;
}

static void check_pids(struct doctor *doctor, const struct doctor_check *check,
		       struct doctor_result *result)
{
	int64_t max = wf_doctor_number(doctor, "/proc/sys/kernel/pid_max");

	if (max >= 0 && max < PID_MAX_WANTED) {
		wf_doctor_say(result, DOCTOR_NOTE, "pid_max is %lld, little for a container host",
			      (long long)max);
		wf_doctor_advise(result, "Run: sysctl -w kernel.pid_max=4194304 (and put it in "
					 "/etc/sysctl.d).");
	} else {
		wf_doctor_say(result, DOCTOR_OK, "pid_max is %lld", (long long)max);
	}
}

/* ---- time ---------------------------------------------------------------------------------- */

static void check_clock(struct doctor *doctor, const struct doctor_check *check,
			struct doctor_result *result)
{
	time_t now = (time_t)wf_clock_wall_s();
	struct timex timex = { .modes = 0 };
	char text[WF_CLOCK_TEXT];
	struct stat st = { 0 };
	struct tm tm;

	(void)wf_clock_format(now, text);
	(void)stat("/proc/self/exe", &st);
	if ((gmtime_r(&now, &tm) && tm.tm_year + 1900 < EARLIEST_YEAR) || st.st_ctime > now + 60) {
		wf_doctor_say(result, DOCTOR_WARNING,
			      "the clock says %s, which is before weftd was installed", text);
		wf_doctor_advise(result, "Set it: timedatectl set-ntp true (or date -s).");
	} else if (adjtimex(&timex) >= 0 && timex.status & STA_UNSYNC) {
		wf_doctor_say(result, DOCTOR_NOTE, "the clock, %s, is not synchronised", text);
		wf_doctor_advise(result, "If times in logs shall agree with other hosts, run: "
					 "timedatectl set-ntp true.");
	} else {
		wf_doctor_say(result, DOCTOR_OK, "the clock is synchronised");
	}
}

/* ---- service ------------------------------------------------------------------------------- */

static void check_unit(struct doctor *doctor, const struct doctor_check *check,
		       struct doctor_result *result)
{
	static const char *const places[] = { "/etc/systemd/system/weftd.service",
					      "/usr/local/lib/systemd/system/weftd.service",
					      "/usr/lib/systemd/system/weftd.service",
					      "/lib/systemd/system/weftd.service" };
	_cleanup_free_ char *systemd = wf_doctor_path(doctor, "/run/systemd/system");
	_cleanup_str_ struct wf_str text = WF_STR_INIT;
	char watchdog[32];
	struct stat st;
	size_t i = 0;

	if (!systemd || stat(systemd, &st) < 0) {
		wf_doctor_say(result, DOCTOR_OK, "this host is not run by systemd");
		return;
	}
	while (i < WF_ARRAY_LEN(places) && !wf_doctor_read(doctor, places[i], &text))
		i++;
	if (i == WF_ARRAY_LEN(places)) {
		wf_doctor_say(result, DOCTOR_NOTE, "systemd has no weftd.service");
		wf_doctor_advise(result, "Install the unit, then run: systemctl enable --now "
					 "weftd.");
	} else if (!wf_doctor_setting(wf_str_text(&text), "WatchdogSec", watchdog,
				      sizeof(watchdog))) {
		wf_doctor_say(result, DOCTOR_NOTE, "%s has no watchdog", places[i]);
		wf_doctor_advise(result, "Put WatchdogSec=30 into [Service]: systemctl edit "
					 "weftd.");
	} else {
		wf_doctor_say(result, DOCTOR_OK, "%s restarts a weftd that hangs for %s", places[i],
			      watchdog);
	}
}

const struct doctor_check wf_doctor_host_checks[] = {
	{ "host.endpoints", "endpoints", check_endpoints, NULL },
	{ "host.nofile", "open files", check_nofile, NULL },
	{ "host.pids", "process ids", check_pids, NULL },
	{ "host.clock", "clock", check_clock, NULL },
	{ "host.unit", "service", check_unit, NULL },
	DOCTOR_CHECKS_END,
};
