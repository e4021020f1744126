/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A law: one policy made ready, with peers as atoms, ports as spans and a number for each rule.
 * Never changes; a changed policy is a new law, and the old one lives while a profile is made of it.
 */
#ifndef WEFT_POLICY_LAW_H
#define WEFT_POLICY_LAW_H

#include "policy/atom.h"

/* A named port; resolved at the destination. */
struct wf_law_port {
	const char *name; /* borrowed from the policy */
	uint8_t proto;
	struct wf_atom *atom; /* EGRESS: of the peer; a reference. INGRESS: NULL */
};

struct wf_law_rule {
	const struct wf_law_section *section;
	const struct wf_policy_rule *rule; /* borrowed from the policy */
	uint32_t number;
	enum wf_rule_action action;
	bool any_peer, any_port;
	uint32_t entities;      /* 1 << enum wf_who */
	struct wf_atom **atoms; /* owned; a reference each */
	size_t atom_count;
	struct wf_span *spans; /* owned */
	size_t span_count;
	struct wf_law_port *names; /* owned */
	size_t name_count;
};

struct wf_law_section {
	struct wf_law *law;
	const struct wf_policy_section *section;        /* borrowed from the policy */
	struct wf_atom *subject;                        /* a reference */
	uint64_t serial;                                /* of this very section, ever */
	struct wf_law_rule *rules[WF_POLICY_DIR_COUNT]; /* owned */
	size_t rule_count[WF_POLICY_DIR_COUNT];
	uint32_t isolation[WF_POLICY_DIR_COUNT]; /* number; 0: does not isolate */
	struct wf_law_section *next, **prev;     /* in the chain of the subject, if in force */
};

struct wf_law {
	uint32_t refs;
	char *key; /* owned */
	struct wf_policy policy;
	struct wf_law_section *sections; /* owned */
	size_t section_count;
};

/* Who has which number. */
struct wf_law_number {
	struct wf_law_section *section; /* NULL: free */
	struct wf_law_rule *rule;       /* NULL: its isolation */
	enum wf_policy_dir dir;
};

struct wf_laws {
	struct wf_atoms *atoms;        /* borrowed */
	struct wf_law_number *numbers; /* owned; 0 is nobody's */
	size_t number_count, number_capacity;
	struct wf_numbers unused;
	uint64_t serial;
	size_t rule_count; /* in laws that exist */
};

void wf_laws_done(struct wf_laws *laws);
/* Takes over *policy, and zeroes it, on success. -ENOMEM, -EINVAL. */
int wf_law_new(struct wf_laws *laws, const char *key, struct wf_policy *policy,
	       struct wf_law **ret_law);
void wf_law_unref(struct wf_laws *laws, struct wf_law *law); /* NULL is fine */
/* Whether subjects find it: in force or not. Cannot fail. */
void wf_law_link(struct wf_law *law);
void wf_law_unlink(struct wf_law *law);

/* Whether it says anything in a direction. */
static inline bool wf_law_section_speaks(const struct wf_law_section *section,
					 enum wf_policy_dir dir)
{
	return section->rule_count[dir] || section->isolation[dir];
}

#endif
