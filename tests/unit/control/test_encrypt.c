/* SPDX-License-Identifier: Apache-2.0 */
/* Encryption between nodes: who has which key, what leads where, how a key is changed. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "lab.h"

struct pair {
	struct lab *a, *b;
	char dirs[2][32];
};

static struct lab *join(struct lab *first, const char *node, const char *node_ip, char *dir)
{
	struct lab *lab = lab_beside(first, node, node_ip);

	(void)snprintf(dir, 32, "/tmp/weft-test-enc-XXXXXX");
	assert_non_null(mkdtemp(dir));
	lab->state_dir = dir;
	assert_int_equal(lab_start(lab), 0);
	lab_settle(lab);
	return lab;
}

static int setup(void **state)
{
	struct pair *pair = calloc(1, sizeof(*pair));

	assert_non_null(pair);
	pair->a = join(NULL, "a", "192.0.2.1", pair->dirs[0]);
	pair->b = join(pair->a, "b", "192.0.2.2", pair->dirs[1]);
	*state = pair;
	return 0;
}

static int teardown(void **state)
{
	struct pair *pair = *state;

	lab_free(&pair->b);
	lab_free(&pair->a);
	for (size_t i = 0; i < 2; i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), "%s/" CTL_KEY_FILE, pair->dirs[i]);
		(void)unlink(path);
		(void)rmdir(pair->dirs[i]);
	}
	free(pair);
	return 0;
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

static void settle(struct pair *pair)
{
	for (int i = 0; i < 3; i++) {
		lab_settle(pair->a);
		lab_settle(pair->b);
	}
}

static void encrypt(struct pair *pair)
{
	lab_network(pair->a, "over",
		    "{'driver':'overlay','encryption':'wireguard',"
		    "'subnets':[{'cidr':'10.5.0.0/24'}]}");
	settle(pair);
}

static const struct ctl_encrypt *of(const struct lab *lab)
{
	return &lab->control->cluster.encrypt;
}

static void assert_leads(const struct lab *lab, unsigned int digit)
{
	bool has_end;

	assert_true(of(lab)->is_on);
	assert_int_equal(fake_net_wg_way(lab->net, &has_end), of(lab)->own[0].ifindex);
	assert_true(has_end);
	assert_int_equal(of(lab)->own[0].digit, digit);
}

/* What one node knows of another's first tunnel, everywhere that it has to be known. */
static void assert_knows(struct lab *lab, const char *name, const struct lab *other)
{
	const struct ctl_node *node = wf_ctl_node_find(lab->control, name);
	struct wf_addr address = wf_node_tunnel_address(&of(other)->own[0].public);
	const struct fake_wg *wg = fake_net_wg(lab->net, of(lab)->own[0].digit);
	bool found = false;

	assert_non_null(node);
	assert_true(wf_addr_equal(&fake_dp_tunnels(lab->dp, node->number)[0], &address));
	assert_int_equal(wg->peer_count, of(other)->count);
	for (size_t i = 0; i < wg->peer_count; i++)
		found |= wf_addr_equal(&wg->peers[i].tunnel, &address) &&
			 wf_addr_equal(&wg->peers[i].endpoint, &node->underlay) &&
			 wg->peers[i].port == of(other)->own[0].public.port;
	assert_true(found);
}

static void test_nothing_unasked(void **state)
{
	struct pair *pair = *state;
	bool has_end;

	settle(pair);
	assert_int_equal(of(pair->a)->count, 0);
	assert_int_equal(fake_net_wg_way(pair->a->net, &has_end), 0);
	assert_false(has_end);
	lab_network(pair->a, "plain", "{'driver':'overlay','subnets':[{'cidr':'10.6.0.0/24'}]}");
	settle(pair);
	assert_int_equal(of(pair->a)->count, 0);
	assert_int_equal(wf_ctl_network_find(pair->a->control, "plain")->spec.encryption,
			 WF_ENCRYPTION_NONE);
}

static void test_both_know_each_other(void **state)
{
	struct pair *pair = *state;
	const struct ctl_network *network;

	encrypt(pair);
	network = wf_ctl_network_find(pair->b->control, "over");
	assert_int_equal(network->mtu, 1500 - 60);
	assert_true(fake_dp_network(pair->b->dp, network->spec.number).flags & WF_NET_ENCRYPTED);
	assert_leads(pair->a, 0);
	assert_leads(pair->b, 0);
	assert_knows(pair->a, "b", pair->b);
	assert_knows(pair->b, "a", pair->a);
	/* and neither any more */
	assert_int_equal(lab_delete(pair->b, "Network", "over"), 0);
	settle(pair);
	assert_false(of(pair->a)->is_on);
	assert_true(wf_addr_is_zero(&fake_dp_tunnels(pair->a->dp, WF_NODE_SELF)[0]));
	assert_true(wf_addr_is_zero(
		&fake_dp_tunnels(pair->a->dp, wf_ctl_node_find(pair->a->control, "b")->number)[0]));
}

static void test_key_outlives_a_restart(void **state)
{
	struct pair *pair = *state;
	uint8_t key[WF_WG_KEY_BYTES];
	char path[64];
	struct stat st;
	FILE *file;

	encrypt(pair);
	memcpy(key, of(pair->a)->own[0].key, sizeof(key));
	(void)snprintf(path, sizeof(path), "%s/" CTL_KEY_FILE, pair->dirs[0]);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	lab_restart(pair->a);
	assert_memory_equal(of(pair->a)->own[0].key, key, sizeof(key));
	assert_leads(pair->a, 0);
	assert_knows(pair->a, "b", pair->b);
	/* one that cannot be read is replaced, and others are told */
	file = fopen(path, "w");
	assert_non_null(file);
	(void)fputs("current 0 1 AAAA\n", file);
	assert_int_equal(fclose(file), 0);
	(void)wf_log_set_levels("error");
	lab_restart(pair->a);
	settle(pair);
	assert_memory_not_equal(of(pair->a)->own[0].key, key, sizeof(key));
	assert_knows(pair->b, "a", pair->a);
}

/* Without a device nothing is sent, and the way ends. */
static void test_no_device(void **state)
{
	struct pair *pair = *state;
	bool has_end;

	encrypt(pair);
	assert_false(wf_addr_is_zero(&fake_dp_tunnels(pair->a->dp, WF_NODE_SELF)[0]));
	fake_net_wg_break(pair->a->net, true);
	wf_ctl_encrypt_sync(pair->a->control);
	assert_false(of(pair->a)->is_on);
	assert_int_not_equal(*of(pair->a)->problem, '\0');
	assert_true(wf_addr_is_zero(&fake_dp_tunnels(pair->a->dp, WF_NODE_SELF)[0]));
	assert_int_equal(fake_net_wg_way(pair->a->net, &has_end), 0);
	assert_true(has_end);
	fake_net_wg_break(pair->a->net, false);
	wf_ctl_encrypt_sync(pair->a->control);
	assert_leads(pair->a, 0);
	assert_false(wf_addr_is_zero(&fake_dp_tunnels(pair->a->dp, WF_NODE_SELF)[0]));
}

static void turn(struct pair *pair, struct lab *lab)
{
	if (wf_ctl_encrypt_step(lab->control))
		wf_ctl_encrypt_sync(lab->control);
	settle(pair);
}

static void test_rotation(void **state)
{
	struct pair *pair = *state;
	_cleanup_json_ json_t *answer = NULL;
	uint8_t key[WF_WG_KEY_BYTES];
	struct lab *a;

	encrypt(pair);
	a = pair->a;
	memcpy(key, of(a)->own[0].key, sizeof(key));
	fake_net_wg_meet(a->net, 0, true);
	assert_int_equal(wf_control_node_rotate_key(a->control, &answer, &a->err), 0);
	turn(pair, a);
	assert_int_equal(of(a)->rotation, CTL_ROTATION_NEXT);
	/* known to the other, and not used */
	assert_leads(a, 0);
	assert_memory_equal(of(a)->own[0].key, key, sizeof(key));
	assert_int_equal(wf_ctl_node_find(pair->b->control, "a")->tunnel_count, 2);
	assert_knows(pair->b, "a", a);
	/* nobody has answered */
	fake_clock_advance_ms(10000);
	turn(pair, a);
	assert_int_equal(of(a)->rotation, CTL_ROTATION_NEXT);
	fake_net_wg_meet(a->net, 1, true);
	turn(pair, a);
	assert_int_equal(of(a)->rotation, CTL_ROTATION_FORMER);
	assert_leads(a, 1);
	assert_memory_not_equal(of(a)->own[0].key, key, sizeof(key));
	assert_knows(pair->b, "a", a);
	/* a restart in between changes nothing */
	lab_restart(a);
	assert_int_equal(of(a)->rotation, CTL_ROTATION_FORMER);
	assert_leads(a, 1);
	fake_clock_advance_ms(10000);
	turn(pair, a);
	assert_int_equal(of(a)->rotation, CTL_ROTATION_NONE);
	assert_int_equal(of(a)->count, 1);
	assert_leads(a, 1);
	assert_knows(pair->b, "a", a);
	assert_int_equal(wf_ctl_node_find(pair->b->control, "a")->tunnel_count, 1);
}

static void attach(struct pair *pair, struct lab *lab, const char *name, const char *ip)
{
	lab_use(lab);
	assert_int_equal(lab_attach(lab,
				    "{'network':'over','name':'%s','netns':'/fake/c0',"
				    "'owner':'cli','addresses':['%s']}",
				    name, ip),
			 0);
	settle(pair);
}

/* Whose an address is to a node's device of that digit, and that packets go to it as they are. */
static void assert_bound(struct lab *lab, unsigned int digit, const char *text,
			 const struct lab *holder)
{
	const struct fake_wg *wg = fake_net_wg(lab->net, digit);
	const struct wf_remote_value *remote = fake_dp_remote(lab->dp, text);
	struct wf_addr addr;
	size_t found = 0;

	assert_int_equal(wf_addr_parse(text, &addr), 0);
	for (size_t i = 0; i < wg->bound_count; i++)
		if (wf_addr_equal(&wg->bound[i].addr, &addr)) {
			found++;
			assert_non_null(holder);
			assert_memory_equal(wg->bound[i].key, of(holder)->own[0].public.key,
					    WF_WG_KEY_BYTES);
		}
	assert_int_equal(found, holder ? 1 : 0);
	assert_int_equal(remote ? remote->flags : 0, holder ? WF_REMOTE_BOUND : 0);
}

/* One that is late once or twice works, one that stays away does not; then it works again. */
static void test_a_late_device(void **state)
{
	struct pair *pair = *state;
	struct lab *a;

	encrypt(pair);
	a = pair->a;
	fake_net_wg_delay(a->net, true);
	for (int i = 0; i < 2; i++) {
		wf_ctl_encrypt_sync(a->control);
		assert_true(of(a)->is_on);
		assert_string_equal(of(a)->problem, "");
		assert_leads(a, 0);
	}
	/* what comes meanwhile waits for the next look */
	attach(pair, pair->b, "db", "10.5.0.7");
	assert_bound(a, 0, "10.5.0.7", NULL);
	wf_ctl_encrypt_sync(a->control);
	assert_false(of(a)->is_on);
	assert_string_not_equal(of(a)->problem, "");
	fake_net_wg_delay(a->net, false);
	wf_ctl_encrypt_sync(a->control);
	assert_true(of(a)->is_on);
	assert_bound(a, 0, "10.5.0.7", pair->b);
	/* being late is counted anew */
	fake_net_wg_delay(a->net, true);
	wf_ctl_encrypt_sync(a->control);
	assert_true(of(a)->is_on);
	fake_net_wg_delay(a->net, false);
	wf_ctl_encrypt_sync(a->control);
}

static void test_addresses_are_bound(void **state)
{
	struct pair *pair = *state;

	encrypt(pair);
	attach(pair, pair->b, "db", "10.5.0.7");
	assert_bound(pair->a, 0, "10.5.0.7", pair->b);
	assert_int_equal(fake_dp_bare(pair->a->dp), of(pair->a)->own[0].ifindex);
	/* a restart finds the same */
	lab_restart(pair->a);
	settle(pair);
	assert_bound(pair->a, 0, "10.5.0.7", pair->b);
	/* what does not work is made good with the next look */
	lab_use(pair->b);
	assert_int_equal(lab_detach(pair->b, "db"), 0);
	settle(pair);
	assert_bound(pair->a, 0, "10.5.0.7", NULL);
	assert_int_equal(fake_net_wg(pair->a->net, 0)->bound_count, 0);
	attach(pair, pair->b, "db", "10.5.0.8");
	assert_bound(pair->a, 0, "10.5.0.8", pair->b);
	/* without a device nothing goes in */
	fake_net_wg_break(pair->a->net, true);
	wf_ctl_encrypt_sync(pair->a->control);
	assert_int_equal(fake_dp_bare(pair->a->dp), 0);
	fake_net_wg_break(pair->a->net, false);
	wf_ctl_encrypt_sync(pair->a->control);
	assert_int_equal(fake_dp_bare(pair->a->dp), of(pair->a)->own[0].ifindex);
	assert_bound(pair->a, 0, "10.5.0.8", pair->b);
}

/* While others may not have heard of another key, packets get outer headers. */
static void test_addresses_follow_a_key(void **state)
{
	struct pair *pair = *state;
	_cleanup_json_ json_t *answer = NULL;
	struct lab *a;

	encrypt(pair);
	a = pair->a;
	attach(pair, a, "web", "10.5.0.9");
	assert_bound(pair->b, 0, "10.5.0.9", a);
	fake_net_wg_meet(a->net, 0, true);
	assert_int_equal(wf_control_node_rotate_key(a->control, &answer, &a->err), 0);
	turn(pair, a);
	fake_clock_advance_ms(10000);
	fake_net_wg_meet(a->net, 1, true);
	turn(pair, a);
	assert_int_equal(of(a)->rotation, CTL_ROTATION_FORMER);
	assert_bound(pair->b, 0, "10.5.0.9", a);
	assert_int_equal(fake_dp_bare(a->dp), 0);
	assert_int_not_equal(fake_dp_bare(pair->b->dp), 0);
	fake_clock_advance_ms(10000);
	turn(pair, a);
	assert_int_equal(of(a)->rotation, CTL_ROTATION_NONE);
	assert_bound(pair->b, 0, "10.5.0.9", a);
	assert_int_equal(fake_dp_bare(a->dp), 0);
	lab_restart(a);
	assert_int_equal(fake_dp_bare(a->dp), 0);
	fake_clock_advance_ms(300000);
	wf_ctl_encrypt_sync(a->control);
	assert_int_equal(fake_dp_bare(a->dp), of(a)->own[0].ifindex);
}

static void test_rotation_without_answer(void **state)
{
	struct pair *pair = *state;
	_cleanup_json_ json_t *answer = NULL;
	struct lab *a;

	encrypt(pair);
	a = pair->a;
	fake_net_wg_meet(a->net, 0, true);
	assert_int_equal(wf_control_node_rotate_key(a->control, &answer, &a->err), 0);
	turn(pair, a);
	fake_clock_advance_ms(61000);
	(void)wf_log_set_levels("error");
	turn(pair, a);
	assert_int_equal(of(a)->rotation, CTL_ROTATION_NONE);
	assert_int_equal(of(a)->count, 1);
	assert_leads(a, 0);
	assert_knows(pair->b, "a", a);
}

static void test_claimed_key(void **state)
{
	struct pair *pair = *state;
	struct wf_node spec = { .tunnel_count = 1 };
	struct ctl_node *node;

	encrypt(pair);
	spec.tunnels[0] = of(pair->b)->own[0].public;
	assert_int_equal(wf_ctl_node_get(pair->a->control, "c", &node, NULL), 0);
	assert_int_equal(wf_ctl_encrypt_learn(pair->a->control, node, &spec, NULL), -EADDRINUSE);
	assert_int_equal(node->tunnel_count, 0);
}

/* What one node's host and another's send each other: NULL, as they are. */
static const struct wf_seal_value *seal(const struct lab *lab, const char *text)
{
	struct wf_addr addr;

	assert_int_equal(wf_addr_parse(text, &addr), 0);
	return fake_dp_seal(lab->dp, &addr);
}

static void say(struct pair *pair, struct lab *lab, bool says)
{
	lab->encryption_hosts = says;
	lab_restart(lab);
	settle(pair);
}

static bool is_in_force(const struct lab *lab)
{
	return lab->control->lb.config_flags & WF_CONFIG_SEALS;
}

static void test_hosts(void **state)
{
	struct pair *pair = *state;
	const struct wf_seal_value *value;

	settle(pair);
	say(pair, pair->a, true);
	/* one alone has a key, and sends in clear */
	assert_leads(pair->a, 0);
	assert_int_equal(of(pair->b)->count, 0);
	assert_null(seal(pair->a, "192.0.2.2"));
	assert_false(is_in_force(pair->a));
	say(pair, pair->b, true);
	value = seal(pair->a, "192.0.2.2");
	assert_non_null(value);
	assert_int_equal(value->node, wf_ctl_node_find(pair->a->control, "b")->number);
	assert_int_equal(value->own[0], htons(51820));
	assert_int_equal(value->own[1], htons(51821));
	assert_int_equal(value->ports[0], htons(51820));
	assert_int_equal(value->vxlan, htons(WF_OVERLAY_PORT));
	assert_int_equal(value->mtu, 1500 - 60 - 70);
	assert_non_null(seal(pair->b, "192.0.2.1"));
	assert_true(is_in_force(pair->a) && is_in_force(pair->b));
	/* what does not work takes nothing back */
	fake_net_wg_break(pair->a->net, true);
	wf_ctl_encrypt_sync(pair->a->control);
	assert_non_null(seal(pair->a, "192.0.2.2"));
	assert_true(is_in_force(pair->a));
	fake_net_wg_break(pair->a->net, false);
	lab_restart(pair->a);
	assert_non_null(seal(pair->a, "192.0.2.2"));
	/* who does not say it any more takes it back for both */
	say(pair, pair->b, false);
	assert_null(seal(pair->a, "192.0.2.2"));
	assert_null(seal(pair->b, "192.0.2.1"));
	assert_false(is_in_force(pair->a) || is_in_force(pair->b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_nothing_unasked),
		CASE(test_both_know_each_other),
		CASE(test_key_outlives_a_restart),
		CASE(test_no_device),
		CASE(test_rotation),
		CASE(test_a_late_device),
		CASE(test_addresses_are_bound),
		CASE(test_addresses_follow_a_key),
		CASE(test_rotation_without_answer),
		CASE(test_claimed_key),
		CASE(test_hosts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
