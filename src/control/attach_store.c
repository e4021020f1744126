/* SPDX-License-Identifier: Apache-2.0 */
/* What an attach leaves in the store: the endpoint, the leases of its addresses, a reservation. */
#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "control/attach_priv.h"
#include "control/control_priv.h"

static int fail_memory(const struct wf_endpoint *spec, struct wf_err *err)
{
	return wf_fail(err, -ENOMEM, "out of memory storing endpoint %s", spec->meta.name);
}

int wf_ctl_attach_fail_elsewhere(struct wf_err *err, const char *name, const char *node)
{
	return wf_fail_field(err, -EEXIST, "name",
			     "there is an endpoint %s already, on node %s; detach it there or "
			     "choose another --name",
			     name, node);
}

/* Another node was faster: with the name, -EEXIST, or with an address, -ESTALE. */
static int explain_conflict(struct wf_control *control, const struct wf_endpoint *spec,
			    struct wf_err *err)
{
	_cleanup_json_ json_t *other = NULL;
	char text[WF_ADDR_TEXT] = "an address";

	if (wf_store_get(control->store, WF_KIND_ENDPOINT, spec->meta.name, &other, NULL) == 0)
		return wf_ctl_attach_fail_elsewhere(
			err, spec->meta.name,
			wf_json_str(json_object_get(other, "spec"), "node", "?"));
	if (spec->address_count)
		(void)wf_addr_format(&spec->addresses[0].prefix.addr, text);
	return wf_fail(err, -ESTALE, "%s was given out by another node meanwhile; try again", text);
}

void wf_ctl_attach_record_done(struct attach_record *record)
{
	json_decref(record->document);
	json_decref(record->reservation);
	wf_ctl_leases_done(&record->leases);
}

static void add_put(struct attach_record *record, const char *kind, const char *name,
		    json_t *document, uint64_t expected)
{
	record->writes[record->count++] = (struct wf_store_write){ .op = WF_STORE_PUT,
								   .kind = kind,
								   .name = name,
								   .document = document,
								   .expected = expected };
}

int wf_ctl_attach_record(struct wf_control *control, const struct wf_endpoint *spec,
			 const struct ctl_reservation *fresh, struct attach_record *record,
			 struct wf_err *err)
{
	size_t more = 0;

	record->is_new = !spec->meta.resource_version;
	record->document = wf_endpoint_to_json(spec);
	if (!record->document)
		return fail_memory(spec, err);
	add_put(record, WF_KIND_ENDPOINT, spec->meta.name, record->document,
		wf_ctl_is_shared(control) ? spec->meta.resource_version : WF_STORE_ANY);
	if (record->is_new && wf_ctl_lease_writes(control, spec, false, &record->leases,
						  record->writes + record->count, &more) < 0)
		return fail_memory(spec, err);
	record->count += more;
	if (fresh) {
		record->reservation = wf_reservation_to_json(&fresh->spec);
		if (!record->reservation)
			return wf_fail(err, -ENOMEM, "out of memory storing a reservation");
		add_put(record, WF_KIND_RESERVATION, fresh->spec.meta.name, record->reservation,
			WF_STORE_ANY);
	}
	/* a reservation outlives this boot, an endpoint does not */
	record->flight = wf_ctl_commit_begin(control, record->writes, record->count,
					     fresh ? WF_STORE_DURABLE : WF_STORE_BOOT_BOUND);
	return 0;
}

int wf_ctl_attach_recorded(struct wf_control *control, struct wf_endpoint *spec,
			   struct attach_record *record, json_t **ret_document, struct wf_err *err)
{
	int r = wf_ctl_commit_end(control, &record->flight, err);

	if (r == -EEXIST && record->is_new && wf_ctl_is_shared(control))
		return explain_conflict(control, spec, err);
	if (r < 0)
		return r;
	wf_ctl_meta_adopt(&spec->meta, record->document);
	if (ret_document)
		*ret_document = TAKE_PTR(record->document);
	return 0;
}

void wf_ctl_attach_retract(struct wf_control *control, struct wf_endpoint *spec,
			   struct attach_record *record)
{
	/* what did not get there needs nothing; whether it did may not be known yet */
	if (wf_ctl_attach_recorded(control, spec, record, NULL, NULL) < 0)
		return;
	for (size_t i = 0; i < record->count; i++) {
		record->writes[i].op = WF_STORE_DELETE;
		record->writes[i].document = NULL;
		record->writes[i].expected = WF_STORE_ANY;
	}
	if (wf_ctl_commit(control, record->writes, record->count, WF_STORE_BOOT_BOUND, NULL) < 0)
		wf_ctl_stray_add(control, spec->meta.name);
}

int wf_ctl_attach_store(struct wf_control *control, struct wf_endpoint *spec, struct wf_err *err)
{
	_cleanup_(wf_ctl_attach_record_done) struct attach_record record = { 0 };
	int r = wf_ctl_attach_record(control, spec, NULL, &record, err);

	return r < 0 ? r : wf_ctl_attach_recorded(control, spec, &record, NULL, err);
}
