/* SPDX-License-Identifier: Apache-2.0 */
/* Events as lines: words, brackets, and nothing that could steer a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "cli/event.h"

static const struct {
	const char *event;
	const char *line;
} rows[] = {
	{ "{\"time\":\"2026-11-21T07:38:45Z\",\"type\":\"drop\",\"network\":\"blue\","
	  "\"source\":{\"address\":\"10.64.0.5\",\"port\":40000,\"name\":\"web\"},"
	  "\"destination\":{\"address\":\"10.65.0.6\",\"port\":5432,\"name\":\"db\"},"
	  "\"protocol\":\"TCP\",\"bytes\":74,\"tcpFlags\":18,"
	  "\"reason\":{\"label\":\"x\",\"text\":\"they are isolated\",\"hint\":\"attach both\"}}",
	  "07:38:45 DROP  [blue] web(10.64.0.5:40000) -> db(10.65.0.6:5432) TCP SYN|ACK 74 bytes: "
	  "they are isolated (attach both)" },
	{ "{\"time\":\"2026-11-21T07:38:45Z\",\"type\":\"first\","
	  "\"source\":{\"address\":\"fd00::5\",\"port\":1},\"destination\":{\"name\":\"host\"},"
	  "\"protocol\":\"ICMPv6\",\"icmpType\":128,\"icmpCode\":0}",
	  "07:38:45 FIRST [fd00::5]:1 -> host ICMPv6 echo request" },
	{ "{\"time\":\"T1Z\",\"type\":\"first\",\"protocol\":\"ICMP\",\"icmpType\":3,\"icmpCode\":1}",
	  "1 FIRST ? -> ? ICMP unreachable code 1" },
	{ "{\"time\":\"T1Z\",\"type\":\"first\",\"protocol\":\"ICMP\",\"icmpType\":200}",
	  "1 FIRST ? -> ? ICMP type 200 code 0" },
	{ "{\"time\":\"T1Z\",\"type\":\"drop\",\"protocol\":\"0x88cc\"}",
	  "1 DROP  ? -> ? ethertype 0x88cc" },
	{ "{\"time\":\"T1Z\",\"type\":\"drop\",\"protocol\":\"200\"}",
	  "1 DROP  ? -> ? protocol 200" },
	{ "{\"time\":\"\\u001b[2J\",\"type\":\"dr\\nop\",\"network\":\"\\u009b\","
	  "\"source\":{\"name\":\"\\u202e\\u0007\"},\"reason\":{\"text\":\"\\r\",\"hint\":\"\\t\"}}",
	  "\\x1b[2J dr\\x0aop [\\xc2\\x9b] \\xe2\\x80\\xae\\x07 -> ? ?: \\x0d (\\x09)" },
	{ "{\"time\":\"T1Z\",\"type\":\"first\",\"source\":{\"address\":\"10.1.0.5\",\"port\":41000},"
	  "\"destination\":{\"address\":\"10.96.0.10\",\"port\":80},\"protocol\":\"TCP\","
	  "\"translated\":{\"address\":\"10.1.0.7\",\"port\":8080,\"direction\":\"dst\"}}",
	  "1 FIRST 10.1.0.5:41000 -> 10.96.0.10:80 => 10.1.0.7:8080 TCP" },
	{ "{\"time\":\"T1Z\",\"type\":\"first\",\"source\":{\"address\":\"fd00::5\",\"port\":41000},"
	  "\"destination\":{\"address\":\"2001:db8::1\",\"port\":443},\"protocol\":\"UDP\","
	  "\"translated\":{\"address\":\"2001:db8::9\",\"port\":1024,\"direction\":\"src\"}}",
	  "1 FIRST [fd00::5]:41000 => [2001:db8::9]:1024 -> [2001:db8::1]:443 UDP" },
	{ "{\"time\":\"T1Z\",\"type\":\"first\",\"translated\":{\"direction\":\"up\"}}",
	  "1 FIRST ? -> ? ?" },
	{ "{\"type\":\"lost\",\"count\":7}", "-- 7 events lost: this reader is too slow" },
	{ "{}", "? ? ? -> ? ?" },
	{ "{\"type\":5,\"source\":[],\"destination\":\"x\",\"reason\":[],\"bytes\":\"9\"}",
	  "? ? ? -> ? ?" },
};

static void test_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < WF_ARRAY_LEN(rows); i++) {
		_cleanup_json_ json_t *event = json_loads(rows[i].event, 0, NULL);
		_cleanup_str_ struct wf_str line = WF_STR_INIT;

		assert_non_null(event);
		wf_cli_event_add(event, false, &line);
		assert_string_equal(wf_str_text(&line), rows[i].line);
	}
}

static void test_color(void **state)
{
	_cleanup_json_ json_t *event = json_pack("{s:s, s:s}", "type", "drop", "time", "x");
	_cleanup_str_ struct wf_str line = WF_STR_INIT;

	(void)state;
	wf_cli_event_add(event, true, &line);
	assert_non_null(strstr(line.data, "\033[31mDROP \033[0m "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_color),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
