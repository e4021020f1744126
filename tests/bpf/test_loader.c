/* SPDX-License-Identifier: Apache-2.0 */
/* src/dp in the kernel: opening, adopting, upgrading, refusing, maps, events, removal, probe. */
#include <endian.h>
#include <errno.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/mem.h"
#include "dp/dp.h"
#include "dp/overlay.h"
#include "dp/policy.h"
#include "lab.h"

#define MAPS  LAB_PINS "/maps"
#define PROGS LAB_PINS "/progs"

/* What adoption may take: 5 ms, and room for a busy machine; loading takes more than ten times. */
#define ADOPT_MAX_MS 20

#define RESIDENT_MAX_KB 8192

static struct wf_dp *open_or_fail(void)
{
	struct wf_err err = WF_ERR_INIT;
	struct wf_dp *dp = NULL;

	if (wf_dp_open(LAB_BPF_DIR, NULL, &dp, &err) < 0)
		fail_msg("%s", err.message);
	return dp;
}

static int clean(void **state)
{
	return wf_dp_remove(LAB_BPF_DIR, NULL);
}

static void write_hash(uint64_t hash)
{
	_cleanup_close_ int fd = bpf_obj_get(MAPS "/wf_build");
	struct wf_build_value build = { .hash = hash, .abi = WF_ABI_VERSION };
	uint32_t zero = 0;

	assert_int_equal(bpf_map_update_elem(fd, &zero, &build, BPF_ANY), 0);
}

static uint64_t read_hash(void)
{
	_cleanup_close_ int fd = bpf_obj_get(MAPS "/wf_build");
	struct wf_build_value build = {};
	uint32_t zero = 0;

	assert_int_equal(bpf_map_lookup_elem(fd, &zero, &build), 0);
	return build.hash;
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

static void first_open_loads(void **state)
{
	_cleanup_(wf_dp_close) struct wf_dp *dp = open_or_fail();

	assert_false(wf_dp_adopted(dp));
	assert_true(wf_dp_program_fd(dp, WF_DP_FROM_CONTAINER) >= 0);
	assert_true(wf_dp_program_id(dp, WF_DP_FROM_CONTAINER) > 0);
	assert_int_not_equal(wf_dp_program_id(dp, WF_DP_FROM_CONTAINER),
			     wf_dp_program_id(dp, WF_DP_TO_CONTAINER));
	assert_int_equal(access(PROGS "/weft_from_container", F_OK), 0);
	assert_int_equal(access(MAPS "/wf_progs", F_OK), 0);
	assert_int_not_equal(read_hash(), 0);
	print_message("resident after loading: %lu KiB\n", resident_kb());
	assert_true(resident_kb() <= RESIDENT_MAX_KB);
}

static void second_open_adopts(void **state)
{
	_cleanup_(wf_dp_close) struct wf_dp *first = open_or_fail(), *second = NULL;
	uint64_t started = wf_clock_monotonic_ns(), took;

	second = open_or_fail();
	took = wf_clock_monotonic_ns() - started;
	print_message("adopted in %llu us\n", (unsigned long long)took / 1000);
	assert_true(wf_dp_adopted(second));
	/* an emulated processor says nothing about time */
	if (!getenv("WEFT_EMULATED"))
		assert_true(took < ADOPT_MAX_MS * 1000000ULL);
	for (int i = 0; i < WF_DP_PROGRAM_COUNT; i++)
		assert_int_equal(wf_dp_program_id(first, i), wf_dp_program_id(second, i));
}

static uint32_t verdicts_id(void)
{
	_cleanup_close_ int fd = bpf_obj_get(MAPS "/wf_verdicts");
	struct bpf_map_info info = {};
	uint32_t bytes = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &bytes), 0);
	return info.id;
}

/* Whether a program remembers verdicts in the pinned table, where others look for them. */
static bool shares_verdicts(const struct wf_dp *dp, enum wf_dp_program program)
{
	uint32_t maps[64], id = verdicts_id();
	struct bpf_prog_info info = { .map_ids = (uintptr_t)maps, .nr_map_ids = 64 };
	uint32_t bytes = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(wf_dp_program_fd(dp, program), &info, &bytes), 0);
	for (uint32_t i = 0; i < info.nr_map_ids; i++)
		if (maps[i] == id)
			return true;
	return false;
}

static void late_programs_remember_with_the_others(void **state)
{
	_cleanup_(wf_dp_close) struct wf_dp *dp = open_or_fail();
	uint32_t id = verdicts_id();

	assert_int_equal(wf_dp_program_want(dp, WF_DP_FROM_TUNNEL, NULL), 0);
	assert_true(shares_verdicts(dp, WF_DP_FROM_TUNNEL));
	assert_true(shares_verdicts(dp, WF_DP_FROM_CONTAINER));
	wf_dp_close(&dp);
	/* another build begins with nothing */
	write_hash(read_hash() + 1);
	dp = open_or_fail();
	assert_int_not_equal(verdicts_id(), id);
	assert_int_equal(wf_dp_program_want(dp, WF_DP_FROM_TUNNEL, NULL), 0);
	assert_true(shares_verdicts(dp, WF_DP_FROM_TUNNEL));
	assert_true(shares_verdicts(dp, WF_DP_FROM_CONTAINER));
}

static void late_program_waits_until_it_is_wanted(void **state)
{
	_cleanup_(wf_dp_close) struct wf_dp *dp = open_or_fail(), *second = NULL;
	uint32_t id;

	assert_int_equal(access(PROGS "/weft_from_overlay", F_OK), -1);
	assert_int_equal(wf_dp_program_fd(dp, WF_DP_FROM_OVERLAY), -1);
	assert_int_equal(wf_dp_program_want(dp, WF_DP_FROM_OVERLAY, NULL), 0);
	assert_true(wf_dp_program_fd(dp, WF_DP_FROM_OVERLAY) >= 0);
	id = wf_dp_program_id(dp, WF_DP_FROM_OVERLAY);
	assert_true(id > 0);
	assert_int_equal(access(PROGS "/weft_from_overlay", F_OK), 0);
	assert_int_equal(access(PROGS "/weft_from_tunnel", F_OK), -1);
	/* wanted once more, here and by who adopts it: the same one */
	assert_int_equal(wf_dp_program_want(dp, WF_DP_FROM_OVERLAY, NULL), 0);
	assert_int_equal(wf_dp_program_id(dp, WF_DP_FROM_OVERLAY), id);
	second = open_or_fail();
	assert_true(wf_dp_adopted(second));
	assert_int_equal(wf_dp_program_id(second, WF_DP_FROM_OVERLAY), id);
	wf_dp_close(&second);
	/* that of an earlier build is none */
	write_hash(read_hash() + 1);
	second = open_or_fail();
	assert_int_equal(wf_dp_program_fd(second, WF_DP_FROM_OVERLAY), -1);
	assert_int_equal(wf_dp_program_want(second, WF_DP_FROM_OVERLAY, NULL), 0);
	assert_int_not_equal(wf_dp_program_id(second, WF_DP_FROM_OVERLAY), id);
}

static void another_build_replaces_programs_and_keeps_maps(void **state)
{
	_cleanup_(wf_dp_close) struct wf_dp *old = open_or_fail(), *new = NULL;
	const struct wf_net_value network = { .flags = WF_NET_VALID };
	struct wf_net_value found = {};
	uint64_t hash = read_hash();

	assert_int_equal(wf_dp_network_set(old, 3, &network, NULL), 0);
	write_hash(hash + 1);
	new = open_or_fail();
	assert_false(wf_dp_adopted(new));
	assert_int_equal(read_hash(), hash);
	assert_int_not_equal(wf_dp_program_id(old, WF_DP_FROM_CONTAINER),
			     wf_dp_program_id(new, WF_DP_FROM_CONTAINER));
	assert_int_equal(wf_dp_network_get(new, 3, &found), 0);
	assert_memory_equal(&found, &network, sizeof(found));
	/* both still run: the old one in its filters, the new one in the pin */
	assert_int_equal(access(PROGS "/weft_from_container_new", F_OK), -1);
}

/* Killed while replacing: the hash is 0, whatever the pins hold. */
static void half_done_replacement_is_done_again(void **state)
{
	_cleanup_(wf_dp_close) struct wf_dp *dp = open_or_fail();

	wf_dp_close(&dp);
	write_hash(0);
	assert_int_equal(unlink(PROGS "/weft_to_container"), 0);
	dp = open_or_fail();
	assert_false(wf_dp_adopted(dp));
	wf_dp_close(&dp);
	dp = open_or_fail();
	assert_true(wf_dp_adopted(dp));
}

static void missing_map_is_made_again(void **state)
{
	_cleanup_(wf_dp_close) struct wf_dp *dp = open_or_fail();

	wf_dp_close(&dp);
	assert_int_equal(unlink(MAPS "/wf_drops"), 0);
	dp = open_or_fail();
	assert_false(wf_dp_adopted(dp));
	assert_int_equal(access(MAPS "/wf_drops", F_OK), 0);
}

static void map_of_another_layout_is_refused(void **state)
{
	_cleanup_(wf_dp_close) struct wf_dp *dp = open_or_fail();
	struct wf_err err = WF_ERR_INIT;
	_cleanup_close_ int fd = -1;

	wf_dp_close(&dp);
	assert_int_equal(unlink(MAPS "/wf_networks"), 0);
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "wf_networks", 4, 64, WF_MAX_NETWORKS, NULL);
	assert_int_equal(bpf_obj_pin(fd, MAPS "/wf_networks"), 0);
	assert_int_equal(wf_dp_open(LAB_BPF_DIR, NULL, &dp, &err), -ESTALE);
	assert_null(dp);
	assert_non_null(strstr(err.message, "wf_networks has type 2, key 4, value 64"));
	assert_non_null(strstr(err.message, "weft cleanup"));
}

static void endpoints(void **state)
{
	_cleanup_(wf_dp_close) struct wf_dp *dp = open_or_fail();
	struct wf_ep_value value = { .flags = WF_EP_READY,
				     .ifindex = 7,
				     .mac = { 2, 0, 0, 0, 0, 1 } };
	const struct wf_ep_value none = {};
	struct wf_ep_value found;
	struct wf_err err = WF_ERR_INIT;

	assert_int_equal(wf_dp_endpoint_set(dp, 5, &value, NULL), 0);
	assert_int_equal(wf_dp_endpoint_get(dp, 5, &found), 0);
	assert_memory_equal(&found, &value, sizeof(value));
	value.class_id = 3;
	assert_int_equal(wf_dp_endpoint_set(dp, 5, &value, NULL), 0);
	value.mac[5] = 2;
	assert_int_equal(wf_dp_endpoint_set(dp, 5, &value, NULL), 0);
	assert_int_equal(wf_dp_endpoint_get(dp, 5, &found), 0);
	assert_memory_equal(&found, &value, sizeof(value));
	assert_int_equal(wf_dp_endpoint_clear(dp, 5, NULL), 0);
	assert_int_equal(wf_dp_endpoint_get(dp, 5, &found), 0);
	assert_memory_equal(&found, &none, sizeof(none));
	assert_true(wf_dp_endpoint_set(dp, WF_MAX_SLOTS, &value, &err) < 0);
	assert_true(wf_dp_endpoint_clear(dp, WF_MAX_SLOTS, &err) < 0);
}

static struct wf_addr numbered(uint32_t number)
{
	return wf_addr_from_ip4(htobe32(0x0a000000 + number));
}

struct visit {
	struct wf_dp *dp;
	unsigned int count;
	bool clear;
};

static void visit_address(const struct wf_addr_key *key, const struct wf_addr_value *value,
			  void *context)
{
	struct visit *visit = context;

	visit->count++;
	assert_int_equal(value->slot, key->network);
	if (visit->clear)
		assert_int_equal(wf_dp_address_clear(visit->dp, key->network, &key->addr), 0);
}

static void addresses(void **state)
{
	_cleanup_(wf_dp_close) struct wf_dp *dp = open_or_fail();
	struct visit visit = { .dp = dp };
	struct wf_addr_value value = { .slot = 1 }, found;
	struct wf_addr addr = numbered(1);

	assert_int_equal(wf_dp_address_get(dp, 1, &addr, &found), -ENOENT);
	assert_int_equal(wf_dp_address_clear(dp, 1, &addr), 0);
	for (uint32_t i = 0; i < 3000; i++) {
		addr = numbered(i);
		assert_int_equal(wf_dp_address_set(dp, 1, &addr, &value, NULL), 0);
	}
	assert_int_equal(wf_dp_address_get(dp, 1, &addr, &found), 0);
	assert_int_equal(wf_dp_address_get(dp, 2, &addr, &found), -ENOENT);
	assert_int_equal(wf_dp_address_visit(dp, visit_address, &visit, NULL), 0);
	assert_int_equal(visit.count, 3000);
	visit = (struct visit){ .dp = dp, .clear = true };
	assert_int_equal(wf_dp_address_visit(dp, visit_address, &visit, NULL), 0);
	assert_int_equal(visit.count, 3000);
	visit = (struct visit){ .dp = dp };
	assert_int_equal(wf_dp_address_visit(dp, visit_address, &visit, NULL), 0);
	assert_int_equal(visit.count, 0);
}

static void full_address_table_says_so(void **state)
{
	_cleanup_(wf_dp_close) struct wf_dp *dp = open_or_fail();
	const struct wf_addr_value value = { .slot = 1 };
	struct wf_err err = WF_ERR_INIT;
	struct wf_addr addr;
	uint32_t i;
	int r = 0;

	for (i = 0; r == 0 && i <= 2 * WF_MAX_ADDRESSES; i++) {
		addr = numbered(i);
		r = wf_dp_address_set(dp, 1, &addr, &value, &err);
	}
	assert_int_equal(r, -ENOSPC);
	assert_true(i > WF_MAX_ADDRESSES);
	assert_non_null(strstr(err.message, "65536"));
	/* what is in can still be changed */
	addr = numbered(0);
	assert_int_equal(wf_dp_address_set(dp, 1, &addr, &value, NULL), 0);
}

/* Entries that a visit has shown. */
struct shown {
	size_t count;
	uint64_t sum;
	int end; /* what the callback answers */
};

static int show_prefix(uint32_t scope, const struct wf_prefix *prefix, uint32_t class_id,
		       void *context)
{
	struct shown *shown = context;

	shown->count++;
	shown->sum += scope + class_id * (uint64_t)prefix->addr.bytes[15] + prefix->len;
	return shown->end;
}

static void show_remote(uint32_t scope, const struct wf_addr *addr,
			const struct wf_remote_value *value, void *context)
{
	struct shown *shown = context;

	shown->count++;
	shown->sum += scope + value->node * (uint64_t)addr->bytes[15] + value->network;
}

#define MANY 700 /* some batches, and a part of one */

static void add_many(struct wf_dp *dp)
{
	for (uint32_t i = 0; i < MANY; i++) {
		const struct wf_addr addr = numbered(i);
		const struct wf_prefix prefix = { addr, 32 };
		const struct wf_remote_value value = { .node = i % 9, .network = 3 };

		assert_int_equal(wf_dp_remote_add(dp, 3, &addr, &value, NULL), 0);
		assert_int_equal(wf_dp_prefix_add(dp, 3, &prefix, 1 + i, NULL), 0);
	}
	assert_int_equal(wf_dp_remotes_flush(dp, NULL), 0);
	assert_int_equal(wf_dp_prefixes_flush(dp, NULL), 0);
}

static void large_tables_at_once_and_ahead(void **state)
{
	_cleanup_(wf_dp_close) struct wf_dp *dp = open_or_fail();
	struct shown prefixes = { 0 }, remotes = { 0 }, again = { 0 };
	const struct wf_prefix wide = { numbered(0), 8 };
	const struct wf_addr one = numbered(MANY);
	struct wf_remote_value value;

	add_many(dp);
	assert_int_equal(wf_dp_remote_get(dp, 3, &one, &value), -ENOENT);
	assert_int_equal(wf_dp_prefix_visit(dp, show_prefix, &prefixes, NULL), 0);
	assert_int_equal(wf_dp_remote_visit(dp, show_remote, &remotes, NULL), 0);
	assert_int_equal(prefixes.count, MANY);
	assert_int_equal(remotes.count, MANY);
	/* what was read ahead is the same */
	wf_dp_prefixes_fetch(dp);
	wf_dp_remotes_fetch(dp);
	assert_int_equal(wf_dp_prefix_visit(dp, show_prefix, &again, NULL), 0);
	assert_memory_equal(&again, &prefixes, sizeof(again));
	again = (struct shown){ 0 };
	assert_int_equal(wf_dp_remote_visit(dp, show_remote, &again, NULL), 0);
	assert_memory_equal(&again, &remotes, sizeof(again));
	/* it is forgotten when something is written meanwhile */
	wf_dp_prefixes_fetch(dp);
	wf_dp_remotes_fetch(dp);
	value = (struct wf_remote_value){ .node = 1, .network = 3 };
	assert_int_equal(wf_dp_remote_set(dp, 3, &one, &value, NULL), 0);
	assert_int_equal(wf_dp_prefix_set(dp, 3, &wide, 5, true, NULL), 0);
	prefixes = remotes = (struct shown){ 0 };
	assert_int_equal(wf_dp_prefix_visit(dp, show_prefix, &prefixes, NULL), 0);
	assert_int_equal(wf_dp_remote_visit(dp, show_remote, &remotes, NULL), 0);
	assert_int_equal(prefixes.count, MANY + 1);
	assert_int_equal(remotes.count, MANY + 1);
	/* the callback ends it all the same, and nobody has to visit */
	wf_dp_prefixes_fetch(dp);
	again = (struct shown){ .end = -ECANCELED };
	assert_int_equal(wf_dp_prefix_visit(dp, show_prefix, &again, NULL), -ECANCELED);
	assert_int_equal(again.count, 1);
	wf_dp_prefixes_fetch(dp);
}

static void networks_and_counters(void **state)
{
	_cleanup_(wf_dp_close) struct wf_dp *dp = open_or_fail();
	const struct wf_net_value value = { .flags = WF_NET_VALID, .subnet_count = 2 };
	struct wf_traffic_value traffic;
	struct wf_counter drops[WF_REASON_COUNT];
	struct wf_net_value found;
	uint8_t frame[60] = { 0 };
	struct wf_dp_packet packet = { .program = WF_DP_FROM_CONTAINER,
				       .ifindex = 1,
				       .repeat = 10,
				       .bytes = frame,
				       .len = sizeof(frame) };
	uint32_t ns;
	int action;

	assert_int_equal(wf_dp_network_set(dp, 9, &value, NULL), 0);
	assert_int_equal(wf_dp_network_get(dp, 9, &found), 0);
	assert_int_equal(found.subnet_count, 2);
	assert_int_equal(wf_dp_network_set(dp, 9, NULL, NULL), 0);
	assert_int_equal(wf_dp_network_get(dp, 9, &found), 0);
	assert_int_equal(found.flags, 0);

	assert_int_equal(wf_dp_run(dp, &packet, &action, &ns, NULL), 0);
	assert_int_equal(action, 2);
	assert_int_equal(wf_dp_drops_read(dp, drops), 0);
	assert_int_equal(drops[WF_REASON_NO_ENDPOINT].packets, 10);
	assert_int_equal(drops[WF_REASON_NO_ENDPOINT].bytes, 10 * sizeof(frame));
	packet.ifindex = 424242;
	assert_true(wf_dp_run(dp, &packet, &action, NULL, NULL) < 0);
	assert_int_equal(wf_dp_traffic_read(dp, 3, &traffic), 0);
	assert_int_equal(traffic.sent.packets, 0);
	assert_int_equal(wf_dp_traffic_clear(dp, 3), 0);
	assert_int_equal(wf_dp_traffic_read(dp, WF_MAX_SLOTS, &traffic), -ENOENT);
}

static void count_event(const struct wf_event *event, void *context)
{
	(*(unsigned int *)context)++;
}

/* Mapping the ring costs memory, so it is mapped only while somebody observes. */
static void events_cost_memory_only_while_observed(void **state)
{
	_cleanup_(wf_dp_close) struct wf_dp *dp = open_or_fail();
	struct wf_config_value config = { .observe = WF_OBSERVE_DROPS };
	uint8_t frame[60] = { 0 };
	const struct wf_dp_packet packet = { .program = WF_DP_FROM_CONTAINER,
					     .ifindex = 1,
					     .repeat = 5,
					     .bytes = frame,
					     .len = sizeof(frame) };
	unsigned int count = 0;
	unsigned long before = resident_kb(), during, after;
	int action;

	assert_int_equal(wf_dp_config_set(dp, &config, NULL), 0);
	assert_int_equal(wf_dp_run(dp, &packet, &action, NULL, NULL), 0);
	assert_int_equal(wf_dp_event_read(dp, count_event, &count), 5);
	assert_int_equal(count, 5);
	during = resident_kb();
	config.observe = 0;
	assert_int_equal(wf_dp_config_set(dp, &config, NULL), 0);
	after = resident_kb();
	assert_int_equal(wf_dp_event_read(dp, count_event, &count), 0);
	print_message("resident: %lu KiB, observing %lu, after %lu\n", before, during, after);
	assert_true(after < during || during == before);
}

static void removal_leaves_nothing(void **state)
{
	_cleanup_(wf_dp_close) struct wf_dp *dp = open_or_fail();

	wf_dp_close(&dp);
	assert_int_equal(mkdir(LAB_BPF_DIR "/v99", 0700), 0);
	assert_int_equal(wf_dp_remove(LAB_BPF_DIR, NULL), 0);
	assert_int_equal(access(LAB_BPF_DIR, F_OK), -1);
	assert_int_equal(wf_dp_remove(LAB_BPF_DIR, NULL), 0);
}

static void removal_spares_what_others_pinned(void **state)
{
	_cleanup_(wf_dp_close) struct wf_dp *dp = open_or_fail();

	assert_int_equal(mkdir(LAB_BPF_DIR "/foreign", 0700), 0);
	assert_int_equal(wf_dp_remove(LAB_BPF_DIR, NULL), 0);
	assert_int_equal(access(LAB_BPF_DIR "/foreign", F_OK), 0);
	assert_int_equal(access(LAB_PINS, F_OK), -1);
	assert_int_equal(rmdir(LAB_BPF_DIR "/foreign"), 0);
}

/* Below a mount that is there already, a folder is enough. */
static void standard_place_below_a_mount(void **state)
{
	const char *dir = LAB_BPF_DIR "/inner/node";
	_cleanup_(wf_dp_close) struct wf_dp *outer = open_or_fail(), *dp = NULL;

	assert_int_equal(wf_dp_open(dir, NULL, &dp, NULL), 0);
	assert_false(wf_dp_adopted(dp));
	assert_int_equal(wf_dp_remove(dir, NULL), 0);
	assert_int_equal(access(dir, F_OK), -1);
	assert_int_equal(access(MAPS "/wf_drops", F_OK), 0);
	assert_int_equal(rmdir(LAB_BPF_DIR "/inner"), 0);
}

static void show_finding(const struct wf_dp_finding *finding, void *context)
{
	unsigned int *count = context;

	print_message("%s %s: %s\n", finding->ok ? "ok " : "BAD", finding->name, finding->detail);
	assert_true(finding->ok);
	(*count)++;
}

static void probe_finds_all_well(void **state)
{
	unsigned int count = 0;

	assert_int_equal(wf_dp_probe(show_finding, &count), 0);
	assert_true(count >= 20);
}

/* In a process without capabilities; runs last, there is no way back. */
static void without_rights(void **state)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	const struct __user_cap_data_struct none[2] = {};
	_cleanup_(wf_dp_close) struct wf_dp *dp = open_or_fail();
	struct wf_err err = WF_ERR_INIT;

	wf_dp_close(&dp);
	/* older kernels let anybody who may open the pins adopt them: make loading necessary */
	assert_int_equal(unlink(MAPS "/wf_drops"), 0);
	assert_int_equal(syscall(SYS_capset, &header, none), 0);
	assert_int_equal(wf_dp_open(LAB_BPF_DIR, NULL, &dp, &err), -EPERM);
	assert_null(dp);
	assert_non_null(strstr(err.message, "CAP_BPF"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(first_open_loads, clean),
		cmocka_unit_test_teardown(second_open_adopts, clean),
		cmocka_unit_test_teardown(late_program_waits_until_it_is_wanted, clean),
		cmocka_unit_test_teardown(late_programs_remember_with_the_others, clean),
		cmocka_unit_test_teardown(another_build_replaces_programs_and_keeps_maps, clean),
		cmocka_unit_test_teardown(half_done_replacement_is_done_again, clean),
		cmocka_unit_test_teardown(missing_map_is_made_again, clean),
		cmocka_unit_test_teardown(map_of_another_layout_is_refused, clean),
		cmocka_unit_test_teardown(endpoints, clean),
		cmocka_unit_test_teardown(addresses, clean),
		cmocka_unit_test_teardown(full_address_table_says_so, clean),
		cmocka_unit_test_teardown(large_tables_at_once_and_ahead, clean),
		cmocka_unit_test_teardown(networks_and_counters, clean),
		cmocka_unit_test_teardown(events_cost_memory_only_while_observed, clean),
		cmocka_unit_test_teardown(removal_leaves_nothing, clean),
		cmocka_unit_test_teardown(removal_spares_what_others_pinned, clean),
		cmocka_unit_test_teardown(standard_place_below_a_mount, clean),
		cmocka_unit_test(probe_finds_all_well),
		cmocka_unit_test(without_rights),
	};

	lab_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
