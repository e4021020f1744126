/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom policies are about: groups (all that have the same labels, namespace, named ports), members
 * (endpoints of this node), nodes, services, and places (the addresses of all of them, and of other
 * nodes' endpoints, who are nothing else here). Objects never change, but for places: a change makes a
 * new one, and going back to the old one cannot fail.
 */
#ifndef WEFT_POLICY_OBJECT_H
#define WEFT_POLICY_OBJECT_H

#include "policy/atom.h"

#include "base/set.h"
#include "model/endpoint.h"

struct wf_class;
struct wf_policy_backends;
struct wf_profile;

/* A namespace that was told. */
struct wf_namespace {
	uint32_t refs;
	struct wf_labels labels; /* owned */
	bool audit;
};

/* Those that no selector can ever tell apart. */
struct wf_group {
	uint32_t refs;
	bool is_node;
	bool audit;                        /* the endpoints' own, or their namespace's */
	bool is_matched;                   /* `matched` is complete but for fresh atoms */
	bool is_dirty;                     /* scratch: profile or class may change */
	uint32_t first;                    /* slot of its first member; 0: none */
	uint32_t elsewhere;                /* addresses of members on other nodes */
	char *namespace;                   /* owned; "" of nodes */
	struct wf_namespace *of_namespace; /* a reference; NULL: has only its name */
	struct wf_labels labels;           /* owned */
	struct wf_endpoint_port *ports;    /* owned */
	size_t port_count;
	struct wf_numbers matched; /* selectors */
	uint32_t stamp;            /* scratch: of the plan that the next is of */
	struct wf_profile *profile[WF_POLICY_DIR_COUNT];
	uint32_t plain_stamp;   /* the same */
	struct wf_class *plain; /* of those whose addresses nothing tells apart */
	char *key;              /* owned */
	UT_hash_handle hh;
};

/*
 * An address that somebody has, in a scope, or a prefix; and the entry that it has, or is to have. There
 * are very many, of other nodes' endpoints: what those have is kept here and nowhere else.
 */
struct wf_place {
	struct wf_addr addr;
	struct wf_node_addr *nodes;
	struct wf_backend *backends;
	struct wf_group
		*elsewhere; /* a reference: of another node's endpoint that has it; NULL: none */
	struct wf_place *next_dirty;
	union {
		struct wf_class *class; /* of the entry; NULL: none of this engine */
		uint32_t adopted_id;    /* is_adopted: the number of an earlier daemon's */
	};
	uint32_t refs;
	uint32_t bounds;  /* CIDR atoms it is an edge of; none but in the host's scope */
	uint16_t slot;    /* of the endpoint that has it; 0: none */
	uint16_t holders; /* how many endpoints say so: macvlan networks may overlap */
	uint16_t scope;
	uint8_t len;
	bool is_dirty : 1;    /* in the list of those */
	bool is_recorded : 1; /* a reference: has an entry, or may get one; see prefix.c */
	bool is_there : 1;    /* has an entry */
	bool is_adopted : 1;
	bool is_marked : 1; /* scratch: in the plan's list */
};

struct wf_member {
	struct wf_group *group; /* a reference */
	bool audit;             /* its own */
	size_t place_count;
	struct wf_place *places[]; /* a reference each */
};

struct wf_node_addr {
	struct wf_place *place; /* a reference */
	struct wf_node *node;
	struct wf_node_addr *next; /* of the place, while in force */
};

/* A node: known by addresses alone. */
struct wf_node {
	struct wf_group *group; /* a reference */
	enum wf_who who;
	size_t addr_count;
	struct wf_node_addr addrs[];
};

struct wf_backend {
	struct wf_place *place; /* a reference */
	struct wf_service *service;
	struct wf_backend *next, **prev; /* of the place; prev NULL: not in force */
};

struct wf_service {
	char *namespace, *name;  /* owned */
	struct wf_labels labels; /* owned */
	size_t backend_count;
	struct wf_backend backends[];
};

struct wf_objects {
	struct wf_group *groups;
	struct wf_set places;
	struct wf_place *dirty;
	size_t record_count; /* places that are recorded */
};

void wf_objects_init(struct wf_objects *objects);
void wf_objects_done(struct wf_objects *objects);

int wf_namespace_new(struct wf_namespace **ret_namespace, const struct wf_labels *labels,
		     bool audit);                        /* 0 or -ENOMEM, as all of these */
void wf_namespace_unref(struct wf_namespace *namespace); /* NULL is fine, as with all of these */

/* What makes a group. Borrowed. */
struct wf_group_spec {
	bool is_node, audit;
	const char *namespace;
	struct wf_namespace *of_namespace;
	const struct wf_labels *labels; /* NULL: none */
	const struct wf_endpoint_port *ports;
	size_t port_count;
};

/* Addresses that somebody has, all of one scope. Borrowed. */
struct wf_address_list {
	uint32_t scope;
	const struct wf_addr *items;
	size_t count;
};
int wf_member_new(struct wf_objects *objects, const struct wf_group_spec *spec, bool audit,
		  const struct wf_address_list *addrs, struct wf_member **ret_member);
void wf_member_free(struct wf_objects *objects, struct wf_member *member);
int wf_node_new(struct wf_objects *objects, const struct wf_group_spec *spec, enum wf_who who,
		const struct wf_address_list *addrs, struct wf_node **ret_node);
void wf_node_free(struct wf_objects *objects, struct wf_node *node);
int wf_service_new(struct wf_objects *objects, const char *namespace, const char *name,
		   const struct wf_labels *labels, const struct wf_policy_backends *backends,
		   struct wf_service **ret_service);
void wf_service_free(struct wf_objects *objects, struct wf_service *service);

/* In force or not; marks their places. None of them can fail. */
void wf_node_link(struct wf_objects *objects, struct wf_node *node);
void wf_node_unlink(struct wf_objects *objects, struct wf_node *node);
void wf_service_link(struct wf_objects *objects, struct wf_service *service);
void wf_service_unlink(struct wf_objects *objects, struct wf_service *service);

/* The group with a new reference; and an end of one, NULL is fine. 0 or -ENOMEM. */
int wf_group_get(struct wf_objects *objects, const struct wf_group_spec *spec,
		 struct wf_group **ret_group);
void wf_group_unref(struct wf_objects *objects, struct wf_group *group);

/* By its prefix, whose host bits are zero; NULL: there is none. */
struct wf_place *wf_place_find(const struct wf_objects *objects, uint32_t scope,
			       const struct wf_prefix *prefix);
/* The same with a new reference, made when there is none; NULL: no memory. */
struct wf_place *wf_place_get(struct wf_objects *objects, uint32_t scope,
			      const struct wf_prefix *prefix);
void wf_place_unref(struct wf_objects *objects, struct wf_place *place);
/* Whether it is an address; otherwise a wider prefix, which nobody has. */
bool wf_place_is_address(const struct wf_place *place);
struct wf_prefix wf_place_prefix(const struct wf_place *place);
/* Says that somebody else has it than before. Only of addresses. */
void wf_place_mark(struct wf_objects *objects, struct wf_place *place);
/* Forgets which are marked. */
void wf_places_clear(struct wf_objects *objects);

/* The node that has an address: this one, else another one; NULL: none. Endpoints go before nodes. */
const struct wf_node *wf_place_node(const struct wf_place *place);
/* Whether a peer of the type SERVICE means one. */
bool wf_service_is_meant(const struct wf_service *service, const struct wf_peer *peer);
/* The number of a named port; 0: it has none. */
uint16_t wf_group_port(const struct wf_group *group, const char *name, uint8_t proto);
struct wf_atom_party wf_group_party(const struct wf_group *group);

#endif
