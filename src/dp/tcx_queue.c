/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who shall have a program on tcx, and the thread that sees to it: each change keeps its caller waiting
 * until all CPUs have seen it, which the daemon's loop must not be.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/thread.h"
#include "dp/dp_priv.h"
#include "dp/tcx.h"

struct wish {
	uint32_t ifindex;
	bool off;
};

struct wf_dp_tcx_queue {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed; /* something is wanted, or the end is */
	int program_fd;         /* borrowed of dp, which outlives this */

	/* under lock */
	struct wish *wishes; /* owned */
	size_t count, capacity;
	bool is_ending;
};

/* Errors have been said to be left alone: the endpoint goes on with its filter. */
static void fulfil(struct wf_dp_tcx_queue *queue, const struct wish *wish)
{
	if (wish->off)
		(void)wf_dp_tcx_take(wish->ifindex);
	else
		(void)wf_dp_tcx_put(wish->ifindex, queue->program_fd);
}

static void *run(void *context)
{
	struct wf_dp_tcx_queue *queue = context;

	(void)pthread_mutex_lock(&queue->lock);
	while (!queue->is_ending) {
		struct wish wish;

		if (!queue->count) {
			(void)pthread_cond_wait(&queue->changed, &queue->lock);
			continue;
		}
		wish = queue->wishes[--queue->count];
		(void)pthread_mutex_unlock(&queue->lock);
		fulfil(queue, &wish);
		(void)pthread_mutex_lock(&queue->lock);
	}
	(void)pthread_mutex_unlock(&queue->lock);
	return NULL;
}

/* With the first wish: most hosts of a test, and many others, never have one. */
static int start(struct wf_dp *dp)
{
	struct wf_dp_tcx_queue *queue = calloc(1, sizeof(*queue));
	int r;

	if (!queue)
		return -ENOMEM;
	queue->program_fd = dp->prog_fds[WF_DP_FROM_CONTAINER];
	(void)pthread_mutex_init(&queue->lock, NULL);
	(void)pthread_cond_init(&queue->changed, NULL);
	r = wf_thread_start(&queue->thread, run, queue);
	if (r < 0) {
		free(queue);
		return r;
	}
	dp->tcx_queue = queue;
	return 0;
}

/* With the lock. */
static int add(struct wf_dp_tcx_queue *queue, struct wish wish)
{
	int r;

	for (size_t i = 0; i < queue->count; i++)
		if (queue->wishes[i].ifindex == wish.ifindex) {
			queue->wishes[i] = wish;
			return 0;
		}
	r = wf_mem_grow(&queue->wishes, sizeof(wish), queue->count, &queue->capacity);
	if (r == 0)
		queue->wishes[queue->count++] = wish;
	return r;
}

int wf_dp_tcx_want(struct wf_dp *dp, uint32_t ifindex, bool off)
{
	int r = dp->tcx_queue ? 0 : start(dp);

	if (r < 0)
		return r;
	(void)pthread_mutex_lock(&dp->tcx_queue->lock);
	r = add(dp->tcx_queue, (struct wish){ .ifindex = ifindex, .off = off });
	(void)pthread_cond_signal(&dp->tcx_queue->changed);
	(void)pthread_mutex_unlock(&dp->tcx_queue->lock);
	return r;
}

void wf_dp_tcx_end(struct wf_dp *dp)
{
	struct wf_dp_tcx_queue *queue = TAKE_PTR(dp->tcx_queue);

	if (!queue)
		return;
	(void)pthread_mutex_lock(&queue->lock);
	queue->is_ending = true;
	(void)pthread_cond_signal(&queue->changed);
	(void)pthread_mutex_unlock(&queue->lock);
	(void)pthread_join(queue->thread, NULL);
	(void)pthread_cond_destroy(&queue->changed);
	(void)pthread_mutex_destroy(&queue->lock);
	free(queue->wishes);
	free(queue);
}
