/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Start: the tables are filled from the store, then the kernel is compared with them and the
 * difference is put right, deletions last. There is no other path for the first start: then the
 * store and the kernel are simply empty.
 */
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/apply_priv.h"
#include "control/attach_priv.h"
#include "dp/overlay.h"
#include "model/document.h"
#include "model/namespace.h"
#include "model/node.h"

WF_LOG_MODULE(recover);

#define SERVICE_RANGE_LEN 112

/* The last subnet of the node's ULA prefix, when no range was given for IPv6 service addresses. */
static void set_service_range(struct wf_control *control)
{
	struct wf_prefix *range = &control->lb.cluster_cidrs[1];

	control->lb.cluster_cidrs[0] = control->config.service_cidrs[0];
	*range = control->config.service_cidrs[1];
	if (range->len)
		return;
	memset(range, 0, sizeof(*range));
	range->addr.bytes[0] = 0xfd;
	memcpy(&range->addr.bytes[1], control->ula_seed, sizeof(control->ula_seed));
	range->addr.bytes[6] = range->addr.bytes[7] = 0xff;
	range->len = SERVICE_RANGE_LEN;
}

/* 40 random bits of the node's ULA prefix, made once and kept in the store. */
static int load_seed(struct wf_control *control, struct wf_err *err)
{
	_cleanup_json_ json_t *document = NULL;
	struct wf_store_write write = {
		.op = WF_STORE_PUT, .kind = "NodeState", .name = "local", .expected = WF_STORE_ANY
	};
	uint64_t bits = 0;
	int r;

	r = wf_store_get(control->store, write.kind, write.name, &document, err);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == -ENOENT) {
		if (getrandom(&bits, sizeof(bits), 0) != sizeof(bits))
			return wf_fail(err, -EIO, "no randomness for the node's ULA prefix");
		document = json_pack("{s:s, s:s, s:{s:s}, s:{s:I}}", "apiVersion", WF_API_VERSION,
				     "kind", write.kind, "metadata", "name", write.name, "spec",
				     "ulaBits", (json_int_t)(bits & 0xffffffffffU));
		if (!document)
			return wf_fail(err, -ENOMEM, "out of memory");
		write.document = document;
		r = wf_ctl_commit(control, &write, 1, WF_STORE_DURABLE, err);
		if (r < 0)
			return r;
	}
	bits = (uint64_t)wf_json_int(json_object_get(document, "spec"), "ulaBits", 0);
	for (int i = 0; i < 5; i++)
		control->ula_seed[i] = (uint8_t)(bits >> (8 * i));
	set_service_range(control);
	return 0;
}

typedef int (*load_fn)(struct wf_control *control, const json_t *document, struct wf_err *err);

static int load_network(struct wf_control *control, const json_t *document, struct wf_err *err)
{
	struct ctl_network *network = NULL;
	struct wf_network spec = { 0 };
	int r;

	r = wf_network_from_json(&spec, document, err);
	if (r == 0)
		r = wf_ctl_network_insert(control, &spec, &network, err);
	if (!network) {
		wf_network_done(&spec);
		return wf_err_negative(r);
	}
	/* a parent device that is missing now must not keep the node down */
	if (wf_ctl_network_resolve(control, network, err) < 0)
		wf_log_warning("network is not usable", "network=%s error=\"%s\"",
			       network->spec.meta.name, err ? err->message : "");
	return 0;
}

static int load_reservation(struct wf_control *control, const json_t *document, struct wf_err *err)
{
	struct wf_reservation spec = { 0 };
	int r;

	r = wf_reservation_from_json(&spec, document, err);
	if (r == 0)
		r = wf_ctl_reservation_start(control, &spec, err);
	wf_reservation_done(&spec);
	return r;
}

/* All or none. */
static int take_addresses(struct ctl_network *network, struct wf_endpoint *spec, struct wf_err *err)
{
	const char *owner = wf_ctl_pool_owner(spec);
	uint64_t now_ms = wf_clock_monotonic_ms();
	size_t taken;
	int r = 0;

	for (taken = 0; taken < spec->address_count; taken++) {
		const struct wf_addr *addr = &spec->addresses[taken].prefix.addr;
		struct wf_pool *pool = wf_ctl_pool_of(network, addr);

		r = pool ? wf_pool_take(pool, addr, owner, now_ms, err)
			 : wf_fail(err, -ESTALE, "an address of endpoint %s is in no subnet",
				   spec->meta.name);
		if (r < 0)
			break;
	}
	while (r < 0 && taken--) {
		const struct wf_addr *addr = &spec->addresses[taken].prefix.addr;

		(void)wf_pool_release(wf_ctl_pool_of(network, addr), addr, owner, now_ms, false);
	}
	return r;
}

/* Its addresses are taken first: whatever happens next, nobody else gets them meanwhile. */
static int load_endpoint(struct wf_control *control, const json_t *document, struct wf_err *err)
{
	struct wf_endpoint spec = { 0 };
	struct ctl_endpoint *endpoint;
	struct ctl_network *network;
	int r;

	if (wf_ctl_is_remote(control, document))
		return wf_ctl_remote_put(control, document, err);
	r = wf_endpoint_from_json(&spec, document, err);
	if (r < 0)
		return r;
	network = wf_ctl_network_find(control, spec.network);
	if (!network || (spec.slot && (spec.slot >= WF_MAX_SLOTS || control->by_slot[spec.slot]))) {
		r = wf_fail(err, -ESTALE, "endpoint %s has no network or its slot is taken",
			    spec.meta.name);
		goto out;
	}
	r = take_addresses(network, &spec, err);
	if (r < 0)
		goto out;
	r = wf_ctl_endpoint_insert(control, &spec, network, &endpoint);
	if (r < 0)
		wf_ctl_attach_unaddress(network, &spec, false);
out:
	wf_endpoint_done(&spec);
	return r;
}

static int load_applied(struct wf_control *control, const json_t *document, struct wf_err *err)
{
	const struct ctl_kind_ops *ops = wf_ctl_kind_ops(wf_json_str(document, "kind", ""));
	char key[WF_NAME_BYTES];
	int r = ops ? wf_document_key(document, key) : -EINVAL;

	return r < 0 ? wf_fail(err, r, "not an object that can be applied")
		     : ops->force(control, key, document, err);
}

/* Where nodes are is known before who is on them: their numbers follow from that. */
static int load_node(struct wf_control *control, const json_t *document, struct wf_err *err)
{
	struct wf_node spec = { 0 };
	int r = wf_node_from_json(&spec, document, err);

	if (r == 0 && strcmp(spec.meta.name, control->config.node_name) == 0)
		wf_ctl_hosts_load(control, &spec);
	else if (r == 0)
		r = wf_ctl_node_learn(control, spec.meta.name, &spec, err);
	wf_node_done(&spec);
	return r;
}

static int load_node_lease(struct wf_control *control, const json_t *document, struct wf_err *err)
{
	(void)err;
	wf_ctl_node_lives(control, wf_json_str(json_object_get(document, "metadata"), "name", ""),
			  true);
	return 0;
}

struct loading {
	struct wf_control *control;
	const char *kind;
	load_fn load;
};

static int load_document(const json_t *document, void *context, struct wf_err *err)
{
	const struct loading *loading = context;
	struct wf_err fault = WF_ERR_INIT;
	int r = loading->load(loading->control, document, &fault);

	/* what is not known is taken away later: better no start than a wrong one */
	if (r == -ENOMEM)
		return wf_fail(err, r, "reading the store: %s", fault.message);
	/* a policy that is left out opens what it closes */
	if (r < 0 && wf_policy_is_kind(loading->kind))
		return wf_fail(err, r, "stored policy %s/%s cannot be put in force: %s",
			       loading->kind,
			       wf_json_str(json_object_get(document, "metadata"), "name", "?"),
			       fault.message);
	if (r < 0)
		wf_log_error("stored object is not usable", "kind=%s name=%s error=\"%s\"",
			     loading->kind,
			     wf_json_str(json_object_get(document, "metadata"), "name", "?"),
			     fault.message);
	return 0;
}

static int load_kind(struct wf_control *control, const char *kind, load_fn load, struct wf_err *err)
{
	struct loading loading = { .control = control, .kind = kind, .load = load };

	return wf_store_visit(control->store, kind, load_document, &loading, err);
}

/* Most are other nodes': of these little has to be read. What fails is told as of a document. */
static int take_text(const char *text, size_t len, void *context, struct wf_err *err)
{
	const struct loading *loading = context;
	struct wf_err fault = WF_ERR_INIT;
	int r = wf_ctl_remote_take(loading->control, text, len, &fault);

	if (r == -ENOMEM)
		return wf_fail(err, r, "reading the store: %s", fault.message);
	return r > 0;
}

static int load_endpoints(struct wf_control *control, struct wf_err *err)
{
	struct loading loading = { .control = control,
				   .kind = WF_KIND_ENDPOINT,
				   .load = load_endpoint };
	int r;

	if (wf_ctl_is_shared(control))
		wf_dp_remotes_fetch(control->dp);
	wf_ctl_crowds_remember(control);
	r = wf_store_visit_texts(control->store, WF_KIND_ENDPOINT, take_text, load_document,
				 &loading, err);
	wf_ctl_crowds_forget(control);
	return r;
}

static int load_nodes(struct wf_control *control, struct wf_err *err)
{
	int r = 0;

	if (!wf_ctl_is_shared(control))
		return 0;
	r = load_kind(control, WF_KIND_NODE, load_node, err);
	if (r == 0)
		r = load_kind(control, CTL_KIND_NODE_LEASE, load_node_lease, err);
	return r < 0 ? r : load_kind(control, CTL_KIND_IP_BLOCK, wf_ctl_block_learn, err);
}

/* Endpoints of another boot, of dead namespaces, or whose attach was cut short. */
static int release_dead(struct wf_control *control, struct wf_err *err)
{
	struct ctl_endpoint *endpoint, *next;

	HASH_ITER(by_name, control->endpoints, endpoint, next) {
		const char *why = NULL;
		int r;

		if (strcmp(endpoint->spec.boot_id, control->boot_id) != 0)
			why = "the host was booted since";
		else if (endpoint->spec.phase != WF_ENDPOINT_READY)
			why = "its attach was cut short";
		else if (!wf_ctl_namespace_alive(control, &endpoint->spec))
			why = "its namespace is gone";
		if (!why)
			continue;
		r = wf_ctl_endpoint_release(control, endpoint, why, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int wf_ctl_policies_load(struct wf_control *control, struct wf_err *err)
{
	static const char *const kinds[] = {
		WF_KIND_NAMESPACE,      WF_KIND_NODE,
		WF_KIND_NETWORK_POLICY, WF_KIND_CLUSTER_POLICY,
		WF_KIND_ADMIN_POLICY,   WF_KIND_BASELINE_POLICY,
		WF_KIND_CILIUM_POLICY,  WF_KIND_CILIUM_CLUSTER_POLICY,
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < WF_ARRAY_LEN(kinds); i++)
		r = load_kind(control, kinds[i], load_applied, err);
	return r;
}

static int come_into_force(struct wf_control *control, struct wf_err *err);

int wf_ctl_recover(struct wf_control *control, struct wf_err *err)
{
	int r;

	r = wf_file_boot_id(control->boot_id);
	if (r < 0)
		return wf_fail(err, r, "cannot read the id of this boot");
	r = load_seed(control, err);
	if (r == 0)
		r = load_kind(control, WF_KIND_NETWORK, load_network, err);
	if (r == 0)
		r = load_kind(control, WF_KIND_RESERVATION, load_reservation, err);
	if (r == 0)
		r = load_nodes(control, err);
	/* who is refused has changed nothing of what runs here, as whoever it is */
	if (r == 0)
		r = wf_ctl_node_may_join(control, err);
	if (r == 0)
		r = load_endpoints(control, err);
	if (r == 0)
		r = load_kind(control, WF_KIND_ENDPOINT_SLICE, load_applied, err);
	if (r == 0)
		r = load_kind(control, WF_KIND_SERVICE, load_applied, err);
	if (r == 0)
		r = wf_ctl_policies_load(control, err);
	if (r == 0)
		r = come_into_force(control, err);
	if (r < 0)
		return r;
	/* the range of services may be another than before */
	wf_ctl_service_routes_touch(control, NULL);
	/* the first attach would have to do it otherwise, and would take that much longer */
	wf_ctl_dirty_at_once(control, CTL_DIRTY_REST);
	/* an apply that nobody confirmed while no daemon ran */
	return wf_ctl_confirm_arm(control, err);
}

/* How long silence is allowed, in seconds: new, established, closing, closed. */
static void configure_connections(struct wf_control *control)
{
	static const uint32_t timeout_s[WF_CONN_PHASE_COUNT][WF_CONN_CLASS_COUNT] = {
		[WF_CONN_NEW] = { 60, 30, 30, 60 },
		[WF_CONN_ESTABLISHED] = { 21600, 120, 30, 600 },
		[WF_CONN_CLOSING] = { 30, 30, 30, 30 },
		[WF_CONN_CLOSED] = { 10, 10, 10, 10 },
	};
	struct wf_conn_state state;

	wf_dp_conn_state(control->dp, &state);
	wf_dp_conn_configure(control->dp, timeout_s,
			     control->config.conn_quota ? control->config.conn_quota
							: state.max / 4);
}

/* What the maps hold of services and addresses that are no more, when all others are known. */
static int drop_rest(struct wf_control *control, struct wf_err *err)
{
	int r = wf_lb_table_drop_unclaimed(control->lb.table, wf_clock_monotonic_ms(), err);

	if (r < 0)
		return r;
	wf_ctl_lb_config(control);
	if (control->lb.settled)
		return 0;
	control->lb.settled = true;
	r = wf_ctl_host_routes_sync(control, err);
	if (r < 0)
		return r;
	/* what goes with the rest of a start is not looked for twice */
	return control->dirty & CTL_DIRTY_REST ? 0 : wf_ctl_program_drop(control, err);
}

/* The way out first, then who has which address, then services: each needs the one before. */
static int resync_services(struct wf_control *control, struct wf_err *err)
{
	int r = wf_ctl_uplinks_sync(control, err);

	if (r == 0)
		r = wf_ctl_ways_sync(control, err);
	if (r == 0)
		r = wf_ctl_netns_program_all(control, err);
	if (r == 0)
		r = wf_ctl_publish_sync(control, NULL, err);
	if (r < 0)
		return r;
	configure_connections(control);
	wf_ctl_lb_touch_all(control);
	wf_ctl_lb_flush(control);
	wf_ctl_sockets_attach(control);
	wf_ctl_recount_start(control);
	return drop_rest(control, err);
}

/* Who may talk to whom, by which way; then who is there. */
static int put_in_force(struct wf_control *control, struct wf_err *err)
{
	int r = release_dead(control, err);

	/* weft0 first: its MAC is what the networks' gateways answer */
	if (r == 0) {
		wf_ctl_parents_repair(control);
		r = wf_ctl_host_sync(control, err);
	}
	/* who may talk to whom before anybody can */
	if (r == 0)
		r = wf_ctl_policy_sync(control, err);
	if (r == 0)
		r = control->dirty & CTL_DIRTY_REST ? wf_ctl_program_used(control, err)
						    : wf_ctl_program_all(control, err);
	if (r == 0)
		r = wf_ctl_cluster_sync(control, err);
	return r < 0 ? r : wf_ctl_filters_sync(control, err);
}

int wf_control_resync(struct wf_control *control, struct wf_err *err)
{
	uint32_t dirty = control->dirty;
	int r;

	/* all of it is looked at now; what is noted from here on is to be tried again */
	control->dirty = 0;
	r = put_in_force(control, err);
	if (r == 0)
		r = wf_ctl_repair_devices(control, err);
	if (r == 0)
		r = resync_services(control, err);
	if (r < 0)
		control->dirty |= dirty;
	return r;
}

/*
 * The first half: all that is known is in force. What nobody has lets nothing pass, and devices
 * work, or wait to be repaired, whether anybody looks or not: that can wait until the start has
 * been told.
 */
static int come_into_force(struct wf_control *control, struct wf_err *err)
{
	int r;

	control->dirty = CTL_DIRTY_REST;
	r = put_in_force(control, err);
	if (r == 0)
		r = resync_services(control, err);
	return r;
}

/* Whether interfaces may have been buried that the host does not see, and that no document tells of. */
static bool has_unseen(const struct wf_control *control)
{
	for (const struct ctl_network *network = control->networks; network;
	     network = network->by_name.next)
		if (wf_ctl_has_parent(network))
			return true;
	return false;
}

int wf_ctl_settle(struct wf_control *control, struct wf_err *err)
{
	int r;

	if (!(control->dirty & CTL_DIRTY_REST))
		return 0;
	r = wf_ctl_program_all(control, err);
	if (r == 0)
		r = wf_ctl_repair_devices(control, err);
	if (r < 0)
		return r;
	if (has_unseen(control))
		wf_net_bury_leftovers(control->net);
	control->dirty &= ~(uint32_t)(CTL_DIRTY_REST | CTL_DIRTY_DEVICES);
	return 0;
}
