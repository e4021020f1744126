/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "lab.h"
#include "net/uplink.h"

struct row {
	const char *rules;
	bool is_present;
};

static const struct row rows[] = {
	{ "true", false },
	/* iptables-nft, both families: base chains of nftables */
	{ "iptables-nft -A FORWARD -s 10.0.0.0/8 -j DROP", true },
	{ "iptables-nft -P FORWARD DROP", true },
	{ "iptables-nft -L", false },
	{ "iptables-nft -A INPUT -s 10.0.0.0/8 -j DROP", false },
	{ "iptables-nft -N FORWARDED; iptables-nft -A FORWARDED -j DROP", false },
	{ "ip6tables-nft -A FORWARD -j ACCEPT", true },
	{ "ip6tables-nft -P FORWARD DROP", true },
	{ "ebtables-nft -A FORWARD -j DROP", false },
	/* iptables-legacy: tables of their own */
	{ "iptables-legacy -A FORWARD -s 10.0.0.0/8 -j DROP", true },
	{ "iptables-legacy -P FORWARD DROP", true },
	{ "iptables-legacy -A FORWARD -j ACCEPT; iptables-legacy -D FORWARD 1", false },
	{ "iptables-legacy -A INPUT -s 10.0.0.0/8 -j DROP; iptables-legacy -P INPUT DROP; "
	  "iptables-legacy -P INPUT ACCEPT",
	  false },
	{ "iptables-legacy -t mangle -A PREROUTING -j ACCEPT", false },
	{ "ip6tables-legacy -A FORWARD -s fd00::/8 -j DROP", true },
	{ "ip6tables-legacy -P FORWARD DROP", true },
	{ "ip6tables-legacy -L", false },
};

/* Tables end with their namespace, and a handle looks at the one it was opened in. */
static void test_rows(void **state)
{
	struct lab *lab = *state;

	if (!*lab_run(-1, "command -v iptables-nft")) {
		print_message("iptables is not installed\n");
		skip();
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool is_present = !rows[i].is_present;
		const char *output = lab_run(-1, "{ %s; } >/dev/null", rows[i].rules);

		if (strstr(output, "rror") || strstr(output, "not found"))
			fail_msg("%s: %s", rows[i].rules, output);
		lab_ok(lab, wf_net_firewall_present(lab->net, &is_present, &lab->err));
		if (is_present != rows[i].is_present)
			fail_msg("'%s': %d", rows[i].rules, is_present);
		(void)lab_run(-1, "for t in iptables-nft ip6tables-nft iptables-legacy "
				  "ip6tables-legacy; do $t -P FORWARD ACCEPT; $t -F; $t -X; done; "
				  "ebtables-nft -F");
	}
	for (int again = 0; again < 2; again++) {
		bool is_present = true;

		lab_ok(lab, wf_net_firewall_present(lab->net, &is_present, &lab->err));
		assert_false(is_present);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rows, lab_setup, lab_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
