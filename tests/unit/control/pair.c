/* SPDX-License-Identifier: Apache-2.0 */
#include "pair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"

struct pair *pair_new(void)
{
	struct pair *pair = calloc(1, sizeof(*pair));

	assert_non_null(pair);
	pair->a = lab_join(NULL, "a", "192.0.2.1");
	pair->b = lab_join(pair->a, "b", "192.0.2.2");
	return pair;
}

void pair_free(struct pair **pair)
{
	lab_free(&(*pair)->b);
	lab_free(&(*pair)->a);
	free(*pair);
	*pair = NULL;
}

int pair_setup(void **state)
{
	struct pair *pair = pair_new();

	lab_network(pair->a, "over",
		    "{'driver':'overlay','subnets':[{'cidr':'10.5.0.0/24','blockSize':0}]}");
	lab_settle(pair->b);
	*state = pair;
	return 0;
}

int pair_teardown(void **state)
{
	struct pair *pair = *state;

	pair_free(&pair);
	return 0;
}

void pair_settle(struct pair *pair)
{
	lab_settle(pair->a);
	lab_settle(pair->b);
}

int pair_attach(struct lab *lab, const char *name, const char *more)
{
	int r;

	lab_use(lab);
	r = lab_attach(lab, "{'network':'over','name':'%s','netns':'/fake/c0','owner':'cli'%s}",
		       name, more);
	if (r < 0)
		print_message("%s\n", lab->err.message);
	return r;
}

size_t pair_leased(const struct lab *lab)
{
	_cleanup_json_ json_t *list = NULL;
	uint64_t revision;
	size_t count = 0, i;
	json_t *lease;

	assert_int_equal(wf_store_list(lab->store, CTL_KIND_ADDRESS_LEASE, &list, &revision, NULL),
			 0);
	json_array_foreach(list, i, lease)
		count += json_object_get(json_object_get(lease, "spec"), "endpoint") != NULL;
	return count;
}

void pair_write(struct lab *lab, const char *kind, const char *name, json_t *document)
{
	const struct wf_store_write write = { .op = document ? WF_STORE_PUT : WF_STORE_DELETE,
					      .kind = kind,
					      .name = name,
					      .document = document,
					      .expected = WF_STORE_ANY };

	assert_int_equal(wf_store_commit(lab->store, &write, 1, WF_STORE_DURABLE, NULL, NULL), 0);
}

void pair_forget_lease(struct lab *lab, const char *name)
{
	_cleanup_json_ json_t *claims = NULL;
	json_t *claim;
	uint64_t revision;
	size_t i;

	pair_write(lab, CTL_KIND_NODE_LEASE, name, NULL);
	assert_int_equal(wf_store_list(lab->store, CTL_KIND_NODE_ADDRESS, &claims, &revision, NULL),
			 0);
	json_array_foreach(claims, i, claim) {
		if (strcmp(wf_json_str(json_object_get(claim, "spec"), "node", ""), name) != 0)
			continue;
		pair_write(lab, CTL_KIND_NODE_ADDRESS,
			   wf_json_str(json_object_get(claim, "metadata"), "name", ""), NULL);
	}
}
