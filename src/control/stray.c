/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Endpoints of this node that are documents only. The store did not say whether an attach was
 * stored, so it failed, and later the document shows; or what was stored could not be taken back.
 * They are released when the store can be asked, unless an endpoint has the name by then.
 */
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/control_priv.h"

WF_LOG_MODULE(stray);

#define RETRY_MS 1000

struct ctl_stray {
	struct ctl_stray *next;
	char name[WF_NAME_BYTES];
};

/* 0: nothing is left to be done. */
static int release(struct wf_control *control, const char *name)
{
	_cleanup_json_ json_t *document = NULL;
	struct wf_err fault = WF_ERR_INIT;
	int r;

	if (wf_ctl_endpoint_find(control, name))
		return 0;
	r = wf_store_get(control->store, WF_KIND_ENDPOINT, name, &document, &fault);
	if (r == -ENOENT || (r == 0 && wf_ctl_is_remote(control, document)))
		return 0;
	if (r == 0)
		r = wf_ctl_document_forget(control, document, WF_STORE_BOOT_BOUND, &fault);
	if (r == 0)
		wf_log_info("endpoint without an interface released",
			    "endpoint=%s why=\"its attach had failed\"", name);
	else
		wf_log_warning_rl("endpoint without an interface is still stored",
				  "endpoint=%s error=\"%s\"", name, fault.message);
	return r;
}

static void wait_for_store(struct wf_control *control)
{
	const struct timeval wait = wf_ctl_timeval(RETRY_MS);
	struct ctl_cluster *cluster = &control->cluster;

	if (cluster->strays && cluster->stray_timer && !evtimer_pending(cluster->stray_timer, NULL))
		(void)evtimer_add(cluster->stray_timer, &wait);
}

static void on_time(evutil_socket_t fd, short what, void *context)
{
	struct wf_control *control = context;
	struct ctl_stray **at = &control->cluster.strays;

	(void)fd;
	(void)what;
	while (*at) {
		struct ctl_stray *stray = *at;

		if (release(control, stray->name) < 0) {
			at = &stray->next;
			continue;
		}
		*at = stray->next;
		free(stray);
	}
	wait_for_store(control);
}

void wf_ctl_stray_add(struct wf_control *control, const char *name)
{
	struct ctl_cluster *cluster = &control->cluster;
	struct ctl_stray *stray;

	for (stray = cluster->strays; stray; stray = stray->next)
		if (strcmp(stray->name, name) == 0)
			return;
	if (!cluster->stray_timer)
		cluster->stray_timer = evtimer_new(control->loop, on_time, control);
	stray = calloc(1, sizeof(*stray));
	if (!stray || !cluster->stray_timer) {
		/* the next start finds it */
		free(stray);
		return;
	}
	(void)snprintf(stray->name, sizeof(stray->name), "%s", name);
	stray->next = cluster->strays;
	cluster->strays = stray;
	wait_for_store(control);
}

void wf_ctl_stray_stop(struct wf_control *control)
{
	struct ctl_cluster *cluster = &control->cluster;

	while (cluster->strays) {
		struct ctl_stray *stray = cluster->strays;

		cluster->strays = stray->next;
		free(stray);
	}
	if (cluster->stray_timer)
		event_free(cluster->stray_timer);
	cluster->stray_timer = NULL;
}
