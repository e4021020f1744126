/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Published ports of an endpoint: spec.publish of Endpoint documents and attach requests, the
 * text form of `weft attach --publish [IP:]HOST[-END]:CONTAINER[/proto]`, CNI's portMappings. Pure.
 */
#ifndef WEFT_MODEL_PUBLISH_H
#define WEFT_MODEL_PUBLISH_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

#define WF_MAX_PUBLISHED 256 /* runs of one endpoint */

/* One run of ports. */
struct wf_publish {
	struct wf_addr host_ip; /* zero (::): every address of both families; 0.0.0.0: of IPv4 */
	uint16_t first, last;   /* on the host */
	uint16_t target;        /* the container's first */
	uint8_t proto;          /* IPPROTO_TCP, UDP, SCTP */
};

struct wf_publishes {
	struct wf_publish *items; /* owned */
	size_t count, capacity;
};

void wf_publishes_done(struct wf_publishes *list);
/*
 * "8080:80", "127.0.0.1:8080:80/udp", "[::1]:8000-8099:9000-9099/tcp", "53:53/tcp+udp" (two runs).
 * A container range, if given, must be as long as the host's. Appends. -EINVAL says what is wrong.
 */
int wf_publish_parse(struct wf_publishes *list, const char *text, struct wf_err *err);
/*
 * Appends one run after the checks that every form has in common: an address that can be the
 * host's, the end of the container's range, none published twice. path names the field in errors,
 * "" for none. -EINVAL, -ENOMEM.
 */
int wf_publishes_add(struct wf_publishes *list, const struct wf_publish *publish, const char *path,
		     struct wf_err *err);
/* [{hostIP, hostPort, hostPortEnd, containerPort, protocol}], all but two optional. Appends. */
int wf_publishes_from_json(struct wf_publishes *list, const json_t *array, const char *path,
			   struct wf_err *err);
json_t *wf_publishes_to_json(const struct wf_publishes *list);
/* "127.0.0.1:8000-8099 -> 9000/tcp" */
#define WF_PUBLISH_TEXT 112
const char *wf_publish_format(const struct wf_publish *publish, char text[WF_PUBLISH_TEXT]);

#endif
