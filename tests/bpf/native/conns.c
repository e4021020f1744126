/* SPDX-License-Identifier: Apache-2.0 */
/* The table of connections of native builds: memory and the queue of free records. */
#include "port.h"

#include <assert.h>
#include <sched.h>

struct native_conns native_conns;
void (*native_at_barrier)(void);
__thread __u32 native_random = 0x5eed;

static void set_timeouts(struct wf_conn_state *state)
{
	static const __u32 timeout_s[WF_CONN_PHASE_COUNT][WF_CONN_CLASS_COUNT] = {
		[WF_CONN_NEW] = { 60, 30, 30, 60 },
		[WF_CONN_ESTABLISHED] = { 21600, 120, 30, 600 },
		[WF_CONN_CLOSING] = { 30, 30, 30, 30 },
		[WF_CONN_CLOSED] = { 10, 10, 10, 10 },
	};

	memcpy(state->timeout_s, timeout_s, sizeof(timeout_s));
}

void native_conns_reset(__u32 max)
{
	struct wf_conn_state *state = &native_conns.state;

	assert(max <= NATIVE_CONNS && (max & (max - 1)) == 0);
	memset(state, 0, sizeof(*state));
	memset(native_conns.owners, 0, sizeof(native_conns.owners));
	memset(native_conns.records, 0, max * sizeof(struct wf_conn));
	memset(native_conns.buckets, 0, max / WF_CONN_PER_BUCKET * sizeof(struct wf_conn_bucket));
	native_conns.queue_first = 0;
	native_conns.queue_count = 0;
	state->max = max;
	state->buckets = max / WF_CONN_PER_BUCKET;
	state->layout = WF_CONN_LAYOUT_RUNS;
	state->high = 1;
	for (__u32 i = 0; i < WF_CONN_KEYS; i++)
		state->keys[i] = wf_random32();
	set_timeouts(state);
}

static void lock(void)
{
	while (__atomic_test_and_set(&native_conns.queue_lock, __ATOMIC_ACQUIRE))
		(void)sched_yield();
}

static void unlock(void)
{
	__atomic_clear(&native_conns.queue_lock, __ATOMIC_RELEASE);
}

int native_queue_pop(__u32 *ret_index)
{
	int r = -ENOENT;

	lock();
	if (native_conns.queue_count) {
		*ret_index = native_conns.queue[native_conns.queue_first++ % NATIVE_CONNS];
		native_conns.queue_count--;
		r = 0;
	}
	unlock();
	return r;
}

int native_queue_push(__u32 index)
{
	int r = -E2BIG;

	lock();
	if (native_conns.queue_count < native_conns.state.max) {
		native_conns.queue[(native_conns.queue_first + native_conns.queue_count++) %
				   NATIVE_CONNS] = index;
		r = 0;
	}
	unlock();
	return r;
}
