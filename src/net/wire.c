/* SPDX-License-Identifier: Apache-2.0 */
/* The Internet checksum (RFC 1071), for what is made and read by hand. */
#include "net/wire_priv.h"

#include <string.h>

uint32_t wf_wire_sum(const void *bytes, size_t len, uint32_t sum)
{
	uint16_t word;

	for (size_t i = 0; i + sizeof(word) <= len; i += sizeof(word)) {
		memcpy(&word, (const uint8_t *)bytes + i, sizeof(word));
		sum += word;
	}
	return sum;
}

uint16_t wf_wire_fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)(sum + (sum >> 16));
}
