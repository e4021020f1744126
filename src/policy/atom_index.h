/* SPDX-License-Identifier: Apache-2.0 */
/* Within the folder: where selectors and CIDRs are found; see atom.h. */
#ifndef WEFT_POLICY_ATOM_INDEX_H
#define WEFT_POLICY_ATOM_INDEX_H

#include "policy/atom.h"

/* Puts an atom where it is found; on failure it is nowhere. -ENOMEM. */
int wf_atom_index_add(struct wf_atoms *atoms, struct wf_atom *atom);
void wf_atom_index_remove(struct wf_atoms *atoms, struct wf_atom *atom);

#endif
