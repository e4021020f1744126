/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every NAME.yaml or NAME.json of a directory is parsed and checked as the command line does it,
 * and what comes out (the located error, or the documents with defaults spelled out) is compared
 * with NAME.want. With WEFT_GOLDEN_UPDATE set the .want files are written instead.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/document.h"
#include "model/endpoint.h"
#include "model/network.h"
#include "model/policy.h"
#include "model/reservation.h"
#include "model/service.h"

static const char *directory;

static json_t *canonical_network(const json_t *root)
{
	_cleanup_(wf_network_done) struct wf_network network = { .subnet_count = 0 };

	assert_int_equal(wf_network_from_json(&network, root, NULL), 0);
	return wf_network_to_json(&network);
}

static json_t *canonical_endpoint(const json_t *root)
{
	_cleanup_(wf_endpoint_done) struct wf_endpoint endpoint = { .mtu = 0 };

	assert_int_equal(wf_endpoint_from_json(&endpoint, root, NULL), 0);
	return wf_endpoint_to_json(&endpoint);
}

static json_t *canonical_reservation(const json_t *root)
{
	_cleanup_(wf_reservation_done) struct wf_reservation reservation = { .address_count = 0 };

	assert_int_equal(wf_reservation_from_json(&reservation, root, NULL), 0);
	return wf_reservation_to_json(&reservation);
}

static json_t *canonical_service(const json_t *root)
{
	_cleanup_(wf_service_done) struct wf_service service = { .headless = false };

	assert_int_equal(wf_service_from_json(&service, root, NULL), 0);
	return wf_service_to_json(&service);
}

static json_t *canonical_policy(const json_t *root)
{
	_cleanup_(wf_policy_done) struct wf_policy policy = { .tier = WF_TIER_NETWORK };

	assert_int_equal(wf_policy_from_json(&policy, root, NULL), 0);
	return wf_policy_to_json(&policy);
}

static json_t *canonical(const json_t *root)
{
	const char *kind = wf_json_str(root, "kind", "");

	if (strcmp(kind, "Network") == 0)
		return canonical_network(root);
	if (strcmp(kind, "Endpoint") == 0)
		return canonical_endpoint(root);
	if (strcmp(kind, "Service") == 0)
		return canonical_service(root);
	if (wf_policy_is_kind(kind))
		return canonical_policy(root);
	if (strcmp(kind, "EndpointSlice") == 0 || strcmp(kind, "Namespace") == 0 ||
	    strcmp(kind, "Node") == 0)
		return wf_document_in_namespace(root);
	return canonical_reservation(root);
}

static void show(const struct wf_document *document, struct wf_str *out)
{
	struct wf_err err = WF_ERR_INIT;
	_cleanup_json_ json_t *written = NULL;

	if (wf_document_check_deep(document->root, &err) < 0) {
		wf_document_locate(document, &err);
		wf_str_addf(out, "%s\n", err.message);
		return;
	}
	written = canonical(document->root);
	/* what is written is accepted and means the same */
	assert_int_equal(wf_document_check_deep(written, NULL), 0);
	_cleanup_json_ json_t *again = canonical(written);

	assert_true(json_equal(written, again));
	assert_int_equal(wf_document_to_yaml(written, out), 0);
}

static void run(const char *name, const char *path, struct wf_str *out)
{
	_cleanup_(wf_documents_done) struct wf_documents documents = { 0 };
	_cleanup_str_ struct wf_str text = WF_STR_INIT;
	struct wf_err err = WF_ERR_INIT;

	assert_int_equal(wf_file_read(path, 16 << 20, &text, NULL), 0);
	if (wf_documents_parse(&documents, name, wf_str_text(&text), text.len, &err) < 0) {
		wf_str_addf(out, "%s\n", err.message);
		assert_int_equal(documents.count, 0);
		return;
	}
	for (size_t i = 0; i < documents.count; i++) {
		wf_str_add(out, i ? "---\n" : "");
		show(&documents.items[i], out);
	}
}

static int compare(const char *name)
{
	_cleanup_str_ struct wf_str want = WF_STR_INIT, out = WF_STR_INIT;
	char path[512], want_path[512];
	const char *dot = strrchr(name, '.');

	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	(void)snprintf(want_path, sizeof(want_path), "%s/%.*s.want", directory, (int)(dot - name),
		       name);
	run(name, path, &out);
	if (getenv("WEFT_GOLDEN_UPDATE")) {
		assert_int_equal(wf_file_write(want_path, wf_str_text(&out), out.len, 0644, NULL),
				 0);
		return 0;
	}
	if (wf_file_read(want_path, 1 << 20, &want, NULL) == 0 &&
	    strcmp(wf_str_text(&want), wf_str_text(&out)) == 0)
		return 0;
	print_error("%s: want\n%s\ngot\n%s\n", name, wf_str_text(&want), wf_str_text(&out));
	return 1;
}

static void test_documents(void **state)
{
	DIR *dir = opendir(directory);
	int differing = 0, count = 0;
	struct dirent *entry;

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		const char *dot = strrchr(entry->d_name, '.');

		if (!dot || (strcmp(dot, ".yaml") != 0 && strcmp(dot, ".json") != 0))
			continue;
		differing += compare(entry->d_name);
		count++;
	}
	(void)closedir(dir);
	assert_int_equal(differing, 0);
	assert_true(count > 20);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_documents) };

	if (argc != 2)
		return 2;
	directory = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
