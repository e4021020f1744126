/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies tried without a daemon: documents and endpoints go into an engine on plain memory, and
 * verdicts are asked of it. For `weft policy check` and `weft policy diff`.
 */
#ifndef WEFT_CLI_POLICY_LAB_H
#define WEFT_CLI_POLICY_LAB_H

#include "cli/files.h"
#include "cli/output.h"
#include "policy/engine.h"

struct wf_cli_lab;

int wf_cli_lab_new(struct wf_cli_lab **ret_lab, struct wf_err *err);
void wf_cli_lab_free(struct wf_cli_lab **lab);

/*
 * Adds a document: a policy, Namespace, Node or Service; a Network, of which only counts whether it is
 * overlapping; or an Endpoint or Pod, of which name, labels, network, named ports and addresses do.
 * Other kinds are left alone. In force after wf_cli_lab_settle().
 */
int wf_cli_lab_add(struct wf_cli_lab *lab, const json_t *document, struct wf_err *err);
int wf_cli_lab_settle(struct wf_cli_lab *lab, struct wf_err *err);

/* Names of the endpoints, and after them "host" and "world". */
size_t wf_cli_lab_party_count(const struct wf_cli_lab *lab);
const char *wf_cli_lab_party_name(const struct wf_cli_lab *lab, size_t index);

/* One question, as words; port -1: none. */
struct wf_cli_lab_answer {
	enum wf_policy_verdict verdict; /* of both ends */
	enum wf_policy_verdict by_dir[WF_POLICY_DIR_COUNT];
	uint32_t rules[WF_POLICY_DIR_COUNT];
};
/* Ends are names of endpoints, "host", "world" or addresses. -ENOENT. */
int wf_cli_lab_ask(const struct wf_cli_lab *lab, const char *source, const char *destination,
		   uint8_t proto, uint16_t port, struct wf_cli_lab_answer *ret_answer,
		   struct wf_err *err);

/*
 * Appends what one end may send to another: "everything", "nothing", "80,443/TCP ICMP". IPv4 if
 * both have it.
 */
int wf_cli_lab_reach(const struct wf_cli_lab *lab, const char *source, const char *destination,
		     struct wf_str *out, struct wf_err *err);

/* "NetworkPolicy/default/web spec.ingress[0]"; nothing when no rule decided. */
void wf_cli_lab_rule(const struct wf_cli_lab *lab, uint32_t number, struct wf_str *out);

/* Options of `weft policy check`, and both commands. */
struct wf_cli_policy_check {
	struct wf_cli_global global;
	char *expect;
};
extern const struct wf_option wf_cli_policy_check_options[];
int wf_cli_run_policy_check(struct wf_cli *cli, struct wf_err *err);
int wf_cli_run_policy_diff(struct wf_cli *cli, struct wf_err *err);

extern const struct wf_cli_column wf_cli_policy_change_columns[];
/* Pairs between which the files would change what passes: [{source, destination, before, after}]. */
int wf_cli_policy_changes(struct wf_cli *cli, const struct wf_cli_files *files, json_t **ret_items,
			  struct wf_err *err);

/* "web", "db:5432/tcp", "[fd00::1]:80": destination, port and protocol members of a request. */
int wf_cli_target_parse(const char *text, json_t *request, struct wf_err *err);

#endif
