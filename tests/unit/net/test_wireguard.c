/* SPDX-License-Identifier: Apache-2.0 */
/* A WireGuard device of whichever kind this host can have. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../from_text.h"
#include "base/addr.h"
#include "base/mem.h"
#include "lab.h"
#include "net/wireguard.h"

#define NAME "weft-wg0"

static struct wf_wg_peer peer(uint8_t number)
{
	struct wf_wg_peer result = { .endpoint = addr_of("192.0.2.1"), .port = 51820 };
	uint8_t private[WF_WG_KEY_BYTES];

	assert_int_equal(wf_net_wg_key_make(private, NULL), 0);
	assert_int_equal(wf_net_wg_key_public(private, result.key, NULL), 0);
	result.tunnel = addr_of("fd77:6566:7400::");
	result.tunnel.bytes[15] = number;
	return result;
}

static bool can(struct lab *lab, const struct wf_wg_device *device, uint32_t *ret_ifindex)
{
	int r = -EAGAIN;

	for (int i = 0; r == -EAGAIN && i < 200; i++)
		r = wf_net_wg_ensure(lab->net, device, ret_ifindex, &lab->err);
	if (r == -EOPNOTSUPP)
		print_message("skipped: %s\n", lab->err.message);
	else
		lab_ok(lab, r);
	return r != -EOPNOTSUPP;
}

static void check(struct lab *lab, const struct wf_wg_device *device)
{
	_cleanup_(wf_wg_state_done) struct wf_wg_state state = WF_WG_STATE_INIT;

	lab_ok(lab, wf_net_wg_read(lab->net, device->run_dir, NAME, &state, &lab->err));
	assert_memory_equal(state.key, device->key, sizeof(state.key));
	assert_int_equal(state.port, device->port);
	assert_int_equal(state.peer_count, device->peer_count);
	for (size_t i = 0; i < state.peer_count; i++) {
		assert_memory_equal(state.peers[i].key, device->peers[i].key, WF_WG_KEY_BYTES);
		assert_true(wf_addr_equal(&state.peers[i].tunnel, &device->peers[i].tunnel));
		assert_true(wf_addr_equal(&state.peers[i].endpoint, &device->peers[i].endpoint));
		assert_int_equal(state.peers[i].port, device->peers[i].port);
	}
}

/* How many addresses each of two peers has beside its own. */
static void check_bound(struct lab *lab, const char *run_dir, const size_t want[2])
{
	_cleanup_(wf_wg_state_done) struct wf_wg_state state = WF_WG_STATE_INIT;

	lab_ok(lab, wf_net_wg_read(lab->net, run_dir, NAME, &state, &lab->err));
	assert_int_equal(state.peer_count, 2);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(state.peers[i].bound_count, want[i]);
}

static void test_device(void **state)
{
	const struct wf_addr bound[] = { addr_of("10.5.0.2"), addr_of("fd50::2") };
	struct lab *lab = *state;
	char run_dir[] = "/tmp/weft-test-wg-XXXXXX", folder[64];
	struct wf_wg_peer peers[3] = { peer(1), peer(2), peer(3) };
	const struct wf_prefix prefix = lab_prefix("fd77:6566:7400::/48");
	struct wf_wg_device device = { .name = NAME,
				       .run_dir = mkdtemp(run_dir),
				       .port = 51820,
				       .mtu = 1420,
				       .address = addr_of("fd77:6566:7400::7"),
				       .peers = peers,
				       .peer_count = 3 };
	uint32_t ifindex = 0, again = 0;

	(void)lab_run(-1, "ip link set lo up");
	lab_ok(lab, wf_net_wg_key_make(device.key, &lab->err));
	if (!can(lab, &device, &ifindex))
		return;
	check(lab, &device);
	lab_assert_has(-1, "ip addr show dev " NAME, "inet6 fd77:6566:7400::7/128");
	lab_assert_has(-1, "ip link show dev " NAME, "mtu 1420");
	lab_assert_lacks(-1, "ip addr show dev " NAME, "fe80::");
	/* the same device, with other peers and another place of one */
	peers[0].port = 1234;
	device.peer_count = 2;
	lab_ok(lab, wf_net_wg_ensure(lab->net, &device, &again, &lab->err));
	assert_int_equal(again, ifindex);
	check(lab, &device);
	/* addresses go from one to the other, and to nobody */
	lab_ok(lab, wf_net_wg_bind(lab->net, run_dir, NAME, peers[0].key, bound, 2, &lab->err));
	check_bound(lab, run_dir, (size_t[]){ 2, 0 });
	lab_ok(lab, wf_net_wg_bind(lab->net, run_dir, NAME, peers[1].key, bound, 1, &lab->err));
	check_bound(lab, run_dir, (size_t[]){ 1, 1 });
	lab_ok(lab, wf_net_wg_bind(lab->net, run_dir, NAME, NULL, &bound[1], 1, &lab->err));
	check_bound(lab, run_dir, (size_t[]){ 0, 1 });
	/* the whole again: what is too much goes, what is missing comes */
	peers[0].bound = bound;
	peers[0].bound_count = 2;
	lab_ok(lab, wf_net_wg_ensure(lab->net, &device, &again, &lab->err));
	check_bound(lab, run_dir, (size_t[]){ 2, 0 });
	peers[0].bound_count = 1;
	lab_ok(lab, wf_net_wg_ensure(lab->net, &device, &again, &lab->err));
	check_bound(lab, run_dir, (size_t[]){ 1, 0 });
	check(lab, &device);
	/* the way there, and its end */
	lab_ok(lab, wf_net_wg_route(lab->net, &prefix, 0, &device.address, &lab->err));
	lab_assert_has(-1, "ip -6 route get fd77:6566:7400::1 2>&1", "No route to host");
	lab_ok(lab, wf_net_wg_route(lab->net, &prefix, ifindex, &device.address, &lab->err));
	lab_assert_has(-1, "ip -6 route get fd77:6566:7400::1",
		       "dev " NAME " proto 120 src fd77:6566:7400::7");
	lab_ok(lab, wf_net_wg_remove(lab->net, run_dir, NAME, &lab->err));
	lab_ok(lab, wf_net_wg_remove(lab->net, run_dir, NAME, &lab->err));
	lab_assert_lacks(-1, "ip link", NAME);
	lab_assert_has(-1, "ip -6 route get fd77:6566:7400::1 2>&1", "No route to host");
	lab_ok(lab, wf_net_wg_unroute(lab->net, &prefix, &lab->err));
	lab_assert_lacks(-1, "ip -6 route show table all", "fd77");
	assert_int_equal(wf_net_wg_read(lab->net, run_dir, NAME, &(struct wf_wg_state){ 0 }, NULL),
			 -ENODEV);
	(void)snprintf(folder, sizeof(folder), "%s/" WF_NET_WG_FOLDER, run_dir);
	(void)rmdir(folder);
	assert_int_equal(rmdir(run_dir), 0);
}

/* Two devices that are each other's peers say hello, over loopback. */
static void test_handshake(void **state)
{
	struct lab *lab = *state;
	char run_dir[] = "/tmp/weft-test-wg-XXXXXX", command[64];
	struct wf_wg_peer peers[2] = { peer(1), peer(2) };
	struct wf_wg_device devices[2];
	uint64_t met = 0;
	uint32_t ifindex;

	(void)lab_run(-1, "ip link set lo up");
	assert_non_null(mkdtemp(run_dir));
	for (size_t i = 0; i < 2; i++) {
		devices[i] = (struct wf_wg_device){ .name = i ? "weft-wg1" : NAME,
						    .run_dir = run_dir,
						    .port = (uint16_t)(51820 + i),
						    .mtu = 1420,
						    .address = peers[i].tunnel,
						    .peers = &peers[!i],
						    .peer_count = 1 };
		lab_ok(lab, wf_net_wg_key_make(devices[i].key, &lab->err));
		lab_ok(lab, wf_net_wg_key_public(devices[i].key, peers[i].key, &lab->err));
		peers[i].endpoint = addr_of("127.0.0.1");
		peers[i].port = devices[i].port;
	}
	peers[1].keepalive_s = 1;
	for (size_t i = 2; i-- > 0;)
		if (!can(lab, &devices[i], &ifindex))
			return;
	for (int try = 0; !met && try < 100; try++) {
		_cleanup_(wf_wg_state_done) struct wf_wg_state now = WF_WG_STATE_INIT;

		(void)usleep(100000);
		lab_ok(lab, wf_net_wg_read(lab->net, run_dir, "weft-wg1", &now, &lab->err));
		met = now.peers[0].handshake_s;
	}
	assert_int_not_equal(met, 0);
	/* asking again changes nothing: the session stays */
	lab_ok(lab, wf_net_wg_ensure(lab->net, &devices[1], &ifindex, &lab->err));
	for (size_t i = 0; i < 2; i++)
		lab_ok(lab, wf_net_wg_remove(lab->net, run_dir, devices[i].name, &lab->err));
	(void)snprintf(command, sizeof(command), "rm -r %s", run_dir);
	(void)lab_run(-1, "%s", command);
}

static void test_foreign_device(void **state)
{
	struct lab *lab = *state;
	struct wf_wg_device device = { .name = NAME, .run_dir = "/tmp", .mtu = 1420 };
	uint32_t ifindex;

	(void)lab_run(-1, "ip link add " NAME " type veth peer name other");
	assert_int_equal(wf_net_wg_ensure(lab->net, &device, &ifindex, &lab->err), -EEXIST);
	lab_ok(lab, wf_net_wg_remove(lab->net, "/tmp", NAME, &lab->err));
	lab_assert_has(-1, "ip link", NAME);
	(void)lab_run(-1, "ip link del " NAME);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_device, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_handshake, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_foreign_device, lab_setup, lab_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
