/* SPDX-License-Identifier: Apache-2.0 */
/* A request that must not fail for want of a daemon: DEL and GC. */
#ifndef WEFT_CNI_SPOOLED_H
#define WEFT_CNI_SPOOLED_H

#include "base/spool.h"
#include "cni/call.h"

struct wf_cni_spooled {
	enum wf_spool_kind kind;
	const char *path;
	int timeout_ms;
	bool spool_late; /* also when the daemon is there and answers too late, or dies over it */
};

/*
 * Makes the request, or leaves it in the spool by the protocol of base/spool.h. Success means:
 * done, or certain to be done when the daemon starts. body is borrowed.
 */
int wf_cni_spooled_call(const struct wf_cni_call *call, const struct wf_cni_spooled *request,
			const json_t *body, struct wf_cni_error *error);

#endif
