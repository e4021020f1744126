/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scopes of a lab: networks whose subnets may be those of others. Their addresses are told apart from
 * everybody else's, as the daemon does it, and nothing leads from one to another.
 */
#include "cli/policy_lab_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <weft/abi/limits.h>

#include "base/json.h"
#include "base/mem.h"

int wf_cli_lab_network_add(struct wf_cli_lab *lab, const json_t *document)
{
	const json_t *spec = json_object_get(document, "spec");
	const char *name = wf_json_str(json_object_get(document, "metadata"), "name", "");

	if (!wf_json_bool(spec, "overlapping", false) || wf_cli_lab_scope_of(lab, name))
		return 0;
	if (wf_mem_grow(&lab->networks, sizeof(*lab->networks), lab->network_count,
			&lab->network_capacity) < 0)
		return -ENOMEM;
	lab->networks[lab->network_count].leads_out = wf_json_bool(spec, "masquerade", false);
	(void)snprintf(lab->networks[lab->network_count++].name, WF_NAME_BYTES, "%s", name);
	return 0;
}

bool wf_cli_lab_leads_out(const struct wf_cli_lab *lab, uint32_t scope)
{
	return scope == WF_NETWORK_HOST || lab->networks[scope - 1].leads_out;
}

uint32_t wf_cli_lab_scope_of(const struct wf_cli_lab *lab, const char *network)
{
	for (size_t i = 0; i < lab->network_count; i++)
		if (strcmp(lab->networks[i].name, network) == 0)
			return (uint32_t)i + 1;
	return WF_NETWORK_HOST;
}

void wf_cli_lab_scopes_settle(struct wf_cli_lab *lab)
{
	for (size_t i = 0; i < lab->endpoint_count; i++)
		lab->endpoints[i].scope = wf_cli_lab_scope_of(lab, lab->endpoints[i].network);
}

bool wf_cli_lab_is_in(const struct wf_cli_lab *lab, const struct lab_endpoint *endpoint,
		      const struct wf_service *service)
{
	/* who names no network may be in any that is not apart */
	if (*service->network && *endpoint->network)
		return strcmp(endpoint->network, service->network) == 0;
	return endpoint->scope == wf_cli_lab_scope_of(lab, service->network);
}

const struct lab_endpoint *wf_cli_lab_holder(const struct wf_cli_lab *lab, uint32_t scope,
					     const struct wf_addr *addr)
{
	for (size_t i = 0; i < lab->endpoint_count; i++)
		for (size_t a = 0; a < lab->endpoints[i].addr_count; a++)
			if (lab->endpoints[i].scope == scope &&
			    wf_addr_equal(&lab->endpoints[i].addrs[a], addr))
				return &lab->endpoints[i];
	return NULL;
}
