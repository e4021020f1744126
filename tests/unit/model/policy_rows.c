/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_rows.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "documents.h"
#include "fail_alloc.h"
#include "model/document.h"

static json_t *document(const char *head, const char *rest)
{
	return document_format("{%s%s}", head, rest);
}

void policy_read(struct wf_policy *policy, const char *head, const char *rest)
{
	_cleanup_json_ json_t *in = document(head, rest);
	struct wf_err err = WF_ERR_INIT;

	if (wf_document_check(in, &err) < 0 || wf_policy_from_json(policy, in, &err) < 0)
		fail_msg("%s: %s", rest, err.message);
}

static void show_peer(struct wf_str *out, const struct wf_peer *peer)
{
	char text[WF_ADDR_TEXT];

	switch (peer->type) {
	case WF_PEER_NODES: wf_str_add(out, "nodes "); break;
	case WF_PEER_ENTITIES: wf_str_addf(out, "entities %#x", peer->entities); return;
	case WF_PEER_SERVICE:
		wf_str_addf(out, "service %s/%s ", peer->service_namespace, peer->service);
		break;
	case WF_PEER_CIDR:
		wf_str_addf(out, "%s%s", peer->holds_endpoints ? "all of " : "",
			    wf_prefix_format(&peer->cidr, text));
		for (size_t i = 0; i < peer->except_count; i++)
			wf_str_addf(out, " but %s", wf_prefix_format(&peer->except[i], text));
		return;
	default: break;
	}
	wf_selector_format(&peer->selector, out);
}

static void show_rule(struct wf_str *out, const struct wf_policy_rule *rule)
{
	wf_str_addf(out, "%s %s", wf_policy_dir_name(rule->dir), wf_rule_action_name(rule->action));
	if (rule->name)
		wf_str_addf(out, " \"%s\"", rule->name);
	if (rule->any_peer)
		wf_str_add(out, " any");
	for (size_t i = 0; i < rule->peer_count; i++) {
		wf_str_add(out, i ? " | " : " ");
		show_peer(out, &rule->peers[i]);
	}
	if (rule->any_port)
		wf_str_add(out, " : any");
	for (size_t i = 0; i < rule->port_count; i++) {
		const struct wf_policy_port *port = &rule->ports[i];

		wf_str_addf(out, "%s%u/", i ? " " : " : ", port->proto);
		if (*port->name)
			wf_str_add(out, port->name);
		else
			wf_str_addf(out, "%u-%u", port->first, port->last);
	}
	if (rule->unenforced)
		wf_str_addf(out, " ! %.*s", (int)strcspn(rule->unenforced, ","), rule->unenforced);
	wf_str_add(out, "\n");
}

static void show_dirs(struct wf_str *out, const char *what, const bool *dirs)
{
	wf_str_addf(out, " %s=%s%s", what, dirs[WF_POLICY_INGRESS] ? "i" : "",
		    dirs[WF_POLICY_EGRESS] ? "e" : "");
}

static void show(struct wf_str *out, const struct wf_policy *policy)
{
	for (size_t i = 0; i < policy->section_count; i++) {
		const struct wf_policy_section *section = &policy->sections[i];

		wf_str_addf(out, "%s", section->subject_is_node ? "nodes " : "");
		wf_selector_format(&section->subject, out);
		show_dirs(out, "isolates", section->isolates);
		show_dirs(out, "spares", section->spares_host);
		wf_str_add(out, "\n");
		for (size_t j = 0; j < section->rule_count; j++)
			show_rule(out, &section->rules[j]);
	}
}

void policy_check_accepted(const char *head, const struct policy_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		_cleanup_(wf_policy_done) struct wf_policy policy = { .tier = WF_TIER_NETWORK };
		_cleanup_str_ struct wf_str out = WF_STR_INIT;

		policy_read(&policy, head, rows[i].rest);
		show(&out, &policy);
		if (strcmp(wf_str_text(&out), rows[i].want) != 0)
			fail_msg("%s: want\n%sgot\n%s", rows[i].rest, rows[i].want,
				 wf_str_text(&out));
	}
}

void policy_check_refused(const char *head, const struct policy_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		_cleanup_json_ json_t *in = document(head, rows[i].rest);
		struct wf_err err = WF_ERR_INIT;

		if (wf_document_check_deep(in, &err) != -EINVAL)
			fail_msg("accepted %s", rows[i].rest);
		if (strcmp(err.field, rows[i].want) != 0)
			fail_msg("%s: field %s: %s", rows[i].rest, err.field, err.message);
	}
}

void policy_check_memory(const char *head, const char *rest)
{
	_cleanup_json_ json_t *in = document(head, rest);

	assert_int_equal(wf_document_check_deep(in, NULL), 0);
	for (size_t n = 0;; n++) {
		struct wf_policy policy = { .tier = WF_TIER_NETWORK };
		int r;

		fail_alloc_arm(n);
		r = wf_policy_from_json(&policy, in, NULL);
		if (!fail_alloc_disarm()) {
			assert_int_equal(r, 0);
			wf_policy_done(&policy);
			assert_true(n > 10);
			return;
		}
		assert_int_equal(r, -ENOMEM);
		assert_null(policy.sections);
	}
}
