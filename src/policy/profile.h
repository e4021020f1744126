/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Profiles: what applies to a subject in one direction. Known by the sections it is made of, by the
 * subject's own named ports that they ask for, and by what else changes verdicts. Immutable; pairs
 * come and go with the classes.
 */
#ifndef WEFT_POLICY_PROFILE_H
#define WEFT_POLICY_PROFILE_H

#include "policy/class.h"
#include "policy/engine.h"
#include "policy/object.h"

struct wf_profile_rule {
	const struct wf_law_rule *law;
	const uint64_t *own; /* INGRESS: numbers of its named ports; into the key */
	uint32_t stamp;      /* scratch: the class in hand has one of its atoms */
};

/* Of an atom that is a named port: it tells peers apart, but means none. */
#define WF_PROFILE_HIT_PORT UINT32_MAX

/* Which rules have an atom; sorted. */
struct wf_profile_hit {
	uint32_t atom;
	uint32_t rule;
};

/* A class whose verdicts differ from the profile's own run. */
struct wf_pair {
	uint32_t class_id;
	struct wf_run *run; /* a reference */
};

struct wf_profile {
	uint32_t id;
	uint32_t refs; /* subjects that name it */
	enum wf_policy_dir dir;
	bool is_host, is_audit;
	bool has_trial;                         /* a policy of it is in audit */
	bool is_fresh;                          /* made by the change in hand */
	const struct wf_law_section **sections; /* owned; a reference to the law of each */
	size_t section_count;
	struct wf_profile_rule *rules; /* owned; what comes first decides, within a tier */
	size_t rule_count;
	struct wf_profile_hit *hits; /* owned */
	size_t hit_count;
	struct wf_atom_mask mask;
	struct wf_run *base[WF_WHO_COUNT]; /* references: of who has none of its atoms */
	struct wf_run *own;                /* a reference: of whoever has no pair */
	struct wf_pair *pairs;             /* owned; sorted by class */
	size_t pair_count, pair_capacity;
	struct wf_profile *next_dead;
	uint64_t *key; /* owned */
	size_t key_count;
	UT_hash_handle hh;
};

struct wf_profiles {
	struct wf_profile *by_key;
	struct wf_policy_run *table; /* borrowed: mapped memory */
	struct wf_bits unused;       /* numbers */
	uint32_t count;              /* of numbers */
	struct wf_profile *dead;     /* named no more; pairs not yet deleted */
	struct wf_bits adopted;      /* numbers that an earlier daemon may have in use */
};

/* What cells are computed with. */
struct wf_judge {
	struct wf_laws *laws;
	struct wf_runs *runs;
	const struct wf_policy_failsafe *failsafes;
	size_t failsafe_count;
	uint32_t stamp;
	struct wf_canvas canvas, without, lower;
};

void wf_judge_done(struct wf_judge *judge);
/*
 * The run of a class (NULL: of who has none of the profile's atoms); the caller has one more
 * reference. -ENOSPC, -ENOMEM.
 */
int wf_judge_cell(struct wf_judge *judge, struct wf_profile *profile, enum wf_who who,
		  const struct wf_class *class, struct wf_run **ret_run, struct wf_err *err);

int wf_profiles_init(struct wf_profiles *profiles, struct wf_policy_run *table, uint32_t count);
void wf_profiles_done(struct wf_profiles *profiles, struct wf_laws *laws);

/*
 * The profile of a group in a direction; NULL: nothing applies. A new one is fresh, without number
 * and runs. is_host: of slot 0. 0 or -ENOMEM.
 */
int wf_profiles_get(struct wf_profiles *profiles, const struct wf_atoms *atoms,
		    const struct wf_group *group, enum wf_policy_dir dir, bool is_host,
		    struct wf_profile **ret_profile);
/* Out of those that live, among the dead; or, when is_gone, freed with all it holds. */
void wf_profile_retire(struct wf_profiles *profiles, struct wf_profile *profile);
void wf_profile_free(struct wf_profiles *profiles, struct wf_profile *profile,
		     struct wf_judge *judge);

/* The pair of a class; NULL: its own run. */
struct wf_pair *wf_profile_pair(const struct wf_profile *profile, uint32_t class_id);
/* Enters one; there is room for it. Takes over the reference. */
void wf_profile_pair_add(struct wf_profile *profile, uint32_t class_id, struct wf_run *run);

#endif
