/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Filter of the shared block WF_BLOCK_EGRESS: the guard in front of every container. */
#include "lib/to_container.h"

#include "lib/finish.h"

SEC("tc")
int weft_to_container(struct __sk_buff *skb)
{
	return wf_finish(skb, WF_HOOK_TO_CONTAINER, wf_to_container(skb));
}
