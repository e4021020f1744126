/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether forwarded packets meet a packet filter on this host: asked for when something may send
 * packets past it. Only looks; nothing is changed or loaded that the kernel does not load itself.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/file.h"
#include "base/mem.h"
#include "net/net_priv.h"
#include "net/uplink.h"

/* Names of tables, one a line; a handful. */
#define NAMES_BYTES 4096
/* A table of a large host: a hundred thousand rules. */
#define TABLE_BYTES ((size_t)64 << 20)

/* ---- nftables ----------------------------------------------------------------------------- */

static uint32_t be32(const struct nlattr *attribute, uint32_t fallback)
{
	return ntohl(wf_netlink_u32(attribute, htonl(fallback)));
}

static void see_chain(const struct nlmsghdr *message, void *context)
{
	const struct nfgenmsg *header = wf_netlink_header(message, sizeof(*header));
	const struct nlattr *table[NFTA_CHAIN_USE + 1], *hook[NFTA_HOOK_PRIORITY + 1];
	bool *is_present = context;

	if (!header || message->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN) ||
	    (header->nfgen_family != NFPROTO_IPV4 && header->nfgen_family != NFPROTO_IPV6 &&
	     header->nfgen_family != NFPROTO_INET))
		return;
	wf_netlink_attrs(message, sizeof(*header), table, NFTA_CHAIN_USE);
	wf_netlink_nested(table[NFTA_CHAIN_HOOK], hook, NFTA_HOOK_PRIORITY);
	if (be32(hook[NFTA_HOOK_HOOKNUM], UINT32_MAX) == NF_INET_FORWARD &&
	    (be32(table[NFTA_CHAIN_USE], 1) > 0 ||
	     be32(table[NFTA_CHAIN_POLICY], NF_ACCEPT) != NF_ACCEPT))
		*is_present = true;
}

static int look_at_nftables(struct wf_net *net, bool *ret_present, struct wf_err *err)
{
	static const struct nfgenmsg header = { .nfgen_family = NFPROTO_UNSPEC };
	struct wf_netlink_socket netfilter = WF_NETLINK_SOCKET_INIT;
	struct wf_netlink_batch *batch = wf_net_batch(net);
	bool is_present = false;
	int r;

	r = wf_netlink_open_protocol(NETLINK_NETFILTER, &netfilter, err);
	if (r == -EPROTONOSUPPORT)
		return 0;
	if (r < 0)
		return r;
	wf_netlink_batch_begin(batch, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN, 0, &header,
			       sizeof(header));
	r = wf_netlink_dump(&netfilter, batch, see_chain, &is_present, err);
	wf_netlink_close(&netfilter);
	/* EINVAL: the kernel has no nftables */
	if (r < 0 && r != -EINVAL && r != -EOPNOTSUPP)
		return wf_wrap(err, r, "cannot list the chains of nftables");
	*ret_present = *ret_present || (r == 0 && is_present);
	return 0;
}

/* ---- iptables-legacy ---------------------------------------------------------------------- */

/* What differs between the families; the structs of the answers do not, but for the entries. */
struct family {
	const char *names; /* of the tables there are: asking for others would make them */
	int domain;
	int level;
	int get_info, get_entries;
	size_t target_at; /* of struct ipt_entry: u16 with the offset of the target */
};

static const struct family families[] = {
	{ "/proc/thread-self/net/ip_tables_names", AF_INET, IPPROTO_IP, IPT_SO_GET_INFO,
	  IPT_SO_GET_ENTRIES, offsetof(struct ipt_entry, target_offset) },
	{ "/proc/thread-self/net/ip6_tables_names", AF_INET6, IPPROTO_IPV6, IP6T_SO_GET_INFO,
	  IP6T_SO_GET_ENTRIES, offsetof(struct ip6t_entry, target_offset) },
};

_Static_assert(sizeof(struct ipt_getinfo) == sizeof(struct ip6t_getinfo), "one layout");
_Static_assert(offsetof(struct ipt_get_entries, entrytable) ==
		       offsetof(struct ip6t_get_entries, entrytable),
	       "one layout");

/* "filter" as a whole line. */
static bool has_filter_table(const char *path)
{
	_cleanup_str_ struct wf_str names = WF_STR_INIT;
	const char *at;

	if (wf_file_read(path, NAMES_BYTES, &names, NULL) < 0)
		return false;
	for (at = wf_str_text(&names); *at; at += strcspn(at, "\n"), at += *at == '\n')
		if (strncmp(at, "filter\n", 7) == 0)
			return true;
	return false;
}

/* Whether the policy of FORWARD, its last entry, is not to accept. */
static int drops_by_policy(int fd, const struct family *family, const struct ipt_getinfo *info,
			   bool *ret_drops, struct wf_err *err)
{
	const size_t head = offsetof(struct ipt_get_entries, entrytable);
	const uint32_t last = info->underflow[NF_INET_FORWARD];
	_cleanup_free_ unsigned char *entries = NULL;
	socklen_t bytes = (socklen_t)(head + info->size);
	struct xt_standard_target target;
	uint16_t target_offset;

	if (info->size > TABLE_BYTES)
		return wf_fail(err, -E2BIG, "the filter table of iptables has %u bytes",
			       info->size);
	entries = calloc(1, bytes);
	if (!entries)
		return wf_fail(err, -ENOMEM, "out of memory");
	memcpy(entries, info->name, sizeof(info->name));
	memcpy(entries + offsetof(struct ipt_get_entries, size), &info->size, sizeof(info->size));
	if (getsockopt(fd, family->level, family->get_entries, entries, &bytes) < 0)
		return wf_fail(err, -errno, "cannot read the filter table of iptables: %s",
			       strerror(errno));
	if (last + family->target_at + sizeof(target_offset) > info->size)
		return wf_fail(err, -EBADMSG, "the filter table of iptables is malformed");
	memcpy(&target_offset, entries + head + last + family->target_at, sizeof(target_offset));
	if (last + target_offset + sizeof(target) > info->size)
		return wf_fail(err, -EBADMSG, "the filter table of iptables is malformed");
	memcpy(&target, entries + head + last + target_offset, sizeof(target));
	*ret_drops = target.verdict != -NF_ACCEPT - 1;
	return 0;
}

static int look_at_iptables(const struct family *family, bool *ret_present, struct wf_err *err)
{
	struct ipt_getinfo info = { .name = "filter" };
	socklen_t bytes = sizeof(info);
	_cleanup_close_ int fd = -1;

	if (!has_filter_table(family->names))
		return 0;
	fd = socket(family->domain, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	if (fd < 0 || getsockopt(fd, family->level, family->get_info, &info, &bytes) < 0)
		return wf_fail(err, -errno, "cannot read the filter table of iptables: %s",
			       strerror(errno));
	/* the chain's first entry is its policy: there are no rules before it */
	if (info.hook_entry[NF_INET_FORWARD] == info.underflow[NF_INET_FORWARD])
		return drops_by_policy(fd, family, &info, ret_present, err);
	*ret_present = true;
	return 0;
}

int wf_net_firewall_present(struct wf_net *net, bool *ret_present, struct wf_err *err)
{
	bool is_present = false;
	int r = look_at_nftables(net, &is_present, err);

	for (size_t i = 0; r == 0 && !is_present && i < WF_ARRAY_LEN(families); i++)
		r = look_at_iptables(&families[i], &is_present, err);
	if (r == 0)
		*ret_present = is_present;
	return r;
}
