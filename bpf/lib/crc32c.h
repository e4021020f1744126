/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * How the CRC32c of a packet (SCTP, RFC 9260 appendix A) changes when a few of its bytes do,
 * without reading the others. A CRC is linear: that of two messages of one length differs by that
 * of their difference, and zeros behind the difference multiply it by powers of x. All numbers are
 * reflected: bit 31 stands for x^0.
 */
#ifndef WEFT_BPF_CRC32C_H
#define WEFT_BPF_CRC32C_H

#include <linux/types.h>

#include "port.h"

#define WF_CRC32C_POLYNOMIAL 0x82f63b78

/*
 * Product of two polynomials modulo that of CRC32c. No branches, and no masks made of a sign, for
 * which the verifier thinks in branches as well: it sees one path.
 */
WF_GLOBAL __u32 wf_crc32c_multiply(__u32 a, __u32 b)
{
	__u32 product = 0;

	WF_NO_UNROLL
	for (__u32 i = 0; i < 32; i++) {
		product ^= b * (a >> 31);
		a <<= 1;
		b = (b >> 1) ^ (WF_CRC32C_POLYNOMIAL * (b & 1));
	}
	return product;
}

/* X(k, x^(8 * 2^k)): what 2^k zero bytes multiply by. */
#define WF_CRC32C_ZEROS(X) \
	X(0, 0x00800000)   \
	X(1, 0x00008000)   \
	X(2, 0x82f63b78)   \
	X(3, 0x6ea2d55c)   \
	X(4, 0x18b8ea18)   \
	X(5, 0x510ac59a)   \
	X(6, 0xb82be955)   \
	X(7, 0xb8fdb1e7)   \
	X(8, 0x88e56f72)   \
	X(9, 0x74c360a4)   \
	X(10, 0xe4172b16)  \
	X(11, 0x0d65762a)  \
	X(12, 0x35d73a62)  \
	X(13, 0x28461564)  \
	X(14, 0xbf455269)  \
	X(15, 0xe2ea32dc)

/*
 * What to exclusive-or to the CRC32c of a message of `bytes` (< 65536) bytes whose first four
 * changed by `change`, both read as little-endian numbers.
 */
WF_GLOBAL __u32 wf_crc32c_change(__u32 change, __u32 bytes)
{
#define WF_CRC32C_STEP(k, power) \
	if (bytes & (1U << (k))) \
		change = wf_crc32c_multiply(change, power);
	WF_CRC32C_ZEROS(WF_CRC32C_STEP)
#undef WF_CRC32C_STEP
	return change;
}

#endif
