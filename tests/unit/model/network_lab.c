/* SPDX-License-Identifier: Apache-2.0 */
#include "network_lab.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "documents.h"
#include "model/document.h"

json_t *network_document(const char *spec)
{
	return document_format(
		"{apiVersion: weft.dev/v1, kind: Network, metadata: {name: blue}, spec: %s}", spec);
}

void network_read(const char *spec, struct wf_network *network)
{
	_cleanup_json_ json_t *root = network_document(spec);
	struct wf_err err = WF_ERR_INIT;

	if (wf_document_check(root, &err) < 0 || wf_network_from_json(network, root, &err) < 0)
		fail_msg("%s: %s", spec, err.message);
}

void network_check_refused(const struct network_refusal *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		_cleanup_json_ json_t *root = network_document(rows[i].spec);
		struct wf_network network, before;
		struct wf_err err = WF_ERR_INIT;

		memset(&network, 0x5a, sizeof(network));
		memcpy(&before, &network, sizeof(network));
		if (wf_document_check(root, &err) < 0)
			fail_msg("%s: %s", rows[i].spec, err.message);
		if (wf_network_from_json(&network, root, &err) != -EINVAL)
			fail_msg("accepted %s", rows[i].spec);
		assert_string_equal(err.field, rows[i].field);
		assert_string_equal(err.object, "network/blue");
		if (!strstr(err.message, rows[i].message) ||
		    strncmp(err.message, "Network/blue: spec.", 19) != 0)
			fail_msg("%s: %s", rows[i].spec, err.message);
		assert_memory_equal(&network, &before, sizeof(network));
	}
}
