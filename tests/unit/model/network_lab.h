/* SPDX-License-Identifier: Apache-2.0 */
/* Networks for tests, from specs that are written as YAML flow. */
#ifndef WEFT_TESTS_UNIT_MODEL_NETWORK_LAB_H
#define WEFT_TESTS_UNIT_MODEL_NETWORK_LAB_H

#include <jansson.h>
#include <stddef.h>

#include "model/network.h"

/* The document of network blue with this spec. New reference. */
json_t *network_document(const char *spec);
/* Reads it; fails the test when it is refused. */
void network_read(const char *spec, struct wf_network *network);

/* A spec that must be refused, the field at fault, and a part of the message. */
struct network_refusal {
	const char *spec;
	const char *field;
	const char *message;
};

/* Each is a document by its form, and refused as a network without a trace. */
void network_check_refused(const struct network_refusal *rows, size_t count);

#endif
