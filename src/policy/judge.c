/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cells: what holds between a profile and a class, for every protocol and port. Painted from what
 * counts least to what counts most: tier over tier, and within a tier the last rule first.
 */
#include <errno.h>
#include <string.h>

#include "policy/profile.h"

static const struct wf_span everything = { 0, WF_POINT_LAST };

void wf_judge_done(struct wf_judge *judge)
{
	wf_canvas_done(&judge->canvas);
	wf_canvas_done(&judge->without);
	wf_canvas_done(&judge->lower);
}

/* One cell in the making. */
struct cell {
	struct wf_judge *judge;
	struct wf_profile *profile;
	enum wf_who who;
	const struct wf_class *class;
	bool without_trial; /* as if what is on trial denied nothing */
};

static bool is_on_trial(const struct wf_law_section *section)
{
	return section->law->policy.audit;
}

static enum wf_policy_tier tier_of(const struct wf_profile_rule *rule)
{
	return rule->law->section->law->policy.tier;
}

/* Stamps the rules that have an atom of the class. */
static void stamp_rules(struct wf_judge *judge, struct wf_profile *profile,
			const struct wf_class *class)
{
	judge->stamp++;
	if (!class || !wf_atom_mask_meets(&profile->mask, &class->mask))
		return;
	for (size_t i = 1; i < class->item_count; i++) {
		uint32_t atom = WF_CLASS_ITEM_NUMBER(class->items[i]);
		size_t low = 0, high = profile->hit_count;

		while (low < high) {
			size_t middle = low + (high - low) / 2;

			if (profile->hits[middle].atom < atom)
				low = middle + 1;
			else
				high = middle;
		}
		for (; low < profile->hit_count && profile->hits[low].atom == atom; low++)
			if (profile->hits[low].rule != WF_PROFILE_HIT_PORT)
				profile->rules[profile->hits[low].rule].stamp = judge->stamp;
	}
}

static bool applies(const struct cell *cell, const struct wf_profile_rule *rule)
{
	if (cell->without_trial && rule->law->action == WF_RULE_DENY &&
	    is_on_trial(rule->law->section))
		return false;
	return rule->law->any_peer || rule->law->entities >> cell->who & 1 ||
	       rule->stamp == cell->judge->stamp;
}

static int paint_span(const struct cell *cell, struct wf_canvas *canvas,
		      const struct wf_profile_rule *rule, const struct wf_span *span)
{
	if (rule->law->action == WF_RULE_PASS)
		return wf_canvas_copy_span(canvas, &cell->judge->lower, span);
	return wf_canvas_paint(
		canvas, span, rule->law->action == WF_RULE_ALLOW ? WF_POLICY_ALLOW : WF_POLICY_DENY,
		rule->law->number);
}

static uint16_t named_port(const struct cell *cell, const struct wf_profile_rule *rule, size_t i)
{
	const uint64_t *item;

	if (rule->own)
		return (uint16_t)rule->own[i];
	item = cell->class && rule->law->names[i].atom
		       ? wf_class_find(cell->class, rule->law->names[i].atom->number)
		       : NULL;
	return item ? WF_CLASS_ITEM_PORT(*item) : 0;
}

static int paint_rule(const struct cell *cell, struct wf_canvas *canvas,
		      const struct wf_profile_rule *rule)
{
	int r = 0;

	if (rule->law->any_port)
		return paint_span(cell, canvas, rule, &everything);
	for (size_t i = 0; r == 0 && i < rule->law->span_count; i++)
		r = paint_span(cell, canvas, rule, &rule->law->spans[i]);
	for (size_t i = 0; r == 0 && i < rule->law->name_count; i++) {
		uint16_t port = named_port(cell, rule, i);
		uint32_t point = WF_POINT(rule->law->names[i].proto, port);
		struct wf_span span = { point, point };

		if (port)
			r = paint_span(cell, canvas, rule, &span);
	}
	return r;
}

static int paint_tier(const struct cell *cell, struct wf_canvas *canvas, enum wf_policy_tier tier)
{
	int r = 0;

	for (size_t i = cell->profile->rule_count; r == 0 && i--;) {
		const struct wf_profile_rule *rule = &cell->profile->rules[i];

		if (tier_of(rule) == tier && applies(cell, rule))
			r = paint_rule(cell, canvas, rule);
	}
	return r;
}

/* The number of what isolates the subject from this peer; 0: nothing does. */
static uint32_t find_isolation(const struct cell *cell)
{
	const struct wf_profile *profile = cell->profile;

	for (size_t i = 0; i < profile->section_count; i++) {
		const struct wf_law_section *section = profile->sections[i];

		if (!section->isolation[profile->dir] ||
		    (cell->without_trial && is_on_trial(section)))
			continue;
		if (cell->who != WF_WHO_HOST || !section->section->spares_host[profile->dir])
			return section->isolation[profile->dir];
	}
	return 0;
}

static bool has_tier(const struct wf_profile *profile, enum wf_policy_tier tier)
{
	for (size_t i = 0; i < profile->rule_count; i++)
		if (tier_of(&profile->rules[i]) == tier)
			return true;
	return false;
}

/* For the host itself: what is open whatever policies say. */
static int paint_failsafes(const struct cell *cell, struct wf_canvas *canvas)
{
	const struct wf_judge *judge = cell->judge;
	int r = 0;

	for (size_t i = 0; r == 0 && i < judge->failsafe_count; i++) {
		const struct wf_policy_failsafe *failsafe = &judge->failsafes[i];
		uint32_t point = WF_POINT(failsafe->proto, failsafe->port);
		struct wf_span span = { point, point };

		if (failsafe->dir == cell->profile->dir)
			r = wf_canvas_paint(canvas, &span, WF_POLICY_ALLOW, 0);
	}
	return r;
}

static int paint(const struct cell *cell, struct wf_canvas *canvas)
{
	uint32_t isolation = find_isolation(cell);
	int r = wf_canvas_fill(canvas, isolation ? WF_POLICY_DENY : WF_POLICY_ALLOW, isolation);

	if (r == 0 && !isolation)
		r = paint_tier(cell, canvas, WF_TIER_BASELINE);
	if (r == 0)
		r = paint_tier(cell, canvas, WF_TIER_NETWORK);
	if (r == 0 && has_tier(cell->profile, WF_TIER_ADMIN)) {
		r = wf_canvas_copy(&cell->judge->lower, canvas);
		if (r == 0)
			r = paint_tier(cell, canvas, WF_TIER_ADMIN);
	}
	if (r == 0 && cell->profile->is_host)
		r = paint_failsafes(cell, canvas);
	return r;
}

int wf_judge_cell(struct wf_judge *judge, struct wf_profile *profile, enum wf_who who,
		  const struct wf_class *class, struct wf_run **ret_run, struct wf_err *err)
{
	struct cell cell = { judge, profile, who, class, false };
	int r;

	stamp_rules(judge, profile, class);
	r = paint(&cell, &judge->canvas);
	if (r == 0 && profile->has_trial) {
		cell.without_trial = true;
		r = paint(&cell, &judge->without);
		if (r == 0)
			r = wf_canvas_try(&judge->canvas, &judge->without);
	}
	if (r < 0)
		return wf_fail(err, r, "out of memory");
	if (profile->is_audit)
		wf_canvas_audit(&judge->canvas);
	return wf_runs_get(judge->runs, &judge->canvas, ret_run, err);
}
