/* SPDX-License-Identifier: Apache-2.0 */
/* Growing arrays; everything else of mem.h is inline. */
#include "base/mem.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

int wf_mem_grow(void *array, size_t element_bytes, size_t count, size_t *capacity)
{
	size_t wanted;
	void *old, *grown;

	if (count < *capacity)
		return 0;
	wanted = *capacity ? *capacity * 2 : 8;
	if (wanted > SIZE_MAX / element_bytes)
		return -ENOMEM;
	/* memcpy instead of a cast: the caller's pointer may be of any object type */
	memcpy(&old, array, sizeof(old));
	grown = realloc(old, wanted * element_bytes);
	if (!grown)
		return -ENOMEM;
	memcpy(array, &grown, sizeof(grown));
	*capacity = wanted;
	return 0;
}
