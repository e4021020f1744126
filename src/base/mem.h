/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ownership helpers: cleanup attributes and transfers. The only macros of the project with a
 * leading underscore (the spelling every C reader knows from systemd).
 */
#ifndef WEFT_BASE_MEM_H
#define WEFT_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(fn)   __attribute__((cleanup(fn)))
#define _cleanup_free_  _cleanup_(wf_mem_cleanup_free)
#define _cleanup_close_ _cleanup_(wf_mem_cleanup_close)

#define WF_ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

/* Yields the pointer and sets its variable to NULL: ownership goes to the reader. */
#define TAKE_PTR(ptr)                           \
	({                                      \
		__typeof__(ptr) taken_ = (ptr); \
		(ptr) = NULL;                   \
		taken_;                         \
	})

/* Yields the descriptor and sets its variable to -1. */
#define TAKE_FD(fd)                \
	({                         \
		int taken_ = (fd); \
		(fd) = -1;         \
		taken_;            \
	})

static inline void wf_mem_cleanup_free(void *ptr)
{
	free(*(void **)ptr);
}

static inline void wf_mem_cleanup_close(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

/*
 * Makes room for one more element in a growing array: doubles *capacity when count reached it.
 * array is &pointer. Returns 0 or -ENOMEM (array untouched).
 */
int wf_mem_grow(void *array, size_t element_bytes, size_t count, size_t *capacity);

#endif
