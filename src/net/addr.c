/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of devices. */
#include <errno.h>
#include <linux/if_addr.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "net/net_priv.h"

void wf_net_put_addr(struct wf_netlink_batch *batch, uint16_t type, const struct wf_addr *addr)
{
	wf_netlink_put(batch, type, wf_addr_is_ip4(addr) ? addr->bytes + 12 : addr->bytes,
		       wf_addr_bits(addr) / 8);
}

void wf_net_addr_put(struct wf_netlink_batch *batch, uint16_t type, uint16_t flags,
		     uint32_t ifindex, const struct wf_prefix *prefix, uint32_t ifa_flags)
{
	const struct ifaddrmsg header = {
		.ifa_family = (uint8_t)wf_addr_family(&prefix->addr),
		.ifa_prefixlen = prefix->len,
		.ifa_scope = RT_SCOPE_UNIVERSE,
		.ifa_index = ifindex,
	};

	wf_netlink_batch_begin(batch, type, flags, &header, sizeof(header));
	wf_net_put_addr(batch, IFA_LOCAL, &prefix->addr);
	wf_net_put_addr(batch, IFA_ADDRESS, &prefix->addr);
	if (ifa_flags)
		wf_netlink_put_u32(batch, IFA_FLAGS, ifa_flags);
}

static bool parse(const struct nlmsghdr *message, struct wf_net_addr *ret_addr)
{
	const struct ifaddrmsg *header = wf_netlink_header(message, sizeof(*header));
	const struct nlattr *table[IFA_FLAGS + 1];
	const void *local, *peer;
	size_t bytes;

	if (!header || message->nlmsg_type != RTM_NEWADDR ||
	    (header->ifa_family != AF_INET && header->ifa_family != AF_INET6))
		return false;
	bytes = header->ifa_family == AF_INET ? 4 : 16;
	wf_netlink_attrs(message, sizeof(*header), table, IFA_FLAGS);
	peer = wf_netlink_bytes(table[IFA_ADDRESS], bytes);
	local = wf_netlink_bytes(table[IFA_LOCAL], bytes);
	if (!local)
		local = peer;
	if (!local || header->ifa_prefixlen > bytes * 8)
		return false;
	*ret_addr = (struct wf_net_addr){
		.prefix.addr = wf_addr_from_bytes(header->ifa_family, local),
		.prefix.len = header->ifa_prefixlen,
		.peer = wf_addr_from_bytes(header->ifa_family, peer ? peer : local),
		.ifindex = header->ifa_index,
		.flags = wf_netlink_u32(table[IFA_FLAGS], header->ifa_flags),
		.scope = header->ifa_scope,
	};
	return true;
}

struct addr_visit {
	wf_net_addr_fn visit;
	void *context;
	uint32_t ifindex;
};

static void pass_addr(const struct nlmsghdr *message, void *context)
{
	const struct addr_visit *to = context;
	struct wf_net_addr addr;

	/* kernels without strict checking send the addresses of all devices */
	if (parse(message, &addr) && (!to->ifindex || addr.ifindex == to->ifindex))
		to->visit(&addr, to->context);
}

int wf_net_addr_dump(struct wf_netlink_socket *netlink, struct wf_netlink_batch *batch,
		     uint32_t ifindex, wf_net_addr_fn visit, void *context, struct wf_err *err)
{
	struct addr_visit to = { .visit = visit, .context = context, .ifindex = ifindex };
	static const uint8_t families[] = { AF_INET, AF_INET6 };

	for (size_t i = 0; i < WF_ARRAY_LEN(families); i++) {
		const struct ifaddrmsg header = { .ifa_family = families[i], .ifa_index = ifindex };
		int r;

		wf_netlink_batch_clear(batch);
		wf_netlink_batch_begin(batch, RTM_GETADDR, 0, &header, sizeof(header));
		r = wf_netlink_dump(netlink, batch, pass_addr, &to, err);
		if (r < 0)
			return wf_wrap(err, r, "cannot list addresses");
	}
	return 0;
}

/* What is to be done to the addresses of a device. */
struct addr_sync {
	const struct wf_net_address *wanted;
	size_t count;
	struct wf_net_addr *extra; /* owned */
	size_t extra_count, extra_capacity;
	bool *present; /* owned; one per wanted address */
	bool failed;   /* out of memory */
};

static void compare_addr(const struct wf_net_addr *addr, void *context)
{
	struct addr_sync *sync = context;

	for (size_t i = 0; i < sync->count; i++) {
		if (!wf_prefix_equal(&sync->wanted[i].prefix, &addr->prefix))
			continue;
		sync->present[i] = true;
		return;
	}
	if (addr->scope == RT_SCOPE_LINK && !wf_addr_is_ip4(&addr->prefix.addr))
		return;
	if (wf_mem_grow(&sync->extra, sizeof(*sync->extra), sync->extra_count,
			&sync->extra_capacity) < 0) {
		sync->failed = true;
		return;
	}
	sync->extra[sync->extra_count++] = *addr;
}

/*
 * Routes to what is behind a host device are weft's own and say so by their protocol, so the
 * kernel makes none for the addresses. Removing a primary IPv4 address may take its secondaries
 * along: what is wanted is set again even when it was there.
 */
static int apply_sync(struct wf_net *net, uint32_t ifindex, const struct addr_sync *sync,
		      struct wf_err *err)
{
	struct wf_netlink_batch *batch = wf_net_batch(net);

	for (size_t i = 0; i < sync->extra_count; i++) {
		wf_net_addr_put(batch, RTM_DELADDR, 0, ifindex, &sync->extra[i].prefix, 0);
		wf_netlink_batch_tolerate(batch, -EADDRNOTAVAIL);
	}
	for (size_t i = 0; i < sync->count; i++) {
		const struct wf_prefix *prefix = &sync->wanted[i].prefix;

		if (sync->present[i] && !sync->extra_count)
			continue;
		wf_net_addr_put(batch, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, ifindex, prefix,
				IFA_F_NODAD | IFA_F_NOPREFIXROUTE);
		wf_netlink_batch_tolerate(batch, -EEXIST);
	}
	return wf_net_send(&net->socket, batch, NULL, NULL, err);
}

int wf_net_host_sync_addresses(struct wf_net *net, uint32_t ifindex,
			       const struct wf_net_address *addresses, size_t count,
			       struct wf_err *err)
{
	struct addr_sync sync = { .wanted = addresses, .count = count };
	int r;

	sync.present = calloc(count + 1, sizeof(*sync.present));
	if (!sync.present)
		return wf_fail(err, -ENOMEM, "out of memory");
	r = wf_net_addr_dump(&net->socket, wf_net_batch(net), ifindex, compare_addr, &sync, err);
	if (r == 0 && sync.failed)
		r = wf_fail(err, -ENOMEM, "out of memory");
	if (r == 0)
		r = apply_sync(net, ifindex, &sync, err);
	free(sync.extra);
	free(sync.present);
	return r;
}
