/* SPDX-License-Identifier: Apache-2.0 */
#include "model/namespace.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "model/audit_priv.h"
#include "model/field_priv.h"

void wf_namespace_done(struct wf_namespace *namespace)
{
	wf_meta_done(&namespace->meta);
	memset(namespace, 0, sizeof(*namespace));
}

static int read_namespace(struct wf_namespace *namespace, const json_t *document,
			  struct wf_err *err)
{
	char excerpt[WF_FIELD_EXCERPT_BYTES];
	int r = wf_meta_from_json(&namespace->meta, document, err);

	if (r < 0)
		return r;
	if (!wf_meta_is_label(namespace->meta.name))
		return wf_field_fail(err, "metadata.name",
				     "\"%s\" is not a namespace (up to 63 lower-case letters, "
				     "digits or '-', a letter or digit at both ends)",
				     wf_field_excerpt(namespace->meta.name, excerpt));
	return wf_audit_read(&namespace->meta, &namespace->audit, err);
}

int wf_namespace_from_json(struct wf_namespace *namespace, const json_t *document,
			   struct wf_err *err)
{
	_cleanup_(wf_namespace_done) struct wf_namespace fresh = { .audit = false };
	int r = read_namespace(&fresh, document, err);

	if (r < 0)
		return wf_field_name_object(r, document, err);
	*namespace = fresh;
	fresh = (struct wf_namespace){ .audit = false };
	return 0;
}
