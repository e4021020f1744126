/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Filter of the shared block WF_BLOCK_EGRESS: the guard in front of every container. */
#include "lib/to_container.h"

#include "lib/finish.h"

SEC("tc")
int weft_to_container(struct __sk_buff *skb)
{
	int r = wf_to_container(skb);

	if (r == WF_NEXT(WF_STAGE_POLICY)) {
		bpf_tail_call_static(skb, &wf_progs, WF_STAGE_POLICY);
		r = -WF_REASON_INTERNAL_ERROR;
	}
	return wf_finish(skb, WF_HOOK_TO_CONTAINER, r);
}
