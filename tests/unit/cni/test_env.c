/* SPDX-License-Identifier: Apache-2.0 */
/* The environment: grammar of identifiers, which variable is needed when, the namespace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cni/env.h"
#include "variables.h"

/* command, id, ifname, netns, and the start of the message; NULL: accepted. */
static const struct row {
	const char *command, *id, *ifname, *netns, *message;
} rows[] = {
	{ "ADD", "a", "eth0", "/n", NULL },
	{ "ADD", "0123abcdEF_.-", "eth0", "/n", NULL },
	{ "ADD", "a..b", "eth0", "/n", NULL },
	{ "ADD", NULL, NULL, NULL,
	  "required env variables [CNI_CONTAINERID,CNI_NETNS,CNI_IFNAME] missing" },
	{ "ADD", "", "eth0", "/n", "required env variables [CNI_CONTAINERID] missing" },
	{ "ADD", "a", "eth0", NULL, "required env variables [CNI_NETNS] missing" },
	{ "CHECK", "a", "eth0", NULL, "required env variables [CNI_NETNS] missing" },
	{ "DEL", "a", "eth0", NULL, NULL },
	{ "DEL", "a", NULL, NULL, "required env variables [CNI_IFNAME] missing" },
	{ "GC", NULL, NULL, NULL, NULL },
	{ "STATUS", NULL, NULL, NULL, NULL },
	{ "STATUS", "../x", "../y", NULL, NULL },
	{ "VERSION", NULL, NULL, NULL, NULL },
	{ NULL, NULL, NULL, NULL, NULL },
	{ "add", NULL, NULL, NULL, NULL },
	/* a bad value is told before missing ones */
	{ "ADD", "../etc", NULL, NULL, "invalid CNI_CONTAINERID \"../etc\"" },
	{ "ADD", "a/b", "eth0", "/n", "invalid CNI_CONTAINERID" },
	{ "ADD", "-a", "eth0", "/n", "invalid CNI_CONTAINERID" },
	{ "ADD", ".a", "eth0", "/n", "invalid CNI_CONTAINERID" },
	{ "ADD", "a b", "eth0", "/n", "invalid CNI_CONTAINERID" },
	{ "ADD", "a\nb", "eth0", "/n", "invalid CNI_CONTAINERID" },
	{ "ADD", "a%s", "eth0", "/n", "invalid CNI_CONTAINERID" },
	{ "ADD", "\xc3\xa9", "eth0", "/n", "invalid CNI_CONTAINERID" },
	{ "DEL", "$(id)", "eth0", NULL, "invalid CNI_CONTAINERID" },
	{ "ADD", "a", "sixteen-letters0", "/n", "invalid CNI_IFNAME" },
	{ "ADD", "a", "fifteen-letters", "/n", NULL },
	{ "ADD", "a", ".", "/n", "invalid CNI_IFNAME" },
	{ "ADD", "a", "..", "/n", "invalid CNI_IFNAME" },
	{ "ADD", "a", "a/b", "/n", "invalid CNI_IFNAME" },
	{ "ADD", "a", "a:b", "/n", "invalid CNI_IFNAME" },
	{ "ADD", "a", "a b", "/n", "invalid CNI_IFNAME" },
	{ "ADD", "a", "a\tb", "/n", "invalid CNI_IFNAME" },
	{ "ADD", "a", "eth%d", "/n", "invalid CNI_IFNAME" },
	{ "ADD", "a", "lo", "/n", "invalid CNI_IFNAME" },
	{ "ADD", "a", "all", "/n", "invalid CNI_IFNAME" },
	{ "ADD", "a", "default", "/n", "invalid CNI_IFNAME" },
};

static void test_table(void **state)
{
	struct wf_cni_error error;
	struct wf_cni_env env;

	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		const struct row *row = &rows[i];
		int r;

		variables_set("CNI_COMMAND", row->command);
		variables_set("CNI_CONTAINERID", row->id);
		variables_set("CNI_IFNAME", row->ifname);
		variables_set("CNI_NETNS", row->netns);
		memset(&error, 0, sizeof(error));
		r = wf_cni_env_read(&env, variables_get, &error);
		if ((r < 0) != (row->message != NULL) ||
		    (row->message && strncmp(error.msg, row->message, strlen(row->message)) != 0))
			fail_msg("row %zu: %d \"%s\"", i, r, error.msg);
		if (row->message)
			assert_int_equal(error.code, 4);
	}
}

static void test_long_id(void **state)
{
	char id[WF_CNI_ID_MAX + 2];

	memset(id, 'a', sizeof(id));
	id[WF_CNI_ID_MAX] = '\0';
	assert_true(wf_cni_is_identifier(id));
	id[WF_CNI_ID_MAX] = 'a';
	id[WF_CNI_ID_MAX + 1] = '\0';
	assert_false(wf_cni_is_identifier(id));
	assert_false(wf_cni_is_identifier(""));
}

static void test_override(void **state)
{
	static const struct {
		const char *text;
		bool on;
	} cases[] = { { NULL, false }, { "", false },  { "TRUE", true }, { "true", true },
		      { "1", true },   { "0", false }, { "yes", false } };
	struct wf_cni_error error;
	struct wf_cni_env env;

	variables_clear();
	variables_set("CNI_COMMAND", "VERSION");
	for (size_t i = 0; i < WF_ARRAY_LEN(cases); i++) {
		variables_set("CNI_NETNS_OVERRIDE", cases[i].text);
		assert_int_equal(wf_cni_env_read(&env, variables_get, &error), 0);
		assert_int_equal(env.netns_override, cases[i].on);
	}
}

static void test_netns(void **state)
{
	static const struct {
		const char *path;
		bool override;
		int code;
	} cases[] = {
		{ "/proc/self/ns/net", false, 8 },
		{ "/proc/self/ns/net", true, 4 },
		{ "/proc/thread-self/ns/net", true, 4 },
		{ "/nowhere/net", false, 8 },
		{ ".", false, 4 },
		{ "/proc/self", false, 0 },
		{ "/dev/null", false, 0 },
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(cases); i++) {
		struct wf_cni_env env = { .netns = cases[i].path,
					  .netns_override = cases[i].override };
		struct wf_cni_error error = { 0 };
		int r = wf_cni_env_check_netns(&env, &error);

		if (error.code != cases[i].code || (r < 0) != (cases[i].code != 0))
			fail_msg("%s: %d %s", cases[i].path, error.code, error.msg);
	}
	assert_true(wf_cni_is_own_netns("/proc/self/ns/net"));
	assert_false(wf_cni_is_own_netns("/proc/self/ns/mnt"));
	assert_false(wf_cni_is_own_netns("/nowhere"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_long_id),
		cmocka_unit_test(test_override),
		cmocka_unit_test(test_netns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
