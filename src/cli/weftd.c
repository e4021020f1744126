/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/weftd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

void wf_cli_add_word(struct wf_cli_words *words, const char *name, const char *value)
{
	if (!value)
		return;
	words->items[words->count++] = name;
	words->items[words->count++] = value;
}

/* Beside weft itself, where packages and the build tree put it, or in PATH. */
static int exec_weftd(const struct wf_cli_words *words)
{
	static const char *const places[] = { "", "../sbin/", "../libexec/weft/" };
	char self[512], path[600];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char **argv = (char **)words->items;
	char *slash;

	if (len > 0) {
		self[len] = '\0';
		slash = strrchr(self, '/');
		for (size_t i = 0; slash && i < WF_ARRAY_LEN(places); i++) {
			(void)snprintf(path, sizeof(path), "%.*s%sweftd", (int)(slash + 1 - self),
				       self, places[i]);
			(void)execv(path, argv);
		}
	}
	(void)execvp("weftd", argv);
	return -errno;
}

int wf_cli_become_weftd(const struct wf_cli_words *words, struct wf_err *err)
{
	int r;

	(void)fflush(NULL);
	r = exec_weftd(words);
	return wf_fail(err, r,
		       "cannot run weftd: %s; it is looked for beside weft, in ../sbin, "
		       "../libexec/weft and PATH",
		       strerror(-r));
}
