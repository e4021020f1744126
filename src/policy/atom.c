/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/atom.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "policy/atom_index.h"

static void free_atom(struct wf_atom *atom)
{
	wf_selector_done(&atom->peer.selector);
	free(atom->peer.except);
	free(atom->anchors);
	free(atom->key);
	free(atom);
}

void wf_atoms_done(struct wf_atoms *atoms)
{
	struct wf_atom_prefix *prefix, *next_prefix;
	struct wf_atom_bucket *bucket, *next_bucket;

	HASH_CLEAR(hh, atoms->by_key);
	for (size_t i = 0; i < atoms->count; i++)
		if (atoms->items[i])
			free_atom(atoms->items[i]);
	HASH_ITER(hh, atoms->buckets, bucket, next_bucket) {
		HASH_DEL(atoms->buckets, bucket);
		wf_numbers_done(&bucket->numbers);
		free(bucket);
	}
	HASH_ITER(hh, atoms->prefixes, prefix, next_prefix) {
		HASH_DEL(atoms->prefixes, prefix);
		free(prefix);
	}
	free(atoms->items);
	wf_numbers_done(&atoms->unused);
	wf_numbers_done(&atoms->fresh);
	wf_numbers_done(&atoms->loose);
	wf_numbers_done(&atoms->services);
	memset(atoms, 0, sizeof(*atoms));
}

/* Each part with the NUL behind it: no two different selectors give the same bytes. */
static void add_text(struct wf_str *key, const char *text)
{
	wf_str_add_bytes(key, text, strlen(text) + 1);
}

static void add_selector(struct wf_str *key, const struct wf_selector *selector)
{
	for (size_t i = 0; i < selector->count; i++) {
		const struct wf_requirement *item = &selector->items[i];

		wf_str_addf(key, "%d,%d,%zu,", item->of_namespace, (int)item->op,
			    item->value_count);
		add_text(key, item->key);
		for (size_t j = 0; j < item->value_count; j++)
			add_text(key, item->values[j]);
	}
}

static void add_prefix(struct wf_str *key, const struct wf_prefix *prefix)
{
	char text[WF_ADDR_TEXT];
	struct wf_prefix network = wf_prefix_network(prefix);

	wf_str_addf(key, "%s,", wf_prefix_format(&network, text));
}

static void make_key(struct wf_str *key, enum wf_atom_type type, const struct wf_peer *peer)
{
	wf_str_addf(key, "%d:", (int)type);
	if (type == WF_ATOM_CIDR) {
		wf_str_addf(key, "%d,", peer->holds_endpoints);
		add_prefix(key, &peer->cidr);
		for (size_t i = 0; i < peer->except_count; i++)
			add_prefix(key, &peer->except[i]);
		return;
	}
	if (type == WF_ATOM_SERVICE) {
		add_text(key, peer->service_namespace);
		add_text(key, peer->service);
		if (*peer->service)
			return;
	}
	add_selector(key, &peer->selector);
}

static int copy_peer(struct wf_peer *to, enum wf_atom_type type, const struct wf_peer *from)
{
	to->type = from->type;
	to->cidr = from->cidr;
	to->holds_endpoints = from->holds_endpoints;
	memcpy(to->service, from->service, sizeof(to->service));
	memcpy(to->service_namespace, from->service_namespace, sizeof(to->service_namespace));
	if (type == WF_ATOM_CIDR && from->except_count) {
		to->except = calloc(from->except_count, sizeof(*to->except));
		if (!to->except)
			return -ENOMEM;
		memcpy(to->except, from->except, from->except_count * sizeof(*to->except));
		to->except_count = to->except_capacity = from->except_count;
	}
	return type == WF_ATOM_CIDR ? 0 : wf_selector_copy(&to->selector, &from->selector);
}

/* A number; unused has room for all, so that giving one back cannot fail. */
static int take_number(struct wf_atoms *atoms, uint32_t *ret_number)
{
	if (atoms->unused.count) {
		*ret_number = atoms->unused.items[--atoms->unused.count];
		return 0;
	}
	if (wf_mem_grow(&atoms->items, sizeof(struct wf_atom *), atoms->count, &atoms->capacity) <
	    0)
		return -ENOMEM;
	while (atoms->unused.capacity < atoms->capacity)
		if (wf_mem_grow(&atoms->unused.items, sizeof(uint32_t), atoms->unused.capacity,
				&atoms->unused.capacity) < 0)
			return -ENOMEM;
	if (!atoms->count)
		atoms->items[atoms->count++] = NULL;
	*ret_number = (uint32_t)atoms->count;
	atoms->items[atoms->count++] = NULL;
	return 0;
}

static void give_number(struct wf_atoms *atoms, uint32_t number)
{
	atoms->items[number] = NULL;
	atoms->unused.items[atoms->unused.count++] = number;
}

/* Enters a new atom everywhere; takes it over, also on failure. */
static int enter(struct wf_atoms *atoms, struct wf_atom *atom, size_t key_len)
{
	if (take_number(atoms, &atom->number) < 0) {
		free_atom(atom);
		return -ENOMEM;
	}
	atoms->items[atom->number] = atom;
	if (wf_numbers_add(&atoms->fresh, atom->number) == 0 &&
	    wf_atom_index_add(atoms, atom) == 0) {
		HASH_ADD_KEYPTR(hh, atoms->by_key, atom->key, key_len, atom);
		if (atom->hh.tbl) {
			atoms->of_type[atom->type]++;
			return 0;
		}
		wf_atom_index_remove(atoms, atom);
	}
	give_number(atoms, atom->number);
	free_atom(atom);
	return -ENOMEM;
}

/* The atom of that key, made from one of peer and port if there is none. Takes the key's text. */
static int get(struct wf_atoms *atoms, enum wf_atom_type type, struct wf_str *key,
	       const struct wf_peer *peer, const struct wf_policy_port *port,
	       struct wf_atom **ret_atom)
{
	struct wf_atom *atom;

	if (key->failed)
		return -ENOMEM;
	HASH_FIND(hh, atoms->by_key, key->data, key->len, atom);
	if (!atom) {
		atom = calloc(1, sizeof(*atom));
		if (!atom)
			return -ENOMEM;
		atom->type = type;
		atom->is_fresh = true;
		if (port)
			atom->port = *port;
		if (peer && copy_peer(&atom->peer, type, peer) < 0) {
			free_atom(atom);
			return -ENOMEM;
		}
		atom->key = TAKE_PTR(key->data);
		if (enter(atoms, atom, key->len) < 0)
			return -ENOMEM;
	} else if (!atom->refs) {
		atoms->idle--;
	}
	atom->refs++;
	*ret_atom = atom;
	return 0;
}

int wf_atoms_get(struct wf_atoms *atoms, enum wf_atom_type type, const struct wf_peer *peer,
		 struct wf_atom **ret_atom)
{
	_cleanup_str_ struct wf_str key = WF_STR_INIT;

	make_key(&key, type, peer);
	return get(atoms, type, &key, peer, NULL, ret_atom);
}

int wf_atoms_get_port(struct wf_atoms *atoms, const char *name, uint8_t proto,
		      struct wf_atom **ret_atom)
{
	_cleanup_str_ struct wf_str key = WF_STR_INIT;
	struct wf_policy_port port = { .proto = proto };

	if (wf_str_copy(port.name, sizeof(port.name), name) < 0)
		return -EINVAL;
	wf_str_addf(&key, "%d:%d,%s", (int)WF_ATOM_PORT, proto, name);
	return get(atoms, WF_ATOM_PORT, &key, NULL, &port, ret_atom);
}

struct wf_atom *wf_atoms_find_port(const struct wf_atoms *atoms, const char *name, uint8_t proto)
{
	char key[96];
	int len = snprintf(key, sizeof(key), "%d:%d,%s", (int)WF_ATOM_PORT, proto, name);
	struct wf_atom *atom;

	HASH_FIND(hh, atoms->by_key, key, (size_t)len, atom);
	return atom;
}

void wf_atom_unref(struct wf_atoms *atoms, struct wf_atom *atom)
{
	if (--atom->refs == 0)
		atoms->idle++;
}

void wf_atoms_remove(struct wf_atoms *atoms, struct wf_atom *atom)
{
	if (!atom->refs)
		atoms->idle--;
	atoms->of_type[atom->type]--;
	wf_atom_index_remove(atoms, atom);
	HASH_DEL(atoms->by_key, atom);
	give_number(atoms, atom->number);
	free_atom(atom);
}

bool wf_atom_matches(const struct wf_atom *atom, const struct wf_atom_party *party)
{
	static const struct wf_labels none;
	bool of_nodes = atom->type == WF_ATOM_NODES || atom->type == WF_ATOM_SUBJECT_NODE;

	return of_nodes == party->is_node &&
	       wf_selector_matches(&atom->peer.selector, party->labels ? party->labels : &none,
				   party->namespace, party->of_namespace);
}
