/* SPDX-License-Identifier: Apache-2.0 */
/* Answers to echo requests: only those with our id and cookie are taken, at whatever offset they are. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/wire_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* As the corpus has them. */
static const uint8_t cookie[WF_ECHO_COOKIE_BYTES] = "12345678";

static const uint8_t *find_cookie(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i + sizeof(cookie) <= len; i++)
		if (memcmp(bytes + i, cookie, sizeof(cookie)) == 0)
			return bytes + i;
	return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct wf_echo_self self = { .id = 0x4142 };
	struct wf_echo_news news;

	memcpy(self.cookie, cookie, sizeof(cookie));
	for (int ip4 = 0; ip4 < 2; ip4++) {
		self.is_ip4 = ip4;
		if (wf_echo_read(&self, bytes, len, &news) &&
		    (!find_cookie(bytes, len) || news.what != WF_ECHO_ANSWER || news.mtu))
			abort();
	}
	return 0;
}
