/* SPDX-License-Identifier: Apache-2.0 */
/* The first packet of a connection, made up to ask the programs about it. Pure. */
#ifndef WEFT_CONTROL_POLICY_PACKET_H
#define WEFT_CONTROL_POLICY_PACKET_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

#define PROBE_MAX_BYTES 128

struct probe {
	struct wf_mac from_mac, to_mac;
	struct wf_addr src, dst; /* of one family */
	uint8_t proto;
	uint16_t sport, dport; /* ICMP: dport is the type */
};

/* Writes the frame and returns its length. TCP: a SYN; others: the header and eight bytes. */
size_t wf_ctl_probe_write(const struct probe *probe, uint8_t frame[PROBE_MAX_BYTES]);

#endif
