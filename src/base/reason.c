/* SPDX-License-Identifier: Apache-2.0 */
#include "base/reason.h"

#include "base/mem.h"

struct reason {
	const char *label;
	const char *class;
	const char *text;
	const char *hint;
};

#define REASON_ROW(symbol, number, label, class, text, hint) \
	[number] = { label, #class, text, hint },

static const struct reason reasons[WF_REASON_COUNT] = { WF_REASON_LIST(REASON_ROW) };

static const struct reason unknown = { "unknown", "error", "a reason this version does not know",
				       "weft and the loaded programs are of different versions" };

static const struct reason *find(unsigned int number)
{
	if (number >= WF_ARRAY_LEN(reasons) || !reasons[number].label)
		return &unknown;
	return &reasons[number];
}

const char *wf_reason_label(unsigned int reason)
{
	return find(reason)->label;
}

const char *wf_reason_class(unsigned int reason)
{
	return find(reason)->class;
}

const char *wf_reason_text(unsigned int reason)
{
	return find(reason)->text;
}

const char *wf_reason_hint(unsigned int reason)
{
	return find(reason)->hint;
}
