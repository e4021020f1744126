/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sockaddr.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* As inet_pton(3) has it. */
static void test_both_families(void **state)
{
	union wf_sockaddr sockaddr;
	struct wf_addr addr, back;
	struct in6_addr six;
	struct in_addr four;

	(void)state;
	assert_int_equal(wf_addr_parse("192.0.2.7", &addr), 0);
	assert_int_equal(wf_sockaddr_set(&sockaddr, &addr, 8080), sizeof(struct sockaddr_in));
	assert_int_equal(inet_pton(AF_INET, "192.0.2.7", &four), 1);
	assert_int_equal(sockaddr.ip4.sin_family, AF_INET);
	assert_int_equal(sockaddr.ip4.sin_port, htons(8080));
	assert_int_equal(sockaddr.ip4.sin_addr.s_addr, four.s_addr);
	back = wf_sockaddr_addr(&sockaddr);
	assert_true(wf_addr_equal(&back, &addr));
	assert_int_equal(wf_sockaddr_port(&sockaddr), 8080);

	assert_int_equal(wf_addr_parse("2001:db8::7", &addr), 0);
	assert_int_equal(wf_sockaddr_set(&sockaddr, &addr, 0), sizeof(struct sockaddr_in6));
	assert_int_equal(inet_pton(AF_INET6, "2001:db8::7", &six), 1);
	assert_int_equal(sockaddr.ip6.sin6_family, AF_INET6);
	assert_memory_equal(&sockaddr.ip6.sin6_addr, &six, sizeof(six));
	assert_int_equal(sockaddr.ip6.sin6_scope_id, 0);
	back = wf_sockaddr_addr(&sockaddr);
	assert_true(wf_addr_equal(&back, &addr));
	assert_int_equal(wf_sockaddr_port(&sockaddr), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_both_families) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
