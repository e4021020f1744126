/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lab.h"

#define INGRESS 0x5eed0001
#define EGRESS  0x5eed0002

static void attach(struct lab *lab, const char *name)
{
	struct wf_net_link link;
	char names[256];

	(void)lab_run(-1, "ip link add %s type veth peer name %sp", name, name);
	lab_ok(lab, wf_net_link_find(lab->net, name, 0, &link, names, &lab->err));
	lab_ok(lab, wf_net_blocks_attach(lab->net, link.ifindex, INGRESS, EGRESS, &lab->err));
}

/* One filter for all devices of the block; replacing it is one message. */
static void test_block_program(void **state)
{
	struct lab *lab = *state;
	int first = lab_program(), second = lab_program();
	uint32_t id;

	assert_true(wf_net_block_set(lab->net, INGRESS, first, "weft", &lab->err) < 0);
	assert_int_equal(wf_net_block_get(lab->net, INGRESS, &id, &lab->err), -ENOENT);
	attach(lab, "dev0");
	assert_int_equal(wf_net_block_get(lab->net, INGRESS, &id, &lab->err), -ENOENT);
	lab_ok(lab, wf_net_block_set(lab->net, INGRESS, first, "weft", &lab->err));
	lab_ok(lab, wf_net_block_get(lab->net, INGRESS, &id, &lab->err));
	assert_int_equal(id, lab_program_id(first));
	assert_int_equal(wf_net_block_get(lab->net, EGRESS, &id, &lab->err), -ENOENT);
	attach(lab, "dev1");
	lab_assert_has(-1, "tc filter show dev dev1 ingress", "weft direct-action");
	lab_ok(lab, wf_net_block_set(lab->net, INGRESS, second, "weft", &lab->err));
	lab_ok(lab, wf_net_block_get(lab->net, INGRESS, &id, &lab->err));
	assert_int_equal(id, lab_program_id(second));
	/* replaced, not added */
	assert_null(strstr(strstr(lab_run(-1, "tc filter show block %u", INGRESS), "handle") + 1,
			   "handle"));
	(void)close(first);
	(void)close(second);
	/* the filter keeps the program, not our descriptor */
	lab_ok(lab, wf_net_block_get(lab->net, INGRESS, &id, &lab->err));
}

struct intruder {
	const char *command; /* $b: the block */
	int code;            /* of wf_net_block_get() afterwards */
};

/* Classic bytecode "return 0": what every kernel has. */
#define NOTHING "bpf bytecode '1,6 0 0 0' classid 1:1"

static const struct intruder intruders[] = {
	{ "tc filter add block $b prio 5 protocol all " NOTHING, -EUCLEAN },
	{ "tc filter add block $b prio 5 protocol ip " NOTHING, -EUCLEAN },
	{ "tc filter add block $b prio 1 protocol all handle 2 " NOTHING, -EUCLEAN },
	{ "tc filter add block $b prio 9 chain 3 protocol all " NOTHING, -EUCLEAN },
	{ "for p in 2 3 4; do tc filter add block $b prio $p protocol all " NOTHING "; done",
	  -EUCLEAN },
	/* in the very place of weft's */
	{ "tc filter replace block $b prio 1 protocol all handle 1 " NOTHING, -ENOENT },
	{ "tc filter del block $b; tc filter add block $b prio 1 protocol ip " NOTHING, -ENOENT },
	{ "tc filter del block $b", -ENOENT },
};

static void test_intruders_go(void **state)
{
	struct lab *lab = *state;
	int program = lab_program();
	char before[4096];
	uint32_t id;

	attach(lab, "dev0");
	lab_ok(lab, wf_net_block_set(lab->net, INGRESS, program, "weft", &lab->err));
	(void)snprintf(before, sizeof(before), "%s",
		       lab_run(-1, "tc filter show block %u", INGRESS));
	for (size_t i = 0; i < sizeof(intruders) / sizeof(intruders[0]); i++) {
		assert_string_equal(lab_run(-1, "b=%u; %s", INGRESS, intruders[i].command), "");
		if (wf_net_block_get(lab->net, INGRESS, &id, &lab->err) != intruders[i].code)
			fail_msg("'%s': %s", intruders[i].command, lab->err.message);
		lab_ok(lab, wf_net_block_set(lab->net, INGRESS, program, "weft", &lab->err));
		lab_ok(lab, wf_net_block_get(lab->net, INGRESS, &id, &lab->err));
		assert_int_equal(id, lab_program_id(program));
		assert_string_equal(lab_run(-1, "tc filter show block %u", INGRESS), before);
	}
	(void)close(program);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_block_program, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_intruders_go, lab_setup, lab_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
