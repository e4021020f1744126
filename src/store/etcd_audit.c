/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the mirror is right. A watch may lose, repeat or misorder events and never tell; so from
 * time to time the names and revisions of all keys are listed, a page a turn, and compared. What
 * differs may only be in motion: those keys are read once more by themselves, and only what still
 * differs then condemns the mirror, and everything is listed and put right.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "store/etcd_priv.h"

#define MAX_DOUBTS 64 /* more than one transaction may read condemn the mirror at once */
#define MAX_ROUNDS 4
#define ROUND_MS   500
#define TIMEOUT_MS 10000
#define KEY_MS     20 /* longer pauses for larger stores: a list costs etcd what it costs us */

struct wf_etcd_audit {
	struct wf_etcd_pager pager;
	struct wf_etcd_keys listed;
	char *doubts[MAX_DOUBTS + 1]; /* owned; whole keys */
	size_t doubt_count;
	unsigned int round; /* of reading the doubts; 0: listing */
	uint64_t next_ms;   /* when the next round begins */
};

void wf_etcd_audit_end(struct wf_etcd *etcd)
{
	struct wf_etcd_audit *audit = TAKE_PTR(etcd->audit);

	wf_etcd_call_free(&etcd->page);
	if (!audit)
		return;
	for (size_t i = 0; i < audit->doubt_count; i++)
		free(audit->doubts[i]);
	wf_etcd_keys_done(&audit->listed);
	wf_etcd_pager_done(&audit->pager);
	free(audit);
}

static void finish(struct wf_etcd *etcd, bool is_wrong)
{
	uint64_t pause_ms = etcd->times.audit_ms;

	if (etcd->audit->listed.count * KEY_MS > pause_ms)
		pause_ms = etcd->audit->listed.count * KEY_MS;
	etcd->documents = etcd->audit->listed.count;
	etcd->counters.audits++;
	etcd->audit_ms = wf_clock_monotonic_ms() + wf_etcd_soon(pause_ms);
	wf_etcd_audit_end(etcd);
	etcd->needs_resync |= is_wrong;
}

static int doubt(struct wf_etcd *etcd, const char *kind, const char *name)
{
	struct wf_etcd_audit *audit = etcd->audit;

	if (audit->doubt_count > MAX_DOUBTS)
		return 0;
	if (asprintf(&audit->doubts[audit->doubt_count], "%s%s/%s", etcd->first, kind, name) < 0)
		return -ENOMEM;
	audit->doubt_count++;
	return 0;
}

/* The mirror's revision of a document; 0: it has none. */
static uint64_t mirrored(struct wf_etcd *etcd, const char *kind, const char *name)
{
	struct wf_local *mirror = wf_etcd_mirror(etcd);
	struct wf_local_row row;

	return mirror->rows->read(mirror, kind, name, &row, NULL) > 0 ? row.revision : 0;
}

static int take_page(struct wf_etcd *etcd, struct wf_etcd_answer *answer)
{
	struct wf_etcd_audit *audit = etcd->audit;
	int r = 0;

	for (size_t i = 0; r == 0 && i < answer->kv_count; i++) {
		struct wf_etcd_kv *kv = &answer->kvs[i];
		char *kind, *name;

		if (!wf_etcd_split_key(etcd->prefix, kv->key, kv->key_len, &kind, &name))
			continue;
		r = wf_etcd_keys_add(&audit->listed, kind, name);
		if (r == 0 && mirrored(etcd, kind, name) != kv->mod_revision)
			r = doubt(etcd, kind, name);
	}
	return r;
}

static int doubt_missing(const struct wf_local_row *row, void *context, struct wf_err *err)
{
	struct wf_etcd *etcd = context;

	if (row->kind[0] == '.' || wf_etcd_keys_has(&etcd->audit->listed, row->kind, row->name))
		return 0;
	return doubt(etcd, row->kind, row->name);
}

static int start_round(struct wf_etcd *etcd, struct wf_err *err)
{
	struct wf_etcd_audit *audit = etcd->audit;
	struct wf_str body = WF_STR_INIT;

	wf_str_add(&body, "{\"success\":[");
	for (size_t i = 0; i < audit->doubt_count; i++) {
		wf_str_add(&body, i ? "," : "");
		wf_etcd_add_get(&body, audit->doubts[i]);
	}
	wf_str_add(&body, "]}");
	audit->round++;
	return wf_etcd_call_start(&etcd->net, "kv/txn", &body, TIMEOUT_MS, &etcd->page, err);
}

/* The revision that etcd has of a key now; 0: none. */
static uint64_t answered(const struct wf_etcd_answer *answer, const char *key)
{
	for (size_t i = 0; i < answer->kv_count; i++)
		if (strcmp(answer->kvs[i].key, key) == 0)
			return answer->kvs[i].mod_revision;
	return 0;
}

/* Strikes the doubts that were none. */
static int take_round(struct wf_etcd *etcd, const struct wf_etcd_answer *answer)
{
	struct wf_etcd_audit *audit = etcd->audit;
	size_t kept = 0;

	for (size_t i = 0; i < audit->doubt_count; i++) {
		_cleanup_free_ char *copy = strdup(audit->doubts[i]);
		char *kind, *name;

		if (!copy)
			return -ENOMEM;
		if (!wf_etcd_split_key(etcd->prefix, copy, strlen(copy), &kind, &name) ||
		    mirrored(etcd, kind, name) == answered(answer, audit->doubts[i]))
			free(audit->doubts[i]);
		else
			audit->doubts[kept++] = audit->doubts[i];
	}
	audit->doubt_count = kept;
	audit->next_ms = wf_clock_monotonic_ms() + ROUND_MS;
	return 0;
}

static int begin(struct wf_etcd *etcd, struct wf_err *err)
{
	etcd->audit = calloc(1, sizeof(*etcd->audit));
	if (!etcd->audit)
		return wf_fail(err, -ENOMEM, "out of memory for a comparison");
	return wf_etcd_pager_init(&etcd->audit->pager, etcd, true, err);
}

/* What an answer leads to. */
static int take_answer(struct wf_etcd *etcd, struct wf_etcd_answer *answer, struct wf_err *err)
{
	struct wf_etcd_audit *audit = etcd->audit;
	struct wf_local *mirror = wf_etcd_mirror(etcd);
	int r;

	if (audit->round)
		return take_round(etcd, answer);
	/* before the keys are cut apart: the pager reads the last one */
	r = wf_etcd_pager_take(&audit->pager, answer, err);
	if (r == 0)
		r = take_page(etcd, answer);
	if (r < 0 || !audit->pager.is_done)
		return r;
	wf_etcd_keys_sort(&audit->listed);
	audit->next_ms = wf_clock_monotonic_ms() + ROUND_MS;
	return mirror->rows->walk(mirror, NULL, 0, doubt_missing, etcd, err);
}

static int advance(struct wf_etcd *etcd, struct wf_err *err)
{
	struct wf_etcd_audit *audit = etcd->audit;

	if (!audit)
		return begin(etcd, err);
	if (!audit->pager.is_done)
		return wf_etcd_pager_start(&audit->pager, etcd, &etcd->page, err);
	if (audit->doubt_count == 0 || audit->doubt_count > MAX_DOUBTS ||
	    audit->round == MAX_ROUNDS) {
		finish(etcd, audit->doubt_count != 0);
		return 0;
	}
	return wf_clock_monotonic_ms() < audit->next_ms ? 0 : start_round(etcd, err);
}

/* While deletions are withheld the mirror is known to differ. */
static bool may_run(const struct wf_etcd *etcd)
{
	return etcd->is_connected && etcd->hold == WF_ETCD_HOLD_NONE && !etcd->needs_resync;
}

void wf_etcd_audit_run(struct wf_etcd *etcd)
{
	_cleanup_(wf_etcd_answer_done) struct wf_etcd_answer answer = { 0 };
	struct wf_err err = WF_ERR_INIT;
	int r = 0;

	if (!may_run(etcd) || (!etcd->audit && wf_clock_monotonic_ms() < etcd->audit_ms) ||
	    (etcd->page && !etcd->page->is_done))
		return;
	if (etcd->page) {
		r = wf_etcd_call_answer(etcd->page, &answer, &err);
		wf_etcd_call_free(&etcd->page);
		if (r == 0)
			r = take_answer(etcd, &answer, &err);
	}
	if (r == 0)
		r = advance(etcd, &err);
	/* tried again later: the connection's own probes say whether there is one */
	if (r < 0) {
		wf_etcd_audit_end(etcd);
		etcd->audit_ms = wf_clock_monotonic_ms() + wf_etcd_soon(etcd->times.audit_ms);
	}
}

uint64_t wf_etcd_audit_due(const struct wf_etcd *etcd)
{
	if (!may_run(etcd) || etcd->page)
		return UINT64_MAX;
	if (!etcd->audit)
		return etcd->audit_ms;
	return etcd->audit->pager.is_done ? etcd->audit->next_ms : 0;
}
