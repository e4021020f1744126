/* SPDX-License-Identifier: Apache-2.0 */
/* Where verdicts may change: (protocol, port) at which some rule begins or ends. */
#include "cli/policy_lab_priv.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "base/mem.h"

static int add_start(struct wf_cli_lab *lab, uint8_t proto, uint32_t port)
{
	if (port > UINT16_MAX)
		return 0;
	if (wf_mem_grow(&lab->starts, sizeof(*lab->starts), lab->start_count,
			&lab->start_capacity) < 0)
		return -ENOMEM;
	lab->starts[lab->start_count++] = (uint32_t)proto << 16 | port;
	return 0;
}

int wf_cli_lab_starts_add(struct wf_cli_lab *lab, const struct wf_policy *policy)
{
	int r = 0;

	for (size_t s = 0; s < policy->section_count; s++)
		for (size_t i = 0; i < policy->sections[s].rule_count; i++) {
			const struct wf_policy_rule *rule = &policy->sections[s].rules[i];

			for (size_t p = 0; r == 0 && p < rule->port_count; p++) {
				r = add_start(lab, rule->ports[p].proto, rule->ports[p].first);
				if (r == 0)
					r = add_start(lab, rule->ports[p].proto,
						      (uint32_t)rule->ports[p].last + 1);
			}
		}
	return r;
}

static int compare_starts(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

int wf_cli_lab_starts_settle(struct wf_cli_lab *lab)
{
	static const uint8_t protos[] = { IPPROTO_ICMP, IPPROTO_TCP,    IPPROTO_UDP,
					  IPPROTO_GRE,  IPPROTO_ICMPV6, IPPROTO_SCTP };
	size_t kept = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < WF_ARRAY_LEN(protos); i++)
		r = add_start(lab, protos[i], 0);
	for (size_t i = 0; r == 0 && i < lab->endpoint_count; i++)
		for (size_t p = 0; r == 0 && p < lab->endpoints[i].ports.port_count; p++) {
			const struct wf_endpoint_port *port = &lab->endpoints[i].ports.ports[p];

			r = add_start(lab, port->proto, port->port);
			if (r == 0)
				r = add_start(lab, port->proto, (uint32_t)port->port + 1);
		}
	if (r < 0)
		return r;
	qsort(lab->starts, lab->start_count, sizeof(*lab->starts), compare_starts);
	for (size_t i = 0; i < lab->start_count; i++)
		if (!kept || lab->starts[kept - 1] != lab->starts[i])
			lab->starts[kept++] = lab->starts[i];
	lab->start_count = kept;
	return 0;
}
