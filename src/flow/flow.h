/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an event of the datapath to something people read: numbers become names. Pure: who has
 * which name is asked through a callback, so that it knows neither tables nor maps.
 */
#ifndef WEFT_FLOW_FLOW_H
#define WEFT_FLOW_FLOW_H

#include <jansson.h>
#include <stdint.h>

#include <weft/abi/event.h>

/* How event numbers are turned into names. Each returns NULL when it does not know. */
struct wf_flow_names {
	const char *(*endpoint_by_slot)(uint32_t slot, void *context);
	const char *(*endpoint_by_address)(uint32_t network, const struct wf_addr *addr,
					   void *context);
	const char *(*network)(uint32_t number, void *context);
	/* {policy, rule, ...} of what decided; new reference. NULL: rules have no names */
	json_t *(*rule)(uint32_t number, void *context);
	void *context;
};

/* "TCP", "UDP", "ICMPv6"; the number in buf when it has no name. buf: 8 bytes. */
const char *wf_flow_protocol(uint8_t proto, char buf[8]);

/* "drop", "first", "audit" or "trace". */
const char *wf_flow_type(const struct wf_event *event);

/* The event as docs/api.md describes a line of /v1/observe. New reference; NULL: no memory. */
json_t *wf_flow_to_json(const struct wf_event *event, int64_t wall_s,
			const struct wf_flow_names *names);

#endif
