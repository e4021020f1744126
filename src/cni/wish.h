/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an ADD asks for beyond a network: the same thing can come three ways. runtimeConfig (the
 * capabilities) beats args.cni of the configuration, which beats CNI_ARGS; a way that is used
 * replaces the others, nothing is merged.
 */
#ifndef WEFT_CNI_WISH_H
#define WEFT_CNI_WISH_H

#include <jansson.h>

#include "base/addr.h"
#include "cni/args.h"
#include "cni/config.h"
#include "model/publish.h"

/* All owned; NULL or "" when not asked for. */
struct wf_cni_wish {
	json_t *addresses;   /* array of strings without prefix length */
	json_t *ranges;      /* array of arrays of {subnet, rangeStart, rangeEnd, gateway} */
	json_t *labels;      /* object of strings */
	json_t *annotations; /* object of strings */
	json_t *aliases;     /* array of strings */
	json_t *dns;         /* {nameservers, domain, search, options}: the result's names */
	struct wf_publishes publish;
	const char *cgroup_path; /* borrowed from the configuration */
	char mac[WF_MAC_TEXT];
	char gateway[WF_ADDR_TEXT]; /* of CNI_ARGS: must turn out to be the network's */
};

void wf_cni_wish_done(struct wf_cni_wish *wish);

/*
 * Gathers and checks. config passed wf_cni_config_check(). Code 7 names the key and the value,
 * code 4 for CNI_ARGS. *wish must be zeroed; call wf_cni_wish_done() also after a failure.
 */
int wf_cni_wish_gather(struct wf_cni_wish *wish, const struct wf_cni_config *config,
		       const struct wf_cni_args *args, struct wf_cni_error *error);

#endif
