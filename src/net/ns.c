/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Network namespaces: opening them, their numbers as seen from the host's, and the short visits
 * (setns, open one socket, setns back) after which everything is messages.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/net_namespace.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/mem.h"
#include "net/net_priv.h"
#include "net/uplink.h"

static bool is_netns(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == NSFS_MAGIC &&
	       ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET;
}

int wf_net_ns_open(const char *path, int *ret_fd, struct wf_net_ns_id *ret_id, struct wf_err *err)
{
	_cleanup_close_ int fd = -1;
	struct wf_net_ns_id id;
	struct stat st;

	/* non-blocking: the path may name anything, a pipe that nobody writes to as well */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		int code = errno;

		/* our own want says nothing about the namespace */
		if (code != EMFILE && code != ENFILE && code != ENOMEM)
			code = ESRCH;
		return wf_fail(err, -code, "cannot open the network namespace %s: %s", path,
			       strerror(errno));
	}
	if (!is_netns(fd) || fstat(fd, &st) < 0)
		return wf_fail(err, -ESRCH, "%s is not a network namespace", path);
	id = (struct wf_net_ns_id){ .dev = st.st_dev, .inode = st.st_ino };
	if (wf_net_ns_is_own(&id))
		return wf_fail(err, -ESRCH, "%s is the host's own network namespace", path);
	*ret_fd = TAKE_FD(fd);
	*ret_id = id;
	return 0;
}

int wf_net_ns_alive(const char *path, const struct wf_net_ns_id *id)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno == ENOMEM ? -ENOMEM : 0;
	/* the device is the kernel's own file system of namespaces: nothing else has its number */
	return st.st_dev == id->dev && st.st_ino == id->inode;
}

bool wf_net_ns_is_own(const struct wf_net_ns_id *id)
{
	struct stat st;

	return stat("/proc/thread-self/ns/net", &st) == 0 && st.st_dev == id->dev &&
	       st.st_ino == id->inode;
}

char *wf_net_ns_name(int netns_fd, char *buf)
{
	char path[64];
	ssize_t len;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", netns_fd);
	len = readlink(path, buf, WF_NET_NS_TEXT - 1);
	buf[len < 0 ? 0 : len] = '\0';
	return buf;
}

static int enter(int netns_fd, struct wf_err *err)
{
	char name[WF_NET_NS_TEXT];

	if (setns(netns_fd, CLONE_NEWNET) == 0)
		return 0;
	return wf_fail(err, -errno, "cannot enter the network namespace %s: %s",
		       wf_net_ns_name(netns_fd, name), strerror(errno));
}

/*
 * Going home fails only for want of memory, for a moment. A thread that went on in a container's
 * namespace would configure the wrong machine, so there is nothing to do but end.
 */
static void leave(int home_fd)
{
	for (int try = 0; setns(home_fd, CLONE_NEWNET) < 0; try++) {
		if (try == 1000)
			abort();
		(void)usleep(1000);
	}
}

int wf_net_ns_netlink(const struct wf_net *net, int netns_fd, int protocol,
		      struct wf_netlink_socket *ret_socket, struct wf_err *err)
{
	int r;

	if (netns_fd < 0)
		return wf_netlink_open_protocol(protocol, ret_socket, err);
	r = enter(netns_fd, err);
	if (r < 0)
		return r;
	r = wf_netlink_open_protocol(protocol, ret_socket, err);
	leave(net->ns_fd);
	return r;
}

int wf_net_ns_socket(const struct wf_net *net, int netns_fd, struct wf_netlink_socket *ret_socket,
		     struct wf_err *err)
{
	return wf_net_ns_netlink(net, netns_fd, NETLINK_ROUTE, ret_socket, err);
}

/* A plain socket inside a namespace (fd < 0: the own one); descriptor or negative errno. */
static int plain_socket(int netns_fd, struct wf_err *err)
{
	_cleanup_close_ int home = -1;
	int fd, r;

	if (netns_fd >= 0) {
		home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
		if (home < 0)
			return wf_fail(err, -errno, "cannot open the own network namespace: %s",
				       strerror(errno));
		r = enter(netns_fd, err);
		if (r < 0)
			return r;
	}
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	r = fd < 0 ? wf_fail(err, -errno, "cannot open a socket: %s", strerror(errno)) : fd;
	if (netns_fd >= 0)
		leave(home);
	return r;
}

int wf_net_ns_cookie(int netns_fd, uint64_t *ret_cookie, struct wf_err *err)
{
	_cleanup_close_ int fd = plain_socket(netns_fd, err);
	char name[WF_NET_NS_TEXT];
	uint64_t cookie = 0;
	socklen_t bytes = sizeof(cookie);

	if (fd < 0)
		return fd;
	if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &bytes) < 0)
		return wf_fail(err, -errno,
			       "cannot read the cookie of the network namespace %s: %s",
			       netns_fd < 0 ? "of the host" : wf_net_ns_name(netns_fd, name),
			       strerror(errno));
	*ret_cookie = cookie;
	return 0;
}

int wf_net_ns_sysctl(const struct wf_net *net, int netns_fd, const char *path, const char *value,
		     struct wf_err *err)
{
	int r = enter(netns_fd, err);

	if (r < 0)
		return r;
	r = wf_net_sysctl_set(path, value, err);
	leave(net->ns_fd);
	return r;
}

static void take_nsid(const struct nlmsghdr *message, void *context)
{
	const struct nlattr *table[NETNSA_NSID + 1];
	int32_t *nsid = context;

	if (message->nlmsg_type != RTM_NEWNSID)
		return;
	wf_netlink_attrs(message, sizeof(struct rtgenmsg), table, NETNSA_NSID);
	*nsid = (int32_t)wf_netlink_u32(table[NETNSA_NSID], (uint32_t)NETNSA_NSID_NOT_ASSIGNED);
}

int wf_net_ns_number(struct wf_net *net, int netns_fd, int32_t *ret_nsid, struct wf_err *err)
{
	const struct rtgenmsg header = { .rtgen_family = AF_UNSPEC };
	struct wf_netlink_batch *batch = wf_net_batch(net);
	int32_t nsid = NETNSA_NSID_NOT_ASSIGNED;
	int r;

	/* -1 as the number: the kernel chooses one, or keeps the one there is */
	wf_netlink_batch_begin(batch, RTM_NEWNSID, 0, &header, sizeof(header));
	wf_netlink_batch_tolerate(batch, -EEXIST);
	wf_netlink_put_u32(batch, NETNSA_FD, (uint32_t)netns_fd);
	wf_netlink_put_u32(batch, NETNSA_NSID, (uint32_t)NETNSA_NSID_NOT_ASSIGNED);
	wf_netlink_batch_begin(batch, RTM_GETNSID, 0, &header, sizeof(header));
	wf_netlink_put_u32(batch, NETNSA_FD, (uint32_t)netns_fd);
	r = wf_netlink_transact(&net->socket, batch, take_nsid, &nsid, NULL, err);
	if (r < 0)
		return wf_wrap(err, r, "cannot number a network namespace");
	*ret_nsid = nsid;
	return 0;
}
