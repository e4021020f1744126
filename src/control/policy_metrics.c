/* SPDX-License-Identifier: Apache-2.0 */
/* Metrics of policies: what is in force, how full the tables are, what decided how often. */
#include "base/mem.h"
#include "control/policy_audit.h"

#include <weft/abi/limits.h>

static void head(struct wf_str *out, const char *name, const char *type, const char *help)
{
	wf_str_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

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

	head(out, "weft_policy_table_entries", "gauge",
	     "Entries of the tables of policies in use.");
	for (size_t i = 0; i < WF_ARRAY_LEN(tables); i++)
		wf_str_addf(out, "weft_policy_table_entries{table=\"%s\"} %zu\n", tables[i].table,
			    tables[i].used);
	head(out, "weft_policy_table_limit", "gauge",
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

static void single(struct wf_str *out, const char *name, const char *type, const char *help,
		   uint64_t value)
{
	head(out, name, type, help);
	wf_str_addf(out, "%s %llu\n", name, (unsigned long long)value);
}

void wf_ctl_policy_metrics(struct wf_control *control, struct wf_str *out)
{
	const struct ctl_policy *policy = &control->policy;
	struct hits hits = { .control = control, .out = out };
	struct wf_policy_use use;

	wf_policy_engine_use(policy->engine, &use);
	single(out, "weft_policies", "gauge", "Policies in force.", use.policies);
	single(out, "weft_policy_members", "gauge", "Endpoints that policies can select.",
	       use.members);
	single(out, "weft_policy_classes", "gauge",
	       "Groups of peers that the policies in force tell apart.", use.classes);
	add_tables(&use, out);
	single(out, "weft_policy_memory_bytes", "gauge", "Memory of the policy engine, about.",
	       use.memory_bytes);
	single(out, "weft_policy_changes_total", "counter",
	       "Changes of policies that came into force.", policy->changes_total);
	single(out, "weft_policy_refused_total", "counter",
	       "Changes of policies that were refused as a whole.", policy->refused_total);
	head(out, "weft_policy_compile_seconds_total", "counter",
	     "Time that bringing changes into force took, refused ones included.");
	wf_str_addf(out, "weft_policy_compile_seconds_total %.6f\n",
		    (double)policy->compile_sum_ns / 1e9);
	single(out, "weft_policy_audited_flows_total", "counter",
	       "Flows seen on trial that a policy would have denied.",
	       policy->audit ? policy->audit->seen_total : 0);
	head(out, "weft_policy_hits_total", "counter",
	     "Flows and drops that a policy's rules decided.");
	wf_policy_engine_visit(policy->engine, add_hits, &hits);
}
