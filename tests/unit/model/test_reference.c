/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docs/documents.md is what the table of kinds says. With WEFT_GOLDEN_UPDATE set it is written
 * instead.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/document.h"

static const char *path;

static const char head[] =
	"<!-- SPDX-License-Identifier: Apache-2.0 -->\n"
	"<!-- Written by tests/unit/model/test_reference.c from the table of kinds. -->\n"
	"# Documents\n"
	"\n"
	"What `weft apply` takes and `weft get` shows, as YAML or JSON: every kind with all of its\n"
	"fields. `weft get kinds -o json` has the same as JSON schema. A file may hold many documents\n"
	"between `---`; all of them are applied or none. `status` is written by weft and ignored when\n"
	"applied, but for `status.loadBalancer` of a Service and `status.addresses` of a Node; objects\n"
	"of which it says so are made by weft alone. Services, EndpointSlices, NetworkPolicies and\n"
	"CiliumNetworkPolicies live in namespaces and are named `NAMESPACE/NAME`.\n";

static void write_reference(struct wf_str *out)
{
	wf_str_add(out, head);
	for (const struct wf_kind *kind = wf_kind_all(); kind->name; kind++) {
		wf_str_add(out, "\n");
		assert_int_equal(wf_kind_markdown(kind->name, out), 0);
	}
}

static void update(const struct wf_str *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(wf_str_text(text), file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void test_up_to_date(void **state)
{
	_cleanup_str_ struct wf_str wanted = WF_STR_INIT, found = WF_STR_INIT;

	write_reference(&wanted);
	if (getenv("WEFT_GOLDEN_UPDATE"))
		update(&wanted);
	if (wf_file_read(path, 1 << 20, &found, NULL) < 0 ||
	    strcmp(wf_str_text(&found), wf_str_text(&wanted)) != 0)
		fail_msg("%s is not what the table of kinds says; run this test with "
			 "WEFT_GOLDEN_UPDATE=1 and look at the difference",
			 path);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_up_to_date),
	};

	if (argc != 2) {
		(void)fprintf(stderr, "usage: %s docs/documents.md\n", argv[0]);
		return 2;
	}
	path = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
