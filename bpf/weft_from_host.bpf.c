/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Stage WF_STAGE_FROM_HOST: what the host sent through weft0 and weft0p, slot 0, received. */
#include "lib/from_host.h"

#include "end.h"

SEC("tc")
int weft_from_host(struct __sk_buff *skb)
{
	struct wf_work *work = wf_map_work();
	struct wf_subject subject = { .slot = wf_slot_of(skb), .hook = WF_HOOK_FROM_HOST };
	int r = wf_from_host(skb);

	if (r == WF_NEXT(WF_STAGE_SERVICE)) {
		bpf_tail_call_static(skb, &wf_progs, WF_STAGE_SERVICE);
		r = -WF_REASON_INTERNAL_ERROR;
	}
	return wf_end(skb, work, &subject, r, WF_OBSERVE_DROPS | WF_OBSERVE_FIRST);
}
