/* SPDX-License-Identifier: Apache-2.0 */
#include "shrink.h"

#include <stdio.h>
#include <stdlib.h>

/* What is being made smaller, and who says whether that may be. */
struct shrinking {
	json_t *documents;
	shrink_fn goes_wrong;
	void *context;
};

/* Drops items of an array, which is part of the documents, as long as it still goes wrong. */
static void shrink_array(const struct shrinking *shrinking, json_t *array, size_t at_least)
{
	for (size_t i = json_array_size(array); i-- > 0 && json_array_size(array) > at_least;) {
		json_t *item = json_incref(json_array_get(array, i));

		json_array_remove(array, i);
		if (!shrinking->goes_wrong(shrinking->documents, shrinking->context))
			json_array_insert(array, i, item);
		json_decref(item);
	}
}

static void shrink_spec(const struct shrinking *shrinking, json_t *spec)
{
	static const char *const lists[] = { "ingress", "ingressDeny", "egress", "egressDeny" };

	for (size_t i = 0; i < 4; i++) {
		json_t *rules = json_object_get(spec, lists[i]);

		shrink_array(shrinking, rules, 1);
		for (size_t k = 0; k < json_array_size(rules); k++) {
			const char *key;
			json_t *value;
			void *next;

			json_object_foreach_safe(json_array_get(rules, k), next, key, value) {
				shrink_array(shrinking, value, 1);
			}
		}
	}
}

json_t *shrink_documents(const json_t *documents, shrink_fn goes_wrong, void *context)
{
	json_t *fewer = json_deep_copy(documents);
	const struct shrinking shrinking = { fewer, goes_wrong, context };

	shrink_array(&shrinking, fewer, 0);
	for (size_t i = 0; i < json_array_size(fewer); i++) {
		json_t *document = json_array_get(fewer, i);
		json_t *specs = json_object_get(document, "specs");

		shrink_spec(&shrinking, json_object_get(document, "spec"));
		shrink_array(&shrinking, specs, 1);
		for (size_t k = 0; k < json_array_size(specs); k++)
			shrink_spec(&shrinking, json_array_get(specs, k));
	}
	return fewer;
}

static void print_json(const char *title, const json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

	fprintf(stderr, "%s %s\n", title, text);
	free(text);
}

static void print_party(const json_t *world, const char *title, const struct oracle_party *party)
{
	const json_t *spaces = json_object_get(world, "namespaces");

	fprintf(stderr, "%s %s\n", title, party->address);
	if (party->endpoint) {
		print_json("   endpoint", party->endpoint);
		print_json("   namespace",
			   json_object_get(spaces, oracle_namespace(party))
				   ? json_object_get(spaces, oracle_namespace(party))
				   : json_null());
	} else if (party->node) {
		print_json("   node", party->node);
	}
}

void shrink_print(const json_t *world, const json_t *documents, const struct oracle_party *src,
		  const struct oracle_party *dst)
{
	for (size_t i = 0; i < json_array_size(documents); i++)
		print_json("document", json_array_get(documents, i));
	print_json("services", json_object_get(world, "services"));
	print_party(world, "from", src);
	print_party(world, "to", dst);
}
