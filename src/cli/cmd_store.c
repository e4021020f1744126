/* SPDX-License-Identifier: Apache-2.0 */
/* weft store: show, accept, migrate. */

#include "base/json.h"
#include "base/mem.h"
#include "cli/output.h"
#include "cli/weftd.h"

struct migrate_options {
	struct wf_cli_global global;
	char *to;
	char *config;
	char *state_dir;
	char *ca;
	char *cert;
	char *key;
	bool merge;
};

#define OPTION(member) .offset = offsetof(struct migrate_options, member)

static const struct wf_option migrate_options[] = {
	{ .name = "to",
	  .type = WF_OPTION_STRING,
	  OPTION(to),
	  .value = "URL",
	  .help = "where to: etcd://HOST:PORT[,HOST:PORT...][/PREFIX], etcds:// with TLS" },
	{ .name = "merge",
	  .type = WF_OPTION_BOOL,
	  OPTION(merge),
	  .help = "into an etcd that has documents; they stay" },
	{ .name = "etcd-ca",
	  .type = WF_OPTION_STRING,
	  OPTION(ca),
	  .value = "FILE",
	  .help = "authority of etcd's certificate",
	  .complete = "file" },
	{ .name = "etcd-cert",
	  .type = WF_OPTION_STRING,
	  OPTION(cert),
	  .value = "FILE",
	  .help = "certificate of this node",
	  .complete = "file" },
	{ .name = "etcd-key",
	  .type = WF_OPTION_STRING,
	  OPTION(key),
	  .value = "FILE",
	  .help = "key of that certificate",
	  .complete = "file" },
	{ .name = "config",
	  .type = WF_OPTION_STRING,
	  OPTION(config),
	  .value = "FILE",
	  .help = "configuration file of weftd",
	  .complete = "file" },
	{ .name = "state-dir",
	  .type = WF_OPTION_STRING,
	  OPTION(state_dir),
	  .value = "DIR",
	  .help = "directory of the embedded store, as weftd was given",
	  .complete = "dir" },
	WF_OPTION_END,
};

static void format_connected(const json_t *item, struct wf_str *out)
{
	const char *since = wf_json_str(item, "staleSince", NULL);

	if (wf_json_bool(item, "connected", false))
		wf_str_add(out, "yes");
	else if (since)
		wf_str_addf(out, "not since %s: what is known from then serves", since);
	else
		wf_str_add(out, "no");
}

static void format_writable(const json_t *item, struct wf_str *out)
{
	if (wf_json_bool(item, "writable", true))
		wf_str_add(out, "yes");
	else
		wf_str_addf(out, "cannot be written since %s: %s",
			    wf_json_str(item, "writeErrorSince", ""),
			    wf_json_str(item, "writeError", ""));
}

static const struct wf_cli_column columns[] = {
	{ .header = "Store", .path = "store" },
	{ .header = "Connected", .format = format_connected },
	{ .header = "Writable", .format = format_writable },
	{ .header = "Endpoint", .path = "endpoint" },
	{ .header = "Revision", .path = "revision" },
	{ .header = "Server's revision", .path = "serverRevision" },
	{ .header = "Error", .path = "error" },
	{ .header = "Held back", .path = "hold" },
	{ .header = NULL },
};

static int call(struct wf_cli *cli, const char *method, const char *path, struct wf_err *err)
{
	static const struct wf_cli_view view = { .shape = WF_CLI_FIELDS,
						 .name = "store",
						 .columns = columns };
	_cleanup_json_ json_t *answer = NULL;
	int r = wf_cli_call(cli, method, path, NULL, &answer, err);

	return r < 0 ? r : wf_cli_print(cli, &view, answer, err);
}

static int show(struct wf_cli *cli, struct wf_err *err)
{
	return call(cli, "GET", "/v1/store", err);
}

static int accept_store(struct wf_cli *cli, struct wf_err *err)
{
	return call(cli, "POST", "/v1/store/accept", err);
}

static int migrate(struct wf_cli *cli, struct wf_err *err)
{
	const struct migrate_options *options = cli->options;
	struct wf_cli_words words = { .items = { "weftd", "--import" }, .count = 2 };

	if (!options->to)
		return wf_cli_misuse(cli, err, "say where to: --to etcd://HOST:PORT");
	if (options->merge)
		words.items[words.count++] = "--merge";
	wf_cli_add_word(&words, "--store", options->to);
	wf_cli_add_word(&words, "--etcd-ca", options->ca);
	wf_cli_add_word(&words, "--etcd-cert", options->cert);
	wf_cli_add_word(&words, "--etcd-key", options->key);
	wf_cli_add_word(&words, "--config", options->config);
	wf_cli_add_word(&words, "--state-dir", options->state_dir);
	return wf_cli_become_weftd(&words, err);
}

const struct wf_cli_command wf_cli_store_commands[] = {
	{ .name = "store show",
	  .run = show,
	  .summary = "show where documents live, and whether that is at hand" },
	{ .name = "store accept",
	  .run = accept_store,
	  .summary = "believe what etcd has now, whatever is gone from it",
	  .description =
		  "When etcd is not the store that this node knows (restored from a backup, made "
		  "anew, another one at the same address), nothing is taken from it and nothing "
		  "written until this is said. Documents that it does not have are then gone on "
		  "this node too." },
	{ .name = "store migrate",
	  .run = migrate,
	  .options = migrate_options,
	  .options_bytes = sizeof(struct migrate_options),
	  .summary = "copy the embedded store of this host into etcd",
	  .description =
		  "Every document keeps its uid and its time of creation; the embedded store stays "
		  "as it is. Stop weftd before, and start it with the new --store after. No host "
		  "uses the target before all is there, and a copy that was cut short can be made "
		  "again.",
	  .examples = "systemctl stop weftd\n"
		      "weft store migrate --to etcd://10.0.0.1:2379,10.0.0.2:2379\n"
		      "# the second host adds what is its own\n"
		      "weft store migrate --to etcd://10.0.0.1:2379 --merge" },
	{ .name = NULL },
};
