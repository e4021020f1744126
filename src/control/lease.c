/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses of networks that several nodes give out. Each node chooses from what it believes to be
 * free; the store decides: an endpoint is committed together with a lease of each of its addresses,
 * which must not be there yet, so that no address is ever given twice, whatever nodes believe.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "control/control_priv.h"
#include "model/document.h"

void wf_ctl_leases_done(struct ctl_leases *leases)
{
	for (size_t i = 0; i < WF_MAX_ENDPOINT_ADDRESSES; i++)
		json_decref(leases->documents[i]);
}

char *wf_ctl_lease_name(const char *network, const struct wf_addr *addr, ctl_lease_name name)
{
	char text[WF_ADDR_TEXT];

	(void)snprintf(name, sizeof(ctl_lease_name), "%s/%s", network, wf_addr_format(addr, text));
	return name;
}

json_t *wf_ctl_lease_document(const char *name, const char *network, const char *endpoint,
			      const char *node)
{
	_cleanup_json_ json_t *document =
		json_pack("{s:s, s:s, s:{s:s}, s:{s:s, s:s}}", "apiVersion", WF_API_VERSION, "kind",
			  CTL_KIND_ADDRESS_LEASE, "metadata", "name", name, "spec", "network",
			  network, "node", node);

	if (document && endpoint &&
	    wf_json_set_str(json_object_get(document, "spec"), "endpoint", endpoint) < 0)
		return NULL;
	return TAKE_PTR(document);
}

int wf_ctl_lease_writes(struct wf_control *control, const struct wf_endpoint *spec, bool is_end,
			struct ctl_leases *leases, struct wf_store_write *writes, size_t *ret_count)
{
	const struct ctl_network *network = wf_ctl_network_find(control, spec->network);

	*ret_count = 0;
	if (!wf_ctl_is_shared(control) || !network || !wf_ctl_is_overlay(network))
		return 0;
	for (size_t i = 0; i < spec->address_count; i++) {
		const char *name = wf_ctl_lease_name(spec->network, &spec->addresses[i].prefix.addr,
						     leases->names[i]);

		if (!is_end) {
			leases->documents[i] = wf_ctl_lease_document(name, spec->network,
								     spec->meta.name, spec->node);
			if (!leases->documents[i])
				return -ENOMEM;
		}
		writes[i] = (struct wf_store_write){ .op = is_end ? WF_STORE_DELETE : WF_STORE_PUT,
						     .kind = CTL_KIND_ADDRESS_LEASE,
						     .name = name,
						     .document = leases->documents[i],
						     .expected = is_end ? WF_STORE_ANY
									: WF_STORE_ABSENT };
	}
	*ret_count = spec->address_count;
	return 0;
}

bool wf_ctl_is_lease_of(struct wf_control *control, const char *name, const char *endpoint,
			const char *node)
{
	_cleanup_json_ json_t *lease = NULL;
	const json_t *of;

	if (wf_store_get(control->store, CTL_KIND_ADDRESS_LEASE, name, &lease, NULL) < 0)
		return false;
	of = json_object_get(lease, "spec");
	return strcmp(wf_json_str(of, "endpoint", ""), endpoint) == 0 &&
	       strcmp(wf_json_str(of, "node", ""), node) == 0;
}

int wf_ctl_endpoint_forget(struct wf_control *control, const struct wf_endpoint *spec,
			   enum wf_store_durability durability, struct wf_err *err)
{
	_cleanup_(wf_ctl_leases_done) struct ctl_leases leases = { .documents = { NULL } };
	struct wf_store_write writes[1 + CTL_LEASE_WRITES] = { { .op = WF_STORE_DELETE,
								 .kind = WF_KIND_ENDPOINT,
								 .name = spec->meta.name,
								 .expected = WF_STORE_ANY } };
	size_t more = 0;
	int r = wf_ctl_lease_writes(control, spec, true, &leases, writes + 1, &more);

	if (r == 0)
		r = wf_ctl_commit(control, writes, 1 + more, durability, err);
	/* another node has released some of it: each for itself then */
	for (size_t i = 0; r == -ENOENT && more && i < 1 + more; i++) {
		int q;

		if (i && !wf_ctl_is_lease_of(control, writes[i].name, spec->meta.name, spec->node))
			continue;
		q = wf_ctl_commit(control, &writes[i], 1, durability, err);
		if (q < 0 && q != -ENOENT)
			r = q;
	}
	return r == -ENOENT ? 0 : r;
}

int wf_ctl_document_forget(struct wf_control *control, const json_t *document,
			   enum wf_store_durability durability, struct wf_err *err)
{
	_cleanup_(wf_endpoint_done) struct wf_endpoint spec = { 0 };
	int r = wf_endpoint_from_json(&spec, document, err);

	return r < 0 ? r : wf_ctl_endpoint_forget(control, &spec, durability, err);
}
