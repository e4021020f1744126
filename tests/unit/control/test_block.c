/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks of a network: claimed, shown, borrowed from, given back, taken from nodes that are gone. */
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
#include "pair.h"

#define IDLE_MS  300000
#define GRACE_MS 60000

static int setup(void **state)
{
	struct pair *pair = pair_new();

	/* sixteen blocks of sixteen addresses */
	lab_network(pair->a, "over", "{'driver':'overlay','subnets':[{'cidr':'10.5.0.0/24'}]}");
	pair_settle(pair);
	*state = pair;
	return 0;
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, pair_teardown)

/* Which node a block is of, as the store has it; "": it is none's. Borrowed until the next call. */
static const char *owner(const struct lab *lab, const char *name)
{
	static char node[WF_NAME_BYTES];
	_cleanup_json_ json_t *block = NULL;

	(void)wf_store_get(lab->store, CTL_KIND_IP_BLOCK, name, &block, NULL);
	(void)snprintf(node, sizeof(node), "%s",
		       wf_json_str(json_object_get(block, "spec"), "node", ""));
	return node;
}

static size_t block_count(const struct lab *lab)
{
	_cleanup_json_ json_t *list = NULL;
	uint64_t revision;

	assert_int_equal(wf_store_list(lab->store, CTL_KIND_IP_BLOCK, &list, &revision, NULL), 0);
	return json_array_size(list);
}

static bool is_within(const char *addr, const char *cidr)
{
	struct wf_prefix prefix;
	struct wf_addr at;

	assert_int_equal(wf_prefix_parse(cidr, &prefix), 0);
	assert_int_equal(wf_addr_parse(addr, &at), 0);
	return wf_prefix_contains(&prefix, &at);
}

/* In turn into each of the lab's namespaces: none has room for all. */
static int attach_as(struct lab *lab, const char *name, const char *more)
{
	static unsigned int turn;

	lab_use(lab);
	return lab_attach(lab, "{'network':'over','name':'%s','netns':'/fake/c%u','owner':'cli'%s}",
			  name, turn++ % 8, more);
}

static void attach(struct lab *lab, const char *name, const char *want)
{
	assert_int_equal(attach_as(lab, name, ""), 0);
	if (!is_within(lab_address(lab), want))
		fail_msg("%s of %s is not in %s", lab_address(lab), name, want);
}

static void attach_many(struct lab *lab, const char *name, unsigned int count, const char *want)
{
	char text[32];

	for (unsigned int i = 0; i < count; i++) {
		(void)snprintf(text, sizeof(text), "%s%u", name, i);
		attach(lab, text, want);
	}
}

static void detach_many(struct lab *lab, const char *name, unsigned int count)
{
	char text[32];

	lab_use(lab);
	for (unsigned int i = 0; i < count; i++) {
		(void)snprintf(text, sizeof(text), "%s%u", name, i);
		assert_int_equal(lab_detach(lab, text), 0);
	}
}

/* What happens now and then. */
static void tend(struct lab *lab)
{
	lab_use(lab);
	lab_settle(lab);
	wf_ctl_nodes_expire(lab->control);
	wf_ctl_blocks_sync(lab->control);
}

/* Each has its own, also when it has not heard of the other's; they do not get into each other's way. */
static void test_each_its_own(void **state)
{
	struct pair *pair = *state;
	char second[WF_ADDR_TEXT];

	assert_int_equal(block_count(pair->a), 0);
	attach(pair->a, "a0", "10.5.0.0/28");
	assert_string_equal(lab_address(pair->a), "10.5.0.2");
	assert_string_equal(owner(pair->a, "over/10.5.0.0/28"), "a");
	/* news of that have not come to b */
	assert_null(wf_ctl_network_find(pair->b->control, "over")->blocks);
	assert_int_equal(attach_as(pair->b, "b0", ""), 0);
	(void)snprintf(second, sizeof(second), "%s", lab_address(pair->b));
	assert_false(is_within(second, "10.5.0.0/28"));
	assert_int_equal(block_count(pair->a), 2);
	/* neither hears of the other, and still no attach has to try twice */
	attach(pair->a, "a1", "10.5.0.0/28");
	assert_int_equal(attach_as(pair->b, "b1", ""), 0);
	assert_int_equal(pair_leased(pair->a), 4);
	pair_settle(pair);
	assert_string_equal(owner(pair->a, "over/10.5.0.0/28"), "a");
}

static void test_grow_and_shrink(void **state)
{
	struct pair *pair = *state;

	attach_many(pair->a, "a", 14, "10.5.0.0/28");
	assert_int_equal(block_count(pair->a), 1);
	attach(pair->a, "more", "10.5.0.16/28");
	assert_int_equal(block_count(pair->a), 2);
	pair_settle(pair);
	/* b knows that these are a's */
	attach(pair->b, "b0", "10.5.0.32/28");
	detach_many(pair->a, "a", 14);
	tend(pair->a);
	fake_clock_advance_ms(IDLE_MS - 1000);
	tend(pair->a);
	assert_string_equal(owner(pair->a, "over/10.5.0.0/28"), "a");
	fake_clock_advance_ms(2000);
	/* b keeps its hands off */
	tend(pair->b);
	assert_string_equal(owner(pair->a, "over/10.5.0.0/28"), "a");
	tend(pair->a);
	assert_string_equal(owner(pair->a, "over/10.5.0.0/28"), "");
	/* the one that is in use stays */
	assert_string_equal(owner(pair->a, "over/10.5.0.16/28"), "a");
	lab_settle(pair->b);
	assert_int_equal(block_count(pair->b), 2);
	for (unsigned int i = 1; i < 14; i++) {
		char name[8];

		(void)snprintf(name, sizeof(name), "b%u", i);
		assert_int_equal(attach_as(pair->b, name, ""), 0);
	}
	/* its own has 16; then it takes what a gave back */
	attach_many(pair->b, "last", 2, "10.5.0.32/28");
	/* when what was in use there has cooled down here as well */
	fake_clock_advance_ms(31000);
	attach(pair->b, "next", "10.5.0.0/28");
	assert_string_equal(owner(pair->a, "over/10.5.0.0/28"), "b");
}

/* In use again while it waits: the time starts anew. */
static void test_not_idle_long_enough(void **state)
{
	struct pair *pair = *state;

	attach(pair->a, "a0", "10.5.0.0/28");
	detach_many(pair->a, "a", 1);
	tend(pair->a);
	fake_clock_advance_ms(IDLE_MS - 1000);
	attach(pair->a, "a0", "10.5.0.0/28");
	tend(pair->a);
	detach_many(pair->a, "a", 1);
	fake_clock_advance_ms(2000);
	tend(pair->a);
	fake_clock_advance_ms(IDLE_MS - 1000);
	tend(pair->a);
	assert_int_equal(block_count(pair->a), 1);
	fake_clock_advance_ms(1000);
	tend(pair->a);
	assert_int_equal(block_count(pair->a), 0);
}

static json_t *inspect_block(struct lab *lab, const char *network, size_t i)
{
	json_t *status;

	json_decref(lab->answer);
	lab->answer = NULL;
	assert_int_equal(wf_control_network_inspect(lab->control, network, &lab->answer, &lab->err),
			 0);
	status = json_object_get(lab->answer, "status");
	return json_array_get(json_object_get(status, "blocks"), i);
}

static void assert_block(struct lab *lab, const char *network, size_t i, const char *want)
{
	_cleanup_free_ char *text = json_dumps(inspect_block(lab, network, i), JSON_COMPACT);

	assert_string_equal(text, want);
}

static void test_borrowed(void **state)
{
	struct pair *pair = *state;
	_cleanup_str_ struct wf_str metrics = WF_STR_INIT;
	_cleanup_json_ json_t *nodes = NULL;
	unsigned int more = 0;
	char body[16];

	pair_settle(pair);
	/* two blocks: 10.6.0.2 to .7, and .8 to .14, where the hosts' addresses are as well */
	lab_network(pair->a, "small",
		    "{'driver':'overlay','subnets':[{'cidr':'10.6.0.0/28','blockSize':29}]}");
	pair_settle(pair);
	lab_use(pair->a);
	for (unsigned int i = 0; i < 6; i++)
		lab_endpoint(pair->a, "small", (snprintf(body, 16, "a%u", i), body), i);
	lab_use(pair->b);
	lab_endpoint(pair->b, "small", "b0", 0);
	assert_string_equal(lab_address(pair->b), "10.6.0.8");
	assert_string_equal(owner(pair->a, "small/10.6.0.8/29"), "b");
	pair_settle(pair);
	lab_use(pair->a);
	lab_endpoint(pair->a, "small", "over", 0);
	assert_string_equal(lab_address(pair->a), "10.6.0.9");
	assert_int_equal(block_count(pair->a), 2);
	pair_settle(pair);
	assert_block(pair->b, "small", 0,
		     "{\"cidr\":\"10.6.0.0/29\",\"node\":\"a\",\"addresses\":6,\"inUse\":6,"
		     "\"borrowed\":0}");
	assert_block(pair->b, "small", 1,
		     "{\"cidr\":\"10.6.0.8/29\",\"node\":\"b\",\"addresses\":7,\"inUse\":2,"
		     "\"borrowed\":1}");
	assert_block(pair->a, "small", 1,
		     "{\"cidr\":\"10.6.0.8/29\",\"node\":\"b\",\"addresses\":7,\"inUse\":2,"
		     "\"borrowed\":1}");
	wf_control_metrics(pair->a->control, &metrics);
	assert_non_null(
		strstr(wf_str_text(&metrics), "weft_ipam_borrowed_total{network=\"small\"} 1\n"));
	assert_non_null(strstr(wf_str_text(&metrics),
			       "weft_ipam_blocks{network=\"small\",node=\"self\"} 1\n"));
	nodes = wf_control_node_list(pair->a->control);
	assert_int_equal(
		wf_json_int(json_object_get(json_array_get(json_object_get(nodes, "items"), 1),
					    "blocks"),
			    "inUse", 0),
		2);
	/* until there is none; and what comes back can be borrowed again */
	lab_use(pair->a);
	while (lab_attach(pair->a,
			  "{'network':'small','name':'m%u','netns':'/fake/c1','owner':'cli'}",
			  more) == 0)
		more++;
	assert_int_equal(more, 3);
	lab_assert_refused(pair->a,
			   lab_attach(pair->a, "{'network':'small','name':'n','netns':'/fake/c1',"
					       "'owner':'cli'}"),
			   -ENOSPC, "", "network small is full");
	pair_settle(pair);
	lab_use(pair->b);
	assert_int_equal(lab_detach(pair->b, "b0"), 0);
	lab_settle(pair->a);
	fake_clock_advance_ms(31000);
	lab_use(pair->a);
	lab_endpoint(pair->a, "small", "n", 2);
	assert_string_equal(lab_address(pair->a), "10.6.0.8");
}

/* Two nodes borrow the same at the same time: the store lets one of them have it. */
static void test_borrowed_at_once(void **state)
{
	struct pair *pair = *state;
	char first[WF_ADDR_TEXT];

	lab_network(pair->a, "one",
		    "{'driver':'overlay','subnets':[{'cidr':'10.6.0.0/28','blockSize':28}]}");
	pair_settle(pair);
	lab_use(pair->a);
	lab_endpoint(pair->a, "one", "a0", 0);
	(void)snprintf(first, sizeof(first), "%s", lab_address(pair->a));
	lab_use(pair->b);
	lab_endpoint(pair->b, "one", "b0", 0);
	assert_string_not_equal(lab_address(pair->b), first);
	assert_string_equal(owner(pair->a, "one/10.6.0.0/28"), "a");
	assert_int_equal(pair_leased(pair->a), 2);
}

/* Too small to be cut: addresses are given out as they come. */
static void test_too_small(void **state)
{
	struct pair *pair = *state;

	lab_network(pair->a, "tiny", "{'driver':'overlay','subnets':[{'cidr':'10.6.0.0/27'}]}");
	pair_settle(pair);
	lab_use(pair->a);
	lab_endpoint(pair->a, "tiny", "a0", 0);
	assert_string_equal(lab_address(pair->a), "10.6.0.2");
	lab_use(pair->b);
	lab_endpoint(pair->b, "tiny", "b0", 0);
	assert_string_equal(lab_address(pair->b), "10.6.0.3");
	assert_int_equal(block_count(pair->a), 0);
	lab_assert_refused(pair->a,
			   lab_apply(pair->a,
				     "[{'apiVersion':'weft.dev/v1','kind':'Network',"
				     "'metadata':{'name':'tiny'},'spec':{'driver':'overlay',"
				     "'subnets':[{'cidr':'10.6.0.0/27','blockSize':24}]}}]"),
			   -EINVAL, "spec.subnets[0].blockSize",
			   "10.6.0.0/27 cannot be cut into blocks of /24: want /27 to /31");
}

/* Lost: b's addresses go after the grace, and with them its blocks; a sticky one goes on elsewhere. */
static void test_a_node_that_is_gone(void **state)
{
	struct pair *pair = *state;
	char kept[WF_ADDR_TEXT];

	attach(pair->a, "a0", "10.5.0.0/28");
	lab_settle(pair->b);
	assert_int_equal(attach_as(pair->b, "db", ",'sticky':true,'stickyName':'db'"), 0);
	(void)snprintf(kept, sizeof(kept), "%s", lab_address(pair->b));
	assert_string_equal(kept, "10.5.0.16");
	attach_many(pair->b, "b", 15, "10.5.0.16/28");
	attach(pair->b, "more", "10.5.0.32/28");
	lab_stop(pair->b);
	pair_forget_lease(pair->a, "b");
	tend(pair->a);
	fake_clock_advance_ms(GRACE_MS - 1000);
	tend(pair->a);
	assert_int_equal(block_count(pair->a), 3);
	fake_clock_advance_ms(2000);
	/* its endpoints go, and one of them is there again before anybody looks at its blocks */
	wf_ctl_nodes_expire(pair->a->control);
	assert_int_equal(attach_as(pair->a, "db", ",'sticky':true,'stickyName':'db'"), 0);
	assert_string_equal(lab_address(pair->a), kept);
	tend(pair->a);
	assert_string_equal(owner(pair->a, "over/10.5.0.16/28"), "b");
	assert_string_equal(owner(pair->a, "over/10.5.0.32/28"), "");
	/* it ends */
	lab_use(pair->a);
	assert_int_equal(lab_detach(pair->a, "db"), 0);
	tend(pair->a);
	assert_int_equal(block_count(pair->a), 1);
	/* b comes back, with nothing, and begins anew */
	lab_use(pair->b);
	assert_int_equal(lab_start(pair->b), 0);
	lab_settle(pair->b);
	assert_null(wf_ctl_endpoint_find(pair->b->control, "db"));
	fake_clock_advance_ms(31000);
	assert_int_equal(attach_as(pair->b, "new", ""), 0);
	assert_string_equal(owner(pair->a, "over/10.5.0.16/28"), "b");
	/* its name still has its address */
	assert_string_not_equal(lab_address(pair->b), kept);
}

/* Deleted: all at once. The same with a network. */
static void test_deleted(void **state)
{
	struct pair *pair = *state;

	attach(pair->a, "a0", "10.5.0.0/28");
	lab_settle(pair->b);
	attach(pair->b, "b0", "10.5.0.16/28");
	lab_stop(pair->b);
	pair_forget_lease(pair->a, "b");
	lab_settle(pair->a);
	lab_use(pair->a);
	assert_int_equal(lab_delete(pair->a, WF_KIND_NODE, "b"), 0);
	assert_string_equal(owner(pair->a, "over/10.5.0.16/28"), "");
	assert_null(
		wf_ctl_block_find(wf_ctl_network_find(pair->a->control, "over"), "10.5.0.16/28"));
	lab_use(pair->b);
	assert_int_equal(lab_start(pair->b), 0);
	pair_settle(pair);
	attach(pair->b, "b1", "10.5.0.16/28");
	pair_settle(pair);
	lab_use(pair->b);
	assert_int_equal(lab_detach(pair->b, "b1"), 0);
	lab_settle(pair->a);
	lab_use(pair->a);
	assert_int_equal(lab_detach(pair->a, "a0"), 0);
	assert_int_equal(lab_delete(pair->a, WF_KIND_NETWORK, "over"), 0);
	pair_settle(pair);
	assert_int_equal(block_count(pair->a), 0);
}

/* A store from before there were blocks, and a network that is cut anew. */
static void test_cut_anew(void **state)
{
	struct pair *pair = *state;

	lab_network(pair->a, "over",
		    "{'driver':'overlay','subnets':[{'cidr':'10.5.0.0/24','blockSize':0}]}");
	pair_settle(pair);
	attach(pair->a, "a0", "10.5.0.2/32");
	lab_settle(pair->b);
	attach(pair->b, "b0", "10.5.0.3/32");
	assert_int_equal(block_count(pair->a), 0);
	lab_network(pair->a, "over", "{'driver':'overlay','subnets':[{'cidr':'10.5.0.0/24'}]}");
	pair_settle(pair);
	attach(pair->a, "a1", "10.5.0.4/32");
	assert_string_equal(owner(pair->a, "over/10.5.0.0/28"), "a");
	lab_settle(pair->b);
	attach(pair->b, "b1", "10.5.0.16/28");
	pair_settle(pair);
	lab_network(pair->a, "over",
		    "{'driver':'overlay','subnets':[{'cidr':'10.5.0.0/24','blockSize':26}]}");
	pair_settle(pair);
	tend(pair->a);
	tend(pair->b);
	pair_settle(pair);
	assert_int_equal(block_count(pair->a), 0);
	attach(pair->b, "b2", "10.5.0.0/26");
	pair_settle(pair);
	attach(pair->a, "a2", "10.5.0.64/26");
	assert_string_equal(owner(pair->a, "over/10.5.0.0/26"), "b");
	/* and after a restart it is the same */
	lab_use(pair->a);
	lab_restart(pair->a);
	attach(pair->a, "a3", "10.5.0.64/26");
	assert_int_equal(block_count(pair->a), 2);
}

/* Ranges of the request and of the network say where, blocks do not widen that. */
static void test_ranges(void **state)
{
	struct pair *pair = *state;
	const char *ranges = ",'ranges':[[{'subnet':'10.5.0.0/24','rangeStart':'10.5.0.100',"
			     "'rangeEnd':'10.5.0.101'}]]";

	assert_int_equal(attach_as(pair->a, "a0", ranges), 0);
	assert_string_equal(lab_address(pair->a), "10.5.0.100");
	assert_string_equal(owner(pair->a, "over/10.5.0.96/28"), "a");
	/* of b it is borrowed: there is no other block with it */
	lab_settle(pair->b);
	assert_int_equal(attach_as(pair->b, "b0", ranges), 0);
	assert_string_equal(lab_address(pair->b), "10.5.0.101");
	assert_int_equal(block_count(pair->a), 1);
	/* what is asked for outright needs no block */
	assert_int_equal(attach_as(pair->b, "b1", ",'addresses':['10.5.0.99']"), 0);
	assert_int_equal(block_count(pair->a), 1);
	lab_network(pair->a, "part",
		    "{'driver':'overlay','subnets':[{'cidr':'10.6.0.0/24',"
		    "'ranges':[{'start':'10.6.0.40','end':'10.6.0.60'}],"
		    "'exclude':['10.6.0.32/28']}]}");
	lab_use(pair->a);
	lab_endpoint(pair->a, "part", "p", 0);
	assert_string_equal(lab_address(pair->a), "10.6.0.48");
	assert_string_equal(owner(pair->a, "part/10.6.0.48/28"), "a");
}

/* The store is away: refused, nothing is left, and it goes on when it is back. */
static void test_store_is_away(void **state)
{
	struct pair *pair = *state;

	lab_use(pair->a);
	fake_gate_shut(FAKE_STORE);
	assert_true(attach_as(pair->a, "a0", "") < 0);
	assert_true(fake_gate_disarm());
	assert_int_equal(block_count(pair->a), 0);
	assert_null(wf_ctl_network_find(pair->a->control, "over")->blocks);
	attach(pair->a, "a0", "10.5.0.2/32");
}

/* Somebody had it when this node wanted it, and has given it back before the news came. */
static void test_claimed_and_gone(void **state)
{
	struct pair *pair = *state;
	struct ctl_network *network = wf_ctl_network_find(pair->b->control, "over");

	attach(pair->a, "a0", "10.5.0.0/28");
	assert_int_equal(attach_as(pair->b, "b0", ""), 0);
	assert_non_null(wf_ctl_block_find(network, "10.5.0.0/28"));
	pair_write(pair->a, CTL_KIND_IP_BLOCK, "over/10.5.0.0/28", NULL);
	pair_settle(pair);
	assert_null(wf_ctl_block_find(network, "10.5.0.0/28"));
	/* a has lost it: others may have it, and a takes the next */
	attach_many(pair->b, "c", 15, "10.5.0.0/24");
	attach(pair->b, "d", "10.5.0.0/28");
	assert_string_equal(owner(pair->a, "over/10.5.0.0/28"), "b");
	lab_settle(pair->a);
	attach(pair->a, "a1", "10.5.0.0/24");
	assert_false(is_within(lab_address(pair->a), "10.5.0.0/28"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_each_its_own),
		CASE(test_grow_and_shrink),
		CASE(test_not_idle_long_enough),
		CASE(test_borrowed),
		CASE(test_borrowed_at_once),
		CASE(test_too_small),
		CASE(test_a_node_that_is_gone),
		CASE(test_deleted),
		CASE(test_cut_anew),
		CASE(test_ranges),
		CASE(test_store_is_away),
		CASE(test_claimed_and_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
