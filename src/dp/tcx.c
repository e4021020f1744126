/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What others have attached to a device through tcx, the younger hook that runs before the filters
 * of a clsact qdisc. weft attaches nothing there; 'weft doctor' tells who does.
 */
#include <errno.h>

#include "dp/dp_priv.h"

/* BPF_TCX_INGRESS and BPF_TCX_EGRESS, younger than the headers of the oldest distribution. */
static const enum bpf_attach_type hooks[] = { (enum bpf_attach_type)46, (enum bpf_attach_type)47 };

int wf_dp_tcx_count(uint32_t ifindex)
{
	int total = 0;

	for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
		uint32_t count = 0;
		/* the kernel reads the index where the library puts its first argument */
		int r = bpf_prog_query((int)ifindex, hooks[i], 0, NULL, NULL, &count);

		/* ENOENT: nobody ever attached; EINVAL: the kernel has no tcx */
		if (r < 0 && errno != ENOENT && errno != EINVAL)
			return -errno;
		if (r == 0)
			total += (int)count;
	}
	return total;
}
