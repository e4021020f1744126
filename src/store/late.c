/* SPDX-License-Identifier: Apache-2.0 */
#include "store/late.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/mem.h"

struct wf_late wf_late;

struct symbol {
	const char *name;
	size_t offset; /* of its pointer in struct wf_late */
};

#define SYMBOL(function) { #function, offsetof(struct wf_late, function) },

static const struct symbol of_curl[] = { WF_LATE_CURL(SYMBOL) };
static const struct symbol of_crypto[] = { WF_LATE_CRYPTO(SYMBOL) };

static const struct {
	const char *file, *package;
	const struct symbol *symbols;
	size_t count;
} libraries[] = {
	{ "libcurl.so.4", "libcurl4", of_curl, WF_ARRAY_LEN(of_curl) },
	{ "libcrypto.so.3", "libssl3", of_crypto, WF_ARRAY_LEN(of_crypto) },
};

/* The library stays open for as long as the process lives: nothing says when its last user went. */
static int load(size_t i, struct wf_err *err)
{
	void *library = dlopen(libraries[i].file, RTLD_NOW | RTLD_LOCAL);

	if (!library)
		return wf_fail(err, -ENOENT, "etcd needs %s (package %s): %s", libraries[i].file,
			       libraries[i].package, dlerror());
	for (size_t s = 0; s < libraries[i].count; s++) {
		const struct symbol *symbol = &libraries[i].symbols[s];
		void *function = dlsym(library, symbol->name);

		if (!function)
			return wf_fail(err, -ENOENT, "%s has no %s: it is of another version",
				       libraries[i].file, symbol->name);
		memcpy((char *)&wf_late + symbol->offset, &function, sizeof(function));
	}
	return 0;
}

int wf_late_load(struct wf_err *err)
{
	static bool is_loaded;
	int r = 0;

	for (size_t i = 0; r == 0 && !is_loaded && i < WF_ARRAY_LEN(libraries); i++)
		r = load(i, err);
	is_loaded = is_loaded || r == 0;
	return r;
}
