/* SPDX-License-Identifier: Apache-2.0 */
#include "cni/args.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

static const struct {
	const char *name;
	size_t offset; /* of the const char * in struct wf_cni_args */
} keys[] = {
	{ "IP", offsetof(struct wf_cni_args, ip) },
	{ "GATEWAY", offsetof(struct wf_cni_args, gateway) },
	{ "MAC", offsetof(struct wf_cni_args, mac) },
	{ "K8S_POD_NAMESPACE", offsetof(struct wf_cni_args, pod_namespace) },
	{ "K8S_POD_NAME", offsetof(struct wf_cni_args, pod_name) },
	{ "K8S_POD_INFRA_CONTAINER_ID", offsetof(struct wf_cni_args, pod_infra_id) },
	{ "K8S_POD_UID", offsetof(struct wf_cni_args, pod_uid) },
};

void wf_cni_args_done(struct wf_cni_args *args)
{
	free(args->text);
	memset(args, 0, sizeof(*args));
}

/* Stores the value of a known key; false when the key is unknown. */
static bool store(struct wf_cni_args *args, const char *key, const char *value)
{
	for (size_t i = 0; i < WF_ARRAY_LEN(keys); i++) {
		if (strcmp(keys[i].name, key) != 0)
			continue;
		memcpy((char *)args + keys[i].offset, &value, sizeof(value));
		return true;
	}
	return false;
}

/* As the reference library reads a boolean: true, 1, false, 0. */
static int parse_ignore(const char *text, bool *ret_ignore, struct wf_cni_error *error)
{
	*ret_ignore = strcmp(text, "true") == 0 || strcmp(text, "1") == 0;
	if (*ret_ignore || strcmp(text, "false") == 0 || strcmp(text, "0") == 0)
		return 0;
	return wf_cni_fail(error, WF_CNI_ENVIRONMENT,
			   "invalid CNI_ARGS: IgnoreUnknown is \"%.40s\", expected true, 1, false "
			   "or 0",
			   text);
}

static int parse_pair(struct wf_cni_args *args, char *pair, struct wf_str *unknown, bool *ignore,
		      struct wf_cni_error *error)
{
	char *equals = strchr(pair, '=');

	if (!equals)
		return wf_cni_fail(error, WF_CNI_ENVIRONMENT,
				   "invalid CNI_ARGS: invalid pair \"%.80s\", expected KEY=VALUE",
				   pair);
	*equals = '\0';
	if (strcmp(pair, "IgnoreUnknown") == 0)
		return parse_ignore(equals + 1, ignore, error);
	if (!store(args, pair, equals + 1))
		wf_str_addf(unknown, "%s\"%.80s\"", unknown->len ? " " : "", pair);
	return 0;
}

/* Values become members of JSON and names; what is not text is refused here. */
static int check_text(const char *text, struct wf_cni_error *error)
{
	_cleanup_str_ struct wf_str escaped = WF_STR_INIT;

	wf_str_add_escaped(&escaped, text);
	if (escaped.failed)
		return wf_cni_fail_memory(error);
	if (strcmp(wf_str_text(&escaped), text) != 0)
		return wf_cni_fail(error, WF_CNI_ENVIRONMENT,
				   "invalid CNI_ARGS: control characters, or not UTF-8");
	return 0;
}

int wf_cni_args_parse(struct wf_cni_args *args, const char *text, struct wf_cni_error *error)
{
	_cleanup_str_ struct wf_str unknown = WF_STR_INIT;
	bool ignore = false;
	char *at, *pair;
	int r;

	memset(args, 0, sizeof(*args));
	for (size_t i = 0; i < WF_ARRAY_LEN(keys); i++)
		(void)store(args, keys[i].name, "");
	r = check_text(text, error);
	if (r < 0)
		return r;
	args->text = strdup(text);
	if (!args->text)
		return wf_cni_fail_memory(error);
	at = args->text;
	while ((pair = strsep(&at, ";"))) {
		/* an empty text, or a semicolon at the end */
		if (!*pair && !at)
			break;
		r = parse_pair(args, pair, &unknown, &ignore, error);
		if (r < 0)
			return r;
	}
	if (unknown.failed)
		return wf_cni_fail_memory(error);
	if (unknown.len && !ignore)
		return wf_cni_fail(error, WF_CNI_ENVIRONMENT,
				   "invalid CNI_ARGS: unknown args [%.200s]; IgnoreUnknown=1 lets "
				   "them pass",
				   wf_str_text(&unknown));
	return 0;
}
