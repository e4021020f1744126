/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weft's filters on devices that lead outside. These devices are not weft's: its two filters have
 * a place of their own (priority, handle) among those of others, and the clsact qdisc goes only
 * when nobody else has anything on it.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <weft/abi/limits.h>

#include "net/net_priv.h"
#include "net/uplink.h"

/* weft's place: replacing works by naming the same one. */
#define HANDLE 1
#define INFO   TC_H_MAKE((uint32_t)WF_UPLINK_PRIORITY << 16, htons(ETH_P_ALL))

enum side_number {
	INGRESS,
	EGRESS,
	SIDE_COUNT,
};

static const struct {
	uint32_t parent;
	const char *name;
} sides[SIDE_COUNT] = {
	[INGRESS] = { TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS), "weft/from_uplink" },
	[EGRESS] = { TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS), "weft/to_uplink" },
};

/* What is in the clsact place of a device. */
struct place {
	char kind[16]; /* "": nothing */
	bool is_shared;
};

/* The filters of one side. */
struct side {
	uint32_t prog_id; /* of weft's */
	bool is_there;    /* weft's, whatever it runs */
	size_t foreign;
};

static void see_qdisc(const struct nlmsghdr *message, void *context)
{
	const struct tcmsg *header = wf_netlink_header(message, sizeof(*header));
	const struct nlattr *table[TCA_EGRESS_BLOCK + 1];
	struct place *place = context;

	if (!header || message->nlmsg_type != RTM_NEWQDISC)
		return;
	wf_netlink_attrs(message, sizeof(*header), table, TCA_EGRESS_BLOCK);
	(void)strncpy(place->kind, wf_netlink_text(table[TCA_KIND]), sizeof(place->kind) - 1);
	place->is_shared = wf_netlink_u32(table[TCA_INGRESS_BLOCK], 0) ||
			   wf_netlink_u32(table[TCA_EGRESS_BLOCK], 0);
}

/* -ENODEV: there is no such device. */
static int look_at_place(struct wf_net *net, uint32_t ifindex, struct place *ret_place,
			 struct wf_err *err)
{
	const struct tcmsg header = {
		.tcm_family = AF_UNSPEC,
		.tcm_ifindex = (int)ifindex,
		.tcm_parent = TC_H_CLSACT,
	};
	struct wf_netlink_batch *batch = wf_net_batch(net);
	struct place place = { .is_shared = false };
	int r;

	/* without the flag the kernel tells everybody else, but not who asked */
	wf_netlink_batch_begin(batch, RTM_GETQDISC, NLM_F_ECHO, &header, sizeof(header));
	wf_netlink_batch_tolerate(batch, -ENOENT);
	r = wf_netlink_transact(&net->socket, batch, see_qdisc, &place, NULL, err);
	if (r == -ENODEV)
		return wf_fail(err, r, "there is no interface with index %u", ifindex);
	if (r < 0)
		return wf_wrap(err, r, "cannot see the qdisc of interface with index %u", ifindex);
	*ret_place = place;
	return 0;
}

/* The kernel tells of each priority (with handle 0) and then of the filters in it. */
static void see_filter(const struct nlmsghdr *message, void *context)
{
	const struct tcmsg *header = wf_netlink_header(message, sizeof(*header));
	const struct nlattr *table[TCA_CHAIN + 1];
	struct side *side = context;
	bool is_own_place;

	if (!header || message->nlmsg_type != RTM_NEWTFILTER)
		return;
	wf_netlink_attrs(message, sizeof(*header), table, TCA_CHAIN);
	is_own_place = !wf_netlink_u32(table[TCA_CHAIN], 0) && header->tcm_info == INFO &&
		       strcmp(wf_netlink_text(table[TCA_KIND]), "bpf") == 0;
	if (is_own_place && header->tcm_handle == HANDLE) {
		side->is_there = true;
		side->prog_id = wf_net_filter_program(table[TCA_OPTIONS]);
	} else if (!is_own_place || header->tcm_handle) {
		side->foreign++;
	}
}

static int look_at_filters(struct wf_net *net, uint32_t ifindex, struct side ret_sides[SIDE_COUNT],
			   struct wf_err *err)
{
	for (size_t i = 0; i < SIDE_COUNT; i++) {
		const struct tcmsg header = {
			.tcm_family = AF_UNSPEC,
			.tcm_ifindex = (int)ifindex,
			.tcm_parent = sides[i].parent,
		};
		struct wf_netlink_batch *batch = wf_net_batch(net);
		int r;

		ret_sides[i] = (struct side){ .prog_id = 0 };
		wf_netlink_batch_begin(batch, RTM_GETTFILTER, 0, &header, sizeof(header));
		r = wf_netlink_dump(&net->socket, batch, see_filter, &ret_sides[i], err);
		if (r < 0)
			return wf_wrap(err, r, "cannot list the filters of interface with index %u",
				       ifindex);
	}
	return 0;
}

static void put_filter(struct wf_netlink_batch *batch, uint16_t type, uint16_t flags,
		       uint32_t ifindex, enum side_number side)
{
	const struct tcmsg header = {
		.tcm_family = AF_UNSPEC,
		.tcm_ifindex = (int)ifindex,
		.tcm_handle = HANDLE,
		.tcm_parent = sides[side].parent,
		.tcm_info = INFO,
	};

	wf_netlink_batch_begin(batch, type, flags, &header, sizeof(header));
}

static void put_removal(struct wf_netlink_batch *batch, uint32_t ifindex, enum side_number side)
{
	put_filter(batch, RTM_DELTFILTER, 0, ifindex, side);
	wf_netlink_batch_tolerate(batch, -ENOENT);
	wf_netlink_put_text(batch, TCA_KIND, "bpf");
}

static int remove_qdisc(struct wf_net *net, uint32_t ifindex, struct wf_err *err)
{
	const struct tcmsg header = {
		.tcm_family = AF_UNSPEC,
		.tcm_ifindex = (int)ifindex,
		.tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0),
		.tcm_parent = TC_H_CLSACT,
	};
	struct wf_netlink_batch *batch = wf_net_batch(net);

	wf_netlink_batch_begin(batch, RTM_DELQDISC, 0, &header, sizeof(header));
	wf_netlink_batch_tolerate(batch, -ENOENT);
	return wf_net_send(&net->socket, batch, NULL, NULL, err);
}

/* Why weft cannot use what is in the place; 0: it can. */
static int check_place(const struct place *place, uint32_t ifindex, struct wf_err *err)
{
	if (place->kind[0] && strcmp(place->kind, "clsact") != 0)
		return wf_fail(err, -EBUSY,
			       "interface with index %u has the qdisc '%s' where weft needs "
			       "'clsact', which does the same and egress too; replace it",
			       ifindex, place->kind);
	if (place->is_shared)
		return wf_fail(err, -EBUSY,
			       "the clsact qdisc of interface with index %u has shared blocks that "
			       "are not weft's; give it blocks of its own",
			       ifindex);
	return 0;
}

int wf_net_uplink_attach(struct wf_net *net, uint32_t ifindex, int ingress_fd, int egress_fd,
			 struct wf_err *err)
{
	const int fds[SIDE_COUNT] = { [INGRESS] = ingress_fd, [EGRESS] = egress_fd };
	struct wf_netlink_batch *batch;
	struct place place;
	int r = look_at_place(net, ifindex, &place, err);

	if (r == 0)
		r = check_place(&place, ifindex, err);
	if (r < 0)
		return r;
	batch = wf_net_batch(net);
	if (!place.kind[0])
		wf_net_blocks_put(batch, NLM_F_EXCL, ifindex, 0, 0);
	for (size_t i = 0; i < SIDE_COUNT; i++) {
		if (fds[i] < 0) {
			put_removal(batch, ifindex, i);
			continue;
		}
		put_filter(batch, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_REPLACE, ifindex, i);
		wf_net_filter_put_program(batch, fds[i], sides[i].name);
	}
	r = wf_net_send(&net->socket, batch, NULL, NULL, err);
	if (r < 0 && !place.kind[0])
		(void)remove_qdisc(net, ifindex, NULL);
	return r;
}

/* Whether it may hold filters of weft's. */
static bool is_usable(const struct place *place)
{
	return strcmp(place->kind, "clsact") == 0 && !place->is_shared;
}

int wf_net_uplink_detach(struct wf_net *net, uint32_t ifindex, struct wf_err *err)
{
	struct side found[SIDE_COUNT];
	struct wf_netlink_batch *batch;
	struct place place;
	int r = look_at_place(net, ifindex, &place, err);

	if (r == -ENODEV)
		return 0;
	if (r < 0 || !is_usable(&place))
		return r;
	r = look_at_filters(net, ifindex, found, err);
	if (r < 0 || (!found[INGRESS].is_there && !found[EGRESS].is_there))
		return r;
	batch = wf_net_batch(net);
	for (size_t i = 0; i < SIDE_COUNT; i++)
		if (found[i].is_there)
			put_removal(batch, ifindex, i);
	r = wf_net_send(&net->socket, batch, NULL, NULL, err);
	if (r == 0 && !found[INGRESS].foreign && !found[EGRESS].foreign)
		r = remove_qdisc(net, ifindex, err);
	return r == -ENODEV ? 0 : r;
}

int wf_net_uplink_get(struct wf_net *net, uint32_t ifindex, uint32_t *ret_ingress_id,
		      uint32_t *ret_egress_id, struct wf_err *err)
{
	struct side found[SIDE_COUNT] = { 0 };
	struct place place;
	int r = look_at_place(net, ifindex, &place, err);

	if (r == 0 && is_usable(&place))
		r = look_at_filters(net, ifindex, found, err);
	if (r < 0)
		return r;
	*ret_ingress_id = found[INGRESS].prog_id;
	*ret_egress_id = found[EGRESS].prog_id;
	return 0;
}
