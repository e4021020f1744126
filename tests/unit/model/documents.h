/* SPDX-License-Identifier: Apache-2.0 */
/* Documents for tests, written as YAML. */
#ifndef WEFT_TESTS_UNIT_MODEL_DOCUMENTS_H
#define WEFT_TESTS_UNIT_MODEL_DOCUMENTS_H

#include <jansson.h>

/* A mapping, which has to be readable. New reference. */
json_t *document_parse(const char *text);
/* The same of a text that is put together. */
json_t *document_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
