/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index of selectors: each is entered under one of its requirements that only labels of a known
 * key and value can meet (its anchors, a hash for each value). What is found is matched in full, so
 * hashes that collide cost time only. What has no such requirement is tried on everybody.
 */
#include "policy/atom_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define MAX_ANCHORS 64

/* Places of a text that is no part of any label. */
#define ANY       "\1any"       /* namespace: of any; value: whatever it is */
#define NAMESPACE "\1namespace" /* the labels of the namespace, not the object's */

static uint64_t hash_text(uint64_t hash, const char *text)
{
	/* FNV-1a, the NUL included so that texts do not run into each other */
	do
		hash = (hash ^ (uint8_t)*text) * 0x100000001b3ULL;
	while (*text++);
	return hash;
}

static uint64_t anchor(const char *where, const char *key, const char *value)
{
	return hash_text(hash_text(hash_text(0xcbf29ce484222325ULL, where), key), value);
}

/* Labels that objects may have without being told so are no anchors. */
static bool is_plain(const struct wf_requirement *item)
{
	return strcmp(item->key, WF_LABEL_POD_NAMESPACE) != 0 &&
	       strcmp(item->key, WF_LABEL_NODE_NAME) != 0 &&
	       strcmp(item->key, WF_LABEL_NAMESPACE_NAME) != 0;
}

/* The requirements that an anchor can be made of; NULL: none. */
struct choice {
	const struct wf_requirement *namespace_name, *label, *exists, *namespace_label;
};

static struct choice choose(const struct wf_selector *selector)
{
	struct choice choice = { 0 };

	for (size_t i = 0; i < selector->count; i++) {
		const struct wf_requirement *item = &selector->items[i];
		bool is_in = item->op == WF_MATCH_IN && item->value_count <= MAX_ANCHORS;

		if (item->of_namespace && is_in && strcmp(item->key, WF_LABEL_NAMESPACE_NAME) == 0)
			choice.namespace_name = item;
		else if (!is_plain(item))
			continue;
		else if (item->of_namespace && is_in)
			choice.namespace_label = item;
		else if (!item->of_namespace && is_in &&
			 (!choice.label || item->value_count < choice.label->value_count))
			choice.label = item;
		else if (!item->of_namespace && item->op == WF_MATCH_EXISTS)
			choice.exists = item;
	}
	if (choice.namespace_name && choice.label &&
	    choice.namespace_name->value_count * choice.label->value_count > MAX_ANCHORS)
		choice.namespace_name = NULL;
	return choice;
}

/* Fills at most MAX_ANCHORS; 0: it has none. */
static size_t anchors_of(const struct wf_selector *selector, uint64_t *anchors)
{
	struct choice choice = choose(selector);
	const struct wf_requirement *names = choice.namespace_name, *label = choice.label;
	size_t count = 0;

	if (names && label) {
		for (size_t i = 0; i < names->value_count; i++)
			for (size_t j = 0; j < label->value_count; j++)
				anchors[count++] =
					anchor(names->values[i], label->key, label->values[j]);
	} else if (label) {
		for (size_t j = 0; j < label->value_count; j++)
			anchors[count++] = anchor(ANY, label->key, label->values[j]);
	} else if (names) {
		for (size_t i = 0; i < names->value_count; i++)
			anchors[count++] = anchor(names->values[i], "", "");
	} else if (choice.exists) {
		anchors[count++] = anchor(ANY, choice.exists->key, ANY);
	} else if (choice.namespace_label) {
		label = choice.namespace_label;
		for (size_t j = 0; j < label->value_count; j++)
			anchors[count++] = anchor(NAMESPACE, label->key, label->values[j]);
	}
	return count;
}

static struct wf_atom_bucket *bucket_of(const struct wf_atoms *atoms, uint64_t hash)
{
	struct wf_atom_bucket *bucket;

	HASH_FIND(hh, atoms->buckets, &hash, sizeof(hash), bucket);
	return bucket;
}

static void leave_bucket(struct wf_atoms *atoms, uint64_t hash, uint32_t number)
{
	struct wf_atom_bucket *bucket = bucket_of(atoms, hash);

	if (!bucket)
		return;
	wf_numbers_remove(&bucket->numbers, number);
	if (bucket->numbers.count)
		return;
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): what is deleted is in the table */
	HASH_DEL(atoms->buckets, bucket);
	wf_numbers_done(&bucket->numbers);
	free(bucket);
}

static int add_sorted(struct wf_numbers *numbers, uint32_t number)
{
	int r = wf_numbers_add(numbers, number);

	wf_numbers_sort(numbers);
	return r;
}

static int enter_bucket(struct wf_atoms *atoms, uint64_t hash, uint32_t number)
{
	struct wf_atom_bucket *bucket = bucket_of(atoms, hash);

	if (!bucket) {
		bucket = calloc(1, sizeof(*bucket));
		if (!bucket)
			return -ENOMEM;
		bucket->hash = hash;
		HASH_ADD(hh, atoms->buckets, hash, sizeof(hash), bucket);
		if (!bucket->hh.tbl) {
			free(bucket);
			return -ENOMEM;
		}
	}
	if (add_sorted(&bucket->numbers, number) == 0)
		return 0;
	leave_bucket(atoms, hash, number);
	return -ENOMEM;
}

static int add_selector(struct wf_atoms *atoms, struct wf_atom *atom)
{
	uint64_t anchors[MAX_ANCHORS];
	size_t count = anchors_of(&atom->peer.selector, anchors);

	if (!count)
		return add_sorted(&atoms->loose, atom->number);
	atom->anchors = calloc(count, sizeof(*atom->anchors));
	if (!atom->anchors)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		if (enter_bucket(atoms, anchors[i], atom->number) < 0) {
			wf_atom_index_remove(atoms, atom);
			return -ENOMEM;
		}
		atom->anchors[atom->anchor_count++] = anchors[i];
	}
	return 0;
}

static struct wf_atom_prefix *prefix_of(const struct wf_atoms *atoms,
					const struct wf_prefix *prefix)
{
	struct wf_atom_prefix *found;

	HASH_FIND(hh, atoms->prefixes, prefix, WF_PREFIX_KEY_BYTES, found);
	return found;
}

static uint32_t *len_count(struct wf_atoms *atoms, const struct wf_prefix *prefix)
{
	return &atoms->lens[!wf_addr_is_ip4(&prefix->addr)][prefix->len];
}

static int add_cidr(struct wf_atoms *atoms, struct wf_atom *atom)
{
	struct wf_prefix prefix = wf_prefix_network(&atom->peer.cidr);
	struct wf_atom_prefix *place = prefix_of(atoms, &prefix);

	if (!place) {
		place = calloc(1, sizeof(*place));
		if (!place)
			return -ENOMEM;
		place->prefix = prefix;
		HASH_ADD(hh, atoms->prefixes, prefix, WF_PREFIX_KEY_BYTES, place);
		if (!place->hh.tbl) {
			free(place);
			return -ENOMEM;
		}
		++*len_count(atoms, &prefix);
	}
	atom->next_same = place->first;
	place->first = atom;
	return 0;
}

static void remove_cidr(struct wf_atoms *atoms, struct wf_atom *atom)
{
	struct wf_prefix prefix = wf_prefix_network(&atom->peer.cidr);
	struct wf_atom_prefix *place = prefix_of(atoms, &prefix);
	struct wf_atom **at = place ? &place->first : NULL;

	while (at && *at && *at != atom)
		at = &(*at)->next_same;
	if (at && *at)
		*at = atom->next_same;
	if (!place || place->first)
		return;
	--*len_count(atoms, &prefix);
	HASH_DEL(atoms->prefixes, place);
	free(place);
}

int wf_atom_index_add(struct wf_atoms *atoms, struct wf_atom *atom)
{
	if (atom->type <= WF_ATOM_NODES)
		return add_selector(atoms, atom);
	if (atom->type == WF_ATOM_CIDR)
		return add_cidr(atoms, atom);
	return atom->type == WF_ATOM_SERVICE ? add_sorted(&atoms->services, atom->number) : 0;
}

void wf_atom_index_remove(struct wf_atoms *atoms, struct wf_atom *atom)
{
	if (atom->type == WF_ATOM_CIDR)
		remove_cidr(atoms, atom);
	if (atom->type == WF_ATOM_SERVICE)
		wf_numbers_remove(&atoms->services, atom->number);
	if (atom->type > WF_ATOM_NODES)
		return;
	for (size_t i = 0; i < atom->anchor_count; i++)
		leave_bucket(atoms, atom->anchors[i], atom->number);
	wf_numbers_remove(&atoms->loose, atom->number);
	free(atom->anchors);
	atom->anchors = NULL;
	atom->anchor_count = 0;
}

static int match_list(const struct wf_atoms *atoms, const struct wf_numbers *list,
		      const struct wf_atom_party *party, struct wf_numbers *numbers)
{
	for (size_t i = 0; i < list->count; i++)
		if (wf_atom_matches(atoms->items[list->items[i]], party) &&
		    wf_numbers_add(numbers, list->items[i]) < 0)
			return -ENOMEM;
	return 0;
}

static int match_anchor(const struct wf_atoms *atoms, uint64_t hash,
			const struct wf_atom_party *party, struct wf_numbers *numbers)
{
	const struct wf_atom_bucket *bucket = bucket_of(atoms, hash);

	return bucket ? match_list(atoms, &bucket->numbers, party, numbers) : 0;
}

int wf_atoms_match(const struct wf_atoms *atoms, const struct wf_atom_party *party,
		   struct wf_numbers *numbers)
{
	int r = match_list(atoms, &atoms->loose, party, numbers);

	if (r == 0)
		r = match_anchor(atoms, anchor(party->namespace, "", ""), party, numbers);
	for (size_t i = 0; r == 0 && party->labels && i < party->labels->count; i++) {
		const struct wf_label *label = &party->labels->items[i];

		r = match_anchor(atoms, anchor(party->namespace, label->key, label->value), party,
				 numbers);
		if (r == 0)
			r = match_anchor(atoms, anchor(ANY, label->key, label->value), party,
					 numbers);
		if (r == 0)
			r = match_anchor(atoms, anchor(ANY, label->key, ANY), party, numbers);
	}
	for (size_t i = 0; r == 0 && party->of_namespace && i < party->of_namespace->count; i++) {
		const struct wf_label *label = &party->of_namespace->items[i];

		r = match_anchor(atoms, anchor(NAMESPACE, label->key, label->value), party,
				 numbers);
	}
	wf_numbers_sort(numbers);
	return r;
}

/* Whether a CIDR with its exceptions holds a whole prefix. */
static bool holds(const struct wf_peer *peer, const struct wf_prefix *prefix)
{
	for (size_t i = 0; i < peer->except_count; i++)
		if (peer->except[i].len <= prefix->len &&
		    wf_prefix_contains(&peer->except[i], &prefix->addr))
			return false;
	return true;
}

int wf_atoms_match_prefix(const struct wf_atoms *atoms, const struct wf_prefix *prefix,
			  bool is_managed, struct wf_numbers *numbers)
{
	const uint32_t *lens = atoms->lens[!wf_addr_is_ip4(&prefix->addr)];

	if (!atoms->of_type[WF_ATOM_CIDR])
		return 0;
	for (unsigned int len = 0; len <= prefix->len; len++) {
		struct wf_prefix wider = { .addr = prefix->addr, .len = (uint8_t)len };
		const struct wf_atom_prefix *place;

		if (!lens[len])
			continue;
		wider = wf_prefix_network(&wider);
		place = prefix_of(atoms, &wider);
		for (const struct wf_atom *atom = place ? place->first : NULL; atom;
		     atom = atom->next_same)
			if ((!is_managed || atom->peer.holds_endpoints) &&
			    holds(&atom->peer, prefix) && wf_numbers_add(numbers, atom->number) < 0)
				return -ENOMEM;
	}
	return 0;
}
