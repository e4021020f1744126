/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_clock.h"

#include <time.h>

#include "base/clock.h"

/* 2026-01-01T00:00:00Z and an hour after boot. */
#define WALL_S 1767225600

static uint64_t now_ms = 3600000;

void fake_clock_advance_ms(uint64_t ms)
{
	now_ms += ms;
}

static uint64_t tick_ms;

void fake_clock_tick_ms(uint64_t ms)
{
	tick_ms = ms;
}

uint64_t wf_clock_monotonic_ns(void)
{
	return now_ms * 1000000;
}

uint64_t wf_clock_monotonic_ms(void)
{
	now_ms += tick_ms;
	return now_ms;
}

int64_t wf_clock_wall_s(void)
{
	return WALL_S + (int64_t)(now_ms / 1000);
}

char *wf_clock_format(int64_t wall_s, char *buf)
{
	time_t wall = wall_s;
	struct tm utc;

	buf[0] = '\0';
	if (gmtime_r(&wall, &utc))
		(void)strftime(buf, WF_CLOCK_TEXT, "%Y-%m-%dT%H:%M:%SZ", &utc);
	return buf;
}
