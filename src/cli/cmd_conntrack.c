/* SPDX-License-Identifier: Apache-2.0 */
/* weft conntrack: ls, flush. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/client.h"
#include "base/addr.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/connection.h"
#include "model/meta.h"

struct conntrack_options {
	struct wf_cli_global global;
	char *endpoint;
	char *service;
	char *protocol;
	char *address;
	uint64_t limit;
	bool yes;
};

#define OPTION(member) .offset = offsetof(struct conntrack_options, member)

static int check_address(const char *text, struct wf_err *err)
{
	struct wf_addr addr;

	if (wf_addr_parse(text, &addr) < 0)
		return wf_fail(err, -EINVAL, "'%s' is not an address such as 10.64.0.5", text);
	return 0;
}

static const char *const protocols[] = { "tcp", "udp", "sctp", "icmp", "icmpv6", NULL };

#define FILTER_OPTIONS                                                                         \
	{ .name = "endpoint",                                                                  \
	  .type = WF_OPTION_STRING,                                                            \
	  OPTION(endpoint),                                                                    \
	  .value = "NAME",                                                                     \
	  .help = "only connections of this endpoint",                                         \
	  .complete = "endpoint" },                                                            \
		{ .name = "service",                                                           \
		  .type = WF_OPTION_STRING,                                                    \
		  OPTION(service),                                                             \
		  .value = "[NAMESPACE/]NAME",                                                 \
		  .help = "only connections to this service",                                  \
		  .complete = "service" },                                                     \
		{ .name = "protocol",                                                          \
		  .type = WF_OPTION_CHOICE,                                                    \
		  OPTION(protocol),                                                            \
		  .choices = protocols,                                                        \
		  .value = "PROTOCOL",                                                         \
		  .help = "only connections of this protocol" },                               \
	{                                                                                      \
		.name = "address", .type = WF_OPTION_STRING, OPTION(address), .value = "ADDR", \
		.help = "only connections from or to this address, "                           \
			"translated or not",                                                   \
		.check = check_address                                                         \
	}

static const struct wf_option list_options[] = {
	FILTER_OPTIONS,
	{ .name = "limit",
	  .type = WF_OPTION_U64,
	  OPTION(limit),
	  .fallback = "1000",
	  .min = 1,
	  .max = 10000000,
	  .value = "N",
	  .help = "show no more than so many" },
	WF_OPTION_END,
};

static const struct wf_option flush_options[] = {
	FILTER_OPTIONS,
	{ .name = "yes", .type = WF_OPTION_BOOL, OPTION(yes), .help = "really do it" },
	WF_OPTION_END,
};

static void add_query(struct wf_str *path, const char *key, const char *value)
{
	if (!value)
		return;
	wf_str_addf(path, "%s%s=", strchr(wf_str_text(path), '?') ? "&" : "?", key);
	wf_client_add_segment(path, value);
}

static int build_path(const struct conntrack_options *options, struct wf_str *path,
		      struct wf_err *err)
{
	_cleanup_str_ struct wf_str service = WF_STR_INIT;
	char limit[24];

	if (options->service)
		wf_str_addf(&service, "%s%s",
			    strchr(options->service, '/') ? "" : WF_NAMESPACE_DEFAULT "/",
			    options->service);
	(void)snprintf(limit, sizeof(limit), "%llu", (unsigned long long)options->limit);
	wf_str_add(path, "/v1/conntrack");
	add_query(path, "endpoint", options->endpoint);
	add_query(path, "service", options->service ? wf_str_text(&service) : NULL);
	add_query(path, "protocol", options->protocol);
	add_query(path, "address", options->address);
	add_query(path, "limit", options->limit ? limit : NULL);
	return path->failed || service.failed ? wf_fail(err, -ENOMEM, "out of memory") : 0;
}

/* A table that is cut short says so; JSON has the total in itself. */
static void tell_rest(const json_t *answer)
{
	size_t shown = json_array_size(json_object_get(answer, "items"));
	int64_t total = wf_json_int(answer, "total", 0);

	if (total > 0 && (uint64_t)total > shown)
		(void)fprintf(stderr, "%zu of %lld connections; --limit shows more\n", shown,
			      (long long)total);
}

static int list(struct wf_cli *cli, struct wf_err *err)
{
	static const struct wf_cli_view view = { .shape = WF_CLI_TABLE,
						 .items = "items",
						 .columns = wf_cli_connection_columns };
	const struct conntrack_options *options = cli->options;
	const char *output = options->global.output ? options->global.output : "table";
	_cleanup_str_ struct wf_str path = WF_STR_INIT;
	_cleanup_json_ json_t *answer = NULL;
	int r = build_path(options, &path, err);

	if (r == 0)
		r = wf_cli_call(cli, "GET", path.data, NULL, &answer, err);
	if (r == 0)
		r = wf_cli_print(cli, &view, answer, err);
	if (r == 0 && (strcmp(output, "table") == 0 || strcmp(output, "wide") == 0))
		tell_rest(answer);
	return r;
}

static void format_flushed(const json_t *answer, struct wf_str *out)
{
	int64_t flushed = wf_json_int(answer, "flushed", 0);

	wf_str_addf(out, "%lld connection%s flushed", (long long)flushed, flushed == 1 ? "" : "s");
}

static int flush(struct wf_cli *cli, struct wf_err *err)
{
	static const struct wf_cli_column columns[] = {
		{ .header = "FLUSHED", .format = format_flushed }, { .header = NULL }
	};
	static const struct wf_cli_view view = { .shape = WF_CLI_LINES, .columns = columns };
	const struct conntrack_options *options = cli->options;
	_cleanup_str_ struct wf_str path = WF_STR_INIT;
	_cleanup_json_ json_t *answer = NULL;
	int r;

	if (!options->yes)
		return wf_cli_misuse(cli, err,
				     "connections that are flushed break unless they can begin "
				     "anew; give --yes to do it");
	r = build_path(options, &path, err);
	if (r == 0)
		r = wf_cli_call(cli, "DELETE", path.data, NULL, &answer, err);
	return r < 0 ? r : wf_cli_print(cli, &view, answer, err);
}

const struct wf_cli_command wf_cli_conntrack_commands[] = {
	{ .name = "conntrack ls",
	  .run = list,
	  .options = list_options,
	  .options_bytes = sizeof(struct conntrack_options),
	  .summary = "list translated connections",
	  .description =
		  "=> leads from the address that the packets of the one side show to the one "
		  "that the other side sees. EXPIRES is what is left until the connection is "
		  "forgotten if it stays silent.",
	  .examples = "weft conntrack ls --endpoint web\n"
		      "weft conntrack ls --service shop/web --protocol tcp\n"
		      "weft conntrack ls -o json --limit 100000" },
	{ .name = "conntrack flush",
	  .run = flush,
	  .options = flush_options,
	  .options_bytes = sizeof(struct conntrack_options),
	  .summary = "forget translated connections",
	  .description =
		  "Without a filter all of them. The next packet of a flushed connection is "
		  "treated as the first of a new one: it may get another backend, or another port "
		  "of the host, which ends what TCP had there.",
	  .examples = "weft conntrack flush --service web --yes\n"
		      "weft conntrack flush --protocol udp --address 10.64.0.5 --yes" },
	{ .name = NULL },
};
