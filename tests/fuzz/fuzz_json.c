/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON bodies: what is accepted is written and read back as the same value, and what the reader of
 * plain texts accepts is what jansson makes of it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_priv.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void compare(const char *text, size_t len)
{
	_cleanup_json_ json_t *plain = wf_json_read_plain(text, len, WF_JSON_MAX_NODES),
			      *any = NULL;

	if (!plain)
		return;
	any = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
	if (!any || !json_equal(plain, any))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	_cleanup_json_ json_t *value = NULL, *again = NULL;
	struct wf_err err = WF_ERR_INIT;
	_cleanup_free_ char *text = NULL;

	if (len <= WF_JSON_MAX_BYTES)
		compare((const char *)bytes, len);
	if (wf_json_parse((const char *)bytes, len, &value, &err) < 0)
		return 0;
	text = wf_json_text(value);
	if (!text || wf_json_parse(text, strlen(text), &again, &err) < 0 ||
	    !json_equal(value, again))
		abort();
	(void)wf_json_get_nocase(value, "name");
	return 0;
}
