/* SPDX-License-Identifier: Apache-2.0 */
/* The labels of an ADD: of the configuration, of its args, and of the pod. */
#include <ctype.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "cni/copy.h"
#include "cni/wish_priv.h"

/* Kubernetes' grammar of a label's value; a pod's name may be longer than that. */
static bool is_label_value(const char *text)
{
	size_t len = strlen(text);

	if (len == 0 || len > 63 || !isalnum((unsigned char)text[0]) ||
	    !isalnum((unsigned char)text[len - 1]))
		return false;
	return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
	       len;
}

/* The pod's identity: always an annotation, and a label where it can be one. */
static int add_pod(struct wf_cni_wish *wish, const char *key, const char *value,
		   struct wf_cni_error *error)
{
	if (!*value)
		return 0;
	if (json_object_set_new(wish->annotations, key, json_string(value)) < 0)
		return wf_cni_fail_memory(error);
	if (is_label_value(value) && wf_json_set_str(wish->labels, key, value) < 0)
		return wf_cni_fail_memory(error);
	return 0;
}

static int add_pods(struct wf_cni_wish *wish, const struct wf_cni_args *args,
		    struct wf_cni_error *error)
{
	int r;

	if (!*args->pod_namespace && !*args->pod_name && !*args->pod_uid)
		return 0;
	/* the annotations may be a part of the configuration, which stays as it is */
	if (wish->annotations) {
		json_t *copy = wf_cni_copy(wish->annotations);

		json_decref(wish->annotations);
		wish->annotations = copy;
	} else {
		wish->annotations = json_object();
	}
	if (!wish->annotations)
		return wf_cni_fail_memory(error);
	r = add_pod(wish, "io.kubernetes.pod.namespace", args->pod_namespace, error);
	if (r == 0)
		r = add_pod(wish, "io.kubernetes.pod.name", args->pod_name, error);
	if (r == 0)
		r = add_pod(wish, "io.kubernetes.pod.uid", args->pod_uid, error);
	return r;
}

/* args.cni.labels: [{"key": "app", "value": "web"}] */
static int add_args_labels(struct wf_cni_wish *wish, const struct wf_cni_config *config,
			   struct wf_cni_error *error)
{
	const json_t *labels = wf_cni_get(config->args, "labels"), *item;
	size_t i;

	if (labels && !json_is_array(labels))
		return wf_cni_fail_value(error, "args.cni.labels", labels,
					 "an array of {key, value}");
	json_array_foreach(labels, i, item) {
		const char *key = json_string_value(wf_cni_get(item, "key"));
		const char *value = json_string_value(wf_cni_get(item, "value"));

		if (!key || !*key || !value)
			return wf_cni_fail_value(error, "args.cni.labels[]", item,
						 "{\"key\": \"...\", \"value\": \"...\"}");
		if (json_object_set_new(wish->labels, key, json_string(value)) < 0)
			return wf_cni_fail_memory(error);
	}
	return 0;
}

int wf_cni_wish_labels(struct wf_cni_wish *wish, const struct wf_cni_config *config,
		       const struct wf_cni_args *args, struct wf_cni_error *error)
{
	int r;

	wish->labels = config->labels ? wf_cni_copy(config->labels) : json_object();
	if (!wish->labels)
		return wf_cni_fail_memory(error);
	r = add_args_labels(wish, config, error);
	if (r == 0)
		r = add_pods(wish, args, error);
	return r;
}
