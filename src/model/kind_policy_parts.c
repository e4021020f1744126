/* SPDX-License-Identifier: Apache-2.0 */
/* Fields that the kinds of policies share. */
#include "base/mem.h"
#include "model/kind_priv.h"
#include "model/policy.h"

static const char *const operators[] = { "In", "NotIn", "Exists", "DoesNotExist", NULL };

static const struct wf_schema text = { .type = WF_SCHEMA_STRING };

static const struct wf_schema expression_fields[] = {
	{ .name = "key",
	  .type = WF_SCHEMA_STRING,
	  .required = true,
	  .min = 1,
	  .max = 512,
	  .example = "\"app\"",
	  .help = "The label." },
	{ .name = "operator",
	  .type = WF_SCHEMA_STRING,
	  .required = true,
	  .choices = operators,
	  .example = "\"In\"",
	  .help = "What must hold: `NotIn` and `DoesNotExist` do without the label, too." },
	{ .name = "values",
	  .type = WF_SCHEMA_LIST,
	  .item = &text,
	  .max = WF_SELECTOR_MAX_VALUES,
	  .help = "In, NotIn: the values." },
	WF_SCHEMA_END,
};

static const struct wf_schema expression = { .type = WF_SCHEMA_OBJECT,
					     .fields = expression_fields };

const struct wf_schema wf_kind_label_selector_fields[] = {
	{ .name = "matchLabels",
	  .type = WF_SCHEMA_MAP,
	  .item = &text,
	  .max = WF_SELECTOR_MAX_REQUIREMENTS,
	  .example = "{\"app\": \"web\"}",
	  .help = "Labels that it must have, with these values." },
	{ .name = "matchExpressions",
	  .type = WF_SCHEMA_LIST,
	  .item = &expression,
	  .max = WF_SELECTOR_MAX_REQUIREMENTS,
	  .help = "Further requirements; all must hold." },
	WF_SCHEMA_END,
};

/* Of what is open: no field is known, each is passed through. */
const struct wf_schema wf_kind_nothing_fields[] = {
	WF_SCHEMA_END,
};

int wf_kind_policy_check(const json_t *document, struct wf_err *err)
{
	_cleanup_(wf_policy_done) struct wf_policy policy = { .tier = WF_TIER_NETWORK };

	return wf_policy_from_json(&policy, document, err);
}
