/* SPDX-License-Identifier: Apache-2.0 */
/* weft cni conflist: the configuration that makes a container runtime use weft. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/client.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/output.h"

struct conflist_options {
	struct wf_cli_global global;
	char *network;
	char *name;
	char *version;
	char *directory;
};

static const char *const versions[] = { "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0", NULL };

#define OPTION(member) .offset = offsetof(struct conflist_options, member)

static const struct wf_option conflist_options[] = {
	{ .name = "network",
	  .type = WF_OPTION_STRING,
	  OPTION(network),
	  .value = "NAME",
	  .help = "network of weft; default: the configuration's name",
	  .complete = "network" },
	{ .name = "name",
	  .type = WF_OPTION_STRING,
	  OPTION(name),
	  .value = "NAME",
	  .help = "name of the configuration; default: that of the network, or weft" },
	{ .name = "version",
	  .type = WF_OPTION_CHOICE,
	  OPTION(version),
	  .fallback = "1.0.0",
	  .choices = versions,
	  .value = "VERSION",
	  .help = "version of CNI" },
	{ .name = "write",
	  .type = WF_OPTION_STRING,
	  OPTION(directory),
	  .value = "DIR",
	  .help = "write it to 10-weft-NAME.conflist in this directory, which is made when missing",
	  .complete = "dir" },
	WF_OPTION_END,
};

/* Configuration names: what libcni accepts, and safe as part of a file name. */
static bool is_cni_name(const char *name)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

	return *name && strchr(letters, name[0]) && strlen(name) <= 200 &&
	       strspn(name + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				"0123456789_.-") == strlen(name + 1);
}

static json_t *build(const struct conflist_options *options, const char *name)
{
	_cleanup_json_ json_t *plugin = json_pack(
		"{s:s, s:{s:b, s:b, s:b, s:b, s:b, s:b, s:b, s:b}}", "type", "weft", "capabilities",
		"ips", 1, "mac", 1, "ipRanges", 1, "dns", 1, "aliases", 1, "cgroupPath", 1,
		"portMappings", 1, "io.kubernetes.cri.pod-annotations", 1);

	if (!plugin)
		return NULL;
	if (options->network && strcmp(options->network, name) != 0 &&
	    wf_json_set_str(plugin, "network", options->network) < 0)
		return NULL;
	if (strcmp(options->global.socket, WF_CLIENT_DEFAULT_SOCKET) != 0 &&
	    wf_json_set_str(plugin, "socket", options->global.socket) < 0)
		return NULL;
	return json_pack("{s:s, s:s, s:[O]}", "cniVersion", options->version, "name", name,
			 "plugins", plugin);
}

static int write_file(struct wf_cli *cli, const char *directory, const char *name,
		      const json_t *list, struct wf_err *err)
{
	static const struct wf_cli_column columns[] = { { .header = "FILE", .path = "file" },
							{ .header = "ACTION", .path = "action" },
							{ .header = NULL } };
	static const struct wf_cli_view view = { .shape = WF_CLI_LINES,
						 .name = "file",
						 .columns = columns };
	_cleanup_free_ char *text = json_dumps(list, JSON_INDENT(2));
	_cleanup_str_ struct wf_str path = WF_STR_INIT;
	_cleanup_str_ struct wf_str line = WF_STR_INIT;
	_cleanup_json_ json_t *written = NULL;
	int r;

	wf_str_addf(&path, "%s/10-weft-%s.conflist", directory, name);
	wf_str_addf(&line, "%s\n", text ? text : "");
	if (!text || path.failed || line.failed)
		return wf_fail(err, -ENOMEM, "out of memory");
	r = wf_file_make_dirs(directory, 0755, err);
	if (r < 0)
		return r;
	r = wf_file_write(path.data, line.data, line.len, 0644, err);
	if (r < 0)
		return r;
	written = json_pack("{s:s, s:s}", "file", path.data, "action", "written");
	return written ? wf_cli_print(cli, &view, written, err)
		       : wf_fail(err, -EINVAL, "%s is not valid UTF-8", path.data);
}

static int conflist(struct wf_cli *cli, struct wf_err *err)
{
	static const struct wf_cli_view view = { .shape = WF_CLI_JSON, .name = "name" };
	const struct conflist_options *options = cli->options;
	const char *name = options->name ? options->name : options->network;
	_cleanup_json_ json_t *list = NULL;

	name = name ? name : "weft";
	if (!is_cni_name(name))
		return wf_cli_misuse(cli, err,
				     "'%s' cannot name a CNI configuration: letters, digits, '_', "
				     "'.' and '-', the first one a letter or digit",
				     name);
	if (options->network && !wf_str_is_name(options->network))
		return wf_cli_misuse(cli, err,
				     "'%s' cannot name a network: lower-case letters, digits, '-' "
				     "and '.'",
				     options->network);
	if (!options->network && !wf_str_is_name(name))
		return wf_cli_misuse(cli, err,
				     "'%s' cannot name a network as well; name one with --network",
				     name);
	list = build(options, name);
	if (!list)
		return wf_fail(err, -ENOMEM, "out of memory, or the socket's path is not UTF-8");
	if (options->directory)
		return write_file(cli, options->directory, name, list, err);
	return wf_cli_print(cli, &view, list, err);
}

const struct wf_cli_command wf_cli_cni_commands[] = {
	{ .name = "cni conflist",
	  .run = conflist,
	  .options = conflist_options,
	  .options_bytes = sizeof(struct conflist_options),
	  .summary = "print a CNI configuration list",
	  .description =
		  "Runtimes read such files from /etc/cni/net.d and take the first by name. The "
		  "daemon is not asked; the network is created on first use if it does not exist.",
	  .examples = "weft cni conflist --network blue\n"
		      "weft cni conflist --network blue --write /etc/cni/net.d" },
	{ .name = NULL },
};
