/* SPDX-License-Identifier: Apache-2.0 */
/* weft why: whether a packet would pass, and what decides. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/policy.h"
#include "cli/policy_lab.h"

struct why_options {
	struct wf_cli_global global;
	bool drop;
};

static const struct wf_option why_options[] = {
	{ .name = "drop",
	  .type = WF_OPTION_BOOL,
	  .offset = offsetof(struct why_options, drop),
	  .help = "explain a past drop: the latest, one by its id, or a line of 'weft observe -o "
		  "json'" },
	WF_OPTION_END,
};

/* The colon before a port: behind the bracket of an IPv6 address, or the only one there is. */
static const char *port_colon(const char *text, size_t len)
{
	const char *bracket = memchr(text, ']', len);
	const char *colon;

	if (*text == '[')
		return bracket && bracket + 1 < text + len && bracket[1] == ':' ? bracket + 1
										: NULL;
	colon = memchr(text, ':', len);
	if (!colon || memchr(colon + 1, ':', len - (size_t)(colon + 1 - text)))
		return NULL;
	return colon;
}

static bool is_protocol(const char *text)
{
	static const char *const known[] = { "tcp", "udp", "sctp", "icmp", "icmpv6" };
	uint64_t number;

	for (size_t i = 0; i < WF_ARRAY_LEN(known); i++)
		if (strcasecmp(text, known[i]) == 0)
			return true;
	return wf_str_to_u64(text, 1, 255, &number) == 0;
}

int wf_cli_target_parse(const char *text, json_t *request, struct wf_err *err)
{
	const char *slash = strrchr(text, '/'), *colon;
	size_t len = strlen(text);
	uint64_t port;

	if (slash && is_protocol(slash + 1)) {
		if (wf_json_set_str(request, "protocol", slash + 1) < 0)
			return wf_fail(err, -ENOMEM, "out of memory");
		len = (size_t)(slash - text);
	}
	colon = port_colon(text, len);
	if (colon) {
		_cleanup_free_ char *digits = strndup(colon + 1, len - (size_t)(colon + 1 - text));

		if (!digits || wf_str_to_u64(digits, 0, UINT16_MAX, &port) < 0)
			return wf_fail(err, -EINVAL,
				       "'%s' has no port from 0 to 65535 behind the colon", text);
		if (json_object_set_new(request, "port", json_integer((json_int_t)port)) < 0)
			return wf_fail(err, -ENOMEM, "out of memory");
		len = (size_t)(colon - text);
	}
	if (*text == '[' && len > 2 && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (!len)
		return wf_fail(err, -EINVAL, "the destination is empty");
	if (json_object_set_new(request, "destination", json_stringn(text, len)) < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	return 0;
}

static int drop_request(struct wf_cli *cli, json_t *request, struct wf_err *err)
{
	const char *text = cli->count ? cli->args[0] : NULL;
	json_t *drop = NULL;
	uint64_t id;
	int r;

	if (cli->count > 1)
		return wf_cli_misuse(cli, err, "'weft why --drop' takes one drop at most");
	if (!text)
		drop = json_true();
	else if (wf_str_to_u64(text, 1, INT64_MAX, &id) == 0)
		drop = json_integer((json_int_t)id);
	else {
		r = wf_json_parse(text, strlen(text), &drop, err);
		if (r < 0)
			return wf_cli_misuse(cli, err,
					     "'%s' is neither the id of a drop nor a line "
					     "of 'weft observe -o json'",
					     text);
	}
	return json_object_set_new(request, "drop", drop) < 0
		       ? wf_fail(err, -ENOMEM, "out of memory")
		       : 0;
}

static int make_request(struct wf_cli *cli, json_t *request, struct wf_err *err)
{
	const struct why_options *options = cli->options;
	int r;

	if (options->drop)
		return drop_request(cli, request, err);
	if (cli->count != 2)
		return wf_cli_misuse(cli, err,
				     "'weft why' needs SOURCE and DESTINATION[:PORT[/PROTOCOL]]");
	if (wf_json_set_str(request, "source", cli->args[0]) < 0)
		return wf_fail(err, -ENOMEM, "out of memory");
	r = wf_cli_target_parse(cli->args[1], request, err);
	cli->usage = r == -EINVAL;
	return r;
}

static int why(struct wf_cli *cli, struct wf_err *err)
{
	static const struct wf_cli_column columns[] = {
		{ .header = "WHY", .format = wf_cli_why_add }, { .header = NULL }
	};
	static const struct wf_cli_view view = { .shape = WF_CLI_LINES,
						 .name = "verdict",
						 .columns = columns };
	_cleanup_json_ json_t *request = json_object(), *answer = NULL;
	int r = request ? make_request(cli, request, err) : wf_fail(err, -ENOMEM, "out of memory");

	if (r == 0)
		r = wf_cli_call(cli, "POST", "/v1/why", request, &answer, err);
	if (r == 0)
		r = wf_cli_print(cli, &view, answer, err);
	if (r == 0 && strcmp(wf_json_str(answer, "verdict", ""), "deny") == 0)
		cli->failed = WF_CLI_FAILED;
	return r;
}

const struct wf_cli_command wf_cli_why_commands[] = {
	{ .name = "why",
	  .args = "[SOURCE DESTINATION[:PORT[/PROTOCOL]] | DROP]",
	  .max_args = 2,
	  .complete = "endpoint",
	  .run = why,
	  .options = why_options,
	  .options_bytes = sizeof(struct why_options),
	  .summary = "say whether a packet would pass, and what decides",
	  .description =
		  "The first packet of such a connection is made up and given to the program that "
		  "would see it, in the kernel; nothing is sent. An end is the name of an endpoint, "
		  "an address, labels (app=web), service/NAME, or host. Without a port an echo "
		  "request is asked about; the protocol is tcp, udp, sctp, icmp (the port is then "
		  "the type) or a number.\n\n"
		  "Exit status 0: it passes; 1: it does not.",
	  .examples = "weft why web db:5432\n"
		      "weft why app=web 203.0.113.9:443/tcp\n"
		      "weft why 192.0.2.7 host:22\n"
		      "weft why web service/shop/db:5432 -o json\n"
		      "weft why --drop" },
	{ .name = NULL },
};
