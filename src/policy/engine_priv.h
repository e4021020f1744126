/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Within the folder: the engine, and how a change goes through it.
 *
 *   gather   engine.c        objects are swapped; what was before is kept beside
 *   sweep    sweep.c         what the change before left unnamed is freed. It rested until now, so
 *                            that no program which was just at work then meets something else
 *   plan     plan*.c         atoms meet groups; who is concerned gets classes and profiles; new
 *                            profiles are compiled; all that can fail for want of room
 *   write    commit.c        profiles, pairs; prefixes and classes; profiles of subjects, guards;
 *                            revision. On failure the way back
 *   finish   commit.c        what is named no more rests
 *
 * Classes of a change know old and new atoms alike: an old profile asks only for old ones, a new
 * one only for new ones, so that each subject may be turned over at any time. Old atoms leave the
 * classes with the sweep of the next change.
 */
#ifndef WEFT_POLICY_ENGINE_PRIV_H
#define WEFT_POLICY_ENGINE_PRIV_H

#include "policy/book.h"
#include "policy/profile.h"

#define WF_SLOT_NONE UINT32_MAX

/* What a subject is to have, or has. */
struct wf_force {
	struct wf_class *classes[2]; /* NULL: not of this engine */
	bool is_odd[2];
	struct wf_profile *profiles[WF_POLICY_DIR_COUNT]; /* NULL: NONE, or as is_sealed says */
	bool is_sealed;                                   /* DENY_ALL */
};

/* A slot and its endpoint. Slot 0 has none: the node that is this one. */
struct wf_slot {
	struct wf_member *now, *before; /* owned; before: as with records */
	uint32_t next, prev;            /* of the group; 0: none */
	uint32_t next_touched;
	uint32_t flip; /* scratch: index of its flip, if stamp is the plan's */
	uint32_t stamp;
	bool is_touched;
	bool was_sealed; /* with before */
	bool is_sealed;  /* a put failed: DENY_ALL until one succeeds */
	bool is_doomed;  /* a drop failed: is dropped with the next change */
	bool is_guarded; /* as guard_set() was told, if is_told */
	bool is_told;
	struct wf_force force;
};

struct wf_flip {
	uint32_t slot;
	struct wf_force will;
	struct wf_policy_subject_value was; /* once written */
};

struct wf_prefix_flip {
	struct wf_place *record;
	struct wf_class *class; /* what it is to be; also when it goes afterwards */
	bool goes;              /* deleted once subjects name their classes */
	bool is_set, is_gone;   /* how far it came */
};

/* A pair of a profile that stays with a new class. */
struct wf_new_pair {
	struct wf_profile *profile;
	uint32_t class_id;
	struct wf_run *run; /* a reference */
};

struct wf_plan {
	struct wf_flip *flips;
	size_t flip_count, flip_capacity;
	struct wf_place **marked;
	size_t marked_count, marked_capacity;
	struct wf_prefix_flip *prefixes;
	size_t prefix_count, prefix_capacity;
	struct wf_profile **profiles; /* fresh ones */
	size_t profile_count, profile_capacity;
	struct wf_class **classes; /* fresh ones that got a number of their own */
	size_t class_count, class_capacity;
	struct wf_new_pair *pairs;
	size_t pair_count, pair_capacity;
	struct wf_atom **atoms; /* fresh ones */
	size_t atom_count, atom_capacity;
	struct wf_atom **wanted; /* those that new profiles ask for */
	size_t wanted_count, wanted_capacity;
	struct wf_class **lists; /* classes that have a wanted atom, atom after atom */
	uint32_t stamp;
	bool has_looked;    /* at all groups */
	bool is_referenced; /* flips and prefixes hold references */
	size_t profiles_written, classes_written, subjects_written; /* how far the writing came */
	bool pairs_written;
};

/* One change of who has an address on another node: from what it was. */
struct wf_remote_change {
	struct wf_place *place;  /* a reference */
	struct wf_group *before; /* a reference; NULL: nobody had it */
};

/* Endpoints of other nodes: which are in force is with their addresses. */
struct wf_remotes {
	struct wf_remote_change *changes; /* owned; of the change in hand, in order */
	size_t change_count, change_capacity;
};

struct wf_policy_engine {
	struct wf_policy_memory memory;
	struct wf_policy_effects effects;
	struct wf_policy_failsafe *failsafes; /* owned */
	struct wf_slot *slots;                /* owned */
	size_t member_count;
	struct wf_node *self; /* the node that is this one; NULL: not known */
	struct wf_atoms atoms;
	struct wf_laws laws;
	struct wf_objects objects;
	struct wf_classes classes;
	struct wf_runs runs;
	struct wf_profiles profiles;
	struct wf_judge judge;
	struct wf_book policies, namespaces, nodes, services;
	struct wf_remotes remotes;
	struct wf_plan plan;
	struct wf_policy_pair_key *adopted_pairs; /* owned */
	size_t adopted_count, adopted_capacity;
	uint32_t slot_count;
	uint32_t touched; /* slots, chained; WF_SLOT_NONE ends */
	uint32_t class_stamp;
	bool has_doomed;  /* slots may be is_doomed */
	bool has_loose;   /* prefixes may be there that nothing asks for any more */
	bool has_adopted; /* until the first commit has succeeded */
	bool in_batch;
};

/* ---- object changes ------------------------------------------------------------------------ */

/* Puts a member (taken over; NULL: drops) into a slot, as part of the change in hand. */
void wf_slot_set(struct wf_policy_engine *engine, uint32_t slot, struct wf_member *member);
void wf_slots_settle(struct wf_policy_engine *engine);
void wf_slots_restore(struct wf_policy_engine *engine);

/* An address, and the group (a reference) that whoever has it on another node is to be of. */
struct wf_regrouped {
	struct wf_place *place;
	struct wf_group *group;
};

/* Endpoints of other nodes, made anew for another version of their namespace. */
struct wf_remade {
	struct wf_regrouped *items; /* owned */
	size_t count;
};
/* 0 or -ENOMEM: then nothing is left of it. */
int wf_remotes_remake(struct wf_policy_engine *engine, const char *name,
		      struct wf_namespace *namespace, struct wf_remade *remade);
/* Takes them over as part of the change in hand; cannot fail. */
void wf_remotes_set(struct wf_policy_engine *engine, struct wf_remade *remade);
void wf_remotes_free(struct wf_policy_engine *engine, struct wf_remade *remade);
void wf_remotes_done(struct wf_policy_engine *engine); /* nobody has an address there any more */
/* The end of a change, as with books. */
void wf_remotes_settle(struct wf_policy_engine *engine);
void wf_remotes_restore(struct wf_policy_engine *engine);

/* ---- prefix.c: records of prefixes -------------------------------------------------------- */

/* The place that is recorded; NULL: none. */
struct wf_place *wf_prefix_find(const struct wf_policy_engine *engine, uint32_t scope,
				const struct wf_prefix *prefix);
/* Records one that is not; NULL: no memory. */
struct wf_place *wf_prefix_add(struct wf_policy_engine *engine, uint32_t scope,
			       const struct wf_prefix *prefix);
/* The same with a place that is there, and not recorded. */
void wf_prefix_record(struct wf_policy_engine *engine, struct wf_place *place);
void wf_prefix_drop(struct wf_policy_engine *engine, struct wf_place *record);
/* The next of all that are recorded, in no order: *at begins with 0; NULL ends. */
struct wf_place *wf_prefix_walk(const struct wf_policy_engine *engine, size_t *at);
/* The class of its entry; NULL: none of this engine. */
struct wf_class *wf_prefix_class(const struct wf_place *record);
void wf_prefix_set_class(struct wf_place *record, struct wf_class *class);

/* ---- plan ---------------------------------------------------------------------------------- */

int wf_plan_make(struct wf_policy_engine *engine, struct wf_err *err);
/* Forgets the plan, after it was written (is_done), or with all that it made. */
void wf_plan_drop(struct wf_policy_engine *engine, bool is_done);
void wf_plan_done(struct wf_plan *plan);
/* Atoms meet groups, places and prefixes; who is concerned becomes dirty. 0 or -ENOMEM. */
int wf_plan_atoms(struct wf_policy_engine *engine);
/* Selectors meet a group that has not met them, or all of them again. 0 or -ENOMEM. */
int wf_plan_match(struct wf_policy_engine *engine, struct wf_group *group);
/* The prefixes that a CIDR is told by count it, or no longer. */
void wf_atom_count_bounds(struct wf_policy_engine *engine, struct wf_atom *atom, bool up);
/* The class of an address, or of a part of the world. */
int wf_plan_place_class(struct wf_policy_engine *engine, const struct wf_place *place,
			struct wf_class **ret_class);
int wf_plan_prefix_class(struct wf_policy_engine *engine, const struct wf_prefix *prefix,
			 struct wf_class **ret_class);
int wf_plan_group_class(struct wf_policy_engine *engine, const struct wf_group *group,
			enum wf_who who, struct wf_class **ret_class);
/* The same as the group's `plain`; found once in a plan. */
int wf_plan_group_plain(struct wf_policy_engine *engine, struct wf_group *group, enum wf_who who);
/* Nothing tells the addresses of this engine's endpoints apart. */
bool wf_plan_is_plain(const struct wf_policy_engine *engine);
/* Subjects and prefixes that are to change. 0 or -ENOMEM. */
int wf_plan_subjects(struct wf_policy_engine *engine);
int wf_plan_prefixes(struct wf_policy_engine *engine);
int wf_plan_mark_prefix(struct wf_policy_engine *engine, uint32_t scope,
			const struct wf_prefix *prefix, bool make, struct wf_place **ret_record);
/* The same of one that is there. */
int wf_plan_mark_record(struct wf_policy_engine *engine, struct wf_place *record);
/* Numbers for new classes and profiles, their runs and pairs. -ENOSPC, -ENOMEM. */
int wf_plan_compile(struct wf_policy_engine *engine, struct wf_err *err);
/* What a slot has once the plan is written. */
const struct wf_force *wf_plan_force(const struct wf_policy_engine *engine, uint32_t slot);

/* ---- commit -------------------------------------------------------------------------------- */

/* What was gathered comes into force now, or with its batch. */
int wf_engine_gathered(struct wf_policy_engine *engine, struct wf_err *err);
/* All of a change: on failure everything is as before it. */
int wf_engine_commit(struct wf_policy_engine *engine, struct wf_err *err);
/* Objects as they were before the change in hand. */
void wf_engine_restore(struct wf_policy_engine *engine);
/* What a subject's entry has, and the class of a prefix's. */
uint32_t wf_force_profile(const struct wf_force *force, int dir);
uint32_t wf_force_class(const struct wf_force *force, int family);
uint32_t wf_engine_prefix_class(const struct wf_place *record);
/* A subject fails closed now, whatever the plan of anything was. */
void wf_engine_seal(struct wf_policy_engine *engine, uint32_t slot);
/* Frees what nobody names any more, if that may be; waits for it if it is needed. Whether it did. */
bool wf_engine_sweep(struct wf_policy_engine *engine, bool is_needed);
/* What an earlier daemon left goes; after the first commit. */
void wf_engine_forget_adopted(struct wf_policy_engine *engine);
/* Drops references of what a subject had; what nobody names any more rests. */
void wf_engine_release(struct wf_policy_engine *engine, const struct wf_force *force);
void wf_engine_release_class(struct wf_policy_engine *engine, struct wf_class *class);

#endif
