/* SPDX-License-Identifier: Apache-2.0 */
/* The Network document that `weft network create` builds from its options. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/network.h"
#include "model/document.h"

/* Splits at spaces into the option list. */
static struct wf_option_list list_of(char *text)
{
	struct wf_option_list list = { 0 };
	char *item;

	while (text && (item = strsep(&text, " ")) != NULL) {
		assert_int_equal(
			wf_mem_grow(&list.items, sizeof(*list.items), list.count, &list.capacity),
			0);
		list.items[list.count++] = item;
	}
	return list;
}

struct row {
	const char *subnets, *gateways, *ranges, *excluded;
	bool ipv6;
	const char *want; /* spec as compact JSON, or the beginning of "FIELD: message" */
};

static const struct row rows[] = {
	{ .want = "{\"driver\":\"bridge\"}" },
	{ .ipv6 = true, .want = "{\"driver\":\"bridge\",\"ipFamilies\":[\"IPv4\",\"IPv6\"]}" },
	{ .subnets = "10.64.0.0/16 fd00:64::/64",
	  .gateways = "fd00:64::9",
	  .ranges = "10.64.1.0/24 10.64.2.1-10.64.2.9",
	  .excluded = "10.64.1.5",
	  .ipv6 = true,
	  .want = "{\"driver\":\"bridge\",\"subnets\":[{\"cidr\":\"10.64.0.0/16\",\"exclude\":["
		  "\"10.64.1.5\"],\"ranges\":[{\"end\":\"10.64.1.255\",\"start\":\"10.64.1.0\"},"
		  "{\"end\":\"10.64.2.9\",\"start\":\"10.64.2.1\"}]},{\"cidr\":\"fd00:64::/64\","
		  "\"gateway\":\"fd00:64::9\"}]}" },
	{ .subnets = "10.64.0.0/16",
	  .gateways = "none",
	  .want = "{\"driver\":\"bridge\",\"subnets\":[{\"cidr\":\"10.64.0.0/16\",\"gateway\":\"\"}"
		  "]}" },
	{ .subnets = "10.64.0.0", .want = "--subnet: '10.64.0.0' is not a subnet" },
	{ .subnets = "10.64.0.1/16", .want = "--subnet: '10.64.0.1/16' has bits set" },
	{ .subnets = "10.64.0.0/33", .want = "--subnet: '10.64.0.0/33' is not a subnet" },
	{ .gateways = "10.64.0.1", .want = "--gateway: 10.64.0.1 needs a subnet" },
	{ .subnets = "10.64.0.0/16",
	  .gateways = "10.65.0.1",
	  .want = "--gateway: 10.65.0.1 is in none" },
	{ .subnets = "10.64.0.0/16",
	  .gateways = "10.64.0.1 10.64.0.2",
	  .want = "--gateway: subnet 10.64.0.0/16 has two" },
	{ .subnets = "10.64.0.0/16", .gateways = "gw", .want = "--gateway: 'gw' is not an" },
	{ .subnets = "10.64.0.0/16",
	  .ranges = "10.64.0.0-10.65.0.0",
	  .want = "--ip-range: 10.64.0.0-10.65.0.0 is in none" },
	{ .subnets = "10.64.0.0/16", .excluded = "x", .want = "--exclude: 'x' is not a range" },
	{ .subnets = "10.64.0.0/16", .ipv6 = true, .want = "--ipv6: weft chooses either" },
};

static void check_row(const struct row *row)
{
	_cleanup_free_ char *subnets = row->subnets ? strdup(row->subnets) : NULL;
	_cleanup_free_ char *gateways = row->gateways ? strdup(row->gateways) : NULL;
	_cleanup_free_ char *ranges = row->ranges ? strdup(row->ranges) : NULL;
	_cleanup_free_ char *excluded = row->excluded ? strdup(row->excluded) : NULL;
	char driver[] = "bridge";
	struct wf_cli_network_options options = { .driver = driver,
						  .subnets = list_of(subnets),
						  .gateways = list_of(gateways),
						  .ranges = list_of(ranges),
						  .excluded = list_of(excluded),
						  .ipv6 = row->ipv6,
						  .isolated = true,
						  .masquerade = true,
						  .host_access = true };
	_cleanup_json_ json_t *document = NULL;
	_cleanup_free_ char *text = NULL;
	struct wf_err err = WF_ERR_INIT;

	if (wf_cli_network_document("blue", &options, &document, &err) == 0) {
		assert_int_equal(wf_document_check_deep(document, &err), 0);
		text = json_dumps(json_object_get(document, "spec"), JSON_COMPACT | JSON_SORT_KEYS);
	} else {
		assert_null(document);
		assert_true(asprintf(&text, "%s: %s", err.field, err.message) > 0);
		text[strlen(row->want) < strlen(text) ? strlen(row->want) : strlen(text)] = '\0';
	}
	assert_string_equal(text, row->want);
	free(options.subnets.items);
	free(options.gateways.items);
	free(options.ranges.items);
	free(options.excluded.items);
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++)
		check_row(&rows[i]);
}

static void test_settings(void **state)
{
	char driver[] = "macvlan", parent[] = "eth0", mode[] = "vepa", label[] = "team=web";
	char *items[] = { label };
	struct wf_cli_network_options options = { .driver = driver,
						  .parent = parent,
						  .mode = mode,
						  .internal = true,
						  .sticky = true,
						  .mtu = 9000,
						  .vlan = 42,
						  .labels = { items, 1, 1 } };
	_cleanup_json_ json_t *document = NULL;
	_cleanup_free_ char *text = NULL;
	struct wf_err err = WF_ERR_INIT;

	(void)state;
	assert_int_equal(wf_cli_network_document("lan", &options, &document, &err), 0);
	text = json_dumps(document, JSON_COMPACT);
	assert_string_equal(
		text, "{\"apiVersion\":\"weft.dev/v1\",\"kind\":\"Network\",\"metadata\":"
		      "{\"name\":\"lan\",\"labels\":{\"team\":\"web\"}},\"spec\":{\"driver\":"
		      "\"macvlan\",\"parent\":\"eth0\",\"mode\":\"vepa\",\"vlan\":42,"
		      "\"mtu\":9000,\"internal\":true,\"isolated\":false,\"masquerade\":false,"
		      "\"sticky\":true,\"hostAccess\":false}}");
	label[4] = ' ';
	assert_int_equal(wf_cli_labels(&options.labels, &document, &err), -EINVAL);
	assert_string_equal(err.field, "--label");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
