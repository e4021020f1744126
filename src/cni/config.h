/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The request configuration on standard input: what every command needs of it, and the strict
 * check of the rest for ADD and STATUS. Keys match in any case, as in Go; null means absent.
 *
 * A DEL must not fail for the sake of a field it does not need, so only wf_cni_config_read() runs
 * for it.
 */
#ifndef WEFT_CNI_CONFIG_H
#define WEFT_CNI_CONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "cni/error.h"
#include "cni/version.h"

enum wf_cni_choice {
	WF_CNI_UNSET,
	WF_CNI_NO,
	WF_CNI_YES
};

struct wf_cni_config {
	json_t *root; /* owned; all pointers below are borrowed from it */
	enum wf_cni_version version;
	const char *version_text; /* as given; "" when absent */
	const char *name;         /* of the CNI network */
	const char *network;      /* of weft; the CNI network's name unless given */
	const char *socket;       /* path of the daemon's socket */
	json_t *runtime;          /* runtimeConfig; NULL when absent */
	json_t *args;             /* args.cni; NULL when absent */
	json_t *prev_result;      /* NULL when absent */
	json_t *labels;           /* object of strings; NULL when absent */
	json_t *dns;              /* object; NULL when absent */
	bool create_network;      /* make the network with defaults when it does not exist */
	bool sticky;
	enum wf_cni_choice default_route;
	uint32_t mtu; /* 0: the network's */
};

void wf_cni_config_done(struct wf_cni_config *config);

/*
 * Reads name, version, network and socket, in the reference's order of checks: code 6 for what
 * is no JSON, 7 for a bad name, 1 for a version not supported. On failure *config still holds
 * what was read, for the version of the error object.
 */
int wf_cni_config_read(struct wf_cni_config *config, const char *text, size_t len,
		       struct wf_cni_error *error);

/* Code 7 when the name is not one that a weft network can have; then nothing of it exists. */
int wf_cni_config_check_network(const struct wf_cni_config *config, struct wf_cni_error *error);

/*
 * Reads the rest. Reserved and unsupported keys are code 2, wrong types and values code 7; a key
 * that looks like a misspelt one of ours is a line in *log.
 */
int wf_cni_config_check(struct wf_cni_config *config, struct wf_str *log,
			struct wf_cni_error *error);

/* Member of an object in any case; NULL when absent or null. */
json_t *wf_cni_get(const json_t *object, const char *key);

/* Code 7: "KEY must be WHAT, not VALUE"; value may be NULL for one that is missing. */
int wf_cni_fail_value(struct wf_cni_error *error, const char *key, const json_t *value,
		      const char *what);

#endif
