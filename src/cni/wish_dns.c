/* SPDX-License-Identifier: Apache-2.0 */
/* The DNS settings of an ADD; the capability and the configuration use different names for them. */
#include <stdio.h>

#include "base/json.h"
#include "base/mem.h"
#include "cni/wish_priv.h"

static const struct member {
	const char *result;  /* name in a configuration and in a result */
	const char *runtime; /* name in runtimeConfig.dns; NULL: not there */
	bool list;
} members[] = {
	{ "nameservers", "servers", true },
	{ "domain", NULL, false },
	{ "search", "searches", true },
	{ "options", "options", true },
};

static bool is_right(const json_t *value, bool list)
{
	const json_t *item;
	size_t i;

	if (!list)
		return json_is_string(value);
	json_array_foreach(value, i, item)
		if (!json_is_string(item))
			return false;
	return json_is_array(value);
}

/* Copies the members that say something; the result is NULL when none does. */
static int read_dns(const json_t *dns, bool runtime, json_t **ret_dns, struct wf_cni_error *error)
{
	_cleanup_json_ json_t *clean = json_object();

	for (size_t i = 0; i < WF_ARRAY_LEN(members); i++) {
		const char *name = runtime ? members[i].runtime : members[i].result;
		json_t *value = name ? wf_cni_get(dns, name) : NULL;
		char key[64];

		if (!value)
			continue;
		(void)snprintf(key, sizeof(key), "%s.%s", runtime ? "runtimeConfig.dns" : "dns",
			       name);
		if (!is_right(value, members[i].list))
			return wf_cni_fail_value(error, key, value,
						 members[i].list ? "an array of strings"
								 : "a string");
		if (json_array_size(value) == 0 && json_string_length(value) == 0)
			continue;
		if (json_object_set(clean, members[i].result, value) < 0)
			return wf_cni_fail_memory(error);
	}
	*ret_dns = json_object_size(clean) ? TAKE_PTR(clean) : NULL;
	return 0;
}

int wf_cni_wish_dns(struct wf_cni_wish *wish, const struct wf_cni_config *config,
		    struct wf_cni_error *error)
{
	const json_t *runtime = wf_cni_get(config->runtime, "dns");
	int r;

	if (runtime && !json_is_object(runtime))
		return wf_cni_fail_value(error, "runtimeConfig.dns", runtime, "an object");
	r = read_dns(runtime, true, &wish->dns, error);
	if (r < 0 || wish->dns)
		return r;
	return read_dns(config->dns, false, &wish->dns, error);
}
