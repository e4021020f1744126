/* SPDX-License-Identifier: Apache-2.0 */
/* What policies and the datapath have of endpoints of other nodes. */
#include <string.h>

#include "base/log.h"
#include "control/remote_priv.h"
#include "dp/overlay.h"

WF_LOG_MODULE(remote);

/* Tells policies who has these addresses, all of one crowd. */
static int judge_addresses(struct wf_control *control, const struct ctl_crowd *crowd,
			   uint32_t scope, const struct wf_addr *addrs, size_t count,
			   struct wf_err *err)
{
	const struct wf_policy_member member = {
		.scope = scope,
		.namespace = wf_ctl_namespace_of(&crowd->labels),
		.labels = &crowd->labels,
		.ports = crowd->ports,
		.port_count = crowd->port_count,
		.addrs = addrs,
		.addr_count = count,
	};

	return wf_policy_engine_remote_put(control->policy.engine, &member, err);
}

int wf_ctl_remote_judge(struct wf_control *control, const struct ctl_remote *remote,
			struct wf_err *err)
{
	return judge_addresses(control, remote->crowd, remote->scope, remote->addrs,
			       remote->addr_count, err);
}

void wf_ctl_remote_misjudge(struct wf_control *control, const struct ctl_remote *remote,
			    const struct ctl_remote *now)
{
	struct wf_addr gone[WF_MAX_ENDPOINT_ADDRESSES];
	struct wf_err fault = WF_ERR_INIT;
	size_t count = 0;
	int r = 0;

	for (size_t i = 0; i < remote->addr_count; i++) {
		const struct wf_addr *addr = &remote->addrs[i];
		const struct ctl_remote *heir =
			wf_ctl_remote_by_address(control, remote->scope, addr);

		if (now && now->scope == remote->scope && wf_ctl_remote_has(now, addr))
			continue;
		if (!heir)
			gone[count++] = *addr;
		else if (r == 0)
			r = judge_addresses(control, heir->crowd, heir->scope, addr, 1, &fault);
	}
	if (r == 0 && count)
		r = wf_policy_engine_remote_drop(control->policy.engine, remote->scope, gone, count,
						 &fault);
	if (r < 0)
		wf_log_error("policies still know an endpoint that is gone",
			     "endpoint=%s error=\"%s\"", wf_ctl_remote_name(remote), fault.message);
}

/* Many at once: what they have in common is looked at once for all of them. */
static int judge_crowd(struct wf_control *control, const struct ctl_crowd *crowd,
		       struct wf_err *err)
{
	struct wf_addr addrs[WF_POLICY_REMOTE_ADDRESSES];
	const struct ctl_remote *remote = crowd->members;
	uint32_t scope = remote->scope;
	size_t count = 0;
	int r = 0;

	for (; r == 0 && remote; remote = remote->next_alike) {
		if (remote->scope != scope ||
		    count + remote->addr_count > WF_POLICY_REMOTE_ADDRESSES) {
			r = judge_addresses(control, crowd, scope, addrs, count, err);
			scope = remote->scope;
			count = 0;
		}
		for (size_t i = 0; i < remote->addr_count; i++)
			addrs[count++] = remote->addrs[i];
	}
	return r < 0 ? r : judge_addresses(control, crowd, scope, addrs, count, err);
}

int wf_ctl_remotes_judge(struct wf_control *control, struct wf_err *err)
{
	int r = 0;

	for (const struct ctl_crowd *crowd = control->cluster.crowd_list; r == 0 && crowd;
	     crowd = crowd->next)
		r = judge_crowd(control, crowd, err);
	return r;
}

/* What the datapath shall have at its addresses; false: nothing, its network is not there. */
static bool value_of(struct wf_control *control, const struct ctl_remote *remote,
		     struct wf_remote_value *ret_value)
{
	const struct ctl_network *network = wf_ctl_network_find(control, remote->crowd->network);

	if (network)
		*ret_value = (struct wf_remote_value){
			.node = remote->node->number,
			.network = network->spec.number,
			.flags = remote->is_bound ? WF_REMOTE_BOUND : 0,
		};
	return network;
}

/* Adds what is not right to what is written with the next flush. */
static int add_entries(struct wf_control *control, const struct ctl_remote *remote,
		       struct wf_err *err)
{
	uint32_t all = (1U << remote->addr_count) - 1;
	struct wf_remote_value value;
	int r = 0;

	if (remote->right == all || !value_of(control, remote, &value))
		return 0;
	for (size_t i = 0; r == 0 && i < remote->addr_count; i++)
		if (!(remote->right & 1U << i))
			r = wf_dp_remote_add(control->dp, remote->scope, &remote->addrs[i], &value,
					     err);
	return r;
}

int wf_ctl_remote_program(struct wf_control *control, const struct ctl_remote *remote,
			  struct wf_err *err)
{
	int r = add_entries(control, remote, err);

	return r < 0 ? r : wf_dp_remotes_flush(control->dp, err);
}

struct comparison {
	struct wf_control *control;
	int result;
};

/* What is right is noted, what nobody has goes, and the rest is written over afterwards. */
static void compare(uint32_t scope, const struct wf_addr *addr, const struct wf_remote_value *value,
		    void *context)
{
	struct comparison *comparison = context;
	struct wf_control *control = comparison->control;
	size_t at;
	struct ctl_remote *known = wf_ctl_remote_find_address(control, scope, addr, &at);
	struct wf_remote_value wanted;

	if (known && value_of(control, known, &wanted) &&
	    memcmp(value, &wanted, sizeof(wanted)) == 0)
		known->right |= (uint8_t)(1U << at);
	else if (!known && comparison->result == 0 && !wf_ctl_node_hosts_have(control, scope, addr))
		comparison->result = wf_dp_remote_clear(control->dp, scope, addr);
}

int wf_ctl_remotes_program(struct wf_control *control, struct wf_err *err)
{
	struct comparison comparison = { .control = control };
	int r = wf_dp_remote_visit(control->dp, compare, &comparison, err);
	struct ctl_remote *remote;
	size_t at = 0;

	while ((remote = wf_ctl_remote_walk(control, &at))) {
		if (r == 0)
			r = add_entries(control, remote, err);
		remote->right = 0;
	}
	if (r == 0)
		r = wf_dp_remotes_flush(control->dp, err);
	if (r == 0)
		r = wf_ctl_node_hosts_program(control, err);
	return r < 0 ? r : comparison.result;
}
