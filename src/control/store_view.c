/* SPDX-License-Identifier: Apache-2.0 */
/* What people see of a store: its disk, one that is not on this host, and their word that that may be believed. */
#include <errno.h>

#include "base/clock.h"
#include "base/json.h"
#include "control/control_priv.h"

/* Whether the disk takes changes, and if not why and since when. */
static int set_disk(json_t *value, const struct wf_store_state *now)
{
	char since[WF_CLOCK_TEXT];

	if (wf_json_set(value, "writable", json_boolean(now->write_code == 0)) < 0)
		return -ENOMEM;
	if (!now->write_code)
		return 0;
	(void)wf_clock_format(now->write_error_since_s, since);
	if (wf_json_set_str(value, "writeError", now->write_error) < 0)
		return -ENOMEM;
	return wf_json_set_str(value, "writeErrorSince", since);
}

json_t *wf_control_store(struct wf_control *control)
{
	struct wf_store_state now;
	char since[WF_CLOCK_TEXT] = "";
	json_t *value;

	wf_store_state(control->store, &now);
	if (now.stale_since_s)
		(void)wf_clock_format(now.stale_since_s, since);
	value = json_pack("{s:s, s:b, s:b, s:I}", "store", wf_store_describe(control->store),
			  "remote", now.is_remote, "connected", now.is_connected, "revision",
			  (json_int_t)wf_store_revision(control->store));
	if (value && set_disk(value, &now) < 0)
		wf_json_cleanup(&value);
	if (!value || !now.is_remote)
		return value;
	if (json_object_set_new(value, "serverRevision",
				json_integer((json_int_t)now.server_revision)) < 0 ||
	    wf_json_set_str(value, "endpoint", now.endpoint) < 0 ||
	    wf_json_set_str(value, "staleSince", since) < 0 ||
	    wf_json_set_str(value, "error", now.last_error) < 0 ||
	    wf_json_set_str(value, "hold", now.hold) < 0) {
		json_decref(value);
		return NULL;
	}
	return value;
}

int wf_control_store_accept(struct wf_control *control, json_t **ret_answer, struct wf_err *err)
{
	int r = wf_store_accept(control->store, err);

	if (r < 0)
		return r;
	*ret_answer = wf_control_store(control);
	return *ret_answer ? 0 : wf_fail(err, -ENOMEM, "out of memory");
}

void wf_ctl_store_metrics(const struct wf_control *control, struct wf_str *out)
{
	struct wf_store_state now;
	uint64_t stale_s = 0;

	wf_store_state(control->store, &now);
	wf_ctl_metric(out, "weft_store_revision", "gauge", "Revision of the store.",
		      wf_store_revision(control->store));
	wf_ctl_metric(out, "weft_store_connected", "gauge",
		      "Whether what is read of the store is at most a moment old.",
		      now.is_connected);
	wf_ctl_metric(
		out, "weft_store_writable", "gauge",
		"Whether the disk of this host took the last change of the store, or of its mirror.",
		now.write_code == 0);
	if (!now.is_remote)
		return;
	if (now.stale_since_s && wf_clock_wall_s() > now.stale_since_s)
		stale_s = (uint64_t)(wf_clock_wall_s() - now.stale_since_s);
	wf_ctl_metric(out, "weft_store_stale_seconds", "gauge",
		      "How long the store has been away; 0 when it is not.", stale_s);
	wf_ctl_metric(out, "weft_store_server_revision", "gauge",
		      "Newest revision heard of from the server, of keys of others too.",
		      now.server_revision);
	wf_ctl_metric(out, "weft_store_held", "gauge",
		      "Whether what the server has is not believed: deletions, or all of it.",
		      now.hold[0] != '\0');
	wf_ctl_metric(out, "weft_store_requests_total", "counter", "Requests to the server.",
		      now.counters.requests);
	wf_ctl_metric(out, "weft_store_request_failures_total", "counter",
		      "Requests that had no answer, or a refusal.", now.counters.failures);
	wf_ctl_metric_head(out, "weft_store_request_seconds_total", "counter",
			   "Time of all requests.");
	wf_str_addf(out, "weft_store_request_seconds_total %.6f\n",
		    (double)now.counters.request_ns / 1e9);
	wf_ctl_metric(out, "weft_store_connects_total", "counter",
		      "Connections that came to a watch.", now.counters.connects);
	wf_ctl_metric(out, "weft_store_lists_total", "counter",
		      "Lists of everything, after which the mirror was put right.",
		      now.counters.lists);
	wf_ctl_metric(out, "weft_store_audits_total", "counter",
		      "Comparisons of the mirror with the server.", now.counters.audits);
	wf_ctl_metric(out, "weft_store_repairs_total", "counter",
		      "Documents that a list put right.", now.counters.repairs);
	wf_ctl_metric(out, "weft_store_unreadable_total", "counter",
		      "Values that are no document and were left out.", now.counters.unreadable);
}
