/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flows that policies decided, as events tell of them: those on trial are remembered by what they
 * have in common, drops to be explained later, and the log gets those it is to have.
 */
#include "control/policy_audit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/reason.h"

WF_LOG_MODULE(flow);

/* Annotation of a policy: its flows are told in the log. */
#define ANNOTATION_LOG "weft.dev/log"

/* ---- what is wanted --------------------------------------------------------------------------- */

struct wants {
	bool audit, log;
};

static bool says_true(const struct wf_labels *labels, const char *key)
{
	const char *value = wf_labels_get(labels, key);

	return value && strcmp(value, "true") == 0;
}

static void see_policy(const char *key, const struct wf_policy *policy, void *context)
{
	struct wants *wants = context;

	(void)key;
	wants->audit = wants->audit || policy->audit;
	wants->log = wants->log || says_true(&policy->meta.annotations, ANNOTATION_LOG);
}

void wf_ctl_audit_sync(struct wf_control *control)
{
	struct wants wants = { .audit = json_object_size(control->policy.audited) > 0 };
	enum wf_policy_log level = control->config.policy_log;
	uint32_t observe = 0;

	wf_policy_engine_visit(control->policy.engine, see_policy, &wants);
	for (const struct ctl_endpoint *endpoint = control->endpoints; endpoint && !wants.audit;
	     endpoint = endpoint->by_name.next)
		wants.audit = wf_ctl_policy_is_audited(&endpoint->spec);
	control->policy.logs_some = wants.log;
	if (wants.audit || wants.log || level != WF_POLICY_LOG_NONE)
		observe |= WF_OBSERVE_DROPS;
	if (wants.log || level == WF_POLICY_LOG_ALL)
		observe |= WF_OBSERVE_FIRST;
	if (observe == control->policy.observe)
		return;
	control->policy.observe = observe;
	if (wf_ctl_config_sync(control, NULL) < 0)
		wf_ctl_dirty(control, CTL_DIRTY_HOST);
}

/* ---- records ------------------------------------------------------------------------------------ */

static const struct ctl_endpoint *endpoint_of(struct wf_control *control, uint32_t scope,
					      uint32_t slot, const struct wf_addr *addr)
{
	struct wf_addr_value value;

	if (slot != WF_SLOT_HOST && slot < WF_MAX_SLOTS)
		return control->by_slot[slot];
	if (wf_dp_address_get(control->dp, scope, addr, &value) < 0 || value.slot == WF_SLOT_HOST ||
	    value.slot >= WF_MAX_SLOTS)
		return NULL;
	return control->by_slot[value.slot];
}

static bool is_host_address(const struct wf_control *control, uint32_t scope,
			    const struct wf_addr *addr)
{
	struct wf_addr_value value;

	return wf_dp_address_get(control->dp, scope, addr, &value) == 0 &&
	       value.slot == WF_SLOT_HOST && value.flags & (WF_ADDR_GATEWAY | WF_ADDR_HOST);
}

static void fill_party(struct wf_control *control, uint32_t scope, uint32_t slot,
		       const struct wf_addr *addr, struct audit_party *party, json_t **ret_labels,
		       char namespace[64])
{
	const struct ctl_endpoint *endpoint = endpoint_of(control, scope, slot, addr);

	if (endpoint) {
		(void)wf_str_copy(party->name, sizeof(party->name), endpoint->spec.meta.name);
		*ret_labels = wf_labels_to_json(&endpoint->spec.meta.labels);
		(void)wf_str_copy(namespace, 64, wf_ctl_namespace_of(&endpoint->spec.meta.labels));
		return;
	}
	party->is_host = is_host_address(control, scope, addr);
	if (!party->is_host)
		party->addr = *addr;
}

static uint16_t port_of(const struct wf_event *event)
{
	if (event->proto == IPPROTO_ICMP || event->proto == IPPROTO_ICMPV6)
		return *(const uint8_t *)&event->sport;
	if (event->proto == IPPROTO_TCP || event->proto == IPPROTO_UDP ||
	    event->proto == IPPROTO_SCTP)
		return ntohs(event->translated == WF_EVENT_TRANSLATED_DST && event->nat_port
				     ? event->nat_port
				     : event->dport);
	return 0;
}

static void record_free(struct ctl_audit *audit, struct audit_record *record)
{
	HASH_DELETE(by_key, audit->records, record);
	json_decref(record->subject_labels);
	json_decref(record->peer_labels);
	free(record);
}

static struct audit_record *record_make(struct ctl_audit *audit, struct audit_record *fresh)
{
	struct audit_record *record;

	HASH_FIND(by_key, audit->records, &fresh->key, sizeof(fresh->key), record);
	if (record || HASH_CNT(by_key, audit->records) >= AUDIT_MAX)
		return record;
	record = malloc(sizeof(*record));
	if (!record)
		return NULL;
	*record = *fresh;
	HASH_ADD(by_key, audit->records, key, sizeof(record->key), record);
	if (!record->by_key.tbl) {
		free(record);
		return NULL;
	}
	fresh->subject_labels = fresh->peer_labels = NULL;
	return record;
}

/* One end of a flow that its policies would have denied. */
static void note_end(struct wf_control *control, const struct wf_event *event,
		     enum wf_policy_dir dir)
{
	struct ctl_audit *audit = control->policy.audit;
	const struct wf_addr *dst =
		event->translated == WF_EVENT_TRANSLATED_DST ? &event->nat : &event->dst;
	bool egress = dir == WF_POLICY_EGRESS;
	struct wf_policy_rule_info info;
	struct audit_record fresh, *record;
	uint32_t scope = wf_ctl_scope_of_number(control, event->network);
	bool from_slot = event->hook == WF_HOOK_FROM_CONTAINER;

	memset(&fresh, 0, sizeof(fresh));
	fresh.key.dir = dir;
	fresh.key.proto = event->proto;
	fresh.key.port = port_of(event);
	fill_party(control, scope, from_slot ? event->slot : WF_SLOT_HOST, &event->src,
		   egress ? &fresh.key.subject : &fresh.key.peer,
		   egress ? &fresh.subject_labels : &fresh.peer_labels,
		   egress ? fresh.subject_namespace : fresh.peer_namespace);
	fill_party(control, scope, event->peer_slot, dst,
		   egress ? &fresh.key.peer : &fresh.key.subject,
		   egress ? &fresh.peer_labels : &fresh.subject_labels,
		   egress ? fresh.peer_namespace : fresh.subject_namespace);
	if (wf_policy_engine_rule(control->policy.engine, event->ends[dir].rule, &info)) {
		(void)wf_str_copy(fresh.policy, sizeof(fresh.policy), info.key);
		fresh.by_rule = info.rule;
	}
	fresh.first_s = wf_clock_wall_s();
	audit->seen_total++;
	record = record_make(audit, &fresh);
	if (record) {
		record->count++;
		record->last_s = fresh.first_s;
	} else {
		audit->missed_total++;
	}
	json_decref(fresh.subject_labels);
	json_decref(fresh.peer_labels);
}

static void note_audit(struct wf_control *control, const struct wf_event *event)
{
	if (!control->policy.audit)
		control->policy.audit = calloc(1, sizeof(*control->policy.audit));
	if (!control->policy.audit)
		return;
	for (unsigned int dir = 0; dir < WF_POLICY_DIR_COUNT; dir++)
		if (event->ends[dir].profile != WF_POLICY_PROFILE_NONE &&
		    event->ends[dir].verdict == WF_POLICY_AUDIT)
			note_end(control, event, (enum wf_policy_dir)dir);
}

void wf_ctl_audit_free(struct wf_control *control)
{
	struct ctl_audit *audit = control->policy.audit;
	struct audit_record *record, *next;

	if (!audit)
		return;
	HASH_ITER(by_key, audit->records, record, next)
		record_free(audit, record);
	free(audit);
	control->policy.audit = NULL;
}

/* ---- drops and the log --------------------------------------------------------------------------- */

static bool is_policy_drop(const struct wf_event *event)
{
	return event->type == WF_EVENT_DROP && (event->reason == WF_REASON_POLICY_INGRESS ||
						event->reason == WF_REASON_POLICY_EGRESS);
}

static void note_drop(struct wf_control *control, const json_t *value)
{
	json_t *drops = control->policy.drops, *copy = json_copy((json_t *)value);
	json_int_t id = (json_int_t)control->policy.drop_count + 1;

	if (!copy || json_object_set_new(copy, "id", json_integer(id)) < 0 ||
	    json_array_append(drops, copy) < 0) {
		json_decref(copy);
		return;
	}
	json_decref(copy);
	control->policy.drop_count++;
	if (json_array_size(drops) > CTL_POLICY_DROPS)
		(void)json_array_remove(drops, 0);
}

static bool asks_for_log(const struct wf_control *control, uint32_t number)
{
	struct wf_policy_rule_info info;

	return control->policy.logs_some &&
	       wf_policy_engine_rule(control->policy.engine, number, &info) &&
	       says_true(&info.policy->meta.annotations, ANNOTATION_LOG);
}

static void add_side(const json_t *side, struct wf_str *out)
{
	int64_t port = wf_json_int(side, "port", -1);

	wf_str_addf(out, "%s", wf_json_str(side, "address", "?"));
	if (port >= 0)
		wf_str_addf(out, " port %lld", (long long)port);
	if (*wf_json_str(side, "name", ""))
		wf_str_addf(out, " (%s)", wf_json_str(side, "name", ""));
}

static void log_flow(const struct wf_event *event, const json_t *value)
{
	_cleanup_str_ struct wf_str source = WF_STR_INIT, destination = WF_STR_INIT;
	const json_t *policy = json_object_get(value, "policy");
	const char *what = event->type == WF_EVENT_DROP    ? "flow denied"
			   : event->type == WF_EVENT_AUDIT ? "flow would be denied"
							   : "flow allowed";

	add_side(json_object_get(value, "source"), &source);
	add_side(json_object_get(value, "destination"), &destination);
	wf_log_warning_rl(what,
			  "policy=%s rule=\"%s\" source=\"%s\" destination=\"%s\" protocol=%s",
			  wf_json_str(policy, "policy", "-"), wf_json_str(policy, "rule", "-"),
			  wf_str_text(&source), wf_str_text(&destination),
			  wf_json_str(value, "protocol", "?"));
}

void wf_ctl_policy_event(struct wf_control *control, const struct wf_event *event,
			 const json_t *value)
{
	enum wf_policy_log level = control->config.policy_log;
	bool denied = is_policy_drop(event) || event->type == WF_EVENT_AUDIT;
	bool logged;

	if (event->type == WF_EVENT_TRACE)
		return;
	if (event->type == WF_EVENT_AUDIT)
		note_audit(control, event);
	/* what any network stack utters now and then would only push the others out */
	if (event->type == WF_EVENT_DROP && strcmp(wf_reason_class(event->reason), "noise") != 0)
		note_drop(control, value);
	logged = denied ? level >= WF_POLICY_LOG_DENIED : level == WF_POLICY_LOG_ALL;
	if (event->type == WF_EVENT_DROP && !denied)
		logged = false;
	if (logged || asks_for_log(control, event->rule))
		log_flow(event, value);
}

json_t *wf_control_policy_drops(struct wf_control *control)
{
	json_t *items = json_array();

	for (size_t i = json_array_size(control->policy.drops); i-- > 0;)
		(void)json_array_append(items, json_array_get(control->policy.drops, i));
	return json_pack("{s:o}", "items", items);
}
