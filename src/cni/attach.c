/* SPDX-License-Identifier: Apache-2.0 */
#include "cni/attach.h"

#include <ctype.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

#define ID_SHOWN 12

/* Lower case, and '-' for what a name cannot hold. */
static void add_fit(struct wf_str *name, const char *text, size_t max)
{
	for (size_t i = 0; text[i] && i < max; i++) {
		char c = (char)tolower((unsigned char)text[i]);

		if (!isalnum((unsigned char)c) && c != '.')
			c = '-';
		wf_str_add_bytes(name, &c, 1);
	}
}

void wf_cni_attach_add_name(struct wf_str *name, const struct wf_cni_env *env,
			    const struct wf_cni_args *args)
{
	_cleanup_str_ struct wf_str text = WF_STR_INIT;

	if (!*args->pod_name)
		return;
	if (*args->pod_namespace && strcmp(args->pod_namespace, args->pod_name) != 0) {
		add_fit(&text, args->pod_namespace, SIZE_MAX);
		wf_str_add(&text, ".");
	}
	add_fit(&text, args->pod_name, SIZE_MAX);
	wf_str_add(&text, ".");
	add_fit(&text, env->container_id, ID_SHOWN);
	wf_str_add(&text, "-");
	add_fit(&text, env->ifname, SIZE_MAX);
	if (text.failed)
		name->failed = true;
	else if (wf_str_is_name(wf_str_text(&text)))
		wf_str_add(name, wf_str_text(&text));
}

/* What addresses stick to: the pod, which comes back under another container id. */
static int set_sticky(json_t *body, const struct wf_cni_call *call, const struct wf_cni_args *args)
{
	_cleanup_str_ struct wf_str key = WF_STR_INIT;

	if (!call->config.sticky)
		return 0;
	if (*args->pod_name) {
		add_fit(&key, args->pod_namespace, SIZE_MAX);
		wf_str_add(&key, ".");
		add_fit(&key, args->pod_name, SIZE_MAX);
		wf_str_add(&key, ".");
		add_fit(&key, call->env.ifname, SIZE_MAX);
	}
	if (key.failed || wf_json_set(body, "sticky", json_true()) < 0)
		return -1;
	return wf_str_is_name(wf_str_text(&key))
		       ? wf_json_set_str(body, "stickyName", wf_str_text(&key))
		       : 0;
}

/* Whether a result has a default route already. */
static bool has_default_route(const json_t *result)
{
	const json_t *route;
	size_t i;

	json_array_foreach(json_object_get(result, "routes"), i, route) {
		const char *dst = wf_json_str(route, "dst", "");

		if (strcmp(dst, "0.0.0.0/0") == 0 || strcmp(dst, "::/0") == 0)
			return true;
	}
	return false;
}

static int set_default_route(json_t *body, const struct wf_cni_config *config, const json_t *prev)
{
	if (config->default_route == WF_CNI_UNSET && !has_default_route(prev))
		return 0;
	return wf_json_set(body, "defaultRoute", json_boolean(config->default_route == WF_CNI_YES));
}

/* A member that is borrowed from the wish; absent and empty ones are left out. */
static int set_shared(json_t *object, const char *key, json_t *value)
{
	if (json_object_size(value) == 0 && json_array_size(value) == 0)
		return 0;
	return json_object_set(object, key, value);
}

static int set_publish(json_t *body, const struct wf_cni_wish *wish)
{
	if (!wish->publish.count)
		return 0;
	return json_object_set_new(body, "publish", wf_publishes_to_json(&wish->publish));
}

static int set_extra(json_t *body, const struct wf_cni_call *call, const struct wf_cni_wish *wish)
{
	json_t *extra = json_object();

	if (set_shared(extra, "aliases", wish->aliases) < 0 ||
	    set_shared(extra, "dns", wish->dns) < 0 ||
	    wf_json_set_str(extra, "cgroupPath", wish->cgroup_path) < 0 ||
	    wf_json_set_str(extra, "cniNetwork", call->config.name) < 0) {
		json_decref(extra);
		return -1;
	}
	return json_object_set_new(body, "extra", extra);
}

static int set_identity(json_t *body, const struct wf_cni_call *call,
			const struct wf_cni_args *args)
{
	_cleanup_str_ struct wf_str name = WF_STR_INIT;

	wf_cni_attach_add_name(&name, &call->env, args);
	if (name.failed || wf_json_set_str(body, "network", call->config.network) < 0 ||
	    wf_json_set_str(body, "netns", call->env.netns) < 0 ||
	    wf_json_set_str(body, "ifname", call->env.ifname) < 0 ||
	    wf_json_set_str(body, "containerID", call->env.container_id) < 0 ||
	    wf_json_set_str(body, "owner", "cni") < 0 ||
	    wf_json_set_str(body, "name", wf_str_text(&name)) < 0)
		return -1;
	return wf_json_set(body, "createNetwork", json_boolean(call->config.create_network));
}

json_t *wf_cni_attach_body(const struct wf_cni_call *call, const struct wf_cni_wish *wish,
			   const struct wf_cni_args *args, const json_t *prev)
{
	_cleanup_json_ json_t *body = json_object();

	if (!body || set_identity(body, call, args) < 0 || set_sticky(body, call, args) < 0 ||
	    set_default_route(body, &call->config, prev) < 0 ||
	    set_shared(body, "addresses", wish->addresses) < 0 ||
	    set_shared(body, "ranges", wish->ranges) < 0 ||
	    set_shared(body, "labels", wish->labels) < 0 ||
	    set_shared(body, "annotations", wish->annotations) < 0 ||
	    wf_json_set_str(body, "mac", wish->mac) < 0 || set_extra(body, call, wish) < 0 ||
	    set_publish(body, wish) < 0)
		return NULL;
	if (call->config.mtu &&
	    json_object_set_new(body, "mtu", json_integer(call->config.mtu)) < 0)
		return NULL;
	return TAKE_PTR(body);
}
