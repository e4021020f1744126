/* SPDX-License-Identifier: Apache-2.0 */
/* What nodes ask each other: one size, one version, and numbers that are those of the bytes. */
#include <endian.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/wire_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct wf_ask_message message;
	uint8_t again[WF_ASK_BYTES];
	uint64_t numbers[2];

	if (!wf_ask_read(bytes, len, &message))
		return 0;
	if (len != 24 || memcmp(bytes, "weft", 4) != 0)
		abort();
	if (message.what < WF_ASK_QUESTION || message.what > WF_ASK_CAME)
		abort();
	wf_ask_write(&message, again);
	if (memcmp(bytes, again, 6) != 0 || memcmp(bytes + 8, again + 8, sizeof(again) - 8) != 0)
		abort();
	memcpy(numbers, bytes + 8, sizeof(numbers));
	if (message.cookie != be64toh(numbers[0]) || message.revision != be64toh(numbers[1]))
		abort();
	return 0;
}
