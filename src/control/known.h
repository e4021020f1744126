/* SPDX-License-Identifier: Apache-2.0 */
/* Whether other nodes know what this one has committed: asked after an attach, and answered. */
#ifndef WEFT_CONTROL_KNOWN_H
#define WEFT_CONTROL_KNOWN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct ctl_node;
struct ctl_wait;
struct event;
struct wf_ask;
struct wf_control;

/* What is kept of another node. */
struct ctl_known {
	/* it is asked: */
	uint64_t cookie;   /* what its answers have to carry; 0: it was not asked yet */
	uint64_t revision; /* it has said that it has everything up to here */
	bool is_mute;      /* it did not answer in time: it is asked, but not waited for */
	uint64_t pause_ms; /* mute: how long it is left alone */
	uint64_t again_ms; /* and until when */
	/* it asks, and waits for an answer: */
	bool asks;
	uint64_t their_cookie;
	uint64_t low, high; /* the smallest and the greatest revision that it asked for */
	struct ctl_node *prev_asker, *next_asker;
};

/* What is kept of all of them. */
struct ctl_knowing {
	struct wf_ask *ask; /* owned; NULL: there is no socket */
	struct event *event;
	struct ctl_wait *waits;  /* list; owned */
	struct ctl_node *askers; /* list of those that have no answer yet */
	uint64_t last;           /* the greatest revision that was asked for */
	uint64_t waits_total;    /* attaches that asked somebody */
	uint64_t expired_total;  /* and did not hear from everybody in time */
};

/* When the node has joined: from here on others are answered. What fails is told and left. */
void wf_ctl_known_start(struct wf_control *control);
/* Ends all waits, which calls those who wait. */
void wf_ctl_known_stop(struct wf_control *control);
/* What other nodes have changed is in force: whoever asked for it is told. */
void wf_ctl_known_followed(struct wf_control *control);
/* A node goes. */
void wf_ctl_known_forget(struct wf_control *control, struct ctl_node *node);

void wf_ctl_known_metrics(struct wf_control *control, struct wf_str *out);

#endif
