/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Stage WF_STAGE_DOOR: between who is outside and containers of a scope on other nodes. */
#include "lib/door.h"

#include "end.h"

SEC("tc")
int weft_door(struct __sk_buff *skb)
{
	struct wf_work *work = wf_map_work();
	struct wf_subject subject = { .slot = WF_SLOT_HOST };

	/* the entry of an array: it is always there */
	if (!work)
		return TC_ACT_SHOT;
	subject.hook = work->hook;
	return wf_end(skb, work, &subject, wf_door(skb, work), WF_OBSERVE_DROPS | WF_OBSERVE_FIRST);
}
