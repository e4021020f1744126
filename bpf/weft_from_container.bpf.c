/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Filter of the shared block WF_BLOCK_INGRESS: everything that containers send, and, by a tail
 * call, everything that the host sends to them. ARP and ND are stages of their own, which keeps
 * the fast path small.
 */
#include "lib/from_container.h"

#include "lib/arp.h"
#include "lib/nd.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Goes on in another stage; comes back with -reason if there is none. */
static __always_inline int wf_go_on_in(struct __sk_buff *skb, int r)
{
	/* constant indices: the compiler of the kernel makes direct jumps of them */
	switch (r) {
	case WF_NEXT(WF_STAGE_FROM_HOST):
		bpf_tail_call_static(skb, &wf_progs, WF_STAGE_FROM_HOST);
		break;
	case WF_NEXT(WF_STAGE_ARP): bpf_tail_call_static(skb, &wf_progs, WF_STAGE_ARP); break;
	case WF_NEXT(WF_STAGE_REPLY): bpf_tail_call_static(skb, &wf_progs, WF_STAGE_REPLY); break;
	case WF_NEXT(WF_STAGE_SERVICE):
		bpf_tail_call_static(skb, &wf_progs, WF_STAGE_SERVICE);
		break;
	case WF_NEXT(WF_STAGE_POLICY): bpf_tail_call_static(skb, &wf_progs, WF_STAGE_POLICY); break;
	case WF_NEXT(WF_STAGE_VIA): bpf_tail_call_static(skb, &wf_progs, WF_STAGE_VIA); break;
	case WF_NEXT(WF_STAGE_ND): bpf_tail_call_static(skb, &wf_progs, WF_STAGE_ND); break;
	}
	return -WF_REASON_INTERNAL_ERROR;
}

SEC("tc")
int weft_from_container(struct __sk_buff *skb)
{
	int r = wf_from_container(skb);

	if (wf_unlikely(r >= WF_NEXT(0)))
		r = wf_go_on_in(skb, r);
	return wf_finish(skb, WF_HOOK_FROM_CONTAINER, r);
}

SEC("tc")
int weft_arp(struct __sk_buff *skb)
{
	return wf_finish_link(skb, wf_arp(skb));
}

SEC("tc")
int weft_nd(struct __sk_buff *skb)
{
	return wf_finish_link(skb, wf_nd(skb));
}
