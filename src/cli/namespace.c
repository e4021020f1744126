/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/namespace.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "model/meta.h"

static const char *wanted(const struct wf_cli_namespace_options *options)
{
	return options->name ? options->name : WF_NAMESPACE_DEFAULT;
}

int wf_cli_namespace_add(struct wf_cli *cli, const struct wf_cli_namespace_options *options,
			 const char *argument, struct wf_str *out, struct wf_err *err)
{
	const char *slash = strchr(argument, '/');
	size_t len = slash ? (size_t)(slash - argument) : 0;

	if (options->all)
		return wf_cli_misuse(cli, err, "--all-namespaces and a name exclude each other");
	if (slash && options->name &&
	    (strlen(options->name) != len || strncmp(options->name, argument, len) != 0))
		return wf_cli_misuse(cli, err, "'%s' is not in namespace %s", argument,
				     options->name);
	if (!slash)
		wf_str_addf(out, "%s/", wanted(options));
	wf_str_add(out, argument);
	return out->failed ? wf_fail(err, -ENOMEM, "out of memory") : 0;
}

void wf_cli_namespace_keep(json_t *items, const struct wf_cli_namespace_options *options)
{
	if (options->all)
		return;
	for (size_t i = json_array_size(items); i-- > 0;) {
		const json_t *meta = json_object_get(json_array_get(items, i), "metadata");

		if (strcmp(wf_json_str(meta, "namespace", WF_NAMESPACE_DEFAULT), wanted(options)) !=
		    0)
			(void)json_array_remove(items, i);
	}
}
