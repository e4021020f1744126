/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a netkit device does with every row of the tables: the program runs as the container sends, and
 * what stays on the host is handed over to the filter behind it, which delivers without a second look.
 */
#include <linux/pkt_cls.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <bpf/bpf.h>

#include "base/mem.h"
#include "dp/dp.h"
#include "lab.h"
#include "rows.h"
#include "world_dp.h"

static struct wf_dp *dp;

/* One pass through the program. */
struct pass {
	bool is_sent; /* by the container; or received, by its host-side device */
	__u32 slot, gso, mark;
};

struct result {
	int action;
	__u32 mark;
	struct packet out;
};

static int set_up(void **state)
{
	struct world_maps maps;

	dp = world_dp_open(WORLD_SLOTS);
	maps = world_dp_maps(dp);
	world_fill(&maps);
	return 0;
}

static int tear_down(void **state)
{
	assert_int_equal(wf_dp_remove(LAB_BPF_DIR, NULL), 0);
	wf_dp_close(&dp);
	return 0;
}

static void run(const struct pass *pass, const struct packet *in, struct result *ret_result)
{
	struct __sk_buff skb = { .ifindex = WF_IFINDEX_BASE + pass->slot,
				 .gso_size = pass->gso,
				 .mark = pass->mark };
	LIBBPF_OPTS(bpf_test_run_opts, options);

	memset(ret_result, 0, sizeof(*ret_result));
	skb.ingress_ifindex = pass->is_sent ? 0 : skb.ifindex;
	options.data_in = in->bytes;
	options.data_size_in = (__u32)in->len;
	options.data_out = ret_result->out.bytes;
	options.data_size_out = sizeof(ret_result->out.bytes);
	options.ctx_in = options.ctx_out = &skb;
	options.ctx_size_in = options.ctx_size_out = sizeof(skb);
	options.repeat = 1;
	assert_int_equal(
		bpf_prog_test_run_opts(wf_dp_program_fd(dp, WF_DP_FROM_CONTAINER), &options), 0);
	ret_result->action = (int)options.retval;
	ret_result->mark = skb.mark;
	ret_result->out.len = options.data_size_out;
}

static void assert_same_packet(const struct row *row, const struct packet *one,
			       const struct packet *other)
{
	if (one->len != other->len || memcmp(one->bytes, other->bytes, one->len) != 0)
		fail_msg("%s: the packets differ", row->name);
}

static __u64 received(__u32 slot)
{
	struct wf_traffic_value traffic;

	assert_int_equal(wf_dp_traffic_read(dp, slot, &traffic), 0);
	return traffic.received.packets;
}

/* What was handed over reaches the receiver as it is, and is not counted again. */
static void check_handed(const struct row *row, const struct result *sent)
{
	const struct pass pass = { .slot = row->slot, .gso = row->gso, .mark = sent->mark };
	const __u32 to = row->to == TO_SELF ? row->slot : (__u32)row->to;
	const __u64 before = received(to);
	struct result result;

	assert_int_equal(sent->mark, WF_IFINDEX_BASE + to);
	run(&pass, &sent->out, &result);
	assert_int_equal(result.action, TC_ACT_REDIRECT);
	assert_int_equal(result.mark, 0);
	assert_same_packet(row, &result.out, &sent->out);
	assert_int_equal(received(to), before);
}

static void check_row(const struct row *row)
{
	const struct pass as_received = { .slot = row->slot, .gso = row->gso };
	const struct pass as_sent = { .slot = row->slot, .gso = row->gso, .is_sent = true };
	struct result plain, sent;
	struct packet in;

	packet_build(&row->in, &in);
	run(&as_received, &in, &plain);
	assert_int_equal(plain.action, row->reason ? TC_ACT_SHOT : TC_ACT_REDIRECT);
	assert_int_equal(plain.mark, 0);
	run(&as_sent, &in, &sent);
	assert_same_packet(row, &sent.out, &plain.out);
	if (row->reason || row->to == WF_SLOT_HOST) {
		assert_int_equal(sent.action, plain.action);
		assert_int_equal(sent.mark, 0);
		return;
	}
	assert_int_equal(sent.action, TC_ACT_OK);
	check_handed(row, &sent);
}

/* A container sends every packet of the tables by a netkit device. */
static void what_is_sent_is_decided_as_what_is_received(void **state)
{
	size_t handed = 0;

	for (size_t i = 0; i < row_table_count; i++)
		for (size_t j = 0; j < row_tables[i]->count; j++) {
			const struct row *row = &row_tables[i]->rows[j];

			if (row->egress || row->is_native_only || row->slot == WF_SLOT_HOST ||
			    row->slot == SLOT_FOREIGN)
				continue;
			check_row(row);
			handed += !row->reason && row->to != WF_SLOT_HOST;
		}
	assert_in_range(handed, 20, 1000);
}

static const struct packet_spec spoofed = {
	.src_mac = 1, .dst_mac = 2, .src = "10.1.0.99", .dst = "10.1.0.12"
};

/* Nothing but the index of a host-side device is a mark that hands over. */
static void other_marks_hand_nothing_over(void **state)
{
	static const __u32 marks[] = { 1,
				       WF_IFINDEX_BASE - 1,
				       WF_IFINDEX_BASE + WF_MAX_SLOTS,
				       WF_MARK_MASQUERADE,
				       WF_MARK_SEALED,
				       0x80000000 };
	struct pass pass = { .slot = 1, .mark = WF_IFINDEX_BASE + 2 };
	struct result result;
	struct packet in;

	packet_build(&spoofed, &in);
	/* the control: it does */
	run(&pass, &in, &result);
	assert_int_equal(result.action, TC_ACT_REDIRECT);
	for (size_t i = 0; i < WF_ARRAY_LEN(marks); i++) {
		pass.mark = marks[i];
		run(&pass, &in, &result);
		assert_int_equal(result.action, TC_ACT_SHOT);
	}
}

/* Where a container sends, and at the host's own pair, senders could have set it. */
static void a_mark_of_the_sender_hands_nothing_over(void **state)
{
	const struct pass sent = { .slot = 1, .mark = WF_IFINDEX_BASE + 2, .is_sent = true };
	const struct pass host = { .slot = WF_SLOT_HOST, .mark = WF_IFINDEX_BASE + 2 };
	const struct packet_spec nowhere = { .src_mac = MAC_HOST,
					     .src = "192.0.2.1",
					     .dst = "10.1.0.99" };
	struct result result;
	struct packet in;

	packet_build(&spoofed, &in);
	run(&sent, &in, &result);
	assert_int_equal(result.action, TC_ACT_SHOT);
	packet_build(&nowhere, &in);
	run(&host, &in, &result);
	assert_int_equal(result.action, TC_ACT_SHOT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_sent_is_decided_as_what_is_received),
		cmocka_unit_test(other_marks_hand_nothing_over),
		cmocka_unit_test(a_mark_of_the_sender_hands_nothing_over),
	};

	lab_enter();
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
