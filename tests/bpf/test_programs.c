/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every row of the tables through the shipped object, by BPF_PROG_TEST_RUN: verdict, packet out,
 * counters and events. Each row runs unobserved first, then observed.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bpf/bpf.h>

#include "base/mem.h"
#include "base/reason.h"
#include "dp/dp.h"
#include "lab.h"
#include "rows.h"
#include "world_dp.h"

/* The kernel refuses shorter frames. */
#define MIN_FRAME 14

static struct wf_dp *dp;

/* What one run left behind. */
struct outcome {
	int action;
	struct packet out;
	struct wf_counter drops[WF_REASON_COUNT];
	struct wf_traffic_value traffic[WORLD_SLOTS];
	struct wf_event event; /* the last one */
	unsigned int events;
};

static void observe(__u32 what)
{
	const struct wf_config_value config = { .observe = what,
						.host_ifindex = WORLD_HOST_DEVICE };

	assert_int_equal(wf_dp_config_set(dp, &config, NULL), 0);
}

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

static void keep_event(const struct wf_event *event, void *context)
{
	struct outcome *outcome = context;

	outcome->event = *event;
	outcome->events++;
}

static void read_counters(struct outcome *outcome)
{
	assert_int_equal(wf_dp_drops_read(dp, outcome->drops), 0);
	for (unsigned int slot = 0; slot < WORLD_SLOTS; slot++)
		assert_int_equal(wf_dp_traffic_read(dp, slot, &outcome->traffic[slot]), 0);
}

/* Runs a packet through a program; returns 0 or the errno of the test run. */
static int run_packet(const struct row *row, const struct packet *in, struct outcome *ret_outcome)
{
	enum wf_dp_program program = row->egress ? WF_DP_TO_CONTAINER : WF_DP_FROM_CONTAINER;
	struct __sk_buff context = { .gso_size = row->gso };
	LIBBPF_OPTS(bpf_test_run_opts, options);

	/* 1 is the loopback device, what the kernel takes when nothing is said */
	if (row->slot != SLOT_FOREIGN)
		context.ifindex = context.ingress_ifindex = WF_IFINDEX_BASE + row->slot;
	options.data_in = in->bytes;
	options.data_size_in = (__u32)in->len;
	options.data_out = ret_outcome->out.bytes;
	options.data_size_out = sizeof(ret_outcome->out.bytes);
	options.ctx_in = &context;
	options.ctx_size_in = sizeof(context);
	options.repeat = 1;
	if (bpf_prog_test_run_opts(wf_dp_program_fd(dp, program), &options) < 0)
		return errno;
	ret_outcome->action = (int)options.retval;
	ret_outcome->out.len = options.data_size_out;
	return 0;
}

static void run_row(const struct row *row, const struct packet *in, struct outcome *ret_outcome)
{
	struct outcome before = {};

	memset(ret_outcome, 0, sizeof(*ret_outcome));
	read_counters(&before);
	assert_int_equal(run_packet(row, in, ret_outcome), 0);
	read_counters(ret_outcome);
	for (unsigned int i = 0; i < WF_REASON_COUNT; i++)
		ret_outcome->drops[i].packets -= before.drops[i].packets;
	for (unsigned int slot = 0; slot < WORLD_SLOTS; slot++) {
		ret_outcome->traffic[slot].sent.packets -= before.traffic[slot].sent.packets;
		ret_outcome->traffic[slot].received.packets -=
			before.traffic[slot].received.packets;
		ret_outcome->traffic[slot].dropped.packets -= before.traffic[slot].dropped.packets;
	}
	assert_true(wf_dp_event_read(dp, keep_event, ret_outcome) >= 0);
}

static int wanted_action(const struct row *row)
{
	if (row->reason)
		return TC_ACT_SHOT;
	return row->egress ? TC_ACT_OK : TC_ACT_REDIRECT;
}

/* The slot that a packet is counted for as its sender's. */
static __u32 sender(const struct row *row)
{
	return row->egress ? WF_SLOT_HOST : row->slot;
}

static void check_counters(const struct row *row, const struct outcome *outcome)
{
	for (unsigned int i = 0; i < WF_REASON_COUNT; i++)
		if (outcome->drops[i].packets != (row->reason == i && i))
			fail_msg("%s: counted as %s %llu times", row->name, wf_reason_label(i),
				 (unsigned long long)outcome->drops[i].packets);
	for (unsigned int slot = 0; slot < WORLD_SLOTS; slot++) {
		const struct wf_traffic_value *traffic = &outcome->traffic[slot];
		bool passed = !row->reason && row->to != TO_SELF;

		if (traffic->dropped.packets != (row->reason && slot == row->slot) ||
		    traffic->sent.packets != (passed && slot == sender(row)) ||
		    traffic->received.packets != (passed && (int)slot == row->to))
			fail_msg("%s: slot %u counted %llu sent, %llu received, %llu dropped",
				 row->name, slot, (unsigned long long)traffic->sent.packets,
				 (unsigned long long)traffic->received.packets,
				 (unsigned long long)traffic->dropped.packets);
	}
}

static void check_outcome(const struct row *row, const struct packet *in,
			  const struct outcome *outcome)
{
	struct packet wanted = *in;

	if (outcome->action != wanted_action(row)) {
		for (unsigned int i = 0; i < WF_REASON_COUNT; i++)
			if (outcome->drops[i].packets)
				print_error("%s: dropped as %s\n", row->name, wf_reason_label(i));
		fail_msg("%s: action %d, not %d", row->name, outcome->action, wanted_action(row));
	}
	if (row->out)
		packet_build(row->out, &wanted);
	if (wanted.len != outcome->out.len ||
	    memcmp(wanted.bytes, outcome->out.bytes, wanted.len) != 0) {
		packet_write_pcap("wanted.pcap", &wanted);
		packet_write_pcap("got.pcap", &outcome->out);
		fail_msg("%s: the packet differs, see wanted.pcap and got.pcap", row->name);
	}
	check_counters(row, outcome);
}

static enum wf_hook hook_of(const struct row *row)
{
	if (row->egress)
		return WF_HOOK_TO_CONTAINER;
	return row->slot == WF_SLOT_HOST ? WF_HOOK_FROM_HOST : WF_HOOK_FROM_CONTAINER;
}

static void check_event(const struct row *row, const struct packet *in,
			const struct outcome *outcome)
{
	const struct wf_event *event = &outcome->event;

	/* an answered ARP or ND request is no flow */
	assert_int_equal(outcome->events, row->reason || row->to != TO_SELF);
	if (!outcome->events)
		return;
	assert_int_equal(event->type, row->reason ? WF_EVENT_DROP : WF_EVENT_FIRST);
	assert_int_equal(event->reason, row->reason);
	assert_int_equal(event->hook, hook_of(row));
	assert_true(event->time_ns > 0);
	assert_int_equal(event->len, in->len);
	if (row->slot != SLOT_FOREIGN)
		assert_int_equal(event->slot, row->slot);
	if (!row->reason && row->to >= 0)
		assert_int_equal(event->peer_slot, row->to);
}

static void forget_flows(void)
{
	static struct wf_flow_seen none[256];
	char path[] = LAB_PINS "/maps/wf_flow_filter";
	_cleanup_close_ int fd = bpf_obj_get(path);

	for (__u32 i = 0; i < WF_FLOW_FILTER_SLOTS; i++)
		assert_int_equal(bpf_map_update_elem(fd, &i, none, BPF_ANY), 0);
}

static void check_row(const struct row *row)
{
	struct outcome outcome;
	struct packet in;

	packet_build(&row->in, &in);
	observe(0);
	run_row(row, &in, &outcome);
	check_outcome(row, &in, &outcome);
	assert_int_equal(outcome.events, 0);
	observe(WF_OBSERVE_DROPS | WF_OBSERVE_FIRST);
	if (!row->reason)
		forget_flows();
	run_row(row, &in, &outcome);
	check_outcome(row, &in, &outcome);
	check_event(row, &in, &outcome);
}

static void check_table(const struct row_table *table)
{
	size_t count = 0;

	for (size_t i = 0; i < table->count; i++) {
		if (table->rows[i].is_native_only)
			continue;
		check_row(&table->rows[i]);
		count++;
	}
	print_message("%zu rows\n", count);
}

static void frames_and_arp(void **state)
{
	check_table(&rows_arp);
}

static void ipv4(void **state)
{
	check_table(&rows_ipv4);
}

static void ipv6(void **state)
{
	check_table(&rows_ipv6);
}

static void neighbour_discovery(void **state)
{
	check_table(&rows_nd);
}

static void from_the_host(void **state)
{
	check_table(&rows_host);
}

static void into_the_container(void **state)
{
	check_table(&rows_egress);
}

/*
 * What needs connections is provoked by the steps of test_services*.c, test_uplinks.c and
 * test_policy.c; what needs other nodes or routes by test_overlay.c, test_too_big.c, test_seal.c,
 * test_pretend.c and test_via.c of tests/unit/dp and from end to end.
 */
static bool is_about_connections(unsigned int reason)
{
	return reason >= WF_REASON_SERVICE_NO_PORT && reason <= WF_REASON_TUNNEL_PRETENDED;
}

/*
 * INTERNAL_ERROR comes when a helper fails for want of memory; tests/unit/dp provokes it.
 * MALFORMED_L2 needs a frame that neither a veth nor the test run lets through.
 */
static void every_reason_has_a_row(void **state)
{
	bool seen[WF_REASON_COUNT] = { [WF_REASON_NONE] = true, [WF_REASON_INTERNAL_ERROR] = true };
	bool in_kernel[WF_REASON_COUNT] = { [WF_REASON_NONE] = true,
					    [WF_REASON_INTERNAL_ERROR] = true,
					    [WF_REASON_MALFORMED_L2] = true };

	for (size_t i = 0; i < row_table_count; i++)
		for (size_t j = 0; j < row_tables[i]->count; j++) {
			seen[row_tables[i]->rows[j].reason] = true;
			in_kernel[row_tables[i]->rows[j].reason] |=
				!row_tables[i]->rows[j].is_native_only;
		}
	for (unsigned int i = 0; i < WF_REASON_COUNT; i++)
		if (!is_about_connections(i) && (!seen[i] || !in_kernel[i]))
			fail_msg("no row provokes %s", wf_reason_label(i));
}

static void too_short_a_frame_is_refused_by_the_kernel(void **state)
{
	const struct row row = { .slot = 1 };
	struct packet in = { .len = MIN_FRAME - 1 };
	struct outcome outcome;

	assert_int_equal(run_packet(&row, &in, &outcome), EINVAL);
}

static void host_not_ready_drops(void **state)
{
	const struct row row = { "outside",
				 .slot = 1,
				 .in.src_mac = 1,
				 .in.src = "10.1.0.11",
				 .in.dst = "192.0.2.1",
				 .reason = WF_REASON_NOT_READY };
	const struct wf_config_value no_host = { 0 };
	struct wf_ep_value host, fenced;
	struct outcome outcome;
	struct packet in;

	packet_build(&row.in, &in);
	assert_int_equal(wf_dp_config_set(dp, &no_host, NULL), 0);
	run_row(&row, &in, &outcome);
	check_outcome(&row, &in, &outcome);
	observe(0);
	assert_int_equal(wf_dp_endpoint_get(dp, WF_SLOT_HOST, &host), 0);
	fenced = host;
	fenced.flags = WF_EP_HOST;
	assert_int_equal(wf_dp_endpoint_set(dp, WF_SLOT_HOST, &fenced, NULL), 0);
	run_row(&row, &in, &outcome);
	check_outcome(&row, &in, &outcome);
	assert_int_equal(wf_dp_endpoint_set(dp, WF_SLOT_HOST, &host, NULL), 0);
}

static void run_first(const struct packet_spec *spec, unsigned int wanted_events)
{
	const struct row row = { .slot = 1 };
	struct outcome outcome;
	struct packet in;

	packet_build(spec, &in);
	run_row(&row, &in, &outcome);
	assert_int_equal(outcome.action, TC_ACT_REDIRECT);
	assert_int_equal(outcome.events, wanted_events);
}

static void first_packets_are_told_once(void **state)
{
	struct packet_spec spec = {
		.src_mac = 1, .dst_mac = 2, .src = "10.1.0.11", .dst = "10.1.0.12", .sport = 5000
	};

	forget_flows();
	observe(WF_OBSERVE_FIRST);
	run_first(&spec, 1);
	run_first(&spec, 0);
	/* a connection that begins anew is always told */
	spec.tcp_flags = 2;
	run_first(&spec, 1);
	run_first(&spec, 1);
	spec.tcp_flags = 0;
	run_first(&spec, 0);
	spec.sport = 5001;
	run_first(&spec, 1);
	forget_flows();
	run_first(&spec, 1);
	observe(WF_OBSERVE_DROPS);
	forget_flows();
	run_first(&spec, 0);
	observe(0);
}

static void events_show_the_packet(void **state)
{
	const struct row row = { "spoofed UDP",         .slot = 1,
				 .in.src_mac = 1,       .in.src = "10.1.0.13",
				 .in.dst = "10.1.0.12", .in.proto = 17,
				 .in.sport = 1111,      .in.dport = 53 };
	const struct wf_addr src = { .bytes = { [10] = 255, 255, 10, 1, 0, 13 } };
	const struct wf_addr dst = { .bytes = { [10] = 255, 255, 10, 1, 0, 12 } };
	struct outcome outcome;
	struct packet in;

	packet_build(&row.in, &in);
	observe(WF_OBSERVE_DROPS);
	run_row(&row, &in, &outcome);
	assert_int_equal(outcome.events, 1);
	assert_int_equal(outcome.event.network, 1);
	assert_int_equal(outcome.event.peer_slot, 2);
	assert_int_equal(outcome.event.proto, 17);
	assert_int_equal(outcome.event.ethertype, __builtin_bswap16(ETH_P_IP));
	assert_int_equal(outcome.event.sport, __builtin_bswap16(1111));
	assert_int_equal(outcome.event.dport, __builtin_bswap16(53));
	assert_memory_equal(&outcome.event.src, &src, sizeof(src));
	assert_memory_equal(&outcome.event.dst, &dst, sizeof(dst));
	observe(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_reason_has_a_row),
		cmocka_unit_test(frames_and_arp),
		cmocka_unit_test(ipv4),
		cmocka_unit_test(ipv6),
		cmocka_unit_test(neighbour_discovery),
		cmocka_unit_test(from_the_host),
		cmocka_unit_test(into_the_container),
		cmocka_unit_test(too_short_a_frame_is_refused_by_the_kernel),
		cmocka_unit_test(host_not_ready_drops),
		cmocka_unit_test(first_packets_are_told_once),
		cmocka_unit_test(events_show_the_packet),
	};

	lab_enter();
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
