/* SPDX-License-Identifier: Apache-2.0 */
/* Translated connections as rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/connection.h"

static void assert_cell(const json_t *item, const char *header, const char *want)
{
	_cleanup_str_ struct wf_str out = WF_STR_INIT;
	const struct wf_cli_column *column = wf_cli_connection_columns;

	while (column->header && strcmp(column->header, header) != 0)
		column++;
	assert_non_null(column->header);
	if (column->format)
		column->format(item, &out);
	else
		wf_cli_add_path(item, column->path, &out);
	assert_string_equal(wf_str_text(&out), want);
}

static const struct {
	const char *item;
	const char *connection;
} rows[] = {
	/* to a service: the destination becomes the backend */
	{ "{\"source\":{\"address\":\"10.1.0.5\",\"port\":41000,\"name\":\"web\"},"
	  "\"destination\":{\"address\":\"10.96.0.10\",\"port\":80},"
	  "\"translatedSource\":{\"address\":\"10.1.0.5\",\"port\":41000,\"name\":\"web\"},"
	  "\"translatedDestination\":{\"address\":\"10.1.0.7\",\"port\":8080}}",
	  "web(10.1.0.5:41000) -> 10.96.0.10:80 => 10.1.0.7:8080" },
	/* masquerade: the source becomes the host's */
	{ "{\"source\":{\"address\":\"10.1.0.5\",\"port\":41000},"
	  "\"destination\":{\"address\":\"192.0.2.1\",\"port\":443},"
	  "\"translatedSource\":{\"address\":\"198.51.100.1\",\"port\":1024},"
	  "\"translatedDestination\":{\"address\":\"192.0.2.1\",\"port\":443}}",
	  "10.1.0.5:41000 => 198.51.100.1:1024 -> 192.0.2.1:443" },
	{ "{\"source\":\"10.1.0.5:41000\",\"destination\":\"[fd00::1]:80\","
	  "\"translatedDestination\":\"[fd00::2]:8080\"}",
	  "10.1.0.5:41000 -> [fd00::1]:80 => [fd00::2]:8080" },
	{ "{\"source\":\"\\u001b[2J\"}", "\\x1b[2J -> ?" },
	{ "{\"source\":7,\"destination\":[]}", "? -> ?" },
};

static void test_connections(void **state)
{
	(void)state;
	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		_cleanup_json_ json_t *item = json_loads(rows[i].item, 0, NULL);

		assert_non_null(item);
		assert_cell(item, "CONNECTION", rows[i].connection);
	}
}

static void test_times(void **state)
{
	_cleanup_json_ json_t *item =
		json_loads("{\"ageMs\":119999,\"idleMs\":120000,\"expiresMs\":7200000,"
			   "\"flags\":[\"service\",\"hairpin\"]}",
			   0, NULL);
	_cleanup_json_ json_t *none = json_object();

	(void)state;
	assert_non_null(item);
	assert_cell(item, "AGE", "119s");
	assert_cell(item, "IDLE", "2m");
	assert_cell(item, "EXPIRES", "2h");
	assert_cell(item, "FLAGS", "service,hairpin");
	assert_cell(none, "AGE", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connections),
		cmocka_unit_test(test_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
