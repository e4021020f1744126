/* SPDX-License-Identifier: Apache-2.0 */
/* The handle: sockets, the host's namespace and the grave-digger. */
#include "net/net.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/mem.h"
#include "net/net_priv.h"

static int open_parts(struct wf_net *net, bool is_reader, struct wf_err *err)
{
	int r;

	net->ns_fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (net->ns_fd < 0)
		return wf_fail(err, -errno, "cannot open the own network namespace: %s",
			       strerror(errno));
	net->has_ip6 = access("/proc/sys/net/ipv6", F_OK) == 0;
	r = wf_netlink_open(&net->socket, err);
	if (r < 0 || is_reader)
		return r;
	r = wf_net_monitor_open(&net->event_fd, err);
	if (r < 0)
		return r;
	return wf_net_grave_open(&net->grave, err);
}

static int open_handle(struct wf_net **ret_net, bool is_reader, struct wf_err *err)
{
	struct wf_net *net = calloc(1, sizeof(*net));
	int r;

	if (!net)
		return wf_fail(err, -ENOMEM, "out of memory");
	net->ns_fd = net->event_fd = -1;
	net->socket = (struct wf_netlink_socket)WF_NETLINK_SOCKET_INIT;
	r = open_parts(net, is_reader, err);
	if (r < 0) {
		wf_net_close(&net);
		return r;
	}
	*ret_net = net;
	return 0;
}

int wf_net_open(struct wf_net **ret_net, struct wf_err *err)
{
	return open_handle(ret_net, false, err);
}

int wf_net_open_reader(struct wf_net **ret_net, struct wf_err *err)
{
	return open_handle(ret_net, true, err);
}

void wf_net_close(struct wf_net **net)
{
	struct wf_net *n = TAKE_PTR(*net);

	if (!n)
		return;
	wf_net_grave_close(&n->grave);
	if (n->event_fd >= 0)
		(void)close(n->event_fd);
	if (n->ns_fd >= 0)
		(void)close(n->ns_fd);
	wf_netlink_close(&n->socket);
	wf_netlink_batch_done(&n->batch);
	free(n);
}

struct wf_netlink_batch *wf_net_batch(struct wf_net *net)
{
	wf_netlink_batch_clear(&net->batch);
	return &net->batch;
}

int wf_net_send(struct wf_netlink_socket *netlink, struct wf_netlink_batch *batch,
		wf_netlink_fn visit, void *context, struct wf_err *err)
{
	struct wf_netlink_failure failure;
	char what[WF_NET_DESCRIBE_TEXT];
	const struct nlmsghdr *request;
	int r;

	r = wf_netlink_transact(netlink, batch, visit, context, &failure, err);
	if (r >= 0)
		return r;
	request = wf_netlink_batch_message(batch, failure.index);
	if (!request)
		return wf_wrap(err, r, "netlink");
	return wf_wrap(err, r, "%s", wf_net_describe(request, what));
}
