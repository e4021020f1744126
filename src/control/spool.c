/* SPDX-License-Identifier: Apache-2.0 */
/* Makes good the DELs and GCs that the CNI plugin wrote down while no daemon ran. */
#include "base/spool.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/control_priv.h"

WF_LOG_MODULE(spool);

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
	return r == -ENOSPC || r == -EROFS || r == -EIO ? r : 0;
}

void wf_control_drain_spool(struct wf_control *control, const char *socket_path)
{
	_cleanup_(wf_str_done) struct wf_str dir = WF_STR_INIT;
	struct wf_err err = WF_ERR_INIT;
	size_t bad = 0;
	int done;

	wf_spool_add_dir(&dir, socket_path);
	if (dir.failed)
		return;
	done = wf_spool_drain(wf_str_text(&dir), replay, control, &bad, &err);
	if (done < 0)
		wf_log_warning("spool cannot be read", "error=\"%s\"", err.message);
	else if (done || bad)
		wf_log_info("requests made good that came while no daemon ran",
			    "done=%d refused=%zu", done, bad);
}
