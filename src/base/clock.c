/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <string.h>
#include <time.h>

uint64_t wf_clock_monotonic_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

uint64_t wf_clock_monotonic_ms(void)
{
	return wf_clock_monotonic_ns() / 1000000U;
}

int64_t wf_clock_wall_s(void)
{
	return time(NULL);
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
