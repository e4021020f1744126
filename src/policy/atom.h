/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Atoms: each distinct thing that policies tell peers or subjects apart by, interned, with a number
 * that is stable while anything knows it. Selectors are found through an index of (key, value), so
 * that a set of labels meets only the selectors that may match it; CIDRs through their prefixes.
 */
#ifndef WEFT_POLICY_ATOM_H
#define WEFT_POLICY_ATOM_H

#include "policy/run.h"

#include "base/addr.h"
#include "model/policy.h"

/* What peers are, as bits of wf_law_rule.entities: one of them each. */
enum wf_who {
	WF_WHO_WORLD,
	WF_WHO_ENDPOINT,
	WF_WHO_HOST,
	WF_WHO_REMOTE_NODE,
	WF_WHO_COUNT,
};

enum wf_atom_type {
	WF_ATOM_SUBJECT,      /* a section's selector of endpoints */
	WF_ATOM_SUBJECT_NODE, /* and of nodes */
	WF_ATOM_ENDPOINTS,    /* peers */
	WF_ATOM_NODES,
	WF_ATOM_CIDR,
	WF_ATOM_SERVICE,
	WF_ATOM_PORT, /* a named port of peers */
	WF_ATOM_TYPE_COUNT,
};

/* A prefix as a key: without the padding behind it. */
#define WF_PREFIX_KEY_BYTES (offsetof(struct wf_prefix, len) + 1)

struct wf_law_section;

struct wf_atom {
	enum wf_atom_type type;
	uint32_t number;
	uint32_t refs;
	bool is_fresh;              /* made by the change in hand: no class in force knows it */
	bool is_bounded;            /* CIDR: its prefixes are counted */
	bool is_touched;            /* scratch: a policy with this subject changed */
	bool is_wanted;             /* scratch: a new profile asks for the classes that have it */
	uint32_t offset, found;     /* scratch: its part of the list of such classes */
	struct wf_peer peer;        /* owned parts; what it is, for types up to SERVICE */
	struct wf_policy_port port; /* PORT */
	struct wf_law_section *sections; /* SUBJECT...: in force, chained; borrowed */
	uint64_t *anchors;               /* owned: where the index has it */
	size_t anchor_count;
	struct wf_atom *next_same; /* CIDR: of the same prefix */
	char *key;                 /* owned */
	UT_hash_handle hh;
};

struct wf_numbers {
	uint32_t *items; /* owned */
	size_t count, capacity;
};

/* Atoms that are found at one place: of one hash of (key, value), or of one prefix. */
struct wf_atom_bucket {
	uint64_t hash;
	struct wf_numbers numbers;
	UT_hash_handle hh;
};

struct wf_atom_prefix {
	struct wf_prefix prefix;
	struct wf_atom *first;
	UT_hash_handle hh;
};

struct wf_atoms {
	struct wf_atom *by_key;
	struct wf_atom **items; /* owned; by number, NULL: free. Number 0 is nobody's */
	size_t count, capacity;
	struct wf_numbers unused;        /* numbers that are free; always has room for all */
	struct wf_numbers fresh;         /* those that are; may be of one that is gone, or double */
	struct wf_numbers loose;         /* selectors that no (key, value) leads to */
	struct wf_numbers services;      /* those of that type */
	struct wf_atom_bucket *buckets;  /* owned */
	struct wf_atom_prefix *prefixes; /* owned */
	uint32_t lens[2][129];           /* CIDRs of each length; [0]: IPv4 */
	size_t of_type[WF_ATOM_TYPE_COUNT];
	size_t idle; /* with no reference left */
};

void wf_atoms_done(struct wf_atoms *atoms);

/*
 * The atom of a peer (or of a section's subject: a peer with only a selector), or of a named port;
 * one more reference. -ENOMEM.
 */
int wf_atoms_get(struct wf_atoms *atoms, enum wf_atom_type type, const struct wf_peer *peer,
		 struct wf_atom **ret_atom);
int wf_atoms_get_port(struct wf_atoms *atoms, const char *name, uint8_t proto,
		      struct wf_atom **ret_atom);
/* NULL: nobody asks for it. */
struct wf_atom *wf_atoms_find_port(const struct wf_atoms *atoms, const char *name, uint8_t proto);
/* The atom stays, idle, until wf_atoms_remove(). */
void wf_atom_unref(struct wf_atoms *atoms, struct wf_atom *atom);
/* Nothing may know its number any more. */
void wf_atoms_remove(struct wf_atoms *atoms, struct wf_atom *atom);

static inline struct wf_atom *wf_atom_of(const struct wf_atoms *atoms, uint32_t number)
{
	return number < atoms->count ? atoms->items[number] : NULL;
}

/* Whom selectors are matched against. */
struct wf_atom_party {
	bool is_node;
	const char *namespace; /* "" of nodes */
	const struct wf_labels *labels;
	const struct wf_labels *of_namespace; /* NULL: only its name */
};

/* Whether an atom that is a selector of endpoints or nodes matches. */
bool wf_atom_matches(const struct wf_atom *atom, const struct wf_atom_party *party);
/* Adds the numbers of all that match; sorted, each once. -ENOMEM. */
int wf_atoms_match(const struct wf_atoms *atoms, const struct wf_atom_party *party,
		   struct wf_numbers *numbers);
/*
 * Adds the CIDRs that hold a whole prefix; is_managed: of an endpoint or node, which only some mean.
 */
int wf_atoms_match_prefix(const struct wf_atoms *atoms, const struct wf_prefix *prefix,
			  bool is_managed, struct wf_numbers *numbers);

int wf_numbers_add(struct wf_numbers *numbers, uint32_t number);     /* 0 or -ENOMEM */
void wf_numbers_sort(struct wf_numbers *numbers);                    /* and drops doubles */
void wf_numbers_remove(struct wf_numbers *numbers, uint32_t number); /* of sorted ones */
void wf_numbers_done(struct wf_numbers *numbers);

#endif
