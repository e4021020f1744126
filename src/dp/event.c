/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Consuming the event ring. Reading it means mapping it, two megabytes of the daemon's memory:
 * that happens when events wait for the first time and ends when nobody observes any more.
 * The map's own descriptor is what the event loop polls.
 */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "dp/dp_priv.h"

static int deliver(void *context, void *record, size_t bytes)
{
	struct wf_dp *dp = context;
	struct wf_event event;

	/* another build of the same ABI may append members; a shorter record is not ours */
	if (bytes < sizeof(event))
		return 0;
	memcpy(&event, record, sizeof(event));
	dp->callback(&event, dp->callback_context);
	return 0;
}

int wf_dp_event_fd(const struct wf_dp *dp)
{
	return dp->map_fds[WF_DP_MAP_EVENTS];
}

int wf_dp_event_read(struct wf_dp *dp, wf_dp_event_fn callback, void *context)
{
	int r;

	if (!dp->ring)
		dp->ring = ring_buffer__new(dp->map_fds[WF_DP_MAP_EVENTS], deliver, dp, NULL);
	if (!dp->ring)
		return -errno;
	dp->callback = callback;
	dp->callback_context = context;
	r = ring_buffer__consume(dp->ring);
	dp->callback = NULL;
	wf_dp_event_release(dp);
	return r;
}

void wf_dp_event_release(struct wf_dp *dp)
{
	/* a callback may be what ended observing: the ring under it stays until it is done */
	if (!dp->observing && !dp->callback)
		ring_buffer__free(TAKE_PTR(dp->ring));
}
