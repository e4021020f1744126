/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "lab.h"

static void note_death(const struct wf_net_event *event, void *context)
{
	bool *is_dead_and_down = context;

	if (event->type == WF_NET_EVENT_LINK_CHANGE && event->ifindex == LAB_SLOT(1) &&
	    event->link.group == WF_NET_GROUP_DEAD && !event->link.up)
		*is_dead_and_down = true;
}

static void test_bury_deletes_soon(void **state)
{
	bool is_dead_and_down = false;
	struct lab *lab = *state;
	int box = lab_container();
	struct lab_endpoint e;
	uint64_t start;
	int32_t nsid;

	lab_endpoint_init(&e, box, 1, "10.9.0.2/24", NULL);
	lab_ok(lab, wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err));
	lab_ok(lab, wf_net_bury_flush(lab->net, &lab->err));
	assert_int_equal(wf_net_endpoint_bury(lab->net, LAB_SLOT(1)), 0);
	assert_int_equal(wf_net_event_read(lab->net, note_death, &is_dead_and_down), 0);
	assert_true(is_dead_and_down);
	start = wf_clock_monotonic_ms();
	while (strstr(lab_run(-1, "ip link"), "wft1"))
		assert_true(wf_clock_monotonic_ms() - start < 3000);
	lab_assert_lacks(box, "ip link", "eth0");
	(void)close(box);
}

/*
 * Buries slot 1 and goes on working on links for so long, unless it is deleted before. Returns
 * after how many ms it was seen to be gone, 0: never. *ret_gap_ms: the longest pause meanwhile.
 */
static uint64_t work_beside(struct lab *lab, int box, int busy_box, uint64_t for_ms,
			    uint64_t *ret_gap_ms)
{
	uint64_t start, now, before;
	struct wf_net_link link;
	struct lab_endpoint e;
	char names[256];
	int32_t nsid;

	lab_endpoint_init(&e, box, 1, "10.9.0.2/24", NULL);
	lab_ok(lab, wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err));
	assert_int_equal(wf_net_endpoint_bury(lab->net, LAB_SLOT(1)), 0);
	lab_endpoint_init(&e, busy_box, 2, "10.9.0.3/24", NULL);
	*ret_gap_ms = 0;
	start = before = wf_clock_monotonic_ms();
	while ((now = wf_clock_monotonic_ms()) - start < for_ms) {
		if (wf_net_link_find(lab->net, NULL, LAB_SLOT(1), &link, names, NULL) == -ENODEV)
			return now - start;
		*ret_gap_ms = now - before > *ret_gap_ms ? now - before : *ret_gap_ms;
		before = now;
		/* there is such an interface: refused, but work on links all the same */
		assert_int_equal(wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, NULL),
				 -EEXIST);
		(void)usleep(5000);
	}
	return 0;
}

/* Nothing is deleted while links are worked on, but not for ever; then soon. */
static void test_waits_for_quiet(void **state)
{
	struct lab *lab = *state;
	int box = lab_container(), busy_box = lab_container();
	uint64_t gap_ms = UINT64_MAX, gone_ms = 0, start;

	(void)lab_run(busy_box, "ip link add eth0 type veth peer name other");
	/* the machine may be too busy to work without pauses: then once more */
	for (int try = 0; try < 20 && gap_ms > 40; try++) {
		gone_ms = work_beside(lab, box, busy_box, 150, &gap_ms);
		lab_ok(lab, wf_net_bury_flush(lab->net, &lab->err));
	}
	assert_true(gap_ms <= 40);
	assert_int_equal(gone_ms, 0);
	assert_true(work_beside(lab, box, busy_box, 5000, &gap_ms) > 0);
	(void)work_beside(lab, box, busy_box, 100, &gap_ms);
	start = wf_clock_monotonic_ms();
	while (strstr(lab_run(-1, "ip link"), "wft1"))
		assert_true(wf_clock_monotonic_ms() - start < 3000);
	(void)close(box);
	(void)close(busy_box);
}

/* The group of a link in what `ip -o link` says, 0: it is not there. */
static unsigned long group_in(const char *links, const char *name)
{
	const char *line = strstr(links, name), *group = line ? strstr(line, " group ") : NULL;

	return group ? strtoul(group + strlen(" group "), NULL, 10) : 0;
}

/* Buries slots 1 to 3; *ret_same: whether they lie in one group. False: one was deleted too early to see. */
static bool bury_three(struct lab *lab, int box, int (*bury)(struct wf_net *, uint32_t),
		       bool *ret_same)
{
	unsigned long groups[3];
	struct lab_endpoint e;
	const char *links;
	int32_t nsid;

	for (uint32_t slot = 1; slot <= 3; slot++) {
		char name[16], address[32];

		(void)snprintf(name, sizeof(name), "eth%u", slot);
		(void)snprintf(address, sizeof(address), "10.9.0.%u/24", slot + 1);
		lab_endpoint_init(&e, box, slot, address, NULL);
		e.endpoint.ifname = name;
		e.endpoint.route_count = 0;
		lab_ok(lab, wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err));
	}
	lab_ok(lab, wf_net_bury_flush(lab->net, &lab->err));
	for (uint32_t slot = 1; slot <= 3; slot++)
		assert_int_equal(bury(lab->net, LAB_SLOT(slot)), 0);
	links = lab_run(-1, "ip -o link");
	groups[0] = group_in(links, "wft1");
	groups[1] = group_in(links, "wft2");
	groups[2] = group_in(links, "wft3");
	*ret_same = groups[0] == groups[1] && groups[1] == groups[2];
	if (!*ret_same && groups[0] && groups[1] && groups[2])
		assert_true(groups[0] != groups[1] && groups[1] != groups[2]);
	return groups[0] && groups[1] && groups[2];
}

/* Those that keep others waiting are deleted one by one. */
static void test_slow_ones_lie_alone(void **state)
{
	struct lab *lab = *state;
	bool same = false, is_seen = false;
	int box = lab_container();

	/* the machine may be too busy to see them in time: then once more */
	for (int try = 0; try < 50 && !is_seen; try++)
		is_seen = bury_three(lab, box, wf_net_endpoint_bury, &same);
	if (!is_seen)
		skip();
	assert_true(same);
	is_seen = false;
	for (int try = 0; try < 50 && !is_seen; try++)
		is_seen = bury_three(lab, box, wf_net_endpoint_bury_slow, &same);
	if (!is_seen)
		skip();
	assert_false(same);
	lab_ok(lab, wf_net_bury_flush(lab->net, &lab->err));
	(void)close(box);
}

static void test_bury_nothing(void **state)
{
	struct lab *lab = *state;

	assert_int_equal(wf_net_endpoint_bury(lab->net, LAB_SLOT(1)), -ENODEV);
	assert_int_equal(wf_net_endpoint_bury(lab->net, 0), -ENODEV);
	lab_ok(lab, wf_net_bury_flush(lab->net, &lab->err));
}

/* DEL and at once ADD of the same interface: the buried one makes way and is not waited for. */
static void test_buried_name_is_free(void **state)
{
	struct lab *lab = *state;
	int box = lab_container();
	struct lab_endpoint e, other;
	bool is_aside = false;
	int32_t nsid;

	lab_endpoint_init(&e, box, 1, "10.9.0.2/24", NULL);
	lab_endpoint_init(&other, box, 2, "10.9.0.2/24", NULL);
	/* on a busy host it may have been deleted already when we look */
	for (int i = 0; i < 20 && !is_aside; i++) {
		lab_ok(lab, wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err));
		assert_int_equal(wf_net_endpoint_bury(lab->net, LAB_SLOT(1)), 0);
		lab_ok(lab, wf_net_endpoint_create(lab->net, &other.endpoint, &nsid, &lab->err));
		is_aside = strstr(lab_run(box, "ip link"), "wfd") != NULL;
		/* its own end does not take along what the new one has of the same address */
		lab_ok(lab, wf_net_bury_flush(lab->net, &lab->err));
		lab_assert_lacks(box, "ip link", "wfd");
		lab_assert_has(box, "ip route", "10.9.0.0/24 dev eth0 proto kernel");
		assert_int_equal(wf_net_endpoint_bury(lab->net, LAB_SLOT(2)), 0);
	}
	(void)close(box);
	/* an emulated one always has */
	if (!is_aside)
		skip();
}

/* The same with the number of the device on the host: that is deleted at once. */
static void test_buried_number_is_free(void **state)
{
	struct lab *lab = *state;
	int box = lab_container();
	struct lab_endpoint e;
	int32_t nsid;

	lab_endpoint_init(&e, box, 1, "10.9.0.2/24", NULL);
	for (int i = 0; i < 3; i++) {
		lab_ok(lab, wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err));
		assert_int_equal(wf_net_endpoint_bury(lab->net, LAB_SLOT(1)), 0);
	}
	(void)close(box);
}

static void test_namespace_dies_first(void **state)
{
	struct lab *lab = *state;
	int box = lab_container();
	struct lab_endpoint e;
	int32_t nsid;

	lab_endpoint_init(&e, box, 1, "10.9.0.2/24", NULL);
	lab_ok(lab, wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err));
	assert_int_equal(wf_net_endpoint_bury(lab->net, LAB_SLOT(1)), 0);
	(void)close(box);
	lab_ok(lab, wf_net_bury_flush(lab->net, &lab->err));
	for (int i = 0; i < 100 && strstr(lab_run(-1, "ip link"), "wft1"); i++)
		(void)usleep(10000);
	lab_assert_lacks(-1, "ip link", "wft1");
}

/* What a process did not live to delete, the next one does; and closing waits for the end. */
static void test_leftovers(void **state)
{
	struct lab *lab = *state;

	lab_ok(lab, wf_net_bury_flush(lab->net, &lab->err));
	(void)lab_run(-1, "ip link add gone type veth peer name gonep; "
			  "ip link set gone group 2003173378; "
			  "ip link add past type veth peer name pastp; "
			  "ip link set past group 2003173441");
	lab_assert_has(-1, "ip link", "gone@");
	wf_net_close(&lab->net);
	assert_null(lab->net);
	lab_ok(lab, wf_net_open(&lab->net, &lab->err));
	lab_ok(lab, wf_net_bury_flush(lab->net, &lab->err));
	lab_assert_lacks(-1, "ip link", "gone");
	lab_assert_lacks(-1, "ip link", "past");
}

static void test_close_finishes(void **state)
{
	struct lab *lab = *state;
	int box = lab_container();
	struct lab_endpoint e;
	int32_t nsid;

	lab_endpoint_init(&e, box, 1, "10.9.0.2/24", NULL);
	lab_ok(lab, wf_net_endpoint_create(lab->net, &e.endpoint, &nsid, &lab->err));
	assert_int_equal(wf_net_endpoint_bury(lab->net, LAB_SLOT(1)), 0);
	wf_net_close(&lab->net);
	lab_assert_lacks(-1, "ip link", "wft1");
	(void)close(box);
}

static void test_inner_bury(void **state)
{
	struct lab *lab = *state;
	int box = lab_container();

	(void)lab_run(box, "ip link add mac0 type veth peer name other; ip link set mac0 up");
	assert_int_equal(wf_net_inner_bury(lab->net, box, "nothere"), -ENODEV);
	assert_int_equal(wf_net_inner_bury(lab->net, box, "mac0"), 0);
	lab_ok(lab, wf_net_bury_flush(lab->net, &lab->err));
	lab_assert_lacks(box, "ip link", "mac0");
	(void)close(box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_bury_deletes_soon, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_waits_for_quiet, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_slow_ones_lie_alone, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_bury_nothing, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_buried_name_is_free, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_buried_number_is_free, lab_setup,
						lab_teardown),
		cmocka_unit_test_setup_teardown(test_namespace_dies_first, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_leftovers, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_close_finishes, lab_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_inner_bury, lab_setup, lab_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
