/* SPDX-License-Identifier: Apache-2.0 */
#include "control/doctor.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "control/doctor_priv.h"

/* How each status is called in the report, counted in its summary, and shown to people. */
static const struct {
	const char *name, *counter, *mark, *colour;
} statuses[DOCTOR_STATUS_COUNT] = {
	[DOCTOR_OK] = { "ok", "ok", "ok", "\033[32m" },
	[DOCTOR_NOTE] = { "note", "notes", "note", "\033[36m" },
	[DOCTOR_WARNING] = { "warning", "warnings", "WARN", "\033[33m" },
	[DOCTOR_ERROR] = { "error", "errors", "ERROR", "\033[31m" },
};

static const struct doctor_check *const tables[] = {
	wf_doctor_build_checks,    wf_doctor_kernel_checks, wf_doctor_trial_checks,
	wf_doctor_net_checks,      wf_doctor_hook_checks,   wf_doctor_host_checks,
	wf_doctor_software_checks, wf_doctor_file_checks,
};

const char *wf_doctor_status_name(enum doctor_status status)
{
	return statuses[status].name;
}

enum doctor_status wf_doctor_status_from_name(const char *name)
{
	int status = DOCTOR_OK;

	while (status < DOCTOR_STATUS_COUNT && strcmp(statuses[status].name, name) != 0)
		status++;
	return (enum doctor_status)status;
}

void wf_doctor_say(struct doctor_result *result, enum doctor_status status, const char *format, ...)
{
	va_list args;

	if (status > result->status)
		result->status = status;
	if (result->seen.len)
		wf_str_add(&result->seen, "; ");
	va_start(args, format);
	wf_str_vaddf(&result->seen, format, args);
	va_end(args);
}

void wf_doctor_advise(struct doctor_result *result, const char *format, ...)
{
	va_list args;

	if (result->advice.len)
		wf_str_add(&result->advice, " ");
	va_start(args, format);
	wf_str_vaddf(&result->advice, format, args);
	va_end(args);
}

void wf_doctor_result_done(struct doctor_result *result)
{
	wf_str_done(&result->seen);
	wf_str_done(&result->advice);
}

static int set_escaped(json_t *object, const char *key, const struct wf_str *text)
{
	_cleanup_str_ struct wf_str clean = WF_STR_INIT;

	wf_str_add_escaped(&clean, wf_str_text(text));
	if (text->failed || clean.failed)
		return -ENOMEM;
	return wf_json_set(object, key, json_string(wf_str_text(&clean)));
}

json_t *wf_doctor_result_json(const struct doctor_check *check, const struct doctor_result *result)
{
	json_t *object = json_pack("{s:s, s:s, s:s}", "id", check->id, "title", check->title,
				   "status", wf_doctor_status_name(result->status));

	if (!object || set_escaped(object, "seen", &result->seen) < 0 ||
	    set_escaped(object, "advice", &result->advice) < 0)
		wf_json_cleanup(&object);
	return object;
}

/* ---- looking at the host's devices, once --------------------------------------------------- */

static void see_endpoint(struct doctor_links *links, const struct wf_net_link *link)
{
	links->endpoints++;
	if (!links->mtu_min || link->mtu < links->mtu_min)
		links->mtu_min = link->mtu;
	if (link->mtu > links->mtu_max)
		links->mtu_max = link->mtu;
}

static void see_link(const struct wf_net_link *link, void *context)
{
	struct doctor_links *links = context;

	if (link->group == WF_NET_GROUP_DEAD)
		links->dead++;
	else if (link->ifindex > WF_IFINDEX_BASE && link->ifindex < WF_IFINDEX_BASE + WF_MAX_SLOTS)
		see_endpoint(links, link);
	else if (strcmp(link->name, WF_NET_HOST_DEVICE) == 0)
		links->weft0 = link->ifindex;
	else if (link->group == WF_NET_GROUP_VLAN ||
		 (strcmp(link->kind, "macvlan") == 0 && strncmp(link->name, "wfm", 3) == 0))
		links->on_wire++;
}

static void see_prefix(const struct wf_prefix *prefix, const char *device, uint8_t protocol,
		       void *context)
{
	struct doctor_links *links = context;

	if (protocol != WF_NET_ROUTE_PROTOCOL)
		return;
	links->routes++;
	if (!wf_addr_is_ip4(&prefix->addr))
		links->has_ip6 = true;
}

void wf_doctor_look_at_links(struct doctor *doctor)
{
	struct doctor_links *links = &doctor->links;
	uint32_t ifindex;

	if (wf_net_open_reader(&doctor->net, NULL) < 0)
		return;
	(void)wf_net_link_dump(doctor->net, see_link, links, NULL);
	(void)wf_net_prefix_dump(doctor->net, see_prefix, links, NULL);
	(void)wf_net_default_device(doctor->net, links->device, &ifindex, &links->device_mtu, NULL);
}

/* ---- the report ---------------------------------------------------------------------------- */

static int run_check(struct doctor *doctor, const struct doctor_check *check, json_t *checks,
		     int *counts)
{
	struct doctor_result result = { 0 };
	int r;

	check->run(doctor, check, &result);
	counts[result.status]++;
	r = json_array_append_new(checks, wf_doctor_result_json(check, &result));
	wf_doctor_result_done(&result);
	return r < 0 ? -ENOMEM : 0;
}

static int run_all(struct doctor *doctor, json_t *checks, json_t *summary)
{
	int counts[DOCTOR_STATUS_COUNT] = { 0 };

	for (size_t i = 0; i < WF_ARRAY_LEN(tables); i++)
		for (const struct doctor_check *check = tables[i]; check->id; check++)
			if (run_check(doctor, check, checks, counts) < 0)
				return -ENOMEM;
	for (int i = 0; i < DOCTOR_STATUS_COUNT; i++)
		if (wf_json_set(summary, statuses[i].counter, json_integer(counts[i])) < 0)
			return -ENOMEM;
	return 0;
}

int wf_control_doctor(const struct wf_doctor_config *config, json_t **ret_report,
		      struct wf_err *err)
{
	_cleanup_json_ json_t *report = json_pack("{s:[], s:{}}", "checks", "summary");
	struct doctor doctor = { .config = config, .root = config->root ? config->root : "" };
	int r = -ENOMEM;

	if (report) {
		wf_doctor_look_at_links(&doctor);
		wf_doctor_find_daemon(&doctor);
		r = run_all(&doctor, json_object_get(report, "checks"),
			    json_object_get(report, "summary"));
		wf_net_close(&doctor.net);
		json_decref(doctor.trials);
	}
	if (r < 0)
		return wf_fail(err, r, "out of memory");
	*ret_report = TAKE_PTR(report);
	return 0;
}

int wf_control_doctor_status(const json_t *report)
{
	const json_t *summary = json_object_get(report, "summary");

	return wf_json_int(summary, "errors", 1) ? 1 : 0;
}

/* ---- for people ---------------------------------------------------------------------------- */

static void print_check(const json_t *check, bool colour, struct wf_str *out)
{
	enum doctor_status status = wf_doctor_status_from_name(wf_json_str(check, "status", ""));
	const char *advice = wf_json_str(check, "advice", "");

	if (status == DOCTOR_STATUS_COUNT)
		return;
	wf_str_addf(out, "%s%-5s%s ", colour ? statuses[status].colour : "", statuses[status].mark,
		    colour ? "\033[0m" : "");
	wf_str_add(out, wf_json_str(check, "seen", ""));
	wf_str_addf(out, *advice ? ". %s\n" : "%s\n", advice);
}

static void print_count(const json_t *summary, enum doctor_status status, struct wf_str *out)
{
	int64_t count = wf_json_int(summary, statuses[status].counter, 0);
	const char *name = count == 1 ? statuses[status].name : statuses[status].counter;

	wf_str_addf(out, "%s%lld %s", status == DOCTOR_OK ? "" : ", ", (long long)count, name);
}

void wf_control_doctor_print(const json_t *report, bool colour, struct wf_str *out)
{
	const json_t *summary = json_object_get(report, "summary");
	const json_t *check;
	size_t i;

	json_array_foreach(json_object_get(report, "checks"), i, check)
		print_check(check, colour, out);
	wf_str_addf(out, "%zu checks: ", json_array_size(json_object_get(report, "checks")));
	for (int status = DOCTOR_OK; status < DOCTOR_STATUS_COUNT; status++)
		print_count(summary, (enum doctor_status)status, out);
	wf_str_add(out, "\n");
}
