/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mass-delete guard: an etcd that was emptied, restored, or answers for another one must not
 * take a host's containers along. Two holds:
 *
 *   vanished  a list of the same store lacks many documents, or one revision deletes many: what
 *             is new is taken, deletions wait for a second list. If that says the same they are
 *             believed. What a lease holds may go at once: that is a host that died.
 *   foreign   it is not the store that the mirror mirrors. Nothing is taken, nothing written;
 *             the operator decides.
 */
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "store/etcd_priv.h"

/* Deletions at once that are nothing unusual: so many, or this share of all documents. */
#define FEW_DELETIONS 20
#define SHARE_PERCENT 10

static bool is_many(size_t count, size_t total)
{
	return count > FEW_DELETIONS && count * 100 > total * SHARE_PERCENT;
}

void wf_etcd_guard_clear(struct wf_etcd *etcd)
{
	etcd->hold = WF_ETCD_HOLD_NONE;
	etcd->confirm_ms = UINT64_MAX;
	etcd->reason[0] = '\0';
}

void wf_etcd_guard_foreign(struct wf_etcd *etcd, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(etcd->reason, sizeof(etcd->reason), format, args);
	va_end(args);
	etcd->hold = WF_ETCD_HOLD_FOREIGN;
	etcd->confirm_ms = UINT64_MAX;
}

bool wf_etcd_guard_list(struct wf_etcd *etcd, size_t count, size_t total)
{
	uint64_t now_ms = wf_clock_monotonic_ms();

	if (etcd->accept || !is_many(count, total) ||
	    (etcd->hold == WF_ETCD_HOLD_VANISHED && now_ms >= etcd->confirm_ms)) {
		if (etcd->hold == WF_ETCD_HOLD_VANISHED)
			wf_etcd_guard_clear(etcd);
		return true;
	}
	if (etcd->hold == WF_ETCD_HOLD_NONE)
		etcd->confirm_ms = now_ms + etcd->times.confirm_ms;
	etcd->hold = WF_ETCD_HOLD_VANISHED;
	(void)snprintf(etcd->reason, sizeof(etcd->reason),
		       "%zu of %zu documents are gone from etcd at once: they are kept until a "
		       "second list says the same",
		       count, total);
	return false;
}

static int count_document(const struct wf_local_row *row, void *context, struct wf_err *err)
{
	(void)err;
	*(size_t *)context += row->kind[0] != '.';
	return 0;
}

/* Counted when somebody asks for it: a start need not look at every document for it. */
static size_t count_documents(struct wf_etcd *etcd)
{
	struct wf_local *mirror = wf_etcd_mirror(etcd);

	if (!etcd->documents)
		(void)mirror->rows->walk(mirror, NULL, 0, count_document, &etcd->documents, NULL);
	return etcd->documents;
}

bool wf_etcd_guard_watch(struct wf_etcd *etcd, const struct wf_etcd_change *change)
{
	struct wf_local *mirror = wf_etcd_mirror(etcd);
	size_t count = 0, deletions = 0;

	for (size_t i = 0; i < change->count; i++)
		deletions += change->kvs[i].is_deleted;
	if (deletions <= FEW_DELETIONS || deletions == etcd->own_deletions)
		return true;
	for (size_t i = 0; i < change->count; i++) {
		struct wf_local_row row;
		char *key = change->kvs[i].key, *kind, *name;
		bool is_document =
			change->kvs[i].is_deleted &&
			wf_etcd_split_key(etcd->prefix, key, change->kvs[i].key_len, &kind, &name);

		if (!is_document)
			continue;
		if (mirror->rows->read(mirror, kind, name, &row, NULL) > 0 && row.lease == 0)
			count++;
		name[-1] = '/';
	}
	return !is_many(count, count_documents(etcd));
}
