/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/law.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const uint8_t port_protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP };

void wf_laws_done(struct wf_laws *laws)
{
	free(laws->numbers);
	wf_numbers_done(&laws->unused);
	memset(laws, 0, sizeof(*laws));
}

/* unused has room for all, so that giving a number back cannot fail. */
static int take_number(struct wf_laws *laws, const struct wf_law_number *owner,
		       uint32_t *ret_number)
{
	uint32_t number;

	if (laws->unused.count) {
		number = laws->unused.items[--laws->unused.count];
	} else {
		if (wf_mem_grow(&laws->numbers, sizeof(*laws->numbers), laws->number_count,
				&laws->number_capacity) < 0)
			return -ENOMEM;
		while (laws->unused.capacity < laws->number_capacity)
			if (wf_mem_grow(&laws->unused.items, sizeof(uint32_t),
					laws->unused.capacity, &laws->unused.capacity) < 0)
				return -ENOMEM;
		if (!laws->number_count)
			memset(&laws->numbers[laws->number_count++], 0, sizeof(*laws->numbers));
		number = (uint32_t)laws->number_count++;
	}
	laws->numbers[number] = *owner;
	*ret_number = number;
	return 0;
}

static void give_number(struct wf_laws *laws, uint32_t number)
{
	if (!number)
		return;
	laws->numbers[number] = (struct wf_law_number){ 0 };
	laws->unused.items[laws->unused.count++] = number;
}

static void free_rule(struct wf_laws *laws, struct wf_law_rule *rule)
{
	for (size_t i = 0; i < rule->atom_count; i++)
		wf_atom_unref(laws->atoms, rule->atoms[i]);
	for (size_t i = 0; i < rule->name_count; i++)
		if (rule->names[i].atom)
			wf_atom_unref(laws->atoms, rule->names[i].atom);
	give_number(laws, rule->number);
	free(rule->atoms);
	free(rule->spans);
	free(rule->names);
}

static void free_section(struct wf_laws *laws, struct wf_law_section *section)
{
	for (int dir = 0; dir < WF_POLICY_DIR_COUNT; dir++) {
		for (size_t i = 0; i < section->rule_count[dir]; i++)
			free_rule(laws, &section->rules[dir][i]);
		laws->rule_count -= section->rule_count[dir];
		free(section->rules[dir]);
		give_number(laws, section->isolation[dir]);
	}
	if (section->subject)
		wf_atom_unref(laws->atoms, section->subject);
}

static void free_law(struct wf_laws *laws, struct wf_law *law)
{
	for (size_t i = 0; law->sections && i < law->section_count; i++)
		free_section(laws, &law->sections[i]);
	free(law->sections);
	free(law->key);
	wf_policy_done(&law->policy);
	free(law);
}

void wf_law_unref(struct wf_laws *laws, struct wf_law *law)
{
	if (law && --law->refs == 0)
		free_law(laws, law);
}

static int add_atom(struct wf_laws *laws, struct wf_law_rule *rule, enum wf_atom_type type,
		    const struct wf_peer *peer)
{
	int r = wf_atoms_get(laws->atoms, type, peer, &rule->atoms[rule->atom_count]);

	if (r == 0)
		rule->atom_count++;
	return r;
}

/* The world of one family is a CIDR like any other; both together are what no CIDR needs. */
static int add_entities(struct wf_laws *laws, struct wf_law_rule *rule, const struct wf_peer *peer)
{
	uint32_t world = peer->entities & WF_ENTITY_WORLD;
	struct wf_peer all = { .type = WF_PEER_CIDR };

	if (peer->entities & WF_ENTITY_HOST)
		rule->entities |= 1U << WF_WHO_HOST;
	if (peer->entities & WF_ENTITY_REMOTE_NODE)
		rule->entities |= 1U << WF_WHO_REMOTE_NODE;
	if (peer->entities & WF_ENTITY_ENDPOINT)
		rule->entities |= 1U << WF_WHO_ENDPOINT;
	if (world == WF_ENTITY_WORLD)
		rule->entities |= 1U << WF_WHO_WORLD;
	if (!world || world == WF_ENTITY_WORLD)
		return 0;
	if (world == WF_ENTITY_WORLD4)
		all.cidr.addr = wf_addr_from_ip4(0);
	return add_atom(laws, rule, WF_ATOM_CIDR, &all);
}

static int add_peer(struct wf_laws *laws, struct wf_law_rule *rule, const struct wf_peer *peer)
{
	switch (peer->type) {
	case WF_PEER_ENDPOINTS:
		if (peer->selector.count)
			return add_atom(laws, rule, WF_ATOM_ENDPOINTS, peer);
		rule->entities |= 1U << WF_WHO_ENDPOINT;
		return 0;
	case WF_PEER_NODES: return add_atom(laws, rule, WF_ATOM_NODES, peer);
	case WF_PEER_CIDR: return add_atom(laws, rule, WF_ATOM_CIDR, peer);
	case WF_PEER_ENTITIES: return add_entities(laws, rule, peer);
	case WF_PEER_SERVICE: return add_atom(laws, rule, WF_ATOM_SERVICE, peer);
	case WF_PEER_TYPE_COUNT: break;
	}
	return -EINVAL;
}

static int add_named(struct wf_laws *laws, struct wf_law_rule *rule,
		     const struct wf_policy_port *port, uint8_t proto)
{
	struct wf_law_port *name = &rule->names[rule->name_count];

	*name = (struct wf_law_port){ .name = port->name, .proto = proto };
	if (rule->rule->dir == WF_POLICY_EGRESS) {
		int r = wf_atoms_get_port(laws->atoms, port->name, proto, &name->atom);

		if (r < 0)
			return r;
	}
	rule->name_count++;
	return 0;
}

static int add_port(struct wf_laws *laws, struct wf_law_rule *rule,
		    const struct wf_policy_port *port)
{
	bool is_all = !port->proto && !port->first && port->last == UINT16_MAX && !*port->name;

	if (is_all) {
		rule->spans[rule->span_count++] = (struct wf_span){ 0, WF_POINT_LAST };
		return 0;
	}
	/* without a protocol: of each that has ports */
	for (size_t i = 0; i < WF_ARRAY_LEN(port_protos); i++) {
		uint8_t proto = port->proto ? port->proto : port_protos[i];

		if (*port->name) {
			int r = add_named(laws, rule, port, proto);

			if (r < 0)
				return r;
		} else {
			rule->spans[rule->span_count++] =
				(struct wf_span){ WF_POINT(proto, port->first),
						  WF_POINT(proto, port->last) };
		}
		if (port->proto)
			break;
	}
	return 0;
}

static int fill_rule(struct wf_laws *laws, struct wf_law_rule *rule)
{
	const struct wf_policy_rule *from = rule->rule;
	size_t most = from->port_count * WF_ARRAY_LEN(port_protos) + 1;
	int r = 0;

	rule->any_peer = from->any_peer;
	rule->any_port = from->any_port;
	rule->action = from->action;
	if (from->unenforced) {
		/* fails closed: what allows matches nobody, all else denies everybody */
		rule->any_peer = rule->any_port = from->action != WF_RULE_ALLOW;
		if (from->action == WF_RULE_PASS)
			rule->action = WF_RULE_DENY;
		return 0;
	}
	rule->atoms = calloc(from->peer_count + 1, sizeof(struct wf_atom *));
	rule->spans = calloc(most, sizeof(*rule->spans));
	rule->names = calloc(most, sizeof(*rule->names));
	if (!rule->atoms || !rule->spans || !rule->names)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && !rule->any_peer && i < from->peer_count; i++)
		r = add_peer(laws, rule, &from->peers[i]);
	for (size_t i = 0; r == 0 && !rule->any_port && i < from->port_count; i++)
		r = add_port(laws, rule, &from->ports[i]);
	return r;
}

static int fill_direction(struct wf_laws *laws, struct wf_law_section *section,
			  enum wf_policy_dir dir)
{
	const struct wf_policy_section *from = section->section;
	size_t count = 0;

	for (size_t i = 0; i < from->rule_count; i++)
		count += from->rules[i].dir == dir;
	section->rules[dir] = calloc(count + 1, sizeof(*section->rules[dir]));
	if (!section->rules[dir])
		return -ENOMEM;
	for (size_t i = 0; i < from->rule_count; i++) {
		struct wf_law_rule *rule = &section->rules[dir][section->rule_count[dir]];
		struct wf_law_number owner = { section, rule, dir };
		int r;

		if (from->rules[i].dir != dir)
			continue;
		rule->section = section;
		rule->rule = &from->rules[i];
		section->rule_count[dir]++;
		laws->rule_count++;
		r = take_number(laws, &owner, &rule->number);
		if (r == 0)
			r = fill_rule(laws, rule);
		if (r < 0)
			return r;
	}
	if (from->isolates[dir]) {
		struct wf_law_number owner = { section, NULL, dir };

		return take_number(laws, &owner, &section->isolation[dir]);
	}
	return 0;
}

static int fill_section(struct wf_laws *laws, struct wf_law_section *section)
{
	enum wf_atom_type type =
		section->section->subject_is_node ? WF_ATOM_SUBJECT_NODE : WF_ATOM_SUBJECT;
	struct wf_peer subject = { .selector = section->section->subject };
	int r = wf_atoms_get(laws->atoms, type, &subject, &section->subject);

	section->serial = ++laws->serial;
	for (int dir = 0; r == 0 && dir < WF_POLICY_DIR_COUNT; dir++)
		r = fill_direction(laws, section, (enum wf_policy_dir)dir);
	return r;
}

int wf_law_new(struct wf_laws *laws, const char *key, struct wf_policy *policy,
	       struct wf_law **ret_law)
{
	struct wf_law *law = calloc(1, sizeof(*law));
	int r = -ENOMEM;

	if (!law)
		return r;
	law->refs = 1;
	law->policy = *policy;
	law->key = strdup(key);
	law->sections = calloc(policy->section_count + 1, sizeof(*law->sections));
	if (law->key && law->sections) {
		law->section_count = policy->section_count;
		r = 0;
	}
	for (size_t i = 0; r == 0 && i < law->section_count; i++) {
		law->sections[i].law = law;
		law->sections[i].section = &law->policy.sections[i];
		r = fill_section(laws, &law->sections[i]);
	}
	if (r < 0) {
		memset(&law->policy, 0, sizeof(law->policy));
		free_law(laws, law);
		return r;
	}
	memset(policy, 0, sizeof(*policy));
	*ret_law = law;
	return 0;
}

void wf_law_link(struct wf_law *law)
{
	for (size_t i = 0; i < law->section_count; i++) {
		struct wf_law_section *section = &law->sections[i];

		section->next = section->subject->sections;
		section->prev = &section->subject->sections;
		if (section->next)
			section->next->prev = &section->next;
		section->subject->sections = section;
	}
}

void wf_law_unlink(struct wf_law *law)
{
	for (size_t i = 0; i < law->section_count; i++) {
		struct wf_law_section *section = &law->sections[i];

		*section->prev = section->next;
		if (section->next)
			section->next->prev = section->prev;
		section->next = NULL;
		section->prev = NULL;
	}
}
