/* SPDX-License-Identifier: Apache-2.0 */
/* What the host's own stack does with a packet that comes in: the kernel is asked by netlink. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/neighbour.h>
#include <netinet/in.h>

#include "base/mem.h"
#include "net/net_priv.h"

struct answer {
	struct wf_net_fate fate;
	bool is_on_link;
};

static void take_fate(const struct nlmsghdr *message, void *context)
{
	const struct rtmsg *header = wf_netlink_header(message, sizeof(*header));
	const struct nlattr *table[RTA_VIA + 1];
	struct answer *answer = context;

	if (!header || message->nlmsg_type != RTM_NEWROUTE)
		return;
	switch (header->rtm_type) {
	case RTN_LOCAL:
	case RTN_ANYCAST:
	case RTN_BROADCAST: answer->fate.kind = WF_NET_FATE_HOST; break;
	case RTN_UNICAST:
		wf_netlink_attrs(message, sizeof(*header), table, RTA_VIA);
		answer->fate.kind = WF_NET_FATE_FORWARD;
		answer->fate.ifindex = wf_netlink_u32(table[RTA_OIF], 0);
		answer->is_on_link = !table[RTA_GATEWAY] && !table[RTA_VIA];
		break;
	default: break;
	}
}

static void put_question(struct wf_netlink_batch *batch, const struct wf_net_arrival *arrival)
{
	const uint8_t bits = (uint8_t)wf_addr_bits(&arrival->dst);
	const struct rtmsg header = {
		.rtm_family = (uint8_t)wf_addr_family(&arrival->dst),
		.rtm_dst_len = bits,
		.rtm_src_len = bits,
	};

	wf_netlink_batch_begin(batch, RTM_GETROUTE, 0, &header, sizeof(header));
	wf_net_put_addr(batch, RTA_DST, &arrival->dst);
	wf_net_put_addr(batch, RTA_SRC, &arrival->src);
	wf_netlink_put_u32(batch, RTA_IIF, arrival->ifindex);
	/* rules of the host may be about ports; the kernel takes those of no other protocols here */
	if (arrival->proto != IPPROTO_TCP && arrival->proto != IPPROTO_UDP)
		return;
	wf_netlink_put_u8(batch, RTA_IP_PROTO, arrival->proto);
	wf_netlink_put_u16(batch, RTA_SPORT, htons(arrival->sport));
	wf_netlink_put_u16(batch, RTA_DPORT, htons(arrival->dport));
}

/* Whether the kernel says by it that it would drop the packet. */
static bool is_refusal(int r)
{
	static const int known[] = {
		-ENETUNREACH, -EHOSTUNREACH, -EACCES, -EINVAL, -EXDEV, -EAGAIN
	};

	for (size_t i = 0; i < WF_ARRAY_LEN(known); i++)
		if (r == known[i])
			return true;
	return false;
}

static void take_neighbour(const struct nlmsghdr *message, void *context)
{
	const uint16_t valid =
		NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE;
	const struct ndmsg *header = wf_netlink_header(message, sizeof(*header));
	struct wf_net_fate *fate = context;

	if (header && message->nlmsg_type == RTM_NEWNEIGH)
		fate->is_neighbour = header->ndm_state & valid;
}

static int look_for_neighbour(struct wf_net *net, const struct wf_addr *addr,
			      struct wf_net_fate *fate, struct wf_err *err)
{
	struct wf_netlink_batch *batch = wf_net_batch(net);
	const struct ndmsg header = { .ndm_family = (uint8_t)wf_addr_family(addr),
				      .ndm_ifindex = (int)fate->ifindex };

	wf_netlink_batch_begin(batch, RTM_GETNEIGH, 0, &header, sizeof(header));
	wf_net_put_addr(batch, NDA_DST, addr);
	wf_netlink_batch_tolerate(batch, -ENOENT);
	return wf_net_send(&net->socket, batch, take_neighbour, fate, err);
}

int wf_net_arrival_fate(struct wf_net *net, const struct wf_net_arrival *arrival,
			struct wf_net_fate *ret_fate, struct wf_err *err)
{
	static const struct wf_net_fate none = { .kind = WF_NET_FATE_NONE };
	struct wf_netlink_batch *batch = wf_net_batch(net);
	struct answer answer = { .fate = none };
	int r;

	put_question(batch, arrival);
	r = wf_net_send(&net->socket, batch, take_fate, &answer, err);
	if (r < 0 && !is_refusal(r))
		return r;
	wf_err_clear(err);
	/* of IPv4 the kernel has looked itself */
	if (answer.fate.kind == WF_NET_FATE_FORWARD && !wf_addr_is_ip4(&arrival->dst) &&
	    wf_net_sysctl_is("ipv6/conf/all/forwarding", "0"))
		answer = (struct answer){ .fate = none };
	r = answer.is_on_link ? look_for_neighbour(net, &arrival->dst, &answer.fate, err) : 0;
	if (r == 0)
		*ret_fate = answer.fate;
	return r;
}
