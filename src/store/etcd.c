/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing, the table of operations, and one turn of everything. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "store/etcd_priv.h"

#define DEFAULT_TIMEOUT_MS 2000
#define DEFAULT_PROBE_MS   15000
#define DEFAULT_AUDIT_MS   300000
#define DEFAULT_CONFIRM_MS 10000

uint64_t wf_etcd_soon(uint64_t from_now_ms)
{
	uint32_t random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != (ssize_t)sizeof(random))
		random = (uint32_t)wf_clock_monotonic_ns();
	return from_now_ms - from_now_ms / 4 + from_now_ms / 2 * (random % 1024) / 1024;
}

static struct wf_etcd *etcd_of(const struct wf_store *store)
{
	return (struct wf_etcd *)store;
}

void wf_etcd_schedule(struct wf_etcd *etcd)
{
	uint64_t link_ms = wf_etcd_link_due(etcd), audit_ms = wf_etcd_audit_due(etcd);

	wf_etcd_net_wake_at(&etcd->net, link_ms < audit_ms ? link_ms : audit_ms);
}

void wf_etcd_turn(struct wf_etcd *etcd, uint64_t timeout_ms)
{
	wf_etcd_net_step(&etcd->net, timeout_ms);
	wf_etcd_link_run(etcd);
	wf_etcd_audit_run(etcd);
	wf_etcd_lease_run(etcd);
	wf_etcd_schedule(etcd);
}

static int etcd_fd(const struct wf_store *store)
{
	return etcd_of(store)->net.epoll_fd;
}

static void etcd_process(struct wf_store *store)
{
	wf_etcd_turn(etcd_of(store), 0);
}

static void etcd_state(const struct wf_store *store, struct wf_store_state *ret_state)
{
	const struct wf_etcd *etcd = etcd_of(store);
	struct wf_store_state mirror;
	uint64_t heard_ms = etcd->heard_ms > etcd->answered_ms ? etcd->heard_ms : etcd->answered_ms;

	wf_store_state(etcd->mirror, &mirror);
	*ret_state = (struct wf_store_state){
		.is_remote = true,
		.is_connected = etcd->is_connected,
		.silent_ms = wf_clock_monotonic_ms() - heard_ms,
		.stale_since_s = etcd->stale_since_s,
		.server_revision = etcd->server_revision,
		.endpoint = etcd->stream ? wf_etcd_call_endpoint(etcd->stream)
					 : wf_etcd_net_endpoint(&etcd->net),
		.last_error = etcd->last_error.message,
		.hold = etcd->reason,
		.counters = etcd->counters,
		.write_code = mirror.write_code,
		.write_error = mirror.write_error,
		.write_error_since_s = mirror.write_error_since_s,
	};
	ret_state->counters.requests = etcd->net.requests;
	ret_state->counters.failures = etcd->net.failures;
	ret_state->counters.request_ns = etcd->net.request_ns;
}

static int etcd_accept(struct wf_store *store, struct wf_err *err)
{
	struct wf_etcd *etcd = etcd_of(store);

	if (etcd->hold == WF_ETCD_HOLD_NONE)
		return wf_fail(err, -EALREADY, "nothing is held back");
	wf_etcd_guard_clear(etcd);
	wf_etcd_link_close(etcd);
	etcd->accept = true;
	etcd->needs_resync = true;
	etcd->retry_ms = 0;
	wf_etcd_schedule(etcd);
	return 0;
}

static int etcd_get(struct wf_store *store, const char *kind, const char *name,
		    json_t **ret_document, struct wf_err *err)
{
	struct wf_store *mirror = etcd_of(store)->mirror;

	return mirror->ops->get(mirror, kind, name, ret_document, err);
}

static int etcd_list(struct wf_store *store, const char *kind, json_t **ret_array,
		     uint64_t *ret_revision, struct wf_err *err)
{
	struct wf_store *mirror = etcd_of(store)->mirror;

	return mirror->ops->list(mirror, kind, ret_array, ret_revision, err);
}

static int etcd_count(struct wf_store *store, const char *kind, size_t *ret_count,
		      struct wf_err *err)
{
	struct wf_store *mirror = etcd_of(store)->mirror;

	return mirror->ops->count(mirror, kind, ret_count, err);
}

static int etcd_visit(struct wf_store *store, const char *kind, wf_store_text_fn take,
		      wf_store_visit_fn visit, void *context, struct wf_err *err)
{
	struct wf_store *mirror = etcd_of(store)->mirror;

	return mirror->ops->visit(mirror, kind, take, visit, context, err);
}

static int etcd_history(struct wf_store *store, const char *kind, uint64_t after,
			struct wf_store_batch **ret_batch, struct wf_err *err)
{
	struct wf_store *mirror = etcd_of(store)->mirror;

	return mirror->ops->history(mirror, kind, after, ret_batch, err);
}

/* Of the mirror's history: etcd's is its operator's. */
static int etcd_compact(struct wf_store *store, uint64_t before, struct wf_err *err)
{
	struct wf_store *mirror = etcd_of(store)->mirror;

	return mirror->ops->compact(mirror, before, err);
}

static void etcd_on_backlog(struct wf_store *store, wf_store_backlog_fn backlog, void *context)
{
	wf_store_on_backlog(etcd_of(store)->mirror, backlog, context);
}

static void etcd_tidy(struct wf_store *store)
{
	wf_store_tidy(etcd_of(store)->mirror);
}

static void etcd_close(struct wf_store *store)
{
	struct wf_etcd *etcd = etcd_of(store);

	wf_etcd_link_close(etcd);
	wf_etcd_call_free(&etcd->renewal.call);
	wf_etcd_resync_free(&etcd->resync);
	wf_etcd_net_done(&etcd->net);
	wf_store_close(&etcd->mirror);
	wf_store_done(store);
	free(etcd->prefix);
	free(etcd->first);
	free(etcd->end);
	free(etcd->schema);
	free(etcd);
}

static const struct wf_store_ops etcd_ops = {
	.close = etcd_close,
	.get = etcd_get,
	.list = etcd_list,
	.count = etcd_count,
	.visit = etcd_visit,
	.commit = wf_etcd_commit,
	.commit_begin = wf_etcd_commit_begin,
	.commit_end = wf_etcd_commit_end,
	.history = etcd_history,
	.compact = etcd_compact,
	.on_backlog = etcd_on_backlog,
	.tidy = etcd_tidy,
	.lease_grant = wf_etcd_lease_grant,
	.lease_revoke = wf_etcd_lease_revoke,
	.lease_expire = wf_etcd_lease_expire,
	.lease_renew_later = wf_etcd_lease_renew_later,
	.fd = etcd_fd,
	.process = etcd_process,
	.state = etcd_state,
	.accept = etcd_accept,
};

static uint64_t or_default(uint64_t value, uint64_t fallback)
{
	return value ? value : fallback;
}

static int set_keys(struct wf_etcd *etcd, const char *prefix)
{
	etcd->prefix = strdup(prefix ? prefix : WF_STORE_ETCD_PREFIX);
	if (!etcd->prefix || asprintf(&etcd->first, "%s/", etcd->prefix) < 0 ||
	    asprintf(&etcd->end, "%s0", etcd->prefix) < 0 ||
	    asprintf(&etcd->schema, "%s/schema", etcd->prefix) < 0)
		return -ENOMEM;
	return 0;
}

static struct wf_etcd *make(const struct wf_store_etcd_options *options)
{
	struct wf_etcd *etcd = calloc(1, sizeof(*etcd));

	if (!etcd)
		return NULL;
	etcd->net.epoll_fd = -1;
	etcd->net.timer_fd = -1;
	if (wf_store_init(&etcd->store, &etcd_ops, "etcd:%s%s", options->endpoints[0],
			  options->prefix ? options->prefix : WF_STORE_ETCD_PREFIX) < 0) {
		free(etcd);
		return NULL;
	}
	etcd->changes_end = &etcd->changes;
	etcd->confirm_ms = UINT64_MAX;
	etcd->last_error = (struct wf_err)WF_ERR_INIT;
	etcd->accept = options->accept;
	etcd->times = (struct wf_store_etcd_options){
		.timeout_ms = or_default(options->timeout_ms, DEFAULT_TIMEOUT_MS),
		.probe_ms = or_default(options->probe_ms, DEFAULT_PROBE_MS),
		.audit_ms = or_default(options->audit_ms, DEFAULT_AUDIT_MS),
		.confirm_ms = or_default(options->confirm_ms, DEFAULT_CONFIRM_MS),
	};
	return etcd;
}

static int open_mirror(struct wf_etcd *etcd, const char *path, struct wf_err *err)
{
	int r = path ? wf_store_sqlite_open(path, &etcd->mirror, err)
		     : wf_store_mem_open(&etcd->mirror, err);

	if (r == 0)
		r = wf_etcd_identity_load(etcd, err);
	if (r < 0)
		return wf_wrap(err, r, "mirror of etcd");
	etcd->store.revision = etcd->mirror->revision;
	etcd->needs_resync |= etcd->cluster_id == 0 || etcd->accept;
	return 0;
}

/* What will not be better tomorrow, and what must not be ignored. */
static bool is_final(const struct wf_err *error)
{
	return error->code == -ESTALE || error->code == -EBUSY;
}

/* Waits for the connection; without one the last known state serves, if there is any. */
static int first_connection(struct wf_etcd *etcd, struct wf_err *err)
{
	uint64_t deadline_ms =
		wf_clock_monotonic_ms() + etcd->times.timeout_ms * etcd->net.endpoint_count;
	bool has_state = etcd->cluster_id != 0;

	/* a list takes the time it takes: its pages have a time of their own */
	while (!etcd->is_connected &&
	       (wf_clock_monotonic_ms() < deadline_ms || etcd->state == WF_ETCD_LINK_LIST)) {
		bool tried_all = etcd->failed >= etcd->net.endpoint_count;

		if (etcd->state == WF_ETCD_LINK_DOWN && tried_all &&
		    etcd->last_error.code != -EAGAIN &&
		    (!etcd->needs_resync || etcd->last_error.code != -EHOSTUNREACH))
			break;
		wf_etcd_turn(etcd, 50);
		if (etcd->state == WF_ETCD_LINK_LIST)
			deadline_ms = wf_clock_monotonic_ms() + etcd->times.timeout_ms;
	}
	if (etcd->is_connected || (has_state && !is_final(&etcd->last_error)))
		return 0;
	if (etcd->last_error.code < 0 && etcd->last_error.code != -EHOSTUNREACH) {
		if (err)
			*err = etcd->last_error;
		return etcd->last_error.code;
	}
	return wf_wrap(err, wf_etcd_fail_unreachable(etcd, err),
		       "a node that has no state of its own yet needs etcd to start");
}

static int open_all(struct wf_etcd *etcd, const struct wf_store_etcd_options *options,
		    struct wf_err *err)
{
	const struct wf_etcd_tls tls = { .ca = (char *)options->ca,
					 .cert = (char *)options->cert,
					 .key = (char *)options->key };
	uint64_t connect_ms = etcd->times.timeout_ms / 2;
	int r;

	if (set_keys(etcd, options->prefix) < 0)
		return wf_fail(err, -ENOMEM, "out of memory opening the store");
	r = wf_etcd_net_init(&etcd->net, options->endpoints, options->endpoint_count, &tls,
			     connect_ms, err);
	if (r == 0)
		r = open_mirror(etcd, options->mirror, err);
	if (r == 0)
		r = wf_etcd_tls_check(&etcd->net.tls, err);
	/* an expired certificate ends the connection, not the node */
	if (r == -EINVAL && etcd->cluster_id) {
		wf_etcd_link_drop(etcd, err);
		wf_etcd_schedule(etcd);
		wf_err_clear(err);
		return 0;
	}
	return r < 0 ? r : first_connection(etcd, err);
}

int wf_store_etcd_open(const struct wf_store_etcd_options *options, struct wf_store **ret_store,
		       struct wf_err *err)
{
	struct wf_etcd *etcd;
	struct wf_store *store;
	struct wf_err own = WF_ERR_INIT;
	int r;

	if (!options->endpoint_count)
		return wf_fail(err, -EINVAL, "a store in etcd needs an endpoint");
	etcd = make(options);
	if (!etcd)
		return wf_fail(err, -ENOMEM, "out of memory opening the store");
	store = &etcd->store;
	r = open_all(etcd, options, &own);
	if (r < 0) {
		if (err)
			*err = own;
		wf_store_close(&store);
		return r;
	}
	*ret_store = store;
	return 0;
}
