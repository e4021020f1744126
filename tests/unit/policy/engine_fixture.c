/* SPDX-License-Identifier: Apache-2.0 */
#include "engine_fixture.h"

#include <netinet/in.h>

struct lab lab;

int engine_setup(void **state)
{
	struct wf_labels labels = lab_labels("role=edge");
	struct wf_addr self[] = { lab_addr("172.16.0.1"), lab_addr("fd01::1") };
	struct wf_addr other[] = { lab_addr("172.16.0.2") };

	(void)state;
	lab_init(&lab, 64, 1024);
	assert_int_equal(
		wf_policy_engine_node_put(lab.engine, "here", true, &labels, self, 2, NULL), 0);
	assert_int_equal(
		wf_policy_engine_node_put(lab.engine, "there", false, NULL, other, 1, NULL), 0);
	wf_labels_done(&labels);
	assert_int_equal(lab_member(&lab, 1, "shop", "app=web"), 0);
	assert_int_equal(lab_member(&lab, 2, "shop", "app=db"), 0);
	assert_int_equal(lab_member(&lab, 3, "bank", "app=web"), 0);
	assert_int_equal(lab_member(&lab, 4, "bank", ""), 0);
	return 0;
}

int engine_teardown(void **state)
{
	(void)state;
	lab_done(&lab);
	return 0;
}

enum wf_policy_verdict tcp(enum wf_policy_dir dir, uint32_t subject, uint32_t peer,
			   const char *addr, uint16_t port)
{
	uint32_t rule;
	enum wf_policy_verdict verdict =
		lab_judge(&lab, dir, subject, peer, addr, IPPROTO_TCP, port, &rule);
	struct wf_policy_party of_subject = { subject, lab_addr(addr), lab.scope };
	struct wf_policy_party of_peer = { peer, lab_addr(addr), lab.scope };
	struct wf_policy_answer answer;

	wf_policy_engine_ask(lab.engine, dir, dir == OUT ? &of_subject : &of_peer,
			     dir == OUT ? &of_peer : &of_subject, IPPROTO_TCP, port, &answer);
	if (subject != peer) {
		assert_int_equal(answer.verdict, verdict);
		assert_int_equal(answer.rule, rule);
	}
	return verdict;
}

struct wf_policy closed(const char *subject)
{
	struct wf_policy policy = lab_policy(WF_TIER_NETWORK, 0);

	lab_isolate(lab_section(&policy, subject), IN, true);
	return policy;
}
