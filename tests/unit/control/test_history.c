/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random histories of requests, of what others break, of deaths and of restarts. After every step
 * the kernel holds what the documents ask for (expect.c), the documents are those that a naive
 * model says, a full recompute changes nothing, no address has two owners, released ones rest.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "lab.h"

#define HISTORIES 12
#define STEPS     150
#define NETWORKS  4
#define NAMES     24
#define SPACES    8
#define RELEASES  4096

struct member {
	bool attached, sticky;
	unsigned int network, space;
	char address[WF_ADDR_TEXT]; /* the first; "" when it has none */
};

struct release {
	unsigned int network;
	char address[WF_ADDR_TEXT];
	uint64_t time_ms;
};

struct history {
	struct lab *lab;
	unsigned int seed;
	uint64_t now_ms;
	bool networks[NETWORKS];
	struct member members[NAMES];
	char sticky[NETWORKS][NAMES][WF_ADDR_TEXT]; /* what is held; "" when nothing is */
	struct release releases[RELEASES];
	size_t release_count;
	char steps[STEPS][48];
	size_t step_count;
	bool is_over;
};

static unsigned int draw(struct history *history, unsigned int below)
{
	return (unsigned int)rand_r(&history->seed) % below;
}

__attribute__((format(printf, 2, 3))) static void note(struct history *history, const char *format,
						       ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(history->steps[history->step_count], sizeof(history->steps[0]), format,
			args);
	va_end(args);
}

/* ---- what is the case --------------------------------------------------------------------- */

static size_t members_of(const struct history *history, unsigned int network)
{
	size_t count = 0;

	for (size_t i = 0; i < NAMES; i++)
		count += history->members[i].attached && history->members[i].network == network;
	return count;
}

static void assert_documents(struct history *history)
{
	struct wf_control *control = history->lab->control;
	size_t networks = 0, endpoints = 0;
	char name[16];

	for (unsigned int i = 0; i < NETWORKS; i++) {
		(void)snprintf(name, sizeof(name), "n%u", i);
		assert_int_equal(wf_ctl_network_find(control, name) != NULL, history->networks[i]);
		networks += history->networks[i];
	}
	for (unsigned int i = 0; i < NAMES; i++) {
		(void)snprintf(name, sizeof(name), "e%u", i);
		assert_int_equal(wf_ctl_endpoint_find(control, name) != NULL,
				 history->members[i].attached);
		endpoints += history->members[i].attached;
	}
	assert_int_equal(HASH_CNT(by_name, control->networks), networks);
	assert_int_equal(HASH_CNT(by_name, control->endpoints), endpoints);
}

static void assert_no_two_owners(const struct history *history)
{
	for (size_t i = 0; i < NAMES; i++)
		for (size_t k = i + 1; k < NAMES; k++)
			if (history->members[i].attached && history->members[k].attached &&
			    history->members[i].address[0] &&
			    history->members[i].network == history->members[k].network)
				assert_string_not_equal(history->members[i].address,
							history->members[k].address);
}

/* Addresses rest for as long as the network says: 10 s. */
static void assert_rested(const struct history *history, unsigned int network, const char *address)
{
	for (size_t i = 0; i < history->release_count; i++)
		if (history->releases[i].network == network &&
		    strcmp(history->releases[i].address, address) == 0 &&
		    history->now_ms - history->releases[i].time_ms < 10000)
			fail_msg("%s was given out again after %llu ms", address,
				 (unsigned long long)(history->now_ms -
						      history->releases[i].time_ms));
}

static void forget_releases(struct history *history, unsigned int network)
{
	for (size_t i = 0; i < history->release_count; i++)
		if (history->releases[i].network == network)
			history->releases[i].address[0] = '\0';
}

static void leave(struct history *history, struct member *member)
{
	struct release *release = &history->releases[history->release_count];

	member->attached = false;
	if (!member->address[0] || history->release_count == RELEASES)
		return;
	history->release_count++;
	*release = (struct release){ .network = member->network, .time_ms = history->now_ms };
	memcpy(release->address, member->address, sizeof(release->address));
}

/* The same again from nothing: first in place, then with an empty memory. */
static void assert_recompute_agrees(struct history *history)
{
	_cleanup_str_ struct wf_str before = WF_STR_INIT, after = WF_STR_INIT;
	struct lab *lab = history->lab;

	lab_dump(lab, &before);
	assert_int_equal(wf_control_resync(lab->control, &lab->err), 0);
	lab_settle(lab);
	lab_dump(lab, &after);
	assert_string_equal(wf_str_text(&after), wf_str_text(&before));
}

/* ---- steps -------------------------------------------------------------------------------- */

static void step_apply(struct history *history)
{
	static const char *const drivers[NETWORKS] = { "bridge", "bridge", "macvlan", "none" };
	unsigned int i = draw(history, NETWORKS), variant = draw(history, 6);
	char subnets[256] = "";
	int r;

	if (i != 3)
		(void)snprintf(subnets, sizeof(subnets),
			       "'coolDown':'10s','subnets':[%s{'cidr':'10.%u.0.0/28'%s}%s],",
			       variant == 4 ? "{'cidr':'10.99.0.0/28'}," : "", i + 1,
			       variant == 1 ? ",'exclude':['10.1.0.9','10.2.0.9','10.3.0.9']" : "",
			       variant == 2 || i == 1 ? ",{'cidr':'fd01::/120'}" : "");
	r = lab_apply(history->lab,
		      "[{'apiVersion':'weft.dev/v1','kind':'Network','metadata':{'name':'n%u'},"
		      "'spec':{%s%s'driver':'%s'}}]",
		      i, subnets,
		      i == 2         ? "'hostAccess':true,"
		      : variant == 3 ? "'isolated':false,"
				     : "",
		      drivers[i]);
	note(history, "apply n%u variant %u: %d", i, variant, r);
	if (r == 0)
		history->networks[i] = true;
	else /* subnets in use, or another network's */
		assert_true(r == -EBUSY || r == -EADDRINUSE || r == -EINVAL);
}

static void step_delete(struct history *history)
{
	unsigned int i = draw(history, NETWORKS);
	char name[16];
	int r;

	(void)snprintf(name, sizeof(name), "n%u", i);
	r = lab_delete(history->lab, "network", name);
	note(history, "delete n%u: %d", i, r);
	assert_int_equal(r, !history->networks[i] ? -ENOENT : members_of(history, i) ? -EBUSY : 0);
	if (r < 0)
		return;
	history->networks[i] = false;
	memset(history->sticky[i], 0, sizeof(history->sticky[i]));
	forget_releases(history, i);
}

static void step_attach(struct history *history)
{
	unsigned int name = draw(history, NAMES), network = draw(history, NETWORKS);
	unsigned int space = draw(history, SPACES);
	struct member *member = &history->members[name];
	bool sticky = draw(history, 4) == 0;
	int r;

	r = lab_attach(history->lab,
		       "{'network':'n%u','name':'e%u','netns':'/fake/c%u','owner':'cli',"
		       "'sticky':%s}",
		       network, name, space, sticky ? "true" : "false");
	note(history, "attach e%u n%u c%u%s: %d", name, network, space, sticky ? " sticky" : "", r);
	if (!history->networks[network]) {
		assert_int_equal(r, -ENOENT);
		return;
	}
	if (member->attached) {
		assert_int_equal(r, -EEXIST);
		return;
	}
	if (r == -ENOSPC) /* 13 addresses: taken, held or resting */
		return;
	if (r < 0)
		fail_msg("%s", history->lab->err.message);
	*member = (struct member){
		.attached = true, .sticky = sticky, .network = network, .space = space
	};
	if (network == 3)
		return;
	(void)snprintf(member->address, sizeof(member->address), "%s", lab_address(history->lab));
	if (history->sticky[network][name][0])
		assert_string_equal(member->address, history->sticky[network][name]);
	else
		assert_rested(history, network, member->address);
	if (sticky)
		memcpy(history->sticky[network][name], member->address, sizeof(member->address));
}

static void step_detach(struct history *history)
{
	unsigned int i = draw(history, NAMES);
	char name[16];
	int r;

	(void)snprintf(name, sizeof(name), "e%u", i);
	r = lab_detach(history->lab, name);
	note(history, "detach e%u: %d", i, r);
	assert_int_equal(r, history->members[i].attached ? 0 : -ENOENT);
	if (r == 0)
		leave(history, &history->members[i]);
}

/* The path is used again at once, or a little later. */
static void step_kill(struct history *history)
{
	unsigned int space = draw(history, SPACES);
	bool at_once = draw(history, 2);
	char path[16];

	(void)snprintf(path, sizeof(path), "/fake/c%u", space);
	note(history, "kill c%u%s", space, at_once ? " and make it again" : "");
	fake_net_kill_ns(history->lab->net, path);
	if (at_once)
		fake_net_add_ns(history->lab->net, path);
	lab_settle(history->lab);
	if (!at_once)
		fake_net_add_ns(history->lab->net, path);
	for (size_t i = 0; i < NAMES; i++)
		if (history->members[i].attached && history->members[i].space == space)
			leave(history, &history->members[i]);
}

static void step_break_link(struct history *history)
{
	static const char *const hosts[] = { "weft0", "weft0p", "wfm1", "wfm2", "wfm3" };
	struct wf_net *net = history->lab->net;
	unsigned int how = draw(history, 4), which = draw(history, NAMES + 5);
	char name[16];
	bool done;

	if (which < 5)
		(void)snprintf(name, sizeof(name), "%s", hosts[which]);
	else
		(void)snprintf(name, sizeof(name), "wf%u", which - 4);
	done = how == 0   ? fake_net_delete_link(net, name)
	       : how == 1 ? fake_net_set_down(net, name)
	       : how == 2 ? fake_net_delete_qdisc(net, name)
			  : strncmp(name, "wfm", 3) != 0 && fake_net_rename(net, name, "stolen");
	note(history, "break %s, way %u: %d", name, how, done);
}

static void step_break_table(struct history *history)
{
	struct wf_net *net = history->lab->net;
	unsigned int how = draw(history, 4), which = draw(history, 20);
	bool done = how == 0   ? fake_net_delete_filter(net, WF_BLOCK_INGRESS)
		    : how == 1 ? fake_net_delete_filter(net, WF_BLOCK_EGRESS)
		    : how == 2 ? fake_net_delete_route(net, which)
			       : fake_net_delete_address(net, which);

	note(history, "break table %u, entry %u: %d", how, which, done);
}

/* Something is broken and the news of it is lost. */
static void step_overrun(struct history *history)
{
	note(history, "overrun");
	(void)fake_net_delete_link(history->lab->net, "wf3");
	(void)fake_net_delete_route(history->lab->net, 0);
	(void)fake_net_delete_filter(history->lab->net, WF_BLOCK_INGRESS);
	fake_net_overrun(history->lab->net);
}

static void step_restart(struct history *history)
{
	note(history, "restart");
	lab_stop(history->lab);
	if (draw(history, 2))
		(void)fake_net_delete_link(history->lab->net, "wf2");
	if (draw(history, 2))
		fake_dp_litter(history->lab->dp, 500, 500, "10.200.0.1");
	lab_restart(history->lab);
	/* what rested is not written down */
	history->release_count = 0;
}

static void step_wait(struct history *history)
{
	unsigned int ms = draw(history, 6000);

	note(history, "wait %u ms", ms);
	fake_clock_advance_ms(ms);
	history->now_ms += ms;
}

static void step(struct history *history)
{
	static void (*const steps[])(struct history * history) = {
		step_apply,       step_delete,  step_attach,  step_attach,
		step_attach,      step_attach,  step_attach,  step_detach,
		step_detach,      step_detach,  step_kill,    step_break_link,
		step_break_table, step_overrun, step_restart, step_wait,
	};

	steps[draw(history, WF_ARRAY_LEN(steps))](history);
	lab_settle(history->lab);
	history->step_count++;
	lab_assert_consistent(history->lab);
	assert_documents(history);
	assert_no_two_owners(history);
	if (history->step_count % 10 == 0)
		assert_recompute_agrees(history);
}

static void test_history(void **state)
{
	struct history *history = *state;

	history->lab = lab_new();
	for (unsigned int i = 0; i < 4; i++)
		step_apply(history);
	for (size_t i = history->step_count; i < STEPS; i++)
		step(history);
	history->is_over = true;
}

static int end_history(void **state)
{
	struct history *history = *state;

	for (size_t i = 0; !history->is_over && i <= history->step_count && i < STEPS; i++)
		print_error("%3zu %s\n", i, history->steps[i]);
	lab_free(&history->lab);
	return 0;
}

int main(void)
{
	static struct history histories[HISTORIES];
	static struct CMUnitTest tests[HISTORIES];
	static char names[HISTORIES][16];
	const char *text = getenv("WEFT_TEST_SEED");
	unsigned int seed = text ? (unsigned int)strtoul(text, NULL, 10) : 1;

	for (unsigned int i = 0; i < HISTORIES; i++) {
		histories[i].seed = seed + i;
		(void)snprintf(names[i], sizeof(names[i]), "seed %u", seed + i);
		tests[i] = (struct CMUnitTest){ .name = names[i],
						.test_func = test_history,
						.teardown_func = end_history,
						.initial_state = &histories[i] };
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
