/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading: the embedded object against the maps that are pinned already. While it runs, the
 * filters in the kernel go on with the programs they hold. Order: the build hash is zeroed, the
 * stages change, the filters' pins change, then the programs of links, the hash is written;
 * whoever is killed in between leaves a hash of 0, and the next start loads again.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "dp/dp_priv.h"
#include "weft.skel.h"

/*
 * Which programs of the object are loaded: one, or all that are not late (ALL_BUT_LATE). The verifier
 * takes a third of a second for all of them: what few hosts need waits until it is wanted.
 */
#define ALL_BUT_LATE WF_DP_OBJECT_PROGRAMS

/* Tables that refer to each other by number: one alone is of no use. */
static const enum wf_dp_map together[] = {
	WF_DP_MAP_CONNS,      WF_DP_MAP_CONN_INDEX,  WF_DP_MAP_CONN_FREE,
	WF_DP_MAP_CONN_STATE, WF_DP_MAP_CONN_OWNERS,
};

static bool is_pinned(struct wf_dp *dp, enum wf_dp_map map)
{
	char path[PATH_MAX];

	return wf_dp_pin_path(dp->map_dir, wf_dp_map_specs[map].name, path) == 0 &&
	       access(path, F_OK) == 0;
}

/*
 * Unpins the tables of connections unless all are there, so that they are made together; returns
 * whether they will be. Programs that run keep the old ones until they are replaced.
 */
static bool forget_connections(struct wf_dp *dp)
{
	size_t count = sizeof(together) / sizeof(together[0]), there = 0;
	char path[PATH_MAX];

	for (size_t i = 0; i < count; i++)
		there += is_pinned(dp, together[i]);
	if (there == count)
		return false;
	for (size_t i = 0; i < count; i++)
		if (wf_dp_pin_path(dp->map_dir, wf_dp_map_specs[together[i]].name, path) == 0)
			(void)unlink(path);
	return true;
}

/* Tables that are pinned decide how large the others of their kind are. */
static int learn_sizes(struct wf_dp *dp, struct wf_err *err)
{
	for (size_t i = 0; i < WF_DP_MAP_COUNT; i++) {
		const struct wf_dp_map_spec *spec = &wf_dp_map_specs[i];
		_cleanup_close_ int fd = spec->sizing == WF_DP_SIZE_FIXED
						 ? -1
						 : wf_dp_pin_open(dp->map_dir, spec->name);
		int r = fd < 0 ? 0 : wf_dp_sizes_learn(fd, spec, &dp->sizes);

		if (r < 0)
			return wf_fail(err, r, "cannot inspect the pinned map %s: %s", spec->name,
				       strerror(-r));
	}
	return 0;
}

/* Lets the object use the pinned map of its name, if there is one. */
static int reuse_map(struct wf_dp *dp, struct bpf_map *map, const struct wf_dp_map_spec *spec,
		     struct wf_err *err)
{
	_cleanup_close_ int fd = wf_dp_pin_open(dp->map_dir, spec->name);
	int r;

	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return wf_fail(err, fd, "cannot open the pinned map %s: %s", spec->name,
			       strerror(-fd));
	r = wf_dp_map_check(fd, spec, &dp->sizes, err);
	if (r < 0)
		return r;
	r = bpf_map__reuse_fd(map, fd);
	return r < 0 ? wf_fail(err, r, "cannot use the pinned map %s: %s", spec->name, strerror(-r))
		     : 0;
}

static int reuse_maps(struct wf_dp *dp, size_t chosen, struct bpf_object *object,
		      struct wf_err *err)
{
	for (size_t i = 0; i < WF_DP_MAP_COUNT; i++) {
		const struct wf_dp_map_spec *spec = &wf_dp_map_specs[i];
		struct bpf_map *map = bpf_object__find_map_by_name(object, spec->name);
		int r;

		if (!map)
			return wf_fail(err, -ENOENT, "the object has no map %s", spec->name);
		if (spec->sizing != WF_DP_SIZE_FIXED)
			(void)bpf_map__set_max_entries(map, wf_dp_map_entries(spec, &dp->sizes));
		if (spec->is_passing && chosen == ALL_BUT_LATE)
			continue;
		r = reuse_map(dp, map, spec, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Keeps a descriptor of each map, and pins those that are new. */
static int keep_maps(struct wf_dp *dp, struct bpf_object *object, struct wf_err *err)
{
	for (size_t i = 0; i < WF_DP_MAP_COUNT; i++) {
		const struct wf_dp_map_spec *spec = &wf_dp_map_specs[i];
		_cleanup_close_ int pinned = wf_dp_pin_open(dp->map_dir, spec->name);
		int fd = bpf_map__fd(bpf_object__find_map_by_name(object, spec->name)), r;

		if (dp->map_fds[i] >= 0)
			(void)close(dp->map_fds[i]);
		dp->map_fds[i] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		if (dp->map_fds[i] < 0)
			return wf_fail(err, -errno, "cannot keep map %s: %s", spec->name,
				       strerror(errno));
		if (pinned >= 0 && !spec->is_passing)
			continue;
		r = wf_dp_map_check(fd, spec, &dp->sizes, err);
		if (r == 0)
			r = wf_dp_pin_replace(dp->map_dir, spec->name, fd, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int write_build(struct wf_dp *dp, uint64_t hash, struct wf_err *err)
{
	struct wf_build_value build = { .hash = hash, .abi = WF_ABI_VERSION };
	uint32_t zero = 0;

	if (bpf_map_update_elem(dp->map_fds[WF_DP_MAP_BUILD], &zero, &build, BPF_ANY) < 0)
		return wf_fail(err, -errno, "cannot write the build id: %s", strerror(errno));
	return 0;
}

/* A late program of an earlier build is none. */
static void forget_program(struct wf_dp *dp, const struct wf_dp_program_spec *spec)
{
	char path[PATH_MAX];

	if (wf_dp_pin_path(dp->prog_dir, spec->name, path) == 0)
		(void)unlink(path);
}

/* Puts one loaded program to its place: a stage into the table, a filter into its pin. */
static int place_program(struct wf_dp *dp, struct bpf_object *object, size_t i, struct wf_err *err)
{
	const struct wf_dp_program_spec *spec = &wf_dp_program_specs[i];
	struct bpf_program *program = bpf_object__find_program_by_name(object, spec->name);
	int fd = program ? bpf_program__fd(program) : -ENOENT;
	uint32_t stage = (uint32_t)spec->stage;

	if (fd < 0)
		return wf_fail(err, fd, "the object has no program %s", spec->name);
	if (spec->stage >= 0) {
		if (bpf_map_update_elem(dp->map_fds[WF_DP_MAP_PROGS], &stage, &fd, BPF_ANY) < 0)
			return wf_fail(err, -errno, "cannot set stage %s: %s", spec->name,
				       strerror(errno));
		return 0;
	}
	dp->prog_fds[i] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (dp->prog_fds[i] < 0)
		return wf_fail(err, -errno, "cannot keep %s: %s", spec->name, strerror(errno));
	return wf_dp_pin_replace(dp->prog_dir, spec->name, fd, err);
}

static int place(struct wf_dp *dp, struct bpf_object *object, bool fresh, struct wf_err *err)
{
	int r = keep_maps(dp, object, err);

	if (r == 0)
		r = write_build(dp, 0, err);
	if (r == 0)
		r = wf_dp_conn_init(dp, fresh, err);
	/* stages first: a filter never meets a stage older than itself that lacks a map */
	for (size_t i = WF_DP_OBJECT_PROGRAMS; r == 0 && i-- > 0;)
		if (wf_dp_program_specs[i].is_late)
			forget_program(dp, &wf_dp_program_specs[i]);
		else
			r = place_program(dp, object, i, err);
	if (r == 0)
		r = wf_dp_sockets_update(dp, err);
	if (r == 0)
		r = wf_dp_xdp_update(dp, err);
	return r < 0 ? r : write_build(dp, wf_dp_build_hash(), err);
}

static int refused(const struct wf_dp *dp, int r, struct wf_err *err)
{
	if (r == -ENOMEM)
		return wf_fail(err, r,
			       "not enough memory for tables of %u services and %u connections: "
			       "choose smaller --max-services, --max-connections",
			       dp->sizes.services, dp->sizes.connections);
	if (r == -EPERM)
		return wf_fail(err, -EPERM,
			       "not allowed to use bpf(): CAP_BPF and CAP_NET_ADMIN "
			       "are needed (%s)",
			       wf_dp_log_text());
	return wf_fail(err, -EOPNOTSUPP, "the kernel refuses the datapath (%s): %s", strerror(-r),
		       wf_dp_log_text());
}

static int choose_programs(struct bpf_object *object, size_t chosen, struct wf_err *err)
{
	for (size_t i = 0; i < WF_DP_OBJECT_PROGRAMS; i++) {
		const struct wf_dp_program_spec *spec = &wf_dp_program_specs[i];
		struct bpf_program *program = bpf_object__find_program_by_name(object, spec->name);

		if (!program)
			return wf_fail(err, -ENOENT, "the object has no program %s", spec->name);
		(void)bpf_program__set_autoload(program, chosen == ALL_BUT_LATE ? !spec->is_late
										: i == chosen);
	}
	return 0;
}

/* Opens the object on the pinned maps and loads the chosen programs; the caller destroys it. */
static int load(struct wf_dp *dp, size_t chosen, struct weft_bpf **skeleton, struct wf_err *err)
{
	LIBBPF_OPTS(bpf_object_open_opts, options);
	int r;

	options.kernel_log_buf = wf_dp_log_verifier(&options.kernel_log_size);
	*skeleton = weft_bpf__open_opts(&options);
	if (!*skeleton)
		return wf_fail(err, -errno, "cannot open the embedded object: %s",
			       wf_dp_log_text());
	r = choose_programs((*skeleton)->obj, chosen, err);
	if (r == 0)
		r = reuse_maps(dp, chosen, (*skeleton)->obj, err);
	if (r < 0)
		return r;
	r = weft_bpf__load(*skeleton);
	return r < 0 ? refused(dp, r, err) : 0;
}

static void load_end(struct weft_bpf *skeleton)
{
	weft_bpf__destroy(skeleton);
	wf_dp_log_end();
	/* the object, its BTF and the log came to megabytes; the daemon stays small */
	(void)malloc_trim(0);
}

int wf_dp_load(struct wf_dp *dp, struct wf_err *err)
{
	struct weft_bpf *skeleton = NULL;
	bool fresh = forget_connections(dp);
	int r;

	wf_dp_log_begin();
	r = learn_sizes(dp, err);
	if (r == 0)
		r = load(dp, ALL_BUT_LATE, &skeleton, err);
	if (r == 0)
		r = place(dp, skeleton->obj, fresh, err);
	load_end(skeleton);
	return r;
}

int wf_dp_load_late(struct wf_dp *dp, enum wf_dp_pinned program, struct wf_err *err)
{
	struct weft_bpf *skeleton = NULL;
	int r;

	if (dp->prog_fds[program] >= 0)
		return 0;
	wf_dp_log_begin();
	r = load(dp, program, &skeleton, err);
	if (r == 0)
		r = place_program(dp, skeleton->obj, program, err);
	load_end(skeleton);
	return r;
}
