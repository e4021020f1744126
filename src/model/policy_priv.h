/* SPDX-License-Identifier: Apache-2.0 */
/* Reading policies: what the kinds share (policy_parts.c), and their readers. */
#ifndef WEFT_MODEL_POLICY_PRIV_H
#define WEFT_MODEL_POLICY_PRIV_H

#include "model/field_priv.h"
#include "model/policy.h"
#include "model/selector_priv.h"

#define WF_POLICY_NETWORK_API_VERSION "networking.k8s.io/v1"
#define WF_POLICY_CLUSTER_API_VERSION "policy.networking.k8s.io/v1alpha2"
#define WF_POLICY_ADMIN_API_VERSION   "policy.networking.k8s.io/v1alpha1"
#define WF_POLICY_CILIUM_API_VERSION  "cilium.io/v2"

/* A policy being read. */
struct wf_policy_reading {
	struct wf_policy *policy;
	struct wf_policy_section *section; /* the one being filled; the last of the policy's */
	struct wf_field_path at;           /* the field being read */
	struct wf_err *err;
};

/* One element of a list; reading->at names it. */
typedef int wf_policy_item_fn(struct wf_policy_reading *reading, const json_t *item, void *context);

/* Sets the error of a member of the field being read; key "": of the field itself. */
#define WF_POLICY_FAIL(reading, key, ...)                               \
	((void)(*(key) ? wf_field_push_key(&(reading)->at, (key)) : 0), \
	 wf_field_error((reading)->err, (reading)->at.text, __VA_ARGS__), -EINVAL)

/* Sets the error that there is no memory, and yields -ENOMEM. */
int wf_policy_no_memory(struct wf_policy_reading *reading);

/* Whether a member is there; null counts as absent. */
bool wf_policy_has(const json_t *object, const char *key);

/* Calls read for each element of a list, which may be absent. */
int wf_policy_each(struct wf_policy_reading *reading, const json_t *object, const char *key,
		   wf_policy_item_fn *read, void *context);

/* Which one of some members (NULL ends them) is there; it is an error unless exactly one is. */
int wf_policy_only_one(struct wf_policy_reading *reading, const json_t *object,
		       const char *const *members, const char **ret_member);

/* Appends an empty one; *ret_... is good until the next of its kind. The path is reading->at. */
int wf_policy_add_section(struct wf_policy_reading *reading);
int wf_policy_add_rule(struct wf_policy_reading *reading, enum wf_policy_dir dir,
		       enum wf_rule_action action, struct wf_policy_rule **ret_rule);
int wf_policy_add_peer(struct wf_policy_reading *reading, struct wf_policy_rule *rule,
		       enum wf_peer_type type, struct wf_peer **ret_peer);
int wf_policy_add_port(struct wf_policy_reading *reading, struct wf_policy_rule *rule,
		       const struct wf_policy_port *port);
/* As wf_policy_add_port() for a name or range of TCP, UDP and SCTP. */
int wf_policy_add_ports_of_any(struct wf_policy_reading *reading, struct wf_policy_rule *rule,
			       const struct wf_policy_port *port);
void wf_policy_drop_last_rule(struct wf_policy_reading *reading);

/* Adds why a rule cannot be enforced: "MEMBER needs WHAT, which is not there yet". */
int wf_policy_set_unenforced(struct wf_policy_reading *reading, struct wf_policy_rule *rule,
			     const char *member, const char *what);

/* Adds the LabelSelector that a member is; absent: nothing. */
int wf_policy_read_selector(struct wf_policy_reading *reading, struct wf_selector *selector,
			    bool of_namespace, const json_t *object, const char *key);
/* The same with keys that find tells apart, of the field being read itself. */
int wf_policy_read_selector_keys(struct wf_policy_reading *reading, struct wf_selector *selector,
				 wf_selector_key_fn *find, const json_t *object);
/* Adds the requirement that the namespace has this name. */
int wf_policy_in_namespace(struct wf_policy_reading *reading, struct wf_selector *selector,
			   const char *namespace);

/* A prefix of the text that the field being read is; host bits are dropped. */
int wf_policy_read_cidr(struct wf_policy_reading *reading, const json_t *value,
			struct wf_prefix *ret_prefix);
/* peer->except from a member "except"; strictly: the whole cidr cannot be excepted. */
int wf_policy_read_excepts(struct wf_policy_reading *reading, struct wf_peer *peer,
			   const json_t *object, bool strictly);

/* The name of a port, as a message says what one is. -EINVAL. */
int wf_policy_read_port_name(struct wf_policy_reading *reading, const char *key, const char *text,
			     struct wf_policy_port *port);

/* "a.example.org", "*.example.org" if wildcard, with or without the last dot. */
bool wf_policy_is_domain(const char *text, bool wildcard);

/* The readers of the kinds. */
int wf_policy_read_network(struct wf_policy_reading *reading, const json_t *document);
int wf_policy_read_cluster(struct wf_policy_reading *reading, const json_t *document);
int wf_policy_read_cilium(struct wf_policy_reading *reading, const json_t *document);

/* Lifetime of the parts; policy.c. */
void wf_policy_rule_done(struct wf_policy_rule *rule);

#endif
