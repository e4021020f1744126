/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a lab, and what is in it coming into force. */
#include "cli/policy_lab_priv.h"

#include <errno.h>
#include <string.h>

#include <weft/abi/limits.h>

#include "base/mem.h"

#define MAX_PROFILES 16384
#define MAX_RULES    1048576

static int no_pairs(const struct wf_policy_pair_key *keys, const struct wf_policy_run *runs,
		    size_t count, void *context, struct wf_err *err)
{
	(void)keys, (void)runs, (void)count, (void)context, (void)err;
	return 0;
}

static int no_prefix(uint32_t scope, const struct wf_prefix *prefix, uint32_t class_id,
		     bool present, void *context, struct wf_err *err)
{
	(void)scope, (void)prefix, (void)class_id, (void)present, (void)context, (void)err;
	return 0;
}

static int no_revise(void *context, struct wf_err *err)
{
	(void)context, (void)err;
	return 0;
}

static int no_guard(uint32_t slot, bool guarded, void *context, struct wf_err *err)
{
	(void)slot, (void)guarded, (void)context, (void)err;
	return 0;
}

static int make_engine(struct wf_cli_lab *lab, struct wf_err *err)
{
	static const struct wf_policy_effects effects = { .pairs_set = no_pairs,
							  .prefix_set = no_prefix,
							  .revise = no_revise,
							  .guard_set = no_guard };
	struct wf_policy_memory *memory = &lab->memory;

	memory->subject_count = WF_MAX_SLOTS;
	memory->profile_count = MAX_PROFILES;
	memory->rule_count = MAX_RULES;
	memory->subjects = calloc(WF_MAX_SLOTS, sizeof(*memory->subjects));
	memory->profiles = calloc(MAX_PROFILES, sizeof(*memory->profiles));
	memory->rules = calloc(MAX_RULES, sizeof(*memory->rules));
	if (!memory->subjects || !memory->profiles || !memory->rules)
		return wf_fail(err, -ENOMEM, "out of memory");
	return wf_policy_engine_new(&lab->engine, memory, &effects, NULL, 0, err);
}

int wf_cli_lab_new(struct wf_cli_lab **ret_lab, struct wf_err *err)
{
	_cleanup_(wf_cli_lab_free) struct wf_cli_lab *lab = calloc(1, sizeof(*lab));
	int r;

	if (!lab)
		return wf_fail(err, -ENOMEM, "out of memory");
	r = make_engine(lab, err);
	if (r < 0)
		return r;
	wf_policy_engine_begin(lab->engine);
	*ret_lab = TAKE_PTR(lab);
	return 0;
}

void wf_cli_lab_free(struct wf_cli_lab **lab)
{
	if (!*lab)
		return;
	wf_policy_engine_free(&(*lab)->engine);
	for (size_t i = 0; i < (*lab)->endpoint_count; i++)
		wf_cli_lab_endpoint_done(&(*lab)->endpoints[i]);
	for (size_t i = 0; i < (*lab)->service_count; i++)
		wf_service_done(&(*lab)->services[i].spec);
	free((*lab)->endpoints);
	free((*lab)->services);
	free((*lab)->networks);
	free((*lab)->starts);
	free((*lab)->memory.subjects);
	free((*lab)->memory.profiles);
	free((*lab)->memory.rules);
	free(*lab);
	*lab = NULL;
}

/* ---- coming into force --------------------------------------------------------------------------- */

static bool is_backend(const struct wf_cli_lab *lab, const struct wf_service *service,
		       const struct lab_endpoint *endpoint)
{
	if (!service->selector.count || strcmp(service->meta.namespace, endpoint->namespace) != 0 ||
	    !wf_cli_lab_is_in(lab, endpoint, service))
		return false;
	for (size_t i = 0; i < service->selector.count; i++) {
		const char *value =
			wf_labels_get(&endpoint->labels, service->selector.items[i].key);

		if (!value || strcmp(value, service->selector.items[i].value) != 0)
			return false;
	}
	return true;
}

static int put_service(struct wf_cli_lab *lab, const struct wf_service *service, struct wf_err *err)
{
	_cleanup_free_ struct wf_addr *backends =
		calloc(lab->endpoint_count * WF_MAX_ENDPOINT_ADDRESSES + 1, sizeof(*backends));
	struct wf_policy_backends members = { .scope = wf_cli_lab_scope_of(lab, service->network),
					      .addrs = backends };

	if (!backends)
		return wf_fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < lab->endpoint_count; i++)
		for (size_t a = 0; is_backend(lab, service, &lab->endpoints[i]) &&
				   a < lab->endpoints[i].addr_count;
		     a++)
			backends[members.count++] = lab->endpoints[i].addrs[a];
	return wf_policy_engine_service_put(lab->engine, service->meta.namespace,
					    service->meta.name, &service->meta.labels, &members,
					    err);
}

static int put_host(struct wf_cli_lab *lab, struct wf_err *err)
{
	const struct wf_labels none = { 0 };
	struct wf_addr addrs[2];

	(void)wf_addr_parse(LAB_HOST4, &addrs[0]);
	(void)wf_addr_parse(LAB_HOST6, &addrs[1]);
	return wf_policy_engine_node_put(lab->engine, "host", true, &none, addrs, 2, err);
}

int wf_cli_lab_settle(struct wf_cli_lab *lab, struct wf_err *err)
{
	int r = put_host(lab, err);

	wf_cli_lab_scopes_settle(lab);
	for (size_t i = 0; r == 0 && i < lab->endpoint_count; i++) {
		const struct lab_endpoint *endpoint = &lab->endpoints[i];
		const struct wf_policy_member member = { .slot = (uint32_t)i + 1,
							 .scope = endpoint->scope,
							 .namespace = endpoint->namespace,
							 .labels = &endpoint->labels,
							 .ports = endpoint->ports.ports,
							 .port_count = endpoint->ports.port_count,
							 .addrs = endpoint->addrs,
							 .addr_count = endpoint->addr_count,
							 .audit = endpoint->audit };

		r = wf_policy_engine_member_put(lab->engine, &member, err);
	}
	for (size_t i = 0; r == 0 && i < lab->service_count; i++)
		r = put_service(lab, &lab->services[i].spec, err);
	if (r == 0)
		r = wf_policy_engine_commit(lab->engine, err);
	if (r == 0 && wf_cli_lab_starts_settle(lab) < 0)
		r = wf_fail(err, -ENOMEM, "out of memory");
	return r;
}
