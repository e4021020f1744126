/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes good the DELs and GCs that the CNI plugin wrote down: while no daemon ran, or because there
 * was no disk to do them with. Those of the second kind are tried until they succeed.
 */
#include "base/spool.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/control_priv.h"

WF_LOG_MODULE(spool);

#define RETRY_MS 2000

static bool is_disk(int r)
{
	return r == -ENOSPC || r == -EROFS || r == -EIO;
}

static int replay_detach(struct wf_control *control, const struct wf_spool_entry *entry,
			 struct wf_err *err)
{
	const char *container_id = wf_json_str(entry->body, "containerID", "");
	const char *ifname = wf_json_str(entry->body, "ifname", "");
	_cleanup_json_ json_t *names = NULL;

	return wf_control_detach_container(control, container_id, ifname,
					   wf_json_str(entry->body, "network", NULL), &names, err);
}

/* Endpoints made after the list was written are not in it and must not suffer. */
static int replay_gc(struct wf_control *control, const struct wf_spool_entry *entry,
		     struct wf_err *err)
{
	_cleanup_json_ json_t *body = json_deep_copy(entry->body);
	_cleanup_json_ json_t *report = NULL;
	json_t *valid = json_object_get(body, "valid");
	struct ctl_endpoint *endpoint, *next;

	HASH_ITER(by_name, control->endpoints, endpoint, next) {
		if (endpoint->spec.container_id && endpoint->spec.meta.created_s >= entry->time_s)
			(void)json_array_append_new(valid,
						    json_pack("{s:s, s:s}", "containerID",
							      endpoint->spec.container_id, "ifname",
							      endpoint->spec.ifname));
	}
	return wf_control_gc(control, body, &report, err);
}

static int replay(const struct wf_spool_entry *entry, void *context)
{
	struct wf_control *control = context;
	struct wf_err err = WF_ERR_INIT;
	int r;

	/* what another boot left behind died with it */
	if (entry->boot_id[0] && strcmp(entry->boot_id, control->boot_id) != 0)
		return 0;
	r = entry->kind == WF_SPOOL_GC ? replay_gc(control, entry, &err)
				       : replay_detach(control, entry, &err);
	if (r < 0)
		wf_log_warning("waiting request failed", "entry=%s error=\"%s\"", entry->name,
			       err.message);
	/* a request that is refused for good is not kept for ever */
	return is_disk(r) ? r : 0;
}

static void drain(struct wf_control *control)
{
	struct wf_err err = WF_ERR_INIT;
	size_t bad = 0;
	int done = wf_spool_drain(control->spool_dir, replay, control, &bad, &err);

	if (done < 0)
		wf_log_warning("spool cannot be read", "error=\"%s\"", err.message);
	else if (done || bad)
		wf_log_info("requests made good that had to wait", "done=%d refused=%zu", done,
			    bad);
}

static void on_retry(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	drain(context);
}

void wf_ctl_spool_retry(struct wf_control *control, int r)
{
	const struct timeval wait = wf_ctl_timeval(RETRY_MS);

	if (!is_disk(r) || !control->spool_dir)
		return;
	if (!control->spool_timer)
		control->spool_timer = evtimer_new(control->loop, on_retry, control);
	if (control->spool_timer && !evtimer_pending(control->spool_timer, NULL))
		(void)evtimer_add(control->spool_timer, &wait);
}

void wf_ctl_spool_stop(struct wf_control *control)
{
	if (control->spool_timer)
		event_free(control->spool_timer);
	control->spool_timer = NULL;
	free(control->spool_dir);
	control->spool_dir = NULL;
}

void wf_control_drain_spool(struct wf_control *control, const char *socket_path)
{
	_cleanup_str_ struct wf_str dir = WF_STR_INIT;

	wf_spool_add_dir(&dir, socket_path);
	free(control->spool_dir);
	control->spool_dir = dir.failed ? NULL : strdup(wf_str_text(&dir));
	if (control->spool_dir)
		drain(control);
}
