/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/selector.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

static char *trim(char *text)
{
	char *end;

	text += strspn(text, " \t");
	end = text + strlen(text);
	while (end > text && strchr(" \t", end[-1]))
		*--end = '\0';
	return text;
}

/* One requirement; text is taken apart in place. */
static int match_one(char *text, const json_t *labels, struct wf_err *err)
{
	char *equals = strchr(text, '='), *key = text, *value;
	bool negated = text[0] == '!';
	const char *actual;

	if (!equals) {
		key = trim(text + negated);
		if (!*key || strpbrk(key, " ()"))
			return wf_fail_field(err, -EINVAL, "--selector",
					     "'%s' is not a requirement; write key, !key, "
					     "key=value or key!=value",
					     text);
		return (json_object_get(labels, key) != NULL) != negated;
	}
	value = trim(equals + (equals[1] == '=' ? 2 : 1));
	negated = equals > text && equals[-1] == '!';
	equals[negated ? -1 : 0] = '\0';
	key = trim(text);
	if (!*key)
		return wf_fail_field(err, -EINVAL, "--selector", "a key is missing before '=%s'",
				     value);
	actual = wf_json_str(labels, key, NULL);
	return (actual && strcmp(actual, value) == 0) != negated;
}

int wf_cli_selector_match(const char *selector, const json_t *labels, struct wf_err *err)
{
	_cleanup_free_ char *copy = strdup(selector);
	char *rest = copy, *part;
	int all = 1;

	if (!copy)
		return wf_fail(err, -ENOMEM, "out of memory");
	while ((part = strsep(&rest, ",")) != NULL) {
		int r = match_one(trim(part), labels, err);

		if (r < 0)
			return r;
		all &= r;
	}
	return all;
}
