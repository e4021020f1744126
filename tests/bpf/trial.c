/* SPDX-License-Identifier: Apache-2.0 */
#include "trial.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <net/if.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <weft/abi/reason.h>

#include "dp/conn.h"
#include "dp/lb.h"
#include "engine_lab.h"
#include "lab.h"
#include "native/wire.h"
#include "packet.h"
#include "rules.h"
#include "world.h"

#define NETWORK     1
#define FIRST_SPORT 20000
#define CONNECTIONS 262144 /* none is used again within a second */
#define WINDOW      200    /* connections, then all are forgotten */
#define SYN         2

/* Who sends, and where weft sees it. */
struct way {
	enum wf_dp_program program;
	__u32 ifindex;
	__u16 from_mac, to_mac; /* brief */
	int passes;             /* the action of a packet that may pass */
};

struct wf_dp *trial_dp;
static __u32 uplink;
static struct wf_counter drops_before[WF_REASON_COUNT];
static struct trial_question asked[WINDOW]; /* since all were forgotten */
static size_t asked_count;

/* ---- devices ------------------------------------------------------------------------------- */

int trial_set_up(void **state)
{
	const struct wf_dp_sizes sizes = { .connections = CONNECTIONS };
	struct wf_err err = WF_ERR_INIT;

	/* both ends of a pair are slots: nothing is ever sent */
	for (__u32 slot = 0; slot < TRIAL_SLOTS; slot += 2)
		lab_run("ip link add wf%u index %u type veth peer name wf%u index %u", slot,
			WF_IFINDEX_BASE + slot, slot + 1, WF_IFINDEX_BASE + slot + 1);
	lab_run("ip link add uplink address 02:00:00:00:ff:01 type veth peer name outside && "
		"ip link set uplink up && ip link set outside up");
	uplink = if_nametoindex("uplink");
	if (wf_dp_open(LAB_BPF_DIR, &sizes, &trial_dp, &err) < 0)
		fail_msg("%s", err.message);
	return 0;
}

int trial_tear_down(void **state)
{
	wf_dp_close(&trial_dp);
	return wf_dp_remove(LAB_BPF_DIR, NULL);
}

/* ---- the world ----------------------------------------------------------------------------- */

static void forget_address(const struct wf_addr_key *key, const struct wf_addr_value *value,
			   void *context)
{
	assert_int_equal(wf_dp_address_clear(trial_dp, key->network, &key->addr), 0);
}

static void put_address(__u32 network, const struct wf_addr *addr, __u32 slot, __u32 flags)
{
	const struct wf_addr_value value = { .slot = slot, .flags = flags };

	assert_int_equal(wf_dp_address_set(trial_dp, network, addr, &value, NULL), 0);
}

static void put_endpoint(const json_t *endpoint)
{
	struct oracle_party party = { .endpoint = endpoint };
	const json_t *addresses = json_object_get(endpoint, "addresses");
	__u32 slot = lab_slot(&party);
	struct wf_ep_value value = { .flags = WF_EP_READY,
				     .network = NETWORK,
				     .ifindex = WF_IFINDEX_BASE + slot };

	assert_in_range(slot, 1, TRIAL_SLOTS - 1);
	packet_mac((__u16)slot, value.mac);
	for (size_t i = 0; i < json_array_size(addresses); i++) {
		struct wf_addr addr = lab_addr(json_string_value(json_array_get(addresses, i)));
		__u32 flag = wf_addr_is_ip4(&addr) ? WF_EP_IPV4 : WF_EP_IPV6;

		if (value.flags & flag)
			value.flags |= WF_EP_MORE_ADDRS;
		else if (flag == WF_EP_IPV4)
			value.ip4 = addr;
		else
			value.ip6 = addr;
		value.flags |= flag;
		put_address(NETWORK, &addr, slot, 0);
		put_address(WF_NETWORK_HOST, &addr, slot, 0);
	}
	assert_int_equal(wf_dp_endpoint_set(trial_dp, slot, &value, NULL), 0);
}

/* The addresses of this node; others are somewhere outside. */
static void put_node(const json_t *node)
{
	const json_t *addresses = json_object_get(node, "addresses");
	struct wf_uplink_value value = { .l2_bytes = ETH_HLEN };

	for (size_t i = json_array_size(addresses); i-- > 0;) {
		struct wf_addr addr = lab_addr(json_string_value(json_array_get(addresses, i)));

		put_address(WF_NETWORK_HOST, &addr, WF_SLOT_HOST, WF_ADDR_HOST);
		if (wf_addr_is_ip4(&addr))
			value.ip4 = addr;
		else
			value.ip6 = addr;
	}
	assert_int_equal(wf_dp_uplink_set(trial_dp, uplink, &value, NULL), 0);
}

static void put_host(void)
{
	const struct wf_net_value network = { .flags = WF_NET_VALID | WF_NET_IPV4 | WF_NET_IPV6 };
	const struct wf_config_value config = { .host_ifindex = WORLD_HOST_DEVICE };
	struct wf_ep_value host = { .flags = WF_EP_READY | WF_EP_HOST, .ifindex = WF_IFINDEX_BASE };
	struct wf_net_value with_mac = network;

	packet_mac(MAC_HOST, host.mac);
	packet_mac(MAC_HOST, with_mac.gateway_mac);
	assert_int_equal(wf_dp_endpoint_set(trial_dp, WF_SLOT_HOST, &host, NULL), 0);
	assert_int_equal(wf_dp_network_set(trial_dp, NETWORK, &with_mac, NULL), 0);
	assert_int_equal(wf_dp_config_set(trial_dp, &config, NULL), 0);
}

void trial_enter(const json_t *world)
{
	const json_t *endpoints = json_object_get(world, "endpoints");
	const json_t *nodes = json_object_get(world, "nodes");

	rules_reset(trial_dp);
	for (__u32 slot = 0; slot < TRIAL_SLOTS; slot++)
		rules_subject(trial_dp, slot, 0, 0, 0);
	assert_int_equal(wf_dp_address_visit(trial_dp, forget_address, NULL, NULL), 0);
	for (__u32 slot = 1; slot < TRIAL_SLOTS; slot++)
		assert_int_equal(wf_dp_endpoint_clear(trial_dp, slot, NULL), 0);
	put_host();
	for (size_t i = 0; i < json_array_size(endpoints); i++)
		put_endpoint(json_array_get(endpoints, i));
	for (size_t i = 0; i < json_array_size(nodes); i++)
		if (json_is_true(json_object_get(json_array_get(nodes, i), "self")))
			put_node(json_array_get(nodes, i));
	trial_forget();
	assert_int_equal(wf_dp_drops_read(trial_dp, drops_before), 0);
}

/* ---- the engine ---------------------------------------------------------------------------- */

static int reach_rules(uint32_t count, void *context)
{
	return wf_dp_rules_reach(context, count);
}

static void trim_rules(uint32_t count, void *context)
{
	wf_dp_rules_trim(context, count);
}

struct wf_policy_memory trial_memory(void)
{
	struct wf_dp_policy_memory shared;

	assert_int_equal(wf_dp_policy_memory(trial_dp, &shared, NULL), 0);
	return (struct wf_policy_memory){ .subjects = shared.subjects,
					  .subject_count = WF_MAX_SLOTS,
					  .profiles = shared.profiles,
					  .profile_count = shared.profile_count,
					  .rules = shared.rules,
					  .rule_count = shared.rule_count,
					  .rules_reach = reach_rules,
					  .rules_trim = trim_rules,
					  .context = trial_dp };
}

static int write_pairs(const struct wf_policy_pair_key *keys, const struct wf_policy_run *runs,
		       size_t count, void *context, struct wf_err *err)
{
	return wf_dp_pairs_set(context, keys, runs, count, err);
}

static int write_prefix(uint32_t scope, const struct wf_prefix *prefix, uint32_t class_id,
			bool present, void *context, struct wf_err *err)
{
	return wf_dp_prefix_set(context, scope, prefix, class_id, present, err);
}

static int revise(void *context, struct wf_err *err)
{
	return wf_dp_policy_revise(context, err);
}

static int set_guard(uint32_t slot, bool guarded, void *context, struct wf_err *err)
{
	return wf_dp_guard_set(context, slot, guarded, err);
}

struct wf_policy_effects trial_effects(void)
{
	return (struct wf_policy_effects){ .pairs_set = write_pairs,
					   .prefix_set = write_prefix,
					   .revise = revise,
					   .guard_set = set_guard,
					   .context = trial_dp };
}

/* ---- asking -------------------------------------------------------------------------------- */

/* Errors belong to the packet that they quote; what neighbours say to each other is no traffic. */
static bool is_message(int family, int proto, int type)
{
	if (proto == IPPROTO_ICMP)
		return family == AF_INET && (type == 0 || type == 8 || type == 13);
	if (proto == IPPROTO_ICMPV6)
		return family == AF_INET6 && (type == 128 || type == 129);
	return proto != 0;
}

/* Addresses that no packet may have: no IPv6 address begins with 64 zeros, 255/8 is nobody's. */
static bool is_routed(const struct oracle_party *party)
{
	static const uint8_t zeros[8];

	if (party->family == AF_INET6)
		return memcmp(party->bytes, zeros, sizeof(zeros)) != 0;
	return party->bytes[0] != 255;
}

bool trial_can_ask(const struct trial_question *question)
{
	const struct oracle_party *src = question->src, *dst = question->dst;

	return src->family == dst->family && is_routed(src) && is_routed(dst) &&
	       lab_slot(src) != lab_slot(dst) &&
	       is_message(src->family, question->proto, question->port);
}

static struct way way_between(const struct oracle_party *src, const struct oracle_party *dst)
{
	__u32 from = lab_slot(src), to = lab_slot(dst);
	bool is_sender = src->endpoint != NULL, is_receiver = dst->endpoint != NULL;

	if (is_sender || is_receiver)
		return (struct way){ WF_DP_FROM_CONTAINER,
				     WF_IFINDEX_BASE + (is_sender ? from : WF_SLOT_HOST),
				     is_sender ? (__u16)from : MAC_HOST,
				     is_receiver ? (__u16)to : MAC_HOST, TC_ACT_REDIRECT };
	return (struct way){ to == WF_SLOT_HOST ? WF_DP_FROM_UPLINK : WF_DP_TO_UPLINK, uplink,
			     MAC_HOST, MAC_HOST, TC_ACT_UNSPEC };
}

/* The first packet of a connection that nobody has had yet; its bytes are good until the next call. */
static struct wf_dp_packet build(const struct trial_question *question, const struct way *way)
{
	static struct wire wire;
	static __u16 sport = FIRST_SPORT;
	bool is_icmp = question->proto == IPPROTO_ICMP || question->proto == IPPROTO_ICMPV6;
	struct wire_spec spec = { .src = question->src->address,
				  .dst = question->dst->address,
				  .proto = (uint8_t)question->proto,
				  .sport = sport,
				  .tcp_flags = SYN,
				  .payload = question->proto == IPPROTO_TCP ? 0 : 20 };

	if (is_icmp)
		spec.type = (uint8_t)question->port;
	else
		spec.dport = (uint16_t)question->port;
	sport = sport == 65535 ? FIRST_SPORT : sport + 1;
	wire_build(&spec, &wire);
	packet_mac(way->to_mac, wire.bytes);
	packet_mac(way->from_mac, wire.bytes + 6);
	return (struct wf_dp_packet){ .program = way->program,
				      .ifindex = way->ifindex,
				      .repeat = 1,
				      .bytes = wire.bytes,
				      .len = wire.len };
}

/* Whether the two have met without ports, which alone tell connections apart. */
static bool has_met(const struct trial_question *question)
{
	for (size_t i = 0; i < asked_count; i++) {
		const struct trial_question *other = &asked[i];

		if (other->proto == question->proto &&
		    ((other->src == question->src && other->dst == question->dst) ||
		     (other->src == question->dst && other->dst == question->src)))
			return true;
	}
	return false;
}

/* What is asked is the first packet of its connection, never an answer to another's. */
static void begin_connection(const struct trial_question *question)
{
	bool has_ports = question->proto == IPPROTO_TCP || question->proto == IPPROTO_UDP ||
			 question->proto == IPPROTO_SCTP;

	if (asked_count == WINDOW || (!has_ports && has_met(question)))
		trial_forget();
	asked[asked_count++] = *question;
}

static void ignore(const struct wf_event *event, void *context)
{
}

static enum oracle_verdict verdict_of(const struct wf_event_end *end)
{
	static const enum oracle_verdict verdicts[] = {
		[WF_POLICY_DENY] = ORACLE_DENY,
		[WF_POLICY_ALLOW] = ORACLE_ALLOW,
		[WF_POLICY_AUDIT] = ORACLE_AUDIT,
	};

	return end->profile == WF_POLICY_PROFILE_NONE ? ORACLE_ALLOW : verdicts[end->verdict];
}

static void trace(const struct wf_dp_packet *packet, struct wf_event *ret_event)
{
	struct wf_err err = WF_ERR_INIT;
	int r = wf_dp_trace(trial_dp, packet, ret_event, ignore, NULL, &err);

	if (r < 0)
		fail_msg("the question has no answer: %s", err.message);
}

void trial_ask(const struct trial_question *question, struct trial_answer *ret_answer)
{
	struct way way = way_between(question->src, question->dst);
	struct wf_dp_packet packet = build(question, &way);
	struct wf_event event;
	struct wf_err err = WF_ERR_INIT;
	int action;

	begin_connection(question);
	trace(&packet, &event);
	if (wf_dp_run(trial_dp, &packet, &action, NULL, &err) < 0)
		fail_msg("%s", err.message);
	if (action != way.passes && action != TC_ACT_SHOT)
		fail_msg("%s to %s: action %d", question->src->address, question->dst->address,
			 action);
	ret_answer->passes = action == way.passes;
	ret_answer->verdict[ORACLE_EGRESS] = verdict_of(&event.ends[WF_POLICY_EGRESS]);
	ret_answer->verdict[ORACLE_INGRESS] = verdict_of(&event.ends[WF_POLICY_INGRESS]);
	ret_answer->reason = event.reason;
}

static bool remove_all(const struct wf_dp_conn *conn, void *context)
{
	return true;
}

void trial_forget(void)
{
	assert_true(wf_dp_conn_visit(trial_dp, remove_all, NULL) >= 0);
	asked_count = 0;
}

void trial_drops(uint64_t *ret_by_policy, uint64_t *ret_others)
{
	struct wf_counter drops[WF_REASON_COUNT];

	assert_int_equal(wf_dp_drops_read(trial_dp, drops), 0);
	*ret_by_policy = *ret_others = 0;
	for (__u32 i = 0; i < WF_REASON_COUNT; i++) {
		__u64 count = drops[i].packets - drops_before[i].packets;

		if (i == WF_REASON_POLICY_EGRESS || i == WF_REASON_POLICY_INGRESS)
			*ret_by_policy += count;
		else
			*ret_others += count;
	}
}

/* ---- damage -------------------------------------------------------------------------------- */

struct search {
	struct wf_policy_pair_key key;
	struct wf_policy_run run;
};

static int look(const struct wf_policy_pair_key *key, const struct wf_policy_run *run,
		void *context)
{
	struct search *search = context;

	if (key->profile == search->key.profile && key->class_id == search->key.class_id)
		search->run = *run;
	return 0;
}

bool trial_flip(const struct trial_question *question, enum oracle_dir dir)
{
	struct way way = way_between(question->src, question->dst);
	struct wf_dp_packet packet = build(question, &way);
	__u32 wanted = WF_POLICY_AT(0, question->proto, question->port), *at = NULL;
	struct wf_policy_memory memory = trial_memory();
	struct wf_event_end end;
	struct wf_event event;
	struct search search;

	trace(&packet, &event);
	end = event.ends[dir == ORACLE_EGRESS ? WF_POLICY_EGRESS : WF_POLICY_INGRESS];
	if (end.profile == WF_POLICY_PROFILE_NONE)
		return false;
	search.key = (struct wf_policy_pair_key){ end.profile, end.class_id };
	search.run = memory.profiles[end.profile];
	assert_int_equal(wf_dp_pair_visit(trial_dp, look, &search, NULL), 0);
	for (__u32 i = 0; i < search.run.count; i++)
		if ((memory.rules[search.run.first + i].at & WF_POLICY_AT_START) <= wanted)
			at = &memory.rules[search.run.first + i].at;
	if (!at || *at >> WF_POLICY_AT_VERDICT == WF_POLICY_AUDIT)
		return false;
	*at ^= WF_POLICY_AT(WF_POLICY_ALLOW ^ WF_POLICY_DENY, 0, 0);
	return true;
}
