/* SPDX-License-Identifier: Apache-2.0 */
/* What to say of a wrong verdict: as few documents as still show it, and who was concerned. */
#ifndef WEFT_TESTS_UNIT_POLICY_SHRINK_H
#define WEFT_TESTS_UNIT_POLICY_SHRINK_H

#include <jansson.h>
#include <stdbool.h>

#include "oracle.h"

/* Whether it still goes wrong with these documents. */
typedef bool (*shrink_fn)(const json_t *documents, void *context);

/* A copy without all that it goes wrong without: documents, rules, peers, ports. Owned by the caller. */
json_t *shrink_documents(const json_t *documents, shrink_fn goes_wrong, void *context);

/* On stderr: the documents, the world's services, and both ends with their namespaces. */
void shrink_print(const json_t *world, const json_t *documents, const struct oracle_party *src,
		  const struct oracle_party *dst);

#endif
