/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Selectors: requirements on labels, as Kubernetes' LabelSelector has them, over the labels of an
 * object and those of its namespace in one. Pure.
 */
#ifndef WEFT_MODEL_SELECTOR_H
#define WEFT_MODEL_SELECTOR_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"
#include "model/label.h"

/* Every namespace has this label: its name. */
#define WF_LABEL_NAMESPACE_NAME "kubernetes.io/metadata.name"
/* The label of an endpoint that names its namespace; without it the endpoint is in "default". */
#define WF_LABEL_POD_NAMESPACE "io.kubernetes.pod.namespace"
/* Every node has this label: its name. */
#define WF_LABEL_NODE_NAME "kubernetes.io/hostname"

#define WF_SELECTOR_MAX_REQUIREMENTS 256
#define WF_SELECTOR_MAX_VALUES       1024

enum wf_match_op {
	WF_MATCH_IN,
	WF_MATCH_NOT_IN, /* true as well when the key is absent */
	WF_MATCH_EXISTS,
	WF_MATCH_NOT_EXISTS,
	WF_MATCH_OP_COUNT,
};

struct wf_requirement {
	bool of_namespace; /* of the namespace's labels; otherwise the object's own */
	enum wf_match_op op;
	char *key;     /* owned */
	char **values; /* owned, sorted, each once */
	size_t value_count, value_capacity;
};

/* All requirements must hold; none: everything is selected. Sorted, so that equal ones are alike. */
struct wf_selector {
	struct wf_requirement *items; /* owned */
	size_t count, capacity;
};

void wf_selector_done(struct wf_selector *selector);

/* Adds one requirement with any number of values; keeps the order. 0 or -ENOMEM. */
int wf_selector_add(struct wf_selector *selector, bool of_namespace, const char *key,
		    enum wf_match_op op, const char *const *values, size_t value_count);

/*
 * Adds those of a LabelSelector ({matchLabels, matchExpressions}); object NULL adds none. path
 * names it in errors. -EINVAL, -ENOMEM.
 */
int wf_selector_add_json(struct wf_selector *selector, bool of_namespace, const json_t *object,
			 const char *path, struct wf_err *err);

/*
 * Whether it selects an object with these labels; of_namespace NULL: there are none beside the
 * name. namespace "" when the object has none (nodes). The namespace's name label comes from
 * `namespace`, whatever of_namespace says.
 */
bool wf_selector_matches(const struct wf_selector *selector, const struct wf_labels *labels,
			 const char *namespace, const struct wf_labels *of_namespace);

int wf_selector_compare(const struct wf_selector *a, const struct wf_selector *b);
int wf_selector_copy(struct wf_selector *to, const struct wf_selector *from); /* 0 or -ENOMEM */

/* For people: "app=web,tier in (a,b),!x; namespace team=a", "everything". */
void wf_selector_format(const struct wf_selector *selector, struct wf_str *out);

#endif
