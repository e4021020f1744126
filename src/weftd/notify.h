/* SPDX-License-Identifier: Apache-2.0 */
/* The service manager's notification protocol, sd_notify(3). */
#ifndef WEFT_WEFTD_NOTIFY_H
#define WEFT_WEFTD_NOTIFY_H

/* Sends "READY=1" and the like to $NOTIFY_SOCKET; does nothing when nobody asked. */
void weftd_notify(const char *state);

#endif
