/* SPDX-License-Identifier: Apache-2.0 */
/* ADD: everything is checked before the daemon is asked, and what it did is undone on failure. */
#include <errno.h>
#include <string.h>

#include "api/client.h"
#include "base/json.h"
#include "base/mem.h"
#include "cni/attach.h"
#include "cni/call.h"
#include "cni/prev.h"
#include "cni/result.h"

struct add {
	struct wf_cni_args args;
	struct wf_cni_wish wish;
	json_t *prev;     /* owned, normalised; NULL when weft comes first */
	json_t *endpoint; /* owned; what the daemon answered */
};

static void add_done(struct add *add)
{
	wf_cni_args_done(&add->args);
	wf_cni_wish_done(&add->wish);
	json_decref(add->prev);
	json_decref(add->endpoint);
}

/* An interface that an earlier plugin of the chain made under our name. */
static int check_chain(const struct wf_cni_call *call, const struct add *add,
		       struct wf_cni_error *error)
{
	size_t index;

	if (!wf_cni_result_find(add->prev, call->env.ifname, call->env.netns, &index))
		return 0;
	return wf_cni_fail(error, WF_CNI_EXISTS,
			   "interface %s exists already in %s: a plugin before weft in the chain "
			   "made it (prevResult.interfaces[%zu])",
			   call->env.ifname, call->env.netns, index);
}

static int gather(struct wf_cni_call *call, struct add *add, struct wf_cni_error *error)
{
	struct wf_cni_config *config = &call->config;
	int r = wf_cni_config_check(config, call->log, error);

	if (r == 0)
		r = wf_cni_args_parse(&add->args, call->env.args, error);
	if (r == 0)
		r = wf_cni_wish_gather(&add->wish, config, &add->args, error);
	if (r == 0 && config->prev_result)
		r = wf_cni_prev_read(config->prev_result, config->version, &add->prev, error);
	if (r == 0)
		r = check_chain(call, add, error);
	if (r == 0)
		r = wf_cni_env_check_netns(&call->env, error);
	return r;
}

static int attach(const struct wf_cni_call *call, struct add *add, struct wf_cni_error *error)
{
	_cleanup_json_ json_t *body = wf_cni_attach_body(call, &add->wish, &add->args, add->prev);
	struct wf_err err = WF_ERR_INIT;
	int r;

	if (!body)
		return wf_cni_fail_memory(error);
	r = wf_cni_replay(call, &err);
	if (r == 0)
		r = wf_client_call(call->config.socket, "POST", "/v1/endpoints", body,
				   WF_CNI_ADD_TIMEOUT_MS, &add->endpoint, &err);
	if (r == 0)
		return 0;
	r = wf_cni_fail_daemon(error, r, &err, call->config.socket);
	/* that code tells the runtime that there is nothing to clean up; here it is the network */
	if (error->code == WF_CNI_CONTAINER_UNKNOWN)
		error->code = WF_CNI_CONFIG;
	return r;
}

/* The gateway is the network's; one that was asked for can only be confirmed. */
static int check_gateway(const struct add *add, struct wf_cni_error *error)
{
	const json_t *status = json_object_get(add->endpoint, "status"), *address;
	size_t i;

	if (!*add->wish.gateway)
		return 0;
	json_array_foreach(json_object_get(status, "addresses"), i, address)
		if (strcmp(wf_json_str(address, "gateway", ""), add->wish.gateway) == 0)
			return 0;
	return wf_cni_fail(
		error, WF_CNI_ENVIRONMENT,
		"GATEWAY=%s of CNI_ARGS is not the gateway of the network; leave it out, "
		"or set the gateway in the network",
		add->wish.gateway);
}

static int build(const struct wf_cni_call *call, const struct add *add, json_t **ret_result,
		 struct wf_cni_error *error)
{
	json_t *result = NULL;
	int r = wf_cni_result_build(add->endpoint, call->env.ifname, call->env.netns, add->wish.dns,
				    add->prev, &result, error);

	if (r < 0)
		return r;
	*ret_result = wf_cni_result_convert(result, call->config.version);
	return *ret_result ? 0 : wf_cni_fail_memory(error);
}

int wf_cni_add(struct wf_cni_call *call, json_t **ret_result, struct wf_cni_error *error)
{
	_cleanup_(add_done) struct add add = { 0 };
	int r = gather(call, &add, error);

	if (r == 0)
		r = attach(call, &add, error);
	if (r < 0)
		return r;
	r = check_gateway(&add, error);
	if (r == 0)
		r = build(call, &add, ret_result, error);
	if (r < 0)
		(void)wf_cni_detach(call, NULL);
	return r;
}
