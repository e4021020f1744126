/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attach: from a request to a working interface. The order is what makes a crash harmless:
 *
 *   addresses (memory) -> maps -> links -> store -> answer
 *
 * A crash before the store leaves links and map entries that belong to no document; recovery
 * takes them away. In a store that is shared the links are made while the store is asked: a crash
 * may leave a document without links, and recovery makes them. Drivers whose interface the host
 * cannot see from outside (macvlan, ipvlan) store the endpoint as Pending first, so that recovery
 * knows where to look.
 */
#include <errno.h>

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/attach_priv.h"

WF_LOG_MODULE(attach);

/* How often another node may be faster before that is an error. */
#define ATTEMPTS 16

/* Only its namespace sees the interface: the document has to be there before it. */
static bool is_unseen(const struct ctl_endpoint *endpoint)
{
	return wf_ctl_has_parent(endpoint->network);
}

/*
 * Links and store. Where storing is a round trip the links are made during it; elsewhere the
 * store comes last, so that what fails before leaves no trace there.
 */
static int link_and_store(struct wf_control *control, struct ctl_endpoint *endpoint, int netns_fd,
			  const struct ctl_reservation *fresh, json_t **ret_document,
			  struct wf_err *err)
{
	_cleanup_(wf_ctl_attach_record_done) struct attach_record record = { 0 };
	struct wf_endpoint *spec = &endpoint->spec;
	bool early = wf_ctl_is_shared(control) && !is_unseen(endpoint);
	int r = 0;

	spec->phase = WF_ENDPOINT_READY;
	/* all that the document says has to be known then */
	if (early)
		r = wf_net_ns_number(control->net, netns_fd, &spec->nsid, err);
	if (early && r == 0)
		r = wf_ctl_attach_record(control, spec, fresh, &record, err);
	if (r < 0)
		return r;
	wf_ctl_crash_point("attach.sent");
	r = wf_ctl_endpoint_link(control, endpoint, netns_fd, err);
	if (r < 0) {
		if (early)
			wf_ctl_attach_retract(control, spec, &record);
		return r;
	}
	wf_ctl_crash_point("attach.linked");
	if (!early)
		r = wf_ctl_attach_record(control, spec, fresh, &record, err);
	if (r == 0)
		r = wf_ctl_attach_recorded(control, spec, &record, ret_document, err);
	if (r < 0)
		wf_ctl_endpoint_unlink(control, endpoint, netns_fd);
	return r;
}

/* Maps, links, store; undone in reverse. */
static int bring_up(struct wf_control *control, struct ctl_endpoint *endpoint, int netns_fd,
		    const struct ctl_reservation *fresh, json_t **ret_document, struct wf_err *err)
{
	int r;

	if (is_unseen(endpoint)) {
		r = wf_ctl_attach_store(control, &endpoint->spec, err);
		if (r < 0)
			return r;
	}
	wf_ctl_crash_point("attach.pending");
	/* who it may talk to is in force before anything can be sent */
	r = wf_ctl_policy_member_put(control, endpoint, err);
	if (r < 0)
		goto err_unmember;
	wf_ctl_crash_point("attach.judged");
	r = wf_ctl_program_endpoint(control, endpoint, err);
	if (r < 0)
		goto err_unmember;
	wf_ctl_crash_point("attach.programmed");
	r = wf_ctl_endpoint_serve(control, endpoint, netns_fd, err);
	if (r < 0)
		goto err_unprogram;
	r = link_and_store(control, endpoint, netns_fd, fresh, ret_document, err);
	if (r < 0)
		goto err_unprogram;
	wf_ctl_crash_point("attach.stored");
	return 0;

err_unprogram:
	wf_ctl_endpoint_unserve(control, endpoint);
	wf_ctl_unprogram_endpoint(control, endpoint);
err_unmember:
	wf_ctl_policy_member_drop(control, endpoint);
	if (is_unseen(endpoint)) {
		struct wf_store_write gone = { .op = WF_STORE_DELETE,
					       .kind = WF_KIND_ENDPOINT,
					       .name = endpoint->spec.meta.name,
					       .expected = WF_STORE_ANY };

		(void)wf_ctl_commit(control, &gone, 1, WF_STORE_BOOT_BOUND, NULL);
	}
	return r;
}

/* The network that a request names, made with defaults if it asks for that. */
static int find_network(struct wf_control *control, const struct attach_request *request,
			struct ctl_network **ret_network, struct wf_err *err)
{
	struct ctl_network *network = wf_ctl_network_find(control, request->network);

	if (!network && request->create_network) {
		int r = wf_ctl_network_create_default(control, request->network, err);

		if (r < 0)
			return r;
		network = wf_ctl_network_find(control, request->network);
	}
	if (!network)
		return wf_fail_field(err, -ENOENT, "network",
				     "there is no network %s; create it with 'weft network create "
				     "%s'",
				     request->network, request->network);
	*ret_network = network;
	return 0;
}

/* A driver that gives no interface: said before anything is touched. */
static int check_driver(const struct ctl_network *network, const struct wf_net_ns_id *ns,
			struct wf_err *err)
{
	if (network->spec.driver == WF_DRIVER_HOST && !wf_net_ns_is_own(ns))
		return wf_fail_field(err, -EINVAL, "network",
				     "network %s has driver host: a container in it shares the "
				     "host's namespace (run it with --network host) and cannot be "
				     "attached",
				     network->spec.meta.name);
	return 0;
}

static int attach_to(struct wf_control *control, struct ctl_network *network,
		     const struct attach_request *request, int netns_fd,
		     const struct wf_net_ns_id *ns, json_t **ret_document, struct wf_err *err)
{
	_cleanup_(wf_endpoint_done) struct wf_endpoint spec = { 0 };
	struct ctl_reservation *fresh = NULL;
	struct ctl_endpoint *endpoint = NULL;
	uint32_t slot;
	int r;

	r = wf_ctl_attach_fill(control, network, request, ns, &spec, err);
	if (r < 0)
		return r;
	slot = spec.slot;
	r = wf_ctl_attach_reserve(control, network, &spec, &fresh, err);
	if (r == 0) {
		r = wf_ctl_endpoint_insert(control, &spec, network, &endpoint);
		if (r < 0)
			(void)wf_fail(err, r, "out of memory for endpoint %s", spec.meta.name);
	}
	if (!endpoint) {
		wf_ctl_attach_unaddress(network, &spec, false);
		control->slots[slot] = CTL_SLOT_FREE;
		goto err_unreserve;
	}
	wf_ctl_crash_point("attach.addressed");
	r = wf_ctl_publish_check(control, endpoint, err);
	if (r == 0)
		r = bring_up(control, endpoint, netns_fd, fresh, ret_document, err);
	if (r < 0) {
		wf_ctl_attach_unaddress(network, &endpoint->spec, r == -ESTALE);
		if (slot)
			control->slots[slot] = CTL_SLOT_DYING;
		wf_ctl_endpoint_remove(control, endpoint);
		wf_ctl_dirty(control, CTL_DIRTY_DEVICES);
		goto err_unreserve;
	}
	wf_ctl_service_routes_touch_space(control, endpoint);
	wf_ctl_lb_touch_endpoint(control, endpoint);
	wf_ctl_lb_flush(control);
	wf_log_info("endpoint attached", "endpoint=%s network=%s netns=%s interface=%s",
		    endpoint->spec.meta.name, endpoint->spec.network, endpoint->spec.netns,
		    endpoint->spec.ifname);
	return 0;

err_unreserve:
	if (fresh)
		wf_ctl_reservation_stop(control, fresh);
	return r;
}

/*
 * Where several nodes give out a network's addresses, another may have been faster: the address
 * cools down here (it is taken, and news of that is on its way), and the next one is tried. One
 * that was asked for is refused.
 */
static int attach_shared(struct wf_control *control, struct ctl_network *network,
			 const struct attach_request *request, int netns_fd,
			 const struct wf_net_ns_id *ns, json_t **ret_document, struct wf_err *err)
{
	int r = -ESTALE;

	for (unsigned int i = 0; r == -ESTALE && i < ATTEMPTS; i++)
		r = attach_to(control, network, request, netns_fd, ns, ret_document, err);
	return r;
}

/* The host side's MAC is the node's, not the endpoint's: told to the runtime, not stored. */
static void add_host_mac(const struct wf_control *control, json_t *document)
{
	json_t *device = json_object_get(json_object_get(document, "status"), "hostInterface");
	char mac[WF_MAC_TEXT];

	if (device)
		(void)wf_json_set_str(device, "mac", wf_mac_format(&control->weft0_mac, mac));
}

int wf_control_attach(struct wf_control *control, const json_t *body, json_t **ret_endpoint,
		      struct wf_err *err)
{
	_cleanup_(wf_ctl_attach_request_done) struct attach_request request = { 0 };
	_cleanup_close_ int netns_fd = -1;
	struct ctl_network *network;
	struct wf_net_ns_id ns;
	int r;

	wf_ctl_follow(control);
	r = wf_ctl_check_joined(control, err);
	if (r < 0)
		return r;
	r = wf_ctl_attach_parse(&request, body, err);
	if (r < 0)
		return r;
	r = wf_net_ns_open(request.netns, &netns_fd, &ns, err);
	if (r < 0) {
		wf_err_set_field(err, "netns");
		return r;
	}
	r = find_network(control, &request, &network, err);
	if (r < 0)
		return r;
	r = check_driver(network, &ns, err);
	/* the slots of devices that an earlier daemon left are not free */
	if (r == 0)
		r = wf_ctl_settle(control, err);
	/* the parent may have come, or come again, since anybody looked */
	if (r == 0 && wf_ctl_has_parent(network))
		r = wf_ctl_network_resolve(control, network, err);
	if (r == 0)
		r = attach_shared(control, network, &request, netns_fd, &ns, ret_endpoint, err);
	if (r < 0) {
		wf_err_set_object(err, "network/%s", request.network);
		return r;
	}
	add_host_mac(control, *ret_endpoint);
	return 0;
}
