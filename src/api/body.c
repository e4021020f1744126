/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents from the body of a request, one after the other as apply asks for them: a file of 100,000 is
 * read between everything else, and what was read of it is freed.
 */
#include <errno.h>
#include <stdlib.h>

#include "api/server_priv.h"
#include "base/json_items.h"
#include "base/mem.h"
#include "model/document.h"

/* So much more of the body is put into one piece when a document is not all in it. */
#define MORE_BYTES 65536
/* No document is shorter. */
#define DOCUMENT_MIN_BYTES 32

struct body {
	struct evbuffer *text; /* owned */
	struct wf_json_items items;
};

/* Tries with the first `shown` bytes. */
static int try(struct body *body, size_t shown, json_t **ret_document, struct wf_err *err)
{
	size_t len = evbuffer_get_length(body->text), used = 0;
	const char *text = shown ? (const char *)evbuffer_pullup(body->text, (ssize_t)shown) : "";
	int r;

	if (!text)
		return wf_fail(err, -ENOMEM, "out of memory reading documents");
	r = wf_json_items_next(&body->items, text, shown, shown == len, &used, ret_document, err);
	(void)evbuffer_drain(body->text, used);
	return r;
}

static int next_document(void *context, json_t **ret_document, struct wf_err *err)
{
	struct body *body = context;
	size_t shown = evbuffer_get_contiguous_space(body->text);
	int r = try(body, shown, ret_document, err);

	while (r == -EAGAIN) {
		size_t len = evbuffer_get_length(body->text);

		shown += MORE_BYTES;
		r = try(body, shown < len ? shown : len, ret_document, err);
	}
	if (r == 0 && !body->items.has_found)
		return wf_fail_field(err, -EINVAL, "documents", "an array of documents is wanted");
	return r;
}

static void free_body(void *context)
{
	struct body *body = context;

	evbuffer_free(body->text);
	free(body);
}

int wf_api_body_documents(struct evhttp_request *http, struct wf_control_documents *ret_documents,
			  struct wf_err *err)
{
	static const struct wf_json_bounds bounds = { WF_DOCUMENT_MAX_FILE_BYTES,
						      WF_DOCUMENTS_MAX_NODES };
	struct evbuffer *in = evhttp_request_get_input_buffer(http);
	size_t len = evbuffer_get_length(in);
	struct body *body = calloc(1, sizeof(*body));

	if (body)
		body->text = evbuffer_new();
	if (!body || !body->text || evbuffer_add_buffer(body->text, in) < 0) {
		if (body && body->text)
			evbuffer_free(body->text);
		free(body);
		return wf_fail(err, -ENOMEM, "out of memory reading documents");
	}
	wf_json_items_init(&body->items, "documents", &bounds);
	*ret_documents = (struct wf_control_documents){ .most = len / DOCUMENT_MIN_BYTES + 1,
							.next = next_document,
							.free = free_body,
							.context = body };
	return 0;
}
