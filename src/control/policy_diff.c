/* SPDX-License-Identifier: Apache-2.0 */
#include "control/policy_diff.h"

#include <stdint.h>
#include <string.h>

#include "base/mem.h"

/* Lines around a difference; and the largest table that is made to find the shortest one. */
#define AROUND    2
#define MAX_CELLS 4000000

struct lines {
	const char **items; /* owned list; the lines themselves are borrowed */
	size_t *lens;       /* owned */
	size_t count, capacity, len_capacity;
};

static void lines_done(struct lines *lines)
{
	free(lines->items);
	free(lines->lens);
}

static int split(const char *text, struct lines *lines)
{
	while (*text) {
		size_t len = strcspn(text, "\n");

		if (wf_mem_grow(&lines->items, sizeof(const char *), lines->count,
				&lines->capacity) < 0 ||
		    wf_mem_grow(&lines->lens, sizeof(size_t), lines->count, &lines->len_capacity) <
			    0)
			return -1;
		lines->items[lines->count] = text;
		lines->lens[lines->count++] = len;
		text += len + (text[len] == '\n');
	}
	return 0;
}

static bool same(const struct lines *a, size_t i, const struct lines *b, size_t k)
{
	return a->lens[i] == b->lens[k] && memcmp(a->items[i], b->items[k], a->lens[i]) == 0;
}

/* The middle of two texts, without what they have in common at both ends. */
struct middle {
	const struct lines *a, *b;
	size_t start, a_end, b_end;
	uint32_t *longest; /* owned; longest common run from (i, k) on; NULL: not compared */
	size_t width;
};

static void add_line(struct wf_str *out, char sign, const struct lines *lines, size_t index)
{
	wf_str_add_bytes(out, &sign, 1);
	wf_str_add_bytes(out, lines->items[index], lines->lens[index]);
	wf_str_add(out, "\n");
}

static uint32_t longest_at(const struct middle *middle, size_t i, size_t k)
{
	return middle->longest[(i - middle->start) * middle->width + (k - middle->start)];
}

static void fill_longest(struct middle *middle)
{
	size_t rows = middle->a_end - middle->start + 1;

	middle->width = middle->b_end - middle->start + 1;
	if (rows > MAX_CELLS / middle->width)
		return;
	middle->longest = calloc(rows * middle->width, sizeof(*middle->longest));
	for (size_t i = middle->a_end; middle->longest && i-- > middle->start;)
		for (size_t k = middle->b_end; k-- > middle->start;) {
			uint32_t down = longest_at(middle, i + 1, k);
			uint32_t right = longest_at(middle, i, k + 1);
			uint32_t best = down > right ? down : right;

			if (same(middle->a, i, middle->b, k))
				best = longest_at(middle, i + 1, k + 1) + 1;
			middle->longest[(i - middle->start) * middle->width + (k - middle->start)] =
				best;
		}
}

/* A run of lines in common between two differences: its ends only, when it is long. */
static void add_common(struct wf_str *out, const struct lines *lines, size_t first, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (count > 2 * AROUND + 1 && i == AROUND) {
			wf_str_add(out, " ...\n");
			i = count - AROUND;
		}
		add_line(out, ' ', lines, first + i);
	}
}

static void add_middle(const struct middle *middle, struct wf_str *out)
{
	size_t i = middle->start, k = middle->start;

	while (i < middle->a_end || k < middle->b_end) {
		size_t common = 0;

		while (middle->longest && i + common < middle->a_end &&
		       k + common < middle->b_end &&
		       same(middle->a, i + common, middle->b, k + common))
			common++;
		if (common) {
			add_common(out, middle->a, i, common);
			i += common;
			k += common;
			continue;
		}
		if (i < middle->a_end &&
		    (k == middle->b_end || !middle->longest ||
		     longest_at(middle, i + 1, k) >= longest_at(middle, i, k + 1)))
			add_line(out, '-', middle->a, i++);
		else
			add_line(out, '+', middle->b, k++);
	}
}

static void trim(struct middle *middle)
{
	middle->a_end = middle->a->count;
	middle->b_end = middle->b->count;
	while (middle->start < middle->a_end && middle->start < middle->b_end &&
	       same(middle->a, middle->start, middle->b, middle->start))
		middle->start++;
	while (middle->a_end > middle->start && middle->b_end > middle->start &&
	       same(middle->a, middle->a_end - 1, middle->b, middle->b_end - 1)) {
		middle->a_end--;
		middle->b_end--;
	}
}

void wf_ctl_diff(const char *before, const char *after, struct wf_str *out)
{
	_cleanup_(lines_done) struct lines a = { 0 }, b = { 0 };
	struct middle middle = { .a = &a, .b = &b };
	size_t from, tail;

	if (split(before, &a) < 0 || split(after, &b) < 0) {
		out->failed = true;
		return;
	}
	trim(&middle);
	if (middle.start == middle.a_end && middle.start == middle.b_end)
		return;
	from = middle.start > AROUND ? middle.start - AROUND : 0;
	if (from)
		wf_str_add(out, " ...\n");
	for (size_t i = from; i < middle.start; i++)
		add_line(out, ' ', &a, i);
	fill_longest(&middle);
	add_middle(&middle, out);
	free(middle.longest);
	tail = a.count - middle.a_end;
	for (size_t i = 0; i < tail && i < AROUND; i++)
		add_line(out, ' ', &a, middle.a_end + i);
	if (tail > AROUND)
		wf_str_add(out, " ...\n");
}
