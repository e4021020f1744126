/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See fail_alloc.h. strdup and strndup are here because a sanitizer's own versions allocate
 * without coming through malloc.
 */
#include "fail_alloc.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

static bool is_armed;
static bool has_failed;
static size_t good_left;

void fail_alloc_arm(size_t n)
{
	good_left = n;
	has_failed = false;
	is_armed = true;
}

bool fail_alloc_disarm(void)
{
	is_armed = false;
	return has_failed;
}

static bool must_fail(void)
{
	if (!is_armed || has_failed)
		return false;
	if (good_left) {
		good_left--;
		return false;
	}
	has_failed = true;
	errno = ENOMEM;
	return true;
}

/* The next definition of a symbol behind this one; assigned as bytes, as dlsym() asks for. */
#define NEXT(function, name)                                            \
	do {                                                            \
		if (!(function)) {                                      \
			void *symbol_ = dlsym(RTLD_NEXT, name);         \
			memcpy(&(function), &symbol_, sizeof(symbol_)); \
		}                                                       \
	} while (0)

EXPORT void *malloc(size_t size)
{
	static void *(*next)(size_t size);

	NEXT(next, "malloc");
	return must_fail() ? NULL : next(size);
}

EXPORT void *calloc(size_t count, size_t size)
{
	static void *(*next)(size_t count, size_t size);

	NEXT(next, "calloc");
	return must_fail() ? NULL : next(count, size);
}

EXPORT void *realloc(void *old, size_t size)
{
	static void *(*next)(void *old, size_t size);

	NEXT(next, "realloc");
	return must_fail() ? NULL : next(old, size);
}

EXPORT char *strndup(const char *text, size_t max)
{
	size_t len = strnlen(text, max);
	char *copy = malloc(len + 1);

	if (!copy)
		return NULL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

EXPORT char *strdup(const char *text)
{
	return strndup(text, strlen(text));
}
