/* SPDX-License-Identifier: Apache-2.0 */
/* weft observe: events of the datapath as they happen. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "api/client.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/event.h"
#include "cli/output.h"

struct observe_options {
	struct wf_cli_global global;
	bool drops;
	bool first;
	bool audit;
	char *endpoint;
	char *network;
	uint64_t count; /* 0: no end */
};

#define OPTION(member) .offset = offsetof(struct observe_options, member)

static const struct wf_option observe_options[] = {
	{ .name = "drops",
	  .type = WF_OPTION_BOOL,
	  OPTION(drops),
	  .help = "packets that were dropped; default: these, --first and --audit" },
	{ .name = "first",
	  .type = WF_OPTION_BOOL,
	  OPTION(first),
	  .help = "first packets of connections" },
	{ .name = "audit",
	  .type = WF_OPTION_BOOL,
	  OPTION(audit),
	  .help = "connections that a policy on trial would have denied" },
	{ .name = "endpoint",
	  .type = WF_OPTION_STRING,
	  OPTION(endpoint),
	  .value = "NAME",
	  .help = "only packets of this endpoint",
	  .complete = "endpoint" },
	{ .name = "network",
	  .type = WF_OPTION_STRING,
	  OPTION(network),
	  .value = "NAME",
	  .help = "only packets of this network",
	  .complete = "network" },
	{ .name = "count",
	  .type = WF_OPTION_U64,
	  OPTION(count),
	  .min = 1,
	  .max = 1000000000,
	  .help = "stop after so many events" },
	WF_OPTION_END,
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

/* One run of observe. */
struct watch {
	const struct observe_options *options;
	bool json;
	bool color;
	uint64_t events;
	uint64_t drops;
	uint64_t first;
	uint64_t lost;
	json_t *reasons; /* owned; label -> packets */
	int error;       /* negative errno of standard output */
};

static void count_event(struct watch *watch, const json_t *event)
{
	const char *type = wf_json_str(event, "type", "");
	const char *label = wf_json_str(json_object_get(event, "reason"), "label", NULL);

	if (strcmp(type, "lost") == 0) {
		watch->lost += (uint64_t)wf_json_int(event, "count", 0);
		return;
	}
	watch->events++;
	watch->drops += strcmp(type, "drop") == 0;
	watch->first += strcmp(type, "first") == 0;
	if (label)
		(void)json_object_set_new(watch->reasons, label,
					  json_integer(wf_json_int(watch->reasons, label, 0) + 1));
}

static bool show(const json_t *event, void *context)
{
	struct watch *watch = context;
	_cleanup_str_ struct wf_str line = WF_STR_INIT;

	count_event(watch, event);
	if (watch->json) {
		_cleanup_free_ char *text =
			json_dumps(event, JSON_COMPACT | (isatty(1) ? JSON_ENSURE_ASCII : 0));

		wf_str_add(&line, text ? text : "");
	} else {
		wf_cli_event_add(event, watch->color, &line);
	}
	wf_str_add(&line, "\n");
	if (fputs(wf_str_text(&line), stdout) < 0 || fflush(stdout) != 0)
		watch->error = -EIO;
	return !interrupted && !watch->error &&
	       !(watch->options->count && watch->events >= watch->options->count);
}

static void summarise(const struct watch *watch, uint64_t start_ms)
{
	_cleanup_str_ struct wf_str text = WF_STR_INIT;
	const char *label;
	json_t *count;

	wf_str_addf(&text, "%llu dropped, %llu first packets in %llu s",
		    (unsigned long long)watch->drops, (unsigned long long)watch->first,
		    (unsigned long long)((wf_clock_monotonic_ms() - start_ms) / 1000));
	if (watch->lost)
		wf_str_addf(&text, ", %llu events lost because this terminal is slow",
			    (unsigned long long)watch->lost);
	json_object_foreach(watch->reasons, label, count) {
		wf_str_addf(&text, "\n%8lld  ", (long long)json_integer_value(count));
		wf_str_add_escaped(&text, label);
	}
	(void)fprintf(stderr, "%s\n", wf_str_text(&text));
}

static void add_query(struct wf_str *path, const char *key, const char *value)
{
	if (!value)
		return;
	wf_str_addf(path, "&%s=", key);
	wf_client_add_segment(path, value);
}

/* Blocked outside of the client's waits, so that Ctrl-C is never lost between two of them. */
static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_interrupt };
	sigset_t caught;

	(void)sigemptyset(&caught);
	(void)sigaddset(&caught, SIGINT);
	(void)sigaddset(&caught, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &caught, NULL);
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
}

static int run_watch(struct watch *watch, const char *path, struct wf_err *err)
{
	const struct observe_options *options = watch->options;
	uint64_t start_ms = wf_clock_monotonic_ms();
	int r;

	catch_signals();
	r = wf_client_stream(options->global.socket, path, show, watch, err);
	if (watch->error)
		return wf_fail(err, watch->error, "cannot write to standard output");
	if (r < 0 && !interrupted)
		return r;
	if (interrupted || isatty(STDERR_FILENO))
		summarise(watch, start_ms);
	if (!interrupted && !(options->count && watch->events >= options->count))
		return wf_fail(err, -EAGAIN,
			       "weftd has ended the stream; it was stopped or restarted");
	return 0;
}

static int observe(struct wf_cli *cli, struct wf_err *err)
{
	const struct observe_options *options = cli->options;
	const char *output = options->global.output ? options->global.output : "table";
	bool all = !options->drops && !options->first && !options->audit;
	_cleanup_str_ struct wf_str path = WF_STR_INIT;
	_cleanup_json_ json_t *reasons = json_object();
	struct watch watch = { .options = options,
			       .json = strcmp(output, "json") == 0,
			       .color = wf_cli_has_color(cli, STDOUT_FILENO),
			       .reasons = reasons };

	if (!watch.json && strcmp(output, "table") != 0 && strcmp(output, "wide") != 0)
		return wf_cli_misuse(cli, err, "'weft observe' prints lines, or JSON with -o json");
	wf_str_addf(&path, "/v1/observe?drops=%s&first=%s&audit=%s",
		    all || options->drops ? "true" : "false",
		    all || options->first ? "true" : "false",
		    all || options->audit ? "true" : "false");
	add_query(&path, "endpoint", options->endpoint);
	add_query(&path, "network", options->network);
	if (path.failed || !reasons)
		return wf_fail(err, -ENOMEM, "out of memory");
	return run_watch(&watch, path.data, err);
}

const struct wf_cli_command wf_cli_observe_commands[] = {
	{ .name = "observe",
	  .run = observe,
	  .options = observe_options,
	  .options_bytes = sizeof(struct observe_options),
	  .summary = "watch dropped packets and new connections",
	  .description =
		  "Prints a line per event: time, verdict, from whom to whom, protocol, and for "
		  "drops the reason and what to do about it. Where an address is translated, => "
		  "leads from what the packet said to what became of it: the backend of a "
		  "service, or the host's address. Ends with Ctrl-C and a summary. With "
		  "-o json each line is a JSON object.",
	  .examples = "weft observe --drops\n"
		      "weft observe --endpoint web\n"
		      "weft observe --drops -o json | jq -r .reason.label" },
	{ .name = NULL },
};
