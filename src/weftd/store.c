/* SPDX-License-Identifier: Apache-2.0 */
#include "weftd/store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "control/control.h"
#include "store/etcd.h"
#include "weftd/keep.h"

WF_LOG_MODULE(store);

#define DATABASE "weft.db"
#define MIRROR   "mirror.db"

/* How long nothing must have been committed before the store is tidied up. */
#define QUIET_US 100000
/* When a disk that took no change is tried again. */
#define RETRY_S 2

int weftd_store_check(const char *text, struct wf_err *err)
{
	struct wf_store_etcd_url url;
	int r;

	if (strcmp(text, "sqlite") == 0 || strcmp(text, "mem") == 0)
		return 0;
	if (!wf_store_etcd_is_url(text))
		return wf_fail(err, -EINVAL,
			       "\"%s\" is no store: sqlite, mem, or "
			       "etcd://HOST:PORT[,HOST:PORT...][/PREFIX] (etcds:// with TLS)",
			       text);
	r = wf_store_etcd_url_parse(text, &url, err);
	wf_store_etcd_url_done(&url);
	return r;
}

/* Options of a store in etcd; what they point to is the configuration's or the URL's. */
static struct wf_store_etcd_options etcd_options(const struct weftd_config *config,
						 const struct wf_store_etcd_url *url,
						 const char *mirror)
{
	return (struct wf_store_etcd_options){
		.endpoints = (const char *const *)url->endpoints,
		.endpoint_count = url->endpoint_count,
		.prefix = url->prefix,
		.ca = config->etcd_ca,
		.cert = config->etcd_cert,
		.key = config->etcd_key,
		.mirror = mirror,
		.accept = config->accept_store,
	};
}

int weftd_store_ports(const struct weftd_config *config, uint64_t ports[WF_CLEAR_WORDS],
		      struct wf_err *err)
{
	_cleanup_(wf_store_etcd_url_done) struct wf_store_etcd_url url = { 0 };
	uint64_t port;
	int r;

	if (!wf_store_etcd_is_url(config->store))
		return 0;
	r = wf_store_etcd_url_parse(config->store, &url, err);
	for (size_t i = 0; r == 0 && i < url.endpoint_count; i++) {
		const char *colon = strrchr(url.endpoints[i], ':');

		if (colon && wf_str_to_u64(colon + 1, 1, UINT16_MAX, &port) == 0)
			ports[port / 64] |= 1ULL << port % 64;
	}
	return r;
}

/* mirror: where it is kept, NULL: nowhere. */
static int open_etcd(const struct weftd_config *config, const char *mirror,
		     struct wf_store **ret_store, struct wf_err *err)
{
	_cleanup_(wf_store_etcd_url_done) struct wf_store_etcd_url url = { 0 };
	struct wf_store_etcd_options options;
	int r = wf_store_etcd_url_parse(config->store, &url, err);

	if (r < 0)
		return r;
	options = etcd_options(config, &url, mirror);
	return wf_store_etcd_open(&options, ret_store, err);
}

static int open_mirrored(const struct weftd_config *config, struct wf_store **ret_store,
			 struct wf_err *err)
{
	_cleanup_free_ char *mirror = NULL;

	if (asprintf(&mirror, "%s/" MIRROR, config->state_dir) < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	return open_etcd(config, mirror, ret_store, err);
}

static int open_sqlite(const struct weftd_config *config, struct wf_store **ret_store,
		       struct wf_err *err)
{
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "%s/" DATABASE, config->state_dir) < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	return wf_store_sqlite_open(path, ret_store, err);
}

/* Says once what has changed: connections, holds, values that cannot be read. */
static void tell(struct weftd_store *store)
{
	struct wf_store_state now;
	bool is_held;

	wf_store_state(store->store, &now);
	is_held = now.hold[0] != '\0';
	if (now.is_connected && !store->was_connected)
		wf_log_info("connected to the store", "endpoint=%s revision=%llu", now.endpoint,
			    (unsigned long long)wf_store_revision(store->store));
	if (!now.is_connected && store->was_connected)
		wf_log_warning("the store is away; the last known state serves", "error=\"%s\"",
			       now.last_error);
	if (is_held && !store->was_held)
		wf_log_error("the store is not believed", "reason=\"%s\"", now.hold);
	if (!is_held && store->was_held)
		wf_log_info("the store is believed again", "documentsPutRight=%llu",
			    (unsigned long long)now.counters.repairs);
	if (now.counters.unreadable > store->unreadable)
		wf_log_warning_rl("values in the store are no documents and were left out",
				  "count=%llu", (unsigned long long)now.counters.unreadable);
	store->was_connected = now.is_connected;
	store->was_held = is_held;
	store->unreadable = now.counters.unreadable;
}

int weftd_store_open(const struct weftd_config *config, struct weftd_store *ret_store,
		     struct wf_err *err)
{
	int r;

	*ret_store = (struct weftd_store){ .config = config, .was_connected = true };
	if (strcmp(config->store, "mem") == 0)
		r = wf_store_mem_open(&ret_store->store, err);
	else if (wf_store_etcd_is_url(config->store))
		r = open_mirrored(config, &ret_store->store, err);
	else
		r = open_sqlite(config, &ret_store->store, err);
	return r < 0 ? r : weftd_keep_restore(config, ret_store->store, err);
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	struct weftd_store *store = context;

	(void)fd;
	(void)what;
	wf_store_process(store->store);
	tell(store);
}

/* Says once that nothing can be stored, and once that it can again. Returns whether it can. */
static bool tell_disk(struct weftd_store *store)
{
	struct wf_store_state now;
	bool is_refused;

	wf_store_state(store->store, &now);
	is_refused = now.write_code != 0;
	if (is_refused && !store->was_refused)
		wf_log_error(
			"the store cannot be written: what is in force goes on, no change is taken",
			"error=\"%s\"", now.write_error);
	if (!is_refused && store->was_refused)
		wf_log_info("the store can be written again", "store=%s",
			    wf_store_describe(store->store));
	store->was_refused = is_refused;
	return !is_refused;
}

/* Endpoints are written down once the store is not in the middle of something, and no more if it can. */
static void keep(struct weftd_store *store)
{
	struct wf_err fault = WF_ERR_INIT;

	if (store->was_kept == store->was_refused)
		return;
	store->was_kept = store->was_refused;
	if (!store->was_refused)
		weftd_keep_forget(store->config);
	else if (weftd_keep(store->config, store->store, &fault) < 0)
		wf_log_warning("endpoints of the last seconds are not safe from a new mount",
			       "error=\"%s\"", fault.message);
}

static void on_backlog(void *context)
{
	static const struct timeval quiet = { .tv_usec = QUIET_US }, retry = { .tv_sec = RETRY_S };
	static const struct timeval at_once;
	struct weftd_store *store = context;
	bool is_writable = tell_disk(store);

	if (evtimer_pending(store->tidy, NULL))
		return;
	store->revision = wf_store_revision(store->store);
	(void)evtimer_add(store->tidy, is_writable ? &quiet : store->was_kept ? &retry : &at_once);
}

static void on_tidy(evutil_socket_t fd, short what, void *context)
{
	struct weftd_store *store = context;

	(void)fd;
	(void)what;
	if (wf_store_revision(store->store) == store->revision)
		wf_store_tidy(store->store);
	else
		on_backlog(store);
	(void)tell_disk(store);
	keep(store);
}

static int tidy_later(struct weftd_store *store, struct event_base *loop, struct wf_err *err)
{
	store->tidy = evtimer_new(loop, on_tidy, store);
	if (!store->tidy || event_priority_set(store->tidy, WF_CONTROL_PRIORITY_LOW) < 0)
		return wf_fail(err, -ENOMEM, "out of memory for the store");
	wf_store_on_backlog(store->store, on_backlog, store);
	return 0;
}

int weftd_store_start(struct weftd_store *store, struct event_base *loop, struct wf_err *err)
{
	int fd = wf_store_fd(store->store);
	int r = tidy_later(store, loop, err);

	if (r < 0)
		return r;
	if (fd < 0)
		return 0;
	tell(store);
	store->event = event_new(loop, fd, EV_READ | EV_PERSIST, on_readable, store);
	if (!store->event || event_add(store->event, NULL) < 0)
		return wf_fail(err, -ENOMEM, "out of memory for the store");
	return 0;
}

void weftd_store_close(struct weftd_store *store)
{
	if (store->event)
		event_free(store->event);
	if (store->tidy) {
		wf_store_on_backlog(store->store, NULL, NULL);
		event_free(store->tidy);
	}
	store->event = store->tidy = NULL;
	/* nobody may have tried to write since the disk takes nothing */
	store->was_refused |= store->store && weftd_keep_is_due(store->config);
	if (store->store && store->was_refused)
		keep(store);
	wf_store_close(&store->store);
}

bool weftd_store_was_shared(const struct weftd_config *config)
{
	_cleanup_free_ char *mirror = NULL;

	return asprintf(&mirror, "%s/" MIRROR, config->state_dir) >= 0 && access(mirror, F_OK) == 0;
}

int weftd_store_open_shared(const struct weftd_config *config, struct wf_store **ret_store,
			    struct wf_err *err)
{
	return wf_store_etcd_is_url(config->store)
		       ? open_etcd(config, NULL, ret_store, err)
		       : wf_fail(err, -EINVAL, "--store does not say which etcd");
}

int weftd_store_import(const struct weftd_config *config, struct wf_store_import *ret_import,
		       struct wf_err *err)
{
	_cleanup_(wf_store_etcd_url_done) struct wf_store_etcd_url url = { 0 };
	_cleanup_(wf_store_close) struct wf_store *from = NULL;
	_cleanup_free_ char *path = NULL;
	struct wf_store_etcd_options options;
	int r;

	if (!wf_store_etcd_is_url(config->store))
		return wf_fail(err, -EINVAL,
			       "an import goes into etcd: give --store etcd://HOST:PORT");
	if (asprintf(&path, "%s/" DATABASE, config->state_dir) < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	/* an empty one would be made, and its import succeed */
	if (access(path, F_OK) < 0)
		return wf_fail(err, -errno, "there is no store to import: %s: %s", path,
			       strerror(errno));
	r = wf_store_etcd_url_parse(config->store, &url, err);
	if (r == 0)
		r = wf_store_sqlite_open(path, &from, err);
	options = etcd_options(config, &url, NULL);
	return r < 0 ? r : wf_store_etcd_import(from, &options, config->merge, ret_import, err);
}
