/* SPDX-License-Identifier: Apache-2.0 */
/* The handlers and their table. Each is a few lines: take apart, call control, answer. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/server_priv.h"
#include "base/json.h"
#include "base/mem.h"
#include "model/document.h"

/* Longest time that an apply may wait for its confirmation. */
#define MAX_CONFIRM_MS 86400000

static int nothing_or(json_t *answer, json_t **ret_answer, struct wf_err *err)
{
	if (!answer)
		return wf_fail(err, -ENOMEM, "out of memory");
	*ret_answer = answer;
	return 0;
}

static int get_status(struct api_request *request, json_t **ret_answer, struct wf_err *err)
{
	return nothing_or(wf_control_status(request->server->control), ret_answer, err);
}

static int get_config(struct api_request *request, json_t **ret_answer, struct wf_err *err)
{
	const struct wf_server_config *config = &request->server->config;

	return nothing_or(config->show_config(config->context), ret_answer, err);
}

static int post_reload(struct api_request *request, json_t **ret_answer, struct wf_err *err)
{
	const struct wf_server_config *config = &request->server->config;

	return config->reload(config->context, ret_answer, err);
}

static int get_store(struct api_request *request, json_t **ret_answer, struct wf_err *err)
{
	return nothing_or(wf_control_store(request->server->control), ret_answer, err);
}

static int post_store_accept(struct api_request *request, json_t **ret_answer, struct wf_err *err)
{
	return wf_control_store_accept(request->server->control, ret_answer, err);
}

static int post_apply(struct api_request *request, json_t **ret_answer, struct wf_err *err)
{
	const char *confirm = wf_api_query(request, "confirm");
	bool dry_run = wf_api_query_is_true(request, "dryRun");
	uint64_t confirm_ms = 0;

	(void)ret_answer;
	if (confirm && !dry_run &&
	    (wf_str_to_duration_ms(confirm, &confirm_ms) < 0 || !confirm_ms ||
	     confirm_ms > MAX_CONFIRM_MS))
		return wf_fail_field(err, -EINVAL, "confirm",
				     "\"%s\" is not a time such as 60s, up to 24h", confirm);
	wf_api_apply(request, dry_run, confirm_ms);
	return 0;
}

static int get_documents(struct api_request *request, json_t **ret_answer, struct wf_err *err)
{
	return wf_control_list(request->server->control, request->segments[0], ret_answer, err);
}

static int get_document(struct api_request *request, json_t **ret_answer, struct wf_err *err)
{
	return wf_control_get(request->server->control, request->segments[0], request->segments[1],
			      ret_answer, err);
}

static int delete_document(struct api_request *request, json_t **ret_answer, struct wf_err *err)
{
	struct wf_control_released released;
	int r = wf_control_delete_for(request->server->control, request->segments[0],
				      request->segments[1], wf_api_query_is_true(request, "force"),
				      &released, err);
	json_t *answer;

	if (r < 0)
		return r;
	answer = json_pack("{s:o}", "deleted",
			   json_sprintf("%s/%s", request->segments[0], request->segments[1]));
	if (answer && (released.endpoints || released.addresses))
		(void)json_object_set_new(answer, "released",
					  json_pack("{s:I, s:I}", "endpoints",
						    (json_int_t)released.endpoints, "addresses",
						    (json_int_t)released.addresses));
	return nothing_or(answer, ret_answer, err);
}

static int get_networks(struct api_request *request, json_t **ret_answer, struct wf_err *err)
{
	return nothing_or(wf_control_network_list(request->server->control), ret_answer, err);
}

static int get_network(struct api_request *request, json_t **ret_answer, struct wf_err *err)
{
	return wf_control_network_inspect(request->server->control, request->segments[0],
					  ret_answer, err);
}

static int get_endpoints(struct api_request *request, json_t **ret_answer, struct wf_err *err)
{
	return nothing_or(wf_control_endpoint_list(request->server->control), ret_answer, err);
}

static int get_endpoint(struct api_request *request, json_t **ret_answer, struct wf_err *err)
{
	return wf_control_endpoint_inspect(request->server->control, request->segments[0],
					   ret_answer, err);
}

static int post_endpoint(struct api_request *request, json_t **ret_answer, struct wf_err *err)
{
	request->status = 201;
	request->is_attach = true;
	return wf_control_attach(request->server->control, request->body, ret_answer, err);
}

static int delete_endpoint(struct api_request *request, json_t **ret_answer, struct wf_err *err)
{
	int r = wf_control_detach(request->server->control, request->segments[0], err);

	return r < 0 ? r
		     : nothing_or(json_pack("{s:o}", "deleted",
					    json_sprintf("endpoint/%s", request->segments[0])),
				  ret_answer, err);
}

static int post_detach(struct api_request *request, json_t **ret_answer, struct wf_err *err)
{
	const char *container_id = wf_json_str(request->body, "containerID", NULL);
	const char *ifname = wf_json_str(request->body, "ifname", NULL);
	json_t *names;
	int r;

	if (!container_id || !ifname)
		return wf_fail_field(err, -EINVAL, container_id ? "ifname" : "containerID",
				     "is required");
	r = wf_control_detach_container(request->server->control, container_id, ifname,
					wf_json_str(request->body, "network", NULL), &names, err);
	return r < 0 ? r : nothing_or(json_pack("{s:o}", "deleted", names), ret_answer, err);
}

static int post_check(struct api_request *request, json_t **ret_answer, struct wf_err *err)
{
	int r = wf_control_check(request->server->control, request->body, err);

	return r < 0 ? r : nothing_or(json_object(), ret_answer, err);
}

static int post_gc(struct api_request *request, json_t **ret_answer, struct wf_err *err)
{
	return wf_control_gc(request->server->control, request->body, ret_answer, err);
}

static int get_cni_status(struct api_request *request, json_t **ret_answer, struct wf_err *err)
{
	const char *network = wf_api_query(request, "network");
	int r;

	if (!network)
		return wf_fail_field(err, -EINVAL, "network", "is required");
	r = wf_control_attachable(request->server->control, network, err);
	return r < 0 ? r : nothing_or(json_object(), ret_answer, err);
}

static int get_addresses(struct api_request *request, json_t **ret_answer, struct wf_err *err)
{
	json_t *items;
	int r = wf_control_address_list(request->server->control, wf_api_query(request, "network"),
					&items, err);

	return r < 0 ? r : nothing_or(json_pack("{s:o}", "items", items), ret_answer, err);
}

static int get_address(struct api_request *request, json_t **ret_answer, struct wf_err *err)
{
	return wf_control_address_why(request->server->control, request->segments[0], ret_answer,
				      err);
}

static int get_nodes(struct api_request *request, json_t **ret_answer, struct wf_err *err)
{
	return nothing_or(wf_control_node_list(request->server->control), ret_answer, err);
}

static int post_rotate_key(struct api_request *request, json_t **ret_answer, struct wf_err *err)
{
	return wf_control_node_rotate_key(request->server->control, ret_answer, err);
}

static int get_services(struct api_request *request, json_t **ret_answer, struct wf_err *err)
{
	return nothing_or(wf_control_service_list(request->server->control), ret_answer, err);
}

static int get_service(struct api_request *request, json_t **ret_answer, struct wf_err *err)
{
	_cleanup_free_ char *key = NULL;

	if (asprintf(&key, "%s/%s", request->segments[0], request->segments[1]) < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	return wf_control_service_inspect(request->server->control, key, ret_answer, err);
}

static int get_ports(struct api_request *request, json_t **ret_answer, struct wf_err *err)
{
	return nothing_or(wf_control_port_list(request->server->control), ret_answer, err);
}

static int read_filter(const struct api_request *request, struct wf_conn_filter *filter,
		       struct wf_err *err)
{
	const char *limit = wf_api_query(request, "limit");
	char *end = NULL;

	*filter = (struct wf_conn_filter){
		.endpoint = wf_api_query(request, "endpoint"),
		.service = wf_api_query(request, "service"),
		.protocol = wf_api_query(request, "protocol"),
		.address = wf_api_query(request, "address"),
	};
	if (!limit)
		return 0;
	filter->limit = strtoul(limit, &end, 10);
	if (!*limit || *end || !filter->limit)
		return wf_fail_field(err, -EINVAL, "limit", "\"%s\" is not a number from 1", limit);
	return 0;
}

static int get_conntrack(struct api_request *request, json_t **ret_answer, struct wf_err *err)
{
	struct wf_conn_filter filter;
	int r = read_filter(request, &filter, err);

	return r < 0 ? r
		     : wf_control_conntrack_list(request->server->control, &filter, ret_answer,
						 err);
}

static int delete_conntrack(struct api_request *request, json_t **ret_answer, struct wf_err *err)
{
	struct wf_conn_filter filter;
	int r = read_filter(request, &filter, err);

	return r < 0 ? r
		     : wf_control_conntrack_flush(request->server->control, &filter, ret_answer,
						  err);
}

/* ---- policies ------------------------------------------------------------------------------------ */

static int post_confirm(struct api_request *request, json_t **ret_answer, struct wf_err *err)
{
	return wf_control_confirm(request->server->control, ret_answer, err);
}

static int get_policies(struct api_request *request, json_t **ret_answer, struct wf_err *err)
{
	return nothing_or(wf_control_policy_list(request->server->control), ret_answer, err);
}

/* KIND/NAME, or KIND/NAMESPACE/NAME. */
static int get_policy(struct api_request *request, json_t **ret_answer, struct wf_err *err)
{
	_cleanup_free_ char *key = NULL;
	const char *name = request->segments[2];

	if (asprintf(&key, "%s/%s%s%s", request->segments[0], request->segments[1], name ? "/" : "",
		     name ? name : "") < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	return wf_control_policy_inspect(request->server->control, key, ret_answer, err);
}

static int get_history(struct api_request *request, json_t **ret_answer, struct wf_err *err)
{
	const char *text = wf_api_query(request, "limit");
	uint64_t limit = 0;

	if (text && wf_str_to_u64(text, 1, SIZE_MAX, &limit) < 0)
		return wf_fail_field(err, -EINVAL, "limit", "\"%s\" is not a number from 1", text);
	return wf_control_policy_history(request->server->control, limit, ret_answer, err);
}

static int get_suggestions(struct api_request *request, json_t **ret_answer, struct wf_err *err)
{
	return wf_control_policy_suggest(request->server->control, wf_api_query(request, "name"),
					 ret_answer, err);
}

static int get_policy_drops(struct api_request *request, json_t **ret_answer, struct wf_err *err)
{
	return nothing_or(wf_control_policy_drops(request->server->control), ret_answer, err);
}

static int post_why(struct api_request *request, json_t **ret_answer, struct wf_err *err)
{
	return wf_control_why(request->server->control, request->body, ret_answer, err);
}

const struct api_route wf_api_routes[] = {
	{ EVHTTP_REQ_GET, API_HOLD_NEVER, "/v1/status", get_status },
	{ EVHTTP_REQ_GET, API_HOLD_NEVER, "/v1/config", get_config },
	{ EVHTTP_REQ_POST, API_HOLD_NEVER, "/v1/reload", post_reload },
	{ EVHTTP_REQ_GET, API_HOLD_NEVER, "/v1/store", get_store },
	{ EVHTTP_REQ_POST, API_HOLD_CHANGE, "/v1/store/accept", post_store_accept },
	{ EVHTTP_REQ_GET, API_HOLD_NEVER, "/metrics", NULL, wf_api_metrics },
	{ EVHTTP_REQ_POST, API_HOLD_CHANGE, "/v1/apply", post_apply, NULL, true },
	{ EVHTTP_REQ_GET, API_HOLD_NEVER, "/v1/documents/*", get_documents },
	{ EVHTTP_REQ_GET, API_HOLD_NEVER, "/v1/documents/*/*", get_document },
	{ EVHTTP_REQ_DELETE, API_HOLD_CHANGE, "/v1/documents/*/*", delete_document },
	{ EVHTTP_REQ_GET, API_HOLD_NEVER, "/v1/networks", get_networks },
	{ EVHTTP_REQ_GET, API_HOLD_NEVER, "/v1/networks/*", get_network },
	{ EVHTTP_REQ_GET, API_HOLD_NEVER, "/v1/endpoints", get_endpoints },
	{ EVHTTP_REQ_POST, API_HOLD_ATTACH, "/v1/endpoints", post_endpoint },
	{ EVHTTP_REQ_POST, API_HOLD_NEVER, "/v1/endpoints/detach", post_detach },
	{ EVHTTP_REQ_POST, API_HOLD_NEVER, "/v1/endpoints/check", post_check },
	{ EVHTTP_REQ_POST, API_HOLD_NEVER, "/v1/endpoints/gc", post_gc },
	{ EVHTTP_REQ_GET, API_HOLD_NEVER, "/v1/endpoints/*", get_endpoint },
	{ EVHTTP_REQ_DELETE, API_HOLD_NEVER, "/v1/endpoints/*", delete_endpoint },
	{ EVHTTP_REQ_GET, API_HOLD_NEVER, "/v1/cni/status", get_cni_status },
	{ EVHTTP_REQ_GET, API_HOLD_NEVER, "/v1/addresses", get_addresses },
	{ EVHTTP_REQ_GET, API_HOLD_NEVER, "/v1/addresses/*", get_address },
	{ EVHTTP_REQ_GET, API_HOLD_NEVER, "/v1/nodes", get_nodes },
	{ EVHTTP_REQ_POST, API_HOLD_NEVER, "/v1/nodes/rotate-key", post_rotate_key },
	{ EVHTTP_REQ_GET, API_HOLD_NEVER, "/v1/services", get_services },
	{ EVHTTP_REQ_GET, API_HOLD_NEVER, "/v1/services/*/*", get_service },
	{ EVHTTP_REQ_GET, API_HOLD_NEVER, "/v1/ports", get_ports },
	{ EVHTTP_REQ_GET, API_HOLD_NEVER, "/v1/conntrack", get_conntrack },
	{ EVHTTP_REQ_DELETE, API_HOLD_NEVER, "/v1/conntrack", delete_conntrack },
	{ EVHTTP_REQ_POST, API_HOLD_CHANGE, "/v1/confirm", post_confirm },
	{ EVHTTP_REQ_GET, API_HOLD_NEVER, "/v1/policies", get_policies },
	{ EVHTTP_REQ_GET, API_HOLD_NEVER, "/v1/policies/*/*", get_policy },
	{ EVHTTP_REQ_GET, API_HOLD_NEVER, "/v1/policies/*/*/*", get_policy },
	{ EVHTTP_REQ_GET, API_HOLD_NEVER, "/v1/policy/history", get_history },
	{ EVHTTP_REQ_GET, API_HOLD_NEVER, "/v1/policy/suggest", get_suggestions },
	{ EVHTTP_REQ_GET, API_HOLD_NEVER, "/v1/policy/drops", get_policy_drops },
	{ EVHTTP_REQ_POST, API_HOLD_NEVER, "/v1/why", post_why },
	{ EVHTTP_REQ_GET, API_HOLD_NEVER, "/v1/observe", NULL, wf_api_observe },
	{ .path = NULL },
};
