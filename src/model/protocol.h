/* SPDX-License-Identifier: Apache-2.0 */
/* The transport protocols that services and published ports know, by name. Pure. */
#ifndef WEFT_MODEL_PROTOCOL_H
#define WEFT_MODEL_PROTOCOL_H

#include <stdbool.h>
#include <stdint.h>

/* "TCP", "UDP", "SCTP" as in documents; "" for others. */
const char *wf_protocol_name(uint8_t proto);

/* The same in lower case, as people type it: "tcp". */
const char *wf_protocol_word(uint8_t proto);

/* IPPROTO_TCP, UDP or SCTP from its name in any case; 0 when unknown. */
uint8_t wf_protocol_from_name(const char *name);

/* Whether Kubernetes takes text as the name of a container's port: "http", "dns-tcp". */
bool wf_protocol_is_port_name(const char *text);

#endif
