/* SPDX-License-Identifier: Apache-2.0 */
#include "base/shared.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int wf_shared_new(struct wf_shared **ret_shared, const char *text)
{
	size_t bytes = strlen(text) + 1;
	struct wf_shared *shared = NULL;

	if (*text) {
		shared = malloc(sizeof(*shared) + bytes);
		if (!shared)
			return -ENOMEM;
		shared->refs = 1;
		memcpy(shared->text, text, bytes);
	}
	*ret_shared = shared;
	return 0;
}

struct wf_shared *wf_shared_ref(struct wf_shared *shared)
{
	if (shared)
		shared->refs++;
	return shared;
}

void wf_shared_unref(struct wf_shared **shared)
{
	if (*shared && !--(*shared)->refs)
		free(*shared);
	*shared = NULL;
}

const char *wf_shared_text(const struct wf_shared *shared)
{
	return shared ? shared->text : "";
}
