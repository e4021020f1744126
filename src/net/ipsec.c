/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the host encrypts some of what it sends (IPsec), which is done in its stack alone. */
#include <errno.h>
#include <linux/xfrm.h>
#include <string.h>
#include <sys/socket.h>

#include "net/net_priv.h"

static void see_counts(const struct nlmsghdr *message, void *context)
{
	const struct nlattr *table[XFRMA_SPD_INFO + 1];
	const struct xfrmu_spdinfo *counts;
	bool *is_present = context;

	if (message->nlmsg_type != XFRM_MSG_NEWSPDINFO)
		return;
	wf_netlink_attrs(message, sizeof(uint32_t), table, XFRMA_SPD_INFO);
	counts = wf_netlink_bytes(table[XFRMA_SPD_INFO], sizeof(*counts));
	*is_present = counts && (counts->outcnt || counts->incnt);
}

int wf_net_ipsec_present(struct wf_net *net, bool *ret_present, struct wf_err *err)
{
	static const uint32_t flags;
	struct wf_netlink_socket xfrm = WF_NETLINK_SOCKET_INIT;
	struct wf_netlink_batch *batch = wf_net_batch(net);
	bool is_present = false;
	int r = wf_netlink_open_protocol(NETLINK_XFRM, &xfrm, err);

	/* the kernel has no IPsec */
	if (r == -EPROTONOSUPPORT) {
		*ret_present = false;
		return 0;
	}
	if (r < 0)
		return r;
	wf_netlink_batch_begin(batch, XFRM_MSG_GETSPDINFO, 0, &flags, sizeof(flags));
	r = wf_netlink_transact(&xfrm, batch, see_counts, &is_present, NULL, err);
	wf_netlink_close(&xfrm);
	if (r < 0)
		return wf_wrap(err, r, "cannot look for IPsec policies");
	*ret_present = is_present;
	return 0;
}
