/* SPDX-License-Identifier: Apache-2.0 */
/* weft policy: ls, inspect, suggest, history; check and diff are in cmd_policy_check.c. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/client.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/namespace.h"
#include "cli/policy.h"
#include "cli/policy_lab.h"
#include "model/document.h"

struct policy_options {
	struct wf_cli_global global;
	struct wf_cli_namespace_options namespace;
	uint64_t count;
};

#define OPTION(member) .offset = offsetof(struct policy_options, member)
#define NAMESPACE_AT   offsetof(struct policy_options, namespace)

static const struct wf_option list_options[] = {
	{ .name = "namespace",
	  .letter = 'n',
	  .type = WF_OPTION_STRING,
	  OPTION(namespace.name),
	  .value = "NAMESPACE",
	  .help = "only policies of this namespace; default: those of every namespace" },
	WF_OPTION_END,
};

static const struct wf_option history_options[] = {
	{ .name = "count",
	  .type = WF_OPTION_U64,
	  OPTION(count),
	  .min = 1,
	  .max = 100000,
	  .fallback = "20",
	  .help = "so many of the latest changes" },
	WF_OPTION_END,
};

static int list(struct wf_cli *cli, struct wf_err *err)
{
	static const struct wf_cli_view view = { .shape = WF_CLI_TABLE,
						 .items = "items",
						 .name = "metadata.name",
						 .columns = wf_cli_policy_columns,
						 .documents = true };
	const struct policy_options *options = cli->options;
	_cleanup_json_ json_t *answer = NULL;
	int r = wf_cli_call(cli, "GET", "/v1/policies", NULL, &answer, err);

	if (r < 0)
		return r;
	if (options->namespace.name)
		wf_cli_namespace_keep(json_object_get(answer, "items"), &options->namespace);
	return wf_cli_print(cli, &view, answer, err);
}

/* ---- which policy is meant -------------------------------------------------------------------- */

/* "KIND/NAME", "NAMESPACE/NAME", "KIND/NAMESPACE/NAME" or "NAME": whether it can be this one. */
static bool is_meant(const json_t *policy, const char *text)
{
	const json_t *meta = json_object_get(policy, "metadata");
	const char *kind = wf_json_str(policy, "kind", "");
	const char *namespace = wf_json_str(meta, "namespace", "");
	const char *name = wf_json_str(meta, "name", ""), *slash = strchr(text, '/');
	_cleanup_free_ char *first = slash ? strndup(text, (size_t)(slash - text)) : NULL;
	_cleanup_str_ struct wf_str whole = WF_STR_INIT;

	wf_str_addf(&whole, "%s%s%s", namespace, *namespace ? "/" : "", name);
	if (strcmp(text, name) == 0 || strcmp(text, wf_str_text(&whole)) == 0)
		return true;
	if (!first || !wf_kind_find(first) || strcmp(wf_kind_find(first)->name, kind) != 0)
		return false;
	return strcmp(slash + 1, wf_str_text(&whole)) == 0 || strcmp(slash + 1, name) == 0;
}

static void add_key(const json_t *policy, struct wf_str *out)
{
	const json_t *meta = json_object_get(policy, "metadata");
	const char *namespace = wf_json_str(meta, "namespace", "");

	wf_str_addf(out, "%s/%s%s%s", wf_json_str(policy, "kind", ""), namespace,
		    *namespace ? "/" : "", wf_json_str(meta, "name", ""));
}

/* The one policy that a word means, as "KIND/NAMESPACE/NAME"; several are wrong usage. */
static int find_policy(struct wf_cli *cli, const char *text, struct wf_str *ret_key,
		       struct wf_err *err)
{
	_cleanup_json_ json_t *answer = NULL;
	_cleanup_str_ struct wf_str others = WF_STR_INIT;
	size_t found = 0, i;
	json_t *policy;
	int r = wf_cli_call(cli, "GET", "/v1/policies", NULL, &answer, err);

	if (r < 0)
		return r;
	json_array_foreach(json_object_get(answer, "items"), i, policy) {
		if (!is_meant(policy, text))
			continue;
		wf_str_add(&others, found ? ", " : "");
		add_key(policy, &others);
		if (!found++)
			add_key(policy, ret_key);
	}
	if (found > 1)
		return wf_fail(err, -EINVAL, "'%s' may be any of %s", text, wf_str_text(&others));
	if (!found)
		return wf_fail(err, -ENOENT, "there is no policy %s; see 'weft policy ls'", text);
	return ret_key->failed ? wf_fail(err, -ENOMEM, "out of memory") : 0;
}

static int inspect_one(struct wf_cli *cli, const char *argument, json_t *items, struct wf_err *err)
{
	_cleanup_str_ struct wf_str key = WF_STR_INIT, path = WF_STR_INIT;
	int r = find_policy(cli, argument, &key, err);

	if (r < 0)
		return r;
	wf_str_addf(&path, "/v1/policies/%s", wf_str_text(&key));
	if (path.failed)
		return wf_fail(err, -ENOMEM, "out of memory");
	return wf_cli_fetch(cli, path.data, items, err);
}

static int inspect(struct wf_cli *cli, struct wf_err *err)
{
	static const struct wf_cli_column columns[] = {
		{ .header = "POLICY", .format = wf_cli_policy_add }, { .header = NULL }
	};
	static const struct wf_cli_view view = { .shape = WF_CLI_LINES,
						 .name = "metadata.name",
						 .columns = columns,
						 .documents = true };

	return wf_cli_print_each(cli, &view, inspect_one, err);
}

/* ---- suggest ------------------------------------------------------------------------------------ */

/* An endpoint is asked for by its name; anything else is a policy. */
static int add_wanted(struct wf_cli *cli, struct wf_str *path, struct wf_err *err)
{
	_cleanup_str_ struct wf_str key = WF_STR_INIT;
	_cleanup_json_ json_t *endpoint = NULL;
	int r;

	if (!cli->count)
		return 0;
	r = strchr(cli->args[0], '/')
		    ? -ENOENT
		    : wf_cli_call_named(cli, "GET", "/v1/endpoints/", cli->args[0], &endpoint, err);
	if (r == -ENOENT)
		r = find_policy(cli, cli->args[0], &key, err);
	else if (r == 0)
		wf_str_add(&key, cli->args[0]);
	if (r < 0)
		return r;
	wf_str_add(path, "?name=");
	wf_client_add_segment(path, wf_str_text(&key));
	return 0;
}

static void report_notes(const json_t *answer)
{
	json_t *note;
	size_t i;

	json_array_foreach(json_object_get(answer, "notes"), i, note) {
		_cleanup_str_ struct wf_str text = WF_STR_INIT;

		wf_str_add_escaped(&text, json_string_value(note) ? json_string_value(note) : "");
		(void)fprintf(stderr, "weft: not suggested: %s\n", wf_str_text(&text));
	}
	if (!wf_json_int(answer, "flows", 0))
		(void)fprintf(stderr, "weft: nothing was seen on trial; set the annotation "
				      "weft.dev/audit: \"true\" on a policy\n");
	if (wf_json_bool(answer, "truncated", false))
		(void)fprintf(stderr, "weft: there were more flows than weftd remembers\n");
}

static int suggest(struct wf_cli *cli, struct wf_err *err)
{
	static const struct wf_cli_view view = {
		.shape = WF_CLI_YAML, .items = "items", .name = "metadata.name", .documents = true
	};
	_cleanup_str_ struct wf_str path = WF_STR_INIT;
	_cleanup_json_ json_t *answer = NULL;
	int r;

	wf_str_add(&path, "/v1/policy/suggest");
	r = add_wanted(cli, &path, err);
	if (r == 0 && path.failed)
		r = wf_fail(err, -ENOMEM, "out of memory");
	if (r == 0)
		r = wf_cli_call(cli, "GET", wf_str_text(&path), NULL, &answer, err);
	if (r < 0)
		return r;
	report_notes(answer);
	return wf_cli_print(cli, &view, answer, err);
}

static int history(struct wf_cli *cli, struct wf_err *err)
{
	static const struct wf_cli_column columns[] = {
		{ .header = "CHANGE", .format = wf_cli_policy_change_add }, { .header = NULL }
	};
	static const struct wf_cli_view view = {
		.shape = WF_CLI_LINES, .items = "items", .name = "name", .columns = columns
	};
	const struct policy_options *options = cli->options;
	_cleanup_json_ json_t *answer = NULL;
	char path[64];
	int r;

	(void)snprintf(path, sizeof(path), "/v1/policy/history?limit=%llu",
		       (unsigned long long)options->count);
	r = wf_cli_call(cli, "GET", path, NULL, &answer, err);
	return r < 0 ? r : wf_cli_print(cli, &view, answer, err);
}

const struct wf_cli_command wf_cli_policy_commands[] = {
	{ .name = "policy ls",
	  .run = list,
	  .options = list_options,
	  .options_bytes = sizeof(struct policy_options),
	  .summary = "list policies",
	  .description = "SELECTS counts the endpoints that a policy is about, the host included; "
			 "HITS the flows and drops that it decided. STATUS is InForce, Audit (what "
			 "it denies passes, and is told), or why it is not enforced in full.",
	  .examples = "weft policy ls\n"
		      "weft policy ls -n shop -o wide" },
	{ .name = "policy inspect",
	  .args = "NAME...",
	  .min_args = 1,
	  .max_args = SIZE_MAX,
	  .complete = "policy",
	  .run = inspect,
	  .options_bytes = sizeof(struct policy_options),
	  .summary = "show whom policies select, and what each rule means",
	  .description = "NAME may have a namespace and a kind in front: web, shop/web, "
			 "NetworkPolicy/shop/web. With -o json or yaml the document with its "
			 "status.",
	  .examples = "weft policy inspect web\n"
		      "weft policy inspect CiliumNetworkPolicy/shop/web" },
	{ .name = "policy check",
	  .args = "FILE...",
	  .min_args = 1,
	  .max_args = SIZE_MAX,
	  .complete = "file",
	  .run = wf_cli_run_policy_check,
	  .options = wf_cli_policy_check_options,
	  .options_bytes = sizeof(struct wf_cli_policy_check),
	  .summary = "try policies against endpoints and expected verdicts, without a daemon",
	  .description =
		  "The files hold policies, Namespaces, Nodes and Services, and the endpoints to try "
		  "them on: documents of kind Endpoint or Pod of which name, labels, named ports "
		  "and addresses count; addresses are made up where there are none.\n\n"
		  "A table of expected verdicts has lines SOURCE -> DESTINATION[:PORT[/PROTOCOL]] "
		  "VERDICT. An end is the name of an endpoint, host, world, or an address; the "
		  "verdict is allow, deny or audit. Without a table the command prints who reaches "
		  "whom. Exit status 1 when a verdict differs.",
	  .examples = "weft policy check policies/ endpoints.yaml\n"
		      "weft policy check policies/ endpoints.yaml --expect verdicts.txt" },
	{ .name = "policy diff",
	  .args = "FILE...",
	  .min_args = 1,
	  .max_args = SIZE_MAX,
	  .complete = "file",
	  .run = wf_cli_run_policy_diff,
	  .options_bytes = sizeof(struct policy_options),
	  .summary = "say between whom a file would change what passes",
	  .description = "Compares what is in force for the endpoints of this host with what would "
			 "be if the files were applied. Nothing is changed.",
	  .examples = "weft policy diff new.yaml" },
	{ .name = "policy suggest",
	  .args = "[NAME]",
	  .max_args = 1,
	  .complete = "policy",
	  .run = suggest,
	  .options_bytes = sizeof(struct policy_options),
	  .summary = "write policies that would have allowed what was seen on trial",
	  .description =
		  "While a policy, namespace or endpoint is on trial (annotation weft.dev/audit: "
		  "\"true\"), weftd remembers which flows would have been denied. The documents that "
		  "are printed allow exactly those. NAME is a policy or an endpoint.",
	  .examples = "weft policy suggest\n"
		      "weft policy suggest shop/web > allow.yaml" },
	{ .name = "policy history",
	  .run = history,
	  .options = history_options,
	  .options_bytes = sizeof(struct policy_options),
	  .summary = "show who changed which policy, when and how",
	  .examples = "weft policy history --count 5" },
	{ .name = NULL },
};
