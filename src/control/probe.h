/* SPDX-License-Identifier: Apache-2.0 */
/* Whether other nodes are reached, how fast, and with how large packets. */
#ifndef WEFT_CONTROL_PROBE_H
#define WEFT_CONTROL_PROBE_H

#include <jansson.h>

#include "base/str.h"

struct ctl_node;
struct ctl_probe;
struct wf_control;

/* A node's address became known, or is another one now: it is asked from here on. */
void wf_ctl_probe_start(struct wf_control *control, struct ctl_node *node);
/* It is not asked any more. NULL-safe. */
void wf_ctl_probe_stop(struct ctl_node *node);
/* Closes what all of them share. */
void wf_ctl_probes_close(struct wf_control *control);

/* Bytes that packets to the node have to keep to; 0: those of the device, or nothing is known. */
uint32_t wf_ctl_probe_limit(const struct ctl_node *node);

/* What is known of the way there. New reference; NULL: the node is not asked. */
json_t *wf_ctl_probe_json(const struct ctl_node *node);
void wf_ctl_probe_metrics(struct wf_control *control, struct wf_str *out);

#endif
