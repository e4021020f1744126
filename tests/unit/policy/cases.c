/* SPDX-License-Identifier: Apache-2.0 */
#include "cases.h"

#include <dirent.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/document.h"

#define PARTIES_MAX 64
#define PORTS_MAX   32
#define LINES_MAX   128
#define FILE_MAX    (1U << 20)

struct port {
	int proto, port;
};

struct line {
	const char *text; /* borrowed */
	char from[64], to[64];
	struct port ports[PORTS_MAX];
	size_t port_count;
	enum oracle_verdict verdict;
};

struct named_party {
	char name[160];
	struct oracle_party party;
};

struct run {
	const struct cases_judge *judge;
	const char *file, *name;
	struct line lines[LINES_MAX];
	size_t line_count;
	struct named_party parties[PARTIES_MAX];
	size_t party_count;
	size_t asked, wrong;
};

void cases_check(bool holds, const char *format, ...)
{
	va_list args;

	if (holds)
		return;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

/* ---- reading ------------------------------------------------------------------------------- */

static int proto_named(const char *name)
{
	if (strcmp(name, "tcp") == 0)
		return 6;
	if (strcmp(name, "udp") == 0)
		return 17;
	if (strcmp(name, "sctp") == 0)
		return 132;
	if (strcmp(name, "icmp") == 0)
		return 1;
	if (strcmp(name, "icmpv6") == 0)
		return 58;
	return (int)strtol(name, NULL, 10);
}

static void read_ports(struct line *line, char *text)
{
	char *save = NULL;

	for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		char *slash = strchr(word, '/');

		cases_check(slash && line->port_count < PORTS_MAX, "no port: %s", line->text);
		if (!slash)
			return;
		*slash = '\0';
		line->ports[line->port_count].proto = proto_named(word);
		line->ports[line->port_count++].port = (int)strtol(slash + 1, NULL, 10);
	}
}

static void read_line(struct line *line, const char *text)
{
	char ports[256], verdict[16];

	memset(line, 0, sizeof(*line));
	line->text = text;
	cases_check(sscanf(text, "%63s -> %63s %255[^=]= %15s", line->from, line->to, ports,
			   verdict) == 4 &&
			    line->to[strlen(line->to) - 1] == ':',
		    "no expectation: %s", text);
	line->to[strlen(line->to) - 1] = '\0';
	read_ports(line, ports);
	line->verdict = strcmp(verdict, "allow") == 0   ? ORACLE_ALLOW
			: strcmp(verdict, "audit") == 0 ? ORACLE_AUDIT
							: ORACLE_DENY;
	cases_check(strcmp(oracle_verdict_name(line->verdict), verdict) == 0, "no verdict: %s",
		    text);
}

/* ---- parties ------------------------------------------------------------------------------- */

static void add_party(struct run *run, const json_t *world, const char *name, const char *address)
{
	struct named_party *party = &run->parties[run->party_count++];

	cases_check(run->party_count < PARTIES_MAX, "%s: too many parties", run->file);
	snprintf(party->name, sizeof(party->name), "%s", name);
	oracle_party_find(&party->party, world, address);
}

static void add_addresses(struct run *run, const json_t *world, const json_t *item,
			  const char *name)
{
	const json_t *addresses = json_object_get(item, "addresses");

	for (size_t i = 0; i < json_array_size(addresses); i++)
		add_party(run, world, name, json_string_value(json_array_get(addresses, i)));
}

static void add_literal(struct run *run, const json_t *world, const char *name)
{
	for (size_t i = 0; i < run->party_count; i++)
		if (strcmp(run->parties[i].name, name) == 0)
			return;
	if (strspn(name, "0123456789abcdef.:") == strlen(name) && strpbrk(name, ".:"))
		add_party(run, world, name, name);
}

static void gather_parties(struct run *run, const json_t *world)
{
	const json_t *endpoints = json_object_get(world, "endpoints");
	const json_t *nodes = json_object_get(world, "nodes");
	char name[160];

	run->party_count = 0;
	for (size_t i = 0; i < json_array_size(endpoints); i++) {
		const json_t *item = json_array_get(endpoints, i);

		snprintf(name, sizeof(name), "%s/%s", oracle_text(item, "namespace"),
			 oracle_text(item, "name"));
		add_addresses(run, world, item, name);
	}
	for (size_t i = 0; i < json_array_size(nodes); i++)
		add_addresses(run, world, json_array_get(nodes, i),
			      oracle_text(json_array_get(nodes, i), "name"));
	for (size_t i = 0; i < run->line_count; i++) {
		add_literal(run, world, run->lines[i].from);
		add_literal(run, world, run->lines[i].to);
	}
}

/* ---- asking -------------------------------------------------------------------------------- */

static bool is_about(const struct line *line, const struct named_party *src,
		     const struct named_party *dst)
{
	bool stars = strchr(line->from, '*') || strchr(line->to, '*');

	if (stars && strcmp(src->name, dst->name) == 0)
		return false;
	return fnmatch(line->from, src->name, FNM_PATHNAME) == 0 &&
	       fnmatch(line->to, dst->name, FNM_PATHNAME) == 0;
}

/* Whether a later line says something else about the same. */
static bool is_overruled(const struct run *run, size_t index, const struct named_party *src,
			 const struct named_party *dst, struct port port)
{
	for (size_t i = index + 1; i < run->line_count; i++) {
		const struct line *line = &run->lines[i];

		if (!is_about(line, src, dst))
			continue;
		for (size_t k = 0; k < line->port_count; k++)
			if (line->ports[k].proto == port.proto && line->ports[k].port == port.port)
				return true;
	}
	return false;
}

static void ask(struct run *run, const struct line *line, const struct named_party *src,
		const struct named_party *dst, struct port port)
{
	const struct cases_judge *judge = run->judge;
	enum oracle_verdict out = judge->ask(judge->context, ORACLE_EGRESS, &src->party,
					     &dst->party, port.proto, port.port);
	enum oracle_verdict in = judge->ask(judge->context, ORACLE_INGRESS, &src->party,
					    &dst->party, port.proto, port.port);
	enum oracle_verdict both = oracle_both(out, in);

	run->asked++;
	if (both == line->verdict)
		return;
	run->wrong++;
	if (judge->is_silent)
		return;
	fprintf(stderr, "%s: %s: \"%s\": %s -> %s: %d/%d: %s (egress %s, ingress %s)\n", run->file,
		run->name, line->text, src->party.address, dst->party.address, port.proto,
		port.port, oracle_verdict_name(both), oracle_verdict_name(out),
		oracle_verdict_name(in));
}

static size_t ask_pair(struct run *run, size_t index, const struct named_party *src,
		       const struct named_party *dst)
{
	const struct line *line = &run->lines[index];

	if (!is_about(line, src, dst) || src->party.family != dst->party.family)
		return 0;
	for (size_t p = 0; p < line->port_count; p++)
		if (!is_overruled(run, index, src, dst, line->ports[p]))
			ask(run, line, src, dst, line->ports[p]);
	return 1;
}

static void ask_refused(struct run *run, const json_t *documents)
{
	const struct cases_judge *judge = run->judge;

	for (size_t i = 0; judge->refuses && i < json_array_size(documents); i++) {
		run->asked++;
		if (judge->refuses(judge->context, json_array_get(documents, i)))
			continue;
		run->wrong++;
		fprintf(stderr, "%s: %s: document %zu is not refused\n", run->file, run->name, i);
	}
}

static void run_case(struct run *run, const json_t *world, const json_t *item)
{
	const json_t *expect = json_object_get(item, "expect");
	const json_t *change = json_object_get(item, "change");
	const json_t *policies = json_object_get(item, "policies");
	_cleanup_json_ json_t *own = json_deep_copy(world);

	run->name = oracle_text(item, "name");
	run->line_count = json_array_size(expect);
	cases_check(*run->name && run->line_count > 0 && run->line_count < LINES_MAX,
		    "%s: a case needs name and expect", run->file);
	cases_check(!change || json_object_update(own, (json_t *)change) == 0, "no change");
	for (size_t i = 0; i < run->line_count; i++)
		read_line(&run->lines[i], json_string_value(json_array_get(expect, i)));
	gather_parties(run, own);
	run->judge->open(run->judge->context, own, policies);
	for (size_t i = 0; i < run->line_count; i++) {
		size_t pairs = 0;

		for (size_t s = 0; s < run->party_count; s++)
			for (size_t d = 0; d < run->party_count; d++)
				pairs += ask_pair(run, i, &run->parties[s], &run->parties[d]);
		cases_check(pairs > 0, "%s: %s: \"%s\" is about nobody", run->file, run->name,
			    run->lines[i].text);
	}
	ask_refused(run, json_object_get(item, "refused"));
	run->judge->close(run->judge->context);
}

static void run_file(struct run *run, const char *path)
{
	_cleanup_json_ json_t *root = NULL;
	_cleanup_str_ struct wf_str text = WF_STR_INIT;
	struct wf_err err = WF_ERR_INIT;
	const json_t *list;

	cases_check(wf_file_read(path, FILE_MAX, &text, &err) == 0 &&
			    wf_document_parse_mapping(path, text.data, text.len, &root, &err) == 0,
		    "%s: %s", path, err.message);
	run->file = strrchr(path, '/') + 1;
	list = json_object_get(root, "cases");
	cases_check(json_array_size(list) > 0, "%s: no cases", path);
	for (size_t i = 0; i < json_array_size(list); i++)
		run_case(run, json_object_get(root, "world"), json_array_get(list, i));
}

size_t cases_run(const char *folder, const struct cases_judge *judge, size_t *ret_asked)
{
	struct run *run = calloc(1, sizeof(*run));
	struct dirent **found = NULL;
	int count = scandir(folder, &found, NULL, alphasort);
	size_t wrong;

	cases_check(run && count > 0, "%s: cannot be read", folder);
	if (!run)
		return 1;
	run->judge = judge;
	for (int i = 0; i < count; i++) {
		char path[4096];

		snprintf(path, sizeof(path), "%s/%s", folder, found[i]->d_name);
		if (fnmatch("*.yaml", found[i]->d_name, 0) == 0)
			run_file(run, path);
		free(found[i]);
	}
	free(found);
	*ret_asked = run->asked;
	wrong = run->wrong;
	free(run);
	return wrong;
}
