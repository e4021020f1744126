/* SPDX-License-Identifier: Apache-2.0 */
/* By which device, and past which router, the host reaches an address. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "net/net_priv.h"

static void take_way(const struct nlmsghdr *message, void *context)
{
	const struct rtmsg *header = wf_netlink_header(message, sizeof(*header));
	const struct nlattr *table[RTA_VIA + 1];
	struct wf_net_way *way = context;
	const void *via;

	if (!header || message->nlmsg_type != RTM_NEWROUTE || header->rtm_type != RTN_UNICAST)
		return;
	wf_netlink_attrs(message, sizeof(*header), table, RTA_VIA);
	way->ifindex = wf_netlink_u32(table[RTA_OIF], 0);
	/* a router of the other family stands in RTA_VIA */
	way->is_on_link = !table[RTA_GATEWAY] && !table[RTA_VIA];
	via = wf_netlink_bytes(table[RTA_GATEWAY], header->rtm_family == AF_INET ? 4 : 16);
	if (via)
		way->router = wf_addr_from_bytes(header->rtm_family, via);
}

int wf_net_way_find(struct wf_net *net, const struct wf_addr *addr, struct wf_net_way *ret_way,
		    struct wf_err *err)
{
	struct wf_netlink_batch *batch = wf_net_batch(net);
	struct wf_net_way way = { 0 };
	char text[WF_ADDR_TEXT];
	int r;

	wf_net_route_put_ask(batch, addr);
	r = wf_net_send(&net->socket, batch, take_way, &way, err);
	if (r < 0 || !way.ifindex)
		return wf_fail(err, -ENETUNREACH, "no route leads to %s",
			       wf_addr_format(addr, text));
	*ret_way = way;
	return 0;
}

struct search {
	const struct wf_addr *addr;
	uint32_t ifindex;          /* of the device that has it */
	struct wf_addr link_local; /* zero: none yet */
};

static void look_for_device(const struct wf_net_addr *addr, void *context)
{
	struct search *search = context;

	if (wf_addr_equal(&addr->prefix.addr, search->addr))
		search->ifindex = addr->ifindex;
}

static void look_for_link_local(const struct wf_net_addr *addr, void *context)
{
	struct search *search = context;

	/* until it is known that nobody else has it, nobody is answered who asks for it */
	if (addr->scope == RT_SCOPE_LINK && !wf_addr_is_ip4(&addr->prefix.addr) &&
	    !(addr->flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) &&
	    wf_addr_is_zero(&search->link_local))
		search->link_local = addr->prefix.addr;
}

int wf_net_link_local_find(struct wf_net *net, const struct wf_addr *addr,
			   struct wf_addr *ret_link_local, struct wf_err *err)
{
	struct search search = { .addr = addr };
	int r = wf_net_addr_dump(&net->socket, wf_net_batch(net), 0, look_for_device, &search, err);

	if (r == 0 && search.ifindex)
		r = wf_net_addr_dump(&net->socket, wf_net_batch(net), search.ifindex,
				     look_for_link_local, &search, err);
	if (r < 0)
		return r;
	*ret_link_local = search.link_local;
	return 0;
}
