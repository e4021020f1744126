/* SPDX-License-Identifier: Apache-2.0 */
/* weft policy check and diff: policies tried on paper. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/output.h"
#include "cli/policy_lab.h"
#include "model/namespace.h"
#include "model/network.h"
#include "model/node.h"
#include "model/service.h"

#define MAX_TABLE_BYTES (1U << 20)
/* Ends of whom all pairs are compared. */
#define MAX_PARTIES 1000

const struct wf_option wf_cli_policy_check_options[] = {
	{ .name = "expect",
	  .type = WF_OPTION_STRING,
	  .offset = offsetof(struct wf_cli_policy_check, expect),
	  .value = "FILE",
	  .help = "table of expected verdicts, - for standard input",
	  .complete = "file" },
	WF_OPTION_END,
};

/* ---- files --------------------------------------------------------------------------------------- */

static bool is_example(const json_t *document)
{
	const char *kind = wf_json_str(document, "kind", "");

	return strcmp(kind, "Endpoint") == 0 || strcmp(kind, "Pod") == 0;
}

/* Endpoints and pods are examples here: only what counts is looked at. */
static int check_document(const json_t *document, struct wf_err *err)
{
	if (is_example(document)) {
		if (*wf_json_str(json_object_get(document, "metadata"), "name", ""))
			return 0;
		return wf_fail_field(err, -EINVAL, "metadata.name", "is missing");
	}
	return wf_document_check_deep(document, err);
}

static int add_file(struct wf_cli *cli, struct wf_cli_lab *lab, const struct wf_cli_file *file)
{
	size_t faults = 0;

	for (size_t i = 0; i < file->documents.count; i++) {
		struct wf_document *document = &file->documents.items[i];
		struct wf_err fault = WF_ERR_INIT;
		char where[512];

		if (check_document(document->root, &fault) == 0 &&
		    wf_cli_lab_add(lab, document->root, &fault) == 0)
			continue;
		faults++;
		wf_cli_report(cli, wf_cli_files_where(document, fault.field, where, sizeof(where)),
			      &fault);
	}
	return faults ? -EINVAL : 0;
}

static int read_files(struct wf_cli *cli, struct wf_cli_files *files, struct wf_err *err)
{
	struct wf_option_list paths = { .items = cli->args, .count = cli->count };

	return wf_cli_files_read(cli, &paths, false, files, err);
}

static int add_files(struct wf_cli *cli, struct wf_cli_lab *lab, const struct wf_cli_files *files,
		     struct wf_err *err)
{
	int r = 0;

	for (size_t i = 0; i < files->count; i++)
		if (add_file(cli, lab, &files->items[i]) < 0)
			r = wf_fail(err, -EINVAL, "the files are not in order");
	return r;
}

/* ---- expected verdicts ------------------------------------------------------------------------------ */

struct expectation {
	int line;
	const char *source, *target; /* borrowed from the table's text */
	enum wf_policy_verdict verdict;
};

static int parse_verdict(const char *word, enum wf_policy_verdict *ret_verdict)
{
	for (unsigned int i = 0; i < WF_POLICY_VERDICT_COUNT; i++)
		if (strcmp(word, wf_policy_verdict_name((enum wf_policy_verdict)i)) == 0) {
			*ret_verdict = (enum wf_policy_verdict)i;
			return 0;
		}
	return -EINVAL;
}

/* "SOURCE -> TARGET VERDICT"; 0: an empty line or a comment. */
static int parse_line(char *line, struct expectation *expected, struct wf_err *err)
{
	char *words[4] = { NULL }, *rest = NULL;
	size_t count = 0;

	line[strcspn(line, "#")] = '\0';
	for (char *word = strtok_r(line, " \t\r", &rest); word;
	     word = strtok_r(NULL, " \t\r", &rest)) {
		if (count == WF_ARRAY_LEN(words)) {
			count++;
			break;
		}
		words[count++] = word;
	}
	if (!count)
		return 0;
	if (count != WF_ARRAY_LEN(words) || strcmp(words[1], "->") != 0 ||
	    parse_verdict(words[3], &expected->verdict) < 0)
		return wf_fail(err, -EINVAL,
			       "want SOURCE -> DESTINATION[:PORT[/PROTOCOL]] allow, deny or audit");
	expected->source = words[0];
	expected->target = words[2];
	return 1;
}

static int protocol_of(const json_t *request, uint8_t *ret_proto, uint16_t *ret_port)
{
	int64_t port = wf_json_int(request, "port", -1);
	const char *text = wf_json_str(request, "protocol", port >= 0 ? "tcp" : "icmp");
	uint64_t number;

	*ret_port = (uint16_t)(port >= 0 ? port : 8);
	if (strcasecmp(text, "tcp") == 0)
		*ret_proto = IPPROTO_TCP;
	else if (strcasecmp(text, "udp") == 0)
		*ret_proto = IPPROTO_UDP;
	else if (strcasecmp(text, "sctp") == 0)
		*ret_proto = IPPROTO_SCTP;
	else if (strncasecmp(text, "icmp", 4) == 0)
		*ret_proto = IPPROTO_ICMP;
	else if (wf_str_to_u64(text, 1, 255, &number) == 0)
		*ret_proto = (uint8_t)number;
	else
		return -EINVAL;
	return 0;
}

static int try_one(const struct wf_cli_lab *lab, const struct expectation *expected, json_t *items,
		   struct wf_err *err)
{
	_cleanup_json_ json_t *request = json_object();
	_cleanup_str_ struct wf_str rule = WF_STR_INIT;
	struct wf_cli_lab_answer answer = { .verdict = WF_POLICY_DENY };
	uint8_t proto;
	uint16_t port;
	int r = wf_cli_target_parse(expected->target, request, err);

	if (r == 0 && protocol_of(request, &proto, &port) < 0)
		r = wf_fail(err, -EINVAL, "%s has no protocol that is known", expected->target);
	if (r == 0)
		r = wf_cli_lab_ask(lab, expected->source, wf_json_str(request, "destination", ""),
				   proto, port, &answer, err);
	if (r < 0)
		return r;
	for (unsigned int dir = 0; dir < WF_POLICY_DIR_COUNT; dir++)
		if (!rule.len && answer.by_dir[dir] == answer.verdict)
			wf_cli_lab_rule(lab, answer.rules[dir], &rule);
	return json_array_append_new(
		       items,
		       json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:b}", "line", expected->line,
				 "source", expected->source, "destination", expected->target,
				 "expected", wf_policy_verdict_name(expected->verdict), "verdict",
				 wf_policy_verdict_name(answer.verdict), "rule", wf_str_text(&rule),
				 "ok", answer.verdict == expected->verdict)) < 0
		       ? wf_fail(err, -ENOMEM, "out of memory")
		       : 0;
}

static int try_table(struct wf_cli *cli, const struct wf_cli_lab *lab, const char *path,
		     json_t *items, struct wf_err *err)
{
	_cleanup_str_ struct wf_str text = WF_STR_INIT;
	char *rest;
	int line = 0, r = wf_file_read(path, MAX_TABLE_BYTES, &text, err);

	if (r < 0)
		return r;
	rest = text.data;
	while (rest && *rest) {
		struct expectation expected = { .line = ++line };
		struct wf_err fault = WF_ERR_INIT;
		char *start = strsep(&rest, "\n"), where[512];

		r = parse_line(start, &expected, &fault);
		if (r > 0)
			r = try_one(lab, &expected, items, &fault);
		if (r >= 0)
			continue;
		(void)snprintf(where, sizeof(where), "%s:%d", path, line);
		wf_cli_report(cli, where, &fault);
	}
	return 0;
}

static void format_ok(const json_t *item, struct wf_str *out)
{
	wf_str_add(out, json_is_true(json_object_get(item, "ok")) ? "ok" : "DIFFERS");
}

static int print_table(struct wf_cli *cli, json_t *items, struct wf_err *err)
{
	static const struct wf_cli_column columns[] = {
		{ .header = "RESULT", .format = format_ok },
		{ .header = "SOURCE", .path = "source" },
		{ .header = "DESTINATION", .path = "destination" },
		{ .header = "EXPECTED", .path = "expected" },
		{ .header = "VERDICT", .path = "verdict" },
		{ .header = "RULE", .path = "rule" },
		{ .header = NULL },
	};
	static const struct wf_cli_view view = {
		.shape = WF_CLI_TABLE, .items = "items", .name = "source", .columns = columns
	};
	_cleanup_json_ json_t *value = json_pack("{s:O}", "items", items);
	size_t differ = 0, i;
	json_t *item;
	int r;

	json_array_foreach(items, i, item)
		differ += !json_is_true(json_object_get(item, "ok"));
	if (!value)
		return wf_fail(err, -ENOMEM, "out of memory");
	r = wf_cli_print(cli, &view, value, err);
	if (r == 0 && differ)
		return wf_fail(err, -EINVAL, "%zu of %zu verdicts differ from what is expected",
			       differ, json_array_size(items));
	return r;
}

/* ---- who reaches whom ---------------------------------------------------------------------------------- */

static const struct wf_cli_column reach_columns[] = {
	{ .header = "SOURCE", .path = "source" },
	{ .header = "DESTINATION", .path = "destination" },
	{ .header = "PASSES", .path = "passes" },
	{ .header = NULL },
};

/* Pairs of which one end at least is an endpoint or the host. */
static bool is_pair(const struct wf_cli_lab *lab, size_t from, size_t to)
{
	size_t host = wf_cli_lab_party_count(lab) - 2;

	return from != to && !(from >= host && to >= host && from != host && to != host);
}

static int add_reach(const struct wf_cli_lab *lab, json_t *items, struct wf_err *err)
{
	size_t count = wf_cli_lab_party_count(lab);

	if (count > MAX_PARTIES)
		return wf_fail(err, -E2BIG, "more than %d ends; give a table with --expect",
			       MAX_PARTIES);
	for (size_t from = 0; from < count; from++)
		for (size_t to = 0; to < count; to++) {
			const char *source = wf_cli_lab_party_name(lab, from);
			const char *destination = wf_cli_lab_party_name(lab, to);
			_cleanup_str_ struct wf_str passes = WF_STR_INIT;

			if (!is_pair(lab, from, to) ||
			    wf_cli_lab_reach(lab, source, destination, &passes, NULL) < 0)
				continue;
			if (json_array_append_new(items,
						  json_pack("{s:s, s:s, s:s}", "source", source,
							    "destination", destination, "passes",
							    wf_str_text(&passes))) < 0)
				return wf_fail(err, -ENOMEM, "out of memory");
		}
	return 0;
}

int wf_cli_run_policy_check(struct wf_cli *cli, struct wf_err *err)
{
	static const struct wf_cli_view view = {
		.shape = WF_CLI_TABLE, .items = "items", .name = "source", .columns = reach_columns
	};
	const struct wf_cli_policy_check *options = cli->options;
	_cleanup_(wf_cli_files_done) struct wf_cli_files files = { 0 };
	_cleanup_(wf_cli_lab_free) struct wf_cli_lab *lab = NULL;
	_cleanup_json_ json_t *items = json_array();
	_cleanup_json_ json_t *value = json_pack("{s:O}", "items", items);
	int r = read_files(cli, &files, err);

	if (r == 0)
		r = wf_cli_lab_new(&lab, err);
	if (r == 0)
		r = add_files(cli, lab, &files, err);
	if (r == 0)
		r = wf_cli_lab_settle(lab, err);
	if (r < 0)
		return r;
	if (options->expect) {
		r = try_table(cli, lab, options->expect, items, err);
		return r < 0 ? r : print_table(cli, items, err);
	}
	r = add_reach(lab, items, err);
	return r < 0 ? r : wf_cli_print(cli, &view, value, err);
}

/* ---- against a daemon ----------------------------------------------------------------------------------- */

static const char *const kinds[] = {
	WF_KIND_NETWORK,        WF_KIND_NAMESPACE,
	WF_KIND_NODE,           WF_KIND_SERVICE,
	WF_KIND_NETWORK_POLICY, WF_KIND_CLUSTER_POLICY,
	WF_KIND_ADMIN_POLICY,   WF_KIND_BASELINE_POLICY,
	WF_KIND_CILIUM_POLICY,  WF_KIND_CILIUM_CLUSTER_POLICY,
};

/* What is in force, as documents by "KIND/NAME". */
static int fetch(struct wf_cli *cli, json_t *documents, struct wf_err *err)
{
	int r = 0;

	for (size_t k = 0; r == 0 && k < WF_ARRAY_LEN(kinds) + 1; k++) {
		_cleanup_json_ json_t *answer = NULL;
		char path[96] = "/v1/endpoints";
		json_t *item;
		size_t i;

		if (k < WF_ARRAY_LEN(kinds))
			(void)snprintf(path, sizeof(path), "/v1/documents/%s", kinds[k]);
		r = wf_cli_call(cli, "GET", path, NULL, &answer, err);
		json_array_foreach(json_object_get(answer, "items"), i, item) {
			_cleanup_str_ struct wf_str key = WF_STR_INIT;
			char name[WF_NAME_BYTES] = "";

			(void)wf_document_key(item, name);
			wf_str_addf(&key, "%s/%s", wf_json_str(item, "kind", ""), name);
			if (json_object_set(documents, wf_str_text(&key), item) < 0)
				return wf_fail(err, -ENOMEM, "out of memory");
		}
	}
	return r;
}

static int build(const json_t *documents, struct wf_cli_lab **ret_lab, struct wf_err *err)
{
	_cleanup_(wf_cli_lab_free) struct wf_cli_lab *lab = NULL;
	int r = wf_cli_lab_new(&lab, err);
	const char *key;
	json_t *document;

	json_object_foreach((json_t *)documents, key, document)
		if (r == 0)
			r = wf_cli_lab_add(lab, document, err);
	if (r == 0)
		r = wf_cli_lab_settle(lab, err);
	if (r == 0)
		*ret_lab = TAKE_PTR(lab);
	return r;
}

/* The files on top of what is in force. */
static int overlay(struct wf_cli *cli, const struct wf_cli_files *files, json_t *documents,
		   struct wf_err *err)
{
	for (size_t f = 0; f < files->count; f++)
		for (size_t i = 0; i < files->items[f].documents.count; i++) {
			struct wf_document *document = &files->items[f].documents.items[i];
			_cleanup_str_ struct wf_str key = WF_STR_INIT;
			struct wf_err fault = WF_ERR_INIT;
			char name[WF_NAME_BYTES] = "", where[512];

			if (wf_document_check_deep(document->root, &fault) < 0) {
				wf_cli_report(cli,
					      wf_cli_files_where(document, fault.field, where,
								 sizeof(where)),
					      &fault);
				return wf_fail(err, -EINVAL, "the files are not in order");
			}
			(void)wf_document_key(document->root, name);
			wf_str_addf(&key, "%s/%s", wf_json_str(document->root, "kind", ""), name);
			if (json_object_set(documents, wf_str_text(&key), document->root) < 0)
				return wf_fail(err, -ENOMEM, "out of memory");
		}
	return 0;
}

static int compare(const struct wf_cli_lab *before, const struct wf_cli_lab *after, json_t *items,
		   struct wf_err *err)
{
	size_t count = wf_cli_lab_party_count(before);

	if (count > MAX_PARTIES)
		return wf_fail(err, -E2BIG, "more than %d endpoints", MAX_PARTIES - 2);
	for (size_t from = 0; from < count; from++)
		for (size_t to = 0; to < count; to++) {
			const char *source = wf_cli_lab_party_name(before, from);
			const char *destination = wf_cli_lab_party_name(before, to);
			_cleanup_str_ struct wf_str was = WF_STR_INIT, is = WF_STR_INIT;

			if (!is_pair(before, from, to) ||
			    wf_cli_lab_reach(before, source, destination, &was, NULL) < 0 ||
			    wf_cli_lab_reach(after, source, destination, &is, NULL) < 0 ||
			    strcmp(wf_str_text(&was), wf_str_text(&is)) == 0)
				continue;
			if (json_array_append_new(items,
						  json_pack("{s:s, s:s, s:s, s:s}", "source",
							    source, "destination", destination,
							    "before", wf_str_text(&was), "after",
							    wf_str_text(&is))) < 0)
				return wf_fail(err, -ENOMEM, "out of memory");
		}
	return 0;
}

int wf_cli_policy_changes(struct wf_cli *cli, const struct wf_cli_files *files, json_t **ret_items,
			  struct wf_err *err)
{
	_cleanup_(wf_cli_lab_free) struct wf_cli_lab *before = NULL, *after = NULL;
	_cleanup_json_ json_t *documents = json_object(), *items = json_array();
	int r = documents && items ? 0 : wf_fail(err, -ENOMEM, "out of memory");

	if (r == 0)
		r = fetch(cli, documents, err);
	if (r == 0)
		r = build(documents, &before, err);
	if (r == 0)
		r = overlay(cli, files, documents, err);
	if (r == 0)
		r = build(documents, &after, err);
	if (r == 0)
		r = compare(before, after, items, err);
	if (r == 0)
		*ret_items = TAKE_PTR(items);
	return r;
}

const struct wf_cli_column wf_cli_policy_change_columns[] = {
	{ .header = "SOURCE", .path = "source" },
	{ .header = "DESTINATION", .path = "destination" },
	{ .header = "NOW", .path = "before" },
	{ .header = "THEN", .path = "after" },
	{ .header = NULL },
};

int wf_cli_run_policy_diff(struct wf_cli *cli, struct wf_err *err)
{
	static const struct wf_cli_view view = { .shape = WF_CLI_TABLE,
						 .items = "items",
						 .name = "source",
						 .columns = wf_cli_policy_change_columns };
	_cleanup_(wf_cli_files_done) struct wf_cli_files files = { 0 };
	_cleanup_json_ json_t *items = NULL, *value = NULL;
	int r = read_files(cli, &files, err);

	if (r == 0)
		r = wf_cli_policy_changes(cli, &files, &items, err);
	if (r < 0)
		return r;
	value = json_pack("{s:O}", "items", items);
	if (!value)
		return wf_fail(err, -ENOMEM, "out of memory");
	return wf_cli_print(cli, &view, value, err);
}
