/* SPDX-License-Identifier: Apache-2.0 */
/*
 * With --firewall bypass: what containers send by the way that the host's routes name. A packet that
 * leaves has one hop less; its MACs are the kernel's business, or, while the way is remembered, the
 * program's.
 */
#include <net/if.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lab.h"
#include "packet.h"
#include "services.h"
#include "world.h"

#define SENDS "ip route replace default via 192.0.2.2"

/* What becomes of a packet. */
enum fate {
	TO_STACK,     /* as it is */
	TO_NEIGHBOUR, /* the kernel looks for its MAC */
	TO_MAC,       /* that of the neighbour 02:00:00:00:aa:XX */
};

static const struct step small = {
	"a small one", FROM, 1, { "10.1.0.11", "203.0.113.5", SERVICES_TCP, .dport = 443 }
};
static const struct step small6 = {
	"of IPv6", FROM, 1, { "fd01::11", "2001:db8:1::5", SERVICES_TCP, .dport = 443 }
};

static int begin(void **state)
{
	assert_int_equal(services_begin(state), 0);
	services_configure(WF_CONFIG_SERVICES | WF_CONFIG_BYPASS, 0);
	return 0;
}

static int set_up(void **state)
{
	(void)services_set_up(state);
	lab_run("ip link add weft0 index %u type veth peer name weft0p && ip link set weft0 up && "
		"ip link set weft0p up && ip route add 10.1.0.0/24 dev weft0 && "
		"sysctl -qw net.ipv4.conf.weft0.forwarding=1 net.ipv6.conf.all.forwarding=1 && "
		"ip route add default via 2001:db8::2 && "
		"ip neigh add 2001:db8::2 lladdr 02:00:00:00:aa:02 dev uplink nud permanent",
		WORLD_HOST_DEVICE);
	return 0;
}

/* Sends a packet once; mac: the last byte of the neighbour's. */
static enum fate fate_of(const struct step *step, uint8_t *ret_mac)
{
	static const uint8_t neighbours[5] = { 2, 0, 0, 0, 0xaa };
	static struct wire in, out;
	size_t ttl = strchr(step->in.src, ':') ? 14 + 7 : 14 + 8;

	assert_int_equal(services_run(step, &in, &out), TC_ACT_REDIRECT);
	assert_int_equal(out.len, in.len);
	assert_true(wire_is_right(out.bytes + 14, out.len - 14));
	*ret_mac = out.bytes[5];
	if (out.bytes[ttl] == in.bytes[ttl]) {
		assert_memory_equal(out.bytes + 6, in.bytes + 6, in.len - 6);
		return TO_STACK;
	}
	assert_int_equal(out.bytes[ttl], in.bytes[ttl] - 1);
	if (memcmp(out.bytes, neighbours, sizeof(neighbours)) == 0) {
		/* and the device's own as the source */
		assert_memory_equal(out.bytes + 6, "\2\0\0\0\xff\1", 6);
		return TO_MAC;
	}
	assert_memory_equal(out.bytes, in.bytes, 12);
	return TO_NEIGHBOUR;
}

/* Sends until it comes out like that. */
static void leaves(const struct step *step, enum fate fate, uint8_t mac)
{
	for (int i = 0; i < 500; i++) {
		uint8_t found_mac;
		enum fate found = fate_of(step, &found_mac);

		if (found == fate && (fate != TO_MAC || found_mac == mac))
			return;
		usleep(10000);
	}
	fail_msg("%s: never %d", step->name, fate);
}

static void every_moment_asks_again(void **state)
{
	const struct step *steps[] = { &small, &small6 };

	for (int i = 0; i < 2; i++) {
		leaves(steps[i], TO_NEIGHBOUR, 0);
		leaves(steps[i], TO_MAC, 2);
		leaves(steps[i], TO_NEIGHBOUR, 0);
		leaves(steps[i], TO_MAC, 2);
	}
}

static void routes_and_neighbours_that_change_are_followed(void **state)
{
	struct step large = small;
	uint8_t mac;

	large.in.payload = 1000;
	leaves(&small, TO_MAC, 2);
	lab_run("ip neigh replace 192.0.2.2 lladdr 02:00:00:00:aa:03 dev uplink nud permanent");
	leaves(&small, TO_MAC, 3);
	lab_run("ip neigh del 192.0.2.2 dev uplink");
	leaves(&small, TO_NEIGHBOUR, 0);
	for (int i = 0; i < 10; i++)
		assert_int_equal(fate_of(&small, &mac), TO_NEIGHBOUR);
	lab_run("ip neigh replace 192.0.2.2 lladdr 02:00:00:00:aa:02 dev uplink nud permanent");
	leaves(&small, TO_MAC, 2);
	lab_run("ip route del default");
	leaves(&small, TO_STACK, 0);
	lab_run(SENDS);
	leaves(&large, TO_MAC, 2);
	lab_run(SENDS " mtu lock 600");
	leaves(&large, TO_STACK, 0);
	/* remembered now, but not of the large one */
	leaves(&small, TO_MAC, 2);
	assert_int_equal(fate_of(&large, &mac), TO_STACK);
	lab_run(SENDS);
}

static void no_uplink_no_way(void **state)
{
	const struct wf_uplink_value value = { .ip4 = lab_addr("192.0.2.1"),
					       .ip6 = lab_addr("2001:db8::1"),
					       .l2_bytes = 14 };
	uint8_t mac;

	leaves(&small, TO_MAC, 2);
	assert_int_equal(wf_dp_uplink_set(services_dp, services_uplink, NULL, NULL), 0);
	leaves(&small, TO_STACK, 0);
	for (int i = 0; i < 10; i++)
		assert_int_equal(fate_of(&small, &mac), TO_STACK);
	assert_int_equal(wf_dp_uplink_set(services_dp, services_uplink, &value, NULL), 0);
	leaves(&small, TO_MAC, 2);
	services_configure(WF_CONFIG_SERVICES, 0);
	assert_int_equal(fate_of(&small, &mac), TO_STACK);
}

/* Whether what the container sends leaves as the uplink's own program would have made it. */
static bool leaves_done(const struct step *step, const struct wire_spec *out)
{
	static struct wire in, wanted, found;
	size_t ttl = strchr(out->src, ':') ? 14 + 7 : 14 + 8;
	struct step any = *step;

	any.mark_out = ANY_MARK;
	assert_int_equal(services_run(&any, &in, &found), TC_ACT_REDIRECT);
	assert_true(wire_is_right(found.bytes + 14, found.len - 14));
	if (services_mark != WF_MARK_NEAR) {
		assert_int_equal(services_mark, 0);
		return false;
	}
	wire_build(out, &wanted);
	assert_memory_equal(found.bytes, "\2\0\0\0\xaa\2\2\0\0\0\xff\1", 12);
	assert_int_equal(found.bytes[ttl], in.bytes[ttl] - 1);
	/* but for what a hop changes */
	found.bytes[ttl] = wanted.bytes[ttl];
	if (ttl == 14 + 8)
		memcpy(found.bytes + ttl + 2, wanted.bytes + ttl + 2, 2);
	assert_int_equal(found.len, wanted.len);
	assert_memory_equal(found.bytes + 12, wanted.bytes + 12, wanted.len - 12);
	return true;
}

/* Of two packets in a row the second finds the way remembered, whatever moment it is. */
static bool ever_leaves_done(const struct step *step, const struct wire_spec *out)
{
	for (int i = 0; i < 10; i++)
		if (leaves_done(step, out))
			return true;
	return false;
}

/* A packet that the uplink sends, or receives, once; and those of the connection from then on. */
struct known {
	struct step first;
	struct step then;
	struct wire_spec out;
};

static const struct known known[] = {
	{ { "masquerade",
	    GOES_OUT,
	    0,
	    { "10.1.0.11", "203.0.113.5", SERVICES_TCP, .dport = 443 },
	    GO_ON,
	    { TO_H, "203.0.113.5", SERVICES_TCP, .dport = 443 } },
	  { "of a container", FROM, 1, { "10.1.0.11", "203.0.113.5", SERVICES_TCP, .dport = 443 } },
	  { TO_H, "203.0.113.5", SERVICES_TCP, .dport = 443 } },
	{ { "of IPv6",
	    GOES_OUT,
	    0,
	    { "fd01::11", "2001:db8:1::5", SERVICES_UDP, .dport = 53 },
	    GO_ON,
	    { "2001:db8::1", "2001:db8:1::5", SERVICES_UDP, .dport = 53 } },
	  { "of a container", FROM, 1, { "fd01::11", "2001:db8:1::5", SERVICES_UDP, .dport = 53 } },
	  { "2001:db8::1", "2001:db8:1::5", SERVICES_UDP, .dport = 53 } },
	{ { "node port",
	    COMES_IN,
	    0,
	    { "203.0.113.9", TO_H, SERVICES_TCP, .dport = 30080 },
	    REDIRECT,
	    { "203.0.113.9", "10.1.0.12", SERVICES_TCP, .dport = 8080 } },
	  { "its answer",
	    FROM,
	    2,
	    { "10.1.0.12", "203.0.113.9", IPPROTO_TCP, 8080, 40000, .tcp_flags = 18 } },
	  { TO_H, "203.0.113.9", IPPROTO_TCP, 30080, 40000, .tcp_flags = 18 } },
};

static void what_is_known_leaves_as_it_shall_be(void **state)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		const struct known *one = &known[i];
		struct step out = { "the uplink's program", GOES_OUT, 0, one->out, GO_ON,
				    .mark = WF_MARK_NEAR };
		struct step other = one->then;

		assert_false(ever_leaves_done(&one->then, &one->out));
		services_step(&one->first);
		if (!ever_leaves_done(&one->then, &one->out))
			fail_msg("%s: never", one->first.name);
		services_step(&out);
		/* of another connection by the same way */
		other.in.sport++;
		assert_false(ever_leaves_done(&other, &one->out));
	}
}

static void what_somebody_has_to_see_goes_by_him(void **state)
{
	const __u32 flags = WF_CONFIG_SERVICES | WF_CONFIG_BYPASS;
	const struct known *one = &known[0];

	services_step(&one->first);
	assert_true(ever_leaves_done(&one->then, &one->out));
	services_configure(flags | WF_CONFIG_SEALS, 0);
	assert_false(ever_leaves_done(&one->then, &one->out));
	services_configure(flags, WF_OBSERVE_FIRST);
	assert_false(ever_leaves_done(&one->then, &one->out));
	services_configure(flags, WF_OBSERVE_DROPS);
	assert_true(ever_leaves_done(&one->then, &one->out));
	services_configure(WF_CONFIG_SERVICES, 0);
	assert_false(ever_leaves_done(&one->then, &one->out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_moment_asks_again, begin),
		cmocka_unit_test_setup(routes_and_neighbours_that_change_are_followed, begin),
		cmocka_unit_test_setup(no_uplink_no_way, begin),
		cmocka_unit_test_setup(what_is_known_leaves_as_it_shall_be, begin),
		cmocka_unit_test_setup(what_somebody_has_to_see_goes_by_him, begin),
	};

	lab_enter();
	return cmocka_run_group_tests(tests, set_up, services_tear_down);
}
