/* SPDX-License-Identifier: Apache-2.0 */
#include "cni/env.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/str.h"

#define BIT(command) (1U << (command))

enum {
	FOR_CONTAINER = BIT(WF_CNI_ADD) | BIT(WF_CNI_DEL) | BIT(WF_CNI_CHECK),
	FOR_NETNS = BIT(WF_CNI_ADD) | BIT(WF_CNI_CHECK),
};

static enum wf_cni_command command_from_name(const char *name)
{
	static const struct {
		const char *name;
		enum wf_cni_command command;
	} commands[] = {
		{ "", WF_CNI_ABOUT },          { "ADD", WF_CNI_ADD }, { "DEL", WF_CNI_DEL },
		{ "CHECK", WF_CNI_CHECK },     { "GC", WF_CNI_GC },   { "STATUS", WF_CNI_STATUS },
		{ "VERSION", WF_CNI_VERSION },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return commands[i].command;
	return WF_CNI_UNKNOWN;
}

bool wf_cni_is_identifier(const char *text)
{
	if (!isalnum((unsigned char)text[0]))
		return false;
	for (const char *at = text; *at; at++)
		if (!isalnum((unsigned char)*at) && !strchr("_.-", *at))
			return false;
	return strlen(text) <= WF_CNI_ID_MAX;
}

/* Text in a message: bounded, whatever was sent. */
static int shown(const char *text)
{
	return strlen(text) > 80 ? 80 : (int)strlen(text);
}

static int check_container_id(const char *text, struct wf_cni_error *error)
{
	if (wf_cni_is_identifier(text))
		return 0;
	return wf_cni_fail(error, WF_CNI_ENVIRONMENT,
			   "invalid CNI_CONTAINERID \"%.*s\": it must start with a letter or digit "
			   "and hold only letters, digits, '_', '.' and '-', at most %d",
			   shown(text), text, WF_CNI_ID_MAX);
}

/* lo exists everywhere; all and default are folders of the kernel's per-interface settings. */
static int check_ifname(const char *text, struct wf_cni_error *error)
{
	static const char *const taken[] = { "lo", "all", "default" };

	if (!wf_str_is_ifname(text))
		return wf_cni_fail(error, WF_CNI_ENVIRONMENT,
				   "invalid CNI_IFNAME \"%.*s\": at most 15 characters, not '.' or "
				   "'..', without '/', ':', '%%' and spaces",
				   shown(text), text);
	for (size_t i = 0; i < WF_ARRAY_LEN(taken); i++)
		if (strcmp(taken[i], text) == 0)
			return wf_cni_fail(error, WF_CNI_ENVIRONMENT,
					   "invalid CNI_IFNAME \"%s\": the kernel uses that name",
					   text);
	return 0;
}

static const struct variable {
	const char *name;
	size_t offset; /* of the const char * in struct wf_cni_env */
	unsigned int needed;
	int (*check)(const char *text, struct wf_cni_error *error);
} variables[] = {
	{ "CNI_CONTAINERID", offsetof(struct wf_cni_env, container_id), FOR_CONTAINER,
	  check_container_id },
	{ "CNI_NETNS", offsetof(struct wf_cni_env, netns), FOR_NETNS, NULL },
	{ "CNI_IFNAME", offsetof(struct wf_cni_env, ifname), FOR_CONTAINER, check_ifname },
	{ "CNI_ARGS", offsetof(struct wf_cni_env, args), 0, NULL },
};

static int read_variable(struct wf_cni_env *env, const struct variable *variable,
			 wf_cni_getenv_fn get, struct wf_str *missing, struct wf_cni_error *error)
{
	bool needed = variable->needed & BIT(env->command);
	const char *value = get(variable->name);

	if (!value)
		value = "";
	memcpy((char *)env + variable->offset, &value, sizeof(value));
	if (!*value && needed)
		wf_str_addf(missing, "%s%s", missing->len ? "," : "", variable->name);
	if (*value && needed && variable->check)
		return variable->check(value, error);
	return 0;
}

int wf_cni_env_read(struct wf_cni_env *env, wf_cni_getenv_fn get, struct wf_cni_error *error)
{
	_cleanup_str_ struct wf_str missing = WF_STR_INIT;
	const char *override = get("CNI_NETNS_OVERRIDE");
	const char *command = get("CNI_COMMAND");
	int r;

	memset(env, 0, sizeof(*env));
	env->command_text = command ? command : "";
	env->command = command_from_name(env->command_text);
	env->netns_override =
		override && (strcasecmp(override, "TRUE") == 0 || strcmp(override, "1") == 0);
	for (size_t i = 0; i < WF_ARRAY_LEN(variables); i++) {
		r = read_variable(env, &variables[i], get, &missing, error);
		if (r < 0)
			return r;
	}
	if (missing.len)
		return wf_cni_fail(error, WF_CNI_ENVIRONMENT, "required env variables [%s] missing",
				   wf_str_text(&missing));
	return 0;
}

bool wf_cni_is_own_netns(const char *path)
{
	struct stat own, other;

	return stat("/proc/self/ns/net", &own) == 0 && stat(path, &other) == 0 &&
	       own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

int wf_cni_env_check_netns(const struct wf_cni_env *env, struct wf_cni_error *error)
{
	struct stat status;

	if (stat(env->netns, &status) < 0)
		return wf_cni_fail(error, WF_CNI_NETNS, "cannot open network namespace %.*s: %s",
				   shown(env->netns), env->netns, strerror(errno));
	if (!env->netns_override && wf_cni_is_own_netns(env->netns))
		return wf_cni_fail(error, WF_CNI_NETNS,
				   "plugin's netns and netns from CNI_NETNS should not be the "
				   "same");
	/* the daemon opens the path: what is relative to this process means another thing there */
	if (env->netns[0] != '/' || strncmp(env->netns, "/proc/self/", 11) == 0 ||
	    strncmp(env->netns, "/proc/thread-self/", 18) == 0)
		return wf_cni_fail(error, WF_CNI_ENVIRONMENT,
				   "invalid CNI_NETNS \"%.*s\": it must be an absolute path that "
				   "means the same to every process",
				   shown(env->netns), env->netns);
	return 0;
}
