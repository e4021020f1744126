/* SPDX-License-Identifier: Apache-2.0 */
/* CNI_ARGS: pairs, unknown keys, IgnoreUnknown before and after them. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cni/args.h"

static const struct {
	const char *text;
	const char *message; /* NULL: accepted */
} rows[] = {
	{ "", NULL },
	{ "IP=10.0.0.1", NULL },
	{ "IP=10.0.0.1;", NULL },
	{ "IgnoreUnknown=1;FOO=bar", NULL },
	{ "FOO=bar;IgnoreUnknown=true", NULL },
	{ "K8S_POD_NAMESPACE=a;K8S_POD_NAME=b;K8S_POD_INFRA_CONTAINER_ID=c;K8S_POD_UID=d", NULL },
	{ "FOO=bar", "invalid CNI_ARGS: unknown args [\"FOO\"]" },
	{ "FOO=bar;BAZ=1;IgnoreUnknown=0", "invalid CNI_ARGS: unknown args [\"FOO\" \"BAZ\"]" },
	{ "ip=10.0.0.1", "invalid CNI_ARGS: unknown args [\"ip\"]" },
	{ "IgnoreUnknown=yes", "invalid CNI_ARGS: IgnoreUnknown is \"yes\"" },
	{ "IP", "invalid CNI_ARGS: invalid pair \"IP\"" },
	{ ";IP=10.0.0.1", "invalid CNI_ARGS: invalid pair \"\"" },
	{ "IP=1;;MAC=2", "invalid CNI_ARGS: invalid pair \"\"" },
};

static void test_table(void **state)
{
	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		_cleanup_(wf_cni_args_done) struct wf_cni_args args = { 0 };
		struct wf_cni_error error = { 0 };
		int r = wf_cni_args_parse(&args, rows[i].text, &error);

		if ((r < 0) != (rows[i].message != NULL) ||
		    (r < 0 && strncmp(error.msg, rows[i].message, strlen(rows[i].message)) != 0))
			fail_msg("\"%s\": %d \"%s\"", rows[i].text, r, error.msg);
		if (r < 0)
			assert_int_equal(error.code, 4);
	}
}

static void test_values(void **state)
{
	_cleanup_(wf_cni_args_done) struct wf_cni_args args = { 0 };
	struct wf_cni_error error = { 0 };

	assert_int_equal(wf_cni_args_parse(&args,
					   "IgnoreUnknown=1;IP=10.0.0.1,fd00::1;MAC=x=y;GATEWAY=g;"
					   "K8S_POD_NAME=web-0;K8S_POD_UID=u;X=1",
					   &error),
			 0);
	assert_string_equal(args.ip, "10.0.0.1,fd00::1");
	assert_string_equal(args.mac, "x=y");
	assert_string_equal(args.gateway, "g");
	assert_string_equal(args.pod_name, "web-0");
	assert_string_equal(args.pod_uid, "u");
	assert_string_equal(args.pod_namespace, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
