/* SPDX-License-Identifier: Apache-2.0 */
/* A deep copy of JSON that is whole or not at all: jansson's own drops members without memory. */
#ifndef WEFT_CNI_COPY_H
#define WEFT_CNI_COPY_H

#include <jansson.h>

/* New reference; NULL: no memory. Scalars, which nobody changes, are shared. */
json_t *wf_cni_copy(const json_t *value);

#endif
