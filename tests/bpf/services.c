/* SPDX-License-Identifier: Apache-2.0 */
#include "services.h"

#include <arpa/inet.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bpf/bpf.h>

#include "base/addr.h"
#include "base/mem.h"
#include "base/reason.h"
#include "lab.h"
#include "packet.h"
#include "world.h"
#include "world_dp.h"

#define BOTH (WF_FRONTEND_INSIDE | WF_FRONTEND_OUTSIDE)

struct wf_dp *services_dp;
__u32 services_uplink;
__u32 services_mark;

static const struct {
	const char *addr;
	__u16 port;
	__u32 service;
	__u32 slot;
} backends[BACKEND_COUNT] = {
	[BACKEND_WEB] = { "10.1.0.12", 8080, 1, 2 },
	[BACKEND_WEB6] = { "fd01::12", 8080, 11, 2 },
	[BACKEND_DNS2] = { "10.1.0.12", 53, 2, 2 },
	[BACKEND_DNS3] = { "10.2.0.13", 53, 2, 3 },
	[BACKEND_SELF] = { "10.1.0.11", 8080, 4, 1 },
	[BACKEND_FAR] = { "203.0.113.9", 8080, 5, 0 },
	[BACKEND_BALANCED] = { "10.1.0.12", 8080, 7, 2 },
	[BACKEND_ALONE] = { "10.3.0.14", 80, 8, 4 },
	[BACKEND_STICKY2] = { "10.1.0.12", 80, 9, 2 },
	[BACKEND_STICKY3] = { "10.2.0.13", 80, 9, 3 },
	[BACKEND_DIRECT] = { "203.0.113.9", 8080, 10, 0 },
	[BACKEND_TUNNEL] = { "203.0.113.9", 4789, 14, 0 },
	[BACKEND_HOST] = { "192.0.2.1", 8080, 15, 0 },
};

static const struct {
	const char *addr;
	__u16 port;
	__u8 proto;
	__u32 service;
	enum services_backend first, second; /* 0: none */
	__u16 flags;
	__u8 algorithm;
	__u8 type;
} frontends[] = {
	{ "10.96.0.1", 80, IPPROTO_TCP, 1, BACKEND_WEB, 0, WF_FRONTEND_INSIDE, 0, 0 },
	{ "0.0.0.0", 30080, IPPROTO_TCP, 1, BACKEND_WEB, 0, BOTH, 0, WF_FRONTEND_NODE_PORT },
	{ "fd96::1", 80, IPPROTO_TCP, 11, BACKEND_WEB6, 0, WF_FRONTEND_INSIDE, 0, 0 },
	{ "::", 30080, IPPROTO_TCP, 11, BACKEND_WEB6, 0, BOTH, 0, WF_FRONTEND_NODE_PORT },
	{ "10.96.0.1", 53, IPPROTO_UDP, 2, BACKEND_DNS2, BACKEND_DNS3, WF_FRONTEND_INSIDE,
	  WF_LB_ROUND_ROBIN, 0 },
	{ "10.96.0.2", 80, IPPROTO_TCP, 3, 0, 0, WF_FRONTEND_INSIDE, 0, 0 },
	{ "10.96.0.2", 53, IPPROTO_UDP, 3, 0, 0, WF_FRONTEND_INSIDE, 0, 0 },
	{ "0.0.0.0", 30082, IPPROTO_TCP, 3, 0, 0, BOTH, 0, WF_FRONTEND_NODE_PORT },
	{ "10.96.0.3", 80, IPPROTO_TCP, 4, BACKEND_SELF, 0, WF_FRONTEND_INSIDE, 0, 0 },
	{ "10.96.0.4", 80, IPPROTO_TCP, 5, BACKEND_FAR, 0, WF_FRONTEND_INSIDE, 0, 0 },
	{ "0.0.0.0", 30084, IPPROTO_TCP, 5, BACKEND_FAR, 0, BOTH | WF_FRONTEND_SNAT, 0,
	  WF_FRONTEND_NODE_PORT },
	{ "0.0.0.0", 30085, IPPROTO_TCP, 6, 0, 0, BOTH | WF_FRONTEND_OUTSIDE_DROP, 0,
	  WF_FRONTEND_NODE_PORT },
	{ "198.51.100.7", 80, IPPROTO_TCP, 7, BACKEND_BALANCED, 0, BOTH | WF_FRONTEND_SOURCE_RANGES,
	  0, WF_FRONTEND_LOAD_BALANCER },
	{ "10.96.0.5", 80, IPPROTO_TCP, 8, BACKEND_ALONE, 0, WF_FRONTEND_INSIDE, 0, 0 },
	{ "0.0.0.0", 30086, IPPROTO_TCP, 8, BACKEND_ALONE, 0, BOTH, 0, WF_FRONTEND_NODE_PORT },
	{ "10.96.0.6", 80, IPPROTO_TCP, 9, BACKEND_STICKY2, BACKEND_STICKY3,
	  WF_FRONTEND_INSIDE | WF_FRONTEND_AFFINITY, 0, 0 },
	{ "198.51.100.17", 80, IPPROTO_TCP, 10, BACKEND_DIRECT, 0, BOTH | WF_FRONTEND_DSR, 0,
	  WF_FRONTEND_LOAD_BALANCER },
	{ "0.0.0.0", 30087, IPPROTO_UDP, 14, BACKEND_TUNNEL, 0, BOTH | WF_FRONTEND_SNAT, 0,
	  WF_FRONTEND_NODE_PORT },
	{ "10.96.0.1", 80, IPPROTO_SCTP, 1, BACKEND_WEB, 0, WF_FRONTEND_INSIDE, 0, 0 },
	{ "10.96.0.7", 80, IPPROTO_TCP, 15, BACKEND_HOST, 0, WF_FRONTEND_INSIDE, 0, 0 },
};

struct wf_backend_value *services_backend(enum services_backend number)
{
	struct wf_dp_lb_memory memory;

	lab_lb_memory(services_dp, &memory);
	return &memory.backends[number];
}

static void put_backends(void)
{
	for (__u32 number = 1; number < BACKEND_COUNT; number++) {
		struct wf_backend_value *value = services_backend(number);

		value->addr = lab_addr(backends[number].addr);
		value->port = htons(backends[number].port);
		value->service = backends[number].service;
		value->slot = backends[number].slot;
		value->flags = WF_BACKEND_VALID | WF_BACKEND_USABLE;
	}
}

/* Each frontend has a page of picks of its own. */
static void put_frontends(void)
{
	struct wf_dp_lb_memory memory;

	lab_lb_memory(services_dp, &memory);
	for (__u32 i = 0; i < sizeof(frontends) / sizeof(frontends[0]); i++) {
		__u32 size = (frontends[i].first ? 1U : 0U) + (frontends[i].second ? 1U : 0U);
		const struct wf_pick_run run = { i * WF_PICKS_PER_PAGE, size };
		const struct wf_frontend_key key = { .addr = lab_addr(frontends[i].addr),
						     .scope = WF_SCOPE_ANY,
						     .port = htons(frontends[i].port),
						     .proto = frontends[i].proto };
		const struct wf_frontend_value value = { .service = frontends[i].service,
							 .affinity_s = 60,
							 .inside = run,
							 .outside = run,
							 .flags = frontends[i].flags,
							 .algorithm = frontends[i].algorithm,
							 .type = frontends[i].type };
		const struct wf_addr_value seen = { .flags = WF_ADDR_SERVICE };

		memory.pages[i].backends[0] = frontends[i].first;
		memory.pages[i].backends[1] = frontends[i].second;
		assert_int_equal(wf_dp_frontends_set(services_dp, &key, &value, 1, NULL), 0);
		if (frontends[i].type != WF_FRONTEND_NODE_PORT)
			assert_int_equal(wf_dp_address_set(services_dp, WF_NETWORK_HOST, &key.addr,
							   &seen, NULL),
					 0);
	}
}

struct wf_range_value services_run_of_ports(void)
{
	return (struct wf_range_value){ .addr = lab_addr("0.0.0.0"),
					.target = lab_addr("10.2.0.13"),
					.slot = 3,
					.service = 12,
					.target_port = htons(9000),
					.first = 8000,
					.last = 8999,
					.proto = IPPROTO_TCP };
}

static void put_ranges(void)
{
	const struct wf_range_value ranges[] = {
		services_run_of_ports(),
		{ .addr = lab_addr("0.0.0.0"),
		  .target = lab_addr("10.3.0.14"),
		  .slot = 4,
		  .service = 13,
		  .target_port = htons(70),
		  .first = 7000,
		  .last = 7000,
		  .proto = IPPROTO_TCP },
	};
	struct wf_prefix admitted;
	uint32_t word;

	assert_int_equal(wf_dp_ranges_set(services_dp, ranges, 2, &word, NULL), 0);
	assert_int_equal(wf_prefix_parse("192.0.2.0/25", &admitted), 0);
	assert_int_equal(wf_dp_source_set(services_dp, 7, &admitted, true, NULL), 0);
}

static void put_uplink(void)
{
	const struct wf_uplink_value value = { .ip4 = lab_addr("192.0.2.1"),
					       .ip6 = lab_addr("2001:db8::1"),
					       .l2_bytes = 14 };
	const struct wf_addr_value host = { .flags = WF_ADDR_HOST };

	/* its MAC is MAC_HOST: what comes in is for the host */
	lab_run("ip link add uplink address 02:00:00:00:ff:01 type veth peer name outside && "
		"ip addr add 192.0.2.1/24 dev uplink && "
		"ip addr add 2001:db8::1/64 dev uplink nodad && "
		"ip link set uplink up && ip link set outside up && "
		"sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.uplink.forwarding=1 && "
		"ip route add default via 192.0.2.2 && "
		"ip neigh add 192.0.2.2 lladdr 02:00:00:00:aa:02 dev uplink nud permanent");
	services_uplink = if_nametoindex("uplink");
	assert_int_equal(wf_dp_uplink_set(services_dp, services_uplink, &value, NULL), 0);
	assert_int_equal(wf_dp_address_set(services_dp, WF_NETWORK_HOST, &value.ip4, &host, NULL),
			 0);
	assert_int_equal(wf_dp_address_set(services_dp, WF_NETWORK_HOST, &value.ip6, &host, NULL),
			 0);
}

static void put_network(__u32 number, const struct wf_net_value *value, void *context)
{
	struct wf_net_value masqueraded = *value;
	char text[16];

	if (number <= 2)
		masqueraded.flags |= WF_NET_MASQUERADE;
	(void)snprintf(text, sizeof(text), "10.%u.0.1", number);
	masqueraded.gateway4 = lab_addr(text);
	(void)snprintf(text, sizeof(text), "fd0%u::1", number);
	masqueraded.gateway6 = lab_addr(text);
	assert_int_equal(wf_dp_network_set(services_dp, number, &masqueraded, NULL), 0);
}

void services_configure(__u32 flags, __u32 observe)
{
	const struct wf_config_value config = { .host_ifindex = WORLD_HOST_DEVICE,
						.flags = flags,
						.observe = observe };

	assert_int_equal(wf_dp_config_set(services_dp, &config, NULL), 0);
}

int services_set_up(void **state)
{
	struct world_maps maps;

	services_dp = world_dp_open(WORLD_SLOTS);
	maps = world_dp_maps(services_dp);
	maps.network = put_network;
	world_fill(&maps);
	put_frontends();
	put_ranges();
	put_uplink();
	return 0;
}

int services_tear_down(void **state)
{
	wf_dp_close(&services_dp);
	return wf_dp_remove(LAB_BPF_DIR, NULL);
}

static bool remove_all(const struct wf_dp_conn *conn, void *context)
{
	return true;
}

int services_begin(void **state)
{
	put_backends();
	services_configure(WF_CONFIG_SERVICES, 0);
	return wf_dp_conn_visit(services_dp, remove_all, NULL) < 0;
}

__u32 services_live(void)
{
	struct wf_conn_state conns;

	wf_dp_conn_state(services_dp, &conns);
	return conns.live;
}

static int program_of(enum place place)
{
	switch (place) {
	case COMES_IN: return wf_dp_program_fd(services_dp, WF_DP_FROM_UPLINK);
	case GOES_OUT: return wf_dp_program_fd(services_dp, WF_DP_TO_UPLINK);
	case XDP_IN: return wf_dp_xdp_program_fd(services_dp, NULL);
	default: return wf_dp_program_fd(services_dp, WF_DP_FROM_CONTAINER);
	}
}

static void run(const struct step *step, const struct wire *in, struct wire *ret_out, int *action)
{
	bool is_inner = step->place == FROM || step->place == FROM_HOST;
	struct __sk_buff skb = {
		.ifindex = is_inner ? WF_IFINDEX_BASE + (step->place == FROM ? step->slot : 0)
				    : services_uplink,
		.mark = step->mark,
	};
	struct xdp_md xdp = { .data_end = (__u32)in->len, .ingress_ifindex = services_uplink };
	LIBBPF_OPTS(bpf_test_run_opts, options);

	skb.ingress_ifindex = skb.ifindex;
	options.data_in = in->bytes;
	options.data_size_in = (__u32)in->len;
	options.data_out = ret_out->bytes;
	options.data_size_out = sizeof(ret_out->bytes);
	options.repeat = 1;
	options.ctx_in = step->place == XDP_IN ? (void *)&xdp : (void *)&skb;
	options.ctx_size_in = step->place == XDP_IN ? sizeof(xdp) : sizeof(skb);
	if (step->place != XDP_IN) {
		options.ctx_out = &skb;
		options.ctx_size_out = sizeof(skb);
	}
	assert_int_equal(bpf_prog_test_run_opts(program_of(step->place), &options), 0);
	ret_out->len = options.data_size_out;
	*action = (int)options.retval;
	services_mark = skb.mark;
	if (step->place != XDP_IN && step->mark_out != ANY_MARK && skb.mark != step->mark_out)
		fail_msg("%s: mark %#x, not %#x", step->name, skb.mark, step->mark_out);
}

static void check_refusal(const struct step *step, const struct wire *in, const struct wire *out)
{
	size_t header = in->bytes[12] == 8 ? 20 : 40, from = header == 20 ? 12 : 8;
	size_t bytes = header == 20 ? 4 : 16;
	const uint8_t *was = in->bytes + 14, *is = out->bytes + 14;

	assert_memory_equal(is + from, was + from + bytes, bytes);
	assert_memory_equal(is + from + bytes, was + from, bytes);
	if (!wire_is_right(is, out->len - 14))
		fail_msg("%s: checksums of the refusal are wrong", step->name);
	if (step->in.proto == IPPROTO_TCP)
		assert_true(is[header + 13] & 4);
	else
		assert_int_equal(is[header], header == 20 ? 3 : 1);
}

static void check_out(const struct step *step, const struct wire *in, const struct wire *out)
{
	struct wire wanted = *in;
	uint8_t mac[6];

	if (step->is_refused) {
		check_refusal(step, in, out);
		return;
	}
	if (step->out.src)
		wire_build(&step->out, &wanted);
	if (wanted.len != out->len ||
	    memcmp(wanted.bytes + 12, out->bytes + 12, out->len - 12) != 0) {
		for (size_t i = 12; i < out->len && i < wanted.len; i++)
			if (wanted.bytes[i] != out->bytes[i])
				print_error("byte %zu: %02x, not %02x\n", i, out->bytes[i],
					    wanted.bytes[i]);
		fail_msg("%s: the packet differs", step->name);
	}
	if (!step->to_mac)
		return;
	packet_mac(step->to_mac, mac);
	assert_memory_equal(out->bytes, mac, 6);
}

int services_run(const struct step *step, struct wire *ret_in, struct wire *ret_out)
{
	int action;

	wire_build(&step->in, ret_in);
	packet_mac(MAC_HOST, ret_in->bytes);
	packet_mac(step->place == FROM ? (__u16)step->slot : MAC_HOST, ret_in->bytes + 6);
	run(step, ret_in, ret_out, &action);
	return action;
}

void services_step(const struct step *step)
{
	static struct wire in, out;
	struct wf_counter before[WF_REASON_COUNT], after[WF_REASON_COUNT];
	int action;

	assert_int_equal(wf_dp_drops_read(services_dp, before), 0);
	action = services_run(step, &in, &out);
	assert_int_equal(wf_dp_drops_read(services_dp, after), 0);
	for (__u32 i = 0; i < WF_REASON_COUNT; i++)
		if (after[i].packets - before[i].packets != (i && step->reason == i))
			fail_msg("%s: counted as %s %llu times", step->name, wf_reason_label(i),
				 (unsigned long long)(after[i].packets - before[i].packets));
	if (action != step->action)
		fail_msg("%s: action %d, not %d", step->name, action, step->action);
	if (step->is_refused || !step->reason)
		check_out(step, &in, &out);
}

void services_steps(const struct step *steps, size_t count)
{
	for (size_t i = 0; i < count; i++)
		services_step(&steps[i]);
}
