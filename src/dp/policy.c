/* SPDX-License-Identifier: Apache-2.0 */
#include "dp/policy.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "dp/dp_priv.h"

/* Counters of one call. */
#define PREFIXES_AT_ONCE 512
#define HITS_AT_ONCE     1024

int wf_dp_policy_memory(struct wf_dp *dp, struct wf_dp_policy_memory *ret_memory,
			struct wf_err *err)
{
	struct wf_dp_policy_memory memory = {
		.subjects = wf_dp_memory(dp, WF_DP_MAP_POLICY_SUBJECTS),
		.profiles = wf_dp_memory(dp, WF_DP_MAP_POLICY_PROFILES),
		.profile_count = WF_MAX_POLICY_PROFILES,
		.rules = wf_dp_memory_reserve(dp, WF_DP_MAP_POLICY_RULES),
		.rule_count = WF_MAX_POLICY_RULES,
	};

	if (!memory.subjects || !memory.profiles || !memory.rules)
		return wf_fail(err, -errno, "cannot map the tables of policies: %s",
			       strerror(errno));
	*ret_memory = memory;
	return 0;
}

int wf_dp_rules_reach(struct wf_dp *dp, uint32_t count)
{
	return wf_dp_memory_reach(dp, WF_DP_MAP_POLICY_RULES, count);
}

void wf_dp_rules_trim(struct wf_dp *dp, uint32_t count)
{
	wf_dp_memory_trim(dp, WF_DP_MAP_POLICY_RULES, count);
}

/* ---- pairs --------------------------------------------------------------------------------- */

/* One by one, for kernels that refuse the batch. */
static int write_pairs(int fd, const struct wf_policy_pair_key *keys,
		       const struct wf_policy_run *runs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int r = runs ? bpf_map_update_elem(fd, &keys[i], &runs[i], BPF_ANY)
			     : bpf_map_delete_elem(fd, &keys[i]);

		if (r < 0 && (runs || errno != ENOENT))
			return -errno;
	}
	return 0;
}

static int update_pairs(int fd, const struct wf_policy_pair_key *keys,
			const struct wf_policy_run *runs, size_t count)
{
	uint32_t done = (uint32_t)count;

	if (bpf_map_update_batch(fd, keys, runs, &done, NULL) == 0)
		return 0;
	return errno == E2BIG ? -E2BIG : write_pairs(fd, keys, runs, count);
}

/* A batch stops at a key that is not there, having counted those before it. */
static int delete_pairs(int fd, const struct wf_policy_pair_key *keys, size_t count)
{
	while (count) {
		uint32_t done = (uint32_t)count;

		if (bpf_map_delete_batch(fd, keys, &done, NULL) == 0)
			return 0;
		if (errno != ENOENT || done >= count)
			return write_pairs(fd, keys, NULL, count);
		keys += done + 1;
		count -= done + 1;
	}
	return 0;
}

int wf_dp_pairs_set(struct wf_dp *dp, const struct wf_policy_pair_key *keys,
		    const struct wf_policy_run *runs, size_t count, struct wf_err *err)
{
	int fd = dp->map_fds[WF_DP_MAP_POLICY_PAIRS], r = 0;

	/* a batch of one costs more than it saves */
	if (count == 1)
		r = write_pairs(fd, keys, runs, count);
	else if (count)
		r = runs ? update_pairs(fd, keys, runs, count) : delete_pairs(fd, keys, count);
	if (r == -E2BIG)
		return wf_fail(err, -ENOSPC,
			       "the table of policy pairs (wf_policy_pairs) is full: a node holds "
			       "at most %d",
			       WF_MAX_POLICY_PAIRS);
	return r < 0 ? wf_fail(err, r, "cannot write to wf_policy_pairs: %s", strerror(-r)) : 0;
}

struct pair_visit {
	wf_dp_pair_fn visit;
	void *context;
};

static int visit_pair(const void *key, const void *value, void *context)
{
	const struct pair_visit *to = context;

	return to->visit(key, value, to->context);
}

int wf_dp_pair_visit(struct wf_dp *dp, wf_dp_pair_fn visit, void *context, struct wf_err *err)
{
	struct pair_visit to = { visit, context };
	int r = wf_dp_entry_visit(dp, WF_DP_MAP_POLICY_PAIRS, visit_pair, &to);

	return r < 0 ? wf_fail(err, r, "cannot read wf_policy_pairs: %s", strerror(-r)) : 0;
}

/* ---- prefixes ------------------------------------------------------------------------------ */

static int fail_prefix(int r, struct wf_err *err)
{
	if (r == -ENOSPC)
		return wf_fail(err, -ENOSPC,
			       "the table of policy prefixes (wf_policy_prefixes) is full: a node "
			       "holds at most %d",
			       WF_MAX_POLICY_PREFIXES);
	return wf_fail(err, r, "cannot write to wf_policy_prefixes: %s", strerror(-r));
}

static struct wf_policy_prefix_key key_of(uint32_t scope, const struct wf_prefix *network)
{
	return (struct wf_policy_prefix_key){ .prefixlen = wf_dp_trie_len(network),
					      .scope = scope,
					      .addr = network->addr };
}

static uint32_t value_of(const struct wf_prefix *network, uint32_t class_id)
{
	return (class_id & ~WF_POLICY_CLASS_ODD) |
	       (network->len == wf_addr_bits(&network->addr) ? WF_POLICY_CLASS_ODD : 0);
}

int wf_dp_prefix_set(struct wf_dp *dp, uint32_t scope, const struct wf_prefix *prefix,
		     uint32_t class_id, bool present, struct wf_err *err)
{
	int fd = dp->map_fds[WF_DP_MAP_POLICY_PREFIXES];
	const struct wf_prefix network = wf_prefix_network(prefix);
	const struct wf_policy_prefix_key key = key_of(scope, &network);
	uint32_t value = value_of(&network, class_id);

	wf_dp_fetch_drop(&dp->fetched_prefixes);
	if (!present && (bpf_map_delete_elem(fd, &key) == 0 || errno == ENOENT))
		return 0;
	if (present && bpf_map_update_elem(fd, &key, &value, BPF_ANY) == 0)
		return 0;
	return fail_prefix(-errno, err);
}

int wf_dp_prefix_add(struct wf_dp *dp, uint32_t scope, const struct wf_prefix *prefix,
		     uint32_t class_id, struct wf_err *err)
{
	const struct wf_prefix network = wf_prefix_network(prefix);
	const struct wf_policy_prefix_key key = key_of(scope, &network);
	uint32_t value = value_of(&network, class_id);
	int r;

	wf_dp_fetch_drop(&dp->fetched_prefixes);
	r = wf_dp_batch_add(dp, WF_DP_MAP_POLICY_PREFIXES, &key, &value);
	return r < 0 ? fail_prefix(r, err) : 0;
}

int wf_dp_prefixes_flush(struct wf_dp *dp, struct wf_err *err)
{
	int r = wf_dp_batch_flush(dp, WF_DP_MAP_POLICY_PREFIXES);

	return r < 0 ? fail_prefix(r, err) : 0;
}

/* Many at once: a hundred thousand by a call for each is time in which nothing else is done. */
int wf_dp_prefix_next(struct wf_dp *dp, struct wf_dp_prefix_place *place, wf_dp_prefix_fn visit,
		      void *context, struct wf_err *err)
{
	struct wf_policy_prefix_key keys[PREFIXES_AT_ONCE];
	uint32_t values[PREFIXES_AT_ONCE], count = PREFIXES_AT_ONCE;
	bool more = bpf_map_lookup_batch(dp->map_fds[WF_DP_MAP_POLICY_PREFIXES],
					 place->is_inside ? &place->key : NULL, &place->key, keys,
					 values, &count, NULL) == 0;
	int r = !more && errno != ENOENT ? -errno : 0;

	place->is_inside = true;
	for (uint32_t i = 0; r >= 0 && i < count; i++) {
		struct wf_prefix prefix = wf_dp_trie_prefix(keys[i].prefixlen, &keys[i].addr);

		r = visit(keys[i].scope, &prefix, values[i] & ~WF_POLICY_CLASS_ODD, context);
	}
	if (r < 0)
		return wf_fail(err, r, "cannot read wf_policy_prefixes: %s", strerror(-r));
	return more;
}

int wf_dp_prefix_read(struct wf_dp *dp, wf_dp_prefix_fn visit, void *context, struct wf_err *err)
{
	struct wf_dp_prefix_place place = { .is_inside = false };
	int r;

	do {
		r = wf_dp_prefix_next(dp, &place, visit, context, err);
	} while (r > 0);
	return r;
}

int wf_dp_prefix_visit(struct wf_dp *dp, wf_dp_prefix_fn visit, void *context, struct wf_err *err)
{
	int r;

	if (!wf_dp_fetched_prefix_visit(dp, visit, context, &r))
		return wf_dp_prefix_read(dp, visit, context, err);
	return r < 0 ? wf_fail(err, r, "cannot read wf_policy_prefixes: %s", strerror(-r)) : 0;
}

/* ---- hits ---------------------------------------------------------------------------------- */

static void add_hits(const struct wf_dp *dp, const struct wf_counter *values, uint32_t count,
		     struct wf_counter *ret_hits)
{
	for (uint32_t i = 0; i < count; i++) {
		struct wf_counter sum = {};

		for (int cpu = 0; cpu < dp->cpu_count; cpu++) {
			sum.packets += values->packets;
			sum.bytes += values->bytes;
			values++;
		}
		ret_hits[i] = sum;
	}
}

int wf_dp_hits_read(struct wf_dp *dp, uint32_t first, uint32_t count, struct wf_counter *ret_hits)
{
	size_t per_rule = (size_t)dp->cpu_count * sizeof(struct wf_counter);
	_cleanup_free_ struct wf_counter *values = calloc(HITS_AT_ONCE, per_rule);
	_cleanup_free_ uint32_t *keys = calloc(HITS_AT_ONCE, sizeof(*keys));

	if (!values || !keys)
		return -ENOMEM;
	if (first > WF_MAX_POLICY_HITS || count > WF_MAX_POLICY_HITS - first)
		return -ERANGE;
	while (count) {
		uint32_t before = first - 1, next,
			 got = count < HITS_AT_ONCE ? count : HITS_AT_ONCE;
		uint32_t wanted = got;

		if (bpf_map_lookup_batch(dp->map_fds[WF_DP_MAP_POLICY_HITS], first ? &before : NULL,
					 &next, keys, values, &got, NULL) < 0 &&
		    errno != ENOENT)
			return -errno;
		if (got != wanted)
			return -ERANGE;
		add_hits(dp, values, got, ret_hits);
		ret_hits += got;
		first += got;
		count -= got;
	}
	return 0;
}

int wf_dp_hits_clear(struct wf_dp *dp, uint32_t rule)
{
	memset(dp->percpu, 0, (size_t)dp->cpu_count * sizeof(struct wf_counter));
	if (bpf_map_update_elem(dp->map_fds[WF_DP_MAP_POLICY_HITS], &rule, dp->percpu, BPF_ANY) < 0)
		return -errno;
	return 0;
}

/* ---- in force ------------------------------------------------------------------------------ */

static int write_config(struct wf_dp *dp, const struct wf_config_value *config, struct wf_err *err)
{
	uint32_t zero = 0;

	if (bpf_map_update_elem(dp->map_fds[WF_DP_MAP_CONFIG], &zero, config, BPF_ANY) < 0)
		return wf_fail(err, -errno, "cannot write to wf_config: %s", strerror(errno));
	dp->config = *config;
	return 0;
}

int wf_dp_policy_revise(struct wf_dp *dp, struct wf_err *err)
{
	struct wf_config_value config = dp->config;

	config.revision++;
	return write_config(dp, &config, err);
}

int wf_dp_policy_settle(struct wf_dp *dp)
{
	(void)dp;
	/* the kernel waits for all that it protects by RCU: programs of tc and XDP are among it */
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) < 0)
		return errno == EINVAL || errno == ENOSYS ? -EOPNOTSUPP : -errno;
	return 0;
}

int wf_dp_guard_set(struct wf_dp *dp, uint32_t slot, bool guarded, struct wf_err *err)
{
	int fd = dp->map_fds[WF_DP_MAP_ENDPOINTS];
	struct wf_ep_value value;

	if (bpf_map_lookup_elem(fd, &slot, &value) < 0)
		return wf_fail(err, -errno, "cannot read slot %u: %s", slot, strerror(errno));
	if (guarded)
		value.flags |= WF_EP_GUARDED;
	else
		value.flags &= ~(uint32_t)WF_EP_GUARDED;
	if (bpf_map_update_elem(fd, &slot, &value, BPF_ANY) < 0)
		return wf_fail(err, -errno, "cannot write slot %u: %s", slot, strerror(errno));
	return 0;
}

int wf_dp_guard_get(struct wf_dp *dp, uint32_t slot, bool *ret_guarded)
{
	struct wf_ep_value value;

	if (bpf_map_lookup_elem(dp->map_fds[WF_DP_MAP_ENDPOINTS], &slot, &value) < 0)
		return -errno;
	*ret_guarded = value.flags & WF_EP_GUARDED;
	return 0;
}

/* ---- questions ----------------------------------------------------------------------------- */

/* What waits in the ring: the answer, and what others are told. */
struct reading {
	struct wf_event *event;
	bool found;
	wf_dp_event_fn others;
	void *context;
};

static void sort_event(const struct wf_event *event, void *context)
{
	struct reading *reading = context;

	if (event->type != WF_EVENT_TRACE) {
		reading->others(event, reading->context);
		return;
	}
	*reading->event = *event;
	reading->found = true;
}

/* No packet that is handed over (bpf/lib/handed.h) has this bit, since it is marked with a device's index. */
#define TRACE_BIT 0x80000000

/* A mark that nobody else uses, as far as chance goes; weft's own bits stay 0. */
static uint32_t choose_mark(void)
{
	uint32_t mark = 0;

	(void)!getentropy(&mark, sizeof(mark));
	return (mark & ~(uint32_t)(WF_MARK_MASQUERADE | WF_MARK_SEALED)) | TRACE_BIT;
}

int wf_dp_trace(struct wf_dp *dp, const struct wf_dp_packet *packet, struct wf_event *ret_event,
		wf_dp_event_fn others, void *context, struct wf_err *err)
{
	struct wf_config_value config = dp->config;
	struct wf_dp_packet marked = *packet;
	struct wf_event event;
	struct reading reading = { .event = &event, .others = others, .context = context };
	int action, r, ended;

	marked.mark = choose_mark();
	marked.repeat = 1;
	config.trace = marked.mark;
	r = write_config(dp, &config, err);
	if (r < 0)
		return r;
	r = wf_dp_run(dp, &marked, &action, NULL, err);
	config.trace = 0;
	ended = write_config(dp, &config, r < 0 ? NULL : err);
	if (r == 0)
		r = ended;
	if (r < 0)
		return r;
	r = wf_dp_event_read(dp, sort_event, &reading);
	if (r < 0)
		return wf_fail(err, r, "cannot read events: %s", strerror(-r));
	if (!reading.found)
		return wf_fail(err, -ENOMSG, "the packet is no business of weft's");
	*ret_event = event;
	return 0;
}
