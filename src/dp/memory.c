/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arrays that programs and daemon share as memory: whole, as far as they are used, or a window of
 * whole pages.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"
#include "dp/dp_priv.h"

/* What is shown at least of an array that is shown as far as it is used. */
#define FIRST_STEP_BYTES ((size_t)16 * 1024)

static size_t round_up(size_t bytes, size_t page)
{
	return (bytes + page - 1) / page * page;
}

/* Bytes from one entry to the next: the kernel rounds up values to eight. */
static size_t stride(enum wf_dp_map map)
{
	return round_up(wf_dp_map_specs[map].value_bytes, 8);
}

size_t wf_dp_memory_bytes(const struct wf_dp *dp, enum wf_dp_map map)
{
	size_t bytes = stride(map) * wf_dp_map_entries(&wf_dp_map_specs[map], &dp->sizes);

	return round_up(bytes, (size_t)sysconf(_SC_PAGESIZE));
}

void *wf_dp_memory(struct wf_dp *dp, enum wf_dp_map map)
{
	void *memory;

	if (dp->memory[map])
		return dp->memory[map];
	memory = mmap(NULL, wf_dp_memory_bytes(dp, map), PROT_READ | PROT_WRITE, MAP_SHARED,
		      dp->map_fds[map], 0);
	if (memory == MAP_FAILED)
		return NULL;
	dp->memory[map] = memory;
	dp->shown_bytes[map] = wf_dp_memory_bytes(dp, map);
	return memory;
}

/* Addresses without memory; at: these, in place of what is there. */
static void *hide(void *at, size_t bytes)
{
	return mmap(at, bytes, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (at ? MAP_FIXED : 0), -1, 0);
}

void *wf_dp_memory_reserve(struct wf_dp *dp, enum wf_dp_map map)
{
	void *memory;

	if (dp->memory[map])
		return dp->memory[map];
	memory = hide(NULL, wf_dp_memory_bytes(dp, map));
	if (memory == MAP_FAILED)
		return NULL;
	dp->memory[map] = memory;
	dp->shown_bytes[map] = 0;
	return memory;
}

/*
 * Bytes to show for so many entries: a quarter more from step to step, so that growing stays cheap
 * and little is shown that nobody uses, for all that is shown counts as the daemon's memory.
 */
static size_t shown_for(const struct wf_dp *dp, enum wf_dp_map map, uint32_t count)
{
	size_t all = wf_dp_memory_bytes(dp, map), wanted = stride(map) * count, bytes;

	for (bytes = FIRST_STEP_BYTES; bytes < wanted && bytes < all;)
		bytes += bytes / 4 / FIRST_STEP_BYTES * FIRST_STEP_BYTES + FIRST_STEP_BYTES;
	return bytes < all ? bytes : all;
}

int wf_dp_memory_reach(struct wf_dp *dp, enum wf_dp_map map, uint32_t count)
{
	size_t shown = dp->shown_bytes[map], wanted = shown_for(dp, map, count);
	char *end = (char *)dp->memory[map] + shown;

	if (!dp->memory[map])
		return -EINVAL;
	if (wanted <= shown)
		return 0;
	if (mmap(end, wanted - shown, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		 dp->map_fds[map], (off_t)shown) == MAP_FAILED) {
		int r = -errno;

		/* a failure may have left a hole, into which something else would be mapped */
		(void)hide(end, wanted - shown);
		return r;
	}
	dp->shown_bytes[map] = wanted;
	return 0;
}

void wf_dp_memory_trim(struct wf_dp *dp, enum wf_dp_map map, uint32_t count)
{
	size_t shown = dp->shown_bytes[map], wanted = shown_for(dp, map, count);

	if (dp->memory[map] && wanted < shown &&
	    hide((char *)dp->memory[map] + wanted, shown - wanted) != MAP_FAILED)
		dp->shown_bytes[map] = wanted;
}

void wf_dp_memory_release(struct wf_dp *dp, enum wf_dp_map map)
{
	if (dp->memory[map])
		(void)munmap(TAKE_PTR(dp->memory[map]), wf_dp_memory_bytes(dp, map));
}

int wf_dp_window_open(const struct wf_dp *dp, enum wf_dp_map map, uint32_t first, uint32_t count,
		      struct wf_dp_window *ret_window)
{
	uint32_t entries = wf_dp_map_entries(&wf_dp_map_specs[map], &dp->sizes);
	size_t page = (size_t)sysconf(_SC_PAGESIZE), offset = first * stride(map);
	size_t lead = offset % page, bytes = round_up(lead + count * stride(map), page);
	void *base;

	if (!count || first >= entries || count > entries - first)
		return -ERANGE;
	base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, dp->map_fds[map],
		    (off_t)(offset - lead));
	if (base == MAP_FAILED)
		return -errno;
	*ret_window = (struct wf_dp_window){ (char *)base + lead, base, bytes };
	return 0;
}

void wf_dp_window_close(struct wf_dp_window *window)
{
	if (window->base)
		(void)munmap(window->base, window->bytes);
	memset(window, 0, sizeof(*window));
}
