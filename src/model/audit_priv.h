/* SPDX-License-Identifier: Apache-2.0 */
/* The annotation that puts a policy or a namespace on trial. */
#ifndef WEFT_MODEL_AUDIT_PRIV_H
#define WEFT_MODEL_AUDIT_PRIV_H

#include "model/meta.h"

/* Whether WF_ANNOTATION_AUDIT says so; -EINVAL when it is neither "true" nor "false". */
int wf_audit_read(const struct wf_meta *meta, bool *ret_audit, struct wf_err *err);

#endif
