/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reservation: addresses (and a MAC) of a network held for a name. Written by the daemon for
 * sticky endpoints, or applied by a user beforehand. Pure.
 *
 *   kind: Reservation
 *   metadata: {name: blue.web}
 *   spec: {network: blue, for: web, addresses: [10.64.0.7], mac: "02:..", sticky: true}
 */
#ifndef WEFT_MODEL_RESERVATION_H
#define WEFT_MODEL_RESERVATION_H

#include <stdbool.h>
#include <stddef.h>

#include <weft/abi/limits.h>

#include "base/addr.h"
#include "model/meta.h"

#define WF_KIND_RESERVATION "Reservation"

struct wf_reservation {
	struct wf_meta meta;
	char network[WF_NAME_BYTES];
	char holder[WF_NAME_BYTES]; /* spec.for: the endpoint name that may use it */
	struct wf_addr addresses[WF_MAX_ENDPOINT_ADDRESSES];
	size_t address_count;
	struct wf_mac mac; /* zero: none */
	bool sticky;       /* made by weft itself for a sticky endpoint */
};

void wf_reservation_done(struct wf_reservation *reservation);
int wf_reservation_from_json(struct wf_reservation *reservation, const json_t *document,
			     struct wf_err *err);
json_t *wf_reservation_to_json(const struct wf_reservation *reservation);

#endif
