/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leases are etcd's own: it deletes their documents when nobody renews them, also when this host
 * is gone. It counts in seconds, and has a shortest time of its own (some two seconds).
 */
#include <errno.h>
#include <inttypes.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/etcd_priv.h"

#define MAX_TTL_S 9000000000 /* etcd's */
#define RETRY_MS  5

/* Asks about leases at whichever endpoint answers in time. */
static int ask(struct wf_etcd *etcd, const char *path, const char *member, uint64_t value,
	       struct wf_etcd_answer *ret_answer, struct wf_err *err)
{
	uint64_t deadline_ms = wf_clock_monotonic_ms() + etcd->times.timeout_ms;
	int r = 0;

	do {
		struct wf_str body = WF_STR_INIT;
		bool sent;

		/* not in a rush when every endpoint refuses at once */
		if (r < 0)
			wf_etcd_turn(etcd, RETRY_MS);
		r = wf_etcd_connect(etcd, deadline_ms, err);
		if (r < 0)
			return r;
		wf_etcd_answer_done(ret_answer);
		wf_str_addf(&body, "{\"%s\":\"%" PRIu64 "\"}", member, value);
		r = wf_etcd_ask(etcd, path, &body, deadline_ms, ret_answer, &sent, err);
	} while ((r == -EHOSTUNREACH || r == -EAGAIN) && wf_clock_monotonic_ms() < deadline_ms);
	return r;
}

int wf_etcd_lease_grant(struct wf_store *store, uint64_t ttl_ms, uint64_t *ret_lease,
			struct wf_err *err)
{
	_cleanup_(wf_etcd_answer_done) struct wf_etcd_answer answer = { 0 };
	uint64_t ttl_s = ttl_ms / 1000 + (ttl_ms % 1000 != 0);
	int r = ask((struct wf_etcd *)store, "lease/grant", "TTL",
		    ttl_s < MAX_TTL_S ? ttl_s : MAX_TTL_S, &answer, err);

	if (r == 0 && (answer.lease == 0 || answer.lease > INT64_MAX))
		r = wf_fail(err, -EPROTO, "etcd answers nonsense: a lease without an id");
	if (r == 0)
		*ret_lease = answer.lease;
	return r;
}

static int fail_ended(uint64_t lease, struct wf_err *err)
{
	return wf_fail(err, -ENOENT, "lease %" PRIu64 " has ended", lease);
}

static int start_renewal(struct wf_etcd *etcd, struct wf_err *err)
{
	struct wf_str body = WF_STR_INIT;

	if (!etcd->is_connected || etcd->hold == WF_ETCD_HOLD_FOREIGN)
		return wf_etcd_fail_unreachable(etcd, err);
	wf_str_addf(&body, "{\"ID\":\"%" PRIu64 "\"}", etcd->renewal.lease);
	return wf_etcd_call_start(&etcd->net, "lease/keepalive", &body, wf_etcd_request_ms(etcd),
				  &etcd->renewal.call, err);
}

void wf_etcd_lease_renew_later(struct wf_store *store, uint64_t lease, wf_store_done_fn done,
			       void *context)
{
	struct wf_etcd *etcd = (struct wf_etcd *)store;
	struct wf_err err = WF_ERR_INIT;
	int r;

	wf_etcd_call_free(&etcd->renewal.call);
	etcd->renewal.lease = lease;
	etcd->renewal.done = done;
	etcd->renewal.context = context;
	r = start_renewal(etcd, &err);
	if (r < 0)
		done(r, &err, context);
}

void wf_etcd_lease_run(struct wf_etcd *etcd)
{
	_cleanup_(wf_etcd_call_free) struct wf_etcd_call *call = NULL;
	_cleanup_(wf_etcd_answer_done) struct wf_etcd_answer answer = { 0 };
	struct wf_err err = WF_ERR_INIT;
	int r;

	if (!etcd->renewal.call || !etcd->renewal.call->is_done)
		return;
	call = TAKE_PTR(etcd->renewal.call);
	r = wf_etcd_judge_answer(etcd, call, &answer, &err);
	if (r == -ENOENT || (r == 0 && answer.ttl_s == 0))
		r = fail_ended(etcd->renewal.lease, &err);
	etcd->renewal.done(r, &err, etcd->renewal.context);
}

static int note_document(const struct wf_local_row *row, void *context, struct wf_err *err)
{
	*(bool *)context = true;
	return 1;
}

static bool holds_documents(struct wf_etcd *etcd, uint64_t lease)
{
	struct wf_local *mirror = wf_etcd_mirror(etcd);
	bool holds = false;

	(void)mirror->rows->walk(mirror, NULL, lease, note_document, &holds, NULL);
	return holds;
}

int wf_etcd_lease_revoke(struct wf_store *store, uint64_t lease, struct wf_err *err)
{
	struct wf_etcd *etcd = (struct wf_etcd *)store;
	_cleanup_(wf_etcd_answer_done) struct wf_etcd_answer answer = { 0 };
	uint64_t deadline_ms;
	int r = ask(etcd, "lease/revoke", "ID", lease, &answer, err);

	if (r == -ENOENT)
		return fail_ended(lease, err);
	/* its documents go in the same transaction: done is when the watch has told of it */
	deadline_ms = wf_clock_monotonic_ms() + etcd->times.timeout_ms;
	while (r == 0 && etcd->is_connected && holds_documents(etcd, lease) &&
	       wf_clock_monotonic_ms() < deadline_ms)
		wf_etcd_turn(etcd, 50);
	return r;
}

int wf_etcd_lease_expire(struct wf_store *store, uint64_t *ret_next_ms, struct wf_err *err)
{
	if (ret_next_ms)
		*ret_next_ms = UINT64_MAX;
	return 0;
}
