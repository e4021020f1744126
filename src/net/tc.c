/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Traffic control: clsact qdiscs that refer to shared blocks. A device costs one message to attach
 * to the programs; filter.c knows what is in the blocks.
 */
#include <errno.h>
#include <linux/pkt_sched.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "net/net_priv.h"

void wf_net_blocks_put(struct wf_netlink_batch *batch, uint16_t flags, uint32_t ifindex,
		       uint32_t ingress, uint32_t egress)
{
	const struct tcmsg header = {
		.tcm_family = AF_UNSPEC,
		.tcm_ifindex = (int)ifindex,
		.tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0),
		.tcm_parent = TC_H_CLSACT,
	};

	wf_netlink_batch_begin(batch, RTM_NEWQDISC, NLM_F_CREATE | flags, &header, sizeof(header));
	wf_netlink_put_text(batch, TCA_KIND, "clsact");
	if (ingress)
		wf_netlink_put_u32(batch, TCA_INGRESS_BLOCK, ingress);
	if (egress)
		wf_netlink_put_u32(batch, TCA_EGRESS_BLOCK, egress);
}

struct blocks {
	uint32_t ingress, egress;
	bool is_found;
};

static bool parse_blocks(const struct nlmsghdr *message, uint32_t *ret_ifindex,
			 struct blocks *ret_blocks)
{
	const struct tcmsg *header = wf_netlink_header(message, sizeof(*header));
	const struct nlattr *table[TCA_EGRESS_BLOCK + 1];

	if (!header || message->nlmsg_type != RTM_NEWQDISC)
		return false;
	wf_netlink_attrs(message, sizeof(*header), table, TCA_EGRESS_BLOCK);
	if (strcmp(wf_netlink_text(table[TCA_KIND]), "clsact") != 0)
		return false;
	*ret_ifindex = (uint32_t)header->tcm_ifindex;
	*ret_blocks = (struct blocks){ .ingress = wf_netlink_u32(table[TCA_INGRESS_BLOCK], 0),
				       .egress = wf_netlink_u32(table[TCA_EGRESS_BLOCK], 0),
				       .is_found = true };
	return true;
}

static void take_blocks(const struct nlmsghdr *message, void *context)
{
	uint32_t ifindex;

	(void)parse_blocks(message, &ifindex, context);
}

/*
 * Something is in the place already: fine when it has our blocks. If not, somebody took ours away,
 * and with it the rule that nothing reaches the host's stack past the program.
 */
static int replace(struct wf_net *net, uint32_t ifindex, uint32_t ingress, uint32_t egress,
		   struct wf_err *err)
{
	/* without a kind: whatever holds the ingress side, the qdisc "ingress" too */
	const struct tcmsg header = {
		.tcm_family = AF_UNSPEC,
		.tcm_ifindex = (int)ifindex,
		.tcm_parent = TC_H_CLSACT,
	};
	struct wf_netlink_batch *batch = wf_net_batch(net);
	struct blocks blocks = { .is_found = false };
	int r;

	/* without NLM_F_ECHO the kernel tells everybody else, but not who asked */
	wf_netlink_batch_begin(batch, RTM_GETQDISC, NLM_F_ECHO, &header, sizeof(header));
	wf_netlink_batch_tolerate(batch, -ENOENT);
	r = wf_net_send(&net->socket, batch, take_blocks, &blocks, err);
	if (r < 0 || (blocks.is_found && blocks.ingress == ingress && blocks.egress == egress))
		return r;
	batch = wf_net_batch(net);
	wf_netlink_batch_begin(batch, RTM_DELQDISC, 0, &header, sizeof(header));
	wf_netlink_batch_tolerate(batch, -ENOENT);
	wf_net_blocks_put(batch, NLM_F_EXCL, ifindex, ingress, egress);
	return wf_net_send(&net->socket, batch, NULL, NULL, err);
}

int wf_net_blocks_attach(struct wf_net *net, uint32_t ifindex, uint32_t ingress, uint32_t egress,
			 struct wf_err *err)
{
	struct wf_netlink_batch *batch = wf_net_batch(net);
	int r;

	wf_net_blocks_put(batch, NLM_F_EXCL, ifindex, ingress, egress);
	r = wf_net_send(&net->socket, batch, NULL, NULL, err);
	return r == -EEXIST ? replace(net, ifindex, ingress, egress, err) : r;
}

struct qdisc_visit {
	wf_net_qdisc_fn visit;
	void *context;
};

static void pass_qdisc(const struct nlmsghdr *message, void *context)
{
	const struct qdisc_visit *to = context;
	struct blocks blocks;
	uint32_t ifindex;

	if (parse_blocks(message, &ifindex, &blocks))
		to->visit(ifindex, blocks.ingress, blocks.egress, to->context);
}

int wf_net_qdisc_dump(struct wf_net *net, wf_net_qdisc_fn visit, void *context, struct wf_err *err)
{
	struct qdisc_visit to = { .visit = visit, .context = context };
	struct wf_netlink_batch *batch = wf_net_batch(net);
	const struct tcmsg header = { .tcm_family = AF_UNSPEC };
	int r;

	wf_netlink_batch_begin(batch, RTM_GETQDISC, 0, &header, sizeof(header));
	r = wf_netlink_dump(&net->socket, batch, pass_qdisc, &to, err);
	return r < 0 ? wf_wrap(err, r, "cannot list qdiscs") : 0;
}
