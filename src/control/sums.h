/* SPDX-License-Identifier: Apache-2.0 */
/* Who makes checksums of what is encapsulated: devices, or the kernel where these get them wrong. */
#ifndef WEFT_CONTROL_SUMS_H
#define WEFT_CONTROL_SUMS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/str.h"
#include "net/net.h"

struct ctl_node;
struct ctl_sums;
struct event;
struct wf_ask_message;
struct wf_control;
struct wf_sums_wire;

/* What is kept of the whole. */
struct ctl_summing {
	struct wf_sums_wire *wire; /* owned; NULL: there is none */
	struct event *event;
	enum wf_net_sums now; /* as it was when last looked at */
	bool is_known;        /* it was looked at */
	bool is_remembered; /* an earlier weftd found a device broken, and nothing speaks against it */
};

/* When the node has joined: from here on others' probes are answered. What fails is told and left. */
void wf_ctl_sums_open(struct wf_control *control);
void wf_ctl_sums_close(struct wf_control *control);

/* A node is probed from here on, if nodes are asked at all. */
void wf_ctl_sums_start(struct wf_control *control, struct ctl_node *node);
/* It is not any more. NULL-safe. */
void wf_ctl_sums_stop(struct ctl_node *node);
/* A node says that a probe came. */
void wf_ctl_sums_came(struct wf_control *control, struct ctl_node *node,
		      const struct wf_ask_message *message);

/* Has checksums made by whom they shall be made; who makes them now. */
enum wf_net_sums wf_ctl_sums_sync(struct wf_control *control);

/* What is known of the way to a node. New reference; NULL: it is not probed. */
json_t *wf_ctl_sums_json(const struct ctl_node *node);
/* Who makes them here, and why. New reference. */
json_t *wf_ctl_sums_self_json(struct wf_control *control);
void wf_ctl_sums_metrics(struct wf_control *control, struct wf_str *out);

#endif
