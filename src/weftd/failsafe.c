/* SPDX-License-Identifier: Apache-2.0 */
#include "weftd/failsafe.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

static int parse_one(const char *text, struct wf_policy_failsafe *ret_failsafe, struct wf_err *err)
{
	static const struct {
		const char *prefix;
		enum wf_policy_dir dir;
		uint8_t proto;
	} forms[] = {
		{ "ingress:tcp/", WF_POLICY_INGRESS, IPPROTO_TCP },
		{ "ingress:udp/", WF_POLICY_INGRESS, IPPROTO_UDP },
		{ "egress:tcp/", WF_POLICY_EGRESS, IPPROTO_TCP },
		{ "egress:udp/", WF_POLICY_EGRESS, IPPROTO_UDP },
	};
	uint64_t port;

	for (size_t i = 0; i < WF_ARRAY_LEN(forms); i++) {
		size_t len = strlen(forms[i].prefix);

		if (strncmp(text, forms[i].prefix, len) != 0 ||
		    wf_str_to_u64(text + len, 1, UINT16_MAX, &port) < 0)
			continue;
		*ret_failsafe = (struct wf_policy_failsafe){ .dir = forms[i].dir,
							     .proto = forms[i].proto,
							     .port = (uint16_t)port };
		return 0;
	}
	return wf_fail(err, -EINVAL, "\"%s\" is not a port such as ingress:tcp/22 or egress:udp/53",
		       text);
}

int weftd_failsafe_parse(const char *text,
			 struct wf_policy_failsafe ret_failsafes[WEFTD_MAX_FAILSAFES],
			 size_t *ret_count, struct wf_err *err)
{
	struct wf_policy_failsafe parsed[WEFTD_MAX_FAILSAFES];
	_cleanup_free_ char *copy = strdup(text);
	char *rest = NULL;
	size_t count = 0;

	if (!copy)
		return wf_fail(err, -ENOMEM, "out of memory");
	if (strcmp(text, "none") != 0)
		for (char *word = strtok_r(copy, ", ", &rest); word;
		     word = strtok_r(NULL, ", ", &rest)) {
			int r;

			if (count == WEFTD_MAX_FAILSAFES)
				return wf_fail(err, -E2BIG, "more than %d ports",
					       WEFTD_MAX_FAILSAFES);
			r = parse_one(word, &parsed[count++], err);
			if (r < 0)
				return r;
		}
	memcpy(ret_failsafes, parsed, count * sizeof(parsed[0]));
	*ret_count = count;
	return 0;
}
