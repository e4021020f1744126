/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Internet checksums (RFC 1071, RFC 1624) in plain C. Sums are kept as they stand in memory: the
 * order of bytes does not matter to a sum of ones' complement. Knows no packet.
 */
#ifndef WEFT_BPF_CSUM_H
#define WEFT_BPF_CSUM_H

#include <linux/types.h>

/* Folds a sum into 16 bits; not complemented. */
static __always_inline __u32 wf_csum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/* What a sum changes by when a word of 16 or 32 bits does. */
static __always_inline __u32 wf_csum_change(__u32 from, __u32 to)
{
	return wf_csum_fold((__u64)(__u32)~from + to);
}

/* A checksum after what it sums up changed by `diff`. */
static __always_inline __u16 wf_csum_apply(__u16 check, __u32 diff)
{
	return ~wf_csum_fold((__u64)(__u16)~check + diff);
}

#endif
