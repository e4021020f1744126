/* SPDX-License-Identifier: Apache-2.0 */
/* dp/lb.h in the kernel: sizes, frontends, published runs, sources, namespaces, uplinks, XDP. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>

#include <weft/abi/conn.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/mem.h"
#include "dp/lb.h"
#include "dp/policy.h"
#include "lab.h"

#define MAPS LAB_PINS "/maps"

static const struct wf_dp_sizes small = { .services = 100, .connections = 1000 };

static struct wf_dp *dp;

static struct wf_dp *open_with(const struct wf_dp_sizes *sizes)
{
	struct wf_err err = WF_ERR_INIT;
	struct wf_dp *opened = NULL;

	if (wf_dp_open(LAB_BPF_DIR, sizes, &opened, &err) < 0)
		fail_msg("%s", err.message);
	return opened;
}

static int set_up(void **state)
{
	dp = open_with(&small);
	return 0;
}

static int tear_down(void **state)
{
	wf_dp_close(&dp);
	assert_int_equal(wf_dp_remove(LAB_BPF_DIR, NULL), 0);
	return 0;
}

static uint32_t entries_of(const char *map)
{
	struct bpf_map_info info = {};
	uint32_t bytes = sizeof(info);
	_cleanup_close_ int fd = -1;
	char path[256];

	(void)snprintf(path, sizeof(path), MAPS "/%s", map);
	fd = bpf_obj_get(path);
	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &bytes), 0);
	return info.max_entries;
}

static unsigned long resident_kb(void)
{
	unsigned long kb = 0;
	char line[256];
	FILE *file = fopen("/proc/self/status", "re");

	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "VmRSS: %lu kB", &kb) == 1)
			break;
	(void)fclose(file);
	return kb;
}

static void assert_sizes(uint32_t services, uint32_t connections)
{
	struct wf_dp_lb_memory memory;
	struct wf_dp_sizes sizes;

	wf_dp_sizes(dp, &sizes);
	assert_int_equal(sizes.services, services);
	assert_int_equal(sizes.connections, connections);
	assert_int_equal(entries_of("wf_services"), services + 1);
	assert_int_equal(entries_of("wf_frontends"), services * WF_FRONTENDS_PER_SERVICE);
	assert_int_equal(entries_of("wf_conns"), connections);
	assert_int_equal(entries_of("wf_conn_index"), connections / WF_CONN_PER_BUCKET);
	assert_int_equal(entries_of("wf_conn_free"), connections);
	lab_lb_memory(dp, &memory);
	assert_int_equal(memory.service_count, services + 1);
	assert_int_equal(memory.backend_count, services * WF_BACKENDS_PER_SERVICE + 1);
	assert_int_equal(memory.page_count, services * WF_PICKS_PER_SERVICE / WF_PICKS_PER_PAGE);
	/* both ends are there */
	memory.pages[memory.page_count - 1].backends[15] = 7;
	memory.backends[memory.backend_count - 1].service = 7;
	memory.services[memory.service_count - 1].connections = 7;
}

static void tables_keep_the_size_they_were_made_with(void **state)
{
	const struct wf_dp_sizes other = { .services = 50, .connections = 5000 };

	assert_sizes(100, 1024);
	wf_dp_close(&dp);
	dp = open_with(&other);
	assert_true(wf_dp_adopted(dp));
	assert_sizes(100, 1024);
	wf_dp_close(&dp);
	/* one that is missing is made as large as the others of its kind */
	assert_int_equal(unlink(MAPS "/wf_picks"), 0);
	assert_int_equal(unlink(MAPS "/wf_conn_index"), 0);
	dp = open_with(&other);
	assert_false(wf_dp_adopted(dp));
	assert_sizes(100, 5000 > 4096 ? 8192 : 4096);
}

static void defaults_and_bounds(void **state)
{
	const struct wf_dp_sizes none = {};

	wf_dp_close(&dp);
	assert_int_equal(wf_dp_remove(LAB_BPF_DIR, NULL), 0);
	dp = open_with(&none);
	assert_sizes(WF_DEFAULT_SERVICES, WF_DEFAULT_CONNECTIONS);
}

/* The address table grows with the services, and one of an earlier size is kept. */
static void addresses_have_room_for_services(void **state)
{
	static const char *const sized[] = { "wf_frontends", "wf_picks", "wf_backends",
					     "wf_services" };
	const struct wf_dp_sizes many = { .services = WF_DEFAULT_SERVICES + 1000 };
	char path[128];

	wf_dp_close(&dp);
	assert_int_equal(wf_dp_remove(LAB_BPF_DIR, NULL), 0);
	dp = open_with(&many);
	assert_int_equal(entries_of("wf_addresses"),
			 WF_MAX_ADDRESSES + 1000 * WF_FRONTENDS_PER_SERVICE);
	wf_dp_close(&dp);
	assert_int_equal(wf_dp_remove(LAB_BPF_DIR, NULL), 0);
	dp = open_with(NULL);
	assert_int_equal(entries_of("wf_addresses"), WF_MAX_ADDRESSES);
	wf_dp_close(&dp);
	for (size_t i = 0; i < WF_ARRAY_LEN(sized); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", MAPS, sized[i]);
		assert_int_equal(unlink(path), 0);
	}
	dp = open_with(&many);
	assert_int_equal(entries_of("wf_services"), many.services + 1);
	assert_int_equal(entries_of("wf_addresses"), WF_MAX_ADDRESSES);
}

/* The kernel counts what is mapped as the daemon's: nothing large is, until services are used. */
static void unused_tables_cost_the_daemon_nothing(void **state)
{
	const struct wf_dp_sizes large = { .services = 16384, .connections = 1 << 18 };
	unsigned long before, opened, used;
	struct wf_dp_policy_memory rules;
	struct wf_dp_lb_memory memory;

	wf_dp_close(&dp);
	assert_int_equal(wf_dp_remove(LAB_BPF_DIR, NULL), 0);
	before = resident_kb();
	dp = open_with(&large);
	opened = resident_kb();
	lab_lb_memory(dp, &memory);
	used = resident_kb();
	print_message("resident: %lu KiB, open %lu, services in use %lu\n", before, opened, used);
	assert_true(opened < before + 4096);
	assert_true(used >= opened + 8192);
	/* at the same addresses, what is needed no more goes and what comes back is what was there */
	memory.pages[memory.page_count - 1].backends[3] = 9;
	memory.pages[0].backends[3] = 8;
	for (enum wf_dp_lb_array i = 0; i < WF_DP_LB_ARRAYS; i++)
		wf_dp_lb_trim(dp, i, 1);
	assert_true(resident_kb() < opened + 512);
	assert_int_equal(memory.pages[0].backends[3], 8);
	assert_int_equal(wf_dp_lb_reach(dp, WF_DP_LB_PAGES, memory.page_count / 2), 0);
	assert_int_equal(wf_dp_lb_reach(dp, WF_DP_LB_PAGES, memory.page_count), 0);
	assert_int_equal(memory.pages[memory.page_count - 1].backends[3], 9);
	assert_int_equal(memory.pages[0].backends[3], 8);
	wf_dp_lb_trim(dp, WF_DP_LB_PAGES, 0);
	assert_int_equal(wf_dp_policy_memory(dp, &rules, NULL), 0);
	used = resident_kb();
	assert_int_equal(wf_dp_rules_reach(dp, rules.rule_count), 0);
	rules.rules[rules.rule_count - 1].rule = 5;
	assert_true(resident_kb() >= used + 1000);
	wf_dp_rules_trim(dp, 0);
	assert_true(resident_kb() < used + 100);
}

/* ---- frontends ----------------------------------------------------------------------------- */

#define MANY 350

static void make_frontends(struct wf_frontend_key *keys, struct wf_frontend_value *values)
{
	memset(keys, 0, MANY * sizeof(*keys));
	memset(values, 0, MANY * sizeof(*values));
	for (uint32_t i = 0; i < MANY; i++) {
		keys[i].addr = wf_addr_from_ip4(htonl(0x0a600000 + i));
		keys[i].scope = WF_SCOPE_ANY;
		keys[i].port = htons(80);
		keys[i].proto = IPPROTO_TCP;
		values[i].service = i + 1;
	}
}

static int count_frontend(const struct wf_frontend_key *key, const struct wf_frontend_value *value,
			  void *context)
{
	unsigned int *count = context;

	assert_int_equal(ntohl(wf_addr_to_ip4(&key->addr)) - 0x0a600000, value->service - 1);
	return ++*count == 1000 ? -EINTR : 0;
}

static unsigned int frontend_count(void)
{
	unsigned int count = 0;

	assert_int_equal(wf_dp_frontend_visit(dp, count_frontend, &count, NULL), 0);
	return count;
}

static int stop_at_once(const struct wf_frontend_key *key, const struct wf_frontend_value *value,
			void *context)
{
	return -ECANCELED;
}

static void frontends(void **state)
{
	struct wf_frontend_key keys[MANY];
	struct wf_frontend_value values[MANY];

	make_frontends(keys, values);
	assert_int_equal(wf_dp_frontends_set(dp, keys, values, 0, NULL), 0);
	assert_int_equal(wf_dp_frontends_set(dp, keys, values, MANY, NULL), 0);
	assert_int_equal(frontend_count(), MANY);
	/* again, with some gone before: deleting what is not there is fine */
	assert_int_equal(wf_dp_frontends_set(dp, keys, values, MANY, NULL), 0);
	assert_int_equal(wf_dp_frontends_set(dp, keys, NULL, 1, NULL), 0);
	assert_int_equal(wf_dp_frontends_set(dp, keys, NULL, 1, NULL), 0);
	assert_int_equal(wf_dp_frontends_set(dp, keys + 7, NULL, 2, NULL), 0);
	assert_int_equal(wf_dp_frontends_set(dp, keys + MANY - 1, NULL, 1, NULL), 0);
	assert_int_equal(frontend_count(), MANY - 4);
	assert_int_equal(wf_dp_frontend_visit(dp, stop_at_once, NULL, NULL), -ECANCELED);
	assert_int_equal(wf_dp_frontends_set(dp, keys, NULL, MANY, NULL), 0);
	assert_int_equal(frontend_count(), 0);
	assert_int_equal(wf_dp_frontends_set(dp, keys, NULL, MANY, NULL), 0);
}

static void full_frontend_table_says_so(void **state)
{
	struct wf_frontend_key keys[MANY];
	struct wf_frontend_value values[MANY];
	struct wf_err err = WF_ERR_INIT;
	int r;

	make_frontends(keys, values);
	assert_int_equal(wf_dp_frontends_set(dp, keys, values, MANY, NULL), 0);
	for (uint32_t i = 0; i < MANY; i++)
		keys[i].port = htons(81);
	r = wf_dp_frontends_set(dp, keys, values, MANY, &err);
	assert_int_equal(r, -ENOSPC);
	assert_non_null(strstr(err.message, "at most 400 (--max-services)"));
}

/* ---- published runs ------------------------------------------------------------------------ */

static struct wf_range_value run_of(uint8_t proto, const char *text, uint16_t first)
{
	return (struct wf_range_value){ .addr = lab_addr(text),
					.target = lab_addr("10.1.0.11"),
					.proto = proto,
					.first = first,
					.last = first };
}

static struct wf_config_value config_in_kernel(void)
{
	_cleanup_close_ int fd = bpf_obj_get(MAPS "/wf_config");
	struct wf_config_value value = {};
	uint32_t zero = 0;

	assert_int_equal(bpf_map_lookup_elem(fd, &zero, &value), 0);
	return value;
}

static void ranges_are_sorted_and_replaced_at_once(void **state)
{
	const struct wf_range_value wanted[] = {
		run_of(6, "::", 80),       run_of(6, "0.0.0.0", 9),     run_of(6, "0.0.0.0", 80),
		run_of(6, "10.0.0.1", 80), run_of(6, "255.0.0.1", 300), run_of(17, "0.0.0.0", 53),
	};
	const struct wf_range_value given[] = { wanted[5], wanted[2], wanted[4],
						wanted[0], wanted[3], wanted[1] };
	struct wf_range_value *found = calloc(WF_MAX_RANGES, sizeof(*found));
	uint32_t word = 0, next = 0;

	assert_int_equal(wf_dp_ranges_get(dp, found), 0);
	assert_int_equal(wf_dp_ranges_set(dp, given, 6, &word, NULL), 0);
	assert_int_equal(word & 0x7fffffff, 6);
	assert_int_equal(wf_dp_ranges_get(dp, found), 6);
	assert_memory_equal(found, wanted, sizeof(wanted));
	assert_int_equal(wf_dp_ranges_set(dp, given, 1, &next, NULL), 0);
	assert_int_equal((next ^ word) >> 31, 1);
	assert_int_equal(config_in_kernel().ranges, next);
	assert_int_equal(wf_dp_ranges_get(dp, found), 1);
	assert_memory_equal(found, given, sizeof(given[0]));
	assert_int_equal(wf_dp_ranges_set(dp, NULL, 0, &next, NULL), 0);
	assert_int_equal(wf_dp_ranges_get(dp, found), 0);
	assert_int_equal(wf_dp_ranges_set(dp, found, WF_MAX_RANGES + 1, &next, NULL), -ENOSPC);
	free(found);
}

static void settings_and_ranges_do_not_overwrite_each_other(void **state)
{
	struct wf_config_value config = { .host_ifindex = 5, .flags = WF_CONFIG_SERVICES };
	const struct wf_range_value run = run_of(6, "::", 80);
	struct wf_range_value found[2];
	uint32_t word = 0;

	assert_int_equal(wf_dp_config_set(dp, &config, NULL), 0);
	assert_int_equal(wf_dp_ranges_set(dp, &run, 1, &word, NULL), 0);
	assert_int_equal(config_in_kernel().host_ifindex, 5);
	assert_int_equal(config_in_kernel().flags, WF_CONFIG_SERVICES);
	config.host_ifindex = 6;
	assert_int_equal(wf_dp_config_set(dp, &config, NULL), 0);
	assert_int_equal(config_in_kernel().ranges, word);
	assert_int_equal(config_in_kernel().host_ifindex, 6);
	/* another process goes on from there */
	wf_dp_close(&dp);
	dp = open_with(&small);
	assert_int_equal(wf_dp_ranges_get(dp, found), 1);
	assert_int_equal(wf_dp_config_set(dp, &config, NULL), 0);
	assert_int_equal(config_in_kernel().ranges, word);
}

/* ---- the other tables ---------------------------------------------------------------------- */

static bool admits(uint32_t service, const char *source)
{
	_cleanup_close_ int fd = bpf_obj_get(MAPS "/wf_source_ranges");
	struct wf_source_key key = { .prefixlen = 160,
				     .service = htonl(service),
				     .addr = lab_addr(source) };
	uint32_t value;

	return bpf_map_lookup_elem(fd, &key, &value) == 0;
}

static void set_source(uint32_t service, const char *text, bool present)
{
	struct wf_prefix prefix;

	assert_int_equal(wf_prefix_parse(text, &prefix), 0);
	assert_int_equal(wf_dp_source_set(dp, service, &prefix, present, NULL), 0);
}

static void sources(void **state)
{
	set_source(1, "10.0.0.0/8", true);
	set_source(1, "fd01::/16", true);
	set_source(258, "192.0.2.7", true);
	assert_true(admits(1, "10.255.0.1"));
	assert_false(admits(1, "11.0.0.1"));
	assert_false(admits(2, "10.255.0.1"));
	assert_true(admits(1, "fd01:1::1"));
	assert_false(admits(1, "fd02::1"));
	assert_true(admits(258, "192.0.2.7"));
	assert_false(admits(258, "192.0.2.8"));
	set_source(1, "10.0.0.0/8", false);
	set_source(1, "10.0.0.0/8", false);
	assert_false(admits(1, "10.255.0.1"));
	set_source(1, "0.0.0.0/0", true);
	assert_true(admits(1, "10.255.0.1"));
	assert_false(admits(1, "fd02::1"));
}

static void sum_netns(uint64_t cookie, const struct wf_netns_value *value, void *context)
{
	assert_int_equal(value->slot, cookie);
	*(uint64_t *)context += cookie;
	assert_int_equal(wf_dp_netns_set(dp, cookie, NULL, NULL), 0);
}

static void sum_uplinks(uint32_t ifindex, const struct wf_uplink_value *value, void *context)
{
	assert_int_equal(value->flags, ifindex);
	*(uint64_t *)context += ifindex;
}

static void namespaces_and_uplinks(void **state)
{
	struct wf_netns_value netns = {};
	struct wf_uplink_value uplink = {};
	struct wf_err err = WF_ERR_INIT;
	uint64_t sum = 0;
	uint32_t i;
	int r = 0;

	assert_int_equal(wf_dp_netns_set(dp, 1, NULL, NULL), 0);
	for (i = 1; i <= 1000; i++) {
		netns.slot = i;
		assert_int_equal(wf_dp_netns_set(dp, i, &netns, NULL), 0);
	}
	assert_int_equal(wf_dp_netns_visit(dp, sum_netns, &sum), 0);
	assert_int_equal(sum, 1000 * 1001 / 2);
	sum = 0;
	assert_int_equal(wf_dp_netns_visit(dp, sum_netns, &sum), 0);
	assert_int_equal(sum, 0);
	for (i = 1; r == 0 && i < 1000; i++) {
		uplink.flags = i;
		r = wf_dp_uplink_set(dp, i, &uplink, &err);
	}
	assert_int_equal(r, -ENOSPC);
	assert_non_null(strstr(err.message, "wf_uplinks is full: it holds at most 64"));
	assert_int_equal(wf_dp_uplink_set(dp, 1, NULL, NULL), 0);
	assert_int_equal(wf_dp_uplink_visit(dp, sum_uplinks, &sum), 0);
	assert_int_equal(sum, 64 * 65 / 2 - 1);
}

/* ---- XDP ----------------------------------------------------------------------------------- */

static int attach(const char *device, bool want_native, enum wf_dp_xdp_mode *ret_mode)
{
	*ret_mode = WF_DP_XDP_NONE;
	return wf_dp_xdp_attach(dp, if_nametoindex(device), want_native, ret_mode, NULL);
}

static bool runs_xdp(const char *device)
{
	return lab_try("ip link show %s | grep -q xdp", device) == 0;
}

static void xdp_on_devices(void **state)
{
	enum wf_dp_xdp_mode mode;

	lab_run("ip link add x0 type veth peer name x1 && ip link add d0 type bridge");
	assert_int_equal(attach("x0", false, &mode), 0);
	assert_int_equal(mode, WF_DP_XDP_NATIVE);
	assert_true(attach("d0", true, &mode) < 0);
	assert_false(runs_xdp("d0"));
	assert_int_equal(attach("d0", false, &mode), 0);
	assert_int_equal(mode, WF_DP_XDP_GENERIC);
	/* another process takes them over */
	wf_dp_close(&dp);
	assert_true(runs_xdp("x0") && runs_xdp("d0"));
	dp = open_with(&small);
	assert_int_equal(attach("x0", true, &mode), 0);
	assert_int_equal(mode, WF_DP_XDP_NATIVE);
	assert_int_equal(wf_dp_xdp_detach(dp, if_nametoindex("x0")), 0);
	assert_int_equal(wf_dp_xdp_detach(dp, if_nametoindex("x0")), 0);
	assert_false(runs_xdp("x0"));
	assert_int_equal(attach("x0", false, &mode), 0);
	assert_true(attach("lo", true, &mode) < 0);
	assert_true(wf_dp_xdp_attach(dp, 424242, false, &mode, NULL) < 0);
	wf_dp_close(&dp);
	assert_int_equal(wf_dp_remove(LAB_BPF_DIR, NULL), 0);
	assert_false(runs_xdp("x0") || runs_xdp("d0"));
	lab_run("ip link del x0 && ip link del d0");
}

/* What is pinned is of another build. */
static void upgrade(void)
{
	_cleanup_close_ int fd = bpf_obj_get(MAPS "/wf_build");
	struct wf_build_value build = { .hash = 1, .abi = WF_ABI_VERSION };
	uint32_t zero = 0;

	assert_int_equal(bpf_map_update_elem(fd, &zero, &build, BPF_ANY), 0);
	wf_dp_close(&dp);
	dp = open_with(&small);
	assert_false(wf_dp_adopted(dp));
}

/* The program of XDP costs the verifier much: it is there from the first device on that wants it. */
static void xdp_is_loaded_when_it_is_wanted(void **state)
{
	static const char pin[] = LAB_PINS "/progs/weft_xdp";
	enum wf_dp_xdp_mode mode;

	upgrade();
	assert_int_equal(access(pin, F_OK), -1);
	lab_run("ip link add d0 type veth");
	assert_int_equal(attach("d0", false, &mode), 0);
	assert_int_equal(access(pin, F_OK), 0);
	/* the next process takes it over */
	wf_dp_close(&dp);
	dp = open_with(&small);
	assert_true(wf_dp_adopted(dp));
	assert_true(runs_xdp("d0"));
	/* another build loads it for the device, and forgets it when there is none */
	upgrade();
	assert_int_equal(access(pin, F_OK), 0);
	assert_true(runs_xdp("d0"));
	lab_run("ip link del d0");
	upgrade();
	upgrade();
	assert_int_equal(access(pin, F_OK), -1);
}

/* A device that went away leaves a dead link; its number may come back on another device. */
static void xdp_on_a_device_that_went(void **state)
{
	enum wf_dp_xdp_mode mode;

	lab_run("ip link add d0 index 7000 type veth");
	assert_int_equal(attach("d0", false, &mode), 0);
	lab_run("ip link del d0");
	assert_int_equal(access(LAB_PINS "/links/xdp_7000", F_OK), 0);
	lab_run("ip link add d1 index 7000 type veth");
	assert_int_equal(attach("d1", false, &mode), 0);
	assert_true(runs_xdp("d1"));
	lab_run("ip link del d1");
	upgrade();
	assert_int_equal(access(LAB_PINS "/links/xdp_7000", F_OK), -1);
}

static void xdp_of_somebody_else_is_left_alone(void **state)
{
	enum wf_dp_xdp_mode mode;
	int fd = wf_dp_xdp_program_fd(dp, NULL);
	LIBBPF_OPTS(bpf_link_create_opts, options);
	int link;

	lab_run("ip link add d0 type veth");
	link = bpf_link_create(fd, (int)if_nametoindex("d0"), BPF_XDP, &options);
	assert_true(link >= 0);
	assert_int_equal(attach("d0", false, &mode), -EBUSY);
	(void)close(link);
	lab_run("ip link del d0");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tables_keep_the_size_they_were_made_with),
		TEST(defaults_and_bounds),
		TEST(addresses_have_room_for_services),
		TEST(unused_tables_cost_the_daemon_nothing),
		TEST(frontends),
		TEST(full_frontend_table_says_so),
		TEST(ranges_are_sorted_and_replaced_at_once),
		TEST(settings_and_ranges_do_not_overwrite_each_other),
		TEST(sources),
		TEST(namespaces_and_uplinks),
		TEST(xdp_on_devices),
		TEST(xdp_is_loaded_when_it_is_wanted),
		TEST(xdp_on_a_device_that_went),
		TEST(xdp_of_somebody_else_is_left_alone),
	};

	lab_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
