/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets that count for a backend (least connections) and have ended without the hook that waits for
 * that: while it was not in force, or when weft was told so by nobody. Asked for at a start and at a
 * resync, never by the clock: what counts then is noted, and a moment later the kernel is asked which
 * sockets there are. In between every socket that was noted has become one that the kernel lists: the
 * hook that counts runs just before.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "control/control_priv.h"
#include "dp/lb.h"
#include "net/sock.h"

WF_LOG_MODULE(service);

static const struct timeval moment = { .tv_sec = 1 };

static int compare_cookies(const void *left, const void *right)
{
	const uint64_t *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

/* What was noted, and how many of that are not found yet. */
struct recount {
	const uint64_t *cookies; /* sorted */
	bool *found;             /* owned */
	size_t count, left;
};

static void see_cookie(uint64_t cookie, void *context)
{
	struct recount *recount = context;
	const uint64_t *place =
		bsearch(&cookie, recount->cookies, recount->count, sizeof(cookie), compare_cookies);

	if (!place || recount->found[place - recount->cookies])
		return;
	recount->found[place - recount->cookies] = true;
	recount->left--;
}

/* Those of containers, whose namespaces may be in several networks; until none is left. */
static int look_into_containers(struct wf_control *control, struct recount *recount)
{
	struct ctl_endpoint *endpoint, *next;
	int r = 0;

	HASH_ITER(by_name, control->endpoints, endpoint, next) {
		_cleanup_close_ int fd = -1;
		struct wf_net_ns_id id;

		/* a namespace that is gone has no sockets */
		if (r < 0 || !recount->left || !endpoint->spec.slot ||
		    wf_net_ns_open(endpoint->spec.netns, &fd, &id, NULL) < 0)
			continue;
		r = wf_net_cookies_visit(control->net, fd, see_cookie, recount, NULL);
	}
	return r;
}

static int look(struct wf_control *control, struct recount *recount)
{
	int r;

	recount->found = calloc(recount->count, sizeof(*recount->found));
	if (!recount->found)
		return -ENOMEM;
	r = wf_net_cookies_visit(control->net, -1, see_cookie, recount, NULL);
	return r < 0 ? r : look_into_containers(control, recount);
}

/* Nothing is taken away unless all sockets could be looked at. */
static void on_recount(evutil_socket_t fd, short what, void *context)
{
	struct wf_control *control = context;
	struct recount recount = { .cookies = control->lb.counted,
				   .count = control->lb.counted_count,
				   .left = control->lb.counted_count };

	(void)fd;
	(void)what;
	if (look(control, &recount) == 0) {
		for (size_t i = 0; i < recount.count; i++)
			if (!recount.found[i])
				wf_dp_sock_use_end(control->dp, recount.cookies[i]);
		if (recount.left)
			wf_log_info("sockets whose end nobody saw count no more", "count=%zu",
				    recount.left);
	}
	free(recount.found);
	wf_ctl_recount_stop(control);
}

void wf_ctl_recount_start(struct wf_control *control)
{
	wf_ctl_recount_stop(control);
	if (wf_dp_sock_uses(control->dp, &control->lb.counted, &control->lb.counted_count) < 0 ||
	    !control->lb.counted_count)
		return;
	qsort(control->lb.counted, control->lb.counted_count, sizeof(*control->lb.counted),
	      compare_cookies);
	control->lb.recount_timer = evtimer_new(control->loop, on_recount, control);
	if (control->lb.recount_timer)
		(void)evtimer_add(control->lb.recount_timer, &moment);
}

void wf_ctl_recount_stop(struct wf_control *control)
{
	if (control->lb.recount_timer)
		event_free(control->lb.recount_timer);
	control->lb.recount_timer = NULL;
	free(control->lb.counted);
	control->lb.counted = NULL;
	control->lb.counted_count = 0;
}
