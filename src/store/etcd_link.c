/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection as a state machine that is run once a turn:
 *
 *   down --retry--> hello --it is our store--> (list) --> watch --"created"--> connected
 *    ^                |                            |          |
 *    +----------------+------ any failure ---------+----------+   next endpoint, back off
 *
 * A watch is silent for hours when nothing changes, and so is one whose member is stopped: after
 * some silence a small read that needs a quorum shows whether anybody is there.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/etcd_priv.h"

#define FIRST_BACKOFF_MS 100
#define MAX_BACKOFF_MS   5000

/* The room for messages that is kept between them. */
#define KEEP_BYTES 65536

/* How soon a store that is not the one we know is looked at again. */
#define FOREIGN_RETRY_MS 5000

static uint64_t backoff_ms(const struct wf_etcd *etcd)
{
	uint64_t ms = FIRST_BACKOFF_MS;

	if (etcd->hold == WF_ETCD_HOLD_FOREIGN)
		return FOREIGN_RETRY_MS;
	/* every endpoint is tried once before anything is waited for */
	if (etcd->failed < etcd->net.endpoint_count)
		return etcd->failed ? 1 : 0;
	for (unsigned int i = (unsigned int)etcd->net.endpoint_count; i < etcd->failed; i++)
		if (ms < MAX_BACKOFF_MS)
			ms *= 2;
	return wf_etcd_soon(ms < MAX_BACKOFF_MS ? ms : MAX_BACKOFF_MS);
}

void wf_etcd_link_close(struct wf_etcd *etcd)
{
	wf_etcd_call_free(&etcd->hello);
	wf_etcd_call_free(&etcd->list);
	wf_etcd_call_free(&etcd->stream);
	wf_etcd_call_free(&etcd->probe);
	wf_etcd_watch_forget(etcd);
	wf_etcd_audit_end(etcd);
	etcd->state = WF_ETCD_LINK_DOWN;
}

void wf_etcd_link_drop(struct wf_etcd *etcd, const struct wf_err *why)
{
	wf_etcd_link_close(etcd);
	etcd->last_error = *why;
	if (etcd->is_connected || etcd->stale_since_s == 0)
		etcd->stale_since_s = wf_clock_wall_s();
	etcd->is_connected = false;
	etcd->retry_ms = wf_clock_monotonic_ms() + backoff_ms(etcd);
	etcd->failed++;
	wf_etcd_net_rotate(&etcd->net);
}

void wf_etcd_link_kick(struct wf_etcd *etcd)
{
	if (etcd->state == WF_ETCD_LINK_DOWN && etcd->hold != WF_ETCD_HOLD_FOREIGN)
		etcd->retry_ms = 0;
}

/* Begins anew at the same endpoint, without a failure: to list again. */
static void start_over(struct wf_etcd *etcd)
{
	wf_etcd_link_close(etcd);
	etcd->retry_ms = 0;
}

uint64_t wf_etcd_request_ms(const struct wf_etcd *etcd)
{
	return etcd->net.endpoint_count > 1 ? etcd->times.timeout_ms / 2 : etcd->times.timeout_ms;
}

static void start_hello(struct wf_etcd *etcd)
{
	struct wf_str body = WF_STR_INIT;
	struct wf_err err = WF_ERR_INIT;
	int r = wf_etcd_schema_request(etcd, &body, &err);

	if (r == 0)
		r = wf_etcd_call_start(&etcd->net, "kv/txn", &body, wf_etcd_request_ms(etcd),
				       &etcd->hello, &err);
	wf_str_done(&body);
	if (r < 0)
		wf_etcd_link_drop(etcd, &err);
	else
		etcd->state = WF_ETCD_LINK_HELLO;
}

static int start_watch(struct wf_etcd *etcd, struct wf_err *err)
{
	struct wf_str body = WF_STR_INIT;
	int r;

	wf_etcd_watch_request(etcd, &body);
	r = wf_etcd_call_start(&etcd->net, "watch", &body, 0, &etcd->stream, err);
	if (r == 0) {
		etcd->state = WF_ETCD_LINK_WATCH;
		etcd->heard_ms = wf_clock_monotonic_ms();
	}
	return r;
}

static void run_hello(struct wf_etcd *etcd)
{
	_cleanup_(wf_etcd_answer_done) struct wf_etcd_answer answer = { 0 };
	struct wf_err err = WF_ERR_INIT;
	int r;

	if (!etcd->hello->is_done)
		return;
	r = wf_etcd_call_answer(etcd->hello, &answer, &err);
	if (r == 0)
		r = wf_etcd_schema_check(etcd, &answer, &err);
	if (r == 0 && answer.revision > etcd->server_revision)
		etcd->server_revision = answer.revision;
	wf_etcd_call_free(&etcd->hello);
	if (r == 0 && etcd->needs_resync) {
		etcd->state = WF_ETCD_LINK_LIST;
		r = wf_etcd_resync_begin(etcd, &err);
	} else if (r == 0) {
		r = start_watch(etcd, &err);
	}
	if (r < 0)
		wf_etcd_link_drop(etcd, &err);
}

static void run_list(struct wf_etcd *etcd)
{
	struct wf_err err = WF_ERR_INIT;
	int r = wf_etcd_resync_run(etcd, &err);

	if (r == 1)
		return;
	if (r == 0)
		r = start_watch(etcd, &err);
	if (r < 0)
		wf_etcd_link_drop(etcd, &err);
	/* the mirror is right, with a watch or without; they may take turns */
	if (!etcd->needs_resync)
		wf_etcd_resync_tell(etcd);
}

static void connected(struct wf_etcd *etcd)
{
	etcd->is_connected = true;
	etcd->stale_since_s = 0;
	etcd->fail_until_ms = 0;
	etcd->failed = 0;
	etcd->counters.connects++;
	etcd->last_error = (struct wf_err)WF_ERR_INIT;
	etcd->audit_ms = wf_clock_monotonic_ms() + wf_etcd_soon(etcd->times.audit_ms);
}

static int take_message(struct wf_etcd *etcd, const char *text, size_t len, struct wf_err *err)
{
	_cleanup_(wf_etcd_answer_done) struct wf_etcd_answer answer = { 0 };
	int r = wf_etcd_answer_read(text, len, &answer, err);

	if (r == -EPROTO)
		return wf_wrap(err, r, "etcd at %s answers nonsense",
			       wf_etcd_call_endpoint(etcd->stream));
	if (r < 0)
		return r;
	if (answer.code)
		return wf_etcd_call_refused(etcd->stream, &answer, err);
	if (answer.canceled || answer.compact_revision) {
		etcd->needs_resync = answer.compact_revision != 0;
		return wf_fail(err, -EAGAIN, "etcd at %s ended the watch: %s",
			       wf_etcd_call_endpoint(etcd->stream),
			       answer.compact_revision ? "its history is compacted"
						       : answer.message);
	}
	if (answer.created && !etcd->is_connected)
		connected(etcd);
	if (answer.revision > etcd->server_revision)
		etcd->server_revision = answer.revision;
	return wf_etcd_watch_take(etcd, &answer, err);
}

/* The whole lines among what was received. */
static int take_lines(struct wf_etcd *etcd, struct wf_err *err)
{
	struct wf_str *received = &etcd->stream->received;
	size_t begin = 0;
	const char *end;
	int r = 0;

	while (r == 0 && begin < received->len &&
	       (end = memchr(received->data + begin, '\n', received->len - begin))) {
		size_t len = (size_t)(end - received->data) - begin;

		if (len)
			r = take_message(etcd, received->data + begin, len, err);
		begin += len + 1;
		etcd->heard_ms = wf_clock_monotonic_ms();
	}
	if (begin) {
		received->len -= begin;
		memmove(received->data, received->data + begin, received->len + 1);
	}
	/* a large message is rare: its room is not kept */
	if (received->len == 0 && received->capacity > KEEP_BYTES)
		wf_str_done(received);
	return r;
}

/* A stream that has ended: with an answer that is none, or the connection was lost. */
static int stream_ended(struct wf_etcd *etcd, struct wf_err *err)
{
	_cleanup_(wf_etcd_answer_done) struct wf_etcd_answer answer = { 0 };
	int r;

	if (etcd->stream->received.len || etcd->stream->result != CURLE_OK) {
		r = wf_etcd_call_answer(etcd->stream, &answer, err);
		if (r < 0)
			return r;
	}
	return wf_fail(err, -EHOSTUNREACH, "etcd at %s ended the watch",
		       wf_etcd_call_endpoint(etcd->stream));
}

static int start_probe(struct wf_etcd *etcd, struct wf_err *err)
{
	struct wf_str body = WF_STR_INIT;

	wf_etcd_add_range(&body, etcd->schema, strlen(etcd->schema), "");
	wf_str_add(&body, ",\"keys_only\":true}");
	return wf_etcd_call_start(&etcd->net, "kv/range", &body, wf_etcd_request_ms(etcd),
				  &etcd->probe, err);
}

static int run_probe(struct wf_etcd *etcd, struct wf_err *err)
{
	_cleanup_(wf_etcd_answer_done) struct wf_etcd_answer answer = { 0 };
	uint64_t now_ms = wf_clock_monotonic_ms();
	int r;

	if (!etcd->probe)
		return now_ms - etcd->heard_ms < etcd->times.probe_ms ? 0 : start_probe(etcd, err);
	if (!etcd->probe->is_done)
		return 0;
	r = wf_etcd_call_answer(etcd->probe, &answer, err);
	wf_etcd_call_free(&etcd->probe);
	if (r < 0)
		return r;
	etcd->heard_ms = now_ms;
	if (answer.revision > etcd->server_revision)
		etcd->server_revision = answer.revision;
	if (answer.cluster_id != etcd->cluster_id || answer.kv_count == 0)
		return wf_fail(err, -EAGAIN, "etcd at %s is another one than before",
			       wf_etcd_net_endpoint(&etcd->net));
	/* a stream that never began is of no use */
	return etcd->is_connected ? 0
				  : wf_fail(err, -EHOSTUNREACH, "etcd at %s begins no watch",
					    wf_etcd_net_endpoint(&etcd->net));
}

static void run_watch(struct wf_etcd *etcd)
{
	struct wf_err err = WF_ERR_INIT;
	bool is_done = etcd->stream->is_done;
	int r = take_lines(etcd, &err), applied;

	/* what came before a failure counts; it calls watchers, which may take turns themselves */
	applied = wf_etcd_watch_apply(etcd, r == 0 ? &err : NULL);
	if (r == 0)
		r = applied;
	if (etcd->state != WF_ETCD_LINK_WATCH)
		return;
	if (r == 0 && is_done && etcd->stream->is_done)
		r = stream_ended(etcd, &err);
	if (r == 0)
		r = run_probe(etcd, &err);
	if (r < 0)
		wf_etcd_link_drop(etcd, &err);
}

void wf_etcd_link_run(struct wf_etcd *etcd)
{
	uint64_t now_ms = wf_clock_monotonic_ms();

	/* a second list is due, or a list that could not be made within a callback */
	if (etcd->state == WF_ETCD_LINK_WATCH && !etcd->store.calling &&
	    (etcd->needs_resync ||
	     (etcd->hold == WF_ETCD_HOLD_VANISHED && now_ms >= etcd->confirm_ms))) {
		etcd->needs_resync = true;
		start_over(etcd);
	}
	if (etcd->state == WF_ETCD_LINK_DOWN && now_ms >= etcd->retry_ms)
		start_hello(etcd);
	if (etcd->state == WF_ETCD_LINK_HELLO && etcd->hello)
		run_hello(etcd);
	if (etcd->state == WF_ETCD_LINK_LIST && etcd->list && !etcd->store.calling)
		run_list(etcd);
	if (etcd->state == WF_ETCD_LINK_WATCH && etcd->stream)
		run_watch(etcd);
}

uint64_t wf_etcd_link_due(const struct wf_etcd *etcd)
{
	uint64_t due_ms = UINT64_MAX;

	if (etcd->state == WF_ETCD_LINK_DOWN)
		return etcd->retry_ms;
	/* its answer came while a callback was on the stack */
	if (etcd->state == WF_ETCD_LINK_LIST && etcd->list && etcd->list->is_done)
		return etcd->store.calling ? UINT64_MAX : 0;
	/* everything else is waited for with a call, which has a time of its own */
	if (etcd->state != WF_ETCD_LINK_WATCH)
		return UINT64_MAX;
	if (!etcd->probe)
		due_ms = etcd->heard_ms + etcd->times.probe_ms;
	if (etcd->hold == WF_ETCD_HOLD_VANISHED && etcd->confirm_ms < due_ms)
		due_ms = etcd->confirm_ms;
	return due_ms;
}

int wf_etcd_fail_unreachable(const struct wf_etcd *etcd, struct wf_err *err)
{
	char endpoints[256] = "";
	size_t len = 0;

	if (etcd->hold == WF_ETCD_HOLD_FOREIGN)
		return wf_fail(err, -EPERM,
			       "%s; nothing is written to it: see \"weft store accept\"",
			       etcd->reason);
	if (etcd->state == WF_ETCD_LINK_LIST)
		return wf_fail(
			err, -EAGAIN,
			"the store is being listed from etcd at %s, nothing was changed: try "
			"again in a moment",
			wf_etcd_net_endpoint(&etcd->net));
	for (size_t i = 0; i < etcd->net.endpoint_count && len < sizeof(endpoints); i++)
		len += (size_t)snprintf(endpoints + len, sizeof(endpoints) - len, "%s%s",
					i ? ", " : "", etcd->net.endpoints[i]);
	return wf_fail(err, etcd->last_error.code == -EAGAIN ? -EAGAIN : -EHOSTUNREACH,
		       "the store is away, nothing was changed (etcd at %s; last error: %s)",
		       endpoints,
		       etcd->last_error.message[0] ? etcd->last_error.message : "no answer yet");
}
