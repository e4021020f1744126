/* SPDX-License-Identifier: Apache-2.0 */
/* The fields of a Reservation. */
#include "base/mem.h"
#include "model/kind_priv.h"
#include "model/reservation.h"

static const struct wf_schema address = { .type = WF_SCHEMA_STRING };

static const struct wf_schema spec_fields[] = {
	{ .name = "network",
	  .type = WF_SCHEMA_STRING,
	  .required = true,
	  .example = "\"blue\"",
	  .help = "The network whose addresses are reserved." },
	{ .name = "for",
	  .type = WF_SCHEMA_STRING,
	  .required = true,
	  .example = "\"web\"",
	  .help = "Name of the endpoint that may use them." },
	{ .name = "addresses",
	  .type = WF_SCHEMA_LIST,
	  .item = &address,
	  .max = WF_MAX_ENDPOINT_ADDRESSES,
	  .example = "[\"10.64.0.7\"]",
	  .help = "The addresses, without prefix length." },
	{ .name = "mac",
	  .type = WF_SCHEMA_STRING,
	  .example = "\"02:00:00:00:00:07\"",
	  .help = "MAC that goes with them." },
	{ .name = "sticky",
	  .type = WF_SCHEMA_BOOL,
	  .fallback = "false",
	  .help = "Made by weft itself for a sticky endpoint." },
	WF_SCHEMA_END,
};

static const struct wf_schema status_fields[] = { WF_SCHEMA_END };

const struct wf_schema wf_kind_reservation_fields[] = {
	WF_KIND_COMMON_FIELDS,
	{ .name = "spec",
	  .type = WF_SCHEMA_OBJECT,
	  .required = true,
	  .fields = spec_fields,
	  .help = "What is reserved, and for whom." },
	{ .name = "status",
	  .type = WF_SCHEMA_OBJECT,
	  .fields = status_fields,
	  .read_only = true,
	  .open = true,
	  .help = "Whether the addresses are in use." },
	WF_SCHEMA_END,
};

int wf_kind_reservation_check(const json_t *document, struct wf_err *err)
{
	_cleanup_(wf_reservation_done) struct wf_reservation reservation = { .address_count = 0 };

	return wf_reservation_from_json(&reservation, document, err);
}
