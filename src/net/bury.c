/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Burying links. Deleting one keeps the caller waiting for 15 ms (grace periods, without any
 * lock), and everybody else who changes links for 0.25 ms per link and a grace period (under the
 * kernel's one lock). So links are put into a dead group and down, and a thread deletes them when
 * nobody has changed links for a moment, a group by one message: an attach hardly ever waits for
 * it. If that moment does not come, it begins when much is buried, or for long. Groups are small
 * (a link with a program on tcx, which costs a grace period under the lock, has one for itself),
 * so that nobody waits long behind the lock, and grow with the backlog, so that the thread keeps
 * up. It sleeps while nothing is buried, and never enters a namespace: for interfaces without a
 * host side it is handed a socket that is already inside.
 */
#include <errno.h>
#include <linux/net_namespace.h>
#include <net/if.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "net/net_priv.h"

/* How long nobody must have changed links. */
#define QUIET_MS 50
/*
 * How many buried links, and how long the oldest of them has waited, make the thread go on
 * regardless. Who comes back to the same namespace before that puts the old interface aside.
 */
#define PRESSING_COUNT 192
#define PRESSING_MS    250
/* Links of a group: so many, or one of so many that wait already. One that is slow counts as many. */
#define GROUP_LINKS   4
#define BACKLOG_SHARE 32
/* The thread calls nothing deep; the default of 8 MiB would only be address space. */

/* A buried interface inside a namespace. */
struct inner_grave {
	struct wf_netlink_socket inside;
	uint32_t ifindex;
};

struct wf_grave {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t work; /* something was buried, or a flush or the end was asked for */
	pthread_cond_t done; /* a round is finished */
	bool has_locks, has_thread;

	/* under lock */
	struct inner_grave *inner; /* owned */
	size_t inner_count, inner_capacity;
	size_t links[WF_NET_DEAD_GROUPS]; /* buried, per group; a slow one counts as GROUP_LINKS */
	uint64_t begun_ms[WF_NET_DEAD_GROUPS]; /* when the first of them was */
	size_t first, current; /* groups are used in turn: the next to dig, the one to fill */
	size_t pending;        /* all of links[] */
	uint64_t busy_ms;      /* when links were last changed */
	uint64_t since_ms;     /* since when there is something to do */
	bool has_leftovers;    /* somebody saw what an earlier process buried, or may have */
	bool is_digging;
	unsigned int flushes; /* callers that wait: dig at once */
	bool is_ending;
	int code; /* of the last round that failed, until it is told */
	char text[160];

	/* the thread's own */
	struct wf_netlink_socket socket;
	struct wf_netlink_batch batch;
};

static void put_delete_group(struct wf_netlink_batch *batch, size_t group)
{
	static const struct ifinfomsg header;

	wf_netlink_batch_begin(batch, RTM_DELLINK, 0, &header, sizeof(header));
	wf_netlink_put_u32(batch, IFLA_GROUP, (uint32_t)(WF_NET_GROUP_DEAD + group));
	/* ENODEV: nobody is in the group, all went with their namespaces */
	wf_netlink_batch_tolerate(batch, -ENODEV);
}

static int delete_group(struct wf_grave *grave, size_t group, struct wf_err *err)
{
	wf_netlink_batch_clear(&grave->batch);
	put_delete_group(&grave->batch, group);
	return wf_netlink_transact(&grave->socket, &grave->batch, NULL, NULL, NULL, err);
}

/* The namespaces that the own one has numbers for: all that weft attached anything to are among them. */
struct numbers {
	int32_t *items; /* owned */
	size_t count, capacity;
	bool failed; /* out of memory */
};

static void note_number(const struct nlmsghdr *message, void *context)
{
	const struct nlattr *table[NETNSA_NSID + 1];
	struct numbers *numbers = context;

	wf_netlink_attrs(message, sizeof(struct rtgenmsg), table, NETNSA_NSID);
	if (!table[NETNSA_NSID])
		return;
	if (wf_mem_grow(&numbers->items, sizeof(*numbers->items), numbers->count,
			&numbers->capacity) < 0)
		numbers->failed = true;
	else
		numbers->items[numbers->count++] = (int32_t)wf_netlink_u32(table[NETNSA_NSID], 0);
}

/* The same inside another namespace; the first group is the one that is used there. */
static int delete_inside(struct wf_grave *grave, int32_t nsid, struct wf_err *err)
{
	wf_netlink_batch_clear(&grave->batch);
	put_delete_group(&grave->batch, 0);
	wf_netlink_put_u32(&grave->batch, IFLA_TARGET_NETNSID, (uint32_t)nsid);
	return wf_netlink_transact(&grave->socket, &grave->batch, NULL, NULL, NULL, err);
}

/* Interfaces that the host does not see: without a document nobody knows of them any more. */
static int delete_inner_leftovers(struct wf_grave *grave, struct wf_err *err)
{
	static const struct rtgenmsg header = { .rtgen_family = AF_UNSPEC };
	struct numbers numbers = { 0 };
	int r;

	wf_netlink_batch_clear(&grave->batch);
	wf_netlink_batch_begin(&grave->batch, RTM_GETNSID, 0, &header, sizeof(header));
	r = wf_netlink_dump(&grave->socket, &grave->batch, note_number, &numbers, err);
	if (r == 0 && numbers.failed)
		r = wf_fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; r == 0 && i < numbers.count; i++) {
		r = delete_inside(grave, numbers.items[i], err);
		/* it went meanwhile, and all in it */
		r = r == -EINVAL ? 0 : r;
	}
	free(numbers.items);
	return r;
}

/* What an earlier process buried and did not live to delete. */
static int delete_leftovers(struct wf_grave *grave, struct wf_err *err)
{
	int r;

	wf_netlink_batch_clear(&grave->batch);
	for (size_t group = 0; group < WF_NET_DEAD_GROUPS; group++)
		put_delete_group(&grave->batch, group);
	r = wf_netlink_transact(&grave->socket, &grave->batch, NULL, NULL, NULL, err);
	return r < 0 ? r : delete_inner_leftovers(grave, err);
}

static int delete_inner(struct wf_grave *grave, struct inner_grave *inner, struct wf_err *err)
{
	const struct ifinfomsg header = { .ifi_index = (int)inner->ifindex };
	int r;

	wf_netlink_batch_clear(&grave->batch);
	wf_netlink_batch_begin(&grave->batch, RTM_DELLINK, 0, &header, sizeof(header));
	wf_netlink_batch_tolerate(&grave->batch, -ENODEV);
	r = wf_netlink_transact(&inner->inside, &grave->batch, NULL, NULL, NULL, err);
	wf_netlink_close(&inner->inside);
	return r;
}

static bool has_work(const struct wf_grave *grave)
{
	return grave->pending || grave->inner_count || grave->has_leftovers;
}

/* The oldest group with links in it; there is one. */
static size_t oldest_group(struct wf_grave *grave)
{
	while (!grave->links[grave->first % WF_NET_DEAD_GROUPS])
		grave->first++;
	return grave->first % WF_NET_DEAD_GROUPS;
}

/* Whether it cannot wait until nobody changes links. */
static bool is_pressing(struct wf_grave *grave, uint64_t now_ms)
{
	uint64_t oldest_ms = grave->since_ms;

	if (grave->pending)
		oldest_ms = grave->begun_ms[oldest_group(grave)];
	return grave->flushes || grave->is_ending || grave->pending >= PRESSING_COUNT ||
	       now_ms - oldest_ms >= PRESSING_MS;
}

/* Waits, with the lock, for something to do and the time to do it. */
static void gather(struct wf_grave *grave)
{
	while (!has_work(grave) && !grave->is_ending)
		(void)pthread_cond_wait(&grave->work, &grave->lock);
	for (;;) {
		uint64_t now_ms = wf_clock_monotonic_ms(), until_ms = grave->busy_ms + QUIET_MS;
		const struct timespec until = { .tv_sec = (time_t)(until_ms / 1000),
						.tv_nsec = (long)(until_ms % 1000) * 1000000L };

		if (now_ms >= until_ms || is_pressing(grave, now_ms))
			return;
		(void)pthread_cond_timedwait(&grave->work, &grave->lock, &until);
	}
}

/* Something was buried, with the lock: the thread is told of the first and when it is urgent. */
static void tell(struct wf_grave *grave, bool had_work)
{
	grave->busy_ms = wf_clock_monotonic_ms();
	if (!had_work)
		grave->since_ms = grave->busy_ms;
	if (!had_work || grave->pending >= PRESSING_COUNT)
		(void)pthread_cond_signal(&grave->work);
}

void wf_net_grave_disturb(struct wf_grave *grave)
{
	(void)pthread_mutex_lock(&grave->lock);
	grave->busy_ms = wf_clock_monotonic_ms();
	(void)pthread_mutex_unlock(&grave->lock);
}

/* The oldest group; burials from now on go into others. */
static size_t take_group(struct wf_grave *grave)
{
	size_t group = oldest_group(grave);

	grave->first++;
	if (grave->current < grave->first)
		grave->current = grave->first;
	grave->pending -= grave->links[group];
	grave->links[group] = 0;
	return group;
}

/* Deletes one group, one inner interface or the leftovers; called with the lock, works without. */
static void dig(struct wf_grave *grave)
{
	const bool has_group = grave->pending > 0, has_inner = !has_group && grave->inner_count;
	struct wf_err err = WF_ERR_INIT;
	struct inner_grave inner = { 0 };
	size_t group = 0;
	int r;

	if (has_group)
		group = take_group(grave);
	else if (has_inner)
		inner = grave->inner[--grave->inner_count];
	else
		grave->has_leftovers = false;
	grave->is_digging = true;
	(void)pthread_mutex_unlock(&grave->lock);
	if (has_group)
		r = delete_group(grave, group, &err);
	else
		r = has_inner ? delete_inner(grave, &inner, &err) : delete_leftovers(grave, &err);
	(void)pthread_mutex_lock(&grave->lock);
	grave->is_digging = false;
	if (r < 0) {
		grave->code = r;
		(void)snprintf(grave->text, sizeof(grave->text), "%.150s", err.message);
	}
	(void)pthread_cond_broadcast(&grave->done);
}

static void *run(void *argument)
{
	struct wf_grave *grave = argument;

	(void)pthread_mutex_lock(&grave->lock);
	for (;;) {
		gather(grave);
		if (!has_work(grave))
			break;
		dig(grave);
	}
	(void)pthread_mutex_unlock(&grave->lock);
	return NULL;
}

static int init_locks(struct wf_grave *grave)
{
	pthread_condattr_t attr;
	int r = pthread_condattr_init(&attr);

	if (r)
		return -r;
	r = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	if (!r)
		r = pthread_cond_init(&grave->work, &attr);
	(void)pthread_condattr_destroy(&attr);
	if (r)
		return -r;
	(void)pthread_cond_init(&grave->done, NULL);
	(void)pthread_mutex_init(&grave->lock, NULL);
	grave->has_locks = true;
	return 0;
}

int wf_net_grave_open(struct wf_grave **ret_grave, struct wf_err *err)
{
	struct wf_grave *grave = calloc(1, sizeof(*grave));
	int r;

	if (!grave)
		return wf_fail(err, -ENOMEM, "out of memory");
	grave->socket = (struct wf_netlink_socket)WF_NETLINK_SOCKET_INIT;
	r = wf_netlink_open(&grave->socket, err);
	if (r == 0) {
		r = init_locks(grave);
		if (r == 0)
			r = wf_thread_start(&grave->thread, run, grave);
		grave->has_thread = r == 0;
		if (r < 0)
			(void)wf_fail(err, r, "cannot start the thread that deletes links: %s",
				      strerror(-r));
	}
	if (r < 0) {
		wf_net_grave_close(&grave);
		return r;
	}
	*ret_grave = grave;
	return 0;
}

void wf_net_grave_close(struct wf_grave **grave)
{
	struct wf_grave *g = TAKE_PTR(*grave);

	if (!g)
		return;
	if (g->has_thread) {
		(void)pthread_mutex_lock(&g->lock);
		g->is_ending = true;
		(void)pthread_cond_signal(&g->work);
		(void)pthread_mutex_unlock(&g->lock);
		(void)pthread_join(g->thread, NULL);
	}
	if (g->has_locks) {
		(void)pthread_cond_destroy(&g->work);
		(void)pthread_cond_destroy(&g->done);
		(void)pthread_mutex_destroy(&g->lock);
	}
	wf_netlink_close(&g->socket);
	wf_netlink_batch_done(&g->batch);
	free(g->inner);
	free(g);
}

/* Dead group and down: the caller of the kernel's delete will be the thread. */
static void put_dying(struct wf_netlink_batch *batch, uint32_t ifindex, size_t group)
{
	wf_net_link_put_set(batch, ifindex, 0, IFF_UP);
	wf_netlink_put_u32(batch, IFLA_GROUP, (uint32_t)(WF_NET_GROUP_DEAD + group));
}

/* The group that the next link goes into. */
static size_t choose_group(struct wf_grave *grave)
{
	size_t group = grave->current % WF_NET_DEAD_GROUPS;

	if (grave->links[group] >= GROUP_LINKS &&
	    grave->links[group] > grave->pending / BACKLOG_SHARE &&
	    grave->current + 1 - grave->first < WF_NET_DEAD_GROUPS)
		group = ++grave->current % WF_NET_DEAD_GROUPS;
	return group;
}

static int bury(struct wf_net *net, uint32_t host_ifindex, size_t weight)
{
	struct wf_netlink_batch *batch = wf_net_batch(net);
	struct wf_grave *grave = net->grave;
	bool had_work;
	size_t group;
	int r;

	if (!host_ifindex)
		return -ENODEV;
	/* the lock is held meanwhile: the group must not be dug before the link is in it */
	(void)pthread_mutex_lock(&grave->lock);
	group = choose_group(grave);
	had_work = has_work(grave);
	put_dying(batch, host_ifindex, group);
	r = wf_netlink_transact(&net->socket, batch, NULL, NULL, NULL, NULL);
	if (r == 0) {
		if (!grave->links[group])
			grave->begun_ms[group] = wf_clock_monotonic_ms();
		grave->links[group] += weight;
		grave->pending += weight;
		tell(grave, had_work);
	}
	(void)pthread_mutex_unlock(&grave->lock);
	return r;
}

int wf_net_endpoint_bury(struct wf_net *net, uint32_t host_ifindex)
{
	return bury(net, host_ifindex, 1);
}

int wf_net_endpoint_bury_slow(struct wf_net *net, uint32_t host_ifindex)
{
	return bury(net, host_ifindex, GROUP_LINKS);
}

static int bury_inner(struct wf_grave *grave, struct wf_netlink_socket *inside, uint32_t ifindex)
{
	bool had_work;
	int r;

	(void)pthread_mutex_lock(&grave->lock);
	had_work = has_work(grave);
	r = wf_mem_grow(&grave->inner, sizeof(*grave->inner), grave->inner_count,
			&grave->inner_capacity);
	if (r == 0) {
		grave->inner[grave->inner_count++] =
			(struct inner_grave){ .inside = *inside, .ifindex = ifindex };
		inside->fd = -1;
		tell(grave, had_work);
	}
	(void)pthread_mutex_unlock(&grave->lock);
	return r;
}

int wf_net_inner_bury(struct wf_net *net, int netns_fd, const char *ifname)
{
	struct wf_netlink_socket inside = WF_NETLINK_SOCKET_INIT;
	struct wf_net_link link;
	char names[256];
	int r;

	r = wf_net_ns_socket(net, netns_fd, &inside, NULL);
	if (r < 0)
		return r;
	r = wf_net_link_get(&inside, wf_net_batch(net), ifname, 0, &link, names, NULL);
	if (r == 0) {
		put_dying(wf_net_batch(net), link.ifindex, 0);
		r = wf_netlink_transact(&inside, &net->batch, NULL, NULL, NULL, NULL);
	}
	if (r == 0)
		r = bury_inner(net->grave, &inside, link.ifindex);
	wf_netlink_close(&inside);
	return r;
}

void wf_net_bury_leftovers(struct wf_net *net)
{
	struct wf_grave *grave = net->grave;
	bool had_work;

	(void)pthread_mutex_lock(&grave->lock);
	had_work = has_work(grave);
	grave->has_leftovers = true;
	tell(grave, had_work);
	(void)pthread_mutex_unlock(&grave->lock);
}

int wf_net_bury_flush(struct wf_net *net, struct wf_err *err)
{
	struct wf_grave *grave = net->grave;
	int r;

	(void)pthread_mutex_lock(&grave->lock);
	grave->has_leftovers = true;
	grave->flushes++;
	(void)pthread_cond_signal(&grave->work);
	while (has_work(grave) || grave->is_digging)
		(void)pthread_cond_wait(&grave->done, &grave->lock);
	grave->flushes--;
	r = grave->code;
	grave->code = 0;
	if (r < 0)
		(void)wf_fail(err, r, "cannot delete buried interfaces: %s", grave->text);
	(void)pthread_mutex_unlock(&grave->lock);
	return r;
}
