/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From flows seen on trial to documents that would have allowed exactly those: one per group of
 * endpoints with the same labels. Cilium's kinds, since they can say all of it: protocols, ICMP
 * types, the host.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "control/policy_audit.h"

#define API_VERSION "cilium.io/v2"

/* What is being made. */
struct suggestion {
	struct wf_control *control;
	const char *wanted; /* policy or endpoint; NULL: all */
	json_t *documents;  /* owned; subject -> document */
	json_t *notes;      /* owned; what cannot be suggested, and why */
	size_t flows;
};

/* Labels by which a selector finds the endpoint; those that say something else are left out. */
static json_t *selecting(const json_t *labels)
{
	json_t *chosen = json_object();
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)labels, key, value)
		if (strcmp(key, WF_LABEL_POD_NAMESPACE) != 0 &&
		    strcmp(key, WF_ANNOTATION_AUDIT) != 0)
			(void)json_object_set(chosen, key, value);
	return chosen;
}

static const char *party_name(const struct audit_party *party, char text[WF_ADDR_TEXT])
{
	if (*party->name)
		return party->name;
	return party->is_host ? "host" : wf_addr_format(&party->addr, text);
}

static void add_note(struct suggestion *made, const struct audit_record *record, const char *text)
{
	char subject[WF_ADDR_TEXT], peer[WF_ADDR_TEXT];

	(void)json_array_append_new(made->notes,
				    json_sprintf("%s of %s with %s: %s",
						 wf_policy_dir_name(record->key.dir),
						 party_name(&record->key.subject, subject),
						 party_name(&record->key.peer, peer), text));
}

static bool is_wanted(const struct suggestion *made, const struct audit_record *record)
{
	return !made->wanted || strcmp(record->policy, made->wanted) == 0 ||
	       strcmp(record->key.subject.name, made->wanted) == 0 ||
	       strcmp(record->key.peer.name, made->wanted) == 0;
}

/* ---- the parts of a rule ------------------------------------------------------------------------- */

/* {fromEndpoints: [...]}, {toCIDR: [...]}, ...; NULL: it cannot be told from others. */
static json_t *peer_json(const struct audit_record *record)
{
	const char *way = record->key.dir == WF_POLICY_EGRESS ? "to" : "from";
	const struct audit_party *peer = &record->key.peer;
	json_t *rule = json_object(), *labels;
	char key[32], text[WF_ADDR_TEXT];

	(void)snprintf(key, sizeof(key), "%s%s", way,
		       *peer->name     ? "Endpoints"
		       : peer->is_host ? "Entities"
				       : "CIDR");
	if (peer->is_host) {
		(void)json_object_set_new(rule, key, json_pack("[s]", "host"));
		return rule;
	}
	if (!*peer->name) {
		(void)json_object_set_new(
			rule, key,
			json_pack("[o]", json_sprintf("%s/%u", wf_addr_format(&peer->addr, text),
						      wf_addr_bits(&peer->addr))));
		return rule;
	}
	labels = selecting(record->peer_labels);
	if (!json_object_size(labels)) {
		json_decref(labels);
		json_decref(rule);
		return NULL;
	}
	(void)wf_json_set_str(labels, WF_LABEL_POD_NAMESPACE, record->peer_namespace);
	(void)json_object_set_new(rule, key, json_pack("[{s:o}]", "matchLabels", labels));
	return rule;
}

static const char *protocol_name(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP: return "TCP";
	case IPPROTO_UDP: return "UDP";
	case IPPROTO_SCTP: return "SCTP";
	case IPPROTO_IGMP: return "IGMP";
	case IPPROTO_GRE: return "GRE";
	case IPPROTO_IPIP: return "IPIP";
	case IPPROTO_IPV6: return "IPV6";
	case IPPROTO_ESP: return "ESP";
	case IPPROTO_AH: return "AH";
	case 112: return "VRRP";
	default: return NULL;
	}
}

/* Adds the port, or the ICMP type, to a rule; false: no document can say it. */
static bool add_port(json_t *rule, const struct audit_key *key)
{
	bool icmp = key->proto == IPPROTO_ICMP || key->proto == IPPROTO_ICMPV6;
	const char *member = icmp ? "icmps" : "toPorts", *list = icmp ? "fields" : "ports";
	const char *proto = protocol_name(key->proto);
	json_t *items, *item;
	char port[8];

	if (!icmp && !proto)
		return false;
	if (!json_object_get(rule, member))
		(void)json_object_set_new(rule, member, json_pack("[{s:[]}]", list));
	items = json_object_get(json_array_get(json_object_get(rule, member), 0), list);
	(void)snprintf(port, sizeof(port), "%u", key->port);
	item = icmp ? json_pack("{s:s, s:i}", "family",
				key->proto == IPPROTO_ICMP ? "IPv4" : "IPv6", "type", key->port)
		    : json_pack("{s:s, s:s}", "port", port, "protocol", proto);
	for (size_t i = 0; i < json_array_size(items); i++)
		if (json_equal(json_array_get(items, i), item)) {
			json_decref(item);
			return true;
		}
	return json_array_append_new(items, item) == 0;
}

/* The rule of a list with this peer, and with ports where ports are wanted: made if need be. */
static json_t *rule_for(json_t *list, json_t *peer, bool icmp)
{
	json_t *rule;
	size_t i;

	json_array_foreach(list, i, rule) {
		const char *key = json_object_iter_key(json_object_iter(peer));

		if (json_equal(json_object_get(rule, key), json_object_get(peer, key)) &&
		    !json_object_get(rule, icmp ? "toPorts" : "icmps"))
			return rule;
	}
	rule = json_copy(peer);
	return json_array_append_new(list, rule) < 0 ? NULL : rule;
}

/* ---- documents -------------------------------------------------------------------------------------- */

static json_t *document_new(const struct suggestion *made, const struct audit_record *record,
			    json_t *labels)
{
	const struct audit_party *subject = &record->key.subject;
	char name[WF_NAME_BYTES];

	(void)snprintf(name, sizeof(name), "suggested-%.200s",
		       subject->is_host ? "host" : subject->name);
	if (subject->is_host)
		return json_pack("{s:s, s:s, s:{s:s}, s:{s:{s:{s:s}}}}", "apiVersion", API_VERSION,
				 "kind", WF_KIND_CILIUM_CLUSTER_POLICY, "metadata", "name", name,
				 "spec", "nodeSelector", "matchLabels", WF_LABEL_NODE_NAME,
				 made->control->config.node_name);
	return json_pack("{s:s, s:s, s:{s:s, s:s}, s:{s:{s:O}}}", "apiVersion", API_VERSION, "kind",
			 WF_KIND_CILIUM_POLICY, "metadata", "name", name, "namespace",
			 record->subject_namespace, "spec", "endpointSelector", "matchLabels",
			 labels);
}

/* The document of whoever has the subject's labels. */
static json_t *document_for(struct suggestion *made, const struct audit_record *record)
{
	_cleanup_json_ json_t *labels = selecting(record->subject_labels);
	_cleanup_free_ char *text = json_dumps(labels, JSON_COMPACT | JSON_SORT_KEYS);
	_cleanup_str_ struct wf_str key = WF_STR_INIT;
	json_t *document;

	if (!record->key.subject.is_host && !json_object_size(labels))
		return NULL;
	wf_str_addf(&key, "%d/%s/%s", record->key.subject.is_host, record->subject_namespace,
		    text ? text : "");
	document = json_object_get(made->documents, wf_str_text(&key));
	if (document)
		return document;
	document = document_new(made, record, labels);
	return json_object_set_new(made->documents, wf_str_text(&key), document) < 0 ? NULL
										     : document;
}

static void suggest(struct suggestion *made, const struct audit_record *record)
{
	const char *list = wf_policy_dir_name(record->key.dir);
	bool icmp = record->key.proto == IPPROTO_ICMP || record->key.proto == IPPROTO_ICMPV6;
	_cleanup_json_ json_t *peer = NULL;
	json_t *document, *spec, *rule;

	made->flows++;
	if (record->by_rule) {
		add_note(made, record, "a rule denies it: no further rule can allow it");
		return;
	}
	if (!icmp && !protocol_name(record->key.proto)) {
		add_note(made, record, "no document can name its protocol");
		return;
	}
	peer = peer_json(record);
	document = peer ? document_for(made, record) : NULL;
	if (!document) {
		add_note(made, record, "an endpoint without labels cannot be selected");
		return;
	}
	spec = json_object_get(document, "spec");
	/* what is suggested allows, and closes nothing that was open */
	if (!json_object_get(spec, "enableDefaultDeny"))
		(void)json_object_set_new(spec, "enableDefaultDeny", json_object());
	(void)json_object_set_new(json_object_get(spec, "enableDefaultDeny"), list, json_false());
	if (!json_object_get(spec, list))
		(void)json_object_set_new(spec, list, json_array());
	rule = rule_for(json_object_get(spec, list), peer, icmp);
	if (rule)
		(void)add_port(rule, &record->key);
}

static int compare_records(struct audit_record *a, struct audit_record *b)
{
	int r = strcmp(a->key.subject.name, b->key.subject.name);

	if (r == 0)
		r = strcmp(a->key.peer.name, b->key.peer.name);
	if (r == 0)
		r = wf_addr_compare(&a->key.peer.addr, &b->key.peer.addr);
	return r ? r : (int)a->key.port - (int)b->key.port;
}

int wf_control_policy_suggest(struct wf_control *control, const char *name, json_t **ret_answer,
			      struct wf_err *err)
{
	_cleanup_json_ json_t *documents = json_object(), *notes = json_array(),
			      *items = json_array();
	struct suggestion made = {
		.control = control, .wanted = name, .documents = documents, .notes = notes
	};
	struct ctl_audit *audit = control->policy.audit;
	struct audit_record *record, *next;
	const char *key;
	json_t *document;

	if (audit) {
		HASH_SRT(by_key, audit->records, compare_records);
		HASH_ITER(by_key, audit->records, record, next)
			if (is_wanted(&made, record))
				suggest(&made, record);
	}
	json_object_foreach(documents, key, document)
		(void)json_array_append(items, document);
	*ret_answer = json_pack("{s:O, s:O, s:I, s:I, s:b}", "items", items, "notes", notes,
				"flows", (json_int_t)made.flows, "missed",
				(json_int_t)(audit ? audit->missed_total : 0), "truncated",
				audit && audit->missed_total > 0);
	return *ret_answer ? 0 : wf_fail(err, -ENOMEM, "out of memory");
}
