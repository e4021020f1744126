/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything the datapath needs, tried for real and left without a trace: for 'weft doctor'.
 * Programs are loaded one at a time with maps of the least size.
 */
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/mem.h"
#include "dp/dp_priv.h"
#include "weft.skel.h"

#define OLDEST_MAJOR 6
#define OLDEST_MINOR 1

struct probe {
	wf_dp_finding_fn report;
	void *context;
	int failed;
};

static void tell(struct probe *probe, bool ok, const char *name, const char *detail)
{
	struct wf_dp_finding finding = { .name = name, .ok = ok, .detail = detail };

	if (!ok)
		probe->failed++;
	probe->report(&finding, probe->context);
}

static void try_kernel(struct probe *probe)
{
	struct utsname name;
	char detail[160];
	int major = 0, minor = 0;
	bool ok;

	(void)uname(&name);
	ok = sscanf(name.release, "%d.%d", &major, &minor) == 2 &&
	     (major > OLDEST_MAJOR || (major == OLDEST_MAJOR && minor >= OLDEST_MINOR));
	(void)snprintf(detail, sizeof(detail), "%s%s", name.release,
		       ok ? "" : "; weft is tested on 6.1 and later");
	tell(probe, ok, "kernel", detail);
}

static void try_bpf(struct probe *probe)
{
	_cleanup_close_ int fd =
		bpf_map_create(BPF_MAP_TYPE_ARRAY, "wf_probe", sizeof(uint32_t), 8, 1, NULL);
	char detail[160];

	if (fd >= 0) {
		tell(probe, true, "bpf", "bpf() is allowed");
		return;
	}
	(void)snprintf(detail, sizeof(detail), "%s; run as root, or with CAP_BPF, CAP_NET_ADMIN",
		       strerror(errno));
	tell(probe, false, "bpf", detail);
}

static void try_bpffs(struct probe *probe)
{
	struct statfs fs;

	if (statfs("/sys/fs/bpf", &fs) < 0)
		tell(probe, false, "bpffs", "/sys/fs/bpf is missing; is sysfs mounted?");
	else if ((unsigned long)fs.f_type == BPF_FS_MAGIC)
		tell(probe, true, "bpffs", "mounted at /sys/fs/bpf");
	else
		tell(probe, true, "bpffs", "not mounted; weftd mounts it");
}

static void try_btf(struct probe *probe)
{
	bool there = access("/sys/kernel/btf/vmlinux", R_OK) == 0;

	tell(probe, true, "btf", there ? "present, not needed" : "absent, not needed");
}

static void try_map(struct probe *probe, const struct wf_dp_map_spec *spec)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = spec->flags);
	bool is_ring = spec->type == BPF_MAP_TYPE_RINGBUF;
	_cleanup_close_ int fd =
		bpf_map_create(spec->type, "wf_probe", spec->key_bytes, spec->value_bytes,
			       is_ring ? spec->max_entries : 1, &options);
	char name[64], detail[96];

	(void)snprintf(name, sizeof(name), "map %s", spec->name);
	(void)snprintf(detail, sizeof(detail), "type %u: %s", spec->type,
		       fd >= 0 ? "ok" : strerror(errno));
	tell(probe, fd >= 0, name, detail);
}

static void try_helper(struct probe *probe, enum bpf_func_id helper, const char *name)
{
	int r = libbpf_probe_bpf_helper(BPF_PROG_TYPE_SCHED_CLS, helper, NULL);

	tell(probe, r == 1, name, r == 1 ? "ok" : r == 0 ? "the kernel lacks it" : strerror(-r));
}

/* Loads the one program of that name; what is too large for a probe is made small. */
static int load_alone(const char *name)
{
	LIBBPF_OPTS(bpf_object_open_opts, options);
	struct weft_bpf *skeleton;
	struct bpf_program *program;
	struct bpf_map *map;
	int r;

	options.kernel_log_buf = wf_dp_log_verifier(&options.kernel_log_size);
	skeleton = weft_bpf__open_opts(&options);
	if (!skeleton)
		return -errno;
	bpf_object__for_each_program(program, skeleton->obj)(void)
		bpf_program__set_autoload(program, strcmp(bpf_program__name(program), name) == 0);
	bpf_object__for_each_map(
		map, skeleton->obj) if (bpf_map__type(map) != BPF_MAP_TYPE_RINGBUF &&
					bpf_map__type(map) != BPF_MAP_TYPE_PROG_ARRAY)(void)
		bpf_map__set_max_entries(map, 1);
	r = weft_bpf__load(skeleton);
	weft_bpf__destroy(skeleton);
	return r;
}

static void try_program(struct probe *probe, const char *program)
{
	char name[64];
	int r;

	wf_dp_log_begin();
	r = load_alone(program);
	(void)snprintf(name, sizeof(name), "program %s", program + strlen("weft_"));
	tell(probe, r == 0, name, r == 0 ? "loads" : wf_dp_log_text());
	wf_dp_log_end();
}

int wf_dp_probe(wf_dp_finding_fn report, void *context)
{
	struct probe probe = { .report = report, .context = context };

	wf_dp_log_begin();
	try_kernel(&probe);
	try_bpf(&probe);
	try_bpffs(&probe);
	try_btf(&probe);
	for (size_t i = 0; i < WF_DP_MAP_COUNT; i++)
		try_map(&probe, &wf_dp_map_specs[i]);
	try_helper(&probe, BPF_FUNC_redirect_peer, "helper bpf_redirect_peer");
	try_helper(&probe, BPF_FUNC_ringbuf_output, "helper bpf_ringbuf_output");
	try_helper(&probe, BPF_FUNC_ktime_get_coarse_ns, "helper bpf_ktime_get_coarse_ns");
	try_helper(&probe, BPF_FUNC_fib_lookup, "helper bpf_fib_lookup");
	for (size_t i = 0; i < WF_DP_OBJECT_PROGRAMS; i++)
		try_program(&probe, wf_dp_program_specs[i].name);
	return probe.failed ? -EOPNOTSUPP : 0;
}
