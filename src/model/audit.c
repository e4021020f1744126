/* SPDX-License-Identifier: Apache-2.0 */
/* The annotation weft.dev/audit, of policies and namespaces. */
#include "model/audit_priv.h"

#include <string.h>

#include "model/field_priv.h"
#include "model/policy.h"

int wf_audit_read(const struct wf_meta *meta, bool *ret_audit, struct wf_err *err)
{
	const char *text = wf_labels_get(&meta->annotations, WF_ANNOTATION_AUDIT);
	char excerpt[WF_FIELD_EXCERPT_BYTES];
	bool audit = text && strcmp(text, "true") == 0;

	if (text && !audit && strcmp(text, "false") != 0)
		return wf_field_fail(err, "metadata.annotations." WF_ANNOTATION_AUDIT,
				     "\"%s\" is not \"true\" or \"false\"",
				     wf_field_excerpt(text, excerpt));
	*ret_audit = audit;
	return 0;
}
