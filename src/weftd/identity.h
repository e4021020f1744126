/* SPDX-License-Identifier: Apache-2.0 */
/* Who this node is to others that share its store. */
#ifndef WEFT_WEFTD_IDENTITY_H
#define WEFT_WEFTD_IDENTITY_H

#include "control/control.h"
#include "net/net.h"
#include "weftd/config.h"

/*
 * Fills in whether the store is shared and where others reach this node: the address that was
 * given, or that of the device that leads out. -EADDRNOTAVAIL: the host has none, or not that one.
 */
int weftd_identity(const struct weftd_config *config, const struct wf_store *store,
		   struct wf_net *net, struct wf_control_config *control, struct wf_err *err);

#endif
