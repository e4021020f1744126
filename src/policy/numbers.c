/* SPDX-License-Identifier: Apache-2.0 */
/* Sorted lists of numbers; see atom.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/atom.h"

#include "base/mem.h"

int wf_numbers_add(struct wf_numbers *numbers, uint32_t number)
{
	if (wf_mem_grow(&numbers->items, sizeof(*numbers->items), numbers->count,
			&numbers->capacity) < 0)
		return -ENOMEM;
	numbers->items[numbers->count++] = number;
	return 0;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

void wf_numbers_sort(struct wf_numbers *numbers)
{
	size_t kept = 0;

	if (numbers->count < 2)
		return;
	qsort(numbers->items, numbers->count, sizeof(*numbers->items), compare);
	for (size_t i = 1; i < numbers->count; i++)
		if (numbers->items[i] != numbers->items[kept])
			numbers->items[++kept] = numbers->items[i];
	numbers->count = kept + 1;
}

void wf_numbers_remove(struct wf_numbers *numbers, uint32_t number)
{
	const uint32_t *at = numbers->count ? bsearch(&number, numbers->items, numbers->count,
						      sizeof(number), compare)
					    : NULL;
	size_t i;

	if (!at)
		return;
	i = (size_t)(at - numbers->items);
	memmove(&numbers->items[i], &numbers->items[i + 1],
		(numbers->count - i - 1) * sizeof(*numbers->items));
	numbers->count--;
}

void wf_numbers_done(struct wf_numbers *numbers)
{
	free(numbers->items);
	memset(numbers, 0, sizeof(*numbers));
}
