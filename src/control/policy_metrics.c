/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics of policies: what is in force, how full the tables are, what decided how often. */
#include "base/mem.h"
#include "control/policy_audit.h"

#include <weft/abi/limits.h>

static void add_tables(const struct wf_policy_use *use, struct wf_str *out)
{
	const struct {
		const char *table;
		size_t used, limit;
	} tables[] = {
		{ "profiles", use->profiles, use->profiles_max },
		{ "pairs", use->pairs, WF_MAX_POLICY_PAIRS },
		{ "prefixes", use->prefixes, WF_MAX_POLICY_PREFIXES },
		{ "rules", use->rules, use->rules_max },
		{ "rule_numbers", use->rule_numbers, WF_MAX_POLICY_HITS },
	};

	wf_ctl_metric_head(out, "weft_policy_table_entries", "gauge",
			   "Entries of the tables of policies in use.");
	for (size_t i = 0; i < WF_ARRAY_LEN(tables); i++)
		wf_str_addf(out, "weft_policy_table_entries{table=\"%s\"} %zu\n", tables[i].table,
			    tables[i].used);
	wf_ctl_metric_head(
		out, "weft_policy_table_limit", "gauge",
		"Entries that a table of policies can hold; what does not fit is refused.");
	for (size_t i = 0; i < WF_ARRAY_LEN(tables); i++)
		wf_str_addf(out, "weft_policy_table_limit{table=\"%s\"} %zu\n", tables[i].table,
			    tables[i].limit);
}

/* Hits of policies that are being written. */
struct hits {
	struct wf_control *control;
	struct wf_str *out;
};

static void add_hits(const char *key, const struct wf_policy *policy, void *context)
{
	const struct hits *hits = context;
	struct wf_counter sum = wf_ctl_policy_hits(hits->control, key, policy);

	wf_str_addf(hits->out, "weft_policy_hits_total{policy=\"%s\"} %llu\n", key,
		    (unsigned long long)sum.packets);
}

void wf_ctl_policy_metrics(struct wf_control *control, struct wf_str *out)
{
	const struct ctl_policy *policy = &control->policy;
	struct hits hits = { .control = control, .out = out };
	struct wf_policy_use use;

	wf_policy_engine_use(policy->engine, &use);
	wf_ctl_metric(out, "weft_policies", "gauge", "Policies in force.", use.policies);
	wf_ctl_metric(out, "weft_policy_members", "gauge", "Endpoints that policies can select.",
		      use.members);
	wf_ctl_metric(out, "weft_policy_classes", "gauge",
		      "Groups of peers that the policies in force tell apart.", use.classes);
	add_tables(&use, out);
	wf_ctl_metric(out, "weft_policy_memory_bytes", "gauge",
		      "Memory of the policy engine, about.", use.memory_bytes);
	wf_ctl_metric(out, "weft_policy_changes_total", "counter",
		      "Changes of policies that came into force.", policy->changes_total);
	wf_ctl_metric(out, "weft_policy_refused_total", "counter",
		      "Changes of policies that were refused as a whole.", policy->refused_total);
	wf_ctl_metric_head(out, "weft_policy_compile_seconds_total", "counter",
			   "Time that bringing changes into force took, refused ones included.");
	wf_str_addf(out, "weft_policy_compile_seconds_total %.6f\n",
		    (double)policy->compile_sum_ns / 1e9);
	wf_ctl_metric(out, "weft_policy_audited_flows_total", "counter",
		      "Flows seen on trial that a policy would have denied.",
		      policy->audit ? policy->audit->seen_total : 0);
	wf_ctl_metric_head(out, "weft_policy_hits_total", "counter",
			   "Flows and drops that a policy's rules decided.");
	wf_policy_engine_visit(policy->engine, add_hits, &hits);
}
