/* SPDX-License-Identifier: Apache-2.0 */
/* The XDP program on devices, each held by a pinned link of the device's number. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "dp/dp_priv.h"
#include "dp/lb.h"

#define LINK_PREFIX "xdp_"

/* Flags and modes of the kernel's interface; their header belongs to the netlink rooms. */
#define FLAG_GENERIC (1U << 1)
#define FLAG_NATIVE  (1U << 2)
#define MODE_NATIVE  1
#define MODE_GENERIC 2

static void name_link(uint32_t ifindex, char ret_name[32])
{
	(void)snprintf(ret_name, 32, LINK_PREFIX "%u", ifindex);
}

/* How the device runs the program that has the id; NONE when it runs another or none. */
static enum wf_dp_xdp_mode mode_of(uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	if (bpf_xdp_query((int)ifindex, 0, &query) < 0)
		return WF_DP_XDP_NONE;
	switch (query.attach_mode) {
	case MODE_NATIVE: return WF_DP_XDP_NATIVE;
	case MODE_GENERIC: return WF_DP_XDP_GENERIC;
	default: return WF_DP_XDP_NONE;
	}
}

/* Whether the pinned link is alive and on that device. */
static bool is_on(const struct wf_dp *dp, const char *name, uint32_t ifindex)
{
	_cleanup_close_ int fd = wf_dp_pin_open(dp->link_dir, name);
	struct bpf_link_info info = {};
	uint32_t bytes = sizeof(info);

	/* the device of a dead link has number 0 */
	return fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &bytes) == 0 &&
	       info.type == BPF_LINK_TYPE_XDP && info.xdp.ifindex == ifindex;
}

/* A link, or a negative errno. */
static int create(const struct wf_dp *dp, uint32_t ifindex, uint32_t flags)
{
	LIBBPF_OPTS(bpf_link_create_opts, options, .flags = flags);
	int fd = bpf_link_create(dp->prog_fds[WF_DP_PINNED_XDP], (int)ifindex, BPF_XDP, &options);

	return fd < 0 ? -errno : fd;
}

static int attach_new(struct wf_dp *dp, uint32_t ifindex, bool want_native, const char *name,
		      struct wf_err *err)
{
	_cleanup_close_ int fd = create(dp, ifindex, FLAG_NATIVE);

	/* whatever a driver says when it cannot: only these are the same for the generic kind */
	if (fd < 0 && !want_native && fd != -EBUSY && fd != -EPERM && fd != -ENODEV)
		fd = create(dp, ifindex, FLAG_GENERIC);
	if (fd == -EBUSY)
		return wf_fail(err, fd, "device %u runs an XDP program of somebody else", ifindex);
	if (fd < 0)
		return wf_fail(err, fd, "cannot attach XDP to device %u: %s", ifindex,
			       strerror(-fd));
	return wf_dp_pin_replace(dp->link_dir, name, fd, err);
}

int wf_dp_xdp_attach(struct wf_dp *dp, uint32_t ifindex, bool want_native,
		     enum wf_dp_xdp_mode *ret_mode, struct wf_err *err)
{
	char name[32];
	int r = wf_dp_load_late(dp, WF_DP_PINNED_XDP, err);

	if (r < 0)
		return r;
	name_link(ifindex, name);
	if (is_on(dp, name, ifindex) && (!want_native || mode_of(ifindex) == WF_DP_XDP_NATIVE) &&
	    wf_dp_link_update(dp->link_dir, name, dp->prog_fds[WF_DP_PINNED_XDP]) == 0) {
		*ret_mode = mode_of(ifindex);
		return 0;
	}
	r = wf_dp_link_drop(dp->link_dir, name, NULL);
	if (r < 0)
		return wf_fail(err, r, "cannot remove the XDP link of device %u: %s", ifindex,
			       strerror(-r));
	r = attach_new(dp, ifindex, want_native, name, err);
	if (r < 0)
		return r;
	*ret_mode = mode_of(ifindex);
	return 0;
}

int wf_dp_xdp_detach(struct wf_dp *dp, uint32_t ifindex)
{
	char name[32];

	name_link(ifindex, name);
	return wf_dp_link_drop(dp->link_dir, name, NULL);
}

struct update {
	struct wf_dp *dp;
	struct wf_err *err;
};

/* A link whose device is gone loses its pin as well. */
static int update_link(const char *dir, const char *name, void *context)
{
	struct update *update = context;
	struct wf_dp *dp = update->dp;
	int r;

	if (strncmp(name, LINK_PREFIX, strlen(LINK_PREFIX)) != 0)
		return 0;
	r = wf_dp_load_late(dp, WF_DP_PINNED_XDP, update->err);
	if (r < 0)
		return r;
	r = wf_dp_link_update(dir, name, dp->prog_fds[WF_DP_PINNED_XDP]);
	if (r == -ENOLINK)
		r = wf_dp_link_drop(dir, name, NULL);
	return r < 0 ? wf_fail(update->err, r, "cannot update the XDP program of %s: %s", name,
			       strerror(-r))
		     : 0;
}

int wf_dp_xdp_update(struct wf_dp *dp, struct wf_err *err)
{
	struct update update = { .dp = dp, .err = err };

	return wf_dp_link_visit(dp->link_dir, update_link, &update);
}

int wf_dp_xdp_program_fd(struct wf_dp *dp, struct wf_err *err)
{
	int r = wf_dp_load_late(dp, WF_DP_PINNED_XDP, err);

	return r < 0 ? r : dp->prog_fds[WF_DP_PINNED_XDP];
}
