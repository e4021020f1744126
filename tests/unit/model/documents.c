/* SPDX-License-Identifier: Apache-2.0 */
#include "documents.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "model/document.h"

json_t *document_parse(const char *text)
{
	struct wf_err err = WF_ERR_INIT;
	json_t *root = NULL;

	if (wf_document_parse_mapping("t", text, strlen(text), &root, &err) < 0)
		fail_msg("%s: %s", text, err.message);
	return root;
}

json_t *document_format(const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list args;

	va_start(args, format);
	assert_true(vasprintf(&text, format, args) >= 0);
	va_end(args);
	return document_parse(text);
}
