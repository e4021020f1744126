/* SPDX-License-Identifier: Apache-2.0 */
/* Neighbour entries of a device: permanent ones, and addresses it answers for (proxy). */
#include <errno.h>
#include <linux/neighbour.h>
#include <string.h>
#include <sys/socket.h>

#include "net/net_priv.h"

void wf_net_neigh_put(struct wf_netlink_batch *batch, uint16_t type, uint16_t flags,
		      uint32_t ifindex, const struct wf_addr *addr, const struct wf_mac *mac)
{
	const struct ndmsg header = {
		.ndm_family = (uint8_t)wf_addr_family(addr),
		.ndm_ifindex = (int)ifindex,
		.ndm_state = NUD_PERMANENT,
		.ndm_flags = mac ? 0 : NTF_PROXY,
	};

	wf_netlink_batch_begin(batch, type, flags, &header, sizeof(header));
	wf_net_put_addr(batch, NDA_DST, addr);
	if (type != RTM_NEWNEIGH)
		return;
	if (mac)
		wf_netlink_put(batch, NDA_LLADDR, mac->bytes, sizeof(mac->bytes));
	wf_netlink_put_u8(batch, NDA_PROTOCOL, WF_NET_ROUTE_PROTOCOL);
}

static bool parse(const struct nlmsghdr *message, struct wf_net_neigh *ret_neigh)
{
	const struct ndmsg *header = wf_netlink_header(message, sizeof(*header));
	const struct nlattr *table[NDA_LLADDR + 1];
	const void *addr, *mac;

	if (!header || message->nlmsg_type != RTM_NEWNEIGH ||
	    (header->ndm_family != AF_INET && header->ndm_family != AF_INET6))
		return false;
	wf_netlink_attrs(message, sizeof(*header), table, NDA_LLADDR);
	addr = wf_netlink_bytes(table[NDA_DST], header->ndm_family == AF_INET ? 4 : 16);
	if (!addr)
		return false;
	*ret_neigh = (struct wf_net_neigh){
		.addr = wf_addr_from_bytes(header->ndm_family, addr),
		.ifindex = (uint32_t)header->ndm_ifindex,
		.is_proxy = header->ndm_flags & NTF_PROXY,
		.is_permanent = header->ndm_state & NUD_PERMANENT,
	};
	mac = wf_netlink_bytes(table[NDA_LLADDR], sizeof(ret_neigh->mac));
	if (mac)
		memcpy(ret_neigh->mac.bytes, mac, sizeof(ret_neigh->mac));
	return true;
}

struct neigh_visit {
	wf_net_neigh_fn visit;
	void *context;
	uint32_t ifindex;
};

static void pass_neigh(const struct nlmsghdr *message, void *context)
{
	const struct neigh_visit *to = context;
	struct wf_net_neigh neigh;

	if (parse(message, &neigh) && neigh.ifindex == to->ifindex)
		to->visit(&neigh, to->context);
}

int wf_net_neigh_dump(struct wf_netlink_socket *netlink, struct wf_netlink_batch *batch,
		      uint32_t ifindex, wf_net_neigh_fn visit, void *context, struct wf_err *err)
{
	struct neigh_visit to = { .visit = visit, .context = context, .ifindex = ifindex };

	/* the kernel keeps the two kinds apart */
	for (int proxies = 0; proxies <= 1; proxies++) {
		const struct ndmsg header = { .ndm_flags = proxies ? NTF_PROXY : 0 };
		int r;

		wf_netlink_batch_clear(batch);
		wf_netlink_batch_begin(batch, RTM_GETNEIGH, 0, &header, sizeof(header));
		wf_netlink_put_u32(batch, NDA_IFINDEX, ifindex);
		r = wf_netlink_dump(netlink, batch, pass_neigh, &to, err);
		if (r < 0)
			return wf_wrap(err, r, "cannot list neighbours");
	}
	return 0;
}
