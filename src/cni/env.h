/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The environment of a CNI call, checked: identifiers are read by grammar before anything else
 * happens, since they become names of files, objects and interfaces.
 */
#ifndef WEFT_CNI_ENV_H
#define WEFT_CNI_ENV_H

#include <stdbool.h>

#include "cni/error.h"

enum wf_cni_command {
	WF_CNI_ABOUT, /* CNI_COMMAND is not set: a person called us */
	WF_CNI_ADD,
	WF_CNI_DEL,
	WF_CNI_CHECK,
	WF_CNI_GC,
	WF_CNI_STATUS,
	WF_CNI_VERSION,
	WF_CNI_UNKNOWN,
};

/* Longest container id: names of objects are made from it. */
#define WF_CNI_ID_MAX 253

/* All strings are borrowed from the environment; unset ones are "". */
struct wf_cni_env {
	enum wf_cni_command command;
	const char *command_text;
	const char *container_id;
	const char *netns;
	const char *ifname;
	const char *args;
	bool netns_override; /* CNI_NETNS may be the plugin's own namespace */
};

/* getenv(3), or a test's. */
typedef char *(*wf_cni_getenv_fn)(const char *name);

/*
 * Reads and checks. A variable the command needs that has a bad value fails at once, missing
 * ones are gathered into one message: code 4. CNI_PATH is not needed, nothing is delegated.
 */
int wf_cni_env_read(struct wf_cni_env *env, wf_cni_getenv_fn get, struct wf_cni_error *error);

/* The grammar of container ids and network names: alphanumeric, then also '_', '.', '-'. */
bool wf_cni_is_identifier(const char *text);

/* Whether a path is the namespace this process runs in; false when it cannot be told. */
bool wf_cni_is_own_netns(const char *path);

/*
 * Checks CNI_NETNS of an ADD or CHECK: absolute, there, and not our own unless overridden. Code
 * 4 or 8.
 */
int wf_cni_env_check_netns(const struct wf_cni_env *env, struct wf_cni_error *error);

#endif
