/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Documents: parse, check, locate the error; what is a document at all is written as YAML and
 * read back as the same, and a network, service or policy that is accepted is accepted again in its full
 * form.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "model/document.h"
#include "model/network.h"
#include "model/policy.h"
#include "model/service.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void rewrite(const json_t *root)
{
	_cleanup_str_ struct wf_str text = WF_STR_INIT;
	_cleanup_json_ json_t *again = NULL;

	if (wf_document_to_yaml(root, &text) < 0)
		abort();
	/* a text at the limits may be longer, or a little deeper, when written out */
	if (text.len > WF_DOCUMENT_MAX_FILE_BYTES)
		return;
	if (wf_document_parse_mapping("again", text.data, text.len, &again, NULL) < 0 ||
	    !json_equal(root, again))
		abort();
}

static void canonicalise_service(const json_t *root)
{
	_cleanup_(wf_service_done) struct wf_service service = { .headless = false };
	_cleanup_json_ json_t *written = NULL, *spelled = wf_document_in_namespace(root);
	struct wf_err err = WF_ERR_INIT;
	char key[WF_NAME_BYTES], again[WF_NAME_BYTES];

	if (wf_service_from_json(&service, root, &err) < 0)
		abort();
	written = wf_service_to_json(&service);
	if (!written || wf_document_check_deep(written, &err) < 0)
		abort();
	if (!spelled || wf_document_key(root, key) < 0 || wf_document_key(spelled, again) < 0 ||
	    strcmp(key, again) != 0 || strcmp(wf_meta_key(&service.meta, again), key) != 0)
		abort();
}

static void canonicalise_policy(const json_t *root)
{
	_cleanup_(wf_policy_done) struct wf_policy policy = { .tier = WF_TIER_NETWORK };
	_cleanup_json_ json_t *written = NULL;
	struct wf_err err = WF_ERR_INIT;
	char key[WF_NAME_BYTES], again[WF_NAME_BYTES];

	if (wf_policy_from_json(&policy, root, &err) < 0)
		abort();
	written = wf_policy_to_json(&policy);
	if (!written || wf_document_check_deep(written, &err) < 0)
		abort();
	if (wf_document_key(root, key) < 0 || strcmp(wf_meta_key(&policy.meta, again), key) != 0)
		abort();
}

static void canonicalise(const json_t *root)
{
	_cleanup_(wf_network_done) struct wf_network network = { .subnet_count = 0 };
	_cleanup_json_ json_t *written = NULL;
	struct wf_err err = WF_ERR_INIT;

	if (strcmp(wf_json_str(root, "kind", ""), WF_KIND_SERVICE) == 0)
		canonicalise_service(root);
	if (wf_policy_is_kind(wf_json_str(root, "kind", "")))
		canonicalise_policy(root);
	if (strcmp(wf_json_str(root, "kind", ""), WF_KIND_NETWORK) != 0)
		return;
	if (wf_network_from_json(&network, root, &err) < 0)
		abort();
	written = wf_network_to_json(&network);
	if (!written || wf_document_check_deep(written, &err) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	_cleanup_(wf_documents_done) struct wf_documents documents = { 0 };
	struct wf_err err = WF_ERR_INIT;

	if (wf_documents_parse(&documents, "input", (const char *)bytes, len, &err) < 0)
		return 0;
	for (size_t i = 0; i < documents.count; i++) {
		rewrite(documents.items[i].root);
		if (wf_document_check_deep(documents.items[i].root, &err) < 0)
			wf_document_locate(&documents.items[i], &err);
		else
			canonicalise(documents.items[i].root);
	}
	return 0;
}
