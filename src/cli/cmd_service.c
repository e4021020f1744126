/* SPDX-License-Identifier: Apache-2.0 */
/* weft service: ls, inspect. */
#include <errno.h>
#include <string.h>

#include "api/client.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/namespace.h"
#include "cli/service.h"

struct service_options {
	struct wf_cli_global global;
	struct wf_cli_namespace_options namespace;
};

#define NAMESPACE_AT offsetof(struct service_options, namespace)

static const struct wf_option list_options[] = {
	WF_CLI_NAMESPACE_OPTION(NAMESPACE_AT),
	WF_CLI_ALL_NAMESPACES_OPTION(NAMESPACE_AT),
	WF_OPTION_END,
};

static const struct wf_option inspect_options[] = {
	WF_CLI_NAMESPACE_OPTION(NAMESPACE_AT),
	WF_OPTION_END,
};

static int list(struct wf_cli *cli, struct wf_err *err)
{
	static const struct wf_cli_view view = { .shape = WF_CLI_TABLE,
						 .items = "items",
						 .name = "metadata.name",
						 .columns = wf_cli_service_columns,
						 .documents = true };
	const struct service_options *options = cli->options;
	_cleanup_json_ json_t *answer = NULL;
	int r = wf_cli_call(cli, "GET", "/v1/services", NULL, &answer, err);

	if (r < 0)
		return r;
	wf_cli_namespace_keep(json_object_get(answer, "items"), &options->namespace);
	return wf_cli_print(cli, &view, answer, err);
}

/* The path has namespace and name as two segments. */
static int fetch_service(const struct wf_cli *cli, const char *name, json_t *items,
			 struct wf_err *err)
{
	_cleanup_str_ struct wf_str path = WF_STR_INIT;
	const char *slash = strchr(name, '/');

	if (!slash || slash == name || !slash[1] || strchr(slash + 1, '/'))
		return wf_fail(err, -EINVAL, "'%s' is not NAME or NAMESPACE/NAME", name);
	wf_str_addf(&path, "/v1/services/%.*s", (int)(slash - name + 1), name);
	if (path.failed)
		return wf_fail(err, -ENOMEM, "out of memory");
	return wf_cli_fetch_named(cli, path.data, slash + 1, items, err);
}

static int inspect_one(struct wf_cli *cli, const char *argument, json_t *items, struct wf_err *err)
{
	const struct service_options *options = cli->options;
	_cleanup_str_ struct wf_str name = WF_STR_INIT;
	int r = wf_cli_namespace_add(cli, &options->namespace, argument, &name, err);

	return r < 0 ? r : fetch_service(cli, wf_str_text(&name), items, err);
}

static int inspect(struct wf_cli *cli, struct wf_err *err)
{
	static const struct wf_cli_column columns[] = {
		{ .header = "SERVICE", .format = wf_cli_service_add }, { .header = NULL }
	};
	static const struct wf_cli_view view = { .shape = WF_CLI_LINES,
						 .name = "metadata.name",
						 .columns = columns,
						 .documents = true };

	return wf_cli_print_each(cli, &view, inspect_one, err);
}

const struct wf_cli_command wf_cli_service_commands[] = {
	{ .name = "service ls",
	  .run = list,
	  .options = list_options,
	  .options_bytes = sizeof(struct service_options),
	  .summary = "list services",
	  .description = "BACKENDS counts those that are ready and all that are known; HITS the "
			 "connections given to a backend since the service was made.",
	  .examples = "weft service ls\n"
		      "weft service ls -A -o wide" },
	{ .name = "service inspect",
	  .args = "NAME...",
	  .min_args = 1,
	  .max_args = SIZE_MAX,
	  .complete = "service",
	  .run = inspect,
	  .options = inspect_options,
	  .options_bytes = sizeof(struct service_options),
	  .summary = "show services with their frontends, backends and hits",
	  .description =
		  "Prints for each port the addresses it is reached at, and the backends with "
		  "their state and the connections they have now. SERVES says whose new "
		  "connections a backend gets: inside are containers and the host, outside is "
		  "everybody else. With -o json or yaml the document with its status.",
	  .examples = "weft service inspect web\n"
		      "weft service inspect shop/web -o yaml" },
	{ .name = NULL },
};
