/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, adopting and closing the datapath; its programs. */
#include "dp/dp.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "dp/dp_priv.h"

static void forget_fds(struct wf_dp *dp)
{
	for (size_t i = 0; i < WF_DP_MAP_COUNT; i++)
		if (dp->map_fds[i] >= 0)
			(void)close(TAKE_FD(dp->map_fds[i]));
	for (size_t i = 0; i < WF_DP_PINNED_COUNT; i++)
		if (dp->prog_fds[i] >= 0)
			(void)close(TAKE_FD(dp->prog_fds[i]));
}

static int open_maps(struct wf_dp *dp, struct wf_err *err)
{
	int r = 0;

	for (size_t i = 0; i < WF_DP_MAP_COUNT; i++) {
		int fd = wf_dp_pin_open(dp->map_dir, wf_dp_map_specs[i].name);

		if (fd < 0)
			return wf_fail(err, fd, "cannot open the pinned map %s: %s",
				       wf_dp_map_specs[i].name, strerror(-fd));
		dp->map_fds[i] = fd;
	}
	(void)wf_dp_sizes_learn(dp->map_fds[WF_DP_MAP_SERVICES],
				&wf_dp_map_specs[WF_DP_MAP_SERVICES], &dp->sizes);
	(void)wf_dp_sizes_learn(dp->map_fds[WF_DP_MAP_CONNS], &wf_dp_map_specs[WF_DP_MAP_CONNS],
				&dp->sizes);
	for (size_t i = 0; r == 0 && i < WF_DP_MAP_COUNT; i++)
		r = wf_dp_map_specs[i].is_passing
			    ? 0
			    : wf_dp_map_check(dp->map_fds[i], &wf_dp_map_specs[i], &dp->sizes, err);
	return r;
}

/* Opens every pin. -ENOENT when one is missing, -ESTALE when a map is of another layout. */
static int open_pins(struct wf_dp *dp, struct wf_err *err)
{
	int r = open_maps(dp, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < WF_DP_PINNED_COUNT; i++) {
		int fd = wf_dp_pin_open(dp->prog_dir, wf_dp_program_specs[i].name);

		if (fd == -ENOENT && wf_dp_program_specs[i].is_late)
			continue; /* nobody has wanted it yet */
		if (fd < 0)
			return wf_fail(err, fd, "cannot open the pinned program %s: %s",
				       wf_dp_program_specs[i].name, strerror(-fd));
		dp->prog_fds[i] = fd;
	}
	return 0;
}

/* Whether everything is pinned and of this build; 1, 0 or an error that loading would meet too. */
static int adopt(struct wf_dp *dp, struct wf_err *err)
{
	struct wf_build_value build = {};
	uint32_t zero = 0;
	int r = open_pins(dp, err);

	if (r == 0 && bpf_map_lookup_elem(dp->map_fds[WF_DP_MAP_BUILD], &zero, &build) == 0 &&
	    build.hash == wf_dp_build_hash())
		return 1;
	forget_fds(dp);
	if (r == -ENOENT || r == 0) {
		wf_err_clear(err);
		return 0;
	}
	if (r == -EPERM)
		return wf_fail(err, r,
			       "not allowed to use bpf(): CAP_BPF and CAP_NET_ADMIN are needed");
	return r;
}

static int read_program_id(struct wf_dp *dp, size_t i, struct wf_err *err)
{
	struct bpf_prog_info info = {};
	uint32_t bytes = sizeof(info);

	if (bpf_obj_get_info_by_fd(dp->prog_fds[i], &info, &bytes) < 0)
		return wf_fail(err, -errno, "cannot inspect program %s: %s",
			       wf_dp_program_specs[i].name, strerror(errno));
	dp->prog_ids[i] = info.id;
	return 0;
}

static int read_program_ids(struct wf_dp *dp, struct wf_err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < WF_DP_PROGRAM_COUNT; i++)
		if (dp->prog_fds[i] >= 0)
			r = read_program_id(dp, i, err);
	return r;
}

static int allocate(struct wf_dp **ret_dp, struct wf_err *err)
{
	_cleanup_free_ struct wf_dp *dp = calloc(1, sizeof(*dp));

	if (!dp)
		return wf_fail(err, -ENOMEM, "out of memory opening the datapath");
	for (size_t i = 0; i < WF_DP_MAP_COUNT; i++)
		dp->map_fds[i] = -1;
	for (size_t i = 0; i < WF_DP_PINNED_COUNT; i++)
		dp->prog_fds[i] = -1;
	dp->cpu_count = libbpf_num_possible_cpus();
	if (dp->cpu_count < 1)
		return wf_fail(err, -EIO, "cannot read the number of possible CPUs");
	dp->percpu = calloc((size_t)dp->cpu_count, sizeof(struct wf_traffic_value));
	if (!dp->percpu)
		return wf_fail(err, -ENOMEM, "out of memory opening the datapath");
	*ret_dp = TAKE_PTR(dp);
	return 0;
}

/* Adopts what is pinned, or loads. */
static int enter(struct wf_dp *dp, const struct wf_dp_sizes *sizes, struct wf_err *err)
{
	int r;

	wf_dp_sizes_wanted(sizes, &dp->sizes);
	r = adopt(dp, err);
	if (r < 0)
		return r;
	dp->adopted = r == 1;
	if (dp->adopted)
		return wf_dp_conn_init(dp, false, err);
	wf_dp_sizes_wanted(sizes, &dp->sizes);
	return wf_dp_load(dp, err);
}

static int read_config(struct wf_dp *dp, struct wf_err *err)
{
	uint32_t zero = 0;

	if (bpf_map_lookup_elem(dp->map_fds[WF_DP_MAP_CONFIG], &zero, &dp->config) < 0)
		return wf_fail(err, -errno, "cannot read wf_config: %s", strerror(errno));
	return 0;
}

int wf_dp_open(const char *bpf_dir, const struct wf_dp_sizes *sizes, struct wf_dp **ret_dp,
	       struct wf_err *err)
{
	_cleanup_(wf_dp_close) struct wf_dp *dp = NULL;
	int r = allocate(&dp, err);

	if (r < 0)
		return r;
	wf_dp_log_begin();
	r = wf_dp_pin_prepare(dp, bpf_dir, err);
	if (r == 0)
		r = enter(dp, sizes, err);
	if (r == 0)
		r = read_config(dp, err);
	if (r == 0)
		r = read_program_ids(dp, err);
	if (r < 0)
		return r;
	*ret_dp = TAKE_PTR(dp);
	return 0;
}

void wf_dp_close(struct wf_dp **dp)
{
	if (!*dp)
		return;
	wf_dp_tcx_end(*dp);
	wf_dp_fetch_drop(&(*dp)->fetched_prefixes);
	wf_dp_fetch_drop(&(*dp)->fetched_remotes);
	wf_dp_batches_free(*dp);
	ring_buffer__free((*dp)->ring);
	for (size_t i = 0; i < WF_DP_MAP_COUNT; i++)
		wf_dp_memory_release(*dp, (enum wf_dp_map)i);
	forget_fds(*dp);
	free((*dp)->percpu);
	free(TAKE_PTR(*dp));
}

void wf_dp_sizes(const struct wf_dp *dp, struct wf_dp_sizes *ret_sizes)
{
	*ret_sizes = dp->sizes;
}

bool wf_dp_adopted(const struct wf_dp *dp)
{
	return dp->adopted;
}

int wf_dp_program_want(struct wf_dp *dp, enum wf_dp_program program, struct wf_err *err)
{
	int r;

	if (dp->prog_fds[program] >= 0)
		return 0;
	r = wf_dp_load_late(dp, (enum wf_dp_pinned)program, err);
	return r < 0 ? r : read_program_id(dp, program, err);
}

int wf_dp_program_fd(const struct wf_dp *dp, enum wf_dp_program program)
{
	return dp->prog_fds[program];
}

uint32_t wf_dp_program_id(const struct wf_dp *dp, enum wf_dp_program program)
{
	return dp->prog_ids[program];
}

int wf_dp_run(struct wf_dp *dp, const struct wf_dp_packet *packet, int *ret_action,
	      uint32_t *ret_ns, struct wf_err *err)
{
	/* received there, as far as programs can see */
	struct __sk_buff context = { .ifindex = packet->ifindex,
				     .ingress_ifindex = packet->ifindex,
				     .mark = packet->mark };
	LIBBPF_OPTS(bpf_test_run_opts, options);

	options.data_in = packet->bytes;
	options.data_size_in = (uint32_t)packet->len;
	options.ctx_in = &context;
	options.ctx_size_in = sizeof(context);
	options.repeat = (int)packet->repeat;
	if (bpf_prog_test_run_opts(dp->prog_fds[packet->program], &options) < 0)
		return wf_fail(err, -errno, "cannot run %s on a packet from device %u: %s",
			       wf_dp_program_specs[packet->program].name, packet->ifindex,
			       strerror(errno));
	*ret_action = (int)options.retval;
	if (ret_ns)
		*ret_ns = options.duration;
	return 0;
}
