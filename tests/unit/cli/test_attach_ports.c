/* SPDX-License-Identifier: Apache-2.0 */
/* --publish and --port as members of the attach request. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/attach.h"

static const struct {
	const char *text;
	const char *want; /* the only entry; NULL: refused */
} publishes[] = {
	{ "8080:80", "{\"hostPort\":8080,\"containerPort\":80,\"protocol\":\"TCP\"}" },
	{ "[::1]:1000-1999:1000/udp",
	  "{\"hostIP\":\"::1\",\"hostPort\":1000,\"hostPortEnd\":1999,\"containerPort\":1000,"
	  "\"protocol\":\"UDP\"}" },
	{ "80", NULL },
	{ "", NULL },
};

static const struct {
	const char *text;
	const char *want;
} ports[] = {
	{ "http=8080", "{\"name\":\"http\",\"port\":8080,\"protocol\":\"TCP\"}" },
	{ "dns=53/udp", "{\"name\":\"dns\",\"port\":53,\"protocol\":\"UDP\"}" },
	{ "http", NULL },
	{ "=80", NULL },
	{ "http=", NULL },
	{ "http=0", NULL },
	{ "http=65536", NULL },
	{ "http=80/", NULL },
	{ "http=80/icmp", NULL },
	{ "HTTP=80", NULL },
};

static void assert_entry(const json_t *body, const char *key, const char *want)
{
	_cleanup_json_ json_t *wanted = json_loads(want, 0, NULL);
	const json_t *list = json_object_get(body, key);

	assert_non_null(wanted);
	assert_int_equal(json_array_size(list), 1);
	assert_true(json_equal(json_array_get(list, 0), wanted));
}

static void check(int (*add)(json_t *, const struct wf_option_list *, struct wf_err *),
		  const char *text, const char *key, const char *option, const char *want)
{
	char *items[] = { (char *)text };
	struct wf_option_list list = { .items = items, .count = 1 };
	_cleanup_json_ json_t *body = json_object();
	struct wf_err err = WF_ERR_INIT;
	int r = add(body, &list, &err);

	if (want) {
		assert_int_equal(r, 0);
		assert_entry(body, key, want);
		return;
	}
	if (r != -EINVAL)
		fail_msg("%s %s was accepted", option, text);
	assert_string_equal(err.field, option);
	assert_int_equal(json_object_size(body), 0);
}

static void test_publish(void **state)
{
	(void)state;
	for (size_t i = 0; i < WF_ARRAY_LEN(publishes); i++)
		check(wf_cli_attach_publish, publishes[i].text, "publish", "--publish",
		      publishes[i].want);
}

static void test_ports(void **state)
{
	(void)state;
	for (size_t i = 0; i < WF_ARRAY_LEN(ports); i++)
		check(wf_cli_attach_ports, ports[i].text, "ports", "--port", ports[i].want);
}

static void test_none(void **state)
{
	const struct wf_option_list none = { 0 };
	_cleanup_json_ json_t *body = json_object();

	(void)state;
	assert_int_equal(wf_cli_attach_publish(body, &none, NULL), 0);
	assert_int_equal(wf_cli_attach_ports(body, &none, NULL), 0);
	assert_int_equal(json_object_size(body), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_publish),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
