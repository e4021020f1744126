/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket hooks on a cgroup. Each is held by a link that is pinned, so that sockets go on being
 * translated while no daemon runs; attaching again costs nothing when the links are in place.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "dp/dp_priv.h"
#include "dp/lb.h"

static const struct {
	const char *name; /* of the link's pin */
	enum bpf_attach_type type;
} hooks[WF_DP_SOCKET_HOOKS] = {
	[WF_DP_CONNECT4] = { "connect4", BPF_CGROUP_INET4_CONNECT },
	[WF_DP_CONNECT6] = { "connect6", BPF_CGROUP_INET6_CONNECT },
	[WF_DP_SENDMSG4] = { "sendmsg4", BPF_CGROUP_UDP4_SENDMSG },
	[WF_DP_SENDMSG6] = { "sendmsg6", BPF_CGROUP_UDP6_SENDMSG },
	[WF_DP_RECVMSG4] = { "recvmsg4", BPF_CGROUP_UDP4_RECVMSG },
	[WF_DP_RECVMSG6] = { "recvmsg6", BPF_CGROUP_UDP6_RECVMSG },
	[WF_DP_GETPEERNAME4] = { "getpeername4", BPF_CGROUP_INET4_GETPEERNAME },
	[WF_DP_GETPEERNAME6] = { "getpeername6", BPF_CGROUP_INET6_GETPEERNAME },
	[WF_DP_BIND4] = { "bind4", BPF_CGROUP_INET4_BIND },
	[WF_DP_BIND6] = { "bind6", BPF_CGROUP_INET6_BIND },
	[WF_DP_SOCK_RELEASE] = { "sock_release", BPF_CGROUP_INET_SOCK_RELEASE },
};

/*
 * What answers is in place before what asks: a socket is never translated one way only, nor counted
 * without its end being seen. A hook is attached in this order and taken away in the reverse.
 */
static const enum wf_dp_socket_hook order[WF_DP_SOCKET_HOOKS] = {
	WF_DP_SOCK_RELEASE, WF_DP_RECVMSG4, WF_DP_RECVMSG6, WF_DP_GETPEERNAME4,
	WF_DP_GETPEERNAME6, WF_DP_BIND4,    WF_DP_BIND6,    WF_DP_CONNECT4,
	WF_DP_CONNECT6,     WF_DP_SENDMSG4, WF_DP_SENDMSG6,
};

static int program_of(const struct wf_dp *dp, enum wf_dp_socket_hook hook)
{
	return dp->prog_fds[WF_DP_PINNED_SOCKETS + (int)hook];
}

/* Whether the pinned link is on that cgroup and alive. */
static bool is_on(const struct wf_dp *dp, enum wf_dp_socket_hook hook, uint64_t cgroup_id)
{
	_cleanup_close_ int fd = wf_dp_pin_open(dp->link_dir, hooks[hook].name);
	struct bpf_link_info info = {};
	uint32_t bytes = sizeof(info);

	/* the cgroup of a dead link has number 0 */
	return fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &bytes) == 0 &&
	       info.type == BPF_LINK_TYPE_CGROUP && info.cgroup.cgroup_id == cgroup_id;
}

/* One connection less for the backend, if it has any. */
static void uncount(const struct wf_dp_lb_memory *memory, const struct wf_sock_use_value *use)
{
	struct wf_backend_value *backend;
	uint32_t active;

	if (!memory->backends || use->backend >= memory->backend_count)
		return;
	backend = &memory->backends[use->backend];
	active = __atomic_load_n(&backend->active, __ATOMIC_RELAXED);
	while (backend->service == use->service && active &&
	       !__atomic_compare_exchange_n(&backend->active, &active, active - 1, false,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

void wf_dp_sock_use_end(struct wf_dp *dp, uint64_t cookie)
{
	int fd = dp->map_fds[WF_DP_MAP_SOCK_USES];
	struct wf_dp_lb_memory memory;
	struct wf_sock_use_value use;

	/* at once, since a program may end it as well: whoever has the entry counts */
	if (bpf_map_lookup_and_delete_elem(fd, &cookie, &use) < 0 ||
	    wf_dp_lb_reach(dp, WF_DP_LB_BACKENDS, use.backend + 1) < 0)
		return;
	wf_dp_lb_memory(dp, &memory);
	uncount(&memory, &use);
}

int wf_dp_sock_uses(struct wf_dp *dp, uint64_t **ret_cookies, size_t *ret_count)
{
	int fd = dp->map_fds[WF_DP_MAP_SOCK_USES];
	_cleanup_free_ uint64_t *cookies = NULL;
	size_t count = 0, capacity = 0;
	uint64_t cookie, *last = NULL;

	/* the kernel begins again where it does not find the last one: more than there are end it */
	while (count < WF_MAX_SOCK_USES && bpf_map_get_next_key(fd, last, &cookie) == 0) {
		if (wf_mem_grow(&cookies, sizeof(*cookies), count, &capacity) < 0)
			return -ENOMEM;
		cookies[count] = cookie;
		last = &cookies[count++];
	}
	*ret_cookies = TAKE_PTR(cookies);
	*ret_count = count;
	return 0;
}

/* Sockets whose end nobody has been waiting for, or will: they do not count any more. */
static void give_up_uses(struct wf_dp *dp)
{
	uint64_t cookie;

	while (bpf_map_get_next_key(dp->map_fds[WF_DP_MAP_SOCK_USES], NULL, &cookie) == 0)
		wf_dp_sock_use_end(dp, cookie);
}

static int attach_hook(struct wf_dp *dp, enum wf_dp_socket_hook hook, int cgroup_fd,
		       struct wf_err *err)
{
	_cleanup_close_ int old = wf_dp_pin_open(dp->link_dir, hooks[hook].name);
	_cleanup_close_ int fd =
		bpf_link_create(program_of(dp, hook), cgroup_fd, hooks[hook].type, NULL);
	int r;

	if (fd < 0)
		return wf_fail(err, -errno, "cannot attach %s to the cgroup: %s", hooks[hook].name,
			       strerror(errno));
	r = wf_dp_pin_replace(dp->link_dir, hooks[hook].name, fd, err);
	/* one that is elsewhere goes when the new one is in force, and without the delay of a close */
	if (r == 0 && old >= 0)
		(void)bpf_link_detach(old);
	return r;
}

int wf_dp_sockets_attach(struct wf_dp *dp, const char *cgroup, struct wf_err *err)
{
	_cleanup_close_ int fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool is_moved = false;
	struct stat status;
	int r = 0;

	if (fd < 0)
		return wf_fail(err, -errno, "cannot open the cgroup %s: %s", cgroup,
			       strerror(errno));
	/* the number of a cgroup is that of its folder */
	if (fstat(fd, &status) < 0)
		return wf_fail(err, -errno, "cannot inspect the cgroup %s: %s", cgroup,
			       strerror(errno));
	for (size_t i = 0; r == 0 && i < WF_DP_SOCKET_HOOKS; i++)
		if (!is_on(dp, order[i], status.st_ino) ||
		    wf_dp_link_update(dp->link_dir, hooks[order[i]].name,
				      program_of(dp, order[i])) < 0) {
			r = attach_hook(dp, order[i], fd, err);
			is_moved |= order[i] == WF_DP_SOCK_RELEASE;
		}
	/* also those that counted while the hooks came over one by one */
	if (r == 0 && is_moved)
		give_up_uses(dp);
	if (r < 0)
		(void)wf_dp_sockets_detach(dp);
	/* a folder of version 1 or of no cgroup at all */
	if (r == -EBADF || r == -EINVAL)
		return wf_fail(err, -EOPNOTSUPP, "%s is not in a cgroup hierarchy of version 2",
			       cgroup);
	return r;
}

int wf_dp_sockets_detach(struct wf_dp *dp)
{
	int r = 0;

	for (size_t i = WF_DP_SOCKET_HOOKS; i-- > 0;) {
		int one = wf_dp_link_drop(dp->link_dir, hooks[order[i]].name, NULL);

		if (r == 0)
			r = one;
	}
	give_up_uses(dp);
	return r;
}

bool wf_dp_sockets_attached(const struct wf_dp *dp)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < WF_DP_SOCKET_HOOKS; i++)
		if (wf_dp_pin_path(dp->link_dir, hooks[i].name, path) < 0 || access(path, F_OK) < 0)
			return false;
	return true;
}

int wf_dp_sockets_update(struct wf_dp *dp, struct wf_err *err)
{
	for (size_t i = 0; i < WF_DP_SOCKET_HOOKS; i++) {
		int r = wf_dp_link_update(dp->link_dir, hooks[i].name,
					  program_of(dp, (enum wf_dp_socket_hook)i));

		/* attached later, or its cgroup is gone: the next attach makes it anew */
		if (r < 0 && r != -ENOENT && r != -ENOLINK)
			return wf_fail(err, r, "cannot update the hook %s: %s", hooks[i].name,
				       strerror(-r));
	}
	return 0;
}
