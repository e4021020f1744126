/* SPDX-License-Identifier: Apache-2.0 */
/* Network documents from the options of `weft network create`, and what other commands share. */
#ifndef WEFT_CLI_NETWORK_H
#define WEFT_CLI_NETWORK_H

#include "cli/output.h"

struct wf_cli_network_options {
	struct wf_cli_global global;
	char *driver;
	struct wf_option_list subnets;
	struct wf_option_list gateways;
	struct wf_option_list ranges;
	struct wf_option_list excluded;
	bool ipv6;
	bool internal;
	bool overlapping;
	bool way_out;
	bool isolated;
	bool masquerade;
	uint64_t mtu; /* 0: not given */
	struct wf_option_list labels;
	struct wf_option_list routes;
	char *parent;
	uint64_t vlan; /* 0: not given */
	char *mode;
	char *encapsulation;
	char *cool_down;
	bool sticky;
	bool host_access;
	char *encryption;
	bool if_not_exists;
	bool dry_run;
};

/* Builds the document. Errors name the option. *ret_document is a new reference. */
int wf_cli_network_document(const char *name, const struct wf_cli_network_options *options,
			    json_t **ret_document, struct wf_err *err);

/* {"key": "value"} from --label options; labels may be empty. */
int wf_cli_labels(const struct wf_option_list *labels, json_t **ret_labels, struct wf_err *err);

extern const struct wf_cli_column wf_cli_network_columns[];
extern const struct wf_cli_column wf_cli_endpoint_columns[];

/* Column format: the published ports of an endpoint, "127.0.0.1:8080 -> 80/tcp". */
void wf_cli_format_published(const json_t *endpoint, struct wf_str *out);

#endif
