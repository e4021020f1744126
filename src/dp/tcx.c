/* SPDX-License-Identifier: Apache-2.0 */
/* Programs on the tcx and netkit hooks of devices: looking, putting, taking away, replacing. */
#include "dp/tcx.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "dp/dp_priv.h"

/* As in enum bpf_attach_type, of which the headers of the oldest distribution are too old. */
#define TCX_INGRESS    ((enum bpf_attach_type)46)
#define TCX_EGRESS     ((enum bpf_attach_type)47)
#define NETKIT_PRIMARY ((enum bpf_attach_type)54)
#define NETKIT_PEER    ((enum bpf_attach_type)55)

/* Where a device can have programs besides filters; the first that it has of `own` is for weft's. */
static const enum bpf_attach_type hooks[] = { NETKIT_PEER, NETKIT_PRIMARY, TCX_INGRESS,
					      TCX_EGRESS };
static const enum bpf_attach_type own_hooks[] = { NETKIT_PEER, TCX_INGRESS };

/* The kernel's own number of it, in every namespace. */
#define LOOPBACK 1

/* As many as the kernel lets a hook have (BPF_MPROG_MAX). */
#define MAX_PROGRAMS 64

/* What is on one hook. The kernel reads a device's index where the library puts its first argument. */
struct hook {
	uint32_t ids[MAX_PROGRAMS];
	uint32_t count;
};

static int read_hook(uint32_t ifindex, enum bpf_attach_type type, struct hook *ret_hook)
{
	ret_hook->count = MAX_PROGRAMS;
	if (bpf_prog_query((int)ifindex, type, 0, NULL, ret_hook->ids, &ret_hook->count) == 0)
		return 0;
	ret_hook->count = 0;
	switch (errno) {
	case ENOENT: /* nobody ever attached */
	case EINVAL: /* the kernel has no such hook */
	case ENXIO:  /* no netkit device */
	case EACCES: /* the other end of one */ return 0;
	default: return -errno;
	}
}

/* Asks about the loopback device, which is none: kernels that know netkit say so. */
bool wf_dp_netkit_possible(void)
{
	uint32_t count = 0;

	return bpf_prog_query(LOOPBACK, NETKIT_PEER, 0, NULL, NULL, &count) < 0 && errno == ENXIO;
}

/* Whether an open program is a WF_DP_FROM_CONTAINER: the kernel keeps that much of its name. */
static bool is_own(int fd)
{
	struct bpf_prog_info info = {};
	uint32_t bytes = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &bytes) == 0 &&
	       strncmp(info.name, wf_dp_program_specs[WF_DP_FROM_CONTAINER].name,
		       sizeof(info.name) - 1) == 0;
}

/* A descriptor of a program if it is weft's, or -ENOENT. Owned by the caller. */
static int open_own(uint32_t id)
{
	_cleanup_close_ int fd = bpf_prog_get_fd_by_id(id);

	return fd >= 0 && is_own(fd) ? TAKE_FD(fd) : -ENOENT;
}

int wf_dp_tcx_look(uint32_t ifindex, struct wf_dp_tcx *ret_tcx)
{
	*ret_tcx = (struct wf_dp_tcx){ 0 };
	for (size_t i = 0; i < WF_ARRAY_LEN(hooks); i++) {
		struct hook hook;
		int r = read_hook(ifindex, hooks[i], &hook);

		if (r < 0)
			return r;
		for (uint32_t k = 0; k < hook.count; k++) {
			_cleanup_close_ int fd = open_own(hook.ids[k]);

			ret_tcx->own += fd >= 0;
			ret_tcx->others += fd < 0;
			ret_tcx->is_netkit |= fd >= 0 && hooks[i] == NETKIT_PEER;
		}
	}
	return 0;
}

int wf_dp_tcx_put(uint32_t ifindex, int program_fd)
{
	LIBBPF_OPTS(bpf_prog_attach_opts, options);

	for (size_t i = 0; i < WF_ARRAY_LEN(own_hooks); i++)
		/* EEXIST: it is there */
		if (bpf_prog_attach_opts(program_fd, (int)ifindex, own_hooks[i], &options) == 0 ||
		    errno == EEXIST)
			return 0;
	return -errno;
}

static int take(uint32_t ifindex, enum bpf_attach_type type)
{
	struct hook hook;
	int r = read_hook(ifindex, type, &hook);

	for (uint32_t i = 0; r == 0 && i < hook.count; i++) {
		_cleanup_close_ int fd = open_own(hook.ids[i]);

		if (fd >= 0 && bpf_prog_detach2(fd, (int)ifindex, type) < 0)
			r = -errno;
	}
	return r;
}

int wf_dp_tcx_take(uint32_t ifindex)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < WF_ARRAY_LEN(own_hooks); i++)
		r = take(ifindex, own_hooks[i]);
	return r;
}

static int renew(struct wf_dp *dp, uint32_t ifindex, enum bpf_attach_type type)
{
	LIBBPF_OPTS(bpf_prog_attach_opts, options, .flags = BPF_F_REPLACE);
	_cleanup_close_ int before = -1;
	struct hook hook;
	int r = read_hook(ifindex, type, &hook);

	if (r < 0)
		return r;
	for (uint32_t i = 0; before < 0 && i < hook.count; i++)
		if (hook.ids[i] != dp->prog_ids[WF_DP_FROM_CONTAINER])
			before = open_own(hook.ids[i]);
	if (before < 0)
		return 0;
	options.replace_prog_fd = before;
	if (bpf_prog_attach_opts(dp->prog_fds[WF_DP_FROM_CONTAINER], (int)ifindex, type,
				 &options) == 0)
		return 0;
	/* the new one is there too: somebody was killed in between */
	return bpf_prog_detach2(before, (int)ifindex, type) < 0 ? -errno : 0;
}

int wf_dp_tcx_renew(struct wf_dp *dp, uint32_t ifindex)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < WF_ARRAY_LEN(own_hooks); i++)
		r = renew(dp, ifindex, own_hooks[i]);
	return r;
}
