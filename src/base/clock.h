/* SPDX-License-Identifier: Apache-2.0 */
/* Time. Timers run on the monotonic clock only; wall time is for people. */
#ifndef WEFT_BASE_CLOCK_H
#define WEFT_BASE_CLOCK_H

#include <stdint.h>

/* Enough for "2026-11-21T07:38:45Z", NUL included. */
#define WF_CLOCK_TEXT 24

uint64_t wf_clock_monotonic_ns(void); /* CLOCK_MONOTONIC, the clock of bpf_ktime_get_ns() */
uint64_t wf_clock_monotonic_ms(void);
int64_t wf_clock_wall_s(void);

/* RFC 3339 in UTC with seconds, as Kubernetes writes it; returns buf. */
char *wf_clock_format(int64_t wall_s, char *buf);

#endif
