/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parser of HTTP answers. The first byte says how the rest is cut into pieces: however it is
 * cut, the outcome must be that of the whole.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/answer.h"

#define MAX_BODY 4096

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static int feed(struct wf_answer *answer, const char *bytes, size_t len, size_t piece)
{
	struct wf_err err = WF_ERR_INIT;
	int r = 0;

	wf_answer_init(answer, MAX_BODY);
	while (r == 0 && len) {
		size_t now = piece < len ? piece : len;

		r = wf_answer_feed(answer, bytes, now, &err);
		bytes += now;
		len -= now;
	}
	return r < 0 ? r : wf_answer_end(answer, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct wf_answer whole, cut;
	const char *text = (const char *)bytes + 1;
	int r;

	if (len < 2)
		return 0;
	r = feed(&whole, text, len - 1, len);
	if (r != feed(&cut, text, len - 1, 1 + bytes[0] % 64U))
		abort();
	if (r == 0 && (whole.status != cut.status || whole.body.len != cut.body.len ||
		       (whole.body.len && memcmp(whole.body.data, cut.body.data, cut.body.len))))
		abort();
	if (whole.body.len > MAX_BODY)
		abort();
	wf_answer_done(&whole);
	wf_answer_done(&cut);
	return 0;
}
