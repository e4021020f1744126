/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one filter of a shared block. A new program is one message for all devices of the block,
 * and packets meet either the old one or the new one. Blocks are weft's alone: what others put
 * into one would judge packets before or instead of weft, and is removed.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "net/net_priv.h"

/* weft's filter of a block: replacing works by naming the same one. */
#define FILTER_PRIORITY 1
#define FILTER_HANDLE   1
#define FILTER_INFO     TC_H_MAKE((uint32_t)FILTER_PRIORITY << 16, htons(ETH_P_ALL))

void wf_net_filter_put_program(struct wf_netlink_batch *batch, int prog_fd, const char *name)
{
	wf_netlink_nest options;

	wf_netlink_put_text(batch, TCA_KIND, "bpf");
	options = wf_netlink_nest_begin(batch, TCA_OPTIONS);
	wf_netlink_put_u32(batch, TCA_BPF_FD, (uint32_t)prog_fd);
	wf_netlink_put_text(batch, TCA_BPF_NAME, name);
	wf_netlink_put_u32(batch, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
	wf_netlink_nest_end(batch, options);
}

uint32_t wf_net_filter_program(const struct nlattr *attribute)
{
	const struct nlattr *options[TCA_BPF_ID + 1];

	wf_netlink_nested(attribute, options, TCA_BPF_ID);
	if (!(wf_netlink_u32(options[TCA_BPF_FLAGS], 0) & TCA_BPF_FLAG_ACT_DIRECT))
		return 0;
	return wf_netlink_u32(options[TCA_BPF_ID], 0);
}

/* Names a filter; handle 0: all of its priority. */
struct filter {
	uint32_t chain;
	uint32_t info; /* priority and protocol */
	uint32_t handle;
};

/* The filters of a block. */
struct filters {
	uint32_t prog_id;       /* of weft's, 0: it is not there as it shall be */
	struct filter *foreign; /* owned */
	size_t count, capacity;
	bool failed; /* out of memory */
};

static void filters_done(struct filters *filters)
{
	free(filters->foreign);
}

static void note_foreign(struct filters *filters, const struct filter *filter)
{
	for (size_t i = 0; i < filters->count; i++)
		if (memcmp(&filters->foreign[i], filter, sizeof(*filter)) == 0)
			return;
	if (wf_mem_grow(&filters->foreign, sizeof(*filter), filters->count, &filters->capacity) < 0)
		filters->failed = true;
	else
		filters->foreign[filters->count++] = *filter;
}

/* Whether the priority is the one that weft's filter belongs to, which must not be removed. */
static bool is_own_place(const struct filter *filter, const char *kind)
{
	return filter->chain == 0 && filter->info == FILTER_INFO && strcmp(kind, "bpf") == 0;
}

/* The kernel tells of each priority (with handle 0) and then of the filters in it. */
static void see_filter(const struct nlmsghdr *message, void *context)
{
	const struct tcmsg *header = wf_netlink_header(message, sizeof(*header));
	const struct nlattr *table[TCA_CHAIN + 1];
	struct filters *filters = context;
	struct filter filter;

	if (!header || message->nlmsg_type != RTM_NEWTFILTER)
		return;
	wf_netlink_attrs(message, sizeof(*header), table, TCA_CHAIN);
	filter = (struct filter){ .chain = wf_netlink_u32(table[TCA_CHAIN], 0),
				  .info = header->tcm_info };
	if (!is_own_place(&filter, wf_netlink_text(table[TCA_KIND]))) {
		note_foreign(filters, &filter);
		return;
	}
	filter.handle = header->tcm_handle;
	if (filter.handle && filter.handle != FILTER_HANDLE)
		note_foreign(filters, &filter);
	if (filter.handle != FILTER_HANDLE)
		return;
	filters->prog_id = wf_net_filter_program(table[TCA_OPTIONS]);
}

static int look(struct wf_net *net, uint32_t block, struct filters *filters, struct wf_err *err)
{
	const struct tcmsg header = {
		.tcm_family = AF_UNSPEC,
		.tcm_ifindex = (int)TCM_IFINDEX_MAGIC_BLOCK,
		.tcm_parent = block, /* the kernel's tcm_block_index is this very member */
	};
	struct wf_netlink_batch *batch = wf_net_batch(net);
	int r;

	wf_netlink_batch_begin(batch, RTM_GETTFILTER, 0, &header, sizeof(header));
	r = wf_netlink_dump(&net->socket, batch, see_filter, filters, err);
	if (r < 0)
		return wf_wrap(err, r, "cannot list the filters of tc block %#x", block);
	return filters->failed ? wf_fail(err, -ENOMEM, "out of memory") : 0;
}

static void put_removal(struct wf_netlink_batch *batch, uint32_t block, const struct filter *filter)
{
	const struct tcmsg header = {
		.tcm_family = AF_UNSPEC,
		.tcm_ifindex = (int)TCM_IFINDEX_MAGIC_BLOCK,
		.tcm_handle = filter->handle,
		.tcm_parent = block,
		.tcm_info = filter->info,
	};

	wf_netlink_batch_begin(batch, RTM_DELTFILTER, 0, &header, sizeof(header));
	wf_netlink_batch_tolerate(batch, -ENOENT);
	wf_netlink_put_u32(batch, TCA_CHAIN, filter->chain);
}

int wf_net_block_set(struct wf_net *net, uint32_t block, int prog_fd, const char *name,
		     struct wf_err *err)
{
	const struct tcmsg header = {
		.tcm_family = AF_UNSPEC,
		.tcm_ifindex = (int)TCM_IFINDEX_MAGIC_BLOCK,
		.tcm_handle = FILTER_HANDLE,
		.tcm_parent = block,
		.tcm_info = FILTER_INFO,
	};
	_cleanup_(filters_done) struct filters filters = { 0 };
	struct wf_netlink_batch *batch;
	int r = look(net, block, &filters, err);

	if (r < 0)
		return r;
	batch = wf_net_batch(net);
	for (size_t i = 0; i < filters.count; i++)
		put_removal(batch, block, &filters.foreign[i]);
	wf_netlink_batch_begin(batch, RTM_NEWTFILTER, NLM_F_CREATE, &header, sizeof(header));
	wf_net_filter_put_program(batch, prog_fd, name);
	return wf_net_send(&net->socket, batch, NULL, NULL, err);
}

int wf_net_block_get(struct wf_net *net, uint32_t block, uint32_t *ret_prog_id, struct wf_err *err)
{
	_cleanup_(filters_done) struct filters filters = { 0 };
	int r = look(net, block, &filters, err);

	if (r < 0)
		return r;
	if (!filters.prog_id)
		return wf_fail(err, -ENOENT, "tc block %#x has no program", block);
	*ret_prog_id = filters.prog_id;
	if (filters.count)
		return wf_fail(err, -EUCLEAN, "tc block %#x has filters that are not weft's",
			       block);
	return 0;
}
