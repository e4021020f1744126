/* SPDX-License-Identifier: Apache-2.0 */
/* weft get, and the rows of the commands that work on documents of any kind. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/client.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/document.h"
#include "cli/network.h"
#include "cli/output.h"
#include "cli/selector.h"
#include "cli/service.h"

struct get_options {
	struct wf_cli_global global;
	char *selector;
	struct wf_cli_namespace_options namespace;
};

static const struct wf_option get_options[] = {
	{ .name = "selector",
	  .letter = 'l',
	  .type = WF_OPTION_STRING,
	  .offset = offsetof(struct get_options, selector),
	  .value = "SELECTOR",
	  .help = "only objects with these labels: app=web,tier!=db,canary,!old" },
	WF_CLI_NAMESPACE_OPTION(offsetof(struct get_options, namespace)),
	WF_CLI_ALL_NAMESPACES_OPTION(offsetof(struct get_options, namespace)),
	WF_OPTION_END,
};

static const struct wf_option apply_options[] = {
	{ .name = "filename",
	  .letter = 'f',
	  .type = WF_OPTION_LIST,
	  .offset = offsetof(struct wf_cli_file_options, files),
	  .value = "FILE",
	  .help = "file or directory of documents, - for standard input",
	  .complete = "file" },
	{ .name = "dry-run",
	  .type = WF_OPTION_BOOL,
	  .offset = offsetof(struct wf_cli_file_options, dry_run),
	  .help = "check only, change nothing; of policies: say between whom they would change what "
		  "passes" },
	{ .name = "commit-confirm",
	  .type = WF_OPTION_DURATION,
	  .offset = offsetof(struct wf_cli_file_options, confirm_ms),
	  .max = 86400000,
	  .value = "DURATION",
	  .help = "go back to what was before unless 'weft confirm' is called in time" },
	WF_OPTION_END,
};

static const struct wf_option delete_options[] = {
	{ .name = "filename",
	  .letter = 'f',
	  .type = WF_OPTION_LIST,
	  .offset = offsetof(struct wf_cli_file_options, files),
	  .value = "FILE",
	  .help = "delete the documents of this file or directory, - for standard input",
	  .complete = "file" },
	{ .name = "ignore-not-found",
	  .type = WF_OPTION_BOOL,
	  .offset = offsetof(struct wf_cli_file_options, ignore_not_found),
	  .help = "what is not there counts as deleted" },
	{ .name = "force",
	  .type = WF_OPTION_BOOL,
	  .offset = offsetof(struct wf_cli_file_options, force),
	  .help = "delete a node although it is alive, with its endpoints" },
	WF_CLI_NAMESPACE_OPTION(offsetof(struct wf_cli_file_options, namespace)),
	WF_OPTION_END,
};

static const struct wf_cli_column reservation_columns[] = {
	{ .header = "NAME", .path = "metadata.name" },
	{ .header = "NETWORK", .path = "spec.network" },
	{ .header = "FOR", .path = "spec.for" },
	{ .header = "ADDRESSES", .path = "spec.addresses" },
	{ .header = "MAC", .path = "spec.mac", .wide = true },
	{ .header = "AGE", .format = wf_cli_format_age },
	{ .header = NULL },
};

static const struct wf_cli_column slice_columns[] = {
	{ .header = "NAMESPACE", .path = "metadata.namespace" },
	{ .header = "NAME", .path = "metadata.name" },
	{ .header = "ADDRESS TYPE", .path = "addressType" },
	{ .header = "PORTS", .path = "ports[].port" },
	{ .header = "ENDPOINTS", .path = "endpoints[].addresses" },
	{ .header = "LABELS", .path = "metadata.labels", .wide = true },
	{ .header = "AGE", .format = wf_cli_format_age },
	{ .header = NULL },
};

static const struct wf_cli_column policy_columns[] = {
	{ .header = "NAMESPACE", .path = "metadata.namespace" },
	{ .header = "NAME", .path = "metadata.name" },
	{ .header = "CONDITIONS", .path = "status.conditions[].reason" },
	{ .header = "LABELS", .path = "metadata.labels", .wide = true },
	{ .header = "AGE", .format = wf_cli_format_age },
	{ .header = NULL },
};

static const struct wf_cli_column plain_columns[] = {
	{ .header = "NAME", .path = "metadata.name" },
	{ .header = "LABELS", .path = "metadata.labels", .wide = true },
	{ .header = "AGE", .format = wf_cli_format_age },
	{ .header = NULL },
};

/* Tables of kinds; others show name and age. */
static const struct {
	const char *kind;
	const struct wf_cli_column *columns;
} tables[] = {
	{ "Network", wf_cli_network_columns },
	{ "Endpoint", wf_cli_endpoint_columns },
	{ "Reservation", reservation_columns },
	{ "Service", wf_cli_service_columns },
	{ "EndpointSlice", slice_columns },
	{ "NetworkPolicy", policy_columns },
	{ "ClusterNetworkPolicy", policy_columns },
	{ "AdminNetworkPolicy", policy_columns },
	{ "BaselineAdminNetworkPolicy", policy_columns },
	{ "CiliumNetworkPolicy", policy_columns },
	{ "CiliumClusterwideNetworkPolicy", policy_columns },
};

static const struct wf_cli_column *columns_of(const struct wf_kind *kind)
{
	for (size_t i = 0; i < WF_ARRAY_LEN(tables); i++)
		if (strcmp(tables[i].kind, kind->name) == 0)
			return tables[i].columns;
	return plain_columns;
}

static int unknown_kind(struct wf_cli *cli, const char *text, struct wf_err *err)
{
	_cleanup_str_ struct wf_str known = WF_STR_INIT;
	const char *near = NULL;

	for (const struct wf_kind *kind = wf_kind_all(); kind->name; kind++) {
		wf_str_addf(&known, "%s%s", known.len ? ", " : "", kind->plural);
		if (wf_option_is_near(kind->plural, text))
			near = kind->plural;
	}
	if (near)
		return wf_cli_misuse(cli, err, "there is no kind '%s'; did you mean %s?", text,
				     near);
	return wf_cli_misuse(cli, err, "there is no kind '%s'; known are %s", text,
			     wf_str_text(&known));
}

int wf_cli_kind_argument(struct wf_cli *cli, const struct wf_kind **ret_kind, size_t *ret_first,
			 struct wf_err *err)
{
	const char *text = cli->args[0], *slash = strchr(text, '/');
	_cleanup_free_ char *name = slash ? strndup(text, (size_t)(slash - text)) : strdup(text);
	const struct wf_kind *kind = name ? wf_kind_find(name) : NULL;

	if (!name)
		return wf_fail(err, -ENOMEM, "out of memory");
	if (!kind)
		return unknown_kind(cli, name, err);
	*ret_kind = kind;
	*ret_first = slash ? 0 : 1;
	return 0;
}

int wf_cli_kind_name(struct wf_cli *cli, const struct wf_kind *kind, size_t index,
		     const struct wf_cli_namespace_options *options, struct wf_str *out,
		     struct wf_err *err)
{
	const char *text = cli->args[index], *slash = strchr(text, '/');
	_cleanup_free_ char *prefix = slash ? strndup(text, (size_t)(slash - text)) : NULL;

	/* "web/x" may be a name in a namespace; the kind in front of it is known */
	if (prefix && wf_kind_find(prefix) == kind)
		text = slash + 1;
	if (kind->namespaced)
		return wf_cli_namespace_add(cli, options, text, out, err);
	wf_str_add(out, text);
	return out->failed ? wf_fail(err, -ENOMEM, "out of memory") : 0;
}

/* Kinds without namespaces take no option about them. */
static int check_namespace(struct wf_cli *cli, const struct wf_kind *kind,
			   const struct wf_cli_namespace_options *options, struct wf_err *err)
{
	if (!kind->namespaced && (options->name || options->all))
		return wf_cli_misuse(cli, err, "%s have no namespace", kind->plural);
	return 0;
}

/* Takes out the objects that a selector does not match. */
static int keep_matching(json_t *items, const char *selector, struct wf_err *err)
{
	/* an empty list must not hide a selector that is wrong */
	int r = wf_cli_selector_match(selector, NULL, err);

	for (size_t i = json_array_size(items); r >= 0 && i-- > 0;) {
		const json_t *meta = json_object_get(json_array_get(items, i), "metadata");

		r = wf_cli_selector_match(selector, json_object_get(meta, "labels"), err);
		if (r == 0)
			(void)json_array_remove(items, i);
	}
	return r < 0 ? r : 0;
}

static int get_list(struct wf_cli *cli, const struct wf_kind *kind, const char *path,
		    const struct wf_cli_view *view, struct wf_err *err)
{
	const struct get_options *options = cli->options;
	_cleanup_json_ json_t *answer = NULL;
	int r = wf_cli_call(cli, "GET", path, NULL, &answer, err);

	if (r == 0 && kind->namespaced)
		wf_cli_namespace_keep(json_object_get(answer, "items"), &options->namespace);
	if (r == 0 && options->selector) {
		r = keep_matching(json_object_get(answer, "items"), options->selector, err);
		cli->usage = r == -EINVAL;
	}
	return r < 0 ? r : wf_cli_print(cli, view, answer, err);
}

static int get_one(struct wf_cli *cli, const struct wf_kind *kind, size_t index,
		   json_t **ret_document, struct wf_err *err)
{
	const struct get_options *options = cli->options;
	_cleanup_str_ struct wf_str name = WF_STR_INIT;
	char path[96];
	int r = wf_cli_kind_name(cli, kind, index, &options->namespace, &name, err);

	if (r < 0)
		return r;
	(void)snprintf(path, sizeof(path), "/v1/documents/%s/", kind->name);
	return wf_cli_call_named(cli, "GET", path, wf_str_text(&name), ret_document, err);
}

static int get_named(struct wf_cli *cli, const struct wf_kind *kind, size_t first,
		     struct wf_cli_view *view, struct wf_err *err)
{
	_cleanup_json_ json_t *items = json_array();
	_cleanup_json_ json_t *value = json_pack("{s:O}", "items", items);

	if (!value)
		return wf_fail(err, -ENOMEM, "out of memory");
	for (size_t i = first; i < cli->count && cli->failed != WF_CLI_UNREACHABLE; i++) {
		struct wf_err fault = WF_ERR_INIT;
		json_t *document;

		if (get_one(cli, kind, i, &document, &fault) < 0)
			wf_cli_report(cli, NULL, &fault);
		else
			(void)json_array_append_new(items, document);
	}
	if (!json_array_size(items))
		return 0;
	if (cli->count - first > 1)
		return wf_cli_print(cli, view, value, err);
	view->items = NULL;
	return wf_cli_print(cli, view, json_array_get(items, 0), err);
}

static void format_kind(const json_t *schema, struct wf_str *out)
{
	if (wf_kind_markdown(wf_json_str(schema, "title", ""), out) < 0)
		out->failed = true;
}

/* What documents may hold; the daemon is not asked. */
static int get_kinds(struct wf_cli *cli, struct wf_err *err)
{
	static const struct wf_cli_column columns[] = { { .header = "KIND", .format = format_kind },
							{ .header = NULL } };
	static const struct wf_cli_view view = {
		.shape = WF_CLI_LINES, .items = "items", .name = "title", .columns = columns
	};
	_cleanup_json_ json_t *items = json_array();
	_cleanup_json_ json_t *value = json_pack("{s:O}", "items", items);
	const struct wf_kind *wanted = NULL;

	if (cli->count > 1) {
		wanted = wf_kind_find(cli->args[1]);
		if (!wanted)
			return unknown_kind(cli, cli->args[1], err);
	}
	for (const struct wf_kind *kind = wf_kind_all(); kind->name; kind++)
		if ((!wanted || kind == wanted) &&
		    json_array_append_new(items, wf_kind_schema(kind->name)) < 0)
			return wf_fail(err, -ENOMEM, "out of memory");
	if (!value)
		return wf_fail(err, -ENOMEM, "out of memory");
	return wf_cli_print(cli, &view, value, err);
}

static int get(struct wf_cli *cli, struct wf_err *err)
{
	const struct get_options *options = cli->options;
	struct wf_cli_view view = {
		.shape = WF_CLI_TABLE, .items = "items", .name = "metadata.name", .documents = true
	};
	const struct wf_kind *kind = NULL;
	size_t first = 0;
	char path[96];
	int r;

	if (strcmp(cli->args[0], "kinds") == 0)
		return get_kinds(cli, err);
	r = wf_cli_kind_argument(cli, &kind, &first, err);
	if (r < 0 || !kind)
		return r;
	r = check_namespace(cli, kind, &options->namespace, err);
	if (r < 0)
		return r;
	if (first < cli->count && options->selector)
		return wf_cli_misuse(cli, err, "a selector and a name exclude each other");
	view.columns = columns_of(kind);
	(void)snprintf(path, sizeof(path), "/v1/documents/%s", kind->name);
	if (first == cli->count)
		return get_list(cli, kind, path, &view, err);
	return get_named(cli, kind, first, &view, err);
}

const struct wf_cli_command wf_cli_document_commands[] = {
	{ .name = "apply",
	  .run = wf_cli_run_apply,
	  .options = apply_options,
	  .options_bytes = sizeof(struct wf_cli_file_options),
	  .summary = "create or change what documents describe",
	  .description =
		  "All files are read and checked before anything is sent; faults are named with "
		  "file and line. Each file is applied as a whole or not at all.",
	  .examples = "weft apply -f networks.yaml\n"
		      "weft apply -f /etc/weft/objects.d --dry-run\n"
		      "weft apply -f host.yaml --commit-confirm 60s\n"
		      "weft get networks -o yaml | ssh other weft apply -f -" },
	{ .name = "confirm",
	  .run = wf_cli_run_confirm,
	  .options_bytes = sizeof(struct wf_cli_file_options),
	  .summary = "keep what was applied and waits for it",
	  .description = "An apply that waits goes back to what was before when its time is over.",
	  .examples = "weft confirm" },
	{ .name = "get",
	  .args = "KIND [NAME...]",
	  .min_args = 1,
	  .max_args = SIZE_MAX,
	  .complete = "kind",
	  .run = get,
	  .options = get_options,
	  .options_bytes = sizeof(struct get_options),
	  .summary = "show documents",
	  .description = "'weft get kinds' tells what documents of each kind may hold; with -o "
			 "json as JSON schemas.\n\n"
			 "Services and EndpointSlices live in namespaces: those of namespace "
			 "default are shown unless --namespace or --all-namespaces is given, or "
			 "the name is written NAMESPACE/NAME.",
	  .examples = "weft get networks -l team=web\n"
		      "weft get services -A\n"
		      "weft get service shop/web -o yaml\n"
		      "weft get network/blue -o yaml" },
	{ .name = "delete",
	  .args = "[KIND NAME...]",
	  .max_args = SIZE_MAX,
	  .complete = "kind",
	  .run = wf_cli_run_delete,
	  .options = delete_options,
	  .options_bytes = sizeof(struct wf_cli_file_options),
	  .summary = "delete what documents describe",
	  .description =
		  "With a node that shares the store go its endpoints and their addresses, at "
		  "once and without the time that --node-grace of weftd(8) gives them. A node "
		  "that is alive is refused: stop its weftd and wait half a minute.",
	  .examples = "weft delete network blue\n"
		      "weft delete node lost-host\n"
		      "weft delete -f networks.yaml --ignore-not-found" },
	{ .name = NULL },
};
