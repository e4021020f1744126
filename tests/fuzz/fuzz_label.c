/* SPDX-License-Identifier: Apache-2.0 */
/* Labels as typed on the command line: what is accepted is found again under its key. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "model/label.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	_cleanup_(wf_labels_done) struct wf_labels labels = { 0 };
	_cleanup_str_ struct wf_str safe = WF_STR_INIT;
	_cleanup_free_ char *text = malloc(len + 1);
	struct wf_err err = WF_ERR_INIT;
	char *equals;

	if (!text)
		return 0;
	if (len)
		memcpy(text, bytes, len);
	text[len] = '\0';
	wf_str_add_escaped(&safe, text);
	for (const char *c = wf_str_text(&safe); *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			abort();
	if (wf_labels_parse(&labels, text, &err) < 0)
		return 0;
	equals = strchr(text, '=');
	*equals = '\0';
	if (labels.count != 1 || strcmp(wf_labels_get(&labels, text), equals + 1) != 0)
		abort();
	return 0;
}
