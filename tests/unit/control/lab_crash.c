/* SPDX-License-Identifier: Apache-2.0 */
/* Crash points, in the place of src/control/crash.c: control stops there, and the test goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "lab.h"

#define MAX_POINTS 32

static const char *crash_at;
static jmp_buf crash_back;
static char points[MAX_POINTS][32];
static size_t point_count;

/* What a crashed control leaves is lost on purpose. */
void __lsan_disable(void) __attribute__((weak));
void __lsan_enable(void) __attribute__((weak));

static void note_point(const char *name)
{
	for (size_t i = 0; i < point_count; i++)
		if (strcmp(points[i], name) == 0)
			return;
	if (point_count < MAX_POINTS)
		(void)snprintf(points[point_count++], sizeof(points[0]), "%s", name);
}

void wf_ctl_crash_point(const char *name)
{
	note_point(name);
	if (crash_at && strcmp(crash_at, name) == 0) {
		crash_at = NULL;
		longjmp(crash_back, 1);
	}
}

static int compare_points(const void *a, const void *b)
{
	return strcmp(a, b);
}

void lab_points(struct wf_str *out)
{
	qsort(points, point_count, sizeof(points[0]), compare_points);
	for (size_t i = 0; i < point_count; i++)
		wf_str_addf(out, "%s\n", points[i]);
}

/* False: the point was never passed. Apart from lab_crashes() for what longjmp() does to locals. */
static bool run_until_crash(struct lab *lab, void (*operation)(struct lab *lab))
{
	if (setjmp(crash_back))
		return true;
	operation(lab);
	return false;
}

bool lab_crashes(struct lab *lab, const char *point, void (*operation)(struct lab *lab))
{
	/* reachable for ever, so that the leak checker does not mourn them */
	static void *graveyard[8 * MAX_POINTS];
	static size_t buried;
	bool crashed;

	if (__lsan_disable)
		__lsan_disable();
	crash_at = point;
	crashed = run_until_crash(lab, operation);
	crash_at = NULL;
	if (__lsan_enable)
		__lsan_enable();
	if (!crashed)
		return false;
	assert_true(buried + 2 <= WF_ARRAY_LEN(graveyard));
	graveyard[buried++] = TAKE_PTR(lab->control);
	graveyard[buried++] = TAKE_PTR(lab->loop);
	return true;
}
