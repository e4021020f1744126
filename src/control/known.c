/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After an attach the other nodes are asked whether they have come to its revision, so that the
 * runtime is not told of an address that its peers would still drop. They answer when it is in force
 * there: most have it by then, for their watch is as fast as ours. The answer of the attach waits for
 * that, nothing else does, and for no longer than --attach-wait.
 *
 * A node that does not answer in time is mute: it costs that time once. It is asked again, at longer
 * and longer intervals, and waited for again after it has answered.
 *
 * Whom to believe: a question is answered when it comes from the address of a node, once, by a
 * datagram of its size. An answer counts when it comes from the address of the node that was asked,
 * with the number that it was asked with, which nobody knows who is not on the way. Whoever forges it
 * all the same makes an attach wait less, or at most that time.
 */
#include "control/known.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <utlist.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/control_priv.h"
#include "dp/overlay.h"
#include "net/ask.h"

WF_LOG_MODULE(known);

/* A question or its answer may be lost: until then it is not asked again. */
#define REPEAT_MS 10

/* How long a mute node is left alone, at first and at last. */
#define MIN_PAUSE_MS 1000
#define MAX_PAUSE_MS 60000

/* Of one turn of the loop. */
#define MAX_MESSAGES 256

#define WORD_BITS 64

struct ctl_wait {
	struct wf_control *control;
	uint64_t revision;
	uint64_t pending[WF_MAX_NODES / WORD_BITS]; /* numbers of nodes */
	size_t missing;                             /* how many these are */
	struct event *timer;                        /* owned */
	uint64_t left_ms;
	wf_control_known_fn done;
	void *context; /* borrowed */
	struct ctl_wait *prev, *next;
};

static bool is_pending(const struct ctl_wait *wait, uint32_t number)
{
	return wait->pending[number / WORD_BITS] & 1ULL << number % WORD_BITS;
}

/* ---- asking ------------------------------------------------------------------------------- */

static void ask(struct wf_control *control, struct ctl_node *node, uint64_t revision)
{
	const struct wf_ask_message question = { .what = WF_ASK_QUESTION,
						 .peer = node->underlay,
						 .cookie = node->known.cookie,
						 .revision = revision };

	/* what cannot be sent is asked again */
	(void)wf_ask_send(control->cluster.knowing.ask, &question);
}

static bool has_cookie(struct ctl_known *known)
{
	return known->cookie ||
	       getrandom(&known->cookie, sizeof(known->cookie), 0) == sizeof(known->cookie);
}

/* Whether a mute node is to be tried now. */
static bool is_time(struct ctl_known *known)
{
	uint64_t now_ms = wf_clock_monotonic_ms();

	if (now_ms < known->again_ms)
		return false;
	known->pause_ms = known->pause_ms ? known->pause_ms * 2 : MIN_PAUSE_MS;
	if (known->pause_ms > MAX_PAUSE_MS)
		known->pause_ms = MAX_PAUSE_MS;
	known->again_ms = now_ms + known->pause_ms;
	return true;
}

/* Everybody who lives; those who are mute are not waited for. */
static void ask_all(struct ctl_wait *wait)
{
	struct wf_control *control = wait->control;
	struct ctl_node *node, *next;

	HASH_ITER(by_name, control->cluster.nodes, node, next) {
		struct ctl_known *known = &node->known;

		if (!node->is_alive || !wf_ctl_is_peer(control, node) || !has_cookie(known) ||
		    (known->is_mute && !is_time(known)))
			continue;
		ask(control, node, wait->revision);
		if (known->is_mute)
			continue;
		wait->pending[node->number / WORD_BITS] |= 1ULL << node->number % WORD_BITS;
		wait->missing++;
	}
}

typedef void (*each_fn)(struct ctl_wait *wait, struct ctl_node *node);

static void each_pending(struct ctl_wait *wait, each_fn call)
{
	for (uint32_t number = 1; number < WF_MAX_NODES; number++) {
		struct ctl_node *node = wait->control->cluster.by_number[number];

		if (node && is_pending(wait, number))
			call(wait, node);
	}
}

static void ask_again(struct ctl_wait *wait, struct ctl_node *node)
{
	if (node->is_alive && wf_ctl_is_peer(wait->control, node) && has_cookie(&node->known))
		ask(wait->control, node, wait->revision);
}

static void make_mute(struct ctl_wait *wait, struct ctl_node *node)
{
	(void)wait;
	if (node->known.is_mute)
		return;
	node->known.is_mute = true;
	node->known.pause_ms = 0;
	node->known.again_ms = 0;
	(void)is_time(&node->known);
	wf_log_warning_rl(
		"a node did not say in time that it knows a new endpoint; attaches do not "
		"wait for it until it answers",
		"node=%s", node->name);
}

/* ---- waiting ------------------------------------------------------------------------------ */

static void end(struct ctl_wait *wait)
{
	DL_DELETE(wait->control->cluster.knowing.waits, wait);
	if (wait->timer)
		event_free(wait->timer);
	wait->done(wait->context);
	free(wait);
}

static void arm(struct ctl_wait *wait)
{
	const struct timeval time =
		wf_ctl_timeval(wait->left_ms < REPEAT_MS ? wait->left_ms : REPEAT_MS);

	(void)evtimer_add(wait->timer, &time);
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	struct ctl_wait *wait = context;

	(void)fd;
	(void)what;
	if (wait->left_ms > REPEAT_MS) {
		wait->left_ms -= REPEAT_MS;
		each_pending(wait, ask_again);
		arm(wait);
		return;
	}
	wait->control->cluster.knowing.expired_total++;
	each_pending(wait, make_mute);
	end(wait);
}

/* The revisions begin anew, in another etcd: what was said of the old ones is void. */
static void check_order(struct wf_control *control, uint64_t revision)
{
	struct ctl_node *node, *next;

	if (revision < control->cluster.knowing.last)
		HASH_ITER(by_name, control->cluster.nodes, node, next)
			node->known.revision = 0;
	control->cluster.knowing.last = revision;
}

/* The revision of an endpoint that other nodes have to know; 0: they have not. */
static uint64_t revision_of(struct wf_control *control, const json_t *endpoint)
{
	const char *name = wf_json_str(json_object_get(endpoint, "spec"), "network", "");
	const struct ctl_network *network = wf_ctl_network_find(control, name);

	return network && wf_ctl_is_overlay(network) ? wf_meta_revision(endpoint) : 0;
}

bool wf_control_when_known(struct wf_control *control, const json_t *endpoint,
			   wf_control_known_fn done, void *context)
{
	struct ctl_knowing *knowing = &control->cluster.knowing;
	uint64_t revision = revision_of(control, endpoint);
	struct ctl_wait *wait;

	if (!knowing->ask || !control->config.attach_wait_ms || !revision)
		return false;
	wait = calloc(1, sizeof(*wait));
	if (!wait)
		return false;
	*wait = (struct ctl_wait){ .control = control,
				   .revision = revision,
				   .left_ms = control->config.attach_wait_ms,
				   .done = done,
				   .context = context };
	check_order(control, revision);
	wait->timer = evtimer_new(control->loop, on_timer, wait);
	if (wait->timer)
		ask_all(wait);
	if (!wait->missing) {
		if (wait->timer)
			event_free(wait->timer);
		free(wait);
		return false;
	}
	DL_APPEND(knowing->waits, wait);
	knowing->waits_total++;
	arm(wait);
	return true;
}

/* ---- answering ---------------------------------------------------------------------------- */

/* What is in force here; 0: nothing yet, or something has come that is not yet. */
static uint64_t in_force(const struct wf_control *control)
{
	return control->lb.settled && !control->cluster.news ? wf_store_revision(control->store)
							     : 0;
}

static void answer(struct wf_control *control, const struct ctl_node *node, uint64_t revision)
{
	const struct wf_ask_message message = { .what = WF_ASK_ANSWER,
						.peer = node->underlay,
						.cookie = node->known.their_cookie,
						.revision = revision };

	(void)wf_ask_send(control->cluster.knowing.ask, &message);
}

static void unlist(struct wf_control *control, struct ctl_node *node)
{
	node->known.asks = false;
	DL_DELETE2(control->cluster.knowing.askers, node, known.prev_asker, known.next_asker);
}

/* What they asked for, as far as it is there. */
void wf_ctl_known_followed(struct wf_control *control)
{
	struct ctl_node *node, *next;
	uint64_t revision = in_force(control);

	DL_FOREACH_SAFE2(control->cluster.knowing.askers, node, next, known.next_asker)
	{
		struct ctl_known *known = &node->known;

		if (known->low > revision)
			continue;
		answer(control, node, revision < known->high ? revision : known->high);
		known->low = known->high;
		if (known->high <= revision)
			unlist(control, node);
	}
}

static void take_question(struct wf_control *control, struct ctl_node *node,
			  const struct wf_ask_message *message)
{
	struct ctl_known *known = &node->known;

	known->their_cookie = message->cookie;
	if (!known->asks && message->revision <= in_force(control)) {
		answer(control, node, message->revision);
		return;
	}
	if (!known->asks) {
		known->asks = true;
		known->low = known->high = message->revision;
		DL_APPEND2(control->cluster.knowing.askers, node, known.prev_asker,
			   known.next_asker);
	}
	if (message->revision < known->low)
		known->low = message->revision;
	if (message->revision > known->high)
		known->high = message->revision;
	wf_ctl_known_followed(control);
}

static void take_answer(struct wf_control *control, struct ctl_node *node,
			const struct wf_ask_message *message)
{
	struct ctl_known *known = &node->known;
	struct ctl_wait *wait, *next;

	if (!known->cookie || message->cookie != known->cookie)
		return;
	if (known->is_mute)
		wf_log_info("node answers again: attaches wait for it", "node=%s", node->name);
	known->is_mute = false;
	if (message->revision > known->revision)
		known->revision = message->revision;
	DL_FOREACH_SAFE(control->cluster.knowing.waits, wait, next)
	{
		if (wait->revision > known->revision || !is_pending(wait, node->number))
			continue;
		wait->pending[node->number / WORD_BITS] &= ~(1ULL << node->number % WORD_BITS);
		if (--wait->missing == 0)
			end(wait);
	}
}

/* The node that is at an address; NULL: none is. */
static struct ctl_node *node_at(struct wf_control *control, const struct wf_addr *peer)
{
	struct ctl_node *node;
	uint32_t number = 0;

	if (wf_dp_member_get(control->dp, peer, &number) < 0 || number >= WF_MAX_NODES)
		return NULL;
	node = control->cluster.by_number[number];
	return node && wf_addr_equal(&node->underlay, peer) && wf_ctl_is_peer(control, node) ? node
											     : NULL;
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	struct wf_control *control = context;
	struct wf_ask_message message;

	(void)fd;
	(void)what;
	for (int i = 0;
	     i < MAX_MESSAGES && wf_ask_receive(control->cluster.knowing.ask, &message) == 1; i++) {
		struct ctl_node *node = node_at(control, &message.peer);

		if (node && message.what == WF_ASK_QUESTION)
			take_question(control, node, &message);
		else if (node && message.what == WF_ASK_ANSWER)
			take_answer(control, node, &message);
		else if (node && message.what == WF_ASK_CAME)
			wf_ctl_sums_came(control, node, &message);
	}
}

/* ---- life --------------------------------------------------------------------------------- */

void wf_ctl_known_start(struct wf_control *control)
{
	struct ctl_knowing *knowing = &control->cluster.knowing;
	struct wf_err fault = WF_ERR_INIT;

	if (wf_ask_open(&control->config.node_ip, control->config.news_port, &knowing->ask,
			&fault) < 0) {
		wf_log_warning(
			"attaches do not wait until other nodes know of them, here and there",
			"error=\"%s\"", fault.message);
		return;
	}
	knowing->event = event_new(control->loop, wf_ask_fd(knowing->ask), EV_READ | EV_PERSIST,
				   on_readable, control);
	if (!knowing->event || event_add(knowing->event, NULL) < 0)
		wf_ctl_known_stop(control);
}

void wf_ctl_known_stop(struct wf_control *control)
{
	struct ctl_knowing *knowing = &control->cluster.knowing;
	struct ctl_wait *wait, *next;

	DL_FOREACH_SAFE(knowing->waits, wait, next)
	end(wait);
	if (knowing->event)
		event_free(knowing->event);
	knowing->event = NULL;
	wf_ask_close(&knowing->ask);
}

void wf_ctl_known_forget(struct wf_control *control, struct ctl_node *node)
{
	if (node->known.asks)
		unlist(control, node);
	memset(&node->known, 0, sizeof(node->known));
}

void wf_ctl_known_metrics(struct wf_control *control, struct wf_str *out)
{
	wf_ctl_metric_head(out, "weft_attach_waits_total", "counter",
			   "Attaches that waited until other nodes knew of them.");
	wf_str_addf(out, "weft_attach_waits_total %llu\n",
		    (unsigned long long)control->cluster.knowing.waits_total);
	wf_ctl_metric_head(out, "weft_attach_waits_expired_total", "counter",
			   "Those that some node did not answer in time.");
	wf_str_addf(out, "weft_attach_waits_expired_total %llu\n",
		    (unsigned long long)control->cluster.knowing.expired_total);
}
