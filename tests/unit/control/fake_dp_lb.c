/* SPDX-License-Identifier: Apache-2.0 */
/* dp/lb.h and dp/conn.h over tables in memory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/addr.h"
#include "dp/conn.h"
#include "dp/lb.h"
#include "fake_dp.h"
#include "fake_dp_priv.h"

#define PAGES     4096
#define BACKENDS  4096
#define SERVICES  1024
#define FRONTENDS 4096
#define CONNS     1024
#define SOURCES   256
#define FEW       64

#define GENERATION 0x80000000U

struct frontend {
	struct wf_frontend_key key;
	struct wf_frontend_value value;
	UT_hash_handle hh;
};

struct source {
	uint32_t service;
	struct wf_prefix prefix;
};

struct fake_lb {
	struct wf_pick_page pages[PAGES];
	struct wf_backend_value backends[BACKENDS];
	struct wf_service_value services[SERVICES];
	struct frontend *frontends; /* owned */
	size_t frontend_limit;
	struct source sources[SOURCES];
	size_t source_count;
	struct wf_range_value ranges[WF_MAX_RANGES];
	size_t range_count;
	struct {
		uint64_t cookie;
		struct wf_netns_value value;
	} netns[ROOM];
	size_t netns_count;
	struct {
		uint32_t ifindex;
		struct wf_uplink_value value;
	} uplinks[FEW];
	size_t uplink_count;
	uint64_t uses[FEW]; /* cookies of sockets that count */
	size_t use_count;
	char cgroup[256]; /* the socket hooks are on it; "": on none */
	struct {
		uint32_t ifindex;
		enum wf_dp_xdp_mode mode;
	} xdp[FEW];
	size_t xdp_count;
	struct wf_conn conns[CONNS];
	struct wf_conn_state state;
	struct wf_conn_owner owners[WF_MAX_SLOTS];
};

struct fake_lb *fake_lb_new(void)
{
	struct fake_lb *lb = calloc(1, sizeof(*lb));

	if (!lb)
		abort();
	lb->frontend_limit = FRONTENDS;
	lb->state.max = CONNS;
	return lb;
}

static void forget_frontend(struct fake_lb *lb, struct frontend *frontend)
{
	if (!frontend)
		return;
	HASH_DEL(lb->frontends, frontend);
	free(frontend);
}

void fake_lb_free(struct fake_lb **lb)
{
	struct frontend *frontend, *next;

	HASH_ITER(hh, (*lb)->frontends, frontend, next)
		forget_frontend(*lb, frontend);
	free(*lb);
	*lb = NULL;
}

/* ---- what a test may see and do ------------------------------------------------------------ */

void fake_dp_frontend_limit(struct wf_dp *dp, size_t frontends)
{
	dp->lb->frontend_limit = frontends ? frontends : FRONTENDS;
}

const struct wf_frontend_value *fake_dp_frontend(const struct wf_dp *dp,
						 const struct wf_frontend_key *key)
{
	struct frontend *frontend;

	HASH_FIND(hh, dp->lb->frontends, key, sizeof(*key), frontend);
	return frontend ? &frontend->value : NULL;
}

size_t fake_dp_frontend_count(const struct wf_dp *dp)
{
	return HASH_COUNT(dp->lb->frontends);
}

const struct wf_netns_value *fake_dp_netns(const struct wf_dp *dp, uint64_t cookie)
{
	for (size_t i = 0; i < dp->lb->netns_count; i++)
		if (dp->lb->netns[i].cookie == cookie)
			return &dp->lb->netns[i].value;
	return NULL;
}

const struct wf_uplink_value *fake_dp_uplink(const struct wf_dp *dp, uint32_t ifindex)
{
	for (size_t i = 0; i < dp->lb->uplink_count; i++)
		if (dp->lb->uplinks[i].ifindex == ifindex)
			return &dp->lb->uplinks[i].value;
	return NULL;
}

bool fake_dp_source(const struct wf_dp *dp, uint32_t service, const char *text)
{
	struct wf_prefix prefix;

	if (wf_prefix_parse(text, &prefix) < 0)
		abort();
	for (size_t i = 0; i < dp->lb->source_count; i++)
		if (dp->lb->sources[i].service == service &&
		    wf_prefix_equal(&dp->lb->sources[i].prefix, &prefix))
			return true;
	return false;
}

const char *fake_dp_cgroup(const struct wf_dp *dp)
{
	return dp->lb->cgroup;
}

enum wf_dp_xdp_mode fake_dp_xdp(const struct wf_dp *dp, uint32_t ifindex)
{
	for (size_t i = 0; i < dp->lb->xdp_count; i++)
		if (dp->lb->xdp[i].ifindex == ifindex)
			return dp->lb->xdp[i].mode;
	return WF_DP_XDP_NONE;
}

void fake_dp_connect(struct wf_dp *dp, uint32_t index, const struct wf_conn *conn)
{
	if (!index || index >= CONNS)
		abort();
	dp->lb->conns[index] = *conn;
	dp->lb->conns[index].guard = 1;
	dp->lb->state.live++;
	dp->lb->owners[conn->owner].owned++;
	dp->lb->backends[conn->backend].active++;
}

/* ---- dp/lb.h ------------------------------------------------------------------------------- */

void wf_dp_lb_memory(struct wf_dp *dp, struct wf_dp_lb_memory *ret_memory)
{
	*ret_memory =
		(struct wf_dp_lb_memory){ dp->lb->pages,    PAGES,   dp->lb->backends, BACKENDS,
					  dp->lb->services, SERVICES };
}

int wf_dp_lb_reach(struct wf_dp *dp, enum wf_dp_lb_array array, uint32_t count)
{
	(void)dp;
	(void)array;
	(void)count;
	return 0;
}

void wf_dp_lb_trim(struct wf_dp *dp, enum wf_dp_lb_array array, uint32_t count)
{
	(void)dp;
	(void)array;
	(void)count;
}

static int set_frontend(struct fake_lb *lb, const struct wf_frontend_key *key,
			const struct wf_frontend_value *value, struct wf_err *err)
{
	struct frontend *frontend;

	HASH_FIND(hh, lb->frontends, key, sizeof(*key), frontend);
	if (!value) {
		forget_frontend(lb, frontend);
		return 0;
	}
	if (!frontend) {
		if (HASH_COUNT(lb->frontends) == lb->frontend_limit)
			return wf_fail(err, -ENOSPC,
				       "the frontend table is full: it holds at most %zu",
				       lb->frontend_limit);
		frontend = calloc(1, sizeof(*frontend));
		if (!frontend)
			abort();
		frontend->key = *key;
		HASH_ADD(hh, lb->frontends, key, sizeof(frontend->key), frontend);
	}
	frontend->value = *value;
	return 0;
}

int wf_dp_frontends_set(struct wf_dp *dp, const struct wf_frontend_key *keys,
			const struct wf_frontend_value *values, size_t count, struct wf_err *err)
{
	int r = 0;

	PASS(FAKE_DP, err);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = set_frontend(dp->lb, &keys[i], values ? &values[i] : NULL, err);
	return r;
}

int wf_dp_frontend_visit(struct wf_dp *dp, wf_dp_frontend_fn visit, void *context,
			 struct wf_err *err)
{
	struct frontend *frontend, *next;
	int r = 0;

	PASS(FAKE_DP, err);
	HASH_ITER(hh, dp->lb->frontends, frontend, next) {
		struct frontend copy = *frontend;

		r = visit(&copy.key, &copy.value, context);
		if (r < 0)
			return r;
	}
	return 0;
}

int wf_dp_source_visit(struct wf_dp *dp, wf_dp_source_fn visit, void *context, struct wf_err *err)
{
	int r = 0;

	PASS(FAKE_DP_READ, err);
	for (size_t i = 0; r >= 0 && i < dp->lb->source_count; i++)
		r = visit(dp->lb->sources[i].service, &dp->lb->sources[i].prefix, context);
	return r < 0 ? r : 0;
}

int wf_dp_source_set(struct wf_dp *dp, uint32_t service, const struct wf_prefix *prefix,
		     bool present, struct wf_err *err)
{
	struct fake_lb *lb = dp->lb;
	size_t i = 0;

	PASS(FAKE_DP, err);
	while (i < lb->source_count && (lb->sources[i].service != service ||
					!wf_prefix_equal(&lb->sources[i].prefix, prefix)))
		i++;
	if (i == SOURCES)
		return wf_fail(err, -ENOSPC, "the table of source ranges is full");
	if (present && i == lb->source_count)
		lb->sources[lb->source_count++] = (struct source){ service, *prefix };
	else if (!present && i < lb->source_count)
		lb->sources[i] = lb->sources[--lb->source_count];
	return 0;
}

int wf_dp_ranges_set(struct wf_dp *dp, const struct wf_range_value *ranges, size_t count,
		     uint32_t *ret_word, struct wf_err *err)
{
	PASS(FAKE_DP, err);
	if (count > WF_MAX_RANGES)
		return wf_fail(err, -ENOSPC, "a node publishes at most %d runs of ports",
			       WF_MAX_RANGES);
	if (count)
		memcpy(dp->lb->ranges, ranges, count * sizeof(*ranges));
	dp->lb->range_count = count;
	dp->config.ranges = ((dp->config.ranges & GENERATION) ^ GENERATION) | (uint32_t)count;
	*ret_word = dp->config.ranges;
	return 0;
}

int wf_dp_ranges_get(struct wf_dp *dp, struct wf_range_value *ret_ranges)
{
	PASS(FAKE_DP_READ, NULL);
	memcpy(ret_ranges, dp->lb->ranges, dp->lb->range_count * sizeof(*ret_ranges));
	return (int)dp->lb->range_count;
}

int wf_dp_netns_set(struct wf_dp *dp, uint64_t cookie, const struct wf_netns_value *value,
		    struct wf_err *err)
{
	struct fake_lb *lb = dp->lb;
	size_t i = 0;

	PASS(FAKE_DP, err);
	while (i < lb->netns_count && lb->netns[i].cookie != cookie)
		i++;
	if (i == ROOM)
		return wf_fail(err, -ENOSPC, "wf_netns is full");
	if (value) {
		lb->netns[i].cookie = cookie;
		lb->netns[i].value = *value;
		lb->netns_count += i == lb->netns_count;
	} else if (i < lb->netns_count) {
		lb->netns[i] = lb->netns[--lb->netns_count];
	}
	return 0;
}

int wf_dp_netns_visit(struct wf_dp *dp, wf_dp_netns_fn visit, void *context)
{
	PASS(FAKE_DP, NULL);
	/* backwards, as the addresses: the callback may delete */
	for (size_t i = dp->lb->netns_count; i-- > 0;) {
		struct wf_netns_value value = dp->lb->netns[i].value;

		visit(dp->lb->netns[i].cookie, &value, context);
	}
	return 0;
}

int wf_dp_uplink_set(struct wf_dp *dp, uint32_t ifindex, const struct wf_uplink_value *value,
		     struct wf_err *err)
{
	struct fake_lb *lb = dp->lb;
	size_t i = 0;

	PASS(FAKE_DP, err);
	while (i < lb->uplink_count && lb->uplinks[i].ifindex != ifindex)
		i++;
	if (i == FEW)
		return wf_fail(err, -ENOSPC, "wf_uplinks is full");
	if (value) {
		lb->uplinks[i].ifindex = ifindex;
		lb->uplinks[i].value = *value;
		lb->uplink_count += i == lb->uplink_count;
	} else if (i < lb->uplink_count) {
		lb->uplinks[i] = lb->uplinks[--lb->uplink_count];
	}
	return 0;
}

int wf_dp_uplink_visit(struct wf_dp *dp, wf_dp_uplink_fn visit, void *context)
{
	PASS(FAKE_DP, NULL);
	for (size_t i = dp->lb->uplink_count; i-- > 0;) {
		struct wf_uplink_value value = dp->lb->uplinks[i].value;

		visit(dp->lb->uplinks[i].ifindex, &value, context);
	}
	return 0;
}

int wf_dp_sockets_attach(struct wf_dp *dp, const char *cgroup, struct wf_err *err)
{
	PASS(FAKE_DP, err);
	(void)strncpy(dp->lb->cgroup, cgroup, sizeof(dp->lb->cgroup) - 1);
	return 0;
}

int wf_dp_sock_uses(struct wf_dp *dp, uint64_t **ret_cookies, size_t *ret_count)
{
	PASS(FAKE_DP, NULL);
	*ret_cookies = calloc(FEW, sizeof(**ret_cookies));
	if (!*ret_cookies)
		abort();
	memcpy(*ret_cookies, dp->lb->uses, sizeof(dp->lb->uses));
	*ret_count = dp->lb->use_count;
	return 0;
}

void wf_dp_sock_use_end(struct wf_dp *dp, uint64_t cookie)
{
	for (size_t i = 0; i < dp->lb->use_count; i++)
		if (dp->lb->uses[i] == cookie)
			dp->lb->uses[i] = dp->lb->uses[--dp->lb->use_count];
}

void fake_dp_use(struct wf_dp *dp, uint64_t cookie)
{
	if (dp->lb->use_count == FEW)
		abort();
	dp->lb->uses[dp->lb->use_count++] = cookie;
}

bool fake_dp_is_used(const struct wf_dp *dp, uint64_t cookie)
{
	for (size_t i = 0; i < dp->lb->use_count; i++)
		if (dp->lb->uses[i] == cookie)
			return true;
	return false;
}

int wf_dp_sockets_detach(struct wf_dp *dp)
{
	PASS(FAKE_DP, NULL);
	dp->lb->cgroup[0] = '\0';
	return 0;
}

bool wf_dp_sockets_attached(const struct wf_dp *dp)
{
	return dp->lb->cgroup[0] != '\0';
}

int wf_dp_xdp_attach(struct wf_dp *dp, uint32_t ifindex, bool want_native,
		     enum wf_dp_xdp_mode *ret_mode, struct wf_err *err)
{
	struct fake_lb *lb = dp->lb;
	size_t i = 0;

	PASS(FAKE_DP, err);
	while (i < lb->xdp_count && lb->xdp[i].ifindex != ifindex)
		i++;
	if (i == FEW)
		return wf_fail(err, -ENOSPC, "too many devices");
	lb->xdp[i].ifindex = ifindex;
	lb->xdp[i].mode = want_native ? WF_DP_XDP_NATIVE : WF_DP_XDP_GENERIC;
	lb->xdp_count += i == lb->xdp_count;
	*ret_mode = lb->xdp[i].mode;
	return 0;
}

int wf_dp_xdp_detach(struct wf_dp *dp, uint32_t ifindex)
{
	struct fake_lb *lb = dp->lb;

	PASS(FAKE_DP, NULL);
	for (size_t i = lb->xdp_count; i-- > 0;)
		if (lb->xdp[i].ifindex == ifindex)
			lb->xdp[i] = lb->xdp[--lb->xdp_count];
	return 0;
}

/* ---- dp/conn.h ----------------------------------------------------------------------------- */

static void disconnect(struct fake_lb *lb, struct wf_conn *conn)
{
	conn->guard = 0;
	lb->state.live--;
	lb->owners[conn->owner].owned--;
	lb->backends[conn->backend].active--;
}

int wf_dp_conn_visit(struct wf_dp *dp, wf_dp_conn_fn visit, void *context)
{
	int count = 0;

	PASS(FAKE_DP, NULL);
	for (uint32_t i = 1; i < CONNS; i++) {
		struct wf_dp_conn copy = { .index = i, .conn = dp->lb->conns[i] };

		if (!copy.conn.guard)
			continue;
		count++;
		if (visit(&copy, context))
			disconnect(dp->lb, &dp->lb->conns[i]);
	}
	return count;
}

/* Nothing ever expires here. */
int wf_dp_conn_sweep(struct wf_dp *dp, uint32_t slice, struct wf_dp_conn_rest *ret_rest)
{
	*ret_rest = (struct wf_dp_conn_rest){ .live = 0 };
	PASS(FAKE_DP, NULL);
	ret_rest->live = dp->lb->state.live;
	return 0;
}

bool wf_dp_conn_wake_at(struct wf_dp *dp, uint32_t live)
{
	dp->lb->state.wake_at = live;
	return !live || dp->lb->state.live < live;
}

void wf_dp_conn_state(struct wf_dp *dp, struct wf_conn_state *ret_state)
{
	*ret_state = dp->lb->state;
}

void wf_dp_conn_configure(struct wf_dp *dp,
			  const uint32_t timeout_s[WF_CONN_PHASE_COUNT][WF_CONN_CLASS_COUNT],
			  uint32_t quota)
{
	memcpy(dp->lb->state.timeout_s, timeout_s, sizeof(dp->lb->state.timeout_s));
	dp->lb->state.quota = quota;
}

void wf_dp_conn_owner(struct wf_dp *dp, uint32_t slot, struct wf_conn_owner *ret_owner)
{
	*ret_owner = dp->lb->owners[slot];
}

void wf_dp_sizes(const struct wf_dp *dp, struct wf_dp_sizes *ret_sizes)
{
	*ret_sizes = (struct wf_dp_sizes){ .services = SERVICES - 1, .connections = CONNS };
}
