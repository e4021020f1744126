/* SPDX-License-Identifier: Apache-2.0 */
#include "model/kind_priv.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "fail_alloc.h"
#include "weft/abi/limits.h"

static void test_find(void **state)
{
	assert_string_equal(wf_kind_find("Network")->name, "Network");
	assert_string_equal(wf_kind_find("NETWORKS")->name, "Network");
	assert_string_equal(wf_kind_find("ep")->name, "Endpoint");
	assert_string_equal(wf_kind_find("netpol")->name, "NetworkPolicy");
	assert_string_equal(wf_kind_find("cnetpol")->name, "ClusterNetworkPolicy");
	assert_string_equal(wf_kind_find("anp")->name, "AdminNetworkPolicy");
	assert_string_equal(wf_kind_find("banp")->name, "BaselineAdminNetworkPolicy");
	assert_string_equal(wf_kind_find("cnp")->name, "CiliumNetworkPolicy");
	assert_string_equal(wf_kind_find("ccnp")->name, "CiliumClusterwideNetworkPolicy");
	assert_string_equal(wf_kind_find("ns")->name, "Namespace");
	assert_string_equal(wf_kind_find("no")->name, "Node");
	assert_null(wf_kind_find(""));
	assert_null(wf_kind_find("List"));
	assert_true(wf_kind_find("Reservation")->user_writable);
	assert_false(wf_kind_find("Endpoint")->user_writable);
}

/* The tables are complete, and every default and example in them is JSON that they accept. */
static void check_table(const char *kind, const struct wf_schema *fields)
{
	for (; fields->name; fields++) {
		const struct wf_schema *inner = fields;
		_cleanup_json_ json_t *fallback = NULL, *example = NULL;

		if (!fields->help || !strlen(fields->help))
			fail_msg("%s: %s has no help", kind, fields->name);
		if (fields->min > fields->max)
			fail_msg("%s: %s: nothing is within its bounds", kind, fields->name);
		if (fields->fallback)
			fallback = json_loads(fields->fallback, JSON_DECODE_ANY, NULL);
		if (fields->example)
			example = json_loads(fields->example, JSON_DECODE_ANY, NULL);
		if ((fields->fallback && !fallback) || (fields->example && !example))
			fail_msg("%s: %s: default or example is not JSON", kind, fields->name);
		while (inner->type == WF_SCHEMA_LIST || inner->type == WF_SCHEMA_MAP) {
			assert_non_null(inner->item);
			inner = inner->item;
		}
		if (inner->type == WF_SCHEMA_OBJECT)
			check_table(kind, inner->fields);
	}
}

static void test_tables(void **state)
{
	for (const struct wf_kind *kind = wf_kind_all(); kind->name; kind++) {
		assert_non_null(kind->check);
		assert_non_null(kind->aliases);
		check_table(kind->name, kind->fields);
	}
}

static void test_json_schema(void **state)
{
	_cleanup_json_ json_t *schema = wf_kind_schema("net");
	const json_t *spec = json_object_get(
		json_object_get(json_object_get(schema, "properties"), "spec"), "properties");
	const json_t *driver = json_object_get(spec, "driver");
	const json_t *subnet = json_object_get(json_object_get(spec, "subnets"), "items");

	assert_string_equal(wf_json_str(schema, "$schema", ""),
			    "https://json-schema.org/draft/2020-12/schema");
	assert_string_equal(wf_json_str(driver, "default", ""), "bridge");
	assert_int_equal(json_array_size(json_object_get(driver, "enum")), 7);
	assert_int_equal(wf_json_int(json_object_get(spec, "subnets"), "maxItems", 0),
			 WF_MAX_SUBNETS);
	assert_false(wf_json_bool(subnet, "additionalProperties", true));
	assert_string_equal(
		json_string_value(json_array_get(json_object_get(subnet, "required"), 0)), "cidr");
	assert_null(wf_kind_schema("x"));
}

static void test_markdown(void **state)
{
	_cleanup_str_ struct wf_str out = WF_STR_INIT;

	assert_int_equal(wf_kind_markdown("network", &out), 0);
	assert_non_null(strstr(wf_str_text(&out), "## Network\n"));
	assert_non_null(strstr(wf_str_text(&out), "| `spec.subnets[].ranges[].start` |"));
	assert_int_equal(wf_kind_markdown("x", &out), -ENOENT);
}

static void test_check_needs_an_object(void **state)
{
	_cleanup_json_ json_t *list = json_array(), *empty = json_object();
	struct wf_err err = WF_ERR_INIT;

	assert_int_equal(wf_document_check(list, &err), -EINVAL);
	assert_int_equal(wf_document_check(NULL, &err), -EINVAL);
	assert_int_equal(wf_document_check_deep(empty, &err), -EINVAL);
	assert_string_equal(err.field, "kind");
}

static void test_keys(void **state)
{
	static const struct {
		const char *document;
		const char *want;
	} rows[] = {
		{ "{\"kind\": \"Network\", \"metadata\": {\"name\": \"blue\"}}", "blue" },
		{ "{\"kind\": \"Service\", \"metadata\": {\"name\": \"web\"}}", "default/web" },
		{ "{\"kind\": \"Service\", \"metadata\": {\"name\": \"web\", \"namespace\": "
		  "\"\"}}",
		  "default/web" },
		{ "{\"kind\": \"EndpointSlice\", \"metadata\": {\"name\": \"a.b\", \"namespace\": "
		  "\"shop\"}}",
		  "shop/a.b" },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		_cleanup_json_ json_t *root = json_loads(rows[i].document, 0, NULL);
		_cleanup_json_ json_t *spelled = wf_document_in_namespace(root);
		char key[WF_NAME_BYTES], again[WF_NAME_BYTES];

		assert_int_equal(wf_document_key(root, key), 0);
		assert_string_equal(key, rows[i].want);
		assert_int_equal(wf_document_key(spelled, again), 0);
		assert_string_equal(again, key);
		assert_int_equal(
			!!json_object_get(json_object_get(spelled, "metadata"), "namespace"),
			!!strchr(key, '/'));
	}
}

/* Name and namespace share the room of a key; what does not fit is refused before. */
static void test_long_key(void **state)
{
	char name[254], key[WF_NAME_BYTES];
	_cleanup_json_ json_t *root = NULL;
	struct wf_err err = WF_ERR_INIT;

	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	root = json_pack("{s:s, s:s, s:s, s:{s:s}}", "apiVersion", "discovery.k8s.io/v1", "kind",
			 "EndpointSlice", "addressType", "IPv4", "metadata", "name", name);
	assert_int_equal(wf_document_key(root, key), -ENAMETOOLONG);
	assert_int_equal(wf_document_check(root, &err), -EINVAL);
	assert_string_equal(err.field, "metadata.name");
	name[253 - strlen("default/")] = '\0';
	(void)json_object_set_new(json_object_get(root, "metadata"), "name", json_string(name));
	assert_int_equal(wf_document_key(root, key), 0);
	assert_int_equal(strlen(key), 253);
	assert_int_equal(wf_document_check(root, NULL), 0);
}

/* Each kind has the version that its documents must have, and namespaces where it says so. */
static void test_versions(void **state)
{
	for (const struct wf_kind *kind = wf_kind_all(); kind->name; kind++) {
		_cleanup_json_ json_t *schema = wf_kind_schema(kind->name);
		const json_t *fields = json_object_get(schema, "properties");
		const json_t *metadata =
			json_object_get(json_object_get(fields, "metadata"), "properties");

		assert_string_equal(
			json_string_value(json_array_get(
				json_object_get(json_object_get(fields, "apiVersion"), "enum"), 0)),
			kind->api_version);
		assert_int_equal(!!json_object_get(metadata, "namespace"), kind->namespaced);
	}
}

static void test_allocation_failures(void **state)
{
	for (size_t n = 0;; n++) {
		json_t *schema;

		fail_alloc_arm(n);
		schema = wf_kind_schema("Reservation");
		if (!fail_alloc_disarm()) {
			assert_non_null(schema);
			json_decref(schema);
			return;
		}
		/*
		 * not always a failure: jansson's lexer goes on with a byte less when its buffer
		 * cannot grow, in the examples here
		 */
		json_decref(schema);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_json_schema),
		cmocka_unit_test(test_markdown),
		cmocka_unit_test(test_check_needs_an_object),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_long_key),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_allocation_failures),
	};

	srandom(3);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
